//! The contest for digits: how many are claimed, and which claims lost what another had won.

use super::merge::Span;
use crate::trace::{Kind, Outcome};

/// Who won and who lost which digit, game by game. Memory is bounded by the digits, and a bit for each
/// digit and rank.
#[derive(Debug)]
pub(super) struct Contest {
    n_digits: u32,
    /// By digit, as far as digits were won.
    digits: Vec<Digit>,
    game: Option<u32>,
    n_claimed: u32,
}

#[derive(Debug, Clone, Default)]
struct Digit {
    /// The last game in which a claim that won it has begun.
    sought: Option<u32>,
    /// The last game in which such a claim has ended.
    claimed: Option<u32>,
    /// A bit a rank: whether the flow of game `sought` has passed it.
    passed: Vec<u64>,
}

impl Contest {
    /// A contest for digits `1..=n_digits`.
    pub(super) fn new(n_digits: u32) -> Self {
        Contest {
            n_digits,
            digits: Vec::new(),
            game: None,
            n_claimed: 0,
        }
    }

    /// A record begins. The flow that it is a step of, if it is one: from the first claim that wins a
    /// digit to the first claim of each other rank that begins later and loses it.
    #[inline]
    pub(super) fn begin(&mut self, span: &Span) -> Option<u64> {
        let won = match span.record.outcome {
            Outcome::Won => true,
            Outcome::Lost => false,
            _ => return None,
        };
        let game = span.record.game;
        let digit = self.digit(span, won)?;
        if won {
            if digit.sought >= Some(game) {
                return None;
            }
            digit.sought = Some(game);
            digit.passed.fill(0);
            digit.pass(span.rank);
        } else if digit.sought != Some(game) || !digit.pass(span.rank) {
            return None;
        }
        Some(u64::from(game) << 32 | u64::from(span.record.item))
    }

    /// A record ends. How many digits of the game are claimed now, where that changes.
    #[inline]
    pub(super) fn end(&mut self, span: &Span) -> Option<u32> {
        let game = span.record.game;
        let is_start = span.record.kind == Kind::Start;
        if (is_start || span.record.outcome == Outcome::Won) && self.game < Some(game) {
            self.game = Some(game);
            self.n_claimed = 0;
            if is_start {
                return Some(0);
            }
        }
        if span.record.outcome != Outcome::Won || self.game != Some(game) {
            return None;
        }
        let digit = self.digit(span, true)?;
        if digit.claimed >= Some(game) {
            return None;
        }
        digit.claimed = Some(game);
        self.n_claimed += 1;
        Some(self.n_claimed)
    }

    /// The digit that a claim is for. `None` where it is none, or none has won it and `make` is off.
    fn digit(&mut self, span: &Span, make: bool) -> Option<&mut Digit> {
        let item = span.record.item;
        if item == 0 || item > self.n_digits {
            return None;
        }
        let index = item as usize;
        if make && index >= self.digits.len() {
            self.digits.resize(index + 1, Digit::default());
        }
        self.digits.get_mut(index)
    }
}

impl Digit {
    /// Whether the flow passes `rank` for the first time.
    fn pass(&mut self, rank: u32) -> bool {
        let (word, bit) = (rank as usize / 64, 1 << (rank % 64));
        if word >= self.passed.len() {
            self.passed.resize(word + 1, 0);
        }
        let is_first = self.passed[word] & bit == 0;
        self.passed[word] |= bit;
        is_first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Record;

    fn span(rank: u32, game: u32, kind: Kind, outcome: Outcome, item: u32) -> Span {
        Span {
            rank,
            seq: 0,
            begin_ns: 0,
            end_ns: 0,
            error_ns: 0,
            record: Record {
                kind,
                outcome,
                game,
                item,
                begin_ns: 0,
                end_ns: 0,
                word: 0,
            },
        }
    }

    fn claim(rank: u32, game: u32, outcome: Outcome, item: u32) -> Span {
        span(rank, game, Kind::Claim, outcome, item)
    }

    #[test]
    fn a_flow_leads_from_the_winner_to_the_first_loss_of_each_other_rank() {
        use Outcome::{Looked, Lost, Won};
        let mut contest = Contest::new(9);
        let flow = |game: u64, digit: u64| Some(game << 32 | digit);
        let steps = [
            (claim(1, 0, Lost, 5), None), // began before the winner
            (claim(0, 0, Won, 5), flow(0, 5)),
            (claim(1, 0, Lost, 5), flow(0, 5)),
            (claim(1, 0, Lost, 5), None),
            (claim(0, 0, Lost, 5), None),
            (claim(70, 0, Lost, 5), flow(0, 5)),
            (claim(70, 0, Won, 5), None), // a double score
            (claim(2, 0, Looked, 0), None),
            (claim(1, 1, Lost, 5), None),
            (claim(1, 1, Won, 5), flow(1, 5)),
            (claim(2, 0, Lost, 5), None), // late, by another clock
            (claim(0, 1, Lost, 5), flow(1, 5)),
            (claim(0, 1, Won, 10), None), // no digit
        ];
        for (index, (span, expected)) in steps.iter().enumerate() {
            assert_eq!(contest.begin(span), *expected, "step {index}");
        }
    }

    #[test]
    fn claimed_digits_are_counted_game_by_game() {
        use Outcome::{Lost, Won};
        let start = |rank, game| span(rank, game, Kind::Start, Outcome::None, 0);
        let mut contest = Contest::new(2);
        let steps = [
            (start(0, 0), Some(0)),
            (start(1, 0), None),
            (claim(0, 0, Won, 2), Some(1)),
            (claim(1, 0, Won, 2), None), // a double score
            (claim(1, 0, Lost, 2), None),
            (claim(1, 0, Won, 1), Some(2)),
            (start(1, 1), Some(0)),
            (claim(0, 0, Won, 1), None), // late, by another clock
            (claim(0, 1, Won, 1), Some(1)),
            (claim(0, 2, Won, 1), Some(1)), // the start is missing
            (start(0, 2), None),
        ];
        for (index, (span, expected)) in steps.iter().enumerate() {
            assert_eq!(contest.end(span), *expected, "step {index}");
        }
    }
}
