//! What a claim costs through the library, beside the same loop in plain C, in one process.
//!
//! `just bench claims` starts this under the launcher. Library and C take turns (A B B A …), so that
//! drift of the machine hits both alike; every batch's answer is checked; the median of the ratios of
//! neighbouring batches is what counts. Raw samples go to a CSV file.
#![allow(unsafe_code, reason = "the peer is C")]

mod peer;

use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use onesided::claim::{BitBoard, Board, Options, SlotBoard};
use onesided::internals::analysis::Spread;
use onesided::rma::{self, Bits, Comm, Hints, Layout, Mpi, Rank, Region, ThreadLevel, Window};
use peer::{Method, Peer, PeerLibrary};

/// The boards have so many items, claimed in turn.
const N_ITEMS: usize = 64;
/// How often all windows are opened anew: under contention, where a window happens to lie in memory can
/// change a claim by half, for library and C alike.
const N_ROUNDS: usize = 10;
/// Pairs of batches of a round.
const N_PAIRS: usize = 8;
/// How long a batch should take.
const BATCH_NS: f64 = 4e6;
/// The library may cost so much more than C.
const TARGET_RATIO: f64 = 1.05;

/// Who claims in a batch, while the others wait in a barrier.
#[derive(Clone, Copy, PartialEq)]
enum Active {
    /// The last rank alone: latency.
    One,
    /// All ranks at once: throughput, under contention.
    All,
}

/// One of the two things that are compared: makes n claims, and says how many it won.
type Side<'a> = &'a mut dyn Contender;

/// A claim board in the ring.
struct Boarded<B>(B);

trait Contender {
    fn claim(&mut self, n: u64) -> u64;
    /// All items free again; at rest, by the home rank alone.
    fn clear(&mut self);
}

impl<B: Board> Contender for Boarded<B> {
    fn claim(&mut self, n: u64) -> u64 {
        let mut won = 0;
        for i in 0..n {
            won += u64::from(
                self.0
                    .claim(i as usize % N_ITEMS)
                    .expect("a claim")
                    .is_won(),
            );
        }
        won
    }
    fn clear(&mut self) {
        self.0.clear().expect("cleared");
    }
}

/// The same claims by the window alone, without a board that remembers: what the board's share is.
struct Bare<'mpi> {
    window: Window<'mpi>,
    bits: Region<Bits>,
}

impl<'mpi> Bare<'mpi> {
    fn open(comm: &Comm<'mpi>) -> Self {
        let mut layout = Layout::new();
        let bits = layout.region(1);
        Bare {
            window: Window::open(comm, 0, &layout).expect("a window"),
            bits,
        }
    }
}

impl Contender for Bare<'_> {
    fn claim(&mut self, n: u64) -> u64 {
        let mut won = 0;
        for i in 0..n {
            let bit = 1 << (i % N_ITEMS as u64);
            let before = self
                .window
                .fetch_or(self.bits, 0, bit)
                .expect("an operation");
            won += u64::from(before & bit == 0);
        }
        won
    }
    fn clear(&mut self) {
        self.window.clear().expect("cleared");
    }
}

/// A comparison of A with B.
struct Row {
    name: String,
    a: Vec<f64>,
    b: Vec<f64>,
}

/// How a board is opened.
type OpenWith<'mpi, B> = fn(&Comm<'mpi>, Rank, usize, &Options) -> rma::Result<B>;

struct Bench<'comm> {
    world: &'comm Comm<'comm>,
    rows: Vec<Row>,
}

fn main() {
    let mpi = Mpi::init(ThreadLevel::Funneled).expect("MPI starts");
    let world = mpi.world().expect("a duplicate of the world");
    let mut bench = Bench {
        world: &world,
        rows: Vec::new(),
    };
    let path = std::env::var("ONESIDED_C_PEER").expect("`just bench claims` names the C peer");
    let library = PeerLibrary::load(&path);
    for round in 0..N_ROUNDS {
        bench.against_c(&library, round % 2 == 0);
        bench.hints();
    }
    if world.rank() == 0 {
        bench.report();
    }
    known(&world);
    drop(library);
    world.free().expect("freed");
    mpi.finalize().expect("ended");
}

impl<'comm> Bench<'comm> {
    fn against_c(&mut self, library: &PeerLibrary, c_first: bool) {
        let world = self.world;
        let open_c = || {
            let bits = |method| Peer::open(library, 8, method);
            let slots = Peer::open(library, 8 + 4 * N_ITEMS, Method::Slots);
            (bits(Method::Bits), bits(Method::BitsAndRemember), slots)
        };
        let early = c_first.then(open_c);
        let open_bits = || Boarded(BitBoard::open(world, 0, N_ITEMS).expect("a board"));
        let (mut bits, mut bits_again) = (open_bits(), open_bits());
        let mut slots = Boarded(SlotBoard::open(world, 0, N_ITEMS).expect("a board"));
        let mut bare = Bare::open(world);
        let (mut c_bits, mut c_remembers, mut c_slots) = early.unwrap_or_else(open_c);
        for active in [Active::One, Active::All] {
            let remembers = "fetch-and-op beside C that remembers too";
            self.compare(remembers, active, &mut bits, &mut c_remembers);
            self.compare("fetch-and-op beside C", active, &mut bits, &mut c_bits);
            self.compare(
                "compare-and-swap beside C",
                active,
                &mut slots,
                &mut c_slots,
            );
            self.compare(
                "noise: fetch-and-op beside itself",
                active,
                &mut bits,
                &mut bits_again,
            );
        }
        for active in [Active::One, Active::All] {
            self.compare(
                "window without board beside C",
                active,
                &mut bare,
                &mut c_bits,
            );
        }
        bits.0.close().expect("closed");
        bits_again.0.close().expect("closed");
        slots.0.close().expect("closed");
        bare.window.close().expect("closed");
        for peer in [c_bits, c_remembers, c_slots] {
            peer.close();
        }
    }

    /// Hints must pay for themselves.
    fn hints(&mut self) {
        if onesided::internals::rma::whitelisted_hints()
            .expect("the library names itself")
            .is_empty()
        {
            return;
        }
        self.hints_on("fetch-and-op", BitBoard::open_with);
        self.hints_on("compare-and-swap", SlotBoard::open_with);
    }

    fn hints_on<B: Board>(&mut self, name: &str, open: OpenWith<'comm, B>) {
        let open = |hints| {
            let options = Options {
                hints,
                ..Options::default()
            };
            Boarded(open(self.world, 0, N_ITEMS, &options).expect("a board"))
        };
        let (mut with, mut without) = (open(Hints::Whitelisted), open(Hints::None));
        let name = format!("{name}, hints beside none");
        self.compare(&name, Active::One, &mut with, &mut without);
        with.0.close().expect("closed");
        without.0.close().expect("closed");
    }

    fn compare(&mut self, name: &str, active: Active, a: Side<'_>, b: Side<'_>) {
        let n = self.batch_size(active, a);
        let (mut samples_a, mut samples_b) = (Vec::new(), Vec::new());
        for pair in 0..N_PAIRS {
            if pair % 2 == 0 {
                samples_a.push(self.batch(active, a, n));
                samples_b.push(self.batch(active, b, n));
            } else {
                samples_b.push(self.batch(active, b, n));
                samples_a.push(self.batch(active, a, n));
            }
        }
        let who = match active {
            Active::One => "1 rank claims",
            Active::All => "all ranks claim",
        };
        let name = format!("{name}, {who}");
        match self.rows.iter_mut().find(|row| row.name == name) {
            Some(row) => {
                row.a.extend(samples_a);
                row.b.extend(samples_b);
            }
            None => self.rows.push(Row {
                name,
                a: samples_a,
                b: samples_b,
            }),
        }
    }

    /// How many claims take about [`BATCH_NS`]; the same on all ranks.
    fn batch_size(&self, active: Active, side: Side<'_>) -> u64 {
        let ns = self.batch(active, side, 2000).max(1.0);
        let mut bytes = ((BATCH_NS / ns) as u64).clamp(256, 1_000_000).to_le_bytes();
        self.world.broadcast(0, &mut bytes).expect("broadcast");
        u64::from_le_bytes(bytes)
    }

    /// Nanoseconds a claim, as the slowest active rank sees it; on rank 0. Checks that each item was
    /// won once.
    fn batch(&self, active: Active, side: Side<'_>, n: u64) -> f64 {
        let world = self.world;
        world.barrier().expect("barrier");
        if world.rank() == 0 {
            side.clear();
        }
        world.barrier().expect("barrier");
        let (mut won, mut ns) = (0, 0.0);
        if active == Active::All || world.rank() == world.size() - 1 {
            let start = Instant::now();
            won = black_box(side.claim(black_box(n)));
            ns = start.elapsed().as_nanos() as f64 / n as f64;
        }
        world.barrier().expect("barrier"); // the home rank waits inside MPI
        let mut own = won.to_le_bytes().to_vec();
        own.extend(ns.to_le_bytes());
        let Some(all) = world.gather(0, &own).expect("gathered") else {
            return 0.0;
        };
        let number =
            |bytes: &[u8], at: usize| -> [u8; 8] { bytes[at..at + 8].try_into().expect("8 bytes") };
        let won: u64 = all
            .iter()
            .map(|bytes| u64::from_le_bytes(number(bytes, 0)))
            .sum();
        assert_eq!(won, N_ITEMS as u64, "every item is won once");
        all.iter()
            .map(|bytes| f64::from_le_bytes(number(bytes, 8)))
            .fold(0.0, f64::max)
    }

    fn report(&self) {
        let library = rma::library().expect("the library names itself");
        println!(
            "{library}, {} ranks, {} pairs of batches of {:.0} ms, interleaved",
            self.world.size(),
            N_ROUNDS * N_PAIRS,
            BATCH_NS / 1e6
        );
        println!(
            "{:<56} {:>10} {:>10} {:>8}  {:<15}",
            "A beside B", "A ns", "B ns", "A/B", "95 % interval"
        );
        for row in &self.rows {
            let ratios: Vec<f64> = row.a.iter().zip(&row.b).map(|(a, b)| a / b).collect();
            let Spread {
                median: ratio,
                low,
                high,
            } = spread(&ratios);
            let (a, b) = (spread(&row.a).median, spread(&row.b).median);
            let target = match row.name.contains("beside C") {
                true if ratio <= TARGET_RATIO => "ok",
                true => "MISSES 1.05",
                false => "",
            };
            println!(
                "{:<56} {a:>10.1} {b:>10.1} {ratio:>8.3}  {low:.3} to {high:.3}  {target}",
                row.name
            );
        }
        let Ok(path) = std::env::var("ONESIDED_BENCH_CSV") else {
            return;
        };
        let mut csv = String::from("comparison,pair,a_ns,b_ns\n");
        for row in &self.rows {
            for (pair, (a, b)) in row.a.iter().zip(&row.b).enumerate() {
                csv += &format!("\"{}\",{pair},{a},{b}\n", row.name);
            }
        }
        let written =
            std::fs::File::create(&path).and_then(|mut file| file.write_all(csv.as_bytes()));
        match written {
            Ok(()) => println!("raw samples: {path}"),
            Err(error) => eprintln!("cannot write {path}: {error}"),
        }
    }
}

/// A claim that is known to be lost costs no operation.
fn known(world: &Comm<'_>) {
    const N: usize = 10_000_000;
    let mut board = BitBoard::open(world, 0, N_ITEMS).expect("a board");
    for item in 0..N_ITEMS {
        let _ = board.claim(item).expect("a claim");
    }
    let operations = board.n_operations();
    let start = Instant::now();
    let mut won = 0u32;
    for i in 0..N {
        won += u32::from(
            board
                .claim_unless_known(black_box(i % N_ITEMS))
                .expect("a claim")
                .is_won(),
        );
    }
    let ns = start.elapsed().as_nanos() as f64 / N as f64;
    assert_eq!(
        (won, board.n_operations()),
        (0, operations),
        "lost, and without an operation"
    );
    if world.rank() == 0 {
        println!("a claim that is known to be lost: {ns:.2} ns, no operation");
    }
    board.close().expect("closed");
}

/// The median with its 95 % interval.
fn spread(samples: &[f64]) -> Spread {
    Spread::of(samples).expect("samples are numbers")
}
