//! Windows, each in one passive-target epoch for its whole life.

use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::ptr::NonNull;

use mpi::ffi;

use super::agreement::{Opening, agree, all_or_none};
use super::atomics::{Handles, Landing};
use super::comm::{Comm, Rank};
use super::environment::library;
use super::error::{ErrorKind, Result, check};
use super::error_handler::errors_return;
use super::hints::{Hints, Info};
use super::homes::{Homes, OneHome};
use super::layout::{Extent, Kind, Layout, Region};
use super::open_at_end::{self, Open, on_all_ranks};
use crate::pulse::{Call, within};

/// What the size of each rank's memory is a multiple of, in bytes.
const SIZE_MULTIPLE: usize = 16;

/// A window whose memory lies on one *home* rank, or is [dealt](super::Dealt) over all, in one
/// `MPI_Win_lock_all` epoch from [`open`](Window::open) to [`close`](Window::close).
///
/// The memory is touched by RMA calls alone, by the ranks that hold it too, so nothing here depends on
/// the window's memory model (MPI-4.1 §12.4). `MPI_Win_allocate`, never `MPI_Win_create`: every library
/// measured stalls on a created window while its target is outside MPI.
#[derive(Debug)]
#[must_use = "a window is closed with `close`, which is collective; dropping it leaks it"]
pub struct Window<'mpi, H = OneHome> {
    raw: ffi::MPI_Win,
    homes: H,
    own_rank: Rank,
    /// On each rank that holds words.
    extent: Extent,
    /// Where operands and results of the operations in flight lie. On the heap and freed by `close`
    /// alone: after a failed flush MPI may still write here.
    landing: NonNull<Landing>,
    handles: Handles,
    mpi: PhantomData<(&'mpi (), *const ())>,
}

impl<'mpi> Window<'mpi> {
    /// Allocates the window on rank `home`, zeroes it and opens the epoch. Collective.
    ///
    /// # Errors
    /// [`ErrorKind::OpenedDifferently`], [`ErrorKind::WindowTooLarge`] or [`ErrorKind::NoSuchRank`] (on all
    /// ranks, before anything is allocated), or what MPI returns, on all ranks too. Whether there is that much memory
    /// is for the caller to ask: [`assert_memory_at_hand`](super::assert_memory_at_hand).
    ///
    /// # Panics
    /// If the layout is [dealt](Layout::dealt) over several ranks.
    pub fn open(comm: &Comm<'mpi>, home: Rank, layout: &Layout) -> Result<Self> {
        Self::open_with_hints(comm, home, layout, Hints::default())
    }

    /// [`open`](Window::open) with a choice of hints, for measuring what they bring.
    ///
    /// # Errors
    /// As [`open`](Window::open).
    ///
    /// # Panics
    /// As [`open`](Window::open).
    pub fn open_with_hints(
        comm: &Comm<'mpi>,
        home: Rank,
        layout: &Layout,
        hints: Hints,
    ) -> Result<Self> {
        Self::open_on(comm, OneHome(home), layout, hints)
    }
}

impl<'mpi, H: Homes> Window<'mpi, H> {
    /// [`open`](Window::open) on whatever ranks hold words.
    ///
    /// # Errors
    /// As [`open`](Window::open).
    ///
    /// # Panics
    /// If the layout is not [dealt](Layout::dealt) over as many ranks as hold words.
    pub fn open_on(comm: &Comm<'mpi>, homes: H, layout: &Layout, hints: Hints) -> Result<Self> {
        assert_eq!(
            layout.n_ranks(),
            homes.n_ranks(),
            "a layout for other ranks"
        );
        let opening = Opening::of("Window")
            .with("target", homes.first())
            .with("number of targets", homes.n_ranks())
            .with("layout", layout.regions())
            .with("hints", hints);
        agree(comm, &opening, 0)?;
        Self::allocate(comm, homes, layout, hints)
    }

    /// [`open_on`](Window::open_on) for ranks that have [agreed](agree) on what they open, with a layout for these
    /// homes. Collective.
    ///
    /// # Errors
    /// As [`open`](Window::open). After an error of MPI's, what had been allocated leaks.
    pub(crate) fn allocate(
        comm: &Comm<'mpi>,
        homes: H,
        layout: &Layout,
        hints: Hints,
    ) -> Result<Self> {
        let extent = Extent::new(layout, checked_size(layout, comm, homes.first())?);
        // By an exchange of all ranks' results, so nobody operates on the window before it is zero.
        let window = all_or_none(comm, Self::allocate_own(comm, homes, extent, hints))?;
        open_at_end::opened(Open::Window);
        Ok(window)
    }

    /// This rank's part in allocating a window, zeroed. Collective.
    fn allocate_own(comm: &Comm<'mpi>, homes: H, extent: Extent, hints: Hints) -> Result<Self> {
        let is_home = homes.holds(comm.rank());
        let own_bytes = match is_home {
            // faults::MPICH_4_0_ODD_SIZES: every rank's memory, or others look for it elsewhere.
            true => extent.n_bytes().next_multiple_of(SIZE_MULTIPLE),
            false => 0,
        };
        let info = Info::for_window(&library()?, hints)?;
        let mut base: *mut c_void = std::ptr::null_mut();
        // SAFETY: the predefined null handle is a valid initial value to be overwritten.
        let mut raw = unsafe { ffi::RSMPI_WIN_NULL };
        const BYTES: c_int = 1;
        let within_allocate = within(Call::WinAllocate, None);
        // SAFETY: `own_bytes` fits an `MPI_Aint` (`checked_size`); `info`, the communicator,
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
        drop(within_allocate);
        info.free()?;
        // SAFETY: the window was made above; the error handler is predefined.
        let code = unsafe { ffi::MPI_Win_set_errhandler(raw, errors_return()) };
        check("MPI_Win_set_errhandler", code)?;
        // NOCHECK: nobody ever asks for a conflicting lock on this window (MPI-4.1 §12.5.3).
        let within_lock = within(Call::WinLockAll, None);
        // SAFETY: live window, no epoch open on it.
        let code = unsafe { ffi::MPI_Win_lock_all(ffi::MPI_MODE_NOCHECK as c_int, raw) };
        check("MPI_Win_lock_all", code)?;
        drop(within_lock);
        let landing = NonNull::from(Box::leak(Box::<Landing>::default()));
        let window = Window {
            raw,
            homes,
            own_rank: comm.rank(),
            extent,
            landing,
            handles: Handles::of_library(),
            mpi: PhantomData,
        };
        if is_home {
            window.clear_on(window.own_rank)?;
        }
        Ok(window)
    }

    /// The rank on which the memory lies; where it is dealt, the one that holds word 0 of each region.
    pub fn home(&self) -> Rank {
        self.homes.first()
    }

    /// Whether this rank is [`home`](Window::home).
    pub fn is_home(&self) -> bool {
        self.own_rank == self.home()
    }

    /// On which ranks the words lie.
    pub fn homes(&self) -> H {
        self.homes
    }

    /// How many bytes each rank holds that holds any.
    pub fn n_bytes(&self) -> usize {
        self.extent.n_bytes()
    }

    /// Poisons this rank's side of the window: every operation from now on is
    /// [`ErrorKind::Poisoned`], and [`close`](Window::close) is what is left.
    pub(crate) fn poison(&self) {
        self.extent.poison();
    }

    /// Whether this rank's side of the window is not poisoned.
    ///
    /// # Errors
    /// [`ErrorKind::Poisoned`].
    #[inline(always)]
    pub(crate) fn assert_usable(&self) -> Result<()> {
        self.extent.assert_usable()
    }

    /// Closes the epoch and frees the window. Collective.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn close(mut self) -> Result<()> {
        let within_unlock = within(Call::WinUnlockAll, None);
        // MPI semantics: unlock_all completes all operations of this epoch, at origin and target.
        // SAFETY: live window with the epoch open since `open`.
        check("MPI_Win_unlock_all", unsafe {
            ffi::MPI_Win_unlock_all(self.raw)
        })?;
        drop(within_unlock);
        let within_free = within(Call::WinFree, None);
        // SAFETY: live window, no epoch open, freed once since `self` is consumed.
        check("MPI_Win_free", unsafe { ffi::MPI_Win_free(&mut self.raw) })?;
        open_at_end::closed(Open::Window);
        drop(within_free);
        // SAFETY: from `Box::leak` in `open`, freed only here, and every operation is complete.
        drop(unsafe { Box::from_raw(self.landing.as_ptr()) });
        Ok(())
    }

    /// Completes every operation of this rank on `target`, at the origin and at the target
    /// (`MPI_Win_flush`, MPI-4.1 §12.5.4).
    #[inline(always)]
    pub(super) fn flush(&self, target: Rank) -> Result<()> {
        // SAFETY: live window, within the epoch.
        self.check("MPI_Win_flush", unsafe {
            ffi::MPI_Win_flush(target, self.raw)
        })
    }

    /// [`check`] of an operation on this window. One that failed may be in flight still, or may have taken place
    /// with its result lost, so it poisons the window.
    #[inline(always)]
    pub(super) fn check(&self, call: &'static str, code: c_int) -> Result<()> {
        check(call, code).inspect_err(|_| self.extent.poison())
    }

    /// [`flush`](Window::flush) on all ranks that hold words.
    pub(super) fn flush_homes(&self) -> Result<()> {
        if self.homes.n_ranks() == 1 {
            return self.flush(self.homes.first());
        }
        // SAFETY: live window, within the epoch.
        self.check("MPI_Win_flush_all", unsafe {
            ffi::MPI_Win_flush_all(self.raw)
        })
    }

    /// Where word `index` of `region` lies: its rank, and its displacement there.
    ///
    /// Panics if there is no such word in the region, or the region is another window's.
    #[inline(always)]
    pub(super) fn locate<K: Kind>(
        &self,
        region: &Region<K>,
        index: usize,
    ) -> Result<(Rank, usize)> {
        self.extent.assert_word(region, index);
        self.locate_of(region, index)
    }

    /// [`locate`](Window::locate) of a word that the caller knows to be in the region. Were it not, another
    /// word of this window would be found, or this panics.
    #[inline(always)]
    pub(super) fn locate_of<K: Kind>(
        &self,
        region: &Region<K>,
        index: usize,
    ) -> Result<(Rank, usize)> {
        let (rank, local) = self.homes.place(index);
        Ok((rank, self.extent.displacement(region, local)?))
    }

    /// [`locate`](Window::locate) of a word that was located before, while operations are in flight.
    #[inline(always)]
    pub(super) fn place_of<K: Kind>(&self, region: &Region<K>, index: usize) -> (Rank, usize) {
        let (rank, local) = self.homes.place(index);
        (rank, region.displacement(local))
    }

    #[inline(always)]
    pub(super) fn extent(&self) -> &Extent {
        &self.extent
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

/// The bytes that `layout` takes on a rank, if a window of it can be opened on `home`: the same answer on all
/// ranks that have agreed on both.
pub(crate) fn checked_size(layout: &Layout, comm: &Comm<'_>, home: Rank) -> Result<usize> {
    on_all_ranks(comm.assert_rank(home))?;
    Ok(layout.n_bytes().ok_or(ErrorKind::WindowTooLarge)?)
}
