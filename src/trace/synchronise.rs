//! Measuring the clocks of other hosts against rank 0's.

use std::collections::BTreeMap;

use super::clock::{Clock, Clocks, DRIFT_BOUND, Offset, offset_of};
use super::event::now_ns;
use crate::rma::{Comm, Rank, Result};

const REFERENCE: Rank = 0;

/// Tag of ping-pongs on the communicator given.
const TAG: i32 = 2;

/// Ping-pongs with another host's clock. The tightest on either side bound the offset, so more of them
/// get closer to the network's shortest latency.
const PING_PONGS: usize = 64;

/// Ping-pongs that verify that two processes of one host read the same clock. Few: each rank makes
/// them, and where ranks have to take turns on a core each costs a time slice.
const PING_PONGS_TO_VERIFY: usize = 2;

/// Who reads which clock, and who measures it.
#[derive(Debug)]
pub struct Synchroniser {
    /// On rank 0: for each clock but the first, the rank that answers for it.
    leaders: BTreeMap<u32, Rank>,
}

impl Synchroniser {
    /// Finds out who shares a clock, and measures the others against rank 0's. Collective. The clocks
    /// on rank 0, `None` elsewhere.
    ///
    /// Ranks with the same boot id and time namespace are on the same clock; ping-pongs verify it, and
    /// a rank that they disagree about gets a clock of its own.
    pub fn before(comm: &Comm<'_>, host: &str) -> Result<(Self, Option<Clocks>)> {
        let identity = format!("{host}\n{}", clock_identity());
        let mut leaders = BTreeMap::new();
        let Some(identities) = comm.gather(REFERENCE, identity.as_bytes())? else {
            answer(comm)?;
            return Ok((Synchroniser { leaders }, None));
        };
        let mut clocks: Vec<Clock> = Vec::new();
        let mut by_identity: BTreeMap<String, u32> = BTreeMap::new();
        let mut of_rank = Vec::new();
        for (rank, identity) in (0..).zip(&identities) {
            let text = String::from_utf8_lossy(identity).into_owned();
            let host = text.lines().next().unwrap_or_default().to_owned();
            // The host's name is no part of it: two names of one machine share its clock.
            let identity = text[host.len()..].to_owned();
            let new_clock = |before| Clock {
                host,
                before,
                after: None,
            };
            let n_clocks = clocks.len() as u32;
            if rank == REFERENCE {
                clocks.push(new_clock(None));
                by_identity.insert(identity, 0);
                of_rank.push(0);
                continue;
            }
            if let Some(&clock) = by_identity.get(&identity) {
                let pings = ping(comm, rank, PING_PONGS_TO_VERIFY)?;
                if agrees(&clocks[clock as usize], offset_of(&pings)) {
                    stop(comm, rank)?;
                    of_rank.push(clock);
                    continue;
                }
            }
            let measured = measure(comm, rank)?;
            clocks.push(new_clock(Some(measured)));
            by_identity.entry(identity).or_insert(n_clocks);
            leaders.insert(n_clocks, rank);
            of_rank.push(n_clocks);
        }
        Ok((Synchroniser { leaders }, Some(Clocks { clocks, of_rank })))
    }

    /// Measures the clocks once more, so that their drift is known. Collective; `clocks` on rank 0.
    pub fn after(&self, comm: &Comm<'_>, clocks: Option<&mut Clocks>) -> Result<()> {
        let Some(clocks) = clocks else {
            return answer(comm);
        };
        for rank in 1..comm.size() {
            let led = self.leaders.iter().find(|&(_, &leader)| leader == rank);
            match led {
                Some((&clock, _)) => {
                    clocks.clocks[clock as usize].after = Some(measure(comm, rank)?)
                }
                None => stop(comm, rank)?,
            }
        }
        Ok(())
    }
}

/// What tells clocks apart: the kernel that counts, and the namespace that shifts it.
fn clock_identity() -> String {
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = std::fs::read_link("/proc/self/ns/time").unwrap_or_default();
    format!("{}\n{}", boot_id.trim(), namespace.display())
}

/// Whether an offset can be that of `clock`.
fn agrees(clock: &Clock, offset: Option<Offset>) -> bool {
    let Some(offset) = offset else {
        return false;
    };
    let (expected_ns, error_ns) = match clock.before {
        // It may have drifted since it was measured.
        Some(before) => {
            let drifted = offset.at_ns.abs_diff(before.at_ns) as f64 * DRIFT_BOUND;
            (
                before.offset_ns,
                before.error_ns.saturating_add(drifted.ceil() as u64),
            )
        }
        None => (0, 0),
    };
    offset.offset_ns.abs_diff(expected_ns) <= offset.error_ns.saturating_add(error_ns)
}

/// The full measurement of the clock of `rank`, which then stops answering.
fn measure(comm: &Comm<'_>, rank: Rank) -> Result<Offset> {
    let pings = ping(comm, rank, PING_PONGS)?;
    stop(comm, rank)?;
    // Where ping-pongs contradict each other, a clock was set back or forth meanwhile: what the last
    // one says is then all that is known.
    let offset = offset_of(&pings).or_else(|| offset_of(&pings[pings.len() - 1..]));
    Ok(offset.unwrap_or(Offset {
        at_ns: now_ns(),
        offset_ns: 0,
        error_ns: u64::MAX / 4,
    }))
}

/// On rank 0: so many ping-pongs with `rank`.
fn ping(comm: &Comm<'_>, rank: Rank, n: usize) -> Result<Vec<(u64, u64, u64)>> {
    let mut pings = Vec::with_capacity(n);
    for _ in 0..n {
        let mut answer = [0; 8];
        let sent = now_ns();
        comm.send(&[1], rank, TAG)?;
        comm.receive(&mut answer, TAG)?;
        pings.push((sent, u64::from_le_bytes(answer), now_ns()));
    }
    Ok(pings)
}

fn stop(comm: &Comm<'_>, rank: Rank) -> Result<()> {
    comm.send(&[0], rank, TAG)
}

/// On other ranks: answers with the time until told to stop.
fn answer(comm: &Comm<'_>) -> Result<()> {
    loop {
        let mut more = [0];
        comm.receive(&mut more, TAG)?;
        if more == [0] {
            return Ok(());
        }
        comm.send(&now_ns().to_le_bytes(), REFERENCE, TAG)?;
    }
}
