//! Progress stalls: one-sided operations that wait until the home rank comes back into MPI.

use super::add;
use super::findings::Stalls;
use super::latency::Histogram;
use super::rank::Stream;
use crate::trace::{Kind, Moment, Reading, Record, RunInfo};

/// Watches the home rank's absences beside each other rank's operations.
///
/// The home rank is outside MPI while it thinks. An operation that meets such a think time, and ends
/// only after it, is taken to have waited for the home rank as long as both lasted. One operation can
/// meet several: on MPICH 4.0.2 an operation takes two visits of the home rank to MPI.
pub(super) struct StallCheck<S> {
    /// The first of the ranks that are home of claims, and how to read the clock of each.
    first_home: u32,
    home_readings: Vec<Reading>,
    /// For each rank, and each home in turn, the home's records, as far as that rank's operations have
    /// come. `None` where a rank is home itself, or its home was away for the last time.
    absences: Vec<Option<Absences<S>>>,
    stalls: Stalls,
    /// How long operations took that met the home rank outside MPI.
    away: Histogram,
    /// For each rank how wrong its stalls may be, in nanoseconds.
    errors_ns: Vec<u64>,
}

/// Claims that are spread over more ranks are not looked at.
pub(super) const MAX_HOMES: usize = 64;

struct Absences<S> {
    records: S,
    /// The last think time that was read.
    current: Option<Record>,
}

impl<S: Stream> StallCheck<S> {
    /// `None` where it would take too many streams: `records` is called for each rank and each of its
    /// homes.
    pub(super) fn new(run: &RunInfo, records: impl Fn(u32) -> S) -> Option<Self> {
        let homes = run.homes();
        if homes.len() > MAX_HOMES {
            return None;
        }
        let pairs = (0..run.ranks).flat_map(|rank| homes.clone().map(move |home| (rank, home)));
        let absences = pairs.map(|(rank, home)| {
            (rank != home).then(|| Absences {
                records: records(home),
                current: None,
            })
        });
        Some(StallCheck {
            first_home: homes.start,
            home_readings: homes
                .clone()
                .map(|home| run.clocks.reading_of(home))
                .collect(),
            absences: absences.collect(),
            stalls: Stalls::default(),
            away: Histogram::default(),
            errors_ns: vec![0; run.ranks as usize],
        })
    }

    /// How long an operation of `rank` waited for `home`. Operations of a rank come in their order.
    #[inline]
    pub(super) fn stall_ns(&mut self, rank: usize, home: u32, begin: Moment, end: Moment) -> u64 {
        let home = (home - self.first_home) as usize;
        let reading = &self.home_readings[home];
        let index = rank * self.home_readings.len() + home;
        let Some(absences) = &mut self.absences[index] else {
            return 0;
        };
        let (mut met, mut stall_ns, mut error_ns) = (false, 0, 0);
        loop {
            if let Some(think) = &absences.current {
                let left = reading.moment(think.begin_ns);
                let back = reading.moment(think.end_ns);
                if end.ns <= left.ns {
                    break;
                }
                met |= begin.ns < back.ns;
                if end.ns < back.ns {
                    break;
                }
                if begin.ns < back.ns {
                    add(&mut stall_ns, back.ns - begin.ns.max(left.ns));
                    add(&mut error_ns, begin.error_ns);
                    add(&mut error_ns, back.error_ns);
                }
            }
            let is_think = |record: &Record| record.kind == Kind::Think;
            absences.current = absences.records.find(is_think);
            if absences.current.is_none() {
                self.absences[index] = None; // it has not been away since
                break;
            }
        }
        if met {
            self.stalls.n_home_away += 1;
            self.away.add(end.ns.saturating_sub(begin.ns));
        }
        if stall_ns > 0 {
            self.stalls.n_stalled += 1;
            add(&mut self.stalls.stall_ns, stall_ns);
            self.stalls.max_ns = self.stalls.max_ns.max(stall_ns);
            add(&mut self.stalls.error_ns, error_ns);
            add(&mut self.errors_ns[rank], error_ns);
        }
        stall_ns
    }

    /// How wrong the stalls of `rank` may be because clocks differ.
    pub(super) fn error_ns(&self, rank: usize) -> u64 {
        self.errors_ns[rank]
    }

    pub(super) fn into_stalls(self) -> Stalls {
        Stalls {
            latency: self.away.latency(),
            ..self.stalls
        }
    }
}
