//! A batch that is stopped goes on where it stopped.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::*;

/// Killed again and again at random moments, it loses nothing and repeats nothing but the run that was under
/// way; and whatever of that run was left alive is ended before another begins.
#[test]
fn killed_at_any_moment_it_loses_and_repeats_nothing() {
    let batch = Batch::new(&["--ranks=2,3", "--repeat=25"]).env("FAKE_SLEEP", "0.02");
    // `just campaign` draws another.
    let seed = std::env::var("ONESIDED_SEED").map_or(1, |seed| seed.parse().expect("a number"));
    println!("ONESIDED_SEED={seed}");
    let mut state: u64 = seed;
    let mut n_kills = 0;
    loop {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let patience = Duration::from_micros((state >> 33) % 400_000);
        let mut child = batch.command().spawn().expect("the program starts");
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().expect("own child") {
                break Some(status);
            }
            if start.elapsed() >= patience && n_kills < 40 {
                child.kill().expect("own child");
                child.wait().expect("own child");
                break None;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        match status {
            Some(status) => {
                let output = child.wait_with_output().expect("own child");
                assert!(status.success(), "{output:?}");
                break;
            }
            None => n_kills += 1,
        }
    }
    assert!(n_kills >= 5, "it was over before it could be killed");
    let journal = batch.journal();
    let runs: BTreeSet<(String, u64)> = journal
        .iter()
        .map(|run| {
            (
                run["cell"].as_str().expect("a name").to_owned(),
                run["repetition"].as_u64().expect("n"),
            )
        })
        .collect();
    assert_eq!(
        (journal.len(), runs.len()),
        (100, 100),
        "nothing is lost, nothing is there twice"
    );
    assert!(journal.iter().all(|run| run["status"] == "done"));
    let starts = batch.starts();
    assert_eq!(
        starts.len(),
        100,
        "and each has one seed, however often it was started"
    );
    let repeated: usize = starts.values().map(|n| n - 1).sum();
    assert!(
        repeated <= n_kills,
        "{repeated} runs repeated after {n_kills} kills"
    );
    // Nothing goes on in the background: what ends is what was started last.
    let log = batch.log();
    for (index, (what, run)) in log.iter().enumerate() {
        assert!(
            what == "start" || log[index - 1] == ("start".into(), run.clone()),
            "{log:?}"
        );
    }
    // Every run was played to its end.
    let ended: BTreeSet<&String> = log
        .iter()
        .filter(|(what, _)| what == "end")
        .map(|(_, run)| run)
        .collect();
    assert_eq!(ended.len(), 100);
}

#[test]
fn a_signal_ends_the_job_within_seconds_and_the_batch_goes_on_later() {
    for (name, code) in [
        ("INT", 130),
        ("TERM", 143),
        ("HUP", 129),
        ("USR2", 140),
        ("XCPU", 152),
    ] {
        let batch = Batch::new(&["--repeat=2"]);
        let hanging = Batch {
            envs: [&batch.envs[..], &[("FAKE_HANG", "collective/002".into())]].concat(),
            ..batch
        };
        // Whoever runs the tests may ignore SIGHUP.
        let mut command = started_by(Path::new("env"), &["--default-signal=HUP"], &hanging);
        let child = command.spawn().expect("the program starts");
        let process = wait_for(&hanging, "child");
        if name == "HUP" && has_ucx(child.id()) {
            signal("TERM", child.id()); // UCX takes SIGHUP for its own
            child.wait_with_output().expect("own child");
            continue;
        }
        let start = Instant::now();
        signal(name, child.id());
        let output = child.wait_with_output().expect("own child");
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "{:?}",
            start.elapsed()
        );
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert!(
            stderr(&output).contains(&format!("SIG{name} after 2 of 4 runs")),
            "{output:?}"
        );
        assert!(
            is_gone_soon(&process),
            "the job is gone, and what it had started"
        );
        assert_eq!(hanging.journal().len(), 2, "an interrupted run is none");
        assert!(hanging.out().join("report.html").exists());

        let again = Batch {
            envs: hanging.envs[..1].to_vec(),
            ..hanging
        };
        again.run_well();
        assert_eq!(again.journal().len(), 4);
        let twice: Vec<String> = again
            .starts()
            .into_iter()
            .filter(|(_, n)| *n > 1)
            .map(|(run, _)| run)
            .collect();
        assert!(
            twice.len() == 1 && twice[0].contains("collective/002"),
            "{twice:?}"
        );
    }
}

/// Whether a process has UCX in it, which MPICH may be linked with.
fn has_ucx(process: u32) -> bool {
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).expect("it runs");
    maps.contains("/libucs")
}

/// SIGUSR1 asks for a checkpoint, and a batch's runs are on the disk; SIGHUP is ignored under `nohup`.
#[test]
fn what_does_not_mean_end_ends_nothing() {
    let batch = Batch::new(&["--repeat=1", "--versions=rma"]).env("FAKE_SLEEP", "1");
    let mut command = started_by(Path::new("env"), &["--ignore-signal=HUP"], &batch);
    let child = command.spawn().expect("the program starts");
    wait_for(&batch, "start");
    signal("USR1", child.id());
    signal("HUP", child.id());
    let output = child.wait_with_output().expect("own child");
    assert!(output.status.success(), "{output:?}");
    assert_eq!((batch.journal().len(), batch.starts().len()), (1, 1));
}

#[test]
fn a_batch_that_is_over_plays_nothing_more_and_tells_the_same() {
    let batch = Batch::new(&["--repeat=3"]);
    let (first, log) = (batch.run_well(), batch.log());
    assert_eq!(batch.run_well(), first);
    assert_eq!(batch.log(), log);
}

#[test]
fn two_batches_in_one_folder_are_refused() {
    let batch = Batch::new(&["--repeat=1"]).env("FAKE_HANG", "rma");
    let mut child = batch.command().spawn().expect("the program starts");
    let process = wait_for(&batch, "child");
    let output = batch.run();
    let message = stderr(&output);
    assert_eq!(
        (output.status.code(), message.lines().count()),
        (Some(2), 1),
        "{message}"
    );
    let holder = format!("another batch (process {})", child.id());
    assert!(message.contains(&holder), "{message}");
    assert!(is_there(&process), "the one at work is left alone");
    assert_eq!(batch.starts().len(), 1);
    signal("TERM", child.id());
    child.wait().expect("own child");
}

/// The first word of what is written down as `what`, once it is.
fn wait_for(batch: &Batch, what: &str) -> String {
    let start = Instant::now();
    loop {
        if let Some((_, rest)) = batch.log().iter().find(|(found, _)| found == what) {
            return rest.clone();
        }
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "nothing was started"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}
