//! Findings as CSV (RFC 4180), one number a line: for scripts, pandas, spreadsheets.

use std::fmt::Write;

use crate::analysis::{Findings, METRICS, RANK_METRICS};

/// The columns `run,path,rank,metric,value`. `rank` is empty where the number is the run's; what is
/// unknown has no line. Times in seconds.
pub fn csv<'a>(runs: impl IntoIterator<Item = (&'a str, &'a Findings)>) -> String {
    let mut text = String::from("run,path,rank,metric,value\n");
    for (name, run) in runs {
        let (name, path) = (quoted(name), quoted(&run.path));
        for metric in METRICS {
            if let Some(value) = metric.of(run) {
                let _ = writeln!(text, "{name},{path},,{},{value}", metric.name);
            }
        }
        for rank in &run.per_rank {
            for (metric, of) in RANK_METRICS {
                if let Some(value) = of(rank) {
                    let _ = writeln!(text, "{name},{path},{},{metric},{value}", rank.rank);
                }
            }
        }
    }
    text
}

/// A field, in quotes where it needs them.
fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{RunSummary, of_summary};

    #[test]
    fn every_known_number_has_a_line_and_no_other() {
        let text = include_str!("../../tests/golden/collective.json");
        let mut run = of_summary(&RunSummary::from_json(text).unwrap());
        run.path = "a, \"b\"".into();
        let text = csv([("collective", &run)]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "run,path,rank,metric,value");
        let start = "collective,\"a, \"\"b\"\"\",";
        assert!(lines[1..].iter().all(|line| line.starts_with(start)));
        let has = |rest: &str| lines.contains(&format!("{start}{rest}").as_str());
        assert!(has(",double_scores,4") && has("0,guesses,17"), "{text}");
        assert!(!text.contains("wait_s"), "unknown: {text}");
    }
}
