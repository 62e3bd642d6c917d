//! Repeated runs: medians, how certain they are, and whether two differ.

use serde::Serialize;

use super::findings::Findings;
use super::metrics::{METRICS, Metric};
use super::statistics::{Spread, rank_test};

/// Runs that are repetitions of each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// What to call them.
    pub name: String,
    /// The runs.
    pub runs: Vec<Findings>,
}

/// One metric of one or two groups.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Its name.
    pub metric: &'static str,
    /// For each group its median with an interval; `None` where a run of it does not tell.
    pub spreads: Vec<Option<GroupSpread>>,
    /// The chance that two groups which do not differ would look as different as these do (two-sided
    /// Mann–Whitney test); `None` unless there are two.
    pub p: Option<f64>,
    /// Whether the difference is significant (p < 0.05).
    pub significant: bool,
}

/// A median and the interval that holds it with 95 % confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GroupSpread {
    /// Number of runs.
    pub n: usize,
    /// Median.
    pub median: f64,
    /// Lower end of the interval; `None` with too few runs to tell.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

impl Group {
    /// The numbers of all runs; `None` where one does not tell.
    pub fn sample(&self, metric: &Metric) -> Option<Vec<f64>> {
        self.runs.iter().map(|run| metric.of(run)).collect()
    }

    /// The median and its interval.
    pub fn spread(&self, metric: &Metric) -> Option<GroupSpread> {
        let sample = self.sample(metric)?;
        let spread = Spread::of(&sample)?;
        Some(GroupSpread {
            n: sample.len(),
            median: spread.median,
            low: spread.is_bounded().then_some(spread.low),
            high: spread.is_bounded().then_some(spread.high),
        })
    }
}

/// All metrics that at least one group tells.
pub fn rows(groups: &[Group]) -> Vec<Row> {
    let row = |metric: &Metric| {
        let spreads: Vec<_> = groups.iter().map(|group| group.spread(metric)).collect();
        spreads.iter().any(Option::is_some).then(|| {
            let test = match groups {
                [a, b] => a
                    .sample(metric)
                    .zip(b.sample(metric))
                    .and_then(|(a, b)| rank_test(&a, &b)),
                _ => None,
            };
            Row {
                metric: metric.name,
                spreads,
                p: test.map(|test| test.p),
                significant: test.is_some_and(|test| test.is_significant()),
            }
        })
    };
    METRICS.iter().filter_map(row).collect()
}
