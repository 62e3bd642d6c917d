//! Where a batch cannot be kept, and who else writes in its folder: one line, and nothing of others is harmed.

use std::os::unix::fs::symlink;

use super::*;

/// Whether a test that needs something that is not here may be passed over.
fn skip(what: &str) {
    assert!(
        std::env::var("ONESIDED_SKIP").as_deref() != Ok("forbidden"),
        "not to be skipped: {what}"
    );
    println!("SKIPPED: {what}");
}

/// The batch, in a shell that has done `setup` with its folder, which is there.
fn after(setup: &str, batch: &Batch) -> Output {
    std::fs::create_dir_all(batch.out()).expect("a folder");
    let script = format!("{setup} && exec \"$@\"");
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--", "sh", "-c", &script])
        .arg(batch.out())
        .args([env!("CARGO_BIN_EXE_onesided"), "batch"])
        .args(&batch.args)
        .envs(batch.envs.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null());
    command.output().expect("unshare runs")
}

#[test]
fn a_folder_that_cannot_be_written_is_said_in_one_line() {
    let mut may = Command::new("unshare");
    may.args(["--mount", "--", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
    if !may
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
    {
        return skip("file systems cannot be mounted here");
    }
    for (setup, expected) in [
        ("mount -t tmpfs -o ro tmpfs \"$0\"", "Read-only file system"),
        (
            "mount -t tmpfs -o nr_inodes=2 tmpfs \"$0\"",
            "No space left",
        ),
        ("mount -t tmpfs -o size=20k tmpfs \"$0\"", "No space left"),
    ] {
        let batch = Batch::new(&["--repeat=6"]);
        let output = after(setup, &batch);
        let message = stderr(&output);
        assert!(
            matches!(output.status.code(), Some(1 | 2)),
            "{setup}: {output:?}"
        );
        let failures = message
            .lines()
            .filter(|line| line.starts_with("onesided: "));
        assert_eq!(failures.count(), 1, "{message}");
        assert!(message.contains(expected), "{message}");
    }
}

/// A batch writes its own files, and not what somebody has made their names lead to.
#[test]
fn links_in_a_batch_s_folder_are_not_followed() {
    for (name, is_refused) in [
        ("lock", true),
        ("journal.jsonl", true),
        ("results.csv", false),
        ("report.html", false),
    ] {
        let batch = Batch::new(&["--repeat=1"]);
        batch.run_well();
        let (path, victim) = (batch.out().join(name), batch.scratch.path().join("victim"));
        std::fs::write(&victim, "precious").expect("a file");
        std::fs::remove_file(&path).expect("it is there");
        symlink(&victim, &path).expect("a link");
        let output = batch.run();
        assert_eq!(
            output.status.code(),
            Some(if is_refused { 2 } else { 0 }),
            "{name}: {output:?}"
        );
        assert_eq!(
            std::fs::read(&victim).expect("it is there"),
            b"precious",
            "{name}"
        );
        assert!(!is_refused || stderr(&output).contains(name), "{output:?}");
    }
}

/// Jobs are known by a mark in their environment, and a copy of a batch's folder has its number too.
#[test]
fn a_copy_of_a_batch_s_folder_does_not_end_the_first_one_s_jobs() {
    let batch = Batch::new(&["--repeat=1", "--versions=rma"]).env("FAKE_SLEEP", "4");
    let mut child = batch.command().spawn().expect("the program starts");
    while batch.starts().is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let copied = Batch::new(&["--repeat=1", "--versions=rma"]);
    let status = Command::new("cp")
        .arg("-r")
        .args([batch.out(), copied.out()])
        .status();
    assert!(status.expect("cp runs").success());
    copied.run_well();
    assert!(child.wait().expect("a child").success());
    assert_eq!(batch.journal().len(), 1);
    assert_eq!(batch.journal()[0]["status"], "done");
}

/// Such as Lustre without the mount option flock, or NFS without its lock service.
#[test]
fn a_file_system_without_locks_is_warned_of_and_the_batch_is_played() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let no_locks = folder.path().join("no_locks");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/batch/no_locks.c");
    let mut compile = Command::new("cc");
    compile
        .args(["-Wall", "-Werror", source, "-o"])
        .arg(&no_locks);
    assert!(compile.status().expect("cc runs").success());
    let without = |error: &str, batch: &Batch| {
        let mut command = started_by(&no_locks, &[error], batch);
        command.output().expect("it starts")
    };
    for error in ["ENOSYS", "ENOLCK", "EOPNOTSUPP"] {
        let batch = Batch::new(&["--repeat=1"]);
        let output = without(error, &batch);
        let message = stderr(&output);
        assert!(output.status.success(), "{error}: {output:?}");
        assert_eq!(
            message.matches("has no locks").count(),
            1,
            "{error}: {message}"
        );
        assert_eq!(batch.journal().len(), 2);
    }
    // What else is wrong with a lock still is.
    let output = without("EIO", &Batch::new(&["--repeat=1"]));
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(stderr(&output).contains("cannot lock"), "{output:?}");
}

/// Such as some that are reached over a network.
#[test]
fn a_file_system_that_synchronises_no_folders_will_do() {
    let library = preload::library_to_preload("cc", "batch/no_folder_sync.c");
    let batch = Batch::new(&["--repeat=1"]);
    let mut command = batch.command();
    let output = command.env("LD_PRELOAD", library).output();
    let output = output.expect("the program starts");
    assert!(output.status.success(), "{output:?}");
    assert!(!stderr(&output).contains("preload"), "{output:?}"); // the loader goes on without it
    assert_eq!(batch.journal().len(), 2);
}
