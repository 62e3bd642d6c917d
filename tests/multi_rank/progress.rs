//! Progress: with a home rank that is away from MPI, operations of others go through by every means,
//! on every library.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use onesided::claim::{BitBoard, Board, Options, SlotBoard};
use onesided::internals::rma::faults;
use onesided::rma::{
    self, Comm, ErrorKind, Found, Means, OneHome, Progress, ProgressEngine, Rank, Result,
    ThreadLevel,
};

use crate::harness::{Body, on_ranks};

pub const BODIES: &[Body] = &[
    Body {
        name: "progress::poll::claims_go_on_while_the_home_rank_works",
        run: |comm| claims_go_on(comm, Progress::Poll),
    },
    Body {
        name: "progress::poll::claims_go_on_while_the_home_rank_works_in_pieces",
        run: |comm| on_board(comm, Progress::Poll, BitBoard::open_with, in_pieces),
    },
    Body {
        name: "progress::thread::claims_go_on_while_the_home_rank_works",
        run: |comm| claims_go_on(comm, Progress::Thread),
    },
    Body {
        name: "progress::auto::claims_go_on_while_the_home_rank_works",
        run: |comm| claims_go_on(comm, Progress::Auto),
    },
    Body {
        name: "progress::auto::finds_what_the_library_does",
        run: finds_what_the_library_does,
    },
    Body {
        name: "progress::a_board_that_is_closed_has_no_thread",
        run: no_thread_is_left,
    },
];

/// For a job with `MPI_THREAD_MULTIPLE`, where the helper calls MPI at any time.
pub const CONCURRENT_BODIES: &[Body] = &[Body {
    name: "progress::concurrent_thread::claims_go_on_while_the_home_rank_works",
    run: |comm| claims_go_on(comm, Progress::Thread),
}];

/// For a job with less than `MPI_THREAD_SERIALIZED`.
pub const FUNNELED_BODIES: &[Body] = &[Body {
    name: "progress::a_thread_needs_its_thread_level",
    run: thread_is_refused,
}];

pub fn trials() -> Vec<Trial> {
    let with_others = [BODIES, CONCURRENT_BODIES].concat().into_iter();
    let mut trials: Vec<Trial> = with_others
        .flat_map(|body| on_ranks(&[2, 3], body))
        .collect();
    trials.extend(
        FUNNELED_BODIES
            .iter()
            .flat_map(|&body| on_ranks(&[2], body)),
    );
    trials
}

type Open<'mpi, B> = fn(&Comm<'mpi>, Rank, usize, &Options) -> Result<B>;

/// How many claims each of the others makes while the home rank works, which takes as long as they take.
const ENOUGH: usize = 20;

/// Where nothing moves, the home rank comes back all the same.
const AT_MOST: Duration = Duration::from_secs(60);

fn claims_go_on(comm: &Comm<'_>, progress: Progress) {
    on_board(comm, progress, BitBoard::open_with, as_asked);
    on_board(comm, progress, SlotBoard::open_with, as_asked);
}

/// The home rank works until each of the others has claimed some items. They tell it by files, not by MPI: on a
/// board that let nothing through, the first claim would wait for the home rank, and the home rank for the claims.
fn on_board<'mpi, B: Board>(
    comm: &Comm<'mpi>,
    progress: Progress,
    open: Open<'mpi, B>,
    work: fn(&B, &(dyn Fn() -> bool + Sync)),
) {
    static N_BOARDS: AtomicU32 = AtomicU32::new(0);
    let options = Options {
        progress,
        ..Options::default()
    };
    let n_others = comm.size() as usize - 1;
    let mut board = open(comm, 0, ENOUGH * n_others.max(1), &options).unwrap();
    assert_eq!(board.engine().found().asked, progress);
    // Boards are opened by all ranks, in one order, and each job has a folder for temporary files.
    let number = N_BOARDS.fetch_add(1, Relaxed);
    let file_of = |rank: usize| std::env::temp_dir().join(format!("board-{number}-rank-{rank}"));
    comm.barrier().unwrap();
    if comm.rank() == 0 {
        let start = Instant::now();
        let all_have = || (1..=n_others).all(|rank| file_of(rank).exists());
        work(&board, &|| all_have() || start.elapsed() > AT_MOST);
        assert!(
            all_have(),
            "claims did not go on: {:?}",
            board.engine().found()
        );
    } else {
        let rank = comm.rank() as usize;
        for item in (rank - 1..ENOUGH * n_others).step_by(n_others) {
            assert!(
                board.claim(item).unwrap().is_won(),
                "nobody else claims these"
            );
        }
        std::fs::write(file_of(rank), "").expect("there is room");
    }
    board.close().unwrap();
}

/// Works as the engine asks.
fn as_asked<B: Board>(board: &B, is_done: &(dyn Fn() -> bool + Sync)) {
    match board.engine().visit_interval() {
        Some(interval) => {
            while !is_done() {
                std::thread::sleep(interval);
                board.progress().unwrap();
            }
        }
        None => board.outside_mpi(|| work_until(is_done)).unwrap(),
    }
}

/// Works as a program that has not asked.
fn in_pieces<B: Board>(board: &B, is_done: &(dyn Fn() -> bool + Sync)) {
    const PIECE: Duration = Duration::from_millis(1);
    while !is_done() {
        board.outside_mpi(|| std::thread::sleep(PIECE)).unwrap();
    }
}

fn work_until(is_done: &(dyn Fn() -> bool + Sync)) {
    while !is_done() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What is known of the libraries on one node: one needs help, by the table of faults, and the others do
/// not; and help does help. The board finds it out by a few operations, and one that lost its core for long looks
/// as if it had waited: one of five boards is to find what is so.
fn finds_what_the_library_does(comm: &Comm<'_>) {
    let needs_help = faults::MPICH_4_0_NO_PROGRESS.is_in(&rma::library().unwrap());
    for number in 1..=5 {
        let found = found_by_a_board(comm);
        let is_right = match (comm.size(), needs_help) {
            (1, _) => found.trials.is_empty() && found.means == Means::Library,
            (_, false) => found.means == Means::Library && !found.stalls(),
            (_, true) => {
                found.means != Means::Library && found.trials[0].stalled && found.trials.len() > 1
            }
        };
        println!("board {number} of 5: right {is_right}, {found:?}");
        if is_right {
            return; // on all ranks, which found the same
        }
    }
    panic!("no board found what the library does");
}

fn found_by_a_board(comm: &Comm<'_>) -> Found {
    let options = Options {
        progress: Progress::Auto,
        ..Options::default()
    };
    let board = BitBoard::open_with(comm, 0, 100, &options).unwrap();
    let found = board.engine().found().clone();
    let all = comm.gather(0, format!("{found:?}").as_bytes()).unwrap();
    if let Some(all) = all {
        assert!(all.iter().all(|one| one == &all[0]), "all ranks agree");
    }
    board.close().unwrap();
    found
}

fn n_threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

fn no_thread_is_left(comm: &Comm<'_>) {
    let options = Options {
        progress: Progress::Thread,
        ..Options::default()
    };
    let before = n_threads();
    for _ in 0..3 {
        let board = BitBoard::open_with(comm, 0, 100, &options).unwrap();
        let expected = before + usize::from(comm.rank() == 0);
        assert_eq!(n_threads(), expected, "one on the home rank alone");
        board.close().unwrap();
        // A thread that was joined is listed until the system has taken it away.
        let start = Instant::now();
        while n_threads() != before {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "a thread is left"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn thread_is_refused(comm: &Comm<'_>) {
    assert_eq!(rma::thread_level().unwrap(), ThreadLevel::Funneled);
    let mut nothing = || Ok(());
    let refused = ProgressEngine::start(comm, &OneHome(0), Progress::Thread, &[], &mut nothing);
    let error = refused.map(drop).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::ThreadLevel { .. }),
        "{error}"
    );
    // Auto makes do without.
    let found = ProgressEngine::start(
        comm,
        &OneHome(0),
        Progress::Auto,
        &[Means::Thread],
        &mut nothing,
    );
    assert_eq!(found.unwrap().found().means, Means::Library);
}
