//! Who says whether a guess scores.

use std::time::Duration;

use super::play::Tally;
use super::survivors::Parting;
use super::{Guesser, Result, ThinkBy};
use crate::claim::Account;
use crate::trace::{Kind, Outcome};

/// What the referee says of a guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The digit is this rank's: a point.
    Won,
    /// The digit was claimed before, or is 0.
    Lost,
    /// The same, and so well known to this rank that no operation was made.
    KnownLost,
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Won => Outcome::Won,
            Verdict::Lost => Outcome::Lost,
            Verdict::KnownLost => Outcome::Skipped,
        }
    }
}

/// Decides guesses: what differs between the versions of the game.
///
/// The calls come in this order, on all ranks: for each game a barrier, then
/// [`begin_game`](Referee::begin_game), then [`think`](Referee::think), [`draw`](Referee::draw) and
/// [`submit`](Referee::submit), and after each win [`announce`](Referee::announce), until
/// [`all_claimed`](Referee::all_claimed), or until it [`leaves`](Referee::leaves).
pub trait Referee {
    /// What a submission is in a trace.
    const OPERATION: Kind;

    /// Takes over that `digits`, in ascending order, are claimed in game `game`, which will be the first: on
    /// all ranks, before any begins it.
    fn restore(&mut self, _game: u64, digits: &[u32]) -> Result<()> {
        debug_assert!(digits.is_empty(), "this referee resumes nothing");
        Ok(())
    }

    /// Gets ready for game `game` (0, 1, …). All ranks have left the game before.
    fn begin_game(&mut self, game: u64) -> Result<()>;

    /// Lets this rank think for so long, outside MPI, and others' operations through meanwhile, as far as
    /// that is provided for. Less long where this process is [asked to end](crate::interrupt::to_end).
    #[inline]
    fn think(&mut self, by: ThinkBy, duration: Duration) -> Result<()> {
        by.spend(duration);
        Ok(())
    }

    /// Whether this rank leaves the game now, before all digits are claimed. `asked` says that this process
    /// was asked to end. Where ranks depend on each other, all leave at the same step.
    #[inline(always)]
    fn leaves(&mut self, asked: bool) -> bool {
        asked
    }

    /// Told before each guess what this rank has done in this game so far.
    #[inline(always)]
    fn so_far(&mut self, _tally: &Tally) -> Result<()> {
        Ok(())
    }

    /// How long this rank has spent so far, in [`so_far`](Referee::so_far) and in [`think`](Referee::think), on
    /// what keeps the game going and is no thinking: signs of life, checkpoints. In nanoseconds.
    #[inline(always)]
    fn upkeep_ns(&self) -> u64 {
        0
    }

    /// Told when this rank has left a game, of which `tally` is the whole. Whether all ranks come together
    /// next, as ever; if not, some died, and the series ends here, on each rank by itself: what is left to do
    /// is [`parting`](Referee::parting).
    ///
    /// # Errors
    /// What MPI returns, or [`Error::DoesNotAddUp`](super::Error::DoesNotAddUp).
    fn has_left(&mut self, _game: u64, _tally: &Tally) -> Result<bool> {
        Ok(true)
    }

    /// How this rank parts from the others, where they do not come together any more. Once.
    fn parting(&mut self) -> Option<Parting> {
        None
    }

    /// Writes a checkpoint, where that is provided for: on the home rank, and of the game being played, or
    /// the last one, whose memory was not yet [accounted](Referee::take_accounts) for.
    ///
    /// # Errors
    /// What MPI returns. That it cannot be written is no error of the game.
    fn save(&mut self) -> Result<()> {
        Ok(())
    }

    /// The same between games, of which `n_played` are over and were accounted for.
    fn save_between(&mut self, _n_played: u64) {}

    /// The next guess of this rank: the guesser's, who is told what this rank knows to be claimed, unless
    /// the referee deals out the guesses itself.
    #[inline(always)]
    fn draw(&mut self, guesser: &mut Guesser) -> Result<u32> {
        Ok(guesser.guess(|digit| self.is_known_claimed(digit)))
    }

    /// Whether this rank knows that `digit` (1 ..= number of digits) is claimed. Costs no operation.
    fn is_known_claimed(&self, digit: u32) -> bool;

    /// Decides the guess `digit` (0 ..= number of digits), which was [drawn](Referee::draw).
    fn submit(&mut self, digit: u32) -> Result<Verdict>;

    /// Tells the others that `digit` was won, where that takes an operation of its own, and returns
    /// whether it did.
    #[inline]
    fn announce(&mut self, _digit: u32) -> Result<bool> {
        Ok(false)
    }

    /// What the last operation, for `digit`, showed: `word` of its [`Record`](crate::trace::Record).
    fn evidence(&self, digit: u32) -> u64;

    /// Whether this rank has learnt that all digits are claimed.
    fn all_claimed(&self) -> bool;

    /// How many MPI operations (RMA operations, or allreduces) it has cost this rank so far.
    fn n_operations(&self) -> u64;

    /// What the home rank's memory said after each game that was begun since the last call, the last
    /// one included; empty on other ranks, and where there is no such memory. Between games only:
    /// all ranks have left the last game.
    fn take_accounts(&mut self) -> Result<Vec<Account>>;
}
