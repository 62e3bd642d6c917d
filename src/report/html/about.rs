//! What the page's script is told of runs, beside their records.

use maud::Markup;
use serde::Serialize;

use super::encode::COLUMNS;
use super::fit::Payload;
use super::lanes::Lanes;
use super::tables;
use crate::analysis::{Findings, RankFindings};
use crate::trace::Version;

/// Numbers of single ranks are told to the script up to so many ranks.
const MAX_RANKS_TOLD: usize = 4_096;

/// The document that the script reads.
#[derive(Debug, Serialize)]
pub(super) struct Document<'a> {
    pub(super) runs: Vec<About<'a>>,
}

/// What the script is told of a run.
#[derive(Debug, Serialize)]
pub(super) struct About<'a> {
    number: usize,
    label: &'a str,
    colour: &'static str,
    ranks: usize,
    games: usize,
    digits: u32,
    n_records: u64,
    cost_ns: u64,
    quantum_ns: u64,
    cell_ns: u64,
    /// Names and lengths in bytes; `None` where there are no timelines.
    columns: Option<Vec<(&'static str, usize)>>,
    blocks: usize,
    ranks_per_block: u32,
    matrix: &'a [u64],
    per_rank: Option<&'a [Told<'a>]>,
}

/// What the script is told of a rank.
#[derive(Debug, Serialize)]
pub(super) struct Told<'a> {
    rank: u32,
    host: Option<&'a str>,
    /// Whether these numbers are all; if not, they are the least.
    complete: bool,
    guesses: u64,
    points: u64,
    useful_ns: Option<u64>,
    wait_ns: Option<u64>,
    operation_ns: Option<u64>,
    idle_ns: Option<u64>,
}

/// What is known of a run beside its payload.
pub(super) struct Part<'a> {
    pub(super) run: &'a Findings,
    told: Vec<Told<'a>>,
    pub(super) lanes: Option<Gathered>,
}

/// What is known of lanes, which are gone by the time the page is written.
pub(super) struct Gathered {
    games: usize,
    digits: u32,
    n_records: u64,
    cost_ns: u64,
    blocks: usize,
    pub(super) ranks_per_block: u32,
    pub(super) matrix: Vec<u64>,
    pub(super) has_rounds: bool,
    pub(super) matrix_table: Markup,
}

impl Gathered {
    fn of(lanes: &Lanes) -> Self {
        Gathered {
            games: lanes.games.len(),
            digits: lanes.digits,
            n_records: lanes.n_records,
            cost_ns: lanes.cost_ns,
            blocks: lanes.n_blocks(),
            ranks_per_block: lanes.ranks_per_block,
            matrix: lanes.matrix.clone(),
            has_rounds: !lanes.rounds.is_empty(),
            matrix_table: tables::matrix(lanes),
        }
    }
}

impl<'a> Part<'a> {
    pub(super) fn new(run: &'a Findings, lanes: Option<&Lanes>) -> Self {
        Part {
            run,
            told: run.per_rank.iter().map(Told::of).collect(),
            lanes: lanes.map(Gathered::of),
        }
    }

    pub(super) fn about(&'a self, number: usize, payload: Option<&Payload>) -> Option<About<'a>> {
        let lanes = self.lanes.as_ref()?;
        let columns = payload.map(|payload| COLUMNS.into_iter().zip(payload.lengths).collect());
        Some(About {
            number,
            label: &self.run.label,
            colour: colour(self.run),
            ranks: self.run.setup.ranks as usize,
            games: lanes.games,
            digits: lanes.digits,
            n_records: lanes.n_records,
            cost_ns: lanes.cost_ns,
            quantum_ns: payload.map_or(0, |payload| payload.quantum_ns),
            cell_ns: payload.map_or(0, |payload| payload.cell_ns),
            columns,
            blocks: lanes.blocks,
            ranks_per_block: lanes.ranks_per_block,
            matrix: &lanes.matrix,
            per_rank: (self.told.len() <= MAX_RANKS_TOLD).then_some(&self.told),
        })
    }
}

impl<'a> Told<'a> {
    fn of(rank: &'a RankFindings) -> Self {
        Told {
            rank: rank.rank,
            host: rank.host.as_deref(),
            complete: rank.complete,
            guesses: rank.guesses,
            points: rank.points,
            useful_ns: rank.useful_ns,
            wait_ns: rank.wait_ns,
            operation_ns: rank.operation_ns,
            idle_ns: rank.idle_ns,
        }
    }
}

/// The colour of a run's version in charts of both.
pub(super) fn colour(run: &Findings) -> &'static str {
    match run.setup.version {
        Some(Version::Collective) => "#cc79a7",
        _ => "#0072b2",
    }
}
