//! Which charts a batch's report has.

use super::super::bounded::BoundedSpread;
use super::super::choice::Version;
use super::super::results::{CellResults, Results, SLOWDOWN};
use super::chart::{Chart, Point, Series};
use super::tables::in_lockstep;

/// Families beyond which no chart is drawn: nobody would look at them, and the tables have them all.
const MAX_FAMILIES: usize = 24;

/// Colours that the page has for lines without one of their own.
const N_COLOURS: usize = 6;

/// `None` where the median is not known.
fn point(x: f64, spread: &BoundedSpread) -> Option<Point> {
    Some(Point {
        x,
        y: spread.median?,
        interval: spread.interval(),
    })
}

fn ranks(cell: &CellResults) -> f64 {
    f64::from(cell.parameters.workload.ranks)
}

/// Values in the order in which they come, each once.
fn distinct<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut distinct = Vec::new();
    for value in values {
        if !distinct.contains(&value) {
            distinct.push(value);
        }
    }
    distinct
}

/// All charts that have a line to show.
pub(super) fn charts(results: &Results) -> Vec<Chart> {
    let families = distinct(results.cells.iter().map(|cell| cell.family.as_str()));
    let mut charts: Vec<Chart> = families
        .iter()
        .take(MAX_FAMILIES)
        .enumerate()
        .map(|(index, family)| efficiency_by_ranks(results, family, index))
        .collect();
    charts.push(slowdown_by_ranks(results));
    charts.push(slowdown_by_spread(results));
    let has_points = |chart: &Chart| {
        let measured = chart.series.iter().filter(|series| !series.is_theory);
        measured.flat_map(|series| &series.points).next().is_some()
    };
    charts.retain(has_points);
    charts
}

fn efficiency_by_ranks(results: &Results, family: &str, index: usize) -> Chart {
    let number = index + 1;
    let cells = || results.cells.iter().filter(|cell| cell.family == family);
    let mut series = Vec::new();
    for (index, variant) in distinct(cells().map(|cell| cell.variant.as_str()))
        .into_iter()
        .enumerate()
    {
        let own = cells().filter(|cell| cell.variant == variant);
        let points = own.filter_map(|cell| point(ranks(cell), cell.metric("parallel_efficiency")?));
        let class = match variant {
            "one-sided" | "collective" => variant.into(),
            _ => format!("other-{}", index % N_COLOURS),
        };
        series.push(Series {
            name: variant.into(),
            class,
            is_theory: false,
            points: points.collect(),
        });
    }
    let collective =
        || cells().filter(|cell| cell.parameters.variant.version == Version::Collective);
    series.push(Series {
        name: "lockstep in theory".into(),
        class: "theory".into(),
        is_theory: true,
        points: theory_between(collective()),
    });
    let with_scores = collective().filter_map(|cell| {
        let theory = cell.theory_with_scores?;
        Some(Point {
            x: ranks(cell),
            y: theory.efficiency,
            interval: None,
        })
    });
    let with_scores: Vec<Point> = with_scores.collect();
    if distinct(collective().map(|cell| cell.variant.as_str())).len() == 1
        && !with_scores.is_empty()
    {
        series.push(Series {
            name: "the same, with scores".into(),
            class: "theory-too".into(),
            is_theory: true,
            points: with_scores,
        });
    }
    let exponential = collective().all(|cell| {
        let workload = &cell.parameters.workload;
        let alone = workload.think_per_rank.is_zero() && workload.stragglers.0.is_empty();
        alone
            && matches!(
                workload.think,
                crate::think_time::ThinkTime::Exponential { .. }
            )
    });
    if let (true, Some(theory)) = (exponential, series.iter_mut().find(|s| s.class == "theory")) {
        theory.name = "1 / H_P, in theory".into();
    }
    Chart {
        name: format!("efficiency-{number}"),
        title: format!("parallel efficiency: {family}"),
        x_label: "ranks".into(),
        y_label: "thinking / all time".into(),
        x_is_log: true,
        y_is_percent: true,
        series,
    }
}

/// Theory's efficiency for the ranks of these cells, and for those in between where they are alike.
fn theory_between<'a>(cells: impl Iterator<Item = &'a CellResults>) -> Vec<Point> {
    const MOST: u32 = 128;
    let cells: Vec<&CellResults> = cells.collect();
    let of = |cell: &CellResults| {
        Some(Point {
            x: ranks(cell),
            y: cell.theory?.efficiency,
            interval: None,
        })
    };
    let mut points: Vec<Point> = cells.iter().filter_map(|cell| of(cell)).collect();
    let numbers = cells.iter().map(|cell| cell.parameters.workload.ranks);
    let (Some(fewest), Some(most)) = (numbers.clone().min(), numbers.max()) else {
        return points;
    };
    if most <= MOST {
        let between = (fewest..=most).filter_map(|n_ranks| {
            let mut workload = cells[0].parameters.workload.clone();
            workload.ranks = n_ranks;
            let y = workload.theory(0.0)?.efficiency;
            Some(Point {
                x: f64::from(n_ranks),
                y,
                interval: None,
            })
        });
        points = between.collect();
    }
    points.dedup();
    points
}

/// The synchronisation slowdown by ranks, a line a family.
fn slowdown_by_ranks(results: &Results) -> Chart {
    let cells = || in_lockstep(results);
    let names = distinct(cells().map(|cell| (cell.family.as_str(), cell.variant.as_str())));
    // What all have in common need not be beside each line.
    let games = distinct(cells().map(|cell| {
        let workload = &cell.parameters.workload;
        (workload.digits, workload.games)
    }));
    let short = |family: &str| match (games.len(), family.split_once(", digits")) {
        (1, Some((think, _))) => think.to_owned(),
        _ => family.to_owned(),
    };
    let mut series = Vec::new();
    for (index, (family, variant)) in names.into_iter().take(MAX_FAMILIES).enumerate() {
        let own = || cells().filter(|cell| cell.family == family && cell.variant == variant);
        let class = format!("other-{}", index % N_COLOURS);
        let measured = own().filter_map(|cell| point(ranks(cell), cell.metric(SLOWDOWN)?));
        let measured: Vec<Point> = measured.collect();
        if measured.is_empty() {
            continue;
        }
        let mut theory = theory_between(own());
        theory.iter_mut().for_each(|point| point.y = 1.0 / point.y);
        series.push(Series {
            name: match variant {
                "collective" => short(family),
                variant => format!("{}, {variant}", short(family)),
            },
            class: class.clone(),
            is_theory: false,
            points: measured,
        });
        series.push(Series {
            name: "in theory".into(),
            class,
            is_theory: true,
            points: theory,
        });
    }
    Chart {
        name: "slowdown-by-ranks".into(),
        title: "synchronisation slowdown, by ranks".into(),
        x_label: "ranks".into(),
        y_label: "synchronisation slowdown".into(),
        x_is_log: true,
        y_is_percent: false,
        series,
    }
}

/// The synchronisation slowdown by the spread of think times, a line a number of ranks. Of one game: families that
/// differ in nothing but think times.
fn slowdown_by_spread(results: &Results) -> Chart {
    let mut series = Vec::new();
    let of_game = |cell: &CellResults| {
        let workload = &cell.parameters.workload;
        (
            workload.digits,
            workload.games,
            workload.ranks,
            cell.variant.clone(),
        )
    };
    let keys = distinct(in_lockstep(results).map(of_game));
    let n_games = distinct(keys.iter().map(|key| (key.0, key.1))).len();
    for (index, key) in keys.iter().take(MAX_FAMILIES).enumerate() {
        let own = || in_lockstep(results).filter(|cell| of_game(cell) == *key);
        let spreads = distinct(own().filter_map(|cell| cell.theory.map(|theory| theory.spread)));
        if spreads.len() < 2 {
            continue;
        }
        let class = format!("other-{}", index % N_COLOURS);
        let (digits, games, n_ranks, variant) = key;
        let mut name = format!("{n_ranks} ranks");
        if n_games > 1 {
            name += &format!(", {digits} digits, {games} games");
        }
        if variant != "collective" {
            name += &format!(", {variant}");
        }
        let measured = own().filter_map(|cell| point(cell.theory?.spread, cell.metric(SLOWDOWN)?));
        let theory = own().filter_map(|cell| {
            let theory = cell.theory?;
            Some(Point {
                x: theory.spread,
                y: theory.synchronisation_slowdown,
                interval: None,
            })
        });
        let (measured, theory) = (measured.collect(), theory.collect());
        series.push(Series {
            name,
            class: class.clone(),
            is_theory: false,
            points: measured,
        });
        series.push(Series {
            name: "in theory".into(),
            class,
            is_theory: true,
            points: theory,
        });
    }
    Chart {
        name: "slowdown-by-spread".into(),
        title: "synchronisation slowdown, by the spread of think times".into(),
        x_label: "standard deviation of think times / their mean".into(),
        y_label: "synchronisation slowdown".into(),
        x_is_log: false,
        y_is_percent: false,
        series,
    }
}
