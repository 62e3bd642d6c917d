//! A run's records for other programs: data frames, shell pipelines, timelines.
//!
//! One pass over the records in their order of time; memory grows with ranks and digits, and not with
//! records. Times are nanoseconds on the reference clock since the run's first record: exact, and
//! small enough for readers whose numbers are doubles.
//!
//! | module | what it is |
//! |---|---|
//! | `merge` | the records of all ranks in one order of time |
//! | `rows`, `csv`, `jsonl` | one line a record |
//! | `perfetto`, `packets`, `proto`, `contest` | a timeline: slices, who claimed what, who lost it |

mod contest;
mod csv;
mod jsonl;
mod merge;
mod packets;
mod perfetto;
mod proto;
mod rows;

use std::io::{self, BufWriter, Write};

use crate::trace::{End, Trace};
use merge::Spans;

pub use rows::COLUMNS;

const BUFFER_BYTES: usize = 1 << 18;

/// Warnings that are kept with their ranks; the others are counted.
const MAX_KEPT: usize = 20;

/// What a run is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// JSON Lines: one object a record, its keys [`COLUMNS`].
    Jsonl,
    /// CSV (RFC 4180, lines end with LF): one line a record, after a header of [`COLUMNS`].
    Csv,
    /// A trace for ui.perfetto.dev and other readers of Perfetto's protobuf.
    Perfetto,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    pub n_records: u64,
    /// How many ranks' records are incomplete.
    pub n_incomplete: u64,
    /// The first of them.
    pub incomplete: Vec<Incomplete>,
}

/// A rank of which not everything is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incomplete {
    pub rank: u32,
    pub n_records: u64,
    /// Why there are no more.
    pub end: End,
}

impl std::fmt::Display for Incomplete {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Incomplete {
            rank,
            n_records,
            end,
        } = self;
        match n_records {
            0 => write!(f, "rank {rank} has no records: {end}"),
            1 => write!(f, "rank {rank} has 1 record: {end}"),
            n => write!(f, "rank {rank} has {n} records: {end}"),
        }
    }
}

/// Writes all records of a run. What is missing of it is no error, and is returned.
///
/// # Errors
/// What writing to `out` gave.
pub fn export(trace: &Trace, format: ExportFormat, out: impl Write) -> io::Result<Exported> {
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, out);
    let run = &trace.run;
    let ranks = (0..run.ranks).map(|rank| (run.clocks.reading_of(rank), trace.records(rank)));
    let mut spans = Spans::new(ranks);
    match format {
        ExportFormat::Jsonl => jsonl::write(&mut spans, &mut out),
        ExportFormat::Csv => csv::write(&mut spans, &mut out),
        ExportFormat::Perfetto => {
            let title = perfetto::title(run);
            perfetto::write(title, &run.hosts, run.digits, &mut spans, &mut out)
        }
    }?;
    out.flush()?;
    let mut exported = Exported {
        n_records: 0,
        n_incomplete: 0,
        incomplete: Vec::new(),
    };
    for (rank, records) in (0..).zip(spans.into_streams()) {
        exported.n_records += records.n_read();
        let end = records.end().cloned().unwrap_or(End::Closed);
        if end.is_complete() {
            continue;
        }
        exported.n_incomplete += 1;
        if exported.incomplete.len() < MAX_KEPT {
            exported.incomplete.push(Incomplete {
                rank,
                n_records: records.n_read(),
                end,
            });
        }
    }
    Ok(exported)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::trace::{Kind, Outcome, Reading, Record};

    /// A record of game 0: what, item, begin, end, word.
    pub(super) type Short = (Kind, Outcome, u32, u64, u64, u64);

    pub(super) fn record((kind, outcome, item, begin_ns, end_ns, word): Short) -> Record {
        Record {
            kind,
            outcome,
            game: 0,
            item,
            begin_ns,
            end_ns,
            word,
        }
    }

    pub(super) fn spans(ranks: Vec<Vec<Record>>) -> Spans<std::vec::IntoIter<Record>> {
        let ranks = ranks.into_iter().map(Vec::into_iter);
        Spans::new(ranks.map(|records| (Reading::Same, records)))
    }

    /// Two ranks; the first record is not the first rank's.
    pub(super) fn small() -> Vec<Vec<Record>> {
        let rank0 = [
            (Kind::Think, Outcome::None, 0, 1005, 1010, 0),
            (Kind::Claim, Outcome::Won, 9, 1010, 1012, 0x100),
        ];
        let rank1 = [(Kind::Allreduce, Outcome::Announced, 0, 1000, 1010, u64::MAX)];
        vec![
            rank0.map(record).to_vec(),
            rank1.map(record).to_vec(),
            Vec::new(),
        ]
    }

    #[test]
    fn what_is_missing_is_said_in_words() {
        let incomplete = |n_records, end| Incomplete {
            rank: 3,
            n_records,
            end,
        };
        assert_eq!(
            incomplete(0, End::Missing).to_string(),
            "rank 3 has no records: its file is missing"
        );
        assert_eq!(
            incomplete(7, End::Truncated).to_string(),
            "rank 3 has 7 records: its file is cut off there"
        );
    }
}
