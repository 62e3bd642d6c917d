//! Bad input: one clear line, exit code 2; what went wrong all the same: exit code 1.

use std::fs;
use std::path::Path;

use crate::{Run, complaint, export, made_up, output};

fn refused(run: &Path, file: &Path) -> String {
    let mut command = export(["--format", "csv", "-o"]);
    let output = output(command.arg(file).arg(run));
    let message = complaint(&output);
    let outcome = (output.status.code(), message.lines().count());
    assert_eq!(outcome, (Some(2), 1), "{message}");
    assert!(output.stdout.is_empty(), "{output:?}");
    message
}

#[test]
fn what_is_no_run_is_refused() {
    let run = Run::new(&made_up::games(1, 1));
    let file = run.beside("file");
    let message = refused(&run.beside("nowhere"), &file);
    assert!(message.contains("cannot read the run"), "{message}");
    assert!(message.contains("nowhere: it has no run.json"), "{message}");

    fs::create_dir(run.beside("empty")).expect("folder");
    let message = refused(&run.beside("empty"), &file);
    assert!(message.contains("empty: it has no run.json"), "{message}");

    made_up::remove(&run.path(), 0);
    let message = refused(&run.path(), &file);
    assert!(message.contains("its file is missing"), "{message}");

    fs::write(run.path().join("run.json"), "{").expect("file");
    let message = refused(&run.path(), &file);
    assert!(message.contains("not a JSON document"), "{message}");
    assert!(!file.exists());
}

#[test]
fn what_can_be_no_file_is_refused() {
    let run = Run::new(&made_up::games(1, 1));
    for (file, why) in [
        (run.beside("nowhere/file"), "No such file"),
        (run.path(), "is a directory"),
        ("..".into(), "is a directory"),
    ] {
        let message = refused(&run.path(), &file);
        let expected = format!("onesided: cannot write {}: ", file.display());
        assert!(message.starts_with(&expected), "{message}");
        assert!(message.contains(why), "{message}");
    }
}

#[test]
fn arguments_are_checked() {
    for (args, expected) in [
        (vec!["run", "--format", "xml"], "jsonl, csv, perfetto"),
        (vec!["run"], "--format <FORMAT>"),
        (vec!["--format", "csv"], "<RUN>"),
    ] {
        let output = output(&mut export(args));
        let message = complaint(&output);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(expected), "{message}");
    }
}

/// The device that is always full; where there is none, there is nothing to show.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_failure() {
    let run = Run::new(&made_up::games(4, 300));
    let full = Path::new("/dev/full");
    for format in ["jsonl", "csv", "perfetto"] {
        let to_file = output(&mut run.command(format, full));
        let stdout = fs::OpenOptions::new().write(true).open(full);
        let stdout = stdout.expect("the device opens");
        let mut command = export(["--format", format]);
        let to_stdout = output(command.arg(run.path()).stdout(stdout));
        for output in [to_file, to_stdout] {
            let message = complaint(&output);
            let outcome = (output.status.code(), message.lines().count());
            assert_eq!(outcome, (Some(1), 1), "{message}");
            assert!(message.contains("No space left"), "{message}");
        }
    }
}
