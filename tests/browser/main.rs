//! Reports of `onesided compare --html` in a real browser: that they show what the analysis says, and do what
//! a user asks of them. `.ci/browser env` sets up the browser.
//!
//! These tests belong to the build without MPI, since nothing differs with one: `just browser` runs them.

#![cfg(not(feature = "mpi"))]

mod driver;
mod hostile;
mod large;
mod looks;
mod moves;
mod noisy;
mod numbers;
mod picture;
#[path = "../support/synthetic.rs"]
mod synthetic;

use std::path::{Path, PathBuf};
use std::process::Command;

use driver::Browser;
use onesided::internals::trace::Version;
use serde_json::Value;
use synthetic::Synthetic;
use tempfile::TempDir;

/// The program under test.
const ONESIDED: &str = env!("CARGO_BIN_EXE_onesided");

/// A test that cannot be run here says so, unless it must be.
fn skip(what: &str) {
    assert!(
        std::env::var("ONESIDED_SKIP").as_deref() != Ok("forbidden"),
        "not to be skipped: {what}"
    );
    println!("SKIPPED: {what}");
}

/// A report, and what the analysis says as JSON.
struct Report {
    page: PathBuf,
    document: Value,
}

/// `onesided compare RUNS --html` in `folder`.
fn report(folder: &Path, runs: &[&str]) -> Report {
    let output = Command::new(ONESIDED)
        .arg("compare")
        .args(runs)
        .args(["--html", "report.html", "--format", "json"])
        .current_dir(folder)
        .output()
        .expect("the program starts");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaint.is_empty(),
        "{complaint}"
    );
    Report {
        page: folder.join("report.html"),
        document: serde_json::from_slice(&output.stdout).expect("one document"),
    }
}

/// A folder with the runs `rma` and `collective` of so many ranks and games.
fn a_pair(ranks: u32, games: u32) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, version) in [("rma", Version::Rma), ("collective", Version::Collective)] {
        Synthetic::new(version, ranks, games, 1).write(&folder.path().join(name));
    }
    folder
}

/// A browser that shows the report on a pair of runs.
fn browse(ranks: u32, games: u32) -> Option<(Browser, TempDir, Report)> {
    let browser = Browser::start(1300, 1000)?;
    let folder = a_pair(ranks, games);
    let report = report(folder.path(), &["rma", "collective"]);
    browser.open(&report.page);
    Some((browser, folder, report))
}
