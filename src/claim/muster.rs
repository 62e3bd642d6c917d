//! Who is still there: signs of life of all ranks, in the home rank's memory.

use super::Options;
use super::known::assert_rank;
use super::word_board::Memory;
use crate::rma::{Comm, Counter, Layout, OneHome, Rank, Region, Result, SharedWindow, Window};

/// How many numbers a rank tells of itself.
pub const N_NUMBERS: usize = 6;

/// The only word of its region.
const DECISION: usize = 0;

/// What the home rank has made of it all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Nothing yet.
    None,
    /// All are there: collectives may follow.
    Together,
    /// Some died: each rank ends by itself, with no collective.
    Apart,
}

impl Decision {
    const ALL: [Self; 3] = [Decision::None, Decision::Together, Decision::Apart];
}

/// On the home rank, for each rank: how often it has given a sign of life, what it told of itself, and how far
/// it has come.
///
/// MPI's collectives wait for everybody, and those who died do not come. So nobody waits here: each rank
/// raises words of its own, by `MPI_Fetch_and_op(MPI_SUM)`, and reads those that it is to know. Every word has
/// one writer, which has no two operations on it under way, so it holds what its writer last made it. Who is
/// taken for dead, and when, is for the home rank to say.
#[derive(Debug)]
#[must_use = "a muster is closed with `close`, which is collective"]
pub struct Muster<M> {
    memory: M,
    regions: Regions,
    own_rank: Rank,
    n_ranks: usize,
    /// What the numbers are that this rank has told.
    told: [u64; N_NUMBERS],
    has_decided: bool,
}

/// A word a rank, but for the numbers and the decision.
#[derive(Debug)]
struct Regions {
    /// Raised by 1 with each sign of life.
    signs: Region<Counter>,
    /// `N_NUMBERS` a rank.
    numbers: Region<Counter>,
    /// 0, then 1 when the rank has told its last numbers, then 2 when it does nothing here any more.
    steps: Region<Counter>,
    /// 1 once the home rank takes the rank for dead; its word, not the rank's.
    taken_for_dead: Region<Counter>,
    /// The home rank's, as [`Decision::ALL`] has them.
    decision: Region<Counter>,
}

fn lay_out(comm: &Comm<'_>) -> (Layout, Regions) {
    let n_ranks = comm.size() as usize;
    let mut layout = Layout::new();
    let regions = Regions {
        signs: layout.region(n_ranks),
        numbers: layout.region(n_ranks * N_NUMBERS),
        steps: layout.region(n_ranks),
        taken_for_dead: layout.region(n_ranks),
        decision: layout.region(1),
    };
    (layout, regions)
}

impl<'mpi> Muster<Window<'mpi>> {
    /// A muster on rank `home`. Collective.
    ///
    /// # Errors
    /// As [`BitBoard::open_with`](super::BitBoard::open_with), but for lost bits.
    pub fn open(comm: &Comm<'mpi>, home: Rank) -> Result<Self> {
        let (layout, regions) = lay_out(comm);
        let options = Options::default();
        let opening = options.opening("Muster", home, 0);
        let memory = options.open_window(&opening, comm, OneHome(home), &layout, 0)?;
        Ok(Self::on(memory, regions, comm))
    }
}

impl<'mpi> Muster<SharedWindow<'mpi>> {
    /// The same in memory that all ranks of one node share. Collective.
    ///
    /// # Errors
    /// As [`SharedBoard::open_with`](super::SharedBoard::open_with).
    pub fn open_shared(comm: &Comm<'mpi>, home: Rank) -> Result<Self> {
        let (layout, regions) = lay_out(comm);
        let options = Options::default();
        let opening = options.opening("Muster in shared memory", home, 0);
        let memory = options.open_shared(&opening, comm, home, &layout, 0)?;
        Ok(Self::on(memory, regions, comm))
    }
}

impl<M: Memory> Muster<M> {
    fn on(memory: M, regions: Regions, comm: &Comm<'_>) -> Self {
        Muster {
            memory,
            regions,
            own_rank: comm.rank(),
            n_ranks: comm.size() as usize,
            told: [0; N_NUMBERS],
            has_decided: false,
        }
    }

    /// How many ranks there were at first.
    pub fn n_ranks(&self) -> usize {
        self.n_ranks
    }

    /// The rank that this is.
    pub fn own_rank(&self) -> Rank {
        self.own_rank
    }

    /// The rank that has the memory.
    pub fn home(&self) -> Rank {
        self.memory.rank_of(0)
    }

    fn own(&self) -> usize {
        self.own_rank as usize
    }

    /// Panics if there is no such rank.
    fn index_of(&self, rank: Rank) -> usize {
        assert_rank(rank, self.n_ranks as Rank);
        rank as usize
    }

    /// Gives a sign of life, and tells `numbers` of this rank, which take an operation each where they have
    /// changed.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn sign(&mut self, numbers: &[u64; N_NUMBERS]) -> Result<()> {
        for (index, &number) in numbers.iter().enumerate() {
            let more = number.wrapping_sub(self.told[index]);
            if more != 0 {
                let place = self.own() * N_NUMBERS + index;
                (self.memory).fetch_add(self.regions.numbers, place, more)?;
                self.told[index] = number;
            }
        }
        self.memory.fetch_add(self.regions.signs, self.own(), 1)?;
        Ok(())
    }

    /// Goes a step further: to having told its last numbers, then to doing nothing here any more. What
    /// this rank did here before is complete for whoever sees the step.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn step(&mut self) -> Result<()> {
        self.memory.fetch_add(self.regions.steps, self.own(), 1)?;
        Ok(())
    }

    /// How often each rank has given a sign of life.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn signs(&self) -> Result<Vec<u64>> {
        self.memory.counters_now(self.regions.signs)
    }

    /// The same of one rank.
    ///
    /// # Errors
    /// What MPI returns.
    ///
    /// # Panics
    /// If there is no such rank.
    pub fn signs_of(&self, rank: Rank) -> Result<u64> {
        let index = self.index_of(rank);
        self.memory.fetch_add(self.regions.signs, index, 0)
    }

    /// How many [steps](Muster::step) each rank has gone.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn steps(&self) -> Result<Vec<u64>> {
        self.memory.counters_now(self.regions.steps)
    }

    /// What each rank has told of itself; of one that is about to tell more, some may be there.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn numbers(&self) -> Result<Vec<[u64; N_NUMBERS]>> {
        let words = self.memory.counters_now(self.regions.numbers)?;
        let mut of_ranks = vec![[0; N_NUMBERS]; self.n_ranks];
        for (numbers, words) in of_ranks.iter_mut().zip(words.chunks_exact(N_NUMBERS)) {
            numbers.copy_from_slice(words);
        }
        Ok(of_ranks)
    }

    /// On the home rank: takes `rank` for dead, for good, and lets it know if it is not.
    ///
    /// # Errors
    /// What MPI returns.
    ///
    /// # Panics
    /// If there is no such rank, or this is not the home rank.
    pub fn take_for_dead(&mut self, rank: Rank) -> Result<()> {
        assert_eq!(
            self.own_rank,
            self.home(),
            "the home rank takes ranks for dead"
        );
        let index = self.index_of(rank);
        (self.memory).fetch_add(self.regions.taken_for_dead, index, 1)?;
        Ok(())
    }

    /// Whether this rank is taken for dead.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn is_taken_for_dead(&self) -> Result<bool> {
        let taken = self.regions.taken_for_dead;
        Ok(self.memory.fetch_add(taken, self.own(), 0)? != 0)
    }

    /// On the home rank: decides, once.
    ///
    /// # Errors
    /// What MPI returns.
    ///
    /// # Panics
    /// On another rank, or where it was decided before.
    pub fn decide(&mut self, decision: Decision) -> Result<()> {
        assert_eq!(self.own_rank, self.home(), "the home rank decides");
        assert!(!self.has_decided, "it was decided before");
        self.has_decided = decision != Decision::None;
        (self.memory).fetch_add(self.regions.decision, DECISION, decision as u64)?;
        Ok(())
    }

    /// What the home rank has decided.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn decision(&self) -> Result<Decision> {
        let word = (self.memory).fetch_add(self.regions.decision, DECISION, 0)?;
        Ok(Decision::ALL[(word as usize).min(Decision::ALL.len() - 1)])
    }

    /// Closes it. Collective.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn close(self) -> Result<()> {
        self.memory.close()
    }
}
