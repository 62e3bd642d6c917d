//! The order of claims: whether what they saw fits into one sequence, and that into real time.
//!
//! Fetch-and-op on one word: the words that claims saw, each with its own bit, must be a chain of
//! supersets. A claim that saw less happened before one that saw more, so it must not have begun after
//! that one had ended. Compare-and-swap: whoever lost an item names its owner, who must have won it,
//! and must not have begun after the loser had ended. Tickets: no number is drawn twice, and a lower one
//! was not asked for after a higher one had been drawn. Two tiers: as fetch-and-op for the claims that
//! asked the home rank and so have seen its word. Those that were lost on their node have seen nothing;
//! a claim of that digit that asked must have begun before they ended.

#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::trace::Moment;

/// Violations that are kept with their records; the others are counted.
const MAX_KEPT: usize = 8;

/// A claim, as far as its order matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Witness {
    /// The rank that made it.
    pub rank: u32,
    /// Which of the rank's records it is, from 0.
    pub record: u64,
    /// The digit.
    pub digit: u32,
    /// When it began, on the reference clock.
    pub begin_ns: u64,
    /// When it ended.
    pub end_ns: u64,
    /// How wrong its clock may be.
    pub error_ns: u64,
    /// What it saw.
    pub word: u64,
    /// Whether it won.
    pub won: bool,
}

/// Two claims that cannot both be right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderViolation {
    /// In which game.
    pub game: u32,
    /// What is wrong, in words.
    pub what: String,
    /// The claims; the second is missing where one alone is impossible.
    pub claims: Vec<Witness>,
}

/// What came of the check.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Order {
    /// How many claims were checked.
    pub n_claims: u64,
    /// How many violations there are.
    pub n_violations: u64,
    /// The first of them.
    pub violations: Vec<OrderViolation>,
}

/// How claims of a run are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `MPI_Fetch_and_op` on words of 64 digits.
    FetchAndOp,
    /// `MPI_Compare_and_swap` on a slot a digit.
    CompareAndSwap,
    /// Tickets from a counter.
    Ticket,
    /// CPU atomics on each node, and `MPI_Fetch_and_op` by the node's winner.
    TwoTier,
}

/// Checks claims game by game. Memory is bounded by the digits of a game, and work by its claims.
#[derive(Debug)]
pub struct OrderCheck {
    method: Method,
    /// Whether a guess of 0 shows word 0.
    has_one_word: bool,
    words: Vec<Levels>,
    /// What of the others this game has touched: words, digits won, lost and asked for.
    touched: Touched,
    winners: Vec<Option<Witness>>,
    /// Compare-and-swap: for each digit the loser that ended first. Two tiers: of those that lost on
    /// their node.
    first_loser: Vec<Option<Witness>>,
    /// Two tiers: for each digit when the first claim began that asked the home rank, and the doubt.
    first_asker: Vec<Option<Witness>>,
    order: Order,
}

/// What is to be checked and forgotten at the end of a game.
#[derive(Debug, Default)]
struct Touched {
    words: Vec<usize>,
    won: Vec<usize>,
    lost: Vec<usize>,
    asked: Vec<usize>,
}

/// What claims of one word saw, by how many digits were claimed then.
#[derive(Debug, Default)]
struct Levels {
    /// `[n]`: the claims that saw n digits. Empty until the first claim.
    levels: Vec<Option<Level>>,
    is_touched: bool,
}

#[derive(Debug, Clone, Copy)]
struct Level {
    first_to_end: Witness,
    last_to_begin: Witness,
}

impl OrderCheck {
    /// A check of games of digits `1..=n_digits`.
    pub fn new(method: Method, n_digits: u32) -> Self {
        let n_words = match method {
            Method::FetchAndOp | Method::TwoTier => (n_digits as usize).div_ceil(64),
            Method::CompareAndSwap => 0,
            Method::Ticket => 1, // whose levels are the numbers
        };
        let per_digit = n_digits as usize + 1;
        OrderCheck {
            method,
            has_one_word: n_words == 1,
            words: (0..n_words).map(|_| Levels::default()).collect(),
            touched: Touched::default(),
            winners: vec![None; per_digit],
            first_loser: vec![
                None;
                match method {
                    Method::FetchAndOp | Method::Ticket => 0,
                    Method::CompareAndSwap | Method::TwoTier => per_digit,
                }
            ],
            first_asker: vec![
                None;
                match method {
                    Method::FetchAndOp | Method::CompareAndSwap | Method::Ticket => 0,
                    Method::TwoTier => per_digit,
                }
            ],
            order: Order::default(),
        }
    }

    /// Adds a claim of `game`. Claims of a game come in any order, all of them before
    /// [`end_game`](OrderCheck::end_game).
    #[inline]
    pub fn add(&mut self, game: u32, claim: Witness) {
        self.order.n_claims += 1;
        let digit = claim.digit as usize;
        if claim.won {
            let slot = self.winners.get_mut(digit).filter(|_| digit > 0);
            match slot.map(|slot| slot.replace(claim)) {
                Some(None) => self.touched.won.push(digit),
                Some(Some(other)) => {
                    let what = format!("two claims won digit {digit}");
                    self.violate(game, what, &[other, claim]);
                }
                None => self.violate(game, format!("a claim won {digit}, no digit"), &[claim]),
            }
        }
        match self.method {
            Method::FetchAndOp => self.see(game, claim),
            Method::Ticket => self.draw(game, claim),
            Method::TwoTier if digit == 0 && claim.word == 0 => {} // a look that may have seen nothing
            Method::TwoTier if claim.word != 0 => {
                self.ask(claim);
                self.see(game, claim);
            }
            Method::TwoTier if claim.won => {
                let what = format!("a claim won digit {digit} and did not ask the home rank");
                self.violate(game, what, &[claim]);
            }
            Method::TwoTier => self.lose_on_node(game, claim),
            Method::CompareAndSwap if claim.won || digit == 0 => {}
            Method::CompareAndSwap => match self.first_loser.get_mut(digit) {
                Some(Some(first)) if first.end_ns <= claim.end_ns && first.word == claim.word => {}
                Some(Some(first)) if first.word != claim.word => {
                    let other = *first;
                    let what = format!("two claims saw different owners of digit {digit}");
                    self.violate(game, what, &[other, claim]);
                }
                Some(slot) => {
                    if slot.replace(claim).is_none() {
                        self.touched.lost.push(digit);
                    }
                }
                None => self.violate(game, format!("a claim of {digit}, no digit"), &[claim]),
            },
        }
    }

    /// Two tiers: a claim that asked the home rank.
    fn ask(&mut self, claim: Witness) {
        let first = self.first_asker.get_mut(claim.digit as usize);
        if let Some(first) = first.filter(|first| {
            let earliest = |first: Witness| claim.begin_ns < first.begin_ns;
            first.is_none_or(earliest)
        }) {
            if first.replace(claim).is_none() {
                self.touched.asked.push(claim.digit as usize);
            }
        }
    }

    /// Two tiers: a claim that did not.
    fn lose_on_node(&mut self, game: u32, claim: Witness) {
        let digit = claim.digit as usize;
        match self.first_loser.get_mut(digit) {
            Some(Some(first)) if first.end_ns <= claim.end_ns => {}
            Some(slot) => {
                if slot.replace(claim).is_none() {
                    self.touched.lost.push(digit);
                }
            }
            None => self.violate(game, format!("a claim of {digit}, no digit"), &[claim]),
        }
    }

    /// Fetch-and-op: files a claim under what it saw.
    #[inline]
    fn see(&mut self, game: u32, claim: Witness) {
        let index = match claim.digit {
            0 if self.has_one_word => 0,
            0 => return,
            digit => (digit as usize - 1) / 64,
        };
        let own = match claim.digit {
            0 => 0,
            digit => 1 << ((digit - 1) % 64),
        };
        let Some(word) = self.words.get_mut(index) else {
            return self.violate(game, "a claim of no digit".into(), &[claim]);
        };
        if word.levels.is_empty() {
            word.levels.resize(65, None);
        }
        if !word.is_touched {
            word.is_touched = true;
            self.touched.words.push(index);
        }
        let mut different = None;
        match &mut word.levels[claim.word.count_ones() as usize] {
            Some(level) => {
                if level.first_to_end.word != claim.word {
                    different = Some(level.first_to_end);
                } else {
                    if claim.end_ns < level.first_to_end.end_ns {
                        level.first_to_end = claim;
                    }
                    if claim.begin_ns > level.last_to_begin.begin_ns {
                        level.last_to_begin = claim;
                    }
                }
            }
            empty => {
                *empty = Some(Level {
                    first_to_end: claim,
                    last_to_begin: claim,
                });
            }
        }
        if let Some(other) = different {
            let what = "two claims saw words of which neither holds the other";
            self.violate(game, what.into(), &[other, claim]);
        }
        if claim.word & own != own {
            let what = format!("after claiming digit {} its bit is not set", claim.digit);
            self.violate(game, what, &[claim]);
        }
    }

    /// Ticket: files a draw under its number.
    fn draw(&mut self, game: u32, claim: Witness) {
        /// Numbers beyond the digits are drawn once by each rank, to learn that there are no more.
        const MOST_RANKS: usize = 1_000_000;
        let n_digits = self.winners.len() - 1;
        let number = usize::try_from(claim.word).unwrap_or(usize::MAX);
        let is_digit = (1..=n_digits).contains(&number);
        if number == 0 || number > n_digits + MOST_RANKS || is_digit != claim.won {
            let what = "a ticket has a number that there is not, or won where there was nothing";
            return self.violate(game, what.into(), &[claim]);
        }
        let word = &mut self.words[0];
        if word.levels.len() <= number {
            word.levels.resize(number + 1, None);
        }
        if !word.is_touched {
            word.is_touched = true;
            self.touched.words.push(0);
        }
        let level = Level {
            first_to_end: claim,
            last_to_begin: claim,
        };
        if let Some(other) = word.levels[number].replace(level) {
            let what = "two draws have the same ticket";
            self.violate(game, what.into(), &[other.first_to_end, claim]);
        }
    }

    /// Ends `game`: checks it and forgets it. `complete`: all claims of all ranks were added.
    pub fn end_game(&mut self, game: u32, complete: bool) {
        let mut touched = std::mem::take(&mut self.touched);
        touched.words.sort_unstable();
        touched.lost.sort_unstable();
        for index in touched.words.drain(..) {
            self.check_word(game, index, complete);
            self.words[index].levels.fill(None);
            self.words[index].is_touched = false;
        }
        for digit in touched.lost.drain(..) {
            match (self.method, self.first_loser[digit].take()) {
                (Method::TwoTier, Some(loser)) => {
                    self.check_node_loser(game, digit, loser, complete);
                }
                (_, Some(loser)) => self.check_loser(game, digit, loser, complete),
                (_, None) => {}
            }
        }
        for digit in touched.asked.drain(..) {
            self.first_asker[digit] = None;
        }
        for digit in touched.won.drain(..) {
            self.winners[digit] = None;
        }
        self.touched = touched;
    }

    fn check_word(&mut self, game: u32, index: usize, complete: bool) {
        let mut latest: Option<Witness> = None;
        let mut below: Option<Witness> = None;
        for n_claimed in 0..self.words[index].levels.len() {
            let Some(level) = self.words[index].levels[n_claimed] else {
                continue;
            };
            let seen = level.first_to_end;
            let is_ticket = self.method == Method::Ticket;
            if let Some(less) = below.filter(|less| !is_ticket && less.word & !seen.word != 0) {
                let what = "two claims saw words of which neither holds the other";
                self.violate(game, what.into(), &[less, seen]);
            }
            if let Some(less) = latest.filter(|less| began_after_end_of(less, &seen)) {
                let what = match is_ticket {
                    true => {
                        "a ticket is lower than one that had been drawn before it was asked for"
                    }
                    false => "a claim saw less than one that had ended before it began",
                };
                self.violate(game, what.into(), &[seen, less]);
            }
            if latest.is_none_or(|less| level.last_to_begin.begin_ns > less.begin_ns) {
                latest = Some(level.last_to_begin);
            }
            below = Some(seen);
        }
        if let Some(top) = below.filter(|_| complete && self.method == Method::FetchAndOp) {
            let unowned = (0..64).map(|bit| index * 64 + bit + 1).find(|&digit| {
                top.word >> ((digit - 1) % 64) & 1 == 1
                    && self.winners.get(digit).is_none_or(Option::is_none)
            });
            if let Some(digit) = unowned {
                let what = format!("digit {digit} was seen as claimed, and nobody won it");
                self.violate(game, what, &[top]);
            }
        }
    }

    fn check_loser(&mut self, game: u32, digit: usize, loser: Witness, complete: bool) {
        match self.winners[digit] {
            Some(winner) if u64::from(winner.rank) + 1 != loser.word => {
                let what = format!("a claim saw an owner of digit {digit} who did not win it");
                self.violate(game, what, &[winner, loser]);
            }
            Some(winner) if began_after_end_of(&winner, &loser) => {
                let what = format!("a claim lost digit {digit} before anybody claimed it");
                self.violate(game, what, &[loser, winner]);
            }
            None if complete => {
                let what = format!("digit {digit} was seen as claimed, and nobody won it");
                self.violate(game, what, &[loser]);
            }
            _ => {}
        }
    }

    fn check_node_loser(&mut self, game: u32, digit: usize, loser: Witness, complete: bool) {
        match self.first_asker[digit] {
            Some(asker) if began_after_end_of(&asker, &loser) && complete => {
                let what = format!("a claim lost digit {digit} before anybody claimed it");
                self.violate(game, what, &[loser, asker]);
            }
            None if complete => {
                let what = format!("digit {digit} was taken on a node, and nobody asked for it");
                self.violate(game, what, &[loser]);
            }
            _ => {}
        }
    }

    #[cold]
    fn violate(&mut self, game: u32, what: String, claims: &[Witness]) {
        self.order.n_violations += 1;
        if self.order.violations.len() < MAX_KEPT {
            self.order.violations.push(OrderViolation {
                game,
                what,
                claims: claims.to_vec(),
            });
        }
    }

    /// What came of all games.
    pub fn into_order(self) -> Order {
        self.order
    }
}

/// Whether `a` began after `b` had ended, beyond the doubt of their clocks.
fn began_after_end_of(a: &Witness, b: &Witness) -> bool {
    // On one clock there is no doubt, whatever its error against the reference.
    let doubt_ns = match a.rank == b.rank {
        true => 0,
        false => a.error_ns.saturating_add(b.error_ns),
    };
    a.begin_ns > b.end_ns.saturating_add(doubt_ns)
}

impl Witness {
    /// The moments of a claim.
    pub fn at(mut self, begin: Moment, end: Moment) -> Self {
        (self.begin_ns, self.end_ns) = (begin.ns, end.ns);
        self.error_ns = begin.error_ns.max(end.error_ns);
        self
    }
}
