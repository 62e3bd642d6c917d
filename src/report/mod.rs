//! Findings out: text for people. Needs no MPI.

mod side_by_side;
mod summary;
mod table;

pub use side_by_side::{side_by_side, verdict_sentence};
pub use summary::summary;

/// Seconds with three significant digits and a unit that suits them: `412 ms`, `6.84 s`.
fn seconds(s: f64) -> String {
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
fn significant(value: f64) -> String {
    match value {
        v if v >= 99.95 => format!("{v:.0}"),
        v if v >= 9.995 => format!("{v:.1}"),
        v => format!("{v:.2}"),
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
