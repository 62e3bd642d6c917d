//! What lies in a window: named regions of words, each word of one kind.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::{Error, ErrorKind, Result};

/// What one word of a window is for, and so the one kind of atomic operation that may touch it.
///
/// MPI's default `accumulate_ops=same_op_no_op` makes concurrent *different* operations on one
/// location erroneous (MPI-4.1 §12.2.1), and whether compare-and-swap is atomic with other
/// accumulates is an open question (mpi-forum/mpi-issues#114). So the kind is in the type of the
/// region, and each kind has one operation.
pub trait Kind: sealed::Sealed {
    /// The integer in the window.
    type Word: Copy + Default + 'static;
    /// What it is called.
    const NAME: &'static str;
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
    const NAME: &'static str = "Bits";
}
impl Kind for Counter {
    type Word = u64;
    const NAME: &'static str = "Counter";
}
impl Kind for Highest {
    type Word = u64;
    const NAME: &'static str = "Highest";
}
impl Kind for Slot {
    type Word = u32;
    const NAME: &'static str = "Slot";
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
    /// The number of the layout that it is of.
    layout: u64,
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

    /// Displacement in bytes of the `local`-th word that one rank holds, of those that there are.
    #[inline(always)]
    pub(super) fn displacement(&self, local: usize) -> usize {
        self.start_bytes + local * size_of::<K::Word>()
    }
}

/// The memory of a window on each rank that holds words, and which layout it has. Every operation asks here for the
/// displacement of its word.
#[derive(Debug)]
pub(super) struct Extent {
    layout: u64,
    n_bytes: usize,
    /// `n_bytes`; 0 while several operations are in flight, and so from then on if they do not all complete: an
    /// error or a panic comes between. An operation asks whether its word lies within, as it has to in any case.
    usable_bytes: Cell<usize>,
}

impl Extent {
    /// Of a window of `n_bytes` that is laid out so.
    pub(super) fn new(layout: &Layout, n_bytes: usize) -> Self {
        Extent {
            layout: layout.number,
            n_bytes,
            usable_bytes: Cell::new(n_bytes),
        }
    }

    pub(super) fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    /// Panics unless all words of the region lie within this window: it is of the window's layout, and was laid out
    /// before the window was opened. What is laid out later begins where the window ends.
    #[inline(always)]
    pub(super) fn assert_own<K: Kind>(&self, region: &Region<K>) {
        let is_later = region.n_words > 0 && region.start_bytes >= self.n_bytes;
        if region.layout != self.layout || is_later {
            foreign_region();
        }
    }

    /// Panics unless the region is of this window's layout, and has a word `index`. Whether that lies within the window
    /// is for [`displacement`](Extent::displacement) to ask, or [`assert_own`](Extent::assert_own).
    #[inline(always)]
    pub(super) fn assert_word<K: Kind>(&self, region: &Region<K>, index: usize) {
        if region.layout != self.layout {
            foreign_region();
        }
        if index >= region.n_words {
            no_such_word(index, region.n_words);
        }
    }

    /// Displacement in bytes of the `local`-th word that one rank holds of the region. Panics unless that word lies
    /// within the window, so what is returned is safe to operate on.
    ///
    /// # Errors
    /// [`ErrorKind::Poisoned`].
    #[inline(always)]
    pub(super) fn displacement<K: Kind>(&self, region: &Region<K>, local: usize) -> Result<usize> {
        let displacement = region.displacement(local);
        if displacement + size_of::<K::Word>() > self.usable_bytes.get() {
            return Err(self.refusal());
        }
        Ok(displacement)
    }

    /// Whether operations may begin.
    ///
    /// # Errors
    /// [`ErrorKind::Poisoned`].
    #[inline(always)]
    pub(super) fn assert_usable(&self) -> Result<()> {
        match self.usable_bytes.get() == self.n_bytes {
            true => Ok(()),
            false => Err(self.refusal()),
        }
    }

    /// Several operations begin. Until [`all_complete`](Extent::all_complete) the window counts as poisoned.
    ///
    /// # Errors
    /// [`ErrorKind::Poisoned`].
    pub(super) fn begin(&self) -> Result<()> {
        self.assert_usable()?;
        self.usable_bytes.set(0);
        Ok(())
    }

    /// All operations have completed that [began](Extent::begin).
    pub(super) fn all_complete(&self) {
        self.usable_bytes.set(self.n_bytes);
    }

    /// An operation failed: what the memory holds is unknown from now on, and what is in flight.
    #[cold]
    pub(super) fn poison(&self) {
        self.usable_bytes.set(0);
    }

    #[cold]
    #[inline(never)]
    fn refusal(&self) -> Error {
        if self.usable_bytes.get() == self.n_bytes {
            foreign_region();
        }
        ErrorKind::Poisoned.into()
    }
}

/// A window is addressed by signed displacements, so half the address space is the limit, and what it is rounded
/// up to when it is allocated.
const MAX_BYTES: usize = isize::MAX as usize - 63;

/// Lays out a window: each call adds a region and returns its name.
///
/// Every rank must lay out the same regions in the same order: opening the window compares them.
#[derive(Debug)]
pub struct Layout {
    /// Which of this process' layouts it is.
    number: u64,
    n_bytes: usize,
    /// Over how many ranks the words of each region are dealt.
    n_ranks: usize,
    too_large: bool,
    /// The kind of each region, its first byte and its number of words.
    regions: Vec<(&'static str, usize, usize)>,
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
        static N_LAYOUTS: AtomicU64 = AtomicU64::new(0);
        assert!(n_ranks > 0, "words lie on some rank");
        Layout {
            number: N_LAYOUTS.fetch_add(1, Ordering::Relaxed),
            n_bytes: 0,
            n_ranks,
            too_large: false,
            regions: Vec::new(),
        }
    }

    /// What is to be the same on all ranks.
    pub(super) fn regions(&self) -> &[(&'static str, usize, usize)] {
        &self.regions
    }

    /// How many bytes all regions take on each rank that holds words; `None` where no address space
    /// holds them.
    pub(super) fn n_bytes(&self) -> Option<usize> {
        (!self.too_large && self.n_bytes <= MAX_BYTES).then_some(self.n_bytes)
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
        (self.regions).push((K::NAME, start.unwrap_or(usize::MAX), n_words));
        let end = start.and_then(|start| start.checked_add(share.checked_mul(word_bytes)?));
        match (start, end.filter(|&end| end <= MAX_BYTES)) {
            (Some(start_bytes), Some(end)) => {
                self.n_bytes = end;
                Region {
                    start_bytes,
                    n_words,
                    layout: self.number,
                    kind: PhantomData,
                }
            }
            _ => {
                self.too_large = true;
                Region {
                    start_bytes: 0,
                    n_words: 0,
                    layout: self.number,
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
        assert_eq!(
            (
                slots.displacement(2),
                counter.displacement(0),
                bits.displacement(1)
            ),
            (8, 16, 32)
        );
        assert_eq!(layout.n_bytes(), Some(40));
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
        let mut layout = Layout::new();
        let slots = layout.region::<Slot>(3);
        let _beside = layout.region::<Slot>(1);
        Extent::new(&layout, 16).assert_word(&slots, 3);
    }

    #[test]
    #[should_panic(expected = "a region of another window's layout")]
    fn a_region_of_another_layout_panics_though_the_word_is_there() {
        let [mut own, mut other] = [Layout::new(), Layout::new()];
        let _ = own.region::<Bits>(3);
        let foreign = other.region::<Bits>(3);
        Extent::new(&own, 24).assert_word(&foreign, 0);
    }

    #[test]
    #[should_panic(expected = "a region of another window's layout")]
    fn a_region_that_was_laid_out_later_panics() {
        let mut layout = Layout::new();
        let _ = layout.region::<Bits>(3);
        let extent = Extent::new(&layout, 24);
        let later = layout.region::<Bits>(1);
        let _ = extent.displacement(&later, 0);
    }

    #[test]
    #[should_panic(expected = "a region of another window's layout")]
    fn words_of_a_region_that_was_laid_out_later_are_none_of_the_window_either() {
        let mut layout = Layout::new();
        let own = layout.region::<Bits>(3);
        let extent = Extent::new(&layout, 24);
        extent.assert_own(&own);
        extent.assert_own(&layout.region::<Bits>(0));
        extent.assert_own(&layout.region::<Bits>(1));
    }

    #[test]
    fn nothing_is_found_while_operations_are_in_flight_or_after_a_failure() {
        let mut layout = Layout::new();
        let bits = layout.region::<Bits>(3);
        let extent = Extent::new(&layout, 24);
        let poisoned = |result: Result<usize>| *result.unwrap_err().kind() == ErrorKind::Poisoned;
        assert_eq!(extent.displacement(&bits, 2).unwrap(), 16);
        extent.begin().unwrap();
        assert!(poisoned(extent.displacement(&bits, 0)));
        extent.all_complete();
        assert_eq!(extent.displacement(&bits, 0).unwrap(), 0);
        extent.poison();
        assert!(poisoned(extent.displacement(&bits, 2)));
        assert!(extent.assert_usable().is_err() && extent.begin().is_err());
    }
}
