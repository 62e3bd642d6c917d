//! Timelines of one or two runs in characters, for the terminal and for files.

use std::fmt::Write;

use super::super::seconds;
use super::{Cell, Columns, Drawn, Lane, MAX_COLUMNS};
use crate::analysis::State;

/// With more ranks than lines, several share one.
const MAX_LINES: usize = 32;
/// However narrow the paper is.
const MIN_COLUMNS: usize = 16;
/// What a tick of the axis and its label need.
const TICK_COLUMNS: usize = 11;
/// A lane's own sign, where it is said who was last.
const SIGNS: &[u8; MAX_LINES] = b"0123456789abcdefghijklmnopqrstuv";
const CLAIMED: &str = "claimed";
const LAST: &str = "last";

/// What is drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    Ascii,
    /// Block characters, no colours.
    Blocks,
    /// Block characters in colours of 256, for a terminal.
    Colours,
}

/// What is drawn on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paper {
    /// Characters in a line.
    pub width: usize,
    pub ink: Ink,
}

/// The timelines of runs below each other, on one axis, so that lengths compare. Empty for no runs.
///
/// A line a rank, or several ranks: each column shows what took most of its time. Waiting, or an operation,
/// that is in a column and not the most of it, makes a mark there.
pub fn timelines(runs: &[Drawn<'_>], paper: Paper) -> String {
    if runs.is_empty() {
        return String::new();
    }
    // Lanes do not depend on the number of columns.
    let any = Columns { n: 1, span_ns: 1 };
    let labels = runs.iter().flat_map(|drawn| {
        let lanes = drawn.lanes(MAX_LINES, any);
        labels(&lanes, drawn.last_to_come(any).is_some())
    });
    let label_width = labels
        .map(|label| label.len())
        .max()
        .unwrap_or(0)
        .max(CLAIMED.len());
    // Two blanks, the label, a blank, a bar before and one after.
    let n_columns = paper
        .width
        .saturating_sub(label_width + 5)
        .clamp(MIN_COLUMNS, MAX_COLUMNS);
    let mut picture = Picture {
        ink: paper.ink,
        width: paper.width,
        label_width,
        columns: Columns::over(runs, n_columns),
        seen: Vec::new(),
        with_last: false,
        text: String::new(),
    };
    for drawn in runs {
        picture.run(drawn);
    }
    picture.axis();
    picture.legend();
    picture.text
}

/// What is written before each lane: its ranks, and its sign where that is not the same and is needed.
fn labels(lanes: &[Lane], with_signs: bool) -> Vec<String> {
    let signed = with_signs && (lanes.len() > 10 || lanes.iter().any(|lane| lane.n_ranks() > 1));
    let label = |(lane, &sign): (&Lane, &u8)| match signed {
        true => format!("{} {}", lane.label(), char::from(sign)),
        false => lane.label(),
    };
    lanes.iter().zip(SIGNS).map(label).collect()
}

struct Picture {
    ink: Ink,
    width: usize,
    label_width: usize,
    columns: Columns,
    /// What the legend must explain: in colours the states, else each kind of cell.
    seen: Vec<(Option<State>, Option<State>)>,
    /// Whether it must explain who was last.
    with_last: bool,
    text: String,
}

impl Picture {
    fn run(&mut self, drawn: &Drawn<'_>) {
        let lanes = drawn.lanes(MAX_LINES, self.columns);
        let last = drawn.last_to_come(self.columns);
        let n_columns = drawn.n_columns(self.columns);
        let took = seconds(drawn.timeline.span_ns() as f64 / 1e9);
        let _ = writeln!(self.text, "{}, {took}", drawn.run.label);
        for (lane, label) in lanes.iter().zip(labels(&lanes, last.is_some())) {
            let capacity_ns = self.columns.capacity_ns(lane);
            let columns = &lane.columns[..n_columns];
            let cells: Vec<Cell> = columns
                .iter()
                .map(|shares| Cell::of(shares, capacity_ns))
                .collect();
            let cells = self.cells(&cells);
            self.line(&label, &cells);
        }
        let claimed = drawn.claimed(self.columns);
        let claimed: String = claimed[..n_columns].iter().map(|&n| count(n)).collect();
        if claimed.contains(|c| c != ' ') {
            let claimed = match self.ink {
                Ink::Colours => format!("\x1b[38;5;{CLAIMED_COLOUR}m{claimed}\x1b[0m"),
                _ => claimed,
            };
            self.line(CLAIMED, &claimed);
        }
        if let Some(last) = last.filter(|last| last.iter().any(Option::is_some)) {
            let sign = |rank: &Option<u32>| {
                let of_rank = |rank: u32| lanes.iter().position(|lane| rank <= lane.ranks.1);
                let lane = rank.and_then(of_rank);
                lane.map_or(' ', |lane| char::from(SIGNS[lane]))
            };
            let signs: String = last[..n_columns].iter().map(sign).collect();
            self.line(LAST, &signs);
            self.with_last = true;
        }
        self.text.push('\n');
    }

    /// A line of the picture, between two bars: the second is where the run ends.
    fn line(&mut self, label: &str, cells: &str) {
        let (width, bar) = (self.label_width, self.bar());
        let _ = writeln!(self.text, "  {label:>width$} {bar}{cells}{bar}");
    }

    fn bar(&self) -> char {
        match self.ink {
            Ink::Ascii => '|',
            _ => '│',
        }
    }

    fn cells(&mut self, cells: &[Cell]) -> String {
        let mut text = String::new();
        let mut colours = None;
        for cell in cells {
            let mark = cell.mark.map(|(state, _)| state);
            if self.ink != Ink::Colours {
                text.push(glyph(self.ink, cell.most, mark));
                self.see((cell.most, mark));
                continue;
            }
            let (block, wanted) = coloured(cell);
            if colours != Some(wanted) {
                let (ground, front) = wanted;
                text += "\x1b[0";
                for (kind, state) in [(48, ground), (38, front)] {
                    if let Some(state) = state {
                        let _ = write!(text, ";{kind};5;{}", colour(state));
                    }
                }
                text.push('m');
                colours = Some(wanted);
            }
            text.push(block);
            self.see((cell.most, None));
            if mark.is_some() {
                self.see((mark, None));
            }
        }
        if colours.is_some() {
            text += "\x1b[0m";
        }
        text
    }

    fn see(&mut self, what: (Option<State>, Option<State>)) {
        // A cell's mark of thinking is for colours alone.
        let what = match what {
            (most, Some(State::Thinking)) => (most, None),
            // One character for both.
            (Some(State::Other), mark @ Some(_)) => (None, mark),
            what => what,
        };
        if !self.seen.contains(&what) {
            self.seen.push(what);
        }
    }

    fn axis(&mut self) {
        let n = self.columns.n;
        let (line, tick) = match self.ink {
            Ink::Ascii => ('-', '+'),
            _ => ('─', '┴'),
        };
        let ticks = self.columns.ticks((n / TICK_COLUMNS) as f64);
        // Below the bar on the left is the beginning of time, below a column its end.
        let mut axis = vec![line; n + 2];
        let mut labels = String::new();
        for (part, label) in ticks {
            let at = ((part * n as f64).round() as usize).min(n);
            axis[at] = tick;
            // Its label's middle is below the tick, as far as there is room.
            let begin = at.saturating_sub(label.len() / 2).min(n + 2 - label.len());
            if begin >= labels.len() + usize::from(!labels.is_empty()) {
                labels += &" ".repeat(begin - labels.len());
                labels += &label;
            }
        }
        let axis: String = axis.into_iter().collect();
        let before = " ".repeat(self.label_width + 3);
        let _ = writeln!(self.text, "{before}{axis}");
        let _ = writeln!(self.text, "{before}{labels}");
    }

    /// What the characters mean that are in the picture, and no others.
    fn legend(&mut self) {
        let column_s = self.columns.span_ns as f64 / self.columns.n as f64 / 1e9;
        let mut entries = vec![format!("a column is {}", seconds(column_s))];
        let mut seen = std::mem::take(&mut self.seen);
        seen.sort_by_key(|&(most, mark)| (order(most), order(mark)));
        for (most, mark) in seen {
            entries.extend(self.entry(most, mark));
        }
        if self.ink == Ink::Colours {
            entries.push("part of a cell: its share, an eighth at least".into());
        }
        entries.push(format!("{CLAIMED}: digits, + for more than 9"));
        if self.with_last {
            entries.push(format!("{LAST}: whom the others waited for"));
        }
        let mut line = String::new();
        for entry in entries {
            let printed = |text: &str| visible(text);
            if !line.is_empty() && 2 + printed(&line) + 3 + printed(&entry) > self.width {
                let _ = writeln!(self.text, "  {line}");
                line.clear();
            }
            if !line.is_empty() {
                line += "   ";
            }
            line += &entry;
        }
        let _ = writeln!(self.text, "  {line}");
    }

    fn entry(&self, most: Option<State>, mark: Option<State>) -> Option<String> {
        let name = most.map_or("idle", State::name);
        match (self.ink, most, mark) {
            (_, None, None) => None, // nothing is to be seen
            (Ink::Colours, Some(state), _) => {
                Some(format!("\x1b[38;5;{}m█\x1b[0m {name}", colour(state)))
            }
            (ink, most, None) => Some(format!("{} {name}", glyph(ink, most, None))),
            (ink, most, Some(mark)) => {
                let with = match mark {
                    State::Waiting => "waiting in it",
                    _ => "an operation in it",
                };
                Some(format!("{} {name}, {with}", glyph(ink, most, Some(mark))))
            }
        }
    }
}

/// So that states are explained in the order in which people think of them.
fn order(state: Option<State>) -> usize {
    match state {
        Some(State::Thinking) => 1,
        Some(State::Operation) => 2,
        Some(State::Waiting) => 3,
        Some(State::Other) => 4,
        None => 0,
    }
}

/// Characters that are seen: all but escape sequences.
fn visible(text: &str) -> usize {
    let mut n = 0;
    let mut in_escape = false;
    for char in text.chars() {
        match char {
            '\x1b' => in_escape = true,
            'm' if in_escape => in_escape = false,
            _ => n += usize::from(!in_escape),
        }
    }
    n
}

/// How many digits were claimed in a column.
fn count(n: u64) -> char {
    match n {
        0 => ' ',
        1..=9 => char::from(b'0' + n as u8),
        _ => '+',
    }
}

/// Work is ink, and lost time is pale. A character with a mark is lighter or darker than the one without.
fn glyph(ink: Ink, most: Option<State>, mark: Option<State>) -> char {
    use State::{Operation, Other, Thinking, Waiting};
    let (ascii, block) = match (most, mark) {
        (Some(Thinking), Some(Waiting)) => ('%', '▓'),
        (Some(Thinking), Some(Operation)) => ('+', '▇'),
        (Some(Thinking), _) => ('#', '█'),
        (Some(Waiting), Some(Operation)) => (':', '▒'),
        (Some(Waiting), _) => ('.', '░'),
        (Some(Operation), Some(Waiting)) => ('*', '▣'),
        (Some(Operation), _) => ('o', '■'),
        (Some(Other) | None, Some(Waiting)) => (',', '▫'),
        (Some(Other) | None, Some(Operation)) => ('\'', '▪'),
        (Some(Other), _) => ('-', '┄'),
        (None, _) => (' ', ' '),
    };
    match ink {
        Ink::Ascii => ascii,
        _ => block,
    }
}

/// Of the 256 colours, those nearest to the report's palette.
fn colour(state: State) -> u8 {
    match state {
        State::Thinking => 74,   // #5fafd7 for #56b4e9
        State::Operation => 172, // #d78700 for #e69f00
        State::Waiting => 166,   // #d75f00 for #d55e00
        State::Other => 246,     // #949494 for #999999
    }
}

const CLAIMED_COLOUR: u8 = 36; // #00af87 for #009e73

/// A block, the states whose colours are behind it and in it. The mark fills its share of the cell from
/// below, at least an eighth, at most half.
fn coloured(cell: &Cell) -> (char, (Option<State>, Option<State>)) {
    const EIGHTHS: [char; 4] = ['▁', '▂', '▃', '▄'];
    match cell.mark {
        None => (' ', (cell.most, None)),
        Some((state, share)) => {
            let eighths = ((8.0 * share).round() as usize).clamp(1, EIGHTHS.len());
            (EIGHTHS[eighths - 1], (cell.most, Some(state)))
        }
    }
}

#[cfg(test)]
mod tests;
