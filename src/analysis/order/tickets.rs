//! Tickets: one counter, and the digit that goes with each number.

use super::report::Report;
use super::{Clocks, Witness};

/// The draws of a game.
#[derive(Debug)]
pub(super) struct Tickets {
    clocks: Clocks,
    n_digits: usize,
    n_ranks: usize,
    /// By number, from 1. Grows with them.
    draws: Vec<Option<Witness>>,
    /// By digit its number; 0: none. Empty until the first draw.
    number_of: Vec<usize>,
    drawn: Vec<usize>,
}

impl Tickets {
    pub(super) fn new(n_digits: u32, n_ranks: usize, clocks: Clocks) -> Self {
        Tickets {
            clocks,
            n_digits: n_digits as usize,
            n_ranks,
            draws: Vec::new(),
            number_of: Vec::new(),
            drawn: Vec::new(),
        }
    }

    /// Whether a draw can have this number: beyond the digits each rank draws once.
    pub(super) fn is_number(&self, number: u64) -> bool {
        (1..=(self.n_digits + self.n_ranks) as u64).contains(&number)
    }

    /// Whether there is no digit for this number.
    pub(super) fn is_beyond(&self, number: u64) -> bool {
        number > self.n_digits as u64
    }

    /// Why a draw cannot be, beside another that was filed.
    pub(super) fn contradiction(&self, draw: &Witness) -> Option<(&'static str, Witness)> {
        if let Some(other) = self.draws.get(draw.word as usize).copied().flatten() {
            return Some(("{a} and {b} have the same ticket", other));
        }
        let number = self.number_of.get(draw.digit as usize)?;
        let other = self.draws.get(*number).copied().flatten();
        Some(("{a} and {b} have one digit by two tickets", other?))
    }

    pub(super) fn file(&mut self, draw: &Witness) {
        let number = draw.word as usize;
        if self.draws.len() <= number {
            self.draws.resize(number + 1, None);
        }
        self.draws[number] = Some(*draw);
        if self.number_of.is_empty() {
            self.number_of.resize(self.n_digits + 1, 0);
        }
        if draw.digit > 0 {
            self.number_of[draw.digit as usize] = number;
        }
        self.drawn.push(number);
    }

    pub(super) fn check_times(&mut self, report: &mut Report) {
        self.drawn.sort_unstable();
        let mut latest: Option<&Witness> = None;
        for draw in self
            .drawn
            .iter()
            .filter_map(|&number| self.draws[number].as_ref())
        {
            if let Some(lower) = latest.filter(|lower| self.clocks.precedes(draw, lower)) {
                let what = "{a} has a higher ticket than {b}, and had ended before that began";
                report.violate_pair(what, draw, lower);
            }
            if latest.is_none_or(|last| self.clocks.begin_ns(draw) > self.clocks.begin_ns(last)) {
                latest = Some(draw);
            }
        }
    }

    /// Whether each number up to the highest was drawn, and all digits were. After
    /// [`check_times`](Tickets::check_times).
    pub(super) fn check_draws(&self, report: &mut Report) {
        let drawn = (1..).zip(&self.drawn);
        let missing = drawn
            .into_iter()
            .find(|&(expected, &number)| number != expected);
        let missing = missing.map(|(expected, _)| expected);
        let next = self.drawn.len() + 1;
        let Some(missing) = missing.or((next <= self.n_digits).then_some(next)) else {
            return;
        };
        match self
            .drawn
            .last()
            .and_then(|&number| self.draws[number].as_ref())
        {
            Some(last) if last.word as usize > missing => {
                let what = format!(
                    "{} has ticket {}, and nobody drew ticket {missing}",
                    last.name(),
                    last.word
                );
                report.violate(what, &[last]);
            }
            _ => {
                let what = format!("nobody drew ticket {missing}, and all ranks ended the game");
                report.violate(what, &[]);
            }
        }
    }

    pub(super) fn clear(&mut self) {
        for number in self.drawn.drain(..) {
            if let Some(draw) = self.draws[number].take() {
                self.number_of[draw.digit as usize] = 0;
            }
        }
    }
}
