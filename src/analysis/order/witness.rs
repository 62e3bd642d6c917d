//! A claim, and what the check makes of all.

use serde::Serialize;

use crate::trace::Moment;

/// A claim, as far as its order matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Witness {
    pub rank: u32,
    /// Which of the rank's records it is, from 0.
    pub record: u64,
    pub digit: u32,
    /// When it began, on the reference clock.
    pub begin_ns: u64,
    /// When it ended.
    pub end_ns: u64,
    /// How wrong its clock may be.
    pub error_ns: u64,
    /// What it saw.
    pub word: u64,
    pub won: bool,
}

/// Claims that cannot all be right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderViolation {
    pub game: u32,
    /// What is impossible, in a sentence that names the claims.
    pub what: String,
    /// The claims; the second is missing where one alone is impossible, both where all that is wrong is
    /// that a claim is missing.
    pub claims: Vec<Witness>,
}

/// What came of the check.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Order {
    pub n_claims: u64,
    /// How many games lack records, so that of them only that was checked which holds whatever is missing.
    pub n_partial_games: u64,
    pub n_violations: u64,
    /// The first of them.
    pub violations: Vec<OrderViolation>,
}

impl Order {
    /// The number of violations, where it is known: `None` where no claim was checked, or none of those
    /// there are is wrong and some are missing.
    pub fn known_violations(&self) -> Option<u64> {
        let is_known = self.n_violations > 0 || (self.n_claims > 0 && self.n_partial_games == 0);
        is_known.then_some(self.n_violations)
    }
}

impl Witness {
    /// The moments of a claim.
    pub fn at(mut self, begin: Moment, end: Moment) -> Self {
        (self.begin_ns, self.end_ns) = (begin.ns, end.ns);
        self.error_ns = begin.error_ns.max(end.error_ns);
        self
    }

    /// What it is called in a sentence.
    pub(super) fn name(&self) -> String {
        match self.digit {
            0 => format!("rank {}'s look (record {})", self.rank, self.record),
            digit => format!(
                "rank {}'s claim of digit {digit} (record {})",
                self.rank, self.record
            ),
        }
    }
}
