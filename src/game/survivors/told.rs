//! What a rank tells of itself while it plays: what is left of it when it dies.

use crate::claim::N_NUMBERS;
use crate::game::play::Tally;

/// Numbers of a [`Tally`] before it is whole.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SoFar {
    guesses: u64,
    think_ns: u64,
    operation_ns: u64,
    last_win_ns: u64,
}

impl SoFar {
    pub(super) fn of(tally: &Tally) -> Self {
        SoFar {
            guesses: tally.guesses,
            think_ns: tally.think_ns,
            operation_ns: tally.operation_ns,
            last_win_ns: tally.last_win_ns,
        }
    }

    /// What is told on the muster.
    pub(super) fn numbers(self, operations: u64, play_ns: u64) -> [u64; N_NUMBERS] {
        [
            self.guesses,
            self.think_ns,
            operations,
            self.operation_ns,
            play_ns,
            self.last_win_ns,
        ]
    }
}

/// The numbers as they were told, and no digit.
pub(super) fn tally_of(numbers: [u64; N_NUMBERS]) -> Tally {
    let [
        guesses,
        think_ns,
        operations,
        operation_ns,
        play_ns,
        last_win_ns,
    ] = numbers;
    Tally {
        guesses,
        think_ns,
        operations,
        operation_ns,
        play_ns,
        last_win_ns,
        ..Tally::default()
    }
}
