//! Questions to the library.

use mpi::ffi;

use super::super::comm::Comm;
use super::super::error::{Result, check};
use super::super::placement::split_by_node;

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

/// The ranks of `comm` that can share memory with this one (`MPI_Comm_split_type`), in the order of
/// their ranks. Collective.
///
/// # Errors
/// What MPI returns.
pub fn node_of<'mpi>(comm: &Comm<'mpi>) -> Result<Comm<'mpi>> {
    let mut raw = split_by_node(comm)?;
    // SAFETY: made above, and MPI is initialised for as long as `comm` lives.
    let node = unsafe { Comm::duplicate_raw(raw) }?;
    // SAFETY: made above, freed once.
    check("MPI_Comm_free", unsafe { ffi::MPI_Comm_free(&mut raw) })?;
    Ok(node)
}
