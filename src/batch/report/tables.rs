//! The tables of a report: the same for the terminal and the page.

use super::super::choice::Version;
use super::super::results::{CellResults, PRICE, Results};
use crate::analysis::GroupSpread;
use crate::report::{percent, seconds, significant};

/// A table: what it is of, its head, its rows. The first `n_left` columns are words.
pub(super) struct Rows {
    pub(super) title: String,
    pub(super) n_left: usize,
    pub(super) head: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Rows {
    fn new(title: &str, n_left: usize, head: &[&str]) -> Self {
        Rows {
            title: title.into(),
            n_left,
            head: head.iter().map(ToString::to_string).collect(),
            rows: Vec::new(),
        }
    }
}

fn median(spread: Option<&GroupSpread>, show: impl Fn(f64) -> String) -> String {
    spread.map_or("–".into(), |spread| show(spread.median))
}

/// The interval; of fewer than six runs there is none.
fn interval(spread: Option<&GroupSpread>, show: impl Fn(f64) -> String) -> String {
    match spread.and_then(|spread| spread.low.zip(spread.high)) {
        Some((low, high)) => format!("{} to {}", show(low), show(high)),
        None => "–".into(),
    }
}

/// Rows of one family follow each other, and name it once.
fn family_once(results: &Results, index: usize) -> String {
    let cell = &results.cells[index];
    match index.checked_sub(1).map(|before| &results.cells[before]) {
        Some(before) if before.family == cell.family => String::new(),
        _ => cell.family.clone(),
    }
}

/// All tables of which there is something to say.
pub(super) fn tables(results: &Results) -> Vec<Rows> {
    let tables = [
        times(results),
        games(results),
        ratios(results),
        lockstep(results),
        troubles(results),
    ];
    tables
        .into_iter()
        .filter(|table| !table.rows.is_empty())
        .collect()
}

fn times(results: &Results) -> Rows {
    let mut table = Rows::new(
        "time of the games: median, and where the median lies with 95 % confidence",
        3,
        &[
            "",
            "ranks",
            "version",
            "runs",
            "time",
            "95 %",
            "efficiency",
            "95 %",
            "waiting",
            "guesses",
        ],
    );
    for (index, cell) in results.cells.iter().enumerate() {
        let bad = cell.failed + cell.timed_out;
        let runs = match bad {
            0 => cell.done.to_string(),
            bad => format!("{} ({bad} failed)", cell.done),
        };
        let (time, efficiency) = (cell.metric("wall_s"), cell.metric("parallel_efficiency"));
        table.rows.push(vec![
            family_once(results, index),
            cell.parameters.workload.ranks.to_string(),
            cell.variant.clone(),
            runs,
            median(time, seconds),
            interval(time, seconds),
            median(efficiency, percent),
            interval(efficiency, percent),
            median(cell.metric("wait_share"), percent),
            median(cell.metric("guesses"), |guesses| format!("{guesses:.0}")),
        ]);
    }
    table
}

/// Single games, where a run has several.
fn games(results: &Results) -> Rows {
    let mut table = Rows::new(
        "time of single games within runs: medians over the runs of what half of a run's games, 5 % and 95 % \
         took no longer than",
        3,
        &[
            "", "ranks", "version", "games", "shortest", "5 %", "half", "95 %", "longest",
        ],
    );
    let mut family = "";
    for cell in &results.cells {
        if cell.metric("game_p50_s").is_none() {
            continue;
        }
        let time = |name: &str| median(cell.metric(name), seconds);
        table.rows.push(vec![
            if cell.family == family {
                String::new()
            } else {
                cell.family.clone()
            },
            cell.parameters.workload.ranks.to_string(),
            cell.variant.clone(),
            cell.parameters.workload.games.to_string(),
            time("game_min_s"),
            time("game_p5_s"),
            time("game_p50_s"),
            time("game_p95_s"),
            time("game_max_s"),
        ]);
        family = &cell.family;
    }
    table
}

fn ratios(results: &Results) -> Rows {
    let mut table = Rows::new(
        "one-sided time / collective time, of runs with the same seed; ~ where the times do not differ \
         significantly (rank test, p < 0.05)",
        3,
        &["", "ranks", "version", "pairs", "ratio", "95 %", "p"],
    );
    let mut family = "";
    for pair in &results.pairs {
        let (Some(cell), Some(ratio)) = (results.cell(&pair.one_sided), &pair.time_ratio) else {
            continue;
        };
        let mark = if pair.significant { "" } else { "~ " };
        table.rows.push(vec![
            if cell.family == family {
                String::new()
            } else {
                cell.family.clone()
            },
            cell.parameters.workload.ranks.to_string(),
            cell.variant.clone(),
            ratio.n.to_string(),
            format!("{mark}{}", significant(ratio.median)),
            interval(Some(ratio), significant),
            pair.p.map_or("–".into(), p_value),
        ]);
        family = &cell.family;
    }
    table
}

/// As many digits as say something.
fn p_value(p: f64) -> String {
    match p {
        p if p < 0.0001 => "< 0.0001".into(),
        p if p < 0.01 => format!("{p:.4}"),
        p => format!("{p:.2}"),
    }
}

/// The collective cells that theory has something to say of.
pub(super) fn in_lockstep(results: &Results) -> impl Iterator<Item = &CellResults> {
    let collective = |cell: &&CellResults| cell.parameters.variant.version == Version::Collective;
    results
        .cells
        .iter()
        .filter(collective)
        .filter(|cell| cell.theory.is_some())
}

fn lockstep(results: &Results) -> Rows {
    let mut table = Rows::new(
        "price of lockstep: how many times longer the same thinking takes, beside theory; and efficiency, \
         which is 1 / price where operations cost nothing",
        3,
        &[
            "",
            "ranks",
            "version",
            "spread",
            "price",
            "95 %",
            "theory",
            "with scores",
            "efficiency",
            "theory",
            "with scores",
        ],
    );
    let mut family = "";
    for cell in in_lockstep(results) {
        let (Some(theory), true) = (&cell.theory, cell.done > 0) else {
            continue;
        };
        let with_scores = cell.theory_with_scores.as_ref();
        table.rows.push(vec![
            if cell.family == family {
                String::new()
            } else {
                cell.family.clone()
            },
            cell.parameters.workload.ranks.to_string(),
            cell.variant.clone(),
            format!("{:.2}", theory.spread),
            median(cell.metric(PRICE), significant),
            interval(cell.metric(PRICE), significant),
            significant(theory.price),
            with_scores.map_or("–".into(), |theory| significant(theory.price)),
            median(cell.metric("parallel_efficiency"), percent),
            percent(theory.efficiency),
            with_scores.map_or("–".into(), |theory| percent(theory.efficiency)),
        ]);
        family = &cell.family;
    }
    table
}

fn troubles(results: &Results) -> Rows {
    const MOST: usize = 20;
    let mut table = Rows::new("runs that were not played to their end", 2, &["run", "why"]);
    let troubles: Vec<_> = results
        .runs
        .iter()
        .filter_map(|run| Some((run, run.why.as_ref()?)))
        .collect();
    for (run, why) in troubles.iter().take(MOST) {
        let last = run.said.as_ref().and_then(|said| said.lines().last());
        let said = last.map_or(String::new(), |line| format!("; it said: {}", line.trim()));
        table.rows.push(vec![
            format!("{}/{:03}", run.cell, u64::from(run.repetition) + 1),
            format!("{why}{said}"),
        ]);
    }
    if troubles.len() > MOST {
        table
            .rows
            .push(vec![format!("and {} more", troubles.len() - MOST)]);
    }
    table
}
