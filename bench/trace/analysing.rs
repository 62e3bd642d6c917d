//! How fast records are analysed, and in how much memory.

use std::path::Path;
use std::time::Instant;

use onesided::internals::analysis::{Findings, analyse_trace};
use onesided::internals::trace::Version;

use crate::made_up;

const N_RECORDS: u64 = 10_000_000;
const N_RANKS: u32 = 4;
/// Records a second.
const TARGET: f64 = 10e6;

/// Measures both versions, on a run of some records and on one of ten times as many.
pub fn run(folder: &Path) {
    for version in [Version::Rma, Version::Collective] {
        let mut peaks = Vec::new();
        for n_records in [N_RECORDS / 10, N_RECORDS] {
            let folder = folder.join("made-up");
            let known = made_up::write(&folder, version, N_RANKS, n_records);
            let mut seconds = Vec::new();
            let mut peak = 0;
            for _ in 0..5 {
                let before_kib = reset_peak();
                let start = Instant::now();
                let findings = analyse_trace(&folder).expect("a run");
                seconds.push(start.elapsed().as_secs_f64());
                peak = peak.max(status_kib("VmHWM:").saturating_sub(before_kib));
                check(&findings, &known);
            }
            seconds.sort_by(f64::total_cmp);
            let speed = known.n_records as f64 / seconds[seconds.len() / 2];
            let target = match speed >= TARGET {
                true => "ok",
                false => "MISSES 10 million/s",
            };
            println!(
                "analysis of {} {} records of {N_RANKS} ranks: {:.1} million records/s (median of 5), in \
                 {peak} KiB: {target}",
                known.n_records,
                version.name(),
                speed / 1e6,
            );
            peaks.push(peak);
            std::fs::remove_dir_all(&folder).expect("removed");
        }
        let [few, many] = peaks[..] else {
            unreachable!("two sizes")
        };
        let same = many < few + 1024;
        println!(
            "ten times the records take {} KiB more memory: {}",
            many.saturating_sub(few),
            if same { "ok" } else { "GROWS WITH RECORDS" }
        );
    }
}

pub fn check(findings: &Findings, known: &made_up::Known) {
    let recorded = findings.recorded.as_ref().expect("a trace");
    assert_eq!(recorded.records, known.n_records, "every record was read");
    let guesses: u64 = findings.per_rank.iter().map(|rank| rank.guesses).sum();
    assert_eq!(guesses, known.guesses);
    assert_eq!(
        findings.sum_ns(|rank| rank.allreduce_wait.map_or(Some(0), |w| Some(w.wait_ns))),
        Some(known.wait_ns)
    );
    assert!(findings.notes.is_empty(), "{:?}", findings.notes);
    let violations = findings
        .order
        .as_ref()
        .map_or(0, |order| order.n_violations);
    assert_eq!(violations, 0, "{:#?}", findings.order);
}

/// Forgets the peak of memory so far (Linux), and returns what is in use now, in KiB.
fn reset_peak() -> u64 {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    status_kib("VmRSS:")
}

/// A number of `/proc/self/status`, in KiB; 0 where the system does not tell.
fn status_kib(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}
