//! JSON Lines: one object a line.

use std::io::{self, Write};

use super::merge::Span;
use super::rows::{self, Layout};

const LAYOUT: Layout = Layout {
    before: [
        "{\"rank\":",
        ",\"seq\":",
        ",\"game\":",
        ",\"kind\":\"",
        "\",\"outcome\":\"",
        "\",\"begin_ns\":",
        ",\"end_ns\":",
        ",\"duration_ns\":",
        ",\"item\":",
        ",\"word\":\"",
        "\",\"error_ns\":",
    ],
    after: "}\n",
};

pub(super) fn write(
    spans: &mut impl Iterator<Item = Span>,
    out: &mut impl Write,
) -> io::Result<()> {
    rows::write(&LAYOUT, spans, out)
}

#[cfg(test)]
mod tests {
    use super::super::rows::COLUMNS;
    use super::super::tests::{small, spans};

    fn small_run() -> String {
        let mut out = Vec::new();
        super::write(&mut spans(small()), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_small_run_is_written_as_it_is_documented() {
        let expected = r#"{"rank":1,"seq":0,"game":0,"kind":"allreduce","outcome":"announced","begin_ns":0,"end_ns":10,"duration_ns":10,"item":0,"word":"0xffffffffffffffff","error_ns":0}
{"rank":0,"seq":0,"game":0,"kind":"think","outcome":"none","begin_ns":5,"end_ns":10,"duration_ns":5,"item":0,"word":"0x0","error_ns":0}
{"rank":0,"seq":1,"game":0,"kind":"claim","outcome":"won","begin_ns":10,"end_ns":12,"duration_ns":2,"item":9,"word":"0x100","error_ns":0}
"#;
        assert_eq!(small_run(), expected);
    }

    #[test]
    fn keys_are_the_columns() {
        for line in small_run().lines() {
            let object: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(line).unwrap();
            let mut keys = COLUMNS.to_vec();
            keys.sort_by_key(|key| line.find(&format!("\"{key}\":")));
            assert_eq!(keys, COLUMNS, "their order");
            assert_eq!(object.len(), COLUMNS.len());
            assert!(COLUMNS.iter().all(|&column| object.contains_key(column)));
        }
    }
}
