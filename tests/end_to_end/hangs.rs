//! `onesided play --timeout`: a job that hangs says where, and ends.

use std::path::Path;
use std::time::Duration;

use onesided::internals::trace::{End, Trace};
use onesided::rma::{self, Family};

use crate::killed::wait_for_records;
use crate::onesided;
use crate::processes::processes_of;
use crate::support::{Ended, again, all_at_once, scratch, signal};
use crate::trace::{findings, tracing};

/// How long a rank may wait: MPI starts in less, also where all cores are taken.
const TIMEOUT: &str = "10s";

/// Longer than that.
const LONGER: Duration = Duration::from_millis(11_500);

/// Stopped processes, which are killed at the end whatever comes: others would find them for ever.
struct Stopped(Vec<u32>);

impl Stopped {
    /// Stops the ranks of the job that records into `folder` that are `chosen`.
    fn ranks(folder: &Path, chosen: impl Fn(u32) -> bool) -> Self {
        let ranks = processes_of(folder).into_iter();
        let chosen = ranks.filter(|&(_, rank)| rank.is_some_and(&chosen));
        let stopped = Stopped(chosen.map(|(pid, _)| pid).collect());
        assert!(!stopped.0.is_empty(), "{:?}", processes_of(folder));
        stopped.0.iter().for_each(|&pid| signal("STOP", pid));
        stopped
    }

    fn go_on(mut self) {
        self.0.drain(..).for_each(|pid| signal("CONT", pid));
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.drain(..).for_each(|pid| signal("KILL", pid));
    }
}

/// What rank `rank` said of its waiting.
fn said_by(ended: &Ended, rank: u32) -> Vec<&str> {
    let begin = format!("onesided: rank {rank} of ");
    let lines = ended.stderr.lines();
    lines.filter(|line| line.contains(&begin)).collect()
}

fn is_under_hydra() -> bool {
    let family = rma::library().expect("the library names itself").family;
    matches!(family, Family::Mpich | Family::Intel)
}

/// Whether the exit code says so. Hydra's may be that of a rank that it killed.
fn ended_by_watchdog(ended: &Ended) -> bool {
    ended.code == Some(124) || is_under_hydra() && ended.code == Some(9)
}

#[test]
fn ranks_that_wait_for_a_stopped_one_say_so_and_end_the_job() {
    again(|| {
        for (version, stopped) in [("rma", 0), ("collective", 1)] {
            let folder = scratch();
            let args =
                format!("{version} --think 1ms --games 1000000 --seed 5 --timeout {TIMEOUT}");
            let job = tracing(3, folder.path(), &args).deadline(Duration::from_secs(180));
            let job = job.start();
            wait_for_records(folder.path(), 3);
            let kept = Stopped::ranks(folder.path(), |rank| rank == stopped);
            let ended = job.join();
            drop(kept);
            let context = format!("{version}, rank {stopped} stopped: {ended:#?}");
            assert!(!ended.timed_out && ended_by_watchdog(&ended), "{context}");
            assert!(said_by(&ended, stopped).is_empty(), "{context}");
            let waiting = (0..3).filter(|&rank| rank != stopped);
            let said: Vec<Vec<&str>> = waiting.map(|rank| said_by(&ended, rank)).collect();
            // The first to say it gives the others a moment to do so too.
            assert!(said.iter().any(|of_rank| !of_rank.is_empty()), "{context}");
            assert!(
                said.iter().all(|of_rank| of_rank.len() <= 1),
                "each says it once: {context}"
            );
            for line in said.into_iter().flatten() {
                let where_it_waits = match version {
                    "collective" => ["MPI_Allreduce in game ", "MPI_Allreduce before game "],
                    // Where the library makes no progress by itself, claims wait for the home rank.
                    _ => [
                        "(MPI_Fetch_and_op) on rank 0 in game ",
                        "MPI_Allreduce before game ",
                    ],
                };
                assert!(
                    where_it_waits.iter().any(|place| line.contains(place)),
                    "{context}"
                );
                assert!(
                    line.contains(" of 3 (host ") && line.contains(" UTC: "),
                    "{context}"
                );
            }
            let trace = Trace::open(folder.path()).expect("a run");
            for rank in 0..3 {
                let mut records = trace.records(rank);
                assert!(records.by_ref().count() > 20, "rank {rank}: {context}");
                let end = records.end().expect("the end was read");
                // Open MPI's launcher lets the stopped one go on, with SIGTERM: then it may close its own.
                let is_right = *end == End::Closed || rank == stopped && *end == End::CutShort;
                assert!(is_right, "rank {rank}: {end}: {context}");
            }
            assert!(findings(folder.path()).recorded.is_some());
        }
    });
}

/// A rank that was stopped, and goes on, has not waited meanwhile. Rank 0 is in an allreduce nearly always.
#[test]
fn a_job_that_was_stopped_for_longer_goes_on() {
    again(|| {
        let folder = scratch();
        let args = format!(
            "collective --think 2ms --straggler 1=20ms --games 12 --seed 5 --timeout {TIMEOUT}"
        );
        let job = tracing(2, folder.path(), &args);
        let job = job.start();
        wait_for_records(folder.path(), 2);
        let stopped = Stopped::ranks(folder.path(), |_| true);
        std::thread::sleep(LONGER);
        stopped.go_on();
        let ended = job.join().expect_success();
        assert!(ended.took > LONGER, "{ended:?}");
    });
}

#[test]
fn thinking_is_no_waiting_and_the_watchdog_keeps_nobody_from_ending() {
    // With and without visits to MPI in the thought, which is longer than a rank may wait, as MPI's start is not.
    let cases = ["rma", "rma --progress poll", "collective"];
    all_at_once(cases, |args| {
        let game = format!("--digits 1 --guess unclaimed --think 12s --timeout {TIMEOUT}");
        let ended = onesided(1, &format!("play {args} {game}"))
            .run()
            .expect_success();
        assert!(ended.took > LONGER, "{args}: {ended:?}");
        assert!(!ended.stderr.contains("has waited"), "{args}: {ended:?}");
    });
    // Within the job's own deadline.
    onesided(2, "play rma --timeout 1h").run().expect_success();
}

#[test]
fn a_rank_that_never_comes_to_the_start_is_waited_for_in_it() {
    let folder = scratch();
    // Rank 1 comes ten minutes late.
    let late = "case ${OMPI_COMM_WORLD_RANK-}${PMI_RANK-} in 1*) sleep 600 ;; esac; exec \"$@\"";
    let job = crate::support::Job::new(2, "sh")
        .args(["-c", late, "sh", crate::ONESIDED])
        .args(["play", "rma", "--timeout", TIMEOUT, "--trace"])
        .args([folder.path().display().to_string()]);
    let ended = job.deadline(Duration::from_secs(120)).run();
    assert!(!ended.timed_out && ended_by_watchdog(&ended), "{ended:#?}");
    let said = said_by(&ended, 0);
    assert_eq!(said.len(), 1, "{ended:#?}");
    // Some libraries meet the others first where they first need them.
    let first = ["MPI_Init_thread", "MPI_Comm_dup"];
    assert!(
        first.iter().any(|call| said[0].contains(call)),
        "{ended:#?}"
    );
}

/// Some libraries hang in `MPI_Finalize` when ranks communicate over TCP, on one host too.
#[test]
fn jobs_over_tcp_on_one_host_end() {
    all_at_once(0..8, |_| {
        let job = onesided(3, "play collective --quiet --seed 1").env("UCX_TLS", "tcp");
        let ended = job.run();
        ended.expect_success();
    });
}
