//! Which run comes when, and under which seed.
//!
//! Repetition by repetition, so that whatever has been played when a batch is stopped is a smaller batch.
//! Within a repetition the cells of a workload are next to each other, and every other repetition goes
//! through all cells the other way round: 1A 1B 2A 2B, then 2B 2A 1B 1A. In each such pair all cells have
//! the same mean place, so that a machine which grows slower or faster steadily does so for all of them
//! alike, from two repetitions on; a random order would promise that of very many repetitions only. What
//! comes and goes with exactly the period of two repetitions it does not even out.

use super::plan::Plan;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    pub cell: usize,
    /// Which repetition, from 0.
    pub repetition: u32,
    /// Seed of all its random numbers: all cells of a workload have the same in one repetition, so that
    /// their ranks guess the same digits after the same think times.
    pub seed: u64,
}

impl Plan {
    /// All runs in the order in which they are to be played.
    pub fn schedule(&self) -> impl Iterator<Item = Run> + '_ {
        (0..self.repeat).flat_map(move |repetition| {
            let n = self.cells.len();
            (0..n).map(move |index| {
                let cell = match repetition % 2 {
                    0 => index,
                    _ => n - 1 - index,
                };
                Run {
                    cell,
                    repetition,
                    seed: self.seed_of(self.cells[cell].workload_index, repetition),
                }
            })
        })
    }

    /// The seed of a workload in a repetition. Others have other seeds: below 2^53, which every reader of
    /// JSON takes as it is.
    fn seed_of(&self, workload: usize, repetition: u32) -> u64 {
        let place = (workload as u64) << 32 | u64::from(repetition);
        mix(mix(self.seed) ^ place) >> 11
    }
}

/// The finaliser of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014): a bijection.
fn mix(value: u64) -> u64 {
    let mut bits = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
