//! A board of one bit an item, claimed by fetch-and-or: in a window, or in memory that a node shares.

use super::known::{Known, assert_item, place, words_for};
use super::{Account, Board, Claim, Options};
use crate::rma::{
    Bits, Comm, Counter, ErrorKind, Layout, ProgressEngine, Rank, Region, Result, SharedWindow,
    Window, library,
};

/// A board in a window on the home rank, claimed by `MPI_Fetch_and_op(MPI_BOR)`.
pub type BitBoard<'mpi> = WordBoard<'mpi, Window<'mpi>>;

/// A board in memory that all ranks of one node share, claimed by CPU atomics: nothing on it needs
/// anybody's progress, on any MPI library.
pub type SharedBoard<'mpi> = WordBoard<'mpi, SharedWindow<'mpi>>;

/// Items as bits in 64-bit words on the home rank. One fetch-and-or answers won or lost and shows
/// the 63 items beside.
///
/// Bit `item % 64` of word `item / 64` is 1 once the item is claimed; bits beyond the last item stay
/// 0. A board of several words has a counter of its full words, which is how ranks learn that all is
/// claimed without looking at every word: steps F1 to F4 of `src/claim/README.md`.
#[derive(Debug)]
#[must_use = "a board is closed with `close`, which is collective"]
pub struct WordBoard<'mpi, M> {
    memory: M,
    engine: ProgressEngine<'mpi>,
    words: Region<Bits>,
    n_full_words: Region<Counter>,
    n_items: usize,
    known: Known,
    all_claimed: bool,
    n_operations: u64,
}

/// Where the words of a board lie, and who operates on them. One board has one memory, so no word
/// ever sees both RMA operations and CPU atomics.
pub trait Memory: sealed::Sealed {
    /// Sets `bits` in word `index`, and returns the word as it was before.
    ///
    /// # Errors
    /// What MPI returns.
    fn fetch_or(&self, words: Region<Bits>, index: usize, bits: u64) -> Result<u64>;

    /// Adds to counter 0, and returns it as it was before.
    ///
    /// # Errors
    /// What MPI returns.
    fn fetch_add(&self, counter: Region<Counter>, addend: u64) -> Result<u64>;

    /// All words, at rest.
    ///
    /// # Errors
    /// What MPI returns.
    fn read(&self, words: Region<Bits>) -> Result<Vec<u64>>;

    /// Makes all zero, at rest.
    ///
    /// # Errors
    /// What MPI returns.
    fn clear(&self) -> Result<()>;

    /// Frees it. Collective.
    ///
    /// # Errors
    /// What MPI returns.
    fn close(self) -> Result<()>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Window<'_> {}
    impl Sealed for super::SharedWindow<'_> {}
}

impl Memory for Window<'_> {
    #[inline(always)]
    fn fetch_or(&self, words: Region<Bits>, index: usize, bits: u64) -> Result<u64> {
        self.fetch_or(words, index, bits)
    }

    #[inline]
    fn fetch_add(&self, counter: Region<Counter>, addend: u64) -> Result<u64> {
        self.fetch_add(counter, 0, addend)
    }

    fn read(&self, words: Region<Bits>) -> Result<Vec<u64>> {
        self.read(words)
    }

    fn clear(&self) -> Result<()> {
        self.clear()
    }

    fn close(self) -> Result<()> {
        self.close()
    }
}

impl Memory for SharedWindow<'_> {
    #[inline(always)]
    fn fetch_or(&self, words: Region<Bits>, index: usize, bits: u64) -> Result<u64> {
        Ok(self.fetch_or(words, index, bits))
    }

    #[inline]
    fn fetch_add(&self, counter: Region<Counter>, addend: u64) -> Result<u64> {
        Ok(self.fetch_add(counter, 0, addend))
    }

    fn read(&self, words: Region<Bits>) -> Result<Vec<u64>> {
        Ok(self.read(words))
    }

    fn clear(&self) -> Result<()> {
        self.clear();
        Ok(())
    }

    fn close(self) -> Result<()> {
        self.close()
    }
}

impl<'mpi> BitBoard<'mpi> {
    /// Opens a board of `n_items` free items on rank `home`. Collective.
    ///
    /// # Errors
    /// As [`open_with`](BitBoard::open_with).
    pub fn open(comm: &Comm<'mpi>, home: Rank, n_items: usize) -> Result<Self> {
        Self::open_with(comm, home, n_items, &Options::default())
    }

    /// [`open`](BitBoard::open) with choices of hints and progress.
    ///
    /// Tries once on each rank whether bits that it sets are there afterwards: see [`ErrorKind::LostBits`].
    ///
    /// # Errors
    /// [`ErrorKind::LostBits`], what [`ProgressEngine::start`] returns, or what MPI returns.
    pub fn open_with(
        comm: &Comm<'mpi>,
        home: Rank,
        n_items: usize,
        options: &Options,
    ) -> Result<Self> {
        let (mut layout, words, n_full_words) = lay_out(n_items);
        let trial_words = layout.region(words_for(comm.size() as usize));
        let window = Window::open_with_hints(comm, home, &layout, options.hints)?;
        try_setting_bits(comm, &window, trial_words)?;
        let mut board = Self::on(window, words, n_full_words, n_items);
        if n_items > 0 {
            let window = &board.memory;
            let mut read = || window.fetch_or(words, 0, 0).map(drop);
            board.engine = options.start_engine(comm, home, &mut read)?;
        }
        Ok(board)
    }
}

impl<'mpi> SharedBoard<'mpi> {
    /// Opens a board of `n_items` free items on rank `home`. Collective; all ranks on one node.
    ///
    /// # Errors
    /// [`ErrorKind::SeveralNodes`](crate::rma::ErrorKind::SeveralNodes), or what MPI returns.
    pub fn open(comm: &Comm<'mpi>, home: Rank, n_items: usize) -> Result<Self> {
        let (layout, words, n_full_words) = lay_out(n_items);
        let window = SharedWindow::open(comm, home, &layout)?;
        Ok(Self::on(window, words, n_full_words, n_items))
    }
}

/// Sets one bit on each rank, and reads it back, so that a library that loses bits is found before it
/// matters. Open MPI 5.0.11 does over TCP: the code on the target was compiled wrongly. Collective.
fn try_setting_bits(comm: &Comm<'_>, window: &Window<'_>, words: Region<Bits>) -> Result<()> {
    let (index, bit) = place(comm.rank() as usize);
    window.fetch_or(words, index, bit)?;
    let is_lost = window.fetch_or(words, index, 0)? & bit == 0;
    let mut lost = vec![0; words.n_words()];
    lost[index] = if is_lost { bit } else { 0 };
    let mut all_lost = vec![0; words.n_words()];
    comm.allreduce_or(&lost, &mut all_lost)?;
    let first = (0..comm.size()).find(|&rank| {
        let (index, bit) = place(rank as usize);
        all_lost[index] & bit != 0
    });
    match first {
        None => Ok(()),
        Some(rank) => Err(ErrorKind::LostBits {
            library: library()?.to_string(),
            rank,
        }
        .into()),
    }
}

fn lay_out(n_items: usize) -> (Layout, Region<Bits>, Region<Counter>) {
    let n_words = words_for(n_items);
    let mut layout = Layout::new();
    let words = layout.region(n_words);
    layout.on_next_cache_line(); // claims of the last words do not slow the counter
    let n_full_words = layout.region(usize::from(n_words > 1));
    (layout, words, n_full_words)
}

impl<M: Memory> WordBoard<'_, M> {
    fn on(memory: M, words: Region<Bits>, n_full_words: Region<Counter>, n_items: usize) -> Self {
        WordBoard {
            memory,
            engine: ProgressEngine::none(),
            words,
            n_full_words,
            n_items,
            known: Known::nothing(n_items),
            all_claimed: n_items == 0,
            n_operations: 0,
        }
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
        let before = self.memory.fetch_add(self.n_full_words, addend)?;
        self.all_claimed |= before + addend == self.words.n_words() as u64;
        Ok(())
    }
}

impl<M: Memory> Board for WordBoard<'_, M> {
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
        let before = self.memory.fetch_or(self.words, index, bit)?; // F1
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
        let word = self.memory.fetch_or(self.words, 0, 0)?;
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
        let words = self.memory.read(self.words)?;
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
        self.memory.clear()
    }

    fn forget(&mut self) {
        self.known.clear();
        self.all_claimed = self.n_items == 0;
    }

    fn engine(&self) -> &ProgressEngine<'_> {
        &self.engine
    }

    fn close(self) -> Result<()> {
        drop(self.engine); // before its window: its thread calls MPI
        self.memory.close()
    }
}
