//! Whether the memory of a window is at hand, agreed upon by all ranks before it is allocated.
//!
//! Nobody else says so in time. Open MPI refuses a shared window that does not fit into `/dev/shm` with
//! "invalid window"; MPICH and Intel MPI hand it out, and the first write beyond the end is a SIGBUS.
//! Memory that a node does not have is handed out by all, and taken back by the kernel's OOM killer.

mod limits;
mod system;

use std::ffi::{c_int, c_void};
use std::path::PathBuf;

use mpi::ffi;
use serde::{Deserialize, Serialize};

use super::agreement::{Opening, agree, all_or_none, from_bytes, to_bytes};
use super::comm::{Comm, Rank, processor_name};
use super::error::{ErrorKind, Result, check};
use super::error_handler::errors_return;
use super::placement::{assert_one_node, node_of};

pub(super) use limits::Human;
pub use limits::MemoryLimit;
use limits::{Demand, Shortage, shortage};

/// Windows of all ranks together that are not worth asking for.
const SMALL_BYTES: u64 = 1 << 20;

/// Which call allocates a window, and so where its memory lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allocation {
    /// `MPI_Win_allocate`, as [`Window`](super::Window) does.
    Window,
    /// `MPI_Win_allocate_shared`, as [`SharedWindow`](super::SharedWindow) does; all ranks are on one node.
    SharedWindow,
}

/// Makes sure that all ranks can have the memory that they are about to ask for. Collective; each rank says
/// what it needs itself: `window_bytes` of a window that `allocation` makes over `comm`, and
/// `private_bytes` beside it.
///
/// What the ranks of a node need together is compared with what the node has: with the memory that is
/// available there, with the limits of each control group that ranks are in, and with the free space of
/// the file system in which the library keeps windows, for which it is asked by a window of one page a
/// rank. What cannot be found out is no limit. Where all ranks together need 1 MiB or less nothing is
/// looked up, and the call is one allreduce of 24 bytes.
///
/// # Errors
/// [`ErrorKind::NotEnoughMemory`], the same on all ranks, with the figures of the first node (in the order
/// of lowest ranks) on which memory is short. [`ErrorKind::OpenedDifferently`] where `allocation` differs,
/// [`ErrorKind::SeveralNodes`] where memory is looked up for a shared window of ranks that share none, both on
/// all ranks. Or what MPI returns.
pub fn assert_memory_at_hand(
    comm: &Comm<'_>,
    allocation: Allocation,
    window_bytes: u64,
    private_bytes: u64,
) -> Result<()> {
    let opening = Opening::of("look at memory").with("allocation", allocation);
    let bound = agree(comm, &opening, window_bytes.saturating_add(private_bytes))?;
    if allocation == Allocation::SharedWindow && !is_small(comm, bound) {
        assert_one_node(comm)?;
    }
    assert_agreed_memory(comm, allocation, (window_bytes, private_bytes), bound)
}

/// Whether all ranks together need so little that it is not worth asking for. `bound` is the bitwise or of what
/// each needs: the largest or more, so it bounds their sum without a second operation.
fn is_small(comm: &Comm<'_>, bound: u64) -> bool {
    bound.saturating_mul(u64::from(comm.size().unsigned_abs())) <= SMALL_BYTES
}

/// [`assert_memory_at_hand`] for ranks that have agreed on what they open, and on `bound` by [`agree`]; for a
/// shared window they are on one node. Collective.
///
/// # Errors
/// [`ErrorKind::NotEnoughMemory`] on all ranks, or what MPI returns.
pub(crate) fn assert_agreed_memory(
    comm: &Comm<'_>,
    allocation: Allocation,
    (window_bytes, private_bytes): (u64, u64),
    bound: u64,
) -> Result<()> {
    if is_small(comm, bound) {
        return Ok(());
    }
    let directory = all_or_none(comm, directory_of_windows(comm, allocation))?;
    let demand = Demand {
        window_bytes,
        private_bytes,
        limits: system::limits(directory.as_deref()),
    };
    let own = all_or_none(comm, shortage_of_node(comm, &demand))?;
    match first_of(comm, own)? {
        None => Ok(()),
        Some(first) => Err(ErrorKind::NotEnoughMemory {
            host: first.host,
            rank: first.rank,
            n_ranks: first.shortage.n_ranks,
            needed_bytes: first.shortage.needed_bytes,
            available_bytes: first.shortage.available_bytes,
            limit: first.shortage.limit,
        }
        .into()),
    }
}

/// Memory that is short on one node.
#[derive(Debug, Serialize, Deserialize)]
struct OnHost {
    host: String,
    /// The lowest on that node.
    rank: Rank,
    shortage: Shortage,
}

/// What is short on this rank's node; `Some` on its lowest rank only. Collective.
fn shortage_of_node(comm: &Comm<'_>, own: &Demand) -> Result<Option<OnHost>> {
    let node = node_of(comm)?;
    let gathered = node.gather(0, &to_bytes(own))?;
    node.free()?;
    let Some(gathered) = gathered else {
        return Ok(None);
    };
    let demands: Vec<Demand> = gathered.iter().map(|bytes| from_bytes(bytes)).collect();
    let Some(shortage) = shortage(&demands) else {
        return Ok(None);
    };
    Ok(Some(OnHost {
        // No reason for one rank to leave a collective before the others.
        host: processor_name().unwrap_or_else(|_| "a host without a name".into()),
        rank: comm.rank(),
        shortage,
    }))
}

/// What the lowest rank that has something gives, on all ranks. Collective.
fn first_of(comm: &Comm<'_>, own: Option<OnHost>) -> Result<Option<OnHost>> {
    let mut somewhere = [0];
    comm.allreduce_or(&[u64::from(own.is_some())], &mut somewhere)?;
    if somewhere == [0] {
        return Ok(None);
    }
    let own = own.as_ref().map(to_bytes).unwrap_or_default();
    let gathered = comm.gather(0, &own)?.unwrap_or_default();
    let first = gathered.into_iter().find(|bytes| !bytes.is_empty());
    let first = comm.broadcast_all_of(0, first.unwrap_or_default())?;
    Ok(Some(from_bytes(&first)))
}

/// The directory in which the loaded library keeps this rank's share of a window over `comm`, if it does so
/// in files. Collective. A library decides by the ranks of the communicator, by its settings and by what
/// it was built with, so it is asked.
///
/// Met so far: Open MPI 4.1.4 and 5.0.11, MPICH 4.0.2 and 5.0.2 and Intel MPI 2021.18.1 have files in
/// `/dev/shm` where a node has several ranks, and private memory where it has one. But a shared window of
/// one rank is a file with Intel MPI; and windows of Open MPI's osc/pt2pt and osc/ucx are private memory.
fn directory_of_windows(comm: &Comm<'_>, allocation: Allocation) -> Result<Option<PathBuf>> {
    type Allocate = unsafe extern "C" fn(
        ffi::MPI_Aint,
        c_int,
        ffi::MPI_Info,
        ffi::MPI_Comm,
        *mut c_void,
        *mut ffi::MPI_Win,
    ) -> c_int;
    const PAGE_BYTES: ffi::MPI_Aint = 4096;
    const BYTES: c_int = 1;
    let (call, allocate): (_, Allocate) = match allocation {
        Allocation::Window => ("MPI_Win_allocate", ffi::MPI_Win_allocate),
        Allocation::SharedWindow => ("MPI_Win_allocate_shared", ffi::MPI_Win_allocate_shared),
    };
    let mut base: *mut c_void = std::ptr::null_mut();
    // SAFETY: predefined null handles; the window's is a valid initial value to be overwritten.
    let (info, mut raw) = unsafe { (ffi::RSMPI_INFO_NULL, ffi::RSMPI_WIN_NULL) };
    // SAFETY: the communicator, `base` and `raw` are live; `base` is a pointer passed by address, as the C
    // interface wants. A shared window is asked for only where all ranks are on one node, or is an error.
    let code = unsafe {
        allocate(
            PAGE_BYTES,
            BYTES,
            info,
            comm.raw(),
            (&raw mut base).cast(),
            &mut raw,
        )
    };
    check(call, code)?;
    // SAFETY: the window was made above; the error handler is predefined.
    let set = unsafe { ffi::MPI_Win_set_errhandler(raw, errors_return()) };
    let directory = system::directory_of_mapping(base.addr());
    // SAFETY: live window, no epoch open, freed once; nothing refers to its memory any more.
    let freed = unsafe { ffi::MPI_Win_free(&mut raw) }; // collective, so whatever came before
    check("MPI_Win_set_errhandler", set)?;
    check("MPI_Win_free", freed)?;
    Ok(directory)
}
