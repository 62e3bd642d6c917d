//! One line a record: what CSV and JSON Lines have in common.

use std::io::{self, Write};

use super::merge::Span;

/// Columns of CSV and keys of JSON Lines, in this order.
///
/// | column | content |
/// |---|---|
/// | `rank` | whose record it is |
/// | `seq` | which of the rank's records, from 0 |
/// | `game` | which game, from 0 |
/// | `kind` | `start`, `think`, `claim`, `allreduce` or `finish`: see [`Kind`](crate::trace::Kind) |
/// | `outcome` | `none`, `won`, `lost`, `looked` or `announced`: see [`Outcome`](crate::trace::Outcome) |
/// | `begin_ns`, `end_ns` | nanoseconds on the reference clock since the run's first record |
/// | `duration_ns` | end less begin |
/// | `item` | claim, allreduce: the digit; finish: points; else 0 |
/// | `word` | what the operation showed, as `"0x…"`: 64 bits are too many for many readers' numbers |
/// | `error_ns` | how wrong begin and end may be, either way; 0 on the reference clock |
pub const COLUMNS: [&str; 11] = [
    "rank",
    "seq",
    "game",
    "kind",
    "outcome",
    "begin_ns",
    "end_ns",
    "duration_ns",
    "item",
    "word",
    "error_ns",
];

/// What stands before each column's value, and after the last.
pub(super) struct Layout {
    pub(super) before: [&'static str; COLUMNS.len()],
    pub(super) after: &'static str,
}

/// Writes a line a record. No value needs quoting: they are numbers and the names of kinds and
/// outcomes.
pub(super) fn write(
    layout: &Layout,
    spans: impl Iterator<Item = Span>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut line = Line::default();
    for span in spans {
        let record = &span.record;
        let [
            rank,
            seq,
            game,
            kind,
            outcome,
            begin,
            end,
            duration,
            item,
            word,
            error,
        ] = layout.before;
        line.bytes.clear();
        line.number(rank, span.rank.into());
        line.number(seq, span.seq);
        line.number(game, record.game.into());
        line.text(kind, record.kind.name());
        line.text(outcome, record.outcome.name());
        line.number(begin, span.begin_ns);
        line.number(end, span.end_ns);
        line.number(duration, span.duration_ns());
        line.number(item, record.item.into());
        line.hexadecimal(word, record.word);
        line.number(error, span.error_ns);
        line.text(layout.after, "");
        out.write_all(&line.bytes)?;
    }
    Ok(())
}

#[derive(Default)]
struct Line {
    bytes: Vec<u8>,
    digits: itoa::Buffer,
}

impl Line {
    fn text(&mut self, before: &str, text: &str) {
        self.bytes.extend_from_slice(before.as_bytes());
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn number(&mut self, before: &str, value: u64) {
        self.bytes.extend_from_slice(before.as_bytes());
        self.bytes
            .extend_from_slice(self.digits.format(value).as_bytes());
    }

    fn hexadecimal(&mut self, before: &str, value: u64) {
        self.text(before, "0x");
        let n_digits = (64 - value.leading_zeros()).div_ceil(4).max(1);
        for place in (0..n_digits).rev() {
            let digit = value >> (4 * place) & 0xf;
            self.bytes.push(b"0123456789abcdef"[digit as usize]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn hexadecimal_is_as_the_standard_library_has_it(value in any::<u64>(), shift in 0..64) {
            for value in [value >> shift, 0, u64::MAX] {
                let mut line = Line::default();
                line.hexadecimal("", value);
                prop_assert_eq!(String::from_utf8(line.bytes).unwrap(), format!("{value:#x}"));
            }
        }
    }
}
