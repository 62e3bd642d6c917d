//! The atomic operations: one function per kind of word, each complete on return.

use std::cell::UnsafeCell;

use mpi::ffi;

use super::error::{Result, check};
use super::layout::{Bits, Counter, Region, Slot};
use super::window::Window;

/// Operands and results of the operations in flight; at most one of each, since every function here
/// flushes before it returns and a [`Window`] stays on its thread.
///
/// MPI writes the results between the call and the flush, so all is behind `UnsafeCell`.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Landing {
    operand: UnsafeCell<u64>,
    result: UnsafeCell<u64>,
    slot_expected: UnsafeCell<u32>,
    slot_desired: UnsafeCell<u32>,
    slot_found: UnsafeCell<u32>,
}

/// The library's handles that atomics need. In the window, beside everything else that an operation
/// reads: as statics of `mpi-sys` each costs one more dependent load, on the way of every claim.
#[derive(Debug, Clone, Copy)]
pub(super) struct Handles {
    u64: ffi::MPI_Datatype,
    u32: ffi::MPI_Datatype,
    or: ffi::MPI_Op,
    sum: ffi::MPI_Op,
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
            }
        }
    }
}

impl Window<'_> {
    /// Sets `bits` in word `index` and returns the word as it was before.
    /// `MPI_Fetch_and_op(MPI_BOR)` and `MPI_Win_flush`. With `bits` 0, an atomic read.
    ///
    /// # Errors
    /// What MPI returns.
    ///
    /// # Panics
    /// If `index` is outside the region, or the region is another window's.
    #[inline]
    pub fn fetch_or(&self, region: Region<Bits>, index: usize, bits: u64) -> Result<u64> {
        self.assert_inside(&region);
        self.start_fetch_and_op(region.displacement(index), bits, self.handles().or)?;
        self.flush()?; // MPI semantics: the result has landed
        Ok(self.fetched())
    }

    /// Adds `addend` to counter `index` (wrapping) and returns the number as it was before.
    /// `MPI_Fetch_and_op(MPI_SUM)` and `MPI_Win_flush`. With `addend` 0, an atomic read.
    ///
    /// # Errors
    /// What MPI returns.
    ///
    /// # Panics
    /// If `index` is outside the region, or the region is another window's.
    #[inline]
    pub fn fetch_add(&self, region: Region<Counter>, index: usize, addend: u64) -> Result<u64> {
        self.assert_inside(&region);
        self.start_fetch_and_op(region.displacement(index), addend, self.handles().sum)?;
        self.flush()?; // MPI semantics: the result has landed
        Ok(self.fetched())
    }

    /// Puts `desired` into slot `index` if it holds `expected`, and returns what it held: the swap
    /// happened if that equals `expected`. `MPI_Compare_and_swap` and `MPI_Win_flush`.
    ///
    /// # Errors
    /// What MPI returns.
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
        self.assert_inside(&region);
        self.start_compare_and_swap(region.displacement(index), expected, desired)?;
        self.flush()?; // MPI semantics: the result has landed
        Ok(self.found())
    }

    /// [`compare_and_swap`](Self::compare_and_swap) on a slot and an atomic read of a counter, with
    /// one flush for both, so that over a network both take one round trip. Returns what the slot and
    /// the counter held; neither is ordered before the other.
    ///
    /// # Errors
    /// What MPI returns.
    ///
    /// # Panics
    /// If an index is outside its region, or a region is another window's.
    #[inline]
    pub fn compare_and_swap_and_read(
        &self,
        (slots, slot_index): (Region<Slot>, usize),
        expected: u32,
        desired: u32,
        (counters, counter_index): (Region<Counter>, usize),
    ) -> Result<(u32, u64)> {
        self.assert_inside(&slots);
        self.assert_inside(&counters);
        let sum = self.handles().sum;
        self.start_compare_and_swap(slots.displacement(slot_index), expected, desired)?;
        self.start_fetch_and_op(counters.displacement(counter_index), 0, sum)?;
        self.flush()?; // MPI semantics: both results have landed
        Ok((self.found(), self.fetched()))
    }

    /// Starts a fetch-and-op on the 64-bit word at `displacement` of the home rank.
    #[inline(always)]
    fn start_fetch_and_op(&self, displacement: usize, operand: u64, op: ffi::MPI_Op) -> Result<()> {
        let landing = self.landing();
        // SAFETY: no operation is in flight (every function flushes, and a window stays on one thread),
        // so nobody reads the operand.
        unsafe { *landing.operand.get() = operand };
        // SAFETY: operand and result are 64-bit, live until `close` and untouched until the flush;
        // the displacement is that of a 64-bit word within the window (`Region::displacement`,
        // `assert_inside`); the epoch is open.
        let code = unsafe {
            ffi::MPI_Fetch_and_op(
                landing.operand.get().cast(),
                landing.result.get().cast(),
                self.handles().u64,
                self.home(),
                displacement as ffi::MPI_Aint,
                op,
                self.raw(),
            )
        };
        check("MPI_Fetch_and_op", code)
    }

    /// Starts a compare-and-swap on the 32-bit slot at `displacement` of the home rank.
    #[inline(always)]
    fn start_compare_and_swap(
        &self,
        displacement: usize,
        expected: u32,
        desired: u32,
    ) -> Result<()> {
        let landing = self.landing();
        // SAFETY: no operation is in flight (every function flushes), so nobody reads the operands.
        unsafe {
            *landing.slot_expected.get() = expected;
            *landing.slot_desired.get() = desired;
        }
        // SAFETY: operands and result are 32-bit, live until `close` and untouched until the flush;
        // the displacement is that of a 32-bit slot within the window (`Region::displacement`,
        // `assert_inside`); the epoch is open.
        let code = unsafe {
            ffi::MPI_Compare_and_swap(
                landing.slot_desired.get().cast(),
                landing.slot_expected.get().cast(),
                landing.slot_found.get().cast(),
                self.handles().u32,
                self.home(),
                displacement as ffi::MPI_Aint,
                self.raw(),
            )
        };
        check("MPI_Compare_and_swap", code)
    }

    #[inline(always)]
    fn fetched(&self) -> u64 {
        // SAFETY: the flush before completed every write to it.
        unsafe { *self.landing().result.get() }
    }

    #[inline(always)]
    fn found(&self) -> u32 {
        // SAFETY: the flush before completed every write to it.
        unsafe { *self.landing().slot_found.get() }
    }
}
