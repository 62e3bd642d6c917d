//! A board of one bit an item, claimed by `MPI_Fetch_and_op(MPI_BOR)`.

use super::known::{Known, assert_item, place, words_for};
use super::{Account, Board, Claim};
use crate::rma::{Bits, Comm, Counter, Hints, Layout, Rank, Region, Result, Window};

/// Items as bits in 64-bit words on the home rank. One fetch-and-or answers won or lost and shows
/// the 63 items beside.
///
/// Bit `item % 64` of word `item / 64` is 1 once the item is claimed; bits beyond the last item stay
/// 0. A board of several words has a counter of its full words, which is how ranks learn that all is
/// claimed without looking at every word: steps F1 to F4 of `src/claim/README.md`.
#[derive(Debug)]
#[must_use = "a board is closed with `close`, which is collective"]
pub struct BitBoard<'mpi> {
    window: Window<'mpi>,
    words: Region<Bits>,
    n_full_words: Region<Counter>,
    n_items: usize,
    known: Known,
    all_claimed: bool,
    n_operations: u64,
}

impl<'mpi> BitBoard<'mpi> {
    /// Opens a board of `n_items` free items on rank `home`. Collective.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn open(comm: &Comm<'mpi>, home: Rank, n_items: usize) -> Result<Self> {
        Self::open_with_hints(comm, home, n_items, Hints::default())
    }

    /// [`open`](BitBoard::open) with a choice of hints, for measuring what they bring.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn open_with_hints(
        comm: &Comm<'mpi>,
        home: Rank,
        n_items: usize,
        hints: Hints,
    ) -> Result<Self> {
        let n_words = words_for(n_items);
        let mut layout = Layout::new();
        let words = layout.region(n_words);
        let n_full_words = layout.region(usize::from(n_words > 1));
        let window = Window::open_with_hints(comm, home, &layout, hints)?;
        let known = Known::nothing(n_items);
        let all_claimed = n_items == 0;
        Ok(BitBoard {
            window,
            words,
            n_full_words,
            n_items,
            known,
            all_claimed,
            n_operations: 0,
        })
    }

    fn has_one_word(&self) -> bool {
        self.words.n_words() <= 1
    }

    /// A claim saw its word full. F3, F4: the one claim that filled it counts it; others look.
    #[inline]
    fn word_is_full(&mut self, filled_by_this_claim: bool) -> Result<()> {
        if self.all_claimed {
            return Ok(());
        }
        if self.has_one_word() {
            self.all_claimed = true;
            return Ok(());
        }
        self.count_full_words(u64::from(filled_by_this_claim))
    }

    /// Adds `addend` to the number of full words, and learns whether all are full.
    #[inline(never)]
    fn count_full_words(&mut self, addend: u64) -> Result<()> {
        self.n_operations += 1;
        let before = self.window.fetch_add(self.n_full_words, 0, addend)?;
        self.all_claimed |= before + addend == self.words.n_words() as u64;
        Ok(())
    }
}

impl Board for BitBoard<'_> {
    fn n_items(&self) -> usize {
        self.n_items
    }

    // Not left to the compiler: where the operation takes 20 ns (Open MPI 5.0.11), the call and its saved
    // registers were a tenth of it.
    #[inline(always)]
    fn claim(&mut self, item: usize) -> Result<Claim> {
        assert_item(item, self.n_items);
        let (index, bit) = place(item);
        self.n_operations += 1;
        let before = self.window.fetch_or(self.words, index, bit)?; // F1
        let won = before & bit == 0; // F2
        if self.known.learn(index, before | bit) {
            self.word_is_full(won)?;
        }
        Ok(if won {
            Claim::Won
        } else {
            Claim::Lost { owner: None }
        })
    }

    fn look(&mut self) -> Result<()> {
        if self.n_items == 0 {
            return Ok(());
        }
        if !self.has_one_word() {
            return self.count_full_words(0);
        }
        self.n_operations += 1;
        let word = self.window.fetch_or(self.words, 0, 0)?;
        self.all_claimed |= self.known.learn(0, word);
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

    /// What is known of the item's word: each claim of one rank sees at least what those before it saw,
    /// so this is what the last of them saw, and itself.
    #[inline]
    fn evidence(&self, item: usize) -> u64 {
        self.known.word_of(item)
    }

    #[inline]
    fn evidence_of_look(&self) -> u64 {
        match self.has_one_word() && self.n_items > 0 {
            true => self.known.word_of(0),
            false => 0,
        }
    }

    fn n_operations(&self) -> u64 {
        self.n_operations
    }

    fn account(&self) -> Result<Account> {
        let words = self.window.read(self.words)?;
        let claimed = (0..self.n_items).map(|item| {
            let (index, bit) = place(item);
            words[index] & bit != 0
        });
        let claimed = claimed.collect();
        Ok(Account {
            claimed,
            owners: None,
        })
    }

    fn clear(&mut self) -> Result<()> {
        self.window.clear()
    }

    fn forget(&mut self) {
        self.known.clear();
        self.all_claimed = self.n_items == 0;
    }

    fn close(self) -> Result<()> {
        self.window.close()
    }
}
