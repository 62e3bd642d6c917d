//! What a trace is worth after `kill -9`.

use std::path::Path;
use std::time::{Duration, Instant};

use onesided::internals::trace::{End, Kind, Record, Trace};
use onesided::rma::{self, Family};

use crate::processes::{kill, processes_of};
use crate::support::{Ended, again, scratch};
use crate::trace::{findings, tracing};

/// Waits until each of `n_ranks` ranks has recorded a whole game and some more.
pub fn wait_for_records(folder: &Path, n_ranks: u32) {
    // Other tests' jobs have their turn first.
    let deadline = Instant::now() + Duration::from_secs(300);
    let enough = || {
        let Ok(trace) = Trace::open(folder) else {
            return false;
        };
        let has_enough = |rank| {
            let finished = |record: Record| record.kind == Kind::Finish;
            trace.records(rank).any(finished) && trace.records(rank).count() > 20
        };
        trace.run.ranks == n_ranks && (0..n_ranks).all(has_enough)
    };
    while !enough() {
        assert!(Instant::now() < deadline, "nothing is recorded");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Starts an endless job, kills what `chosen` says of it, and returns how the job ended.
fn kill_while_playing(
    version: &str,
    folder: &Path,
    chosen: impl Fn(Option<u32>) -> bool,
) -> (Ended, Duration) {
    let args = format!("{version} --think 1ms --games 1000000 --seed 5");
    let job = tracing(3, folder, &args).deadline(Duration::from_secs(90));
    let job = job.start();
    wait_for_records(folder, 3);
    let chosen: Vec<u32> = processes_of(folder)
        .into_iter()
        .filter(|&(_, rank)| chosen(rank))
        .map(|(pid, _)| pid)
        .collect();
    assert!(!chosen.is_empty(), "{:?}", processes_of(folder));
    let since = Instant::now();
    chosen.into_iter().for_each(kill);
    let ended = job.join();
    assert!(!ended.timed_out && ended.code != Some(0), "{ended:#?}");
    (ended, since.elapsed())
}

#[test]
fn what_was_recorded_before_a_rank_was_killed_is_there_and_says_where_it_ends() {
    again(|| {
        for version in ["rma", "collective"] {
            let folder = scratch();
            kill_while_playing(version, folder.path(), |rank| rank == Some(1));
            let trace = Trace::open(folder.path()).expect("a run");
            for rank in 0..3 {
                let mut records = trace.records(rank);
                let n = records.by_ref().count();
                assert!(n > 20, "rank {rank} has {n} records");
                // Open MPI's launcher sends the others SIGTERM, and they may close theirs.
                let end = records.end().expect("the end was read");
                assert!(
                    *end == End::CutShort || rank != 1 && *end == End::Closed,
                    "rank {rank}: {end}"
                );
            }
            let run = findings(folder.path());
            let says_so = |note: &String| note.contains("rank 1 ends early, after record ");
            assert!(run.notes.iter().any(says_so), "{:?}", run.notes);
            let recorded = run.recorded.unwrap();
            assert!((1..=3).contains(&recorded.incomplete_ranks), "{recorded:?}");
            assert_eq!(recorded.dropped, 0);
            assert!(recorded.complete_games > 0);
            assert_eq!(run.order.map_or(0, |order| order.n_violations), 0);
        }
    });
}

#[test]
fn what_was_recorded_before_the_whole_job_was_killed_is_there() {
    again(|| {
        let folder = scratch();
        kill_while_playing("rma", folder.path(), |_| true);
        let run = findings(folder.path());
        let recorded = run.recorded.unwrap();
        assert_eq!(recorded.incomplete_ranks, 3);
        assert!(
            recorded.records > 60 && recorded.complete_games > 0,
            "{recorded:?}"
        );
        assert!(run.per_rank.iter().all(|rank| rank.guesses > 0));
    });
}

/// The lines that name rank `rank` as the one that died: Open MPI's launcher says it itself, hydra does not.
fn lines_that_name(stderr: &str, rank: u32) -> usize {
    let family = rma::library().expect("the library names itself").family;
    let words = match family {
        Family::OpenMpi => format!("noticed that process rank {rank} with PID "),
        _ => format!("onesided: rank {rank} (process "),
    };
    let names = |line: &&str| line.contains(&words);
    stderr.lines().filter(names).count()
}

#[test]
fn a_rank_that_dies_is_named_once_and_takes_the_job_with_it_within_seconds() {
    again(|| {
        for rank in 0..3 {
            let folder = scratch();
            let (ended, took) = kill_while_playing("rma", folder.path(), |of| of == Some(rank));
            assert!(took < Duration::from_secs(60), "{took:?}: {ended:#?}");
            let named = [0, 1, 2].map(|of| lines_that_name(&ended.stderr, of));
            let expected = [0, 1, 2].map(|of| usize::from(of == rank));
            // Hydra may have killed another rank before the first one's process is gone, and the message says so.
            let is_open = ended.stderr.contains("or another rank did just before");
            let is_right = named == expected || is_open && named.iter().sum::<usize>() == 1;
            assert!(is_right, "rank {rank} died: {ended:#?}");
            let deadline = Instant::now() + Duration::from_secs(60);
            while !processes_of(folder.path()).is_empty() {
                assert!(
                    Instant::now() < deadline,
                    "{:?}",
                    processes_of(folder.path())
                );
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    });
}
