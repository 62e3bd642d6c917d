//! Pure analysis: what runs say, and what that means. Needs no MPI.
//!
//! [`analyse_trace`] reads a run's folder as a stream and gives its [`Findings`]: where each rank's
//! time went, who waited for whom, what the claims' order was.

mod analyse;
mod findings;
mod latency;
mod order;
mod rank;
mod rounds;
mod side_by_side;
mod stalls;
mod summary;

pub use analyse::{analyse, analyse_trace};
pub use findings::{
    DoubleScore, Efficiency, Findings, Lockstep, RankFindings, Recorded, Setup, Source, Stalls,
};
pub use latency::{Histogram, Latency};
pub use order::{Method, Order, OrderCheck, OrderViolation, Witness};
pub use rank::Stream;
pub use rounds::{Arrival, Blame, RankWait, Rounds};
#[cfg(test)]
pub(crate) use side_by_side::tests;
pub use side_by_side::{Extremes, SideBySide, Verdict};
pub use summary::{RankSummary, RunSummary, SCHEMA, SUMMARY_FORMAT};

pub use crate::trace::Version;
