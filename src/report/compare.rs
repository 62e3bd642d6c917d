//! One run, two runs, or groups of repeated runs, for people.

use std::fmt::Write;

use super::run::{blame, checks, known, ranks, setup, with_error};
use super::table::{Table, UNKNOWN};
use super::verdict::{explanation, verdict, verdict_on_groups};
use super::{p_value, percent, seconds, signed_seconds, significant, two_sided};
use crate::analysis::{
    DECLARED, Efficiency, Findings, Group, Row, Waterfall, circumstances, group_rows as rows,
    metric,
};

/// What a question mark in a table stands for.
const WHAT_UNKNOWN_IS: &str = "\n? is unknown: the source does not tell it\n";

/// And what a sign before a number does.
const WHAT_LEAST_IS: &str = "\n≥ is at least: what was recorded before the rank's records end\n";

/// One or two runs: the verdict, their timelines as drawn (or nothing), then what the
/// verdict rests on.
pub fn compare(runs: &[Findings], timelines: &str) -> String {
    let mut text = verdict(runs) + "\n\n";
    for run in runs {
        let _ = writeln!(text, "{}", setup(run));
    }
    let sides: Vec<Vec<&Findings>> = runs.iter().map(|run| vec![run]).collect();
    text += &differ(&circumstances(&sides));
    if !timelines.is_empty() {
        let _ = write!(text, "\n{timelines}");
    }
    let mut has_unknown = false;
    let mut add = |text: &mut String, title: &str, table: Table| {
        has_unknown |= table.has_unknown();
        let _ = write!(text, "\n{title}{}", table.render());
    };
    for run in runs {
        add(&mut text, &format!("{}\n", run.label), ranks(run));
    }
    if let [a, b] = runs {
        let (title, table) = time_table(a, b);
        add(&mut text, title, table);
    }
    if runs
        .iter()
        .any(|run| run.efficiency.is_some() || run.partial)
    {
        add(
            &mut text,
            "how well the time was used\n",
            efficiencies(runs),
        );
    }
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
    if has_unknown {
        text += WHAT_UNKNOWN_IS;
    }
    if runs
        .iter()
        .flat_map(|run| &run.per_rank)
        .any(|rank| !rank.complete)
    {
        text += WHAT_LEAST_IS;
    }
    if let [a, b] = runs {
        if let Some(explanation) = explanation(a, b) {
            let _ = write!(text, "\n{explanation}\n");
        }
    }
    text
}

/// In what runs differ beside what is compared.
fn differ(circumstances: &[String]) -> String {
    match circumstances {
        [] => String::new(),
        all => format!("\nnote: these also differ in {}\n", all.join("; ")),
    }
}

/// Where the difference in time comes from, and what to call it.
fn time_table(a: &Findings, b: &Findings) -> (&'static str, Table) {
    let mut table = Table::new(1);
    let header = ["", &a.label, &b.label, "difference"];
    let Some(waterfall) = Waterfall::new(a, b) else {
        table.row(["", &a.label, &b.label]);
        table.numbers(["took".into(), known(a.wall_ns), known(b.wall_ns)]);
        let complete = "all digits claimed after";
        table.numbers([complete.into(), known(a.complete_ns), known(b.complete_ns)]);
        return ("", table);
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
    table.numbers([complete.into(), known(a.complete_ns), known(b.complete_ns)]);
    ("where the time went, mean over ranks\n", table)
}

fn efficiencies(runs: &[Findings]) -> Table {
    let mut table = Table::new(1);
    table.row(std::iter::once("").chain(runs.iter().map(|run| run.label.as_str())));
    let mut row = |name: &str, of: fn(Efficiency) -> String| {
        let cells = runs
            .iter()
            .map(|run| run.efficiency.map_or(UNKNOWN.into(), of));
        table.numbers(std::iter::once(name.to_owned()).chain(cells));
    };
    row("load balance", |e| percent(e.load_balance));
    row("× serialisation efficiency", |e| percent(e.serialisation));
    row("× transfer efficiency", |e| percent(e.transfer));
    row("= parallel efficiency", |e| percent(e.parallel));
    row("synchronisation slowdown", |e| {
        significant(e.synchronisation_slowdown)
    });
    table
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
    let sides: Vec<Vec<&Findings>> = groups
        .iter()
        .map(|group| group.runs.iter().collect())
        .collect();
    text += &differ(&circumstances(&sides));
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
        "wait_error_s" | "wait_unattributed_s" => !is_zero(row),
        _ => true,
    };
    let rows = rows(groups);
    for row in rows.iter().filter(|row| tells(row)) {
        table.numbers(cells(row, two));
    }
    text += &table.render();
    if table.has_unknown() {
        text += WHAT_UNKNOWN_IS;
    }
    if let [a, b] = groups {
        text += &about_tests(&rows, (a.runs.len(), b.runs.len()));
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

/// How the p-values of a comparison came about, and what they cannot tell.
fn about_tests(rows: &[Row], (n_a, n_b): (usize, usize)) -> String {
    let declared = |row: &&Row| row.metric == DECLARED;
    let tested = || rows.iter().filter(|row| row.p.is_some());
    let n_others = tested().filter(|row| !declared(row)).count();
    let is_exact: Vec<bool> = tested().map(|row| row.exact).collect();
    let test = two_sided("rank-sum test", &is_exact, "metrics");
    let mut text = format!(
        "\np: {test}; that of {DECLARED} stands for itself, the {n_others} others are adjusted for their number \
         (Holm)\n"
    );
    if tested().any(|row| row.testable && !row.significant) {
        text += "~: the difference is not significant (p ≥ 0.05)\n";
    }
    let of = match (
        tested().any(|row| declared(&row) && row.testable),
        tested().any(|row| !declared(&row) && row.testable),
    ) {
        (_, true) if tested().all(|row| row.testable) => return text,
        (_, true) => {
            return text
                + "neither a ratio nor ~: no difference of values so equal can be significant\n";
        }
        (true, false) if n_others == 0 => return text,
        (true, false) => format!("of the {n_others} metrics beside {DECLARED} "),
        (false, false) => String::new(),
    };
    text + &format!(
        "too few runs to tell: of {n_a} and {n_b} runs, no difference {of}can be significant, however large\n"
    )
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
        None => UNKNOWN.into(),
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
            _ => "differs".into(), // from a median of 0
        },
        [Some(_), Some(_)] if row.testable => "~".into(),
        _ => String::new(),
    };
    cells.push(ratio);
    cells.push(row.p_adjusted.map_or(String::new(), p_value));
    cells
}
