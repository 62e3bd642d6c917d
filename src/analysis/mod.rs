//! Pure analysis: what runs say, and what that means. Needs no MPI.

mod side_by_side;
mod summary;

#[cfg(test)]
pub(crate) use side_by_side::tests;
pub use side_by_side::{Extremes, SideBySide, Verdict};
pub use summary::{RankSummary, RunSummary, SCHEMA, SUMMARY_FORMAT, Version};
