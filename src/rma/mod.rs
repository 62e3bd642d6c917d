//! The one unsafe room: everything that calls MPI.
//!
//! Windows on a home rank, one passive-target epoch each, atomic operations on named words, hints,
//! and the faults of MPI libraries that are worked around. Outside of this module the crate has no
//! `unsafe` and no `mpi::ffi`.
//!
//! - Every return code is checked, by one function, into an [`Error`] that has the call's name, the
//!   error class and MPI's own words.
//! - No collective hides in a `Drop`: [`Window::close`], [`Comm::free`] and [`Mpi::finalize`] are
//!   calls that a reader sees.
//! - A panic on any rank ends the job ([`abort_on_panic`]).
#![allow(unsafe_code)]

mod agreement;
mod atomics;
mod bulk;
pub(crate) mod comm;
mod ending;
mod environment;
mod error;
mod error_handler;
pub(crate) mod faults;
pub(crate) mod hints;
mod homes;
pub(crate) mod launcher;
mod layout;
mod library;
mod memory;
mod open_at_end;
mod placement;
pub(crate) mod probe;
pub(crate) mod profile;
mod progress;
mod settings;
mod shared;
mod sockets;
mod threads;
mod window;

pub(crate) use agreement::{Opening, agree, all_or_none, failure};
pub use atomics::PIPELINE_DEPTH;
pub use bulk::{OrOperation, RUN_WORDS, RunBuffer};
pub(crate) use comm::processor_name;
pub use comm::{Comm, Rank};
pub use ending::{abort, abort_on_panic};
pub(crate) use ending::{exit_now, leave_alone};
pub use environment::{Mpi, library, run};
pub use error::{Error, ErrorKind, MpiError, Result};
pub use hints::Hints;
pub use homes::{Dealt, Homes, OneHome};
pub use layout::{Bits, Counter, Highest, Kind, Layout, Region, Slot};
pub use library::{Family, Library};
pub(crate) use memory::assert_agreed_memory;
pub use memory::{Allocation, MemoryLimit, assert_memory_at_hand};
pub use placement::Placement;
pub(crate) use placement::assert_one_node;
pub(crate) use placement::node_of;
pub(crate) use profile::in_region;
pub use progress::{DEFAULT_INTERVAL, Found, Means, Progress, ProgressEngine, Trial};
pub use settings::{Setting, prepare};
pub use shared::SharedWindow;
pub use threads::{ThreadLevel, thread_level};
pub use window::Window;
pub(crate) use window::checked_size;

// `mpi-sys` is not built again when MPICC changes. A communicator is an `int` in MPICH's own ABI and
// a pointer in Open MPI's and in the standard one, and the last two differ in the length of strings
// (256 and 8192), so a mixture is caught here and not by a crash.
#[cfg(mpi_comm_is_int)]
const _: () = assert!(
    size_of::<mpi::ffi::MPI_Comm>() == 4,
    "mpi-sys was built for another MPI than MPICC names now: use one target folder per MPI"
);
#[cfg(mpi_comm_is_pointer)]
const _: () = assert!(
    size_of::<mpi::ffi::MPI_Comm>() == size_of::<*const ()>()
        && mpi::ffi::MPI_MAX_LIBRARY_VERSION_STRING == 256,
    "mpi-sys was built for another MPI than MPICC names now: use one target folder per MPI"
);
#[cfg(mpi_standard_abi)]
const _: () = assert!(
    size_of::<mpi::ffi::MPI_Comm>() == size_of::<*const ()>()
        && mpi::ffi::MPI_MAX_LIBRARY_VERSION_STRING == 8192,
    "mpi-sys was built for another MPI than MPICC names now, or without the options that the standard \
     ABI needs (docs/clusters.md, \"One build for several libraries\"): use one target folder per MPI"
);
