//! Trying a means of progress: the home rank stays outside MPI for a while, and another rank operates.
//!
//! MPI has no attribute that tells whether a window's operations complete while their target is outside
//! MPI (mpi-forum/mpi-issues#635 is open), so it is tried:
//!
//! 1. Each *prober* operates once, so that whatever is set up at the first operation is, and tells the
//!    home rank that it is ready.
//! 2. The home rank goes away for [`AWAY`], in the manner of the means, and then tells the probers.
//! 3. Until it is told, each prober operates again and again. One operation of half that time has
//!    waited for the home rank, or for a core.
//! 4. The home rank gathers what the probers saw, and tells all ranks. A rank whose operation or visit to MPI failed
//!    plays its part to the end all the same, and all ranks learn that there was a failure.
//!
//! Probers are the lowest other rank on the home rank's node and the lowest on another node, since
//! libraries go different ways to them. All others sleep until they are told: on a node with more
//! ranks than cores, ranks that wait in a collective would take the cores of those who probe.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::engine::{Means, ProgressEngine, Trial};
use crate::pulse::{Call, within};
use crate::rma::agreement::failure;
use crate::rma::comm::{Comm, Rank};
use crate::rma::error::Result;
use crate::rma::placement::Placement;

/// How long the home rank stays away.
const AWAY: Duration = Duration::from_millis(40);

/// How often a means is tried at most. With more ranks than cores, an operation may wait for a core as
/// long as for the home rank; it will not each time.
const MAX_ATTEMPTS: usize = 3;

/// Between two operations of a prober, so that it leaves its core to others.
const PAUSE: Duration = Duration::from_micros(200);

const READY: i32 = 3;
const BACK: i32 = 4;
const SAW: i32 = 5;
const VERDICT: i32 = 6;

/// Who plays which part.
pub(super) struct Probe {
    home: Rank,
    probers: Vec<Rank>,
}

/// What one prober saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Saw {
    n_operations: u64,
    median_ns: u64,
    max_ns: u64,
    /// How many ranks failed.
    n_failed: u64,
}

impl Saw {
    const N_BYTES: usize = 32;

    fn to_bytes(self) -> [u8; Self::N_BYTES] {
        let mut bytes = [0; Self::N_BYTES];
        let numbers = [
            self.n_operations,
            self.median_ns,
            self.max_ns,
            self.n_failed,
        ];
        for (chunk, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            chunk.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: [u8; Self::N_BYTES]) -> Self {
        let number = |at: usize| {
            let chunk = bytes[at * 8..][..8].try_into();
            u64::from_le_bytes(chunk.expect("chunks have 8 bytes"))
        };
        Saw {
            n_operations: number(0),
            median_ns: number(1),
            max_ns: number(2),
            n_failed: number(3),
        }
    }

    /// The worse of both, in each respect.
    fn worse(self, other: Saw) -> Saw {
        Saw {
            n_operations: self.n_operations.min(other.n_operations),
            median_ns: self.median_ns.max(other.median_ns),
            max_ns: self.max_ns.max(other.max_ns),
            n_failed: self.n_failed + other.n_failed,
        }
    }

    fn stalled(self) -> bool {
        u128::from(self.max_ns) * 2 >= AWAY.as_nanos()
    }
}

impl Probe {
    /// Collective.
    pub(super) fn new(comm: &Comm<'_>, home: Rank) -> Result<Self> {
        let placement = Placement::of(comm)?;
        let lowest = |near: bool| {
            (0..comm.size())
                .find(|&rank| rank != home && placement.share_a_node(rank, home) == near)
        };
        let probers = [lowest(true), lowest(false)].into_iter().flatten();
        Ok(Probe {
            home,
            probers: probers.collect(),
        })
    }

    /// Tries the means of `engine`. Collective; the same trial on all ranks, or an error on all.
    pub(super) fn run(
        &self,
        comm: &Comm<'_>,
        engine: &ProgressEngine<'_>,
        operate: &mut dyn FnMut() -> Result<()>,
    ) -> Result<Trial> {
        let mut best: Option<Saw> = None;
        for _ in 0..MAX_ATTEMPTS {
            let (saw, own) = self.attempt(comm, engine, operate)?;
            if saw.n_failed > 0 {
                return Err(failure(comm, own.err())?);
            }
            if best.is_none_or(|best| saw.max_ns < best.max_ns) {
                best = Some(saw);
            }
            if !saw.stalled() {
                break;
            }
        }
        let saw = best.expect("there is an attempt");
        Ok(Trial {
            means: engine.found().means,
            n_operations: saw.n_operations,
            median_ns: saw.median_ns,
            max_ns: saw.max_ns,
            stalled: saw.stalled(),
        })
    }

    fn attempt(
        &self,
        comm: &Comm<'_>,
        engine: &ProgressEngine<'_>,
        operate: &mut dyn FnMut() -> Result<()>,
    ) -> Result<(Saw, Result<()>)> {
        let mut verdict = [0; Saw::N_BYTES];
        let mut own = Ok(());
        if comm.rank() == self.home {
            verdict = self.stay_away(comm, engine, &mut own)?.to_bytes();
        } else if self.probers.contains(&comm.rank()) {
            let saw = self.operate_meanwhile(comm, operate, &mut own)?;
            comm.send(&saw.to_bytes(), self.home, SAW)?;
        }
        self.tell_all(comm, &mut verdict)?;
        Ok((Saw::from_bytes(verdict), own))
    }

    /// On the home rank; how its visits to MPI went is in `own`.
    fn stay_away(
        &self,
        comm: &Comm<'_>,
        engine: &ProgressEngine<'_>,
        own: &mut Result<()>,
    ) -> Result<Saw> {
        for _ in &self.probers {
            comm.receive(&mut [0], READY)?;
        }
        match engine.found().means {
            Means::Poll => {
                let start = Instant::now();
                while own.is_ok() && start.elapsed() < AWAY {
                    sleep(engine.visit_interval().unwrap_or(AWAY));
                    *own = engine.visit();
                }
            }
            Means::Library | Means::Thread => *own = engine.outside_mpi(|| sleep(AWAY)),
        }
        for &prober in &self.probers {
            comm.send(&[0], prober, BACK)?;
        }
        let mut worst: Option<Saw> = None;
        for _ in &self.probers {
            let mut bytes = [0; Saw::N_BYTES];
            comm.receive(&mut bytes, SAW)?;
            let saw = Saw::from_bytes(bytes);
            worst = Some(worst.map_or(saw, |worst| worst.worse(saw)));
        }
        let mut worst = worst.expect("there is another rank");
        worst.n_failed += u64::from(own.is_err());
        Ok(worst)
    }

    /// On a prober; how its operations went is in `own`.
    fn operate_meanwhile(
        &self,
        comm: &Comm<'_>,
        operate: &mut dyn FnMut() -> Result<()>,
        own: &mut Result<()>,
    ) -> Result<Saw> {
        let operating = within(Call::Trial, Some(self.home));
        *own = operate();
        drop(operating);
        comm.send(&[0], self.home, READY)?;
        // One stay, however many operations end meanwhile: what is waited for is word of the home rank.
        let _within = within(Call::Trial, Some(self.home));
        let mut took_ns = Vec::new();
        while !comm.receive_if_there(&mut [0], BACK)? {
            if own.is_ok() {
                let start = Instant::now();
                *own = operate();
                took_ns.push(start.elapsed().as_nanos() as u64);
            }
            sleep(PAUSE);
        }
        took_ns.sort_unstable();
        Ok(Saw {
            n_operations: took_ns.len() as u64,
            median_ns: took_ns.get(took_ns.len() / 2).copied().unwrap_or(0),
            max_ns: took_ns.last().copied().unwrap_or(0),
            n_failed: u64::from(own.is_err()),
        })
    }

    /// Brings `verdict` of the home rank to all ranks, along a binary tree, each of them asleep until it
    /// comes.
    fn tell_all(&self, comm: &Comm<'_>, verdict: &mut [u8]) -> Result<()> {
        let size = comm.size();
        let place = (comm.rank() - self.home).rem_euclid(size);
        if place > 0 {
            let _within = within(Call::Trial, Some(self.home));
            while !comm.receive_if_there(verdict, VERDICT)? {
                sleep(PAUSE);
            }
        }
        for child in [2 * place + 1, 2 * place + 2] {
            if child < size {
                comm.send(verdict, (child + self.home) % size, VERDICT)?;
            }
        }
        Ok(())
    }
}
