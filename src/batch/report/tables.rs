//! The tables of a report: the same for the terminal and the page.

use super::super::bounded::BoundedSpread;
use super::super::choice::Version;
use super::super::pair::Pair;
use super::super::results::{CellResults, Results, SLOWDOWN};
use crate::report::{p_value, percent, seconds, significant, two_sided};

/// A table: what it is of, its head, its rows. The first `n_left` columns are words.
pub(super) struct Rows {
    pub(super) title: String,
    pub(super) n_left: usize,
    pub(super) head: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
    /// Sentences below it.
    pub(super) notes: Vec<String>,
}

impl Rows {
    fn new(title: &str, n_left: usize, head: &[&str]) -> Self {
        Rows {
            title: title.into(),
            n_left,
            head: head.iter().map(ToString::to_string).collect(),
            rows: Vec::new(),
            notes: Vec::new(),
        }
    }
}

fn median(spread: Option<&BoundedSpread>, show: impl Fn(f64) -> String) -> String {
    spread.map_or("–".into(), |spread| spread.shown(show))
}

/// The interval; of fewer than six runs there is none.
fn interval(spread: Option<&BoundedSpread>, show: impl Fn(f64) -> String) -> String {
    match spread.and_then(BoundedSpread::interval) {
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
        let mut runs = cell.done.to_string();
        for (n, what) in [(cell.failed, "failed"), (cell.timed_out, "not in time")] {
            if n > 0 {
                runs += &format!(" + {n} {what}");
            }
        }
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
    if results.timed_out > 0 {
        table.notes.push(
            "A run that did not end in time counts with at least the time that it had, in the column “time” and in \
             ratios; all other numbers are of runs that were played to their end."
                .into(),
        );
    }
    if results.failed > 0 {
        let note = "Runs that failed are in no number but their own.";
        table.notes.push(note.into());
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
        "one-sided time / collective time, of runs with the same seed",
        3,
        &["", "ranks", "version", "pairs", "ratio", "95 %", "p"],
    );
    let mut family = "";
    for pair in &results.pairs {
        let (Some(cell), Some(ratio)) = (results.cell(&pair.one_sided), &pair.time_ratio) else {
            continue;
        };
        let mark = match pair.testable && !pair.significant {
            true => "~ ",
            false => "",
        };
        let pairs = match ratio.timed_out {
            0 => ratio.n.to_string(),
            n => format!("{} ({n} not in time)", ratio.n),
        };
        table.rows.push(vec![
            if cell.family == family {
                String::new()
            } else {
                cell.family.clone()
            },
            cell.parameters.workload.ranks.to_string(),
            cell.variant.clone(),
            pairs,
            format!("{mark}{}", ratio.shown(significant)),
            interval(Some(ratio), significant),
            pair.p_adjusted.map_or("–".into(), p_value),
        ]);
        family = &cell.family;
    }
    table.notes = about_tests(&results.pairs);
    table
}

/// How the p-values came about, and what they cannot tell.
fn about_tests(pairs: &[Pair]) -> Vec<String> {
    let tested = || pairs.iter().filter(|pair| pair.p.is_some());
    let n_others = tested().filter(|pair| !pair.declared).count();
    let is_exact: Vec<bool> = tested().map(|pair| pair.exact).collect();
    let test = "signed-rank test of the pairs (Wilcoxon)";
    let mut note = format!("p: {}", two_sided(test, &is_exact, "comparisons"));
    if n_others > 0 {
        note += &format!(
            "; that of the comparison in the first line stands for itself, the {n_others} others are adjusted \
             for their number (Holm)"
        );
    }
    let mut notes = vec![note];
    if tested().any(|pair| pair.testable && !pair.significant) {
        notes.push("~: the difference is not significant (p ≥ 0.05)".into());
    }
    let untestable = || tested().filter(|pair| !pair.testable);
    if let Some(n_pairs) = untestable().map(|pair| pair.n_different).max() {
        // All one way has p = 2 / 2^n, and that times the number of others that are left must be below 0.05.
        let is_left = |pair: &&Pair| !pair.declared && !pair.significant;
        let n_tests = match untestable().all(|pair| pair.declared) {
            true => 1,
            false => tested().filter(is_left).count(),
        };
        let n_needed = 2 + (n_tests as f64 / 0.05).log2().floor() as usize;
        notes.push(format!(
            "too few runs to tell in {} of {} comparisons: no difference between {n_pairs} pairs can be \
             significant, however large; it takes {n_needed} pairs at least (--repeat)",
            untestable().count(),
            tested().count()
        ));
    }
    notes
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
        "synchronisation slowdown, 1 / (load balance × serialisation efficiency), beside theory; and parallel \
         efficiency, which is 1 / slowdown where operations cost nothing",
        3,
        &[
            "",
            "ranks",
            "version",
            "spread",
            "slowdown",
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
            median(cell.metric(SLOWDOWN), significant),
            interval(cell.metric(SLOWDOWN), significant),
            significant(theory.synchronisation_slowdown),
            with_scores.map_or("–".into(), |theory| {
                significant(theory.synchronisation_slowdown)
            }),
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
