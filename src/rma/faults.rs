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
    /// First version that is known not to have it; [`OPEN`] where none is known.
    pub until: [u32; 3],
    /// What happens.
    pub symptom: &'static str,
    /// What is done about it here.
    pub workaround: &'static str,
}

/// In [`Fault::until`]: no version without the fault is known.
pub const OPEN: [u32; 3] = [u32::MAX; 3];

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

/// Intel MPI, in programs built against the standard ABI: some constants have the numbers of a draft
/// (mpi-forum/mpi-abi-stubs#72, which MPICH follows since pmodels/mpich#7633). Those of Intel's own
/// `mpi.h` are right.
pub const INTEL_ABI_ERROR_HANDLERS: Fault = Fault {
    name: "intel-abi-error-handlers",
    family: Family::Intel,
    since: [2021, 18, 1],
    until: OPEN,
    symptom: "MPI_ERRORS_RETURN is taken for MPI_ERRORS_ABORT and the reverse, so that a call that fails \
              ends the job and returns no code (MPI_APPNUM, MPI_LASTUSEDCODE, MPI_UNIVERSE_SIZE and \
              MPI_SEEK_* have other numbers too)",
    workaround: "where MPI_LASTUSEDCODE is found under its number of the draft, the draft's error \
                 handler is set",
};

/// All faults that are worked around here.
pub const ALL: &[Fault] = &[OPEN_MPI_CAS_64, INTEL_ABI_ERROR_HANDLERS];
