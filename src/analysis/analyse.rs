//! From records to findings, as a stream: memory grows with ranks and digits, and not with records.

use super::add;
use super::findings::Findings;
use super::games::Games;
use super::latency::Histogram;
use super::order::{ClaimSetup, OrderCheck, Witness};
use super::rank::{Rank, Stream};
use super::replay::Replay;
use super::rounds::{Arrival, Rounds};
use super::scores::Scores;
use super::stalls::StallCheck;
use super::watch::{Seen, Watch};
use crate::trace::{Outcome, Record, RunInfo, Trace, Version};

/// Analyses a run's folder.
///
/// # Errors
/// Why it is no run of which anything can be said, in one line for the user.
pub fn analyse_trace(folder: &std::path::Path) -> Result<Findings, String> {
    let trace = Trace::open(folder)?;
    Ok(watch_trace(&trace, folder, &mut ()))
}

/// Analyses a run that was opened from `folder`, and shows `watch` its records.
pub fn watch_trace<W: Watch>(trace: &Trace, folder: &std::path::Path, watch: &mut W) -> Findings {
    let mut findings = analyse_watched(&trace.run, |rank| trace.records(rank), watch);
    findings.path = folder.display().to_string();
    findings
}

/// Analyses a run whose records come from `records`, called twice for each rank, and for each home rank twice
/// more for each other rank.
pub fn analyse<S: Stream>(run: &RunInfo, records: impl Fn(u32) -> S) -> Findings {
    analyse_watched(run, records, &mut ())
}

/// [`analyse`], while `watch` looks on.
pub fn analyse_watched<S: Stream, W: Watch>(
    run: &RunInfo,
    records: impl Fn(u32) -> S,
    watch: &mut W,
) -> Findings {
    let cost_ns = run.tracer.record_ns.round() as u64;
    let rank = |rank| Rank::new(rank, run.clocks.reading_of(rank), records(rank), cost_ns);
    let ranks: Vec<Rank<S>> = (0..run.ranks).map(rank).collect();
    let mut analysis = Analysis::new(run, ranks);
    let mut stalls = None;
    match run.version {
        Version::Rma => stalls = StallCheck::new(run, &records),
        Version::Collective => analysis.replay = Some(Replay::of(run, &records, cost_ns)),
    }
    let first = analysis.ranks.iter().filter_map(Rank::next_begin_ns).min();
    watch.begin(first.unwrap_or(0));
    while let Some(game) = analysis.next_game() {
        match run.version {
            Version::Rma => analysis.one_sided_game(game, stalls.as_mut(), watch),
            Version::Collective => analysis.collective_game(game, watch),
        }
        analysis.end_game(game);
    }
    watch.end(&analysis.rounds.waited_for);
    analysis.findings(stalls)
}

/// The analysis of a run, as far as its records have come.
pub(super) struct Analysis<'run, S> {
    pub(super) run: &'run RunInfo,
    pub(super) ranks: Vec<Rank<S>>,
    pub(super) rounds: Rounds,
    /// Of a collective run.
    pub(super) replay: Option<Replay>,
    pub(super) order: Option<OrderCheck>,
    /// One-sided: ranks in the order in which their claims are checked.
    sequence: Vec<u32>,
    pub(super) latency: Histogram,
    /// Of one-sided operations on several nodes: from the home rank's node and from others.
    pub(super) by_node: Option<[Histogram; 2]>,
    pub(super) scores: Scores,
    /// Σ over games or rounds of the longest useful time in it.
    pub(super) critical_ns: u64,
    pub(super) wall_ns: u64,
    pub(super) complete_ns: u64,
    pub(super) complete_games: u64,
    /// Times of the complete games.
    pub(super) games: Games,
    pub(super) deviation: Option<String>,
    pub(super) miscounted: Option<String>,
    /// Scratch.
    arrivals: Vec<Arrival>,
    operations: Vec<Record>,
}

impl<'run, S: Stream> Analysis<'run, S> {
    fn new(run: &'run RunInfo, ranks: Vec<Rank<S>>) -> Self {
        let one_sided = run.version == Version::Rma;
        let order = one_sided.then(|| OrderCheck::new(ClaimSetup::of(run)));
        Analysis {
            run,
            sequence: order.as_ref().map_or_else(Vec::new, OrderCheck::ranks),
            rounds: Rounds::new(ranks.len()),
            replay: None,
            ranks,
            order,
            latency: Histogram::default(),
            by_node: (one_sided && run.n_nodes() > 1).then(Default::default),
            scores: Scores::new(run.digits),
            critical_ns: 0,
            wall_ns: 0,
            complete_ns: 0,
            complete_games: 0,
            games: Games::default(),
            deviation: None,
            miscounted: None,
            arrivals: Vec::new(),
            operations: Vec::new(),
        }
    }

    fn next_game(&self) -> Option<u32> {
        self.ranks.iter().filter_map(Rank::next_game).min()
    }

    fn one_sided_game<W: Watch>(
        &mut self,
        game: u32,
        mut stalls: Option<&mut StallCheck<S>>,
        watch: &mut W,
    ) {
        for position in 0..self.sequence.len() {
            let index = self.sequence[position] as usize;
            while let Some(record) = self.ranks[index].next_operation(game, watch) {
                let rank = &mut self.ranks[index];
                let (begin, end) = (
                    rank.reading.moment(record.begin_ns),
                    rank.reading.moment(record.end_ns),
                );
                let claim = Witness {
                    rank: rank.rank,
                    record: rank.n_taken - 1,
                    digit: record.item,
                    begin_ns: 0,
                    end_ns: 0,
                    error_ns: 0,
                    word: record.word,
                    won: record.outcome == Outcome::Won,
                };
                if record.outcome == Outcome::Skipped {
                    rank.count(&record, Seen::default(), watch);
                    if let Some(order) = &mut self.order {
                        order.skip(game, claim.at(begin, end));
                    }
                    continue;
                }
                let home = self.run.target_of(&record);
                let stall_ns = stalls.as_mut().map_or(0, |stalls| {
                    stalls.stall_ns(self.run, rank.rank, home, (begin, end))
                });
                let seen = Seen {
                    wait_ns: stall_ns,
                    waited_for: (stall_ns > 0).then_some(home),
                    claimed: claim.won && self.scores.won(game, rank.rank, record.item),
                };
                rank.count(&record, seen, watch);
                if record.outcome == Outcome::Announced {
                    continue; // an entry in a ledger is no claim
                }
                self.latency.add(record.duration_ns());
                if let Some(by_node) = self.by_node.as_mut().filter(|_| rank.rank != home) {
                    let is_remote = !self.run.share_a_node(rank.rank, home);
                    by_node[usize::from(is_remote)].add(record.duration_ns());
                }
                if let Some(order) = &mut self.order {
                    order.add(game, claim.at(begin, end));
                }
            }
        }
        let longest = self.ranks.iter().map(|rank| rank.game.useful_ns).max();
        add(&mut self.critical_ns, longest.unwrap_or(0));
    }

    fn collective_game<W: Watch>(&mut self, game: u32, watch: &mut W) {
        // What ranks thought whose records end before the allreduce that was to follow.
        let mut cut_off_ns = 0;
        loop {
            self.arrivals.clear();
            self.operations.clear();
            for rank in &mut self.ranks {
                let useful_before_ns = rank.game.useful_ns;
                let Some(record) = rank.next_operation(game, watch) else {
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
                    clock: self.run.clocks.clock_of(rank.rank),
                });
                self.operations.push(record);
            }
            if self.arrivals.is_empty() {
                add(&mut self.rounds.critical_think_ns, cut_off_ns);
                return;
            }
            // Where a rank's records are missing, it is not known when it came, nor whether it came last:
            // what the others waited for each other is the least that they waited.
            let last = self.rounds.last_to_come(&self.arrivals);
            let last = last.map(|last| last.rank);
            if let Some(replay) = &mut self.replay {
                replay.round(&self.arrivals);
            }
            let waited = self.rounds.add(&self.arrivals);
            for ((arrival, record), &wait_ns) in
                self.arrivals.iter().zip(&self.operations).zip(waited)
            {
                let seen = Seen {
                    wait_ns,
                    waited_for: last,
                    claimed: record.outcome == Outcome::Won
                        && self.scores.won(game, arrival.rank, record.item),
                };
                self.ranks[arrival.rank as usize].count(record, seen, watch);
                self.latency.add(record.duration_ns());
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
        if complete {
            self.games.add(wall_ns.unwrap_or(0));
        }
        if complete && self.run.version == Version::Collective {
            self.check_lockstep(game);
        }
        let mut all_there = complete;
        for rank in &mut self.ranks {
            let number = rank.rank;
            let ended = rank.end_game(wall_ns.unwrap_or(0));
            all_there &= ended.counts_agree();
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
            order.end_game(game, all_there);
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
}
