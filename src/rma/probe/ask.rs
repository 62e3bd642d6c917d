//! Questions to the library, and the quickest way out of it.

use std::ffi::{CStr, c_char, c_int};

use mpi::ffi;

use super::super::comm::Comm;
use super::super::error::{Result, check};

/// All that `MPI_Get_library_version` says, on several lines. Needs no initialised MPI.
///
/// # Errors
/// What MPI returns.
pub fn library_text() -> Result<String> {
    let mut text = [0u8; ffi::MPI_MAX_LIBRARY_VERSION_STRING as usize + 1];
    let mut len: c_int = 0;
    // SAFETY: `text` has MPI_MAX_LIBRARY_VERSION_STRING bytes and one more, as MPI-4.1 §9.1.1 asks.
    let code =
        unsafe { ffi::MPI_Get_library_version(text.as_mut_ptr().cast::<c_char>(), &mut len) };
    check("MPI_Get_library_version", code)?;
    let text = CStr::from_bytes_until_nul(&text).unwrap_or_default();
    Ok(text.to_string_lossy().into_owned())
}

/// The components of Open MPI (`pml_ob1`, `btl_tcp`) that this process has loaded from files of their
/// own, as its memory map shows; empty where they are part of the library, as in Open MPI 5.
pub fn open_mpi_components() -> Vec<String> {
    let map = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let mut components: Vec<String> = map
        .lines()
        .filter_map(|line| {
            let file = line.rsplit('/').next()?;
            Some(file.strip_prefix("mca_")?.strip_suffix(".so")?.to_owned())
        })
        .collect();
    components.sort_unstable();
    components.dedup();
    components
}

/// Ends this process now, with nothing run at its exit: from a thread, while another one hangs in MPI.
pub fn exit_now(exit_code: i32) -> ! {
    unsafe extern "C" {
        safe fn _exit(status: c_int) -> !;
    }
    _exit(exit_code)
}

/// The ranks of `comm` that can share memory with this one (`MPI_Comm_split_type`), in the order of
/// their ranks. Collective.
///
/// # Errors
/// What MPI returns.
pub fn node_of<'mpi>(comm: &Comm<'mpi>) -> Result<Comm<'mpi>> {
    // SAFETY: the predefined null handle is a valid initial value to be overwritten.
    let mut raw = unsafe { ffi::RSMPI_COMM_NULL };
    // SAFETY: live communicator, predefined info, `raw` is where the handle goes.
    let code = unsafe {
        ffi::MPI_Comm_split_type(
            comm.raw(),
            ffi::RSMPI_COMM_TYPE_SHARED,
            comm.rank(),
            ffi::RSMPI_INFO_NULL,
            &mut raw,
        )
    };
    check("MPI_Comm_split_type", code)?;
    // SAFETY: made above, and MPI is initialised for as long as `comm` lives.
    let node = unsafe { Comm::duplicate_raw(raw) }?;
    // SAFETY: made above, freed once.
    check("MPI_Comm_free", unsafe { ffi::MPI_Comm_free(&mut raw) })?;
    Ok(node)
}
