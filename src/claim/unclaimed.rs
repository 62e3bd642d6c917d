//! Picking uniformly among the items that are not known to be claimed.

use rand::{Rng, RngExt};

/// Picks items uniformly at random among those that a rank does not know to be claimed.
///
/// While a good part is free, by drawing until a free one comes up. Once 100 draws were in vain,
/// by a list of what is left, from which what has become known meanwhile is struck when it is drawn:
/// 8 bytes for each of the last percent or so of the items. So a pick takes constant time, amortised,
/// up to the end.
#[derive(Debug, Clone, Default)]
pub struct UnclaimedPicker {
    left: Vec<usize>,
    /// Of how many items `left` is what is left.
    n_items: usize,
}

/// How often to draw in vain before what is left is listed. With less than one item in 100 free, it
/// comes to that within a few picks.
const MAX_DRAWS: usize = 100;

impl UnclaimedPicker {
    /// A picker that knows nothing yet; also for a further round.
    pub fn new() -> Self {
        UnclaimedPicker::default()
    }

    /// An item of `0..n_items` for which `is_known` is false, or `None` where all are known. What was
    /// known stays known.
    ///
    /// ```
    /// # use onesided::claim::UnclaimedPicker;
    /// # use rand::SeedableRng;
    /// # let mut rng = rand::rngs::ChaCha8Rng::seed_from_u64(1);
    /// let mut picker = UnclaimedPicker::new();
    /// assert_eq!(picker.pick(1000, |item| item != 7, &mut rng), Some(7));
    /// assert_eq!(picker.pick(1000, |_| true, &mut rng), None);
    /// ```
    #[inline]
    pub fn pick(
        &mut self,
        n_items: usize,
        is_known: impl Fn(usize) -> bool,
        rng: &mut impl Rng,
    ) -> Option<usize> {
        if n_items == 0 {
            return None;
        }
        if n_items != self.n_items {
            self.left.clear(); // what was left of other items
            self.n_items = n_items;
        }
        if self.left.is_empty() {
            for _ in 0..MAX_DRAWS {
                let item = rng.random_range(0..n_items);
                if !is_known(item) {
                    return Some(item);
                }
            }
            self.left = (0..n_items).filter(|&item| !is_known(item)).collect();
        }
        while !self.left.is_empty() {
            let index = rng.random_range(0..self.left.len());
            let item = self.left[index];
            if !is_known(item) {
                return Some(item);
            }
            self.left.swap_remove(index);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use rand::SeedableRng;
    use rand::rngs::ChaCha8Rng;

    use super::*;

    #[test]
    fn every_item_is_picked_once_where_what_is_picked_becomes_known() {
        for n_items in [0, 1, 2, 9, 64, 5000] {
            let mut rng = ChaCha8Rng::seed_from_u64(n_items as u64);
            let mut picker = UnclaimedPicker::new();
            let mut known = vec![false; n_items];
            let asked = Cell::new(0u64);
            for _ in 0..n_items {
                let is_known = |item: usize| {
                    asked.set(asked.get() + 1);
                    known[item]
                };
                let item = picker
                    .pick(n_items, is_known, &mut rng)
                    .expect("not all are known");
                assert!(!std::mem::replace(&mut known[item], true));
            }
            assert_eq!(picker.pick(n_items, |item| known[item], &mut rng), None);
            // ln(100) draws an item until one in 100 is left, then the list, twice over.
            assert!(
                asked.get() <= 8 * n_items as u64 + 400,
                "{n_items}: {}",
                asked.get()
            );
        }
    }

    #[test]
    fn a_picker_may_go_on_to_more_items_or_fewer() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut picker = UnclaimedPicker::new();
        for (n_items, only) in [(100_000, 99_999), (10, 3), (100_000, 77_777), (1, 0)] {
            for _ in 0..3 {
                let picked = picker.pick(n_items, |item| item != only, &mut rng);
                assert_eq!(picked, Some(only), "of {n_items} items");
            }
        }
    }

    /// Before there is a list and after, each of the items that are left comes equally often.
    #[test]
    fn picks_are_uniform_over_what_is_left() {
        for n_items in [20, 20_000] {
            let is_known = |item: usize| item % (n_items / 10) != 3 % (n_items / 10);
            let free: Vec<usize> = (0..n_items).filter(|&item| !is_known(item)).collect();
            assert_eq!(free.len(), 10);
            let mut rng = ChaCha8Rng::seed_from_u64(7);
            let mut picker = UnclaimedPicker::new();
            let mut counts = [0.0f64; 10];
            for _ in 0..10_000 {
                let item = picker
                    .pick(n_items, is_known, &mut rng)
                    .expect("ten are left");
                counts[free
                    .iter()
                    .position(|&other| other == item)
                    .expect("a free one")] += 1.0;
            }
            // Nine degrees of freedom: 27.9 is passed once in 1,000 seeds, and these are fixed.
            let chi2: f64 = counts
                .iter()
                .map(|count| (count - 1000.0).powi(2) / 1000.0)
                .sum();
            assert!(
                chi2 < 27.9,
                "{n_items} items: chi-square {chi2}, {counts:?}"
            );
        }
    }
}
