//! Findings out, for people and scripts; records out, for other programs. Needs no MPI.

mod compare;
mod csv;
mod doctor;
pub(crate) mod export;
mod html;
mod matrix;
mod run;
mod summary;
pub(crate) mod svg;
mod table;
mod timeline;
mod verdict;

pub use compare::{compare, compare_groups};
pub use csv::csv;
pub use doctor::{doctor, doctor_finding};
pub use html::{Lanes, MAX_BYTES as MAX_HTML_BYTES, html, html_within};
pub use matrix::doctor_matrix;
pub use summary::summary;
pub(crate) use table::Table;
pub use timeline::{Drawn, Ink, Paper, timeline_of, timelines};
pub use verdict::{verdict, verdict_on_groups};

/// Seconds with three significant digits and a unit that suits them: `412 ms`, `6.84 s`.
pub(crate) fn seconds(s: f64) -> String {
    let (value, unit) = match s {
        s if s >= 1.0 => (s, "s"),
        s if s >= 1e-3 => (s * 1e3, "ms"),
        s if s >= 1e-6 => (s * 1e6, "us"),
        0.0 => return "0 s".into(),
        s => (s * 1e9, "ns"),
    };
    format!("{} {unit}", significant(value))
}

/// Two decimals, or three significant digits where those are fewer; of what is less than 0.1 two.
pub(crate) fn significant(value: f64) -> String {
    match value {
        v if v >= 99.95 => format!("{v:.0}"),
        v if v >= 9.995 => format!("{v:.1}"),
        v if v >= 0.0995 => format!("{v:.2}"),
        v if v >= 0.000_995 => {
            let zeros = (-v.log10()).ceil() as usize;
            format!("{v:.*}", zeros + 1)
        }
        0.0 => "0".into(),
        v => format!("{v:.1e}"),
    }
}

/// The two-sided `test` of several `things`, and how it was computed: for each of them whether that was exact.
pub(crate) fn two_sided(test: &str, is_exact: &[bool], things: &str) -> String {
    let (n, n_exact) = (
        is_exact.len(),
        is_exact.iter().filter(|&&exact| exact).count(),
    );
    match n_exact {
        _ if n_exact == n => format!("two-sided exact {test}"),
        0 => format!("two-sided {test} by the normal approximation"),
        _ => format!(
            "two-sided {test}, exact for {n_exact} of {n} {things}, else by the normal approximation"
        ),
    }
}

/// A p-value, with as many digits as say something. None is 0.
pub(crate) fn p_value(p: f64) -> String {
    match p {
        p if p < 0.0001 => "< 0.0001".into(),
        p if p < 0.1 => format!("{p:.4}"),
        p => format!("{p:.2}"),
    }
}

/// The same in a sentence: `p = 0.0022`, `p < 0.0001`.
pub(crate) fn p_in_words(p: f64) -> String {
    match p_value(p) {
        small if small.starts_with('<') => format!("p {small}"),
        p => format!("p = {p}"),
    }
}

fn signed_seconds(s: f64) -> String {
    match s {
        s if s < 0.0 => format!("-{}", seconds(-s)),
        s if s > 0.0 => format!("+{}", seconds(s)),
        _ => "0 s".into(),
    }
}

/// A share as whole percent; what is not nothing and not all is not rounded to that.
pub(crate) fn percent(share: f64) -> String {
    match 100.0 * share {
        p if p > 0.0 && p < 1.0 => "< 1 %".into(),
        p if p > 99.0 && p < 100.0 => "> 99 %".into(),
        p => format!("{p:.0} %"),
    }
}

/// A ratio in words: `5.50 times`, or `equally` where it rounds to 1.
fn times(ratio: f64) -> String {
    match significant(ratio).as_str() {
        "1.00" => "about as".into(),
        ratio => format!("{ratio} times as"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::summaries::run;
    use crate::analysis::{Group, RunSummary, of_summary};
    use crate::trace::Version;

    #[test]
    fn a_comparison_of_groups_says_how_its_tests_were_computed() {
        let note_on = |n: u32, differ: fn(&mut RunSummary, u32)| {
            let group = |offset| Group {
                name: String::new(),
                runs: (0..n)
                    .map(|index| {
                        let mut run = run(Version::Rma);
                        run.wall_s = 3.0 + f64::from(2 * index + offset);
                        differ(&mut run, index);
                        of_summary(&run)
                    })
                    .collect(),
            };
            let text = compare_groups(&[group(0), group(1)]);
            let note = text.lines().find(|line| line.starts_with("p: "));
            note.expect("a note").to_owned()
        };
        let exact = note_on(76, |_, _| ());
        assert!(
            exact.starts_with("p: two-sided exact rank-sum test;"),
            "{exact}"
        );
        let normal = note_on(77, |_, _| ());
        let expected = "p: two-sided rank-sum test by the normal approximation;";
        assert!(normal.starts_with(expected), "{normal}");
        // Values of which many are equal take less work.
        let both = note_on(77, |run, index| run.double_scores = u64::from(index % 2));
        let expected = "p: two-sided rank-sum test, exact for 1 of 3 metrics, else by the normal approximation;";
        assert!(both.starts_with(expected), "{both}");
    }

    #[test]
    fn a_ratio_that_is_not_nothing_is_not_shown_as_nothing() {
        let cases = [
            (123.4, "123"),
            (12.34, "12.3"),
            (1.234, "1.23"),
            (0.5, "0.50"),
            (0.1, "0.10"),
            (0.0523, "0.052"),
            (0.00196, "0.0020"),
            (0.001, "0.0010"),
            (2e-7, "2.0e-7"),
            (0.0, "0"),
        ];
        for (ratio, text) in cases {
            assert_eq!(significant(ratio), text);
        }
    }

    #[test]
    fn durations_read_well() {
        let cases = [
            (0.0, "0 s"),
            (3e-9, "3.00 ns"),
            (1.5e-6, "1.50 us"),
            (0.0123, "12.3 ms"),
            (0.9, "900 ms"),
            (6.844, "6.84 s"),
            (123.4, "123 s"),
        ];
        for (s, text) in cases {
            assert_eq!(seconds(s), text);
        }
    }

    #[test]
    fn what_is_not_nothing_is_not_shown_as_nothing() {
        let cases = [
            (0.0, "0"),
            (2.2e-5, "2.2e-5"),
            (0.000_196, "2.0e-4"),
            (0.002_04, "0.0020"),
            (0.051, "0.051"),
            (0.1, "0.10"),
            (1.0, "1.00"),
            (12_909.0, "12909"),
        ];
        for (value, text) in cases {
            assert_eq!(significant(value), text);
        }
        let p = [3e-21, 0.000_155, 0.0476, 0.25].map(p_in_words);
        assert_eq!(p, ["p < 0.0001", "p = 0.0002", "p = 0.0476", "p = 0.25"]);
    }
}
