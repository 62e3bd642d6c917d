//! Compare-and-swap: a slot for each digit, free or its owner's.

use super::report::Report;
use super::{Clocks, Witness};

#[derive(Debug)]
pub(super) struct Slots {
    clocks: Clocks,
    n_digits: u32,
    /// By digit. Empty until the first claim.
    slots: Vec<Slot>,
    touched: Vec<u32>,
}

/// What claims saw of a slot.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    winner: Option<Witness>,
    /// Of those who lost, who ended first.
    loser: Option<Witness>,
}

impl Slots {
    pub(super) fn new(n_digits: u32, clocks: Clocks) -> Self {
        Slots {
            clocks,
            n_digits,
            slots: Vec::new(),
            touched: Vec::new(),
        }
    }

    /// Why a claim of a digit cannot be, beside another that was filed.
    #[inline]
    pub(super) fn contradiction(&self, claim: &Witness) -> Option<(&'static str, Witness)> {
        let slot = self.slots.get(claim.digit as usize)?;
        let owner_by = |claim: &Witness| match claim.won {
            true => u64::from(claim.rank) + 1,
            false => claim.word,
        };
        if let Some(winner) = slot.winner.filter(|_| claim.won) {
            return Some(("{a} and {b} both won", winner));
        }
        let other = slot.winner.or(slot.loser)?;
        let what = "{a} and {b} name different owners of one digit";
        (owner_by(&other) != owner_by(claim)).then_some((what, other))
    }

    #[inline]
    pub(super) fn file(&mut self, claim: &Witness) {
        if self.slots.is_empty() {
            self.slots
                .resize(self.n_digits as usize + 1, Slot::default());
        }
        let slot = &mut self.slots[claim.digit as usize];
        if slot.winner.is_none() && slot.loser.is_none() {
            self.touched.push(claim.digit);
        }
        match claim.won {
            true => slot.winner = Some(*claim),
            false => self.clocks.keep_first_to_end(&mut slot.loser, claim),
        }
    }

    pub(super) fn check_times(&self, report: &mut Report) {
        for &digit in &self.touched {
            let slot = &self.slots[digit as usize];
            if let (Some(winner), Some(loser)) = (&slot.winner, &slot.loser) {
                if self.clocks.precedes(loser, winner) {
                    let what = "{a} lost, and had ended before {b}, which won, began";
                    report.violate_pair(what, loser, winner);
                }
            }
        }
    }

    /// Whether each digit has a winner, but those that were claimed before the game.
    pub(super) fn check_winners(&self, resumed: &[u64], report: &mut Report) {
        for digit in 1..=self.n_digits {
            let slot = self.slots.get(digit as usize).copied().unwrap_or_default();
            let (index, bit) = super::place(digit).unwrap_or_default();
            let is_resumed = resumed.get(index).is_some_and(|word| word & bit != 0);
            match (slot.winner, &slot.loser) {
                _ if is_resumed => {}
                (Some(_), _) => {}
                (None, Some(loser)) => {
                    let what = format!("{} lost, and nobody won digit {digit}", loser.name());
                    report.violate(what, &[loser]);
                }
                (None, None) => {
                    let what = format!("nobody won digit {digit}, and all ranks ended the game");
                    report.violate(what, &[]);
                }
            }
        }
    }

    pub(super) fn clear(&mut self) {
        for digit in self.touched.drain(..) {
            self.slots[digit as usize] = Slot::default();
        }
    }
}
