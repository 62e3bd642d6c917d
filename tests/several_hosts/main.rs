//! Tests that run across several hosts, joined by a network that can be slow: namespaces of this machine.

mod apart;
#[path = "../multi_rank/blackboard.rs"]
mod blackboard;
mod clocks;
mod doctor;
mod faults;
mod games;
#[path = "../multi_rank/harness.rs"]
mod harness;
mod home_away;
mod hosts;
mod in_numbers;
mod latency;
mod launchers;
#[path = "../multi_rank/numbers.rs"]
mod numbers;
#[path = "../multi_rank/openings.rs"]
#[allow(dead_code, reason = "other bodies are for one host")]
mod openings;
#[path = "../support/mod.rs"]
mod support;
mod two_tier;

use std::path::Path;

use libtest_mimic::{Arguments, Failed, Trial};
use onesided::rma::ThreadLevel;
use serde::de::DeserializeOwned;

use harness::{Body, BodyJob, DEADLINE};
use hosts::Hosts;
use launchers::Within;

/// The program under test.
const ONESIDED: &str = env!("CARGO_BIN_EXE_onesided");

/// A test, by its name.
type Test = (&'static str, fn());

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("--body") => {
            let bodies = [
                apart::BODIES,
                latency::BODIES,
                faults::BODIES,
                two_tier::BODIES,
                numbers::BODIES,
                blackboard::BODIES,
                &[openings::SEVERAL_NODES],
            ]
            .concat();
            return harness::run_body(&[(ThreadLevel::Funneled, &bodies)], &args[2..]);
        }
        Some("--hold-hosts") => return apart::hold_hosts(),
        // For the support matrix: `--doctor PROGRAM FILE WITHIN`.
        Some("--doctor") => {
            doctor::examine(&args[2], Path::new(&args[3]), &args[4]);
            return;
        }
        _ => {}
    }
    let tests: Vec<Test> = [
        apart::TESTS,
        games::TESTS,
        clocks::TESTS,
        latency::TESTS,
        home_away::TESTS,
        faults::TESTS,
        doctor::TESTS,
        two_tier::TESTS,
        in_numbers::TESTS,
    ]
    .concat();
    let mut arguments = Arguments::from_args();
    // Jobs have more ranks than this machine has cores: two at once would only slow each other down.
    arguments.test_threads = Some(1);
    // Nothing is run, and so nothing asked for, when tests are only listed.
    let impossible = match arguments.list {
        true => None,
        false => Hosts::impossible(),
    };
    let forbidden = std::env::var("ONESIDED_SKIP").as_deref() == Ok("forbidden");
    if let Some(why) = impossible {
        println!("SKIPPED: no hosts can be made here: {why}");
    }
    let trials = tests.into_iter().map(|(name, test)| {
        let run = move || match impossible {
            Some(why) => Err(Failed::from(format!("not to be skipped: {why}"))),
            None => {
                test();
                Ok(())
            }
        };
        Trial::test(name, run).with_ignored_flag(impossible.is_some() && !forbidden)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

/// Runs a body on `per_host` ranks of each host, and returns what the first rank printed.
fn result_on<T: DeserializeOwned>(hosts: &Hosts, per_host: u32, within: Within, body: Body) -> T {
    let job = harness::launch_by(
        |_, program| hosts.job(per_host, within, program),
        hosts.len() * per_host,
        body.name,
        DEADLINE,
    );
    result_of(&job)
}

/// Panics unless every rank ran the body to its end.
fn assert_done(job: &BodyJob) {
    job.verdict().unwrap_or_else(|why| panic!("{why}"));
}

/// What the first rank printed: one JSON document.
fn result_of<T: DeserializeOwned>(job: &BodyJob) -> T {
    assert_done(job);
    let printed = &job.ended.stdout;
    serde_json::from_str(printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
}

/// What the ranks find, each one JSON value, printed by the first as a list.
fn print_all(comm: &onesided::rma::Comm<'_>, own: &impl serde::Serialize) {
    let own = serde_json::to_vec(own).expect("plain data");
    if let Some(all) = comm.gather(0, &own).expect("gathered") {
        let all: Vec<String> = all
            .into_iter()
            .map(|one| String::from_utf8(one).expect("JSON is text"))
            .collect();
        println!("[{}]", all.join(","));
    }
}
