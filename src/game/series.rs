//! A series of games on all ranks, and the gathering of what happened.

use super::accounting::{CutShort, Played, Results};
use super::observer::Observer;
use super::play::{Tally, play_game};
use super::referee::Referee;
use super::think::ThinkPlan;
use super::{Error, GuessBy, Guesser, Result};
use crate::interrupt;
use crate::pulse::{self, Place};
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
    pub think: ThinkPlan,
    /// Which digits ranks guess, unless the referee deals them out.
    pub guess: GuessBy,
    /// Where an earlier run left off.
    pub resumed: Resumed,
}

/// What an earlier run has done of a series. By default nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resumed {
    /// So many games are over.
    pub n_played: u64,
    /// Digits of the next game that are claimed, in ascending order; the referee was told of them.
    pub claimed: Vec<u32>,
    /// How many runs there were: each draws random numbers of its own.
    pub n_runs: u32,
}

impl Series {
    /// Plays all games. Collective; returns the results on rank 0, `None` elsewhere, and where ranks
    /// [part](Referee::parting).
    ///
    /// One allreduce starts each game, as a barrier that also tells whether any rank was
    /// [asked to end](interrupt::to_end), and none of the referees but the collective one communicates
    /// collectively before all have left it. Asked to end, all ranks leave the game and stop together.
    /// Results are gathered every so many games, so that memory stays bounded.
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
        let seed = self.seed_of_run();
        let mut results = Results::default();
        let mut tallies = Vec::new();
        let mut signal = None;
        let mut n_played = self.resumed.n_played;
        for game in self.resumed.n_played..self.n_games {
            observer.begins(game);
            pulse::at(Place::BeforeGame, game);
            let entered_ns = now_ns();
            signal = come_together(comm)?; // all have left the game before, and start this one together
            if signal.is_some() {
                break;
            }
            referee.begin_game(game)?;
            pulse::at(Place::Game, game);
            let mut guesser = Guesser::new(seed, rank, game, self.n_digits, self.guess);
            let mut thinker = self.think.thinker(seed, rank, game);
            let tally = in_region(c"game", || {
                play_game(referee, &mut guesser, &mut thinker, observer, entered_ns)
            })?;
            pulse::at(Place::AfterGame, game);
            tracing::debug!(
                rank,
                game,
                guesses = tally.guesses,
                points = tally.points(),
                "game over"
            );
            if interrupt::to_end().is_some() {
                referee.save()?; // at once: nobody knows how long this process lives
            }
            if !referee.has_left(game, &tally)? {
                return Ok(None); // it has the results
            }
            tallies.push(tally);
            if tallies.len() == self.games_per_gathering() || game + 1 == self.n_games {
                signal = come_together(comm)?; // all have left the game: its board is at rest
                if signal.is_some() {
                    break;
                }
                self.gather(comm, referee, &mut tallies, None, &mut results)?;
                n_played = game + 1;
            }
        }
        match signal {
            None => referee.save_between(self.n_games),
            Some(signal) if tallies.is_empty() => {
                referee.save_between(n_played);
                results.cut_short = Some(CutShort {
                    signal,
                    game: n_played,
                    n_claimed: 0,
                });
            }
            Some(_) => {
                referee.save()?; // with what others have won meanwhile
                self.gather(comm, referee, &mut tallies, signal, &mut results)?;
            }
        }
        Ok((comm.rank() == ROOT).then_some(results))
    }

    /// The seed of this run's random streams: an earlier run's guesses would be known to be lost.
    fn seed_of_run(&self) -> u64 {
        // The golden ratio, in 64 bits, keeps the streams of runs apart from those of other seeds.
        self.seed ^ u64::from(self.resumed.n_runs).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// Gathering costs two collectives; an account of a game costs the home rank 9 bytes a digit.
    fn games_per_gathering(&self) -> usize {
        const DIGITS_AT_ONCE: usize = 1 << 16;
        (DIGITS_AT_ONCE / self.n_digits as usize).clamp(1, 256)
    }

    /// Gathers what was played since the last time, on rank 0; all ranks have left the last game, which may
    /// have been cut short if there was a `signal`.
    fn gather<R: Referee>(
        &self,
        comm: &Comm<'_>,
        referee: &mut R,
        tallies: &mut Vec<Tally>,
        signal: Option<i32>,
        results: &mut Results,
    ) -> Result<()> {
        let accounts = referee.take_accounts()?;
        let encoded: Vec<u8> = tallies.iter().flat_map(encode).collect();
        let n_games = tallies.len();
        tallies.clear();
        let Some(all) = comm.gather(ROOT, &encoded)? else {
            return Ok(());
        };
        let mut of_ranks: Vec<_> = all.iter().map(|bytes| decode(bytes).into_iter()).collect();
        for index in 0..n_games {
            let game = self.resumed.n_played + results.n_games;
            let lost = || Error::DoesNotAddUp {
                game,
                what: "a rank's tally is missing".into(),
            };
            let tallies: Option<Vec<Tally>> = of_ranks.iter_mut().map(Iterator::next).collect();
            let is_last = index + 1 == n_games;
            let played = Played {
                n_digits: self.n_digits,
                account: accounts.get(index),
                claimed_before: match results.n_games {
                    0 => &self.resumed.claimed,
                    _ => &[],
                },
                may_be_cut: signal.is_some() && is_last,
            };
            let n_claimed = results
                .add(&played, &tallies.ok_or_else(lost)?)
                .map_err(|what| Error::DoesNotAddUp { game, what })?;
            results.cut_short = signal.filter(|_| is_last).and_then(|signal| {
                let is_over = n_claimed == self.n_digits;
                let next = CutShort {
                    signal,
                    game: game + u64::from(is_over),
                    n_claimed: if is_over { 0 } else { n_claimed },
                };
                (next.game < self.n_games).then_some(next)
            });
        }
        Ok(())
    }
}

/// All ranks come here before any leaves. Returns the signal that any of them was asked to end by, on all.
/// Collective.
fn come_together(comm: &Comm<'_>) -> Result<Option<i32>> {
    let asked = interrupt::to_end().map_or(0, |signal| 1u64 << signal);
    let mut all_asked = [0];
    comm.allreduce_or(&[asked], &mut all_asked)?;
    let [all_asked] = all_asked;
    Ok((all_asked != 0).then(|| all_asked.trailing_zeros() as i32))
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
        left_early: _,
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
            ..Tally::default()
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
            left_early: false,
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
