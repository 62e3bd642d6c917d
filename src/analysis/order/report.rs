//! Violations, as they are found.

use super::{Order, OrderViolation, Witness};

/// Violations that are kept with their records; the others are counted.
const MAX_KEPT: usize = 8;

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) n_claims: u64,
    /// The game whose claims come.
    pub(super) game: u32,
    order: Order,
    /// Violations of this game if none of its records is missing: how many, and the first of them.
    if_complete: (u64, Vec<OrderViolation>),
    /// Violations before this game.
    n_before: u64,
}

impl Report {
    #[cold]
    pub(super) fn violate(&mut self, what: String, claims: &[&Witness]) {
        self.order.n_violations += 1;
        if self.order.violations.len() < MAX_KEPT {
            self.order.violations.push(self.violation(what, claims));
        }
    }

    /// Two claims that cannot both be right. In `what`, `{a}` and `{b}` stand for their names.
    #[cold]
    pub(super) fn violate_pair(&mut self, what: &str, a: &Witness, b: &Witness) {
        self.violate(name_both(what, a, b), &[a, b]);
    }

    /// Likewise, unless a claim that is missing explains it.
    #[cold]
    pub(super) fn violate_if_complete(&mut self, what: String, claims: &[&Witness]) {
        let violation = self.violation(what, claims);
        let (n, kept) = &mut self.if_complete;
        *n += 1;
        if kept.len() < MAX_KEPT {
            kept.push(violation);
        }
    }

    fn violation(&self, what: String, claims: &[&Witness]) -> OrderViolation {
        OrderViolation {
            game: self.game,
            what,
            claims: claims.iter().copied().copied().collect(),
        }
    }

    /// Whether no violation was found in this game.
    pub(super) fn is_clean(&self) -> bool {
        self.order.n_violations == self.n_before
    }

    /// What holds of this game if no record is missing, and none is.
    pub(super) fn is_complete(&mut self) {
        let (n, kept) = std::mem::take(&mut self.if_complete);
        self.order.n_violations += n;
        let n_kept = MAX_KEPT - self.order.violations.len();
        self.order.violations.extend(kept.into_iter().take(n_kept));
    }

    pub(super) fn end_game(&mut self, complete: bool) {
        self.order.n_partial_games += u64::from(!complete);
        self.if_complete = Default::default();
        self.n_before = self.order.n_violations;
    }

    pub(super) fn into_order(self) -> Order {
        Order {
            n_claims: self.n_claims,
            ..self.order
        }
    }
}

pub(super) fn name_both(what: &str, a: &Witness, b: &Witness) -> String {
    what.replace("{a}", &a.name()).replace("{b}", &b.name())
}
