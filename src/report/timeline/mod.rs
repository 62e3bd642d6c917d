//! What timelines show, whatever they are drawn with: lanes of ranks, and cells that lose nothing short.

mod text;

pub use text::{Ink, Paper, timelines};

use super::svg::{linear_ticks, short};
use crate::analysis::{Findings, Shares, State, Timeline};
use crate::trace::{RunInfo, Version};

/// With more ranks than lanes, several share one.
pub(super) const MAX_LANES: usize = 64;
/// No picture has more columns.
pub(super) const MAX_COLUMNS: usize = 860;

/// What looks on while a run is read that is to be drawn, whatever with.
pub fn timeline_of(run: &RunInfo) -> Timeline {
    Timeline::new(run, MAX_LANES, MAX_COLUMNS)
}

#[derive(Debug, Clone, Copy)]
pub struct Drawn<'a> {
    /// What it is called, and who played.
    pub run: &'a Findings,
    pub timeline: &'a Timeline,
}

/// Time of some ranks together, in columns.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lane {
    /// The first rank and the last.
    pub(super) ranks: (u32, u32),
    pub(super) columns: Vec<Shares>,
}

impl Lane {
    pub(super) fn n_ranks(&self) -> u32 {
        self.ranks.1 - self.ranks.0 + 1
    }

    /// `3`, or `0-15`.
    pub(super) fn label(&self) -> String {
        match self.ranks {
            (first, last) if first == last => first.to_string(),
            (first, last) => format!("{first}-{last}"),
        }
    }
}

impl Drawn<'_> {
    /// The columns of all lanes, of which there are no more than `max_lanes`.
    pub(super) fn lanes(&self, max_lanes: usize, scale: Columns) -> Vec<Lane> {
        let timeline = self.timeline;
        let together = timeline.n_lanes().div_ceil(max_lanes.max(1)).max(1);
        let ranks_per_lane = timeline.ranks_per_lane() * together as u32;
        let n_lanes = timeline.n_lanes().div_ceil(together);
        let lane = |index: usize| {
            let first = index as u32 * ranks_per_lane;
            let last = (first + ranks_per_lane).min(self.run.setup.ranks) - 1;
            let parts = index * together..((index + 1) * together).min(timeline.n_lanes());
            let mut columns = vec![Shares::default(); scale.n];
            for part in parts {
                let added = timeline.columns(part, scale.n, scale.span_ns);
                let cells = columns.iter_mut().flatten();
                cells
                    .zip(added.iter().flatten())
                    .for_each(|(sum, &ns)| *sum = sum.saturating_add(ns));
            }
            Lane {
                ranks: (first, last),
                columns,
            }
        };
        (0..n_lanes).map(lane).collect()
    }

    /// For each column the rank for which others wait in it: the last to come to the next allreduce that
    /// ends; of several that end in a column, to the one in which others waited longest. `None` for versions
    /// without allreduces.
    pub(super) fn last_to_come(&self, scale: Columns) -> Option<Vec<Option<u32>>> {
        if self.run.setup.version != Some(Version::Collective) {
            return None;
        }
        let mut columns = self.timeline.waited_for(scale.n, scale.span_ns);
        let mut next = None;
        for column in columns.iter_mut().rev() {
            next = column.or(next);
            *column = next;
        }
        Some(columns)
    }

    /// How many digits were claimed in each column.
    pub(super) fn claimed(&self, scale: Columns) -> Vec<u64> {
        let sums = self.timeline.n_claimed(scale.n, scale.span_ns);
        let before = std::iter::once(&0).chain(&sums);
        sums.iter().zip(before).map(|(sum, n)| sum - n).collect()
    }

    /// How many columns the run lasts, the last one perhaps in part.
    pub(super) fn n_columns(&self, scale: Columns) -> usize {
        let span_ns = u128::from(self.timeline.span_ns());
        let n = (span_ns * scale.n as u128).div_ceil(u128::from(scale.span_ns.max(1)));
        (n as usize).clamp(1, scale.n)
    }
}

/// The common axis of all that is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) n: usize,
    /// The time of all columns.
    pub(super) span_ns: u64,
}

impl Columns {
    /// `n` columns for the longest of the runs.
    pub(super) fn over(runs: &[Drawn<'_>], n: usize) -> Self {
        let spans = runs.iter().map(|drawn| drawn.timeline.span_ns());
        Columns {
            n,
            span_ns: spans.max().unwrap_or(0).max(1),
        }
    }

    /// What there is to be told of in one column of a lane, in nanoseconds.
    pub(super) fn capacity_ns(&self, lane: &Lane) -> f64 {
        self.span_ns as f64 / self.n as f64 * f64::from(lane.n_ranks())
    }

    /// About so many ticks: what part of the axis is before each, and what is written beside it.
    pub(super) fn ticks(&self, about: f64) -> Vec<(f64, String)> {
        let (size, unit) = match self.span_ns {
            1_000_000_000.. => (1e9, "s"),
            1_000_000.. => (1e6, "ms"),
            1000.. => (1e3, "us"),
            _ => (1.0, "ns"),
        };
        let span = self.span_ns as f64 / size;
        let label = |tick: f64| match tick {
            0.0 => "0".into(),
            tick => format!("{} {unit}", short(tick)),
        };
        let ticks = linear_ticks(0.0, span, about.max(1.0)).into_iter();
        ticks.map(|tick| (tick / span, label(tick))).collect()
    }
}

/// What a cell shows: the state that took most of its time, and another that would be lost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cell {
    /// `None` is idle.
    pub(super) most: Option<State>,
    /// Another state, with its share of the cell. Waiting comes before operations, operations before
    /// thinking; thinking is none where it is less than a sixteenth.
    pub(super) mark: Option<(State, f64)>,
}

impl Cell {
    pub(super) fn of(shares: &Shares, capacity_ns: f64) -> Self {
        let share = |state: State| shares[state as usize] as f64 / capacity_ns.max(1.0);
        let mut most = (None, 1.0 - State::ALL.map(share).iter().sum::<f64>());
        for state in State::ALL {
            if share(state) > most.1 {
                most = (Some(state), share(state));
            }
        }
        let least = [
            (State::Waiting, 0.0),
            (State::Operation, 0.0),
            (State::Thinking, 1.0 / 16.0),
        ];
        let mark = least
            .into_iter()
            .find(|&(state, least)| Some(state) != most.0 && share(state) > least);
        Cell {
            most: most.0,
            mark: mark.map(|(state, _)| (state, share(state))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NS: f64 = 1000.0;

    fn cell(thinking: u64, operation: u64, waiting: u64, other: u64) -> Cell {
        Cell::of(&[thinking, operation, waiting, other], NS)
    }

    #[test]
    fn a_cell_loses_neither_waiting_nor_an_operation() {
        use State::{Operation, Thinking, Waiting};
        let shown = |most, mark: Option<(State, f64)>| Cell { most, mark };
        assert_eq!(cell(1000, 0, 0, 0), shown(Some(Thinking), None));
        assert_eq!(
            cell(998, 1, 1, 0),
            shown(Some(Thinking), Some((Waiting, 0.001)))
        );
        assert_eq!(
            cell(990, 10, 0, 0),
            shown(Some(Thinking), Some((Operation, 0.01)))
        );
        assert_eq!(
            cell(400, 1, 599, 0),
            shown(Some(Waiting), Some((Operation, 0.001)))
        );
        assert_eq!(
            cell(400, 0, 600, 0),
            shown(Some(Waiting), Some((Thinking, 0.4)))
        );
        assert_eq!(
            cell(0, 0, 1, 0),
            shown(None, Some((Waiting, 0.001))),
            "idle but for a nanosecond"
        );
        assert_eq!(cell(10, 0, 0, 800), shown(Some(State::Other), None));
        assert_eq!(cell(0, 0, 0, 0), shown(None, None));
    }

    #[test]
    fn ticks_have_the_unit_that_suits_the_span() {
        let ticks = |span_ns| Columns { n: 10, span_ns }.ticks(4.0);
        let labels = |span_ns| {
            let labels = ticks(span_ns).into_iter().map(|(_, label)| label);
            labels.collect::<Vec<_>>().join(", ")
        };
        assert_eq!(labels(800_000_000), "0, 200 ms, 400 ms, 600 ms, 800 ms");
        assert_eq!(labels(1_100_000_000), "0, 0.5 s, 1 s");
        assert_eq!(labels(60_000), "0, 20 us, 40 us, 60 us");
        assert_eq!(labels(1), "0, 0.5 ns, 1 ns");
        assert_eq!(ticks(800_000_000)[2].0, 0.5);
    }
}
