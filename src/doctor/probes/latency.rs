//! How long a fetch-and-op takes while the target waits in MPI.

use std::time::{Duration, Instant};

use super::super::finding::{Finding, Latencies, Measured, Place, Severity, WindowKind};
use super::super::plan::Probe;
use super::Context;
use super::together::gather;
use crate::rma::probe::ProbeWindow;
use crate::rma::{Rank, Result};

/// How long, and how many operations at most.
const FOR: Duration = Duration::from_millis(200);
const MOST: usize = 20_000;

/// A median above this is a matter of time slices and not of the network.
const SLOW: Duration = Duration::from_millis(1);

const TAG: i32 = 3;

pub(super) fn probe(context: &mut Context<'_, '_>) -> Result<()> {
    let Some(window) = context.open(Probe::Latency, WindowKind::Allocated)? else {
        return Ok(());
    };
    for place in [Place::Home, Place::SameNode, Place::OtherNode] {
        let Some(origin) = context.placement.first_at(place) else {
            continue;
        };
        context.step(place.name());
        let sample_ns = measure(context, &window, origin)?;
        let Some(samples) = gather(context.comm, &sample_ns)? else {
            continue;
        };
        let latency = Latencies::of(samples.concat());
        let [median, p90, p99, longest] = [
            latency.median_ns,
            latency.p90_ns,
            latency.p99_ns,
            latency.longest_ns,
        ]
        .map(in_words);
        let severity = match latency.median_ns > SLOW.as_nanos() as u64 {
            true => Severity::Slow,
            false => Severity::Ok,
        };
        let detail = format!("median {median}, 90 % {p90}, 99 % {p99}, longest {longest}");
        let subject = format!("latency, {}", place.name());
        context.found(
            Finding::new("latency", subject, severity, detail)
                .with(Measured::Latency { place, latency }),
        );
    }
    window.close()
}

/// Operations of `origin`, while the home rank waits in MPI and everybody else out of the way. Collective.
fn measure(context: &Context<'_, '_>, window: &ProbeWindow<'_>, origin: Rank) -> Result<Vec<u64>> {
    let comm = context.comm;
    let mut sample_ns = Vec::new();
    comm.barrier()?;
    if comm.rank() == origin {
        let start = Instant::now();
        while start.elapsed() < FOR && sample_ns.len() < MOST {
            let before = Instant::now();
            window.fetch_and_increment::<u64>(0)?;
            sample_ns.push(before.elapsed().as_nanos() as u64);
        }
        for other in (0..comm.size()).filter(|&rank| rank != origin) {
            comm.send(&[0], other, TAG)?;
        }
        return Ok(sample_ns);
    }
    // The home rank waits inside MPI; the others must not take its core meanwhile.
    if comm.rank() != 0 {
        std::thread::sleep(FOR);
    }
    comm.receive(&mut [0], TAG)?;
    Ok(sample_ns)
}

/// `412 ns`, `6.8 us`, `1.2 ms`.
pub(super) fn in_words(ns: u64) -> String {
    match ns {
        ns if ns < 1000 => format!("{ns} ns"),
        ns if ns < 100_000 => format!("{:.1} us", ns as f64 / 1e3),
        ns if ns < 1_000_000 => format!("{} us", ns / 1000),
        ns if ns < 100_000_000 => format!("{:.1} ms", ns as f64 / 1e6),
        ns => format!("{} ms", ns / 1_000_000),
    }
}
