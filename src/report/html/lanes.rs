//! What a picture of a run needs of its records, a lane a rank: gathered while the run is analysed.

use super::merge;
use crate::analysis::{State, Watch, Watched};
use crate::trace::{Kind, Outcome, RunInfo};

/// With more steps than this neighbours are merged while a run is read, so that memory is bounded
/// whatever its length: 40 bytes a step.
const MAX_STEPS: usize = 6_000_000;

/// The matrix of who waited for whom has at most so many rows, each of one rank or of several.
pub(super) const MAX_BLOCKS: u32 = 64;

/// Nobody was waited for.
pub(super) const NOBODY: u32 = u32::MAX;

/// What a step is: the lowest four bits of its byte in the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum What {
    Start,
    Think,
    Finish,
    ClaimWon,
    ClaimLost,
    ClaimLooked,
    ClaimSkipped,
    AllreduceWon,
    AllreduceLost,
    AllreduceAnnounced,
    /// Enters the digit that was won in the ledger.
    ClaimAnnounced,
    /// Several records; see [`Sum`].
    Several,
}

impl What {
    fn of(kind: Kind, outcome: Outcome) -> Self {
        match (kind, outcome) {
            (Kind::Start, _) => What::Start,
            (Kind::Think, _) => What::Think,
            (Kind::Finish, _) => What::Finish,
            (Kind::Claim, Outcome::Won) => What::ClaimWon,
            (Kind::Claim, Outcome::Looked) => What::ClaimLooked,
            (Kind::Claim, Outcome::Skipped) => What::ClaimSkipped,
            (Kind::Claim, Outcome::Announced) => What::ClaimAnnounced,
            (Kind::Claim, _) => What::ClaimLost,
            (Kind::Allreduce, Outcome::Won) => What::AllreduceWon,
            (Kind::Allreduce, Outcome::Announced) => What::AllreduceAnnounced,
            (Kind::Allreduce, _) => What::AllreduceLost,
        }
    }

    /// Whether it is an operation, which has an item.
    pub(super) fn is_operation(self) -> bool {
        (What::ClaimWon as u8..=What::ClaimAnnounced as u8).contains(&(self as u8))
    }

    pub(super) fn is_allreduce(self) -> bool {
        (What::AllreduceWon as u8..=What::AllreduceAnnounced as u8).contains(&(self as u8))
    }

    pub(super) fn is_guess(self) -> bool {
        self.is_operation() && !matches!(self, What::AllreduceAnnounced | What::ClaimAnnounced)
    }
}

/// A record, or several of one rank that follow each other. Times since the run's origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) begin_ns: u64,
    pub(super) end_ns: u64,
    pub(super) wait_ns: u64,
    /// Whom it waited for ([`NOBODY`] where it did not), or longest for.
    pub(super) whom: u32,
    /// The digit of an operation; of several records the place of their [`Sum`].
    pub(super) item: u32,
    /// Place in [`Lanes::games`]; of several records the last one's.
    pub(super) game: u32,
    pub(super) what: What,
    /// Whether it claimed a digit that nobody had claimed.
    pub(super) claimed: bool,
}

impl Step {
    pub(super) fn state(&self) -> State {
        match self.what {
            What::Think => State::Thinking,
            what if what.is_operation() => State::Operation,
            _ => State::Other,
        }
    }

    /// What it counts for, as one record.
    pub(super) fn sum(&self) -> Sum {
        let rest_ns = self.end_ns - self.begin_ns - self.wait_ns;
        let of = |state: State| if self.state() == state { rest_ns } else { 0 };
        Sum {
            n_records: 1,
            n_thinks: u32::from(self.what == What::Think),
            n_operations: u32::from(self.what.is_operation()),
            n_guesses: u32::from(self.what.is_guess()),
            n_claimed: u32::from(self.claimed),
            thinking_ns: of(State::Thinking),
            operation_ns: of(State::Operation),
            other_ns: of(State::Other),
        }
    }
}

/// What several records are, beside their waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sum {
    pub(super) n_records: u32,
    pub(super) n_thinks: u32,
    pub(super) n_operations: u32,
    pub(super) n_guesses: u32,
    pub(super) n_claimed: u32,
    pub(super) thinking_ns: u64,
    pub(super) operation_ns: u64,
    pub(super) other_ns: u64,
}

/// The steps of a rank, in their order.
#[derive(Debug, Clone, Default)]
pub(super) struct Lane {
    pub(super) steps: Vec<Step>,
    pub(super) sums: Vec<Sum>,
    /// Game and number of the next allreduce in it.
    round: (u32, u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Game {
    pub(super) number: u32,
    /// When the first rank began it.
    pub(super) begin_ns: u64,
    pub(super) n_rounds: u32,
}

/// An allreduce of all ranks, or several that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Round {
    /// Who came last ([`NOBODY`] where that is not known), and when; of several the one that was waited for
    /// longest, and the last time.
    pub(super) last: u32,
    pub(super) enter_ns: u64,
    pub(super) wait_ns: u64,
    pub(super) n: u32,
}

/// The lanes of a run: a `Watch`.
#[derive(Debug, Clone)]
pub struct Lanes {
    pub(super) lanes: Vec<Lane>,
    pub(super) games: Vec<Game>,
    /// Of a collective run: those of its first game, then those of the next.
    pub(super) rounds: Vec<Round>,
    /// How long ranks waited for ranks, in blocks of so many: those of block 0 for all blocks first.
    pub(super) matrix: Vec<u64>,
    pub(super) ranks_per_block: u32,
    /// Records within cells of so many nanoseconds have become one step; 0: none has.
    pub(super) cell_ns: u64,
    pub(super) n_records: u64,
    pub(super) n_steps: usize,
    pub(super) span_ns: u64,
    pub(super) digits: u32,
    pub(super) cost_ns: u64,
    max_steps: usize,
    n_ranks: u32,
    origin_ns: u64,
    /// The game and number of the last round.
    round: Option<(u32, u32)>,
}

impl Lanes {
    /// No records yet, of a run.
    pub fn new(run: &RunInfo) -> Self {
        let ranks_per_block = run.ranks.div_ceil(MAX_BLOCKS).max(1);
        let n_blocks = run.ranks.div_ceil(ranks_per_block) as usize;
        Lanes {
            lanes: vec![Lane::default(); run.ranks as usize],
            games: Vec::new(),
            rounds: Vec::new(),
            matrix: vec![0; n_blocks * n_blocks],
            ranks_per_block,
            cell_ns: 0,
            n_records: 0,
            n_steps: 0,
            span_ns: 0,
            digits: run.digits,
            cost_ns: run.tracer.record_ns.round() as u64,
            max_steps: MAX_STEPS,
            n_ranks: run.ranks,
            origin_ns: 0,
            round: None,
        }
    }

    #[cfg(test)]
    pub(super) fn with_room_for(mut self, max_steps: usize) -> Self {
        self.max_steps = max_steps;
        self
    }

    pub(super) fn n_blocks(&self) -> usize {
        self.n_ranks.div_ceil(self.ranks_per_block) as usize
    }

    /// Merges neighbours that lie within a cell of so many nanoseconds.
    pub(super) fn merge(&mut self, cell_ns: u64) {
        self.cell_ns = cell_ns;
        self.n_steps = 0;
        for lane in &mut self.lanes {
            merge::lane(lane, cell_ns);
            self.n_steps += lane.steps.len();
        }
        merge::rounds(&mut self.rounds, cell_ns);
    }

    /// The place of a game. Games come one after the other.
    fn game(&mut self, number: u32, begin_ns: u64) -> u32 {
        match self.games.last_mut() {
            Some(game) if game.number == number => game.begin_ns = game.begin_ns.min(begin_ns),
            _ => {
                self.games.push(Game {
                    number,
                    begin_ns,
                    n_rounds: 0,
                });
            }
        }
        (self.games.len() - 1) as u32
    }

    /// Notes who came last to the next allreduce of a lane. Those of one round come one after the other.
    fn round(&mut self, step: &Step, rank: u32) {
        let next = &mut self.lanes[rank as usize].round;
        if next.0 != step.game {
            *next = (step.game, 0);
        }
        let round = *next;
        next.1 += 1;
        if self.round != Some(round) {
            self.round = Some(round);
            self.games[step.game as usize].n_rounds = round.1 + 1;
            self.rounds.push(Round {
                last: step.whom,
                enter_ns: step.begin_ns,
                wait_ns: 0,
                n: 1,
            });
        }
        if let Some(round) = self.rounds.last_mut() {
            round.wait_ns = round.wait_ns.saturating_add(step.wait_ns);
            if rank == step.whom || step.whom == NOBODY {
                round.enter_ns = round.enter_ns.max(step.begin_ns);
            }
        }
    }

    fn blame(&mut self, waits: u32, whom: u32, ns: u64) {
        let (row, column) = (waits / self.ranks_per_block, whom / self.ranks_per_block);
        let cell = row as usize * self.n_blocks() + column as usize;
        if let Some(cell) = self.matrix.get_mut(cell) {
            *cell = cell.saturating_add(ns);
        }
    }
}

impl Watch for Lanes {
    fn begin(&mut self, origin_ns: u64) {
        self.origin_ns = origin_ns;
    }

    fn record(&mut self, watched: &Watched) {
        let record = &watched.record;
        let begin_ns = watched.begin_ns.saturating_sub(self.origin_ns);
        let end_ns = watched.end_ns.saturating_sub(self.origin_ns);
        let what = What::of(record.kind, record.outcome);
        let step = Step {
            begin_ns,
            end_ns,
            wait_ns: watched.wait_ns.min(end_ns - begin_ns),
            whom: watched.waited_for.unwrap_or(NOBODY),
            item: if what.is_operation() { record.item } else { 0 },
            game: self.game(record.game, begin_ns),
            what,
            claimed: watched.claimed,
        };
        if what.is_allreduce() {
            self.round(&step, watched.rank);
        }
        if step.wait_ns > 0 && step.whom != NOBODY {
            self.blame(watched.rank, step.whom, step.wait_ns);
        }
        self.lanes[watched.rank as usize].steps.push(step);
        self.n_records += 1;
        self.n_steps += 1;
        self.span_ns = self.span_ns.max(end_ns);
        if self.n_steps > self.max_steps {
            let mut cell_ns = self.cell_ns.max(merge::first_cell_ns(self));
            loop {
                cell_ns = cell_ns.saturating_mul(2);
                self.merge(cell_ns);
                if self.n_steps <= self.max_steps / 2 || cell_ns > self.span_ns {
                    break;
                }
            }
        }
    }

    fn end(&mut self, waited_for: &[u64]) {
        if waited_for.iter().all(|&ns| ns == 0) {
            return;
        }
        // Of allreduces the analysis knows it as they were, whatever clocks did to the picture.
        self.matrix.fill(0);
        for (row, waits) in (0..self.n_ranks).zip(waited_for.chunks(self.n_ranks as usize)) {
            for (column, &ns) in (0..).zip(waits) {
                self.blame(row, column, ns);
            }
        }
    }
}
