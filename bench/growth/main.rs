//! How the cost of guessing grows with items and ranks, beside what theory says.
//!
//! `just bench growth`. This is no MPI job itself: it starts one for each number of ranks. Each plays all
//! ways of guessing on 9 to 10^9 items, as far as a game takes no longer than a limit, and says what was
//! left out. Guesses and operations must be those of theory (`theory.rs`), within chance: else the exit
//! code is 1. Time has no theory; it is shown by item and by operation, so that what grows faster than the
//! number of operations is seen.
#![allow(dead_code, reason = "other benchmarks use the rest of what they share")]

mod charts;
mod job;
#[path = "../support/samples.rs"]
mod samples;
mod theory;
mod way;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use clap::Parser;
use onesided::claim::Schedule;
use onesided::rma;
use samples::{Samples, spread};
use theory::Expected;
use way::Way;

/// Before each line that the parent reads.
const MARK: &str = "growth: ";

/// Measures how cost grows.
#[derive(Debug, Parser)]
struct Args {
    /// Numbers of ranks, a job each
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 4, 8, 16])]
    ranks: Vec<usize>,
    /// The largest number of items
    #[arg(long, default_value_t = 1_000_000_000)]
    largest: usize,
    /// Longest game with 2 ranks, in seconds; with other numbers of ranks a fifth of it
    #[arg(long, default_value_t = 15.0)]
    limit: f64,
    /// Where the charts go [default: beside the CSV file]
    #[arg(long)]
    charts: Option<PathBuf>,
    /// Be such a job
    #[arg(long, hide = true)]
    in_job: bool,
    /// Ignored; cargo passes it
    #[arg(long, hide = true)]
    bench: bool,
}

/// 9, 100, 1000 and so on.
fn sizes(largest: usize) -> impl Iterator<Item = usize> {
    let powers = (2..).map(|power| 10usize.pow(power));
    std::iter::once(9)
        .chain(powers)
        .take_while(move |&n| n <= largest)
}

/// All games of one way on one number of items by one number of ranks.
struct Cell {
    n_ranks: usize,
    way: Way,
    n_items: usize,
    guesses: Vec<f64>,
    operations: Vec<f64>,
    ns: Vec<f64>,
}

impl Cell {
    fn guesses_expected(&self) -> Option<Expected> {
        theory::guesses(self.way, self.n_items, self.n_ranks, Schedule::default())
    }

    fn operations_expected(&self) -> Option<Expected> {
        theory::operations(self.way, self.n_items, self.n_ranks, Schedule::default())
    }

    fn per_item(&self, samples: &[f64]) -> f64 {
        mean(samples) / self.n_items as f64
    }

    /// The median game, by its slowest rank.
    fn ns_per_item(&self) -> f64 {
        spread(&self.ns).median / self.n_items as f64
    }

    fn ns_per_operation(&self) -> f64 {
        let each: Vec<f64> = (self.ns.iter().zip(&self.operations))
            .map(|(ns, operations)| ns / operations)
            .collect();
        spread(&each).median
    }
}

fn mean(samples: &[f64]) -> f64 {
    samples.iter().sum::<f64>() / samples.len() as f64
}

fn main() -> ExitCode {
    let args = Args::parse();
    if args.in_job {
        job::run(args.largest, Duration::from_secs_f64(args.limit));
        return ExitCode::SUCCESS;
    }
    match measure(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("growth: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all is as theory says.
fn measure(args: &Args) -> Result<bool, String> {
    let library = rma::library().map_err(|error| error.to_string())?;
    let machine = samples::machine_and_commit();
    let all_ranks = args.ranks.iter().map(usize::to_string);
    let all_ranks = all_ranks.collect::<Vec<_>>().join(", ");
    println!("{}", samples::heading(&library, all_ranks, &machine));
    let mut csv = Samples::with_columns("ranks,way,items,game,guesses,operations,slowest_rank_ns");
    let mut cells = Vec::new();
    for &n_ranks in &args.ranks {
        let limit = if n_ranks == 2 {
            args.limit
        } else {
            args.limit / 5.0
        };
        for line in job(n_ranks, args.largest, limit)? {
            take_line(n_ranks, &line, &mut cells, &mut csv)
                .ok_or_else(|| format!("a job said: {line}"))?;
        }
    }
    let agrees = report(&cells);
    csv.write();
    let folder = match &args.charts {
        Some(folder) => Some(folder.clone()),
        None => std::env::var_os("ONESIDED_BENCH_FOLDER").map(PathBuf::from),
    };
    if let Some(folder) = folder {
        let heading = library.to_string();
        for (name, svg) in charts::all(&cells, &heading).map_err(|error| error.to_string())? {
            samples::write_file(&folder.join(name), &svg);
        }
        println!("charts: {}", folder.display());
    }
    Ok(agrees)
}

/// What rank 0 of a job says.
fn job(n_ranks: usize, largest: usize, limit: f64) -> Result<Vec<String>, String> {
    let launcher =
        std::env::var("MPIEXEC").map_err(|_| "MPIEXEC is not set: use `just bench growth`")?;
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("timeout")
        .args([
            "--kill-after=10",
            "600",
            &launcher,
            "-n",
            &n_ranks.to_string(),
        ])
        .arg(own)
        .args(["--in-job", "--largest", &largest.to_string()])
        .args(["--limit", &limit.to_string()])
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!(
            "the job of {n_ranks} ranks failed: {}",
            output.status
        ));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text
        .lines()
        .filter_map(|line| Some(line.strip_prefix(MARK)?.to_owned()))
        .collect())
}

fn take_line(n_ranks: usize, line: &str, cells: &mut Vec<Cell>, csv: &mut Samples) -> Option<()> {
    // A way's name has a comma in it, and is between the first field and the numbers.
    let (kind, rest) = line.split_once(',')?;
    let (way, rest) = Way::ALL.into_iter().find_map(|way| {
        let rest = rest.strip_prefix(&way.to_string())?.strip_prefix(',')?;
        rest.starts_with(|c: char| c.is_ascii_digit())
            .then_some((way, rest))
    })?;
    let fields: Vec<&str> = rest.split(',').collect();
    let n_items: usize = fields[0].parse().ok()?;
    if kind == "left out" {
        let seconds: f64 = fields[1].parse().ok()?;
        println!(
            "left out: {way} on {n_items} items by {n_ranks} ranks, some {seconds:.0} s a game"
        );
        return Some(());
    }
    let [_, _, guesses, operations, ns] = fields[..] else {
        return None;
    };
    csv.push(format_args!("{n_ranks},\"{way}\",{rest}"));
    let is_same = |cell: &Cell| (cell.n_ranks, cell.way, cell.n_items) == (n_ranks, way, n_items);
    if !cells.last().is_some_and(is_same) {
        cells.push(Cell {
            n_ranks,
            way,
            n_items,
            guesses: Vec::new(),
            operations: Vec::new(),
            ns: Vec::new(),
        });
    }
    let cell = cells.last_mut()?;
    cell.guesses.push(guesses.parse().ok()?);
    cell.operations.push(operations.parse().ok()?);
    cell.ns.push(ns.parse().ok()?);
    Some(())
}

/// Prints all cells, and returns whether all are as theory says.
fn report(cells: &[Cell]) -> bool {
    println!(
        "{:>5} {:<22} {:>11} {:>5} {:>12} {:>9} {:>12} {:>9} {:>10} {:>10}",
        "ranks",
        "way",
        "items",
        "games",
        "guesses/item",
        "/theory",
        "operations",
        "/theory",
        "ns/item",
        "ns/oper."
    );
    let mut worst = [(1.0f64, String::new()), (1.0, String::new())];
    let mut n_unexplained = 0;
    for cell in cells {
        let mut columns = [String::new(), String::new()];
        let both = [
            (&cell.guesses, cell.guesses_expected()),
            (&cell.operations, cell.operations_expected()),
        ];
        for (i, (samples, expected)) in both.into_iter().enumerate() {
            let Some(expected) = expected else {
                columns[i] = "-".into();
                continue;
            };
            let ratio = mean(samples) / expected.mean;
            columns[i] = format!("{ratio:.4}");
            if !expected.explains(mean(samples), samples.len()) {
                columns[i] += "!";
                n_unexplained += 1;
            }
            // Between bounds is no distance from theory.
            let is_sharp = expected.slack == (0.0, 0.0);
            if is_sharp && ratio.ln().abs() > worst[i].0.ln().abs() {
                let Cell {
                    n_ranks,
                    way,
                    n_items,
                    ..
                } = cell;
                worst[i] = (ratio, format!("{way}, {n_items} items, {n_ranks} ranks"));
            }
        }
        println!(
            "{:>5} {:<22} {:>11} {:>5} {:>12} {:>9} {:>12} {:>9} {:>10.3} {:>10.2}",
            cell.n_ranks,
            cell.way,
            cell.n_items,
            cell.guesses.len(),
            four_digits(cell.per_item(&cell.guesses)),
            columns[0],
            four_digits(cell.per_item(&cell.operations)),
            columns[1],
            cell.ns_per_item(),
            cell.ns_per_operation()
        );
    }
    for (what, (ratio, cell)) in ["guesses", "operations"].into_iter().zip(&worst) {
        println!("furthest from theory in {what}: {ratio:.4} times ({cell})");
    }
    report_time(cells);
    match n_unexplained {
        0 => println!("all guesses and operations are those of theory, within chance: ok"),
        n => println!("{n} figures are further from theory than chance explains (marked !): FAILS"),
    }
    n_unexplained == 0
}

fn four_digits(value: f64) -> String {
    match value {
        0.01.. => format!("{value:.4}"),
        _ => format!("{value:.3e}"),
    }
}

/// By how much an operation is dearer on the largest board than on one of 1000 items, of each way.
fn report_time(cells: &[Cell]) {
    for way in Way::ALL {
        let of_way = || {
            cells
                .iter()
                .filter(move |cell| cell.way == way && cell.n_ranks == 2)
        };
        let small = of_way().find(|cell| cell.n_items == 1000);
        if let (Some(small), Some(large)) = (small, of_way().next_back()) {
            println!(
                "{way}, 2 ranks: {:.3} ns an item and {:.1} ns an operation on 1000 items, {:.3} and {:.1} on {}",
                small.ns_per_item(),
                small.ns_per_operation(),
                large.ns_per_item(),
                large.ns_per_operation(),
                large.n_items
            );
        }
    }
}
