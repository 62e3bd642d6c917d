//! `onesided play --trace`: what is recorded, and what the analysis makes of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use onesided::internals::analysis::{Findings, Source, read_run};
use onesided::internals::trace::{Kind, Record, Trace};
use serde_json::Value;

use crate::onesided;
use crate::replay::assert_savings_are_those_of_a_replay;
use crate::support::{Job, scratch};

/// Records `play ARGS` into `folder`, and returns the summary that it printed.
pub fn record(n_ranks: u32, folder: &Path, args: &str) -> Value {
    let ended = tracing(n_ranks, folder, &format!("{args} --format json"))
        .run()
        .expect_success();
    serde_json::from_str(&ended.stdout).expect("stdout is one JSON document")
}

/// A job that records `play ARGS` into `folder`.
pub fn tracing(n_ranks: u32, folder: &Path, args: &str) -> Job {
    let job = onesided(n_ranks, &format!("play {args} --trace"));
    job.args([folder.display().to_string()])
}

pub fn findings(folder: &Path) -> Findings {
    read_run(folder).expect("a run")
}

fn records(folder: &Path) -> Vec<Vec<Record>> {
    let trace = Trace::open(folder).expect("a run");
    (0..trace.run.ranks)
        .map(|rank| trace.records(rank).collect())
        .collect()
}

#[test]
fn what_is_recorded_agrees_with_what_the_ranks_counted() {
    for n_ranks in [1, 3, 5] {
        for version in [
            "rma",
            "rma --claim-with compare-and-swap",
            "rma --digits 200",
            "collective",
        ] {
            let folder = scratch();
            let folder = folder.path().join("a/new/folder");
            let summary = record(n_ranks, &folder, &format!("{version} --games 3 --seed 4"));
            let run = findings(&folder);
            let context = format!("{version} on {n_ranks} ranks: {run:#?}");
            assert_eq!(
                (run.source, run.notes.len()),
                (Source::Trace, 0),
                "{context}"
            );
            for (counted, rank) in summary["per_rank"]
                .as_array()
                .unwrap()
                .iter()
                .zip(&run.per_rank)
            {
                assert_eq!(counted["guesses"], rank.guesses, "{context}");
                assert_eq!(counted["points"], rank.points, "{context}");
                let play_s = counted["play_s"].as_f64().unwrap();
                let recorded_s = rank.play_ns.unwrap() as f64 / 1e9;
                assert!((play_s - recorded_s).abs() < 1e-6, "{play_s} s: {context}");
                if version == "collective" {
                    assert_eq!(counted["operations"], rank.operations.unwrap(), "{context}");
                }
            }
            assert_eq!(
                summary["double_scores"],
                run.double_scores.unwrap(),
                "{context}"
            );
            let recorded = run.recorded.as_ref().unwrap();
            assert_eq!(
                (recorded.complete_games, recorded.clocks),
                (3, 1),
                "{context}"
            );
            assert_eq!(recorded.clock_violations, 0, "{context}");
            assert!(recorded.record_cost_ns > 0.0, "{context}");
            match version {
                "collective" => {
                    assert!(run.lockstep.as_ref().unwrap().holds, "{context}");
                    assert_eq!(summary["rounds"], run.rounds.unwrap(), "{context}");
                }
                _ => {
                    let order = run.order.as_ref().unwrap();
                    let guesses: u64 = run.per_rank.iter().map(|rank| rank.guesses).sum();
                    assert_eq!(
                        (order.n_violations, order.n_claims),
                        (0, guesses),
                        "{context}"
                    );
                }
            }
        }
    }
}

/// A log of the text that `--verbose` prints is read whole: the summary behind it is no cut line.
#[test]
fn what_verbose_prints_is_read_as_a_log_without_a_note() {
    let folder = scratch();
    let ended = onesided(3, "play collective --seed 1 --verbose")
        .run()
        .expect_success();
    let path = folder.path().join("log");
    fs::write(&path, &ended.stdout).unwrap();
    let run = findings(&path);
    assert_eq!(
        (run.source, &run.notes),
        (Source::Log, &vec![]),
        "{ended:#?}"
    );
    assert_eq!(run.double_scores, Some(0));
}

#[test]
fn a_folder_that_is_not_empty_is_refused_once_and_replaced_when_asked() {
    let folder = scratch();
    fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    fs::write(folder.path().join("rank-7.records"), "old").unwrap();
    let refused = tracing(3, folder.path(), "rma").run();
    assert_eq!(
        (refused.code, refused.timed_out),
        (Some(2), false),
        "{refused:#?}"
    );
    assert_eq!(
        refused.stderr.matches("is not empty").count(),
        1,
        "{refused:#?}"
    );
    assert!(
        refused.stderr.contains("--overwrite") && refused.stdout.is_empty(),
        "{refused:#?}"
    );

    tracing(3, folder.path(), "rma --overwrite")
        .run()
        .expect_success();
    assert!(findings(folder.path()).notes.is_empty());
    assert!(
        !folder.path().join("rank-7.records").exists(),
        "the old run is gone"
    );
    assert!(
        folder.path().join("notes.txt").exists(),
        "another's file is not"
    );
}

#[test]
fn a_folder_that_cannot_be_made_is_said_once() {
    let folder = scratch();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for (folder, args, code) in [
        (file.join("below"), "rma", 2),
        (
            folder.path().join("huge"),
            "rma --trace-records 1000000000000",
            1,
        ),
    ] {
        let ended = tracing(3, &folder, args).run();
        assert_eq!(
            (ended.code, ended.timed_out),
            (Some(code), false),
            "{ended:#?}"
        );
        assert_eq!(ended.stderr.matches("onesided: ").count(), 1, "{ended:#?}");
        assert!(ended.stdout.is_empty(), "nothing was played: {ended:#?}");
        let left = fs::read_dir(&folder).map_or(0, Iterator::count);
        assert_eq!(left, 0, "nothing is left behind");
    }
}

#[test]
fn a_full_file_says_what_it_dropped_and_how_much_room_it_takes() {
    let folder = scratch();
    let args = "collective --seed 3 --games 5 --trace-records 40";
    let ended = tracing(2, folder.path(), args).run().expect_success();
    let (_, advice) = ended
        .stderr
        .split_once("`--trace-records ")
        .expect("advice");
    let enough = advice.split('`').next().unwrap();
    let run = findings(folder.path());
    let recorded = run.recorded.unwrap();
    assert_eq!((recorded.records, recorded.incomplete_ranks), (80, 2));
    assert!(
        recorded.dropped > 0 && run.notes[0].contains("records were dropped"),
        "{:?}",
        run.notes
    );

    let args = format!("collective --seed 3 --games 5 --overwrite --trace-records {enough}");
    let ended = tracing(2, folder.path(), &args).run().expect_success();
    assert!(!ended.stderr.contains("dropped"), "{ended:#?}");
    assert_eq!(findings(folder.path()).notes, Vec::<String>::new());
}

#[test]
fn diagnostics_and_announcements_stay_out_of_the_trace_and_records_out_of_them() {
    let folder = scratch();
    let args = "rma --seed 8 --verbose --format json";
    let job = tracing(3, folder.path(), args);
    let ended = job.env("RUST_LOG", "trace").run().expect_success();
    let summary: Value = serde_json::from_str(&ended.stdout).expect("stdout is one JSON document");
    assert!(ended.stderr.contains("playing"), "diagnostics: {ended:#?}");
    assert!(
        !ended.stderr.contains("begin_ns"),
        "records are no diagnostics: {ended:#?}"
    );
    let guesses: u64 = summary["per_rank"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["guesses"].as_u64().unwrap())
        .sum();
    assert_eq!(ended.stderr.matches(" guessed ").count() as u64, guesses);
    let mut kinds = BTreeMap::new();
    for record in records(folder.path()).into_iter().flatten() {
        *kinds.entry(record.kind.name()).or_insert(0) += 1;
    }
    assert_eq!(
        kinds,
        BTreeMap::from([("start", 3), ("claim", guesses), ("finish", 3)])
    );
    assert!(findings(folder.path()).notes.is_empty());
}

#[test]
fn start_think_operation_finish_follow_each_other_without_a_gap() {
    let folder = scratch();
    record(
        2,
        folder.path(),
        "collective --think 100us --games 2 --seed 1",
    );
    for records in records(folder.path()) {
        for pair in records.windows(2) {
            let [before, after] = pair else {
                unreachable!("windows of two")
            };
            match (before.kind, after.kind) {
                (Kind::Finish, Kind::Start) => assert_eq!(after.game, before.game + 1),
                (Kind::Start, Kind::Think)
                | (Kind::Think, Kind::Allreduce)
                | (Kind::Allreduce, Kind::Think | Kind::Allreduce | Kind::Finish) => {
                    assert_eq!(after.begin_ns, before.end_ns, "{pair:?}");
                }
                _ => panic!("{pair:?}"),
            }
        }
    }
}

/// Of a real run: unchanged, a replay takes the time that it took, and what curing a rank saves is wall time.
#[test]
fn what_curing_a_rank_saves_is_what_a_replay_saves() {
    let folder = scratch();
    let folder = folder.path().join("run");
    let args = "collective --think 2ms --think-per-rank 5ms --games 2 --seed 2";
    record(4, &folder, args);
    let run = findings(&folder);
    assert_savings_are_those_of_a_replay(&Trace::open(&folder).expect("a run"), &run);
    let savings: Vec<u64> = run
        .per_rank
        .iter()
        .map(|rank| rank.saving_ns.expect("collective"))
        .collect();
    assert!(
        savings[3] > savings[0] + savings[1],
        "rank 3 is slow: {savings:?}"
    );
}
