//! What several runs of the doctor found of claims, as a table in Markdown.

use std::fmt::Write;

use super::seconds;
use crate::doctor::{Away, ClaimMethod, Document, Measured, Policy};

/// A row for each document and method of claiming, a column for each progress policy: whether claims are
/// right, and how long those of other ranks take, median and 99 %, while the home rank sleeps.
pub fn doctor_matrix(documents: &[Document]) -> String {
    let mut text = String::from(
        "| library | hosts | claim with | progress none | poll | thread |\n|---|---|---|---|---|---|\n",
    );
    for document in documents {
        let n_hosts = match document.hosts().len() {
            0 => "?".into(),
            n => n.to_string(),
        };
        for method in ClaimMethod::ALL {
            if method == ClaimMethod::SharedMemory && n_hosts != "1" {
                continue;
            }
            let cells = match method {
                ClaimMethod::SharedMemory => [
                    cell(document, method, Policy::None),
                    "needs none".into(),
                    "needs none".into(),
                ],
                _ => [Policy::None, Policy::Poll, Policy::Thread]
                    .map(|policy| cell(document, method, policy)),
            };
            let _ = writeln!(
                text,
                "| {} | {n_hosts} | {} | {} |",
                document.mpi_library,
                method.name(),
                cells.join(" | ")
            );
        }
    }
    text
}

/// One cell. What was not measured says so, and is no pass.
fn cell(document: &Document, method: ClaimMethod, policy: Policy) -> String {
    let measured = |wanted: Away, of: Policy| {
        document
            .findings
            .iter()
            .find_map(|finding| match &finding.measured {
                Some(Measured::Claims {
                    claim_with,
                    policy,
                    away,
                    each_once,
                    stalled,
                    latency,
                    ..
                }) if (*claim_with, *policy, *away) == (method, of, wanted) => {
                    Some((*each_once, *stalled, *latency))
                }
                _ => None,
            })
    };
    // Whether claims are right when all claim at once does not depend on the policy: measured once.
    let at_once = measured(Away::Claiming, Policy::None);
    let asleep = measured(Away::Asleep, policy);
    let (Some((right_at_once, ..)), Some((right, stalled, latency))) = (at_once, asleep) else {
        return "not measured".into();
    };
    let s = |ns: u64| seconds(ns as f64 / 1e9);
    match (right_at_once && right, stalled) {
        (false, _) => "**wrong**".into(),
        (true, true) => format!("**stands still**, {}", s(latency.longest_ns)),
        (true, false) => format!("{}, {}", s(latency.median_ns), s(latency.p99_ns)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{Finding, Latencies, Severity};

    fn claims(policy: Policy, away: Away, each_once: bool, stalled: bool) -> Finding {
        let measured = Measured::Claims {
            claim_with: ClaimMethod::FetchAndOp,
            policy,
            away,
            away_ns: 1,
            items: 3,
            each_once,
            stalled,
            latency: Latencies::of(vec![900, 1_000, 19_000_000]),
            home_cpu_ns: 0,
        };
        Finding {
            measured: Some(measured),
            ..Finding::new("claims-fetch-and-op", "claims", Severity::Ok, "")
        }
    }

    fn row_of(findings: Vec<Finding>) -> String {
        let library = "Open MPI 4.1.4".into();
        let method = ClaimMethod::FetchAndOp;
        let document = Document::new(library, None, 2, method, 1.0, findings);
        let matrix = doctor_matrix(&[document]);
        matrix.lines().nth(2).unwrap().to_owned()
    }

    #[test]
    fn each_cell_says_what_was_seen_and_nothing_else() {
        let start = "| Open MPI 4.1.4 | ? | fetch-and-op | ";
        assert_eq!(
            row_of(vec![
                claims(Policy::None, Away::Claiming, true, false),
                claims(Policy::None, Away::Asleep, true, true),
                claims(Policy::Poll, Away::Asleep, true, false),
            ]),
            format!("{start}**stands still**, 19.0 ms | 1.00 us, 19.0 ms | not measured |")
        );
        // Wrong when all claim at once is wrong by any policy.
        let wrong = row_of(vec![
            claims(Policy::None, Away::Claiming, false, false),
            claims(Policy::None, Away::Asleep, true, false),
        ]);
        assert_eq!(
            wrong,
            format!("{start}**wrong** | not measured | not measured |")
        );
    }
}
