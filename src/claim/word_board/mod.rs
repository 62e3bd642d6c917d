//! Boards of one bit an item, claimed by fetch-and-or: in a window, or in memory that a node shares.

mod blocks;
mod completions;
mod memory;
mod numbers;
mod open;

use memory::IS_THERE;
pub use memory::Memory;
pub(in crate::claim) use open::{n_trial_words, try_setting_bits};

use std::ops::Range;

use super::known::{Known, assert_item, assert_items, items_in, place, words_for};
use super::schedule::Schedule;
use super::{Account, Board, Claim, Options, in_pipelines};
use crate::rma::{Comm, Dealt, ProgressEngine, Result, SharedWindow, Window};
use blocks::{BLOCK_WORDS, Blocks, Marks, n_blocks};
use completions::Completions;
use numbers::Handed;
use open::{N_FULL_WORDS, Regions};

/// A board in a window on the home rank, claimed by `MPI_Fetch_and_op(MPI_BOR)`.
pub type BitBoard<'mpi> = WordBoard<'mpi, Window<'mpi>>;

/// A [`BitBoard`] whose words are dealt over the windows of all ranks: each has 1 / (number of ranks) of
/// the memory and of the operations.
pub type SpreadBoard<'mpi> = WordBoard<'mpi, Window<'mpi, Dealt>>;

/// A board in memory that all ranks of one node share, claimed by CPU atomics: nothing on it needs
/// anybody's progress, on any MPI library.
pub type SharedBoard<'mpi> = WordBoard<'mpi, SharedWindow<'mpi>>;

/// Items as bits in 64-bit words on the home rank. One fetch-and-or answers won or lost and shows
/// the 63 items beside.
///
/// Bit `item % 64` of word `item / 64` is 1 once the item is claimed; bits beyond the last item stay
/// 0. A board of several words has a counter of its full words, which is how ranks learn that all is
/// claimed without looking at every word: steps F0 to F4 of `src/claim/README.md`.
#[derive(Debug)]
#[must_use = "a board is closed with `close`, which is collective"]
pub struct WordBoard<'mpi, M> {
    memory: M,
    engine: ProgressEngine<'mpi>,
    regions: Regions,
    n_items: usize,
    n_ranks: usize,
    known: Known,
    /// What this rank knows of the blocks; a small board has none.
    blocks: Option<Box<Blocks>>,
    all_claimed: bool,
    n_operations: u64,
    schedule: Schedule,
    /// Made by the first claim of a chunk.
    handed: Option<Box<Handed>>,
    /// Where items are completed after they were claimed.
    completions: Option<Box<Completions>>,
}

impl<M: Memory> WordBoard<'_, M> {
    fn on(memory: M, regions: Regions, n_items: usize, comm: &Comm<'_>, options: &Options) -> Self {
        WordBoard {
            memory,
            engine: ProgressEngine::none(),
            regions,
            n_items,
            n_ranks: comm.size() as usize,
            known: Known::nothing(n_items, options.remember),
            blocks: Blocks::unknown(match options.in_blocks {
                true => n_blocks(n_items),
                false => 0,
            }),
            all_claimed: n_items == 0,
            n_operations: 0,
            schedule: options.schedule,
            handed: None,
            completions: options.completions.then(Box::default),
        }
    }

    /// How many words of 64 items the board has; the last may be in part.
    pub fn n_words(&self) -> usize {
        words_for(self.n_items)
    }

    /// How many items are claimed, by the board's memory. Reads that in pieces, so that the answer needs no
    /// more memory on a large board than on a small one, which
    /// [`account`](Board::account) does. At rest only, as that.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn n_claimed(&self) -> Result<usize> {
        let mut n_claimed = 0;
        self.for_each_claimed(|_, claimed| n_claimed += claimed.count_ones() as usize)?;
        Ok(n_claimed)
    }

    /// Shows what of each word is claimed to `look`, with its index: by its bits, or by the mark of its
    /// block.
    fn for_each_claimed(&self, mut look: impl FnMut(usize, u64)) -> Result<()> {
        let marks = self.memory.read(self.regions.marks)?;
        self.memory
            .for_each_word(self.regions.words, |index, word| {
                let Marks {
                    index: of, whole, ..
                } = Marks::of(index / BLOCK_WORDS);
                let is_whole = marks.get(of).is_some_and(|marks| marks & whole != 0);
                let claimed = match is_whole {
                    true => items_in(index, self.n_items),
                    false => word,
                };
                look(index, claimed);
            })
    }

    /// How many bytes the board takes in windows, on all ranks together: 1 bit an item, counters, and where
    /// it has blocks two bits for each.
    pub fn n_window_bytes(&self) -> usize {
        self.memory.n_bytes()
    }

    fn has_one_word(&self) -> bool {
        self.n_items <= 64
    }

    /// F0, B1 and F1 on a board of several words: word `index` before `bits` of it were set, or `None` where
    /// they are known to be lost.
    #[inline]
    fn ask(&mut self, index: usize, bits: u64) -> Result<Option<u64>> {
        if M::LOOKS_FIRST && self.known.is_full(index) {
            self.count_full_words(0)?; // F0
            return Ok(None);
        }
        if self.blocks.is_some() && !self.is_told_by_words(index / BLOCK_WORDS)? {
            return Ok(None);
        }
        self.n_operations += 1;
        let before = (self.memory).fetch_or(self.regions.words, index, bits, IS_THERE)?; // F1
        Ok(Some(before))
    }

    /// Whether the words of the block say what of it is claimed: B1, unless this rank knows.
    ///
    /// Complete before F1: a bit that is set in a block that was handed out would look like a claim to whoever
    /// has to go by its words.
    #[inline(never)]
    fn is_told_by_words(&mut self, block: usize) -> Result<bool> {
        match &self.blocks {
            Some(blocks) if blocks.is_touched(block) => return Ok(true),
            Some(blocks) if blocks.is_whole(block) => {
                self.count_full_words(0)?; // F0
                return Ok(false);
            }
            _ => {}
        }
        let marks = Marks::of(block);
        self.n_operations += 1;
        let regions = self.regions;
        let marked = (self.memory).fetch_or(regions.marks, marks.index, marks.touched, IS_THERE)?; // B1
        let is_told_by_words = self.learn_marks(block, marked);
        if !is_told_by_words {
            self.words_are_full(0)?; // F4
        }
        Ok(is_told_by_words)
    }

    /// After B1, which found `marked`: whether the words of the block say what of it is claimed.
    fn learn_marks(&mut self, block: usize, marked: u64) -> bool {
        let Some(blocks) = &mut self.blocks else {
            return true;
        };
        if marked & Marks::of(block).whole == 0 {
            blocks.touched(block);
            return true;
        }
        self.learn_whole(block..block + 1);
        false
    }

    /// All of `blocks` is claimed, which share a word of marks.
    fn learn_whole(&mut self, blocks: Range<usize>) {
        if let Some(known) = &mut self.blocks {
            known.whole(blocks.clone());
        }
        let end = self.n_words().min(blocks.end * BLOCK_WORDS);
        self.known.learn_full(blocks.start * BLOCK_WORDS..end);
    }

    fn is_whole(&self, index: usize) -> bool {
        (self.blocks.as_ref()).is_some_and(|blocks| blocks.is_whole(index / BLOCK_WORDS))
    }

    /// A claim saw words full. F3, F4: whoever filled them counts them; others look.
    #[inline]
    fn words_are_full(&mut self, n_filled: u64) -> Result<()> {
        if self.all_claimed {
            return Ok(());
        }
        if self.has_one_word() {
            self.all_claimed = true;
            return Ok(());
        }
        self.count_full_words(n_filled)
    }

    /// Adds `addend` to the number of full words, and learns whether all are full.
    #[inline(never)]
    fn count_full_words(&mut self, addend: u64) -> Result<()> {
        self.n_operations += 1;
        let counters = self.regions.counters;
        let before = self.memory.fetch_add(counters, N_FULL_WORDS, addend)?;
        self.all_claimed |= before + addend == self.n_words() as u64;
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
        let before = if self.has_one_word() {
            self.n_operations += 1;
            (self.memory).fetch_or(self.regions.words, index, bit, IS_THERE)? // F1
        } else if let Some(before) = self.ask(index, bit)? {
            before
        } else {
            return Ok(Claim::Lost { owner: None });
        };
        let won = before & bit == 0; // F2
        if self.known.learn(index, before | bit) {
            self.words_are_full(u64::from(won))?;
        }
        Ok(if won {
            Claim::Won
        } else {
            Claim::Lost { owner: None }
        })
    }

    fn claim_many(&mut self, items: &[usize], claims: &mut [Claim]) -> Result<()> {
        assert_items(items, self.n_items);
        in_pipelines(items, claims, |items, claims| {
            self.claim_pipelined(items, claims)
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
        let word = (self.memory).fetch_or(self.regions.words, 0, 0, IS_THERE)?;
        self.all_claimed |= self.known.learn(0, word);
        Ok(())
    }

    #[inline]
    fn is_known_claimed(&self, item: usize) -> bool {
        self.known.contains(item) || self.is_whole(place(item).0)
    }

    #[inline]
    fn all_known_claimed(&self) -> bool {
        self.all_claimed || self.known.all()
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
        let mut words = vec![0; self.n_words()];
        self.for_each_claimed(|index, claimed| words[index] = claimed)?;
        Ok(Account::of_bits(&words, self.n_items))
    }

    fn clear(&mut self) -> Result<()> {
        self.memory.clear()
    }

    fn forget(&mut self) {
        self.known.clear();
        if let Some(blocks) = &mut self.blocks {
            blocks.forget();
        }
        self.handed = None;
        if let Some(completions) = &mut self.completions {
            completions.forget();
        }
        self.all_claimed = self.n_items == 0;
    }

    fn engine(&self) -> &ProgressEngine<'_> {
        &self.engine
    }

    fn close(self) -> Result<()> {
        let stopped = self.engine.stop(); // before its window: its thread calls MPI
        self.memory.close().and(stopped)
    }

    fn close_boxed(self: Box<Self>) -> Result<()> {
        self.close()
    }
}
