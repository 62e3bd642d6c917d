//! What a claim by shared memory costs, beside `AtomicU64::fetch_or` by as many threads of one process.
//!
//! `just bench shared`. Board and bare words take turns (A B B A …), so that drift of the machine hits
//! both alike; every batch's answer is checked. While threads of rank 0 run, the other ranks sleep outside
//! MPI: a barrier would poll, and take the cores. Times are processor time of the slowest claimer, since
//! nothing here waits for anybody: other load on the machine is not in it. Nothing is pinned, and what the
//! launcher bound is set free.
#![allow(dead_code, reason = "other benchmarks use the rest of what they share")]

#[path = "../support/samples.rs"]
mod samples;
mod turns;

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};

use onesided::claim::{Board, Claim, Permutation, SharedBoard};
use onesided::rma::{self, Comm, Mpi, ThreadLevel};
use samples::{Ratio, Samples, column, gather, spread, thread_cpu_ns};
use turns::Turns;

/// How often all memory is allocated anew: where it happens to lie matters under contention.
const N_ROUNDS: usize = 5;
/// Pairs of batches of a round.
const N_PAIRS: usize = 8;
/// The board may cost so much more than a bare word.
const TARGET_RATIO: f64 = 1.5;
/// What a claim that is known to be lost may take, where what is known fits into caches.
const TARGET_KNOWN_NS: f64 = 3.0;

/// Which items a claimer tries, one after the other.
#[derive(Clone)]
enum Pattern {
    /// So many claims of 64 items in turn: one word.
    OneWord(usize),
    /// All items once, in an order of its own.
    Scattered(Vec<u32>),
}

impl Pattern {
    fn n_items(&self) -> usize {
        match self {
            Pattern::OneWord(_) => 64,
            Pattern::Scattered(order) => order.len(),
        }
    }

    fn n_claims(&self) -> usize {
        match self {
            Pattern::OneWord(n) => *n,
            Pattern::Scattered(order) => order.len(),
        }
    }

    /// Claims all by `claim`, which says whether it won, and returns how many were won.
    #[inline(always)]
    fn claim_all(&self, mut claim: impl FnMut(usize) -> bool) -> u64 {
        let mut won = 0;
        match self {
            Pattern::OneWord(n) => (0..*n).for_each(|i| won += u64::from(claim(i % 64))),
            Pattern::Scattered(order) => {
                (order.iter()).for_each(|&item| won += u64::from(claim(item as usize)));
            }
        }
        won
    }
}

/// What threads do on bare words.
#[derive(Clone, Copy)]
enum Bare {
    /// Look at the whole word as it was before, which is what a board's claim learns from.
    WholeWord,
    /// Look at the item's bit alone, for which the processor has a cheaper instruction (`lock bts`).
    OneBit,
}

/// A comparison of the board with bare words.
struct Row {
    name: String,
    board: Vec<f64>,
    bare: Vec<f64>,
}

fn main() {
    let machine = samples::machine_and_commit();
    let mpi = Mpi::init(ThreadLevel::Funneled).expect("MPI starts");
    let world = mpi.world().expect("a duplicate of the world");
    samples::run_on_any_core(); // ranks as threads
    let mut turns = Turns::open(&world);
    let mut rows: Vec<Row> = Vec::new();
    for _ in 0..N_ROUNDS {
        for (name, of_claimer) in patterns(world.size() as usize) {
            for n_claimers in [1, of_claimer.len()] {
                let name = match n_claimers {
                    1 => format!("{name}, 1 claimer"),
                    n => format!("{name}, {n} claimers"),
                };
                let of_claimer = &of_claimer[..n_claimers];
                compare(&world, &mut turns, &name, of_claimer, &mut rows);
            }
        }
    }
    let known = known(&world, &mut turns);
    if world.rank() == 0 {
        let library = rma::library().expect("the library names itself");
        println!("{}", samples::heading(&library, world.size(), &machine));
        report(&rows, &known.expect("measured here"));
    }
    turns.close();
    world.free().expect("freed");
    mpi.finalize().expect("ended");
}

/// Each with its name, and what each claimer does.
fn patterns(n_claimers: usize) -> Vec<(&'static str, Vec<Pattern>)> {
    let scattered = |claimer: usize| {
        let order = Permutation::new(claimer as u64, 1_000_000);
        Pattern::Scattered((0..1_000_000).map(|i| order.apply(i) as u32).collect())
    };
    vec![
        (
            "64 items in turn",
            vec![Pattern::OneWord(100_000); n_claimers],
        ),
        (
            "10^6 items scattered",
            (0..n_claimers).map(scattered).collect(),
        ),
    ]
}

/// Collective.
fn compare(
    world: &Comm<'_>,
    turns: &mut Turns<'_>,
    name: &str,
    patterns: &[Pattern],
    rows: &mut Vec<Row>,
) {
    let n_items = patterns[0].n_items();
    let mut board = SharedBoard::open(world, 0, n_items).expect("a board");
    let words = BareWords::new(n_items);
    let mut samples = [const { Vec::new() }; 4]; // board, whole words, board, single bits
    for pair in 0..N_PAIRS {
        let order = if pair % 2 == 0 {
            [0, 1, 2, 3]
        } else {
            [3, 2, 1, 0]
        };
        for side in order {
            let ns = match side {
                0 | 2 => claim_on_board(world, turns, &mut board, patterns),
                1 => turns.rank_0_alone(|| words.claim(patterns, Bare::WholeWord)),
                _ => turns.rank_0_alone(|| words.claim(patterns, Bare::OneBit)),
            };
            samples[side].extend(ns);
        }
    }
    board.close().expect("closed");
    let [board_a, whole_words, board_b, single_bits] = samples;
    let mut add = |bare: &str, board: Vec<f64>, of_bare: Vec<f64>| {
        let name = format!("{name}, beside {bare}");
        match rows.iter_mut().find(|row| row.name == name) {
            Some(row) => {
                row.board.extend(board);
                row.bare.extend(of_bare);
            }
            None => rows.push(Row {
                name,
                board,
                bare: of_bare,
            }),
        }
    };
    add("fetch_or", board_a, whole_words);
    add(
        "fetch_or of which one bit is looked at",
        board_b,
        single_bits,
    );
}

/// Nanoseconds a claim of the slowest of the first ranks, on rank 0. Checks that each item was won once.
/// Collective.
fn claim_on_board(
    world: &Comm<'_>,
    turns: &mut Turns<'_>,
    board: &mut SharedBoard<'_>,
    patterns: &[Pattern],
) -> Option<f64> {
    turns.rank_0_alone(|| board.clear().expect("cleared"));
    board.forget();
    let mut claim = |pattern: &Pattern| {
        let start = thread_cpu_ns();
        let won = claim_all(board, pattern);
        let ns = (thread_cpu_ns() - start) / pattern.n_claims() as f64;
        (won, ns)
    };
    let (won, ns) = if let [alone] = patterns {
        turns.rank_0_alone(|| claim(alone)).unwrap_or((0, 0.0))
    } else {
        turns.meet();
        claim(&patterns[world.rank() as usize])
    };
    let all = gather(world, &[won as f64, ns])?;
    let won: f64 = column(&all, 0).sum();
    assert_eq!(won, patterns[0].n_items() as f64, "every item is won once");
    Some(column(&all, 1).fold(0.0, f64::max))
}

/// Loops and not a closure, which the compiler would call for each claim.
#[inline(never)]
fn claim_all(board: &mut SharedBoard<'_>, pattern: &Pattern) -> u64 {
    let mut won = 0;
    let mut count = |claim: Claim| won += u64::from(claim.is_won());
    match pattern {
        Pattern::OneWord(n) => {
            for i in 0..*n {
                count(board.claim(black_box(i % 64)).expect("a claim"));
            }
        }
        Pattern::Scattered(order) => {
            for &item in order {
                count(board.claim(black_box(item as usize)).expect("a claim"));
            }
        }
    }
    won
}

/// Words on the heap, from a cache line's start on.
struct BareWords {
    memory: Vec<AtomicU64>,
    first: usize,
    n_items: usize,
}

impl BareWords {
    fn new(n_items: usize) -> Self {
        const LINE_BYTES: usize = 64;
        let n_words = n_items.div_ceil(64) + 2 * LINE_BYTES / 8;
        let memory: Vec<AtomicU64> = (0..n_words).map(|_| AtomicU64::new(0)).collect();
        BareWords {
            first: memory.as_ptr().align_offset(LINE_BYTES),
            memory,
            n_items,
        }
    }

    /// A thread for each pattern; nanoseconds a claim of the slowest. Checks that each item was won once.
    fn claim(&self, patterns: &[Pattern], bare: Bare) -> f64 {
        let words = &self.memory[self.first..];
        words.iter().for_each(|word| word.store(0, Relaxed));
        let start = Barrier::new(patterns.len());
        let claim = |pattern: &Pattern| {
            start.wait();
            let start = thread_cpu_ns();
            let won = claim_bare(words, pattern, bare);
            (won, (thread_cpu_ns() - start) / pattern.n_claims() as f64)
        };
        let results: Vec<(u64, f64)> = std::thread::scope(|scope| {
            let threads: Vec<_> = patterns[1..]
                .iter()
                .map(|pattern| scope.spawn(|| claim(pattern)))
                .collect();
            let own = claim(&patterns[0]);
            let others = threads
                .into_iter()
                .map(|thread| thread.join().expect("a claimer"));
            std::iter::once(own).chain(others).collect()
        });
        let won: u64 = results.iter().map(|result| result.0).sum();
        assert_eq!(won, self.n_items as u64, "every item is won once");
        results.iter().map(|result| result.1).fold(0.0, f64::max)
    }
}

#[inline(never)]
fn claim_bare(words: &[AtomicU64], pattern: &Pattern, bare: Bare) -> u64 {
    let place = |item: usize| (&words[item / 64], 1u64 << (item % 64));
    match bare {
        Bare::OneBit => pattern.claim_all(|item| {
            let (word, bit) = place(black_box(item));
            word.fetch_or(bit, AcqRel) & bit == 0
        }),
        Bare::WholeWord => {
            let mut seen = 0;
            let won = pattern.claim_all(|item| {
                let (word, bit) = place(black_box(item));
                let before = word.fetch_or(bit, AcqRel);
                seen |= before;
                before & bit == 0
            });
            black_box(seen);
            won
        }
    }
}

/// What a claim that is known to be lost costs.
struct Known {
    name: &'static str,
    /// Nanoseconds of each repetition, the loop included.
    ns: Vec<f64>,
    target_ns: Option<f64>,
}

/// Collective; the answer is on rank 0.
fn known(world: &Comm<'_>, turns: &mut Turns<'_>) -> Option<Vec<Known>> {
    let cases = [
        ("64 items", 64, Some(TARGET_KNOWN_NS)),
        ("10^6 items, scattered", 1_000_000, Some(TARGET_KNOWN_NS)),
        ("10^9 items, scattered", 1_000_000_000, None),
    ];
    let mut found = Vec::new();
    for (name, n_items, target_ns) in cases {
        let mut board = SharedBoard::open(world, 0, n_items).expect("a board");
        let ns = turns.rank_0_alone(|| known_on(&mut board));
        board.close().expect("closed");
        found.extend(ns.map(|ns| Known {
            name,
            ns,
            target_ns,
        }));
    }
    (world.rank() == 0).then_some(found)
}

fn known_on(board: &mut SharedBoard<'_>) -> Vec<f64> {
    const N: usize = 4_000_000;
    for index in 0..board.n_words() {
        assert_ne!(board.claim_word(index).expect("a claim").len(), 0);
    }
    let n_items = board.n_items();
    let operations = board.n_operations();
    let mut ns = Vec::new();
    for repetition in 0..30u64 {
        // A Weyl sequence: far apart and the same in any run, for an addition and a multiplication.
        let mut at = repetition;
        let start = thread_cpu_ns();
        let mut won = 0u64;
        for _ in 0..N {
            at = at.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let item = ((u128::from(at) * n_items as u128) >> 64) as usize;
            let claim = board.claim_unless_known(black_box(item)).expect("a claim");
            won += u64::from(claim.is_won());
        }
        ns.push((thread_cpu_ns() - start) / N as f64);
        assert_eq!(won, 0, "all are lost");
    }
    assert_eq!(board.n_operations(), operations, "without an operation");
    ns
}

fn report(rows: &[Row], known: &[Known]) {
    let mut csv = Samples::with_columns("comparison,pair,board_ns,bare_ns");
    println!(
        "{:<72} {:>9} {:>9}  ratio, 95 % interval",
        "SharedBoard::claim", "board ns", "bare ns"
    );
    for Row { name, board, bare } in rows {
        let target = match name.ends_with("fetch_or") {
            true => TARGET_RATIO,
            false => f64::INFINITY, // no target, for the comparison's sake
        };
        let ratio = Ratio::of(board, bare, target);
        let (a, b) = (spread(board).median, spread(bare).median);
        println!("{name:<72} {a:>9.1} {b:>9.1}  {ratio}");
        for (pair, (a, b)) in board.iter().zip(bare).enumerate() {
            csv.push(format_args!("\"{name}\",{pair},{a},{b}"));
        }
    }
    println!("a claim that is known to be lost, no operation, the loop's own cost included");
    for Known {
        name,
        ns,
        target_ns,
    } in known
    {
        let spread = spread(ns);
        let verdict = match target_ns {
            Some(target) if spread.median <= *target => format!("ok {target}"),
            Some(target) => format!("MISSES {target}"),
            None => "bound by memory: no target".into(),
        };
        println!(
            "{name:<40} {:>6.2} ns ({:.2} to {:.2})  {verdict}",
            spread.median, spread.low, spread.high
        );
        for (repetition, ns) in ns.iter().enumerate() {
            csv.push(format_args!("\"known, {name}\",{repetition},{ns},"));
        }
    }
    csv.write();
}
