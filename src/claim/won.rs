//! What was won where many items were claimed at once.

use std::ops::Range;

use super::known::WORD_BITS;

/// The items that one operation won for this rank, in ascending order.
#[derive(Debug, Clone, Copy)]
#[must_use = "what was won is this rank's to work on, and nobody else's"]
pub struct Won<'board> {
    first_item: usize,
    which: Which<'board>,
}

#[derive(Debug, Clone, Copy)]
enum Which<'board> {
    /// So many in a row.
    All(usize),
    /// Bit `i % 64` of word `i / 64`: item `first_item + i` was won.
    Bits(&'board [u64]),
}

impl<'board> Won<'board> {
    pub(super) fn bits(first_word: usize, words: &'board [u64]) -> Self {
        Won {
            first_item: first_word * WORD_BITS,
            which: Which::Bits(words),
        }
    }

    pub(super) fn all(items: Range<usize>) -> Self {
        Won {
            first_item: items.start,
            which: Which::All(items.len()),
        }
    }

    /// How many items were won. Not all that were asked for, where others had claimed some.
    pub fn len(&self) -> usize {
        match self.which {
            Which::All(n) => n,
            Which::Bits(words) => words.iter().map(|word| word.count_ones() as usize).sum(),
        }
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        match self.which {
            Which::All(n) => n == 0,
            Which::Bits(words) => words.iter().all(|&word| word == 0),
        }
    }

    /// The items, if they follow each other without a gap.
    pub fn as_range(&self) -> Option<Range<usize>> {
        let mut items = self.iter();
        let first = match self.which {
            Which::All(n) => return Some(self.first_item..self.first_item + n),
            Which::Bits(_) => items.next().unwrap_or(self.first_item),
        };
        let n = self.len();
        (items.last().unwrap_or(first) == first + n.saturating_sub(1)).then_some(first..first + n)
    }

    /// The items.
    pub fn iter(&self) -> impl Iterator<Item = usize> + use<'board> {
        let (n, words) = match self.which {
            Which::All(n) => (n, &[][..]),
            Which::Bits(words) => (0, words),
        };
        let first_items = (self.first_item..).step_by(WORD_BITS);
        let of_words = first_items.zip(words).flat_map(|(first_item, &word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros();
                rest &= rest.checked_sub(1)?; // without its lowest bit
                Some(first_item + bit as usize)
            })
        });
        (self.first_item..self.first_item + n).chain(of_words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn items_are_the_bits_that_are_set(
            words in proptest::collection::vec(prop_oneof![any::<u64>(), Just(0), Just(u64::MAX), Just(7)], 0..5)
        ) {
            let won = Won::bits(3, &words);
            let naive: Vec<usize> = (0..words.len() * 64)
                .filter(|&i| words[i / 64] >> (i % 64) & 1 == 1)
                .map(|i| i + 3 * 64)
                .collect();
            prop_assert_eq!(won.len(), naive.len());
            prop_assert_eq!(won.is_empty(), naive.is_empty());
            let range = won.as_range().map(Vec::from_iter);
            let has_gap = naive.windows(2).any(|pair| pair[0] + 1 != pair[1]);
            prop_assert_eq!(range, (!has_gap).then(|| naive.clone()));
            prop_assert_eq!(won.iter().collect::<Vec<_>>(), naive);
        }
    }

    #[test]
    fn items_in_a_row_are_all_of_them() {
        let won = Won::all(100..103);
        assert_eq!((won.len(), won.is_empty()), (3, false));
        assert_eq!(won.iter().collect::<Vec<_>>(), [100, 101, 102]);
        assert!(Won::all(7..7).is_empty());
    }
}
