//! What each way of guessing should cost, in guesses and operations of all ranks together.

use onesided::claim::Schedule;
use onesided::rma::RUN_WORDS;

use crate::way::Way;

/// A number that is expected; what chance does to it from game to game; between which bounds it must lie.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    pub mean: f64,
    /// Standard deviation of one game.
    pub deviation: f64,
    /// How far the mean of games may lie below and above `mean` for other reasons than chance.
    pub slack: (f64, f64),
}

impl Expected {
    fn exactly(mean: f64) -> Self {
        Expected {
            mean,
            deviation: 0.0,
            slack: (0.0, 0.0),
        }
    }

    /// Whether the mean of so many games is explained. Six standard deviations: one game in 4,000 is as far
    /// above the mean as that, since the last items of a collector come late.
    pub fn explains(&self, mean: f64, n_games: usize) -> bool {
        let chance = 6.0 * self.deviation / (n_games as f64).sqrt();
        let (below, above) = self.slack;
        (self.mean - below - chance - 1e-6..=self.mean + above + chance + 1e-6).contains(&mean)
    }
}

/// 1 + 1/2 + … + 1/n.
fn harmonic(n: usize) -> f64 {
    const EULER: f64 = 0.577_215_664_901_532_9;
    match n {
        0..=1000 => (1..=n).map(|k| 1.0 / k as f64).sum(),
        _ => {
            let n = n as f64;
            n.ln() + EULER + 1.0 / (2.0 * n) - 1.0 / (12.0 * n * n)
        }
    }
}

/// Guesses until a collector has all of `n` (coupon collector): N·H(N), and the standard deviation, N·π/√6
/// for large N.
fn collector(n: usize) -> (f64, f64) {
    let (wide, harmonic) = (n as f64, harmonic(n));
    let squares = match n {
        0..=1000 => (1..=n).map(|k| 1.0 / (k * k) as f64).sum(),
        _ => std::f64::consts::PI.powi(2) / 6.0 - 1.0 / wide,
    };
    let variance = wide * wide * squares - wide * harmonic;
    (wide * harmonic, variance.max(0.0).sqrt())
}

/// Guesses of all ranks until all know that all is claimed; `None` where there is no formula.
pub fn guesses(way: Way, n_items: usize, n_ranks: usize, schedule: Schedule) -> Option<Expected> {
    let others = (n_ranks - 1) as f64;
    match way {
        // What ranks guess is independent of when they do, so all of them together are one collector; and
        // when all is claimed, each but the one that won the last item guesses once more.
        Way::Uniform => {
            let (mean, deviation) = collector(n_items);
            Some(Expected {
                mean: mean + others,
                deviation,
                slack: (0.0, 0.0),
            })
        }
        // The same, but a rank that does not know the end yet guesses until it meets an item that it does
        // not know: N guesses on average at most.
        Way::SkipKnown => {
            let (mean, deviation) = collector(n_items);
            Some(Expected {
                mean,
                deviation: deviation * (1.0 + others),
                slack: (0.0, others * n_items as f64),
            })
        }
        // With one rank each guess is won. With several it is lost where another rank was there before.
        Way::Unclaimed if n_ranks == 1 => Some(Expected::exactly(n_items as f64)),
        Way::Unclaimed => None,
        Way::Ticket => Some(Expected::exactly((n_items + n_ranks) as f64)),
        Way::Chunks => Some(Expected::exactly(
            (draws(n_items, n_ranks, schedule).1 + n_ranks) as f64,
        )),
    }
}

/// Operations of all ranks.
pub fn operations(
    way: Way,
    n_items: usize,
    n_ranks: usize,
    schedule: Schedule,
) -> Option<Expected> {
    let has_one_word = n_items <= 64;
    match way {
        Way::Uniform => {
            let of_guesses = guesses(way, n_items, n_ranks, schedule)?;
            // Whoever fills a word counts it, and every other rank that finds it full looks once.
            let n_counted = if has_one_word {
                0
            } else {
                n_items.div_ceil(64)
            };
            Some(Expected {
                mean: of_guesses.mean + n_counted as f64,
                slack: (0.0, ((n_ranks - 1) * n_counted) as f64),
                ..of_guesses
            })
        }
        // One rank makes one for each item, and counts each word that it filled.
        Way::SkipKnown | Way::Unclaimed if n_ranks == 1 => {
            let n_counted = if has_one_word {
                0
            } else {
                n_items.div_ceil(64)
            };
            Some(Expected::exactly((n_items + n_counted) as f64))
        }
        Way::SkipKnown | Way::Unclaimed => None,
        Way::Ticket => Some(Expected::exactly((n_items + n_ranks) as f64)),
        Way::Chunks => {
            let (n_chunks, n_runs) = draws(n_items, n_ranks, schedule);
            let drawn = n_chunks + n_ranks + n_runs;
            // And one for each run that found a word full or filled one; of a chunk of few items, not all do.
            let counted = if has_one_word { 0 } else { n_runs };
            Some(Expected {
                mean: (drawn + counted) as f64,
                deviation: 0.0,
                slack: (counted as f64, 0.0),
            })
        }
    }
}

/// How many chunks the schedule makes, and how many runs of words they are claimed in.
fn draws(n_items: usize, n_ranks: usize, schedule: Schedule) -> (usize, usize) {
    let mut chunks = schedule.chunks(n_items, n_ranks);
    let (mut n_chunks, mut n_runs) = (0, 0);
    while let Some(chunk) = chunks.at(n_chunks as u64) {
        n_chunks += 1;
        n_runs += (chunk.end.div_ceil(64) - chunk.start / 64).div_ceil(RUN_WORDS);
    }
    (n_chunks, n_runs)
}
