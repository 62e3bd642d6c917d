//! The guessing game, written once, with two referees.
//!
//! Every rank guesses digits, `0..=N`, until all of `1..=N` have been guessed by somebody; whoever guesses a
//! digit first gets a point. What differs between the versions is the [`Referee`]: [`OneSided`] claims the digit
//! on a board in the home rank's window, [`Collective`] keeps the original's allreduce on every guess, [`Ticketed`]
//! deals out guesses of which none is lost. Loop, random streams and think times are shared, so the same seed makes
//! every rank guess the same digits in the same order in both versions.

mod accounting;
mod announce;
mod checkpointed;
mod collective;
mod guess;
mod in_turn;
mod observer;
mod one_sided;
mod play;
mod referee;
mod series;
mod survivors;
mod think;
mod ticketed;

pub use accounting::{CutShort, Results, Sums};
pub use announce::Announcer;
pub use checkpointed::{Checkpointed, Saving, Snapshot};
pub use collective::Collective;
pub use guess::{GuessBy, Guesser, draw_seed};
pub use observer::{Observer, Recording};
pub use one_sided::OneSided;
pub use referee::Referee;
pub use series::{Resumed, Series};
pub use survivors::{Parting, Survivors};
pub use think::{ThinkPlan, Thinker};
pub use ticketed::Ticketed;

use crate::rma;
pub use crate::think_time::{Straggler, ThinkBy, ThinkTime, parse_duration};

/// What can end a game before its end, or make its result worthless.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// MPI failed.
    #[error(transparent)]
    Mpi(#[from] rma::Error),
    /// After game `game`, what the ranks say and what the home rank's memory says do not agree.
    #[error("game {game} does not add up: {what}. Its results are worthless")]
    DoesNotAddUp {
        /// Which game, from 0.
        game: u64,
        what: String,
    },
    /// A line could not be printed.
    #[error("cannot print the game: {0}")]
    Output(#[from] std::io::Error),
}

/// Result of anything in a game.
pub type Result<T, E = Error> = std::result::Result<T, E>;
