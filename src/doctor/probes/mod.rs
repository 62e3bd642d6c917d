//! The probes themselves: called by all ranks of a job together, rank 0 reports.

mod atomics;
mod claims;
mod clocks;
mod latency;
mod memory_model;
mod placement;
mod progress;
mod start;
mod threads;
mod together;
mod transport;
mod waiting;
mod windows;

use std::io::Write;
use std::time::{Duration, Instant};

pub(super) use self::placement::Placement;
use super::finding::{Finding, Remedy, Severity};
use super::line::Line;
use super::plan::Probe;
use crate::rma::launcher::{self, Launch};
use crate::rma::{Comm, Library, Mpi, ThreadLevel, library, probe};

/// What rank 0 does with what is found.
pub(super) trait Reporter {
    fn begin(&mut self, probe: Probe);
    /// It has come to this part.
    fn step(&mut self, what: &str);
    fn found(&mut self, finding: Finding);
    fn end(&mut self, probe: Probe);
}

/// What a probe works with.
pub(super) struct Context<'a, 'mpi> {
    pub(super) comm: &'a Comm<'mpi>,
    pub(super) node: &'a Comm<'mpi>,
    pub(super) placement: Placement,
    pub(super) library: &'a Library,
    /// How many ranks the launcher was told to start.
    pub(super) expected_ranks: u32,
    pub(super) asked: ThreadLevel,
    pub(super) reporter: &'a mut dyn Reporter,
}

impl Context<'_, '_> {
    fn is_first(&self) -> bool {
        self.comm.rank() == 0
    }

    /// Reports a part of a probe. Rank 0 alone.
    fn step(&mut self, what: &str) {
        if self.is_first() {
            self.reporter.step(what);
        }
    }

    fn found(&mut self, finding: Finding) {
        if self.is_first() {
            self.reporter.found(finding);
        }
    }

    /// Runs one probe. Collective. An error that all ranks know of is a finding.
    pub(super) fn run(&mut self, probe: Probe) -> crate::rma::Result<()> {
        if self.is_first() {
            self.reporter.begin(probe);
        }
        match probe {
            Probe::Start => start::probe(self),
            Probe::Transport => transport::probe(self),
            Probe::Waiting => waiting::probe(self),
            Probe::Clocks => clocks::probe(self),
            Probe::MemoryModel => memory_model::probe(self),
            Probe::Atomic(operation, bits, window) => atomics::probe(self, operation, bits, window),
            Probe::Latency => latency::probe(self),
            Probe::Progress(window) => progress::probe(self, window),
            Probe::Claims(method) => claims::probe(self, method),
            Probe::ThreadMultiple => threads::probe(self),
        }?;
        if self.is_first() {
            self.reporter.end(probe);
        }
        Ok(())
    }
}

/// A job of probes that the doctor started: `onesided doctor --probe-job`.
#[derive(Debug)]
pub struct ProbeJob {
    /// What to find out, in this order.
    pub probes: Vec<Probe>,
    /// How many ranks the launcher was told to start.
    pub ranks: u32,
    /// What to ask MPI for.
    pub thread_level: ThreadLevel,
    /// After so long each process ends by itself, should everything else fail.
    pub ends_within: Duration,
}

/// Prints marked lines.
struct Lines<W: Write>(W);

impl<W: Write> Lines<W> {
    fn say(&mut self, line: &Line) {
        // In one piece, so that it is not cut in two between here and the launcher. If nobody listens
        // any more there is nobody to tell.
        let _ = self.0.write_all(line.to_text().as_bytes());
        let _ = self.0.flush();
    }
}

impl<W: Write> Reporter for Lines<W> {
    fn begin(&mut self, probe: Probe) {
        self.say(&Line::Begin(probe.name()));
    }

    fn step(&mut self, what: &str) {
        self.say(&Line::Step(what.into()));
    }

    fn found(&mut self, finding: Finding) {
        self.say(&Line::Found(Box::new(finding)));
    }

    fn end(&mut self, probe: Probe) {
        self.say(&Line::End(probe.name()));
    }
}

impl ProbeJob {
    /// Runs the probes, and prints what they find to `output`; gives the exit code.
    pub fn run(self, output: impl Write) -> u8 {
        let mut lines = Lines(output);
        end_after(self.ends_within);
        match self.probe(&mut lines) {
            Ok(()) => 0,
            Err(error) => {
                eprintln!("onesided: rank {}: {error}", rank_by_launcher());
                crate::rma::abort(1)
            }
        }
    }

    fn probe<W: Write>(&self, lines: &mut Lines<W>) -> crate::rma::Result<()> {
        let library = library()?;
        if let Some(launch) = Launch::from_environment() {
            let right = launcher::of(&library);
            if let Some(message) = launch.cannot_start(&library, right.as_deref()) {
                if launch.rank == 0 {
                    lines.begin(Probe::Start);
                    lines.found(alone(message));
                }
                return Ok(());
            }
        }
        let mpi = Mpi::init_up_to(self.thread_level)?;
        let world = mpi.world()?;
        if let Some(message) = alone_in_the_world(&world, &library, self.ranks) {
            lines.begin(Probe::Start);
            lines.found(alone(message));
            return mpi.finalize_at_last(0);
        }
        let node = probe::node_of(&world)?;
        let placement = Placement::find(&world, &node)?;
        let mut context = Context {
            comm: &world,
            node: &node,
            placement,
            library: &library,
            expected_ranks: self.ranks,
            asked: self.thread_level,
            reporter: lines,
        };
        for &probe in &self.probes {
            context.run(probe)?;
        }
        node.free()?;
        let is_first = world.rank() == 0;
        world.free()?;
        mpi.finalize_at_last(0)?;
        if is_first {
            lines.say(&Line::Done);
        }
        Ok(())
    }
}

/// Each process is a job of its own.
fn alone(message: String) -> Finding {
    let right = library()
        .ok()
        .and_then(|library| launcher::of(&library))
        .map(|path| Remedy {
            setting: format!("--launcher '{path} -n {{ranks}}'"),
            note: String::new(),
            seen_to_work: None,
        });
    Finding {
        remedy: right,
        ..Finding::new("start", "job", Severity::Refused, message)
    }
}

/// The message for a world of one rank where the launcher was told to start more.
fn alone_in_the_world(world: &Comm<'_>, library: &Library, expected: u32) -> Option<String> {
    if world.size() != 1 || expected <= 1 {
        return None;
    }
    let right = launcher::of(library);
    let right = right.as_deref();
    let by_environment = Launch::from_environment()
        .and_then(|launch| launch.is_wrong_for(world.size(), library, right));
    Some(by_environment.unwrap_or_else(|| {
        let right = right.map_or(String::new(), |path| {
            format!(" (`{path} -n {expected} …`)")
        });
        format!(
            "the launcher was told to start {expected} ranks, and each of them is alone: this program was \
             built with {library}, which does not take part in that launcher's jobs; use that \
             library's own launcher{right}"
        )
    }))
}

/// The rank that the launcher tells, for messages where MPI cannot.
fn rank_by_launcher() -> u32 {
    Launch::from_environment().map_or(0, |launch| launch.rank)
}

/// Ends this process after so long, whatever hangs: should the launcher be killed and leave it behind.
fn end_after(after: Duration) {
    let start = Instant::now();
    std::thread::spawn(move || {
        while let Some(left) = after.checked_sub(start.elapsed()) {
            std::thread::sleep(left);
        }
        probe::exit_now(86);
    });
}
