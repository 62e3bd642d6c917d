//! A board of one slot an item, claimed by `MPI_Compare_and_swap`: it knows who owns what.

use super::known::{Known, place};
use super::{Account, Board, Claim, Options};
use crate::rma::{Comm, Counter, Layout, ProgressEngine, Rank, Region, Result, Slot, Window};

/// Items as 32-bit slots on the home rank: 0 while the item is free, then the owner's rank plus 1.
///
/// A counter beside the slots says how many are taken: steps C1 to C4 of `src/claim/README.md`.
#[derive(Debug)]
#[must_use = "a board is closed with `close`, which is collective"]
pub struct SlotBoard<'mpi> {
    window: Window<'mpi>,
    engine: ProgressEngine<'mpi>,
    slots: Region<Slot>,
    n_claimed: Region<Counter>,
    /// What this rank puts into a slot that it wins.
    own_mark: u32,
    /// What the last claim found.
    last_found: u32,
    known: Known,
    all_claimed: bool,
    n_operations: u64,
}

/// What a slot holds while its item is free.
const FREE: u32 = 0;

/// Who put this mark into a slot.
fn owner_of(mark: u32) -> Option<Rank> {
    mark.checked_sub(1)
        .and_then(|rank| Rank::try_from(rank).ok())
}

impl<'mpi> SlotBoard<'mpi> {
    /// Opens a board of `n_items` free items on rank `home`. Collective.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn open(comm: &Comm<'mpi>, home: Rank, n_items: usize) -> Result<Self> {
        Self::open_with(comm, home, n_items, &Options::default())
    }

    /// [`open`](SlotBoard::open) with choices of hints and progress.
    ///
    /// # Errors
    /// What MPI returns, or [`ProgressEngine::start`].
    pub fn open_with(
        comm: &Comm<'mpi>,
        home: Rank,
        n_items: usize,
        options: &Options,
    ) -> Result<Self> {
        let mut layout = Layout::new();
        let n_claimed = layout.region(1);
        let slots = layout.region(n_items);
        let window = Window::open_with_hints(comm, home, &layout, options.hints)?;
        let mut read = || window.fetch_add(n_claimed, 0, 0).map(drop);
        let engine = options.start_engine(comm, home, &mut read)?;
        Ok(SlotBoard {
            window,
            engine,
            slots,
            n_claimed,
            own_mark: comm.rank().unsigned_abs() + 1,
            last_found: FREE,
            known: Known::nothing(n_items),
            all_claimed: n_items == 0,
            n_operations: 0,
        })
    }

    fn learn_number_claimed(&mut self, n_claimed: u64) {
        if n_claimed == self.slots.n_words() as u64 {
            self.all_claimed = true;
        }
    }
}

impl Board for SlotBoard<'_> {
    fn n_items(&self) -> usize {
        self.slots.n_words()
    }

    #[inline]
    fn claim(&mut self, item: usize) -> Result<Claim> {
        let (slot, counter) = ((self.slots, item), (self.n_claimed, 0));
        self.n_operations += 2;
        let (found, n_claimed) =
            self.window
                .compare_and_swap_and_read(slot, FREE, self.own_mark, counter)?; // C1
        self.last_found = found;
        let (index, bit) = place(item);
        self.known.learn(index, bit);
        if found != FREE {
            self.learn_number_claimed(n_claimed); // C4
            return Ok(Claim::Lost {
                owner: owner_of(found),
            }); // C2
        }
        self.n_operations += 1;
        let before = self.window.fetch_add(self.n_claimed, 0, 1)?; // C3
        self.learn_number_claimed(before + 1);
        Ok(Claim::Won)
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
        self.all_claimed
    }

    #[inline]
    fn evidence(&self, _item: usize) -> u64 {
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
        drop(self.engine); // before its window: its thread calls MPI
        self.window.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_names_its_owner_and_free_names_nobody() {
        assert_eq!(owner_of(FREE), None);
        assert_eq!(owner_of(1), Some(0));
        assert_eq!(owner_of(Rank::MAX.unsigned_abs() + 1), Some(Rank::MAX));
    }
}
