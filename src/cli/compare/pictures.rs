//! Pictures of the runs that are compared: timelines in the terminal and as SVG, and a page.

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::super::Failure;
use super::super::output::Output;
use crate::analysis::{Findings, Timeline, read_run, read_run_watched};
use crate::report::{self, Drawn, Ink, Lanes, Paper, svg};

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
    /// Also write a report as one self-contained page, with the timelines of one run or of two; the file is
    /// replaced if it is there
    #[arg(long, value_name = "FILE", conflicts_with = "group")]
    html: Option<PathBuf>,
}

/// What was gathered of each run's records for what is drawn: nothing where it has none, or nobody is to see
/// it.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    timelines: Vec<Option<Timeline>>,
    lanes: Vec<Option<Lanes>>,
}

impl Pictures {
    /// What cannot be drawn is noticed before anything is read.
    pub(super) fn check(&self, n_runs: usize) -> Result<(), Failure> {
        let refused = match n_runs > 2 {
            true if self.svg.is_some() => "--svg draws one run or two",
            true if self.html.is_some() => "--html shows one run or two, and no repetitions",
            _ => {
                return self
                    .svg
                    .iter()
                    .chain(&self.html)
                    .try_for_each(|path| check_file(path));
            }
        };
        Err(Failure::Usage(format!("{refused}: these are {n_runs}")))
    }

    /// Reads a run, and what of its records somebody is to see.
    pub(super) fn read(
        &self,
        path: &Path,
        as_text: bool,
        gathered: &mut Gathered,
    ) -> Result<Findings, String> {
        let (has_timeline, has_lanes) = (as_text || self.svg.is_some(), self.html.is_some());
        let (findings, timeline, lanes) = match (has_timeline, has_lanes) {
            (false, false) => (read_run(path)?, None, None),
            (true, false) => {
                let (findings, timeline) = read_run_watched(path, report::timeline_of)?;
                (findings, timeline, None)
            }
            (_, true) => {
                let (findings, both) = read_run_watched(path, |run| {
                    let timeline = has_timeline.then(|| report::timeline_of(run));
                    (timeline, Lanes::new(run))
                })?;
                let (timeline, lanes) = both.unzip();
                (findings, timeline.flatten(), lanes)
            }
        };
        gathered.timelines.push(timeline);
        gathered.lanes.push(lanes);
        Ok(findings)
    }

    /// The timelines in characters; empty where there are no records.
    pub(super) fn text(&self, runs: &[Findings], gathered: &Gathered) -> String {
        report::timelines(&drawn(runs, &gathered.timelines), self.paper())
    }

    /// Says where the page is.
    pub(super) fn note(&self) -> String {
        let page = self.html.as_ref();
        page.map_or(String::new(), |path| {
            format!("\nreport: {}\n", path.display())
        })
    }

    /// Writes the files that were asked for.
    pub(super) fn write(&self, runs: &[Findings], gathered: &mut Gathered) -> Result<(), Failure> {
        if let Some(path) = &self.svg {
            let drawn = drawn(runs, &gathered.timelines);
            if drawn.is_empty() {
                let paths: Vec<&str> = runs.iter().map(|run| run.path.as_str()).collect();
                return Err(Failure::Usage(format!(
                    "--svg draws records, and there are none in {}: record with `onesided play --trace`",
                    paths.join(" and ")
                )));
            }
            let svg = svg::timelines(runs, &drawn);
            write_file(path, |output| output.write_all(svg.as_bytes()))?;
        }
        if let Some(path) = &self.html {
            let lanes = std::mem::take(&mut gathered.lanes);
            write_file(path, |output| report::html(runs, lanes, output))?;
        }
        Ok(())
    }

    /// Whatever reads a pipe or a file later is the same everywhere.
    fn paper(&self) -> Paper {
        let is_terminal = io::stdout().is_terminal();
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

/// Writes a file, which is there when it is whole.
fn write_file(
    path: &Path,
    write: impl FnOnce(&mut Output) -> io::Result<()>,
) -> Result<(), Failure> {
    let mut output =
        Output::create(path).map_err(|error| Failure::Run(cannot_write(path, error)))?;
    write(&mut output)
        .and_then(|()| output.finish())
        .map_err(|error| Failure::Run(cannot_write(path, error)))
}

/// Whether there can be such a file, before the runs are read.
fn check_file(path: &Path) -> Result<(), Failure> {
    Output::check(path).map_err(|error| Failure::Usage(cannot_write(path, error)))
}

fn cannot_write(path: &Path, error: io::Error) -> String {
    format!("cannot write {}: {error}", path.display())
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
