//! What a rank has learnt to be claimed: one bit an item, and never unlearnt.

use std::ops::Range;

use crate::rma::Rank;

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

/// The bits of word `index` that are items, of a board of `n_items` that has such a word.
#[inline]
pub(super) fn items_in(index: usize, n_items: usize) -> u64 {
    match (n_items - index * WORD_BITS).min(WORD_BITS) {
        0 => 0,
        n_in_word => u64::MAX >> (WORD_BITS - n_in_word),
    }
}

/// How much a rank remembers of what the results of its operations showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Remember {
    /// Which items are claimed: 1 bit an item, on each rank. Memory is taken as it is needed, in pages,
    /// so what was never learnt costs nothing.
    #[default]
    Claimed,
    /// Nothing: no memory on this rank, for boards that are claimed in chunks or would not fit else.
    Nothing,
}

/// Which items are known to be claimed, by 64-bit words as the board on the home rank has them.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// Bit set: known to be claimed, or no item. So a word is full when all its bits are set. Zeros
    /// that the allocator has from the system are pages that nobody has touched. Empty where
    /// nothing is to be remembered.
    claimed: Vec<u64>,
    n_items: usize,
    /// How many words are not known to be full.
    n_not_full: usize,
}

/// Panics unless there is such an item.
#[inline(always)]
pub(super) fn assert_item(item: usize, n_items: usize) {
    #[cold]
    #[inline(never)]
    fn no_such_item(item: usize, n_items: usize) -> ! {
        panic!("item {item} of a board of {n_items} items")
    }
    if item >= n_items {
        no_such_item(item, n_items);
    }
}

/// Panics unless there are all of them.
pub(super) fn assert_items(items: &[usize], n_items: usize) {
    items.iter().for_each(|&item| assert_item(item, n_items));
}

/// Panics unless there is such a rank.
pub(super) fn assert_rank(rank: Rank, n_ranks: Rank) {
    assert!(
        (0..n_ranks).contains(&rank),
        "rank {rank} of {n_ranks} ranks"
    );
}

impl Known {
    pub(super) fn nothing(n_items: usize, remember: Remember) -> Self {
        let mut known = Known {
            claimed: match remember {
                Remember::Claimed => vec![0; words_for(n_items)],
                Remember::Nothing => Vec::new(),
            },
            n_items,
            n_not_full: words_for(n_items),
        };
        known.mark_the_end();
        known
    }

    #[inline(always)]
    pub(super) fn contains(&self, item: usize) -> bool {
        assert_item(item, self.n_items);
        let (index, bit) = place(item);
        self.claimed.get(index).is_some_and(|word| word & bit != 0)
    }

    /// The word of `item`, bit set: known to be claimed.
    #[inline(always)]
    pub(super) fn word_of(&self, item: usize) -> u64 {
        assert_item(item, self.n_items);
        let index = place(item).0;
        let word = self.claimed.get(index).copied().unwrap_or_default();
        word & items_in(index, self.n_items)
    }

    /// Adds the items of word `index` whose bits are set in `claimed`; returns whether all of that
    /// word's items are known now.
    ///
    /// Written only when it is news: a store would have to drain before the next claim's atomic.
    #[inline(always)]
    pub(super) fn learn(&mut self, index: usize, claimed: u64) -> bool {
        let Some(word) = self.claimed.get_mut(index) else {
            return claimed == items_in(index, self.n_items);
        };
        let before = *word;
        let after = before | claimed;
        if after != before {
            *word = after;
            self.n_not_full -= usize::from(after == u64::MAX);
        }
        after == u64::MAX
    }

    /// [`learn`](Known::learn) of neighbouring words from `first` on: the items that are in `before`, and of each word
    /// all that are asked for, which are `ends` of the first and of the last.
    pub(super) fn learn_run(&mut self, first: usize, before: &[u64], ends: (u64, u64)) {
        let Some(words) = self.claimed.get_mut(first..first + before.len()) else {
            return;
        };
        let last = before.len() - 1;
        for (i, (word, before)) in words.iter_mut().zip(before).enumerate() {
            let first_bits = if i == 0 { ends.0 } else { u64::MAX };
            let last_bits = if i == last { ends.1 } else { u64::MAX };
            let after = *word | before | first_bits & last_bits;
            self.n_not_full -= usize::from(after == u64::MAX && *word != u64::MAX);
            *word = after;
        }
    }

    /// All items of these words are claimed.
    pub(super) fn learn_full(&mut self, words: Range<usize>) {
        for word in self.claimed.get_mut(words).into_iter().flatten() {
            self.n_not_full -= usize::from(*word != u64::MAX);
            *word = u64::MAX;
        }
    }

    /// Whether all items of word `index` are known to be claimed.
    #[inline(always)]
    pub(super) fn is_full(&self, index: usize) -> bool {
        self.claimed.get(index) == Some(&u64::MAX)
    }

    /// Whether all items are known to be claimed.
    #[inline(always)]
    pub(super) fn all(&self) -> bool {
        self.n_not_full == 0
    }

    pub(super) fn clear(&mut self) {
        const LARGE_WORDS: usize = 1 << 16;
        match self.claimed.len() {
            0..LARGE_WORDS => self.claimed.fill(0),
            n_words => self.claimed = vec![0; n_words], // pages given back, and taken when needed
        }
        self.n_not_full = words_for(self.n_items);
        self.mark_the_end();
    }

    /// Beyond the last item all is claimed, so that its word needs no mask.
    fn mark_the_end(&mut self) {
        if let (Some(last), n @ 1..) = (self.claimed.last_mut(), self.n_items % WORD_BITS) {
            *last = u64::MAX << n;
        }
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
            let mut known = Known::nothing(n_items, Remember::Claimed);
            let mut naive = vec![false; n_items];
            for index in told {
                let item = index.index(n_items);
                naive[item] = true;
                let (word, bit) = place(item);
                let full = known.learn(word, bit);
                let last = n_items.min((word + 1) * WORD_BITS);
                prop_assert_eq!(full, naive[word * WORD_BITS..last].iter().all(|&claimed| claimed));
                prop_assert_eq!(known.all(), naive.iter().all(|&claimed| claimed));
            }
            let n_known = known.word_of(n_items - 1).count_ones() as usize;
            let last_word = (n_items - 1) / WORD_BITS * WORD_BITS;
            prop_assert_eq!(n_known, naive[last_word..].iter().filter(|&&claimed| claimed).count());
            for (item, &claimed) in naive.iter().enumerate() {
                prop_assert_eq!(known.contains(item), claimed);
                let bit = known.word_of(item) >> (item % WORD_BITS) & 1;
                prop_assert_eq!(bit == 1, claimed);
            }
        }

        /// Without memory, what one word shows is all there is.
        #[test]
        fn without_memory_a_word_is_full_when_it_shows_so(n_items in 1usize..300, word: u64) {
            let mut known = Known::nothing(n_items, Remember::Nothing);
            for index in 0..words_for(n_items) {
                let items = items_in(index, n_items);
                prop_assert_eq!(known.learn(index, word & items), word & items == items);
                prop_assert!(known.learn(index, items));
            }
            prop_assert!(!known.contains(n_items - 1));
        }
    }

    #[test]
    #[should_panic(expected = "item 70 of a board of 70 items")]
    fn an_item_beyond_the_board_panics() {
        Known::nothing(70, Remember::Claimed).contains(70);
    }
}
