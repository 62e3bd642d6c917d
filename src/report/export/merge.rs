//! The records of all ranks in one order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::iter::Peekable;

use crate::trace::{Reading, Record};

/// A moment and whose it is: what orders a queue of ranks, the earliest first.
type Turn = Reverse<(u64, u32)>;

/// A record, where it is, and its times on the reference clock, since the run's first record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) rank: u32,
    /// Which of the rank's records, from 0.
    pub(super) seq: u64,
    pub(super) begin_ns: u64,
    pub(super) end_ns: u64,
    /// How wrong begin and end may be, either way.
    pub(super) error_ns: u64,
    /// The record itself; its own times are those of the rank's clock.
    pub(super) record: Record,
}

impl Span {
    pub(super) fn duration_ns(&self) -> u64 {
        self.end_ns - self.begin_ns
    }
}

/// One rank's records, of which one is read ahead.
#[derive(Debug)]
struct Lane<I> {
    records: I,
    reading: Reading,
    /// Its times are those of the reference clock, and not since the first record.
    next: Option<Span>,
    /// The next after that.
    seq: u64,
    last_end_ns: u64,
}

impl<I: Iterator<Item = Record>> Lane<I> {
    fn new(rank: u32, reading: Reading, records: I) -> Self {
        let mut lane = Lane {
            records,
            reading,
            next: None,
            seq: 0,
            last_end_ns: 0,
        };
        lane.advance(rank);
        lane
    }

    fn advance(&mut self, rank: u32) {
        self.next = self.records.next().map(|record| {
            let begin = self.reading.moment(record.begin_ns);
            let end = self.reading.moment(record.end_ns);
            // A rank's records never overlap, and must not begin to when its clock is read on another:
            // readers take what overlaps for nested.
            let begin_ns = begin.ns.max(self.last_end_ns);
            Span {
                rank,
                seq: self.seq,
                begin_ns,
                end_ns: end.ns.max(begin_ns),
                error_ns: begin.error_ns.max(end.error_ns),
                record,
            }
        });
        if let Some(span) = &self.next {
            self.seq += 1;
            self.last_end_ns = span.end_ns;
        }
    }
}

/// The records of all ranks by the time of their beginning, then by rank.
#[derive(Debug)]
pub(super) struct Spans<I> {
    lanes: Vec<Lane<I>>,
    /// The ranks that have a next record, by its beginning.
    queue: BinaryHeap<Turn>,
    origin_ns: u64,
}

impl<I: Iterator<Item = Record>> Spans<I> {
    /// For each rank how its clock is read, and its records in the order in which they happened.
    pub(super) fn new(ranks: impl Iterator<Item = (Reading, I)>) -> Self {
        let lane = |(rank, (reading, records))| Lane::new(rank, reading, records);
        let lanes: Vec<_> = (0..).zip(ranks).map(lane).collect();
        let first = |lane: &Lane<I>| lane.next.map(|span| Reverse((span.begin_ns, span.rank)));
        let queue: BinaryHeap<_> = lanes.iter().filter_map(first).collect();
        let origin_ns = queue.peek().map_or(0, |&Reverse((begin_ns, _))| begin_ns);
        Spans {
            lanes,
            queue,
            origin_ns,
        }
    }

    /// The ranks' streams, each as far as it was read.
    pub(super) fn into_streams(self) -> impl Iterator<Item = I> {
        self.lanes.into_iter().map(|lane| lane.records)
    }
}

impl<I: Iterator<Item = Record>> Iterator for Spans<I> {
    type Item = Span;

    #[inline]
    fn next(&mut self) -> Option<Span> {
        let mut turn = self.queue.peek_mut()?;
        let Reverse((_, rank)) = *turn;
        let lane = &mut self.lanes[rank as usize];
        let span = lane.next?;
        lane.advance(rank);
        match lane.next {
            Some(next) => turn.0.0 = next.begin_ns,
            None => drop(PeekMut::pop(turn)),
        }
        Some(Span {
            begin_ns: span.begin_ns - self.origin_ns,
            end_ns: span.end_ns - self.origin_ns,
            ..span
        })
    }
}

/// What happens at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    Begin(Span),
    End(Span),
}

/// Beginnings and ends by time. At the same time ends come first, except a record's own.
pub(super) struct Edges<S: Iterator<Item = Span>> {
    spans: Peekable<S>,
    /// For each rank what it is about; a rank does one thing at a time.
    open: Vec<Option<Span>>,
    /// The ranks that are about something, by its end.
    ends: BinaryHeap<Turn>,
}

impl<S: Iterator<Item = Span>> Edges<S> {
    pub(super) fn new(n_ranks: usize, spans: S) -> Self {
        Edges {
            spans: spans.peekable(),
            open: vec![None; n_ranks],
            ends: BinaryHeap::new(),
        }
    }
}

impl<S: Iterator<Item = Span>> Iterator for Edges<S> {
    type Item = Edge;

    #[inline]
    fn next(&mut self) -> Option<Edge> {
        let begin_ns = self.spans.peek().map(|span| span.begin_ns);
        if let Some(end) = self.ends.peek_mut() {
            let Reverse((end_ns, rank)) = *end;
            if begin_ns.is_none_or(|begin_ns| end_ns <= begin_ns) {
                PeekMut::pop(end);
                return self.open[rank as usize].take().map(Edge::End);
            }
        }
        let span = self.spans.next()?;
        self.open[span.rank as usize] = Some(span);
        self.ends.push(Reverse((span.end_ns, span.rank)));
        Some(Edge::Begin(span))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{record, small, spans};
    use super::*;
    use crate::trace::{Clock, Clocks, Kind, Offset, Outcome};
    use proptest::prelude::*;

    fn thinks(times: &[(u64, u64)]) -> Vec<Record> {
        let think = |&(begin, end)| record((Kind::Think, Outcome::None, 0, begin, end, 0));
        times.iter().map(think).collect()
    }

    #[test]
    fn records_of_all_ranks_are_in_order_and_start_at_0() {
        let merged: Vec<_> = spans(small())
            .map(|span| (span.begin_ns, span.end_ns, span.rank, span.seq))
            .collect();
        assert_eq!(merged, [(0, 10, 1, 0), (5, 10, 0, 0), (10, 12, 0, 1)]);
        assert_eq!(spans(vec![Vec::new(); 3]).count(), 0);
    }

    #[test]
    fn records_without_duration_begin_before_they_end() {
        let ranks = vec![thinks(&[(5, 5), (5, 5), (5, 7)]), thinks(&[(0, 5)])];
        let edges: Vec<_> = Edges::new(2, spans(ranks))
            .map(|edge| match edge {
                Edge::Begin(span) => ('b', span.rank, span.seq),
                Edge::End(span) => ('e', span.rank, span.seq),
            })
            .collect();
        let expected = [
            ('b', 1, 0),
            ('e', 1, 0),
            ('b', 0, 0),
            ('e', 0, 0),
            ('b', 0, 1),
            ('e', 0, 1),
            ('b', 0, 2),
            ('e', 0, 2),
        ];
        assert_eq!(edges, expected);
    }

    #[test]
    fn other_clocks_are_read_on_the_first_and_keep_their_order() {
        let offset = |at_ns, offset_ns| Offset {
            at_ns,
            offset_ns,
            error_ns: 4,
        };
        let clocks = |after| {
            let mut clocks = Clocks::one("a", 2);
            clocks.clocks.push(Clock {
                host: "b".into(),
                before: Some(offset(0, 1000)),
                after: Some(after),
            });
            clocks.of_rank[1] = 1;
            clocks
        };
        let merge = |clocks: Clocks| {
            let ranks = [thinks(&[(10, 20)]), thinks(&[(1005, 1010), (1020, 1030)])];
            let ranks = ranks.into_iter().zip(0..);
            let ranks = ranks.map(|(r, rank)| (clocks.reading_of(rank), r.into_iter()));
            Spans::new(ranks).collect::<Vec<_>>()
        };
        let times = |span: &Span| (span.rank, span.begin_ns, span.end_ns, span.error_ns);
        let merged: Vec<_> = merge(clocks(offset(1_000_000, 1000)))
            .iter()
            .map(times)
            .collect();
        assert_eq!(merged, [(1, 0, 5, 5), (0, 5, 15, 0), (1, 15, 25, 5)]);
        // A clock that gains 3 ns each nanosecond reads backwards.
        let absurd = merge(clocks(offset(100, -300)));
        let rank1: Vec<_> = absurd.iter().filter(|span| span.rank == 1).collect();
        assert!(rank1[1].begin_ns >= rank1[0].end_ns, "{absurd:?}");
    }

    proptest! {
        /// Sorting all records is the oracle.
        #[test]
        fn merging_is_sorting(
            steps in proptest::collection::vec(
                proptest::collection::vec((0u64..3, 0u64..3), 0..20), 1..6),
        ) {
            let rank = |steps: &Vec<(u64, u64)>| {
                let mut now = 100;
                let times: Vec<_> = steps.iter().map(|&(pause, length)| {
                    let begin = now + pause;
                    now = begin + length;
                    (begin, now)
                }).collect();
                thinks(&times)
            };
            let ranks: Vec<_> = steps.iter().map(rank).collect();
            let n_ranks = ranks.len();
            let merged: Vec<_> = spans(ranks.clone()).collect();
            let mut sorted = merged.clone();
            sorted.sort_by_key(|span| (span.begin_ns, span.rank, span.seq));
            prop_assert_eq!(&merged, &sorted);
            prop_assert_eq!(merged.len(), ranks.iter().map(Vec::len).sum::<usize>());

            let edges: Vec<_> = Edges::new(n_ranks, spans(ranks)).collect();
            prop_assert_eq!(edges.len(), 2 * merged.len());
            let mut last_ns = 0;
            let mut open = vec![None; n_ranks];
            for edge in edges {
                let (now_ns, rank, before, after) = match edge {
                    Edge::Begin(span) => (span.begin_ns, span.rank, None, Some(span)),
                    Edge::End(span) => (span.end_ns, span.rank, Some(span), None),
                };
                prop_assert!(now_ns >= last_ns);
                prop_assert_eq!(std::mem::replace(&mut open[rank as usize], after), before);
                last_ns = now_ns;
            }
        }
    }
}
