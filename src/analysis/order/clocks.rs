//! What comes before what, by the clocks.

use super::Witness;

/// Whose times are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clocks {
    /// Those of any ranks: what is earlier must be so beyond the errors of both.
    All,
    /// Those of ranks that share a clock.
    One,
}

impl Clocks {
    pub(super) fn begin_ns(self, claim: &Witness) -> u64 {
        match self {
            Clocks::All => claim.begin_ns.saturating_sub(claim.error_ns),
            Clocks::One => claim.begin_ns,
        }
    }

    pub(super) fn end_ns(self, claim: &Witness) -> u64 {
        match self {
            Clocks::All => claim.end_ns.saturating_add(claim.error_ns),
            Clocks::One => claim.end_ns,
        }
    }

    /// Whether `a` ended before `b` began.
    pub(super) fn precedes(self, a: &Witness, b: &Witness) -> bool {
        self.end_ns(a) < self.begin_ns(b)
    }

    /// Puts `claim` in the slot if it is empty, or of a claim that ended later.
    pub(super) fn keep_first_to_end(self, slot: &mut Option<Witness>, claim: &Witness) {
        if slot.is_none_or(|first| self.end_ns(claim) < self.end_ns(&first)) {
            *slot = Some(*claim);
        }
    }

    /// Puts `claim` in the slot if it is empty, or of a claim that began later.
    pub(super) fn keep_first_to_begin(self, slot: &mut Option<Witness>, claim: &Witness) {
        if slot.is_none_or(|first| self.begin_ns(claim) < self.begin_ns(&first)) {
            *slot = Some(*claim);
        }
    }

    /// Puts `claim` in the slot if it is empty, or of a claim that began earlier.
    pub(super) fn keep_last_to_begin(self, slot: &mut Option<Witness>, claim: &Witness) {
        if slot.is_none_or(|last| self.begin_ns(claim) > self.begin_ns(&last)) {
            *slot = Some(*claim);
        }
    }
}
