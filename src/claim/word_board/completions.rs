//! Completing items after they were claimed, and boards as files of what is completed: steps D1 to D3, S1 to
//! S3 and R1 to R3 of `src/claim/README.md`.

use std::ops::Range;
use std::path::Path;

use serde::Serialize;

use super::blocks::{BLOCK_WORDS, Marks};
use super::open::{N_DONE_WORDS, N_FULL_WORDS};
use super::{IS_THERE, Memory, WordBoard};
use crate::claim::Restored;
use crate::claim::known::{WORD_BITS, assert_item, assert_items, items_in, place};
use crate::claim::saved::{self, Saving};
use crate::rma::{Comm, ErrorKind, OrOperation, PIPELINE_DEPTH, RUN_WORDS, Result, RunBuffer};

/// What this rank knows of completions.
#[derive(Debug, Default)]
pub(super) struct Completions {
    all: bool,
    /// Made by the first range.
    buffer: RunBufferOnce,
}

type RunBufferOnce = std::cell::OnceCell<RunBuffer>;

impl Completions {
    pub(super) fn forget(&mut self) {
        self.all = false;
    }
}

/// How many words became full, and of the items that had been completed before the first.
#[derive(Default)]
struct Seen {
    n_filled: u64,
    before: Option<usize>,
}

impl Seen {
    /// A word `index` that was `before` when `asked` was set.
    fn word(&mut self, index: usize, before: u64, asked: u64, n_items: usize) {
        let items = items_in(index, n_items);
        self.n_filled += u64::from(before | asked == items && before != items);
        let twice = before & asked;
        if twice != 0 {
            let item = index * WORD_BITS + twice.trailing_zeros() as usize;
            self.before.get_or_insert(item);
        }
    }
}

impl<M: Memory> WordBoard<'_, M> {
    fn assert_completions(&mut self) -> &mut Completions {
        #[cold]
        #[inline(never)]
        fn no_completions() -> ! {
            panic!("this board was opened without `Options::completions`")
        }
        match &mut self.completions {
            Some(completions) => completions,
            None => no_completions(),
        }
    }

    /// Says that the work on `item` is done, and what came of it is where it will survive with the board's
    /// checkpoints. One operation, and one more for the last item of a word. For the rank that has won
    /// it: whether it has is not looked at, as the board does not say who has claimed what.
    ///
    /// # Errors
    /// [`ErrorKind::CompletedBefore`], or what MPI returns.
    ///
    /// # Panics
    /// If there is no such item, or the board was opened without
    /// [`completions`](crate::claim::Options::completions).
    pub fn complete(&mut self, item: usize) -> Result<()> {
        assert_item(item, self.n_items);
        self.assert_completions();
        let (index, bit) = place(item);
        let before = (self.memory).fetch_or(self.regions.done, index, bit, IS_THERE)?; // D1
        let mut seen = Seen::default();
        seen.word(index, before, bit, self.n_items); // D2
        self.count_completed(seen)
    }

    /// [`complete`](Self::complete) of several items, in pipelines; neighbours of one word share an
    /// operation.
    ///
    /// # Errors
    /// [`ErrorKind::CompletedBefore`] with one of the items that were; all others are completed. Or what MPI
    /// returns; some of the items may be completed then.
    ///
    /// # Panics
    /// As [`complete`](Self::complete).
    pub fn complete_many(&mut self, items: &[usize]) -> Result<()> {
        assert_items(items, self.n_items);
        self.assert_completions();
        let mut seen = Seen::default();
        let mut operations = [OrOperation::default(); PIPELINE_DEPTH];
        let mut asked = [0u64; PIPELINE_DEPTH];
        for items in items.chunks(PIPELINE_DEPTH) {
            let mut n = 0;
            for &item in items {
                let (index, bit) = place(item);
                if n == 0 || operations[n - 1].index != index {
                    operations[n].index = index;
                    asked[n] = 0;
                    n += 1;
                }
                if asked[n - 1] & bit != 0 {
                    seen.before.get_or_insert(item); // named twice
                }
                asked[n - 1] |= bit;
                operations[n - 1].bits = asked[n - 1];
            }
            let operations = &mut operations[..n];
            (self.memory).fetch_or_pipelined(self.regions.done, operations)?; // D1
            for (operation, &asked) in operations.iter().zip(&asked) {
                seen.word(operation.index, operation.bits, asked, self.n_items); // D2
            }
        }
        self.count_completed(seen)
    }

    /// [`complete`](Self::complete) of neighbours, such as a chunk that
    /// [`claim_next`](Self::claim_next) gave: one operation for up to [`RUN_WORDS`] words.
    ///
    /// # Errors
    /// As [`complete_many`](Self::complete_many).
    ///
    /// # Panics
    /// As [`complete`](Self::complete).
    pub fn complete_range(&mut self, items: Range<usize>) -> Result<()> {
        let n_items = self.n_items;
        let completions = self.assert_completions();
        if items.is_empty() {
            return Ok(());
        }
        assert_item(items.end - 1, n_items);
        let mut buffer = completions.buffer.take().unwrap_or_default();
        let mut seen = Seen::default();
        let mut rest = items;
        while !rest.is_empty() {
            let first_word = rest.start / WORD_BITS;
            let end = rest.end.min((first_word + RUN_WORDS) * WORD_BITS);
            let run = first_word..end.div_ceil(WORD_BITS);
            let ends = (
                u64::MAX << (rest.start % WORD_BITS),
                u64::MAX >> ((WORD_BITS - end % WORD_BITS) % WORD_BITS),
            );
            let last_word = run.end - 1;
            let (words, _) = (self.memory).or_run(self.regions.done, run, ends, &mut buffer)?; // D1
            for (index, &mut before) in (first_word..).zip(words) {
                let first = if index == first_word {
                    ends.0
                } else {
                    u64::MAX
                };
                let last = if index == last_word { ends.1 } else { u64::MAX };
                seen.word(index, before, first & last, self.n_items); // D2
            }
            rest.start = end;
        }
        let _ = self.assert_completions().buffer.set(buffer);
        self.count_completed(seen)
    }

    /// D3, and D2's verdict.
    fn count_completed(&mut self, seen: Seen) -> Result<()> {
        if seen.n_filled > 0 {
            let counters = self.regions.counters;
            let before = (self.memory).fetch_add(counters, N_DONE_WORDS, seen.n_filled)?; // D3
            let all = before + seen.n_filled == self.n_words() as u64;
            self.assert_completions().all |= all;
        }
        match seen.before {
            Some(item) => Err(ErrorKind::CompletedBefore { item }.into()),
            None => Ok(()),
        }
    }

    /// Whether all items are completed, by one operation; by none once that is known. Never wrong when true.
    ///
    /// # Errors
    /// What MPI returns.
    ///
    /// # Panics
    /// If the board was opened without [`completions`](crate::claim::Options::completions).
    pub fn all_completed(&mut self) -> Result<bool> {
        let n_words = self.n_words() as u64;
        if self.assert_completions().all || n_words == 0 {
            return Ok(true);
        }
        let n_full = (self.memory).fetch_add(self.regions.counters, N_DONE_WORDS, 0)?;
        self.assert_completions().all |= n_full == n_words;
        Ok(n_full == n_words)
    }

    /// Whether `item` is completed, by one operation.
    ///
    /// # Errors
    /// What MPI returns.
    ///
    /// # Panics
    /// As [`complete`](Self::complete).
    pub fn is_completed(&mut self, item: usize) -> Result<bool> {
        assert_item(item, self.n_items);
        self.assert_completions();
        let (index, bit) = place(item);
        let word = (self.memory).fetch_or(self.regions.done, index, 0, IS_THERE)?;
        Ok(word & bit != 0)
    }

    /// How many items are completed, at least: read while others complete more, as
    /// [`save`](Self::save) does.
    ///
    /// # Errors
    /// What MPI returns.
    ///
    /// # Panics
    /// If the board was opened without [`completions`](crate::claim::Options::completions).
    pub fn n_completed(&mut self) -> Result<usize> {
        self.assert_completions();
        let mut n_completed = 0;
        self.for_each_done_run(|words| {
            n_completed += words
                .iter()
                .map(|word| word.count_ones() as usize)
                .sum::<usize>();
            Ok(())
        })?;
        Ok(n_completed)
    }

    /// S1: shows all words of completed items, in order, in runs, while others set bits of them.
    fn for_each_done_run(&self, mut look: impl FnMut(&[u64]) -> Result<()>) -> Result<()> {
        let mut buffer = RunBuffer::default();
        let n_words = self.n_words();
        for first in (0..n_words).step_by(RUN_WORDS) {
            let run = first..n_words.min(first + RUN_WORDS);
            look(&*self.memory.load_run(self.regions.done, run, &mut buffer)?)?;
            self.engine.visit()?;
        }
        Ok(())
    }

    /// Writes which items are completed into the file at `path`, while others claim and complete, none of
    /// whom it stops. The file is replaced as a whole, and the one before kept as `PATH.previous`
    /// ([`checkpoint`](crate::checkpoint)). Returns how many items are completed in it.
    ///
    /// `extra` is asked for what is to be kept beside it, after all of the board was read. So what a rank
    /// had put where `extra` finds it before it completed an item is there, of every item that is completed in
    /// the file; and some of what belongs to items that are not may be there too.
    ///
    /// For one rank alone, the home rank best: it reads its own memory then. On a [`SpreadBoard`](super::SpreadBoard)
    /// the bits of all ranks go to the one that saves, 1 bit an item over the network. From the first bit read to
    /// the last, items are completed that the file does not have; they are done again after it is
    /// [restored](Self::restore).
    ///
    /// # Errors
    /// [`ErrorKind::CheckpointNotWritten`], with the file as it was and the board as usable as before; also where what
    /// `extra` gives would not be [read](Restored::extra) as it is, bit for bit: `NaN` and infinity, or `Some(None)`,
    /// which JSON has not. What `extra` or MPI returns.
    ///
    /// # Panics
    /// If the board was opened without [`completions`](crate::claim::Options::completions).
    pub fn save<E: Serialize>(
        &mut self,
        path: &Path,
        extra: impl FnOnce() -> Result<E>,
    ) -> Result<usize> {
        self.assert_completions();
        let mut saving = Saving::begin(path, self.n_items)?;
        self.for_each_done_run(|words| saving.words(words))?; // S1
        let extra = extra()?; // S2
        saving.finish(&extra, &self.engine) // S3
    }

    /// Takes over what is completed in the file at `path`, which a board of as many items
    /// [saved](Self::save), of any kind and in a job of any number of ranks: those items are claimed and completed, all
    /// others free. Collective, and before the first claim; the rank that holds word 0 reads the file. Who asks
    /// the board which items the file had as completed does so before any rank completes others, so a barrier follows.
    ///
    /// # Errors
    /// [`ErrorKind::CheckpointRefused`], on all ranks in the same words, or what MPI returns. Where nothing of the file
    /// was put on the board before that, as of one that is not there or is damaged, the board is free as it was; else
    /// it is poisoned.
    ///
    /// # Panics
    /// If the board was opened without [`completions`](crate::claim::Options::completions).
    pub fn restore(&mut self, comm: &Comm<'_>, path: &Path) -> Result<Restored> {
        self.put_back(comm, path)?.map_err(saved::refused)
    }

    /// [`restore`](Self::restore), or `None` on all ranks where there is no file at `path`: for a job that goes on from
    /// its checkpoint if it has one. The rank that reads the file decides. Were each rank to look for itself, a file
    /// that comes meanwhile, or that some hosts show later than others, would be there for some of them, which
    /// would wait for the others for ever.
    ///
    /// # Errors
    /// As [`restore`](Self::restore).
    ///
    /// # Panics
    /// As [`restore`](Self::restore).
    pub fn restore_if_there(&mut self, comm: &Comm<'_>, path: &Path) -> Result<Option<Restored>> {
        Ok(self.put_back(comm, path)?.ok())
    }

    /// Puts what the file has on the board, or returns why it is not there. Collective.
    fn put_back(&mut self, comm: &Comm<'_>, path: &Path) -> Result<Result<Restored, String>> {
        self.assert_completions();
        let (n_items, reading) = (self.n_items, self.memory.rank_of(0));
        let mut n_full = 0;
        let restored = saved::restore(comm, reading, path, n_items, |first, words| {
            for (first, words) in (first..).step_by(RUN_WORDS).zip(words.chunks(RUN_WORDS)) {
                n_full += self.put_run(first, words)?; // R1
            }
            if first + words.len() == self.n_words() && n_full > 0 {
                let counters = self.regions.counters;
                (self.memory).fetch_add(counters, N_DONE_WORDS, n_full)?; // R2
                if !self.has_one_word() {
                    (self.memory).fetch_add(counters, N_FULL_WORDS, n_full)?; // R2
                }
            }
            Ok(())
        }); // R3
        let restored = restored.map_err(|failed| failed.or_poison(|| self.memory.poison()))?;
        if (restored.as_ref()).is_ok_and(|restored| restored.n_completed() == n_items) {
            self.all_claimed = true;
            self.assert_completions().all = true;
        }
        Ok(restored)
    }

    /// R1 of neighbouring words; returns how many of them are full.
    fn put_run(&mut self, first: usize, words: &[u64]) -> Result<u64> {
        let regions = self.regions;
        let mut touched: Vec<OrOperation> = Vec::new();
        let mut n_full = 0;
        for (index, &word) in (first..).zip(words).filter(|&(_, &word)| word != 0) {
            self.known.learn(index, word);
            n_full += u64::from(word == items_in(index, self.n_items));
            if let Some(blocks) = &mut self.blocks {
                let block = index / BLOCK_WORDS;
                let marks = Marks::of(block);
                blocks.touched(block);
                match touched.last_mut() {
                    Some(last) if last.index == marks.index => last.bits |= marks.touched,
                    _ => touched.push(OrOperation {
                        index: marks.index,
                        bits: marks.touched,
                    }),
                }
            }
        }
        (self.memory).fetch_or_pipelined(regions.marks, &mut touched)?;
        let mut is_free = true;
        if words.iter().all(|&word| word == u64::MAX) {
            let mut buffer = RunBuffer::default();
            for region in [regions.words, regions.done] {
                let (run, ends) = (first..first + words.len(), (u64::MAX, u64::MAX));
                let (before, _) = self.memory.or_run(region, run, ends, &mut buffer)?;
                is_free &= before.iter().all(|&word| word == 0);
            }
        } else {
            for region in [regions.words, regions.done] {
                let set = (first..).zip(words).filter(|&(_, &word)| word != 0);
                let mut operations: Vec<OrOperation> = set
                    .map(|(index, &bits)| OrOperation { index, bits })
                    .collect();
                self.memory.fetch_or_pipelined(region, &mut operations)?;
                is_free &= operations.iter().all(|operation| operation.bits == 0);
            }
        }
        match is_free {
            true => Ok(n_full),
            false => Err(saved::not_free()),
        }
    }
}
