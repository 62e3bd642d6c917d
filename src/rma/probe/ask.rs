//! Questions to the library.

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
