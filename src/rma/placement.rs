//! Which ranks share a node, and so memory.

use mpi::ffi;

use super::comm::{Comm, Rank};
use super::error::{ErrorKind, Result, check};
use crate::pulse::{Call, within};

/// Which node each rank of a communicator is on: ranks of one node can share memory.
///
/// Nodes are numbered in the order of their lowest ranks, so rank 0 is on node 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    of_rank: Vec<u32>,
}

impl Placement {
    /// Asks MPI (`MPI_Comm_split_type` with `MPI_COMM_TYPE_SHARED`, MPI-4.1 §7.4.2). Collective.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn of(comm: &Comm<'_>) -> Result<Self> {
        let leader = lowest_rank_of_node(comm)?;
        let mut leaders = vec![0u8; comm.size() as usize * size_of::<Rank>()];
        if let Some(gathered) = comm.gather(0, &leader.to_le_bytes())? {
            leaders = gathered.concat();
        }
        comm.broadcast(0, &mut leaders)?;
        let leaders = leaders.chunks_exact(size_of::<Rank>()).map(|bytes| {
            let mut leader = Rank::default().to_le_bytes();
            leader.copy_from_slice(bytes);
            Rank::from_le_bytes(leader)
        });
        Ok(Self::from_leaders(leaders))
    }

    /// From the lowest rank on each rank's node.
    fn from_leaders(leaders: impl Iterator<Item = Rank>) -> Self {
        let mut nodes: Vec<Rank> = Vec::new();
        let of_rank = leaders.map(|leader| {
            let known = nodes.iter().position(|&node| node == leader);
            let node = known.unwrap_or_else(|| {
                nodes.push(leader);
                nodes.len() - 1
            });
            node as u32
        });
        Placement {
            of_rank: of_rank.collect(),
        }
    }

    /// The node of `rank`.
    ///
    /// # Panics
    /// If there is no such rank.
    pub fn node_of(&self, rank: Rank) -> u32 {
        self.of_rank[rank as usize]
    }

    /// For each rank its node.
    pub fn nodes(&self) -> &[u32] {
        &self.of_rank
    }

    /// How many nodes there are.
    pub fn n_nodes(&self) -> usize {
        self.of_rank
            .iter()
            .max()
            .map_or(0, |&last| last as usize + 1)
    }

    /// Whether two ranks share a node.
    ///
    /// # Panics
    /// If there is no such rank.
    pub fn share_a_node(&self, a: Rank, b: Rank) -> bool {
        self.node_of(a) == self.node_of(b)
    }
}

/// Makes sure that all ranks of `comm` can share memory. Collective.
///
/// # Errors
/// [`ErrorKind::SeveralNodes`] on all ranks, or what MPI returns.
pub(crate) fn assert_one_node(comm: &Comm<'_>) -> Result<()> {
    match Placement::of(comm)?.n_nodes() {
        1 => Ok(()),
        n_nodes => Err(ErrorKind::SeveralNodes { n_nodes }.into()),
    }
}

/// The ranks of `comm` that can share memory with this one (`MPI_Comm_split_type`), in the order of
/// their ranks. Collective.
///
/// # Errors
/// What MPI returns.
pub fn node_of<'mpi>(comm: &Comm<'mpi>) -> Result<Comm<'mpi>> {
    let mut raw = split_by_node(comm)?;
    // SAFETY: made above, and MPI is initialised for as long as `comm` lives.
    let node = unsafe { Comm::duplicate_raw(raw) };
    // SAFETY: made above, freed once.
    check("MPI_Comm_free", unsafe { ffi::MPI_Comm_free(&mut raw) })?;
    node
}

/// The ranks of `comm` on this rank's node, keyed by rank: a communicator that the caller frees.
/// Collective.
fn split_by_node(comm: &Comm<'_>) -> Result<ffi::MPI_Comm> {
    // SAFETY: the predefined null handle is a valid initial value to be overwritten.
    let mut node = unsafe { ffi::RSMPI_COMM_NULL };
    // Keyed by rank, so that the node's rank 0 is the lowest.
    let _within = within(Call::CommSplit, None);
    // SAFETY: live communicator, constants of the library; `node` is where the handle goes.
    check("MPI_Comm_split_type", unsafe {
        ffi::MPI_Comm_split_type(
            comm.raw(),
            ffi::RSMPI_COMM_TYPE_SHARED,
            comm.rank(),
            ffi::RSMPI_INFO_NULL,
            &mut node,
        )
    })?;
    Ok(node)
}

/// The lowest rank on this rank's node. Collective.
fn lowest_rank_of_node(comm: &Comm<'_>) -> Result<Rank> {
    let mut node = split_by_node(comm)?;
    let mut lowest = comm.rank();
    let within_bcast = within(Call::Bcast, None);
    // SAFETY: the communicator was made above; one int is sent or received.
    let code = unsafe { ffi::MPI_Bcast((&raw mut lowest).cast(), 1, ffi::RSMPI_INT32_T, 0, node) };
    check("MPI_Bcast", code)?;
    drop(within_bcast);
    // SAFETY: made above, freed once.
    check("MPI_Comm_free", unsafe { ffi::MPI_Comm_free(&mut node) })?;
    Ok(lowest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_numbered_in_the_order_of_their_lowest_ranks() {
        let round_robin = Placement::from_leaders([0, 1, 2, 0, 1, 2, 0].into_iter());
        assert_eq!(round_robin.nodes(), [0, 1, 2, 0, 1, 2, 0]);
        assert_eq!(round_robin.n_nodes(), 3);
        assert!(round_robin.share_a_node(0, 3) && !round_robin.share_a_node(0, 4));
        let blocks = Placement::from_leaders([0, 0, 2, 2].into_iter());
        assert_eq!((blocks.nodes(), blocks.n_nodes()), (&[0, 0, 1, 1][..], 2));
    }
}
