//! Timelines of one or two runs on one axis as SVG, for papers.

use std::fmt::Write;

use super::super::run::setup;
use super::super::timeline::{Columns, Drawn, Lane, MAX_COLUMNS, MAX_LANES};
use super::super::verdict::verdict;
use super::super::{percent, seconds};
use super::{escaped, line, text};
use crate::analysis::{Findings, Shares, State};

/// Columns, where there are so many lanes that the file would become large.
const MIN_COLUMNS: usize = 215;
/// Columns of all lanes together.
const MAX_CELLS: usize = 28_000;

const WIDTH: f64 = 976.0;
const LEFT: f64 = 100.0;
const RIGHT: f64 = LEFT + MAX_COLUMNS as f64;
const HEAD: f64 = 44.0;
/// Above a run's lanes: its name, then a strip of the digits claimed.
const NAME_HEIGHT: f64 = 22.0;
const STRIP_HEIGHT: f64 = 14.0;
const GAP: f64 = 18.0;
/// Lanes of a run are so high together, if they are many.
const LANES_HEIGHT: f64 = 300.0;
/// A column's height is parted by so many levels, of which each state has its share.
const LEVELS: u32 = 16;
/// Where a character of a label is about so wide.
const CHARACTER_WIDTH: f64 = 6.5;
/// Shades of the strip that says who was last.
const N_SHADES: u32 = 6;

/// The states from below, in a column.
const STACK: [State; 4] = [
    State::Thinking,
    State::Other,
    State::Operation,
    State::Waiting,
];

/// The rules for light ground, then those that are others for dark ground.
const STYLE: &str = "\
.ground{fill:#fff}text{fill:#24292f}.grid{stroke:#d0d7de}.axis{stroke:#24292f}.note,.tick{font-size:11px}
.thinking{fill:#56b4e9}.operation{fill:#e69f00}.waiting{fill:#d55e00}.idle{fill:#bbb}.other{fill:#999}\
.claimed{fill:#009e73}
.l0{fill:#f7e6ef}.l1{fill:#ecc4d8}.l2{fill:#dfa0c1}.l3{fill:#cc79a7}.l4{fill:#9c4e79}.l5{fill:#6b2e50}
text.last{font-size:10px;text-anchor:middle;fill:#24292f}text.pale{fill:#fff}
.title{font-size:15px;font-weight:600}.name{font-weight:600}.tick{text-anchor:middle}.lane{text-anchor:end}
@media (prefers-color-scheme:dark){
.ground{fill:#0d1117}text{fill:#e6edf3}.grid{stroke:#3d444d}.axis{stroke:#e6edf3}.idle{fill:#484f58}
}
";

/// The timelines of one or two runs below each other, as the text of an SVG file; `runs` are what is
/// compared, `drawn` those of them that have records.
pub fn timelines(runs: &[Findings], drawn: &[Drawn<'_>]) -> String {
    let n_lanes: usize = drawn.iter().map(|drawn| drawn.timeline.n_lanes()).sum();
    let n_columns = (MAX_CELLS / n_lanes.max(1)).clamp(MIN_COLUMNS, MAX_COLUMNS);
    let mut picture = Picture {
        columns: Columns::over(drawn, n_columns),
        svg: String::new(),
        y: HEAD,
        with_last: false,
    };
    for drawn in drawn {
        picture.run(drawn);
    }
    let bottom = picture.y;
    picture.axis(bottom);
    picture.legend(bottom + 62.0);
    let height = bottom + 80.0;
    head(runs, height) + &grid(picture.columns, bottom) + &picture.svg + "</svg>\n"
}

/// What the file begins with: what it is, for those who do not see it, and how it looks.
fn head(runs: &[Findings], height: f64) -> String {
    let names: Vec<&str> = runs.iter().map(|run| run.label.as_str()).collect();
    let title = format!("Where each rank's time went: {}", names.join(" and "));
    let mut description = verdict(runs);
    for run in runs {
        let _ = write!(description, "\n{}", setup(run));
    }
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" \
         aria-labelledby=\"title desc\" font-family=\"system-ui, sans-serif\" font-size=\"12\">\n\
         <title id=\"title\">{}</title>\n<desc id=\"desc\">{}</desc>\n<style>\n{STYLE}</style>\n\
         <rect class=\"ground\" width=\"{WIDTH}\" height=\"{height:.0}\"/>\n",
        escaped(&title),
        escaped(&description),
    );
    text(&mut svg, (16.0, 24.0), "title", &title);
    svg
}

fn grid(columns: Columns, bottom: f64) -> String {
    let mut svg = String::new();
    for (part, _) in ticks(columns) {
        let at = place(part);
        line(&mut svg, (at, HEAD), (at, bottom), "grid");
    }
    svg
}

fn ticks(columns: Columns) -> Vec<(f64, String)> {
    columns.ticks(8.0)
}

/// Where a part of the axis ends.
fn place(part: f64) -> f64 {
    LEFT + part * (RIGHT - LEFT)
}

struct Picture {
    columns: Columns,
    svg: String,
    /// Where it goes on.
    y: f64,
    with_last: bool,
}

impl Picture {
    fn run(&mut self, drawn: &Drawn<'_>) {
        let took = seconds(drawn.timeline.span_ns() as f64 / 1e9);
        let name = format!("{}, {took}", drawn.run.label);
        text(&mut self.svg, (16.0, self.y + 14.0), "name", &name);
        self.y += NAME_HEIGHT;
        self.claimed(drawn);
        let lanes = drawn.lanes(MAX_LANES, self.columns);
        let pitch = (LANES_HEIGHT / lanes.len() as f64).clamp(7.0, 26.0);
        // Labels lie on each other where lanes are low: only some are written then.
        let each = (12.0 / pitch).ceil() as usize;
        let n_columns = drawn.n_columns(self.columns);
        for (index, lane) in lanes.iter().enumerate() {
            let height = pitch - if pitch > 10.0 { 3.0 } else { 1.0 };
            if index % each == 0 {
                let at = (LEFT - 8.0, self.y + height / 2.0 + 4.0);
                let prefix = if index == 0 { "rank " } else { "" };
                text(
                    &mut self.svg,
                    at,
                    "lane",
                    &format!("{prefix}{}", lane.label()),
                );
            }
            self.lane(drawn, lane, n_columns, height);
            self.y += pitch;
        }
        self.last(drawn, n_columns);
        self.y += GAP;
    }

    /// The columns of a lane, each state's in one path: neighbours of one height are one rectangle.
    fn lane(&mut self, drawn: &Drawn<'_>, lane: &Lane, n_columns: usize, height: f64) {
        let capacity_ns = self.columns.capacity_ns(lane);
        let (x, y) = (self.x_scale(), height / f64::from(LEVELS));
        let _ = writeln!(
            self.svg,
            "<g transform=\"translate({LEFT} {:.1}) scale({x:.4} {y:.4})\" \
             shape-rendering=\"crispEdges\"><title>{}</title>",
            self.y,
            escaped(&about(drawn, lane)),
        );
        let span = drawn.timeline.span_ns() as f64 / self.columns.span_ns as f64;
        let _ = writeln!(
            self.svg,
            "<rect class=\"idle\" width=\"{:.2}\" height=\"{LEVELS}\"/>",
            span * self.columns.n as f64
        );
        let columns = lane.columns[..n_columns].iter();
        let stacks: Vec<[u32; STACK.len()]> =
            columns.map(|shares| stack(shares, capacity_ns)).collect();
        for (index, state) in STACK.iter().enumerate() {
            let piece = |stack: &[u32; STACK.len()]| {
                let below: u32 = stack[..index].iter().sum();
                (below, stack[index])
            };
            let path = path(stacks.iter().map(piece));
            if !path.is_empty() {
                let _ = writeln!(self.svg, "<path class=\"{}\" d=\"{path}\"/>", state.name());
            }
        }
        self.svg += "</g>\n";
    }

    /// A mark for each column in which digits were claimed.
    fn claimed(&mut self, drawn: &Drawn<'_>) {
        let claimed = drawn.claimed(self.columns);
        let n: u64 = claimed.iter().sum();
        if n == 0 {
            return;
        }
        let label = "claimed";
        text(&mut self.svg, (LEFT - 8.0, self.y + 9.0), "lane", label);
        let step = (RIGHT - LEFT) / self.columns.n as f64;
        let mut path = String::new();
        for (column, _) in claimed.iter().enumerate().filter(|&(_, &n)| n > 0) {
            let _ = write!(
                path,
                "M{:.1} {:.1}l3 -7h-6z",
                LEFT + (column as f64 + 0.5) * step,
                self.y + 10.0
            );
        }
        let plural = if n == 1 { "digit" } else { "digits" };
        let _ = writeln!(
            self.svg,
            "<path class=\"claimed\" d=\"{path}\"><title>{n} {plural} claimed</title></path>"
        );
        self.y += STRIP_HEIGHT;
    }

    /// The strip below the lanes: whom the others waited for.
    fn last(&mut self, drawn: &Drawn<'_>, n_columns: usize) {
        let Some(last) = drawn.last_to_come(self.columns) else {
            return;
        };
        let (top, height) = (self.y + 3.0, STRIP_HEIGHT);
        let n_ranks = drawn.run.setup.ranks.max(1);
        let mut column = 0;
        for of_one in last[..n_columns].chunk_by(|a, b| a == b) {
            let from = place(column as f64 / self.columns.n as f64);
            // A gap, so that neighbours of one shade are told apart.
            let width = (of_one.len() as f64 * self.x_scale() - 0.5).max(0.5);
            column += of_one.len();
            let Some(rank) = of_one[0] else {
                continue;
            };
            self.with_last = true;
            let shade = match n_ranks {
                // Few ranks have shades far from each other.
                2..=N_SHADES => rank * (N_SHADES - 1) / (n_ranks - 1),
                _ => (u64::from(rank) * u64::from(N_SHADES) / u64::from(n_ranks)) as u32,
            };
            let _ = writeln!(
                self.svg,
                "<rect class=\"l{shade}\" x=\"{from:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" \
                 height=\"{height}\"><title>rank {rank}</title></rect>"
            );
            let label = rank.to_string();
            if width > CHARACTER_WIDTH * label.len() as f64 + 4.0 {
                let class = if shade > 3 { "last pale" } else { "last" };
                let at = (from + width / 2.0, top + height - 3.5);
                text(&mut self.svg, at, class, &label);
            }
        }
        if last.iter().any(Option::is_some) {
            let at = (LEFT - 8.0, top + height - 3.0);
            text(&mut self.svg, at, "lane", "last to come");
            self.y += STRIP_HEIGHT + 3.0;
        }
    }

    fn x_scale(&self) -> f64 {
        (RIGHT - LEFT) / self.columns.n as f64
    }

    fn axis(&mut self, bottom: f64) {
        line(&mut self.svg, (LEFT, bottom), (RIGHT, bottom), "axis");
        for (part, label) in ticks(self.columns) {
            let at = place(part);
            line(&mut self.svg, (at, bottom), (at, bottom + 4.0), "axis");
            text(&mut self.svg, (at, bottom + 17.0), "tick", &label);
        }
        let middle = ((LEFT + RIGHT) / 2.0, bottom + 34.0);
        text(
            &mut self.svg,
            middle,
            "tick",
            "time since the run's first record",
        );
    }

    fn legend(&mut self, y: f64) {
        let mut entries = vec![
            ("thinking", "thinking"),
            ("operation", "operation"),
            ("waiting", "waiting"),
            ("idle", "idle"),
            ("other", "other"),
            ("claimed", "a digit is claimed"),
        ];
        if self.with_last {
            entries.push(("l3", "last to come to an allreduce; darker: a higher rank"));
        }
        let mut x = LEFT;
        for (class, label) in entries {
            let _ = writeln!(
                self.svg,
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"12\" height=\"12\"/>",
                y - 10.0
            );
            text(&mut self.svg, (x + 17.0, y), "note", label);
            x += 17.0 + CHARACTER_WIDTH * label.len() as f64 + 14.0;
        }
    }
}

/// A lane in words: `rank 3 on node1: thinking 45 %, waiting 55 %`.
fn about(drawn: &Drawn<'_>, lane: &Lane) -> String {
    let (first, last) = lane.ranks;
    let who = match drawn.run.per_rank.get(first as usize) {
        _ if first != last => format!("ranks {first} to {last}"),
        Some(rank) if rank.host.is_some() => {
            format!("rank {first} on {}", rank.host.as_deref().unwrap_or(""))
        }
        _ => format!("rank {first}"),
    };
    let all_ns = drawn.timeline.span_ns() as f64 * f64::from(lane.n_ranks());
    let share = |state: State| {
        let ns: u64 = lane
            .columns
            .iter()
            .map(|shares| shares[state as usize])
            .sum();
        let share = ns as f64 / all_ns.max(1.0);
        format!("{} {}", state.name(), percent(share))
    };
    let shares = [State::Thinking, State::Operation, State::Waiting].map(share);
    format!("{who}: {}", shares.join(", "))
}

/// Levels of each state of [`STACK`] in a column. Waiting and operations have a level at least where they
/// occur; all have no more than there are.
fn stack(shares: &Shares, capacity_ns: f64) -> [u32; STACK.len()] {
    let mut levels = STACK.map(|state| {
        let ns = shares[state as usize];
        let levels = (f64::from(LEVELS) * ns as f64 / capacity_ns.max(1.0)).round() as u32;
        let levels = levels.min(LEVELS);
        match state {
            State::Waiting | State::Operation => levels.max(u32::from(ns > 0)),
            _ => levels,
        }
    });
    // What is too much the greatest has to spare.
    while levels.iter().sum::<u32>() > LEVELS {
        let greatest = levels.iter_mut().max().expect("there are states");
        *greatest -= 1;
    }
    levels
}

/// Rectangles as a path: of each column, from its left to its right, so many levels above so many.
/// Neighbours that are the same are one.
fn path(pieces: impl Iterator<Item = (u32, u32)>) -> String {
    let pieces: Vec<(u32, u32)> = pieces.collect();
    let mut path = String::new();
    let mut x = 0;
    for same in pieces.chunk_by(|a, b| a == b) {
        let (below, levels) = same[0];
        let width = same.len();
        if levels > 0 {
            let top = LEVELS - below - levels;
            let _ = write!(path, "M{x} {top}h{width}v{levels}h-{width}z");
        }
        x += width;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_parted_by_shares_and_loses_nothing_short() {
        // Nanoseconds are thinking, in operations, waiting, other; levels are from below.
        let levels = |shares: Shares| stack(&shares, 1600.0);
        assert_eq!(levels([1600, 0, 0, 0]), [16, 0, 0, 0]);
        assert_eq!(levels([1598, 1, 1, 0]), [14, 0, 1, 1]);
        assert_eq!(levels([400, 0, 800, 0]), [4, 0, 0, 8]);
        assert_eq!(levels([0, 1, 0, 0]), [0, 0, 1, 0]);
        assert_eq!(levels([0, 0, 0, 1]), [0, 0, 0, 0]);
        assert_eq!(
            stack(&[u64::MAX, 5, 5, 0], 10.0).iter().sum::<u32>(),
            LEVELS,
            "clocks that are off"
        );
    }

    #[test]
    fn neighbours_that_are_the_same_are_one_rectangle() {
        let pieces = [(0, 16), (0, 16), (4, 2), (4, 0), (0, 16)];
        assert_eq!(
            path(pieces.into_iter()),
            "M0 0h2v16h-2zM2 10h1v2h-1zM4 0h1v16h-1z"
        );
    }
}
