//! Blocks: many items that one bit claims, on boards that are claimed in chunks for the most part.

use std::ops::Range;

use crate::claim::known::words_for;

/// Items of a block.
pub(super) const BLOCK_ITEMS: usize = BLOCK_WORDS * 64;
/// Words of a block.
pub(super) const BLOCK_WORDS: usize = 64;
/// Blocks whose marks are in one word.
pub(super) const MARKS_A_WORD: usize = 32;

/// How many blocks a board has that is to have some; none if it is smaller than one.
pub(super) fn n_blocks(n_items: usize) -> usize {
    match n_items {
        0..BLOCK_ITEMS => 0,
        _ => n_items.div_ceil(BLOCK_ITEMS),
    }
}

/// How many words the marks of its blocks take: two bits for 4096 items.
pub(super) fn n_mark_words(n_items: usize) -> usize {
    n_blocks(n_items).div_ceil(MARKS_A_WORD)
}

/// The marks of one block, in the word that they share with those of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marks {
    /// Index of the word.
    pub(super) index: usize,
    /// Bit 0 to 31: items of the block are claimed one by one, or may be; its words say which.
    pub(super) touched: u64,
    /// Bit 32 to 63: the block was handed out as a whole. Where it had not been touched before, all of it is
    /// claimed, and its words say nothing; else whoever it was handed to claims what its words have free.
    pub(super) whole: u64,
}

impl Marks {
    pub(super) fn of(block: usize) -> Self {
        let touched = 1 << (block % MARKS_A_WORD);
        Marks {
            index: block / MARKS_A_WORD,
            touched,
            whole: touched << MARKS_A_WORD,
        }
    }
}

/// What a rank knows of blocks: two bits each.
#[derive(Debug)]
pub(super) struct Blocks {
    touched: Vec<u64>,
    whole: Vec<u64>,
}

impl Blocks {
    /// Knowing nothing; `None` for a board that has no blocks.
    pub(super) fn unknown(n_blocks: usize) -> Option<Box<Self>> {
        let n_words = words_for(n_blocks);
        (n_words > 0).then(|| {
            Box::new(Blocks {
                touched: vec![0; n_words],
                whole: vec![0; n_words],
            })
        })
    }

    /// Whether this rank knows that the block's words say which of its items are claimed.
    #[inline]
    pub(super) fn is_touched(&self, block: usize) -> bool {
        self.touched[block / 64] >> (block % 64) & 1 == 1
    }

    /// Whether this rank knows that all of the block was claimed at once.
    #[inline]
    pub(super) fn is_whole(&self, block: usize) -> bool {
        self.whole[block / 64] >> (block % 64) & 1 == 1
    }

    pub(super) fn touched(&mut self, block: usize) {
        self.touched[block / 64] |= 1 << (block % 64);
    }

    /// Of blocks that share a word of marks, and so a word here too.
    pub(super) fn whole(&mut self, blocks: Range<usize>) {
        let bits = u64::MAX >> (u64::BITS as usize - blocks.len());
        self.whole[blocks.start / 64] |= bits << (blocks.start % 64);
    }

    pub(super) fn forget(&mut self) {
        self.touched.fill(0);
        self.whole.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_blocks_do_not_meet() {
        let mut words = [0u64; 3];
        for block in 0..3 * MARKS_A_WORD {
            let Marks {
                index,
                touched,
                whole,
            } = Marks::of(block);
            assert_eq!(words[index] & (touched | whole), 0);
            words[index] |= touched | whole;
        }
        assert_eq!(words, [u64::MAX; 3]);
    }

    #[test]
    fn a_board_has_blocks_from_the_size_of_one_on() {
        assert_eq!((n_blocks(0), n_blocks(4095), n_blocks(4096)), (0, 0, 1));
        assert_eq!(
            (n_blocks(32 * 4096 + 1), n_mark_words(32 * 4096 + 1)),
            (33, 2)
        );
        assert_eq!(n_mark_words(1 << 36), 1 << 19);
        assert!(Blocks::unknown(0).is_none() && Blocks::unknown(1).is_some());
    }

    /// One block of two items in one word, as the ranks of the models below see it.
    #[derive(Clone, Copy)]
    struct Memory {
        marks: u64,
        word: u64,
        /// How often each item was won.
        won: [u8; 2],
    }

    #[derive(Clone, Copy, PartialEq)]
    enum Rank {
        /// Claims an item: B1 first, or F1 first, or both done.
        Single {
            item: u64,
            told: Option<bool>,
            before: Option<u64>,
        },
        /// Claims the block: B2, then N2 where it was touched.
        Chunk {
            is_touched: Option<bool>,
        },
        Done,
    }

    const BOTH: u64 = 0b11;

    /// All that this rank may do next.
    fn steps(rank: Rank, memory: Memory, in_flight_together: bool) -> Vec<(Rank, Memory)> {
        let marks = Marks::of(0);
        let mut next = Vec::new();
        match rank {
            Rank::Single { item, told, before } => {
                let finish = |told: Option<bool>, before: Option<u64>, memory: Memory| {
                    let mut memory = memory;
                    let rank = match (told, before) {
                        (Some(true), Some(before)) => {
                            memory.won[item as usize] += u8::from(before >> item & 1 == 0);
                            Rank::Done
                        }
                        (Some(false), None) if in_flight_together => {
                            Rank::Single { item, told, before }
                        }
                        (Some(false), _) => Rank::Done,
                        _ => Rank::Single { item, told, before },
                    };
                    (rank, memory)
                };
                if told.is_none() {
                    let mut memory = memory;
                    let told = Some(memory.marks & marks.whole == 0);
                    memory.marks |= marks.touched;
                    next.push(finish(told, before, memory));
                }
                if before.is_none() && (told == Some(true) || in_flight_together) {
                    let mut memory = memory;
                    let before = Some(memory.word);
                    memory.word |= 1 << item;
                    next.push(finish(told, before, memory));
                }
            }
            Rank::Chunk { is_touched: None } => {
                let mut memory = memory;
                let is_touched = memory.marks & marks.touched != 0;
                memory.marks |= marks.whole;
                let rank = match is_touched {
                    true => Rank::Chunk {
                        is_touched: Some(true),
                    },
                    false => {
                        memory.won = memory.won.map(|won| won + 1);
                        Rank::Done
                    }
                };
                next.push((rank, memory));
            }
            Rank::Chunk { .. } => {
                let mut memory = memory;
                for item in 0..2 {
                    memory.won[item] += u8::from(memory.word >> item & 1 == 0);
                }
                memory.word |= BOTH;
                next.push((Rank::Done, memory));
            }
            Rank::Done => {}
        }
        next
    }

    /// Goes through all orders of steps; how many ends there are, and in how many of them each item was
    /// won once.
    fn explore(ranks: [Rank; 4], memory: Memory, in_flight_together: bool) -> (u64, u64) {
        if ranks.iter().all(|&rank| rank == Rank::Done) {
            return (1, u64::from(memory.won == [1, 1]));
        }
        let (mut n, mut n_right) = (0, 0);
        for i in 0..ranks.len() {
            for (rank, memory) in steps(ranks[i], memory, in_flight_together) {
                let mut ranks = ranks;
                ranks[i] = rank;
                let (of_these, right) = explore(ranks, memory, in_flight_together);
                n += of_these;
                n_right += right;
            }
        }
        (n, n_right)
    }

    #[test]
    fn each_item_is_won_once_in_every_order_of_steps() {
        let single = |item| Rank::Single {
            item,
            told: None,
            before: None,
        };
        let ranks = [
            single(0),
            single(0),
            single(1),
            Rank::Chunk { is_touched: None },
        ];
        let memory = Memory {
            marks: 0,
            word: 0,
            won: [0, 0],
        };
        let (n, n_right) = explore(ranks, memory, false);
        assert_eq!(n, n_right);
        assert!(n > 500, "{n} orders");
        // Were F1 in flight together with B1, an item could be lost to all: its bit is set by a claim that
        // learns that the block was handed out, and whoever it was handed out to goes by its words.
        let (n, n_right) = explore(ranks, memory, true);
        assert!(n_right < n, "{n_right} of {n} are right");
    }
}
