//! Completing items, taking over those of the dead, and boards as files: steps E1, H1, H2, S1 to S3 and R1 to R3 of
//! `src/claim/README.md`.

use std::path::Path;

use serde::Serialize;

use super::{DONE, FREE, SlotBoard, mark_of, owner_of};
use crate::claim::known::{WORD_BITS, assert_item, assert_items, assert_rank};
use crate::claim::saved::{self, Saving};
use crate::claim::{Board, Claim, Restored};
use crate::rma::{Comm, ErrorKind, Homes, PIPELINE_DEPTH, Rank, Result};

/// Whose an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holding {
    /// Nobody's.
    Free,
    /// This rank works on it, or has died.
    Held(Rank),
    /// It is completed, by this rank, or before the board was [restored](SlotBoard::restore).
    Completed(Option<Rank>),
}

impl Holding {
    fn of(mark: u32) -> Self {
        match (mark & DONE != 0, owner_of(mark)) {
            (true, owner) => Holding::Completed(owner),
            (false, Some(rank)) => Holding::Held(rank),
            (false, None) => Holding::Free,
        }
    }
}

impl<H: Homes> SlotBoard<'_, H> {
    /// Says that the work on `item` is done, and what came of it is where it will survive with the board's
    /// checkpoints. One operation.
    ///
    /// # Errors
    /// [`ErrorKind::CompletedBefore`]; [`ErrorKind::NotHeld`] where this rank has not won it, or somebody took it
    /// over; or what MPI returns.
    ///
    /// # Panics
    /// If there is no such item.
    pub fn complete(&mut self, item: usize) -> Result<()> {
        assert_item(item, self.n_items());
        let (own, done) = (self.own_mark, self.own_mark | DONE);
        let found = (self.window).compare_and_swap(self.slots, item, own, done)?; // E1
        self.verdict(item, found)
    }

    /// [`complete`](Self::complete) of several items, in pipelines.
    ///
    /// # Errors
    /// As [`complete`](Self::complete), of the first item that was not this rank's to complete; all others are
    /// completed. Or what MPI returns; some of the items may be completed then.
    ///
    /// # Panics
    /// If there is no such item.
    pub fn complete_many(&mut self, items: &[usize]) -> Result<()> {
        assert_items(items, self.n_items());
        let mut verdict = Ok(());
        let swap = (self.own_mark, self.own_mark | DONE);
        for items in items.chunks(PIPELINE_DEPTH) {
            let mut found = [FREE; PIPELINE_DEPTH];
            let found = &mut found[..items.len()];
            let counter = (self.n_claimed, 0);
            (self.window).compare_and_swap_pipelined((self.slots, items), swap, counter, found)?; // E1
            for (&item, &found) in items.iter().zip(&*found) {
                verdict = verdict.and_then(|()| self.verdict(item, found));
            }
        }
        verdict
    }

    fn verdict(&self, item: usize, found: u32) -> Result<()> {
        match Holding::of(found) {
            Holding::Held(_) if found == self.own_mark => Ok(()),
            Holding::Completed(_) => Err(ErrorKind::CompletedBefore { item }.into()),
            _ => {
                let holder = owner_of(found);
                Err(ErrorKind::NotHeld { item, holder }.into())
            }
        }
    }

    /// Whose `item` is, by one operation.
    ///
    /// # Errors
    /// What MPI returns.
    ///
    /// # Panics
    /// If there is no such item.
    pub fn holder(&self, item: usize) -> Result<Holding> {
        assert_item(item, self.n_items());
        let found = (self.window).compare_and_swap(self.slots, item, FREE, FREE)?; // H1
        Ok(Holding::of(found))
    }

    /// Claims an item that `from` has claimed and not completed: for those who outlive it. Won by one of them. Where
    /// `from` lives after all, its `complete` fails, and the item is done twice.
    ///
    /// # Errors
    /// What MPI returns.
    ///
    /// # Panics
    /// If there is no such item, or no such rank.
    pub fn take_over(&mut self, item: usize, from: Rank) -> Result<Claim> {
        assert_item(item, self.n_items());
        assert_rank(from, self.n_ranks);
        let (mark, own) = (mark_of(from), self.own_mark);
        let found = self.window.compare_and_swap(self.slots, item, mark, own)?; // H2
        Ok(match found == mark {
            true => Claim::Won,
            false => Claim::Lost {
                owner: owner_of(found),
            },
        })
    }

    /// Whether `item` is completed, by one operation.
    ///
    /// # Errors
    /// What MPI returns.
    ///
    /// # Panics
    /// If there is no such item.
    pub fn is_completed(&self, item: usize) -> Result<bool> {
        Ok(matches!(self.holder(item)?, Holding::Completed(_)))
    }

    /// How many items are completed, at least: read while others complete more, an operation for each item.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn n_completed(&self) -> Result<usize> {
        let mut n_completed = 0;
        self.for_each_done_word(|word| {
            n_completed += word.count_ones() as usize;
            Ok(())
        })?;
        Ok(n_completed)
    }

    /// S1: shows which items are completed, 64 a word, in order, while others claim and complete.
    fn for_each_done_word(&self, mut look: impl FnMut(u64) -> Result<()>) -> Result<()> {
        let n_items = self.slots.n_words();
        let mut items = [0; PIPELINE_DEPTH];
        let mut found = [FREE; PIPELINE_DEPTH];
        for first in (0..n_items).step_by(WORD_BITS) {
            let n = (n_items - first).min(WORD_BITS);
            (items.iter_mut().zip(first..)).for_each(|(slot, item)| *slot = item);
            let (slots, counter) = ((self.slots, &items[..n]), (self.n_claimed, 0));
            let found = &mut found[..n];
            (self.window).compare_and_swap_pipelined(slots, (FREE, FREE), counter, found)?;
            let bits = (found.iter().enumerate()).map(|(i, mark)| u64::from(mark / DONE) << i);
            look(bits.sum())?;
            self.engine.visit()?;
        }
        Ok(())
    }

    /// Writes which items are completed into the file at `path`, while others claim and complete: all as
    /// [`WordBoard::save`](crate::claim::WordBoard::save) has it, but that reading takes an operation for each
    /// item, 64 in flight.
    ///
    /// # Errors
    /// [`ErrorKind::CheckpointNotWritten`], with the file as it was and the board as usable as before; what
    /// `extra` or MPI returns.
    pub fn save<E: Serialize>(
        &mut self,
        path: &Path,
        extra: impl FnOnce() -> Result<E>,
    ) -> Result<usize> {
        let mut saving = Saving::begin(path, self.n_items())?;
        self.for_each_done_word(|word| saving.words(&[word]))?; // S1
        let extra = extra()?; // S2
        saving.finish(&extra, &self.engine) // S3
    }

    /// Takes over what is completed in the file at `path`:
    /// [`WordBoard::restore`](crate::claim::WordBoard::restore), whose files are the same. Who had completed what is
    /// not kept: ranks are others by then.
    ///
    /// # Errors
    /// As [`WordBoard::restore`](crate::claim::WordBoard::restore).
    pub fn restore(&mut self, comm: &Comm<'_>, path: &Path) -> Result<Restored> {
        self.put_back(comm, path)?.map_err(saved::refused)
    }

    /// [`restore`](Self::restore), or `None` on all ranks where there is no file at `path`:
    /// [`WordBoard::restore_if_there`](crate::claim::WordBoard::restore_if_there).
    ///
    /// # Errors
    /// As [`restore`](Self::restore).
    pub fn restore_if_there(&mut self, comm: &Comm<'_>, path: &Path) -> Result<Option<Restored>> {
        Ok(self.put_back(comm, path)?.ok())
    }

    /// Puts what the file has on the board, or returns why it is not there. Collective.
    fn put_back(&mut self, comm: &Comm<'_>, path: &Path) -> Result<Result<Restored, String>> {
        let (n_items, reading) = (self.n_items(), self.window.home());
        let mut items = Vec::with_capacity(PIPELINE_DEPTH);
        let restored = saved::restore(comm, reading, path, n_items, |first, words| {
            for (index, &word) in (first..).zip(words).filter(|&(_, &word)| word != 0) {
                items.clear();
                items.extend((0..WORD_BITS).filter(|bit| word >> bit & 1 == 1));
                items.iter_mut().for_each(|item| *item += index * WORD_BITS);
                self.put_completed(&items, index, word)?;
            }
            Ok(())
        }); // R3
        let restored = restored.map_err(|failed| failed.or_poison(|| self.window.poison()))?;
        let n_completed = restored.as_ref().map_or(0, Restored::n_completed);
        self.all_claimed |= n_completed == n_items;
        Ok(restored)
    }

    /// R1 and R2 of items of word `index`.
    fn put_completed(&mut self, items: &[usize], index: usize, word: u64) -> Result<()> {
        let mut found = [FREE; PIPELINE_DEPTH];
        let found = &mut found[..items.len()];
        let (slots, counter) = ((self.slots, items), (self.n_claimed, 0));
        (self.window).compare_and_swap_pipelined(slots, (FREE, DONE), counter, found)?; // R1
        if found.iter().any(|&found| found != FREE) {
            return Err(saved::not_free());
        }
        self.known.learn(index, word);
        (self.window).fetch_add(self.n_claimed, 0, items.len() as u64)?; // R2
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_says_whose_an_item_is() {
        assert_eq!(Holding::of(FREE), Holding::Free);
        assert_eq!(Holding::of(mark_of(0)), Holding::Held(0));
        assert_eq!(Holding::of(mark_of(7) | DONE), Holding::Completed(Some(7)));
        assert_eq!(Holding::of(DONE), Holding::Completed(None));
    }
}
