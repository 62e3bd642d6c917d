//! Which threads may call MPI.

use std::ffi::c_int;
use std::sync::OnceLock;
use std::thread::ThreadId;

use mpi::ffi;

use super::error::{ErrorKind, Result, check};

/// Thread support to ask MPI for (MPI-4.1 §11.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ThreadLevel {
    /// There is one thread only.
    Single,
    /// Only the thread that initialised MPI calls it.
    Funneled,
    /// Any thread may call MPI, one at a time.
    Serialized,
    /// Any thread may call MPI at any time.
    Multiple,
}

impl ThreadLevel {
    pub(super) fn raw(self) -> c_int {
        // SAFETY: constants of the library, written once when `mpi-sys` is loaded.
        unsafe {
            match self {
                ThreadLevel::Single => ffi::RSMPI_THREAD_SINGLE,
                ThreadLevel::Funneled => ffi::RSMPI_THREAD_FUNNELED,
                ThreadLevel::Serialized => ffi::RSMPI_THREAD_SERIALIZED,
                ThreadLevel::Multiple => ffi::RSMPI_THREAD_MULTIPLE,
            }
        }
    }

    /// The highest level that is no more than what the library calls `raw`.
    fn from_raw(raw: c_int) -> Self {
        use ThreadLevel::{Funneled, Multiple, Serialized, Single};
        [Multiple, Serialized, Funneled]
            .into_iter()
            .find(|level| raw >= level.raw())
            .unwrap_or(Single)
    }

    /// Its name in the standard.
    pub fn name(self) -> &'static str {
        match self {
            ThreadLevel::Single => "MPI_THREAD_SINGLE",
            ThreadLevel::Funneled => "MPI_THREAD_FUNNELED",
            ThreadLevel::Serialized => "MPI_THREAD_SERIALIZED",
            ThreadLevel::Multiple => "MPI_THREAD_MULTIPLE",
        }
    }
}

/// How much thread support MPI was initialised with (`MPI_Query_thread`), by whoever did it.
///
/// # Errors
/// What MPI returns.
pub fn thread_level() -> Result<ThreadLevel> {
    let mut provided: c_int = 0;
    // SAFETY: `provided` is a live int; MPI is initialised, or the call returns an error.
    check("MPI_Query_thread", unsafe {
        ffi::MPI_Query_thread(&mut provided)
    })?;
    Ok(ThreadLevel::from_raw(provided))
}

/// Makes sure that this thread may call MPI, by the thread level, as long as no other thread of the process does:
/// below `MPI_THREAD_MULTIPLE` every call of this passes on one thread only.
///
/// # Errors
/// [`ErrorKind::WrongThread`], or what MPI returns.
pub(super) fn assert_may_call_mpi() -> Result<()> {
    static FIRST: OnceLock<ThreadId> = OnceLock::new();
    let level = thread_level()?;
    let own = std::thread::current().id();
    let may = match level {
        ThreadLevel::Multiple => true,
        ThreadLevel::Serialized => *FIRST.get_or_init(|| own) == own,
        ThreadLevel::Single | ThreadLevel::Funneled => {
            let mut is_main: c_int = 0;
            // SAFETY: a live int; the call is allowed from any thread (MPI-4.1 §11.6.1).
            check("MPI_Is_thread_main", unsafe {
                ffi::MPI_Is_thread_main(&mut is_main)
            })?;
            is_main != 0
        }
    };
    let level = level.name();
    match may {
        true => Ok(()),
        false => Err(ErrorKind::WrongThread { level }.into()),
    }
}
