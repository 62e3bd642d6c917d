//! Where the time went, as bars: each version's parts, and how one becomes the other. SVG without script.

use maud::{Markup, html};

use super::super::{seconds, signed_seconds};
use crate::analysis::{Findings, RankFindings, Waterfall};

/// Width of the bars in units of the picture, whose labels stand on both sides.
const WIDTH: f64 = 560.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 110.0;
const ROW: f64 = 26.0;

/// The parts of a rank's time: name, colour.
pub(super) const PARTS: [(&str, &str); 5] = [
    ("useful", "#56b4e9"),
    ("waiting", "#d55e00"),
    ("operation", "#e69f00"),
    ("tracer", "#999999"),
    ("idle", "#bbbbbb"),
];

/// The parts of a rank's time, in the order of [`PARTS`].
pub(super) fn parts_of(rank: &RankFindings) -> [Option<u64>; PARTS.len()] {
    [
        rank.useful_ns,
        rank.wait_ns,
        rank.operation_ns,
        rank.tracer_ns,
        rank.idle_ns,
    ]
}

/// The parts of a run, mean over ranks, in seconds; `None` where it does not tell all of them.
fn means_s(run: &Findings) -> Option<[f64; PARTS.len()]> {
    let mut means_s = [0.0; PARTS.len()];
    for (part, mean_s) in means_s.iter_mut().enumerate() {
        *mean_s = run.mean_ns(|rank| parts_of(rank)[part])? / 1e9;
    }
    Some(means_s)
}

/// One bar a version, of its parts, and a step for each part from the first version's time to the second's.
pub(super) fn bars(runs: &[Findings]) -> Option<Markup> {
    let means: Vec<_> = runs.iter().map(means_s).collect::<Option<_>>()?;
    // Of each step from the first version to the second: from where, to where, in seconds.
    let mut steps: Vec<(f64, f64)> = Vec::new();
    if let [a, b] = runs {
        let waterfall = Waterfall::new(a, b)?;
        let mut from_s = means[0].iter().sum();
        for part in &waterfall.parts {
            let (a_s, b_s) = waterfall.mean_s(part.sum_ns);
            let to_s = from_s + b_s - a_s;
            steps.push((from_s, to_s));
            from_s = to_s;
        }
    }
    let ends_s = steps.iter().map(|step| step.1);
    let took_s = means.iter().map(|parts| parts.iter().sum());
    let longest_s = took_s.chain(ends_s).fold(0.0, f64::max);
    if longest_s <= 0.0 {
        return None;
    }
    let x = |s: f64| LEFT + WIDTH * s / longest_s;
    let n_rows = runs.len() + steps.len();
    let row_of_run = |run: usize| if run == 0 { 0 } else { n_rows - 1 };
    let top = |row: usize| 3.0 + ROW * row as f64;
    let label = |row: usize, text: &str| {
        html! {
            text x=(LEFT - 6.0) y=(top(row) + 14.0) text-anchor="end" { (text) }
        }
    };
    let height = ROW * n_rows as f64 + 4.0;
    Some(html! {
        svg viewBox=(format!("0 0 {} {height}", LEFT + WIDTH + RIGHT)) role="img"
            aria-label="where the time of each version went; the table below has the numbers" {
            @for (run, parts) in means.iter().enumerate() {
                @let (row, name_of_run) = (row_of_run(run), &runs[run].label);
                (label(row, name_of_run))
                @for (part, (name, colour)) in PARTS.iter().enumerate() {
                    @let begin_s: f64 = parts[..part].iter().sum();
                    @if parts[part] > 0.0 {
                        rect x=(x(begin_s)) y=(top(row)) height=(ROW - 8.0) fill=(colour)
                            width=(x(begin_s + parts[part]) - x(begin_s)) {
                            title { (name_of_run) ": " (name) " " (seconds(parts[part])) }
                        }
                    }
                }
                @let took_s: f64 = parts.iter().sum();
                text x=(x(took_s) + 6.0) y=(top(row) + 14.0) { (seconds(took_s)) }
            }
            @for (part, &(from_s, to_s)) in steps.iter().enumerate() {
                @let (low, high) = (x(from_s.min(to_s).max(0.0)), x(from_s.max(to_s)));
                @let (name, colour) = PARTS[part];
                (label(part + 1, name))
                rect x=(low) y=(top(part + 1)) height=(ROW - 8.0) fill=(colour) width=((high - low).max(1.0)) {
                    title { (name) " " (signed_seconds(to_s - from_s)) }
                }
                text x=(high + 6.0) y=(top(part + 1) + 14.0) { (signed_seconds(to_s - from_s)) }
            }
        }
    })
}
