//! What must work where there is no MPI: built with and without the feature, these pass.

use std::process::{Command, Output};

fn onesided(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onesided"));
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(args)
        .output()
        .expect("the program starts")
}

/// Documents of a real run (Open MPI 4.1.4, four ranks) read as they did when they were made.
#[test]
fn two_runs_are_compared() {
    let output = onesided(&[
        "compare",
        "tests/golden/rma.json",
        "tests/golden/collective.json",
    ]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    assert_eq!(text, include_str!("golden/compare.txt"));
    let swapped = onesided(&[
        "compare",
        "tests/golden/collective.json",
        "tests/golden/rma.json",
    ]);
    assert_eq!(swapped.stdout, text.as_bytes(), "in either order");
}

#[test]
fn two_runs_of_one_version_are_refused() {
    let output = onesided(&["compare", "tests/golden/rma.json", "tests/golden/rma.json"]);
    let message = String::from_utf8(output.stderr).expect("text");
    assert_eq!(
        (output.status.code(), message.lines().count()),
        (Some(2), 1),
        "{message}"
    );
    assert!(message.contains("both runs are one-sided"), "{message}");
}

#[cfg(not(feature = "mpi"))]
#[test]
fn playing_is_refused_with_the_reason() {
    let output = onesided(&["play", "rma", "--digits", "9"]);
    let message = String::from_utf8(output.stderr).expect("text");
    assert_eq!(
        (output.status.code(), message.lines().count()),
        (Some(2), 1),
        "{message}"
    );
    assert!(message.contains("this build has no MPI"), "{message}");
}
