//! Games across hosts: every digit once, lockstep where it belongs, and the hosts by their names.

use std::path::Path;

use onesided::internals::analysis::{Findings, SCHEMA, read_run};
use serde_json::Value;

use crate::hosts::{Hosts, name};
use crate::launchers::Within;
use crate::support::{Ended, Job, quoted, scratch, words};
use crate::{ONESIDED, Test};

pub const TESTS: &[Test] = &[
    ("games::one_rank_a_host", one_rank_a_host),
    ("games::two_ranks_a_host", two_ranks_a_host),
    (
        "games::two_ranks_a_host_over_tcp",
        two_ranks_a_host_over_tcp,
    ),
    (
        "games::folders_of_each_host_s_own_are_said",
        folders_of_each_host_s_own_are_said,
    ),
];

/// Games of each case: enough that ranks of all hosts claim digits, few enough for MPICH 4.0.2, which
/// takes milliseconds an operation where ranks have to take turns on a core.
const GAMES: u64 = 12;

/// A job that plays.
pub fn playing(hosts: &Hosts, per_host: u32, within: Within, args: &str) -> Job {
    let args = format!("play {args} --format json");
    hosts.job(per_host, within, ONESIDED).args(words(&args))
}

/// Plays, and returns the summary, which fits its schema and names the hosts.
pub fn play(hosts: &Hosts, per_host: u32, within: Within, args: &str) -> Value {
    let ended = playing(hosts, per_host, within, args).run();
    checked_summary(ended.expect_success(), hosts, per_host)
}

/// Plays into the folder `trace`; the summary, and what `compare` finds.
pub fn record(
    hosts: &Hosts,
    per_host: u32,
    within: Within,
    args: &str,
    trace: &Path,
) -> (Value, Findings) {
    let args = format!("{args} --trace {}", quoted(trace));
    let summary = play(hosts, per_host, within, &args);
    (summary, read_run(trace).expect("a run"))
}

fn checked_summary(ended: Ended, hosts: &Hosts, per_host: u32) -> Value {
    let summary: Value = serde_json::from_str(&ended.stdout).expect("one JSON document");
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is a schema");
    let errors: Vec<String> = validator
        .iter_errors(&summary)
        .map(|e| e.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?} in {summary:#}");
    let per_rank = summary["per_rank"].as_array().expect("a list");
    assert_eq!(per_rank.len() as u32, hosts.len() * per_host);
    for (rank, of_rank) in (0..).zip(per_rank) {
        assert_eq!(of_rank["rank"], rank);
        assert_eq!(of_rank["host"], name(rank / per_host), "{summary:#}");
    }
    summary
}

/// Operations of each rank.
pub fn operations(summary: &Value) -> Vec<u64> {
    numbers(summary, "operations")
}

fn numbers(summary: &Value, field: &str) -> Vec<u64> {
    let per_rank = summary["per_rank"].as_array().expect("a list");
    per_rank
        .iter()
        .map(|rank| rank[field].as_u64().expect("a count"))
        .collect()
}

fn one_rank_a_host() {
    both_versions(1, Within::SharedMemory);
}

fn two_ranks_a_host() {
    both_versions(2, Within::SharedMemory);
}

fn two_ranks_a_host_over_tcp() {
    both_versions(2, Within::Tcp);
}

/// Each host has a /tmp of its own.
fn folders_of_each_host_s_own_are_said() {
    const RUN: &str = "/tmp/not-shared/run";
    let hosts = Hosts::up(2);
    let play = |more: &[&str]| {
        let job = playing(&hosts, 2, Within::SharedMemory, "rma --seed 3");
        job.args(["--trace", RUN]).args(more.iter().copied()).run()
    };
    let files = |host| hosts.run_on(host, &["ls", "-A", RUN]);
    let ended = play(&[]).expect_success();
    let warnings: Vec<&str> = ended
        .stderr
        .lines()
        .filter(|line| line.contains("warning"))
        .collect();
    assert_eq!(warnings.len(), 1, "{ended:#?}");
    let expected = format!(
        "2 of 4 ranks, the first on {}, do not see {RUN} of rank 0",
        name(1)
    );
    assert!(warnings[0].contains(&expected), "{ended:#?}");
    assert_eq!(files(0), "rank-0.records\nrank-1.records\nrun.json\n");
    assert_eq!(files(1), "rank-2.records\nrank-3.records\n");

    // The other host's records are kept too, unless they are to be replaced.
    hosts.run_on(0, &["rm", "-r", RUN]);
    let before = hosts.run_on(1, &["sha256sum", "/tmp/not-shared/run/rank-2.records"]);
    let refused = play(&[]);
    assert!(
        refused.code != Some(0) && refused.stdout.is_empty(),
        "{refused:#?}"
    );
    assert_eq!(
        refused
            .stderr
            .matches("rank-2.records is there already")
            .count(),
        1,
        "{refused:#?}"
    );
    let after = hosts.run_on(1, &["sha256sum", "/tmp/not-shared/run/rank-2.records"]);
    assert_eq!(before, after);
    play(&["--overwrite"]).expect_success();
    assert_ne!(
        before,
        hosts.run_on(1, &["sha256sum", "/tmp/not-shared/run/rank-2.records"])
    );
}

fn both_versions(per_host: u32, within: Within) {
    let hosts = Hosts::up(3);
    one_sided(
        &hosts,
        per_host,
        within,
        "fetch-and-op",
        "uniform:300us..1ms",
    );
    one_sided(
        &hosts,
        per_host,
        within,
        "compare-and-swap",
        "uniform:300us..1ms",
    );
    one_sided(&hosts, per_host, within, "two-tier", "uniform:300us..1ms");
    two_tiers_of_several_words(&hosts, per_host, within);
    collective(&hosts, per_host, within);
}

/// Nodes also learn of what is claimed by looks and counters, of which there is no record.
fn two_tiers_of_several_words(hosts: &Hosts, per_host: u32, within: Within) {
    let args = "rma --claim-with two-tier --digits 130 --think uniform:100us..300us --games 3";
    let folder = scratch();
    let (_, run) = record(hosts, per_host, within, args, &folder.path().join("run"));
    let order = run.order.as_ref().expect("claims have an order");
    assert_eq!(order.known_violations(), Some(0), "{order:#?}");
}

/// Plays one-sided and checks all that must hold.
pub fn one_sided(hosts: &Hosts, per_host: u32, within: Within, method: &str, think: &str) {
    let args = format!("rma --claim-with {method} --think {think} --games {GAMES} --seed 3");
    let folder = scratch();
    let (summary, run) = record(hosts, per_host, within, &args, &folder.path().join("run"));
    let context = format!("{summary:#} {run:#?}");
    // Each digit of each game once, by owners and points that agree, or the program would have failed;
    // the records say the same.
    assert_eq!(summary["points_total"], 9 * GAMES, "{context}");
    assert_eq!(summary["double_scores"], 0, "{context}");
    assert_eq!(run.double_scores, Some(0), "{context}");
    let (points, guesses) = (numbers(&summary, "points"), numbers(&summary, "guesses"));
    assert_eq!(points.iter().sum::<u64>(), 9 * GAMES, "{context}");
    for (host, of_host) in points.chunks_exact(per_host as usize).enumerate() {
        assert!(
            of_host.iter().sum::<u64>() > 0,
            "host {host} won nothing: {context}"
        );
    }
    let order = run.order.as_ref().expect("claims have an order");
    let n_claims = guesses.iter().sum::<u64>();
    assert_eq!(
        (order.n_violations, order.n_claims),
        (0, n_claims),
        "{context}"
    );
    assert_complete(&run, 3);
}

fn collective(hosts: &Hosts, per_host: u32, within: Within) {
    let folder = scratch();
    let args = format!("collective --think uniform:300us..1ms --games {GAMES} --seed 3");
    let (summary, run) = record(hosts, per_host, within, &args, &folder.path().join("run"));
    let context = format!("{summary:#} {run:#?}");
    let (points, guesses) = (numbers(&summary, "points"), numbers(&summary, "guesses"));
    let rounds = summary["rounds"].as_u64().expect("a count");
    for (points, guesses) in points.iter().zip(guesses) {
        assert_eq!(points + guesses, rounds, "lockstep: {context}");
    }
    let total: u64 = points.iter().sum();
    assert_eq!(summary["double_scores"], total - 9 * GAMES, "{context}");
    assert_eq!(run.double_scores, Some(total - 9 * GAMES), "{context}");
    assert!(
        run.lockstep.as_ref().is_some_and(|lockstep| lockstep.holds),
        "{context}"
    );
    assert_complete(&run, 3);
}

/// All was recorded, on so many hosts whose clocks are one.
fn assert_complete(run: &Findings, n_hosts: u32) {
    assert_eq!(
        (run.setup.hosts, &run.notes),
        (Some(n_hosts), &vec![]),
        "{run:#?}"
    );
    let recorded = run.recorded.as_ref().expect("a recording");
    assert_eq!(recorded.complete_games, GAMES, "{run:#?}");
    assert_eq!(
        (recorded.clocks, recorded.clock_violations),
        (1, 0),
        "{run:#?}"
    );
}
