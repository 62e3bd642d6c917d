//! What was won where many items were claimed at once.

use std::ops::Range;
use std::sync::Arc;

use super::known::WORD_BITS;

/// The items that one operation won for this rank, in ascending order. It does not borrow the board, so items are
/// completed while it is gone through.
#[derive(Debug, Clone)]
#[must_use = "what was won is this rank's to work on, and nobody else's"]
pub struct Won {
    first_item: usize,
    which: Which,
}

#[derive(Debug, Clone)]
enum Which {
    /// So many in a row.
    All(usize),
    /// Bit `i`: item `first_item + i` was won.
    Word(u64),
    /// Of the first so many words, bit `i % 64` of word `i / 64`: item `first_item + i` was won.
    Words(WonWords, usize),
}

/// Words in which a board puts what it wins. They are taken again for what it wins next, unless somebody has kept what
/// was won before.
#[derive(Debug, Clone, Default)]
pub(super) struct WonWords(Arc<Vec<u64>>);

impl WonWords {
    /// `n_words` words to be overwritten.
    pub(super) fn room(&mut self, n_words: usize) -> &mut [u64] {
        let words = Arc::make_mut(&mut self.0);
        if words.len() < n_words {
            words.resize(n_words, 0);
        }
        &mut words[..n_words]
    }
}

impl Won {
    pub(super) fn word(index: usize, word: u64) -> Self {
        Won {
            first_item: index * WORD_BITS,
            which: Which::Word(word),
        }
    }

    /// The bits of the first `n_words` words.
    pub(super) fn words(first_word: usize, words: &WonWords, n_words: usize) -> Self {
        Won {
            first_item: first_word * WORD_BITS,
            which: Which::Words(words.clone(), n_words),
        }
    }

    pub(super) fn all(items: Range<usize>) -> Self {
        Won {
            first_item: items.start,
            which: Which::All(items.len()),
        }
    }

    /// Bits of what was won, but for [`Which::All`].
    fn bits(&self) -> &[u64] {
        match &self.which {
            Which::All(_) => &[],
            Which::Word(word) => std::slice::from_ref(word),
            Which::Words(WonWords(words), n_words) => &words[..*n_words],
        }
    }

    /// How many items were won. Not all that were asked for, where others had claimed some.
    pub fn len(&self) -> usize {
        match self.which {
            Which::All(n) => n,
            _ => (self.bits().iter().map(|word| word.count_ones() as usize)).sum(),
        }
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        match self.which {
            Which::All(n) => n == 0,
            _ => self.bits().iter().all(|&word| word == 0),
        }
    }

    /// The items, if they follow each other without a gap.
    pub fn as_range(&self) -> Option<Range<usize>> {
        if let Which::All(n) = self.which {
            return Some(self.first_item..self.first_item + n);
        }
        let mut items = self.iter();
        let first = items.next().unwrap_or(self.first_item);
        let n = self.len();
        (items.last().unwrap_or(first) == first + n.saturating_sub(1)).then_some(first..first + n)
    }

    /// The items.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        let n = match self.which {
            Which::All(n) => n,
            _ => 0,
        };
        let first_items = (self.first_item..).step_by(WORD_BITS);
        let of_words = first_items
            .zip(self.bits())
            .flat_map(|(first_item, &word)| {
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
            let mut room = WonWords::default();
            room.room(7).fill(u64::MAX);
            room.room(words.len()).copy_from_slice(&words);
            let won = Won::words(3, &room, words.len());
            let naive: Vec<usize> = (0..words.len() * 64)
                .filter(|&i| words[i / 64] >> (i % 64) & 1 == 1)
                .map(|i| i + 3 * 64)
                .collect();
            prop_assert_eq!(won.len(), naive.len());
            prop_assert_eq!(won.is_empty(), naive.is_empty());
            let range = won.as_range().map(Vec::from_iter);
            let has_gap = naive.windows(2).any(|pair| pair[0] + 1 != pair[1]);
            prop_assert_eq!(range, (!has_gap).then(|| naive.clone()));
            prop_assert_eq!(won.iter().collect::<Vec<_>>(), naive.clone());
            room.room(9).fill(0);
            prop_assert_eq!(won.iter().collect::<Vec<_>>(), naive, "what is kept stays");
        }
    }

    #[test]
    fn items_in_a_row_are_all_of_them() {
        let won = Won::all(100..103);
        assert_eq!((won.len(), won.is_empty()), (3, false));
        assert_eq!(won.iter().collect::<Vec<_>>(), [100, 101, 102]);
        assert!(Won::all(7..7).is_empty());
        let won = Won::word(2, 1 << 5);
        assert_eq!((won.len(), won.as_range()), (1, Some(133..134)));
    }

    #[test]
    fn words_are_taken_again_when_nobody_keeps_them() {
        let mut room = WonWords::default();
        let first = room.room(5).as_ptr();
        drop(Won::words(0, &room, 5));
        assert_eq!(room.room(5).as_ptr(), first);
        let kept = Won::words(0, &room, 5);
        assert_ne!(room.room(5).as_ptr(), first);
        drop(kept);
    }

    /// It goes where work is done: into the closure of `outside_mpi`.
    #[test]
    fn what_was_won_may_go_to_another_thread() {
        fn goes<T: Send + Sync + 'static>() {}
        goes::<Won>();
    }
}
