//! The findings of one run, for people.

use std::fmt::Write;

use super::seconds;
use super::table::{Table, UNKNOWN};
use crate::analysis::{Findings, Latency, RankFindings, Source};
use crate::trace::Version;

/// With more ranks than this, tables show the first and the last ones only.
const MAX_ROWS: usize = 40;

/// What was played with what, in one line.
pub(super) fn setup(run: &Findings) -> String {
    let setup = &run.setup;
    let plural = |n: u64, one: &str| format!("{n} {one}{}", if n == 1 { "" } else { "s" });
    let mut parts = Vec::new();
    match (setup.games, setup.digits) {
        (Some(games), Some(digits)) => {
            parts.push(format!("{} of digits 1 to {digits}", plural(games, "game")));
        }
        (_, Some(digits)) => parts.push(format!("digits 1 to {digits}")),
        _ => {}
    }
    let ranks = plural(u64::from(setup.ranks), "rank");
    parts.push(match setup.hosts {
        Some(hosts) => {
            let on = format!("{ranks} on {}", plural(u64::from(hosts), "host"));
            match setup.nodes {
                Some(nodes) if nodes != hosts => {
                    format!("{on} ({})", plural(u64::from(nodes), "node"))
                }
                _ => on,
            }
        }
        None => ranks,
    });
    parts.extend(
        setup
            .think
            .as_ref()
            .map(|think| format!("think time {think}")),
    );
    parts.extend(setup.claiming());
    parts.extend(setup.seed.map(|seed| format!("seed {seed}")));
    parts.extend(setup.mpi_library.clone());
    if run.source == Source::Log {
        parts.push("as printed: times are unknown".into());
    }
    format!("{} ({}): {}", run.label, run.path, parts.join(", "))
}

/// A duration, or that it is unknown.
pub(super) fn known(ns: Option<u64>) -> String {
    ns.map_or(UNKNOWN.into(), |ns| seconds(ns as f64 / 1e9))
}

/// What is known of a rank, or the least of it, where the rest is missing.
pub(super) fn least(rank: &RankFindings, known: String) -> String {
    match rank.complete || known == UNKNOWN {
        true => known,
        false => format!("≥ {known}"),
    }
}

/// A time with its error; where it is less than that, the error alone.
pub(super) fn with_error(ns: Option<u64>, error_ns: Option<u64>) -> String {
    let error_ns = error_ns.unwrap_or(0);
    match ns {
        Some(ns) if error_ns > 0 && ns <= error_ns => format!("< {}", known(Some(error_ns))),
        Some(ns) if error_ns > 0 => format!("{} ±{}", known(Some(ns)), known(Some(error_ns))),
        ns => known(ns),
    }
}

/// A row a rank: what it did, and where its time went.
pub(super) fn ranks(run: &Findings) -> Table {
    let mut table = Table::new(2);
    table.row([
        "rank",
        "host",
        "guesses",
        "points",
        "useful",
        "waiting",
        "operation",
        "tracer",
        "idle",
    ]);
    let unknown_waits = |rank: &RankFindings| match (rank.wait_ns, rank.in_operations_ns) {
        // A summary has both in one: shown where the greater part of it is.
        (None, Some(ns)) => {
            let both = format!("{} (both)", known(Some(ns)));
            (UNKNOWN.into(), least(rank, both))
        }
        _ => (
            with_error(rank.wait_ns, rank.wait_error_ns),
            with_error(rank.operation_ns, rank.wait_error_ns),
        ),
    };
    for rank in shown(&run.per_rank) {
        let Some(rank) = rank else {
            table.row(["…"]);
            continue;
        };
        let (waiting, operation) = unknown_waits(rank);
        table.numbers([
            rank.rank.to_string(),
            place(run, rank),
            least(rank, rank.guesses.to_string()),
            least(rank, rank.points.to_string()),
            least(rank, known(rank.useful_ns)),
            waiting,
            operation,
            least(rank, known(rank.tracer_ns)),
            known(rank.idle_ns),
        ]);
    }
    table
}

/// Where a rank ran: its host, and its node where hosts do not tell.
pub(super) fn place(run: &Findings, rank: &RankFindings) -> String {
    let host = rank.host.clone().unwrap_or(UNKNOWN.into());
    match rank.node {
        Some(node) if run.setup.nodes != run.setup.hosts => format!("{host} (node {node})"),
        _ => host,
    }
}

/// All ranks, or the first and last ones with a gap between.
fn shown(ranks: &[RankFindings]) -> Vec<Option<&RankFindings>> {
    if ranks.len() <= MAX_ROWS {
        return ranks.iter().map(Some).collect();
    }
    let (first, last) = (&ranks[..MAX_ROWS / 2], &ranks[ranks.len() - MAX_ROWS / 2..]);
    let gap = std::iter::once(None);
    first
        .iter()
        .map(Some)
        .chain(gap)
        .chain(last.iter().map(Some))
        .collect()
}

/// Who was waited for, and what it cost; empty where that is no question or nobody waited.
pub(super) fn blame(run: &Findings) -> String {
    if run.partial && run.setup.version == Some(Version::Collective) {
        return format!(
            "who was waited for in {}: unknown, as some of its records are missing\n",
            run.label
        );
    }
    let unattributed_ns = run.unattributed_wait_ns.unwrap_or(0);
    let attributed_ns = run.sum_ns(|rank| Some(rank.blame?.last_ns)).unwrap_or(0);
    let total_ns = attributed_ns.saturating_add(unattributed_ns);
    if total_ns == 0 {
        return String::new();
    }
    let mut table = Table::new(1);
    table.row([
        "rank",
        "last",
        "share",
        "fair",
        "saving",
        "waited",
        "clock-free",
    ]);
    for rank in shown(&run.per_rank) {
        let Some(rank) = rank else {
            table.row(["…"]);
            continue;
        };
        let blame = rank.blame.unwrap_or_default();
        let wait = rank.allreduce_wait.unwrap_or_default();
        table.row([
            rank.rank.to_string(),
            known(Some(blame.last_ns)),
            super::percent(blame.last_ns as f64 / total_ns as f64),
            known(Some(blame.fair_ns)),
            known(rank.saving_ns),
            with_error(rank.wait_ns, rank.wait_error_ns),
            known(Some(wait.clock_free_ns)),
        ]);
    }
    if unattributed_ns > 0 {
        table.row([
            "unknown".into(),
            known(Some(unattributed_ns)),
            super::percent(unattributed_ns as f64 / total_ns as f64),
        ]);
    }
    let sum = |of: fn(&RankFindings) -> u64| known(run.sum_ns(|rank| Some(of(rank))));
    table.row([
        "all".into(),
        known(Some(total_ns)),
        super::percent(1.0),
        sum(|rank| rank.blame.unwrap_or_default().fair_ns),
        String::new(),
        known(run.sum_ns(|rank| rank.wait_ns)),
        sum(|rank| rank.allreduce_wait.unwrap_or_default().clock_free_ns),
    ]);
    let error_ns = run.sum_ns(|rank| rank.wait_error_ns).filter(|&ns| ns > 0);
    let error = error_ns.map_or(String::new(), |ns| {
        format!(
            "  clocks of several hosts differ: the sums are right to ±{}\n",
            known(Some(ns))
        )
    });
    let unknown = match unattributed_ns {
        0 => "",
        _ => "  unknown: of those who came last, several came within the errors of their clocks\n",
    };
    format!(
        "who was waited for in {}: charged to the last to come, and in fair parts to all who were late; \
         saving: how much sooner the run would have ended, had that rank computed no longer than the median \
         of all\n\n{}{unknown}{error}",
        run.label,
        table.render()
    )
}

/// Whether what must hold did hold.
pub(super) fn checks(run: &Findings) -> String {
    let mut text = String::new();
    let of_version = |version| run.source == Source::Trace && run.setup.version == Some(version);
    let mut line = |name: &str, what: String| {
        let _ = writeln!(text, "  {name:<14} {what}");
    };
    if let Some(games) = &run.games {
        let shown = |ns| known(Some(ns));
        line(
            "games",
            format!(
                "{}: half within {}, 5 % within {}, 95 % within {}, shortest {}, longest {}",
                games.n,
                shown(games.p50_ns),
                shown(games.p5_ns),
                shown(games.p95_ns),
                shown(games.min_ns),
                shown(games.max_ns)
            ),
        );
    }
    if let Some(lockstep) = &run.lockstep {
        line(
            "lockstep",
            match (&lockstep.deviation, lockstep.steps, run.rounds) {
                (Some(deviation), ..) => format!("BROKEN: {deviation}"),
                (None, Some(steps), Some(rounds)) => {
                    format!("guesses + points is {steps} on every rank, in {rounds} allreduces")
                }
                (None, Some(steps), None) => format!("guesses + points is {steps} on every rank"),
                (None, None, _) => {
                    "guesses + points is the same on every rank in each complete game".into()
                }
            },
        );
    } else if of_version(Version::Collective) {
        line("lockstep", "unknown: no game is complete".into());
    }
    line(
        "double scores",
        match run.double_scores {
            None => match examples(run, 0) {
                examples if examples.is_empty() => "unknown".into(),
                examples => format!("not all known{examples}"),
            },
            Some(0) => "none: no digit was scored twice".into(),
            Some(n) => format!("{n}{}", examples(run, n)),
        },
    );
    if let Some(order) = &run.order {
        line(
            "claim order",
            match order.known_violations() {
                Some(0) => format!(
                    "{} claims fit into one order, and that into real time",
                    order.n_claims
                ),
                Some(n) => format!("BROKEN: {n} violations in {} claims", order.n_claims),
                None => format!(
                    "unknown: {} claims fit into one order, and others are not recorded",
                    order.n_claims
                ),
            },
        );
        for violation in &order.violations {
            line("", format!("game {}: {}", violation.game, violation.what));
            for claim in &violation.claims {
                line(
                    "",
                    format!(
                        "  rank {} record {}: digit {} {}, saw {:#x}, {} to {} ns",
                        claim.rank,
                        claim.record,
                        claim.digit,
                        if claim.won { "won" } else { "lost" },
                        claim.word,
                        claim.begin_ns,
                        claim.end_ns
                    ),
                );
            }
        }
    }
    if run.partial && of_version(Version::Rma) {
        if run.order.is_none() {
            line("claim order", "unknown: some records are missing".into());
        }
        line("progress", "unknown: some records are missing".into());
    }
    if let Some(stalls) = &run.stalls {
        line(
            "progress",
            match (stalls.n_home_away, stalls.n_stalled) {
                (0, _) => "no operation met the home rank outside MPI".into(),
                (away, 0) => {
                    format!("{away} operations met the home rank outside MPI, and none waited")
                }
                (away, stalled) => format!(
                    "{stalled} of {away} operations that met the home rank outside MPI waited for it to \
                     come back: {} in all, {} at most",
                    with_error(Some(stalls.stall_ns), Some(stalls.error_ns)),
                    known(Some(stalls.max_ns))
                ),
            },
        );
        if let Some(latency) = stalls.latency {
            line("", format!("these: {}", percentiles(&latency)));
        }
    }
    if let Some(progress) = &run.setup.progress {
        line("", progress.clone());
    }
    if let Some(latency) = run.latency {
        let what = match run.setup.version {
            Some(Version::Collective) => "allreduces",
            _ => "claims",
        };
        line(what, percentiles(&latency));
    }
    if let Some(by_node) = run.latency_by_node {
        let parts = [
            ("from the home rank's node", by_node.same),
            ("from other nodes", by_node.other),
        ];
        for (whence, latency) in parts {
            if let Some(latency) = latency {
                line("", format!("{whence}: {}", percentiles(&latency)));
            }
        }
    }
    if let Some(recorded) = &run.recorded {
        let clocks = match (recorded.clocks, recorded.clock_violations) {
            (1, 0) => "one clock".into(),
            (1, n) => format!("one clock, {n} violations of it"),
            (clocks, 0) => format!("{clocks} clocks, nothing impossible by them"),
            (clocks, n) => format!("{clocks} clocks, {n} times something impossible by them"),
        };
        line(
            "recording",
            format!(
                "{} records of {:.0} ns, {} dropped, {clocks}",
                recorded.records, recorded.record_cost_ns, recorded.dropped
            ),
        );
    }
    text
}

/// How many operations there were, and how long they took.
fn percentiles(latency: &Latency) -> String {
    format!(
        "{}: half within {}, 90 % within {}, 99 % within {}, longest {}",
        latency.n,
        known(Some(latency.p50_ns)),
        known(Some(latency.p90_ns)),
        known(Some(latency.p99_ns)),
        known(Some(latency.max_ns))
    )
}

/// The first double scores by name.
fn examples(run: &Findings, n: u64) -> String {
    const MAX_EXAMPLES: usize = 4;
    let several_games = run.setup.games.is_some_and(|games| games > 1);
    let named = run.double_scored.iter().take(MAX_EXAMPLES).map(|double| {
        let game = match several_games {
            true => format!(" in game {}", double.game),
            false => String::new(),
        };
        let ranks = double.ranks.iter().take(MAX_EXAMPLES).map(u32::to_string);
        let ranks: Vec<String> = ranks.collect();
        let others = match double.ranks.len() - ranks.len() {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        format!(
            "digit {}{game} by ranks {}{others}",
            double.digit,
            ranks.join(", ")
        )
    });
    let named: Vec<String> = named.collect();
    let more = match (n as usize).saturating_sub(named.len()) {
        more if more > 0 && run.double_scored.len() > named.len() => "; …",
        _ => "",
    };
    match named.is_empty() {
        true => String::new(),
        false => format!(": {}{more}", named.join("; ")),
    }
}
