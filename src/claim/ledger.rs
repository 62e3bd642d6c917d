//! Who has done what: the second half of a claim, where that is a step of its own.

use super::word_board::Memory;
use super::{Account, Options};
use crate::rma::{Comm, Counter, Layout, OneHome, Rank, Region, Result, SharedWindow, Window};

/// A mark of this bit is of an earlier job, whose ranks are others.
const EARLIER: u64 = 1 << 63;

/// What the home rank adds to take over an item from a rank that it takes for dead: a word that has it is the
/// home rank's, whatever else was added since.
const TAKEN_OVER: u64 = 1 << 62;

/// What a ledger says of an item that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The rank that has done it.
    pub rank: Rank,
    /// Whether that was in an earlier job.
    pub earlier: bool,
}

impl Entry {
    /// An entry as a word of a checkpoint and of the home rank's memory: the rank plus 1 in the lower 32
    /// bits, and bit 63 for an earlier job. 0 is no entry.
    ///
    /// # Panics
    /// If there is no such rank in any job: it is below 0.
    pub fn to_word(self) -> u64 {
        assert!(self.rank >= 0, "rank {} has done nothing", self.rank);
        u64::from(self.rank.unsigned_abs() + 1) | if self.earlier { EARLIER } else { 0 }
    }

    /// The entry that a word holds; `None` where it holds none, or is no word of a ledger.
    pub fn from_word(word: u64) -> Option<Self> {
        let mark = u32::try_from(word & !EARLIER).ok()?;
        let rank = Rank::try_from(mark.checked_sub(1)?).ok()?;
        Some(Entry {
            rank,
            earlier: word & EARLIER != 0,
        })
    }
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "an entry that does not count is not this rank's"]
pub enum Entering {
    /// It is the item's first, and counts.
    First,
    /// The home rank had taken the item over: this rank was taken for dead. Its entry does not count.
    TakenOver,
    /// Somebody had entered the item: a fault, of the search or of the library. The entry is worthless now.
    Second,
}

/// On the home rank, for each item the rank that has done it: 8 bytes an item, one
/// `MPI_Fetch_and_op(MPI_SUM)` an entry.
///
/// Beside a board or tickets of any kind. What was claimed there and is not entered here was held by a rank
/// that did not come to finish it. The home rank reads it while others enter: items that are done
/// stay done, so whatever is read was true, and what comes later is in the next reading.
#[derive(Debug)]
#[must_use = "a ledger is closed with `close`, which is collective"]
pub struct Ledger<M> {
    memory: M,
    entries: Region<Counter>,
    own_rank: Rank,
    n_operations: u64,
}

impl<'mpi> Ledger<Window<'mpi>> {
    /// An empty ledger of `n_items` on rank `home`. Collective. Progress is for a board beside it to make.
    ///
    /// # Errors
    /// As [`BitBoard::open_with`](super::BitBoard::open_with), but for lost bits.
    pub fn open(comm: &Comm<'mpi>, home: Rank, n_items: usize) -> Result<Self> {
        let (layout, entries) = lay_out(n_items);
        let options = Options::default();
        let opening = options.opening("Ledger", home, n_items);
        let memory = options.open_window(&opening, comm, OneHome(home), &layout, 0)?;
        Ok(Self::on(memory, entries, comm))
    }
}

impl<'mpi> Ledger<SharedWindow<'mpi>> {
    /// The same in memory that all ranks of one node share, so that it needs nobody's progress. Collective.
    ///
    /// # Errors
    /// As [`SharedBoard::open_with`](super::SharedBoard::open_with).
    pub fn open_shared(comm: &Comm<'mpi>, home: Rank, n_items: usize) -> Result<Self> {
        let (layout, entries) = lay_out(n_items);
        let options = Options::default();
        let opening = options.opening("Ledger in shared memory", home, n_items);
        let memory = options.open_shared(&opening, comm, home, &layout, 0)?;
        Ok(Self::on(memory, entries, comm))
    }
}

fn lay_out(n_items: usize) -> (Layout, Region<Counter>) {
    let mut layout = Layout::new();
    let entries = layout.region(n_items);
    (layout, entries)
}

impl<M: Memory> Ledger<M> {
    fn on(memory: M, entries: Region<Counter>, comm: &Comm<'_>) -> Self {
        Ledger {
            memory,
            entries,
            own_rank: comm.rank(),
            n_operations: 0,
        }
    }

    /// How many items there are.
    pub fn n_items(&self) -> usize {
        self.entries.n_words()
    }

    /// Enters that this rank has done `item`.
    ///
    /// # Errors
    /// What MPI returns.
    ///
    /// # Panics
    /// If there is no such item.
    #[inline]
    pub fn enter(&mut self, item: usize) -> Result<Entering> {
        let entry = Entry {
            rank: self.own_rank,
            earlier: false,
        };
        Ok(match self.put(item, entry.to_word())? {
            0 => Entering::First,
            before if before & TAKEN_OVER != 0 => Entering::TakenOver,
            _ => Entering::Second,
        })
    }

    /// On the home rank: enters an item that a rank has claimed which is taken for dead, and that nobody has
    /// entered. Whether it is the home rank's now: if not, its entry came first, and stands.
    ///
    /// Whether that rank is dead does not matter: of its entry and this one, the first counts, and both find
    /// out which it was.
    ///
    /// # Errors
    /// What MPI returns.
    ///
    /// # Panics
    /// If there is no such item, or this is not the home rank.
    pub fn take_over(&mut self, item: usize) -> Result<bool> {
        assert_eq!(
            self.own_rank,
            self.memory.rank_of(0),
            "the home rank takes over"
        );
        let is_first = self.put(item, TAKEN_OVER)? == 0;
        if !is_first {
            self.put(item, TAKEN_OVER.wrapping_neg())?; // as if it had not been
        }
        Ok(is_first)
    }

    /// Enters who has done `item` in an earlier job, before any rank of this one begins.
    ///
    /// # Errors
    /// What MPI returns.
    ///
    /// # Panics
    /// If there is no such item, or the rank is below 0.
    pub fn restore(&mut self, item: usize, by: Entry) -> Result<bool> {
        let earlier = true;
        Ok(self.put(item, Entry { earlier, ..by }.to_word())? == 0)
    }

    /// Adds to the word of an item, and returns it as it was before.
    fn put(&mut self, item: usize, addend: u64) -> Result<u64> {
        self.n_operations += 1;
        self.memory.fetch_add(self.entries, item, addend)
    }

    /// All entries, read word by word while others enter theirs.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn entries(&self) -> Result<Vec<Option<Entry>>> {
        let words = self.memory.counters_now(self.entries)?.into_iter();
        let entry = |(item, word)| match word & TAKEN_OVER {
            0 => Entry::from_word(word),
            _ => Some(Entry {
                rank: self.memory.rank_of(item),
                earlier: false,
            }),
        };
        Ok((0..).zip(words).map(entry).collect())
    }

    /// The ledger at rest, for a comparison with its board.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn account(&self) -> Result<Account> {
        let entries = self.entries()?;
        let of_this_job = |entry: Option<Entry>| Some(entry.filter(|entry| !entry.earlier)?.rank);
        Ok(Account {
            claimed: entries.iter().map(Option::is_some).collect(),
            owners: Some(entries.into_iter().map(of_this_job).collect()),
        })
    }

    /// How many RMA operations this rank has issued for entries so far.
    pub fn n_operations(&self) -> u64 {
        self.n_operations
    }

    /// Begins anew: as [`Board::clear`](super::Board::clear), at rest and by one rank.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn clear(&mut self) -> Result<()> {
        self.memory.clear()
    }

    /// Closes it. Collective.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn close(self) -> Result<()> {
        self.memory.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_word_and_no_other_word_is_one() {
        for rank in [0, 1, 77, Rank::MAX] {
            for earlier in [false, true] {
                let entry = Entry { rank, earlier };
                assert_eq!(Entry::from_word(entry.to_word()), Some(entry));
            }
        }
        for word in [
            0,
            EARLIER,
            1 << 32,
            u64::MAX,
            EARLIER | (1 << 40) | 1,
            TAKEN_OVER,
            TAKEN_OVER | 1,
            0xffff_ffff,
        ] {
            assert_eq!(Entry::from_word(word), None, "{word:x}");
        }
    }
}
