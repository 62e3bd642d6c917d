//! Known faults of MPI libraries that this crate works around. One row each; a test for each row
//! shows the fault where that library is at hand, and fails when it is gone.

use super::library::{Family, Library};

/// A fault of an MPI library, and what this crate does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Short name.
    pub name: &'static str,
    /// The library that has it.
    pub family: Family,
    /// First version that is known to have it.
    pub since: [u32; 3],
    /// First version that is known not to have it.
    pub until: [u32; 3],
    /// What happens.
    pub symptom: &'static str,
    /// What is done about it here.
    pub workaround: &'static str,
}

impl Fault {
    /// Whether `library` is known to have this fault.
    pub fn is_in(&self, library: &Library) -> bool {
        library.family == self.family && (self.since..self.until).contains(&library.version)
    }
}

/// Open MPI 4.1: 64-bit `MPI_Compare_and_swap` on an allocated window crashes on one node.
pub const OPEN_MPI_CAS_64: Fault = Fault {
    name: "open-mpi-cas-64",
    family: Family::OpenMpi,
    since: [4, 1, 4],
    until: [4, 1, 5],
    symptom: "MPI_Compare_and_swap of 64 bits on a window of MPI_Win_allocate segfaults in \
              mca_btl_vader_emu_acswap, with 2 or more ranks on a node",
    workaround: "slots have 32 bits, which is enough for a rank and goes another way in the library",
};

/// All faults that are worked around here.
pub const ALL: &[Fault] = &[OPEN_MPI_CAS_64];
