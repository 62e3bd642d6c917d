//! What may help against a finding. The doctor tries it before it names it, where there is time.

use super::finding::{Away, Finding, Measured, Policy, Remedy, Severity};
use super::plan::Probe;
use super::verdict::{ClaimMethod, Outlook, judge, policies_that_move};
use crate::rma::{Family, Library, faults};

/// Something that may help: variables, for one family of libraries.
#[derive(Debug, Clone, Copy)]
struct Row {
    family: Family,
    /// First major version that has these variables.
    since: u32,
    /// Probes begin with this.
    probe: &'static str,
    severity: Severity,
    setting: &'static str,
    note: &'static str,
}

/// What helps against what is no fault of some versions, but how a library is.
const TABLE: &[Row] = &[
    Row {
        family: Family::Mpich,
        since: 4,
        probe: "progress-",
        severity: Severity::StandsStill,
        setting: "MPIR_CVAR_ASYNC_PROGRESS=1",
        note: "a thread of the library polls: wants a core to spare",
    },
    Row {
        family: Family::Intel,
        since: 2021,
        probe: "progress-",
        severity: Severity::StandsStill,
        setting: "I_MPI_ASYNC_PROGRESS=1",
        note: "a thread of the library polls: wants a core to spare",
    },
    Row {
        family: Family::Mpich,
        since: 5,
        probe: "waiting",
        severity: Severity::Slow,
        setting: "MPIR_CVAR_CH4_PROGRESS_THROTTLE=1 MPIR_CVAR_CH4_PROGRESS_THROTTLE_NO_PROGRESS_COUNT=16",
        note: "ranks that wait give up their core after 16 polls in vain",
    },
    Row {
        family: Family::OpenMpi,
        since: 4,
        probe: "waiting",
        severity: Severity::Slow,
        setting: "OMPI_MCA_mpi_yield_when_idle=1",
        note: "ranks that wait give up their core",
    },
];

/// Something to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// `VARIABLE=value`, several parted by blanks; or a flag.
    pub(super) setting: &'static str,
    pub(super) note: &'static str,
}

impl Candidate {
    /// As `VARIABLE=value` each; empty for a flag, which no probe can try.
    pub(super) fn variables(&self) -> Vec<&'static str> {
        match self.setting.starts_with('-') {
            true => Vec::new(),
            false => self.setting.split(' ').collect(),
        }
    }

    /// As the remedy that a finding names.
    pub(super) fn named(&self, seen_to_work: Option<bool>) -> Remedy {
        Remedy {
            setting: self.setting.into(),
            note: self.note.into(),
            seen_to_work,
        }
    }
}

/// What may help against `finding`, the most specific first.
pub(super) fn candidates(library: &Library, finding: &Finding) -> Vec<Candidate> {
    if finding.severity < Severity::Slow {
        return Vec::new();
    }
    let of_faults = faults::ALL
        .iter()
        .filter(|fault| fault.is_in(library) && !fault.remedy.is_empty() && shows(fault, finding))
        .map(|fault| Candidate {
            setting: fault.remedy,
            note: "",
        });
    let of_table = TABLE
        .iter()
        .filter(|row| {
            row.family == library.family
                && library.version[0] >= row.since
                && finding.probe.starts_with(row.probe)
                && finding.severity == row.severity
        })
        .map(|row| Candidate {
            setting: row.setting,
            note: row.note,
        });
    // A row of the table has a note that a fault's has not.
    let mut candidates: Vec<Candidate> = of_table.collect();
    for candidate in of_faults {
        if candidates
            .iter()
            .all(|other| other.setting != candidate.setting)
        {
            candidates.push(candidate);
        }
    }
    candidates
}

/// Whether a finding is what the fault looks like.
fn shows(fault: &faults::Fault, finding: &Finding) -> bool {
    let sign = match finding.severity {
        Severity::Crashed => faults::Sign::Crash,
        Severity::Refused => faults::Sign::Error,
        Severity::Wrong => faults::Sign::WrongResult,
        Severity::StandsStill => faults::Sign::StandStill,
        Severity::Hung => faults::Sign::Hang,
        Severity::Ok | Severity::Note | Severity::Unknown | Severity::Slow => return false,
    };
    fault.probe == Some(finding.probe.as_str()) && sign == fault.sign
}

/// Whether `after`, measured with a remedy applied, shows that it helped.
pub(super) fn helped(before: &Finding, after: &Finding) -> bool {
    if after.severity < Severity::Slow {
        return true;
    }
    // What was slow may still be slow, and half as slow is help.
    let barrier = |finding: &Finding| match &finding.measured {
        Some(Measured::Waiting { barrier, .. }) => Some(barrier.median_ns),
        _ => None,
    };
    match (barrier(before), barrier(after)) {
        (Some(before), Some(after)) => after <= before / 2,
        _ => false,
    }
}

/// Where claims stand still, a progress policy that this run saw to move them is the remedy: a helper
/// thread asks less of a program than polling does.
pub(super) fn name_policies(findings: &mut [Finding]) {
    for method in ClaimMethod::ALL {
        let moving = policies_that_move(findings, method);
        let best = [Policy::Thread, Policy::Poll]
            .into_iter()
            .find(|policy| moving.contains(policy));
        let Some(policy) = best else {
            continue;
        };
        let remedy = Remedy {
            setting: format!("--progress {}", policy.name()),
            note: cost_of(findings, method, policy),
            seen_to_work: Some(true),
        };
        for finding in findings.iter_mut() {
            if finding.probe == Probe::Claims(method).name()
                && finding.severity == Severity::StandsStill
            {
                finding.remedy = Some(remedy.clone());
            }
        }
    }
}

/// Where claims by one method are wrong or fail, another that this run saw to be right is the remedy.
pub(super) fn name_methods(findings: &mut [Finding]) {
    let is_right = |method: &ClaimMethod| judge(findings, *method).outlook == Outlook::Right;
    let Some(right) = ClaimMethod::ALL.into_iter().find(is_right) else {
        return;
    };
    let of_claims = |finding: &Finding| {
        let mut methods = ClaimMethod::ALL.into_iter();
        methods.any(|method| method != right && Probe::Claims(method).name() == finding.probe)
    };
    for finding in findings.iter_mut() {
        if finding.severity > Severity::Slow && finding.remedy.is_none() && of_claims(finding) {
            finding.remedy = Some(Remedy {
                setting: format!("--claim-with {}", right.name()),
                note: String::new(),
                seen_to_work: Some(true),
            });
        }
    }
}

/// What a policy costs while the home rank has nothing else to do.
fn cost_of(findings: &[Finding], method: ClaimMethod, wanted: Policy) -> String {
    let share = findings.iter().find_map(|finding| match finding.measured {
        Some(Measured::Claims {
            claim_with,
            policy,
            away: Away::Asleep,
            away_ns,
            home_cpu_ns,
            ..
        }) if (claim_with, policy) == (method, wanted) => Some(home_cpu_ns as f64 / away_ns as f64),
        _ => None,
    });
    share.map_or(String::new(), |share| {
        format!(
            "costs {:.0} % of a core while the home rank sleeps",
            100.0 * share
        )
    })
}

/// The rows of the table of known faults that concern this library, each with whether it was seen.
pub(super) fn known_faults(library: &Library, findings: &[Finding]) -> Vec<Finding> {
    let rows = faults::ALL.iter().filter(|fault| fault.is_in(library));
    let n_hosts = findings.iter().find_map(|finding| match &finding.measured {
        Some(Measured::Job { hosts, .. }) => Some(hosts.len()),
        _ => None,
    });
    rows.map(|fault| {
        let mut found = findings
            .iter()
            .filter(|finding| {
                fault.probe == Some(finding.probe.as_str()) && finding.severity != Severity::Unknown
            })
            .peekable();
        let wants_hosts = fault.where_it_shows == faults::Where::SeveralHosts;
        let can_show = found.peek().is_some() && !(wants_hosts && n_hosts < Some(2));
        let seen = can_show.then(|| found.any(|finding| shows(fault, finding)));
        let (severity, here) = match seen {
            Some(true) => (Severity::Note, "seen here"),
            Some(false) => (Severity::Ok, "not seen here"),
            None => (Severity::Unknown, "not probed here"),
        };
        let place = match fault.where_it_shows {
            faults::Where::OneHost => "on one host",
            faults::Where::SeveralHosts => "between hosts",
        };
        Finding {
            remedy: Some(Remedy {
                setting: fault.remedy.into(),
                note: String::new(),
                seen_to_work: None,
            })
            .filter(|_| seen != Some(false) && !fault.remedy.is_empty()),
            ..Finding::new(
                "known-fault",
                fault.name,
                severity,
                format!("{here} (shows {place}): {}", fault.symptom),
            )
        }
        .with(Measured::Fault {
            name: fault.name.into(),
            seen,
        })
    })
    .collect()
}
