//! Progress stalls: one-sided operations that wait until the target rank comes back into MPI.
//!
//! An operation that meets its target outside MPI may wait for its return, and may as well be carried out
//! meanwhile, and end after the return by chance. Two questions are asked.
//!
//! Do operations need their target at all ([`Progress::needs_target`])? Of those that met it outside MPI for
//! longer than they usually take ([`USUAL_PERCENT`] of all take no longer once both are in MPI), some got
//! through meanwhile, and some ended when it was back: sooner after that than it had been away, and at its
//! first return, or the second, as no library measured takes more than two visits as a rule. Where no more did
//! so than take longer than usual anyway, give or take chance, none waited for the target: who makes an
//! operation has to wait for a core now and then while the target has to, too.
//!
//! If they do, an operation waited while the target was outside MPI until it returned for the last time
//! before the end, if that was longer than operations usually take and than clocks may be wrong, and the
//! operation ended sooner after that than it had waited. CPU atomics need no target, and never wait.

#[cfg(test)]
mod tests;

use super::add;
use super::findings::Stalls;
use super::latency::Histogram;
use super::rank::Stream;
use crate::trace::{Kind, Moment, Outcome, Reading, Record, RunInfo};

/// Operations usually take no longer than this percentage of them.
const USUAL_PERCENT: u64 = 95;

/// Operations that wait for their target end at one of so many of its returns, as a rule.
const RETURNS_AS_A_RULE: u32 = 2;

/// Claims that are spread over more ranks are not looked at.
pub(super) const MAX_HOMES: usize = 64;

/// Finds the operations that waited for their target.
pub(super) struct StallCheck<S> {
    absences: AllAbsences<S>,
    /// Of operations whose target is of the same node, and of another.
    progress: [Progress; 2],
    stalls: Stalls,
    /// How long operations took that met the target outside MPI.
    away: Histogram,
    /// For each rank how wrong its stalls may be, in nanoseconds.
    errors_ns: Vec<u64>,
}

/// What of a target's absences an operation met.
#[derive(Debug, Clone, Copy, Default)]
struct Met {
    /// Whether the target was outside MPI at some time during it.
    away: bool,
    /// How often the target returned before it ended.
    n_returns: u32,
    /// How long the target was outside MPI during it, until it returned for the last time.
    absent_ns: u64,
    /// How much later it ended.
    after_ns: u64,
    /// Whether it ended, as far as one of the first returns tells, because the target was back.
    ends_at_return: bool,
    /// How wrong these may be because clocks differ.
    error_ns: u64,
    /// Where it ended while the target was outside MPI: for how long it would have waited for its return.
    through_ns: Option<u64>,
}

/// How operations of a kind get on.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    /// How long they usually take.
    usual_ns: u64,
    /// Whether they wait for a target that is outside MPI.
    needs_target: bool,
}

impl Met {
    /// The target, outside MPI for so long while the operation was under way, returned, and the operation
    /// ended so much later.
    fn back(&mut self, absent_ns: u64, after_ns: u64) {
        self.n_returns += 1;
        add(&mut self.absent_ns, absent_ns);
        self.after_ns = after_ns;
        self.ends_at_return |= self.n_returns <= RETURNS_AS_A_RULE && after_ns <= self.absent_ns;
    }

    /// How long the operation waited for the target; 0 where it did not.
    fn wait_ns(&self, usual_ns: u64) -> u64 {
        let waited =
            self.absent_ns > usual_ns.max(self.error_ns) && self.after_ns <= self.absent_ns;
        if waited { self.absent_ns } else { 0 }
    }
}

impl<S: Stream> StallCheck<S> {
    /// `None` where it would take too many streams: `records` is called for each rank, and twice for each
    /// rank and each of its targets.
    pub(super) fn new(run: &RunInfo, records: impl Fn(u32) -> S) -> Option<Self> {
        let progress = match run.claim_with.as_deref() {
            Some("shared-memory") => Default::default(),
            _ => progress(run, &records)?,
        };
        Some(StallCheck {
            absences: AllAbsences::new(run, records)?,
            progress,
            stalls: Stalls::default(),
            away: Histogram::default(),
            errors_ns: vec![0; run.ranks as usize],
        })
    }

    /// How long an operation of `rank` waited for `home`. Operations of a rank come in their order.
    #[inline]
    pub(super) fn stall_ns(
        &mut self,
        run: &RunInfo,
        rank: u32,
        home: u32,
        (begin, end): (Moment, Moment),
    ) -> u64 {
        let met = self.absences.met(rank, home, begin, end);
        if met.away {
            self.stalls.n_home_away += 1;
            self.away.add(end.ns.saturating_sub(begin.ns));
        }
        let progress = self.progress[usize::from(!run.share_a_node(rank, home))];
        let stall_ns = match progress.needs_target {
            true => met.wait_ns(progress.usual_ns),
            false => 0,
        };
        if stall_ns > 0 {
            self.stalls.n_stalled += 1;
            add(&mut self.stalls.stall_ns, stall_ns);
            self.stalls.max_ns = self.stalls.max_ns.max(stall_ns);
            add(&mut self.stalls.error_ns, met.error_ns);
            add(&mut self.errors_ns[rank as usize], met.error_ns);
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

/// What operations of a kind took and met.
#[derive(Default)]
struct Sample {
    /// How long they took once both were in MPI: since the target's return, if they met one, else in all.
    took: Histogram,
    /// For how long a target was away while operations got through.
    through: Histogram,
    /// And until they seem to have waited for it.
    waited: Histogram,
}

impl Sample {
    fn progress(&self) -> Progress {
        let usual_ns = self.took.percentile(USUAL_PERCENT);
        let n_waited = self.waited.n_above(usual_ns) as f64;
        let n = n_waited + self.through.n_above(usual_ns) as f64;
        // That many take longer anyway, give or take three standard deviations.
        let by_chance = n * (100 - USUAL_PERCENT) as f64 / 100.0;
        Progress {
            usual_ns,
            needs_target: n_waited > by_chance + 3.0 * by_chance.sqrt(),
        }
    }
}

/// How operations get on whose target is of their node, and others.
fn progress<S: Stream>(run: &RunInfo, records: impl Fn(u32) -> S) -> Option<[Progress; 2]> {
    let mut absences = AllAbsences::new(run, &records)?;
    let mut samples: [Sample; 2] = Default::default();
    for rank in 0..run.ranks {
        let reading = run.clocks.reading_of(rank);
        let is_operation =
            |record: &Record| record.kind == Kind::Claim && record.outcome != Outcome::Skipped;
        for record in records(rank).filter(is_operation) {
            let home = run.target_of(&record);
            if rank == home {
                continue;
            }
            let (begin, end) = (
                reading.moment(record.begin_ns),
                reading.moment(record.end_ns),
            );
            let met = absences.met(rank, home, begin, end);
            let sample = &mut samples[usize::from(!run.share_a_node(rank, home))];
            match (met.n_returns, met.through_ns) {
                (0, through_ns) => {
                    sample.took.add(record.duration_ns());
                    through_ns.into_iter().for_each(|ns| sample.through.add(ns));
                }
                _ => {
                    sample.took.add(met.after_ns);
                    if met.ends_at_return {
                        sample.waited.add(met.wait_ns(0));
                    }
                }
            }
        }
    }
    Some(samples.map(|sample| sample.progress()))
}

/// The targets' absences beside each other rank's operations. A target is outside MPI while it thinks.
struct AllAbsences<S> {
    /// The first of the ranks that are home of claims, and how to read the clock of each.
    first_home: u32,
    home_readings: Vec<Reading>,
    /// For each rank, and each home in turn, the home's records, as far as that rank's operations have
    /// come. `None` where a rank is home itself, or its home was away for the last time.
    of_pairs: Vec<Option<Absences<S>>>,
}

struct Absences<S> {
    records: S,
    /// The last think time that was read.
    current: Option<Record>,
    /// Whether both read one clock.
    one_clock: bool,
}

impl<S: Stream> AllAbsences<S> {
    fn new(run: &RunInfo, records: impl Fn(u32) -> S) -> Option<Self> {
        let homes = run.homes();
        if homes.len() > MAX_HOMES {
            return None;
        }
        let pairs = (0..run.ranks).flat_map(|rank| homes.clone().map(move |home| (rank, home)));
        let of_pairs = pairs.map(|(rank, home)| {
            (rank != home).then(|| Absences {
                records: records(home),
                current: None,
                one_clock: run.clocks.is_shared(rank, home),
            })
        });
        Some(AllAbsences {
            first_home: homes.start,
            home_readings: homes
                .clone()
                .map(|home| run.clocks.reading_of(home))
                .collect(),
            of_pairs: of_pairs.collect(),
        })
    }

    #[inline]
    fn met(&mut self, rank: u32, home: u32, begin: Moment, end: Moment) -> Met {
        let mut met = Met::default();
        let home = (home - self.first_home) as usize;
        let reading = &self.home_readings[home];
        let index = rank as usize * self.home_readings.len() + home;
        let Some(absences) = &mut self.of_pairs[index] else {
            return met;
        };
        loop {
            if let Some(think) = &absences.current {
                let left = reading.moment(think.begin_ns);
                let back = reading.moment(think.end_ns);
                if end.ns <= left.ns {
                    break;
                }
                met.away |= begin.ns < back.ns;
                if end.ns < back.ns {
                    met.through_ns = Some(back.ns - begin.ns.max(left.ns));
                    break;
                }
                if begin.ns < back.ns {
                    met.back(back.ns - begin.ns.max(left.ns), end.ns - back.ns);
                    if !absences.one_clock {
                        add(&mut met.error_ns, begin.error_ns);
                        add(&mut met.error_ns, back.error_ns);
                    }
                }
            }
            let is_think = |record: &Record| record.kind == Kind::Think;
            absences.current = absences.records.find(is_think);
            if absences.current.is_none() {
                self.of_pairs[index] = None; // it has not been away since
                break;
            }
        }
        met
    }
}
