//! Claims in numbers: many items by few operations.

use std::ops::Range;

use super::blocks::{BLOCK_ITEMS, MARKS_A_WORD, Marks};
use super::open::N_CHUNKS;
use super::{Memory, WordBoard};
use crate::claim::known::{WORD_BITS, items_in, place};
use crate::claim::schedule::{Chunks, Schedule};
use crate::claim::{Claim, Won};
use crate::rma::{OrOperation, PIPELINE_DEPTH, RUN_WORDS, Result, RunBuffer};

/// What this rank knows of the chunks that are handed out.
#[derive(Debug)]
pub(super) struct Handed {
    chunks: Chunks,
    /// Of this rank's chunk, what it has not claimed yet, but for the group.
    rest: Range<usize>,
    /// Blocks of the chunk that are marked as handed out whole (B2), and are to be returned yet.
    group: Range<usize>,
    /// Which of the blocks that share the group's word of marks had been touched before.
    touched: u32,
    /// All items before were handed out.
    n_handed_out: usize,
    buffer: RunBuffer,
}

impl Handed {
    pub(super) fn new(schedule: Schedule, n_items: usize, n_ranks: usize) -> Self {
        Handed {
            chunks: schedule.chunks(n_items, n_ranks),
            rest: 0..0,
            group: 0..0,
            touched: 0,
            n_handed_out: 0,
            buffer: RunBuffer::default(),
        }
    }
}

impl<M: Memory> WordBoard<'_, M> {
    /// Claims all free items of word `index`, items `64 · index ..`, with one operation.
    ///
    /// # Errors
    /// What MPI returns.
    ///
    /// # Panics
    /// If the board has no such word.
    pub fn claim_word(&mut self, index: usize) -> Result<Won<'_>> {
        let items = items_in(index, self.n_items);
        let before = if self.has_one_word() {
            self.n_operations += 1;
            self.memory.fetch_or(self.regions.words, index, items)? // F1
        } else {
            self.ask(index, items)?.unwrap_or(items)
        };
        self.won_in_word = items & !before; // F2
        if !self.is_whole(index) && self.known.learn(index, items) && before != items {
            self.words_are_full(1)?; // F3
        }
        Ok(Won::bits(index, std::slice::from_ref(&self.won_in_word)))
    }

    /// Claims the next items that nobody was given: self-scheduling, with no master. `None` once all
    /// items have been handed out.
    ///
    /// One operation draws a chunk of the board's [`Schedule`]. What one call returns takes one more, and at
    /// most two beside: up to [`RUN_WORDS`] words of it; or, on a board [in blocks](crate::claim::Options), up to
    /// 32 blocks of 4096 items of which none was claimed before, and whose words are not even looked at. Items that
    /// were claimed one by one before are not won. What is handed out and not claimed yet counts as known to
    /// be claimed.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn claim_next(&mut self) -> Result<Option<Won<'_>>> {
        let (schedule, n_items, n_ranks) = (self.schedule, self.n_items, self.n_ranks);
        let handed = self
            .handed
            .get_or_insert_with(|| Box::new(Handed::new(schedule, n_items, n_ranks)));
        if handed.rest.is_empty() && handed.group.is_empty() {
            self.n_operations += 1;
            let step = (self.memory).fetch_add(self.regions.counters, N_CHUNKS, 1)?; // N1
            let Some(chunk) = handed.chunks.at(step) else {
                handed.n_handed_out = n_items;
                return Ok(None);
            };
            handed.n_handed_out = handed.n_handed_out.max(chunk.end);
            handed.rest = chunk;
        }
        if handed.group.is_empty() && self.blocks.is_some() {
            let group = whole_blocks(&handed.rest, n_items);
            if !group.is_empty() {
                let bits = u64::MAX >> (u64::BITS as usize - group.len());
                let bits = bits << (group.start % MARKS_A_WORD);
                self.n_operations += 1;
                let index = group.start / MARKS_A_WORD;
                let marks = bits << MARKS_A_WORD;
                let before = self.memory.fetch_or(self.regions.marks, index, marks)?; // B2
                handed.touched = before as u32;
                handed.rest.start = (group.end * BLOCK_ITEMS).min(handed.rest.end);
                handed.group = group;
            }
        }
        if handed.group.is_empty() {
            let first = handed.rest.start;
            let block = first / BLOCK_ITEMS;
            let limit = match self.blocks {
                Some(_) => (block + 1) * BLOCK_ITEMS,
                None => (first / WORD_BITS + RUN_WORDS) * WORD_BITS,
            };
            let end = handed.rest.end.min(limit);
            handed.rest.start = end;
            if self.blocks.is_some() {
                let told = self.is_told_by_words(block)?;
                debug_assert!(told, "no block is handed out as a whole and in part");
            }
            return self.claim_run(first..end).map(Some);
        }
        let is_touched = |block: usize| handed.touched >> (block % MARKS_A_WORD) & 1 == 1;
        let first = handed.group.start;
        if is_touched(first) {
            handed.group.start += 1;
            let end = n_items.min((first + 1) * BLOCK_ITEMS);
            return self.claim_run(first * BLOCK_ITEMS..end).map(Some);
        }
        let next_touched = handed.group.clone().find(|&block| is_touched(block));
        let end = next_touched.unwrap_or(handed.group.end);
        handed.group.start = end;
        let items = first * BLOCK_ITEMS..n_items.min(end * BLOCK_ITEMS);
        self.words_are_full(items.len().div_ceil(WORD_BITS) as u64)?; // F3
        Ok(Some(Won::all(items)))
    }

    /// N2 and F2 to F4: claims the free ones of neighbouring items, of no more than [`RUN_WORDS`] words.
    fn claim_run(&mut self, items: Range<usize>) -> Result<Won<'_>> {
        let n_items = self.n_items;
        let first_word = items.start / WORD_BITS;
        let run = first_word..items.end.div_ceil(WORD_BITS);
        let n_words = run.len();
        let ends = (
            u64::MAX << (items.start % WORD_BITS),
            u64::MAX >> ((WORD_BITS - items.end % WORD_BITS) % WORD_BITS),
        );
        let Some(handed) = &mut self.handed else {
            unreachable!("made by `claim_next`")
        };
        let (run, n_operations) =
            (self.memory).or_run(self.regions.words, run, ends, &mut handed.buffer)?; // N2
        self.n_operations += n_operations;
        let (n_full, n_filled) = won_of_run(run, first_word, ends, n_items);
        if n_full > 0 {
            self.words_are_full(n_filled)?; // F3, F4
        }
        let Some(handed) = &mut self.handed else {
            unreachable!("made by `claim_next`")
        };
        Ok(Won::bits(first_word, handed.buffer.words(n_words)))
    }

    /// Whether `item` was handed out in a chunk, as far as this rank knows.
    #[inline]
    pub(super) fn is_handed_out(&self, item: usize) -> bool {
        (self.handed.as_ref()).is_some_and(|handed| item < handed.n_handed_out)
    }

    /// Whether all was handed out, as far as this rank knows, and it has claimed its own part.
    #[inline]
    pub(super) fn all_handed_out(&self) -> bool {
        (self.handed.as_ref()).is_some_and(|handed| {
            handed.n_handed_out == self.n_items && handed.rest.is_empty() && handed.group.is_empty()
        })
    }

    /// B1 of all blocks that `items` are in and that this rank knows nothing of, in one pipeline.
    fn touch_pipelined(&mut self, items: &[usize], operations: &mut [OrOperation]) -> Result<()> {
        let mut blocks = [0; PIPELINE_DEPTH];
        let mut n = 0;
        for &item in items {
            let block = item / BLOCK_ITEMS;
            let is_news = (self.blocks.as_ref())
                .is_some_and(|known| !known.is_touched(block) && !known.is_whole(block));
            if is_news && !blocks[..n].contains(&block) {
                let marks = Marks::of(block);
                operations[n].index = marks.index;
                operations[n].bits = marks.touched;
                blocks[n] = block;
                n += 1;
            }
        }
        if n == 0 {
            return Ok(());
        }
        self.n_operations += n as u64;
        (self.memory).fetch_or_pipelined(self.regions.marks, &mut operations[..n])?; // B1
        let mut all_told_by_words = true;
        for (&block, operation) in blocks[..n].iter().zip(&*operations) {
            all_told_by_words &= self.learn_marks(block, operation.bits);
        }
        if !all_told_by_words {
            self.words_are_full(0)?; // F4
        }
        Ok(())
    }

    /// [`claim_many`](crate::claim::Board::claim_many) of so many that one pipeline holds them.
    pub(super) fn claim_pipelined(&mut self, items: &[usize], claims: &mut [Claim]) -> Result<()> {
        let mut operations = [OrOperation::default(); PIPELINE_DEPTH];
        if self.blocks.is_some() {
            self.touch_pipelined(items, &mut operations)?;
        }
        let mut asked = [0u64; PIPELINE_DEPTH];
        let mut n_operations = 0;
        for &item in items {
            let (index, bit) = place(item);
            if self.is_whole(index) {
                continue;
            }
            match n_operations {
                // Neighbours share an operation.
                n @ 1.. if operations[n - 1].index == index => asked[n - 1] |= bit,
                n => {
                    operations[n].index = index;
                    asked[n] = bit;
                    n_operations += 1;
                }
            }
        }
        for (operation, &bits) in operations.iter_mut().zip(&asked[..n_operations]) {
            operation.bits = bits;
        }
        let operations = &mut operations[..n_operations];
        self.n_operations += n_operations as u64;
        (self.memory).fetch_or_pipelined(self.regions.words, operations)?; // F1
        let (mut n_full, mut n_filled) = (0, 0);
        for (operation, &bits) in operations.iter().zip(&asked) {
            let OrOperation {
                index,
                bits: before,
            } = *operation;
            self.known.learn(index, before | bits);
            // Not what is known: another operation on this word may have come between.
            let items = items_in(index, self.n_items);
            let is_full = before | bits == items;
            n_full += u64::from(is_full);
            n_filled += u64::from(is_full && before != items);
        }
        let mut at = 0;
        for (&item, claim) in items.iter().zip(claims) {
            let (index, bit) = place(item);
            if self.is_whole(index) {
                *claim = Claim::Lost { owner: None };
                continue;
            }
            if operations[at].index != index {
                at += 1;
            }
            *claim = match operations[at].bits & bit {
                0 => Claim::Won, // F2
                _ => Claim::Lost { owner: None },
            };
            operations[at].bits |= bit; // the same item again is lost
        }
        if n_full > 0 {
            self.words_are_full(n_filled)?; // F3, F4
        }
        Ok(())
    }
}

/// The blocks at the beginning of `rest` that are in it as a whole, as far as they share a word of marks.
fn whole_blocks(rest: &Range<usize>, n_items: usize) -> Range<usize> {
    if rest.is_empty() || rest.start % BLOCK_ITEMS != 0 {
        return 0..0;
    }
    let first = rest.start / BLOCK_ITEMS;
    let end = match rest.end {
        end if end == n_items => n_items.div_ceil(BLOCK_ITEMS),
        end => end / BLOCK_ITEMS,
    };
    first..end.min((first / MARKS_A_WORD + 1) * MARKS_A_WORD)
}

/// Makes of the words of a run as they were before the bits of the run that are won (F2), and returns how
/// many of its words are full now, and how many this run filled. `ends` are the bits of the run in its first
/// and in its last word.
fn won_of_run(
    run: &mut [u64],
    first_word: usize,
    (first_bits, last_bits): (u64, u64),
    n_items: usize,
) -> (u64, u64) {
    let (mut n_full, mut n_filled) = (0, 0);
    let mut end = |word: &mut u64, index: usize, asked: u64| {
        let (before, items) = (*word, items_in(index, n_items));
        let is_full = before | asked == items;
        n_full += u64::from(is_full);
        n_filled += u64::from(is_full && before != items);
        *word = asked & !before;
    };
    let last_word = (first_word + run.len()).saturating_sub(1);
    let between = match run {
        [] => return (0, 0),
        [only] => {
            end(only, first_word, first_bits & last_bits);
            return (n_full, n_filled);
        }
        [first, between @ .., last] => {
            end(first, first_word, first_bits);
            end(last, last_word, last_bits);
            between
        }
    };
    // All words of this loop are asked for as a whole: several at once, by what the compiler makes of it.
    for word in between.iter_mut() {
        n_filled += u64::from(*word != u64::MAX);
        *word = !*word;
    }
    (n_full + between.len() as u64, n_filled)
}
