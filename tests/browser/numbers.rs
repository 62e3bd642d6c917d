//! The page shows the numbers of the analysis.

use serde_json::{Value, json};

use super::*;

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

/// Time of each rank as drawn beside what the analysis says, each within `tolerance_ns` of a record.
fn sums_agree(browser: &Browser, report: &Report, tolerance_ns: f64) {
    for (k, run) in report.document["runs"]
        .as_array()
        .expect("runs")
        .iter()
        .enumerate()
    {
        for rank in run["per_rank"].as_array().expect("ranks") {
            let drawn = browser.page(&format!("sums({k}, {})", rank["rank"]));
            assert_eq!(drawn["guesses"], rank["guesses"], "{rank}");
            let within_ns = tolerance_ns * number(&drawn["records"]);
            for (of_page, of_analysis) in [
                ("thinking_ns", "useful_ns"),
                ("waiting_ns", "wait_ns"),
                ("operation_ns", "operation_ns"),
            ] {
                let off_ns = number(&drawn[of_page]) - number(&rank[of_analysis]);
                assert!(off_ns.abs() <= within_ns, "{of_page}: {drawn} {rank}");
            }
        }
    }
}

/// What waited in the matrix is what ranks waited.
fn matrix_agrees(browser: &Browser, report: &Report) {
    let pages = browser.page("runs()");
    let mut waited = false;
    for (page, run) in pages
        .as_array()
        .expect("runs")
        .iter()
        .zip(report.document["runs"].as_array().expect("runs"))
    {
        let matrix: Vec<f64> = page["matrix"]
            .as_array()
            .expect("cells")
            .iter()
            .map(number)
            .collect();
        let ranks = run["per_rank"].as_array().expect("ranks");
        assert_eq!(matrix.len(), ranks.len() * ranks.len());
        for (row, rank) in matrix.chunks(ranks.len()).zip(ranks) {
            let of_rank: f64 = row.iter().sum();
            assert_eq!(of_rank, number(&rank["wait_ns"]), "{rank}");
            waited |= of_rank > 0.0;
        }
    }
    assert!(waited, "or this shows nothing");
}

#[test]
fn what_is_drawn_is_what_the_analysis_says_to_the_nanosecond() {
    let Some((browser, _folder, report)) = browse(5, 3) else {
        return;
    };
    for run in browser.page("runs()").as_array().expect("runs") {
        assert_eq!(
            (&run["quantum_ns"], &run["cell_ns"]),
            (&json!(1), &json!(0))
        );
        assert_eq!(run["claims"], json!(27), "9 digits of 3 games");
    }
    sums_agree(&browser, &report, 0.0);
    matrix_agrees(&browser, &report);
    // Each round has a last one.
    let lasts = browser.page("lasts(1)");
    let n: f64 = lasts
        .as_object()
        .expect("counts")
        .values()
        .map(number)
        .sum();
    assert_eq!(n, number(&report.document["runs"][1]["rounds"]));
    browser.expect_silence();
}

#[test]
fn shares_of_columns_sum_to_what_happened() {
    let Some((browser, _folder, _)) = browse(3, 2) else {
        return;
    };
    for run in 0..2 {
        let span = number(&browser.page("runs()")[run]["span_ns"]);
        for rank in 0..3 {
            let sums = browser.page(&format!("sums({run}, {rank}).drawn_ns"));
            for columns in [1, 7, 1000] {
                let shares = browser.page(&format!("shares({run}, {rank}, {columns}, 0, {span})"));
                let shares: Vec<f64> = shares
                    .as_array()
                    .expect("shares")
                    .iter()
                    .map(number)
                    .collect();
                for (state, name) in ["thinking", "operation", "waiting", "other"]
                    .iter()
                    .enumerate()
                {
                    let sum: f64 = shares.iter().skip(state).step_by(4).sum();
                    assert!(
                        (sum - number(&sums[name])).abs() < 1.0,
                        "{name} {sum} {sums}"
                    );
                }
            }
        }
    }
}

#[test]
fn clocks_that_differ_change_nothing_but_their_error() {
    let Some(browser) = Browser::start(1300, 1000) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    for (name, version) in [("rma", Version::Rma), ("collective", Version::Collective)] {
        let mut run = Synthetic::new(version, 6, 2, 3);
        run.give_clocks(3);
        run.write(&folder.path().join(name));
    }
    let report = report(folder.path(), &["rma", "collective"]);
    browser.open(&report.page);
    // Clocks drift by 1 us a second: a record of some milliseconds is off by nanoseconds.
    sums_agree(&browser, &report, 10.0);
    browser.expect_silence();
}

#[test]
fn one_run_is_shown_alone() {
    let Some(browser) = Browser::start(1300, 1000) else {
        return;
    };
    let folder = a_pair(4, 1);
    for name in ["rma", "collective"] {
        let report = report(folder.path(), &[name]);
        browser.open(&report.page);
        sums_agree(&browser, &report, 0.0);
        browser.expect_silence();
    }
}

#[test]
fn what_has_no_records_has_no_timeline_and_a_sentence_why() {
    let Some(browser) = Browser::start(1300, 1000) else {
        return;
    };
    let golden = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"));
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["rma.json", "collective.json"] {
        std::fs::copy(golden.join(name), folder.path().join(name)).expect("copied");
    }
    let report = report(folder.path(), &["rma.json", "collective.json"]);
    browser.open(&report.page);
    let text = browser.script("return document.body.innerText");
    let text = text.as_str().expect("text");
    assert!(
        text.contains(report.document["verdict"].as_str().expect("a verdict")),
        "{text}"
    );
    assert_eq!(
        text.matches("a summary has no records").count(),
        2,
        "{text}"
    );
    assert_eq!(
        browser.script("return document.querySelectorAll('canvas').length"),
        json!(0)
    );
    browser.expect_silence();
}
