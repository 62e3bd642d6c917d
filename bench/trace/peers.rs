//! Peers: others that can sum up where the time of a run went, on the same run.
//!
//! They get less to do than our analysis (a sum for each rank and kind; no waits, no blame, no order)
//! and read what we export.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use onesided::internals::analysis::analyse_trace;
use onesided::internals::report::export::{ExportFormat, export};
use onesided::internals::trace::{Trace, Version};

use crate::{analysing, made_up};

const N_RECORDS: u64 = 1_000_000;
const N_RANKS: u32 = 4;

/// Sums durations for each rank and kind; prints seconds without starting Python, and the sum over
/// think times.
const PANDAS: &str = "
import sys, time, pandas
begin = time.perf_counter()
records = pandas.read_csv(sys.argv[1])
sums = records.groupby(['rank', 'kind']).duration_ns.sum()
print(time.perf_counter() - begin, sums.xs('think', level='kind').sum())
";

const SQL: &str = "select sum(dur) as ns from slice where name = 'think'";

/// Measures them, where `.ci/readers` has installed them.
pub fn run(folder: &Path) {
    let folder = folder.join("made-up");
    let known = made_up::write(&folder, Version::Collective, N_RANKS, N_RECORDS);
    let speed = |name: &str, seconds: f64| {
        let million = known.n_records as f64 / seconds / 1e6;
        println!("{name:<58} {seconds:>8.3} s  {million:>7.2} million records/s");
    };
    println!(
        "where the time of {} records went, beside peers:",
        known.n_records
    );
    let start = Instant::now();
    analysing::check(&analyse_trace(&folder).expect("a run"), &known);
    speed(
        "analysis, waits and blame included",
        start.elapsed().as_secs_f64(),
    );

    let trace = Trace::open(&folder).expect("a run");
    for (name, format) in [
        ("csv", ExportFormat::Csv),
        ("jsonl", ExportFormat::Jsonl),
        ("pftrace", ExportFormat::Perfetto),
    ] {
        let file = File::create(folder.join(format!("run.{name}"))).expect("a file");
        let start = Instant::now();
        let exported = export(&trace, format, file).expect("exported");
        speed(
            &format!("writing run.{name}"),
            start.elapsed().as_secs_f64(),
        );
        assert_eq!(exported.n_records, known.n_records);
    }
    let variable = |name: &str| std::env::var(format!("ONESIDED_READERS_{name}")).ok();
    match variable("PYTHON") {
        None => println!("pandas: not measured, `.ci/readers` has not installed it"),
        Some(python) => {
            let csv = folder.join("run.csv");
            let said = output(Command::new(python).args(["-c", PANDAS]).arg(csv));
            let (seconds, think_ns) = said.trim().split_once(' ').expect("two numbers");
            assert_eq!(think_ns, known.think_ns.to_string());
            speed("pandas on run.csv", seconds.parse().expect("seconds"));
        }
    }
    match variable("NODE").zip(variable("ENGINE")) {
        None => {
            println!("Perfetto trace processor: not measured, `.ci/readers` has not installed it")
        }
        Some((node, engine)) => {
            let reader = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/readers/perfetto.mjs");
            let start = Instant::now();
            let mut command = Command::new(node);
            command
                .args([reader, &engine])
                .arg(folder.join("run.pftrace"));
            let said = output(command.arg(SQL));
            speed(
                "Perfetto trace processor on run.pftrace, its start included",
                start.elapsed().as_secs_f64(),
            );
            assert!(said.contains(&known.think_ns.to_string()), "{said}");
        }
    }
    std::fs::remove_dir_all(&folder).expect("removed");
}

fn output(command: &mut Command) -> String {
    let output = command.output().expect("the peer starts");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}
