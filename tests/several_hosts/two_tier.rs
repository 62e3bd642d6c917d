//! Two tiers across hosts: every item once, and of each host one question an item, single or in numbers.

use onesided::claim::{Board, Claim, TwoTierBoard};
use onesided::internals::game::{GuessBy, Guesser};
use onesided::rma::{Comm, Placement};
use serde::{Deserialize, Serialize};

use crate::harness::Body;
use crate::hosts::Hosts;
use crate::launchers::Within;
use crate::{Test, print_all, result_on};

const CLAIMS: Body = Body {
    name: "two_tier::claims",
    run: claims,
};

pub const BODIES: &[Body] = &[CLAIMS];

pub const TESTS: &[Test] = &[
    (
        "two_tier::a_host_asks_once_for_an_item",
        a_host_asks_once_for_an_item,
    ),
    (
        "two_tier::a_host_asks_once_for_an_item_over_tcp",
        a_host_asks_once_for_an_item_over_tcp,
    ),
];

/// What a rank did on one board.
#[derive(Serialize, Deserialize)]
struct Done {
    n_items: usize,
    node: u32,
    won: Vec<usize>,
    n_claims: u64,
    n_operations: u64,
    n_node_operations: u64,
}

/// Each rank claims items at random until all are taken. On every other board the last rank only looks:
/// it is told all the same.
fn claims(comm: &Comm<'_>) {
    let node = Placement::of(comm).expect("nodes").node_of(comm.rank());
    let last_of_all = comm.rank() + 1 == comm.size();
    let mut all_done = Vec::new();
    for (round, n_items) in (0u32..).zip([1, 9, 64, 65, 1000]) {
        let mut board = TwoTierBoard::open(comm, 0, n_items).expect("a board");
        let mut guesser = Guesser::new(
            7,
            comm.rank().unsigned_abs(),
            0,
            n_items as u32,
            GuessBy::default(),
        );
        let (mut won, mut n_claims, mut n_looks) = (Vec::new(), 0, 0);
        while !board.all_known_claimed() {
            if last_of_all && round % 2 == 1 {
                board.look().expect("a look");
                n_looks = board.n_operations();
                continue;
            }
            let Some(item) = (guesser.guess(|_| false) as usize).checked_sub(1) else {
                continue;
            };
            // Every third rank in numbers: a pipeline beside single claims.
            let n_together = if comm.rank() % 3 == 2 { 100 } else { 1 };
            n_claims += n_together as u64;
            let items: Vec<usize> = (0..n_together).map(|i| (item + i * 7) % n_items).collect();
            let mut claims = vec![Claim::Lost { owner: None }; n_together];
            board.claim_many(&items, &mut claims).expect("claims");
            let of_won = items
                .iter()
                .zip(&claims)
                .filter(|(_, claim)| claim.is_won());
            won.extend(of_won.map(|(&item, _)| item));
        }
        comm.barrier().expect("all have left the board");
        assert!(
            board
                .account()
                .expect("an account")
                .claimed
                .iter()
                .all(|&claimed| claimed)
        );
        all_done.push(Done {
            n_items,
            node,
            won,
            n_claims,
            n_operations: board.n_operations() - n_looks,
            n_node_operations: board.n_node_operations(),
        });
        comm.barrier().expect("all have read");
        board.close().expect("closed");
    }
    print_all(comm, &all_done);
}

fn a_host_asks_once_for_an_item() {
    let hosts = Hosts::up(2);
    let of_ranks: Vec<Vec<Done>> = result_on(&hosts, 2, Within::SharedMemory, CLAIMS);
    assert_eq!(of_ranks.len(), 4);
    for (rank, done) in of_ranks.iter().enumerate() {
        assert!(done.iter().all(|done| done.node == rank as u32 / 2));
    }
    check(&of_ranks);
}

/// Where ranks of a host do not share memory with each other, MPI may take each for a node.
fn a_host_asks_once_for_an_item_over_tcp() {
    let of_ranks: Vec<Vec<Done>> = result_on(&Hosts::up(2), 2, Within::Tcp, CLAIMS);
    check(&of_ranks);
}

fn check(of_ranks: &[Vec<Done>]) {
    let n_nodes = 1 + of_ranks
        .iter()
        .map(|done| done[0].node)
        .max()
        .expect("ranks");
    for board in 0..of_ranks[0].len() {
        let done: Vec<&Done> = of_ranks.iter().map(|done| &done[board]).collect();
        let n_items = done[0].n_items;
        let mut won = done
            .iter()
            .flat_map(|done| &done.won)
            .copied()
            .collect::<Vec<_>>();
        won.sort_unstable();
        assert_eq!(
            won,
            (0..n_items).collect::<Vec<_>>(),
            "every item is won once"
        );
        // Each word is counted once, by somebody on some node.
        let n_counted = match n_items.div_ceil(64) {
            1 => 0,
            n_words => n_words as u64,
        };
        let of_all = done.iter().map(|done| done.n_operations).sum::<u64>();
        let at_most = u64::from(n_nodes) * n_items as u64 + n_counted;
        assert!(of_all <= at_most, "{of_all} of all nodes");
        for node in 0..n_nodes {
            let of_node = done.iter().filter(|done| done.node == node);
            let sum = |of: fn(&Done) -> u64| of_node.clone().map(|done| of(done)).sum::<u64>();
            let n_operations = sum(|done| done.n_operations);
            println!(
                "{n_items} items, node {node}: {} claims, {n_operations} operations on the home rank, {} on \
                 the node",
                sum(|done| done.n_claims),
                sum(|done| done.n_node_operations),
            );
            assert!(
                n_operations <= n_items as u64 + n_counted,
                "{n_operations} of node {node}"
            );
        }
    }
}
