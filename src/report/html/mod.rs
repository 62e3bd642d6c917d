//! Runs as one page that opens from disk: what took how long, timelines to zoom into, who waited for whom.
//!
//! | module | what it is |
//! |---|---|
//! | `lanes` | what a picture needs of a run's records, gathered while it is analysed |
//! | `merge` | many records as few, where there are too many |
//! | `encode`, `fit` | lanes as columns of small numbers, deflated, within a budget |
//! | `page` | the page; `tables`, `bars` are parts of it; `about` is what its script is told |
//! | `style.css`, `js/` | how it looks, and what draws the timelines: as they are, with no build step |
//!
//! The page loads nothing: its policy (`Content-Security-Policy`) allows only what is within it.

mod about;
mod bars;
mod encode;
mod fit;
mod lanes;
mod merge;
mod page;
mod tables;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

use crate::analysis::Findings;
pub use lanes::Lanes;

/// A report has at most so many bytes, however many records there are.
pub const MAX_BYTES: usize = 15_000_000;

/// Writes the report on one or two runs. `lanes`: for each run what was gathered of its records, where it
/// has any.
///
/// # Errors
/// What writing to `out` gave.
pub fn html(runs: &[Findings], lanes: Vec<Option<Lanes>>, out: impl Write) -> io::Result<()> {
    html_within(MAX_BYTES, runs, lanes, out)
}

/// `html` within another number of bytes.
///
/// # Errors
/// What writing to `out` gave.
pub fn html_within(
    max_bytes: usize,
    runs: &[Findings],
    lanes: Vec<Option<Lanes>>,
    mut out: impl Write,
) -> io::Result<()> {
    let shell = page::Shell::new(runs, &lanes);
    let room = max_bytes.saturating_sub(shell.len());
    let all: usize = lanes.iter().flatten().map(|lanes| lanes.n_steps).sum();
    let mut payloads = Vec::new();
    let (mut left, mut steps_left) = (room, all);
    for lanes in lanes {
        payloads.push(lanes.and_then(|mut lanes| {
            // A run has the share of the room that it has of the records, and what those before left.
            let n_steps = lanes.n_steps;
            let part = left as u128 * n_steps as u128 / steps_left.max(1) as u128;
            let payload = fit::fit(&mut lanes, part as usize)?;
            steps_left -= n_steps;
            left -= payload.text.len();
            Some(payload)
        }));
    }
    out.write_all(shell.page(&payloads).into_string().as_bytes())?;
    out.flush()
}
