//! Whether operations end while their target is outside MPI.
//!
//! This measures what the library does by itself, on windows of each kind.

use std::time::{Duration, Instant};

use super::super::finding::{Away, Finding, Latencies, Measured, Place, Severity, WindowKind};
use super::super::plan::Probe;
use super::Context;
use super::latency::in_words;
use super::together::gather;
use crate::rma::Result;
use crate::rma::probe::ProbeWindow;

/// How long the target is outside MPI.
const AWAY: Duration = Duration::from_millis(300);

/// The target is outside MPI for certain when the others begin.
const LATER: Duration = Duration::from_millis(40);

/// How long the others operate.
const FOR: Duration = Duration::from_millis(200);

/// An operation that takes longer has waited for the target: longer than any time slice, and half of
/// what it would have to wait.
const STOOD_STILL: Duration = Duration::from_millis(140);

const MOST: usize = 100_000;

pub(super) fn probe(context: &mut Context<'_, '_>, kind: WindowKind) -> Result<()> {
    let probe = Probe::Progress(kind);
    let placement = &context.placement;
    let mut places = vec![Place::SameNode];
    if kind != WindowKind::Shared {
        places.push(Place::OtherNode);
    }
    places.retain(|&place| placement.first_at(place).is_some());
    if places.is_empty() {
        let detail = match kind {
            WindowKind::Shared => "not probed: rank 0 is alone on its node",
            _ => "not probed: there is one rank only",
        };
        context.found(Finding::new(
            probe.name(),
            probe.subject(),
            Severity::Unknown,
            detail,
        ));
        return Ok(());
    }
    let Some(window) = context.open(probe, kind)? else {
        return Ok(());
    };
    for away in [Away::Asleep, Away::Computing] {
        context.step(&format!("while the target {}", away.verb()));
        let sample_ns = measure(context, &window, &places, away)?;
        let Some(samples) = gather(context.comm, &sample_ns)? else {
            continue;
        };
        for &place in &places {
            let Some(origin) = context.placement.first_at(place) else {
                continue;
            };
            let latency = Latencies::of(samples[origin as usize].clone());
            context.found(judge(kind, away, place, latency));
        }
    }
    window.close()
}

/// The first rank at each place operates; rank 0 is away. Collective.
fn measure(
    context: &Context<'_, '_>,
    window: &ProbeWindow<'_>,
    places: &[Place],
    away: Away,
) -> Result<Vec<u64>> {
    let comm = context.comm;
    let own_place = context.placement.place_of(comm.rank());
    let operates =
        places.contains(&own_place) && context.placement.first_at(own_place) == Some(comm.rank());
    let mut sample_ns = Vec::new();
    comm.barrier()?;
    let start = Instant::now();
    if operates {
        std::thread::sleep(LATER);
        while start.elapsed() < LATER + FOR && sample_ns.len() < MOST {
            let before = Instant::now();
            window.fetch_and_increment::<u64>(1)?;
            sample_ns.push(before.elapsed().as_nanos() as u64);
        }
    }
    // Those that have no part in it sleep too: spinning in the barrier they would take somebody's core.
    match away {
        Away::Computing if comm.rank() == 0 => spin_until(start + AWAY),
        _ => sleep_until(start + AWAY),
    }
    comm.barrier()?;
    Ok(sample_ns)
}

pub(super) fn spin_until(then: Instant) {
    while Instant::now() < then {
        std::hint::spin_loop();
    }
}

pub(super) fn sleep_until(then: Instant) {
    std::thread::sleep(then.saturating_duration_since(Instant::now()));
}

fn judge(window: WindowKind, away: Away, place: Place, latency: Latencies) -> Finding {
    let stood_still = latency.longest_ns >= STOOD_STILL.as_nanos() as u64;
    let numbers = format!(
        "{} operations, median {}, longest {}",
        latency.operations,
        in_words(latency.median_ns),
        in_words(latency.longest_ns)
    );
    let (severity, detail) = match stood_still {
        true => (
            Severity::StandsStill,
            format!(
                "stood still while the target was away for {}: {numbers}",
                in_words(AWAY.as_nanos() as u64)
            ),
        ),
        false => (Severity::Ok, format!("goes on: {numbers}")),
    };
    let subject = format!(
        "{}, target {}, {}",
        window.name(),
        away.verb(),
        place.name()
    );
    Finding::new(Probe::Progress(window).name(), subject, severity, detail).with(
        Measured::Progress {
            window,
            away,
            place,
            away_ns: AWAY.as_nanos() as u64,
            latency,
        },
    )
}
