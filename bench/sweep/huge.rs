//! A board of 2^36 items or so, and one for which there is no memory anywhere.

use std::time::Instant;

use onesided::claim::{
    BitBoard, Board, Memory, Options, Remember, SharedBoard, SpreadBoard, WordBoard,
};
use onesided::rma::{self, Comm, ErrorKind};

use crate::samples::{column, gather};

const IMPOSSIBLE_ITEMS: usize = 1 << 46;
/// Claimed by each rank at each end.
const AT_EACH_END: usize = 4000;
/// How often each rank claims the next items of a chunk.
const N_NEXT: usize = 64;

/// Opens each kind of board of so many items, claims at both ends and in chunks, counts, closes. Whether all
/// answers were right. Collective.
pub fn boards(world: &Comm<'_>, n_items: usize) -> bool {
    let open_bits = |n, options: &_| BitBoard::open_with(world, 0, n, options);
    let open_spread = |n, options: &_| SpreadBoard::open_with(world, n, options);
    let open_shared = |n, options: &_| SharedBoard::open_with(world, 0, n, options);
    // All three, whatever becomes of the first.
    [
        board(world, "bits", n_items, open_bits),
        board(world, "spread", n_items, open_spread),
        board(world, "shared", n_items, open_shared),
    ]
    .into_iter()
    .all(|is_right| is_right)
}

fn board<'mpi, M: Memory>(
    world: &Comm<'_>,
    name: &str,
    n_items: usize,
    open: impl Fn(usize, &Options) -> rma::Result<WordBoard<'mpi, M>>,
) -> bool {
    let say = |line: String| {
        if world.rank() == 0 {
            println!("{name:<7} {line}");
        }
    };
    let options = Options {
        remember: Remember::Nothing,
        ..Options::default()
    };
    match open(IMPOSSIBLE_ITEMS, &options) {
        Err(error) => {
            let in_time = matches!(error.kind(), ErrorKind::NotEnoughMemory { .. });
            assert!(in_time, "another error than expected: {error}");
            say(format!(
                "2^46 items, refused before anything was allocated: {error}"
            ));
        }
        Ok(_) => panic!("8 TiB were handed out"),
    }
    let start = Instant::now();
    let mut board = match open(n_items, &options) {
        Ok(board) => board,
        Err(error) if matches!(error.kind(), ErrorKind::NotEnoughMemory { .. }) => {
            say(format!(
                "{n_items} items, refused before anything was allocated: {error}"
            ));
            return true;
        }
        Err(error) => panic!("{n_items} items: {error}"),
    };
    let opened = start.elapsed();
    let start = Instant::now();
    let (rank, n_ranks) = (world.rank() as usize, world.size() as usize);
    let mut won = [0usize; 3]; // at the front, at the far end, in chunks
    for i in 0..AT_EACH_END {
        let from_end = i * n_ranks + rank;
        for (side, item) in [from_end, n_items - 1 - from_end].into_iter().enumerate() {
            won[side] += usize::from(board.claim(item).expect("a claim").is_won());
        }
    }
    world.barrier().expect("barrier"); // the first chunk is at the front
    for _ in 0..N_NEXT {
        let chunk = board.claim_next().expect("a claim");
        won[2] += chunk.expect("not all are handed out").len();
    }
    let claimed = start.elapsed();
    world.barrier().expect("barrier"); // at rest
    let start = Instant::now();
    let all_won = gather(world, &won.map(|won| won as f64));
    let is_right = all_won.is_none_or(|all_won| {
        let won: [f64; 3] = std::array::from_fn(|side| column(&all_won, side).sum());
        let n_claimed = board.n_claimed().expect("read") as f64;
        let of_each_end = (AT_EACH_END * n_ranks) as f64;
        let is_right = won[..2] == [of_each_end; 2] && won.iter().sum::<f64>() == n_claimed;
        let verdict = if is_right { "ok" } else { "WRONG" };
        let counted = start.elapsed();
        say(format!(
            "{n_items} items: opened in {opened:.1?}; won at the front, at the end, in chunks {won:?} of \
             [{of_each_end:?}, {of_each_end:?}, ...] in {claimed:.1?}; {n_claimed} bits are set, counted in \
             {counted:.1?}: {verdict}"
        ));
        is_right
    });
    world.barrier().expect("barrier");
    board.close().expect("closed");
    is_right
}
