//! Windows of every kind, and atomics of both widths on them.

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::ptr::NonNull;

use mpi::ffi;

use super::super::comm::{Comm, Rank};
use super::super::error::{Result, check, int_count};
use super::super::error_handler::errors_return;

/// Rank on which the memory lies.
const HOME: Rank = 0;

/// Distance between words: no two share a cache line.
const STRIDE_BYTES: usize = 64;

/// Words of a probe window.
const N_WORDS: usize = 8;

const N_BYTES: usize = N_WORDS * STRIDE_BYTES;

/// The memory model of a window (MPI-4.1 §12.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryModel {
    /// One copy of the memory: what RMA writes is there for loads.
    Unified,
    /// A public and a private copy, which `MPI_Win_sync` brings together.
    Separate,
}

// The attribute's values: of Open MPI they are macros, of MPICH an enumeration; the standard ABI fixes them
// (MPI 5.0, its mpi.h), and another's are unknown.
#[cfg(mpi_comm_is_pointer)]
const MODELS: [(c_int, MemoryModel); 2] = [
    (ffi::MPI_WIN_UNIFIED as c_int, MemoryModel::Unified),
    (ffi::MPI_WIN_SEPARATE as c_int, MemoryModel::Separate),
];
#[cfg(mpi_comm_is_int)]
const MODELS: [(c_int, MemoryModel); 2] = [
    (
        ffi::MPIR_Win_model_MPI_WIN_UNIFIED as c_int,
        MemoryModel::Unified,
    ),
    (
        ffi::MPIR_Win_model_MPI_WIN_SEPARATE as c_int,
        MemoryModel::Separate,
    ),
];
#[cfg(mpi_standard_abi)]
const MODELS: [(c_int, MemoryModel); 2] =
    [(321, MemoryModel::Unified), (322, MemoryModel::Separate)];
#[cfg(not(any(mpi_comm_is_pointer, mpi_comm_is_int, mpi_standard_abi)))]
const MODELS: [(c_int, MemoryModel); 0] = [];

mod sealed {
    pub trait Sealed {
        fn datatype() -> mpi::ffi::MPI_Datatype;
    }
}
use sealed::Sealed;

/// An integer that atomics work on: 32 or 64 bits.
pub trait Word: Sealed + Copy + Into<u64> {
    /// The low bits of `value`.
    fn truncate(value: u64) -> Self;
}

impl Sealed for u32 {
    fn datatype() -> ffi::MPI_Datatype {
        // SAFETY: a constant of the library, written once when `mpi-sys` is loaded.
        unsafe { ffi::RSMPI_UINT32_T }
    }
}
impl Sealed for u64 {
    fn datatype() -> ffi::MPI_Datatype {
        // SAFETY: a constant of the library, written once when `mpi-sys` is loaded.
        unsafe { ffi::RSMPI_UINT64_T }
    }
}
impl Word for u32 {
    fn truncate(value: u64) -> Self {
        value as u32
    }
}
impl Word for u64 {
    fn truncate(value: u64) -> Self {
        value
    }
}

/// Operands and result of the operation in flight, at most one; each has room for the wider word.
#[derive(Default)]
#[repr(align(64))]
struct Landing {
    operand: UnsafeCell<u64>,
    expected: UnsafeCell<u64>,
    result: UnsafeCell<u64>,
}

/// Memory that a window was created on.
type Exposed = UnsafeCell<[u64; N_BYTES / 8]>;

/// A window of [`N_WORDS`] words on rank 0 of a communicator, all zero, within
/// one `MPI_Win_lock_all` epoch. Each word is for one kind of operation, which is for the caller to
/// see to.
#[must_use = "a window is closed with `close`, which is collective; dropping it leaks it"]
pub struct ProbeWindow<'mpi> {
    raw: ffi::MPI_Win,
    /// On the heap and freed by `close` alone: after a failed flush MPI may still write here.
    landing: NonNull<Landing>,
    /// What `MPI_Win_create` was given, on rank 0.
    exposed: Option<NonNull<Exposed>>,
    mpi: PhantomData<(&'mpi (), *const ())>,
}

impl<'mpi> ProbeWindow<'mpi> {
    /// A window of `MPI_Win_allocate`. Collective.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn allocate(comm: &Comm<'mpi>) -> Result<Self> {
        let mut base: *mut c_void = std::ptr::null_mut();
        // SAFETY: the predefined null handle is a valid initial value to be overwritten.
        let mut raw = unsafe { ffi::RSMPI_WIN_NULL };
        // SAFETY: live communicator, predefined info; `base` is a pointer passed by address, as the C
        // interface wants, and `raw` is where the handle goes.
        let code = unsafe {
            ffi::MPI_Win_allocate(
                own_bytes(comm),
                1,
                ffi::RSMPI_INFO_NULL,
                comm.raw(),
                (&raw mut base).cast(),
                &mut raw,
            )
        };
        check("MPI_Win_allocate", code)?;
        Self::start(comm, raw, None)
    }

    /// A window of `MPI_Win_allocate_shared`, all of it on rank 0. Collective over `node`, whose ranks
    /// can share memory.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn allocate_shared(node: &Comm<'mpi>) -> Result<Self> {
        let mut base: *mut c_void = std::ptr::null_mut();
        // SAFETY: the predefined null handle is a valid initial value to be overwritten.
        let mut raw = unsafe { ffi::RSMPI_WIN_NULL };
        // SAFETY: as in `allocate`.
        let code = unsafe {
            ffi::MPI_Win_allocate_shared(
                own_bytes(node),
                1,
                ffi::RSMPI_INFO_NULL,
                node.raw(),
                (&raw mut base).cast(),
                &mut raw,
            )
        };
        check("MPI_Win_allocate_shared", code)?;
        Self::start(node, raw, None)
    }

    /// A window of `MPI_Win_create` on memory of rank 0's heap. Collective.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn create(comm: &Comm<'mpi>) -> Result<Self> {
        let exposed = (comm.rank() == HOME)
            .then(|| NonNull::from(Box::leak(Box::new(Exposed::new([0; N_BYTES / 8])))));
        let base = exposed.map_or(std::ptr::null_mut(), |exposed| {
            exposed.as_ptr().cast::<c_void>()
        });
        // SAFETY: the predefined null handle is a valid initial value to be overwritten.
        let mut raw = unsafe { ffi::RSMPI_WIN_NULL };
        // SAFETY: `base` has `own_bytes` bytes, which stay until `close` frees the window first; where
        // that is never called they leak.
        let code = unsafe {
            ffi::MPI_Win_create(
                base,
                own_bytes(comm),
                1,
                ffi::RSMPI_INFO_NULL,
                comm.raw(),
                &mut raw,
            )
        };
        check("MPI_Win_create", code)?;
        Self::start(comm, raw, exposed)
    }

    /// Opens the epoch and zeroes all words. Collective.
    fn start(
        comm: &Comm<'mpi>,
        raw: ffi::MPI_Win,
        exposed: Option<NonNull<Exposed>>,
    ) -> Result<Self> {
        // SAFETY: the caller made the window; the error handler is predefined.
        let code = unsafe { ffi::MPI_Win_set_errhandler(raw, errors_return()) };
        check("MPI_Win_set_errhandler", code)?;
        // SAFETY: live window, no epoch open on it; nobody asks for a conflicting lock.
        let code = unsafe { ffi::MPI_Win_lock_all(ffi::MPI_MODE_NOCHECK as c_int, raw) };
        check("MPI_Win_lock_all", code)?;
        let landing = NonNull::from(Box::leak(Box::<Landing>::default()));
        let window = ProbeWindow {
            raw,
            landing,
            exposed,
            mpi: PhantomData,
        };
        if comm.rank() == HOME {
            window.clear()?;
        }
        comm.barrier()?; // nobody operates on the window before it is zero
        Ok(window)
    }

    fn clear(&self) -> Result<()> {
        static ZEROS: [u8; N_BYTES] = [0; N_BYTES];
        let count = int_count("number of bytes to put", N_BYTES)?;
        // SAFETY: the origin is static; the target range is all of rank 0's memory.
        let code = unsafe {
            ffi::MPI_Put(
                ZEROS.as_ptr().cast(),
                count,
                ffi::RSMPI_UINT8_T,
                HOME,
                0,
                count,
                ffi::RSMPI_UINT8_T,
                self.raw,
            )
        };
        check("MPI_Put", code)?;
        self.flush() // MPI semantics: complete at the target, so that a barrier may follow
    }

    /// The window's memory model, `None` where the library does not tell or this program does not know
    /// its numbers.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn memory_model(&self) -> Result<Option<MemoryModel>> {
        let mut value: *mut c_int = std::ptr::null_mut();
        let mut is_set: c_int = 0;
        // SAFETY: live window; the attribute's value is a pointer to an int, passed by address.
        let code = unsafe {
            ffi::MPI_Win_get_attr(
                self.raw,
                ffi::MPI_WIN_MODEL as c_int,
                (&raw mut value).cast(),
                &mut is_set,
            )
        };
        check("MPI_Win_get_attr", code)?;
        if is_set == 0 || value.is_null() {
            return Ok(None);
        }
        // SAFETY: the library set it, to an int that lives as long as the window (MPI-4.1 §12.2.6).
        let value = unsafe { *value };
        let known = MODELS.iter().find(|(number, _)| *number == value);
        Ok(known.map(|&(_, model)| model))
    }

    /// Adds 1 to word `index` and returns the number as it was before. `MPI_Fetch_and_op(MPI_SUM)` and
    /// `MPI_Win_flush`.
    ///
    /// # Errors
    /// What MPI returns.
    ///
    /// # Panics
    /// If there is no such word.
    pub fn fetch_and_increment<W: Word>(&self, index: usize) -> Result<u64> {
        let displacement = displacement(index);
        let landing = self.landing();
        // SAFETY: no operation is in flight (every function flushes, and a window stays on one thread);
        // a cell of 64 bits has room for either word.
        unsafe { landing.operand.get().cast::<W>().write(W::truncate(1)) };
        // SAFETY: operand and result have room for the word and live until `close`; the displacement
        // is that of an aligned word in rank 0's memory; the epoch is open.
        let code = unsafe {
            ffi::MPI_Fetch_and_op(
                landing.operand.get().cast(),
                landing.result.get().cast(),
                W::datatype(),
                HOME,
                displacement,
                ffi::RSMPI_SUM,
                self.raw,
            )
        };
        check("MPI_Fetch_and_op", code)?;
        self.flush()?; // MPI semantics: the result has landed
        // SAFETY: the flush completed every write to it, and a word of this width was written.
        Ok(unsafe { landing.result.get().cast::<W>().read() }.into())
    }

    /// Puts `desired` into word `index` if it holds `expected`, and returns what it held.
    /// `MPI_Compare_and_swap` and `MPI_Win_flush`.
    ///
    /// # Errors
    /// What MPI returns.
    ///
    /// # Panics
    /// If there is no such word.
    pub fn compare_and_swap<W: Word>(
        &self,
        index: usize,
        expected: u64,
        desired: u64,
    ) -> Result<u64> {
        let displacement = displacement(index);
        let landing = self.landing();
        // SAFETY: as in `fetch_and_increment`.
        unsafe {
            landing
                .operand
                .get()
                .cast::<W>()
                .write(W::truncate(desired));
            landing
                .expected
                .get()
                .cast::<W>()
                .write(W::truncate(expected));
        }
        // SAFETY: as in `fetch_and_increment`.
        let code = unsafe {
            ffi::MPI_Compare_and_swap(
                landing.operand.get().cast(),
                landing.expected.get().cast(),
                landing.result.get().cast(),
                W::datatype(),
                HOME,
                displacement,
                self.raw,
            )
        };
        check("MPI_Compare_and_swap", code)?;
        self.flush()?; // MPI semantics: the result has landed
        // SAFETY: the flush completed every write to it, and a word of this width was written.
        Ok(unsafe { landing.result.get().cast::<W>().read() }.into())
    }

    /// Closes the epoch and frees the window. Collective.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn close(mut self) -> Result<()> {
        // SAFETY: live window with the epoch open since `start`.
        check("MPI_Win_unlock_all", unsafe {
            ffi::MPI_Win_unlock_all(self.raw)
        })?;
        // SAFETY: live window, no epoch open, freed once since `self` is consumed.
        check("MPI_Win_free", unsafe { ffi::MPI_Win_free(&mut self.raw) })?;
        // SAFETY: from `Box::leak` in `start`, freed only here, and every operation is complete.
        drop(unsafe { Box::from_raw(self.landing.as_ptr()) });
        if let Some(exposed) = self.exposed {
            // SAFETY: from `Box::leak` in `create`, freed only here; the window on it is freed.
            drop(unsafe { Box::from_raw(exposed.as_ptr()) });
        }
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        // SAFETY: live window, within the epoch.
        check("MPI_Win_flush", unsafe {
            ffi::MPI_Win_flush(HOME, self.raw)
        })
    }

    fn landing(&self) -> &Landing {
        // SAFETY: from `Box::leak` in `start`, freed in `close` alone, which consumes the window; what
        // MPI writes lies behind `UnsafeCell`.
        unsafe { self.landing.as_ref() }
    }
}

/// Bytes that this rank gives to a window.
fn own_bytes(comm: &Comm<'_>) -> ffi::MPI_Aint {
    if comm.rank() == HOME {
        N_BYTES as ffi::MPI_Aint
    } else {
        0
    }
}

fn displacement(index: usize) -> ffi::MPI_Aint {
    assert!(
        index < N_WORDS,
        "word {index} of a window of {N_WORDS} words"
    );
    (index * STRIDE_BYTES) as ffi::MPI_Aint
}
