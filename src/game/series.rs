//! A series of games on all ranks, and the gathering of what happened.

use super::accounting::Results;
use super::observer::Observer;
use super::play::{Tally, play_game};
use super::referee::Referee;
use super::think::ThinkPlan;
use super::{Error, GuessBy, Guesser, Result};
use crate::claim::Account;
use crate::rma::{Comm, in_region};
use crate::trace::now_ns;

/// Where results are gathered.
const ROOT: i32 = 0;

/// Which games to play. The same on all ranks.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// Digits are `1..=n_digits`, at least 1.
    pub n_digits: u32,
    /// How many games, one after the other.
    pub n_games: u64,
    /// Seed of all random streams.
    pub seed: u64,
    /// Think times.
    pub think: ThinkPlan,
    /// Which digits ranks guess, unless the referee deals them out.
    pub guess: GuessBy,
}

impl Series {
    /// Plays all games. Collective; returns the results on rank 0, `None` elsewhere.
    ///
    /// One barrier starts each game, and none of the referees but the collective one communicates
    /// collectively before all have left it. Results are gathered every so many games, so that memory
    /// stays bounded.
    ///
    /// # Errors
    /// What MPI returns; on rank 0 [`Error::DoesNotAddUp`] where ranks and memory disagree.
    pub fn play<R: Referee, O: Observer>(
        &self,
        comm: &Comm<'_>,
        referee: &mut R,
        observer: &mut O,
    ) -> Result<Option<Results>> {
        let rank = comm.rank().unsigned_abs();
        let mut results = Results::default();
        let mut tallies = Vec::new();
        for game in 0..self.n_games {
            observer.begins(game);
            let entered_ns = now_ns();
            comm.barrier()?; // all have left the game before, and start this one together
            referee.begin_game(game)?;
            let mut guesser = Guesser::new(self.seed, rank, game, self.n_digits, self.guess);
            let mut thinker = self.think.thinker(self.seed, rank, game);
            let tally = in_region(c"game", || {
                play_game(referee, &mut guesser, &mut thinker, observer, entered_ns)
            })?;
            tracing::debug!(
                rank,
                game,
                guesses = tally.guesses,
                points = tally.points(),
                "game over"
            );
            tallies.push(tally);
            if tallies.len() == self.games_per_gathering() || game + 1 == self.n_games {
                comm.barrier()?; // all have left the game: its board is at rest
                let accounts = referee.take_accounts()?;
                self.gather(comm, &tallies, &accounts, &mut results)?;
                tallies.clear();
            }
        }
        Ok((comm.rank() == ROOT).then_some(results))
    }

    /// Gathering costs two collectives; an account of a game costs the home rank 9 bytes a digit.
    fn games_per_gathering(&self) -> usize {
        const DIGITS_AT_ONCE: usize = 1 << 16;
        (DIGITS_AT_ONCE / self.n_digits as usize).clamp(1, 256)
    }

    fn gather(
        &self,
        comm: &Comm<'_>,
        tallies: &[Tally],
        accounts: &[Account],
        results: &mut Results,
    ) -> Result<()> {
        let encoded: Vec<u8> = tallies.iter().flat_map(encode).collect();
        let Some(all) = comm.gather(ROOT, &encoded)? else {
            return Ok(());
        };
        let mut of_ranks: Vec<_> = all.iter().map(|bytes| decode(bytes).into_iter()).collect();
        for index in 0..tallies.len() {
            let game = results.n_games;
            let lost = || Error::DoesNotAddUp {
                game,
                what: "a rank's tally is missing".into(),
            };
            let tallies: Option<Vec<Tally>> = of_ranks.iter_mut().map(Iterator::next).collect();
            results
                .add(
                    self.n_digits,
                    &tallies.ok_or_else(lost)?,
                    accounts.get(index),
                )
                .map_err(|what| Error::DoesNotAddUp { game, what })?;
        }
        Ok(())
    }
}

/// A tally as 64-bit words: six numbers, the number of digits won, the digits.
fn encode(tally: &Tally) -> Vec<u8> {
    let Tally {
        guesses,
        won,
        think_ns,
        operations,
        operation_ns,
        play_ns,
        last_win_ns,
    } = tally;
    let numbers = [
        *guesses,
        *think_ns,
        *operations,
        *operation_ns,
        *play_ns,
        *last_win_ns,
    ];
    let won_words = std::iter::once(won.len() as u64).chain(won.iter().map(|&digit| digit.into()));
    numbers
        .into_iter()
        .chain(won_words)
        .flat_map(u64::to_le_bytes)
        .collect()
}

/// The tallies in `bytes`, up to the first that is cut short.
fn decode(bytes: &[u8]) -> Vec<Tally> {
    let words = bytes.chunks_exact(8);
    let mut words =
        words.map(|chunk| u64::from_le_bytes(chunk.try_into().expect("chunks have 8 bytes")));
    std::iter::from_fn(|| {
        let mut tally = Tally {
            guesses: words.next()?,
            think_ns: words.next()?,
            operations: words.next()?,
            operation_ns: words.next()?,
            play_ns: words.next()?,
            last_win_ns: words.next()?,
            won: Vec::new(),
        };
        for _ in 0..words.next()? {
            tally.won.push(u32::try_from(words.next()?).ok()?);
        }
        Some(tally)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_arrive_as_they_were_sent_and_a_cut_one_does_not() {
        let tally = |seed: u64, won: &[u32]| Tally {
            guesses: seed,
            won: won.to_vec(),
            think_ns: seed + 1,
            operations: seed + 2,
            operation_ns: seed + 3,
            play_ns: seed + 4,
            last_win_ns: seed + 5,
        };
        let tallies = vec![
            tally(10, &[]),
            tally(20, &[3, 1, 2]),
            tally(u64::MAX - 9, &[u32::MAX]),
        ];
        let bytes: Vec<u8> = tallies.iter().flat_map(encode).collect();
        assert_eq!(decode(&bytes), tallies);
        assert_eq!(decode(&bytes[..bytes.len() - 1]), tallies[..2]);
    }
}
