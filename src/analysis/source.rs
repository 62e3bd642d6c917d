//! Reading a run, whatever it was kept as.

use std::collections::BTreeSet;
use std::path::Path;

use super::analyse::watch_trace;
use super::findings::{DoubleScore, Findings, Lockstep, RankFindings, Setup, Source};
use super::log::GameLog;
use super::summary::RunSummary;
use super::watch::Watch;
use crate::trace::{ProgressInfo, RunInfo, Trace, Version, read_up_to, text_of};

/// Largest document or log that is read.
const MAX_FILE_BYTES: u64 = 1 << 28;

/// Reads a run: a folder of `onesided play --trace`, a document of `onesided play --format json`, or
/// what the original program printed.
///
/// # Errors
/// Why nothing can be said of it, in one line for the user.
pub fn read_run(path: &Path) -> Result<Findings, String> {
    let (findings, _) = read_run_watched(path, |_| ())?;
    Ok(findings)
}

/// [`read_run`], while what `watch` makes for the run looks on. It is `None` where a run has no records.
///
/// # Errors
/// As [`read_run`].
pub fn read_run_watched<W: Watch>(
    path: &Path,
    watch: impl FnOnce(&RunInfo) -> W,
) -> Result<(Findings, Option<W>), String> {
    // Reasons quote what they are about, whatever is in it.
    let in_one_line = |why: String| why.replace(char::is_control, " ");
    if !path.is_dir() {
        return Ok((read_file(path).map_err(in_one_line)?, None));
    }
    let trace = Trace::open(path).map_err(in_one_line)?;
    let mut watch = watch(&trace.run);
    let findings = watch_trace(&trace, path, &mut watch);
    Ok((findings, Some(watch)))
}

fn read_file(path: &Path) -> Result<Findings, String> {
    let bytes = read_up_to(MAX_FILE_BYTES, path).map_err(|error| error.to_string())?;
    let text = text_of(&bytes)?;
    let mut findings = match text.trim_start().starts_with('{') {
        true => of_summary(&RunSummary::from_json(&text)?),
        false => of_log(&GameLog::read(&text).map_err(|error| {
            format!("neither a folder, nor a JSON document, nor a log of the game: {error}")
        })?),
    };
    findings.path = path.display().to_string();
    Ok(findings)
}

pub fn of_summary(run: &RunSummary) -> Findings {
    let ns = |seconds: f64| (seconds * 1e9).round() as u64;
    let wall_ns = ns(run.wall_s);
    let per_rank = run.per_rank.iter().map(|rank| RankFindings {
        rank: rank.rank,
        host: Some(rank.host.clone()),
        node: rank.node,
        guesses: rank.guesses,
        points: rank.points,
        // The dead have told what they did until then.
        complete: !run.dead_ranks.contains(&rank.rank),
        operations: Some(rank.operations),
        useful_ns: Some(ns(rank.think_s)),
        wait_ns: None,
        wait_error_ns: None,
        operation_ns: None,
        in_operations_ns: Some(ns(rank.operation_s)),
        tracer_ns: None,
        idle_ns: Some(wall_ns.saturating_sub(ns(rank.play_s))),
        play_ns: Some(ns(rank.play_s)),
        allreduce_wait: None,
        blame: None,
        waited_most_for: None,
        saving_ns: None,
    });
    let mut hosts: Vec<&str> = run.per_rank.iter().map(|rank| rank.host.as_str()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    Findings {
        label: run.version.name().into(),
        source: Source::Summary,
        setup: Setup {
            version: Some(run.version),
            claim_with: run.claim_with.clone(),
            guess: run.guess.clone(),
            skip_known: run.skip_known,
            spread: run.spread,
            ranks: run.ranks,
            hosts: Some(hosts.len() as u32),
            digits: Some(run.digits),
            games: Some(run.games),
            seed: Some(run.seed),
            think: Some(run.think.clone()),
            mpi_library: Some(run.mpi_library.clone()),
            progress: run.progress.as_ref().map(ProgressInfo::in_words),
            nodes: n_nodes(run),
        },
        per_rank: per_rank.collect(),
        wall_ns: Some(wall_ns),
        complete_ns: Some(ns(run.time_to_complete_s)),
        games: run.game_s.map(|games| games.times(run.games)),
        double_scores: Some(run.double_scores),
        lockstep: (run.version == Version::Collective).then(|| lockstep_of(run)),
        rounds: run.rounds,
        ..nothing(Source::Summary)
    }
}

/// What a log tells of a run: no times.
pub fn of_log(log: &GameLog) -> Findings {
    let per_rank = log.ranks.iter().map(|rank| RankFindings {
        rank: rank.rank,
        host: None,
        node: None,
        guesses: rank.guesses,
        points: rank.points,
        complete: rank.finished,
        operations: None,
        useful_ns: None,
        wait_ns: None,
        wait_error_ns: None,
        operation_ns: None,
        in_operations_ns: None,
        tracer_ns: None,
        idle_ns: None,
        play_ns: None,
        allreduce_wait: None,
        blame: None,
        waited_most_for: None,
        saving_ns: None,
    });
    let finished = log.ranks.len() == log.n_ranks as usize && log.ranks.iter().all(|r| r.finished);
    let deviation = log.out_of_step.first().map(|rank| {
        format!("rank {rank} has other guesses + points than most ranks: this was no lockstep")
    });
    let lockstep = (finished || deviation.is_some()).then_some(Lockstep {
        holds: log.lockstep_steps.is_some(),
        steps: log.lockstep_steps,
        deviation,
    });
    let double_scored = log.double_scored.iter().map(|(&digit, ranks)| DoubleScore {
        game: 0,
        digit: u32::try_from(digit).unwrap_or(u32::MAX),
        ranks: ranks.clone(),
    });
    let mut findings = Findings {
        per_rank: per_rank.collect(),
        partial: !finished,
        double_scores: log.double_scores,
        double_scored: double_scored.collect(),
        lockstep,
        notes: log.notes.clone(),
        ..nothing(Source::Log)
    };
    findings.label = "log".into();
    findings.setup.ranks = log.n_ranks;
    findings.setup.digits = u32::try_from(log.digits).ok();
    findings.setup.games = Some(1);
    findings
}

/// Findings of which nothing is known yet.
fn nothing(source: Source) -> Findings {
    Findings {
        label: String::new(),
        path: String::new(),
        source,
        partial: false,
        setup: Setup {
            version: None,
            claim_with: None,
            guess: None,
            skip_known: false,
            spread: false,
            ranks: 0,
            hosts: None,
            digits: None,
            games: None,
            seed: None,
            think: None,
            mpi_library: None,
            progress: None,
            nodes: None,
        },
        per_rank: Vec::new(),
        wall_ns: None,
        complete_ns: None,
        games: None,
        double_scores: None,
        double_scored: Vec::new(),
        lockstep: None,
        rounds: None,
        unattributed_wait_ns: None,
        efficiency: None,
        stalls: None,
        latency: None,
        latency_by_node: None,
        order: None,
        recorded: None,
        notes: Vec::new(),
    }
}

/// How many nodes there were, where every rank says which was its own.
fn n_nodes(run: &RunSummary) -> Option<u32> {
    let nodes: Option<BTreeSet<u32>> = run.per_rank.iter().map(|rank| rank.node).collect();
    Some(nodes?.len() as u32)
}

fn lockstep_of(run: &RunSummary) -> Lockstep {
    let steps = |index: usize| {
        let rank = &run.per_rank[index];
        rank.guesses.saturating_add(rank.points)
    };
    let first = steps(0);
    let deviating = (1..run.per_rank.len()).find(|&index| steps(index) != first);
    let deviation = deviating.map(|rank| {
        format!(
            "rank {rank} has guesses + points {}, rank 0 has {first}",
            steps(rank)
        )
    });
    Lockstep {
        holds: deviation.is_none(),
        steps: deviation.is_none().then_some(first),
        deviation,
    }
}
