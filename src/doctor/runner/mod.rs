//! Starts probes as jobs of their own, each with a deadline, so that a crash or a hang of the library is a
//! finding. The doctor itself never starts MPI.

mod job;
mod launcher;

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::document::Document;
use super::finding::{Finding, Severity};
use super::plan::{Probe, plan};
use super::remedies::{Candidate, candidates, helped, known_faults, name_methods, name_policies};
use super::verdict::ClaimMethod;
use crate::rma::{Library, ThreadLevel};
pub use launcher::Launcher;

/// What is kept for writing the report, and for a launcher that ends slowly.
const RESERVE: Duration = Duration::from_millis(1500);

/// A job that has less time than this is not begun.
const LEAST: Duration = Duration::from_millis(1500);

/// The doctor's work.
#[derive(Debug)]
pub struct Runner {
    /// How ranks are started.
    pub launcher: Launcher,
    pub ranks: u32,
    /// This program, as the ranks' hosts know it.
    pub program: PathBuf,
    /// How long all of it may take.
    pub within: Duration,
    /// How claims are made that the verdict is about.
    pub claim_with: ClaimMethod,
    /// The library that this process has loaded.
    pub library: Library,
}

impl Runner {
    /// Probes, and judges.
    ///
    /// # Errors
    /// Why the launcher cannot be started at all, in one line for the user.
    pub fn run(&self) -> Result<Document, String> {
        let start = Instant::now();
        let until = start + self.within.saturating_sub(RESERVE);
        let mut findings = Vec::new();
        let mut left = plan().to_vec();
        let mut can_start = true;
        while can_start
            && !left.is_empty()
            && until.saturating_duration_since(Instant::now()) > LEAST
        {
            let outcome = self.job(ThreadLevel::Serialized, &[], &left, until)?;
            can_start = !outcome.never_started;
            findings.extend(outcome.findings);
            left = outcome.left;
        }
        if can_start {
            findings.extend(self.thread_multiple(until)?);
        } else {
            left.push(Probe::ThreadMultiple);
        }
        let why = match can_start {
            true => "not probed: out of time; --within gives more",
            false => "not probed: the job did not start",
        };
        findings.extend(left.iter().map(|probe| unknown(*probe, why)));
        name_policies(&mut findings);
        name_methods(&mut findings);
        if can_start {
            self.try_remedies(&mut findings, until)?;
        }
        findings.extend(known_faults(&self.library, &findings));
        Ok(Document::new(
            self.library.to_string(),
            Some(self.launcher.to_string()),
            self.ranks,
            self.claim_with,
            start.elapsed().as_secs_f64(),
            findings,
        ))
    }

    /// Whether windows work with `MPI_THREAD_MULTIPLE`, in a job that asks for it.
    fn thread_multiple(&self, until: Instant) -> Result<Vec<Finding>, String> {
        let probe = Probe::ThreadMultiple;
        if until.saturating_duration_since(Instant::now()) < LEAST {
            return Ok(vec![unknown(
                probe,
                "not probed: out of time; --within gives more",
            )]);
        }
        let outcome = self.job(ThreadLevel::Multiple, &[], &[probe], until)?;
        Ok(outcome.findings)
    }

    /// Applies what may help to the probes that it may help, and names what did.
    fn try_remedies(&self, findings: &mut [Finding], until: Instant) -> Result<(), String> {
        let mut tried: Vec<&'static str> = Vec::new();
        loop {
            let next = findings.iter().find_map(|finding| {
                let mut new = candidates(&self.library, finding).into_iter();
                new.find(|candidate| !tried.contains(&candidate.setting))
            });
            let Some(candidate) = next else {
                return Ok(());
            };
            tried.push(candidate.setting);
            self.try_one(&candidate, findings, until)?;
        }
    }

    fn try_one(
        &self,
        candidate: &Candidate,
        findings: &mut [Finding],
        until: Instant,
    ) -> Result<(), String> {
        let may_help = |finding: &Finding| candidates(&self.library, finding).contains(candidate);
        let variables = candidate.variables();
        let mut probes: Vec<Probe> = Vec::new();
        for finding in findings.iter().filter(|finding| may_help(finding)) {
            let probe = Probe::named(&finding.probe);
            probes.extend(probe.filter(|probe| !probes.contains(probe)));
        }
        let has_time = until.saturating_duration_since(Instant::now()) > LEAST;
        let after = match variables.is_empty() || probes.is_empty() || !has_time {
            true => Vec::new(),
            false => {
                self.job(ThreadLevel::Serialized, &variables, &probes, until)?
                    .findings
            }
        };
        for before in findings.iter_mut().filter(|finding| may_help(finding)) {
            if before
                .remedy
                .as_ref()
                .is_some_and(|named| named.seen_to_work == Some(true))
            {
                continue;
            }
            let same = after
                .iter()
                .find(|after| after.probe == before.probe && after.subject == before.subject)
                .filter(|after| after.severity != Severity::Unknown);
            match same {
                Some(after) if helped(before, after) => {
                    before.remedy = Some(candidate.named(Some(true)))
                }
                Some(_) => before.detail += &format!("; {} did not help here", candidate.setting),
                // Not tried: named all the same, as a test of it passes where the library is at hand.
                None if before.remedy.is_none() => before.remedy = Some(candidate.named(None)),
                None => {}
            }
        }
        Ok(())
    }

    fn job(
        &self,
        level: ThreadLevel,
        variables: &[&str],
        probes: &[Probe],
        until: Instant,
    ) -> Result<job::Outcome, String> {
        let left = until.saturating_duration_since(Instant::now());
        let names: Vec<String> = probes.iter().map(|probe| probe.name()).collect();
        // Nobody outlives the doctor by more than this, whatever becomes of the launcher.
        let ends_within = left + 2 * RESERVE;
        let args = [
            "doctor",
            "--probe-job",
            &names.join(","),
            "--ranks",
            &self.ranks.to_string(),
            "--thread-level",
            level_name(level),
            "--within",
            &format!("{}ms", ends_within.as_millis()),
        ]
        .map(str::to_owned);
        let command = self.launcher.command(variables, &self.program, &args);
        self.start(command, probes, until)
    }

    fn start(
        &self,
        command: Command,
        probes: &[Probe],
        until: Instant,
    ) -> Result<job::Outcome, String> {
        job::run(command, probes, until, self.within).map_err(|error| {
            format!(
                "cannot start the launcher '{}': {error}; --launcher names another, such as 'mpirun -n \
                 {{ranks}}'",
                self.launcher.program()
            )
        })
    }
}

fn unknown(probe: Probe, why: &str) -> Finding {
    Finding::new(probe.name(), probe.subject(), Severity::Unknown, why)
}

/// As `--thread-level` takes it.
fn level_name(level: ThreadLevel) -> &'static str {
    match level {
        ThreadLevel::Single | ThreadLevel::Funneled => "funneled",
        ThreadLevel::Serialized => "serialized",
        ThreadLevel::Multiple => "multiple",
    }
}
