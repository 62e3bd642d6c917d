//! From records to findings, as a stream: memory grows with ranks and digits, and not with records.

use super::add;
use super::findings::{
    DoubleScore, Efficiency, Findings, Lockstep, RankFindings, Recorded, Setup, Source,
};
use super::latency::Histogram;
use super::order::{Method, OrderCheck, Witness};
use super::rank::{Rank, Stream};
use super::rounds::{Arrival, Rounds};
use super::stalls::StallCheck;
use crate::trace::{End, Outcome, Record, RunInfo, Trace, Version};

/// Double scores that are kept with their ranks; the others are counted.
const MAX_KEPT: usize = 20;

/// Analyses a run's folder.
///
/// # Errors
/// Why it is no run of which anything can be said, in one line for the user.
pub fn analyse_trace(folder: &std::path::Path) -> Result<Findings, String> {
    let trace = Trace::open(folder)?;
    let mut findings = analyse(&trace.run, |rank| trace.records(rank));
    findings.path = folder.display().to_string();
    Ok(findings)
}

/// Analyses a run whose records come from `records`, called for each rank, and for the home rank once
/// more for each other rank.
pub fn analyse<S: Stream>(run: &RunInfo, records: impl Fn(u32) -> S) -> Findings {
    let cost_ns = run.tracer.record_ns.round() as u64;
    let rank = |rank| Rank::new(rank, run.clocks.reading_of(rank), records(rank), cost_ns);
    let ranks: Vec<Rank<S>> = (0..run.ranks).map(rank).collect();
    let mut analysis = Analysis::new(run, ranks);
    let mut stalls = match run.version {
        Version::Rma => Some(StallCheck::new(run, &records)),
        Version::Collective => None,
    };
    while let Some(game) = analysis.next_game() {
        match &mut stalls {
            Some(stalls) => analysis.one_sided_game(game, stalls),
            None => analysis.collective_game(game),
        }
        analysis.end_game(game);
    }
    analysis.findings(stalls)
}

struct Analysis<'run, S> {
    run: &'run RunInfo,
    ranks: Vec<Rank<S>>,
    rounds: Rounds,
    order: Option<OrderCheck>,
    latency: Histogram,
    scores: Scores,
    /// Σ over games or rounds of the longest useful time in it.
    critical_ns: u64,
    wall_ns: u64,
    complete_ns: u64,
    complete_games: u64,
    deviation: Option<String>,
    miscounted: Option<String>,
    /// Scratch.
    arrivals: Vec<Arrival>,
    operations: Vec<Record>,
}

/// Who scored what in a game.
struct Scores {
    /// For each digit in which game it was scored last, and by whom first in that game. Games are not
    /// cleared up after: a game of few records takes no time that grows with the digits.
    first: Vec<Option<(u32, u32)>>,
    doubles: Vec<DoubleScore>,
    n_doubles: u64,
}

impl Scores {
    fn won(&mut self, game: u32, rank: u32, digit: u32) {
        let Some(slot) = self.first.get_mut(digit as usize) else {
            return;
        };
        let Some((_, first)) = slot.filter(|&(in_game, _)| in_game == game) else {
            *slot = Some((game, rank));
            return;
        };
        self.n_doubles += 1;
        let known = self
            .doubles
            .iter()
            .rposition(|double| (double.game, double.digit) == (game, digit));
        let double = match known {
            Some(index) => &mut self.doubles[index],
            None if self.doubles.len() == MAX_KEPT => return,
            None => {
                let ranks = vec![first];
                self.doubles.push(DoubleScore { game, digit, ranks });
                self.doubles.last_mut().expect("one was pushed")
            }
        };
        // Each rank once, in order: broken records score again and again.
        if let Err(place) = double.ranks.binary_search(&rank) {
            double.ranks.insert(place, rank);
        }
    }
}

impl<'run, S: Stream> Analysis<'run, S> {
    fn new(run: &'run RunInfo, ranks: Vec<Rank<S>>) -> Self {
        let method = match run.claim_with.as_deref() {
            Some("compare-and-swap") => Method::CompareAndSwap,
            _ => Method::FetchAndOp,
        };
        let one_sided = run.version == Version::Rma;
        Analysis {
            run,
            rounds: Rounds::new(ranks.len()),
            ranks,
            order: one_sided.then(|| OrderCheck::new(method, run.digits)),
            latency: Histogram::default(),
            scores: Scores {
                first: vec![None; run.digits as usize + 1],
                doubles: Vec::new(),
                n_doubles: 0,
            },
            critical_ns: 0,
            wall_ns: 0,
            complete_ns: 0,
            complete_games: 0,
            deviation: None,
            miscounted: None,
            arrivals: Vec::new(),
            operations: Vec::new(),
        }
    }

    fn next_game(&self) -> Option<u32> {
        self.ranks.iter().filter_map(Rank::next_game).min()
    }

    fn one_sided_game(&mut self, game: u32, stalls: &mut StallCheck<S>) {
        for index in 0..self.ranks.len() {
            while let Some(record) = self.ranks[index].next_operation(game) {
                let rank = &mut self.ranks[index];
                let (begin, end) = (
                    rank.reading.moment(record.begin_ns),
                    rank.reading.moment(record.end_ns),
                );
                let stall_ns = stalls.stall_ns(index, begin, end);
                rank.count(&record, stall_ns);
                self.latency.add(record.duration_ns());
                let won = record.outcome == Outcome::Won;
                if let Some(order) = &mut self.order {
                    let claim = Witness {
                        rank: rank.rank,
                        record: rank.n_taken - 1,
                        digit: record.item,
                        begin_ns: 0,
                        end_ns: 0,
                        error_ns: 0,
                        word: record.word,
                        won,
                    };
                    order.add(game, claim.at(begin, end));
                }
                if won {
                    self.scores.won(game, rank.rank, record.item);
                }
            }
        }
        let longest = self.ranks.iter().map(|rank| rank.game.useful_ns).max();
        add(&mut self.critical_ns, longest.unwrap_or(0));
    }

    fn collective_game(&mut self, game: u32) {
        // What ranks thought whose records end before the allreduce that was to follow.
        let mut cut_off_ns = 0;
        loop {
            self.arrivals.clear();
            self.operations.clear();
            for rank in &mut self.ranks {
                let useful_before_ns = rank.game.useful_ns;
                let Some(record) = rank.next_operation(game) else {
                    cut_off_ns = rank.take_useful_ns(useful_before_ns).max(cut_off_ns);
                    continue;
                };
                let (enter, exit) = (
                    rank.reading.moment(record.begin_ns),
                    rank.reading.moment(record.end_ns),
                );
                self.arrivals.push(Arrival {
                    rank: rank.rank,
                    think_ns: rank.take_useful_ns(useful_before_ns),
                    enter_ns: enter.ns,
                    exit_ns: exit.ns,
                    error_ns: enter.error_ns,
                });
                self.operations.push(record);
            }
            if self.arrivals.is_empty() {
                add(&mut self.rounds.critical_think_ns, cut_off_ns);
                return;
            }
            // Where a rank's records are missing, it is not known when it came: those of the others
            // count, and what they waited for it looks like the operation itself.
            let waited = self.rounds.add(&self.arrivals);
            for ((arrival, record), &wait_ns) in
                self.arrivals.iter().zip(&self.operations).zip(waited)
            {
                self.ranks[arrival.rank as usize].count(record, wait_ns);
                self.latency.add(record.duration_ns());
                if record.outcome == Outcome::Won {
                    self.scores.won(game, arrival.rank, record.item);
                }
            }
        }
    }

    fn end_game(&mut self, game: u32) {
        let wall_ns = self.ranks.iter().map(|rank| rank.game.play_ns()).max();
        let complete_ns = self.ranks.iter().map(|rank| rank.game.last_win_ns()).max();
        add(&mut self.wall_ns, wall_ns.unwrap_or(0));
        add(&mut self.complete_ns, complete_ns.unwrap_or(0));
        let complete = self.ranks.iter().all(|rank| rank.game.finished.is_some());
        self.complete_games += u64::from(complete);
        if complete && self.run.version == Version::Collective {
            self.check_lockstep(game);
        }
        for rank in &mut self.ranks {
            let number = rank.rank;
            let ended = rank.end_game(wall_ns.unwrap_or(0));
            if !ended.counts_agree() && self.miscounted.is_none() {
                let (guesses, points) = ended.finished.unwrap_or_default();
                self.miscounted = Some(format!(
                    "in game {game} rank {number} counted {guesses} guesses and {points} points, and \
                     its records have {} and {}: the trace is wrong",
                    ended.guesses, ended.points
                ));
            }
        }
        if let Some(order) = &mut self.order {
            order.end_game(game, complete);
        }
    }

    fn check_lockstep(&mut self, game: u32) {
        let steps_of =
            |rank: &Rank<S>| (rank.game.guesses + rank.game.points, rank.game.operations);
        let first = steps_of(&self.ranks[0]);
        let deviates = |rank: &&Rank<S>| steps_of(rank) != (first.0, first.0);
        if let (None, Some(rank)) = (&self.deviation, self.ranks.iter().find(deviates)) {
            let (steps, rounds) = steps_of(rank);
            self.deviation = Some(format!(
                "in game {game} rank {} has guesses + points {steps} in {rounds} allreduces, rank 0 \
                 has {} in {}",
                rank.rank, first.0, first.1
            ));
        }
    }

    fn findings(self, stalls: Option<StallCheck<S>>) -> Findings {
        let run = self.run;
        let collective = run.version == Version::Collective;
        let ends: Vec<End> = self.ranks.iter().map(Rank::end).collect();
        let notes = self.notes(&ends);
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
        let lockstep = collective.then(|| {
            let mut steps = self
                .ranks
                .iter()
                .map(|rank| rank.sums.guesses + rank.sums.points);
            let first = steps.next().unwrap_or(0);
            let holds = self.deviation.is_none() && self.complete_games > 0;
            Lockstep {
                holds,
                steps: (holds && steps.all(|steps| steps == first)).then_some(first),
                deviation: self.deviation.clone(),
            }
        });
        let useful = self.ranks.iter().map(|rank| rank.sums.useful_ns);
        Findings {
            label: run.version.name().into(),
            path: String::new(),
            source: Source::Trace,
            setup: setup(run),
            efficiency: efficiency(useful, critical_ns, self.wall_ns),
            per_rank: self.per_rank(&ends),
            wall_ns: Some(self.wall_ns),
            complete_ns: Some(self.complete_ns),
            double_scores: Some(self.scores.n_doubles),
            double_scored: self.scores.doubles,
            lockstep,
            rounds: collective.then_some(self.rounds.n_rounds),
            stalls: stalls.map(StallCheck::into_stalls),
            latency: self.latency.latency(),
            order: self.order.map(OrderCheck::into_order),
            recorded: Some(recorded),
            notes,
        }
    }

    fn per_rank(&self, ends: &[End]) -> Vec<RankFindings> {
        let collective = self.run.version == Version::Collective;
        let there = |rank: &&Rank<S>| rank.n_taken > 0 || ends[rank.rank as usize].is_complete();
        let findings = |rank: &Rank<S>| {
            let (index, sums) = (rank.rank as usize, rank.sums);
            let n_ranks = self.ranks.len();
            let waited_for = self
                .rounds
                .waited_for
                .get(index * n_ranks..(index + 1) * n_ranks);
            let most = waited_for.filter(|_| collective).and_then(|row| {
                let most = (0..).zip(row.iter().copied()).max_by_key(|&(_, ns)| ns)?;
                (most.1 > 0).then_some(most)
            });
            RankFindings {
                rank: rank.rank,
                host: self.run.hosts.get(index).cloned(),
                guesses: sums.guesses,
                points: sums.points,
                operations: Some(sums.operations),
                useful_ns: Some(sums.useful_ns),
                wait_ns: Some(sums.wait_ns),
                operation_ns: Some(sums.operation_ns),
                in_operations_ns: Some(sums.wait_ns + sums.operation_ns),
                tracer_ns: Some(sums.tracer_ns),
                idle_ns: Some(sums.idle_ns),
                play_ns: Some(sums.play_ns),
                allreduce_wait: collective.then(|| self.rounds.waits[index]),
                blame: collective.then(|| self.rounds.blame[index]),
                waited_most_for: most,
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
        for (rank, end) in incomplete.clone().take(MAX_KEPT) {
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
        if n_incomplete > MAX_KEPT {
            notes.push(format!("{} more ranks end early", n_incomplete - MAX_KEPT));
        }
        if self.complete_games < self.run.games {
            notes.push(format!(
                "{} of {} games are complete; the findings cover what was recorded, and waiting for a \
                 rank without records looks like the operation itself",
                self.complete_games, self.run.games
            ));
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
        ranks: run.ranks,
        hosts: Some(run.n_hosts() as u32),
        digits: Some(run.digits),
        games: Some(run.games),
        seed: Some(run.seed),
        think: Some(run.think.clone()),
        mpi_library: Some(run.mpi_library.clone()),
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
    (longest > 0.0 && wall > 0.0).then(|| Efficiency {
        load_balance: mean / longest,
        serialisation: longest / critical,
        transfer: critical / wall,
        parallel: mean / wall,
        price_of_lockstep: critical / longest,
    })
}
