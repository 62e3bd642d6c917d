//! Memory that all ranks of one node share, and CPU atomics on it.

use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use mpi::ffi;

use super::agreement::{Opening, agree, all_or_none};
use super::bulk::RunBuffer;
use super::comm::{Comm, Rank};
use super::error::{ErrorKind, Result, check};
use super::error_handler::errors_return;
use super::layout::{Bits, Counter, Extent, Kind, Layout, Region};
use super::open_at_end::{self, Open};
use super::placement::assert_one_node;
use super::window::checked_size;
use crate::pulse::{Call, within};

/// A window whose memory lies on one *home* rank and is mapped by all (`MPI_Win_allocate_shared`,
/// MPI-4.1 §12.2.3), in one `MPI_Win_lock_all` epoch from [`open`](SharedWindow::open) to
/// [`close`](SharedWindow::close). All ranks must be on one node.
///
/// Its words are operated on by CPU atomics alone, never by RMA calls: mixing both on one word loses
/// updates. So nobody needs anybody's progress: an operation takes what a cache line takes, whether the
/// home rank sleeps or computes, on every MPI library.
///
/// All its atomics are of 64 bits, since atomics of two sizes on one word have no defined order between them:
/// there is no operation on a region of [`Slot`](super::Slot)s.
#[derive(Debug)]
#[must_use = "a window is closed with `close`, which is collective; dropping it leaks it"]
pub struct SharedWindow<'mpi> {
    raw: ffi::MPI_Win,
    /// The home rank's memory as it is mapped here; the extent or more up to a whole word, aligned to 8.
    base: NonNull<u8>,
    home: Rank,
    extent: Extent,
    mpi: PhantomData<(&'mpi (), *const ())>,
}

impl<'mpi> SharedWindow<'mpi> {
    /// Allocates the window on rank `home`, zeroes it and opens the epoch. Collective.
    ///
    /// # Errors
    /// [`ErrorKind::OpenedDifferently`], [`ErrorKind::SeveralNodes`], [`ErrorKind::WindowTooLarge`] or
    /// [`ErrorKind::NoSuchRank`] (on all ranks, before anything is allocated), or what MPI returns, on all
    /// ranks too.
    ///
    /// # Panics
    /// If the layout is [dealt](Layout::dealt) over several ranks.
    pub fn open(comm: &Comm<'mpi>, home: Rank, layout: &Layout) -> Result<Self> {
        assert_on_one_rank(layout);
        let opening = Opening::of("SharedWindow")
            .with("target", home)
            .with("layout", layout.regions());
        agree(comm, &opening, 0)?;
        assert_one_node(comm)?;
        Self::allocate(comm, home, layout)
    }

    /// [`open`](SharedWindow::open) for ranks of one node that have [agreed](agree) on what they open. Collective.
    ///
    /// # Errors
    /// As [`open`](SharedWindow::open). After an error of MPI's, what had been allocated leaks.
    pub(crate) fn allocate(comm: &Comm<'mpi>, home: Rank, layout: &Layout) -> Result<Self> {
        assert_on_one_rank(layout);
        let extent = Extent::new(layout, checked_size(layout, comm, home)?);
        // By an exchange of all ranks' results, so nobody operates on the window before it is zero.
        let window = all_or_none(comm, Self::allocate_own(comm, home, extent))?;
        all_or_none(comm, window.sync())?;
        open_at_end::opened(Open::Window);
        Ok(window)
    }

    /// This rank's part in allocating a window, zeroed. Collective.
    fn allocate_own(comm: &Comm<'mpi>, home: Rank, extent: Extent) -> Result<Self> {
        let own_bytes = match comm.rank() == home {
            true => extent.n_bytes().next_multiple_of(size_of::<u64>()),
            false => 0,
        };
        let mut own_base: *mut c_void = std::ptr::null_mut();
        // SAFETY: the predefined null handle is a valid initial value to be overwritten.
        let mut raw = unsafe { ffi::RSMPI_WIN_NULL };
        const BYTES: c_int = 1;
        let within_allocate = within(Call::WinAllocateShared, None);
        // SAFETY: `own_bytes` fits a signed displacement (`Layout::n_bytes`, which leaves room for it);
        // communicator, `own_base` and `raw` are live, and all ranks can share memory (caller).
        let code = unsafe {
            ffi::MPI_Win_allocate_shared(
                own_bytes as ffi::MPI_Aint,
                BYTES,
                ffi::RSMPI_INFO_NULL,
                comm.raw(),
                (&raw mut own_base).cast(),
                &mut raw,
            )
        };
        check("MPI_Win_allocate_shared", code)?;
        drop(within_allocate);
        // SAFETY: the window was made above; the error handler is predefined.
        let code = unsafe { ffi::MPI_Win_set_errhandler(raw, errors_return()) };
        check("MPI_Win_set_errhandler", code)?;
        let within_lock = within(Call::WinLockAll, None);
        // SAFETY: live window, no epoch open on it; nobody asks for a conflicting lock.
        let code = unsafe { ffi::MPI_Win_lock_all(ffi::MPI_MODE_NOCHECK as c_int, raw) };
        check("MPI_Win_lock_all", code)?;
        drop(within_lock);
        let window = SharedWindow {
            raw,
            base: memory_of(raw, home, extent.n_bytes())?,
            home,
            extent,
            mpi: PhantomData,
        };
        if comm.rank() == home {
            window.clear();
        }
        window.sync()?;
        Ok(window)
    }

    /// The rank on which the memory lies.
    pub fn home(&self) -> Rank {
        self.home
    }

    /// How many bytes the home rank holds.
    pub fn n_bytes(&self) -> usize {
        self.extent.n_bytes()
    }

    /// Poisons this rank's side of the window: see [`assert_usable`](Self::assert_usable).
    pub(crate) fn poison(&self) {
        self.extent.poison();
    }

    /// Whether this rank's side of the window is not poisoned. Its operations panic if it is.
    ///
    /// # Errors
    /// [`ErrorKind::Poisoned`].
    #[inline(always)]
    pub(crate) fn assert_usable(&self) -> Result<()> {
        self.extent.assert_usable()
    }

    /// [`fetch_or`](Self::fetch_or) for a caller that has made sure that the region is this window's and has a word
    /// `index`: what is checked is that the word lies within the window.
    ///
    /// # Errors
    /// [`ErrorKind::Poisoned`].
    #[inline(always)]
    pub(crate) fn fetch_or_of(&self, region: Region<Bits>, index: usize, bits: u64) -> Result<u64> {
        Ok(self.word_of(&region, index)?.fetch_or(bits, AcqRel))
    }

    /// Sets `bits` in word `index` and returns the word as it was before (`lock or`, or a loop of
    /// `cmpxchg`). With `bits` 0, an atomic read.
    ///
    /// # Panics
    /// If `index` is outside the region, or the region is another window's.
    #[inline(always)]
    pub fn fetch_or(&self, region: Region<Bits>, index: usize, bits: u64) -> u64 {
        self.word(&region, index).fetch_or(bits, AcqRel)
    }

    /// Adds `addend` to counter `index` (wrapping) and returns the number as it was before. With
    /// `addend` 0, an atomic read.
    ///
    /// # Panics
    /// If `index` is outside the region, or the region is another window's.
    #[inline(always)]
    pub fn fetch_add(&self, region: Region<Counter>, index: usize, addend: u64) -> u64 {
        let word = self.word(&region, index);
        match addend {
            // Caches share a line that is only read: ranks that look do not slow each other.
            0 => word.load(Acquire),
            _ => word.fetch_add(addend, AcqRel),
        }
    }

    /// Word `index` as it is (a plain load, with acquire order). Unlike [`fetch_or`](Self::fetch_or)
    /// with no bits it leaves the cache line with everybody who reads it.
    ///
    /// # Panics
    /// If `index` is outside the region, or the region is another window's.
    #[inline(always)]
    pub fn load<K: Kind<Word = u64>>(&self, region: Region<K>, index: usize) -> u64 {
        self.word(&region, index).load(Acquire)
    }

    /// Sets all bits of the words `run`, but only `first_bits` of the first and `last_bits` of the last
    /// (both, where there is one word), each word atomically. Returns the words as they were before.
    ///
    /// # Panics
    /// If the run is empty, longer than [`RUN_WORDS`](super::RUN_WORDS) or not within the region, or the
    /// region is another window's.
    pub fn or_run<'buffer>(
        &self,
        region: Region<Bits>,
        run: Range<usize>,
        (first_bits, last_bits): (u64, u64),
        buffer: &'buffer mut RunBuffer,
    ) -> &'buffer mut [u64] {
        let results = buffer.words(run.len());
        let words = self.words(&region, run);
        let last = words.len() - 1;
        for (i, (result, word)) in results.iter_mut().zip(words).enumerate() {
            *result = match i {
                0 if last == 0 => word.fetch_or(first_bits & last_bits, AcqRel),
                0 => word.fetch_or(first_bits, AcqRel),
                i if i == last => word.fetch_or(last_bits, AcqRel),
                _ => word.swap(u64::MAX, AcqRel), // the same, and a CPU has one instruction for it
            };
        }
        results
    }

    /// Copies all words of a region of 64-bit words; each is read atomically. Exact where no operation
    /// is in flight, which is for the caller to synchronise.
    ///
    /// # Panics
    /// If the region is another window's.
    pub fn read<K: Kind<Word = u64>>(&self, region: Region<K>) -> Vec<u64> {
        (0..region.n_words())
            .map(|index| self.word(&region, index).load(Relaxed))
            .collect()
    }

    /// Sets every word to zero. No other operation may be in flight, which is for the caller to
    /// synchronise.
    pub fn clear(&self) {
        for displacement in (0..self.n_bytes()).step_by(size_of::<u64>()) {
            // SAFETY: whole words of 8 bytes are mapped (`memory_of`), `base` is aligned to 8; atomic, and
            // of the size of all other accesses, so a racing one is no data race.
            let word = unsafe { AtomicU64::from_ptr(self.base.as_ptr().add(displacement).cast()) };
            word.store(0, Relaxed);
        }
    }

    /// Closes the epoch and frees the window. Collective.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn close(mut self) -> Result<()> {
        let within_unlock = within(Call::WinUnlockAll, None);
        // SAFETY: live window with the epoch open since `open`.
        check("MPI_Win_unlock_all", unsafe {
            ffi::MPI_Win_unlock_all(self.raw)
        })?;
        drop(within_unlock);
        let _within = within(Call::WinFree, None);
        // SAFETY: live window, no epoch open, freed once since `self` is consumed; nothing refers to
        // its memory any more.
        check("MPI_Win_free", unsafe { ffi::MPI_Win_free(&mut self.raw) })?;
        open_at_end::closed(Open::Window);
        Ok(())
    }

    /// `MPI_Win_sync` (MPI-4.1 §12.5.4): with a barrier between two of them, what was stored before the
    /// one is seen after the other, in whatever memory model the window has.
    fn sync(&self) -> Result<()> {
        // SAFETY: live window, within the epoch.
        check("MPI_Win_sync", unsafe { ffi::MPI_Win_sync(self.raw) })
    }

    /// The words `run`, of which there is at least one.
    fn words(&self, region: &Region<Bits>, run: Range<usize>) -> &[AtomicU64] {
        assert!(!run.is_empty(), "a run of no words");
        self.extent.assert_word(region, run.end - 1);
        usable(self.extent.displacement(region, run.end - 1));
        let displacement = usable(self.extent.displacement(region, run.start));
        // SAFETY: the first and the last 64-bit word of `run` lie within the mapped bytes (`displacement`), all
        // others one behind the other in between, aligned as that of `word_of` is. The memory lives until `close`
        // consumes the window, and all ranks use atomics on it alone.
        unsafe {
            let first = self.base.as_ptr().add(displacement).cast::<AtomicU64>();
            std::slice::from_raw_parts(first, run.len())
        }
    }

    #[inline(always)]
    fn word<K: Kind<Word = u64>>(&self, region: &Region<K>, index: usize) -> &AtomicU64 {
        self.extent.assert_word(region, index);
        usable(self.word_of(region, index))
    }

    #[inline(always)]
    fn word_of<K: Kind<Word = u64>>(&self, region: &Region<K>, index: usize) -> Result<&AtomicU64> {
        let displacement = self.extent.displacement(region, index)?;
        // SAFETY: a 64-bit word within the mapped bytes (`displacement`); `base` is aligned to 8
        // (`memory_of`) and displacements of 64-bit regions are multiples of 8 (`Layout::region`). The
        // memory lives until `close` consumes the window, and all ranks use atomics on it alone.
        Ok(unsafe { AtomicU64::from_ptr(self.base.as_ptr().add(displacement).cast()) })
    }
}

/// What there is in a window that is not poisoned; operations of shared windows have no other way to fail.
#[inline(always)]
fn usable<T>(result: Result<T>) -> T {
    #[cold]
    #[inline(never)]
    fn poisoned(error: super::Error) -> ! {
        panic!("{error}")
    }
    match result {
        Ok(value) => value,
        Err(error) => poisoned(error),
    }
}

/// One rank's memory is mapped by all, so all words are to lie there.
fn assert_on_one_rank(layout: &Layout) {
    assert_eq!(layout.n_ranks(), 1, "a layout for several ranks");
}

/// Where the memory of `home` is mapped in this process.
fn memory_of(raw: ffi::MPI_Win, home: Rank, n_bytes: usize) -> Result<NonNull<u8>> {
    if n_bytes == 0 {
        return Ok(NonNull::<u64>::dangling().cast());
    }
    let (mut size, mut unit): (ffi::MPI_Aint, c_int) = (0, 0);
    let mut base: *mut c_void = std::ptr::null_mut();
    // SAFETY: a live window of MPI_Win_allocate_shared; the three results are live.
    let code = unsafe {
        ffi::MPI_Win_shared_query(raw, home, &mut size, &mut unit, (&raw mut base).cast())
    };
    check("MPI_Win_shared_query", code)?;
    let fits = size >= n_bytes.next_multiple_of(size_of::<u64>()) as ffi::MPI_Aint;
    NonNull::new(base.cast::<u8>())
        .filter(|base| fits && base.cast::<u64>().is_aligned())
        .ok_or_else(|| ErrorKind::SharedMemory.into())
}
