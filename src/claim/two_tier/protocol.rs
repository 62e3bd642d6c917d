//! The steps T1 to T7, over whatever memory there is: the board's, or that of the models that check them.

/// The words of one node, and its counter of full words: operated on by CPU atomics alone.
pub(super) trait NodeMemory {
    /// Reads word `index`, with acquire order.
    fn load(&self, index: usize) -> u64;

    /// Sets `bits` in word `index` and returns the word as it was before, with acquire and release order.
    fn fetch_or(&self, index: usize, bits: u64) -> u64;

    /// Reads the number of full words, with acquire order.
    fn n_full_words(&self) -> u64;

    /// Adds to the number of full words and returns it as it was before, with acquire and release order.
    fn add_full_words(&self, addend: u64) -> u64;
}

/// The words on the home rank, operated on by `MPI_Fetch_and_op(MPI_BOR)` alone, and the counter of those
/// that are full, by `MPI_Fetch_and_op(MPI_SUM)` alone.
pub(super) trait HomeMemory {
    /// What an operation can fail with.
    type Error;

    /// Sets `bits` in word `index` and returns the word as it was before, complete on return.
    fn fetch_or(&self, index: usize, bits: u64) -> Result<u64, Self::Error>;

    /// Adds to the number of full words and returns it as it was before, complete on return. With
    /// `addend` 0, an atomic read.
    fn add_full_words(&self, addend: u64) -> Result<u64, Self::Error>;
}

/// How items lie in words: `PER_WORD` in each but the last, which may have fewer. Models have words of
/// fewer than 64.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape<const PER_WORD: usize = 64> {
    n_items: usize,
}

/// A word, on the home rank and on each node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Word {
    pub(super) index: usize,
    /// The bits of its items: what it holds once all of them are taken.
    full: u64,
    /// How many words the board has. Where there are several, full ones are counted; a word that is
    /// alone says it all by itself.
    n_words: u64,
}

impl<const PER_WORD: usize> Shape<PER_WORD> {
    pub(super) fn of(n_items: usize) -> Self {
        Shape { n_items }
    }

    pub(super) fn n_items(&self) -> usize {
        self.n_items
    }

    pub(super) fn n_words(&self) -> usize {
        self.n_items.div_ceil(PER_WORD)
    }

    #[inline(always)]
    pub(super) fn word(&self, index: usize) -> Word {
        let n_in_word = (self.n_items - index * PER_WORD).min(PER_WORD);
        Word {
            index,
            full: u64::MAX >> (u64::BITS as usize - n_in_word),
            n_words: self.n_words() as u64,
        }
    }

    /// The index of the item's word, and the item's bit in it.
    #[inline(always)]
    pub(super) fn place(&self, item: usize) -> (usize, u64) {
        (item / PER_WORD, 1 << (item % PER_WORD))
    }

    /// Whether the node has the bit of `item`. Where it knows that [all are taken](Shape::all_taken) it
    /// may lack some.
    #[inline(always)]
    pub(super) fn has_bit(&self, item: usize, node: &impl NodeMemory) -> bool {
        let (index, bit) = self.place(item);
        node.load(index) & bit != 0
    }

    /// Whether the node knows that all items are taken: its one word is full, or all are counted (T4), or
    /// the home rank has counted all (T7).
    #[inline(always)]
    pub(super) fn all_taken(&self, node: &impl NodeMemory) -> bool {
        match self.n_words() {
            0 => true,
            1 => is_full(self.word(0), node.load(0)),
            n_words => node.n_full_words() >= n_words as u64,
        }
    }

    /// [`all_taken`](Shape::all_taken) of a board of several words; of others their bits say it.
    #[inline(always)]
    fn knows_end(&self, node: &impl NodeMemory) -> bool {
        self.n_words() > 1 && self.all_taken(node)
    }

    /// The word that a look reads: of those that the node does not have as full, the first from `from`
    /// on, in turn; with what the node knows of it.
    pub(super) fn word_to_look_at(
        &self,
        from: usize,
        node: &impl NodeMemory,
    ) -> Option<(Word, u64)> {
        let n_words = self.n_words();
        let in_turn = (from..n_words).chain(0..from.min(n_words));
        in_turn
            .map(|index| (self.word(index), node.load(index)))
            .find(|&(word, known)| !is_full(word, known))
    }
}

/// A claim or a look, as far as it has come. [`step`](Attempt::step) goes on with it, by one operation on
/// one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Attempt {
    pub(super) word: Word,
    /// The bit of the item; 0 in a look.
    pub(super) bit: u64,
    pub(super) next: Next,
}

/// What an attempt does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Next {
    /// T1, second half: takes the item on the node, or finds it taken.
    AskNode,
    /// T4 of the word that T1 filled, then T2.
    CountThenAskHome,
    /// T2: asks the home rank. The node's word had the bits `known`.
    AskHome { known: u64 },
    /// T3: adds `news` to the node's word.
    Publish { news: u64, end: End },
    /// T4 of the word that T3 filled.
    CountOnNode { end: End },
    /// T5 of the word that T2 filled.
    CountAtHome { end: End },
    /// T6: reads how many words the home rank has counted.
    AskForEnd { end: End },
    /// T7: tells the node that all items are claimed.
    TellEnd { end: End },
    /// Nothing.
    Ended(End),
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum End {
    /// T1: the node had the item as taken.
    LostOnNode,
    /// T2: the home rank was asked, whose word was `shown` after that.
    Asked { won: bool, shown: u64 },
}

impl Attempt {
    /// T1, first half: a claim of `item`, unless loads show that the node has it, or all, as taken. A bit
    /// stays set, so the fetch-and-or of the other half would find it set too; a load leaves the cache
    /// line with all who lose here.
    #[inline(always)]
    pub(super) fn claim<const PER_WORD: usize>(
        shape: &Shape<PER_WORD>,
        item: usize,
        node: &impl NodeMemory,
    ) -> Option<Self> {
        let (index, bit) = shape.place(item);
        let is_free = node.load(index) & bit == 0 && !shape.knows_end(node);
        is_free.then(|| Attempt {
            word: shape.word(index),
            bit,
            next: Next::AskNode,
        })
    }

    /// A look at `word`, of which the node has the bits `known`: T2 without a bit, then T3 to T7.
    pub(super) fn look(word: Word, known: u64) -> Self {
        let next = Next::AskHome { known };
        Attempt { word, bit: 0, next }
    }

    /// Does what is next.
    #[inline(always)]
    pub(super) fn step<N: NodeMemory, H: HomeMemory>(
        mut self,
        node: &N,
        home: &H,
    ) -> Result<Self, H::Error> {
        let Attempt { word, bit, next } = self;
        self.next = match next {
            Next::AskNode => self.told_by_node(node.fetch_or(word.index, bit)),
            Next::CountThenAskHome => {
                node.add_full_words(1);
                Next::AskHome { known: word.full }
            }
            Next::AskHome { known } => {
                let seen = home.fetch_or(word.index, bit)?;
                self.told_by_home(known, seen)
            }
            Next::Publish { news, end } => {
                let before = node.fetch_or(word.index, news);
                match fills(word, before, news) {
                    true => Next::CountOnNode { end },
                    false => self.published(end),
                }
            }
            Next::CountOnNode { end } => {
                let n_full_words = node.add_full_words(1) + 1;
                self.counted_on_node(end, n_full_words)
            }
            Next::CountAtHome { end } => {
                let n_full_words = home.add_full_words(1)? + 1;
                self.told_of_full_words(end, n_full_words)
            }
            Next::AskForEnd { end } => {
                let n_full_words = home.add_full_words(0)?;
                self.told_of_full_words(end, n_full_words)
            }
            Next::TellEnd { end } => {
                node.add_full_words(word.n_words);
                Next::Ended(end)
            }
            Next::Ended(end) => Next::Ended(end),
        };
        Ok(self)
    }

    /// After T1, which found `before` in the node's word.
    #[inline(always)]
    fn told_by_node(&self, before: u64) -> Next {
        let Attempt { word, bit, .. } = *self;
        if before & bit != 0 {
            return Next::Ended(End::LostOnNode);
        }
        match fills(word, before, bit) {
            true => Next::CountThenAskHome,
            false => Next::AskHome {
                known: before | bit,
            },
        }
    }

    /// T2, where another has done it: after it found `seen` in the home rank's word.
    #[inline(always)]
    pub(super) fn asked(self, known: u64, seen: u64) -> Self {
        let next = self.told_by_home(known, seen);
        Attempt { next, ..self }
    }

    /// After T2, which found `seen` in the home rank's word.
    #[inline(always)]
    fn told_by_home(&self, known: u64, seen: u64) -> Next {
        let shown = seen | self.bit;
        let won = self.bit & !seen != 0;
        let end = End::Asked { won, shown };
        match shown & !known {
            0 => self.published(end),
            news => Next::Publish { news, end },
        }
    }

    /// After T3, if it was none that filled the node's word.
    #[inline(always)]
    fn published(&self, end: End) -> Next {
        match end {
            End::Asked { won: true, shown } if self.shows_full(shown) => Next::CountAtHome { end },
            _ => Next::Ended(end),
        }
    }

    /// After T4 of the word that T3 filled: of `n_full_words` on the node.
    #[inline(always)]
    fn counted_on_node(&self, end: End, n_full_words: u64) -> Next {
        match end {
            End::Asked { won: false, shown }
                if self.shows_full(shown) && n_full_words < self.word.n_words =>
            {
                Next::AskForEnd { end }
            }
            _ => self.published(end),
        }
    }

    /// After T5 or T6, from which on the home rank had counted `n_full_words`.
    #[inline(always)]
    fn told_of_full_words(&self, end: End, n_full_words: u64) -> Next {
        match n_full_words == self.word.n_words {
            true => Next::TellEnd { end },
            false => Next::Ended(end),
        }
    }

    /// Whether the home rank's word is full, and one to be counted. Whoever won the last bit filled it.
    #[inline(always)]
    fn shows_full(&self, shown: u64) -> bool {
        self.word.n_words > 1 && is_full(self.word, shown)
    }
}

#[inline(always)]
fn is_full(word: Word, bits: u64) -> bool {
    bits == word.full
}

/// Whether a fetch-and-or of `bits` that found `before` is the one that turned the word full, and the
/// word is one to be counted.
#[inline(always)]
fn fills(word: Word, before: u64, bits: u64) -> bool {
    word.n_words > 1 && !is_full(word, before) && is_full(word, before | bits)
}
