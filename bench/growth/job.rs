//! A job of one number of ranks: plays all ways and sizes, and tells each game as a line.

use std::hint::black_box;
use std::time::{Duration, Instant};

use onesided::claim::{BitBoard, Board, Options, Schedule, Tickets, UnclaimedPicker};
use onesided::rma::{Comm, Mpi, ThreadLevel};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use crate::samples::{agreed, column, gather};
use crate::way::Way;
use crate::{MARK, sizes};

/// Games of one way and size, at most.
const MOST_GAMES: u64 = 200;
/// And no further one once so much time has passed.
const ENOUGH: Duration = Duration::from_millis(400);

/// What one rank did in a game.
#[derive(Default)]
struct Done {
    guesses: u64,
    won: u64,
}

/// Plays; a size is left out if, by the size before, a game would take more than `limit`.
pub fn run(largest: usize, limit: Duration) {
    let mpi = Mpi::init(ThreadLevel::Funneled).expect("MPI starts");
    let world = mpi.world().expect("a duplicate of the world");
    for way in Way::ALL {
        let mut before: Option<(usize, Duration)> = None;
        for n_items in sizes(largest) {
            if let Some((n_before, took)) = before {
                // A little more than proportional: caches, and the harmonic number.
                let predicted = took.mul_f64(1.3 * n_items as f64 / n_before as f64);
                if agreed(&world, predicted > limit && way != Way::Chunks) {
                    if world.rank() == 0 {
                        println!("{MARK}left out,{way},{n_items},{}", predicted.as_secs_f64());
                    }
                    break;
                }
            }
            before = Some((n_items, games(&world, way, n_items)));
        }
    }
    world.free().expect("freed");
    mpi.finalize().expect("ended");
}

/// The time of the shortest game, on rank 0. Collective.
fn games(world: &Comm<'_>, way: Way, n_items: usize) -> Duration {
    let mut table = Table::open(world, way, n_items);
    let start = Instant::now();
    let mut shortest = None;
    for game in 0.. {
        table.forget();
        let operations = table.n_operations();
        world.barrier().expect("barrier");
        let begun = Instant::now();
        let done = table.play(way, world.rank(), game);
        let took = begun.elapsed();
        world.barrier().expect("barrier"); // at rest
        let own = [
            done.guesses as f64,
            (table.n_operations() - operations) as f64,
            done.won as f64,
            took.as_nanos() as f64,
        ];
        if let Some(all) = gather(world, &own) {
            let sum = |index| column(&all, index).sum::<f64>();
            let slowest = column(&all, 3).fold(0.0, f64::max);
            assert_eq!(sum(2), n_items as f64, "every item is won once");
            table.check_and_clear();
            println!(
                "{MARK}game,{way},{n_items},{game},{},{},{slowest}",
                sum(0),
                sum(1)
            );
            let took = Duration::from_nanos(slowest as u64);
            shortest = Some(shortest.map_or(took, |shortest: Duration| shortest.min(took)));
        }
        let is_enough = game + 1 >= MOST_GAMES || start.elapsed() > ENOUGH;
        if agreed(world, is_enough) {
            break;
        }
    }
    table.close();
    shortest.unwrap_or_default()
}

/// What is played on.
enum Table<'mpi> {
    Board(BitBoard<'mpi>),
    Tickets(Tickets<'mpi>),
}

impl<'mpi> Table<'mpi> {
    fn open(world: &Comm<'mpi>, way: Way, n_items: usize) -> Self {
        let options = Options::default();
        match way {
            Way::Ticket => {
                let schedule = Schedule::Fixed {
                    items: std::num::NonZeroUsize::MIN,
                };
                let options = Options {
                    schedule,
                    ..options
                };
                let tickets = Tickets::open(world, 0, n_items, &options);
                Table::Tickets(tickets.expect("tickets"))
            }
            _ => Table::Board(BitBoard::open_with(world, 0, n_items, &options).expect("a board")),
        }
    }

    fn n_operations(&self) -> u64 {
        match self {
            Table::Board(board) => board.n_operations(),
            Table::Tickets(tickets) => tickets.n_operations(),
        }
    }

    fn play(&mut self, way: Way, rank: i32, game: u64) -> Done {
        let mut rng = ChaCha8Rng::seed_from_u64(game << 16 | u64::from(rank.unsigned_abs()));
        match self {
            Table::Board(board) => play_on_board(board, way, &mut rng),
            Table::Tickets(tickets) => {
                let mut done = Done::default();
                while !tickets.all_known_drawn() {
                    done.guesses += 1;
                    let items = tickets.draw().expect("a draw");
                    done.won += black_box(items).map_or(0, |items| items.len() as u64);
                }
                done
            }
        }
    }

    /// What the last game left. At rest, on rank 0.
    fn check_and_clear(&mut self) {
        match self {
            Table::Board(board) => {
                assert_eq!(board.n_claimed().expect("read"), board.n_items());
                board.clear().expect("cleared");
            }
            Table::Tickets(tickets) => {
                assert_eq!(tickets.n_handed_out().expect("read"), tickets.n_items());
                tickets.clear().expect("cleared");
            }
        }
    }

    fn forget(&mut self) {
        match self {
            Table::Board(board) => board.forget(),
            Table::Tickets(tickets) => tickets.forget(),
        }
    }

    fn close(self) {
        match self {
            Table::Board(board) => board.close(),
            Table::Tickets(tickets) => tickets.close(),
        }
        .expect("closed");
    }
}

fn play_on_board(board: &mut BitBoard<'_>, way: Way, rng: &mut ChaCha8Rng) -> Done {
    let n_items = board.n_items();
    let mut done = Done::default();
    match way {
        Way::Uniform => {
            while !board.all_known_claimed() {
                done.guesses += 1;
                let claim = board.claim(rng.random_range(0..n_items)).expect("a claim");
                done.won += u64::from(claim.is_won());
            }
        }
        Way::SkipKnown => {
            while !board.all_known_claimed() {
                done.guesses += 1;
                let item = rng.random_range(0..n_items);
                let claim = board.claim_unless_known(item).expect("a claim");
                done.won += u64::from(claim.is_won());
            }
        }
        Way::Unclaimed => {
            let mut picker = UnclaimedPicker::new();
            while !board.all_known_claimed() {
                let known = |item| board.is_known_claimed(item);
                let Some(item) = picker.pick(n_items, known, rng) else {
                    break; // known one by one
                };
                done.guesses += 1;
                done.won += u64::from(board.claim(item).expect("a claim").is_won());
            }
        }
        Way::Chunks => {
            // A call that claims a run of words counts as a guess, and so does the last one, in vain.
            done.guesses += 1;
            while let Some(won) = board.claim_next().expect("a claim") {
                done.guesses += 1;
                done.won += won.len() as u64;
            }
        }
        Way::Ticket => unreachable!("tickets are no board"),
    }
    done
}
