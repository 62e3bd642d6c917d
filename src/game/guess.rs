//! Random streams: the same for both versions of the game.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use crate::claim::UnclaimedPicker;

/// What a random stream is for. Streams of different purposes are independent, so how long a rank
/// thinks has no influence on what it guesses.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    Guess,
    Think,
}

/// Draws a seed from the system's source of randomness: 32 bits, so that it can be typed.
///
/// # Panics
/// If the system has no source of randomness.
pub fn draw_seed() -> u32 {
    use rand::TryRng;
    rand::rngs::SysRng
        .try_next_u32()
        .expect("the system has a source of randomness")
}

/// The random stream of `rank` in `game` under `seed`: a function of these four and nothing else.
///
/// `ChaCha8` because its output is fixed by its definition (Bernstein 2008), so that a seed means the
/// same on every machine and in every version of this crate.
pub(super) fn stream(seed: u64, rank: u32, game: u64, purpose: Purpose) -> ChaCha8Rng {
    let mut key = [0u8; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..12].copy_from_slice(&rank.to_le_bytes());
    key[12] = purpose as u8;
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(game);
    rng
}

/// Which digits a rank guesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GuessBy {
    /// Uniformly from `0..=n_digits`; 0 counts as claimed from the start, as in the original.
    #[default]
    Uniform,
    /// Uniformly from the digits that this rank does not know to be claimed.
    Unclaimed,
}

#[derive(Debug)]
pub struct Guesser {
    rng: ChaCha8Rng,
    n_digits: u32,
    by: GuessBy,
    picker: UnclaimedPicker,
}

impl Guesser {
    /// The guesser of `rank` in `game` under `seed`.
    pub fn new(seed: u64, rank: u32, game: u64, n_digits: u32, by: GuessBy) -> Self {
        Guesser {
            rng: stream(seed, rank, game, Purpose::Guess),
            n_digits,
            by,
            picker: UnclaimedPicker::new(),
        }
    }

    /// The next guess, `0..=n_digits`; `is_known` says of a digit from 1 on whether this rank knows that
    /// it is claimed. 0 where it knows that of all.
    #[inline(always)]
    pub fn guess(&mut self, is_known: impl Fn(u32) -> bool) -> u32 {
        match self.by {
            GuessBy::Uniform => self.rng.random_range(0..=self.n_digits),
            GuessBy::Unclaimed => self.guess_unclaimed(is_known),
        }
    }

    #[inline(never)]
    fn guess_unclaimed(&mut self, is_known: impl Fn(u32) -> bool) -> u32 {
        let n_items = self.n_digits as usize;
        let is_known = |item: usize| is_known(item as u32 + 1);
        let item = self.picker.pick(n_items, is_known, &mut self.rng);
        item.map_or(0, |item| item as u32 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_guesses(seed: u64, rank: u32, game: u64) -> Vec<u32> {
        let mut guesser = Guesser::new(seed, rank, game, 9, GuessBy::Uniform);
        (0..20).map(|_| guesser.guess(|_| true)).collect()
    }

    #[test]
    fn a_seed_means_the_same_for_ever() {
        // Written down once. If this fails, every seed that a user noted has changed its meaning.
        assert_eq!(first_guesses(42, 3, 7), SEED_42_RANK_3_GAME_7);
    }
    const SEED_42_RANK_3_GAME_7: [u32; 20] =
        [7, 2, 2, 0, 5, 5, 2, 2, 1, 7, 8, 2, 2, 8, 2, 1, 1, 0, 7, 5];

    #[test]
    fn seed_rank_and_game_each_change_the_stream() {
        let base = first_guesses(1, 1, 1);
        assert_eq!(first_guesses(1, 1, 1), base);
        for (seed, rank, game) in [(2, 1, 1), (1, 2, 1), (1, 1, 2)] {
            assert_ne!(
                first_guesses(seed, rank, game),
                base,
                "{seed} {rank} {game}"
            );
        }
    }

    #[test]
    fn every_digit_is_guessed_equally_often() {
        const N: u32 = 100_000;
        let mut guesser = Guesser::new(5, 0, 0, 9, GuessBy::Uniform);
        let mut counts = [0u32; 10];
        for _ in 0..N {
            counts[guesser.guess(|_| true) as usize] += 1;
        }
        // Chi-square with 9 degrees of freedom: 27.9 is passed by chance once in 1,000 seeds, and
        // this seed is fixed.
        let expected = f64::from(N) / 10.0;
        let chi2: f64 = counts
            .iter()
            .map(|&c| (f64::from(c) - expected).powi(2) / expected)
            .sum();
        assert!(chi2 < 27.9, "chi-square {chi2}, counts {counts:?}");
    }

    #[test]
    fn what_is_known_is_not_guessed_and_at_the_end_there_is_only_0() {
        let mut guesser = Guesser::new(5, 0, 0, 9, GuessBy::Unclaimed);
        for _ in 0..100 {
            assert!([2, 5].contains(&guesser.guess(|digit| digit != 2 && digit != 5)));
        }
        assert_eq!(guesser.guess(|_| true), 0);
    }
}
