//! The doctor, on two hosts.

use std::path::Path;
use std::process::Command;

use onesided::internals::doctor::{Away, ClaimMethod, Document, Measured, Policy};
use onesided::rma;

use crate::hosts::{Hosts, name};
use crate::launchers::{Within, launcher_words, may_hang_at_the_end};
use crate::support::{best_of_three, launcher, scratch};
use crate::{ONESIDED, Test};

pub const TESTS: &[Test] = &[(
    "doctor::finds_that_the_library_alone_stands_still_and_what_helps",
    finds_what_helps,
)];

/// Runs the doctor of `program` on two hosts of one rank each; what it writes into `file`.
pub fn examine(program: &str, file: &Path, within: &str) -> Document {
    let hosts = Hosts::up(2);
    let library = rma::library().expect("the library names itself");
    let names = [name(0), name(1)];
    let words = launcher_words(&library, &names, 1, Within::SharedMemory);
    let quote = |word: &String| format!("'{word}'");
    let args: Vec<String> = words.args.iter().map(quote).collect();
    let launcher = format!("'{}' -n {{ranks}} {}", launcher().display(), args.join(" "));
    let on_first = hosts.command_on(0);
    let output = Command::new(&on_first[0])
        .args(&on_first[1..])
        .args([program, "doctor", "--ranks", "2", "--within", within])
        .args(["--launcher", &launcher, "--output"])
        .arg(file)
        .env("ONESIDED_HOSTS", hosts.folder())
        .env("TMPDIR", "/tmp")
        .envs(words.envs)
        .output()
        .expect("nsenter runs");
    let text = std::fs::read_to_string(file);
    let text = text.unwrap_or_else(|error| panic!("{error}: {output:?}"));
    Document::from_json(&text).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// Over TCP no library completes a claim while its target sleeps; polling and a thread do, and claims are
/// right.
fn finds_what_helps() {
    best_of_three(|| {
        let folder = scratch();
        let document = examine(ONESIDED, &folder.path().join("doctor.json"), "120s");
        assert_eq!(document.hosts().len(), 2, "{document:#?}");
        // Claims are right, and the default policy keeps them moving.
        let code = document.verdict.exit_code;
        // A job that hangs when all is done is a finding, where the library is known for it.
        let hung = document
            .findings
            .iter()
            .any(|finding| finding.severity == onesided::internals::doctor::Severity::Hung);
        assert!(!hung || may_hang_at_the_end(), "{document:#?}");
        let stalled = what_stalled(&document);
        let right = [
            (Policy::None, true),
            (Policy::Poll, false),
            (Policy::Thread, false),
        ];
        match (stalled[..] == right, code) {
            (true, 0) => Ok(()),
            _ => Err(format!("exit code {code}, {stalled:?}")),
        }
    });
}

/// Whether claims stall while the home rank sleeps, under each policy.
fn what_stalled(document: &Document) -> Vec<(Policy, bool)> {
    let mut seen = Vec::new();
    for finding in &document.findings {
        let Some(Measured::Claims {
            claim_with: ClaimMethod::FetchAndOp,
            policy,
            away,
            each_once,
            stalled,
            ..
        }) = finding.measured
        else {
            continue;
        };
        assert!(each_once, "{finding:#?}");
        if away == Away::Asleep {
            seen.push((policy, stalled));
        }
    }
    seen
}
