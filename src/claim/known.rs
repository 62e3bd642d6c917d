//! What a rank has learnt to be claimed: one bit an item, and never unlearnt.

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

/// Which items are known to be claimed, by 64-bit words as the board on the home rank has them.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// Bit set: there is such an item, and it is not known to be claimed. So a word is full when it
    /// is 0 here, and the last word needs no mask.
    maybe_free: Vec<u64>,
    n_items: usize,
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

impl Known {
    pub(super) fn nothing(n_items: usize) -> Self {
        let mut known = Known {
            maybe_free: vec![0; words_for(n_items)],
            n_items,
        };
        known.clear();
        known
    }

    #[inline(always)]
    pub(super) fn contains(&self, item: usize) -> bool {
        assert_item(item, self.n_items);
        let (index, bit) = place(item);
        self.maybe_free[index] & bit == 0
    }

    /// The word of `item`, bit set: known to be claimed.
    #[inline(always)]
    pub(super) fn word_of(&self, item: usize) -> u64 {
        assert_item(item, self.n_items);
        let index = place(item).0;
        let n_in_word = (self.n_items - index * WORD_BITS).min(WORD_BITS);
        !self.maybe_free[index] & (u64::MAX >> (WORD_BITS - n_in_word))
    }

    /// Adds the items of word `index` whose bits are set in `claimed`; returns whether all of that
    /// word's items are known now.
    ///
    /// Written only when it is news: a store would have to drain before the next claim's atomic.
    #[inline(always)]
    pub(super) fn learn(&mut self, index: usize, claimed: u64) -> bool {
        let before = self.maybe_free[index];
        let after = before & !claimed;
        if after != before {
            self.maybe_free[index] = after;
        }
        after == 0
    }

    pub(super) fn clear(&mut self) {
        self.maybe_free.fill(u64::MAX);
        if let (Some(last), n @ 1..) = (self.maybe_free.last_mut(), self.n_items % WORD_BITS) {
            *last = (1 << n) - 1;
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
            let n_known = known.word_of(n_items - 1).count_ones() as usize;
            let last_word = (n_items - 1) / WORD_BITS * WORD_BITS;
            prop_assert_eq!(n_known, naive[last_word..].iter().filter(|&&claimed| claimed).count());
            for (item, &claimed) in naive.iter().enumerate() {
                prop_assert_eq!(known.contains(item), claimed);
                let bit = known.word_of(item) >> (item % WORD_BITS) & 1;
                prop_assert_eq!(bit == 1, claimed);
            }
        }
    }

    #[test]
    #[should_panic(expected = "item 70 of a board of 70 items")]
    fn an_item_beyond_the_board_panics() {
        Known::nothing(70).contains(70);
    }
}
