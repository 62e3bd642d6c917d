//! `onesided play --trace`: what is recorded, and what the analysis makes of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use onesided::analysis::{Findings, Source, read_run};
use onesided::rma::Family;
use onesided::trace::{Kind, Record, Trace};
use serde_json::Value;

use crate::support::{Job, scratch};
use crate::{ONESIDED, onesided};

/// Records `play ARGS` into `folder`, and returns the summary that it printed.
fn record(n_ranks: u32, folder: &Path, args: &str) -> Value {
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

/// `--think 50ms --think-per-rank 250ms`: rank 3 thinks 16 times as long as rank 0.
///
/// With another seed rank 3 is blamed for less: whenever it scores, it comes to the second allreduce
/// without thinking, and somebody else is the last. With this one it scores twice, early.
#[test]
fn the_posts_experiment_says_who_was_waited_for() {
    let folder = scratch();
    let think = "--think 50ms --think-per-rank 250ms --seed 2";
    let [collective, rma] = ["collective", "rma"].map(|version| {
        let folder = folder.path().join(version);
        record(4, &folder, &format!("{version} {think}"));
        findings(&folder)
    });
    let fast = &collective.per_rank[0];
    let waited = fast.wait_ns.unwrap() as f64 / fast.play_ns.unwrap() as f64;
    assert!(waited > 0.9, "rank 0 waited {waited} of its time");
    let all_ns = collective.sum_ns(|rank| rank.wait_ns).unwrap() as f64;
    let blamed = collective.per_rank[3].blame.unwrap().last_ns as f64 / all_ns;
    assert!(
        blamed >= 0.95,
        "rank 3 is blamed for {blamed} of all waiting"
    );
    let clock_free = fast.allreduce_wait.unwrap().clock_free_ns as f64;
    let wait = fast.wait_ns.unwrap() as f64;
    assert!(
        (clock_free / wait - 1.0).abs() < 0.05,
        "{clock_free} ns, {wait} ns"
    );

    // In 9 digits rank 3 guesses once or twice, so the ratio is right to a guess of rank 3.
    let (fast, slow) = (rma.per_rank[0].guesses, rma.per_rank[3].guesses);
    assert!(
        (fast as f64 / 16.0 - slow as f64).abs() <= 1.0,
        "{fast} to {slow}"
    );
    let ended = onesided(1, "compare")
        .args(
            ["collective", "rma"].map(|version| folder.path().join(version).display().to_string()),
        )
        .run()
        .expect_success();
    let verdict = ended.stdout.lines().next().unwrap();
    for part in [
        "collective took",
        "where one-sided took",
        "of rank 0's time",
        "for rank 3",
    ] {
        assert!(verdict.contains(part), "{part} in {verdict}");
    }
}

/// The same ratio of think times, in games long enough for many guesses of rank 3.
#[test]
fn one_sided_guess_counts_are_in_the_ratio_of_think_times() {
    let folder = scratch();
    let args = "rma --digits 60 --think 5ms --think-per-rank 25ms --seed 2";
    record(4, folder.path(), args);
    let run = findings(folder.path());
    let ratio = run.per_rank[0].guesses as f64 / run.per_rank[3].guesses as f64;
    // 16 to 1, ± 20 %: sleep overshoots, and the slow rank finishes its last guess.
    assert!(
        (12.8..=19.2).contains(&ratio),
        "{ratio}: {:#?}",
        run.per_rank
    );
}

/// The home rank thinks 20 times as long as the other. MPICH 4.0.2 makes no progress meanwhile, the
/// other libraries do on one node; the trace tells them apart.
#[test]
fn claims_that_wait_for_the_home_rank_are_told_from_those_that_do_not() {
    let folder = scratch();
    let args = "rma --think 5ms --straggler 0=100ms --seed 3";
    record(2, folder.path(), args);
    let run = findings(folder.path());
    let stalls = run.stalls.unwrap();
    assert!(stalls.n_home_away >= 10, "{stalls:?}");
    let library = onesided::rma::library().unwrap();
    if library.family == Family::Mpich && library.version[..2] == [4, 0] {
        assert!(stalls.n_stalled * 2 > stalls.n_home_away, "{stalls:?}");
        let share = stalls.stall_ns as f64 / run.per_rank[1].play_ns.unwrap() as f64;
        assert!(share > 0.5, "{share} of rank 1's time: {stalls:?}");
    } else {
        // Some may: a rank that has lost its core for a while looks the same.
        assert!(stalls.n_stalled * 5 < stalls.n_home_away, "{stalls:?}");
    }
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

/// Odd ranks see clocks that are 1234 s ahead, as those of two other hosts would be: a time namespace
/// each.
#[test]
fn a_clock_of_another_host_is_measured_and_waits_carry_its_error() {
    let fake = ["-T", "--monotonic", "1234", "true"];
    let works = std::process::Command::new("unshare").args(fake).status();
    if !works.is_ok_and(|status| status.success()) {
        // Wants CAP_SYS_ADMIN, which CI may not have; the arithmetic has tests of its own.
        println!("SKIPPED: no time namespace can be made here");
        return;
    }
    let folder = scratch();
    let script = format!(
        "rank=${{OMPI_COMM_WORLD_RANK:-${{PMIX_RANK:-$PMI_RANK}}}}
         if [ $((rank % 2)) = 1 ]; then exec unshare -T --monotonic 1234 -- {ONESIDED} \"$@\"; fi
         exec {ONESIDED} \"$@\""
    );
    let job = Job::new(4, "sh").args(["-c", &script, "sh"]);
    let args = "play collective --think 2ms --think-per-rank 10ms --seed 6 --trace";
    let job = job
        .args(args.split_whitespace())
        .args([folder.path().display().to_string()]);
    job.run().expect_success();

    let trace = Trace::open(folder.path()).unwrap();
    assert_eq!(trace.run.clocks.of_rank, [0, 1, 0, 2], "{:#?}", trace.run);
    for clock in &trace.run.clocks.clocks[1..] {
        for offset in [clock.before.unwrap(), clock.after.unwrap()] {
            let off_ns = offset.offset_ns.abs_diff(1_234_000_000_000);
            assert!(off_ns <= offset.error_ns, "{offset:?}");
        }
    }
    let run = findings(folder.path());
    assert_eq!(run.recorded.as_ref().unwrap().clocks, 3);
    let slowest_operation_ns = run.latency.unwrap().max_ns;
    for rank in &run.per_rank {
        let wait = rank.allreduce_wait.unwrap();
        let bound_ns = wait.error_ns + run.rounds.unwrap() * slowest_operation_ns;
        assert!(
            wait.wait_ns.abs_diff(wait.clock_free_ns) <= bound_ns,
            "{wait:?}"
        );
    }
    let fast = run.per_rank[0].allreduce_wait.unwrap();
    assert!(
        fast.error_ns > 0,
        "rank 0 waits for ranks on another clock: {fast:?}"
    );
    let shown = onesided(1, "compare")
        .args([folder.path().display().to_string()])
        .run()
        .expect_success();
    assert!(
        shown.stdout.contains("±") && shown.stdout.contains("3 clocks"),
        "{}",
        shown.stdout
    );
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
