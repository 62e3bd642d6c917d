//! The examples, as a user starts them: each checks its own answer, and a wrong one ends the job badly.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

#[path = "support/mod.rs"]
mod support;

use support::{Ended, Job};

/// Where the examples are. `cargo test` has built them already; `cargo test --test examples` has not.
fn folder() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = PathBuf::from(env!("CARGO_BIN_EXE_onesided"));
        let folder = folder.parent().expect("a file in a folder");
        let profile = match folder.file_name().and_then(|name| name.to_str()) {
            Some("debug") => "dev",
            Some(name) => name,
            None => panic!("{folder:?} is no folder of cargo's"),
        };
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--examples", "--profile", profile])
            .args([
                "--manifest-path",
                concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
            ])
            .arg("--target-dir")
            .arg(folder.parent().expect("the target folder"))
            .status();
        assert!(status.expect("cargo runs").success());
        folder.join("examples")
    })
}

fn example(n_ranks: u32, command: &str) -> Ended {
    let mut words = command.split(' ');
    let program = folder().join(words.next().expect("a name"));
    Job::new(n_ranks, program).args(words).run()
}

/// Runs an example on 1, 2, 3 and 5 ranks, and looks for each of `expected` once.
fn is_right(command: &str, expected: &[&str]) {
    for n_ranks in [1, 2, 3, 5] {
        let ended = example(n_ranks, command).expect_success();
        let ranks = format!("{n_ranks} rank");
        for text in expected.iter().copied().chain([ranks.as_str()]) {
            assert_eq!(ended.stdout.matches(text).count(), 1, "{text}: {ended:#?}");
        }
    }
}

/// The job ends badly, soon, and says `why`.
fn is_noticed(n_ranks: u32, command: &str, why: &str) {
    let ended = example(n_ranks, command);
    assert!(!ended.timed_out, "{ended:#?}");
    assert!(ended.code.is_some_and(|code| code != 0), "{ended:#?}");
    assert_eq!(ended.stderr.matches(why).count(), 1, "{ended:#?}");
}

#[test]
fn queens_counts_all_solutions() {
    is_right("queens 8", &["92 solutions", "one-sided", "in lockstep"]);
}

#[test]
fn queens_of_the_smallest_boards_are_right_too() {
    for (n, solutions) in [(1, 1), (2, 0), (4, 2)] {
        let ended = example(2, &format!("queens {n}")).expect_success();
        let text = format!("{solutions} solutions");
        assert!(ended.stdout.contains(&text), "{ended:#?}");
    }
}

#[test]
fn queens_notices_a_wrong_number() {
    is_noticed(3, "queens 6 5", "found and known");
}

#[test]
fn golomb_finds_all_optimal_rulers() {
    is_right(
        "golomb 7",
        &["found a ruler of length 25", "one-sided", "in lockstep"],
    );
}

#[test]
fn golomb_notices_a_wrong_length_and_a_wrong_number() {
    is_noticed(3, "golomb 6 16", "found and known");
    is_noticed(2, "golomb 6 17 7", "found and known");
}

#[test]
fn costas_finds_an_array_both_ways() {
    for n_ranks in [1, 2, 3, 5] {
        let ended = example(n_ranks, "costas 9").expect_success();
        assert_eq!(ended.stdout.matches("leads to [").count(), 2, "{ended:#?}");
        for line in ended
            .stdout
            .lines()
            .filter(|line| line.contains("leads to"))
        {
            assert!(is_costas(line), "{line}");
        }
    }
}

/// By triangles of differences, as Costas arrays are usually shown: no row has a number twice.
fn is_costas(line: &str) -> bool {
    let array = line.split(['[', ']']).nth(1).expect("an array");
    let array = array.split(", ").map(|number| number.parse().unwrap());
    let array: Vec<i32> = array.collect();
    (1..array.len()).all(|distance| {
        let row = array
            .windows(distance + 1)
            .map(|part| part[distance] - part[0]);
        let mut row: Vec<i32> = row.collect();
        row.sort();
        row.windows(2).all(|pair| pair[0] < pair[1])
    })
}

#[test]
fn costas_says_when_no_seed_leads_to_an_array() {
    // Of 18 entries, which one restart in some thousands finds.
    is_noticed(3, "costas 18 4", "one of the seeds leads to a Costas array");
}
