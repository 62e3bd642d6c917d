//! Runs that go wrong are written down, and the others are played.

use std::time::{Duration, Instant};

use super::*;

#[test]
fn a_failing_cell_and_a_hanging_one_do_not_stop_the_others() {
    let batch = Batch::new(&["--ranks=2,3", "--repeat=2", "--time-limit=5s"])
        .env("FAKE_FAIL", "2-ranks_9-digits_think-0_rma")
        .env("FAKE_HANG", "3-ranks_9-digits_think-0_collective");
    let start = Instant::now();
    let output = batch.run();
    assert!(
        start.elapsed() < Duration::from_secs(120),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        stderr(&output).contains("4 of 8 runs were not played to their end"),
        "{output:?}"
    );
    let journal = batch.journal();
    assert_eq!(journal.len(), 8);
    for run in &journal {
        let cell = run["cell"].as_str().expect("a name");
        let (status, code, why, said) = match cell {
            "2-ranks_9-digits_think-0_rma" => {
                ("failed", Some(3), "exit code 3", "it went wrong: <b>")
            }
            "3-ranks_9-digits_think-0_collective" => {
                ("timed-out", None, "had not ended after 5s", "about to hang")
            }
            _ => ("done", Some(0), "", ""),
        };
        assert_eq!(run["status"], status, "{run}");
        assert_eq!(run["code"].as_i64(), code, "{run}");
        let has = |key: &str, text: &str| match text {
            "" => assert!(run[key].is_null(), "{run}"),
            text => assert!(
                run[key].as_str().is_some_and(|words| words.contains(text)),
                "{run}"
            ),
        };
        has("why", why);
        has("said", said);
    }
    for (_, process) in batch.log().iter().filter(|(what, _)| what == "child") {
        assert!(
            is_gone_soon(process),
            "all that a hanging job had started is gone"
        );
    }
    // All is written all the same, and nothing of what a job said is taken for markup.
    let results = batch.results();
    assert_eq!(
        (&results["done"], &results["failed"], &results["timed_out"]),
        (&4.into(), &2.into(), &2.into())
    );
    let page = std::fs::read_to_string(batch.out().join("report.html")).expect("a page");
    assert!(
        page.contains("it went wrong: &lt;b&gt;") && !page.contains("<b>"),
        "{page}"
    );
    let csv = std::fs::read_to_string(batch.out().join("results.csv")).expect("a table");
    assert_eq!(csv.lines().count(), 9, "{csv}");
    let log = batch
        .out()
        .join("cells/2-ranks_9-digits_think-0_rma/002/stderr");
    assert!(
        std::fs::read_to_string(log)
            .expect("a log")
            .starts_with("it went wrong")
    );
    // A batch that is over is not played again, and says so again.
    let n_lines = batch.log().len();
    assert_eq!(batch.run().status.code(), Some(1));
    assert_eq!(batch.log().len(), n_lines);
}

#[test]
fn a_job_that_ends_well_without_a_summary_has_failed() {
    let script = Batch::new(&["--repeat=1", "--versions=rma"]);
    for (launcher, why) in [
        ("true {ranks}", "printed no summary"),
        (
            "echo {ranks} '{\"format\":\"other/1\"}'",
            "printed no summary: ",
        ),
        ("sh -c 'kill -SEGV $$' {ranks}", "signal 11"),
    ] {
        let mut batch = Batch::new(&["--repeat=1", "--versions=rma"]);
        batch.args[0] = format!("--launcher={launcher}");
        let output = batch.run();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let run = &batch.journal()[0];
        assert!(
            run["status"] == "failed" && run["why"].as_str().is_some_and(|w| w.contains(why)),
            "{run}"
        );
    }
    // Another game's summary is not this run's.
    let mut other = script;
    other.args[0] = other.args[0].replace("{ranks}", "5");
    assert_eq!(other.run().status.code(), Some(1));
    let why = other.journal()[0]["why"].to_string();
    assert!(why.contains("another game was played: 5 ranks"), "{why}");
}

#[test]
fn a_launcher_may_have_words_of_its_own() {
    let batch = Batch::new(&["--repeat=1"]).env("FAKE_NOISE", "launcher 1.0: started");
    batch.run_well();
    assert!(batch.journal().iter().all(|run| run["status"] == "done"));
}

#[test]
fn a_folder_with_any_name_will_do() {
    for name in [
        " blank end ",
        "a'b\"c",
        "-n",
        "line\nfeed",
        "{ranks}",
        "ünï",
    ] {
        let mut batch = Batch::new(&["--repeat=1", "--ranks=2"]);
        let out = batch.scratch.path().join("sub").join(name);
        batch.args[2] = format!("--out={}", out.display());
        batch.run_well();
        // Blanks at either end of a value are none of it.
        let out = batch.scratch.path().join("sub").join(name.trim_end());
        let journal = std::fs::read_to_string(out.join("journal.jsonl")).expect("a journal");
        assert_eq!(journal.lines().count(), 2, "{name:?}");
    }
}

/// The launcher rule: what a launcher does by itself says nothing of a run, which is started again, at most twice.
#[test]
fn a_run_is_started_again_where_its_launcher_died_by_itself() {
    const CRASH: &str = "kill -SEGV $$";
    for (n_deaths, death, status, n_starts) in [
        ("2", CRASH, "done", 3),
        ("9", CRASH, "failed", 3),
        ("1", "exec sleep 1000", "done", 2),
        // A rank is to blame, or somebody outside.
        (
            "1",
            "echo 'rank 0 exited on signal 9' >&2; kill -SEGV $$",
            "failed",
            1,
        ),
        ("1", "kill -KILL $$", "failed", 1),
        ("1", "exit 139", "failed", 1),
    ] {
        let batch = Batch::new(&["--repeat=1", "--versions=rma", "--time-limit=10s"])
            .env("FAKE_DIE", n_deaths)
            .env("FAKE_DEATH", death);
        let output = batch.run();
        let run = &batch.journal()[0];
        let starts = batch
            .log()
            .iter()
            .filter(|(what, _)| what == "start")
            .count();
        assert_eq!(
            (&run["status"], starts),
            (&status.into(), n_starts),
            "{death}: {run}"
        );
        let told = stderr(&output).matches("it is started again").count();
        assert_eq!(told, n_starts - 1, "{output:?}");
    }
}
