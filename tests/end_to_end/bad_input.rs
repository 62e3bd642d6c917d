//! Bad input: one clear error, once per job, exit code 2, soon, and never a hang.

use std::process::Output;

use crate::support::{self, all_at_once};
use crate::{ONESIDED, onesided};

/// How many of them are given to a whole job, and not to one process alone, which takes them by the same parser.
const IN_A_JOB: usize = 6;

/// Arguments, and what the message must name.
const BAD: &[(&str, &str)] = &[
    // Known only when the number of ranks is.
    (
        "play rma --straggler 4=5ms",
        "--straggler names rank 4, and the ranks are 0 to 3",
    ),
    (
        "play collective --straggler 0=1ms --straggler 99=1ms",
        "names rank 99",
    ),
    ("play rma --digits 0", "0 is not in 1..=1000000"),
    ("play rma --guess ticket --home spread", "use --home rank0"),
    (
        "play rma --frobnicate",
        "unexpected argument '--frobnicate'",
    ),
    ("play", "Usage: onesided play"),
    // Known to any process.
    ("play rma --digits 1000001", "1000001 is not in"),
    ("play rma --digits nine", "invalid value 'nine'"),
    ("play rma --games 0", "0 is not in"),
    ("play rma --seed -1", "'-1'"),
    ("play rma --think fast", "'fast' is no duration"),
    ("play rma --think uniform:9ms..1ms", "upside down"),
    ("play rma --think 3days", "longer than a day"),
    ("play rma --think-per-rank 5", "'5' is no duration"),
    ("play rma --straggler 1:5ms", "expected RANK=DURATION"),
    ("play rma --claim-with hope", "'hope'"),
    ("play rma --guess luck", "'luck'"),
    ("play collective --guess ticket", "'ticket'"),
    (
        "play rma --guess ticket --claim-with compare-and-swap",
        "--claim-with compare-and-swap has none: use --claim-with fetch-and-op or shared-memory",
    ),
    (
        "play rma --guess ticket --skip-known",
        "leave --skip-known out",
    ),
    (
        "play rma --home spread --claim-with shared-memory",
        "use --claim-with fetch-and-op or compare-and-swap",
    ),
    (
        "play collective --claim-with fetch-and-op",
        "unexpected argument '--claim-with'",
    ),
    ("play rma --quiet --verbose", "cannot be used with"),
    ("play rma --timeout 0", "'0' is none: at least 100ms"),
    ("play collective --timeout soon", "'soon' is no duration"),
    ("play both", "'both'"),
];

#[test]
fn bad_arguments_get_one_message_and_exit_code_2_from_the_whole_job() {
    let (in_a_job, alone) = BAD.split_at(IN_A_JOB);
    all_at_once(in_a_job, |&(args, expected)| {
        let ended = onesided(4, args).run();
        assert!(!ended.timed_out, "{args}: {ended:#?}");
        assert_refused(args, expected, ended.code, &ended.stdout, &ended.stderr);
    });
    for &(args, expected) in alone {
        let output = self::alone(args);
        let [stdout, stderr] =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        assert_refused(args, expected, output.status.code(), &stdout, &stderr);
    }
}

fn assert_refused(args: &str, expected: &str, code: Option<i32>, stdout: &str, stderr: &str) {
    assert_eq!(code, Some(2), "{args}: {stderr}");
    let said = stderr.matches(expected).count();
    assert_eq!(said, 1, "'{expected}' once for '{args}': {stderr}");
    assert_eq!(stdout, "", "{args}");
    assert!(!stderr.contains("panicked"), "{args}: {stderr}");
}

fn alone(args: &str) -> Output {
    support::alone(ONESIDED)
        .args(support::words(args))
        .output()
        .expect("the program starts")
}

#[test]
fn help_is_printed_once_and_is_no_error() {
    let ended = onesided(4, "play rma --help").run().expect_success();
    assert_eq!(ended.stdout.matches("Usage:").count(), 1, "{ended:#?}");
}

#[test]
fn compare_says_in_one_line_what_is_wrong_with_a_file() {
    let folder = support::scratch();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("empty"), "").unwrap();
    std::fs::write(path("binary"), [0xff, 0x80, 0x00]).unwrap();
    std::fs::write(path("other"), "{\"format\": \"something/1\"}").unwrap();
    let folder_itself = folder.path().display().to_string();
    for (file, expected) in [
        (path("missing"), "No such file"),
        (path("empty"), "nor a log of the game"),
        (path("binary"), "nor a log of the game"),
        (path("other"), "format 'something/1'"),
        (folder_itself, "it has no run.json"),
    ] {
        let output = alone(&format!("compare {0} {0}", support::quoted(&file)));
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
        assert!(
            message.contains(expected) && message.contains(&file),
            "{message}"
        );
        assert!(output.stdout.is_empty());
    }
}

/// A full disk is not silent: the result could not be printed, and the exit code says so.
#[test]
fn a_result_that_cannot_be_printed_is_an_error() {
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("Linux has /dev/full");
    let output = support::alone(ONESIDED)
        .args(["play", "rma"])
        .stdout(full)
        .output()
        .unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("cannot print the result"), "{message}");
}

#[test]
fn a_bad_rust_log_is_said_once_and_does_not_stop_the_game() {
    let job = onesided(3, "play rma --quiet").env("RUST_LOG", "onesided=loud,=,");
    let ended = job.run().expect_success();
    assert_eq!(ended.stderr.matches("RUST_LOG").count(), 1, "{ended:#?}");
    let ended = onesided(2, "play rma --format json")
        .env("RUST_LOG", "onesided=debug")
        .run()
        .expect_success();
    assert!(
        ended.stderr.contains("game over"),
        "diagnostics go to stderr: {ended:#?}"
    );
    assert!(
        serde_json::from_str::<serde_json::Value>(&ended.stdout).is_ok(),
        "and not to stdout"
    );
}
