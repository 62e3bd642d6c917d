//! What is known of a run before its claims.

use std::collections::BTreeMap;

use super::Clocks;
use crate::trace::RunInfo;

/// How claims of a run are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `MPI_Fetch_and_op`, or a CPU's fetch-and-or, on words of 64 digits.
    FetchAndOp,
    /// `MPI_Compare_and_swap` on a slot a digit.
    CompareAndSwap,
    /// Tickets from a counter.
    Ticket,
    /// CPU atomics on each node, and `MPI_Fetch_and_op` by the node's winner.
    TwoTier,
}

impl Method {
    /// How claims of `run` were made.
    pub fn of(run: &RunInfo) -> Self {
        match (run.guess.as_deref(), run.claim_with.as_deref()) {
            (Some("ticket"), _) => Method::Ticket,
            (_, Some("compare-and-swap")) => Method::CompareAndSwap,
            (_, Some("two-tier")) => Method::TwoTier,
            _ => Method::FetchAndOp,
        }
    }
}

/// What is known of a run before its claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimSetup {
    pub method: Method,
    /// Digits are `1..=n_digits`.
    pub n_digits: u32,
    /// For each rank its clock; the first is the reference clock.
    pub clocks: Vec<u32>,
    /// For each rank its node.
    pub nodes: Vec<u32>,
    /// The rank whose memory holds the board.
    pub target: u32,
    /// A game, and the digits that were claimed before it began, if it was resumed.
    pub resumed: Option<(u32, Vec<u32>)>,
}

impl ClaimSetup {
    /// That of `run`.
    pub fn of(run: &RunInfo) -> Self {
        ClaimSetup {
            method: Method::of(run),
            n_digits: run.digits,
            clocks: run.clocks.of_rank.clone(),
            nodes: run.nodes.clone(),
            target: run.home,
            resumed: (run.resumed.as_ref()).and_then(|resumed| {
                let game = u32::try_from(resumed.game).ok()?;
                Some((game, resumed.digits.clone()))
            }),
        }
    }

    /// All ranks: those of one node together, and those of one clock, unless a node has several.
    pub(super) fn ranks(&self) -> Vec<u32> {
        let mut first_clock = BTreeMap::new();
        let mut ranks: Vec<u32> = (0..self.clocks.len() as u32).collect();
        for &rank in &ranks {
            (first_clock.entry(self.node_of(rank))).or_insert_with(|| self.clock_of(rank));
        }
        ranks.sort_by_key(|&rank| {
            let node = self.node_of(rank);
            (first_clock[&node], node, self.clock_of(rank))
        });
        ranks
    }

    /// How times of ranks of one node are compared.
    pub(super) fn clocks_of_nodes(&self) -> Clocks {
        let same = |a: u32, b: u32| {
            self.node_of(a) != self.node_of(b) || self.clock_of(a) == self.clock_of(b)
        };
        match self.ranks().is_sorted_by(|&a, &b| same(a, b)) {
            true => Clocks::One,
            false => Clocks::All,
        }
    }

    pub(super) fn clock_of(&self, rank: u32) -> u32 {
        self.clocks.get(rank as usize).copied().unwrap_or(0)
    }

    pub(super) fn node_of(&self, rank: u32) -> u32 {
        self.nodes.get(rank as usize).copied().unwrap_or(0)
    }
}
