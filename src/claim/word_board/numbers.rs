//! Claims in numbers: many items by few operations.

use std::ops::Range;

use super::blocks::{BLOCK_ITEMS, BLOCK_WORDS, MARKS_A_WORD, Marks};
use super::open::N_CHUNKS;
use super::{IS_THERE, Memory, WordBoard};
use crate::claim::known::{WORD_BITS, items_in, place};
use crate::claim::schedule::{Chunks, Schedule};
use crate::claim::won::WonWords;
use crate::claim::{Claim, Won};
use crate::rma::{OrOperation, PIPELINE_DEPTH, RUN_WORDS, Result, RunBuffer};

/// The chunk of which this rank has claimed a part.
#[derive(Debug)]
pub(super) struct Handed {
    chunks: Chunks,
    /// What of it is not claimed yet. It is free for all, and this rank's to go on with.
    rest: Range<usize>,
    buffer: RunBuffer,
    won: WonWords,
}

impl Handed {
    pub(super) fn new(schedule: Schedule, n_items: usize, n_ranks: usize) -> Self {
        Handed {
            chunks: schedule.chunks(n_items, n_ranks),
            rest: 0..0,
            buffer: RunBuffer::default(),
            won: WonWords::default(),
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
    pub fn claim_word(&mut self, index: usize) -> Result<Won> {
        #[cold]
        #[inline(never)]
        fn no_such_word(index: usize, n_words: usize) -> ! {
            panic!("word {index} of a board of {n_words} words")
        }
        if index >= self.n_words() {
            no_such_word(index, self.n_words());
        }
        let items = items_in(index, self.n_items);
        let before = if self.has_one_word() {
            self.n_operations += 1;
            (self.memory).fetch_or(self.regions.words, index, items, IS_THERE)? // F1
        } else if let Some(before) = self.ask(index, items)? {
            before
        } else {
            return Ok(Won::word(index, 0));
        };
        let won = items & !before; // F2
        if self.known.learn(index, items) {
            self.words_are_full(u64::from(before != items))?; // F3
        }
        Ok(Won::word(index, won))
    }

    /// Claims the next items that nobody was given: self-scheduling, with no master. `None` once all
    /// items have been handed out.
    ///
    /// One operation draws a chunk of the board's [`Schedule`]. What one call returns takes one more, and at
    /// most two beside: up to [`RUN_WORDS`] words of it; or, on a board [in blocks](crate::claim::Options), up to
    /// 32 blocks of 4096 items of which none was claimed before, and whose words are not even looked at. Each of those
    /// blocks that has items which were claimed one by one takes one operation more, and those items are not won.
    ///
    /// The rest of a chunk is for this rank to go on with, by further calls: nobody else is handed it. Until it is
    /// claimed it is free, so a rank that goes on in another way, as by [`claim`](crate::claim::Board::claim) of items
    /// that it does not know to be claimed, leaves it to whoever claims its items.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn claim_next(&mut self) -> Result<Option<Won>> {
        let (schedule, n_items, n_ranks) = (self.schedule, self.n_items, self.n_ranks);
        let handed = self
            .handed
            .get_or_insert_with(|| Box::new(Handed::new(schedule, n_items, n_ranks)));
        if handed.rest.is_empty() {
            self.n_operations += 1;
            let step = (self.memory).fetch_add(self.regions.counters, N_CHUNKS, 1)?; // N1
            let Some(chunk) = handed.chunks.at(step) else {
                return Ok(None);
            };
            handed.rest = chunk;
        }
        let first = handed.rest.start;
        if self.blocks.is_none() {
            let limit = (first / WORD_BITS + RUN_WORDS) * WORD_BITS;
            let end = handed.rest.end.min(limit);
            handed.rest.start = end;
            return self.claim_run(first..end).map(Some);
        }
        let group = whole_blocks(&handed.rest, n_items);
        if !group.is_empty() {
            handed.rest.start = (group.end * BLOCK_ITEMS).min(handed.rest.end);
            return self.claim_blocks(group).map(Some);
        }
        let block = first / BLOCK_ITEMS;
        let end = handed.rest.end.min((block + 1) * BLOCK_ITEMS);
        handed.rest.start = end;
        if !self.is_told_by_words(block)? {
            debug_assert!(false, "no block is handed out as a whole and in part");
            return Ok(Some(Won::all(first..first)));
        }
        self.claim_run(first..end).map(Some)
    }

    /// B2 of neighbouring blocks that share a word of marks, then N2 of those that had been touched.
    fn claim_blocks(&mut self, group: Range<usize>) -> Result<Won> {
        let bits = u64::MAX >> (u64::BITS as usize - group.len());
        let whole = bits << (group.start % MARKS_A_WORD) << MARKS_A_WORD;
        let index = group.start / MARKS_A_WORD;
        self.n_operations += 1;
        let touched = (self.memory).fetch_or(self.regions.marks, index, whole, IS_THERE)?; // B2
        let is_touched = |block: &usize| touched >> (block % MARKS_A_WORD) & 1 == 1;
        let n_board_words = self.n_words();
        let words_of = |blocks: Range<usize>| {
            blocks.start * BLOCK_WORDS..n_board_words.min(blocks.end * BLOCK_WORDS)
        };
        let all_words = words_of(group.clone());
        if !group.clone().any(|block| is_touched(&block)) {
            self.learn_whole(group.clone());
            self.words_are_full(all_words.len() as u64)?; // F3
            let end = self.n_items.min(group.end * BLOCK_ITEMS);
            return Ok(Won::all(group.start * BLOCK_ITEMS..end));
        }
        let Some(handed) = &mut self.handed else {
            unreachable!("made by `claim_next`")
        };
        let mut room = handed.won.room(all_words.len());
        let (mut n_full, mut n_filled) = (0, 0);
        for block in group {
            let words = words_of(block..block + 1);
            let won;
            (won, room) = room.split_at_mut(words.len());
            let last = items_in(words.end - 1, self.n_items);
            let (mut of_block, mut filled) = (words.len() as u64, words.len() as u64);
            if is_touched(&block) {
                let (ends, first) = ((u64::MAX, last), words.start);
                let (run, n_operations) =
                    (self.memory).or_run(self.regions.words, words, ends, &mut handed.buffer)?; // N2
                self.n_operations += n_operations;
                self.known.learn_run(first, run, ends);
                (of_block, filled) = won_of_run(run, won, first, ends, self.n_items);
            } else {
                won.fill(u64::MAX);
                won[words.len() - 1] = last;
                if let Some(known) = &mut self.blocks {
                    known.whole(block..block + 1);
                }
                self.known.learn_full(words);
            }
            n_full += of_block;
            n_filled += filled;
        }
        let won = Won::words(all_words.start, &handed.won, all_words.len());
        if n_full > 0 {
            self.words_are_full(n_filled)?; // F3, F4
        }
        Ok(won)
    }

    /// N2 and F2 to F4: claims the free ones of neighbouring items, of no more than [`RUN_WORDS`] words.
    fn claim_run(&mut self, items: Range<usize>) -> Result<Won> {
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
        self.known.learn_run(first_word, run, ends);
        let room = handed.won.room(n_words);
        let (n_full, n_filled) = won_of_run(run, room, first_word, ends, self.n_items);
        let won = Won::words(first_word, &handed.won, n_words);
        if n_full > 0 {
            self.words_are_full(n_filled)?; // F3, F4
        }
        Ok(won)
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

/// Puts into `won` which bits of a run are won (F2), whose words were `run` before, and returns how many of its
/// words are full now, and how many this run filled. `ends` are the bits of the run in its first and in its
/// last word.
fn won_of_run(
    run: &[u64],
    won: &mut [u64],
    first_word: usize,
    (first_bits, last_bits): (u64, u64),
    n_items: usize,
) -> (u64, u64) {
    let (mut n_full, mut n_filled) = (0, 0);
    let mut end = |i: usize, asked: u64, won: &mut u64| {
        let (before, items) = (run[i], items_in(first_word + i, n_items));
        let is_full = before | asked == items;
        n_full += u64::from(is_full);
        n_filled += u64::from(is_full && before != items);
        *won = asked & !before;
    };
    let last = run.len().saturating_sub(1);
    let between = match won {
        [] => return (0, 0),
        [only] => {
            end(0, first_bits & last_bits, only);
            return (n_full, n_filled);
        }
        [first, between @ .., last_won] => {
            end(0, first_bits, first);
            end(last, last_bits, last_won);
            between
        }
    };
    // All words of this loop are asked for as a whole: several at once, by what the compiler makes of it.
    for (won, before) in between.iter_mut().zip(&run[1..]) {
        n_filled += u64::from(*before != u64::MAX);
        *won = !*before;
    }
    (n_full + between.len() as u64, n_filled)
}
