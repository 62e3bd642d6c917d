//! Pure analysis: what runs say, and what that means. Needs no MPI.

mod side_by_side;
mod summary;

pub use side_by_side::{Extremes, SideBySide, Verdict};
#[cfg(test)]
pub(crate) use side_by_side::tests;
pub use summary::{RankSummary, RunSummary, SCHEMA, SUMMARY_FORMAT, Version};
