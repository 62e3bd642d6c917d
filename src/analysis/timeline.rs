//! What each rank was about in each piece of time, for pictures: shares, so that nothing short is lost.

use super::watch::{Watch, Watched};
use crate::trace::{Kind, RunInfo};

/// What a rank is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum State {
    Thinking,
    /// It is in an operation, and does not wait for another rank.
    Operation,
    /// It waits: in an allreduce for the last to come, in an operation for the home rank.
    Waiting,
    /// It is in a game, and no record says what it is about.
    Other,
}

impl State {
    pub const ALL: [State; 4] = [
        State::Thinking,
        State::Operation,
        State::Waiting,
        State::Other,
    ];

    /// What a record of a kind is of, where it is not waiting.
    pub fn of(kind: Kind) -> Self {
        match kind {
            Kind::Think => State::Thinking,
            Kind::Claim | Kind::Allreduce => State::Operation,
            Kind::Start | Kind::Finish => State::Other,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            State::Thinking => "thinking",
            State::Operation => "operation",
            State::Waiting => "waiting",
            State::Other => "other",
        }
    }
}

/// Nanoseconds in each [`State`], in the order of [`State::ALL`].
pub type Shares = [u64; State::ALL.len()];

/// So many bins at least are in use once a run is longer than they are.
const MIN_BINS: usize = 2048;

/// Time of each rank, or of so many ranks together, in bins: a [`Watch`] whose memory does not grow with
/// the run. A bin becomes twice as long when a run outgrows them.
///
/// Every nanosecond of every record is in it, in the bin in which it was spent.
#[derive(Debug, Clone)]
pub struct Timeline {
    ranks_per_lane: u32,
    n_lanes: usize,
    n_bins: usize,
    /// A power of two.
    bin_ns: u64,
    origin_ns: u64,
    /// Of the last record, since the origin.
    end_ns: u64,
    /// Lane by lane.
    bins: Vec<Shares>,
    /// Of the record in each bin that waited longest, how long it did, and for which rank.
    longest: Vec<(u64, Option<u32>)>,
    /// How many digits were claimed in each bin.
    claimed: Vec<u32>,
}

impl Timeline {
    /// For a run of `run.ranks` ranks in at most `max_lanes` lanes, each of as many ranks, and with enough
    /// bins for a picture of `n_columns` columns.
    pub fn new(run: &RunInfo, max_lanes: usize, n_columns: usize) -> Self {
        let max_lanes = u32::try_from(max_lanes.max(1)).unwrap_or(u32::MAX);
        let ranks_per_lane = run.ranks.div_ceil(max_lanes).max(1);
        let n_lanes = run.ranks.div_ceil(ranks_per_lane) as usize;
        // At least half of the bins are in use, and a column should have several.
        let n_bins = (8 * n_columns).next_power_of_two().max(2 * MIN_BINS);
        Timeline {
            ranks_per_lane,
            n_lanes,
            n_bins,
            bin_ns: 1,
            origin_ns: 0,
            end_ns: 0,
            bins: vec![Shares::default(); n_lanes * n_bins],
            longest: vec![(0, None); n_bins],
            claimed: vec![0; n_bins],
        }
    }

    /// How many ranks a lane has; the last may have fewer.
    pub fn ranks_per_lane(&self) -> u32 {
        self.ranks_per_lane
    }

    pub fn n_lanes(&self) -> usize {
        self.n_lanes
    }

    /// From the first record to the end of the last, in nanoseconds.
    pub fn span_ns(&self) -> u64 {
        self.end_ns
    }

    /// The time of a lane in `n_columns` equal pieces of `span_ns`, which begin with the run. What the
    /// pieces lack of their length nobody recorded: idle time, or between games.
    ///
    /// # Panics
    /// If there is no such lane.
    pub fn columns(&self, lane: usize, n_columns: usize, span_ns: u64) -> Vec<Shares> {
        assert!(lane < self.n_lanes, "lane {lane} of {}", self.n_lanes);
        let mut columns = vec![Shares::default(); n_columns];
        let bins = &self.bins[lane * self.n_bins..][..self.n_bins];
        // What is short lies in one piece, and does not seem to lie in two: a bin that is much shorter
        // than a piece goes to the one that holds its middle.
        let in_all_pieces_ns = u128::from(self.bin_ns) * n_columns as u128;
        let is_short = 16 * in_all_pieces_ns <= u128::from(span_ns);
        for (index, bin) in bins.iter().enumerate() {
            if *bin == Shares::default() {
                continue;
            }
            if is_short {
                let middle_ns = index as u64 * self.bin_ns + self.bin_ns / 2;
                let column = &mut columns[column_of(middle_ns, n_columns, span_ns)];
                let cells = column.iter_mut().zip(bin);
                cells.for_each(|(cell, ns)| *cell += ns);
            } else {
                for (column, part) in self.parts(index, n_columns, span_ns) {
                    let cells = columns[column].iter_mut().zip(bin);
                    cells.for_each(|(cell, &ns)| *cell += part.of(ns));
                }
            }
        }
        columns
    }

    /// Who was waited for in each of `n_columns` equal pieces of `span_ns`, by the record that waited longest
    /// of those that end there.
    pub fn waited_for(&self, n_columns: usize, span_ns: u64) -> Vec<Option<u32>> {
        let mut columns = vec![(0, None); n_columns];
        for (index, &longest) in self.longest.iter().enumerate() {
            if longest.1.is_some() {
                for (column, _) in self.parts(index, n_columns, span_ns) {
                    columns[column] = columns[column].max(longest);
                }
            }
        }
        columns.into_iter().map(|(_, rank)| rank).collect()
    }

    /// How many digits were claimed up to the end of each of `n_columns` equal pieces of `span_ns`, over
    /// all games.
    pub fn n_claimed(&self, n_columns: usize, span_ns: u64) -> Vec<u64> {
        let mut columns = vec![0; n_columns];
        for (index, &n) in self.claimed.iter().enumerate().filter(|&(_, &n)| n > 0) {
            // To the piece that holds the bin's middle.
            let middle_ns = index as u64 * self.bin_ns + self.bin_ns / 2;
            columns[column_of(middle_ns, n_columns, span_ns)] += u64::from(n);
        }
        let mut sum = 0;
        columns.iter_mut().for_each(|n| {
            sum += *n;
            *n = sum;
        });
        columns
    }

    /// The columns over which a bin lies, and what part of it lies there.
    fn parts(
        &self,
        index: usize,
        n_columns: usize,
        span_ns: u64,
    ) -> impl Iterator<Item = (usize, Part)> + use<> {
        let begin_ns = index as u64 * self.bin_ns;
        let end_ns = begin_ns + self.bin_ns;
        let (first, last) = (
            column_of(begin_ns, n_columns, span_ns),
            column_of(end_ns - 1, n_columns, span_ns),
        );
        let bin_ns = self.bin_ns;
        // Of the bin's length up to the beginning of a column.
        let before = move |column: usize| {
            let ns = u128::from(span_ns) * column as u128 / n_columns as u128;
            (ns as u64).clamp(begin_ns, end_ns) - begin_ns
        };
        (first..=last).map(move |column| {
            let from = if column == first { 0 } else { before(column) };
            let to = match column == last {
                true => bin_ns,
                false => before(column + 1),
            };
            (
                column,
                Part {
                    from,
                    to,
                    of: bin_ns,
                },
            )
        })
    }

    #[inline]
    fn bin_of(&self, ns: u64) -> usize {
        // A division would take much of the time that a record takes.
        (ns >> self.bin_ns.trailing_zeros()) as usize
    }

    /// Adds `ns` from `begin_ns` on, since the origin, to a lane.
    fn add(&mut self, lane: usize, state: State, begin_ns: u64, ns: u64) {
        let end_ns = begin_ns.saturating_add(ns);
        let lane = lane * self.n_bins;
        let mut from_ns = begin_ns;
        while from_ns < end_ns {
            let index = self.bin_of(from_ns);
            let to_ns = (from_ns & !(self.bin_ns - 1))
                .saturating_add(self.bin_ns)
                .min(end_ns);
            self.bins[lane + index][state as usize] += to_ns - from_ns;
            from_ns = to_ns;
        }
    }

    /// Makes bins twice as long until `ns` lies within them.
    #[cold]
    fn make_room(&mut self, ns: u64) {
        while self.bin_of(ns) >= self.n_bins {
            let half = self.n_bins / 2;
            for lane in self.bins.chunks_exact_mut(self.n_bins) {
                for index in 0..half {
                    let (a, b) = (lane[2 * index], lane[2 * index + 1]);
                    lane[index] = std::array::from_fn(|state| a[state] + b[state]);
                }
                lane[half..].fill(Shares::default());
            }
            for index in 0..half {
                self.longest[index] = self.longest[2 * index].max(self.longest[2 * index + 1]);
                self.claimed[index] = self.claimed[2 * index] + self.claimed[2 * index + 1];
            }
            self.longest[half..].fill((0, None));
            self.claimed[half..].fill(0);
            self.bin_ns *= 2;
        }
    }
}

/// A part of a bin's length.
#[derive(Clone, Copy)]
struct Part {
    from: u64,
    to: u64,
    of: u64,
}

impl Part {
    /// The part of a sum; the parts of all columns sum to it.
    fn of(self, ns: u64) -> u64 {
        let up_to = |part: u64| (u128::from(ns) * u128::from(part) / u128::from(self.of)) as u64;
        up_to(self.to) - up_to(self.from)
    }
}

fn column_of(ns: u64, n_columns: usize, span_ns: u64) -> usize {
    let column = u128::from(ns) * n_columns as u128 / u128::from(span_ns.max(1));
    (column as usize).min(n_columns - 1)
}

impl Watch for Timeline {
    fn begin(&mut self, origin_ns: u64) {
        self.origin_ns = origin_ns;
    }

    #[inline]
    fn record(&mut self, watched: &Watched) {
        let begin_ns = watched.begin_ns.saturating_sub(self.origin_ns);
        let end_ns = watched.end_ns.saturating_sub(self.origin_ns);
        if self.bin_of(end_ns) >= self.n_bins {
            self.make_room(end_ns);
        }
        self.end_ns = self.end_ns.max(end_ns);
        let lane = match self.ranks_per_lane {
            1 => watched.rank as usize,
            several => (watched.rank / several) as usize,
        };
        let bin = self.bin_of(end_ns);
        let is_in_one_bin = self.bin_of(begin_ns) == bin;
        let mut from_ns = begin_ns;
        for (state, ns) in watched.states() {
            let ns = ns.min(end_ns.saturating_sub(from_ns));
            match is_in_one_bin {
                true => self.bins[lane * self.n_bins + bin][state as usize] += ns,
                false => self.add(lane, state, from_ns, ns),
            }
            from_ns += ns;
        }
        if watched.claimed {
            self.claimed[bin] += 1;
        }
        if watched.wait_ns > self.longest[bin].0 {
            self.longest[bin] = (watched.wait_ns, watched.waited_for);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Outcome, Record, Version, run_of_ranks};
    use proptest::prelude::*;

    const ORIGIN_NS: u64 = 1000;

    fn watched(rank: u32, (begin_ns, end_ns): (u64, u64), wait_ns: u64) -> Watched {
        let (begin_ns, end_ns) = (ORIGIN_NS + begin_ns, ORIGIN_NS + end_ns);
        let record = Record {
            kind: Kind::Allreduce,
            outcome: Outcome::Lost,
            game: 0,
            item: 1,
            begin_ns,
            end_ns,
            word: 0,
        };
        Watched {
            rank,
            record,
            begin_ns,
            end_ns,
            wait_ns,
            waited_for: Some(7),
            claimed: false,
        }
    }

    fn timeline(ranks: u32, max_lanes: usize) -> Timeline {
        let mut timeline = Timeline::new(&run_of_ranks(Version::Collective, ranks), max_lanes, 10);
        timeline.begin(ORIGIN_NS);
        timeline
    }

    #[test]
    fn time_lies_in_the_column_in_which_it_was_spent() {
        let mut timeline = timeline(2, 8);
        timeline.record(&watched(1, (0, 60), 40));
        timeline.record(&watched(0, (95, 100), 5));
        assert_eq!((timeline.n_lanes(), timeline.span_ns()), (2, 100));
        let (waiting, operation) = (State::Waiting as usize, State::Operation as usize);
        let lane = timeline.columns(1, 5, 100);
        let of = |state: usize| lane.iter().map(|column| column[state]).collect::<Vec<_>>();
        assert_eq!(of(waiting), [20, 20, 0, 0, 0]);
        assert_eq!(of(operation), [0, 0, 20, 0, 0]);
        // Five nanoseconds of a hundred are there.
        assert_eq!(timeline.columns(0, 5, 100)[4][waiting], 5);
        let nobody = [None, None];
        assert_eq!(timeline.waited_for(3, 99)[..2], [None, Some(7)]);
        assert_eq!(timeline.waited_for(3, 1_000_000)[1..], nobody);
    }

    /// As where a rank scores: all think, and then there is a round in which nobody does.
    #[test]
    fn a_short_wait_after_a_long_one_does_not_hide_it() {
        let mut timeline = timeline(1, 1);
        timeline.record(&watched(0, (0, 1_500_000), 900_000));
        let short = Watched {
            waited_for: Some(3),
            ..watched(0, (1_500_000, 1_500_020), 10)
        };
        timeline.record(&short);
        timeline.record(&watched(0, (1_500_020, 9_000_000), 0));
        let waited_for = timeline.waited_for(9, timeline.span_ns());
        assert_eq!(waited_for[..3], [None, Some(7), None]);
    }

    #[test]
    fn ranks_share_lanes_where_there_are_too_many() {
        let mut timeline = timeline(1000, 64);
        assert_eq!((timeline.ranks_per_lane(), timeline.n_lanes()), (16, 63));
        for rank in [0, 15, 16, 999] {
            timeline.record(&watched(rank, (0, 10), 10));
        }
        let waited = |lane| timeline.columns(lane, 1, 10)[0][State::Waiting as usize];
        assert_eq!(
            [waited(0), waited(1), waited(2), waited(62)],
            [20, 10, 0, 10]
        );
    }

    #[test]
    fn a_digit_is_counted_from_when_it_was_claimed() {
        let mut timeline = timeline(1, 1);
        for (end_ns, claimed) in [(10, true), (50, false), (60, true), (90, true)] {
            let mut watched = watched(0, (end_ns - 1, end_ns), 0);
            watched.claimed = claimed;
            timeline.record(&watched);
        }
        assert_eq!(timeline.n_claimed(4, 100), [1, 1, 2, 3]);
    }

    proptest! {
        /// A table of every nanosecond is the oracle, where bins are one nanosecond; and whatever became of
        /// bins, nothing is lost.
        #[test]
        fn no_nanosecond_is_lost(
            steps in proptest::collection::vec((0u64..40, 0u64..60, 0u64..60), 1..60),
            scale in prop_oneof![Just(1u64), Just(37), Just(1_000_003)],
            n_columns in 1usize..50,
        ) {
            let mut timeline = timeline(1, 1);
            let (mut now_ns, mut sums) = (0, Shares::default());
            let mut each_ns = Vec::new();
            for (gap, length, wait) in steps {
                let begin_ns = now_ns + gap * scale;
                now_ns = begin_ns + length * scale;
                let wait_ns = (wait * scale).min(length * scale);
                timeline.record(&watched(0, (begin_ns, now_ns), wait_ns));
                sums[State::Waiting as usize] += wait_ns;
                sums[State::Operation as usize] += length * scale - wait_ns;
                if scale == 1 {
                    each_ns.resize(begin_ns as usize, None);
                    each_ns.resize((begin_ns + wait_ns) as usize, Some(State::Waiting));
                    each_ns.resize(now_ns as usize, Some(State::Operation));
                }
            }
            let columns = timeline.columns(0, n_columns, timeline.span_ns());
            let sum = |state: usize| columns.iter().map(|column| column[state]).sum::<u64>();
            prop_assert_eq!(std::array::from_fn(sum), sums);
            if scale == 1 && now_ns > 0 {
                let mut expected = vec![Shares::default(); n_columns];
                for (ns, state) in each_ns.iter().enumerate() {
                    if let Some(state) = *state {
                        expected[column_of(ns as u64, n_columns, now_ns)][state as usize] += 1;
                    }
                }
                prop_assert_eq!(columns, expected);
            }
        }
    }
}
