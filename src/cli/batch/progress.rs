//! How far a batch has come, and how long is left: a bar on a terminal, a line a run elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::batch::{Entry, Status, about};

/// How often the bar is drawn while a run is under way.
const REDRAW: Duration = Duration::from_millis(200);

pub(super) struct Progress {
    bar: Option<ProgressBar>,
    n_runs: usize,
    n_over: usize,
    drawn: Instant,
}

impl Progress {
    pub(super) fn new(n_runs: usize, n_over: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(n_runs as u64);
            bar.set_position(n_over as u64);
            if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len}  {wide_msg}") {
                bar.set_style(style);
            }
            bar
        });
        Progress {
            bar,
            n_runs,
            n_over,
            drawn: Instant::now(),
        }
    }

    /// A run is under way: `left_s` is how long it and all after it will take.
    pub(super) fn under_way(&mut self, run: &str, left_s: f64, begins: bool) {
        let Some(bar) = &self.bar else { return };
        if begins || self.drawn.elapsed() >= REDRAW {
            bar.set_message(format!("{} left  {run}", about(left_s)));
            self.drawn = Instant::now();
        }
    }

    /// A run is over.
    pub(super) fn over(&mut self, entry: &Entry, left_s: f64) {
        self.n_over += 1;
        let outcome = match entry.status {
            Status::Done => format!("{:.2} s", entry.took_s),
            Status::Failed => format!("failed: {}", entry.why.as_deref().unwrap_or("?")),
            Status::TimedOut => entry.why.clone().unwrap_or_default(),
        };
        let run = format!("{}/{:03}", entry.cell, u64::from(entry.repetition) + 1);
        match &self.bar {
            Some(bar) => {
                bar.set_position(self.n_over as u64);
                if entry.status != Status::Done {
                    bar.println(format!("{run}  {outcome}"));
                }
            }
            None => {
                let (over, all) = (self.n_over, self.n_runs);
                let left = match over == all {
                    true => String::new(),
                    false => format!("; {} left", about(left_s)),
                };
                eprintln!("{over}/{all}  {run}  {outcome}{left}");
            }
        }
    }

    /// Nothing more is shown.
    pub(super) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
