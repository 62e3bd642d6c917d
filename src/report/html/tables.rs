//! The tables of the page: under every chart its numbers.

use maud::{Markup, html};

use super::super::run::{known, least, place, with_error};
use super::super::{percent, seconds, signed_seconds, significant};
use super::bars::{PARTS, parts_of};
use super::lanes::{Lanes, What};
use crate::analysis::{Efficiency, Findings, RankFindings, Waterfall};

/// A table of ranks has at most so many rows: first and last ones.
const MAX_ROWS: usize = 2_000;

/// The table of claimed digits has about so many rows.
const CLAIM_ROWS: usize = 100;

fn table(head: &[&str], rows: &[Vec<String>]) -> Markup {
    html! {
        table {
            thead { tr { @for cell in head { th scope="col" { (cell) } } } }
            tbody {
                @for row in rows {
                    tr {
                        @for (column, cell) in row.iter().enumerate() {
                            @if column == 0 { th scope="row" { (cell) } } @else { td { (cell) } }
                        }
                    }
                }
            }
        }
    }
}

/// A table that is folded up until somebody wants it.
pub(super) fn folded(summary: &str, content: Markup) -> Markup {
    html! {
        details { summary { (summary) } div.scroll { (content) } }
    }
}

/// Where the time went, mean over ranks.
pub(super) fn waterfall(runs: &[Findings]) -> Markup {
    let mut head = vec![""];
    head.extend(runs.iter().map(|run| run.label.as_str()));
    let waterfall = match runs {
        [a, b] => Waterfall::new(a, b),
        _ => None,
    };
    if waterfall.is_some() {
        head.push("difference");
    }
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (part, (name, _)) in PARTS.iter().enumerate() {
        let mean = |run: &Findings| run.mean_ns(|rank| parts_of(rank)[part]);
        let mut row = vec![(*name).to_owned()];
        row.extend(
            runs.iter()
                .map(|run| mean(run).map_or("?".into(), |ns| seconds(ns / 1e9))),
        );
        if let Some(waterfall) = &waterfall {
            let (a_s, b_s) = waterfall.mean_s(waterfall.parts[part].sum_ns);
            row.push(signed_seconds(b_s - a_s));
        }
        rows.push(row);
    }
    let mut took = vec!["took".to_owned()];
    took.extend(runs.iter().map(|run| known(run.wall_ns)));
    let mut complete = vec!["all digits claimed after".to_owned()];
    complete.extend(runs.iter().map(|run| known(run.complete_ns)));
    if let Some(waterfall) = &waterfall {
        let (a_s, b_s) = waterfall.mean_s(waterfall.total_ns);
        took.push(signed_seconds(b_s - a_s));
        complete.push(String::new());
    }
    rows.extend([took, complete]);
    table(&head, &rows)
}

pub(super) fn ranks(run: &Findings) -> Markup {
    let head = [
        "rank",
        "host",
        "guesses",
        "points",
        "useful",
        "waiting",
        "operation",
        "tracer",
        "idle",
    ];
    let row = |rank: &RankFindings| {
        vec![
            rank.rank.to_string(),
            place(run, rank),
            least(rank, rank.guesses.to_string()),
            least(rank, rank.points.to_string()),
            least(rank, known(rank.useful_ns)),
            with_error(rank.wait_ns, rank.wait_error_ns),
            with_error(rank.operation_ns, rank.wait_error_ns),
            least(rank, known(rank.tracer_ns)),
            known(rank.idle_ns),
        ]
    };
    let rows = shown(&run.per_rank, row);
    html! { h4 { (run.label) } (table(&head, &rows)) }
}

fn shown(ranks: &[RankFindings], row: impl Fn(&RankFindings) -> Vec<String>) -> Vec<Vec<String>> {
    if ranks.len() <= MAX_ROWS {
        return ranks.iter().map(row).collect();
    }
    let (first, last) = (&ranks[..MAX_ROWS / 2], &ranks[ranks.len() - MAX_ROWS / 2..]);
    let mut rows: Vec<_> = first.iter().map(&row).collect();
    rows.push(vec!["…".into()]);
    rows.extend(last.iter().map(&row));
    rows
}

/// Who was waited for (collective); `None` where nothing is known of it.
pub(super) fn blame(run: &Findings) -> Option<Markup> {
    let total_ns = run
        .per_rank
        .iter()
        .filter_map(|rank| rank.blame)
        .fold(run.unattributed_wait_ns.unwrap_or(0), |sum, blame| {
            sum.saturating_add(blame.last_ns)
        });
    run.per_rank.iter().find(|rank| rank.blame.is_some())?;
    let head = ["rank", "last", "share", "fair", "saving", "waited"];
    let row = |rank: &RankFindings| {
        let blame = rank.blame.unwrap_or_default();
        vec![
            rank.rank.to_string(),
            known(Some(blame.last_ns)),
            percent(blame.last_ns as f64 / total_ns.max(1) as f64),
            known(Some(blame.fair_ns)),
            known(rank.saving_ns),
            with_error(rank.wait_ns, rank.wait_error_ns),
        ]
    };
    let mut rows = shown(&run.per_rank, row);
    if let Some(ns) = run.unattributed_wait_ns.filter(|&ns| ns > 0) {
        let share = percent(ns as f64 / total_ns as f64);
        let mut unknown = vec!["unknown".into(), known(Some(ns)), share];
        unknown.resize(head.len(), String::new());
        rows.push(unknown);
    }
    Some(table(&head, &rows))
}

/// Who waited for whom, in blocks of ranks.
pub(super) fn matrix(lanes: &Lanes) -> Markup {
    let n = lanes.n_blocks();
    let per_block = lanes.ranks_per_block as usize;
    let names: Vec<String> = (0..n)
        .map(|block| match per_block {
            1 => block.to_string(),
            _ => {
                let last = ((block + 1) * per_block).min(lanes.lanes.len()) - 1;
                format!("{}–{last}", block * per_block)
            }
        })
        .collect();
    let head: Vec<&str> = std::iter::once("waits for →")
        .chain(names.iter().map(String::as_str))
        .collect();
    let row = |block: usize| {
        let cells = lanes.matrix[block * n..][..n].iter().map(|&ns| match ns {
            0 => String::new(),
            ns => known(Some(ns)),
        });
        std::iter::once(names[block].clone()).chain(cells).collect()
    };
    table(&head, &(0..n).map(row).collect::<Vec<_>>())
}

/// When digits had been claimed, in each run.
pub(super) fn claims(runs: &[(&str, Option<&Lanes>)]) -> Markup {
    let times: Vec<Option<Vec<u64>>> = runs.iter().map(|run| run.1.map(claim_times_ns)).collect();
    let most = times.iter().flatten().map(Vec::len).max().unwrap_or(0);
    let step = most.div_ceil(CLAIM_ROWS).max(1);
    let mut head = vec!["digits claimed"];
    head.extend(runs.iter().map(|run| run.0));
    let rows = (1..=most).filter(|n| n % step == 0 || *n == most).map(|n| {
        let at = |times: &Option<Vec<u64>>| {
            let at_ns = times.as_ref()?.get(n - 1).copied();
            Some(known(at_ns))
        };
        let cells = times.iter().map(|times| at(times).unwrap_or_default());
        std::iter::once(n.to_string()).chain(cells).collect()
    });
    table(&head, &rows.collect::<Vec<_>>())
}

/// When each digit was claimed, in order.
fn claim_times_ns(lanes: &Lanes) -> Vec<u64> {
    let mut times = Vec::new();
    for lane in &lanes.lanes {
        for step in &lane.steps {
            let n = match step.what {
                What::Several => lane.sums[step.item as usize].n_claimed,
                _ => u32::from(step.claimed),
            };
            times.extend((0..n).map(|_| step.end_ns));
        }
    }
    times.sort_unstable();
    times
}

/// How well the time was used.
pub(super) fn efficiencies(runs: &[Findings]) -> Option<Markup> {
    runs.iter().find(|run| run.efficiency.is_some())?;
    let mut head = vec![""];
    head.extend(runs.iter().map(|run| run.label.as_str()));
    let row = |name: &str, of: fn(Efficiency) -> String| {
        let cells = runs.iter().map(|run| run.efficiency.map_or("?".into(), of));
        std::iter::once(name.to_owned()).chain(cells).collect()
    };
    let rows = [
        row("load balance", |e| percent(e.load_balance)),
        row("× serialisation efficiency", |e| percent(e.serialisation)),
        row("× transfer efficiency", |e| percent(e.transfer)),
        row("= parallel efficiency", |e| percent(e.parallel)),
        row("synchronisation slowdown", |e| {
            significant(e.synchronisation_slowdown)
        }),
    ];
    Some(table(&head, &rows))
}
