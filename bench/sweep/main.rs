//! Claiming all of very many items in chunks, beside a plain sweep that sets the same bits.
//!
//! `just bench sweep`; `just bench sweep --items 1000000000 --schedules factoring`. Board and sweep take
//! turns (A B B A …), and every run's answer is checked: all items won, each once. The sweep is `|=` over
//! as many words of memory of the same kind (a file in `/dev/shm`, mapped by all, touched before), a share
//! each rank; it learns nothing, so it is the least that setting the bits can cost.
//!
//! Two times are taken of each run, of the slowest rank: by the clock, and by the processor time of the
//! rank's thread. The target is held against the second, since other load on the machine is not in it;
//! ranks that wait inside MPI poll, so that waiting is.
#![allow(dead_code, reason = "other benchmarks use the rest of what they share")]
#![allow(unsafe_code, reason = "the peer writes to memory that ranks share")]

mod bits;
mod huge;
#[path = "../support/samples.rs"]
mod samples;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use bits::Bits;
use clap::Parser;
use onesided::claim::{
    BitBoard, Board, Memory, Options, Remember, Schedule, SharedBoard, SpreadBoard, WordBoard,
};
use onesided::rma::{self, Comm, Mpi, ThreadLevel};
use samples::{Ratio, Samples, agreed, column, gather, spread, thread_cpu_ns};

/// Claiming may take so many times as long as the sweep.
const TARGET_RATIO: f64 = 2.0;
/// Of N / 8 bytes, what may be needed beyond.
const TARGET_MORE_MEMORY: f64 = 0.01;
/// Boards so large and larger are held against that target: below, the library's buffers are larger.
const LARGE_ITEMS: usize = 1_000_000_000;

/// Measures claims in chunks.
#[derive(Debug, Parser)]
struct Args {
    /// Sizes of boards
    #[arg(long, value_delimiter = ',', default_values_t = [1_000_000, 10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000])]
    items: Vec<usize>,
    /// Schedules; of sizes other than 10^9 the first one is enough
    #[arg(long, value_delimiter = ',', default_values_t = ["factoring", "guided", "fixed:262144"].map(String::from))]
    schedules: Vec<String>,
    /// Time for each board, schedule and size, in seconds, once it was measured seven times
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Items of boards of which only both ends and some chunks are claimed; 0 for none
    #[arg(long, value_delimiter = ',', default_values_t = [1 << 36])]
    huge: Vec<usize>,
    /// Ignored; cargo passes it
    #[arg(long, hide = true)]
    bench: bool,
}

/// A board, a schedule and a size.
struct Row {
    board: &'static str,
    schedule: String,
    n_items: usize,
    runs: Vec<[Took; 2]>,
    /// What one run took, on all ranks together.
    n_operations: f64,
    memory: MemoryTaken,
}

/// Nanoseconds of the slowest rank.
#[derive(Clone, Copy)]
struct Took {
    by_clock: f64,
    by_processor: f64,
}

/// Bytes, on all ranks together.
#[derive(Clone, Copy)]
struct MemoryTaken {
    window: f64,
    /// What the processes' proportional set sizes grew by.
    processes: f64,
}

struct Bench<'a> {
    world: &'a Comm<'a>,
    args: Args,
    rows: Vec<Row>,
}

fn main() -> ExitCode {
    let machine = samples::machine_and_commit();
    let args = Args::parse();
    let mpi = Mpi::init(ThreadLevel::Funneled).expect("MPI starts");
    let world = mpi.world().expect("a duplicate of the world");
    if world.rank() == 0 {
        let library = rma::library().expect("the library names itself");
        println!("{}", samples::heading(&library, world.size(), &machine));
        println!(
            "{:<14} {:<14} {:>14} {:>10} {:>10} {:>10}  {:<32} {:>10} {:>7}",
            "board",
            "schedule",
            "items",
            "operations",
            "ns/word",
            "sweep",
            "ratio",
            "ratio by",
            "memory"
        );
        println!(
            "{:<14} {:<14} {:>14} {:>10} {:>10} {:>10}  {:<32} {:>10} {:>7}",
            "", "", "", "", "", "ns/word", "", "the clock", "/(N/8)"
        );
    }
    let sizes = args.items.clone();
    let huge = args.huge.clone();
    let mut bench = Bench {
        world: &world,
        args,
        rows: Vec::new(),
    };
    for n_items in sizes {
        bench.size(n_items);
    }
    if world.rank() == 0 {
        bench.write_samples();
    }
    let mut is_right = true;
    for n_items in huge.into_iter().filter(|&n_items| n_items > 0) {
        is_right &= huge::boards(&world, n_items);
    }
    world.free().expect("freed");
    mpi.finalize().expect("ended");
    match is_right {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

impl<'a> Bench<'a> {
    fn size(&mut self, n_items: usize) {
        let world = self.world;
        let mut peer = Bits::of(world, n_items.div_ceil(64));
        let schedules = match n_items {
            LARGE_ITEMS => self.args.schedules.clone(),
            _ => self.args.schedules[..1].to_vec(),
        };
        for schedule in schedules {
            let of_bits = |options: &Options| BitBoard::open_with(world, 0, n_items, options);
            let spread = |options: &Options| SpreadBoard::open_with(world, n_items, options);
            let shared = |options: &Options| SharedBoard::open_with(world, 0, n_items, options);
            self.board("bits", false, n_items, &schedule, &mut peer, of_bits);
            self.board("bits, blocks", true, n_items, &schedule, &mut peer, of_bits);
            self.board("spread", false, n_items, &schedule, &mut peer, spread);
            self.board(
                "spread, blocks",
                true,
                n_items,
                &schedule,
                &mut peer,
                spread,
            );
            self.board("shared", false, n_items, &schedule, &mut peer, shared);
            self.board(
                "shared, blocks",
                true,
                n_items,
                &schedule,
                &mut peer,
                shared,
            );
        }
        peer.close(world);
    }

    fn board<M: Memory>(
        &mut self,
        name: &'static str,
        in_blocks: bool,
        n_items: usize,
        schedule: &str,
        peer: &mut Bits,
        open: impl Fn(&Options) -> rma::Result<WordBoard<'a, M>>,
    ) {
        let world = self.world;
        let options = Options {
            remember: Remember::Nothing,
            schedule: schedule.parse::<Schedule>().expect("a schedule"),
            in_blocks,
            ..Options::default()
        };
        let before = pss_bytes(world);
        let mut board = open(&options).expect("a board");
        // The first run is not timed: pages of libraries' buffers are touched, and memory is looked at.
        let operations = board.n_operations();
        let first = claim_all(world, &mut board);
        let n_operations = gather(world, &[(board.n_operations() - operations) as f64]);
        let memory = MemoryTaken {
            window: board.n_window_bytes() as f64,
            processes: pss_bytes(world) - before,
        };
        check(world, &mut board, first.won);
        peer.sweep(world);
        let start = Instant::now();
        let mut runs = Vec::new();
        loop {
            let claim = |board: &mut WordBoard<'a, M>| {
                let run = claim_all(world, board);
                check(world, board, run.won);
                run.took
            };
            let pair = if runs.len() % 2 == 0 {
                let of_board = claim(&mut board);
                [of_board, peer.sweep(world)]
            } else {
                let of_sweep = peer.sweep(world);
                [claim(&mut board), of_sweep]
            };
            runs.push(pair);
            // An interval takes 6 pairs; the largest boards go with fewer.
            let enough = Duration::from_secs(self.args.seconds);
            let is_enough = match runs.len() {
                0..3 => false,
                3..7 => start.elapsed() > 4 * enough,
                7..50 => start.elapsed() > enough,
                _ => true,
            };
            if agreed(world, is_enough) {
                break;
            }
        }
        board.close().expect("closed");
        if let Some(n_operations) = n_operations {
            let row = Row {
                board: name,
                schedule: schedule.to_owned(),
                n_items,
                runs,
                n_operations: column(&n_operations, 0).sum(),
                memory,
            };
            row.print();
            self.rows.push(row);
        }
    }

    fn write_samples(&self) {
        let mut csv = Samples::with_columns(
            "board,schedule,items,pair,claimed_cpu_ns,swept_cpu_ns,claimed_clock_ns,swept_clock_ns,\
             window_bytes,pss_growth_bytes",
        );
        for row in &self.rows {
            for (pair, [claimed, swept]) in row.runs.iter().enumerate() {
                csv.push(format_args!(
                    "{},{},{},{pair},{},{},{},{},{},{}",
                    row.board,
                    row.schedule,
                    row.n_items,
                    claimed.by_processor,
                    swept.by_processor,
                    claimed.by_clock,
                    swept.by_clock,
                    row.memory.window,
                    row.memory.processes
                ));
            }
        }
        csv.write();
    }
}

impl Row {
    fn print(&self) {
        let all = |of: fn(&[Took; 2]) -> f64| self.runs.iter().map(of).collect::<Vec<_>>();
        let (claimed, swept) = (
            all(|run| run[0].by_processor),
            all(|run| run[1].by_processor),
        );
        let ratio = Ratio::of(&claimed, &swept, TARGET_RATIO);
        let by_clock = Ratio::of(
            &all(|run| run[0].by_clock),
            &all(|run| run[1].by_clock),
            TARGET_RATIO,
        );
        let n_words = self.n_items.div_ceil(64) as f64;
        let share = self.memory.processes / (self.n_items as f64 / 8.0);
        let verdict = match self.n_items {
            ..LARGE_ITEMS => "",
            _ if share <= 1.0 + TARGET_MORE_MEMORY => "ok 1.01",
            _ => "MISSES 1.01",
        };
        println!(
            "{:<14} {:<14} {:>14} {:>10} {:>10.2} {:>10.2}  {:<32} {:>10.2} {share:>7.3} {verdict}",
            self.board,
            self.schedule,
            self.n_items,
            self.n_operations,
            spread(&claimed).median / n_words,
            spread(&swept).median / n_words,
            ratio.to_string(),
            by_clock.spread.median,
        );
    }
}

/// A run, as this rank saw it.
struct Run {
    won: u64,
    /// Of the slowest rank, on rank 0.
    took: Took,
}

/// Claims all in chunks, on all ranks. Collective. Only the calls that claim are timed, not the counting of
/// what was won.
fn claim_all<M: Memory>(world: &Comm<'_>, board: &mut WordBoard<'_, M>) -> Run {
    world.barrier().expect("barrier");
    let (mut won, mut by_clock, mut by_processor) = (0, 0.0, 0.0);
    loop {
        let (start, cpu_start) = (Instant::now(), thread_cpu_ns());
        let chunk = board.claim_next().expect("a claim");
        by_processor += thread_cpu_ns() - cpu_start;
        by_clock += start.elapsed().as_nanos() as f64;
        match chunk {
            Some(chunk) => won += chunk.len() as u64,
            None => break,
        }
    }
    Run {
        won,
        took: slowest(world, by_clock, by_processor),
    }
}

/// That all items were won, each once, and are free afterwards. Collective.
fn check<M: Memory>(world: &Comm<'_>, board: &mut WordBoard<'_, M>, won: u64) {
    world.barrier().expect("barrier"); // at rest
    if let Some(won) = gather(world, &[won as f64]) {
        let n_items = board.n_items();
        let all_won: f64 = column(&won, 0).sum();
        assert_eq!(all_won, n_items as f64, "what ranks won adds up");
        assert_eq!(
            board.n_claimed().expect("read"),
            n_items,
            "all bits are set"
        );
        board.clear().expect("cleared");
    }
    board.forget();
    world.barrier().expect("barrier");
}

/// Collective.
fn slowest(world: &Comm<'_>, by_clock: f64, by_processor: f64) -> Took {
    let all = gather(world, &[by_clock, by_processor]).unwrap_or_default();
    let most = |index| all.iter().map(|numbers| numbers[index]).fold(0.0, f64::max);
    Took {
        by_clock: most(0),
        by_processor: most(1),
    }
}

/// The proportional set sizes of all ranks together, on rank 0: pages that several share are counted once.
/// Collective.
fn pss_bytes(world: &Comm<'_>) -> f64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").expect("Linux 4.14 has it");
    let pss = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = pss.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    let own = kib.expect("the kernel's format") * 1024.0;
    let all = gather(world, &[own]).unwrap_or_default();
    world.barrier().expect("barrier"); // nobody goes on while others look
    column(&all, 0).sum()
}
