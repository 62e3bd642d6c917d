//! What a search knows beyond claims: the best so far, whether to stop, a count.

use super::Options;
use super::word_board::{n_trial_words, try_setting_bits};
use crate::rma::{
    Bits, Comm, Counter, Highest, Layout, OneHome, ProgressEngine, Rank, Region, Result, Window,
};

/// What a search looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Objective {
    /// The lowest value is the best.
    Minimum,
    /// The highest value is the best.
    Maximum,
}

/// A value that was offered, and who offered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Best {
    /// The value.
    pub value: i64,
    /// The rank that offered it; of several that offered the same value, the lowest.
    pub owner: Rank,
}

/// Values from `-MAX_VALUE` to this can be offered.
pub const MAX_VALUE: i64 = (1 << (VALUE_BITS - 1)) - 1;

const VALUE_BITS: u32 = 40;
const OWNER_BITS: u32 = 63 - VALUE_BITS; // what `Window::fetch_max` takes
const OWNER_MASK: u64 = (1 << OWNER_BITS) - 1;

/// What all ranks of a search know together, on a home rank, with one kind of operation for each word:
/// the best value so far and its owner, whether to stop, and a count.
///
/// Called a *blackboard* after the architecture in which independent searchers cooperate by what they
/// write on one (Erman, Hayes-Roth, Lesser and Reddy, ACM Comput. Surv. 12(2), 1980). Every call but
/// opening and closing is one-sided: nobody waits for anybody.
///
/// | word | operation | content |
/// |---|---|---|
/// | best | `MPI_Fetch_and_op(MPI_MAX)` | 40 bits: the value, in an order in which better is higher and 0 is none; 23 bits: the owner, in an order in which lower ranks are higher |
/// | stop | `MPI_Fetch_and_op(MPI_BOR)` | bit 0: stop |
/// | count | `MPI_Fetch_and_op(MPI_SUM)` | the count |
///
/// What a rank has learnt stays: [`best_known`](Blackboard::best_known) and
/// [`stop_known`](Blackboard::stop_known) cost no operation, and are out of date at worst.
///
/// ```no_run
/// use onesided::claim::{Blackboard, Objective};
/// # use onesided::rma::{Mpi, ThreadLevel};
/// # let mpi = Mpi::init(ThreadLevel::Funneled)?;
/// # let world = mpi.world()?;
/// let mut blackboard = Blackboard::open(&world, 0, Objective::Minimum)?; // collective
/// let best = blackboard.offer(17)?; // one operation
/// if best.value < 10 {
///     blackboard.stop()?;
/// }
/// while !blackboard.is_stopped()? {
///     // search on
/// #   break;
/// }
/// blackboard.close()?; // collective
/// # Ok::<(), onesided::rma::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a blackboard is closed with `close`, which is collective"]
pub struct Blackboard<'mpi> {
    window: Window<'mpi>,
    engine: ProgressEngine<'mpi>,
    best: Region<Highest>,
    stop: Region<Bits>,
    count: Region<Counter>,
    objective: Objective,
    own_rank: Rank,
    /// The highest word seen.
    best_seen: u64,
    stop_seen: bool,
    n_operations: u64,
}

const STOP: u64 = 1;

impl<'mpi> Blackboard<'mpi> {
    /// Opens an empty blackboard on rank `home`. Collective.
    ///
    /// # Errors
    /// As [`open_with`](Blackboard::open_with).
    pub fn open(comm: &Comm<'mpi>, home: Rank, objective: Objective) -> Result<Self> {
        Self::open_with(comm, home, objective, &Options::default())
    }

    /// [`open`](Blackboard::open) with choices of hints and progress.
    ///
    /// Tries, as [`BitBoard::open_with`](super::BitBoard::open_with) does, whether bits that are set are there
    /// afterwards: a library that loses them would never stop anybody.
    ///
    /// # Errors
    /// As [`BitBoard::open_with`](super::BitBoard::open_with).
    ///
    /// # Panics
    /// If there are more than 2²³ ranks.
    pub fn open_with(
        comm: &Comm<'mpi>,
        home: Rank,
        objective: Objective,
        options: &Options,
    ) -> Result<Self> {
        assert!(
            comm.size() as u64 <= 1 << OWNER_BITS,
            "an owner has 23 bits"
        );
        // Apart, so that those who look whether to stop do not slow those who offer.
        let mut layout = Layout::new();
        let best = layout.region(1);
        layout.on_next_cache_line();
        let stop = layout.region(1);
        layout.on_next_cache_line();
        let count = layout.region(1);
        layout.on_next_cache_line();
        let trial_words = layout.region(n_trial_words(comm, &OneHome(home)));
        let opening = (options.opening("Blackboard", home, 0)).with("objective", objective);
        let window = options.open_window(&opening, comm, OneHome(home), &layout, 0)?;
        let (window, engine) = options.start_engine(
            comm,
            window,
            |window| try_setting_bits(comm, window, trial_words),
            |window| window.fetch_or(stop, 0, 0).map(drop),
        )?;
        Ok(Blackboard {
            window,
            engine,
            best,
            stop,
            count,
            objective,
            own_rank: comm.rank(),
            best_seen: 0,
            stop_seen: false,
            n_operations: 0,
        })
    }

    /// Offers a value, and returns the best of all that were offered, this one among them. No operation
    /// where better is known already.
    ///
    /// # Errors
    /// What MPI returns.
    ///
    /// # Panics
    /// If `value` is not within ±[`MAX_VALUE`].
    pub fn offer(&mut self, value: i64) -> Result<Best> {
        let word = to_word(self.objective, value, self.own_rank);
        if word > self.best_seen {
            self.n_operations += 1;
            let before = self.window.fetch_max(self.best, 0, word)?;
            self.best_seen = before.max(word);
        }
        Ok(from_word(self.objective, self.best_seen).expect("this one was offered"))
    }

    /// The best of all that were offered so far. One operation.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn best(&mut self) -> Result<Option<Best>> {
        self.n_operations += 1;
        self.best_seen = self.window.fetch_max(self.best, 0, 0)?;
        Ok(self.best_known())
    }

    /// The best of all that this rank has seen. Costs no operation.
    #[inline]
    pub fn best_known(&self) -> Option<Best> {
        from_word(self.objective, self.best_seen)
    }

    /// Tells all to stop, for good, and returns whether this rank was the first.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn stop(&mut self) -> Result<bool> {
        self.n_operations += 1;
        let before = self.window.fetch_or(self.stop, 0, STOP)?;
        self.stop_seen = true;
        Ok(before & STOP == 0)
    }

    /// Whether somebody told all to stop. One operation, or none once it is known.
    ///
    /// # Errors
    /// What MPI returns.
    #[inline]
    pub fn is_stopped(&mut self) -> Result<bool> {
        if !self.stop_seen {
            self.n_operations += 1;
            self.stop_seen = self.window.fetch_or(self.stop, 0, 0)? & STOP != 0;
        }
        Ok(self.stop_seen)
    }

    /// Whether this rank has seen that it is to stop. Costs no operation.
    #[inline]
    pub fn stop_known(&self) -> bool {
        self.stop_seen
    }

    /// Adds to the count (wrapping), and returns it as it is then.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn add(&mut self, n: u64) -> Result<u64> {
        self.n_operations += 1;
        Ok(self.window.fetch_add(self.count, 0, n)?.wrapping_add(n))
    }

    /// The count. One operation.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn count(&mut self) -> Result<u64> {
        self.add(0)
    }

    /// How many RMA operations this rank has issued so far.
    pub fn n_operations(&self) -> u64 {
        self.n_operations
    }

    /// What keeps other ranks' operations moving while the home rank is outside MPI; see
    /// [`Board::progress`](super::Board::progress).
    pub fn engine(&self) -> &ProgressEngine<'mpi> {
        &self.engine
    }

    /// Lets other ranks through, where this rank is home: [`Board::progress`](super::Board::progress).
    ///
    /// # Errors
    /// What MPI returns.
    #[inline]
    pub fn progress(&self) -> Result<()> {
        self.engine.visit()
    }

    /// Does `work` while others are let through, where this rank is home:
    /// [`Board::outside_mpi`](super::Board::outside_mpi).
    ///
    /// # Errors
    /// What MPI returned meanwhile.
    #[inline]
    pub fn outside_mpi<T>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        self.engine.outside_mpi(work)
    }

    /// Closes it. Collective.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn close(self) -> Result<()> {
        let stopped = self.engine.stop(); // before its window: its thread calls MPI
        self.window.close().and(stopped)
    }
}

/// The word of a value: the better, the higher, and never 0.
fn to_word(objective: Objective, value: i64, owner: Rank) -> u64 {
    assert!(
        value.unsigned_abs() <= MAX_VALUE.unsigned_abs(),
        "value {value} is beyond 2^39 - 1"
    );
    let upwards = match objective {
        Objective::Minimum => -value,
        Objective::Maximum => value,
    };
    let score = (upwards + (1 << (VALUE_BITS - 1))) as u64; // 1 .. 2^40
    score << OWNER_BITS | (OWNER_MASK - u64::from(owner.unsigned_abs()))
}

fn from_word(objective: Objective, word: u64) -> Option<Best> {
    if word == 0 {
        return None;
    }
    let upwards = (word >> OWNER_BITS) as i64 - (1 << (VALUE_BITS - 1));
    Some(Best {
        value: match objective {
            Objective::Minimum => -upwards,
            Objective::Maximum => upwards,
        },
        owner: (OWNER_MASK - (word & OWNER_MASK)) as Rank,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = i64> {
        prop_oneof![
            -3i64..4,
            -MAX_VALUE..=MAX_VALUE,
            Just(MAX_VALUE),
            Just(-MAX_VALUE)
        ]
    }

    proptest! {
        #[test]
        fn the_best_has_the_highest_word(a in value(), b in value(), i in 0..1i32 << 23, j in 0..1i32 << 23) {
            for objective in [Objective::Minimum, Objective::Maximum] {
                let word = |value, owner| to_word(objective, value, owner);
                prop_assert!((1..1 << 63).contains(&word(a, i)));
                let back = from_word(objective, word(a, i));
                prop_assert_eq!(back, Some(Best { value: a, owner: i }));
                let is_better = match objective {
                    _ if a == b => i < j,
                    Objective::Minimum => a < b,
                    Objective::Maximum => a > b,
                };
                prop_assert_eq!(word(a, i) > word(b, j), is_better);
            }
        }
    }

    #[test]
    #[should_panic(expected = "beyond 2^39")]
    fn a_value_that_does_not_fit_panics() {
        to_word(Objective::Minimum, -MAX_VALUE - 1, 0);
    }
}
