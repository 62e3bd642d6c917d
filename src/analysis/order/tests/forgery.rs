//! Ways to forge a history.

use super::Method;
use super::history::{History, Op, Random};

/// Ways in which a history is forged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Forgery {
    /// A winner has lost, or a loser won.
    FlipOutcome,
    /// Somebody who lost a digit has won it as its winner did.
    TwoWinners,
    /// A bit of a word is another.
    FlipBit,
    /// A winner saw a digit more, as if it had passed over a state.
    PassOverState,
    /// Two claims saw each other's words.
    SwapWords,
    /// A claim saw what another did.
    CopyWord,
    /// The word is some small number: an owner, a ticket.
    SetWord,
    /// A claim is of another digit.
    SetDigit,
    /// A claim is another rank's.
    SetRank,
    /// A claim was made earlier or later.
    Shift,
    /// A claim took less time.
    Shorten,
    /// Two claims were made in each other's time.
    SwapTimes,
    /// A claim that lost had ended before its winner began.
    LoseTooEarly,
    /// The last claim of all had ended before the first began.
    FirstBecomesLast,
    /// A winner's record is missing.
    DropWinner,
    /// Any record is missing.
    Drop,
    /// A record is there twice, of one rank or of two.
    Duplicate,
    /// A claim was not submitted.
    Skip,
    /// Two tiers: a claim that asked was lost on its node.
    NotAsked,
    /// Two tiers: one that was lost on its node asked, and saw what another did.
    Asked,
}

impl Forgery {
    pub(super) const ALL: [Forgery; 20] = [
        Forgery::FlipOutcome,
        Forgery::TwoWinners,
        Forgery::FlipBit,
        Forgery::PassOverState,
        Forgery::SwapWords,
        Forgery::CopyWord,
        Forgery::SetWord,
        Forgery::SetDigit,
        Forgery::SetRank,
        Forgery::Shift,
        Forgery::Shorten,
        Forgery::SwapTimes,
        Forgery::LoseTooEarly,
        Forgery::FirstBecomesLast,
        Forgery::DropWinner,
        Forgery::Drop,
        Forgery::Duplicate,
        Forgery::Skip,
        Forgery::NotAsked,
        Forgery::Asked,
    ];

    /// Whether there is such a thing.
    pub(super) fn applies_to(self, method: Method) -> bool {
        match self {
            Forgery::NotAsked | Forgery::Asked => method == Method::TwoTier,
            Forgery::PassOverState | Forgery::FlipBit => method != Method::CompareAndSwap,
            Forgery::TwoWinners | Forgery::LoseTooEarly | Forgery::Skip => method != Method::Ticket,
            _ => true,
        }
    }

    /// Forges `history`. `None` where it has nothing of the kind.
    pub(super) fn forge(self, history: &History, random: &mut Random) -> Option<History> {
        let mut forged = history.clone();
        let n_ranks = history.setup.nodes.len();
        let ops = &mut forged.ops;
        let all = |is: &dyn Fn(&Op) -> bool| -> Vec<usize> {
            (0..history.ops.len())
                .filter(|&op| is(&history.ops[op]))
                .collect()
        };
        let any = random.pick(&all(&|op| !op.is_skip))?;
        let other = random.pick(&all(&|op| !op.is_skip && *op != history.ops[any]));
        let winners = all(&|op| op.claim.won);
        let winner_of = |op: usize| {
            let digit = history.ops[op].claim.digit;
            winners
                .iter()
                .copied()
                .find(|&winner| history.ops[winner].claim.digit == digit)
        };
        let losers: Vec<usize> = (all(&|op| !op.claim.won && op.claim.digit > 0).into_iter())
            .filter(|&op| winner_of(op).is_some())
            .collect();
        let digits: Vec<u32> = history
            .ops
            .iter()
            .map(|op| op.claim.digit)
            .filter(|&digit| digit > 0)
            .collect();
        let a_bit = |random: &mut Random| match random.below(8) {
            0 => Some(1 << random.below(64)),
            _ => random.pick(&digits).map(|digit| 1 << ((digit - 1) % 64)),
        };
        match self {
            Forgery::FlipOutcome => ops[any].claim.won ^= true,
            Forgery::TwoWinners => {
                let loser = random.pick(&losers)?;
                ops[loser].claim.word = history.ops[winner_of(loser)?].claim.word;
                (ops[loser].claim.won, ops[loser].is_skip) = (true, false);
            }
            Forgery::FlipBit => ops[any].claim.word ^= a_bit(random)?,
            Forgery::PassOverState => ops[random.pick(&winners)?].claim.word |= a_bit(random)?,
            Forgery::SwapWords => {
                let word = ops[any].claim.word;
                ops[any].claim.word = std::mem::replace(&mut ops[other?].claim.word, word);
            }
            Forgery::CopyWord => ops[any].claim.word = ops[other?].claim.word,
            Forgery::SetWord => {
                ops[any].claim.word = random.below(history.setup.n_digits as usize % 64 + 6) as u64
            }
            Forgery::SetDigit => {
                let n_digits = history.setup.n_digits as usize;
                ops[any].claim.digit = match random.below(3) {
                    0 => random.pick(&digits)?,
                    _ => random.below(n_digits + 2) as u32,
                };
            }
            Forgery::SetRank => ops[any].claim.rank = random.below(n_ranks) as u32,
            Forgery::Shift => {
                let shift = |ns: u64, by: usize| (ns + by as u64).saturating_sub(100);
                let by = random.below(201);
                let claim = &mut ops[any].claim;
                (claim.begin_ns, claim.end_ns) =
                    (shift(claim.begin_ns, by), shift(claim.end_ns, by));
            }
            Forgery::Shorten => {
                let claim = &mut ops[any].claim;
                let length = (claim.end_ns - claim.begin_ns) as usize;
                claim.begin_ns += random.below(length + 1) as u64;
                claim.end_ns -= random.below((claim.end_ns - claim.begin_ns) as usize + 1) as u64;
            }
            Forgery::SwapTimes => {
                let times =
                    |op: usize| (history.ops[op].claim.begin_ns, history.ops[op].claim.end_ns);
                let other = other?;
                (ops[any].claim.begin_ns, ops[any].claim.end_ns) = times(other);
                (ops[other].claim.begin_ns, ops[other].claim.end_ns) = times(any);
            }
            Forgery::LoseTooEarly => {
                let loser = random.pick(&losers)?;
                let begin_ns = history.ops[winner_of(loser)?].claim.begin_ns;
                let end_ns = begin_ns - 1 - random.below(100) as u64;
                (ops[loser].claim.begin_ns, ops[loser].claim.end_ns) = (end_ns - 5, end_ns);
            }
            Forgery::FirstBecomesLast => {
                let first_ns = ops.iter().map(|op| op.claim.begin_ns).min()?;
                let last = (0..ops.len()).max_by_key(|&op| ops[op].claim.begin_ns)?;
                (ops[last].claim.begin_ns, ops[last].claim.end_ns) =
                    (first_ns - 200, first_ns - 100);
            }
            Forgery::DropWinner => drop(ops.remove(random.pick(&winners)?)),
            Forgery::Drop => drop(ops.remove(any)),
            Forgery::Duplicate => {
                let mut copy = ops[any].clone();
                if random.below(2) == 0 {
                    copy.claim.rank = random.below(n_ranks) as u32;
                }
                ops.push(copy);
            }
            Forgery::Skip => {
                let digit = random.pick(&digits)?;
                let claim = &mut ops[any].claim;
                (claim.won, claim.word, claim.digit) = (false, 0, digit);
                ops[any].is_skip = true;
            }
            Forgery::NotAsked => (ops[any].claim.word, ops[any].claim.won) = (0, false),
            Forgery::Asked => {
                let claim = random.pick(&all(&|op| op.claim.word == 0 && op.claim.digit > 0))?;
                (ops[claim].claim.word, ops[claim].is_skip) = (ops[other?].claim.word, false);
            }
        }
        forged.number();
        (forged.ops != history.ops).then_some(forged)
    }
}
