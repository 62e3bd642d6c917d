//! `--fail-if`: conditions for scripts.

use std::fs;

use onesided::internals::analysis::METRICS;

use super::{Ended, a_pair, compare, compare_with, six_of_each};

fn fail_if(conditions: &[&str]) -> Ended {
    let mut args = vec!["rma", "collective"];
    args.extend(
        conditions
            .iter()
            .flat_map(|condition| ["--fail-if", condition]),
    );
    compare_with(a_pair().path(), &args)
}

#[test]
fn a_condition_that_holds_is_exit_code_3_with_the_values() {
    let ended = fail_if(&["double_scores >= 0 and ranks == 3"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let lines: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "one a run: {lines:?}");
    assert!(
        lines[0]
            .starts_with("onesided: double_scores >= 0 and ranks == 3 holds of one-sided (rma): ")
            && lines[0].ends_with("double_scores = 0, ranks = 3"),
        "{lines:?}"
    );
    assert!(
        lines[1].contains(" holds of collective (collective): "),
        "{lines:?}"
    );
    assert!(
        ended.stdout.starts_with("collective took "),
        "the report is there all the same"
    );
}

#[test]
fn a_condition_that_does_not_hold_is_exit_code_0() {
    for condition in [
        "double_scores < 0",
        "lockstep == 0",
        "order_violations > 0 or incomplete_ranks > 0",
        "collective.wall_s < rma.wall_s",
        "one-sided.rounds > 0 and 1 > 2",
        "wall_s > 1h",
    ] {
        fail_if(&[condition]).done();
    }
}

#[test]
fn names_with_a_qualifier_are_about_that_run() {
    let ended = fail_if(&["collective.wall_s / rma.wall_s > 1.5"]);
    assert_eq!(
        (ended.code, ended.stderr.lines().count()),
        (Some(3), 1),
        "{ended:?}"
    );
    let line = ended.stderr;
    assert!(
        line.contains("holds: collective.wall_s = ") && line.contains(", rma.wall_s = "),
        "{line}"
    );
    let label = fail_if(&["one-sided.wall_s > 0"]);
    assert_eq!(label.code, Some(3), "by its label: {label:?}");

    let folder = six_of_each();
    let args = "--group a=rma-* --group b=collective-* --fail-if b.wall_s>a.wall_s";
    let ended = compare(folder.path(), args);
    assert_eq!(
        (ended.code, ended.stderr.lines().count()),
        (Some(3), 1),
        "medians: {ended:?}"
    );
}

#[test]
fn each_of_several_conditions_is_told() {
    let ended = fail_if(&[
        "rma.stalls > 1e9",
        "rma.ranks == 3",
        "collective.ranks == 3",
    ]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let told: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(
        told,
        [
            "onesided: rma.ranks == 3 holds: rma.ranks = 3",
            "onesided: collective.ranks == 3 holds: collective.ranks = 3"
        ]
    );
}

#[test]
fn what_is_no_condition_on_these_runs_is_refused() {
    for (condition, why) in [
        ("no_such_number > 1", "there is no number 'no_such_number'"),
        (
            "rma.no_such_number > 1",
            "there is no number 'no_such_number'",
        ),
        ("python.wall_s > 1", "no run is called 'python'"),
        ("rma-1.wall_s > 1", "no run is called 'rma-1'"),
        ("rma.rounds > 1", "rma.rounds is unknown"),
        ("wall_s / 0 > 1", "not known of any"),
    ] {
        let ended = fail_if(&[condition]);
        assert_eq!(
            (ended.code, ended.stderr.lines().count()),
            (Some(2), 1),
            "{ended:?}"
        );
        assert!(ended.stderr.contains(why), "{ended:?}");
        assert!(ended.stderr.contains(condition), "{ended:?}");
    }
}

/// A summary knows no waits: that those of a trace beside it are short passes nothing.
#[test]
fn a_condition_does_not_pass_a_run_of_which_it_is_not_known() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = super::Synthetic::new(super::Version::Collective, 4, 1, 7);
    run.info.think = "100ms + 1s a rank".into();
    run.write(&folder.path().join("trace"));
    let summary = include_str!("../golden/collective.json");
    fs::write(folder.path().join("summary.json"), summary).unwrap();
    let think = serde_json::from_str::<serde_json::Value>(summary).unwrap()["think"].clone();
    run.info.think = think.as_str().unwrap().into();
    run.write(&folder.path().join("trace"));
    let ended = compare(folder.path(), "trace summary.json --fail-if wait_s>1h");
    assert_eq!(
        (ended.code, ended.stderr.lines().count()),
        (Some(2), 1),
        "{ended:?}"
    );
    assert!(
        ended
            .stderr
            .contains("not known of summary.json (summary.json): wait_s is unknown"),
        "{ended:?}"
    );
    // One that holds of another run has come true all the same, and both are told.
    let ended = compare(folder.path(), "trace summary.json --fail-if wait_s>0");
    assert_eq!(
        (ended.code, ended.stderr.lines().count()),
        (Some(3), 2),
        "{ended:?}"
    );
    // What is decided without the number is known.
    let args = "trace summary.json --fail-if";
    let ended = compare_with(
        folder.path(),
        &args
            .split(' ')
            .chain(["wait_s > 1h and ranks > 1000"])
            .collect::<Vec<_>>(),
    );
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

/// Rounds are allreduces, of which a one-sided run has none.
#[test]
fn a_run_that_cannot_have_a_number_is_passed_over() {
    let ended = fail_if(&["rounds > 0"]);
    assert_eq!(
        (ended.code, ended.stderr.lines().count()),
        (Some(3), 1),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("holds of collective"), "{ended:?}");
}

#[test]
fn what_is_no_expression_is_refused_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let nested = "(".repeat(100_000);
    for condition in [
        "",
        "wall_s",
        "wall_s >",
        "> 1",
        "wall_s > 1 and",
        "1 < 2 < 3",
        "wall_s > 1x",
        &nested,
    ] {
        let ended = compare_with(folder.path(), &["missing", "--fail-if", condition]);
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(2), ""),
            "{ended:?}"
        );
        assert!(ended.stderr.contains("--fail-if"), "{ended:?}");
        assert!(!ended.stderr.contains("cannot read"), "{ended:?}");
    }
}

#[test]
fn the_source_decides_what_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let log = include_str!("../golden/python/python_log.txt");
    fs::write(folder.path().join("log.txt"), log).unwrap();
    let ended = compare(folder.path(), "log.txt --fail-if wall_s>0");
    assert_eq!(
        (ended.code, ended.stderr.lines().count()),
        (Some(2), 1),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("wall_s is unknown"), "{ended:?}");
    let ended = compare(folder.path(), "log.txt --fail-if log.guesses>0");
    assert_eq!(ended.code, Some(3), "{ended:?}");
}

#[test]
fn help_names_every_number() {
    let folder = tempfile::tempdir().unwrap();
    let text = compare(folder.path(), "anything --fail-if help").done();
    for metric in METRICS {
        assert!(
            text.contains(&format!("  {} ", metric.name)),
            "{}",
            metric.name
        );
    }
}
