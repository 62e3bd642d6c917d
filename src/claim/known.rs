//! What a rank has learnt to be claimed: one bit an item, only ever set.

/// A set of items by 64-bit words, as the board on the home rank has them.
#[derive(Debug, Clone)]
pub(super) struct Known {
    words: Vec<u64>,
    n_items: usize,
}

pub(super) const WORD_BITS: usize = u64::BITS as usize;

/// How many words of 64 bits hold `n_items` bits.
pub(super) fn words_for(n_items: usize) -> usize {
    n_items.div_ceil(WORD_BITS)
}

/// Where the bit of `item` is: index of the word, and the bit within it.
#[inline(always)]
pub(super) fn place(item: usize) -> (usize, u64) {
    (item / WORD_BITS, 1 << (item % WORD_BITS))
}

/// The word `index` of a board of `n_items` items when all of them are claimed.
#[inline(always)]
pub(super) fn full_word(n_items: usize, index: usize) -> u64 {
    let beyond = (index + 1) * WORD_BITS;
    if beyond <= n_items { u64::MAX } else { u64::MAX >> (beyond - n_items) }
}

impl Known {
    pub(super) fn nothing(n_items: usize) -> Self {
        Known { words: vec![0; words_for(n_items)], n_items }
    }

    #[inline(always)]
    pub(super) fn contains(&self, item: usize) -> bool {
        assert!(item < self.n_items, "item {item} of a board of {} items", self.n_items);
        let (word, bit) = place(item);
        self.words[word] & bit != 0
    }

    /// Adds what word `index` shows, and returns whether that word is full.
    #[inline(always)]
    pub(super) fn learn(&mut self, index: usize, word: u64) -> bool {
        self.words[index] |= word;
        self.words[index] == full_word(self.n_items, index)
    }

    pub(super) fn clear(&mut self) {
        self.words.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The oracle is a plain list of booleans.
        #[test]
        fn remembers_exactly_what_it_was_told(
            n_items in 1usize..300,
            told in proptest::collection::vec(any::<prop::sample::Index>(), 0..400),
        ) {
            let mut known = Known::nothing(n_items);
            let mut naive = vec![false; n_items];
            for index in told {
                let item = index.index(n_items);
                naive[item] = true;
                let (word, bit) = place(item);
                let full = known.learn(word, bit);
                let last = n_items.min((word + 1) * WORD_BITS);
                prop_assert_eq!(full, naive[word * WORD_BITS..last].iter().all(|&claimed| claimed));
            }
            for (item, &claimed) in naive.iter().enumerate() {
                prop_assert_eq!(known.contains(item), claimed);
            }
        }
    }

    #[test]
    #[should_panic(expected = "item 70 of a board of 70 items")]
    fn an_item_beyond_the_board_panics() {
        Known::nothing(70).contains(70);
    }
}
