//! The launcher rule of these tests, held against launchers that are made to die.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::support::{Job, again, scratch};

/// A job under a launcher that appends a line to `starts`, and then does what `script` says.
fn drill(folder: &Path, script: &str) -> Job {
    let launcher = folder.join("launcher");
    let starts = folder.join("starts");
    let text = format!(
        "#!/bin/sh\necho >>'{starts}'\nn=$(wc -l <'{starts}')\n{script}\n",
        starts = starts.display()
    );
    fs::write(&launcher, text).expect("a file");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&launcher, mode).expect("its mode");
    Job::new(1, "true").drill(launcher)
}

fn n_starts(folder: &Path) -> usize {
    let starts = fs::read_to_string(folder.join("starts")).expect("it was started");
    starts.lines().count()
}

const CRASH: &str = "kill -SEGV $$";

#[test]
fn a_job_is_started_again_at_most_twice_when_its_launcher_crashes() {
    for (n_crashes, code, n) in [(0, Some(7), 1), (2, Some(7), 3), (9, None, 3)] {
        let folder = scratch();
        let script = format!("[ $n -gt {n_crashes} ] && exit 7\n{CRASH}");
        let ended = drill(folder.path(), &script).run();
        assert_eq!(
            (ended.code, n_starts(folder.path())),
            (code, n),
            "{ended:?}"
        );
    }
}

#[test]
fn what_ranks_did_is_never_tried_again() {
    for (script, code) in [
        ("exit 139".to_owned(), Some(139)),
        ("kill -KILL $$".to_owned(), None),
        (
            format!("echo \"thread 'main' panicked at\" >&2; {CRASH}"),
            None,
        ),
        (format!("echo 'onesided: rank 1: no' >&2; {CRASH}"), None),
        (
            format!("echo 'rank 0 exited on signal 9' >&2; {CRASH}"),
            None,
        ),
    ] {
        let folder = scratch();
        let ended = drill(folder.path(), &script).run();
        assert_eq!((ended.code, n_starts(folder.path())), (code, 1), "{script}");
    }
    // Unless they are to fail.
    let folder = scratch();
    let script = format!("[ $n = 2 ] && exit 1\necho 'rank 1 panicked' >&2; {CRASH}");
    let ended = drill(folder.path(), &script).that_fails().run();
    assert_eq!((ended.code, n_starts(folder.path())), (Some(1), 2));
}

#[test]
fn a_launcher_that_hangs_alone_is_told_from_a_job_that_hangs() {
    let hangs = |rank: &str| {
        let folder = scratch();
        let script = format!("[ $n = 2 ] && exit 7\n{rank}\nexec sleep 1000");
        let job = drill(folder.path(), &script).deadline(Duration::from_secs(2));
        let ended = job.run();
        (ended.timed_out, n_starts(folder.path()))
    };
    assert_eq!(hangs(""), (false, 2));
    assert_eq!(hangs("OMPI_COMM_WORLD_RANK=0 true"), (false, 2));
    // It ends by itself, as nobody ends the ranks of this launcher.
    assert_eq!(hangs("PMI_RANK=0 sleep 4 &"), (true, 1));
}

/// A job that is started again finds what the first one found.
#[test]
fn files_are_as_before_when_a_job_is_started_again() {
    let folder = scratch();
    let [made, changed] = ["made", "changed"].map(|name| folder.path().join(name));
    fs::write(&changed, "before").expect("a file");
    let script = format!(
        "made=$5 changed=$6\n\
         [ -e \"$made\" ] && exit 1\n[ $(cat \"$changed\") = before ] || exit 2\n\
         mkdir \"$made\"; echo after >\"$changed\"\n[ $n = 2 ] || {CRASH}"
    );
    let paths = [&made, &changed].map(|path| path.display().to_string());
    let ended = drill(folder.path(), &script).args(paths).run();
    assert_eq!(
        (ended.code, n_starts(folder.path())),
        (Some(0), 2),
        "{ended:?}"
    );
    assert!(made.exists());
    assert_eq!(fs::read_to_string(&changed).expect("a file"), "after\n");
}

/// What a test has done to a job it does again, with all that it made new.
#[test]
fn a_test_that_does_something_to_a_job_is_run_again_as_a_whole() {
    let (folder, n_runs) = (scratch(), std::cell::Cell::new(0));
    let ended = again(|| {
        n_runs.set(n_runs.get() + 1);
        let script = format!("[ $n = 2 ] && exit 7\n{CRASH}");
        drill(folder.path(), &script).start().join()
    });
    assert_eq!((ended.code, n_runs.get()), (Some(7), 2));
    let failed = std::panic::catch_unwind(|| again(|| panic!("of the test's own")));
    assert!(failed.is_err(), "nothing else is tried again");
}
