//! Memory that all ranks of one node share, and CPU atomics on it.

use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use std::sync::atomic::{AtomicU32, AtomicU64};

use mpi::ffi;

use super::bulk::RunBuffer;
use super::comm::{Comm, Rank};
use super::error::{ErrorKind, Result, check};
use super::error_handler::errors_return;
use super::layout::{Bits, Counter, Kind, Layout, Region};
use super::placement::Placement;
use super::window::checked_size;
use crate::pulse::{Call, within};

/// A window whose memory lies on one *home* rank and is mapped by all (`MPI_Win_allocate_shared`,
/// MPI-4.1 §12.2.3), in one `MPI_Win_lock_all` epoch from [`open`](SharedWindow::open) to
/// [`close`](SharedWindow::close). All ranks must be on one node.
///
/// Its words are operated on by CPU atomics alone, never by RMA calls: mixing both on one word loses
/// updates. So nobody needs anybody's progress: an operation takes what a cache line takes, whether the
/// home rank sleeps or computes, on every MPI library.
#[derive(Debug)]
#[must_use = "a window is closed with `close`, which is collective; dropping it leaks it"]
pub struct SharedWindow<'mpi> {
    raw: ffi::MPI_Win,
    /// The home rank's memory as it is mapped here; at least `n_bytes`, aligned to 8.
    base: NonNull<u8>,
    home: Rank,
    n_bytes: usize,
    mpi: PhantomData<(&'mpi (), *const ())>,
}

impl<'mpi> SharedWindow<'mpi> {
    /// Allocates the window on rank `home`, zeroes it and opens the epoch. Collective.
    ///
    /// # Errors
    /// [`ErrorKind::SeveralNodes`], [`ErrorKind::WindowTooLarge`] or [`ErrorKind::NoSuchRank`] (on all
    /// ranks, before anything is allocated), or what MPI returns.
    pub fn open(comm: &Comm<'mpi>, home: Rank, layout: &Layout) -> Result<Self> {
        let n_bytes = checked_size(layout, comm, home)?;
        let n_nodes = Placement::of(comm)?.n_nodes();
        if n_nodes > 1 {
            return Err(ErrorKind::SeveralNodes { n_nodes }.into());
        }
        let own_bytes = if comm.rank() == home { n_bytes } else { 0 };
        let mut own_base: *mut c_void = std::ptr::null_mut();
        // SAFETY: the predefined null handle is a valid initial value to be overwritten.
        let mut raw = unsafe { ffi::RSMPI_WIN_NULL };
        const BYTES: c_int = 1;
        let within_allocate = within(Call::WinAllocateShared, None);
        // SAFETY: `n_bytes` fits a signed displacement (`Layout::region`); communicator, `own_base` and
        // `raw` are live, and all ranks can share memory (checked).
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
            base: memory_of(raw, home, n_bytes)?,
            home,
            n_bytes,
            mpi: PhantomData,
        };
        if comm.rank() == home {
            window.clear();
        }
        window.sync()?;
        comm.barrier()?; // nobody operates on the window before it is zero
        window.sync()?;
        Ok(window)
    }

    /// The rank on which the memory lies.
    pub fn home(&self) -> Rank {
        self.home
    }

    /// How many bytes the home rank holds.
    pub fn n_bytes(&self) -> usize {
        self.n_bytes
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
        for displacement in (0..self.n_bytes).step_by(size_of::<u32>()) {
            // SAFETY: words have 4 or 8 bytes, so `n_bytes` is a multiple of 4, `base` is aligned to 8,
            // and this is within the mapped bytes; atomic, so a racing reader is no data race.
            let word = unsafe { AtomicU32::from_ptr(self.base.as_ptr().add(displacement).cast()) };
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
        check("MPI_Win_free", unsafe { ffi::MPI_Win_free(&mut self.raw) })
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
        region.assert_word(run.end - 1);
        let displacement = region.displacement_of_run(run.start, run.len(), self.n_bytes);
        // SAFETY: the 64-bit words of `run` lie one behind the other within the `n_bytes` mapped bytes
        // (`displacement_of_run`), aligned as that of `word` is. The memory lives until `close` consumes
        // the window, and all ranks use atomics on it alone.
        unsafe {
            let first = self.base.as_ptr().add(displacement).cast::<AtomicU64>();
            std::slice::from_raw_parts(first, run.len())
        }
    }

    #[inline(always)]
    fn word<K: Kind<Word = u64>>(&self, region: &Region<K>, index: usize) -> &AtomicU64 {
        region.assert_word(index);
        let displacement = region.displacement(index, self.n_bytes);
        // SAFETY: a 64-bit word within the `n_bytes` mapped bytes (`displacement`); `base` is aligned to 8
        // (`memory_of`) and displacements of 64-bit regions are multiples of 8 (`Layout::region`). The
        // memory lives until `close` consumes the window, and all ranks use atomics on it alone.
        unsafe { AtomicU64::from_ptr(self.base.as_ptr().add(displacement).cast()) }
    }
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
    let fits = size >= n_bytes as ffi::MPI_Aint;
    NonNull::new(base.cast::<u8>())
        .filter(|base| fits && base.cast::<u64>().is_aligned())
        .ok_or_else(|| ErrorKind::SharedMemory.into())
}
