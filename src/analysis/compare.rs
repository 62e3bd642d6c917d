//! Two runs beside each other: where the difference in time comes from, and what lockstep does to
//! fast ranks.

use std::collections::BTreeSet;

use serde::Serialize;

use super::findings::{Findings, RankFindings};
use crate::trace::Version;

/// Where the time of two runs went, mean over ranks, and so where their difference comes from.
///
/// The parts of each run sum to its time, and the differences to the difference: exactly in
/// nanoseconds summed over ranks, which is how they are kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Waterfall {
    /// The parts: useful, waiting, operation, tracer, idle.
    pub parts: Vec<Part>,
    /// Number of ranks of both runs.
    pub ranks: (u64, u64),
    /// Time of both runs, summed over their ranks.
    pub total_ns: (u64, u64),
}

/// One part of the time of two runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    pub name: &'static str,
    /// Summed over the ranks of both runs, in nanoseconds.
    pub sum_ns: (u64, u64),
}

impl Waterfall {
    /// The parts of both runs; `None` where a run does not tell all of them.
    pub fn new(a: &Findings, b: &Findings) -> Option<Self> {
        type Of = fn(&RankFindings) -> Option<u64>;
        let parts: [(&str, Of); 5] = [
            ("useful", |rank| rank.useful_ns),
            ("waiting", |rank| rank.wait_ns),
            ("operation", |rank| rank.operation_ns),
            ("tracer", |rank| rank.tracer_ns),
            ("idle", |rank| rank.idle_ns),
        ];
        let parts: Option<Vec<Part>> = parts
            .into_iter()
            .map(|(name, of)| {
                let sum_ns = (a.sum_ns(of)?, b.sum_ns(of)?);
                Some(Part { name, sum_ns })
            })
            .collect();
        let ranks = (a.per_rank.len() as u64, b.per_rank.len() as u64);
        Some(Waterfall {
            parts: parts?,
            ranks,
            total_ns: (
                a.wall_ns?.saturating_mul(ranks.0),
                b.wall_ns?.saturating_mul(ranks.1),
            ),
        })
    }

    /// A sum over ranks as the mean of one rank, of both runs, in seconds.
    pub fn mean_s(&self, sum_ns: (u64, u64)) -> (f64, f64) {
        let mean = |ns: u64, ranks: u64| ns as f64 / 1e9 / ranks.max(1) as f64;
        (mean(sum_ns.0, self.ranks.0), mean(sum_ns.1, self.ranks.1))
    }
}

/// The ranks that think the shortest and the longest for a guess, and what became of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Extremes {
    /// The rank that thinks shortest.
    pub fast: u32,
    /// The rank that thinks longest.
    pub slow: u32,
    /// Share of the fast rank's time that the collective run spent in allreduces, 0 to 1.
    pub fast_share_in_allreduce: f64,
    /// Guesses of the fast and the slow rank, collective.
    pub guesses_collective: (u64, u64),
    /// Guesses of the fast and the slow rank, one-sided.
    pub guesses_one_sided: (u64, u64),
}

impl Extremes {
    /// The extremes of a one-sided and a collective run, in either order; `None` for others, and where
    /// think times do not tell ranks apart.
    pub fn new(a: &Findings, b: &Findings) -> Option<Self> {
        /// Think times that differ by less are the same, give or take the timer.
        const TELLS_APART: f64 = 1.2;
        if a.partial || b.partial {
            return None;
        }
        let (one_sided, collective) = match (a.setup.version?, b.setup.version?) {
            (Version::Rma, Version::Collective) => (a, b),
            (Version::Collective, Version::Rma) => (b, a),
            _ => return None,
        };
        let per_guess = |rank: &RankFindings| {
            Some(rank.useful_ns? as f64 / rank.guesses.max(1) as f64).filter(|_| rank.guesses > 0)
        };
        let ranks = collective.per_rank.iter();
        let thinks: Vec<_> = ranks
            .filter_map(|rank| Some((per_guess(rank)?, rank)))
            .collect();
        let (shortest, fast) = thinks.iter().min_by(|a, b| a.0.total_cmp(&b.0))?;
        let (longest, slow) = thinks.iter().max_by(|a, b| a.0.total_cmp(&b.0))?;
        if *longest <= TELLS_APART * shortest {
            return None;
        }
        let guesses = |number: u32| {
            let rank = one_sided.per_rank.iter().find(|rank| rank.rank == number)?;
            Some(rank.guesses)
        };
        let share = fast.in_operations_ns? as f64 / fast.play_ns? as f64;
        Some(Extremes {
            fast: fast.rank,
            slow: slow.rank,
            fast_share_in_allreduce: share.clamp(0.0, 1.0),
            guesses_collective: (fast.guesses, slow.guesses),
            guesses_one_sided: (guesses(fast.rank)?, guesses(slow.rank)?),
        })
    }
}

/// In what two runs are of different games, in words; empty where they can be compared. What a source
/// does not tell is no difference; nor is the number of ranks.
pub fn differences(a: &Findings, b: &Findings) -> Vec<String> {
    fn differ<T: PartialEq + std::fmt::Display>(
        what: &str,
        a: &Option<T>,
        b: &Option<T>,
    ) -> Option<String> {
        let (a, b) = (a.as_ref()?, b.as_ref()?);
        (a != b).then(|| format!("{what} ({a} and {b})"))
    }
    let (a, b) = (&a.setup, &b.setup);
    [
        differ("number of digits", &a.digits, &b.digits),
        differ("number of games", &a.games, &b.games),
        differ("think time", &a.think, &b.think),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// In what else runs of one game differ that stand against each other, in words: each side's runs are
/// repetitions. What a source does not tell is no difference.
pub fn circumstances(sides: &[Vec<&Findings>]) -> Vec<String> {
    /// The names of more hosts are not listed.
    const MAX_HOSTS: usize = 3;
    type Of = fn(&Findings) -> Option<String>;
    let hosts: Of = |run| {
        let names: Option<BTreeSet<&str>> = run
            .per_rank
            .iter()
            .map(|rank| rank.host.as_deref())
            .collect();
        let names: Vec<&str> = names?.into_iter().collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    let circumstances: [(&str, Of); 5] = [
        ("number of ranks", |run| Some(run.setup.ranks.to_string())),
        ("MPI library", |run| run.setup.mpi_library.clone()),
        ("hosts", hosts),
        ("claims", |run| run.setup.claiming()),
        ("seed", |run| run.setup.seed.map(|seed| seed.to_string())),
    ];
    let differs = |&(what, of): &(&str, Of)| {
        let values = |runs: &Vec<&Findings>| -> BTreeSet<String> {
            runs.iter().filter_map(|run| of(run)).collect()
        };
        let values: Vec<BTreeSet<String>> = sides.iter().map(values).collect();
        let mut known = values.iter().filter(|values| !values.is_empty());
        let first = known.next()?;
        if known.all(|values| values == first) {
            return None;
        }
        let in_words = |values: &BTreeSet<String>| match values.iter().next() {
            None => "unknown".into(),
            Some(value) if values.len() == 1 && value.split(", ").count() <= MAX_HOSTS => {
                value.clone()
            }
            Some(value) if values.len() == 1 => format!("{} of them", value.split(", ").count()),
            Some(_) => format!("{} different ones", values.len()),
        };
        let values: Vec<String> = values.iter().map(in_words).collect();
        Some(format!("{what} ({})", values.join(" and ")))
    };
    circumstances.iter().filter_map(differs).collect()
}
