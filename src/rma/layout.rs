//! What lies in a window: named regions of words, each word of one kind.

use std::marker::PhantomData;

/// What one word of a window is for, and so the one kind of atomic operation that may touch it.
///
/// MPI's default `accumulate_ops=same_op_no_op` makes concurrent *different* operations on one
/// location erroneous (MPI-4.1 §12.2.1), and whether compare-and-swap is atomic with other
/// accumulates is an open question (mpi-forum/mpi-issues#114). So the kind is in the type of the
/// region, and each kind has one operation.
pub trait Kind: sealed::Sealed {
    /// The integer in the window.
    type Word: Copy + Default + 'static;
}

/// 64 bits that are only ever set: `MPI_Fetch_and_op(MPI_BOR)`.
#[derive(Debug, Clone, Copy)]
pub enum Bits {}

/// A 64-bit number that is only ever added to: `MPI_Fetch_and_op(MPI_SUM)`.
#[derive(Debug, Clone, Copy)]
pub enum Counter {}

/// A number of 63 bits that only ever rises to what is offered: `MPI_Fetch_and_op(MPI_MAX)` on 64.
#[derive(Debug, Clone, Copy)]
pub enum Highest {}

/// A 32-bit slot that is taken once: `MPI_Compare_and_swap`.
///
/// 32 bits hold every rank, halve the memory of 64, and keep clear of a fault: see
/// [`faults::OPEN_MPI_CAS_64`](super::faults::OPEN_MPI_CAS_64).
#[derive(Debug, Clone, Copy)]
pub enum Slot {}

impl Kind for Bits {
    type Word = u64;
}
impl Kind for Counter {
    type Word = u64;
}
impl Kind for Highest {
    type Word = u64;
}
impl Kind for Slot {
    type Word = u32;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Bits {}
    impl Sealed for super::Counter {}
    impl Sealed for super::Highest {}
    impl Sealed for super::Slot {}
}

/// A named run of words of one kind in a window.
///
/// Words are numbered over all ranks that hold them: where a layout is [dealt](Layout::dealt), word
/// `i` is the `i / n_ranks`-th of its rank.
#[derive(Debug)]
pub struct Region<K: Kind> {
    start_bytes: usize,
    n_words: usize,
    kind: PhantomData<K>,
}

impl<K: Kind> Clone for Region<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K: Kind> Copy for Region<K> {}

impl<K: Kind> Region<K> {
    /// How many words there are.
    pub fn n_words(&self) -> usize {
        self.n_words
    }

    /// Panics unless there is a word `index`.
    #[inline(always)]
    pub(super) fn assert_word(&self, index: usize) {
        if index >= self.n_words {
            no_such_word(index, self.n_words);
        }
    }

    /// Displacement in bytes of the `local`-th word that one rank holds of this region, in a window of
    /// `n_bytes` a rank.
    ///
    /// Panics unless that word lies within the window, so what is returned is safe to operate on; a
    /// region of another window's layout may not.
    #[inline(always)]
    pub(super) fn displacement(&self, local: usize, n_bytes: usize) -> usize {
        let displacement = self.start_bytes + local * size_of::<K::Word>();
        if displacement + size_of::<K::Word>() > n_bytes {
            foreign_region();
        }
        displacement
    }

    /// The same for a run of `n_words` words; 0 for none.
    pub(super) fn displacement_of_run(
        &self,
        local: usize,
        n_words: usize,
        n_bytes: usize,
    ) -> usize {
        match n_words.checked_sub(1) {
            None => 0,
            Some(rest) => {
                self.displacement(local + rest, n_bytes);
                self.displacement(local, n_bytes)
            }
        }
    }
}

/// Lays out a window: each call adds a region and returns its name.
///
/// Every rank must lay out the same regions in the same order, as it must call any collective.
#[derive(Debug)]
pub struct Layout {
    n_bytes: usize,
    /// Over how many ranks the words of each region are dealt.
    n_ranks: usize,
    too_large: bool,
}

impl Default for Layout {
    fn default() -> Self {
        Layout::new()
    }
}

impl Layout {
    /// An empty layout of a window whose words all lie on one rank.
    pub fn new() -> Self {
        Layout::dealt(1)
    }

    /// An empty layout of a window whose words are dealt over `n_ranks` ranks, word by word: no rank
    /// has more than one word of a region more than another, and room for one.
    ///
    /// # Panics
    /// If `n_ranks` is 0.
    pub fn dealt(n_ranks: usize) -> Self {
        assert!(n_ranks > 0, "words lie on some rank");
        Layout {
            n_bytes: 0,
            n_ranks,
            too_large: false,
        }
    }

    /// How many bytes all regions take on each rank that holds words; `None` where no address space
    /// holds them.
    pub(super) fn n_bytes(&self) -> Option<usize> {
        (!self.too_large).then_some(self.n_bytes)
    }

    /// How many bytes a rank is to give that holds words, or that does not; what no address space holds
    /// counts as all of it.
    pub(crate) fn bytes_on(&self, holds_words: bool) -> u64 {
        match holds_words {
            true => self.n_bytes().map_or(u64::MAX, |n_bytes| n_bytes as u64),
            false => 0,
        }
    }

    /// Over how many ranks words are dealt.
    pub(super) fn n_ranks(&self) -> usize {
        self.n_ranks
    }

    /// Begins the next region on a cache line of its own, for words that are written apart from those
    /// before.
    pub fn on_next_cache_line(&mut self) {
        const CACHE_LINE_BYTES: usize = 64;
        match self.n_bytes.checked_next_multiple_of(CACHE_LINE_BYTES) {
            Some(n_bytes) => self.n_bytes = n_bytes,
            None => self.too_large = true,
        }
    }

    /// Adds `n_words` words of a kind, all zero when the window opens.
    pub fn region<K: Kind>(&mut self, n_words: usize) -> Region<K> {
        let word_bytes = size_of::<K::Word>();
        let share = n_words.div_ceil(self.n_ranks);
        let start = self.n_bytes.checked_next_multiple_of(word_bytes);
        let end = start.and_then(|start| start.checked_add(share.checked_mul(word_bytes)?));
        // A window is addressed by signed displacements, so half the address space is the limit.
        match (start, end.filter(|&end| isize::try_from(end).is_ok())) {
            (Some(start_bytes), Some(end)) => {
                self.n_bytes = end;
                Region {
                    start_bytes,
                    n_words,
                    kind: PhantomData,
                }
            }
            _ => {
                self.too_large = true;
                Region {
                    start_bytes: 0,
                    n_words: 0,
                    kind: PhantomData,
                }
            }
        }
    }
}

/// Apart and cold, as [`no_such_word`].
#[cold]
#[inline(never)]
fn foreign_region() -> ! {
    panic!("a region of another window's layout")
}

/// Apart and cold, with arguments by value: a panic that formats in place would make every claim keep
/// its operands in memory.
#[cold]
#[inline(never)]
fn no_such_word(index: usize, n_words: usize) -> ! {
    panic!("word {index} of a region of {n_words} words")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_follow_each_other_aligned_and_do_not_overlap() {
        let mut layout = Layout::new();
        let slots = layout.region::<Slot>(3);
        let counter = layout.region::<Counter>(1);
        let bits = layout.region::<Bits>(2);
        let n_bytes = layout.n_bytes().expect("it is small");
        assert_eq!(
            (
                slots.displacement(2, n_bytes),
                counter.displacement(0, n_bytes),
                bits.displacement(1, n_bytes)
            ),
            (8, 16, 32)
        );
        assert_eq!(n_bytes, 40);
    }

    #[test]
    fn a_dealt_region_takes_its_share_on_each_rank() {
        let mut layout = Layout::dealt(3);
        let bits = layout.region::<Bits>(7);
        let counter = layout.region::<Counter>(1);
        assert_eq!((bits.n_words(), counter.n_words()), (7, 1));
        assert_eq!(layout.n_bytes(), Some(3 * 8 + 8));
    }

    #[test]
    fn a_layout_that_no_address_space_holds_is_noticed() {
        for n_words in [usize::MAX, usize::MAX / 8, isize::MAX as usize / 8 + 1] {
            let mut layout = Layout::new();
            let _ = layout.region::<Bits>(n_words);
            assert_eq!(layout.n_bytes(), None, "{n_words}");
        }
    }

    #[test]
    #[should_panic(expected = "word 3 of a region of 3 words")]
    fn a_word_outside_its_region_panics() {
        Layout::new().region::<Slot>(3).assert_word(3);
    }

    #[test]
    #[should_panic(expected = "a region of another window's layout")]
    fn a_run_that_ends_outside_its_window_panics() {
        Layout::new()
            .region::<Bits>(3)
            .displacement_of_run(1, 3, 24);
    }
}
