//! Boards whose items are completed, saved while others go on, and restored onto boards of any kind: every item
//! is done once, in the checkpoint or after it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use onesided::checkpoint::Writer;
use onesided::claim::{
    BitBoard, Board, Claim, Holding, Options, Remember, Restored, SharedBoard, SlotBoard,
    SpreadBoard,
};
use onesided::rma::{Comm, Counter, Dealt, ErrorKind, Layout, Rank, Result, Window};
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::harness::{Body, gather_numbers};
use crate::support::scratch;

pub const BODIES: &[Body] = &[
    Body {
        name: "checkpoints::bits_go_on_as_bits_of_another_home",
        run: |comm| resumed(comm, bits, bits_of_the_last, &[1, 64, 65, 1000]),
    },
    Body {
        name: "checkpoints::bits_go_on_as_spread_bits",
        run: |comm| resumed(comm, bits, spread_bits, &[1, 130, 1000]),
    },
    Body {
        name: "checkpoints::spread_bits_go_on_as_shared_ones",
        run: |comm| resumed(comm, spread_bits, shared, &[64, 1000]),
    },
    Body {
        name: "checkpoints::shared_bits_go_on_as_slots",
        run: |comm| resumed(comm, shared, slots, &[1, 65, 300]),
    },
    Body {
        name: "checkpoints::slots_go_on_as_bits_in_blocks",
        run: |comm| resumed(comm, slots, blocks, &[300, 5000]),
    },
    Body {
        name: "checkpoints::bits_in_blocks_go_on_as_spread_slots",
        run: |comm| resumed(comm, blocks, spread_slots, &[5000]),
    },
    Body {
        name: "checkpoints::spread_slots_go_on_as_bits_that_nobody_remembers",
        run: |comm| resumed(comm, spread_slots, forgetful, &[64, 500]),
    },
    Body {
        name: "checkpoints::chunks_are_completed_and_go_on_in_chunks",
        run: chunks,
    },
    Body {
        name: "checkpoints::the_end_is_known_though_most_was_completed_before",
        run: |comm| {
            ends(comm, bits);
            ends(comm, forgetful);
            ends(comm, blocks);
            ends(comm, spread_bits);
            ends(comm, shared);
            ends(comm, slots);
            ends(comm, spread_slots);
        },
    },
    Body {
        name: "checkpoints::what_is_completed_twice_is_noticed",
        run: |comm| {
            completed_twice(comm, bits);
            completed_twice(comm, spread_bits);
            completed_twice(comm, shared);
            completed_twice(comm, slots);
        },
    },
    Body {
        name: "checkpoints::slots_say_who_holds_what_and_the_dead_are_replaced",
        run: holders,
    },
    Body {
        name: "checkpoints::a_board_goes_on_where_it_cannot_be_saved",
        run: |comm| {
            not_saved(comm, bits);
            not_saved(comm, slots);
        },
    },
    Body {
        name: "checkpoints::a_file_of_something_else_is_refused_on_all_ranks",
        run: |comm| {
            refused(comm, bits);
            refused(comm, spread_slots);
        },
    },
    Body {
        name: "checkpoints::what_is_saved_beside_a_board_comes_back_bit_for_bit",
        run: bit_for_bit,
    },
    Body {
        name: "checkpoints::all_ranks_find_a_file_or_none_of_them",
        run: there_or_not,
    },
    Body {
        name: "checkpoints::all_ranks_may_save_to_one_file",
        run: saved_by_all,
    },
    Body {
        name: "checkpoints::without_completions_a_board_is_no_larger",
        run: no_larger,
    },
];

/// What all boards with completions have, each in its own way.
trait Completing: Board + Sized {
    fn complete(&mut self, item: usize) -> Result<()>;
    fn complete_many(&mut self, items: &[usize]) -> Result<()>;
    fn is_completed(&mut self, item: usize) -> Result<bool>;
    fn n_completed(&mut self) -> Result<usize>;
    fn save(&mut self, path: &Path, extra: impl FnOnce() -> Result<Vec<u64>>) -> Result<usize>;
    fn restore(&mut self, comm: &Comm<'_>, path: &Path) -> Result<Restored>;
    fn restore_if_there(&mut self, comm: &Comm<'_>, path: &Path) -> Result<Option<Restored>>;
}

macro_rules! completing {
    ($($board:ty),*) => {$(
        impl Completing for $board {
            fn complete(&mut self, item: usize) -> Result<()> {
                self.complete(item)
            }
            fn complete_many(&mut self, items: &[usize]) -> Result<()> {
                self.complete_many(items)
            }
            #[allow(clippy::unnecessary_mut_passed, reason = "one of the boards needs it")]
            fn is_completed(&mut self, item: usize) -> Result<bool> {
                <$board>::is_completed(self, item)
            }
            fn n_completed(&mut self) -> Result<usize> {
                <$board>::n_completed(self)
            }
            fn save(&mut self, path: &Path, extra: impl FnOnce() -> Result<Vec<u64>>) -> Result<usize> {
                self.save(path, extra)
            }
            fn restore(&mut self, comm: &Comm<'_>, path: &Path) -> Result<Restored> {
                self.restore(comm, path)
            }
            fn restore_if_there(&mut self, comm: &Comm<'_>, path: &Path) -> Result<Option<Restored>> {
                self.restore_if_there(comm, path)
            }
        }
    )*};
}
completing!(
    BitBoard<'_>,
    SpreadBoard<'_>,
    SharedBoard<'_>,
    SlotBoard<'_>,
    SlotBoard<'_, Dealt>
);

type Open<'mpi, B> = fn(&Comm<'mpi>, usize) -> Result<B>;

fn with_completions() -> Options {
    Options {
        completions: true,
        ..Options::default()
    }
}

fn bits<'mpi>(comm: &Comm<'mpi>, n_items: usize) -> Result<BitBoard<'mpi>> {
    BitBoard::open_with(comm, 0, n_items, &with_completions())
}

fn bits_of_the_last<'mpi>(comm: &Comm<'mpi>, n_items: usize) -> Result<BitBoard<'mpi>> {
    BitBoard::open_with(comm, comm.size() - 1, n_items, &with_completions())
}

fn blocks<'mpi>(comm: &Comm<'mpi>, n_items: usize) -> Result<BitBoard<'mpi>> {
    let options = Options {
        in_blocks: true,
        ..with_completions()
    };
    BitBoard::open_with(comm, 0, n_items, &options)
}

fn forgetful<'mpi>(comm: &Comm<'mpi>, n_items: usize) -> Result<BitBoard<'mpi>> {
    let options = Options {
        remember: Remember::Nothing,
        ..with_completions()
    };
    BitBoard::open_with(comm, 0, n_items, &options)
}

fn spread_bits<'mpi>(comm: &Comm<'mpi>, n_items: usize) -> Result<SpreadBoard<'mpi>> {
    SpreadBoard::open_with(comm, n_items, &with_completions())
}

fn shared<'mpi>(comm: &Comm<'mpi>, n_items: usize) -> Result<SharedBoard<'mpi>> {
    SharedBoard::open_with(comm, 0, n_items, &with_completions())
}

fn slots<'mpi>(comm: &Comm<'mpi>, n_items: usize) -> Result<SlotBoard<'mpi>> {
    SlotBoard::open(comm, 0, n_items)
}

fn spread_slots<'mpi>(comm: &Comm<'mpi>, n_items: usize) -> Result<SlotBoard<'mpi, Dealt>> {
    SlotBoard::open_spread(comm, n_items, &Options::default())
}

/// A folder that rank 0 makes, and its name on all ranks.
pub fn folder(comm: &Comm<'_>) -> (Option<tempfile::TempDir>, PathBuf) {
    let own = (comm.rank() == 0).then(scratch);
    let mut name = own.as_ref().map_or_else(Vec::new, |folder| {
        folder.path().to_str().expect("a plain name").into()
    });
    let mut n_bytes = (name.len() as u64).to_le_bytes();
    comm.broadcast(0, &mut n_bytes).unwrap();
    name.resize(u64::from_le_bytes(n_bytes) as usize, 0);
    comm.broadcast(0, &mut name).unwrap();
    (own, String::from_utf8(name).expect("a plain name").into())
}

/// What comes of the work on an item, never 0.
fn result_of(item: usize) -> u64 {
    item as u64 * 7 + 1
}

/// Whether the file system said no in the same words on all ranks.
fn same_on_all(comm: &Comm<'_>, words: &str) {
    if let Some(all) = comm.gather(0, words.as_bytes()).unwrap() {
        assert!(all.iter().all(|other| other == words.as_bytes()), "{all:?}");
    }
}

/// Claims and completes at random while rank 0 saves; then goes on from the last file on another board.
fn resumed<'mpi, A: Completing, B: Completing>(
    comm: &Comm<'mpi>,
    open: Open<'mpi, A>,
    open_next: Open<'mpi, B>,
    sizes: &[usize],
) {
    let (own, folder) = folder(comm);
    let path = folder.join("board");
    let mut seed = 0;
    for &n_items in sizes {
        for home_works in [false, true] {
            seed += 1;
            let done = work_and_save(comm, open, n_items, home_works, &path, seed);

            let mut board = open_next(comm, n_items).unwrap();
            let restored = board.restore(comm, &path).unwrap();
            let in_file: Vec<usize> = completed_of(comm, &mut board, n_items);
            assert_eq!(in_file.len(), restored.n_completed());
            assert_eq!(board.n_completed().unwrap(), in_file.len());
            let results: Vec<u64> = restored.extra().unwrap();
            for &item in &in_file {
                assert_eq!(
                    results[item],
                    result_of(item),
                    "put before it was completed"
                );
            }
            comm.barrier().unwrap();
            let again = finish(comm, &mut board, seed);
            for item in &again {
                assert!(!in_file.contains(item), "{item} was given out again");
            }
            comm.barrier().unwrap();
            assert_eq!(board.n_completed().unwrap(), n_items);
            assert_eq!(board.account().unwrap().claimed, vec![true; n_items]);
            comm.barrier().unwrap();

            let numbers =
                |items: &[usize]| items.iter().map(|&item| item as u64).collect::<Vec<_>>();
            let all_done = gather_numbers(comm, &numbers(&done));
            let all_again = gather_numbers(comm, &numbers(&again));
            if let (Some(all_done), Some(all_again)) = (all_done, all_again) {
                let mut histogram = vec![0; n_items];
                for &item in &in_file {
                    assert!(
                        all_done.contains(&(item as u64)),
                        "{item} is in the file, and not done"
                    );
                    histogram[item] += 1;
                }
                all_again
                    .iter()
                    .for_each(|&item| histogram[item as usize] += 1);
                assert_eq!(histogram, vec![1; n_items]);
            }
            board.close().unwrap();
        }
    }
    drop(own);
}

/// The items that are completed, which all ranks find alike.
fn completed_of<B: Completing>(comm: &Comm<'_>, board: &mut B, n_items: usize) -> Vec<usize> {
    let completed = (0..n_items).filter(|&item| board.is_completed(item).unwrap());
    let completed: Vec<usize> = completed.collect();
    same_on_all(comm, &format!("{completed:?}"));
    completed
}

/// What a rank does until it is stopped; returns what it has completed by then. Rank 0 saves, some time before the
/// others stop for the last time.
fn work_and_save<'mpi, B: Completing>(
    comm: &Comm<'mpi>,
    open: Open<'mpi, B>,
    n_items: usize,
    home_works: bool,
    path: &Path,
    seed: u64,
) -> Vec<usize> {
    let rank = comm.rank() as u64;
    let mut random = ChaCha8Rng::seed_from_u64(seed * 1000 + rank);
    let mut layout = Layout::new();
    let results = layout.region::<Counter>(n_items);
    let window = Window::open(comm, 0, &layout).unwrap();
    let mut board = open(comm, n_items).unwrap();
    let mut order: Vec<usize> = (0..n_items).collect();
    order.shuffle(&mut random);
    let is_home = rank == 0;
    let stops_at = random.random_range(0..=n_items);
    let mut saves = match is_home {
        true => random.random_range(1..12),
        false => 0,
    };
    let (mut done, mut held) = (Vec::new(), Vec::new());
    let works = !is_home || home_works || comm.size() == 1;
    for (n, &item) in order.iter().enumerate() {
        if works && n < stops_at && board.claim(item).unwrap().is_won() {
            window.fetch_add(results, item, result_of(item)).unwrap();
            held.push(item);
        }
        match random.random_range(0..8) {
            0 => board.complete_many(&held).unwrap(),
            1 => held.iter().for_each(|&item| board.complete(item).unwrap()),
            2 => std::thread::sleep(Duration::from_micros(random.random_range(0..200))),
            _ => {}
        }
        if board_took(&mut board, &held) {
            done.append(&mut held);
        }
        if saves > 0 && random.random_range(0..n_items.div_ceil(12)) == 0 {
            saves -= 1;
            save(&mut board, &window, path, n_items, || results);
        }
    }
    if is_home && saves > 0 {
        save(&mut board, &window, path, n_items, || results);
    }
    comm.barrier().unwrap();
    board.close().unwrap();
    window.close().unwrap();
    done
}

/// Whether these are completed, as they are all at once or not at all.
fn board_took<B: Completing>(board: &mut B, held: &[usize]) -> bool {
    (held.first()).is_some_and(|&item| board.is_completed(item).unwrap())
}

fn save<B: Completing>(
    board: &mut B,
    window: &Window<'_>,
    path: &Path,
    n_items: usize,
    results: impl Fn() -> onesided::rma::Region<Counter>,
) {
    let before = board.n_completed().unwrap();
    let read = || {
        (0..n_items)
            .map(|item| window.fetch_add(results(), item, 0))
            .collect()
    };
    let n_completed = board.save(path, read).unwrap();
    assert!(before <= n_completed && n_completed <= board.n_completed().unwrap());
}

/// Claims and completes all that is free.
fn finish<B: Completing>(comm: &Comm<'_>, board: &mut B, seed: u64) -> Vec<usize> {
    let n_items = board.n_items();
    let mut random = ChaCha8Rng::seed_from_u64(seed * 1000 + 500 + comm.rank() as u64);
    let mut order: Vec<usize> = (0..n_items).collect();
    order.shuffle(&mut random);
    let mut done = Vec::new();
    for items in order.chunks(random.random_range(1..100)) {
        let mut claims = vec![Claim::Lost { owner: None }; items.len()];
        board.claim_many(items, &mut claims).unwrap();
        let won = items
            .iter()
            .zip(&claims)
            .filter(|(_, claim)| claim.is_won());
        let won: Vec<usize> = won.map(|(&item, _)| item).collect();
        board.complete_many(&won).unwrap();
        done.extend(won);
    }
    // Somebody may have claimed the last item of a word, and not counted the word yet.
    let start = Instant::now();
    loop {
        board.look().unwrap();
        if board.all_known_claimed() {
            return done;
        }
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "not all is known to be claimed"
        );
        std::thread::sleep(Duration::from_micros(100));
    }
}

/// Chunks, whole and in part: what is drawn after a restart is what was free, and the end is found.
fn chunks<'mpi>(comm: &Comm<'mpi>) {
    let (own, folder) = folder(comm);
    let path = folder.join("board");
    let n_items = 300_000;
    type Opening<'mpi> = Open<'mpi, BitBoard<'mpi>>;
    let openings: [Opening<'mpi>; 3] = [
        bits as Opening<'mpi>,
        blocks as Opening<'mpi>,
        forgetful as Opening<'mpi>,
    ];
    for open in openings {
        let mut board = open(comm, n_items).unwrap();
        let mut done = Vec::new();
        if comm.rank() == 0 {
            assert!(board.claim(777).unwrap().is_won());
        }
        comm.barrier().unwrap();
        for n in 0..4 {
            let Some(won) = board.claim_next().unwrap() else {
                break;
            };
            let (range, won) = (won.as_range(), won.iter().collect::<Vec<_>>());
            if n == 3 {
                break; // claimed, and never completed
            }
            match range {
                Some(range) => board.complete_range(range).unwrap(),
                None => board.complete_many(&won).unwrap(),
            }
            done.extend(won);
            if comm.rank() == 0 {
                board.save(&path, || Ok(Vec::<u64>::new())).unwrap();
            }
        }
        comm.barrier().unwrap();
        assert!(
            !board.is_completed(777).unwrap(),
            "claimed, and not completed"
        );
        board.close().unwrap();

        let mut board = open(comm, n_items).unwrap();
        let restored = board.restore(comm, &path).unwrap();
        let in_file = restored.n_completed();
        let was_completed = board.account().unwrap().claimed;
        assert_eq!(was_completed.iter().filter(|&&is| is).count(), in_file);
        comm.barrier().unwrap();
        let mut n_done = 0;
        while let Some(won) = board.claim_next().unwrap() {
            let (range, won) = (won.as_range(), won.iter().collect::<Vec<_>>());
            assert!(won.iter().all(|&item| !was_completed[item]));
            n_done += won.len();
            match range {
                Some(range) => board.complete_range(range).unwrap(),
                None => board.complete_many(&won).unwrap(),
            }
        }
        comm.barrier().unwrap();
        board.look().unwrap();
        assert!(board.all_known_claimed());
        assert!(board.all_completed().unwrap());
        assert_eq!(board.n_completed().unwrap(), n_items);
        assert_eq!(board.n_claimed().unwrap(), n_items);
        let all_done = gather_numbers(comm, &[n_done as u64, done.len() as u64]);
        if let Some(numbers) = all_done {
            let sum = |from: usize| numbers.iter().skip(from).step_by(2).sum::<u64>() as usize;
            assert_eq!(sum(0) + in_file, n_items);
            assert!(in_file > 0 && in_file <= sum(1));
        }
        comm.barrier().unwrap();
        board.close().unwrap();
    }
    drop(own);
}

/// Of a board of which some words are full in the file, or all: rank 0 claims the rest, and all others
/// learn by looks alone that all is claimed.
fn ends<'mpi, B: Completing>(comm: &Comm<'mpi>, open: Open<'mpi, B>) {
    let (own, folder) = folder(comm);
    let path = folder.join("board");
    for (n_items, n_completed) in [(300, 200), (300, 256), (128, 128), (64, 64), (5000, 4999)] {
        let mut board = bits(comm, n_items).unwrap();
        if comm.rank() == 0 {
            let items: Vec<usize> = (0..n_completed).collect();
            let mut claims = vec![Claim::Lost { owner: None }; n_completed];
            board.claim_many(&items, &mut claims).unwrap();
            board.complete_range(0..n_completed).unwrap();
            board.save(&path, || Ok(())).unwrap();
        }
        comm.barrier().unwrap();
        board.close().unwrap();

        let mut board = open(comm, n_items).unwrap();
        let restored = board.restore(comm, &path).unwrap();
        assert_eq!(restored.n_completed(), n_completed);
        assert_eq!(board.all_known_claimed(), n_completed == n_items);
        board.look().unwrap();
        assert_eq!(board.all_known_claimed(), n_completed == n_items);
        comm.barrier().unwrap();
        if comm.rank() == 0 {
            for item in n_completed..n_items {
                assert!(board.claim(item).unwrap().is_won());
            }
        }
        comm.barrier().unwrap();
        board.look().unwrap();
        assert!(board.all_known_claimed());
        if comm.rank() == comm.size() - 1 {
            assert!(!board.claim(0).unwrap().is_won());
        }
        comm.barrier().unwrap();
        board.close().unwrap();
    }
    drop(own);
}

fn completed_twice<'mpi, B: Completing>(comm: &Comm<'mpi>, open: Open<'mpi, B>) {
    let n_ranks = comm.size() as usize;
    let mut board = open(comm, 10 * n_ranks).unwrap();
    let own: Vec<usize> = (0..10)
        .map(|i| i * n_ranks + comm.rank() as usize)
        .collect();
    let mut claims = [Claim::Lost { owner: None }; 10];
    board.claim_many(&own, &mut claims).unwrap();
    assert_eq!(claims, [Claim::Won; 10]);
    board.complete(own[3]).unwrap();
    let twice = |result: Result<()>| match result.unwrap_err().kind() {
        ErrorKind::CompletedBefore { item } => *item,
        other => panic!("{other}"),
    };
    assert_eq!(twice(board.complete(own[3])), own[3]);
    assert_eq!(twice(board.complete_many(&own)), own[3]);
    assert_eq!(
        twice(board.complete_many(&[own[9]])),
        own[9],
        "the others are completed"
    );
    comm.barrier().unwrap();
    assert_eq!(board.n_completed().unwrap(), 10 * n_ranks);
    comm.barrier().unwrap();
    board.close().unwrap();
}

fn holders(comm: &Comm<'_>) {
    let (rank, n_ranks) = (comm.rank(), comm.size());
    let next = (rank + 1) % n_ranks;
    for spread in [false, true] {
        if spread {
            hold(
                comm,
                spread_slots(comm, 3 * n_ranks as usize).unwrap(),
                rank,
                next,
            );
        } else {
            hold(comm, slots(comm, 3 * n_ranks as usize).unwrap(), rank, next);
        }
    }
}

fn hold<H: onesided::rma::Homes>(
    comm: &Comm<'_>,
    mut board: SlotBoard<'_, H>,
    rank: Rank,
    next: Rank,
) {
    let items_of = |rank: Rank| 3 * rank as usize;
    let (own, of_next) = (items_of(rank), items_of(next));
    assert_eq!(board.claim(own).unwrap(), Claim::Won);
    assert_eq!(board.claim(own + 1).unwrap(), Claim::Won);
    board.complete(own + 1).unwrap();
    let not_held = |result: Result<()>| match result.unwrap_err().kind() {
        ErrorKind::NotHeld { holder, .. } => *holder,
        other => panic!("{other}"),
    };
    assert_eq!(not_held(board.complete(own + 2)), None);
    comm.barrier().unwrap();
    assert_eq!(board.holder(of_next).unwrap(), Holding::Held(next));
    assert_eq!(
        board.holder(of_next + 1).unwrap(),
        Holding::Completed(Some(next))
    );
    assert_eq!(board.holder(of_next + 2).unwrap(), Holding::Free);
    if next != rank {
        assert_eq!(not_held(board.complete(of_next)), Some(next));
    }
    comm.barrier().unwrap();
    // All take over what the next rank holds, as if it had died: of the others one wins.
    let dead = 0;
    let claim = board.take_over(items_of(dead), dead).unwrap();
    let won = gather_numbers(comm, &[u64::from(claim.is_won() && (rank != dead))]);
    comm.barrier().unwrap();
    let Holding::Held(owner) = board.holder(items_of(dead)).unwrap() else {
        panic!("it was taken over, and not completed yet")
    };
    if owner != rank {
        assert_eq!(not_held(board.complete(items_of(dead))), Some(owner));
    }
    comm.barrier().unwrap();
    if owner == rank {
        board.complete(items_of(dead)).unwrap();
    }
    if let Some(won) = won {
        assert_eq!(won.iter().sum::<u64>(), u64::from(comm.size() > 1));
    }
    // What is completed, free or another's is not taken over.
    assert!(!board.take_over(own + 1, rank).unwrap().is_won());
    assert!(!board.take_over(own + 2, rank).unwrap().is_won());
    comm.barrier().unwrap();
    assert_eq!(board.n_completed().unwrap(), comm.size() as usize + 1);
    comm.barrier().unwrap();
    board.close().unwrap();
}

fn not_saved<'mpi, B: Completing>(comm: &Comm<'mpi>, open: Open<'mpi, B>) {
    let (own, folder) = folder(comm);
    let n_items = 100_000;
    let mut board = open(comm, n_items).unwrap();
    if comm.rank() == 0 {
        let path = folder.join("board");
        assert!(board.claim(5).unwrap().is_won());
        board.complete(5).unwrap();
        board.save(&path, || Ok(vec![])).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let mut fails = |path: &Path| {
            let error = board.save(path, || Ok(vec![])).unwrap_err();
            assert_eq!(error.to_string().lines().count(), 1);
            match error.kind() {
                ErrorKind::CheckpointNotWritten { kind, .. } => *kind,
                other => panic!("{other}"),
            }
        };
        assert_eq!(
            fails(&folder.join("none/board")),
            std::io::ErrorKind::NotFound
        );
        assert_eq!(
            fails(&path.join("board")),
            std::io::ErrorKind::NotADirectory
        );
        assert_eq!(fails(&folder), std::io::ErrorKind::IsADirectory);
        assert_eq!(
            fails(Path::new("/dev/full")),
            std::io::ErrorKind::InvalidInput
        );
        // No room: a file of this process may have 40 bytes.
        let flag = Arc::new(AtomicBool::new(false));
        let ignored = signal_hook::flag::register(libc_sigxfsz(), flag).unwrap();
        let limit = getrlimit(Resource::Fsize);
        let few = Rlimit {
            current: Some(40),
            maximum: limit.maximum,
        };
        setrlimit(Resource::Fsize, few).unwrap();
        let kind = fails(&path);
        setrlimit(Resource::Fsize, limit).unwrap();
        signal_hook::low_level::unregister(ignored);
        assert_eq!(kind, std::io::ErrorKind::FileTooLarge);

        assert_eq!(
            std::fs::read(&path).unwrap(),
            whole,
            "the file is what it was"
        );
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        board.save(&path, || Ok(vec![])).unwrap();
    }
    comm.barrier().unwrap();
    assert!(board.is_completed(5).unwrap());
    if comm.rank() == comm.size() - 1 {
        assert!(board.claim(6).unwrap().is_won(), "the board goes on");
    }
    comm.barrier().unwrap();
    board.close().unwrap();
    drop(own);
}

fn libc_sigxfsz() -> i32 {
    rustix::process::Signal::XFSZ.as_raw()
}

fn refused<'mpi, B: Completing>(comm: &Comm<'mpi>, open: Open<'mpi, B>) {
    let (own, folder) = folder(comm);
    let path = folder.join("board");
    let why = |expected: &str| {
        let mut board = open(comm, 100).unwrap();
        let error = board.restore(comm, &path).unwrap_err();
        let text = error.to_string();
        assert!(
            matches!(error.kind(), ErrorKind::CheckpointRefused { .. }),
            "{text}"
        );
        assert!(
            text.contains(expected) && text.lines().count() == 1,
            "{text}"
        );
        same_on_all(comm, &text);
        comm.barrier().unwrap();
        board.close().unwrap();
    };
    why("No such file");
    if comm.rank() == 0 {
        Writer::create(&path, &"of something else", 0)
            .unwrap()
            .commit()
            .unwrap();
    }
    comm.barrier().unwrap();
    why("it is no checkpoint of a board");

    let mut other = bits(comm, 99).unwrap();
    if comm.rank() == 0 {
        other.save(&path, || Ok(())).unwrap();
    }
    comm.barrier().unwrap();
    why("it is of a board of 99 items, and this one has 100");
    other.close().unwrap();

    let mut claimed = open(comm, 100).unwrap();
    if comm.rank() == 0 {
        let _ = claimed.claim(3).unwrap();
        claimed.complete(3).unwrap();
        claimed.save(&path, || Ok(vec![])).unwrap();
    }
    comm.barrier().unwrap();
    // Rank 0 read it: its own words are of another kind, and its board is to be closed like all.
    let error = claimed.restore(comm, &path).unwrap_err().to_string();
    assert!(error.contains("before the first claim"), "{error}");
    claimed.close().unwrap();

    if comm.rank() == 0 {
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(55).unwrap();
    }
    comm.barrier().unwrap();
    why("board.previous is whole: resume from that");
    drop(own);
}

/// Floats of any bits, and what JSON has not.
fn bit_for_bit(comm: &Comm<'_>) {
    let (own, folder) = folder(comm);
    let path = folder.join("board");
    let mut board = bits(comm, 10).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut floats: Vec<f64> = (0..5000)
        .flat_map(|_| [random.random(), f64::from_bits(random.random())])
        .filter(|float| float.is_finite())
        .collect();
    floats.extend([
        0.9073038322028689,
        -0.0,
        f64::MIN_POSITIVE,
        f64::MAX,
        5e-324,
    ]);
    if comm.rank() == 0 {
        for lost in [f64::INFINITY, f64::NAN] {
            let refused = board.save(&path, || Ok((1, Some(lost)))).unwrap_err();
            let text = refused.to_string();
            assert!(text.contains("its extra[1] is "), "{text}");
            assert!(!path.exists(), "nothing was written");
        }
        board.save(&path, || Ok(&floats)).unwrap();
    }
    comm.barrier().unwrap();
    let restored = board.restore(comm, &path).unwrap();
    let back: Vec<f64> = restored.extra().unwrap();
    assert_eq!(back.len(), floats.len());
    for (back, float) in back.iter().zip(&floats) {
        assert_eq!(back.to_bits(), float.to_bits(), "{float:?}");
    }
    comm.barrier().unwrap();
    board.close().unwrap();
    drop(own);
}

/// A file that comes while all ask whether there is one: all of them restore it, or none does.
fn there_or_not(comm: &Comm<'_>) {
    fn rounds<'mpi, B: Completing>(comm: &Comm<'mpi>, open: Open<'mpi, B>, n_rounds: u64) {
        let (own, folder) = folder(comm);
        let mut saved = bits(comm, 70).unwrap();
        let ready = folder.join("ready");
        if comm.rank() == 0 {
            assert!(saved.claim(3).unwrap().is_won());
            saved.complete(3).unwrap();
            saved.save(&ready, || Ok(Vec::<u64>::new())).unwrap();
        }
        comm.barrier().unwrap();
        let mut random = ChaCha8Rng::seed_from_u64(comm.rank() as u64);
        for round in 0..n_rounds {
            let path = folder.join(format!("{round}"));
            let (from, to) = (ready.clone(), path.clone());
            let until = Duration::from_micros(random.random_range(0..2000));
            let appears = (comm.rank() == comm.size() - 1).then(|| {
                std::thread::spawn(move || {
                    std::thread::sleep(until);
                    std::fs::hard_link(from, to).unwrap();
                })
            });
            let mut board = open(comm, 70).unwrap();
            std::thread::sleep(Duration::from_micros(random.random_range(0..1000)));
            let restored = board.restore_if_there(comm, &path).unwrap();
            same_on_all(comm, &format!("{restored:?}"));
            let n_completed = restored.map(|restored| restored.n_completed());
            assert!(matches!(n_completed, None | Some(1)));
            comm.barrier().unwrap();
            assert_eq!(board.n_completed().unwrap(), n_completed.unwrap_or(0));
            comm.barrier().unwrap();
            if comm.rank() == 0 {
                let is_free = n_completed.is_none();
                assert_eq!(board.claim(3).unwrap().is_won(), is_free);
            }
            if let Some(appears) = appears {
                appears.join().unwrap();
            }
            comm.barrier().unwrap();
            board.close().unwrap();
        }
        // What is there and no checkpoint is no reason to begin anew.
        let mut board = open(comm, 70).unwrap();
        let refused = board.restore_if_there(comm, &folder).unwrap_err();
        assert!(matches!(
            refused.kind(),
            ErrorKind::CheckpointRefused { .. }
        ));
        board.close().unwrap();
        saved.close().unwrap();
        drop(own);
    }
    rounds(comm, bits, 20);
    rounds(comm, slots, 20);
}

/// None of them fails, and what is there in the end is whole, and somebody's.
fn saved_by_all(comm: &Comm<'_>) {
    let (own, folder) = folder(comm);
    let path = folder.join("board");
    let mut board = bits(comm, 100 * comm.size() as usize).unwrap();
    let rank = comm.rank() as usize;
    for n in 0..60 {
        let item = 100 * rank + n;
        assert!(board.claim(item).unwrap().is_won());
        board.complete(item).unwrap();
        board.save(&path, || Ok(rank)).unwrap();
    }
    comm.barrier().unwrap();
    let n_completed = board.n_completed().unwrap();
    if rank == 0 {
        let mut names: Vec<_> = (std::fs::read_dir(&folder).unwrap())
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["board", "board.previous"]);
    }
    comm.barrier().unwrap();
    let mut again = bits(comm, board.n_items()).unwrap();
    let restored = again.restore(comm, &path).unwrap();
    assert!(restored.extra::<usize>().unwrap() < comm.size() as usize);
    assert!((1..=n_completed).contains(&restored.n_completed()));
    comm.barrier().unwrap();
    again.close().unwrap();
    board.close().unwrap();
    drop(own);
}

fn no_larger(comm: &Comm<'_>) {
    let without = BitBoard::open(comm, 0, 10_000).unwrap();
    let with = bits(comm, 10_000).unwrap();
    let bytes = (without.n_window_bytes(), with.n_window_bytes());
    let words = 10_000usize.div_ceil(64) * 8;
    // Counters begin on a cache line of their own.
    assert!(
        bytes.0 <= words + 64 + 2 * 8 + 8 * comm.size() as usize,
        "{bytes:?}"
    );
    assert_eq!(bytes.1, bytes.0 + words + 8);
    without.close().unwrap();
    with.close().unwrap();
}
