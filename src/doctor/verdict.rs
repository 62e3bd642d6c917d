//! What the findings say of claims.

use serde::{Deserialize, Serialize};

use super::finding::{Away, Finding, Measured, Policy, Severity};

/// How items are claimed: the choices of `onesided play rma --claim-with`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClaimMethod {
    /// `MPI_Fetch_and_op` on 64 bits.
    FetchAndOp,
    /// `MPI_Compare_and_swap` on 32 bits, and `MPI_Fetch_and_op` on a 64-bit counter.
    CompareAndSwap,
    /// CPU atomics in memory that a node shares.
    SharedMemory,
}

impl ClaimMethod {
    pub const ALL: [ClaimMethod; 3] = [
        ClaimMethod::FetchAndOp,
        ClaimMethod::CompareAndSwap,
        ClaimMethod::SharedMemory,
    ];

    /// As it is called on the command line.
    pub fn name(self) -> &'static str {
        match self {
            ClaimMethod::FetchAndOp => "fetch-and-op",
            ClaimMethod::CompareAndSwap => "compare-and-swap",
            ClaimMethod::SharedMemory => "shared-memory",
        }
    }

    /// The probes that show whether its claims are right, and whether they move.
    fn probes(self) -> &'static [&'static str] {
        match self {
            ClaimMethod::FetchAndOp => {
                &["start", "fetch-and-op-64-allocated", "claims-fetch-and-op"]
            }
            ClaimMethod::CompareAndSwap => &[
                "start",
                "compare-and-swap-32-allocated",
                "fetch-and-op-64-allocated",
                "claims-compare-and-swap",
            ],
            ClaimMethod::SharedMemory => &["start", "claims-shared-memory"],
        }
    }
}

/// What becomes of claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outlook {
    /// Right, and they move whatever the home rank does.
    Right,
    /// Not all that is needed was probed.
    Unknown,
    /// They wait for the home rank to come back into MPI.
    StandStill,
    /// The library crashes, hangs or returns an error.
    Fail,
    /// Items are claimed twice or get lost.
    Wrong,
}

impl Outlook {
    fn of(severity: Severity) -> Self {
        match severity {
            Severity::Ok | Severity::Note | Severity::Slow => Outlook::Right,
            Severity::Unknown => Outlook::Unknown,
            Severity::StandsStill => Outlook::StandStill,
            Severity::Refused | Severity::Hung | Severity::Crashed => Outlook::Fail,
            Severity::Wrong => Outlook::Wrong,
        }
    }

    /// As in "claims by fetch-and-op would be wrong".
    fn words(self) -> &'static str {
        match self {
            Outlook::Right => "are right and move",
            Outlook::Unknown => "could not be judged",
            Outlook::StandStill => "would stand still while the home rank is outside MPI",
            Outlook::Fail => "would fail",
            Outlook::Wrong => "would be wrong",
        }
    }
}

/// What becomes of claims by one method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Method {
    pub claim_with: ClaimMethod,
    /// What becomes of them.
    pub outlook: Outlook,
    /// The finding that says so; empty where all is well.
    pub because: String,
    /// What helps, where it is known.
    pub remedy: Option<String>,
    /// The progress policies that keep claims moving, the cheapest first; `--progress auto` finds one of
    /// them. Empty where none does, and where nothing is known.
    pub policies: Vec<Policy>,
}

/// What the findings say of claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// One or two sentences.
    pub text: String,
    /// 0 if claims by the method asked for are right and move; else 1.
    pub exit_code: u8,
    /// What becomes of claims, method by method.
    pub methods: Vec<Method>,
}

impl Verdict {
    /// Judges the findings, for a program that claims with `claim_with`.
    pub fn of(findings: &[Finding], claim_with: ClaimMethod) -> Self {
        let methods: Vec<Method> = ClaimMethod::ALL
            .into_iter()
            .map(|method| judge(findings, method))
            .collect();
        let asked = judge(findings, claim_with);
        let mut text = sentence(&asked);
        for other in methods
            .iter()
            .filter(|other| other.claim_with != claim_with)
        {
            let differs = other.outlook != asked.outlook;
            if differs {
                text += "; ";
                text += &sentence(other);
            }
        }
        text += &shared_memory_wins(findings, &methods, claim_with).unwrap_or_default();
        Verdict {
            text,
            exit_code: u8::from(asked.outlook != Outlook::Right),
            methods,
        }
    }
}

/// The recommendation of claims by CPU atomics, where they are right and take less than half the time.
fn shared_memory_wins(
    findings: &[Finding],
    methods: &[Method],
    claim_with: ClaimMethod,
) -> Option<String> {
    let shared = ClaimMethod::SharedMemory;
    let is_right = methods
        .iter()
        .any(|method| method.claim_with == shared && method.outlook == Outlook::Right);
    let of_shared_ns = median_while_asleep_ns(findings, shared)?;
    let of_asked_ns = median_while_asleep_ns(findings, claim_with)?;
    (claim_with != shared && is_right && of_shared_ns.saturating_mul(2) < of_asked_ns).then(|| {
        format!(
            "; on this one node --claim-with shared-memory is the better choice: a claim takes \
             {of_shared_ns} ns with the home rank asleep, and {of_asked_ns} ns by {}",
            claim_with.name()
        )
    })
}

/// How long half of the claims take while the home rank sleeps, by the best policy that keeps them moving.
fn median_while_asleep_ns(findings: &[Finding], method: ClaimMethod) -> Option<u64> {
    let medians = findings
        .iter()
        .filter_map(|finding| match finding.measured {
            Some(Measured::Claims {
                claim_with,
                away: Away::Asleep,
                each_once: true,
                stalled: false,
                latency,
                ..
            }) if claim_with == method => Some(latency.median_ns),
            _ => None,
        });
    medians.min()
}

pub(super) fn judge(findings: &[Finding], method: ClaimMethod) -> Method {
    let policies = policies_that_move(findings, method);
    let mut worst = Method {
        claim_with: method,
        outlook: Outlook::Right,
        because: String::new(),
        remedy: None,
        policies: policies.clone(),
    };
    for &probe in method.probes() {
        let mut found = findings
            .iter()
            .filter(|finding| finding.probe == probe)
            .peekable();
        if found.peek().is_none() && worst.outlook < Outlook::Unknown {
            worst.outlook = Outlook::Unknown;
            worst.because = format!("the probe {probe} told nothing");
        }
        for finding in found {
            let outlook = match Outlook::of(finding.severity) {
                // One policy that keeps claims moving is enough: the others need not.
                Outlook::StandStill if !policies.is_empty() => Outlook::Right,
                outlook => outlook,
            };
            if outlook > worst.outlook {
                worst.outlook = outlook;
                worst.because = format!("{}: {}", finding.subject, finding.detail);
                worst.remedy = finding.remedy.as_ref().map(|remedy| remedy.setting.clone());
            }
        }
    }
    worst
}

/// The policies under which claims moved whatever the home rank did.
pub(super) fn policies_that_move(findings: &[Finding], method: ClaimMethod) -> Vec<Policy> {
    let moved = |wanted: Policy, how: Away| {
        findings.iter().any(|finding| match &finding.measured {
            Some(Measured::Claims {
                claim_with,
                policy,
                away,
                stalled,
                ..
            }) => (*claim_with, *policy, *away, *stalled) == (method, wanted, how, false),
            _ => false,
        })
    };
    [Policy::None, Policy::Poll, Policy::Thread]
        .into_iter()
        .filter(|&policy| moved(policy, Away::Asleep) && moved(policy, Away::Computing))
        .collect()
}

fn sentence(method: &Method) -> String {
    let Method {
        claim_with,
        outlook,
        because,
        remedy,
        policies,
    } = method;
    let mut text = format!("claims by {} {}", claim_with.name(), outlook.words());
    if !because.is_empty() {
        text += &format!(" ({because})");
    }
    if let Some(remedy) = remedy {
        text += &format!("; remedy: {remedy}");
    }
    if *outlook == Outlook::Right && !policies.is_empty() && !policies.contains(&Policy::None) {
        let names: Vec<&str> = policies.iter().map(|policy| policy.name()).collect();
        text += &format!(", with --progress {}", names.join(" or "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::{Latencies, Remedy};

    const PROBES: [&str; 5] = [
        "start",
        "fetch-and-op-64-allocated",
        "compare-and-swap-32-allocated",
        "claims-fetch-and-op",
        "claims-compare-and-swap",
    ];

    fn findings(severity_of: impl Fn(&str) -> Severity) -> Vec<Finding> {
        PROBES
            .iter()
            .map(|probe| Finding::new(*probe, *probe, severity_of(probe), "made up"))
            .collect()
    }

    fn exit_code(findings: &[Finding]) -> u8 {
        Verdict::of(findings, ClaimMethod::FetchAndOp).exit_code
    }

    #[test]
    fn all_well_is_0_and_anything_that_claims_need_is_1() {
        assert_eq!(exit_code(&findings(|_| Severity::Ok)), 0);
        assert_eq!(exit_code(&findings(|_| Severity::Slow)), 0);
        for severity in [
            Severity::Unknown,
            Severity::StandsStill,
            Severity::Refused,
            Severity::Hung,
            Severity::Crashed,
            Severity::Wrong,
        ] {
            for bad in ["start", "fetch-and-op-64-allocated", "claims-fetch-and-op"] {
                let found = findings(|probe| match probe == bad {
                    true => severity,
                    false => Severity::Ok,
                });
                assert_eq!(exit_code(&found), 1, "{bad} {severity:?}");
            }
        }
    }

    fn claims(policy: Policy, away: Away, stalled: bool) -> Finding {
        let severity = match stalled {
            true => Severity::StandsStill,
            false => Severity::Ok,
        };
        let measured = Measured::Claims {
            claim_with: ClaimMethod::FetchAndOp,
            policy,
            away,
            away_ns: 500_000_000,
            items: 1,
            each_once: true,
            stalled,
            latency: Latencies::default(),
            home_cpu_ns: 0,
        };
        Finding::new("claims-fetch-and-op", "made up", severity, "made up").with(measured)
    }

    #[test]
    fn shared_memory_is_recommended_where_it_is_right_and_wins() {
        let taking = |method: ClaimMethod, ns: u64, each_once| {
            let mut finding = claims(Policy::None, Away::Asleep, false);
            finding.probe = format!("claims-{}", method.name());
            let Some(Measured::Claims {
                claim_with,
                latency,
                each_once: right,
                ..
            }) = &mut finding.measured
            else {
                unreachable!("claims are measured")
            };
            (*claim_with, *right) = (method, each_once);
            *latency = Latencies::of(vec![ns]);
            if !each_once {
                finding.severity = Severity::Wrong;
            }
            finding
        };
        let verdict = |shared_ns, right, asked| {
            let mut found = findings(|_| Severity::Ok);
            found.push(taking(ClaimMethod::FetchAndOp, 1000, true));
            found.push(taking(ClaimMethod::SharedMemory, shared_ns, right));
            Verdict::of(&found, asked).text
        };
        let says = "--claim-with shared-memory is the better choice: a claim takes 90 ns";
        assert!(verdict(90, true, ClaimMethod::FetchAndOp).contains(says));
        for (shared_ns, right, asked) in [
            (600, true, ClaimMethod::FetchAndOp),
            (90, false, ClaimMethod::FetchAndOp),
            (90, true, ClaimMethod::SharedMemory),
        ] {
            let text = verdict(shared_ns, right, asked);
            assert!(!text.contains("better choice"), "{text}");
        }
    }

    #[test]
    fn a_policy_must_move_claims_of_a_home_rank_that_sleeps_and_of_one_that_computes() {
        use Away::{Asleep, Computing};
        let mut found = findings(|_| Severity::Ok);
        found.push(claims(Policy::None, Asleep, true));
        found.push(claims(Policy::None, Computing, true));
        found.push(claims(Policy::Thread, Asleep, false));
        assert_eq!(exit_code(&found), 1);
        found.push(claims(Policy::Thread, Computing, true));
        assert_eq!(exit_code(&found), 1);
        found.push(claims(Policy::Poll, Asleep, false));
        found.push(claims(Policy::Poll, Computing, false));
        let verdict = Verdict::of(&found, ClaimMethod::FetchAndOp);
        assert_eq!(verdict.exit_code, 0, "{verdict:?}");
        assert_eq!(verdict.methods[0].policies, [Policy::Poll]);
        assert!(verdict.text.contains("--progress poll"), "{}", verdict.text);
    }

    #[test]
    fn what_the_method_does_not_need_does_not_count() {
        let mut found = findings(|probe| match probe {
            "compare-and-swap-32-allocated" => Severity::Hung,
            _ => Severity::Ok,
        });
        let crash = Severity::Crashed;
        found.push(Finding::new("compare-and-swap-64-allocated", "", crash, ""));
        found.push(Finding::new(
            "progress-created",
            "",
            Severity::StandsStill,
            "",
        ));
        assert_eq!(exit_code(&found), 0);
        let other = Verdict::of(&found, ClaimMethod::CompareAndSwap);
        assert_eq!(other.exit_code, 1);
        assert_eq!(other.methods[1].outlook, Outlook::Fail);
        assert!(
            other.text.contains("claims by fetch-and-op are right"),
            "{}",
            other.text
        );
    }

    #[test]
    fn a_probe_that_told_nothing_is_not_taken_for_well() {
        let found = findings(|_| Severity::Ok);
        assert_eq!(exit_code(&found[..3]), 1);
        assert_eq!(exit_code(&[]), 1);
    }

    #[test]
    fn the_worst_finding_is_the_reason_and_brings_its_remedy() {
        let mut found = findings(|_| Severity::StandsStill);
        found[1].severity = Severity::Wrong;
        found[1].remedy = Some(Remedy {
            setting: "VARIABLE=value".into(),
            note: String::new(),
            seen_to_work: Some(true),
        });
        let verdict = Verdict::of(&found, ClaimMethod::FetchAndOp);
        assert!(verdict.text.contains("would be wrong"), "{}", verdict.text);
        assert!(
            verdict.text.contains("remedy: VARIABLE=value"),
            "{}",
            verdict.text
        );
    }
}
