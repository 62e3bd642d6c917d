//! The objects of a game, whatever the method.

use super::report::Report;
use super::slots::Slots;
use super::tickets::Tickets;
use super::words::Words;
use super::{ClaimSetup, Clocks, Method, Witness};

/// The objects that claims operate on, and what was seen of them in this game.
#[derive(Debug)]
pub(super) enum Board {
    Words(Words),
    Slots(Slots),
    Tickets(Tickets),
}

impl Board {
    pub(super) fn new(setup: &ClaimSetup, clocks: Clocks) -> Self {
        match setup.method {
            Method::FetchAndOp | Method::TwoTier => {
                Board::Words(Words::new(setup.n_digits, clocks))
            }
            Method::CompareAndSwap => Board::Slots(Slots::new(setup.n_digits, clocks)),
            Method::Ticket => {
                let n_ranks = setup.clocks.len();
                Board::Tickets(Tickets::new(setup.n_digits, n_ranks, clocks))
            }
        }
    }

    /// Files a claim that is possible by itself.
    #[inline]
    pub(super) fn file(&mut self, claim: &Witness) {
        match self {
            Board::Words(words) => words.file(claim),
            Board::Slots(slots) => slots.file(claim),
            Board::Tickets(tickets) => tickets.file(claim),
        }
    }

    pub(super) fn check_times(&mut self, report: &mut Report) {
        match self {
            Board::Words(words) => words.check_times(report),
            Board::Slots(slots) => slots.check_times(report),
            Board::Tickets(tickets) => tickets.check_times(report),
        }
    }

    pub(super) fn clear(&mut self) {
        match self {
            Board::Words(words) => words.clear(),
            Board::Slots(slots) => slots.clear(),
            Board::Tickets(tickets) => tickets.clear(),
        }
    }
}
