//! Claims a second: one-sided beside collective, and beside other people's ways to play the same game.
//!
//! `just bench throughput`. This is no MPI job itself: it starts jobs, one at a time, all contenders in
//! turn (A B C … C B A …), round by round, each with a deadline, and checks what each answers. A contender
//! that cannot be had, fails or does not end is a line of the table like the others.
//!
//! What counts is the time of play: from the barrier before a game to the end of it on the rank that left
//! it last, each rank by its own clock, summed over games. Start-up is not in it, nor are barriers,
//! clearing and gathering between games, for all contenders alike; the column "in all" has them too, as
//! the time that a job takes longer than one of a single game.
#![allow(
    dead_code,
    unused_imports,
    reason = "cargo compiles the modules' tests here too, and runs them in tests/benches.rs"
)]

mod calibrate;
mod chart_of;
mod contender;
mod contest;
mod samples;
#[path = "../../tests/support/mod.rs"]
mod support;
mod table;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Parser;
use contender::{Missing, PeerTools};
use onesided::rma;

/// Measures claims per second of all contenders.
#[derive(Debug, Parser)]
struct Args {
    /// Digits of the games, a contest each
    #[arg(long, value_delimiter = ',', default_values_t = [64, 9])]
    digits: Vec<u32>,
    /// Numbers of ranks, a contest each
    #[arg(long, value_delimiter = ',', default_values_t = [2, 4, 8])]
    ranks: Vec<u32>,
    /// Jobs of each contender in a contest
    #[arg(long, default_value_t = 8)]
    rounds: usize,
    /// Where the chart of the first contest's digits goes, as SVG [default: beside the CSV file]
    #[arg(long)]
    chart: Option<PathBuf>,
    /// Draw the chart of this CSV file and measure nothing
    #[arg(long, requires = "chart")]
    redraw: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("throughput: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), String> {
    if let Some(csv) = &args.redraw {
        let text =
            std::fs::read_to_string(csv).map_err(|error| format!("{}: {error}", csv.display()))?;
        let chart = args.chart.as_ref().expect("clap requires it");
        return write(chart, &chart_of::svg(&text, args.digits[0])?);
    }
    let variable = |name: &str| {
        std::env::var(name).map_err(|_| format!("{name} is not set: use `just bench throughput`"))
    };
    let folder = PathBuf::from(variable("ONESIDED_BENCH_FOLDER")?);
    let csv_path = PathBuf::from(variable("ONESIDED_BENCH_CSV")?);
    let library = rma::library()
        .map_err(|error| error.to_string())?
        .to_string();
    // Peers get the setting that our program makes for itself.
    let setting = rma::prepare().map_err(|error| error.to_string())?;
    let tools = PeerTools {
        python: variable("ONESIDED_PEERS_PYTHON")
            .map(PathBuf::from)
            .map_err(|_| {
                variable("ONESIDED_PEERS_MISSING")
                    .unwrap_or_else(|_| "`.ci/peers` has not set it up".into())
            }),
        manager_worker: compiled(&folder),
        setting: setting.map(|setting| setting.variable),
    };
    let (contenders, missing) = contender::all(&tools);
    print!("{}", heading(&library, args.rounds, &missing));
    if let Some(setting) = setting {
        println!(
            "set for all but where it says default component: {}={}",
            setting.variable, setting.value
        );
    }

    let mut csv = samples::CSV_HEAD.to_owned();
    for &n_digits in &args.digits {
        for &n_ranks in &args.ranks {
            let rows = contest::play(&contenders, n_digits, n_ranks, args.rounds);
            print!("{}", table::of(n_digits, n_ranks, &rows));
            for row in &rows {
                csv += &samples::csv(&library, n_digits, n_ranks, row);
            }
            write(&csv_path, &csv)?; // at once, so that a later failure loses nothing
        }
    }
    println!("\nraw samples: {}", csv_path.display());
    let chart = args
        .chart
        .clone()
        .unwrap_or_else(|| csv_path.with_extension("svg"));
    write(&chart, &chart_of::svg(&csv, args.digits[0])?)?;
    println!("chart: {}", chart.display());
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// The C peer, compiled as fast as the compiler can.
fn compiled(folder: &Path) -> Result<PathBuf, String> {
    let source = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/bench/throughput/manager_worker.c"
    );
    let program = folder.join("manager_worker");
    let mpicc = std::env::var("MPICC").map_err(|_| "MPICC is not set".to_owned())?;
    let output = Command::new(&mpicc)
        .args(["-O3", "-Wall", source, "-o"])
        .arg(&program)
        .output()
        .map_err(|error| format!("{mpicc}: {error}"))?;
    match output.status.success() {
        true => Ok(program),
        false => Err(format!(
            "{mpicc} cannot compile it: {}",
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

/// Machine, MPI, commit, and who is missing.
fn heading(library: &str, n_rounds: usize, missing: &[Missing]) -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model);
    let n_cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default().to_owned();
    let git = Command::new("git")
        .args(["describe", "--always", "--dirty"])
        .output();
    let commit = git.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).into(),
    );
    let mut heading = format!(
        "{library}, {n_cores} cores of {model}, load {load} before, commit {}, {n_rounds} rounds\n",
        commit.trim()
    );
    for Missing { name, reason } in missing {
        heading += &format!("{name}: not measured: {reason}\n");
    }
    heading
}
