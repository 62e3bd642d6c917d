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

fn compare(a: &str, b: &str) -> String {
    let output = onesided(&["compare", a, b]);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

const ONE_SIDED: &str = "tests/golden/rma.json";
const COLLECTIVE: &str = "tests/golden/collective.json";

/// Documents of a real run (Open MPI 4.1.4, four ranks) read as they did when they were made.
#[test]
fn two_runs_are_compared() {
    let text = compare(ONE_SIDED, COLLECTIVE);
    assert_eq!(text, include_str!("golden/compare.txt"));
    let swapped = compare(COLLECTIVE, ONE_SIDED);
    let verdict = |text: &str| text.lines().next().map(str::to_owned);
    assert_eq!(verdict(&swapped), verdict(&text), "in either order");
}

#[test]
fn a_run_is_compared_with_another_of_its_version() {
    let text = compare(ONE_SIDED, ONE_SIDED);
    let verdict = "first took 241 ms where second took 241 ms, about as long: ";
    assert!(text.starts_with(verdict), "{text}");
}

#[test]
fn runs_of_different_games_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let other = folder.path().join("other.json");
    let text = include_str!("golden/rma.json").replace("\"digits\": 9", "\"digits\": 99");
    std::fs::write(&other, text).expect("a file");
    let output = onesided(&["compare", COLLECTIVE, other.to_str().expect("a path")]);
    let message = String::from_utf8(output.stderr).expect("text");
    assert_eq!(
        (output.status.code(), message.lines().count()),
        (Some(2), 1),
        "{message}"
    );
    assert!(message.contains("number of digits (9 and 99)"), "{message}");
}

/// What a doctor found on a cluster (Open MPI 4.1.4, two ranks) is shown on any machine.
#[test]
fn a_document_of_the_doctor_is_shown() {
    let output = onesided(&["doctor", "--read", "tests/golden/doctor.json"]);
    let text = String::from_utf8(output.stdout).expect("text");
    assert_eq!(text, include_str!("golden/doctor.txt"));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn what_is_no_document_of_the_doctor_is_refused() {
    let output = onesided(&["doctor", "--read", ONE_SIDED]);
    let message = String::from_utf8(output.stderr).expect("text");
    assert_eq!(
        (output.status.code(), message.lines().count()),
        (Some(2), 1),
        "{message}"
    );
    assert!(message.contains(ONE_SIDED), "{message}");
}

#[cfg(not(feature = "mpi"))]
#[test]
fn examining_is_refused_with_the_reason() {
    let output = onesided(&["doctor"]);
    let message = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("this build has no MPI"), "{message}");
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
