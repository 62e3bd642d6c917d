//! The two versions of the game beside each other, and what the difference says.

use serde::Serialize;

use super::summary::{RankSummary, RunSummary};
use crate::trace::Version;

/// A one-sided run and a collective run of the same game.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SideBySide {
    /// The one-sided run.
    pub one_sided: RunSummary,
    /// The collective run.
    pub collective: RunSummary,
}

/// What a comparison says of lockstep, in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Time until all digits were claimed, collective over one-sided; `None` where the latter is 0.
    pub times_sooner: Option<f64>,
    /// Guesses + points of every rank of the collective run, where it is the same on all.
    pub steps_in_lockstep: Option<u64>,
    /// The fastest and the slowest thinker, where think times tell them apart.
    pub extremes: Option<Extremes>,
}

/// The ranks that think the shortest and the longest for a guess, and what became of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Extremes {
    /// The rank that thinks shortest.
    pub fast: u32,
    /// The rank that thinks longest.
    pub slow: u32,
    /// Share of the fast rank's time that the collective version spent in allreduces, 0 to 1.
    pub fast_share_in_allreduce: f64,
    /// Guesses of the fast and the slow rank, collective.
    pub guesses_collective: (u64, u64),
    /// Guesses of the fast and the slow rank, one-sided.
    pub guesses_one_sided: (u64, u64),
}

impl SideBySide {
    /// Puts two runs beside each other, in either order.
    ///
    /// # Errors
    /// Why they cannot be compared: not one of each version, or different games.
    pub fn new(a: RunSummary, b: RunSummary) -> Result<Self, String> {
        let (one_sided, collective) = match (a.version, b.version) {
            (Version::Rma, Version::Collective) => (a, b),
            (Version::Collective, Version::Rma) => (b, a),
            (version, _) => {
                return Err(format!(
                    "both runs are {}: give one of each version",
                    version.name()
                ));
            }
        };
        let different = |what, a: &dyn std::fmt::Display, b: &dyn std::fmt::Display| {
            let (a, b) = (a.to_string(), b.to_string());
            (a != b).then(|| format!("{what} ({a} and {b})"))
        };
        let differences: Vec<String> = [
            different("number of ranks", &one_sided.ranks, &collective.ranks),
            different("number of digits", &one_sided.digits, &collective.digits),
            different("number of games", &one_sided.games, &collective.games),
            different("think time", &one_sided.think, &collective.think),
        ]
        .into_iter()
        .flatten()
        .collect();
        if differences.is_empty() {
            Ok(SideBySide {
                one_sided,
                collective,
            })
        } else {
            Err(format!(
                "these runs are of different games: they differ in {}",
                differences.join(", ")
            ))
        }
    }

    /// What the difference says.
    pub fn verdict(&self) -> Verdict {
        let SideBySide {
            one_sided,
            collective,
        } = self;
        let sooner = collective.time_to_complete_s / one_sided.time_to_complete_s;
        let steps = |rank: &RankSummary| rank.guesses + rank.points;
        let first = steps(&collective.per_rank[0]);
        Verdict {
            times_sooner: sooner.is_finite().then_some(sooner),
            steps_in_lockstep: collective
                .per_rank
                .iter()
                .all(|rank| steps(rank) == first)
                .then_some(first),
            extremes: self.extremes(),
        }
    }

    fn extremes(&self) -> Option<Extremes> {
        /// Think times that differ by less are the same, give or take the timer.
        const TELLS_APART: f64 = 1.2;
        let per_guess = |rank: &&RankSummary| rank.think_s / rank.guesses.max(1) as f64;
        let ranks = &self.collective.per_rank;
        let fast = ranks
            .iter()
            .min_by(|a, b| per_guess(a).total_cmp(&per_guess(b)))?;
        let slow = ranks
            .iter()
            .max_by(|a, b| per_guess(a).total_cmp(&per_guess(b)))?;
        if per_guess(&slow) <= TELLS_APART * per_guess(&fast) {
            return None;
        }
        let one_sided = |rank: u32| self.one_sided.per_rank[rank as usize].guesses;
        Some(Extremes {
            fast: fast.rank,
            slow: slow.rank,
            fast_share_in_allreduce: (fast.operation_s / fast.play_s).clamp(0.0, 1.0),
            guesses_collective: (fast.guesses, slow.guesses),
            guesses_one_sided: (one_sided(fast.rank), one_sided(slow.rank)),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::analysis::SUMMARY_FORMAT;

    /// A run of two ranks, rank 1 thinking four times as long as rank 0.
    pub(crate) fn run(version: Version) -> RunSummary {
        let rank = |rank, guesses, points, think_s, operation_s, play_s| RankSummary {
            rank,
            host: "node1".into(),
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
            ranks: 2,
            digits: 9,
            games: 1,
            seed: 7,
            think: "100ms + 300ms a rank".into(),
            mpi_library: "Open MPI 4.1.4".into(),
            wall_s: if collective { 6.8 } else { 2.25 },
            time_to_complete_s: if collective { 6.8 } else { 2.0 },
            points_total: per_rank.iter().map(|rank| rank.points).sum(),
            double_scores: u64::from(collective),
            rounds: collective.then_some(17),
            claimed: None,
            double_scored: None,
            per_rank,
        }
    }

    #[test]
    fn the_verdict_is_what_a_hand_computes() {
        let pair = SideBySide::new(run(Version::Collective), run(Version::Rma)).unwrap();
        assert_eq!(pair.one_sided.version, Version::Rma);
        let verdict = pair.verdict();
        assert_eq!(verdict.times_sooner, Some(6.8 / 2.0));
        assert_eq!(verdict.steps_in_lockstep, Some(17));
        let extremes = verdict.extremes.unwrap();
        assert_eq!((extremes.fast, extremes.slow), (0, 1));
        assert_eq!(
            (extremes.guesses_collective, extremes.guesses_one_sided),
            ((11, 13), (20, 5))
        );
        assert!((extremes.fast_share_in_allreduce - 5.7 / 6.8).abs() < 1e-12);
    }

    #[test]
    fn ranks_that_think_alike_have_no_extremes_and_a_broken_step_is_not_lockstep() {
        let (one_sided, mut collective) = (run(Version::Rma), run(Version::Collective));
        for rank in &mut collective.per_rank {
            rank.think_s = 0.1 * rank.guesses as f64;
        }
        collective.per_rank[1].guesses += 1;
        collective.per_rank[1].think_s += 0.1;
        let verdict = SideBySide::new(one_sided, collective).unwrap().verdict();
        assert_eq!((verdict.extremes, verdict.steps_in_lockstep), (None, None));
    }

    #[test]
    fn runs_of_different_games_are_refused_with_every_difference() {
        let mut other = run(Version::Collective);
        (other.digits, other.games) = (20, 3);
        let error = SideBySide::new(run(Version::Rma), other).unwrap_err();
        assert!(
            error.contains("digits (9 and 20)") && error.contains("games (1 and 3)"),
            "{error}"
        );
        let error = SideBySide::new(run(Version::Rma), run(Version::Rma)).unwrap_err();
        assert!(error.contains("both runs are one-sided"), "{error}");
    }

    #[test]
    fn a_document_is_read_as_it_was_written_and_a_broken_one_is_refused_in_one_line() {
        let good = run(Version::Rma);
        let text = serde_json::to_string(&good).unwrap();
        assert_eq!(RunSummary::from_json(&text).unwrap(), good);
        let broken = [
            ("", "not a JSON document"),
            ("{}", "no field 'format'"),
            (&text.replace("play/1", "play/9"), "reads 'onesided-play/1'"),
            (
                &text.replace("\"ranks\":2", "\"ranks\":3"),
                "does not list ranks 0 to 2",
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
