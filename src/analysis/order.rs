//! The order of claims: whether what they saw fits into one sequence, and that into real time.
//!
//! Fetch-and-op on one word: the words that claims saw, each with its own bit, must be a chain of
//! supersets. A claim that saw less happened before one that saw more, so it must not have begun after
//! that one had ended. Compare-and-swap: whoever lost an item names its owner, who must have won it,
//! and must not have begun after the loser had ended.

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
}

/// Checks claims game by game. Memory is bounded by the digits of a game, and work by its claims.
#[derive(Debug)]
pub struct OrderCheck {
    method: Method,
    /// Whether a guess of 0 shows word 0.
    has_one_word: bool,
    words: Vec<Levels>,
    /// What of the others this game has touched: words, digits won, digits lost.
    touched: Touched,
    winners: Vec<Option<Witness>>,
    /// Compare-and-swap: for each digit the loser that ended first.
    first_loser: Vec<Option<Witness>>,
    order: Order,
}

/// What is to be checked and forgotten at the end of a game.
#[derive(Debug, Default)]
struct Touched {
    words: Vec<usize>,
    won: Vec<usize>,
    lost: Vec<usize>,
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
            Method::FetchAndOp => (n_digits as usize).div_ceil(64),
            Method::CompareAndSwap => 0,
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
                    Method::FetchAndOp => 0,
                    Method::CompareAndSwap => per_digit,
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
            if let Some(loser) = self.first_loser[digit].take() {
                self.check_loser(game, digit, loser, complete);
            }
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
            if let Some(less) = below.filter(|less| less.word & !seen.word != 0) {
                let what = "two claims saw words of which neither holds the other";
                self.violate(game, what.into(), &[less, seen]);
            }
            if let Some(less) = latest.filter(|less| began_after_end_of(less, &seen)) {
                let what = "a claim saw less than one that had ended before it began";
                self.violate(game, what.into(), &[seen, less]);
            }
            if latest.is_none_or(|less| level.last_to_begin.begin_ns > less.begin_ns) {
                latest = Some(level.last_to_begin);
            }
            below = Some(seen);
        }
        if let Some(top) = below.filter(|_| complete) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn claim(
        rank: u32,
        digit: u32,
        (begin_ns, end_ns): (u64, u64),
        word: u64,
        won: bool,
    ) -> Witness {
        Witness {
            rank,
            record: 0,
            digit,
            begin_ns,
            end_ns,
            error_ns: 0,
            word,
            won,
        }
    }

    fn check(method: Method, n_digits: u32, claims: &[Witness]) -> Order {
        let mut check = OrderCheck::new(method, n_digits);
        for &claim in claims {
            check.add(0, claim);
        }
        check.end_game(0, true);
        check.into_order()
    }

    fn assert_violated(method: Method, claims: &[Witness], expected: &str) {
        let order = check(method, 9, claims);
        let [violation] = order.violations.as_slice() else {
            panic!("{expected}: {order:?}")
        };
        assert!(violation.what.contains(expected), "{violation:?}");
    }

    #[test]
    fn a_good_game_has_no_violation() {
        let claims = [
            claim(0, 1, (0, 10), 0b001, true),
            claim(1, 2, (5, 20), 0b011, true),
            claim(2, 1, (4, 30), 0b011, false),
            claim(2, 0, (31, 40), 0b111, false),
            claim(1, 3, (25, 35), 0b111, true),
        ];
        let order = check(Method::FetchAndOp, 3, &claims);
        assert_eq!((order.n_claims, order.n_violations), (5, 0), "{order:?}");
    }

    #[test]
    fn each_impossible_pair_of_fetch_and_ops_is_found() {
        let method = Method::FetchAndOp;
        let first = claim(0, 1, (0, 10), 0b01, true);
        let again = claim(1, 1, (12, 20), 0b01, true);
        assert_violated(method, &[first, again], "two claims won digit 1");
        let other = claim(1, 2, (5, 20), 0b10, true);
        assert_violated(method, &[first, other], "neither holds the other");
        let stale = claim(1, 1, (21, 30), 0b01, false);
        let second = claim(0, 2, (11, 20), 0b11, true);
        assert_violated(method, &[first, second, stale], "saw less");
        let unset = claim(1, 3, (11, 20), 0b01, false);
        assert_violated(method, &[first, unset], "bit is not set");
        let unowned = claim(1, 1, (11, 20), 0b11, false);
        assert_violated(method, &[first, unowned], "nobody won it");
        let no_digit = claim(1, 70, (11, 20), 0b11, false);
        assert_violated(method, &[first, no_digit], "no digit");
    }

    #[test]
    fn each_impossible_pair_of_compare_and_swaps_is_found() {
        let method = Method::CompareAndSwap;
        let won = claim(2, 4, (10, 20), 0, true);
        let lost = claim(0, 4, (5, 30), 3, false);
        let good = check(method, 9, &[lost, won, claim(1, 0, (0, 1), 0, false)]);
        assert_eq!(good.n_violations, 0, "{good:?}");
        assert_violated(
            method,
            &[won, claim(1, 4, (30, 40), 0, true)],
            "two claims won",
        );
        assert_violated(
            method,
            &[won, claim(1, 4, (30, 40), 1, false)],
            "did not win it",
        );
        let early = claim(0, 4, (1, 9), 3, false);
        assert_violated(method, &[won, early, lost], "before anybody claimed it");
        assert_violated(method, &[lost], "nobody won it");
        let disagrees = claim(1, 4, (30, 40), 1, false);
        assert_violated(method, &[won, lost, disagrees], "different owners");
    }

    #[test]
    fn clocks_that_may_be_off_by_more_prove_nothing() {
        let first = claim(0, 1, (0, 10), 0b01, true);
        let second = claim(0, 2, (11, 20), 0b11, true);
        let mut stale = claim(1, 1, (21, 30), 0b01, false);
        stale.error_ns = 5;
        let order = check(Method::FetchAndOp, 9, &[first, second, stale]);
        assert_eq!(order.n_violations, 0);
    }

    #[test]
    fn a_part_of_a_game_may_lack_winners_but_not_order() {
        let mut check = OrderCheck::new(Method::FetchAndOp, 9);
        check.add(7, claim(1, 1, (11, 20), 0b11, false));
        check.end_game(7, false);
        check.add(8, claim(1, 1, (31, 40), 0b01, true));
        check.end_game(8, true);
        assert_eq!(check.into_order().n_violations, 0, "and games are apart");
    }

    proptest! {
        /// Whatever a sequential memory answers, with intervals around the moments, is an order; and
        /// one digit taken out of one answer is not.
        #[test]
        fn what_a_memory_answers_is_an_order_and_a_forged_answer_is_none(
            steps in proptest::collection::vec((0u32..100, 0u32..4, 0u64..50, 0u64..50), 1..200),
            forged in any::<prop::sample::Index>(),
        ) {
            let mut words = [0u64; 2];
            let mut claims = Vec::new();
            for (now, (digit, rank, before, after)) in (0u64..).zip(steps) {
                if digit == 0 { continue; }
                let (word, bit) = (((digit - 1) / 64) as usize, 1u64 << ((digit - 1) % 64));
                let won = words[word] & bit == 0;
                words[word] |= bit;
                let moment = 1000 + 10 * now;
                claims.push(claim(rank, digit, (moment - before, moment + after), words[word], won));
            }
            prop_assert_eq!(check(Method::FetchAndOp, 100, &claims).n_violations, 0);
            if claims.is_empty() { return Ok(()); }
            let index = forged.index(claims.len());
            let own = 1u64 << ((claims[index].digit - 1) % 64);
            claims[index].word &= !own;
            prop_assert!(check(Method::FetchAndOp, 100, &claims).n_violations > 0);
        }
    }
}
