//! What curing one rank would save of the wall time: the run replayed with that rank's computation evened out.
//!
//! Every allreduce keeps its residual, what it took a rank after the last arriver had entered it. So whatever
//! happens to the last arriver happens to all: from then on every rank is earlier by as much, and a replay is
//! one number for each rank, the time by which all are earlier. Only the last arriver of a round can change
//! it, and by no more than it came after the last but one.

use super::rank::Stream;
use super::rounds::Arrival;
use crate::trace::{Kind, RunInfo};

/// For each rank a replay of the run in which its computation is scaled to the median of all.
#[derive(Debug)]
pub(super) struct Replay {
    /// What part of its computation each rank would be rid of; 0 where it computes no longer than the median.
    excess: Vec<f64>,
    /// By how much all are earlier, so far.
    saved_ns: Vec<f64>,
}

impl Replay {
    /// Of ranks that compute for so long in all, in nanoseconds.
    pub(super) fn new(useful_ns: &[u64]) -> Self {
        let mut sorted = useful_ns.to_vec();
        sorted.sort_unstable();
        let n = sorted.len();
        let median = match n {
            0 => 0.0,
            n => sorted[(n - 1) / 2].midpoint(sorted[n / 2]) as f64,
        };
        let excess = |&ns: &u64| match ns as f64 > median {
            true => 1.0 - median / ns as f64,
            false => 0.0,
        };
        Replay {
            excess: useful_ns.iter().map(excess).collect(),
            saved_ns: vec![0.0; n],
        }
    }

    /// Reads how long each rank of a run computes, recording taken off.
    pub(super) fn of<S: Stream>(run: &RunInfo, records: impl Fn(u32) -> S, cost_ns: u64) -> Self {
        let useful_ns = |rank| {
            let thinks = records(rank).filter(|record| record.kind == Kind::Think);
            let ns = thinks.map(|think| think.duration_ns().saturating_sub(cost_ns));
            ns.fold(0, u64::saturating_add)
        };
        Self::new(&(0..run.ranks).map(useful_ns).collect::<Vec<_>>())
    }

    /// The next round, of all ranks.
    pub(super) fn round(&mut self, arrivals: &[Arrival]) {
        let enter = |arrival: &&Arrival| (arrival.enter_ns, arrival.rank);
        let Some(last) = arrivals.iter().max_by_key(enter) else {
            return;
        };
        let others = arrivals.iter().filter(|arrival| arrival.rank != last.rank);
        let Some(next) = others.max_by_key(enter) else {
            return;
        };
        let earlier_ns = self.excess[last.rank as usize] * last.think_ns as f64;
        let gap_ns = (last.enter_ns - next.enter_ns) as f64;
        self.saved_ns[last.rank as usize] += earlier_ns.min(gap_ns);
    }

    /// What the replay with this rank's computation evened out takes less than the run, in nanoseconds.
    pub(super) fn saving_ns(&self, rank: usize) -> u64 {
        self.saved_ns[rank].round() as u64
    }
}
