//! Reads what the mpi4py version of the game prints: every guess, score and final line of a run.
//!
//! Ranks share one output, so a saved log is seldom clean. Python writes a line and its newline
//! separately, and lines run together; to a pipe it writes blocks of 8 KiB, which cut lines where
//! another rank's block follows. So statements are read wherever they stand, and cut ones are put
//! together where only one way to do so agrees with the rest.

mod heard;
mod pieces;
mod statement;
mod streams;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use heard::{Heard, Tale};
use pieces::Pieces;

/// Ranks from here on are refused: what says so is not a log of this game.
const MAX_RANKS: u64 = 1_000_000;

/// A game in lockstep, as its log tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GameLog {
    /// The ranks that the log tells of, in the order of ranks.
    pub ranks: Vec<LoggedRank>,
    /// Number of ranks: the highest rank + 1, also where the log tells nothing of some.
    pub n_ranks: u32,
    /// The highest digit guessed. The game had at least that many.
    pub digits: u64,
    /// Points beyond one for each digit; `None` unless all ranks finished and all scores are known.
    pub double_scores: Option<u64>,
    /// Digit to the ranks that scored it, where there are several.
    pub double_scored: BTreeMap<u64, Vec<u32>>,
    /// Guesses + points of every rank, if all finished and it is the same on all.
    pub lockstep_steps: Option<u64>,
    /// Ranks that finished with other guesses + points than most did.
    pub out_of_step: Vec<u32>,
    /// Number of statements put together from pieces of cut lines.
    pub n_joined: usize,
    /// What is not known or does not agree, in words for the user. Empty if the log is whole.
    pub notes: Vec<String>,
}

/// What a log tells of a rank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedRank {
    pub rank: u32,
    /// Guesses: those of the final line, otherwise the highest number of a guess seen.
    pub guesses: u64,
    /// Points: those of the final line, otherwise at least that many.
    pub points: u64,
    /// Whether its final line was found. If not, guesses and points are incomplete.
    pub finished: bool,
    /// Digits it scored, in order, as far as both the guess and its score were found.
    pub scored: Vec<u64>,
    /// Numbers of guesses that were not found, as ranges in order.
    pub missing: Vec<RangeInclusive<u64>>,
}

/// Why a text cannot be read as the log of a game.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// No statement of the game is in the text.
    #[error(
        "not a log of the guessing game: no line like 'rank 0 guessed 3 on guess 1; has 0 points'"
    )]
    NotALog,
    /// A rank made its first guess or finished twice.
    #[error("rank {0} starts or ends the game twice: give one run per file")]
    SeveralGames(u64),
    /// A rank beyond any that a run can have.
    #[error("rank {0} is beyond the limit of {MAX_RANKS} ranks")]
    TooManyRanks(u64),
    /// A number beyond 64 bits.
    #[error("a number is too large in '{0}...'")]
    NumberTooLarge(String),
}

impl GameLog {
    /// Reads a log, in time and memory that grow with its length.
    ///
    /// Prefixes of lines, text of others between them and broken characters are passed over. To put
    /// cut lines together, the first 256 beginnings are tried with the 256 possible ends after each.
    ///
    /// # Errors
    /// If there is nothing of the game in it, if it holds several games, and if a rank or a number
    /// is too large to be true.
    pub fn read(text: &str) -> Result<GameLog, LogError> {
        let text = streams::untag(text.as_bytes());
        let pieces = Pieces::of(&text)?;
        let mut tale = Tale::default();
        for statement in &pieces.statements {
            tale.hear(*statement)?;
        }
        if tale.ranks.is_empty() {
            return Err(LogError::NotALog);
        }
        tale.forget_ghosts();
        let (n_joined, n_unread) = tale.join(&pieces);
        Ok(GameLog::of(&tale, n_joined, n_unread))
    }

    fn of(tale: &Tale, n_joined: usize, n_unread: usize) -> GameLog {
        let ranks: Vec<LoggedRank> = tale
            .ranks
            .iter()
            .map(|(rank, heard)| LoggedRank::of(*rank as u32, heard))
            .collect();
        let n_ranks = ranks.last().map_or(0, |last| last.rank + 1);
        let all_finished =
            ranks.len() == n_ranks as usize && ranks.iter().all(|rank| rank.finished);

        let mut by_digit: BTreeMap<u64, BTreeSet<u32>> = BTreeMap::new();
        let mut by_steps: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
        for rank in &ranks {
            for digit in &rank.scored {
                by_digit.entry(*digit).or_default().insert(rank.rank);
            }
            if rank.finished {
                let steps = rank.guesses.saturating_add(rank.points);
                by_steps.entry(steps).or_default().push(rank.rank);
            }
        }
        let all_scores = ranks.iter().all(LoggedRank::has_all_scores);
        let n_scores: usize = ranks.iter().map(|rank| rank.scored.len()).sum();
        let double_scores = (n_scores - by_digit.len()) as u64;
        by_digit.retain(|_, ranks| ranks.len() > 1);

        let usual = by_steps.iter().max_by_key(|(_, ranks)| ranks.len());
        let usual = usual.map(|(steps, _)| *steps);
        by_steps.retain(|steps, _| Some(*steps) != usual);
        let mut out_of_step: Vec<u32> = by_steps.into_values().flatten().collect();
        out_of_step.sort_unstable();

        let guessed = tale.ranks.values().flat_map(|heard| heard.guesses.values());
        GameLog {
            n_ranks,
            digits: guessed.map(|(digit, _)| *digit).max().unwrap_or(0),
            double_scores: (all_finished && all_scores).then_some(double_scores),
            double_scored: by_digit
                .into_iter()
                .map(|(digit, ranks)| (digit, ranks.into_iter().collect()))
                .collect(),
            lockstep_steps: usual.filter(|_| all_finished && out_of_step.is_empty()),
            notes: notes(tale, &ranks, &out_of_step, n_unread),
            ranks,
            out_of_step,
            n_joined,
        }
    }
}

impl LoggedRank {
    fn of(rank: u32, heard: &Heard) -> LoggedRank {
        let (highest, before) = heard.before(u64::MAX);
        let known = before.saturating_add(heard.scores.range(highest..).count() as u64);
        let last = heard.guesses.keys().next_back().max(heard.scores.last());
        let seen = (
            known.max(heard.scores.len() as u64),
            last.copied().unwrap_or(0),
        );
        let (points, guesses) = heard.end.unwrap_or(seen);
        let digit = |guess: &u64| heard.guesses.get(guess).map(|(digit, _)| *digit);
        LoggedRank {
            rank,
            guesses,
            points,
            finished: heard.end.is_some(),
            scored: heard.scores.iter().filter_map(digit).collect(),
            missing: gaps(heard.guesses.keys().copied(), 1..=guesses),
        }
    }

    fn has_all_scores(&self) -> bool {
        self.scored.len() as u64 == self.points
    }
}

fn notes(tale: &Tale, ranks: &[LoggedRank], out_of_step: &[u32], n_unread: usize) -> Vec<String> {
    let of = |which: &dyn Fn(&&LoggedRank) -> bool| {
        names(ranks.iter().filter(which).map(|rank| rank.rank.into()))
    };
    let said = |which: &dyn Fn(&Heard) -> bool| {
        names(
            tale.ranks
                .iter()
                .filter(|(_, heard)| which(heard))
                .map(|(rank, _)| *rank),
        )
    };
    let last = ranks.last().map_or(0, |last| last.rank.into());
    let silent = gaps(tale.ranks.keys().copied(), 0..=last);
    let unread = (n_unread > 0).then(|| {
        if n_unread == 1 {
            "1 piece".into()
        } else {
            format!("{n_unread} pieces")
        }
    });
    [
        (list(&silent), "said nothing in this log"),
        (
            of(&|rank| !rank.finished),
            "printed no final line: guesses and points are those seen",
        ),
        (
            of(&|rank| !rank.missing.is_empty()),
            "made guesses that were not found",
        ),
        (
            of(&|rank| !rank.has_all_scores()),
            "scored digits that were not found",
        ),
        (
            said(&|heard| heard.said_twice),
            "said something twice: the first is taken",
        ),
        (
            said(&|heard| !heard.agrees()),
            "said what does not agree: lines may be mixed up",
        ),
        (
            names(out_of_step.iter().map(|rank| (*rank).into())),
            "finished with other guesses + points than most ranks",
        ),
        (unread, "of cut lines could not be read"),
    ]
    .into_iter()
    .filter_map(|(who, what)| Some(format!("{} {what}", who?)))
    .collect()
}

/// The numbers of a range that are not among those known, which are in order.
fn gaps(known: impl Iterator<Item = u64>, all: RangeInclusive<u64>) -> Vec<RangeInclusive<u64>> {
    let (mut from, last) = all.into_inner();
    let mut gaps = Vec::new();
    for number in known.take_while(|number| *number <= last) {
        if from < number {
            gaps.push(from..=number - 1);
        }
        let Some(next) = number.checked_add(1) else {
            return gaps;
        };
        from = next;
    }
    if from <= last {
        gaps.push(from..=last);
    }
    gaps
}

/// Ranks for a reader, such as "ranks 1, 4-6"; `None` of none.
fn names(ranks: impl Iterator<Item = u64>) -> Option<String> {
    let mut runs: Vec<RangeInclusive<u64>> = Vec::new();
    for rank in ranks {
        match runs.last_mut() {
            Some(run) if run.end() + 1 == rank => *run = *run.start()..=rank,
            _ => runs.push(rank..=rank),
        }
    }
    list(&runs)
}

fn list(runs: &[RangeInclusive<u64>]) -> Option<String> {
    /// A list that is longer tells a reader nothing more.
    const LISTED: usize = 8;
    let first = runs.first()?;
    let mut names: Vec<String> = runs
        .iter()
        .take(LISTED)
        .map(|run| {
            if run.start() == run.end() {
                run.start().to_string()
            } else {
                format!("{}-{}", run.start(), run.end())
            }
        })
        .collect();
    if runs.len() > LISTED {
        names.push("and others".into());
    }
    let one = runs.len() == 1 && first.start() == first.end();
    Some(format!(
        "rank{} {}",
        if one { "" } else { "s" },
        names.join(", ")
    ))
}
