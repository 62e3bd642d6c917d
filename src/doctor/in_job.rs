//! The probes within the job that the doctor was started in.
//!
//! A crash ends this job, so what was found is told before each dangerous probe; a hang is noticed by a
//! watchdog on rank 0, which tells what is known and ends the job.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::document::Document;
use super::finding::{Finding, Severity};
use super::plan::{Probe, WITHIN, at_the_pace_of, plan};
use super::probes::{Context, Placement, Reporter};
use super::remedies::{candidates, known_faults, name_methods, name_policies};
use super::verdict::ClaimMethod;
use crate::rma::{Comm, Library, Result, ThreadLevel, probe};

/// What the doctor has to tell; rank 0 alone.
#[derive(Debug)]
pub enum Told<'a> {
    Found(&'a Finding),
    /// All that is known so far: what follows may end the job.
    BeforeDanger(&'a Document),
    /// All that was found out.
    End(&'a Document),
}

/// The doctor's work within a job.
pub struct InJob {
    /// How long all of it may take.
    pub within: Duration,
    /// How claims are made that the verdict is about.
    pub claim_with: ClaimMethod,
    /// Whether to leave out what has been seen to crash or hang libraries.
    pub safe_only: bool,
}

/// Why the rest is not probed.
const NEEDS_A_JOB: &str =
    "not probed: needs a job of its own; start the doctor outside of a job, or in its batch script";

impl InJob {
    /// Probes and judges, and tells rank 0's `tell`. Collective. The exit code: on other ranks than 0
    /// always 0.
    pub fn run(
        self,
        comm: &Comm<'_>,
        library: &Library,
        tell: impl FnMut(Told<'_>) + Send + 'static,
    ) -> Result<u8> {
        let start = Instant::now();
        let state = Arc::new(Mutex::new(State {
            start,
            library: library.clone(),
            ranks: comm.size().unsigned_abs(),
            claim_with: self.claim_with,
            findings: Vec::new(),
            current: None,
            left: plan().to_vec(),
            within: self.within,
            deadline: start + Probe::Start.deadline(self.within),
            is_over: false,
            tell: Box::new(tell),
        }));
        let is_first = comm.rank() == 0;
        if is_first {
            watch(Arc::clone(&state));
        }
        let node = probe::node_of(comm)?;
        let mut context = Context {
            comm,
            node: &node,
            placement: Placement::find(comm, &node)?,
            library,
            expected_ranks: comm.size().unsigned_abs(),
            asked: ThreadLevel::Serialized,
            reporter: &mut Watched(Arc::clone(&state)),
        };
        let mut told = false;
        for &probe in plan() {
            if probe.is_dangerous() && !told {
                told = true;
                if is_first {
                    lock(&state).before_danger();
                }
            }
            // All ranks must agree on what is probed, and their clocks need not.
            let mut go = [u8::from(self.goes_on(start, probe))];
            comm.broadcast(0, &mut go)?;
            if go == [1] {
                context.run(probe)?;
            } else if is_first {
                let why = match self.safe_only && probe.is_dangerous() {
                    true => "not probed: left out by --safe",
                    false => "not probed: out of time; --within gives more",
                };
                let finding = Finding::new(probe.name(), probe.subject(), Severity::Unknown, why);
                lock(&state).found(finding);
            }
        }
        let exit_code = match is_first {
            true => lock(&state).end(None),
            false => 0,
        };
        node.free()?;
        Ok(exit_code)
    }

    fn goes_on(&self, start: Instant, probe: Probe) -> bool {
        let has_time = start.elapsed() + probe.deadline(WITHIN) / 2 < self.within;
        has_time && !(self.safe_only && probe.is_dangerous())
    }
}

/// What is known so far, and by when it should be more.
struct State {
    start: Instant,
    library: Library,
    ranks: u32,
    claim_with: ClaimMethod,
    findings: Vec<Finding>,
    current: Option<(Probe, Option<String>)>,
    left: Vec<Probe>,
    within: Duration,
    deadline: Instant,
    is_over: bool,
    tell: Box<dyn FnMut(Told<'_>) + Send>,
}

impl State {
    fn found(&mut self, mut finding: Finding) {
        if let Some(candidate) = candidates(&self.library, &finding).first() {
            finding.remedy = Some(candidate.named(None));
        }
        (self.tell)(Told::Found(&finding));
        self.left.retain(|probe| probe.name() != finding.probe);
        self.findings.push(finding);
    }

    fn document(&self) -> Document {
        Document::new(
            self.library.to_string(),
            None,
            self.ranks,
            self.claim_with,
            self.start.elapsed().as_secs_f64(),
            self.findings.clone(),
        )
    }

    fn before_danger(&mut self) {
        let document = self.document();
        (self.tell)(Told::BeforeDanger(&document));
    }

    /// Tells all that is known; `why` something is not.
    fn end(&mut self, why: Option<&str>) -> u8 {
        self.is_over = true;
        if let Some(why) = why {
            for probe in std::mem::take(&mut self.left) {
                let (name, subject) = (probe.name(), probe.subject());
                self.found(Finding::new(name, subject, Severity::Unknown, why));
            }
        }
        let probe = Probe::ThreadMultiple;
        let (name, subject) = (probe.name(), probe.subject());
        self.found(Finding::new(name, subject, Severity::Unknown, NEEDS_A_JOB));
        name_policies(&mut self.findings);
        name_methods(&mut self.findings);
        for finding in known_faults(&self.library, &self.findings) {
            self.found(finding);
        }
        let document = self.document();
        (self.tell)(Told::End(&document));
        document.verdict.exit_code
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the job when a probe has not ended at its deadline.
fn watch(state: Arc<Mutex<State>>) {
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_millis(20));
            let mut state = lock(&state);
            if state.is_over {
                return;
            }
            if Instant::now() < state.deadline {
                continue;
            }
            let (probe, step) = state.current.take().unwrap_or((Probe::Start, None));
            let at = step.map_or(String::new(), |step| format!(" ({step})"));
            let deadline = probe.deadline(state.within);
            let detail = format!("had not ended after {} s{at}", deadline.as_secs());
            let finding = Finding::new(probe.name(), probe.subject(), Severity::Hung, detail);
            state.found(finding);
            let exit_code = state.end(Some(
                "not probed: the probe before it hung, and ended the job",
            ));
            probe::exit_now(i32::from(exit_code.max(1)));
        }
    });
}

/// Keeps what is found where the watchdog sees it.
struct Watched(Arc<Mutex<State>>);

impl Reporter for Watched {
    fn begin(&mut self, probe: Probe) {
        let mut state = lock(&self.0);
        state.current = Some((probe, None));
        state.deadline = Instant::now() + probe.deadline(state.within);
    }

    fn step(&mut self, what: &str) {
        if let Some((_, step)) = &mut lock(&self.0).current {
            *step = Some(what.into());
        }
    }

    fn found(&mut self, finding: Finding) {
        lock(&self.0).found(finding);
    }

    fn end(&mut self, probe: Probe) {
        let mut state = lock(&self.0);
        state.current = None;
        state.left.retain(|left| *left != probe);
        state.deadline = Instant::now() + at_the_pace_of(state.within, Duration::from_secs(5));
    }
}
