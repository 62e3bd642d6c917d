//! Boards: among all claims of an item exactly one is won, whatever the home rank does meanwhile.

use std::time::{Duration, Instant};

use onesided::claim::{
    BitBoard, Board, Claim, Options, SharedBoard, SlotBoard, SpreadBoard, TwoTierBoard,
};
use onesided::rma::{Comm, Dealt, Rank, Result};

use crate::harness::{Body, gather_numbers};

pub const BODIES: &[Body] = &[
    Body {
        name: "boards::bits::every_item_is_won_once",
        run: |comm| won_once(comm, BitBoard::open),
    },
    Body {
        name: "boards::slots::every_item_is_won_once",
        run: |comm| won_once(comm, SlotBoard::open),
    },
    Body {
        name: "boards::bits::the_home_rank_may_wait_or_compute",
        run: |comm| home_away(comm, BitBoard::open),
    },
    Body {
        name: "boards::slots::the_home_rank_may_wait_or_compute",
        run: |comm| home_away(comm, SlotBoard::open),
    },
    Body {
        name: "boards::bits::what_is_known_is_true",
        run: |comm| knowledge(comm, BitBoard::open, Lost::AtHome),
    },
    Body {
        name: "boards::slots::what_is_known_is_true",
        run: |comm| knowledge(comm, SlotBoard::open, Lost::AtHome),
    },
    Body {
        name: "boards::bits::a_cleared_board_is_as_new",
        run: |comm| cleared(comm, BitBoard::open),
    },
    Body {
        name: "boards::slots::a_cleared_board_is_as_new",
        run: |comm| cleared(comm, SlotBoard::open),
    },
    Body {
        name: "boards::shared::every_item_is_won_once",
        run: |comm| won_once(comm, SharedBoard::open),
    },
    Body {
        name: "boards::shared::the_home_rank_may_wait_or_compute",
        run: |comm| home_away(comm, SharedBoard::open),
    },
    Body {
        name: "boards::shared::what_is_known_is_true",
        run: |comm| knowledge(comm, SharedBoard::open, Lost::AtHome),
    },
    Body {
        name: "boards::shared::a_cleared_board_is_as_new",
        run: |comm| cleared(comm, SharedBoard::open),
    },
    Body {
        name: "boards::spread_bits::every_item_is_won_once",
        run: |comm| won_once(comm, spread_bits),
    },
    Body {
        name: "boards::spread_bits::the_home_rank_may_wait_or_compute",
        run: |comm| home_away(comm, spread_bits),
    },
    Body {
        name: "boards::spread_bits::what_is_known_is_true",
        run: |comm| knowledge(comm, spread_bits, Lost::AtHome),
    },
    Body {
        name: "boards::spread_bits::a_cleared_board_is_as_new",
        run: |comm| cleared(comm, spread_bits),
    },
    Body {
        name: "boards::spread_slots::every_item_is_won_once",
        run: |comm| won_once(comm, spread_slots),
    },
    Body {
        name: "boards::spread_slots::the_home_rank_may_wait_or_compute",
        run: |comm| home_away(comm, spread_slots),
    },
    Body {
        name: "boards::spread_slots::what_is_known_is_true",
        run: |comm| knowledge(comm, spread_slots, Lost::AtHome),
    },
    Body {
        name: "boards::spread_slots::a_cleared_board_is_as_new",
        run: |comm| cleared(comm, spread_slots),
    },
    Body {
        name: "boards::two_tier::every_item_is_won_once",
        run: |comm| won_once(comm, TwoTierBoard::open),
    },
    Body {
        name: "boards::two_tier::the_home_rank_may_wait_or_compute",
        run: |comm| home_away(comm, TwoTierBoard::open),
    },
    Body {
        name: "boards::two_tier::what_is_known_is_true",
        run: |comm| knowledge(comm, TwoTierBoard::open, Lost::OnTheNode),
    },
    Body {
        name: "boards::two_tier::a_cleared_board_is_as_new",
        run: |comm| cleared(comm, TwoTierBoard::open),
    },
    Body {
        name: "boards::two_tier::a_node_asks_once",
        run: a_node_asks_once,
    },
    Body {
        name: "boards::any_board_is_closed_in_a_box",
        run: boxed,
    },
    Body {
        name: "boards::losers_learn_the_owner",
        run: owners,
    },
];

type Open<'mpi, B> = fn(&Comm<'mpi>, Rank, usize) -> Result<B>;

fn spread_bits<'mpi>(comm: &Comm<'mpi>, _home: Rank, n_items: usize) -> Result<SpreadBoard<'mpi>> {
    SpreadBoard::open(comm, n_items)
}

fn spread_slots<'mpi>(
    comm: &Comm<'mpi>,
    _home: Rank,
    n_items: usize,
) -> Result<SlotBoard<'mpi, Dealt>> {
    SlotBoard::open_spread(comm, n_items, &Options::default())
}

/// A kind of board that is chosen at run time.
fn boxed(comm: &Comm<'_>) {
    let boards: [Box<dyn Board + '_>; 6] = [
        Box::new(BitBoard::open(comm, 0, 70).unwrap()),
        Box::new(SpreadBoard::open(comm, 70).unwrap()),
        Box::new(SharedBoard::open(comm, 0, 70).unwrap()),
        Box::new(TwoTierBoard::open(comm, 0, 70).unwrap()),
        Box::new(SlotBoard::open(comm, 0, 70).unwrap()),
        Box::new(spread_slots(comm, 0, 70).unwrap()),
    ];
    for mut board in boards {
        let own = comm.rank() as usize;
        assert!(board.claim(own).unwrap().is_won());
        board.progress().unwrap();
        comm.barrier().unwrap();
        board.close_boxed().unwrap();
    }
}

/// Sizes around the edges of a word, and some words.
const SIZES: [usize; 7] = [1, 9, 63, 64, 65, 128, 1000];

/// All ranks' items sorted are `0..n_items`, and the board agrees.
fn assert_each_won_once<B: Board>(comm: &Comm<'_>, board: &B, won: &[u64]) {
    let n_items = board.n_items();
    comm.barrier().unwrap();
    let account = board.account().unwrap();
    assert_eq!(account.claimed, vec![true; n_items]);
    if let Some(owners) = account.owners {
        for (item, owner) in owners.iter().enumerate() {
            let is_mine = *owner == Some(comm.rank());
            assert_eq!(
                is_mine,
                won.contains(&(item as u64)),
                "owner of {item} is {owner:?}"
            );
        }
    }
    if let Some(mut all) = gather_numbers(comm, won) {
        all.sort_unstable();
        assert_eq!(all, (0..n_items as u64).collect::<Vec<_>>());
    }
}

/// Claims all items, each rank in another order, and returns those that were won.
fn claim_all<B: Board>(comm: &Comm<'_>, board: &mut B) -> Vec<u64> {
    let n_items = board.n_items();
    let first = n_items * comm.rank() as usize / comm.size() as usize;
    let mut won = Vec::new();
    for item in (first..n_items).chain(0..first) {
        if board.claim(item).unwrap().is_won() {
            won.push(item as u64);
        }
        assert!(board.is_known_claimed(item));
    }
    won
}

fn won_once<'mpi, B: Board>(comm: &Comm<'mpi>, open: Open<'mpi, B>) {
    for n_items in SIZES {
        let mut board = open(comm, comm.size() - 1, n_items).unwrap();
        assert!(!board.all_known_claimed());
        comm.barrier().unwrap(); // what one rank learns, others may know at once
        let won = claim_all(comm, &mut board);
        board.look().unwrap();
        // Somebody may have set the last bit of a word, and not counted the word yet.
        let start = Instant::now();
        while !board.all_known_claimed() {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "every item was claimed by this rank or before it"
            );
            std::thread::sleep(Duration::from_micros(100));
            board.look().unwrap();
        }
        assert_each_won_once(comm, &board, &won);
        board.close().unwrap();
    }
    let mut empty = open(comm, 0, 0).unwrap();
    assert!(empty.all_known_claimed());
    empty.look().unwrap();
    empty.close().unwrap();
}

/// The home rank claims nothing: it waits in a barrier (idle), or computes and sleeps outside MPI for
/// a while first (busy). Alone, it claims, or nobody would.
fn home_away<'mpi, B: Board>(comm: &Comm<'mpi>, open: Open<'mpi, B>) {
    for busy in [false, true] {
        let mut board = open(comm, 0, 200).unwrap();
        let won = if comm.rank() == 0 && comm.size() > 1 {
            if busy {
                let start = Instant::now();
                while start.elapsed() < Duration::from_millis(20) {
                    std::hint::spin_loop();
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            Vec::new()
        } else {
            claim_all(comm, &mut board)
        };
        assert_each_won_once(comm, &board, &won);
        board.close().unwrap();
    }
}

/// Where a claim is lost of an item that this rank has claimed before.
#[derive(PartialEq)]
enum Lost {
    AtHome,
    OnTheNode,
}

fn knowledge<'mpi, B: Board>(comm: &Comm<'mpi>, open: Open<'mpi, B>, lost: Lost) {
    let mut board = open(comm, 0, 130).unwrap();
    let mine = comm.rank() as usize; // each rank claims one item of its own, and no more
    assert!(!board.is_known_claimed(mine));
    assert_eq!(board.claim_unless_known(mine).unwrap(), Claim::Won);
    let operations = board.n_operations();
    assert!(!board.claim_unless_known(mine).unwrap().is_won());
    assert_eq!(
        board.n_operations(),
        operations,
        "what is known costs no operation"
    );
    assert!(
        !board.claim(mine).unwrap().is_won(),
        "asked all the same, it is lost"
    );
    let asked_home = board.n_operations() > operations;
    assert_eq!(asked_home, lost == Lost::AtHome);
    comm.barrier().unwrap();
    board.look().unwrap();
    let account = board.account().unwrap();
    for item in 0..130 {
        assert_eq!(account.claimed[item], item < comm.size() as usize);
        assert!(
            account.claimed[item] || !board.is_known_claimed(item),
            "never wrong"
        );
    }
    assert!(!board.all_known_claimed());
    board.close().unwrap();
}

fn cleared<'mpi, B: Board>(comm: &Comm<'mpi>, open: Open<'mpi, B>) {
    let mut board = open(comm, 0, 70).unwrap();
    for _ in 0..20 {
        let won = claim_all(comm, &mut board);
        assert_each_won_once(comm, &board, &won);
        comm.barrier().unwrap(); // at rest: all have read their account
        board.forget();
        if comm.rank() == 0 {
            board.clear().unwrap();
        }
        comm.barrier().unwrap();
        assert!(!board.is_known_claimed(69) && !board.all_known_claimed());
        comm.barrier().unwrap(); // what one rank learns, others may know at once
    }
    board.close().unwrap();
}

/// All ranks are on one node: together they ask the home rank once for each item, and count each word once. One that claims
/// nothing learns all by looking, and a board that is all taken costs no operation.
fn a_node_asks_once(comm: &Comm<'_>) {
    for n_items in SIZES {
        let mut board = TwoTierBoard::open(comm, 0, n_items).unwrap();
        let looks_only = comm.size() > 1 && comm.rank() == 1;
        let won = match looks_only {
            true => Vec::new(),
            false => claim_all(comm, &mut board),
        };
        let operations = gather_numbers(comm, &[board.n_operations()]);
        comm.barrier().unwrap(); // all words are counted
        assert!(board.all_known_claimed());
        if let Some(operations) = operations {
            let n_counted = match n_items.div_ceil(64) {
                1 => 0,
                n_words => n_words,
            };
            let sum = operations.iter().sum::<u64>();
            assert_eq!(sum, (n_items + n_counted) as u64, "each word is counted");
        }
        let before = (board.n_operations(), board.n_node_operations());
        board.look().unwrap();
        assert_eq!(board.evidence_of_look(), 0);
        assert!(!board.claim(n_items - 1).unwrap().is_won());
        assert_eq!(board.evidence(n_items - 1), 0, "lost on the node");
        let after = (board.n_operations(), board.n_node_operations());
        assert_eq!(before, after, "nothing is asked, and nothing written");
        assert_each_won_once(comm, &board, &won);
        board.close().unwrap();
    }
}

fn owners(comm: &Comm<'_>) {
    let mut board = SlotBoard::open(comm, 0, comm.size() as usize).unwrap();
    let mine = comm.rank() as usize;
    assert_eq!(board.claim(mine).unwrap(), Claim::Won);
    comm.barrier().unwrap();
    for item in 0..comm.size() {
        assert_eq!(
            board.claim(item as usize).unwrap(),
            Claim::Lost { owner: Some(item) }
        );
    }
    assert!(board.all_known_claimed());
    board.close().unwrap();
}
