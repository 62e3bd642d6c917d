//! The verdict on runs, in one sentence with their numbers.

use super::{p_in_words, percent, seconds, times};
use crate::analysis::{Extremes, Findings, Group, Source, metric};
use crate::trace::Version;

/// The verdict on one run, or on two: the slower against the faster.
pub fn verdict(runs: &[Findings]) -> String {
    match runs {
        [run] => of_one(run),
        [a, b] => of_two(a, b),
        _ => String::new(),
    }
}

fn of_one(run: &Findings) -> String {
    let label = &run.label;
    match (run.wall_ns, reason(run)) {
        (Some(wall_ns), Some(why)) => format!("{label} took {}: {why}", seconds(s(wall_ns))),
        (Some(wall_ns), None) => format!("{label} took {}", seconds(s(wall_ns))),
        (None, _) => counts(run),
    }
}

fn of_two(a: &Findings, b: &Findings) -> String {
    let (Some(a_ns), Some(b_ns)) = (a.wall_ns, b.wall_ns) else {
        return format!("{}; {}", of_one(a), of_one(b));
    };
    let ((slow, slow_ns), (fast, fast_ns)) = match a_ns >= b_ns {
        true => ((a, a_ns), (b, b_ns)),
        false => ((b, b_ns), (a, a_ns)),
    };
    let times_longer = match slow_ns as f64 / fast_ns as f64 {
        ratio if ratio.is_finite() => format!(", {} long", times(ratio)),
        _ => String::new(),
    };
    let why = reason(slow).map_or(String::new(), |why| format!(": {why}"));
    format!(
        "{} took {} where {} took {}{times_longer}{why}",
        slow.label,
        seconds(s(slow_ns)),
        fast.label,
        seconds(s(fast_ns)),
    )
}

/// Where the time of a run went, and because of whom.
fn reason(run: &Findings) -> Option<String> {
    let Some(waited) = run.waited_longest() else {
        return without_waits(run);
    };
    let play_ns = waited.play_ns.filter(|&ns| ns > 0)?;
    let wait_ns = waited.wait_ns?;
    let share = percent(wait_ns as f64 / play_ns as f64);
    let rank = waited.rank;
    if run.setup.version == Some(Version::Rma) {
        let share_of_all = metric("wait_share")?.of(run)?;
        if share_of_all < SPEAKS_OF {
            return without_waits(run);
        }
        let share_of_all = percent(share_of_all);
        return Some(format!(
            "{share_of_all} of all ranks' time went into waiting for the home rank to come back into \
             MPI, most of it rank {rank}'s ({share} of its time)"
        ));
    }
    let whom = match waited.waited_most_for {
        Some((whom, ns)) => format!(
            ", {} of it for rank {whom}",
            percent(ns as f64 / wait_ns as f64)
        ),
        None => {
            let most = run
                .per_rank
                .iter()
                .filter_map(|rank| Some((rank.rank, rank.blame?.last_ns)));
            let (whom, ns) = most.max_by_key(|&(_, ns)| ns)?;
            let all_ns = run.sum_ns(|rank| rank.wait_ns)?;
            format!(
                "; {} of all waiting was for rank {whom}",
                percent(ns as f64 / all_ns as f64)
            )
        }
    };
    Some(format!(
        "{share} of rank {rank}'s time went into waiting{whom}"
    ))
}

/// Waiting of a smaller share of all time is nothing to speak of in a verdict.
const SPEAKS_OF: f64 = 0.01;

/// Where waiting is not known: time in operations. And where there was none: that.
fn without_waits(run: &Findings) -> Option<String> {
    if run.source == Source::Trace {
        let useful = percent(run.efficiency?.parallel);
        return Some(format!(
            "{useful} of all ranks' time was thinking, next to none waiting"
        ));
    }
    let share = |rank: &crate::analysis::RankFindings| {
        let play_ns = rank.play_ns.filter(|&ns| ns > 0)?;
        Some((rank.rank, rank.in_operations_ns? as f64 / play_ns as f64))
    };
    let most = run.per_rank.iter().filter_map(share);
    let (rank, share) = most.max_by(|a, b| a.1.total_cmp(&b.1))?;
    let operations = match run.setup.version {
        Some(Version::Collective) => "allreduces",
        _ => "operations",
    };
    Some(format!(
        "rank {rank} spent {} of its time in {operations}",
        percent(share)
    ))
}

/// What can be said of a run whose times are unknown.
fn counts(run: &Findings) -> String {
    let mut text = format!("{} took an unknown time", run.label);
    if run.partial && run.source == Source::Trace {
        text += ", as some of its records are missing";
    }
    if let Some(steps) = run.lockstep.as_ref().and_then(|lockstep| lockstep.steps) {
        text += &format!(": guesses + points is {steps} on every rank, so it ran in lockstep");
    }
    if let Some(doubles) = run.double_scores.filter(|&n| n > 0) {
        text += &format!(", with {doubles} double scores");
    }
    text
}

/// The verdict on repeated runs.
pub fn verdict_on_groups(groups: &[Group]) -> String {
    let wall = |group: &Group| group.spread(metric("wall_s")?).map(|spread| spread.median);
    let name = |group: &Group| format!("{} (median of {})", group.name, group.runs.len());
    let one = |group: &Group| match wall(group) {
        Some(wall_s) => format!("{} took {}", name(group), seconds(wall_s)),
        None => format!("{} took an unknown time", name(group)),
    };
    let [a, b] = groups else {
        return groups.iter().map(one).collect::<Vec<_>>().join("; ");
    };
    let (Some(a_s), Some(b_s)) = (wall(a), wall(b)) else {
        return format!("{}; {}", one(a), one(b));
    };
    let samples = metric("wall_s").and_then(|wall| a.sample(wall).zip(b.sample(wall)));
    let test = samples.and_then(|(a, b)| crate::analysis::rank_test(&a, &b));
    let (slow, slow_s, fast, fast_s) = match a_s >= b_s {
        true => (a, a_s, b, b_s),
        false => (b, b_s, a, a_s),
    };
    let certainty = match test {
        Some(test) if test.is_significant() => p_in_words(test.p),
        Some(test) if test.is_testable() => format!("~ not significant, {}", p_in_words(test.p)),
        Some(test) => format!("too few runs to tell, {}", p_in_words(test.p)),
        None => "not tested".into(),
    };
    format!(
        "{} took {} where {} took {}, {} long ({certainty})",
        name(slow),
        seconds(slow_s),
        name(fast),
        seconds(fast_s),
        times(slow_s / fast_s)
    )
}

/// What lockstep does to fast ranks, with the numbers of a one-sided and a collective run.
pub fn explanation(a: &Findings, b: &Findings) -> Option<String> {
    let extremes = Extremes::new(a, b)?;
    let collective = match a.setup.version {
        Some(Version::Collective) => a,
        _ => b,
    };
    let Extremes { fast, slow, .. } = extremes;
    let steps = collective
        .lockstep
        .as_ref()
        .and_then(|lockstep| lockstep.steps);
    let same = steps.map_or(String::new(), |steps| {
        format!(", and guesses + points is {steps} on every rank")
    });
    Some(format!(
        "In lockstep the fast rank {fast} got {} to the slow rank {slow}'s {}, because nobody leaves an \
         allreduce before everybody has entered it: rank {fast} spent {} of its time there{same}. \
         One-sided, rank {fast} got {} to rank {slow}'s {}.",
        guesses(extremes.guesses_collective.0),
        extremes.guesses_collective.1,
        percent(extremes.fast_share_in_allreduce),
        guesses(extremes.guesses_one_sided.0),
        extremes.guesses_one_sided.1,
    ))
}

fn guesses(n: u64) -> String {
    format!("{n} {}", if n == 1 { "guess" } else { "guesses" })
}

fn s(ns: u64) -> f64 {
    ns as f64 / 1e9
}
