//! `onesided batch` with the real launcher.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use onesided::internals::trace::Trace;
use serde_json::Value;

use crate::support::{Turn, is_campaign, launcher, quoted, scratch, signal, until};
use crate::{ONESIDED, replay};

pub fn batch(out: &Path, args: &str) -> Command {
    let mut command = Command::new("timeout");
    command
        .args(["300", ONESIDED, "batch", "--out"])
        .arg(out)
        .arg(format!("--launcher={} -n {{ranks}}", quoted(launcher())))
        .args(args.split_whitespace())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn results(out: &Path) -> Value {
    let text = std::fs::read_to_string(out.join("results.json")).expect("results");
    serde_json::from_str(&text).expect("JSON")
}

fn expect_success(output: &Output) {
    assert!(output.status.success(), "{output:?}");
}

/// Both versions on two ranks: every number comes from a trace, the versions guess the same digits, and the
/// synchronisation slowdown is what the recorded think times make of it.
#[test]
fn a_small_batch_is_played_and_measured() {
    let _turn = Turn::alone();
    let folder = scratch();
    let out = folder.path().join("a batch");
    let args = "--ranks 2 --think exp:2ms --digits 20 --games 2 --repeat 3 --claim-with \
                fetch-and-op,compare-and-swap";
    let output = batch(&out, args).output().expect("timeout runs");
    expect_success(&output);
    let results = results(&out);
    assert_eq!(
        (&results["done"], &results["planned"]),
        (&9.into(), &9.into()),
        "{results:#}"
    );
    for run in results["runs"].as_array().expect("runs") {
        assert_eq!(
            (&run["source"], &run["status"]),
            (&"trace".into(), &"done".into()),
            "{run:#}"
        );
        let metrics = &run["metrics"];
        let metric = |name: &str| metrics[name].as_f64().unwrap_or(f64::NAN);
        assert_eq!((metric("ranks"), metric("games")), (2.0, 2.0));
        assert_eq!(metric("points") - metric("double_scores"), 40.0, "{run:#}");
        assert!(metric("game_min_s") > 0.0 && metric("game_min_s") <= metric("game_max_s"));
        assert!(
            metric("order_violations") == 0.0 || metric("rounds") > 0.0,
            "{run:#}"
        );
        let (slowdown, efficiency) = (
            metric("synchronisation_slowdown"),
            metric("parallel_efficiency"),
        );
        assert!(
            slowdown >= 1.0 && efficiency > 0.0 && efficiency <= 1.0 / slowdown + 1e-9,
            "{run:#}"
        );
        // By its one definition, and the same that `compare` says of the same trace.
        let pop = 1.0 / (metric("load_balance") * metric("serialisation_efficiency"));
        assert!((slowdown / pop - 1.0).abs() < 1e-9, "{run:#}");
        let trace = format!(
            "cells/{}/{:03}/trace",
            run["cell"].as_str().expect("a name"),
            run["repetition"].as_u64().expect("a number") + 1
        );
        let compared = Command::new(ONESIDED)
            .arg("compare")
            .arg(out.join(&trace))
            .args(["--format", "json"])
            .output()
            .expect("the program starts");
        let compared: Value = serde_json::from_slice(&compared.stdout).expect("JSON");
        let its = &compared["runs"][0]["efficiency"]["synchronisation_slowdown"];
        let its = its.as_f64().expect("a number");
        assert!((slowdown / its - 1.0).abs() < 1e-9, "{slowdown} and {its}");
        if run["cell"]
            .as_str()
            .is_some_and(|cell| cell.ends_with("_collective"))
        {
            let replayed = replay::slowdown(&Trace::open(&out.join(trace)).expect("a run"));
            assert!(
                (slowdown / replayed - 1.0).abs() < 1e-3,
                "{slowdown} and {replayed}"
            );
        }
    }
    for cell in results["cells"].as_array().expect("cells") {
        let slowdown = cell["metrics"]["synchronisation_slowdown"]["median"]
            .as_f64()
            .expect("a number");
        if cell["parameters"]["version"] == "collective" {
            // Some 75 rounds a game; 1.5 for very many. Sleeps that take longer than asked are the machine's.
            let theory = cell["theory_with_scores"]["synchronisation_slowdown"]
                .as_f64()
                .expect("a number");
            assert!(theory > 1.0 && slowdown > 1.0, "{slowdown} and {theory}");
            assert!(
                !is_campaign() || (slowdown / theory - 1.0).abs() < 0.25,
                "{slowdown} and {theory}"
            );
        }
    }
    assert_eq!(results["pairs"].as_array().map(Vec::len), Some(2));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.contains("synchronisation slowdown") && text.contains("one-sided, compare-and-swap"),
        "{text}"
    );

    // A cell's folder is a run like any other.
    let run = |cell: &str| out.join("cells").join(cell).join("001/trace");
    let compared = Command::new(ONESIDED)
        .arg("compare")
        .arg(run("2-ranks_20-digits_2-games_think-exp-2ms_rma"))
        .arg(run("2-ranks_20-digits_2-games_think-exp-2ms_collective"))
        .output()
        .expect("the program starts");
    expect_success(&compared);
    assert!(String::from_utf8_lossy(&compared.stdout).contains("  games          2: half within"));
}

/// Ranks have process groups of their own under some launchers: they end all the same, whether the batch is
/// asked to end, killed, or its job takes too long.
#[test]
fn no_rank_outlives_its_batch() {
    let _turn = Turn::of(2);
    let folder = scratch();
    let out = folder.path().join("out");
    // A think time of ten minutes: no run ends by itself.
    let args = "--ranks 2 --versions rma --think 600s --repeat 1";
    let mut killed = batch(&out, args).spawn().expect("timeout runs");
    let records = out.join("cells/2-ranks_9-digits_think-10m_rma/001/trace/run.json");
    until("two ranks that play", || {
        ranks(&out) == 2 && records.exists()
    });
    let process = batch_of(killed.id());
    signal("KILL", process);
    killed.wait().expect("own child");
    assert!(ranks(&out) >= 2, "what is killed can end nobody");

    // The next one ends what it left, and its own job when the time is over.
    let output = batch(&out, &format!("{args} --time-limit 3s"))
        .output()
        .expect("timeout runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    until("all ranks are gone", || ranks(&out) == 0);
    assert_eq!(results(&out)["timed_out"], 1);
}

/// Ranks of a batch's jobs that are there.
fn ranks(out: &Path) -> usize {
    let trace = out.join("cells").display().to_string();
    command_lines()
        .filter(|(_, line)| line.contains(&trace) && line.starts_with(&format!("{ONESIDED} play")))
        .count()
}

/// The batch that `timeout` started.
fn batch_of(timeout: u32) -> u32 {
    let parent = |process: u32| {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("PPid:"))?
            .trim()
            .to_owned();
        line.parse::<u32>().ok()
    };
    let found = command_lines().find(|&(process, _)| parent(process) == Some(timeout));
    found.expect("timeout has a child").0
}

/// All processes with their words, parted by blanks.
fn command_lines() -> impl Iterator<Item = (u32, String)> {
    let entries = std::fs::read_dir("/proc").expect("this is Linux");
    entries.filter_map(|entry| {
        let process = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read(format!("/proc/{process}/cmdline")).ok()?;
        Some((process, String::from_utf8_lossy(&line).replace('\0', " ")))
    })
}

/// A run whose ranks wait too long is ended by them, and the journal has what they said.
#[test]
fn the_journal_has_what_a_hanging_run_waited_in() {
    let _turn = Turn::of(2);
    let folder = scratch();
    let out = folder.path().join("out");
    // Rank 1 thinks for ten minutes, and rank 0 waits for it, once MPI has started.
    let args = "--ranks 2 --versions collective --straggler 1=600s --repeat 1 --timeout 10s";
    let output = batch(&out, args).output().expect("timeout runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let run = &results(&out)["runs"][0];
    assert_eq!(run["status"], "timed-out", "{run:#}");
    let journal = std::fs::read_to_string(out.join("journal.jsonl")).expect("a journal");
    let waited = "rank 0 of 2 (host ";
    assert!(
        journal.contains(waited) && journal.contains("has waited in MPI_Allreduce in game 0 for "),
        "{journal}"
    );
}
