//! What a run says of itself: `run.json` before it, the summary after it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::args::{ClaimWith, GuessArg, HomeArg, PlayVersion, ProgressArg, name_of};
use super::session::Session;
use super::{HOME, checkpoint, recording};
use crate::analysis::{CutShortSummary, RankSummary, ResumedSummary, RunSummary, SUMMARY_FORMAT};
use crate::game::{CutShort, Results};
use crate::interrupt;
use crate::rma::{Found, Means};
use crate::trace::{
    Clocks, ProgressInfo, ProgressTrial, RUN_FORMAT, ResumedGame, RunInfo, TracerCost, Version,
};

/// What is done about progress, for those who read the result.
pub(super) fn progress(
    claim_with: Option<ClaimWith>,
    asked: ProgressArg,
    found: &Found,
) -> ProgressInfo {
    let name = |means| match means {
        Means::Library => "library".to_owned(),
        Means::Poll => "poll".to_owned(),
        Means::Thread => "thread".to_owned(),
    };
    let us = |ns: u64| ns as f64 / 1e3;
    let trials = found.trials.iter().map(|trial| ProgressTrial {
        means: name(trial.means),
        operations: trial.n_operations,
        median_us: us(trial.median_ns),
        max_us: us(trial.max_ns),
        stalled: trial.stalled,
    });
    ProgressInfo {
        asked: name_of(asked),
        means: match claim_with {
            Some(ClaimWith::SharedMemory) => "cpu-atomics".into(),
            _ => name(found.means),
        },
        interval_us: found.interval.map(|interval| interval.as_secs_f64() * 1e6),
        trials: trials.collect(),
    }
}

impl Session<'_, '_> {
    /// How digits are claimed.
    pub(super) fn claim_with(&self) -> Option<ClaimWith> {
        match self.args.version {
            PlayVersion::Rma { claim_with, .. } => Some(claim_with),
            PlayVersion::Collective { .. } => None,
        }
    }

    /// How digits are guessed, where not uniformly.
    fn guess(&self) -> Option<String> {
        let guess = self.args.version.guess();
        (guess != GuessArg::Uniform).then(|| name_of(guess))
    }

    pub(super) fn skips_known(&self) -> bool {
        matches!(
            self.args.version,
            PlayVersion::Rma {
                skip_known: true,
                ..
            }
        )
    }

    fn is_spread(&self) -> bool {
        let home = HomeArg::Spread;
        matches!(self.args.version, PlayVersion::Rma { home: of, .. } if of == home)
    }

    fn version(&self) -> (Version, Option<String>) {
        let claim_with = self.claim_with();
        let version = match claim_with {
            Some(_) => Version::Rma,
            None => Version::Collective,
        };
        (version, claim_with.map(name_of))
    }

    /// What `run.json` says, as far as it is known before the clocks are.
    pub(super) fn run_info(&self, run_id: String) -> RunInfo {
        let (version, claim_with) = self.version();
        let (series, world) = (&self.series, self.world);
        let args = std::env::args_os();
        RunInfo {
            format: RUN_FORMAT.into(),
            onesided: env!("CARGO_PKG_VERSION").into(),
            run_id,
            version,
            claim_with,
            guess: self.guess(),
            skip_known: self.skips_known(),
            spread: self.is_spread(),
            resumed: (series.resumed.n_runs > 0).then(|| ResumedGame {
                game: series.resumed.n_played,
                digits: series.resumed.claimed.clone(),
            }),
            command: args.map(|arg| arg.to_string_lossy().into()).collect(),
            started: recording::now_in_words(),
            ended: None,
            interrupted: None,
            ranks: world.size().unsigned_abs(),
            home: HOME.unsigned_abs(),
            digits: series.n_digits,
            games: series.n_games,
            seed: series.seed,
            think: self.game().think_in_words(),
            mpi_library: self.library.to_string(),
            progress: None,
            hosts: Vec::new(),
            nodes: self.placement.nodes().to_vec(),
            clocks: Clocks::one("", 0),
            tracer: TracerCost::default(),
            unmapped: false,
        }
    }

    /// How to go on with games that have come to no end.
    pub(super) fn how_to_go_on(&self) -> String {
        match self.args.checkpoint_file() {
            Some(_) if checkpoint::was_taken() => "its checkpoint is another job's by now".into(),
            Some(file) => format!("--resume {} goes on with it", file.display()),
            None => "with --checkpoint FILE it could be gone on with".into(),
        }
    }

    /// That a signal has ended the games, and how to go on.
    pub(super) fn cut_in_words(&self, cut: CutShort) -> String {
        let CutShort {
            signal,
            game,
            n_claimed,
        } = cut;
        format!(
            "ended by {}, after {game} whole games of {} and {n_claimed} of {} digits of the next; {}",
            interrupt::name(signal),
            self.series.n_games,
            self.series.n_digits,
            self.how_to_go_on(),
        )
    }

    /// The summary, on rank 0.
    pub(super) fn summarise(
        &self,
        results: Results,
        hosts: &[Vec<u8>],
        progress: Option<ProgressInfo>,
    ) -> RunSummary {
        let (version, claim_with) = self.version();
        let series = &self.series;
        let seconds = |ns: u64| Duration::from_nanos(ns).as_secs_f64();
        let per_rank: Vec<RankSummary> = (0u32..)
            .zip(results.per_rank.iter().zip(hosts))
            .map(|(rank, (sums, host))| RankSummary {
                rank,
                host: String::from_utf8_lossy(host).into_owned(),
                node: self.placement.nodes().get(rank as usize).copied(),
                guesses: sums.guesses,
                points: sums.points,
                think_s: seconds(sums.think_ns),
                operations: sums.operations,
                operation_s: seconds(sums.operation_ns),
                play_s: seconds(sums.play_ns),
            })
            .collect();
        let one_game = results.n_games == 1;
        let first = |(&digit, ranks): (&u32, &Vec<u32>)| (digit, ranks[0]);
        let doubles: BTreeMap<u32, Vec<u32>> = results
            .scored
            .iter()
            .filter(|(_, ranks)| ranks.len() > 1)
            .map(|(d, r)| (*d, r.clone()))
            .collect();
        RunSummary {
            format: SUMMARY_FORMAT.into(),
            onesided: env!("CARGO_PKG_VERSION").into(),
            version,
            claim_with,
            guess: self.guess(),
            skip_known: self.skips_known(),
            spread: self.is_spread(),
            ranks: per_rank.len() as u32,
            digits: series.n_digits,
            games: results.n_games,
            seed: series.seed,
            think: self.game().think_in_words(),
            mpi_library: self.library.to_string(),
            progress,
            wall_s: seconds(results.wall_ns),
            time_to_complete_s: seconds(results.to_complete_ns),
            game_s: results.games.times().map(Into::into),
            points_total: per_rank.iter().map(|rank| rank.points).sum(),
            double_scores: results.double_scores,
            rounds: (version == Version::Collective).then(|| per_rank[0].operations),
            claimed: one_game.then(|| results.scored.iter().map(first).collect()),
            double_scored: (one_game && !doubles.is_empty()).then_some(doubles),
            cut_short: results.cut_short.map(|cut| CutShortSummary {
                signal: interrupt::name(cut.signal),
                game: cut.game,
                digits_claimed: cut.n_claimed,
            }),
            resumed: (series.resumed.n_runs > 0).then_some(ResumedSummary {
                runs: series.resumed.n_runs,
                game: series.resumed.n_played,
                digits_claimed: series.resumed.claimed.len() as u32,
            }),
            dead_ranks: results.dead,
            claimed_anew: results.claimed_anew,
            per_rank,
        }
    }
}
