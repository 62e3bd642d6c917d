//! Two tiers: what the claims of one node say of its own words, which no claim reports.
//!
//! A claim of digit d first sets d's bit in the node's word. If it finds it set, it is lost, and has asked
//! nobody. Else it asks the home rank, whose word it reports, and sets what that shows in the node's word too.
//! So on each node:
//!
//! - One claim of a digit asks, at most.
//! - A claim that asks for d begins before the end of each that was shown d: it found the bit clear.
//! - A claim of d that was lost on the node ends after something has set the bit: if a claim of the node asked
//!   for d, that has begun; if none did, some claim of the node was shown d. Of these the one that saw the
//!   earliest state of the home rank's word is taken: whatever must come before it must come before those
//!   that saw later ones. Before it comes what its state follows on, and the beginning of all claims of the
//!   node that ask for what it was shown.
//!
//! With these the steps of all claims have an order if and only if the claims of the home rank's word have
//! one, where the ranks of the node share a clock and all digits are in one word. Where there are several words, a
//! node also learns by looks that report no word, and by counters: then it is only checked that whoever
//! won a digit had begun before a claim of it was lost on a node.

use super::report::{Report, name_both};
use super::words::items_in;
use super::{Clocks, Witness, place};

/// The claims of one node in a game.
#[derive(Debug)]
pub(super) struct Node {
    clocks: Clocks,
    n_digits: usize,
    words: Vec<Word>,
    /// By digit. Empty until the first claim.
    digits: Vec<Digit>,
    touched_words: Vec<usize>,
    touched_digits: Vec<u32>,
}

#[derive(Debug, Clone, Default)]
struct Word {
    /// By how many digits are claimed. Empty until the first claim.
    states: Vec<State>,
    is_touched: bool,
}

/// The claims of a node that saw one state of the home rank's word.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    word: u64,
    first_to_begin: Option<Witness>,
    first_to_end: Option<Witness>,
}

/// The claims of one digit on a node.
#[derive(Debug, Clone, Copy, Default)]
struct Digit {
    /// Who asked the home rank.
    asker: Option<Witness>,
    /// Of those who were lost on the node, who ended first.
    loser: Option<Witness>,
}

/// What becomes of a claim that was lost on its node.
pub(super) enum Lost {
    /// It comes after those that saw the state of this word in which so many digits are claimed.
    After { index: usize, n_claimed: usize },
    /// Its node learnt of the digit by what is not recorded.
    Untold,
}

impl Node {
    pub(super) fn new(n_digits: u32, clocks: Clocks) -> Self {
        Node {
            clocks,
            n_digits: n_digits as usize,
            words: vec![Word::default(); (n_digits as usize).div_ceil(64)],
            digits: Vec::new(),
            touched_words: Vec::new(),
            touched_digits: Vec::new(),
        }
    }

    fn digit(&mut self, digit: u32) -> &mut Digit {
        if self.digits.is_empty() {
            self.digits.resize(self.n_digits + 1, Digit::default());
        }
        let slot = &mut self.digits[digit as usize];
        if slot.asker.is_none() && slot.loser.is_none() {
            self.touched_digits.push(digit);
        }
        slot
    }

    /// A claim was lost on the node, or not submitted.
    pub(super) fn lost(&mut self, claim: &Witness) {
        let clocks = self.clocks;
        clocks.keep_first_to_end(&mut self.digit(claim.digit).loser, claim);
    }

    /// Who asked the home rank for the claim's digit, if another did.
    pub(super) fn asker(&self, claim: &Witness) -> Option<Witness> {
        let digit = self.digits.get(claim.digit as usize)?;
        digit.asker.filter(|_| claim.digit > 0)
    }

    /// A claim or look asked the home rank.
    pub(super) fn asked(&mut self, claim: &Witness) {
        let clocks = self.clocks;
        if claim.digit > 0 {
            self.digit(claim.digit).asker = Some(*claim);
        }
        let index = place(claim.digit).map_or(0, |(index, _)| index);
        let word = &mut self.words[index];
        if word.states.is_empty() {
            let n_states = items_in(index, self.n_digits).count_ones() as usize + 1;
            word.states.resize(n_states, State::default());
        }
        if !word.is_touched {
            word.is_touched = true;
            self.touched_words.push(index);
        }
        let state = &mut word.states[claim.word.count_ones() as usize];
        state.word = claim.word;
        clocks.keep_first_to_end(&mut state.first_to_end, claim);
        clocks.keep_first_to_begin(&mut state.first_to_begin, claim);
    }

    /// Checks the claims of the node, all of which are there, and tells what becomes of those that were lost
    /// on it.
    pub(super) fn check(&self, report: &mut Report, mut tell: impl FnMut(&Witness, Lost)) {
        for &index in &self.touched_words {
            self.check_askers(index, report);
        }
        for &digit in &self.touched_digits {
            let Digit { asker, loser } = &self.digits[digit as usize];
            match (asker, loser) {
                (Some(asker), Some(loser)) if self.clocks.precedes(loser, asker) => {
                    let what = "{a} was lost on its node, and had ended before {b}, the one of the \
                                node that asked for the digit, began";
                    report.violate_pair(what, loser, asker);
                }
                // A node also learns by looks that report no word, and by counters.
                (None, Some(loser)) if self.words.len() > 1 => tell(loser, Lost::Untold),
                (None, Some(loser)) => self.check_loser(digit, loser, report, &mut tell),
                _ => {}
            }
        }
    }

    /// Whether each claim that asked for a digit began before the end of those that were shown it.
    fn check_askers(&self, index: usize, report: &mut Report) {
        let mut soonest: Option<Witness> = None;
        let states = self.words[index].states.iter().rev();
        let mut shown = states
            .filter(|state| state.first_to_begin.is_some())
            .peekable();
        while let Some(state) = shown.next() {
            if let Some(first) = &state.first_to_end {
                self.clocks.keep_first_to_end(&mut soonest, first);
            }
            let new = state.word & !shown.peek().map_or(0, |less| less.word);
            for asker in self.askers(index, new) {
                if let Some(first) = soonest.filter(|first| self.clocks.precedes(first, asker)) {
                    let what = "{a} asked the home rank for a digit that {b}, of its node, had been \
                                shown before";
                    report.violate_pair(what, asker, &first);
                }
            }
        }
    }

    /// Those who asked for the digits of these bits.
    fn askers(&self, index: usize, bits: u64) -> impl Iterator<Item = &Witness> {
        let digits = (0..64).filter(move |bit| bits >> bit & 1 == 1);
        digits.filter_map(move |bit| self.digits.get(index * 64 + bit + 1)?.asker.as_ref())
    }

    /// Of a claim that was lost on the node, where none of the node asked for its digit.
    fn check_loser(
        &self,
        digit: u32,
        loser: &Witness,
        report: &mut Report,
        tell: &mut impl FnMut(&Witness, Lost),
    ) {
        let (index, bit) = place(digit).unwrap_or_default();
        let states = self.words[index].states.iter().enumerate();
        let mut shown = states.filter_map(|(n_claimed, state)| {
            let source = state.first_to_begin.filter(|_| state.word & bit != 0)?;
            Some((n_claimed, state.word, source))
        });
        let source = shown.next();
        let too_late = source.and_then(|(_, word, source)| {
            let before = std::iter::once(&source).chain(self.askers(index, word));
            let mut late = before.filter(|before| self.clocks.precedes(loser, before));
            late.next().copied()
        });
        match (source, too_late) {
            (Some((n_claimed, ..)), None) => tell(loser, Lost::After { index, n_claimed }),
            (_, Some(late)) => {
                let what = "{a} was lost on its node, which can have known of the digit only after {b}, \
                            and it had ended before that began";
                report.violate_if_complete(name_both(what, loser, &late), &[loser, &late]);
            }
            (None, None) => {
                let what = format!(
                    "{} was lost on its node, where nobody asked for it or saw it",
                    loser.name()
                );
                report.violate_if_complete(what, &[loser]);
            }
        }
    }

    pub(super) fn clear(&mut self) {
        for index in self.touched_words.drain(..) {
            self.words[index].states.fill(State::default());
            self.words[index].is_touched = false;
        }
        for digit in self.touched_digits.drain(..) {
            self.digits[digit as usize] = Digit::default();
        }
    }
}
