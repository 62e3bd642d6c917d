//! Claims in numbers: many items by few operations.

use std::ops::Range;

use super::open::{N_CHUNKS, Regions};
use super::{Memory, WordBoard};
use crate::claim::known::{WORD_BITS, items_in, place};
use crate::claim::schedule::{Chunks, Schedule};
use crate::claim::{Claim, Won};
use crate::rma::{OrOperation, PIPELINE_DEPTH, RUN_WORDS, Result, RunBuffer};

/// What this rank knows of the chunks that are handed out.
#[derive(Debug)]
pub(super) struct Handed {
    chunks: Chunks,
    /// Of this rank's chunk, what it has not claimed yet.
    rest: Range<usize>,
    /// All items before were handed out.
    n_handed_out: usize,
    buffer: RunBuffer,
}

impl Handed {
    pub(super) fn new(schedule: Schedule, n_items: usize, n_ranks: usize) -> Self {
        Handed {
            chunks: schedule.chunks(n_items, n_ranks),
            rest: 0..0,
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
        self.n_operations += 1;
        let before = self.memory.fetch_or(self.regions.words, index, items)?; // F1
        self.won_in_word = items & !before; // F2
        if self.known.learn(index, items) {
            self.words_are_full(u64::from(before != items))?; // F3, F4
        }
        Ok(Won::new(index, std::slice::from_ref(&self.won_in_word)))
    }

    /// Claims the next items that nobody was given: self-scheduling, with no master. `None` once all
    /// items have been handed out.
    ///
    /// One operation draws a chunk of the board's [`Schedule`], one more claims each run of up to
    /// [`RUN_WORDS`] words of it, which is what one call returns. Items that were claimed one by one
    /// before are not won. What is handed out and not claimed yet counts as known to be claimed.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn claim_next(&mut self) -> Result<Option<Won<'_>>> {
        let Regions { words, counters } = self.regions;
        let (schedule, n_items, n_ranks) = (self.schedule, self.n_items, self.n_ranks);
        let handed = self
            .handed
            .get_or_insert_with(|| Box::new(Handed::new(schedule, n_items, n_ranks)));
        if handed.rest.is_empty() {
            self.n_operations += 1;
            let step = self.memory.fetch_add(counters, N_CHUNKS, 1)?; // N1
            let Some(chunk) = handed.chunks.at(step) else {
                handed.n_handed_out = n_items;
                return Ok(None);
            };
            handed.n_handed_out = handed.n_handed_out.max(chunk.end);
            handed.rest = chunk;
        }
        let first_word = handed.rest.start / WORD_BITS;
        let end = handed.rest.end.min((first_word + RUN_WORDS) * WORD_BITS);
        let run = first_word..end.div_ceil(WORD_BITS);
        let n_words = run.len();
        let ends = (
            u64::MAX << (handed.rest.start % WORD_BITS),
            u64::MAX >> ((WORD_BITS - end % WORD_BITS) % WORD_BITS),
        );
        let (run, n_operations) = self.memory.or_run(words, run, ends, &mut handed.buffer)?; // N2
        handed.rest.start = end;
        self.n_operations += n_operations;
        let (n_full, n_filled) = won_of_run(run, first_word, ends, n_items);
        if n_full > 0 {
            self.words_are_full(n_filled)?; // F3, F4
        }
        let handed = self.handed.as_mut();
        Ok(handed.map(|handed| Won::new(first_word, handed.buffer.words(n_words))))
    }

    /// Whether `item` was handed out in a chunk, as far as this rank knows.
    #[inline]
    pub(super) fn is_handed_out(&self, item: usize) -> bool {
        (self.handed.as_ref()).is_some_and(|handed| item < handed.n_handed_out)
    }

    /// Whether all was handed out, as far as this rank knows, and it has claimed its own part.
    #[inline]
    pub(super) fn all_handed_out(&self) -> bool {
        (self.handed.as_ref())
            .is_some_and(|handed| handed.n_handed_out == self.n_items && handed.rest.is_empty())
    }

    /// [`claim_many`](crate::claim::Board::claim_many) of so many that one pipeline holds them.
    pub(super) fn claim_pipelined(&mut self, items: &[usize], claims: &mut [Claim]) -> Result<()> {
        let mut operations = [OrOperation::default(); PIPELINE_DEPTH];
        let mut asked = [0u64; PIPELINE_DEPTH];
        let mut n_operations = 0;
        for &item in items {
            let (index, bit) = place(item);
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
