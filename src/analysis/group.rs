//! Repeated runs: medians, how certain they are, and whether two differ.

use serde::Serialize;

use super::findings::Findings;
use super::metrics::{METRICS, Metric};
use super::statistics::{RankTest, Spread, adjust, rank_test};

/// Runs that are repetitions of each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    pub name: String,
    pub runs: Vec<Findings>,
}

/// One metric of one or two groups.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    pub metric: &'static str,
    /// For each group its median with an interval; `None` where a run of it does not tell.
    pub spreads: Vec<Option<GroupSpread>>,
    /// The chance that two groups which do not differ would look as different as these do (two-sided
    /// [rank-sum test](super::rank_test)); `None` unless there are two, or where all values are equal.
    pub p: Option<f64>,
    /// The same adjusted for all that is tested (Holm), but of [`DECLARED`], which stands for itself.
    pub p_adjusted: Option<f64>,
    /// Whether the difference is significant: the adjusted p is below 0.05.
    pub significant: bool,
    /// Whether any difference could have been. If not, there are too few runs to tell.
    pub testable: bool,
    /// Whether p was counted, and is not that of an approximation.
    #[serde(skip)]
    pub exact: bool,
}

/// A median and the interval that holds it with 95 % confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GroupSpread {
    pub n: usize,
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

/// The metric that a comparison of two groups is about: its test is declared in advance, and the others' are
/// a family beside it.
pub const DECLARED: &str = "wall_s";

/// All metrics that at least one group tells.
pub fn rows(groups: &[Group]) -> Vec<Row> {
    let test = |metric: &Metric| -> Option<RankTest> {
        match groups {
            [a, b] => rank_test(&a.sample(metric)?, &b.sample(metric)?),
            _ => None,
        }
    };
    let tests: Vec<_> = METRICS.iter().map(test).collect();
    let declared = METRICS.iter().position(|metric| metric.name == DECLARED);
    let row = |(metric, adjusted): (&Metric, Option<super::Adjusted>)| {
        let spreads: Vec<_> = groups.iter().map(|group| group.spread(metric)).collect();
        spreads.iter().any(Option::is_some).then_some(Row {
            metric: metric.name,
            spreads,
            p: adjusted.map(|test| test.p),
            p_adjusted: adjusted.map(|test| test.p_adjusted),
            significant: adjusted.is_some_and(|test| test.significant),
            testable: adjusted.is_some_and(|test| test.testable),
            exact: adjusted.is_some_and(|test| test.exact),
        })
    };
    METRICS
        .iter()
        .zip(adjust(&tests, declared))
        .filter_map(row)
        .collect()
}
