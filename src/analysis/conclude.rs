//! What the records of a run come to, once all have been seen.

use super::analyse::Analysis;
use super::findings::{
    Efficiency, Findings, LatencyByNode, Lockstep, RankFindings, Recorded, Setup, Source,
};
use super::order::OrderCheck;
use super::rank::{Rank, Stream};
use super::stalls::{MAX_HOMES, StallCheck};
use crate::trace::{End, ProgressInfo, RunInfo, Version};

/// Ranks that are named in notes; the others are counted.
const MAX_NAMED: usize = 20;

impl<S: Stream> Analysis<'_, S> {
    pub(super) fn findings(self, stalls: Option<StallCheck<S>>) -> Findings {
        let run = self.run;
        let collective = run.version == Version::Collective;
        let ends: Vec<End> = self.ranks.iter().map(Rank::end).collect();
        let partial = !self.ranks.iter().all(|rank| rank.is_whole(run.games));
        let whole = |ns: u64| (!partial).then_some(ns);
        let mut notes = self.notes(&ends);
        if stalls.is_none() && !collective {
            notes.push(format!(
                "claims were spread over more than {MAX_HOMES} ranks, so who waited for a home rank that was \
                 outside MPI is not known"
            ));
        }
        let critical_ns = match collective {
            true => self.rounds.critical_think_ns,
            false => self.critical_ns,
        };
        let dropped = ends.iter().map(|end| match end {
            End::Full { dropped } => *dropped,
            _ => 0,
        });
        let recorded = Recorded {
            records: self.ranks.iter().map(|rank| rank.n_taken).sum(),
            dropped: dropped.fold(0, u64::saturating_add),
            incomplete_ranks: ends.iter().filter(|end| !end.is_complete()).count() as u64,
            complete_games: self.complete_games,
            record_cost_ns: run.tracer.record_ns,
            clocks: run.clocks.clocks.len() as u32,
            clock_violations: self.rounds.n_clock_violations,
        };
        // What no complete game tells is not known.
        let is_told = collective && (self.complete_games > 0 || self.deviation.is_some());
        let lockstep = is_told.then(|| {
            let mut steps = self
                .ranks
                .iter()
                .map(|rank| rank.sums.guesses + rank.sums.points);
            let first = steps.next().unwrap_or(0);
            let holds = self.deviation.is_none();
            Lockstep {
                holds,
                steps: (holds && !partial && steps.all(|steps| steps == first)).then_some(first),
                deviation: self.deviation.clone(),
            }
        });
        let per_rank = self.per_rank(&ends, stalls.as_ref());
        let useful = self.ranks.iter().map(|rank| rank.sums.useful_ns);
        Findings {
            label: run.version.name().into(),
            path: String::new(),
            source: Source::Trace,
            setup: setup(run),
            partial,
            efficiency: match partial {
                true => None,
                false => efficiency(useful, critical_ns, self.wall_ns),
            },
            per_rank,
            wall_ns: whole(self.wall_ns),
            complete_ns: whole(self.complete_ns),
            games: self.games.times(),
            double_scores: match (collective, self.scores.n_doubles) {
                (false, n @ 1..) => Some(n), // a fault, which nothing that is missing undoes
                (_, n) => whole(n),
            },
            double_scored: self.scores.doubles,
            lockstep,
            rounds: whole(self.rounds.n_rounds).filter(|_| collective),
            unattributed_wait_ns: whole(self.rounds.unattributed_ns).filter(|_| collective),
            stalls: stalls.filter(|_| !partial).map(StallCheck::into_stalls),
            latency: self.latency.latency(),
            latency_by_node: self.by_node.map(|[same, other]| LatencyByNode {
                same: same.latency(),
                other: other.latency(),
            }),
            // A violation is one whatever is missing; that there is none is not known then.
            order: self
                .order
                .map(OrderCheck::into_order)
                .filter(|order| !partial || order.n_violations > 0),
            recorded: Some(recorded),
            notes,
        }
    }

    fn per_rank(&self, ends: &[End], stalls: Option<&StallCheck<S>>) -> Vec<RankFindings> {
        let collective = self.run.version == Version::Collective;
        // Whoever waited may have waited for a rank that does not tell.
        let games = self.run.games;
        let is_whole = self.ranks.iter().all(|rank| rank.is_whole(games));
        let of_rounds = collective && is_whole;
        let there = |rank: &&Rank<S>| rank.n_taken > 0 || ends[rank.rank as usize].is_complete();
        let findings = |rank: &Rank<S>| {
            let (index, sums) = (rank.rank as usize, rank.sums);
            let n_ranks = self.ranks.len();
            let waited_for = self
                .rounds
                .waited_for
                .get(index * n_ranks..(index + 1) * n_ranks);
            let most = waited_for.filter(|_| of_rounds).and_then(|row| {
                let most = (0..).zip(row.iter().copied()).max_by_key(|&(_, ns)| ns)?;
                (most.1 > 0).then_some(most)
            });
            RankFindings {
                rank: rank.rank,
                host: self.run.hosts.get(index).cloned(),
                node: self.run.nodes.get(index).copied(),
                guesses: sums.guesses,
                points: sums.points,
                complete: rank.is_whole(games),
                operations: Some(sums.operations),
                useful_ns: Some(sums.useful_ns),
                wait_ns: is_whole.then_some(sums.wait_ns),
                wait_error_ns: is_whole.then_some(match stalls {
                    Some(stalls) => stalls.error_ns(index),
                    None => self.rounds.waits[index].error_ns,
                }),
                operation_ns: is_whole.then_some(sums.operation_ns),
                in_operations_ns: Some(sums.wait_ns + sums.operation_ns),
                tracer_ns: Some(sums.tracer_ns),
                idle_ns: is_whole.then_some(sums.idle_ns),
                play_ns: Some(sums.play_ns),
                allreduce_wait: of_rounds.then(|| self.rounds.waits[index]),
                blame: of_rounds.then(|| self.rounds.blame[index]),
                waited_most_for: most,
                saving_ns: match &self.replay {
                    Some(replay) if is_whole => Some(replay.saving_ns(index)),
                    _ => None,
                },
            }
        };
        self.ranks.iter().filter(there).map(findings).collect()
    }

    fn notes(&self, ends: &[End]) -> Vec<String> {
        let mut notes = Vec::new();
        let incomplete = self
            .ranks
            .iter()
            .zip(ends)
            .filter(|(_, end)| !end.is_complete());
        for (rank, end) in incomplete.clone().take(MAX_NAMED) {
            let number = rank.rank;
            notes.push(match rank.last {
                Some(last) => format!(
                    "rank {number} ends early, after record {} in game {}: {end}",
                    rank.n_taken - 1,
                    last.game
                ),
                None => format!("rank {number} has no records: {end}"),
            });
        }
        let n_incomplete = incomplete.count();
        if n_incomplete > MAX_NAMED {
            notes.push(format!("{} more ranks end early", n_incomplete - MAX_NAMED));
        }
        if let Some(signal) = &self.run.interrupted {
            notes.push(format!("{signal} ended it before its last game was over"));
        }
        if self.complete_games < self.run.games {
            notes.push(format!(
                "{} of {} games are complete; the findings cover what was recorded",
                self.complete_games, self.run.games
            ));
        }
        if !self.ranks.iter().all(|rank| rank.is_whole(self.run.games)) {
            notes.push(
                "numbers that depend on all ranks' records are unknown; those of a rank that ends early are the \
                 least that they were"
                    .into(),
            );
        }
        notes.extend(self.miscounted.clone());
        notes
    }
}

/// What a run's `run.json` says was played.
fn setup(run: &RunInfo) -> Setup {
    Setup {
        version: Some(run.version),
        claim_with: run.claim_with.clone(),
        guess: run.guess.clone(),
        skip_known: run.skip_known,
        spread: run.spread,
        ranks: run.ranks,
        hosts: Some(run.n_hosts() as u32),
        digits: Some(run.digits),
        games: Some(run.games),
        seed: Some(run.seed),
        think: Some(run.think.clone()),
        mpi_library: Some(run.mpi_library.clone()),
        progress: run.progress.as_ref().map(ProgressInfo::in_words),
        nodes: Some(run.n_nodes() as u32),
    }
}

/// The POP efficiencies; `None` where nobody thought.
fn efficiency(
    useful_ns: impl Iterator<Item = u64> + Clone,
    critical_ns: u64,
    wall_ns: u64,
) -> Option<Efficiency> {
    let n_ranks = useful_ns.clone().count() as f64;
    let longest = useful_ns.clone().max()? as f64;
    let mean = useful_ns.map(|ns| ns as f64).sum::<f64>() / n_ranks;
    let (critical, wall) = (critical_ns as f64, wall_ns as f64);
    (longest > 0.0 && wall > 0.0).then(|| Efficiency::new(mean, longest, critical, wall))
}
