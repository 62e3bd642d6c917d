//! Claiming items so that no two ranks ever win the same one, with no collective in between.
//!
//! A *board* holds `n_items` items on a home rank. Any rank claims any item at any time with one-sided
//! atomics; exactly one claim of each item is [`Claim::Won`]. What an operation's result shows of
//! other items is kept: claimed items stay claimed, so a remembered "claimed" is never wrong.
//!
//! | board | operations for a claim | the loser learns | memory |
//! |---|---|---|---|
//! | [`BitBoard`] | 1 fetch-and-op; 1 more where this rank finds a word full for the first time and there are several words | up to 63 other items | 1 bit an item on the home rank, rounded up to words of 64 |
//! | [`SpreadBoard`] | the same | the same | the same, dealt over all ranks |
//! | [`SharedBoard`] | 1 CPU atomic, all ranks on one node; else as [`BitBoard`] | the same | as [`BitBoard`] |
//! | [`TwoTierBoard`] | 1 CPU atomic; 1 fetch-and-op in the first claim of an item on each node | the same, and so do all ranks of its node | 1 bit an item on the home rank, and on each node |
//! | [`SlotBoard`] | 1 compare-and-swap and 1 fetch-and-op in one round trip; 1 more when won | who owns the item | 4 bytes an item on the home rank, or dealt over all ranks |
//! | [`Tickets`] | 1 fetch-and-op, for one item or a chunk, and it is never lost | – | 8 bytes |
//!
//! One bit an item is what it takes to tell which items are claimed. A rank that is to remember what it has
//! learnt takes as much for itself, page by page as it learns; [`Remember::Nothing`] takes none, and on a
//! [`TwoTierBoard`] the node remembers. Boards of
//! 2³⁶ items are 8 GiB, on one rank or dealt over all.
//!
//! Items are claimed one by one, or in numbers: [`Board::claim_many`] keeps many operations in flight,
//! [`WordBoard::claim_word`] takes what is free of 64 items, [`WordBoard::claim_next`] the next chunk of a
//! [`Schedule`]. Whoever does not care which items it gets takes chunks or [`Tickets`]; whoever wants a random
//! order, tickets through a [`Permutation`], or an [`UnclaimedPicker`].
//!
//! What ranks know together beyond claims, such as the best so far or whether to stop, is on a
//! [`Blackboard`].
//!
//! Where work is to survive the job, an item is [completed](WordBoard::complete) after it was claimed, and a rank
//! [saves](WordBoard::save) what is completed while others go on. A board that is
//! [restored](WordBoard::restore) from that file gives out the rest.
//!
//! While the home rank computes or sleeps, claims of others may stand still: on most transports somebody
//! has to enter MPI there meanwhile. [`Options::progress`] says who, and [`Board::progress`] and
//! [`Board::outside_mpi`] are the home rank's part in it.
//!
//! The proof that each item is won at most once and, when all ranks stop, exactly once, stands beside
//! this code in `src/claim/README.md`.
//!
//! ```no_run
//! use onesided::claim::{BitBoard, Board, Claim};
//! use onesided::rma::{Mpi, ThreadLevel};
//!
//! let mpi = Mpi::init(ThreadLevel::Funneled)?;
//! let world = mpi.world()?;
//! let mut board = BitBoard::open(&world, 0, 1000)?; // collective: 1000 items, kept on rank 0
//!
//! let mut mine = Vec::new();
//! let first = 1000 * world.rank() as usize / world.size() as usize; // each rank starts elsewhere
//! for item in (first..1000).chain(0..first) {
//!     if board.claim(item)? == Claim::Won {
//!         mine.push(item); // nobody else works on this item
//!     }
//! }
//!
//! board.close()?; // collective
//! world.free()?;
//! mpi.finalize()?;
//! # Ok::<(), onesided::rma::Error>(())
//! ```

mod blackboard;
mod known;
pub(crate) mod ledger;
pub(crate) mod muster;
mod options;
mod permutation;
mod saved;
mod schedule;
mod slot_board;
mod tickets;
mod two_tier;
mod unclaimed;
mod won;
mod word_board;

pub use blackboard::{Best, Blackboard, MAX_VALUE, Objective};
pub use known::Remember;
pub(crate) use ledger::{Entering, Entry, Ledger};
pub(crate) use muster::{Decision, Muster, N_NUMBERS};
pub use options::Options;
pub use permutation::Permutation;
pub use saved::Restored;
pub use schedule::{Chunks, Schedule};
pub use slot_board::{Holding, SlotBoard};
pub use tickets::{SharedTickets, Tickets};
pub use two_tier::TwoTierBoard;
pub use unclaimed::UnclaimedPicker;
pub use won::Won;
pub use word_board::{BitBoard, Memory, SharedBoard, SpreadBoard, WordBoard};

use crate::rma::{PIPELINE_DEPTH, ProgressEngine, Rank, Result};

/// What became of a claim. Losing is an outcome, not an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "whether the claim was won decides who does the work"]
pub enum Claim {
    /// The item is this rank's, and nobody else's, for good.
    Won,
    /// The item was claimed before.
    Lost {
        /// Who holds it, where the board knows: [`SlotBoard`] does, [`BitBoard`] does not.
        owner: Option<Rank>,
    },
}

impl Claim {
    /// Whether the item is this rank's.
    pub fn is_won(self) -> bool {
        self == Claim::Won
    }
}

/// What the home rank's memory says of a board at rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// For each item whether it was claimed.
    pub claimed: Vec<bool>,
    /// For each item who holds it, where the board keeps owners.
    pub owners: Option<Vec<Option<Rank>>>,
}

impl Account {
    /// Of a board whose words show what is claimed, and not by whom.
    fn of_bits(words: &[u64], n_items: usize) -> Self {
        let claimed = (0..n_items).map(|item| {
            let (index, bit) = known::place(item);
            words[index] & bit != 0
        });
        Account {
            claimed: claimed.collect(),
            owners: None,
        }
    }
}

/// Claims `items` by `claim`, so many at a time that one pipeline holds them.
fn in_pipelines(
    items: &[usize],
    claims: &mut [Claim],
    mut claim: impl FnMut(&[usize], &mut [Claim]) -> Result<()>,
) -> Result<()> {
    assert_eq!(items.len(), claims.len(), "a claim for each item");
    let batches = items.chunks(PIPELINE_DEPTH);
    for (items, claims) in batches.zip(claims.chunks_mut(PIPELINE_DEPTH)) {
        claim(items, claims)?;
    }
    Ok(())
}

/// A set of items that ranks claim one-sidedly.
///
/// `open` (on the type) and [`close`](Board::close) are collective; nothing else is.
///
/// An operation that MPI fails poisons the board on that rank, since what became of it is unknown: all that follow
/// return [`ErrorKind::Poisoned`](crate::rma::ErrorKind::Poisoned), and `close` is what is left. So does a panic while
/// operations are in flight. Items and lengths are checked before anything is in flight: a panic of a call that was
/// misused leaves the board as it was.
pub trait Board {
    /// How many items there are, claimed or not: items are `0..n_items`.
    fn n_items(&self) -> usize;

    /// Claims `item`. Won by exactly one rank, whichever order the home rank's memory saw.
    ///
    /// # Errors
    /// What MPI returns.
    ///
    /// # Panics
    /// If there is no such item.
    fn claim(&mut self, item: usize) -> Result<Claim>;

    /// Claims several items, and puts what became of the claim of `items[i]` into `claims[i]`. Pipelined:
    /// as many as fit are in flight together, so over a network they take little more than one round
    /// trip. An item that is named twice is won once at most.
    ///
    /// # Errors
    /// What MPI returns; some of the items may be claimed then, and no rank knows that it has won them.
    ///
    /// # Panics
    /// If there is no such item, or `claims` has another length than `items`.
    fn claim_many(&mut self, items: &[usize], claims: &mut [Claim]) -> Result<()> {
        assert_eq!(items.len(), claims.len(), "a claim for each item");
        for (&item, claim) in items.iter().zip(claims) {
            *claim = self.claim(item)?;
        }
        Ok(())
    }

    /// [`claim`](Board::claim), except that an item which this rank already knows to be claimed is
    /// lost without an operation. Its owner is not remembered.
    ///
    /// # Errors
    /// What MPI returns.
    ///
    /// # Panics
    /// If there is no such item.
    #[inline]
    fn claim_unless_known(&mut self, item: usize) -> Result<Claim> {
        if self.is_known_claimed(item) {
            return Ok(Claim::Lost { owner: None });
        }
        self.claim(item)
    }

    /// Learns whether all items are claimed, with one operation, and claims nothing. On a [`TwoTierBoard`]
    /// of several words it takes two, and as many looks as there are words at most, by all ranks of the node
    /// together; once all words are counted on the home rank, one.
    ///
    /// # Errors
    /// What MPI returns.
    fn look(&mut self) -> Result<()>;

    /// Whether this rank has learnt that `item` is claimed. Costs no operation. Never wrong when
    /// true; when false, the item may have been claimed since. On a [`TwoTierBoard`] a claim of it by
    /// another rank of this node may still be under way.
    ///
    /// # Panics
    /// If there is no such item.
    fn is_known_claimed(&self, item: usize) -> bool;

    /// Whether this rank has learnt that all items are claimed. Costs no operation. The same holds of
    /// claims that are under way.
    fn all_known_claimed(&self) -> bool;

    /// What the last claim of `item` showed, as evidence for a trace: a [`BitBoard`]'s word after that
    /// claim, a [`SlotBoard`]'s slot before it (0, or the owner's rank + 1), the home rank's word after it
    /// on a [`TwoTierBoard`], and 0 where that was not asked. Costs no operation.
    ///
    /// # Panics
    /// If there is no such item.
    fn evidence(&self, item: usize) -> u64;

    /// The same for the last [`look`](Board::look): a [`BitBoard`]'s word where it has one only, else
    /// 0. Costs no operation.
    fn evidence_of_look(&self) -> u64;

    /// How many RMA operations this rank has issued for claims and looks so far.
    fn n_operations(&self) -> u64;

    /// Reads the home rank's memory. Exact at rest only: every rank's last operation happened before
    /// (a barrier in between does it), and none begins until this returns.
    ///
    /// # Errors
    /// What MPI returns.
    fn account(&self) -> Result<Account>;

    /// Makes all items free again in the home rank's memory, for a further round. At rest only, as
    /// [`account`](Board::account); called by one rank, while all call [`forget`](Board::forget), in any
    /// order, and before the next barrier.
    ///
    /// # Errors
    /// What MPI returns.
    fn clear(&mut self) -> Result<()>;

    /// Forgets what this rank has learnt, or its node, for a further round on a board that is
    /// [cleared](Board::clear). At rest only, as [`account`](Board::account).
    fn forget(&mut self);

    /// What keeps other ranks' claims moving while the home rank is outside MPI.
    fn engine(&self) -> &ProgressEngine<'_>;

    /// Lets other ranks' claims through, where this rank is home and polling is the means: to be called
    /// now and then in a loop that computes, about every
    /// [`visit_interval`](ProgressEngine::visit_interval).
    ///
    /// # Errors
    /// What MPI returns.
    #[inline]
    fn progress(&self) -> Result<()> {
        self.engine().visit()
    }

    /// Does `work`, which calls nothing of MPI, while the helper thread lets other ranks' claims
    /// through, where this rank is home and has one; where it polls, lets them through afterwards. So
    /// long work is done in pieces: see [`ProgressEngine::outside_mpi`].
    ///
    /// # Errors
    /// What MPI returned to the helper, or to the visit afterwards.
    #[inline]
    fn outside_mpi<T>(&self, work: impl FnOnce() -> T + Send) -> Result<T>
    where
        Self: Sized,
    {
        self.engine().outside_mpi(work)
    }

    /// Closes the board. Collective over the ranks that opened it.
    ///
    /// # Errors
    /// What MPI returns.
    fn close(self) -> Result<()>
    where
        Self: Sized;

    /// [`close`](Board::close) of a `Box<dyn Board>`.
    ///
    /// # Errors
    /// What MPI returns.
    fn close_boxed(self: Box<Self>) -> Result<()>;
}
