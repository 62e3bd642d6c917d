//! Claims in numbers: words, pipelines and chunks, mixed with claims of single items, and still each
//! item is won exactly once.

use std::num::NonZeroUsize;

use onesided::claim::{
    BitBoard, Board, Claim, Memory, Options, Remember, Schedule, SharedBoard, SlotBoard,
    SpreadBoard, TwoTierBoard, WordBoard,
};
use onesided::rma::{Comm, Placement, RUN_WORDS, Result};

use crate::harness::{Body, gather_numbers, is_apart};

pub const BODIES: &[Body] = &[
    Body {
        name: "numbers::bits::a_lost_word_shows_that_all_is_claimed",
        run: lost_words,
    },
    Body {
        name: "numbers::bits::chunks_hand_out_every_item_once",
        run: |comm| chunks(comm, |n, options| BitBoard::open_with(comm, 0, n, options)),
    },
    Body {
        name: "numbers::spread_bits::chunks_hand_out_every_item_once",
        run: |comm| chunks(comm, |n, options| SpreadBoard::open_with(comm, n, options)),
    },
    Body {
        name: "numbers::shared::chunks_hand_out_every_item_once",
        run: |comm| {
            chunks(comm, |n, options| {
                SharedBoard::open_with(comm, 0, n, options)
            })
        },
    },
    Body {
        name: "numbers::bits::blocks_hand_out_every_item_once",
        run: |comm| chunks_of_blocks(comm, |n, options| BitBoard::open_with(comm, 0, n, options)),
    },
    Body {
        name: "numbers::spread_bits::blocks_hand_out_every_item_once",
        run: |comm| chunks_of_blocks(comm, |n, options| SpreadBoard::open_with(comm, n, options)),
    },
    Body {
        name: "numbers::shared::blocks_hand_out_every_item_once",
        run: |comm| {
            chunks_of_blocks(comm, |n, options| {
                SharedBoard::open_with(comm, 0, n, options)
            })
        },
    },
    Body {
        name: "numbers::bits::all_ways_at_once_in_blocks",
        run: |comm| mixed_in_blocks(comm, |n, options| BitBoard::open_with(comm, 0, n, options)),
    },
    Body {
        name: "numbers::spread_bits::all_ways_at_once_in_blocks",
        run: |comm| mixed_in_blocks(comm, |n, options| SpreadBoard::open_with(comm, n, options)),
    },
    Body {
        name: "numbers::shared::all_ways_at_once_in_blocks",
        run: |comm| {
            mixed_in_blocks(comm, |n, options| {
                SharedBoard::open_with(comm, 0, n, options)
            })
        },
    },
    Body {
        name: "numbers::bits::all_ways_at_once",
        run: |comm| mixed(comm, |n, options| BitBoard::open_with(comm, 0, n, options)),
    },
    Body {
        name: "numbers::spread_bits::all_ways_at_once",
        run: |comm| mixed(comm, |n, options| SpreadBoard::open_with(comm, n, options)),
    },
    Body {
        name: "numbers::shared::all_ways_at_once",
        run: |comm| {
            mixed(comm, |n, options| {
                SharedBoard::open_with(comm, 0, n, options)
            })
        },
    },
    Body {
        name: "numbers::bits::a_rank_may_leave_its_chunk",
        run: |comm| leaves(comm, |n, options| BitBoard::open_with(comm, 0, n, options)),
    },
    Body {
        name: "numbers::spread_bits::a_rank_may_leave_its_chunk",
        run: |comm| leaves(comm, |n, options| SpreadBoard::open_with(comm, n, options)),
    },
    Body {
        name: "numbers::shared::a_rank_may_leave_its_chunk",
        run: |comm| {
            leaves(comm, |n, options| {
                SharedBoard::open_with(comm, 0, n, options)
            })
        },
    },
    Body {
        name: "numbers::bits::claimed_items_are_counted",
        run: |comm| counted(comm, |n, options| BitBoard::open_with(comm, 0, n, options)),
    },
    Body {
        name: "numbers::spread_bits::claimed_items_are_counted",
        run: |comm| counted(comm, |n, options| SpreadBoard::open_with(comm, n, options)),
    },
    Body {
        name: "numbers::shared::claimed_items_are_counted",
        run: |comm| {
            counted(comm, |n, options| {
                SharedBoard::open_with(comm, 0, n, options)
            })
        },
    },
    Body {
        name: "numbers::bits::pipelined_claims",
        run: |comm| pipelined(comm, BitBoard::open(comm, 0, 1000).unwrap()),
    },
    Body {
        name: "numbers::spread_bits::pipelined_claims",
        run: |comm| pipelined(comm, SpreadBoard::open(comm, 1000).unwrap()),
    },
    Body {
        name: "numbers::slots::pipelined_claims",
        run: |comm| pipelined(comm, SlotBoard::open(comm, 0, 1000).unwrap()),
    },
    Body {
        name: "numbers::spread_slots::pipelined_claims",
        run: |comm| {
            let board = SlotBoard::open_spread(comm, 1000, &Options::default());
            pipelined(comm, board.unwrap());
        },
    },
    Body {
        name: "numbers::two_tier::pipelined_claims",
        run: |comm| pipelined(comm, TwoTierBoard::open(comm, 0, 1000).unwrap()),
    },
    Body {
        name: "numbers::two_tier::a_node_asks_once_for_many",
        run: a_node_asks_once_for_many,
    },
    Body {
        name: "numbers::the_last_rank_to_fill_a_word_counts_it",
        run: words,
    },
];

fn schedules() -> [Schedule; 3] {
    let items = |n| NonZeroUsize::new(n).unwrap();
    [
        Schedule::Fixed { items: items(100) },
        Schedule::Guided { at_least: items(1) },
        Schedule::Factoring { at_least: items(7) },
    ]
}

/// All that the ranks won, sorted, is `0..n_items`, and each rank learns that all is claimed.
fn assert_all_won_once(comm: &Comm<'_>, board: &mut impl Board, won: &[u64]) {
    comm.barrier().unwrap();
    board.look().unwrap();
    assert!(board.all_known_claimed(), "everything was counted");
    assert_eq!(
        board.account().unwrap().claimed,
        vec![true; board.n_items()]
    );
    if let Some(mut all) = gather_numbers(comm, won) {
        all.sort_unstable();
        assert_eq!(all, (0..board.n_items() as u64).collect::<Vec<_>>());
    }
}

/// Items that one run of words does not hold, nor one word of marks of blocks; and of one rank, which draws half of
/// them at once, two runs.
fn large(comm: &Comm<'_>) -> usize {
    match comm.size() {
        1 => 600_001,
        _ => 64 * RUN_WORDS + 1,
    }
}

fn chunks<'mpi, M: Memory>(
    comm: &Comm<'mpi>,
    open: impl Fn(usize, &Options) -> Result<WordBoard<'mpi, M>>,
) {
    all_in_chunks(comm, false, [0, 1, 64, 1000, large(comm)], open);
}

fn chunks_of_blocks<'mpi, M: Memory>(
    comm: &Comm<'mpi>,
    open: impl Fn(usize, &Options) -> Result<WordBoard<'mpi, M>>,
) {
    // Less than a block, one, some and a part, more than share a word of marks.
    all_in_chunks(comm, true, [0, 4095, 4096, 10_000, large(comm)], &open);

    let n_items = 1_000_000;
    let options = Options {
        schedule: Schedule::Fixed {
            items: NonZeroUsize::new(1 << 18).unwrap(),
        },
        remember: Remember::Nothing,
        in_blocks: true,
        ..Options::default()
    };
    let mut board = open(n_items, &options).unwrap();
    let mut n_won = 0;
    while let Some(items) = board.claim_next().unwrap() {
        n_won += items.len() as u64;
    }
    let of_ranks = gather_numbers(comm, &[n_won, board.n_operations()]);
    if let Some(of_ranks) = of_ranks {
        let sum = |which: usize| of_ranks.iter().skip(which).step_by(2).sum::<u64>();
        assert_eq!(sum(0), n_items as u64);
        // 4 chunks of 8 words of marks, each with a count of full words, and the draws.
        let n_ranks = u64::from(comm.size().unsigned_abs());
        assert!(sum(1) <= 4 * 8 * 2 + 4 + n_ranks, "{} operations", sum(1));
    }
    comm.barrier().unwrap();
    assert_eq!(board.n_claimed().unwrap(), n_items);
    board.look().unwrap();
    assert!(board.all_known_claimed());
    board.close().unwrap();
}

fn all_in_chunks<'mpi, M: Memory>(
    comm: &Comm<'mpi>,
    in_blocks: bool,
    sizes: [usize; 5],
    open: impl Fn(usize, &Options) -> Result<WordBoard<'mpi, M>>,
) {
    let remembers = [Remember::Claimed, Remember::Nothing].into_iter().cycle();
    let is_apart = is_apart(comm);
    for schedule in schedules() {
        for (n_items, remember) in sizes.into_iter().zip(remembers.clone()) {
            // Thousands of chunks by words, of which each is some round trips: far away a few dozen do.
            let n_items = match schedule {
                Schedule::Fixed { .. } if !in_blocks && is_apart => n_items.min(5000),
                _ => n_items,
            };
            let options = Options {
                schedule,
                remember,
                in_blocks,
                ..Options::default()
            };
            let mut board = open(n_items, &options).unwrap();
            let mut won = Vec::new();
            while let Some(items) = board.claim_next().unwrap() {
                assert!(!items.is_empty(), "nobody claims but in chunks");
                let before = won.len();
                won.extend(items.iter().map(|item| item as u64));
                assert_eq!(won.len() - before, items.len());
            }
            let is_known = |&item: &u64| board.is_known_claimed(item as usize);
            assert!(remember == Remember::Nothing || won.iter().all(is_known));
            assert!(
                board.claim_next().unwrap().is_none(),
                "and nothing after the end"
            );
            assert_all_won_once(comm, &mut board, &won);
            board.close().unwrap();
        }
    }
}

/// All ranks draw some chunks, claim a part of them, and go on with items that they do not know to be claimed: no item
/// is lost to all. What is won is completed while it is gone through.
fn leaves<'mpi, M: Memory>(
    comm: &Comm<'mpi>,
    open: impl Fn(usize, &Options) -> Result<WordBoard<'mpi, M>>,
) {
    let is_apart = is_apart(comm);
    // By words where a chunk takes several calls: some are left in the middle of one.
    let (one_by_one, by_words) = match is_apart {
        true => (4096 + 500, 700), // a block, and some of another
        false => (40_000, 2_000_000),
    };
    let fixed = |items| Schedule::Fixed {
        items: NonZeroUsize::new(items).unwrap(),
    };
    for (n_items, in_blocks, schedule, remember) in [
        (by_words, false, Schedule::default(), Remember::Claimed),
        (one_by_one, true, fixed(4096 * 3 + 1000), Remember::Claimed),
        (one_by_one, true, fixed(4096 * 2), Remember::Nothing),
    ] {
        for n_chunks in [1, 3] {
            if n_chunks == 3 && is_apart {
                continue; // of a board that small three chunks of each leave little
            }
            let options = Options {
                schedule,
                remember,
                in_blocks,
                completions: true,
                ..Options::default()
            };
            let mut board = open(n_items, &options).unwrap();
            let n_words = board.n_words();
            let mut n_won = 0;
            // Some blocks are claimed in part before they are handed out.
            for item in (0..n_items).step_by(7919).skip(comm.rank() as usize % 2) {
                if board.claim_unless_known(item).unwrap().is_won() {
                    board.complete(item).unwrap();
                    n_won += 1;
                }
            }
            for _ in 0..n_chunks {
                let Some(won) = board.claim_next().unwrap() else {
                    break;
                };
                for item in won.iter().take(100) {
                    board.complete(item).unwrap();
                }
                let rest: Vec<usize> = won.iter().skip(100).collect();
                board.complete_many(&rest).unwrap();
                n_won += won.len() as u64;
            }
            if n_items > one_by_one {
                // By words, or it would take minutes; whichever are not known to be full.
                for word in 0..n_words {
                    let first = word * 64;
                    let last = n_items.min(first + 64) - 1;
                    if !board.is_known_claimed(first) || !board.is_known_claimed(last) {
                        let won = board.claim_word(word).unwrap();
                        board
                            .complete_many(&won.iter().collect::<Vec<_>>())
                            .unwrap();
                        n_won += won.len() as u64;
                    }
                }
            }
            for item in 0..n_items {
                if board.claim_unless_known(item).unwrap().is_won() {
                    board.complete(item).unwrap(); // which fails where another rank has won it too
                    n_won += 1;
                }
            }
            comm.barrier().unwrap();
            board.look().unwrap();
            assert!(board.all_known_claimed() && board.all_completed().unwrap());
            assert_eq!(board.n_claimed().unwrap(), n_items);
            if let Some(of_ranks) = gather_numbers(comm, &[n_won]) {
                assert_eq!(of_ranks.iter().sum::<u64>(), n_items as u64, "each once");
            }
            comm.barrier().unwrap();
            board.close().unwrap();
        }
    }
}

/// On a board of several pieces of 1 MiB, of which the last one is not full.
fn counted<'mpi, M: Memory>(
    comm: &Comm<'mpi>,
    open: impl Fn(usize, &Options) -> Result<WordBoard<'mpi, M>>,
) {
    let rank = comm.rank() as usize;
    let n_ranks = comm.size() as usize;
    let n_items = (3 << 20) * 8 * n_ranks - 77;
    let options = Options {
        remember: Remember::Nothing,
        ..Options::default()
    };
    let mut board = open(n_items, &options).unwrap();
    assert_eq!(board.n_claimed().unwrap(), 0);
    assert!(board.n_window_bytes() >= n_items / 8);
    assert!(board.n_window_bytes() <= n_items / 8 + 200 * n_ranks);
    comm.barrier().unwrap(); // at rest until here
    // Apart from each other, and over all of the board.
    const EACH: usize = 50;
    for i in 0..EACH {
        let item = (n_items - 1) - (i * n_ranks + rank) * (n_items / (EACH * n_ranks));
        assert!(board.claim(item).unwrap().is_won());
    }
    comm.barrier().unwrap();
    assert_eq!(board.n_claimed().unwrap(), EACH * n_ranks);
    comm.barrier().unwrap();
    board.close().unwrap();
}

/// Each rank claims in another way, all at the same time.
fn mixed<'mpi, M: Memory>(
    comm: &Comm<'mpi>,
    open: impl Fn(usize, &Options) -> Result<WordBoard<'mpi, M>>,
) {
    let n_items = if is_apart(comm) { 700 } else { 20_000 };
    all_ways(comm, false, n_items, schedules(), open);
}

/// Of some blocks all is claimed one by one, of others all at once, of others a part each way.
fn mixed_in_blocks<'mpi, M: Memory>(
    comm: &Comm<'mpi>,
    open: impl Fn(usize, &Options) -> Result<WordBoard<'mpi, M>>,
) {
    let items = |n| NonZeroUsize::new(n).unwrap();
    let n_items = match is_apart(comm) {
        true => 4096 + 500, // 0.1 to 10 ms an item
        false => 20 * 4096,
    };
    let schedules = [
        Schedule::Fixed { items: items(4096) },
        Schedule::Fixed {
            items: items(10_000),
        },
        Schedule::Guided { at_least: items(1) },
    ];
    all_ways(comm, true, n_items, schedules, open);
}

fn all_ways<'mpi, M: Memory>(
    comm: &Comm<'mpi>,
    in_blocks: bool,
    n_items: usize,
    schedules: [Schedule; 3],
    open: impl Fn(usize, &Options) -> Result<WordBoard<'mpi, M>>,
) {
    let is_apart = is_apart(comm);
    for (round, schedule) in schedules.into_iter().enumerate() {
        if round == 1 && is_apart {
            continue; // each way is still that of some rank
        }
        let options = Options {
            schedule,
            in_blocks,
            ..Options::default()
        };
        let mut board = open(n_items, &options).unwrap();
        let mut won: Vec<u64> = Vec::new();
        let win = |won: &mut Vec<u64>, items: &[usize], claims: &[Claim]| {
            let of_won = items.iter().zip(claims).filter(|(_, claim)| claim.is_won());
            won.extend(of_won.map(|(&item, _)| item as u64));
        };
        // In steps of a prime, so that every rank is everywhere at all times; in blocks all of one of them after
        // the other, from the end, so that the chunks come to some first.
        let order = (0..n_items).map(|i| match in_blocks {
            true => n_items - 1 - i,
            false => (i * 7919 + round) % n_items,
        });
        match (comm.rank() as usize + round) % 4 {
            0 => {
                while let Some(items) = board.claim_next().unwrap() {
                    won.extend(items.iter().map(|item| item as u64));
                }
            }
            1 => {
                let every = if is_apart { 5 } else { 1 };
                for item in order.step_by(every) {
                    win(&mut won, &[item], &[board.claim(item).unwrap()]);
                }
            }
            2 => {
                let items: Vec<usize> = order.collect();
                for items in items.chunks(200) {
                    let mut claims = vec![Claim::Won; items.len()];
                    board.claim_many(items, &mut claims).unwrap();
                    win(&mut won, items, &claims);
                }
            }
            _ => {
                for i in 0..board.n_words() {
                    let word = (i * 31 + round) % board.n_words();
                    won.extend(
                        board
                            .claim_word(word)
                            .unwrap()
                            .iter()
                            .map(|item| item as u64),
                    );
                }
            }
        }
        // Whoever claimed in chunks saw only what was left; the rest of the words is for all.
        for item in 0..n_items {
            if board.claim_unless_known(item).unwrap().is_won() {
                won.push(item as u64);
            }
        }
        assert_all_won_once(comm, &mut board, &won);
        board.close().unwrap();
    }
}

fn pipelined(comm: &Comm<'_>, mut board: impl Board) {
    let n_items = board.n_items();
    // Twice each, neighbours and strangers, from another place on each rank.
    let first = n_items * comm.rank() as usize / comm.size() as usize;
    let items: Vec<usize> = (0..2 * n_items)
        .map(|i| (first + i / 2 * 17 + i % 2 * (i % 4) * 64) % n_items)
        .chain(0..n_items)
        .chain([5, 5, 70, 5])
        .collect();
    let mut claims = vec![Claim::Won; items.len()];
    let operations = board.n_operations();
    board.claim_many(&items, &mut claims).unwrap();
    let won_any = claims.iter().any(|claim| claim.is_won());
    assert!(board.n_operations() > operations || !won_any);
    assert_eq!(
        claims[claims.len() - 4..]
            .iter()
            .filter(|claim| claim.is_won())
            .count(),
        0
    );
    let won = items
        .iter()
        .zip(&claims)
        .filter(|(_, claim)| claim.is_won());
    let won: Vec<u64> = won.map(|(&item, _)| item as u64).collect();
    assert!((0..n_items).all(|item| board.is_known_claimed(item)));
    assert_all_won_once(comm, &mut board, &won);
    board.close().unwrap();
}

/// Each node asks once for each item at most, once for all of a word that stand side by side in a batch,
/// and each word is counted once.
fn a_node_asks_once_for_many(comm: &Comm<'_>) {
    let n_nodes = Placement::of(comm).unwrap().n_nodes() as u64;
    for (n_items, n_words) in [(1, 0), (64, 0), (65, 2), (1000, 16)] {
        let mut board = TwoTierBoard::open(comm, 0, n_items).unwrap();
        let items: Vec<usize> = (0..n_items).collect();
        let mut claims = vec![Claim::Won; n_items];
        board.claim_many(&items, &mut claims).unwrap();
        let of_won = items
            .iter()
            .zip(&claims)
            .filter(|(_, claim)| claim.is_won());
        let won: Vec<u64> = of_won.map(|(&item, _)| item as u64).collect();
        let n_operations = board.n_operations();
        let all = gather_numbers(comm, &[n_operations]);
        if let Some(all) = all {
            let sum = all.iter().sum::<u64>();
            let at_most = n_items as u64 * n_nodes + n_words;
            assert!(sum <= at_most, "{sum} operations, {n_items} items");
            if comm.size() == 1 {
                let n_batches_or_words = n_items.div_ceil(64) as u64;
                assert_eq!(sum, n_batches_or_words + n_words, "{n_items} items");
            }
        }
        assert_all_won_once(comm, &mut board, &won);
        board.claim_many(&items, &mut claims).unwrap();
        assert!(claims.iter().all(|claim| !claim.is_won()));
        assert_eq!(board.n_operations(), n_operations, "all is known");
        board.close().unwrap();
    }
}

/// Words of 64 items, of which each rank has claimed one before somebody takes the rest.
fn words(comm: &Comm<'_>) {
    let n_ranks = comm.size() as usize;
    let mut board = BitBoard::open(comm, 0, 64 * 3 + 10).unwrap();
    let mut won: Vec<u64> = Vec::new();
    for word in 0..board.n_words() {
        let item = word * 64 + comm.rank() as usize;
        assert!(board.claim(item).unwrap().is_won());
        won.push(item as u64);
    }
    comm.barrier().unwrap();
    for word in 0..board.n_words() {
        let n_in_word = 64.min(board.n_items() - word * 64);
        let items = board.claim_word(word).unwrap();
        assert!(
            items.len() == n_in_word - n_ranks || items.is_empty(),
            "all or none"
        );
        won.extend(items.iter().map(|item| item as u64));
        assert!(board.is_known_claimed(word * 64 + n_in_word - 1));
    }
    assert_all_won_once(comm, &mut board, &won);
    board.close().unwrap();
}

/// A rank that remembers nothing learns by words that it finds full that all items are claimed.
fn lost_words(comm: &Comm<'_>) {
    for in_blocks in [false, true] {
        let options = Options {
            remember: Remember::Nothing,
            in_blocks,
            ..Options::default()
        };
        let mut board = BitBoard::open_with(comm, 0, 9000, &options).unwrap();
        if comm.rank() == 0 {
            for word in 0..board.n_words() {
                assert!(!board.claim_word(word).unwrap().is_empty());
            }
        }
        comm.barrier().unwrap();
        assert!(board.claim_word(1).unwrap().is_empty());
        assert!(board.all_known_claimed());
        board.close().unwrap();
    }
}
