//! A board of 2^36 items, and one for which there is no memory anywhere.

use std::time::Instant;

use onesided::claim::{
    BitBoard, Board, Memory, Options, Remember, SharedBoard, SpreadBoard, WordBoard,
};
use onesided::rma::{self, Comm, ErrorKind};

use crate::samples::{column, gather};

const HUGE_ITEMS: usize = 1 << 36;
const IMPOSSIBLE_ITEMS: usize = 1 << 46;
/// Claimed by each rank at each end.
const AT_EACH_END: usize = 4000;
/// How often each rank claims the next items of a chunk.
const N_NEXT: usize = 64;

/// Opens each, claims at both ends and in chunks, counts, closes. Collective.
pub fn boards(world: &Comm<'_>) {
    let open_bits = |n, options: &_| BitBoard::open_with(world, 0, n, options);
    let open_spread = |n, options: &_| SpreadBoard::open_with(world, n, options);
    let open_shared = |n, options: &_| SharedBoard::open_with(world, 0, n, options);
    board(world, "bits", open_bits);
    board(world, "spread", open_spread);
    board(world, "shared", open_shared);
}

fn board<'mpi, M: Memory>(
    world: &Comm<'_>,
    name: &str,
    open: impl Fn(usize, &Options) -> rma::Result<WordBoard<'mpi, M>>,
) {
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
    let mut board = match open(HUGE_ITEMS, &options) {
        Ok(board) => board,
        Err(error) if matches!(error.kind(), ErrorKind::NotEnoughMemory { .. }) => {
            return say(format!(
                "2^36 items, refused before anything was allocated: {error}"
            ));
        }
        Err(error) => panic!("2^36 items: {error}"),
    };
    let opened = start.elapsed();
    let start = Instant::now();
    let (rank, n_ranks) = (world.rank() as usize, world.size() as usize);
    let mut won = 0usize;
    for i in 0..AT_EACH_END {
        let from_end = i * n_ranks + rank;
        for item in [from_end, HUGE_ITEMS - 1 - from_end] {
            won += usize::from(board.claim(item).expect("a claim").is_won());
        }
    }
    assert_eq!(won, 2 * AT_EACH_END, "ranks claimed different items");
    for _ in 0..N_NEXT {
        let chunk = board.claim_next().expect("a claim");
        won += chunk.expect("2^36 items are not all handed out").len();
    }
    let claimed = start.elapsed();
    world.barrier().expect("barrier"); // at rest
    let start = Instant::now();
    if let Some(won) = gather(world, &[won as f64]) {
        let won: f64 = column(&won, 0).sum();
        assert_eq!(
            board.n_claimed().expect("read") as f64,
            won,
            "what was won is set"
        );
        say(format!(
            "2^36 items: opened in {opened:.1?}, {won} items claimed in {claimed:.1?}, all bits counted in {:.1?}",
            start.elapsed()
        ));
    }
    world.barrier().expect("barrier");
    board.close().expect("closed");
}
