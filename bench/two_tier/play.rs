//! What the ranks do: games on one board after the other.

use std::time::{Duration, Instant};

use onesided::claim::{BitBoard, Board, TwoTierBoard};
use onesided::internals::game::{GuessBy, Guesser};
use onesided::rma::{Comm, Mpi, Placement, ThreadLevel};
use serde::{Deserialize, Serialize};

const HOME: i32 = 0;
const SEED: u64 = 20;
/// Games that are not counted: connections are made in them.
const WARM_UP: u64 = 2;

/// How items are claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Method {
    /// `TwoTierBoard::claim`.
    TwoTier,
    /// `BitBoard::claim`: as the game does it, an operation for each guess.
    FetchAndOp,
    /// `BitBoard::claim_unless_known`: none for what this rank knows to be claimed.
    FetchAndOpUnlessKnown,
}

impl Method {
    pub const ALL: [Method; 3] = [
        Method::TwoTier,
        Method::FetchAndOp,
        Method::FetchAndOpUnlessKnown,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Method::TwoTier => "two-tier",
            Method::FetchAndOp => "fetch-and-op",
            Method::FetchAndOpUnlessKnown => "fetch-and-op unless known",
        }
    }
}

/// One game of all ranks.
#[derive(Debug, Serialize, Deserialize)]
pub struct Game {
    pub round: u64,
    pub method: Method,
    /// Until the last rank knew that all was claimed.
    pub ns: u64,
    pub guesses: u64,
    /// RMA operations of all ranks of each node.
    pub operations_of_nodes: [u64; 2],
}

/// What one rank did in a game.
#[derive(Serialize, Deserialize)]
struct Share {
    node: u32,
    ns: u64,
    guesses: u64,
    operations: u64,
    won: u64,
}

struct Table<'comm, 'mpi> {
    world: &'comm Comm<'mpi>,
    node: u32,
    n_items: u32,
    two_tier: TwoTierBoard<'mpi>,
    bits: BitBoard<'mpi>,
}

/// Plays with `n_items` for about so long; the first rank prints all games.
pub fn run(n_items: u32, play_for: Duration) {
    let mpi = Mpi::init(ThreadLevel::Funneled).expect("MPI starts");
    let world = mpi.world().expect("a duplicate of the world");
    let games = series(&world, n_items, play_for);
    if world.rank() == HOME {
        println!("{}", serde_json::to_string(&games).expect("plain data"));
    }
    world.free().expect("freed");
    mpi.finalize().expect("ended");
}

fn series(world: &Comm<'_>, n_items: u32, play_for: Duration) -> Vec<Game> {
    let placement = Placement::of(world).expect("nodes");
    assert_eq!(placement.n_nodes(), 2, "hosts are nodes: {placement:?}");
    let mut table = Table {
        world,
        node: placement.node_of(world.rank()),
        n_items,
        two_tier: TwoTierBoard::open(world, HOME, n_items as usize).expect("a board"),
        bits: BitBoard::open(world, HOME, n_items as usize).expect("a board"),
    };
    let mut games = Vec::new();
    let start = Instant::now();
    for round in 0.. {
        // Each in each place, and after each: what a game leaves behind hits all alike.
        let mut order = Method::ALL;
        order.rotate_left((round / 2 % 3) as usize);
        if round % 2 == 1 {
            order.reverse();
        }
        for method in order {
            games.extend(table.game(round, method).filter(|_| round >= WARM_UP));
        }
        let mut goes_on = [u8::from(start.elapsed() < play_for || round < WARM_UP + 6)];
        world.broadcast(HOME, &mut goes_on).expect("broadcast");
        if goes_on == [0] {
            break;
        }
    }
    table.two_tier.close().expect("closed");
    table.bits.close().expect("closed");
    games
}

impl Table<'_, '_> {
    fn game(&mut self, round: u64, method: Method) -> Option<Game> {
        let (world, node, n_items) = (self.world, self.node, self.n_items);
        let guesser = Guesser::new(
            SEED,
            world.rank().unsigned_abs(),
            round,
            n_items,
            GuessBy::default(),
        );
        world.barrier().expect("barrier");
        let mut share = match method {
            Method::TwoTier => play(&mut self.two_tier, guesser, Board::claim),
            Method::FetchAndOp => play(&mut self.bits, guesser, Board::claim),
            Method::FetchAndOpUnlessKnown => {
                play(&mut self.bits, guesser, Board::claim_unless_known)
            }
        };
        share.node = node;
        world.barrier().expect("barrier"); // at rest
        match method {
            Method::TwoTier => settle(world, &mut self.two_tier),
            _ => settle(world, &mut self.bits),
        }
        let own = serde_json::to_vec(&share).expect("plain data");
        let all = world.gather(HOME, &own).expect("gathered")?;
        let shares = all
            .iter()
            .map(|one| serde_json::from_slice(one).expect("a share"));
        let shares: Vec<Share> = shares.collect();
        let won: u64 = shares.iter().map(|share| share.won).sum();
        assert_eq!(won, u64::from(n_items), "every item is won once");
        let mut operations_of_nodes = [0; 2];
        for share in &shares {
            operations_of_nodes[share.node as usize] += share.operations;
        }
        Some(Game {
            round,
            method,
            ns: shares.iter().map(|share| share.ns).max().unwrap_or(0),
            guesses: shares.iter().map(|share| share.guesses).sum(),
            operations_of_nodes,
        })
    }
}

fn play<B: Board>(
    board: &mut B,
    mut guesser: Guesser,
    claim: fn(&mut B, usize) -> onesided::rma::Result<onesided::claim::Claim>,
) -> Share {
    let operations_before = board.n_operations();
    let (mut guesses, mut won) = (0, 0);
    let start = Instant::now();
    while !board.all_known_claimed() {
        let Some(item) = (guesser.guess(|_| false) as usize).checked_sub(1) else {
            continue;
        };
        guesses += 1;
        won += u64::from(claim(board, item).expect("a claim").is_won());
    }
    Share {
        node: 0,
        ns: start.elapsed().as_nanos() as u64,
        guesses,
        operations: board.n_operations() - operations_before,
        won,
    }
}

/// After a game: the home rank's memory has every item, and is cleared.
fn settle<B: Board>(world: &Comm<'_>, board: &mut B) {
    if world.rank() == HOME {
        let account = board.account().expect("an account");
        assert!(account.claimed.iter().all(|&claimed| claimed));
        board.clear().expect("cleared");
    }
    board.forget();
}
