//! Marks for profilers: which part of the program MPI calls belong to.

use std::ffi::{CStr, c_int};

use mpi::ffi;

use super::error::{Result, check};

/// A named part of the run, marked for tools that interpose MPI (MPI-4.1 §15.2.4).
///
/// `MPI_Pcontrol(1, name)` and `MPI_Pcontrol(-1, name)`, the convention of IPM: other tools take 1
/// for "measure", which they do already, and ignore the rest. `MPI_Pcontrol(0)` would switch a
/// user's profiler off. Without a tool both calls do nothing.
///
/// Calls `body` with the region entered, and leaves the region whatever `body` returns.
///
/// # Errors
/// The error of `body`, or what `MPI_Pcontrol` returns.
pub fn in_region<T, E: From<super::Error>>(
    name: &CStr,
    body: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    mark(1, name)?;
    let value = body();
    mark(-1, name)?;
    value
}

fn mark(level: c_int, name: &CStr) -> Result<()> {
    // SAFETY: variadic; both IPM and the standard's own no-op take a level and at most a C string,
    // which lives through the call.
    check("MPI_Pcontrol", unsafe {
        ffi::MPI_Pcontrol(level, name.as_ptr())
    })
}
