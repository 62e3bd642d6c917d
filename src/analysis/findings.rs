//! What can be said of one run. What its source does not tell is `None`.

use serde::Serialize;

use super::games::GameTimes;
use super::latency::Latency;
use super::order::Order;
use super::rounds::{Blame, RankWait};
use crate::trace::Version;

/// What the findings rest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A folder of `onesided play --trace`.
    Trace,
    /// A document of `onesided play --format json`.
    Summary,
    /// What the original program printed.
    Log,
}

/// What was played, by whom, with what.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setup {
    pub version: Option<Version>,
    /// How digits were claimed (one-sided).
    pub claim_with: Option<String>,
    /// How digits were guessed, where not uniformly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guess: Option<String>,
    /// Whether a guess that was known to be lost cost no operation.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub skip_known: bool,
    /// Whether the claims were spread over all ranks' memory.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub spread: bool,
    pub ranks: u32,
    pub hosts: Option<u32>,
    /// Digits were `1..=digits`.
    pub digits: Option<u32>,
    pub games: Option<u64>,
    /// Seed of the random streams.
    pub seed: Option<u64>,
    /// Think time, in words.
    pub think: Option<String>,
    pub mpi_library: Option<String>,
    /// Who made progress while the home rank was outside MPI, in words (one-sided).
    pub progress: Option<String>,
    /// Number of nodes: ranks of one node share memory.
    pub nodes: Option<u32>,
}

impl Setup {
    /// How digits were claimed and guessed, in words.
    pub fn claiming(&self) -> Option<String> {
        claiming(
            self.claim_with.as_deref(),
            self.guess.as_deref(),
            self.skip_known,
            self.spread,
        )
    }
}

/// How digits were claimed and guessed, in words: `fetch-and-op spread over all ranks, unclaimed digits
/// guessed`. `None` where it was done as in the original.
pub fn claiming(
    claim_with: Option<&str>,
    guess: Option<&str>,
    skip_known: bool,
    spread: bool,
) -> Option<String> {
    let mut parts = Vec::new();
    match (claim_with, spread) {
        (Some(method), true) => parts.push(format!("{method} spread over all ranks")),
        (Some(method), false) => parts.push(method.to_owned()),
        (None, _) => {}
    }
    match guess {
        Some("ticket") => parts.push("digits dealt by ticket".into()),
        Some(guess) => parts.push(format!("{guess} digits guessed")),
        None => {}
    }
    if skip_known {
        parts.push("known ones skipped".into());
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// What one rank did. Times in nanoseconds, sums over all games; `useful + wait + operation + tracer +
/// idle` is the run's `wall_ns`, exactly.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RankFindings {
    pub rank: u32,
    pub host: Option<String>,
    pub node: Option<u32>,
    pub guesses: u64,
    pub points: u64,
    /// Whether all that it did is known. If not, its counts and times are the least that they were.
    pub complete: bool,
    /// Claims (one-sided) or allreduces (collective).
    pub operations: Option<u64>,
    /// Time thinking.
    pub useful_ns: Option<u64>,
    /// Time in operations, waiting for others. Collective: until the last rank had entered the
    /// allreduce. One-sided: while the target rank was outside MPI, of operations that took longer than
    /// usual and ended when it was back.
    pub wait_ns: Option<u64>,
    /// How wrong `wait_ns`, and so `operation_ns` and blame for it, may be because clocks differ, and drift
    /// as they may between two measurements of them.
    pub wait_error_ns: Option<u64>,
    /// Time in operations that is not waiting.
    pub operation_ns: Option<u64>,
    /// Time in operations, waiting included.
    pub in_operations_ns: Option<u64>,
    /// Time recording, by the cost that was measured before the run; and what no record covers.
    pub tracer_ns: Option<u64>,
    /// From the rank's end of a game to that of the rank that played it longest.
    pub idle_ns: Option<u64>,
    /// From the start to the end of each game on this rank.
    pub play_ns: Option<u64>,
    /// Waiting in allreduces, with its error and the estimate that needs no clock (collective).
    pub allreduce_wait: Option<RankWait>,
    /// What others waited because of it (collective).
    pub blame: Option<Blame>,
    /// Whom it waited for longest, and how long (collective).
    pub waited_most_for: Option<(u32, u64)>,
    /// What the run would have taken less, had this rank computed no longer than the median of all: wall
    /// time, by replaying the run (collective).
    pub saving_ns: Option<u64>,
}

/// POP efficiencies (POP Centre of Excellence, "Standard metrics for performance analysis"), each 0 to
/// 1: parallel = load balance × serialisation × transfer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Efficiency {
    /// Mean useful time over the longest.
    pub load_balance: f64,
    /// Longest useful time over the time that thinking takes with the run's synchronisation (all
    /// ranks at each allreduce, or at each game's end) on a network that costs nothing.
    pub serialisation: f64,
    /// That time over the time the run took.
    pub transfer: f64,
    /// Mean useful time over the time the run took.
    pub parallel: f64,
    /// [`Efficiency::slowdown`] of the first two: how many times longer the same computation takes, dealt out
    /// as it was and synchronised as it was, than dealt out evenly with nobody waiting, on a network that costs
    /// nothing.
    pub synchronisation_slowdown: f64,
}

impl Efficiency {
    /// Of computation with this mean and this longest over ranks, `critical` along the run's synchronisation,
    /// and a run that took `wall`: all in one unit, and none of them 0.
    pub fn new(mean: f64, longest: f64, critical: f64, wall: f64) -> Self {
        let (load_balance, serialisation) = (mean / longest, longest / critical);
        Efficiency {
            load_balance,
            serialisation,
            transfer: critical / wall,
            parallel: mean / wall,
            synchronisation_slowdown: Self::slowdown(load_balance, serialisation),
        }
    }

    /// The synchronisation slowdown, 1 or more: 1 / (load balance × serialisation efficiency).
    pub fn slowdown(load_balance: f64, serialisation: f64) -> f64 {
        1.0 / (load_balance * serialisation)
    }
}

/// One-sided operations and their target rank's absence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Stalls {
    /// Operations of other ranks that were under way while the home rank was outside MPI.
    pub n_home_away: u64,
    /// Those of them that waited for it: they ended when it was back, and it had stayed away for longer than
    /// operations usually take. None of CPU atomics.
    pub n_stalled: u64,
    /// How long these were under way while it was away.
    pub stall_ns: u64,
    /// The longest of these waits.
    pub max_ns: u64,
    /// How wrong `stall_ns` may be because clocks differ.
    pub error_ns: u64,
    /// How long all that met the home rank outside MPI took.
    pub latency: Option<Latency>,
}

/// How long operations took, by where they came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LatencyByNode {
    /// From the home rank's node, the home rank itself excepted.
    pub same: Option<Latency>,
    /// From other nodes.
    pub other: Option<Latency>,
}

/// A digit that more than one rank scored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DoubleScore {
    /// In which game, from 0.
    pub game: u32,
    pub digit: u32,
    pub ranks: Vec<u32>,
}

/// The invariant of the collective version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lockstep {
    /// Whether guesses + points is the same on all ranks in every game, and the number of allreduces.
    pub holds: bool,
    /// Guesses + points of every rank, over all games, where it holds.
    pub steps: Option<u64>,
    /// Where it does not, in words.
    pub deviation: Option<String>,
}

/// What recording said of itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recorded {
    /// Records read, of all ranks.
    pub records: u64,
    /// Records that were dropped for want of room.
    pub dropped: u64,
    /// Ranks whose records are not all there.
    pub incomplete_ranks: u64,
    /// Games that every rank played to their end.
    pub complete_games: u64,
    pub record_cost_ns: f64,
    /// Clocks that the ranks read.
    pub clocks: u32,
    /// Operations that ended before they can have, by the clocks, and by more than their error.
    pub clock_violations: u64,
}

/// Everything that can be said of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Findings {
    /// What to call it: `one-sided`, `collective`, or what tells two of a kind apart.
    pub label: String,
    /// Where it was read.
    pub path: String,
    /// What the findings rest on.
    pub source: Source,
    /// Whether something is missing of what the source should have: ranks' records, or lines of a log. What
    /// depends on all of it is `None` then.
    pub partial: bool,
    pub setup: Setup,
    /// One entry a rank that there is something to say of.
    pub per_rank: Vec<RankFindings>,
    /// How long it took: Σ over games of the longest time from start to end on any rank.
    pub wall_ns: Option<u64>,
    /// Σ over games of the time from the start to the last score.
    pub complete_ns: Option<u64>,
    /// How long the games took that are complete, where there are several.
    pub games: Option<GameTimes>,
    /// Points beyond one for each digit and game. Where records are missing, those that were found if any were
    /// (one-sided): each of them is a fault, whatever else is missing. In a collective run they are a number of the
    /// whole game, and unknown then.
    pub double_scores: Option<u64>,
    /// The first of them.
    pub double_scored: Vec<DoubleScore>,
    /// Whether ranks were in lockstep (collective, and logs).
    pub lockstep: Option<Lockstep>,
    /// Allreduces of every rank.
    pub rounds: Option<u64>,
    /// Waiting in allreduces of which it is not known who came last, because the last two came within the
    /// errors of their clocks (collective).
    pub unattributed_wait_ns: Option<u64>,
    pub efficiency: Option<Efficiency>,
    /// Progress stalls (one-sided).
    pub stalls: Option<Stalls>,
    /// How long operations took.
    pub latency: Option<Latency>,
    /// How long they took ranks of the home rank's node, itself excepted, and ranks of other nodes
    /// (one-sided, on several nodes).
    pub latency_by_node: Option<LatencyByNode>,
    /// The order of claims (one-sided).
    pub order: Option<Order>,
    pub recorded: Option<Recorded>,
    /// Whatever makes the findings partial, in sentences.
    pub notes: Vec<String>,
}

impl Findings {
    /// Σ over ranks of some count or time; `None` where one of them does not tell, or not all of it.
    pub fn sum_ns(&self, of: impl Fn(&RankFindings) -> Option<u64>) -> Option<u64> {
        let add = |sum: u64, rank: &RankFindings| {
            let ns = of(rank).filter(|_| rank.complete)?;
            Some(sum.saturating_add(ns))
        };
        match self.partial {
            true => None,
            false => self.per_rank.iter().try_fold(0, add),
        }
    }

    /// Mean over ranks of some time, in nanoseconds.
    pub fn mean_ns(&self, of: impl Fn(&RankFindings) -> Option<u64>) -> Option<f64> {
        let n_ranks = self.per_rank.len().max(1) as f64;
        Some(self.sum_ns(of)? as f64 / n_ranks)
    }

    /// The rank that waited longest, of those whose waiting is known to be more than its error.
    pub fn waited_longest(&self) -> Option<&RankFindings> {
        let known = |rank: &&RankFindings| rank.wait_ns > rank.wait_error_ns;
        let longest = self.per_rank.iter().filter(known);
        longest.max_by_key(|rank| (rank.wait_ns, std::cmp::Reverse(rank.rank)))
    }
}
