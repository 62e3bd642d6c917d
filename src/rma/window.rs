//! Windows on a home rank, each in one passive-target epoch for its whole life.

use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::ptr::NonNull;

use mpi::ffi;

use super::atomics::{Handles, Landing};
use super::comm::{Comm, Rank};
use super::environment::library;
use super::error::{ErrorKind, Result, check, int_count};
use super::error_handler::errors_return;
use super::hints::{Hints, Info};
use super::layout::{Kind, Layout, Region};

/// A window whose memory lies on one *home* rank, in one `MPI_Win_lock_all` epoch from
/// [`open`](Window::open) to [`close`](Window::close).
///
/// The memory is touched by RMA calls alone, by the home rank too, so nothing here depends on the
/// window's memory model (MPI-4.1 §12.4). `MPI_Win_allocate`, never `MPI_Win_create`: every library
/// measured stalls on a created window while its target is outside MPI.
#[derive(Debug)]
#[must_use = "a window is closed with `close`, which is collective; dropping it leaks it"]
pub struct Window<'mpi> {
    raw: ffi::MPI_Win,
    home: Rank,
    own_rank: Rank,
    n_bytes: usize,
    /// Where operands and results of the operation in flight lie. On the heap and freed by `close`
    /// alone: after a failed flush MPI may still write here.
    landing: NonNull<Landing>,
    handles: Handles,
    mpi: PhantomData<(&'mpi (), *const ())>,
}

impl<'mpi> Window<'mpi> {
    /// Allocates the window on rank `home`, zeroes it and opens the epoch. Collective.
    ///
    /// # Errors
    /// [`ErrorKind::WindowTooLarge`] or [`ErrorKind::NoSuchRank`] (on all ranks, before anything is allocated), or
    /// what MPI returns.
    pub fn open(comm: &Comm<'mpi>, home: Rank, layout: &Layout) -> Result<Self> {
        Self::open_with_hints(comm, home, layout, Hints::default())
    }

    /// [`open`](Window::open) with a choice of hints, for measuring what they bring.
    ///
    /// # Errors
    /// As [`open`](Window::open).
    pub fn open_with_hints(
        comm: &Comm<'mpi>,
        home: Rank,
        layout: &Layout,
        hints: Hints,
    ) -> Result<Self> {
        let n_bytes = checked_size(layout, comm, home)?;
        let own_bytes = if comm.rank() == home { n_bytes } else { 0 };
        let info = Info::for_window(&library()?, hints)?;
        let mut base: *mut c_void = std::ptr::null_mut();
        // SAFETY: the predefined null handle is a valid initial value to be overwritten.
        let mut raw = unsafe { ffi::RSMPI_WIN_NULL };
        const BYTES: c_int = 1;
        // SAFETY: `n_bytes` fits a signed displacement (`Layout::region`); `info`, the communicator,
        // `base` and `raw` are live; `base` is a pointer passed by address, as the C interface wants.
        let code = unsafe {
            ffi::MPI_Win_allocate(
                own_bytes as ffi::MPI_Aint,
                BYTES,
                info.raw(),
                comm.raw(),
                (&raw mut base).cast(),
                &mut raw,
            )
        };
        check("MPI_Win_allocate", code)?;
        info.free()?;
        // SAFETY: the window was made above; the error handler is predefined.
        let code = unsafe { ffi::MPI_Win_set_errhandler(raw, errors_return()) };
        check("MPI_Win_set_errhandler", code)?;
        // NOCHECK: nobody ever asks for a conflicting lock on this window (MPI-4.1 §12.5.3).
        // SAFETY: live window, no epoch open on it.
        let code = unsafe { ffi::MPI_Win_lock_all(ffi::MPI_MODE_NOCHECK as c_int, raw) };
        check("MPI_Win_lock_all", code)?;
        let landing = NonNull::from(Box::leak(Box::<Landing>::default()));
        let own_rank = comm.rank();
        let handles = Handles::of_library();
        let window = Window {
            raw,
            home,
            own_rank,
            n_bytes,
            landing,
            handles,
            mpi: PhantomData,
        };
        if own_rank == home {
            window.clear()?;
        }
        comm.barrier()?; // nobody operates on the window before it is zero
        Ok(window)
    }

    /// The rank on which the memory lies.
    pub fn home(&self) -> Rank {
        self.home
    }

    /// Whether the memory lies on this rank.
    pub fn is_home(&self) -> bool {
        self.own_rank == self.home
    }

    /// Sets every word to zero, complete at the home rank on return. Not atomic: no other operation
    /// may be in flight, which is for the caller to synchronise.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn clear(&self) -> Result<()> {
        static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
        for start in (0..self.n_bytes).step_by(ZEROS.len()) {
            let len = ZEROS.len().min(self.n_bytes - start);
            let count = int_count("number of bytes to put", len)?;
            // SAFETY: the origin is static, so it outlives the operation in any case; the target
            // range lies within the `n_bytes` that the home rank allocated.
            let code = unsafe {
                ffi::MPI_Put(
                    ZEROS.as_ptr().cast(),
                    count,
                    ffi::RSMPI_UINT8_T,
                    self.home,
                    start as ffi::MPI_Aint,
                    count,
                    ffi::RSMPI_UINT8_T,
                    self.raw,
                )
            };
            check("MPI_Put", code)?;
        }
        self.flush() // MPI semantics: complete at the target, so that a barrier may follow
    }

    /// Copies all words of `region`. Not atomic (`MPI_Get`): exact where no operation is in flight,
    /// which is for the caller to synchronise.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn read<K: Kind>(&self, region: Region<K>) -> Result<Vec<K::Word>> {
        const CHUNK_WORDS: usize = 1 << 20;
        self.assert_inside(&region);
        let word_bytes = size_of::<K::Word>();
        let mut words = vec![K::Word::default(); region.n_words()];
        let complete = (0..region.n_words())
            .step_by(CHUNK_WORDS)
            .try_for_each(|start| {
                let n_bytes = CHUNK_WORDS.min(region.n_words() - start) * word_bytes;
                let count = int_count("number of bytes to get", n_bytes)?;
                // SAFETY: `words` has `n_bytes` bytes from word `start` on, and the target range lies
                // within the window (asserted). Where not all is complete, `words` is leaked below.
                let code = unsafe {
                    ffi::MPI_Get(
                        words.as_mut_ptr().add(start).cast(),
                        count,
                        ffi::RSMPI_UINT8_T,
                        self.home,
                        region.displacement(start) as ffi::MPI_Aint,
                        count,
                        ffi::RSMPI_UINT8_T,
                        self.raw,
                    )
                };
                check("MPI_Get", code)
            })
            .and_then(|()| self.flush());
        match complete {
            Ok(()) => Ok(words),
            Err(error) => {
                std::mem::forget(words); // MPI may still write to it
                Err(error)
            }
        }
    }

    /// Closes the epoch and frees the window. Collective.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn close(mut self) -> Result<()> {
        // MPI semantics: unlock_all completes all operations of this epoch, at origin and target.
        // SAFETY: live window with the epoch open since `open`.
        check("MPI_Win_unlock_all", unsafe {
            ffi::MPI_Win_unlock_all(self.raw)
        })?;
        // SAFETY: live window, no epoch open, freed once since `self` is consumed.
        check("MPI_Win_free", unsafe { ffi::MPI_Win_free(&mut self.raw) })?;
        // SAFETY: from `Box::leak` in `open`, freed only here, and every operation is complete.
        drop(unsafe { Box::from_raw(self.landing.as_ptr()) });
        Ok(())
    }

    /// Completes every operation of this rank on the home rank, at the origin and at the target
    /// (`MPI_Win_flush`, MPI-4.1 §12.5.4).
    #[inline(always)]
    pub(super) fn flush(&self) -> Result<()> {
        // SAFETY: live window, within the epoch.
        check("MPI_Win_flush", unsafe {
            ffi::MPI_Win_flush(self.home, self.raw)
        })
    }

    /// Panics unless `region` lies within this window; a region of another window's layout may not.
    #[inline(always)]
    pub(super) fn assert_inside<K: Kind>(&self, region: &Region<K>) {
        region.assert_within(self.n_bytes);
    }

    #[inline(always)]
    pub(super) fn raw(&self) -> ffi::MPI_Win {
        self.raw
    }

    #[inline(always)]
    pub(super) fn handles(&self) -> &Handles {
        &self.handles
    }

    #[inline(always)]
    pub(super) fn landing(&self) -> &Landing {
        // SAFETY: from `Box::leak` in `open`, freed in `close` alone, which consumes the window; what
        // MPI writes lies behind `UnsafeCell`.
        unsafe { self.landing.as_ref() }
    }
}

/// The bytes that `layout` takes, if a window of it can be opened on `home`.
pub(super) fn checked_size(layout: &Layout, comm: &Comm<'_>, home: Rank) -> Result<usize> {
    let n_bytes = layout.n_bytes().ok_or(ErrorKind::WindowTooLarge)?;
    if (0..comm.size()).contains(&home) {
        return Ok(n_bytes);
    }
    let size = comm.size();
    Err(ErrorKind::NoSuchRank { rank: home, size }.into())
}
