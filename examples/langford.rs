//! Counts Langford pairings of N: two of each number 1 to N in a row, with k numbers between the two k's. A job
//! that was killed goes on from its checkpoint, with any number of ranks. A rank claims a beginning on a
//! [`BitBoard`], counts, puts down the number, and completes the beginning; rank 0 saves the board and the
//! numbers while all go on.
//!
//! `mpirun -n 4 langford FILE [N [PAIRINGS]]`, and the same again after it was killed

use std::path::Path;
use std::time::{Duration, Instant};

use onesided::claim::{BitBoard, Board, Options};
use onesided::rma::{Comm, Counter, Layout, Mpi, Progress, Region, Result, ThreadLevel, Window};

/// For N = 0, 1 and so on (OEIS A014552).
#[rustfmt::skip]
const KNOWN: [u64; 17] = [0, 0, 0, 1, 1, 0, 0, 26, 150, 0, 0, 17_792, 108_144, 0, 0, 39_809_640, 326_721_800];

/// How often rank 0 saves: what is lost at most, beside what is under way.
const EVERY: Duration = Duration::from_millis(50);

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().expect("a file for checkpoints");
    let mut numbers = arguments.map(|text| text.parse().expect("a number"));
    let n = numbers.next().unwrap_or(12) as usize;
    assert!((3..KNOWN.len()).contains(&n), "known for 3 to 16");
    let known = numbers.next().unwrap_or(KNOWN[n]);

    let mpi = Mpi::init_up_to(ThreadLevel::Serialized)?;
    let world = mpi.world()?;
    let pairings = search(&world, n, Path::new(&path))?;
    if world.rank() == 0 {
        println!("{n}: {pairings} pairings, found by {} ranks", world.size());
        assert_eq!(pairings, known, "found and known");
    }
    world.free()?;
    mpi.finalize_at_last(0)
}

fn search(world: &Comm<'_>, n: usize, path: &Path) -> Result<u64> {
    let beginnings = beginnings(n);
    let options = Options {
        progress: Progress::Auto, // rank 0, where the board is, computes too
        completions: true,
        ..Options::default()
    };
    let mut board = BitBoard::open_with(world, 0, beginnings.len(), &options)?;
    let mut layout = Layout::new();
    let counted: Region<Counter> = layout.region(beginnings.len());
    let window = Window::open(world, 0, &layout)?;
    let read = || -> Result<Vec<u64>> {
        let items = 0..beginnings.len();
        items
            .map(|item| window.fetch_add(counted, item, 0))
            .collect()
    };

    if let Some(restored) = board.restore_if_there(world, path)? {
        let before: Vec<u64> = restored.extra()?;
        if world.rank() == 0 {
            let of = format!("{} of {}", restored.n_completed(), beginnings.len());
            println!("{of} beginnings were completed before");
            for (item, &number) in before.iter().enumerate() {
                if board.is_completed(item)? {
                    window.fetch_add(counted, item, number)?;
                } // else its number came too late for it to be completed, and comes again
            }
        }
        world.barrier()?; // nobody completes others before that, or they would have both numbers
    }

    let mut saved = Instant::now();
    while let Some(won) = board.claim_next()? {
        // Without those that were completed before.
        for item in won.iter() {
            let number = board.outside_mpi(|| pairings(n - 3, beginnings[item]))?;
            window.fetch_add(counted, item, number)?; // before the item is completed, or it could be lost
            board.complete(item)?;
            if world.rank() == 0 && saved.elapsed() > EVERY {
                board.save(path, read)?;
                saved = Instant::now();
            }
        }
    }
    while world.rank() == 0 && !board.all_completed()? {
        board.outside_mpi(|| std::thread::sleep(EVERY))?;
        board.save(path, read)?;
    }
    if world.rank() == 0 {
        board.save(path, read)?; // what a job that is started once more finds
    }
    world.barrier()?;
    let all: u64 = read()?.iter().sum();
    window.close()?;
    board.close()?;
    Ok(all / 2) // each was found from either end
}

/// All ways to place N, N − 1 and N − 2, the largest first. Bit i is a place that is taken; those beyond the row
/// are.
fn beginnings(n: usize) -> Vec<u64> {
    let grow = |rows: Vec<u64>, k| rows.iter().flat_map(|&row| place(k, row)).collect();
    (0..3).fold(vec![u64::MAX << (2 * n)], |rows, i| grow(rows, n - i))
}

/// All ways to place the two k's.
fn place(k: usize, row: u64) -> impl Iterator<Item = u64> {
    let mut free = !row & !(row >> (k + 1)); // places with another free one at the right distance
    std::iter::from_fn(move || {
        let left = free & free.wrapping_neg(); // the lowest bit
        free ^= left;
        (left != 0).then_some(row | left | left << (k + 1))
    })
}

/// How many ways there are to place all from k down.
fn pairings(k: usize, row: u64) -> u64 {
    match k {
        0 => 1,
        k => place(k, row).map(|row| pairings(k - 1, row)).sum(),
    }
}
