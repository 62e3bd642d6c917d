//! A board of one slot an item, claimed by `MPI_Compare_and_swap`: it knows who owns what.

mod completions;

pub use completions::Holding;

use super::known::{Known, assert_item, assert_items, place};
use super::{Account, Board, Claim, Options, in_pipelines};
use crate::rma::{
    Comm, Counter, Dealt, Homes, Layout, OneHome, PIPELINE_DEPTH, ProgressEngine, Rank, Region,
    Result, Slot, Window,
};

/// Items as 32-bit slots on the home rank: 0 while the item is free, then the owner's rank plus 1, and bit 31
/// once the item is completed.
///
/// A counter beside the slots says how many are taken: steps C1 to C4 of `src/claim/README.md`.
#[derive(Debug)]
#[must_use = "a board is closed with `close`, which is collective"]
pub struct SlotBoard<'mpi, H = OneHome> {
    window: Window<'mpi, H>,
    engine: ProgressEngine<'mpi>,
    slots: Region<Slot>,
    n_claimed: Region<Counter>,
    /// What this rank puts into a slot that it wins.
    own_mark: u32,
    n_ranks: Rank,
    /// What the last claim found.
    last_found: u32,
    known: Known,
    all_claimed: bool,
    n_operations: u64,
}

/// What a slot holds while its item is free.
const FREE: u32 = 0;

/// Bit 31 of a slot: the item is completed. The other 31 bits are the owner's rank plus 1, or 0 where the item was
/// completed before the board was restored from a checkpoint.
const DONE: u32 = 1 << 31;

/// What `rank` puts into a slot that it wins. Ranks are below [`Rank::MAX`], which is a number of them, so bit 31
/// stays clear.
fn mark_of(rank: Rank) -> u32 {
    rank.unsigned_abs() + 1
}

/// Who put this mark into a slot.
fn owner_of(mark: u32) -> Option<Rank> {
    let rank = (mark & !DONE).checked_sub(1)?;
    Rank::try_from(rank).ok()
}

impl<'mpi> SlotBoard<'mpi> {
    /// Opens a board of `n_items` free items on rank `home`. Collective.
    ///
    /// # Errors
    /// As [`open_with`](SlotBoard::open_with).
    pub fn open(comm: &Comm<'mpi>, home: Rank, n_items: usize) -> Result<Self> {
        Self::open_with(comm, home, n_items, &Options::default())
    }

    /// [`open`](SlotBoard::open) with choices.
    ///
    /// # Errors
    /// As [`BitBoard::open_with`](super::BitBoard::open_with), but for lost bits.
    pub fn open_with(
        comm: &Comm<'mpi>,
        home: Rank,
        n_items: usize,
        options: &Options,
    ) -> Result<Self> {
        Self::open_on("SlotBoard", comm, OneHome(home), n_items, options)
    }
}

impl<'mpi> SlotBoard<'mpi, Dealt> {
    /// Opens a board of `n_items` free items, whose slots are dealt over all ranks. Collective.
    ///
    /// # Errors
    /// As [`open_with`](SlotBoard::open_with).
    pub fn open_spread(comm: &Comm<'mpi>, n_items: usize, options: &Options) -> Result<Self> {
        Self::open_on(
            "SlotBoard dealt over all ranks",
            comm,
            Dealt::over(comm, 0),
            n_items,
            options,
        )
    }
}

impl<'mpi, H: Homes> SlotBoard<'mpi, H> {
    fn open_on(
        kind: &str,
        comm: &Comm<'mpi>,
        homes: H,
        n_items: usize,
        options: &Options,
    ) -> Result<Self> {
        let mut layout = Layout::dealt(homes.n_ranks());
        let n_claimed = layout.region(1);
        let slots = layout.region(n_items);
        let opening = options.opening(kind, homes.first(), n_items);
        let window = options.open_window(&opening, comm, homes, &layout, n_items)?;
        let read = |window: &Window<'mpi, H>| window.fetch_add(n_claimed, 0, 0).map(drop);
        let (window, engine) = options.start_engine(comm, window, |_| Ok(()), read)?;
        Ok(SlotBoard {
            window,
            engine,
            slots,
            n_claimed,
            own_mark: mark_of(comm.rank()),
            n_ranks: comm.size(),
            last_found: FREE,
            known: Known::nothing(n_items, options.remember),
            all_claimed: n_items == 0,
            n_operations: 0,
        })
    }

    /// C1 to C4 for several items, with one flush for all of C1.
    fn claim_pipelined(&mut self, items: &[usize], claims: &mut [Claim]) -> Result<()> {
        let mut found = [FREE; PIPELINE_DEPTH];
        let found = &mut found[..items.len()];
        self.n_operations += items.len() as u64 + 1;
        let n_claimed = self.window.compare_and_swap_pipelined(
            (self.slots, items),
            (FREE, self.own_mark),
            (self.n_claimed, 0),
            found,
        )?; // C1
        let mut n_won = 0;
        for ((&item, &found), claim) in items.iter().zip(&*found).zip(claims) {
            *claim = self.learn(item, found); // C2
            n_won += u64::from(claim.is_won());
        }
        if n_won > 0 {
            self.count(n_won)?; // C3
        } else {
            self.learn_number_claimed(n_claimed); // C4
        }
        Ok(())
    }

    /// What became of a claim that found this in the slot.
    #[inline]
    fn learn(&mut self, item: usize, found: u32) -> Claim {
        let (index, bit) = place(item);
        self.known.learn(index, bit);
        self.last_found = found;
        match found {
            FREE => Claim::Won,
            mark => Claim::Lost {
                owner: owner_of(mark),
            },
        }
    }

    fn count(&mut self, n_won: u64) -> Result<()> {
        self.n_operations += 1;
        let before = self.window.fetch_add(self.n_claimed, 0, n_won)?;
        self.learn_number_claimed(before + n_won);
        Ok(())
    }

    fn learn_number_claimed(&mut self, n_claimed: u64) {
        if n_claimed == self.slots.n_words() as u64 {
            self.all_claimed = true;
        }
    }
}

impl<H: Homes> Board for SlotBoard<'_, H> {
    fn n_items(&self) -> usize {
        self.slots.n_words()
    }

    #[inline]
    fn claim(&mut self, item: usize) -> Result<Claim> {
        assert_item(item, self.slots.n_words());
        let (slot, counter) = ((self.slots, item), (self.n_claimed, 0));
        let swap = (FREE, self.own_mark);
        self.n_operations += 2;
        let (found, n_claimed) = self.window.compare_and_swap_and_read(slot, swap, counter)?; // C1
        let claim = self.learn(item, found); // C2
        if claim.is_won() {
            self.count(1)?; // C3
        } else {
            self.learn_number_claimed(n_claimed); // C4
        }
        Ok(claim)
    }

    fn claim_many(&mut self, items: &[usize], claims: &mut [Claim]) -> Result<()> {
        assert_items(items, self.n_items());
        in_pipelines(items, claims, |items, claims| {
            self.claim_pipelined(items, claims)
        })
    }

    fn look(&mut self) -> Result<()> {
        self.n_operations += 1;
        let n_claimed = self.window.fetch_add(self.n_claimed, 0, 0)?;
        self.learn_number_claimed(n_claimed);
        Ok(())
    }

    #[inline]
    fn is_known_claimed(&self, item: usize) -> bool {
        self.known.contains(item)
    }

    #[inline]
    fn all_known_claimed(&self) -> bool {
        self.all_claimed || self.known.all()
    }

    #[inline]
    fn evidence(&self, item: usize) -> u64 {
        assert_item(item, self.slots.n_words());
        self.last_found.into()
    }

    fn evidence_of_look(&self) -> u64 {
        0
    }

    fn n_operations(&self) -> u64 {
        self.n_operations
    }

    fn account(&self) -> Result<Account> {
        let marks = self.window.read(self.slots)?;
        let claimed = marks.iter().map(|&mark| mark != FREE).collect();
        let owners = marks.into_iter().map(owner_of).collect();
        Ok(Account {
            claimed,
            owners: Some(owners),
        })
    }

    fn clear(&mut self) -> Result<()> {
        self.window.clear()
    }

    fn forget(&mut self) {
        self.known.clear();
        self.all_claimed = self.slots.n_words() == 0;
    }

    fn engine(&self) -> &ProgressEngine<'_> {
        &self.engine
    }

    fn close(self) -> Result<()> {
        let stopped = self.engine.stop(); // before its window: its thread calls MPI
        self.window.close().and(stopped)
    }

    fn close_boxed(self: Box<Self>) -> Result<()> {
        self.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_names_its_owner_and_free_names_nobody() {
        assert_eq!(owner_of(FREE), None);
        assert_eq!(owner_of(DONE), None);
        for rank in [0, 1, Rank::MAX - 1] {
            assert_eq!(mark_of(rank) & DONE, 0);
            assert_eq!(owner_of(mark_of(rank)), Some(rank));
            assert_eq!(owner_of(mark_of(rank) | DONE), Some(rank));
        }
    }
}
