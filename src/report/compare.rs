//! One run, two runs, or groups of repeated runs, for people.

use std::fmt::Write;

use super::run::{blame, checks, known, ranks, setup, with_error};
use super::table::Table;
use super::verdict::{explanation, verdict, verdict_on_groups};
use super::{percent, seconds, signed_seconds, significant};
use crate::analysis::{Efficiency, Findings, Group, Row, Waterfall, group_rows as rows, metric};

/// What a question mark in a table stands for.
const UNKNOWN: &str = "\n? is unknown: the source does not tell it\n";

/// One or two runs: the verdict, their timelines as [drawn](super::timelines) (or nothing), then what the
/// verdict rests on.
pub fn compare(runs: &[Findings], timelines: &str) -> String {
    let mut text = verdict(runs) + "\n\n";
    for run in runs {
        let _ = writeln!(text, "{}", setup(run));
    }
    if !timelines.is_empty() {
        let _ = write!(text, "\n{timelines}");
    }
    for run in runs {
        let _ = write!(text, "\n{}\n{}", run.label, ranks(run));
    }
    if let [a, b] = runs {
        text += &time_table(a, b);
    }
    text += &efficiencies(runs);
    for run in runs {
        let blame = blame(run);
        if !blame.is_empty() {
            let _ = write!(text, "\n{blame}");
        }
    }
    for run in runs {
        let _ = write!(text, "\nchecks of {}\n{}", run.label, checks(run));
    }
    for run in runs {
        for note in &run.notes {
            let _ = write!(text, "\nnote on {}: {note}", run.label);
        }
        if !run.notes.is_empty() {
            text.push('\n');
        }
    }
    if text.contains('?') {
        text += UNKNOWN;
    }
    if let [a, b] = runs {
        if let Some(explanation) = explanation(a, b) {
            let _ = write!(text, "\n{explanation}\n");
        }
    }
    text
}

/// Where the difference in time comes from.
fn time_table(a: &Findings, b: &Findings) -> String {
    let mut table = Table::new(1);
    let header = ["", &a.label, &b.label, "difference"];
    let Some(waterfall) = Waterfall::new(a, b) else {
        table.row(["", &a.label, &b.label]);
        table.row(["took".into(), known(a.wall_ns), known(b.wall_ns)]);
        let complete = "all digits claimed after";
        table.row([complete.into(), known(a.complete_ns), known(b.complete_ns)]);
        return format!("\n{}", table.render());
    };
    table.row(header);
    let error_ns = |run: &Findings| run.mean_ns(|rank| rank.wait_error_ns);
    let mut row = |name: &str, sum_ns| {
        let (a_s, b_s) = waterfall.mean_s(sum_ns);
        let cell = |mean_s: f64, run| match (name, error_ns(run)) {
            ("waiting" | "operation", Some(error_ns)) => {
                with_error(Some((mean_s * 1e9) as u64), Some(error_ns as u64))
            }
            _ => seconds(mean_s),
        };
        let difference = signed_seconds(b_s - a_s);
        table.row([name.into(), cell(a_s, a), cell(b_s, b), difference]);
    };
    for part in &waterfall.parts {
        row(part.name, part.sum_ns);
    }
    row("took", waterfall.total_ns);
    let complete = "all digits claimed after";
    table.row([complete.into(), known(a.complete_ns), known(b.complete_ns)]);
    format!("\nwhere the time went, mean over ranks\n{}", table.render())
}

fn efficiencies(runs: &[Findings]) -> String {
    if runs.iter().all(|run| run.efficiency.is_none()) {
        return String::new();
    }
    let mut table = Table::new(1);
    table.row(std::iter::once("").chain(runs.iter().map(|run| run.label.as_str())));
    let mut row = |name: &str, of: fn(Efficiency) -> String| {
        let cells = runs.iter().map(|run| run.efficiency.map_or("?".into(), of));
        table.row(std::iter::once(name.to_owned()).chain(cells));
    };
    row("load balance", |e| percent(e.load_balance));
    row("× serialisation efficiency", |e| percent(e.serialisation));
    row("× transfer efficiency", |e| percent(e.transfer));
    row("= parallel efficiency", |e| percent(e.parallel));
    row("price of lockstep", |e| significant(e.price_of_lockstep));
    format!("\nhow well the time was used\n{}", table.render())
}

/// Groups of repeated runs: the verdict, then every metric that they tell.
pub fn compare_groups(groups: &[Group]) -> String {
    let mut text = verdict_on_groups(groups) + "\n\n";
    for group in groups {
        let first = group.runs.first().map_or(String::new(), setup);
        let _ = writeln!(
            text,
            "{}: {} runs, the first {first}",
            group.name,
            group.runs.len()
        );
    }
    text.push('\n');
    let mut table = Table::new(1);
    let two = groups.len() == 2;
    let names = groups.iter().map(|group| group.name.as_str());
    let last = ["ratio", "p"].into_iter().take(if two { 2 } else { 0 });
    table.row(
        std::iter::once("median and 95 % interval")
            .chain(names)
            .chain(last),
    );
    // What all runs of a comparison have in common says nothing, nor does an error of one clock.
    let is_zero = |row: &Row| {
        row.spreads
            .iter()
            .flatten()
            .all(|s| s.high.unwrap_or(s.median) == 0.0)
    };
    let tells = |row: &Row| match row.metric {
        "ranks" | "games" => false,
        "wait_error_s" => !is_zero(row),
        _ => true,
    };
    for row in rows(groups).into_iter().filter(tells) {
        table.row(cells(&row, two));
    }
    text += &table.render();
    if text.contains('?') {
        text += UNKNOWN;
    }
    if two {
        text += "\n~: the difference is not significant (p ≥ 0.05, two-sided Mann–Whitney test)\n";
    }
    if groups.iter().any(|group| group.runs.len() < 6) {
        text += "\nfewer than 6 runs give no 95 % interval of a median\n";
    }
    for run in groups.iter().flat_map(|group| &group.runs) {
        for note in &run.notes {
            let _ = writeln!(text, "\nnote on {}: {note}", run.path);
        }
    }
    text
}

fn cells(row: &Row, two: bool) -> Vec<String> {
    let is_time = row.metric.ends_with("_s");
    let number = |value: f64| match is_time {
        true => seconds(value),
        false if value == value.trunc() && value.abs() < 1e15 => format!("{value:.0}"),
        false => {
            let text = format!("{value:.3}");
            match text.trim_end_matches('0').trim_end_matches('.') {
                "0" => format!("{value:.0e}"),
                text => text.into(),
            }
        }
    };
    let mut cells = vec![
        metric(row.metric)
            .map_or(row.metric, |metric| metric.name)
            .to_owned(),
    ];
    cells.extend(row.spreads.iter().map(|spread| match spread {
        None => "?".into(),
        Some(spread) => match (spread.low, spread.high) {
            (Some(low), Some(high)) => {
                format!(
                    "{} [{} to {}]",
                    number(spread.median),
                    number(low),
                    number(high)
                )
            }
            _ => number(spread.median),
        },
    }));
    if !two {
        return cells;
    }
    let ratio = match row.spreads[..] {
        [Some(a), Some(b)] if row.significant => match b.median / a.median {
            ratio if ratio.is_finite() => format!("×{}", significant(ratio)),
            _ => String::new(),
        },
        [Some(_), Some(_)] => "~".into(),
        _ => String::new(),
    };
    cells.push(ratio);
    cells.push(row.p.map_or(String::new(), |p| format!("{p:.3}")));
    cells
}
