//! Which rank is on which node, and what cores it may use.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::super::finding::{Host, Place};
use super::together::{gather, share};
use crate::rma::{Comm, Rank, Result, processor_name};

/// What a rank tells of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Own {
    host: String,
    /// The lowest rank of those that share memory with it.
    node: Rank,
    cpus: BTreeSet<usize>,
    /// How many cores its control group lets it use at once.
    limit: usize,
}

/// Which rank is where.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in super::super) struct Placement {
    ranks: Vec<Own>,
}

impl Placement {
    /// Collective.
    pub(in super::super) fn find(comm: &Comm<'_>, node: &Comm<'_>) -> Result<Self> {
        let leader = share(node, (node.rank() == 0).then(|| comm.rank()))?;
        let (cpus, limit) = own_cores();
        let own = Own {
            host: processor_name()?,
            node: leader,
            cpus,
            limit,
        };
        Ok(Placement {
            ranks: share(comm, gather(comm, &own)?)?,
        })
    }

    /// The lowest rank of the node of `rank`.
    pub(super) fn node_of(&self, rank: Rank) -> Rank {
        self.ranks[rank as usize].node
    }

    /// Where `rank` is, seen from rank 0.
    pub(super) fn place_of(&self, rank: Rank) -> Place {
        match rank {
            0 => Place::Home,
            _ if self.node_of(rank) == self.node_of(0) => Place::SameNode,
            _ => Place::OtherNode,
        }
    }

    /// The lowest rank at `place`.
    pub(super) fn first_at(&self, place: Place) -> Option<Rank> {
        (0..self.ranks.len() as Rank).find(|&rank| self.place_of(rank) == place)
    }

    /// The lowest rank of each node, in the order of ranks.
    pub(super) fn nodes(&self) -> Vec<Rank> {
        let leaders: BTreeSet<Rank> = self.ranks.iter().map(|own| own.node).collect();
        leaders.into_iter().collect()
    }

    /// Hosts, with their ranks and the cores that these may use together.
    pub(super) fn hosts(&self) -> Vec<Host> {
        let of_node = |leader: Rank| {
            let ranks: Vec<&Own> = self.ranks.iter().filter(|own| own.node == leader).collect();
            let cpus: BTreeSet<usize> = ranks.iter().flat_map(|own| own.cpus.clone()).collect();
            let limit = ranks.iter().map(|own| own.limit).min();
            // A control group's limit is for all ranks of the node together.
            let cores = limit.map_or(cpus.len(), |limit| cpus.len().min(limit));
            Host {
                name: self.ranks[leader as usize].host.clone(),
                ranks: ranks.len() as u32,
                cores: cores as u32,
            }
        };
        self.nodes().into_iter().map(of_node).collect()
    }
}

/// The cores that this process may be put on, and how many its control group lets it use at once.
fn own_cores() -> (BTreeSet<usize>, usize) {
    let parallelism = std::thread::available_parallelism().map_or(1, usize::from);
    let Ok(set) = rustix::thread::sched_getaffinity(None) else {
        return ((0..parallelism).collect(), usize::MAX);
    };
    let cpus: BTreeSet<usize> = (0..rustix::thread::CpuSet::MAX_CPU)
        .filter(|&cpu| set.is_set(cpu))
        .collect();
    // The standard library takes the smaller of both: where it is smaller than the affinity, the
    // control group is what limits.
    let limit = match parallelism < cpus.len() {
        true => parallelism,
        false => usize::MAX,
    };
    (cpus, limit)
}
