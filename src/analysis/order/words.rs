//! Fetch-and-op: words of 64 digits, and the states that claims saw them in.

use super::report::{Report, name_both};
use super::{Clocks, Witness, place};

#[derive(Debug)]
pub(super) struct Words {
    clocks: Clocks,
    n_digits: usize,
    words: Vec<Word>,
    touched: Vec<usize>,
}

#[derive(Debug, Default)]
struct Word {
    /// `[n]`: the state in which n digits are claimed. Empty until the first claim.
    states: Vec<State>,
    /// `[n]`: of those claims that reported no word and come after some claim that saw state n, the one
    /// that ended first. Empty where there are none.
    after: Vec<Option<Witness>>,
    won: u64,
    is_touched: bool,
}

/// A state of a word, and who saw it.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    word: u64,
    /// Who brought it about.
    winner: Option<Witness>,
    /// Of the others, who ended first, and who began last.
    first_to_end: Option<Witness>,
    last_to_begin: Option<Witness>,
}

impl State {
    /// Somebody who saw it.
    fn witness(&self) -> Option<Witness> {
        self.winner.or(self.first_to_end)
    }
}

impl Words {
    pub(super) fn new(n_digits: u32, clocks: Clocks) -> Self {
        let n_digits = n_digits as usize;
        Words {
            clocks,
            n_digits,
            words: (0..n_digits.div_ceil(64))
                .map(|_| Word::default())
                .collect(),
            touched: Vec::new(),
        }
    }

    /// The bits of word `index` that are digits.
    #[inline]
    pub(super) fn items_in(&self, index: usize) -> u64 {
        items_in(index, self.n_digits)
    }

    /// Why a claim of the digit of bit `own` (0 in a look) of word `index` cannot be, beside another that
    /// was filed.
    #[inline]
    pub(super) fn contradiction(
        &self,
        claim: &Witness,
        index: usize,
        own: u64,
    ) -> Option<(&'static str, Witness)> {
        let word = &self.words[index];
        let state = word.states.get(claim.word.count_ones() as usize)?;
        let other = state.witness();
        if claim.won && word.won & own != 0 {
            let mut winners = word.states.iter().filter_map(|state| state.winner);
            let other = winners.find(|winner| winner.digit == claim.digit)?;
            return Some(("{a} and {b} both won", other));
        }
        if let Some(other) = other.filter(|_| state.word != claim.word) {
            return Some((
                "{a} and {b} saw words of which neither holds the other",
                other,
            ));
        }
        let winner = state.winner.filter(|_| claim.won)?;
        Some(("{a} and {b} both won, and saw the same word", winner))
    }

    #[inline]
    pub(super) fn file(&mut self, claim: &Witness) {
        let (index, own) = place(claim.digit).unwrap_or((0, 0));
        let word = self.words[index].touch(index, self.n_digits, &mut self.touched);
        let state = &mut word.states[claim.word.count_ones() as usize];
        state.word = claim.word;
        if claim.won {
            word.won |= own;
            state.winner = Some(*claim);
        } else {
            self.clocks
                .keep_first_to_end(&mut state.first_to_end, claim);
            self.clocks
                .keep_last_to_begin(&mut state.last_to_begin, claim);
        }
    }

    /// Files a claim that reported no word, and comes after some claim that saw the state in which
    /// `n_claimed` digits of word `index` are claimed.
    pub(super) fn file_after(&mut self, index: usize, n_claimed: usize, claim: &Witness) {
        let word = self.words[index].touch(index, self.n_digits, &mut self.touched);
        if word.after.is_empty() {
            word.after.resize(word.states.len(), None);
        }
        (self.clocks).keep_first_to_end(&mut word.after[n_claimed], claim);
    }

    /// Whether the states follow each other, and each winner's digit is new in its own.
    pub(super) fn check_states(&self, report: &mut Report) {
        for &index in &self.touched {
            let mut before: Option<(u64, Witness)> = None;
            for state in &self.words[index].states {
                let Some(witness) = state.witness() else {
                    continue;
                };
                if let Some((less, other)) = &before {
                    let own = state
                        .winner
                        .map_or(0, |winner| place(winner.digit).unwrap_or_default().1);
                    if less & !state.word != 0 {
                        let what = "{a} and {b} saw words of which neither holds the other";
                        report.violate_pair(what, &witness, other);
                    } else if less & own != 0 {
                        let what = "{a} won, and {b} had seen its digit claimed in an earlier state of the word";
                        report.violate_pair(what, &witness, other);
                    }
                }
                before = Some((state.word, witness));
            }
        }
    }

    /// Whether real time allows the order of the states.
    pub(super) fn check_times(&self, report: &mut Report) {
        const WHAT: &str =
            "{a} comes after {b}, by the words that they saw, and had ended before that began";
        for &index in &self.touched {
            let word = &self.words[index];
            let mut latest: Option<Witness> = None;
            for (n_claimed, state) in word.states.iter().enumerate() {
                let wrong = |later: &Option<Witness>, latest: &Option<Witness>| {
                    let pair = later.zip(*latest);
                    pair.filter(|(later, earlier)| self.clocks.precedes(later, earlier))
                };
                if let Some((later, earlier)) = wrong(&state.winner, &latest) {
                    report.violate_pair(WHAT, &later, &earlier);
                }
                if let Some(winner) = &state.winner {
                    self.clocks.keep_last_to_begin(&mut latest, winner);
                }
                if let Some((later, earlier)) = wrong(&state.first_to_end, &latest) {
                    report.violate_pair(WHAT, &later, &earlier);
                }
                let after = word.after.get(n_claimed).copied().flatten();
                if let Some((later, earlier)) = wrong(&after, &latest) {
                    let what = "{a} was lost on its node, which can have known of the digit only after {b}, \
                                and it had ended before that began";
                    report.violate_if_complete(
                        name_both(what, &later, &earlier),
                        &[&later, &earlier],
                    );
                }
                if let Some(other) = &state.last_to_begin {
                    self.clocks.keep_last_to_begin(&mut latest, other);
                }
            }
        }
    }

    /// Whether whoever won a digit had begun before these claims of it were lost on their nodes.
    pub(super) fn check_untold(&self, untold: &[Witness], report: &mut Report) {
        for loser in untold {
            let index = place(loser.digit).map_or(0, |(index, _)| index);
            let states = self.words[index].states.iter();
            let mut winners = states.filter_map(|state| state.winner);
            let winner = winners.find(|winner| winner.digit == loser.digit);
            if let Some(winner) = winner.filter(|winner| self.clocks.precedes(loser, winner)) {
                let what = "{a} was lost on its node, and had ended before {b}, which won, began";
                report.violate_pair(what, loser, &winner);
            }
        }
    }

    /// Whether each digit has a winner, but those that were claimed before the game.
    pub(super) fn check_winners(&self, resumed: &[u64], report: &mut Report) {
        for (index, word) in self.words.iter().enumerate() {
            let resumed = resumed.get(index).copied().unwrap_or(0);
            let missing = self.items_in(index) & !word.won & !resumed;
            if missing == 0 {
                continue;
            }
            let mut states = word.states.iter().rev();
            let top = states.find_map(|state| Some((state.word, state.witness()?)));
            let seen = top.filter(|(word, _)| word & missing != 0);
            let bit = seen.map_or(missing, |(word, _)| word & missing);
            let digit = index as u64 * 64 + u64::from(bit.trailing_zeros()) + 1;
            match &seen {
                Some((_, witness)) => {
                    let what = format!(
                        "{} saw digit {digit} claimed, and nobody won it",
                        witness.name()
                    );
                    report.violate(what, &[witness]);
                }
                None => {
                    let what = format!("nobody won digit {digit}, and all ranks ended the game");
                    report.violate(what, &[]);
                }
            }
        }
    }

    pub(super) fn clear(&mut self) {
        for index in self.touched.drain(..) {
            let word = &mut self.words[index];
            word.states.fill(State::default());
            word.after.fill(None);
            (word.won, word.is_touched) = (0, false);
        }
    }
}

impl Word {
    #[inline]
    fn touch(&mut self, index: usize, n_digits: usize, touched: &mut Vec<usize>) -> &mut Self {
        if self.states.is_empty() {
            let n_states = items_in(index, n_digits).count_ones() as usize + 1;
            self.states.resize(n_states, State::default());
        }
        if !self.is_touched {
            self.is_touched = true;
            touched.push(index);
        }
        self
    }
}

/// The bits of word `index` that are digits, of `n_digits`.
#[inline]
pub(super) fn items_in(index: usize, n_digits: usize) -> u64 {
    match n_digits.saturating_sub(index * 64).min(64) {
        0 => 0,
        n_in_word => u64::MAX >> (64 - n_in_word),
    }
}
