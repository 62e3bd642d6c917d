//! Claims in numbers: the node decides all of them first, and its winners ask the home rank together.

use super::TwoTierBoard;
use super::protocol::{Attempt, Next};
use crate::claim::Claim;
use crate::rma::{OrOperation, PIPELINE_DEPTH, Result};

/// Claims of which T2 is under way.
struct Asking {
    /// With the place of each among the items, its operation, and what the node's word had after T1.
    attempts: [Option<(Attempt, usize, usize, u64)>; PIPELINE_DEPTH],
    n_attempts: usize,
    operations: [OrOperation; PIPELINE_DEPTH],
    n_operations: usize,
}

impl Asking {
    fn none() -> Self {
        Asking {
            attempts: [None; PIPELINE_DEPTH],
            n_attempts: 0,
            operations: [OrOperation::default(); PIPELINE_DEPTH],
            n_operations: 0,
        }
    }

    /// Adds the attempt at `items[place]`; neighbours share an operation.
    fn add(&mut self, attempt: Attempt, place: usize, known: u64) {
        let (index, bits) = (attempt.word.index, attempt.bit);
        match self.operations[..self.n_operations].last_mut() {
            Some(last) if last.index == index => last.bits |= bits,
            _ => {
                self.operations[self.n_operations] = OrOperation { index, bits };
                self.n_operations += 1;
            }
        }
        self.attempts[self.n_attempts] = Some((attempt, place, self.n_operations - 1, known));
        self.n_attempts += 1;
    }
}

impl TwoTierBoard<'_> {
    /// [`claim_many`](crate::claim::Board::claim_many) of so many that one pipeline holds them. An operation
    /// for several items is as several operations, one directly after the other.
    pub(super) fn claim_pipelined(&mut self, items: &[usize], claims: &mut [Claim]) -> Result<()> {
        self.home.window.assert_usable()?; // before the node takes items
        let mut asking = Asking::none();
        for (place, (&item, claim)) in items.iter().zip(claims.iter_mut()).enumerate() {
            *claim = Claim::Lost { owner: None };
            let Some(mut attempt) = Attempt::claim(&self.shape, item, &self.node) else {
                continue;
            };
            loop {
                match attempt.next {
                    Next::Ended(_) => break, // T1: lost on the node
                    Next::AskHome { known } => {
                        asking.add(attempt, place, known);
                        break;
                    }
                    _ => {
                        self.n_node_operations += 1;
                        attempt = attempt.step(&self.node, &self.home)?; // T1, T4
                    }
                }
            }
        }
        self.shown = 0;
        if asking.n_attempts == 0 {
            return match self.is_home {
                true => self.enter_mpi_at_times(items.len() as u32),
                false => Ok(()),
            };
        }
        let operations = &mut asking.operations[..asking.n_operations];
        self.n_operations += operations.len() as u64;
        (self.home.window).fetch_or_pipelined(self.home.words, operations)?; // T2
        for (attempt, place, nth, known) in asking.attempts.into_iter().flatten() {
            let seen = operations[nth].bits;
            operations[nth].bits |= attempt.bit; // so the next of them sees it
            let (won, shown) = self.finish(attempt.asked(known, seen))?; // T3 to T7
            self.shown = shown;
            if won {
                claims[place] = Claim::Won;
            }
        }
        Ok(())
    }
}
