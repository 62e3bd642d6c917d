//! Timelines of the runs that are compared: in the terminal, and as SVG.

use std::ffi::OsStr;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use onesided::analysis::{Findings, Timeline, read_run, read_run_watched};
use onesided::report::{self, Drawn, Ink, Paper, svg};

use super::super::Failure;
use super::super::output::Output;

/// Characters in a line, where nobody says how many there are.
const DEFAULT_WIDTH: usize = 80;

/// What is drawn.
#[derive(Debug, Args)]
pub(super) struct Pictures {
    /// Draw timelines with plain ASCII; done by itself where stdout is not a terminal
    #[arg(long)]
    ascii: bool,
    /// Write the timelines of one or two runs into this file, as SVG
    #[arg(long, value_name = "FILE", conflicts_with = "group")]
    svg: Option<PathBuf>,
}

/// A run, and its timeline if it is drawn and has records.
pub(super) type Pictured = (Findings, Option<Timeline>);

impl Pictures {
    /// What cannot be drawn is noticed before anything is read.
    pub(super) fn check(&self, n_runs: usize) -> Result<(), Failure> {
        match &self.svg {
            Some(_) if n_runs > 2 => Err(Failure::Usage(format!(
                "--svg draws one run or two, and these are {n_runs}"
            ))),
            _ => Ok(()),
        }
    }

    /// Reads a run, and its timeline if somebody is to see it.
    pub(super) fn read(&self, path: &Path, as_text: bool) -> Result<Pictured, String> {
        match as_text || self.svg.is_some() {
            true => read_run_watched(path, report::timeline_of),
            false => read_run(path).map(|findings| (findings, None)),
        }
    }

    /// The timelines in characters; empty where there are no records.
    pub(super) fn text(&self, runs: &[Findings], timelines: &[Option<Timeline>]) -> String {
        report::timelines(&drawn(runs, timelines), self.paper())
    }

    /// Writes the file that was asked for.
    pub(super) fn write(
        &self,
        runs: &[Findings],
        timelines: &[Option<Timeline>],
    ) -> Result<(), Failure> {
        let Some(path) = &self.svg else {
            return Ok(());
        };
        let drawn = drawn(runs, timelines);
        if drawn.is_empty() {
            let paths: Vec<&str> = runs.iter().map(|run| run.path.as_str()).collect();
            return Err(Failure::Usage(format!(
                "--svg draws records, and there are none in {}: record with `onesided play --trace`",
                paths.join(" and ")
            )));
        }
        let write = || {
            let mut output = Output::create(path)?;
            output.write_all(svg::timelines(runs, &drawn).as_bytes())?;
            output.finish()
        };
        write().map_err(|error: std::io::Error| {
            Failure::Usage(format!("cannot write {}: {error}", path.display()))
        })
    }

    /// Whatever reads a pipe or a file later is the same everywhere.
    fn paper(&self) -> Paper {
        let is_terminal = std::io::stdout().is_terminal();
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let is_dumb = set("TERM").is_none_or(|term| term == "dumb");
        let ink = match (
            self.ascii || !is_terminal,
            set("NO_COLOR").is_some() || is_dumb,
        ) {
            (true, _) => Ink::Ascii,
            (false, true) => Ink::Blocks,
            (false, false) => Ink::Colours,
        };
        let width = match is_terminal {
            true => width_of_terminal(set("COLUMNS").as_deref()),
            false => DEFAULT_WIDTH,
        };
        Paper { width, ink }
    }
}

/// What the user says, or else the terminal.
fn width_of_terminal(columns: Option<&OsStr>) -> usize {
    let said = columns.and_then(|columns| columns.to_str()?.parse().ok());
    let terminal = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    let width = said.filter(|&width| width > 0).or_else(terminal);
    width.filter(|&width| width > 0).unwrap_or(DEFAULT_WIDTH)
}

fn drawn<'a>(runs: &'a [Findings], timelines: &'a [Option<Timeline>]) -> Vec<Drawn<'a>> {
    let with_records = runs.iter().zip(timelines);
    with_records
        .filter_map(|(run, timeline)| {
            Some(Drawn {
                run,
                timeline: timeline.as_ref()?,
            })
        })
        .filter(|drawn| drawn.timeline.span_ns() > 0)
        .collect()
}
