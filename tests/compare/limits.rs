//! What the system does not allow, and who else writes where results are written: one line, and never a
//! half file.

use std::fs;
use std::process::{Command, Stdio};

use super::*;

/// Whether a test that needs something that is not here may be passed over.
fn skip(what: &str) {
    assert!(
        std::env::var("ONESIDED_SKIP").as_deref() != Ok("forbidden"),
        "not to be skipped: {what}"
    );
    println!("SKIPPED: {what}");
}

fn may(words: &[&str]) -> bool {
    let mut command = Command::new(words[0]);
    let status = command
        .args(&words[1..])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// `onesided ARGS`, in a shell that has done `setup` before, and does `then` afterwards.
fn after(setup: &str, args: &str, then: &str, folder: &Path, through: &[&str]) -> Ended {
    after_by(ONESIDED, setup, args, then, folder, through)
}

/// The same of a copy of the program.
fn after_by(
    program: &str,
    setup: &str,
    args: &str,
    then: &str,
    folder: &Path,
    through: &[&str],
) -> Ended {
    let script = format!("{setup} && '{program}' {args}; code=$?; {then}; exit $code");
    let words = [through, &["sh", "-c", &script]].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).current_dir(folder);
    end_of(command)
}

const OWN_MOUNTS: &[&str] = &["unshare", "--mount", "--"];

#[test]
fn a_disk_that_is_full_or_read_only_is_said_and_leaves_no_half_file() {
    if !may(&[
        "unshare", "--mount", "--", "mount", "-t", "tmpfs", "tmpfs", "/mnt",
    ]) {
        return skip("file systems cannot be mounted here");
    }
    let folder = a_pair();
    fs::create_dir(folder.path().join("out")).expect("a folder");
    let outputs = [
        "compare rma collective --html out/page.html",
        "compare rma --svg out/picture.svg",
        "export rma --format jsonl --output out/records",
    ];
    for args in outputs {
        for (options, expected) in [
            ("size=4k", "No space left"),
            ("ro", "Read-only file system"),
        ] {
            let setup = format!("mount -t tmpfs -o {options} tmpfs out");
            let ended = after(&setup, args, "ls -A out >&2", folder.path(), OWN_MOUNTS);
            assert!(matches!(ended.code, Some(1 | 2)), "{args}: {ended:?}");
            assert_eq!(
                ended.stderr.lines().count(),
                1,
                "nothing is left: {ended:?}"
            );
            assert!(
                ended.stderr.contains("cannot write out/") && ended.stderr.contains(expected),
                "{args}: {ended:?}"
            );
        }
    }
}

#[test]
fn a_folder_of_somebody_else_s_is_said() {
    let folder = a_pair();
    let as_nobody = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
    ];
    // Where they may enter, as they may not where this program is, perhaps.
    let place = tempfile::tempdir().expect("a folder");
    let open = || std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(place.path(), open()).expect("it is ours");
    let program = place.path().join("onesided");
    fs::copy(ONESIDED, &program).expect("there is room");
    let program = program.to_str().expect("a plain name");
    // A library of MPI may lie where they may not enter.
    let starts = [&as_nobody[..], &[program, "--version"]].concat();
    if !may(&starts) {
        return skip("nobody else can be had here who may start this program");
    }
    for path in [
        folder.path().to_owned(),
        folder.path().join("rma"),
        folder.path().join("collective"),
    ] {
        fs::set_permissions(path, open()).expect("it is ours");
    }
    let as_them =
        |args| after_by(program, "true", args, "true", folder.path(), &as_nobody).refused();
    for args in [
        "compare rma --html page.html",
        "export rma --format csv --output records.csv",
    ] {
        let ended = as_them(args);
        assert!(
            ended.contains("Permission denied") && ended.contains("cannot write"),
            "{ended}"
        );
    }
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(folder.path().join("rma/run.json"), private).expect("it is ours");
    let ended = as_them("compare rma");
    assert!(ended.contains("Permission denied"), "{ended}");
}

#[test]
fn a_file_larger_than_the_limit_is_an_error_and_no_death() {
    let folder = a_pair();
    for args in [
        "compare rma --html page.html",
        "export rma --format jsonl --output records",
    ] {
        let ended = after("ulimit -f 2", args, "ls -A >&2", folder.path(), &[]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let lines: Vec<&str> = ended.stderr.lines().collect();
        assert!(lines[0].contains("File too large"), "{ended:?}");
        assert_eq!(lines[1..], ["collective", "rma"], "nothing is left");
    }
}

/// Two files a rank would be too many; and so they are opened when they are read.
#[test]
fn few_files_may_be_open_and_the_findings_are_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, version) in [("rma", Version::Rma), ("collective", Version::Collective)] {
        Synthetic::new(version, 40, 2, 1).write(&folder.path().join(name));
    }
    for args in [
        "compare rma collective",
        "export rma --format csv",
        "compare rma --format json",
    ] {
        let many = after("true", args, "true", folder.path(), &[]).done();
        let few = after("ulimit -n 16", args, "true", folder.path(), &[]).done();
        assert!(many == few, "{args}");
    }
}

#[test]
fn stdout_may_be_full_or_closed() {
    let folder = a_pair();
    for args in [
        "compare rma",
        "compare rma --format csv",
        "export rma --format csv",
        "compare --fail-if help",
    ] {
        let full = after("exec >/dev/full", args, "true", folder.path(), &[]);
        assert_eq!(
            (full.code, full.stderr.lines().count()),
            (Some(1), 1),
            "{args}: {full:?}"
        );
        assert!(full.stderr.contains("No space left"), "{full:?}");
        let closed = after("exec >&- <&-", args, "true", folder.path(), &[]);
        assert_eq!(
            (closed.code, closed.stderr.as_str()),
            (Some(0), ""),
            "{args}: {closed:?}"
        );
    }
}

#[test]
fn a_file_without_an_end_is_refused() {
    let folder = a_pair();
    for args in [
        "compare /dev/zero",
        "doctor --read /dev/zero",
        "batch /dev/zero --dry-run",
    ] {
        let message = after("true", args, "true", folder.path(), &[]).refused();
        assert!(message.contains("too many"), "{message}");
    }
}

/// What a terminal would act on, in every text that a run has.
#[test]
fn no_control_character_of_a_run_reaches_the_terminal() {
    const HOSTILE: &str = "h\x1b]0;owned\x07\x1b[2J\u{9b}1A\r\x08<script>alert(1)</script>";
    let folder = a_pair();
    let mut run = Synthetic::new(Version::Rma, 3, 2, 1);
    run.info.hosts.fill(HOSTILE.into());
    run.info.mpi_library = HOSTILE.into();
    run.info.think = HOSTILE.into();
    run.info.claim_with = Some(HOSTILE.into());
    run.info.command = vec![HOSTILE.into()];
    let name = "a \x1b[31m run";
    run.write(&folder.path().join(name));
    for clock in &mut run.info.clocks.clocks {
        clock.host = HOSTILE.into();
    }
    let args: [&[&str]; 5] = [
        &[name],
        &[name, "collective"],
        &[name, "--format", "json"],
        &[name, name, name],
        &["no such \x1b]0;run\x07"],
    ];
    for args in args {
        let ended = compare_with(folder.path(), args);
        for text in [&ended.stdout, &ended.stderr] {
            let control = text.chars().find(|char| char.is_control() && *char != '\n');
            assert_eq!(control, None, "{args:?}: {text:?}");
        }
    }
    let page = folder.path().join("page.html");
    compare_with(folder.path(), &[name, "--html", "page.html"]);
    let page = fs::read_to_string(page).expect("a page");
    assert!(!page.contains("<script>alert"), "it is escaped");
    assert!(page.contains("&lt;script&gt;alert"), "and it is there");
}
