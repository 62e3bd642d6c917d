//! What the ranks said, held together: what agrees, what is missing, and what of it cut lines fill.

use std::collections::{BTreeMap, BTreeSet};

use super::pieces::{Piece, Pieces};
use super::statement::{Said, Statement};
use super::{LogError, MAX_RANKS};

/// A guess by its number, and the points before it.
type Standing = (u64, u64);

/// What one rank said.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Number of a guess to its digit and the points before it.
    pub guesses: BTreeMap<u64, (u64, u64)>,
    /// Numbers of the guesses that scored.
    pub scores: BTreeSet<u64>,
    /// Points and guesses of the final line.
    pub end: Option<(u64, u64)>,
    pub said_twice: bool,
}

impl Heard {
    /// The standing at the last known guess before that number; before any guess there are none.
    pub fn before(&self, guess: u64) -> Standing {
        let last = self.guesses.range(..guess).next_back();
        last.map_or((1, 0), |(guess, (_, points))| (*guess, *points))
    }

    /// The standing at the first known guess from that number on; the final line is one more.
    fn from(&self, guess: u64) -> Option<Standing> {
        let next = self.guesses.range(guess..).next();
        let next = next.map(|(guess, (_, points))| (*guess, *points));
        next.or(self
            .end
            .map(|(points, guesses)| (guesses.saturating_add(1), points)))
    }

    /// Whether a standing can follow another, with that many scores more than those known.
    fn follows(&self, (g0, p0): Standing, (g1, p1): Standing, more: u64) -> bool {
        /// Beyond that, scores are not counted: it would take long, and says little.
        const NEAR: u64 = 64;
        let (Some(guesses), Some(points)) = (g1.checked_sub(g0), p1.checked_sub(p0)) else {
            return false;
        };
        let known = if guesses > NEAR {
            0
        } else {
            self.scores.range(g0..g1).count() as u64
        };
        points <= guesses && known + more <= points
    }

    /// Whether a statement fills a gap and agrees with all that is known.
    fn lacks(&self, said: Said) -> bool {
        let highest = self.before(u64::MAX);
        let last = self.end.map_or(highest.0.saturating_add(1), |end| end.1);
        match said {
            Said::Guess { guess, points, .. } => {
                let here = (guess, points);
                !self.guesses.contains_key(&guess)
                    && (1..=last).contains(&guess)
                    && self.follows(self.before(guess), here, 0)
                    && self
                        .from(guess)
                        .is_none_or(|next| self.follows(here, next, 0))
            }
            Said::Score { guess } => {
                let from = self.before(guess.saturating_add(1));
                let to = self.from(guess.saturating_add(1));
                !self.scores.contains(&guess)
                    && (1..=last).contains(&guess)
                    && to.map_or(from.0 == guess, |to| self.follows(from, to, 1))
            }
            Said::Final { points, guesses } => {
                // At most the one guess before it can have been cut as well.
                let end = (guesses.saturating_add(1), points);
                self.end.is_none()
                    && guesses.checked_sub(highest.0).is_some_and(|more| more <= 1)
                    && self.follows(highest, end, 0)
            }
        }
    }

    /// Whether all that it said is possible in one game.
    pub fn agrees(&self) -> bool {
        let standings = self
            .guesses
            .iter()
            .map(|(guess, (_, points))| (*guess, *points));
        let end = self
            .end
            .map(|(points, guesses)| (guesses.saturating_add(1), points));
        let later = standings.clone().skip(1).chain(end);
        let first = standings.clone().next().or(end);
        first.is_none_or(|first| self.follows((1, 0), first, 0))
            && standings
                .zip(later)
                .all(|(one, next)| self.follows(one, next, 0))
    }
}

/// What all ranks said.
#[derive(Debug, Default)]
pub(super) struct Tale {
    /// Rank to what it said. A map: a broken log may name any rank.
    pub ranks: BTreeMap<u64, Heard>,
    /// Statements that no rank can have made: two cut ones that happen to make a whole.
    n_mixed_up: usize,
}

impl Tale {
    /// Takes a statement down. Of two guesses with the same number the first is taken.
    pub fn hear(&mut self, (rank, said): Statement) -> Result<(), LogError> {
        if rank >= MAX_RANKS {
            return Err(LogError::TooManyRanks(rank));
        }
        if !said.is_possible() {
            self.n_mixed_up += 1;
            return Ok(());
        }
        let heard = self.ranks.entry(rank).or_default();
        let (new, once) = match said {
            Said::Guess {
                guess,
                digit,
                points,
            } => {
                let new = !heard.guesses.contains_key(&guess);
                heard.guesses.entry(guess).or_insert((digit, points));
                (new, guess == 1)
            }
            Said::Score { guess } => (heard.scores.insert(guess), false),
            Said::Final { points, guesses } => {
                (heard.end.replace((points, guesses)).is_none(), true)
            }
        };
        if !new && once {
            return Err(LogError::SeveralGames(rank));
        }
        heard.said_twice |= !new;
        Ok(())
    }

    /// Forgets ranks beyond those that started or finished if they said one thing only: "rank 1" and
    /// "2 guessed" of two cut lines make a rank 12.
    pub fn forget_ghosts(&mut self) {
        let is_sure = |heard: &Heard| heard.end.is_some() || heard.guesses.contains_key(&1);
        let mut sure = self.ranks.iter().filter(|(_, heard)| is_sure(heard));
        let Some((highest, _)) = sure.next_back() else {
            return;
        };
        let mut ghosts = self.ranks.split_off(&(highest + 1));
        let n_said = |heard: &Heard| heard.guesses.len() + heard.scores.len();
        let n_ranks = ghosts.len();
        ghosts.retain(|_, heard| n_said(heard) > 1);
        self.n_mixed_up += n_ranks - ghosts.len();
        self.ranks.append(&mut ghosts);
    }

    /// The statement that a head makes with one of the tails, if only one makes sense.
    fn only_way(&self, head: Piece, tails: &[Piece]) -> Option<(usize, Statement)> {
        let lacks = |(rank, said)| {
            self.ranks
                .get(&rank)
                .is_some_and(|heard: &Heard| heard.lacks(said))
        };
        let made = tails
            .iter()
            .enumerate()
            .flat_map(|(n, tail)| head.join(*tail).map(move |made| (n, made)));
        let mut made = made.filter(|(_, statement)| lacks(*statement));
        let (n, statement) = made.next()?;
        made.all(|(_, other)| other == statement)
            .then_some((n, statement))
    }

    /// Puts cut statements together; the numbers of those and of the pieces left over.
    pub fn join(&mut self, pieces: &Pieces) -> (usize, usize) {
        /// Heads that are tried, and tails for each.
        const TRIED: usize = 256;
        /// A statement that is found can settle which of several another one is.
        const ROUNDS: usize = 4;
        let (mut heads, mut tails) = (pieces.heads.clone(), pieces.tails.clone());
        let mut n_joined = 0;
        for _ in 0..ROUNDS {
            let n_before = n_joined;
            for head in heads
                .iter_mut()
                .take(TRIED)
                .filter(|head| !head.text.is_empty())
            {
                let after = tails.partition_point(|tail| tail.place < head.place);
                let tried = &tails[after..tails.len().min(after + TRIED)];
                let Some((n, statement)) = self.only_way(*head, tried) else {
                    continue;
                };
                if self.hear(statement).is_ok() {
                    head.take();
                    tails[after + n].take();
                    n_joined += 1;
                }
            }
            if n_joined == n_before {
                break;
            }
        }
        // "rank 3 " alone is what anybody may write, and no sign of a cut statement.
        let n_heads = heads
            .iter()
            .filter(|head| head.text.contains(&b'g'))
            .count();
        let n_tails = tails.iter().filter(|tail| tail.is_rest()).count();
        (n_joined, n_heads + n_tails + self.n_mixed_up)
    }
}
