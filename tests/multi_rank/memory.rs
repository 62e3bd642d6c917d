//! Memory that is not there is refused on all ranks, in the same words, before anything is allocated.

use std::process::Command;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use onesided::rma::{
    Allocation, Bits, Comm, ErrorKind, Layout, MemoryLimit, SharedWindow, Window,
    assert_memory_at_hand,
};

use crate::harness::{self, Body};
use crate::support::Job;

pub const BODIES: &[Body] = &[Body {
    name: "memory::what_no_node_has_is_refused_on_all_ranks_alike",
    run: beyond_all_nodes,
}];

/// Bodies that run with 64 MiB of `/dev/shm`.
pub const SMALL_SHM_BODIES: &[Body] = &[Body {
    name: "memory::what_the_windows_file_system_lacks_is_refused",
    run: beyond_dev_shm,
}];

const BOTH: [Allocation; 2] = [Allocation::Window, Allocation::SharedWindow];

pub fn trials() -> impl Iterator<Item = Trial> {
    SMALL_SHM_BODIES.iter().flat_map(|&body| {
        [1, 2, 3].map(|n_ranks| {
            Trial::test(format!("{}/ranks_{n_ranks}", body.name), move || {
                if !can_mount() {
                    return skip("mounting a small /dev/shm takes root");
                }
                let mount = "mount -t tmpfs -o size=64m tmpfs /dev/shm && exec \"$@\"";
                let new_job = |n_ranks, program| {
                    Job::new(n_ranks, program)
                        .started_by(["unshare", "--mount", "sh", "-c", mount, "sh"])
                };
                let job = harness::launch_by(new_job, n_ranks, body.name, Duration::from_secs(60));
                Ok(job.verdict()?)
            })
        })
    })
}

/// A test that cannot be run here says so, unless it must be.
fn skip(what: &str) -> Result<(), Failed> {
    if std::env::var("ONESIDED_SKIP").as_deref() == Ok("forbidden") {
        return Err(format!("not to be skipped: {what}").into());
    }
    println!("SKIPPED: {what}");
    Ok(())
}

fn can_mount() -> bool {
    let mount = "mount -t tmpfs tmpfs /dev/shm";
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", mount])
        .output();
    output.is_ok_and(|output| output.status.success())
}

/// What this rank was told; the same on all ranks, which is asserted.
fn refusal(
    comm: &Comm<'_>,
    allocation: Allocation,
    window_bytes: u64,
    private_bytes: u64,
) -> ErrorKind {
    let error = assert_memory_at_hand(comm, allocation, window_bytes, private_bytes).unwrap_err();
    let words = error.to_string();
    if let Some(all) = comm.gather(0, words.as_bytes()).unwrap() {
        assert!(all.iter().all(|other| other == words.as_bytes()), "{all:?}");
    }
    error.kind().clone()
}

/// The last rank alone asks for it.
fn on_last(comm: &Comm<'_>, bytes: u64) -> u64 {
    if comm.rank() == comm.size() - 1 {
        bytes
    } else {
        0
    }
}

fn beyond_all_nodes(comm: &Comm<'_>) {
    let large = on_last(comm, 1 << 60);
    for allocation in BOTH {
        for (window_bytes, private_bytes) in [(large, 0), (0, large)] {
            let ErrorKind::NotEnoughMemory {
                host,
                rank,
                n_ranks,
                needed_bytes,
                available_bytes,
                limit,
            } = refusal(comm, allocation, window_bytes, private_bytes)
            else {
                panic!("another error")
            };
            assert_eq!((rank, n_ranks), (0, comm.size() as usize));
            assert_eq!(host, onesided::internals::rma::processor_name().unwrap());
            assert_eq!(limit, MemoryLimit::Node);
            assert_eq!(needed_bytes, 1 << 60);
            assert!(
                (1 << 20..1 << 60).contains(&available_bytes),
                "{available_bytes}"
            );
        }
        // Not looked up at all, looked up and there, and together more than any number of bytes.
        assert_memory_at_hand(comm, allocation, on_last(comm, 1000), 8).unwrap();
        assert_memory_at_hand(comm, allocation, on_last(comm, 3 << 20), 3 << 20).unwrap();
        refusal(comm, allocation, u64::MAX, u64::MAX);
    }
    let mut layout = Layout::new();
    let bits = layout.region::<Bits>(400_000);
    let window = Window::open(comm, comm.size() - 1, &layout).unwrap();
    window.fetch_or(bits, 399_999, 1).unwrap();
    window.close().unwrap();
}

fn beyond_dev_shm(comm: &Comm<'_>) {
    let family = onesided::rma::library().unwrap().family;
    for allocation in BOTH {
        // A window of several ranks is in a file; that of one rank is not, but for one kind.
        let in_file = comm.size() > 1
            || (family == onesided::rma::Family::Intel && allocation == Allocation::SharedWindow);
        if !in_file {
            assert_memory_at_hand(comm, allocation, 100 << 20, 0).unwrap();
            continue;
        }
        let refused = refusal(comm, allocation, on_last(comm, 100 << 20), 0);
        let ErrorKind::NotEnoughMemory {
            rank: 0,
            n_ranks,
            needed_bytes,
            available_bytes,
            limit,
            ..
        } = refused
        else {
            panic!("{refused:?}")
        };
        assert_eq!(n_ranks, comm.size() as usize);
        assert_eq!(needed_bytes, 100 << 20);
        assert!(available_bytes <= 64 << 20, "{available_bytes}");
        assert_eq!(limit, MemoryLimit::FileSystem("/dev/shm".into()));
        // Memory of ranks beside the window is elsewhere.
        assert_memory_at_hand(comm, allocation, on_last(comm, 8 << 20), 100 << 20).unwrap();
    }
    let mut layout = Layout::new();
    let bits = layout.region::<Bits>(1 << 20); // 8 MiB
    let window = Window::open(comm, comm.size() - 1, &layout).unwrap();
    window.fetch_or(bits, (1 << 20) - 1, 1).unwrap();
    window.close().unwrap();
    let window = SharedWindow::open(comm, comm.size() - 1, &layout).unwrap();
    window.fetch_or(bits, (1 << 20) - 1, 1);
    window.close().unwrap();
}
