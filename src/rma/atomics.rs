//! The atomic operations: one function per kind of word, each complete on return.

use std::cell::UnsafeCell;

use mpi::ffi;

use super::comm::Rank;
use super::error::Result;
use super::homes::Homes;
use super::layout::{Bits, Counter, Highest, Region, Slot};
use super::window::Window;

/// How many operations may be in flight before a flush.
pub const PIPELINE_DEPTH: usize = 64;

/// Operands and results of the operations in flight: none between calls, since every function of a
/// window flushes before it returns and a [`Window`] stays on its thread. Where one could not, by an error of
/// MPI or by a panic, the window is poisoned: no later function starts an operation or reads a result.
///
/// MPI writes the results between the call and the flush, so all is behind `UnsafeCell`.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Landing {
    operands: UnsafeCell<[u64; PIPELINE_DEPTH]>,
    results: UnsafeCell<[u64; PIPELINE_DEPTH]>,
    slot_expected: UnsafeCell<u32>,
    slot_desired: UnsafeCell<u32>,
    slots_found: UnsafeCell<[u32; PIPELINE_DEPTH]>,
}

impl Default for Landing {
    fn default() -> Self {
        Landing {
            operands: UnsafeCell::new([0; PIPELINE_DEPTH]),
            results: UnsafeCell::new([0; PIPELINE_DEPTH]),
            slot_expected: UnsafeCell::new(0),
            slot_desired: UnsafeCell::new(0),
            slots_found: UnsafeCell::new([0; PIPELINE_DEPTH]),
        }
    }
}

/// The library's handles that atomics need. In the window, beside everything else that an operation
/// reads: as statics of `mpi-sys` each costs one more dependent load, on the way of every claim.
#[derive(Debug, Clone, Copy)]
pub(super) struct Handles {
    pub(super) u64: ffi::MPI_Datatype,
    u32: ffi::MPI_Datatype,
    pub(super) or: ffi::MPI_Op,
    pub(super) sum: ffi::MPI_Op,
    max: ffi::MPI_Op,
}

impl Handles {
    pub(super) fn of_library() -> Self {
        // SAFETY: constants of the library, written once when `mpi-sys` is loaded.
        unsafe {
            Handles {
                u64: ffi::RSMPI_UINT64_T,
                u32: ffi::RSMPI_UINT32_T,
                or: ffi::RSMPI_BOR,
                sum: ffi::RSMPI_SUM,
                max: ffi::RSMPI_MAX,
            }
        }
    }
}

impl<H: Homes> Window<'_, H> {
    /// Sets `bits` in word `index` and returns the word as it was before.
    /// `MPI_Fetch_and_op(MPI_BOR)` and `MPI_Win_flush`. With `bits` 0, an atomic read.
    ///
    /// # Errors
    /// What MPI returns, and [`ErrorKind::Poisoned`](super::ErrorKind::Poisoned) from then on.
    ///
    /// # Panics
    /// If `index` is outside the region, or the region is another window's.
    #[inline(always)]
    pub fn fetch_or(&self, region: Region<Bits>, index: usize, bits: u64) -> Result<u64> {
        self.fetch_and_op(self.locate(&region, index)?, bits, self.handles().or)
    }

    /// [`fetch_or`](Self::fetch_or) for a caller that has made sure that the region has a word `index`: what
    /// is checked is that the word lies within the window.
    #[inline(always)]
    pub(crate) fn fetch_or_of(&self, region: Region<Bits>, index: usize, bits: u64) -> Result<u64> {
        self.fetch_and_op(self.locate_of(&region, index)?, bits, self.handles().or)
    }

    /// Adds `addend` to counter `index` (wrapping) and returns the number as it was before.
    /// `MPI_Fetch_and_op(MPI_SUM)` and `MPI_Win_flush`. With `addend` 0, an atomic read.
    ///
    /// # Errors
    /// What MPI returns, and [`ErrorKind::Poisoned`](super::ErrorKind::Poisoned) from then on.
    ///
    /// # Panics
    /// If `index` is outside the region, or the region is another window's.
    #[inline]
    pub fn fetch_add(&self, region: Region<Counter>, index: usize, addend: u64) -> Result<u64> {
        self.fetch_and_op(self.locate(&region, index)?, addend, self.handles().sum)
    }

    /// Raises word `index` to `value` where it is lower, and returns it as it was before.
    /// `MPI_Fetch_and_op(MPI_MAX)` and `MPI_Win_flush`. With `value` 0, an atomic read.
    ///
    /// # Errors
    /// What MPI returns, and [`ErrorKind::Poisoned`](super::ErrorKind::Poisoned) from then on.
    ///
    /// # Panics
    /// If `index` is outside the region, or the region is another window's; or if `value` has the highest
    /// of its 64 bits: see [`faults::MPICH_4_0_MAX_IS_SIGNED`](super::faults::MPICH_4_0_MAX_IS_SIGNED).
    #[inline]
    pub fn fetch_max(&self, region: Region<Highest>, index: usize, value: u64) -> Result<u64> {
        assert!(value >> 63 == 0, "{value} has more than 63 bits");
        self.fetch_and_op(self.locate(&region, index)?, value, self.handles().max)
    }

    /// Puts `desired` into slot `index` if it holds `expected`, and returns what it held: the swap
    /// happened if that equals `expected`. `MPI_Compare_and_swap` and `MPI_Win_flush`.
    ///
    /// # Errors
    /// What MPI returns, and [`ErrorKind::Poisoned`](super::ErrorKind::Poisoned) from then on.
    ///
    /// # Panics
    /// If `index` is outside the region, or the region is another window's.
    #[inline]
    pub fn compare_and_swap(
        &self,
        region: Region<Slot>,
        index: usize,
        expected: u32,
        desired: u32,
    ) -> Result<u32> {
        let place = self.locate(&region, index)?;
        self.put_swap(expected, desired);
        self.start_compare_and_swap(0, place)?;
        self.flush(place.0)?; // MPI semantics: the result has landed
        Ok(self.found(0))
    }

    /// [`compare_and_swap`](Self::compare_and_swap) on a slot and an atomic read of a counter, with one
    /// flush for both, so that over a network both take one round trip. Returns what the slot and the
    /// counter held; neither is ordered before the other.
    ///
    /// # Errors
    /// What MPI returns, and [`ErrorKind::Poisoned`](super::ErrorKind::Poisoned) from then on.
    ///
    /// # Panics
    /// If an index is outside its region, or a region is another window's.
    #[inline]
    pub fn compare_and_swap_and_read(
        &self,
        (slots, slot_index): (Region<Slot>, usize),
        (expected, desired): (u32, u32),
        (counters, counter_index): (Region<Counter>, usize),
    ) -> Result<(u32, u64)> {
        let (slot, counter) = (
            self.locate(&slots, slot_index)?,
            self.locate(&counters, counter_index)?,
        );
        self.put_swap(expected, desired);
        self.start_compare_and_swap(0, slot)?;
        self.start_fetch_and_op(0, counter, 0, self.handles().sum)?;
        if slot.0 != counter.0 {
            self.flush(counter.0)?;
        }
        self.flush(slot.0)?; // MPI semantics: both results have landed
        Ok((self.found(0), self.fetched(0)))
    }

    /// The same for several slots, at most [`PIPELINE_DEPTH`], with one flush for all of them. Puts what the
    /// slots held into `found` and returns the counter; none is ordered before another.
    ///
    /// # Errors
    /// What MPI returns, and [`ErrorKind::Poisoned`](super::ErrorKind::Poisoned) from then on.
    ///
    /// # Panics
    /// As [`compare_and_swap_and_read`](Self::compare_and_swap_and_read), or if there are too many slots, or
    /// `found` has another length than `indices`.
    pub fn compare_and_swap_pipelined(
        &self,
        (slots, indices): (Region<Slot>, &[usize]),
        (expected, desired): (u32, u32),
        (counters, counter_index): (Region<Counter>, usize),
        found: &mut [u32],
    ) -> Result<u64> {
        assert!(indices.len() <= PIPELINE_DEPTH && indices.len() == found.len());
        let counter = self.locate(&counters, counter_index)?;
        for &index in indices {
            self.locate(&slots, index)?; // all of them, before the first is started
        }
        self.extent().begin()?;
        self.put_swap(expected, desired);
        for (slot, &index) in indices.iter().enumerate() {
            self.start_compare_and_swap(slot, self.place_of(&slots, index))?;
        }
        self.start_fetch_and_op(0, counter, 0, self.handles().sum)?;
        self.flush_homes()?; // MPI semantics: all results have landed
        self.extent().all_complete();
        for (slot, found) in found.iter_mut().enumerate() {
            *found = self.found(slot);
        }
        Ok(self.fetched(0))
    }

    #[inline(always)]
    fn fetch_and_op(&self, place: (Rank, usize), operand: u64, op: ffi::MPI_Op) -> Result<u64> {
        self.start_fetch_and_op(0, place, operand, op)?;
        self.flush(place.0)?; // MPI semantics: the result has landed
        Ok(self.fetched(0))
    }

    /// Starts a fetch-and-op on a 64-bit word; `place` is of [`locate`](Window::locate). No other
    /// operation is in flight on the same slot of the landing.
    #[inline(always)]
    pub(super) fn start_fetch_and_op(
        &self,
        slot: usize,
        (target, displacement): (Rank, usize),
        operand: u64,
        op: ffi::MPI_Op,
    ) -> Result<()> {
        assert!(slot < PIPELINE_DEPTH);
        let landing = self.landing();
        // SAFETY: `slot` is within both arrays (asserted), and a window stays on one thread.
        let (operand_at, result_at) = unsafe {
            let operands = landing.operands.get().cast::<u64>();
            (
                operands.add(slot),
                landing.results.get().cast::<u64>().add(slot),
            )
        };
        // SAFETY: no operation is in flight on this slot, so nobody reads the operand.
        unsafe { *operand_at = operand };
        // SAFETY: operand and result are 64-bit, live until `close` and untouched until the flush;
        // the displacement is that of a 64-bit word within the window (`locate`); the epoch is open.
        let code = unsafe {
            ffi::MPI_Fetch_and_op(
                operand_at.cast(),
                result_at.cast(),
                self.handles().u64,
                target,
                displacement as ffi::MPI_Aint,
                op,
                self.raw(),
            )
        };
        self.check("MPI_Fetch_and_op", code)
    }

    /// What the next compare-and-swaps expect and put. None is in flight.
    #[inline(always)]
    fn put_swap(&self, expected: u32, desired: u32) {
        let landing = self.landing();
        // SAFETY: no operation is in flight (every function flushes), so nobody reads the operands.
        unsafe {
            *landing.slot_expected.get() = expected;
            *landing.slot_desired.get() = desired;
        }
    }

    /// Starts a compare-and-swap on a 32-bit slot, of what [`put_swap`](Self::put_swap) put.
    #[inline(always)]
    fn start_compare_and_swap(
        &self,
        slot: usize,
        (target, displacement): (Rank, usize),
    ) -> Result<()> {
        assert!(slot < PIPELINE_DEPTH);
        let landing = self.landing();
        // SAFETY: operands and result are 32-bit, live until `close` and untouched until the flush;
        // `slot` is within the array (asserted); the displacement is that of a 32-bit slot within the
        // window (`locate`); the epoch is open.
        let code = unsafe {
            ffi::MPI_Compare_and_swap(
                landing.slot_desired.get().cast(),
                landing.slot_expected.get().cast(),
                landing.slots_found.get().cast::<u32>().add(slot).cast(),
                self.handles().u32,
                target,
                displacement as ffi::MPI_Aint,
                self.raw(),
            )
        };
        self.check("MPI_Compare_and_swap", code)
    }

    #[inline(always)]
    pub(super) fn fetched(&self, slot: usize) -> u64 {
        // SAFETY: the flush before completed every write to it; borrowed for this read only.
        unsafe { (&*self.landing().results.get())[slot] }
    }

    #[inline(always)]
    fn found(&self, slot: usize) -> u32 {
        // SAFETY: the flush before completed every write to it; borrowed for this read only.
        unsafe { (&*self.landing().slots_found.get())[slot] }
    }
}
