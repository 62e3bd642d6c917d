//! Pure analysis: what runs say, and what that means. Needs no MPI.
//!
//! [`analyse_trace`] reads a run's folder as a stream and gives its [`Findings`]: where each rank's
//! time went, who waited for whom, what the claims' order was.

mod analyse;
mod compare;
mod conclude;
mod expression;
mod findings;
mod games;
mod group;
mod latency;
mod log;
mod metrics;
mod order;
mod rank;
mod replay;
mod rounds;
mod scores;
mod source;
mod stalls;
mod statistics;
mod summary;
#[cfg(test)]
mod tests;
mod timeline;
mod watch;

#[cfg(test)]
pub(crate) use analyse::analyse_watched;
pub use analyse::{analyse, analyse_trace};
pub use compare::{Extremes, Waterfall, circumstances, differences};
pub use expression::{Expression, Name};
pub use findings::{Efficiency, Findings, RankFindings, Source, claiming};
#[cfg(test)]
pub(crate) use games::GameSeconds;
pub use games::Games;
pub use group::{DECLARED, Group, Row, rows as group_rows};
pub use latency::Latency;
pub use metrics::{METRICS, RANK_METRICS, metric};
pub use source::{of_summary, read_run, read_run_watched};
pub use statistics::{Adjusted, RankTest, Spread, adjust, paired_test, rank_test};
#[cfg(test)]
pub(crate) use summary::tests as summaries;
pub use summary::{
    CutShortSummary, RankSummary, ResumedSummary, RunSummary, SCHEMA, SUMMARY_FORMAT,
};
pub use timeline::{Shares, State, Timeline};
pub use watch::{Watch, Watched};

pub use crate::trace::Version;

/// Adds to a sum of times over ranks, which stops at the largest number there is: a million ranks fill
/// 64 bits of nanoseconds in five hours.
#[inline]
fn add(sum_ns: &mut u64, ns: u64) {
    *sum_ns = sum_ns.saturating_add(ns);
}
