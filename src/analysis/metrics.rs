//! The numbers of a run by name: what `--fail-if`, CSV and comparisons of repeated runs use.

use super::findings::{Findings, RankFindings};
use crate::trace::Version;

/// Numbers of what was recorded, which are known of a part of it, and numbers that [`Findings`] have of a part only
/// where that tells them. All others are of the whole run.
const OF_PART: &[&str] = &[
    "double_scores",
    "order_violations",
    "records",
    "dropped_records",
    "incomplete_ranks",
    "ranks",
    "games",
];

/// Numbers that only one version of the game has.
const OF_ONE_SIDED: &[&str] = &[
    "home_away",
    "stalls",
    "stall_s",
    "stall_max_s",
    "order_violations",
];
const OF_COLLECTIVE: &[&str] = &[
    "rounds",
    "lockstep",
    "wait_clock_free_s",
    "wait_unattributed_s",
];

#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name; `_s` at the end for seconds.
    pub name: &'static str,
    pub what: &'static str,
    of: fn(&Findings) -> Option<f64>,
}

impl Metric {
    pub fn of(&self, run: &Findings) -> Option<f64> {
        match run.partial && !OF_PART.contains(&self.name) {
            true => None,
            false => (self.of)(run),
        }
    }

    /// Whether runs like this one have the number at all: a collective one has no stalls.
    pub fn applies_to(&self, run: &Findings) -> bool {
        match run.setup.version {
            Some(Version::Rma) => !OF_COLLECTIVE.contains(&self.name),
            Some(Version::Collective) | None => !OF_ONE_SIDED.contains(&self.name),
        }
    }
}

pub fn metric(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.name == name)
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

fn sum_s(run: &Findings, of: fn(&RankFindings) -> Option<u64>) -> Option<f64> {
    run.sum_ns(of).map(seconds)
}

macro_rules! metrics {
    ($($name:ident: $what:literal, |$run:ident| $value:expr;)*) => {
        /// All metrics of a run. Times of ranks are sums over ranks and games.
        pub const METRICS: &[Metric] = &[$(Metric {
            name: stringify!($name),
            what: $what,
            of: |$run: &Findings| $value,
        }),*];
    };
}

metrics! {
    wall_s: "how long it took", |run| run.wall_ns.map(seconds);
    complete_s: "until all digits were claimed", |run| run.complete_ns.map(seconds);
    guesses: "guesses of all ranks", |run| run.sum_ns(|r| Some(r.guesses)).map(|n| n as f64);
    points: "points of all ranks", |run| run.sum_ns(|r| Some(r.points)).map(|n| n as f64);
    double_scores: "points beyond one a digit", |run| run.double_scores.map(|n| n as f64);
    rounds: "allreduces of every rank", |run| run.rounds.map(|n| n as f64);
    useful_s: "thinking", |run| sum_s(run, |r| r.useful_ns);
    wait_s: "waiting for other ranks", |run| sum_s(run, |r| r.wait_ns);
    wait_error_s: "how wrong that may be because clocks differ", |run| sum_s(run, |r| r.wait_error_ns);
    wait_clock_free_s: "waiting, without comparing clocks",
        |run| sum_s(run, |r| r.allreduce_wait.map(|wait| wait.clock_free_ns));
    wait_unattributed_s: "waiting for one of several who came last within the errors of their clocks",
        |run| run.unattributed_wait_ns.map(seconds);
    operation_s: "in operations, not waiting", |run| sum_s(run, |r| r.operation_ns);
    in_operations_s: "in operations, waiting included", |run| sum_s(run, |r| r.in_operations_ns);
    tracer_s: "recording", |run| sum_s(run, |r| r.tracer_ns);
    idle_s: "at the end of games", |run| sum_s(run, |r| r.idle_ns);
    wait_share: "share of all time that went into waiting", |run| {
        let all = run.wall_ns? as f64 * run.per_rank.len() as f64;
        Some(run.sum_ns(|r| r.wait_ns)? as f64 / all).filter(|share| share.is_finite())
    };
    load_balance: "mean useful time over the longest", |run| run.efficiency.map(|e| e.load_balance);
    serialisation_efficiency: "what lockstep leaves of it", |run| run.efficiency.map(|e| e.serialisation);
    transfer_efficiency: "what operations leave of it", |run| run.efficiency.map(|e| e.transfer);
    parallel_efficiency: "share of all time that was useful", |run| run.efficiency.map(|e| e.parallel);
    synchronisation_slowdown: "1 / (load balance × serialisation efficiency)",
        |run| run.efficiency.map(|e| e.synchronisation_slowdown);
    lockstep: "1 where guesses + points is the same on all ranks, else 0",
        |run| run.lockstep.as_ref().map(|lockstep| f64::from(u8::from(lockstep.holds)));
    home_away: "operations under way while the home rank was outside MPI",
        |run| run.stalls.map(|stalls| stalls.n_home_away as f64);
    stalls: "those of them that waited for it to come back", |run| run.stalls.map(|stalls| stalls.n_stalled as f64);
    stall_s: "how long these were under way while it was away", |run| run.stalls.map(|stalls| seconds(stalls.stall_ns));
    stall_max_s: "the longest of these times", |run| run.stalls.map(|stalls| seconds(stalls.max_ns));
    operation_p50_s: "median operation, waiting included", |run| run.latency.map(|l| seconds(l.p50_ns));
    operation_p90_s: "90th percentile", |run| run.latency.map(|l| seconds(l.p90_ns));
    operation_p99_s: "99th percentile", |run| run.latency.map(|l| seconds(l.p99_ns));
    operation_max_s: "longest operation", |run| run.latency.map(|l| seconds(l.max_ns));
    order_violations: "claims that fit into no order",
        |run| Some(run.order.as_ref()?.known_violations()? as f64);
    clock_violations: "operations that ended before they can have, by the clocks",
        |run| run.recorded.as_ref().map(|recorded| recorded.clock_violations as f64);
    records: "records read", |run| run.recorded.as_ref().map(|recorded| recorded.records as f64);
    dropped_records: "records dropped for want of room",
        |run| run.recorded.as_ref().map(|recorded| recorded.dropped as f64);
    incomplete_ranks: "ranks whose records are not all there",
        |run| run.recorded.as_ref().map(|recorded| recorded.incomplete_ranks as f64);
    ranks: "number of ranks", |run| Some(f64::from(run.setup.ranks));
    games: "number of games", |run| run.setup.games.map(|n| n as f64);
    game_min_s: "shortest of several games", |run| run.games.map(|games| seconds(games.min_ns));
    game_p5_s: "5th percentile of games", |run| run.games.map(|games| seconds(games.p5_ns));
    game_p50_s: "median game", |run| run.games.map(|games| seconds(games.p50_ns));
    game_p95_s: "95th percentile of games", |run| run.games.map(|games| seconds(games.p95_ns));
    game_max_s: "longest game", |run| run.games.map(|games| seconds(games.max_ns));
}

pub type RankMetric = (&'static str, fn(&RankFindings) -> Option<f64>);

pub const RANK_METRICS: &[RankMetric] = &[
    ("guesses", |rank| Some(rank.guesses as f64)),
    ("points", |rank| Some(rank.points as f64)),
    ("operations", |rank| rank.operations.map(|n| n as f64)),
    ("useful_s", |rank| rank.useful_ns.map(seconds)),
    ("wait_s", |rank| rank.wait_ns.map(seconds)),
    ("wait_error_s", |rank| rank.wait_error_ns.map(seconds)),
    ("wait_clock_free_s", |rank| {
        rank.allreduce_wait.map(|wait| seconds(wait.clock_free_ns))
    }),
    ("operation_s", |rank| rank.operation_ns.map(seconds)),
    ("in_operations_s", |rank| rank.in_operations_ns.map(seconds)),
    ("tracer_s", |rank| rank.tracer_ns.map(seconds)),
    ("idle_s", |rank| rank.idle_ns.map(seconds)),
    ("play_s", |rank| rank.play_ns.map(seconds)),
    ("blame_last_s", |rank| {
        rank.blame.map(|blame| seconds(blame.last_ns))
    }),
    ("blame_fair_s", |rank| {
        rank.blame.map(|blame| seconds(blame.fair_ns))
    }),
    ("saving_s", |rank| rank.saving_ns.map(seconds)),
];
