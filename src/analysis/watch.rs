//! Looking on while a run is analysed: what else is to be known of its records than findings.

use super::timeline::State;
use crate::trace::{Kind, Reading, Record};

/// A record of a rank, and what the analysis found out about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watched {
    pub rank: u32,
    /// The record; its own times are those of the rank's clock.
    pub record: Record,
    /// When it began, on the reference clock, in nanoseconds.
    pub begin_ns: u64,
    /// When it ended; not before it began, nor does it begin before the rank's record before ended.
    pub end_ns: u64,
    pub wait_ns: u64,
    /// The rank that was waited for: the last to come to an allreduce (itself, where it was the last; `None`
    /// where that is not known), or the home rank, where an operation waited for it.
    pub waited_for: Option<u32>,
    /// Whether it claimed a digit that nobody had claimed in its game. Collective: the allreduce that
    /// decided it; of several ranks that score a digit in one round, the first has it.
    pub claimed: bool,
}

impl Watched {
    /// What the rank was about, and how long: waiting, then what else the record is of. Until a game starts
    /// it is idle, which is no state of a record.
    pub fn states(&self) -> [(State, u64); 2] {
        let rest_ns = match self.record.kind {
            Kind::Start => 0,
            _ => self.end_ns - self.begin_ns - self.wait_ns,
        };
        [
            (State::Waiting, self.wait_ns),
            (State::of(self.record.kind), rest_ns),
        ]
    }
}

/// Is shown every record of a run, each rank's in the order in which they happened. Of several ranks
/// records come game by game, in no order of time.
pub trait Watch {
    /// Whether there is anybody who looks on.
    const LOOKS_ON: bool = true;

    /// Before the first record: the earliest beginning of any rank's first record, on the reference
    /// clock, in nanoseconds. Clocks may differ, so that a later record begins before.
    fn begin(&mut self, origin_ns: u64);

    fn record(&mut self, watched: &Watched);

    /// After the last record: how long each rank waited for each in allreduces, in nanoseconds, those of
    /// rank 0 for all ranks first. Empty for runs of very many ranks.
    fn end(&mut self, _waited_for: &[u64]) {}
}

/// Nobody looks on.
impl Watch for () {
    const LOOKS_ON: bool = false;

    fn begin(&mut self, _: u64) {}

    fn record(&mut self, _: &Watched) {}
}

/// Two look on.
impl<A: Watch, B: Watch> Watch for (A, B) {
    fn begin(&mut self, origin_ns: u64) {
        self.0.begin(origin_ns);
        self.1.begin(origin_ns);
    }

    fn record(&mut self, watched: &Watched) {
        self.0.record(watched);
        self.1.record(watched);
    }

    fn end(&mut self, waited_for: &[u64]) {
        self.0.end(waited_for);
        self.1.end(waited_for);
    }
}

/// Somebody looks on, or nobody.
impl<W: Watch> Watch for Option<W> {
    fn begin(&mut self, origin_ns: u64) {
        if let Some(watch) = self {
            watch.begin(origin_ns);
        }
    }

    fn record(&mut self, watched: &Watched) {
        if let Some(watch) = self {
            watch.record(watched);
        }
    }

    fn end(&mut self, waited_for: &[u64]) {
        if let Some(watch) = self {
            watch.end(waited_for);
        }
    }
}

impl<W: Watch> Watch for &mut W {
    fn begin(&mut self, origin_ns: u64) {
        W::begin(self, origin_ns);
    }

    fn record(&mut self, watched: &Watched) {
        W::record(self, watched);
    }

    fn end(&mut self, waited_for: &[u64]) {
        W::end(self, waited_for);
    }
}

/// A rank's place on the reference clock, as its records go by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    rank: u32,
    reading: Reading,
    last_end_ns: u64,
}

impl Place {
    pub(super) fn new(rank: u32, reading: Reading) -> Self {
        Place {
            rank,
            reading,
            last_end_ns: 0,
        }
    }

    /// Shows the rank's next record. Its times never go back, even where its clock is read on another
    /// that does.
    #[inline]
    pub(super) fn show<W: Watch>(&mut self, watch: &mut W, record: Record, seen: Seen) {
        if !W::LOOKS_ON {
            return;
        }
        let begin = self.reading.moment(record.begin_ns);
        let begin_ns = begin.ns.max(self.last_end_ns);
        let end_ns = self.reading.moment(record.end_ns).ns.max(begin_ns);
        self.last_end_ns = end_ns;
        watch.record(&Watched {
            rank: self.rank,
            record,
            begin_ns,
            end_ns,
            wait_ns: seen.wait_ns.min(end_ns - begin_ns),
            waited_for: seen.waited_for,
            claimed: seen.claimed,
        });
    }
}

/// What the analysis found out about a record.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    pub(super) wait_ns: u64,
    pub(super) waited_for: Option<u32>,
    pub(super) claimed: bool,
}
