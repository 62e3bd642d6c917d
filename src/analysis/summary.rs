//! The summary of a run: what `onesided play --format json` prints and `onesided compare` reads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::games::GameSeconds;
use crate::trace::{ProgressInfo, Version, check_format};

/// The JSON Schema (2020-12) of a [`RunSummary`] document.
pub const SCHEMA: &str = include_str!("summary.schema.json");

/// Value of the field `format` that this version writes and reads.
pub const SUMMARY_FORMAT: &str = "onesided-play/1";

/// A run of one or several games. With several, numbers are sums over the games.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// `SUMMARY_FORMAT`.
    pub format: String,
    /// Version of the program that wrote this.
    pub onesided: String,
    pub version: Version,
    /// How digits were claimed; `None` for the collective version.
    pub claim_with: Option<String>,
    /// How digits were guessed, where not uniformly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guess: Option<String>,
    /// Whether a guess that was known to be lost cost no operation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skip_known: bool,
    /// Whether the claims were spread over all ranks' memory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub spread: bool,
    pub ranks: u32,
    /// Digits were `1..=digits`.
    pub digits: u32,
    pub games: u64,
    /// Seed of the random streams.
    pub seed: u64,
    /// Think time as it was asked for, in words.
    pub think: String,
    /// Name and version of the MPI library.
    pub mpi_library: String,
    /// Who made progress while the home rank was outside MPI; `None` for the collective version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressInfo>,
    /// From the start of the game until the last rank left it, in seconds.
    pub wall_s: f64,
    /// From the start of the game until the last digit was claimed, in seconds.
    pub time_to_complete_s: f64,
    /// How long games took, from the start until the last rank left. With several games only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub game_s: Option<GameSeconds>,
    pub points_total: u64,
    /// Points beyond one for each digit: digits that were scored by two ranks at once.
    pub double_scores: u64,
    /// Number of allreduces; `None` for the one-sided version, which has none.
    pub rounds: Option<u64>,
    /// Digit to the rank that scored it (of several, the lowest). With one game only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<BTreeMap<u32, u32>>,
    /// Digit to all the ranks that scored it, where there were several. With one game only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub double_scored: Option<BTreeMap<u32, Vec<u32>>>,
    /// Where a signal ended it, if one did: the last game was not played to its end then, unless no digit of
    /// the next was claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_short: Option<CutShortSummary>,
    /// Where an earlier run had left off, if this one went on with its games.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed: Option<ResumedSummary>,
    /// Ranks that died while the others went on, in ascending order. Their numbers are those that they told
    /// last, their points those that were put down when they scored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dead_ranks: Vec<u32>,
    /// Digits that these had claimed and not scored, which rank 0 has claimed anew, in ascending order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claimed_anew: Vec<u32>,
    /// One entry a rank, in the order of ranks.
    pub per_rank: Vec<RankSummary>,
}

/// Where a signal ended a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutShortSummary {
    pub signal: String,
    /// The game to be played next, or on, from 0.
    pub game: u64,
    pub digits_claimed: u32,
}

/// Where a run went on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumedSummary {
    pub runs: u32,
    /// The first game that was played, from 0.
    pub game: u64,
    /// How many of its digits had been claimed before.
    pub digits_claimed: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RankSummary {
    pub rank: u32,
    pub host: String,
    /// Its node: ranks of one node share memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<u32>,
    pub guesses: u64,
    pub points: u64,
    pub think_s: f64,
    /// RMA operations (one-sided) or allreduces (collective).
    pub operations: u64,
    /// Time in those operations, waiting included, and in signs of life and checkpoints between them, in seconds.
    pub operation_s: f64,
    /// Time from the start of the game to its end on this rank, in seconds.
    pub play_s: f64,
}

impl RunSummary {
    /// Reads a document and checks that it is one that this program can have written.
    ///
    /// # Errors
    /// What is wrong with it, in one line for the user.
    pub fn from_json(text: &str) -> Result<Self, String> {
        check_format(text, SUMMARY_FORMAT)
            .map_err(|why| format!("no summary of `onesided play --format json`: {why}"))?;
        let summary: RunSummary = serde_json::from_str(text).map_err(|error| error.to_string())?;
        summary.check()?;
        Ok(summary)
    }

    fn check(&self) -> Result<(), String> {
        let ranks = self.per_rank.iter().map(|rank| rank.rank);
        if self.ranks == 0 || !ranks.eq(0..self.ranks) {
            return Err(format!(
                "'per_rank' does not list ranks 0 to {} in order",
                self.ranks.saturating_sub(1)
            ));
        }
        if self.digits == 0 || self.games == 0 {
            return Err("a run has at least one digit and one game".into());
        }
        let of_ranks = self
            .per_rank
            .iter()
            .flat_map(|r| [r.think_s, r.operation_s, r.play_s]);
        if !of_ranks
            .chain([self.wall_s, self.time_to_complete_s])
            .chain(self.game_s.iter().flat_map(GameSeconds::all))
            .all(|s| s.is_finite() && s >= 0.0)
        {
            return Err("a time is negative or not a number".into());
        }
        if self.game_s.is_some_and(|games| !games.all().is_sorted()) {
            return Err("the times in 'game_s' are not in the order of their size".into());
        }
        let are_ranks = |ranks: &[u32]| ranks.iter().all(|&rank| rank < self.ranks);
        if !self.dead_ranks.is_sorted_by(|a, b| a < b) || !are_ranks(&self.dead_ranks) {
            return Err("'dead_ranks' does not list ranks of the run in ascending order".into());
        }
        let points = self
            .per_rank
            .iter()
            .try_fold(0u64, |sum, rank| sum.checked_add(rank.points));
        if points != Some(self.points_total) {
            return Err(format!(
                "'points_total' is {}, and the ranks' points do not sum to it",
                self.points_total
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A run of two ranks, rank 1 thinking four times as long as rank 0.
    pub(crate) fn run(version: Version) -> RunSummary {
        let rank = |rank, guesses, points, think_s, operation_s, play_s| RankSummary {
            rank,
            host: "node1".into(),
            node: Some(0),
            guesses,
            points,
            think_s,
            operations: guesses,
            operation_s,
            play_s,
        };
        let per_rank = match version {
            Version::Rma => vec![
                rank(0, 20, 7, 2.0, 0.001, 2.0),
                rank(1, 5, 2, 2.0, 0.001, 2.25),
            ],
            Version::Collective => {
                vec![rank(0, 11, 6, 1.1, 5.7, 6.8), rank(1, 13, 4, 5.2, 1.6, 6.8)]
            }
        };
        let collective = version == Version::Collective;
        RunSummary {
            format: SUMMARY_FORMAT.into(),
            onesided: "0.1.0".into(),
            version,
            claim_with: (!collective).then(|| "fetch-and-op".into()),
            guess: None,
            skip_known: false,
            spread: false,
            ranks: 2,
            digits: 9,
            games: 1,
            seed: 7,
            think: "100ms + 300ms a rank".into(),
            mpi_library: "Open MPI 4.1.4".into(),
            progress: None,
            wall_s: if collective { 6.8 } else { 2.25 },
            time_to_complete_s: if collective { 6.8 } else { 2.0 },
            game_s: None,
            points_total: per_rank.iter().map(|rank| rank.points).sum(),
            double_scores: u64::from(collective),
            rounds: collective.then_some(17),
            claimed: None,
            double_scored: None,
            cut_short: None,
            resumed: None,
            dead_ranks: Vec::new(),
            claimed_anew: Vec::new(),
            per_rank,
        }
    }

    #[test]
    fn a_document_is_read_as_it_was_written_and_a_broken_one_is_refused_in_one_line() {
        let good = run(Version::Rma);
        let text = serde_json::to_string(&good).unwrap();
        assert_eq!(RunSummary::from_json(&text).unwrap(), good);
        let of_games = r#""game_s":{"min":3,"p5":2,"median":3,"p95":4,"max":5},"wall_s""#;
        let broken = [
            ("", "not a JSON document"),
            (&text.replace("\"wall_s\"", of_games), "order of their size"),
            (
                &text.replace("\"per_rank\"", "\"dead_ranks\":[2],\"per_rank\""),
                "'dead_ranks' does not list ranks",
            ),
            ("{}", "no field 'format'"),
            (&text.replace("play/1", "play/9"), "reads 'onesided-play/1'"),
            (
                &text.replace("\"ranks\":2", "\"ranks\":3"),
                "does not list ranks 0 to 2",
            ),
            (
                &text.replace("\"ranks\":2", "\"ranks\":4294967295"),
                "does not list ranks 0 to 4294967294",
            ),
            (
                &text.replace("\"points_total\":9", "\"points_total\":8"),
                "do not sum",
            ),
            (
                &text.replace("\"wall_s\":2.25", "\"wall_s\":-1"),
                "negative",
            ),
            (
                &text.replace("\"digits\":9", "\"digits\":0"),
                "at least one digit",
            ),
            (&text.replace("\"digits\":9,", ""), "missing field `digits`"),
        ];
        for (text, expected) in broken {
            let error = RunSummary::from_json(text).unwrap_err();
            assert!(
                error.contains(expected) && !error.contains('\n'),
                "{text}: {error}"
            );
        }
    }
}
