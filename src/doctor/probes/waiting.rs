//! What waiting in MPI costs: a barrier's latency, and how busy a rank is that waits in one.

use std::time::{Duration, Instant};

use super::super::finding::{Finding, Latencies, Measured, Severity};
use super::Context;
use super::together::{gather, share};
use crate::rma::Result;

/// How long barriers are measured.
const FOR: Duration = Duration::from_millis(150);

/// How long the others wait for rank 0.
const LATE: Duration = Duration::from_millis(150);

/// With more ranks than cores, a barrier cannot take less than a few switches of context, some ten
/// microseconds each; a time slice is a few milliseconds.
const SLOW: Duration = Duration::from_millis(1);

pub(super) fn probe(context: &mut Context<'_, '_>) -> Result<()> {
    let comm = context.comm;
    let hosts = context.placement.hosts();
    let oversubscribed = hosts.iter().any(|host| host.ranks > host.cores);

    const FIRST: u32 = 4;
    comm.barrier()?;
    let start = Instant::now();
    for _ in 0..FIRST {
        comm.barrier()?;
    }
    let each = start.elapsed() / FIRST;
    let n = (FOR.as_secs_f64() / each.as_secs_f64().max(1e-9)).clamp(8.0, 500.0) as u64;
    let n = share(comm, (comm.rank() == 0).then_some(n))?;
    let mut sample_ns = Vec::with_capacity(n as usize);
    for _ in 0..n {
        let before = Instant::now();
        comm.barrier()?;
        sample_ns.push(before.elapsed().as_nanos() as u64);
    }
    let barrier = Latencies::of(sample_ns);

    let (cpu_before, before) = (cpu_time(), Instant::now());
    if comm.rank() == 0 {
        std::thread::sleep(LATE);
    }
    comm.barrier()?;
    let share_of_core = (cpu_time() - cpu_before).as_secs_f64() / before.elapsed().as_secs_f64();
    let Some(shares) = gather(comm, &share_of_core)? else {
        return Ok(());
    };
    let cpu_share = shares[1..].iter().copied().fold(0.0, f64::max).min(1.0);

    let busiest = hosts
        .iter()
        .max_by(|a, b| (a.ranks * b.cores).cmp(&(b.ranks * a.cores)));
    let (ranks, cores) = busiest.map_or((0, 0), |host| (host.ranks, host.cores));
    let severity = match oversubscribed {
        true if barrier.median_ns > SLOW.as_nanos() as u64 => Severity::Slow,
        true => Severity::Note,
        false => Severity::Ok,
    };
    let plural = |n: u32| if n == 1 { "" } else { "s" };
    let detail = format!(
        "{}{ranks} rank{} on {cores} core{}; a barrier takes {} us (median); a rank that waits uses {:.0} % of \
         a core",
        if oversubscribed {
            "oversubscribed: "
        } else {
            ""
        },
        plural(ranks),
        plural(cores),
        barrier.median_ns.div_ceil(1000),
        100.0 * cpu_share,
    );
    context.found(
        Finding::new("waiting", "waiting in MPI", severity, detail).with(Measured::Waiting {
            oversubscribed,
            barrier,
            cpu_share,
        }),
    );
    Ok(())
}

/// How long this process has computed so far.
pub(super) fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}
