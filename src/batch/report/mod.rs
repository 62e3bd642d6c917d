//! The report over all cells: for the terminal, and as a page.

mod chart;
mod charts;
mod html;
mod tables;
mod text;

pub use html::html;
pub use text::text;

use super::results::{Pair, Results};
use crate::report::significant;

/// Every chart as a file of its own: its name, and what is in it.
pub(super) fn chart_files(results: &Results) -> Vec<(String, String)> {
    let charts = charts::charts(results);
    charts
        .iter()
        .map(|chart| (format!("{}.svg", chart.name), chart.file()))
        .collect()
}

/// The first sentence: what lockstep cost where most ranks played.
fn verdict(results: &Results) -> String {
    let ratio = |pair: &&Pair| pair.time_ratio.is_some();
    let pairs = results.pairs.iter().filter(ratio);
    // Of those with most ranks, where the difference is largest.
    let most = pairs.max_by(|a, b| {
        let key = |pair: &Pair| {
            let cell = results.cell(&pair.one_sided);
            let ranks = cell.map_or(0, |cell| cell.parameters.workload.ranks);
            (
                ranks,
                pair.time_ratio.map_or(0.0, |ratio| ratio.median.ln().abs()),
            )
        };
        let (a, b) = (key(a), key(b));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    let Some(pair) = most else {
        return format!("{} of {} runs are played.", results.done, results.planned);
    };
    let (Some(cell), Some(ratio)) = (results.cell(&pair.one_sided), &pair.time_ratio) else {
        return String::new();
    };
    let place = format!(
        "On {} ranks with {}",
        cell.parameters.workload.ranks, cell.family
    );
    let times = |value: f64| significant(value);
    if !pair.significant {
        return format!(
            "{place}, {} took {} times as long as collective: with {} runs, no difference is certain.",
            cell.variant,
            times(ratio.median),
            ratio.n
        );
    }
    let interval = match (ratio.low, ratio.high) {
        (Some(low), Some(high)) => {
            format!(" (95 %: {} to {})", times(1.0 / high), times(1.0 / low))
        }
        _ => String::new(),
    };
    match ratio.median < 1.0 {
        true => format!(
            "{place}, lockstep took {} times as long as {}{interval}.",
            times(1.0 / ratio.median),
            cell.variant
        ),
        false => format!(
            "{place}, {} took {} times as long as lockstep.",
            cell.variant,
            times(ratio.median)
        ),
    }
}

/// What theory leaves out, in sentences.
const LEFT_OUT: &[&str] = &[
    "Operations and the network cost nothing in it. The price of lockstep here is from the trace, and leaves \
     them out too; parallel efficiency has them in.",
    "Every round is taken to be full. A rank that scores makes its second allreduce at once, without thinking: \
     the column “with scores” takes the measured share of such rounds into account.",
    "It is about very many rounds. A game of few rounds ends before luck has evened out, and the one-sided \
     version loses the time from a rank's last claim to the slowest rank's.",
    "A sleeping rank wakes up late, by some 60 µs on a quiet Linux, and all of that counts as thinking: think \
     times near that are more equal than asked for, and lockstep then costs less than by theory.",
    "Each rank is taken to have a core. With more ranks than cores and --think-by spin they take turns, \
     so that thinking takes longer than asked and is no longer independent, in both versions; with \
     --think-by sleep, cores are short only while ranks are awake: waiting in an allreduce is that, on most \
     MPI libraries.",
    "Think times are taken to be independent. What slows down all ranks of a host at once costs lockstep \
     nothing more.",
];
