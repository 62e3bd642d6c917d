//! The hosts are hosts: as MPI sees them, as the kernel does, and by what goes over the wire. And they
//! leave nothing behind.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use onesided::internals::rma::processor_name;
use onesided::rma::{Comm, Placement};
use serde::{Deserialize, Serialize};

use crate::games::{operations, play};
use crate::harness::Body;
use crate::hosts::{Hosts, Setup, name};
use crate::launchers::Within;
use crate::support::{signal, until};
use crate::{Test, print_all, result_on};

const WHERE: Body = Body {
    name: "apart::where_am_i",
    run: where_am_i,
};

pub const BODIES: &[Body] = &[WHERE];

pub const TESTS: &[Test] = &[
    ("apart::ranks_see_the_hosts", ranks_see_the_hosts),
    ("apart::claims_cross_the_wire", claims_cross_the_wire),
    ("apart::sets_do_not_meet_and_go", sets_do_not_meet_and_go),
    (
        "apart::killed_tests_leave_nothing",
        killed_tests_leave_nothing,
    ),
];

/// What a rank sees of the host that it is on.
#[derive(Serialize, Deserialize)]
struct Seen {
    processor_name: String,
    /// By `MPI_Comm_split_type`.
    node: u32,
    /// What lies in /dev/shm and /tmp of this test.
    files: Vec<String>,
}

/// Folders of which each host has one of its own.
const PRIVATE: [&str; 2] = ["/dev/shm", "/tmp"];

fn where_am_i(comm: &Comm<'_>) {
    const PREFIX: &str = "onesided-was-here-";
    let processor_name = processor_name().expect("a name");
    let placement = Placement::of(comm).expect("nodes");
    for folder in PRIVATE {
        let path = Path::new(folder).join(format!("{PREFIX}{processor_name}"));
        std::fs::write(path, "").expect("writable");
    }
    comm.barrier().expect("everybody has written");
    let entries = PRIVATE
        .iter()
        .flat_map(|dir| std::fs::read_dir(dir).expect("readable"));
    let names = entries.map(|entry| entry.expect("readable").file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let files = names.filter_map(|name| Some(name.strip_prefix(PREFIX)?.to_owned()));
    let seen = Seen {
        node: placement.node_of(comm.rank()),
        files: files.collect(),
        processor_name,
    };
    print_all(comm, &seen);
}

fn ranks_see_the_hosts() {
    let hosts = Hosts::up(3);
    for per_host in [1, 2] {
        let all: Vec<Seen> = result_on(&hosts, per_host, Within::SharedMemory, WHERE);
        assert_eq!(all.len() as u32, 3 * per_host);
        for (rank, seen) in (0..).zip(all) {
            let host = rank / per_host;
            assert_eq!(seen.processor_name, name(host), "rank {rank}");
            assert_eq!(
                seen.node, host,
                "rank {rank} shares memory with its host only"
            );
            assert_eq!(seen.files, vec![name(host); 2], "rank {rank}");
        }
    }
}

/// Every operation of a rank of another host is a frame to the home rank's, and one back. What
/// launching takes is taken off by playing twice.
fn claims_cross_the_wire() {
    let hosts = Hosts::up(3);
    let traffic = |games| {
        let before = hosts.traffic(0);
        let args =
            format!("rma --claim-with compare-and-swap --think 300us --seed 5 --games {games}");
        let summary = play(&hosts, 1, Within::SharedMemory, &args);
        let after = hosts.traffic(0);
        let remote: u64 = operations(&summary)[1..].iter().sum();
        (
            remote,
            after.received_frames - before.received_frames,
            after.sent_frames - before.sent_frames,
            after.received_bytes - before.received_bytes,
            after.sent_bytes - before.sent_bytes,
        )
    };
    let (few, many) = (traffic(1), traffic(60));
    let n = many.0 - few.0;
    assert!(n > 500, "{n} operations of other hosts");
    let context = format!("{few:?} {many:?}");
    assert!(
        many.1 - few.1 >= n && many.2 - few.2 >= n,
        "frames: {context}"
    );
    // An Ethernet, an IP and a TCP header are 54 bytes, and an operation carries at least its word.
    assert!(
        many.3 - few.3 >= n * 58 && many.4 - few.4 >= n * 58,
        "bytes: {context}"
    );
}

fn sets_do_not_meet_and_go() {
    let (a, b) = (Hosts::up(2), Hosts::up(2));
    for hosts in [&a, &b] {
        assert_eq!(hosts.run_on(1, &["hostname"]), "host1\n");
        hosts.run_on(1, &["touch", "/tmp/mine"]);
    }
    a.run_on(1, &["touch", "/tmp/of-a"]);
    // Files, since folders that all hosts see may lie in /tmp.
    let files = b.run_on(1, &["find", "/tmp", "-maxdepth", "1", "-type", "f"]);
    assert_eq!(files, "/tmp/mine\n");
    let keeper = a.keeper();
    drop(a);
    assert!(!Path::new(&format!("/proc/{keeper}")).exists());
    assert_eq!(b.run_on(0, &["hostname"]), "host0\n", "the other set stays");
}

/// What the test program is when it is started to be killed: it makes hosts, has something run on
/// them, says their keeper, and waits.
pub fn hold_hosts() {
    let setup = Setup {
        delay: Duration::from_millis(1),
        ..Setup::default()
    };
    let hosts = Hosts::like(2, setup);
    println!("{}", hosts.keeper());
    hosts.run_on(1, &["sleep", "1000"]);
}

fn killed_tests_leave_nothing() {
    let program = std::env::current_exe().expect("a running program");
    let mut test = Command::new(program)
        .arg("--hold-hosts")
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    let stdout = test.stdout.take().expect("piped");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    let keeper: u32 = line.trim().parse().expect("the keeper's number");
    let namespace = namespace_of_children(keeper).expect("the hosts are there");
    let in_namespace = || {
        let processes = std::fs::read_dir("/proc").expect("readable");
        let numbers = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let inside = |&process: &u32| {
            let own = std::fs::read_link(format!("/proc/{process}/ns/pid"));
            own.is_ok_and(|own| own == namespace)
        };
        numbers.filter(inside).collect::<Vec<u32>>()
    };
    until("the command runs", || in_namespace().len() >= 5);
    signal("KILL", test.id());
    test.wait().expect("own child");
    until("nothing is left", || {
        in_namespace().is_empty() && namespace_of_children(keeper).is_none()
    });
}

fn namespace_of_children(process: u32) -> Option<std::path::PathBuf> {
    std::fs::read_link(format!("/proc/{process}/ns/pid_for_children")).ok()
}
