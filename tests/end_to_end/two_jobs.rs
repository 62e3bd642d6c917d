//! Two jobs on one checkpoint, or recording into one folder: one of them has it, and the other says so.

use std::fs;
use std::path::Path;
use std::time::Duration;

use onesided::internals::trace::{RUN_FILE, RunInfo, Trace};
use serde_json::Value;

use crate::interrupted::Folder;
use crate::ledger;
use crate::onesided;
use crate::processes::processes_of;
use crate::support::{Ended, Job, again, signal};
use crate::trace::{findings, tracing};

/// Some two seconds of a game, with [`playing`]'s think time.
const GAME: &str = "--digits 80 --guess ticket";

fn playing(args: &str, file: &Path) -> Job {
    let job = onesided(2, &format!("play rma --think 50ms {args}"));
    job.args([file.display().to_string()])
}

fn n_played(ended: &Ended) -> u64 {
    let summary: Value = serde_json::from_str(&ended.stdout).expect("a summary");
    summary["points_total"].as_u64().expect("a number")
}

fn n_resumed(ended: &Ended) -> u64 {
    let summary: Value = serde_json::from_str(&ended.stdout).expect("a summary");
    summary["resumed"]["digits_claimed"]
        .as_u64()
        .expect("a number")
}

const TAKEN: &str = "is no longer what this job wrote or resumed";

/// The one that writes last has noticed that the file is not its own, and has not replaced it.
#[test]
fn a_job_whose_checkpoint_another_job_has_replaced_says_so_and_leaves_that_alone() {
    again(|| {
        let folder = Folder::new();
        let file = folder.checkpoint();
        let every = "--format json --checkpoint-every 100ms --checkpoint";
        let other = folder.path("other");
        playing("--digits 3 --seed 2 --quiet --checkpoint", &other)
            .run()
            .expect_success();
        let first = playing(&format!("{GAME} --seed 1 {every}"), &file)
            .start()
            .until("a checkpoint", || file.exists());
        // As if both had looked for the file before either had made it.
        fs::rename(&other, &file).unwrap();
        let foreign = fs::read(&file).unwrap();
        let first = first.join();
        assert_eq!(
            (first.code, first.timed_out),
            (Some(1), false),
            "{first:#?}"
        );
        assert_eq!(first.stderr.matches(TAKEN).count(), 1, "{first:#?}");
        assert_eq!(n_played(&first), 80, "it plays to its end: {first:#?}");
        assert_eq!(fs::read(&file).unwrap(), foreign, "it is the other's");
    });
}

#[test]
fn of_two_new_jobs_with_one_checkpoint_at_most_one_ends_well() {
    again(|| {
        let folder = Folder::new();
        let file = folder.checkpoint();
        let args = format!("{GAME} --quiet --checkpoint-every 100ms --checkpoint");
        let both = [playing(&args, &file), playing(&args, &file).at_once()].map(Job::start);
        let both = both.map(|job| job.join());
        let is_refused = |ended: &&Ended| match ended.code {
            Some(1) => ended.stderr.contains(TAKEN),
            Some(2) => ended.stderr.contains("is there already"),
            _ => false,
        };
        let is_well = |ended: &&Ended| ended.code == Some(0) && ended.stderr.is_empty();
        let n_well = both.iter().filter(is_well).count();
        let n_refused = both.iter().filter(is_refused).count();
        // Both, if one looks at the file just when the other has replaced it and not yet noticed that.
        assert!(n_well <= 1 && n_well + n_refused == 2, "{both:#?}");
        let left = ledger::read(&file).expect("a whole checkpoint");
        assert_eq!(left.is_over, n_well == 1, "{both:#?}");
    });
}

#[test]
fn of_two_jobs_that_resume_one_checkpoint_at_most_one_goes_on_with_it() {
    again(|| {
        let folder = Folder::new();
        let file = folder.checkpoint();
        let args = format!("{GAME} --seed 1 --quiet --checkpoint");
        let first = playing(&args, &file)
            .start()
            .until("a checkpoint", || file.exists());
        std::thread::sleep(Duration::from_millis(700));
        for (process, rank) in processes_of(&file) {
            if rank.is_some() {
                signal("TERM", process);
            }
        }
        let first = first.join();
        assert_eq!(first.code, Some(143), "{first:#?}");
        let left = ledger::read(&file).expect("a whole checkpoint");
        let n_kept = left.entries.len() as u64;
        assert!(n_kept < left.n_digits, "it was over");

        // Whichever writes first.
        let resume = "--guess ticket --format json --checkpoint-every 100ms --resume";
        let both = [playing(resume, &file), playing(resume, &file).at_once()].map(Job::start);
        let both = both.map(|job| job.join());
        let is_refused = |ended: &&Ended| ended.code == Some(1) && ended.stderr.contains(TAKEN);
        let is_late = |ended: &&Ended| ended.stderr.contains("nothing is left to do");
        let is_well = |ended: &&Ended| ended.code == Some(0) && !is_late(ended);
        let [n_well, n_others] = [
            both.iter().filter(is_well).count(),
            both.iter()
                .filter(|ended| is_refused(ended) || is_late(ended))
                .count(),
        ];
        assert!(n_well <= 1 && n_well + n_others == 2, "{both:#?}");
        for ended in both.iter().filter(is_well) {
            // One may have begun with what the other had written by then, and the other has noticed that.
            let n_resumed = n_resumed(ended);
            assert!(n_resumed >= n_kept, "{n_kept}: {ended:#?}");
            assert_eq!(n_played(ended), left.n_digits - n_resumed, "{ended:#?}");
        }
        let left = ledger::read(&file).expect("a whole checkpoint");
        assert_eq!(left.is_over, n_well == 1, "{both:#?}");
    });
}

#[test]
fn a_job_whose_recording_was_replaced_says_so_and_leaves_the_other_alone() {
    again(|| {
        for version in ["rma --guess ticket", "collective"] {
            let folder = crate::support::scratch();
            let run = folder.path();
            let job = |n_ranks, seed, digits| {
                let args = format!(
                    "{version} --seed {seed} --think 50ms --digits {digits} --format json --overwrite"
                );
                tracing(n_ranks, run, &args)
            };
            let has_records = || {
                Trace::open(run)
                    .is_ok_and(|trace| (0..3).all(|rank| trace.records(rank).count() > 3))
            };
            let first = job(3, 1, 120).start().until("first records", has_records);
            let second = job(2, 2, 6).at_once().run().expect_success();
            assert!(!second.stderr.contains("gone"), "{second:#?}");
            let its_files = || -> Vec<Vec<u8>> {
                let names = [RUN_FILE, "rank-0.records", "rank-1.records"];
                names.map(|name| fs::read(run.join(name)).unwrap()).into()
            };
            let before = its_files();
            let first = first.join();
            let context = format!("{version}: {first:#?}");
            assert_eq!((first.code, first.timed_out), (Some(1), false), "{context}");
            let said = first
                .stderr
                .matches("is gone: another job has recorded there");
            assert_eq!(said.count(), 1, "{context}");
            assert!(n_played(&first) >= 120, "the games are told: {context}");
            assert!(
                its_files() == before,
                "nothing of the second's is written over"
            );
            assert_eq!(fs::read_dir(run).unwrap().count(), 3, "{context}");
            let info = RunInfo::read(run).expect("a run");
            assert_eq!((info.ranks, info.seed), (2, 2));
            assert!(info.ended.is_some());
            assert!(findings(run).notes.is_empty(), "{:?}", findings(run).notes);
        }
    });
}
