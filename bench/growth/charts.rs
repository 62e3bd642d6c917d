//! The charts of growth.

use crate::Cell;
use crate::way::Way;
use onesided::internals::report::svg::{Axis, Chart, ChartError, Emphasis, Scale, Series};

/// Items of the chart by ranks.
const BY_RANKS_ITEMS: usize = 10_000;
/// Ranks of the charts by items.
const BY_ITEMS_RANKS: usize = 2;

/// Each with the name of its file.
pub fn all(cells: &[Cell], library: &str) -> Result<Vec<(&'static str, String)>, ChartError> {
    let ranks: Vec<usize> = {
        let mut all: Vec<usize> = cells.iter().map(|cell| cell.n_ranks).collect();
        all.dedup();
        all
    };
    let by_items = |title: &str, label: &str, value: &dyn Fn(&Cell) -> f64| {
        let of = |cell: &&Cell| cell.n_ranks == BY_ITEMS_RANKS;
        let mut chart = chart(title, axis("items", &[]), label);
        chart.series = lines(cells.iter().filter(of), |cell| cell.n_items as f64, value);
        chart
    };
    let operations = |cell: &Cell| cell.per_item(&cell.operations);
    let mut charts = vec![
        (
            "growth-operations.svg",
            by_items(
                &format!("Operations an item, {BY_ITEMS_RANKS} ranks ({library})"),
                "operations of all ranks an item",
                &operations,
            ),
        ),
        (
            "growth-time.svg",
            by_items(
                &format!("Time an item, {BY_ITEMS_RANKS} ranks ({library})"),
                "ns an item",
                &Cell::ns_per_item,
            ),
        ),
    ];
    let of = |cell: &&Cell| cell.n_items == BY_RANKS_ITEMS;
    let ticks: Vec<f64> = ranks.iter().map(|&n| n as f64).collect();
    let mut by_ranks = chart(
        &format!("Operations an item, {BY_RANKS_ITEMS} items ({library})"),
        axis("ranks", &ticks),
        "operations of all ranks an item",
    );
    by_ranks.series = lines(
        cells.iter().filter(of),
        |cell| cell.n_ranks as f64,
        &operations,
    );
    charts.push(("growth-ranks.svg", by_ranks));
    charts
        .into_iter()
        .map(|(name, chart)| Ok((name, chart.svg()?)))
        .collect()
}

fn axis(label: &str, ticks: &[f64]) -> Axis {
    Axis {
        label: label.into(),
        scale: Scale::Log,
        ticks: ticks.to_vec(),
    }
}

fn chart(title: &str, x: Axis, label: &str) -> Chart {
    Chart {
        title: title.into(),
        x,
        y: axis(label, &[]),
        series: Vec::new(),
        target: None,
    }
}

/// A line for each way.
fn lines<'a>(
    cells: impl Iterator<Item = &'a Cell> + Clone,
    x: impl Fn(&Cell) -> f64,
    y: &dyn Fn(&Cell) -> f64,
) -> Vec<Series> {
    let line = |way: Way| Series {
        name: way.to_string(),
        points: (cells.clone().filter(|cell| cell.way == way))
            .map(|cell| (x(cell), y(cell)))
            .collect(),
        emphasis: match way {
            Way::Ticket | Way::Chunks => Emphasis::Main,
            _ => Emphasis::Other,
        },
    };
    Way::ALL.map(line).into()
}
