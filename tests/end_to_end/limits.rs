//! Where a run cannot be recorded or its result not be told: one line, before the game where that can be
//! known before.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

use crate::started_wrongly::skip;
use crate::support::{Ended, alone, quoted, scratch};
use crate::{ONESIDED, onesided};

/// What starts a command after the shell has made something of the system that only it sees.
fn after(setup: &str) -> Vec<String> {
    let script = format!("{setup} && exec \"$@\"");
    ["unshare", "--mount", "--", "sh", "-c", &script, "sh"]
        .map(Into::into)
        .into()
}

fn may_mount() -> bool {
    let mut command = Command::new("unshare");
    let status = command
        .args(["--mount", "--", "mount", "-t", "tmpfs", "tmpfs", "/mnt"])
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// Plays on two ranks into a folder with what `setup` says of `$trace`.
fn recording(setup: &str, args: &str) -> Ended {
    let folder = scratch();
    let folder = quoted(folder.path());
    let setup = format!("trace={folder} && {setup}");
    onesided(2, &format!("play rma {args} --trace {folder}"))
        .started_by(after(&setup))
        .run()
}

/// It ended with one line about what is recorded, which has all of `expected`.
fn refused(ended: &Ended, expected: &[&str]) {
    assert!(!ended.timed_out && ended.code != Some(0), "{ended:#?}");
    let lines: Vec<&str> = ended
        .stderr
        .lines()
        .filter(|line| line.starts_with("onesided: "))
        .collect();
    assert_eq!(lines.len(), 1, "{ended:#?}");
    for words in expected {
        assert!(lines[0].contains(words), "{words}: {ended:#?}");
    }
    let signs = ["panicked", "signal", "Bus error"];
    assert!(
        !signs.iter().any(|sign| ended.stderr.contains(sign)),
        "{ended:#?}"
    );
    assert_eq!(ended.stdout, "", "no game was played");
}

#[test]
fn a_folder_that_cannot_take_a_trace_is_said_before_the_game() {
    if !may_mount() {
        return skip("file systems cannot be mounted here");
    }
    // A million records a rank are 34 MB.
    let full = recording("mount -t tmpfs -o size=40m tmpfs \"$trace\"", "");
    refused(
        &full,
        &["cannot record", "No space left", "--trace-records"],
    );
    let read_only = recording("mount -t tmpfs -o ro tmpfs \"$trace\"", "");
    refused(&read_only, &["cannot record", "Read-only file system"]);
    // Two hundred thousand blocks of 512 bytes: enough for what MPI libraries share.
    let limited = recording("ulimit -f 200000", "--trace-records 8000000");
    refused(
        &limited,
        &["cannot record", "File too large", "--trace-records"],
    );
}

/// Where room cannot be reserved (a ramfs knows no such thing), it is written.
#[test]
fn a_file_system_that_reserves_no_room_takes_a_trace_all_the_same() {
    if !may_mount() {
        return skip("file systems cannot be mounted here");
    }
    let ended = recording("mount -t ramfs ramfs \"$trace\"", "--trace-records 1000");
    let ended = ended.expect_success();
    assert!(
        ended.stdout.contains("points 9, double scores 0"),
        "{ended:#?}"
    );
}

#[test]
fn neither_home_nor_a_folder_for_temporary_files_nor_stdin_is_needed() {
    let folder = scratch();
    let args = format!(
        "play rma --format json --trace {}",
        quoted(folder.path().join("run"))
    );
    let run_without = |what: &'static str| {
        let script = format!("unset {what}; exec \"$@\" <&-");
        let job = onesided(2, &args).started_by(["sh".into(), "-c".into(), script, "sh".into()]);
        job.run()
    };
    let library = onesided::rma::library().expect("the library names itself");
    let ended = match (library.family, library.version[0]) {
        // Open MPI 5.0.11 itself does not start without.
        (onesided::rma::Family::OpenMpi, 5) => {
            let ended = run_without("HOME");
            assert!(ended.stderr.contains("home directory"), "{ended:#?}");
            run_without("TMPDIR")
        }
        _ => run_without("HOME TMPDIR"),
    }
    .expect_success();
    serde_json::from_str::<serde_json::Value>(&ended.stdout).expect("one document");
}

#[test]
fn paths_may_be_no_text_and_may_be_long() {
    let folder = scratch();
    for name in [&b"not \xff text"[..], &[b'x'; 255]] {
        let run = folder.path().join(OsStr::from_bytes(name));
        let mut play = alone(ONESIDED);
        play.args(["play", "rma", "--quiet", "--trace"]).arg(&run);
        let output = play.output().expect("the program starts");
        assert!(output.status.success(), "{output:?}");
        let mut compare = alone(ONESIDED);
        compare
            .arg("compare")
            .arg(&run)
            .arg("--html")
            .arg(run.join([b'y'; 255].map(char::from).iter().collect::<String>()));
        let output = compare.output().expect("the program starts");
        assert!(output.status.success(), "{output:?}");
    }
    let mut play = alone(ONESIDED);
    play.args(["play", "rma", "--quiet", "--trace"])
        .arg(folder.path().join("x".repeat(256)));
    let output = play.output().expect("the program starts");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(
        message.lines().count() == 1 && message.contains("File name too long"),
        "{message}"
    );
}

/// Nothing can be said, and that is no panic either.
#[test]
fn where_stderr_is_full_the_exit_code_tells() {
    let full = || {
        File::options()
            .write(true)
            .open("/dev/full")
            .expect("Linux has it")
    };
    for (args, code) in [
        (&["play", "rma", "--trace", "/dev/null/run"][..], 2),
        (&["compare", "/no such run"], 2),
        (&["play", "rma", "--quiet"], 0),
    ] {
        let status = alone(ONESIDED)
            .args(args)
            .stderr(full())
            .stdout(Stdio::null())
            .status()
            .expect("the program starts");
        assert_eq!(status.code(), Some(code), "{args:?}");
    }
}

/// What others put in the folder's way is not followed: `run.json` replaces a link and not its target.
#[test]
fn links_in_a_run_s_folder_are_not_followed() {
    let folder = scratch();
    let (run, victim) = (folder.path().join("run"), folder.path().join("victim"));
    fs::create_dir(&run).expect("a folder");
    fs::write(&victim, "precious").expect("a file");
    for name in ["run.json", "run.json.new", "rank-0.records"] {
        std::os::unix::fs::symlink(&victim, run.join(name)).expect("a link");
    }
    fs::write(run.join("notes.txt"), "mine").expect("a file");
    let mut play = alone(ONESIDED);
    play.args(["play", "rma", "--quiet", "--overwrite", "--trace"])
        .arg(&run);
    assert!(play.status().expect("the program starts").success());
    assert_eq!(fs::read(&victim).expect("it is there"), b"precious");
    assert_eq!(
        fs::read(run.join("notes.txt")).expect("it is there"),
        b"mine"
    );
    assert!(!run.join("run.json").is_symlink());
}
