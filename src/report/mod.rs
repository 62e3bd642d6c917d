//! Findings out, for people and scripts; records out, for other programs. Needs no MPI.

mod compare;
mod csv;
mod doctor;
pub mod export;
mod html;
mod matrix;
mod run;
mod summary;
pub mod svg;
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

/// Three significant digits, no more than three decimals.
pub(crate) fn significant(value: f64) -> String {
    match value {
        v if v >= 99.95 => format!("{v:.0}"),
        v if v >= 9.995 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

/// A difference of seconds, with its sign.
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
}
