//! File systems that refuse what others do: what is written there is complete, or the loss is reported.

use std::sync::OnceLock;

use onesided::checkpoint::Reader;
use onesided::internals::trace::{End, RunInfo, Trace};

use crate::batch::batch;
use crate::killed::wait_for_records;
use crate::onesided;
use crate::processes::{kill, processes_of};
use crate::support::{Job, Turn, again, library_to_preload, scratch};
use crate::trace::{findings, tracing};

/// `refuse.c`, compiled once.
fn refusals() -> &'static str {
    static LIBRARY: OnceLock<String> = OnceLock::new();
    LIBRARY.get_or_init(|| library_to_preload("cc", "end_to_end/refuse.c"))
}

/// The job, where the system refuses its ranks `what`.
fn refused(job: Job, what: &str) -> Job {
    job.env("LD_PRELOAD", refusals())
        .env("ONESIDED_REFUSE", what)
        // UCX would put its own `mmap` over that of the library.
        .env("UCX_MEM_MMAP_HOOK_MODE", "none")
}

#[test]
fn checkpoints_are_replaced_where_chmod_is_refused() {
    let folder = scratch();
    let file = folder.path().join("checkpoint");
    let args =
        "play rma --digits 30 --think 5ms --seed 1 --quiet --checkpoint-every 20ms --checkpoint";
    let job = onesided(2, args).args([file.display().to_string()]);
    let ended = refused(job, "chmod").run().expect_success();
    assert!(!ended.stderr.contains("onesided: "), "{ended:#?}");
    Reader::open(&file).expect("it is whole");
    let previous = folder.path().join("checkpoint.previous");
    Reader::open(&previous).expect("it was replaced at least once");
}

/// The batch, its jobs and their checkpoints alike.
#[test]
fn a_batch_is_played_where_folders_cannot_be_synced() {
    let folder = scratch();
    let _turn = Turn::of(2);
    let output = batch(
        folder.path(),
        "--versions collective --ranks 2 --think 0 --repeat 2",
    )
    .env("LD_PRELOAD", refusals())
    .env("ONESIDED_REFUSE", "sync,chmod")
    .output()
    .expect("it starts");
    assert!(output.status.success(), "{output:?}");
    assert!(folder.path().join("report.html").exists());
}

/// Records are copied to the file, and the trace is the same but for a warning.
#[test]
fn a_trace_is_complete_where_files_cannot_be_mapped() {
    let folder = scratch();
    let args = "rma --games 3 --seed 4 --digits 50 --think 1ms --format json";
    let ended = refused(tracing(3, folder.path(), args), "map")
        .run()
        .expect_success();
    let warnings = ended.stderr.matches("cannot be mapped into memory").count();
    assert_eq!(warnings, 1, "{ended:#?}");
    assert!(
        ended.stderr.contains("No such device") && ended.stderr.contains("100ms"),
        "{ended:#?}"
    );
    let summary: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let run = findings(folder.path());
    let recorded = run.recorded.as_ref().expect("there are records");
    assert_eq!(
        (recorded.complete_games, run.notes.len()),
        (3, 0),
        "{run:#?}"
    );
    for (rank, counted) in run
        .per_rank
        .iter()
        .zip(summary["per_rank"].as_array().unwrap())
    {
        assert_eq!(counted["guesses"], rank.guesses, "{run:#?}");
    }
    assert!(RunInfo::read(folder.path()).unwrap().unmapped);
}

/// What was recorded more than a tenth of a second before a `kill -9` is in the file all the same.
#[test]
fn a_killed_rank_loses_little_where_files_cannot_be_mapped() {
    again(|| {
        let folder = scratch();
        let job = tracing(2, folder.path(), "rma --think 1ms --games 1000000 --quiet");
        let job = refused(job, "map");
        let job = job.start();
        wait_for_records(folder.path(), 2);
        for (pid, rank) in processes_of(folder.path()) {
            if rank.is_some() {
                kill(pid);
            }
        }
        let ended = job.join();
        assert!(!ended.timed_out && ended.code != Some(0), "{ended:#?}");
        let trace = Trace::open(folder.path()).expect("a run");
        for rank in 0..2 {
            let mut records = trace.records(rank);
            assert!(records.by_ref().count() > 20);
            assert_eq!(records.end(), Some(&End::CutShortUnmapped));
        }
        let notes = findings(folder.path()).notes;
        assert!(
            notes.iter().any(|note| note.contains("100ms")),
            "{notes:#?}"
        );
    });
}

#[test]
fn room_for_records_is_made_where_fallocate_is_interrupted_each_time() {
    let folder = scratch();
    let job = tracing(
        2,
        folder.path(),
        "rma --seed 4 --trace-records 1000 --quiet",
    );
    let ended = refused(job, "fallocate").run().expect_success();
    assert!(!ended.stderr.contains("onesided: "), "{ended:#?}");
    assert!(findings(folder.path()).notes.is_empty());
}
