//! Progress: with a home rank that is away from MPI, operations of others go through by every means,
//! on every library.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use onesided::claim::{BitBoard, Board, Options, SlotBoard};
use onesided::rma::faults;
use onesided::rma::{
    self, Comm, ErrorKind, Means, OneHome, Progress, ProgressEngine, Rank, Result, ThreadLevel,
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

/// How long the home rank works.
const AWAY: Duration = Duration::from_millis(300);

fn claims_go_on(comm: &Comm<'_>, progress: Progress) {
    on_board(comm, progress, BitBoard::open_with, as_asked);
    on_board(comm, progress, SlotBoard::open_with, as_asked);
}

/// The home rank works, and tells how long it did; the others claim one item after the other with a
/// pause, and tell how many they claimed before the home rank came back, by their own clocks: all
/// start at a barrier. A board that let nothing through would have one claim a rank.
fn on_board<'mpi, B: Board>(
    comm: &Comm<'mpi>,
    progress: Progress,
    open: Open<'mpi, B>,
    work: fn(&B, Instant),
) {
    const N_ITEMS: usize = 4096;
    let options = Options {
        progress,
        ..Options::default()
    };
    let mut board = open(comm, 0, N_ITEMS, &options).unwrap();
    assert_eq!(board.engine().found().asked, progress);
    comm.barrier().unwrap();
    let start = Instant::now();
    let mut won = Vec::new();
    let mut meanwhile = 0u64;
    if comm.rank() == 0 {
        work(&board, start);
    } else {
        let n_others = comm.size() as usize - 1;
        for item in (comm.rank() as usize - 1..N_ITEMS).step_by(n_others) {
            if board.claim(item).unwrap().is_won() {
                won.push(item as u64);
            }
            if start.elapsed() > AWAY {
                break;
            }
            meanwhile += 1;
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(won.len() as u64, meanwhile + 1, "nobody else claims these");
    }
    let counts = crate::harness::gather_numbers(comm, &[meanwhile]);
    if let (Some(counts), true) = (counts, comm.size() > 1) {
        // Of some 280 a rank on a machine that is idle, and of one where nothing moves.
        for (rank, &count) in counts.iter().enumerate().skip(1) {
            let found = board.engine().found();
            assert!(
                count >= 5,
                "rank {rank} made {count} claims: {counts:?} {found:?}"
            );
        }
    }
    board.close().unwrap();
}

/// Works as the engine asks.
fn as_asked<B: Board>(board: &B, start: Instant) {
    match board.engine().visit_interval() {
        Some(interval) => {
            while start.elapsed() < AWAY {
                std::thread::sleep(interval);
                board.progress().unwrap();
            }
        }
        None => board.outside_mpi(|| std::thread::sleep(AWAY)).unwrap(),
    }
}

/// Works as a program that has not asked.
fn in_pieces<B: Board>(board: &B, start: Instant) {
    const PIECE: Duration = Duration::from_millis(1);
    while start.elapsed() < AWAY {
        board.outside_mpi(|| std::thread::sleep(PIECE)).unwrap();
    }
}

/// What is known of the libraries on one node: one needs help, by the table of faults, and the others do
/// not; and help does help.
fn finds_what_the_library_does(comm: &Comm<'_>) {
    let options = Options {
        progress: Progress::Auto,
        ..Options::default()
    };
    let board = BitBoard::open_with(comm, 0, 100, &options).unwrap();
    let found = board.engine().found().clone();
    let library = rma::library().unwrap();
    let needs_help = faults::MPICH_4_0_NO_PROGRESS.is_in(&library);
    match (comm.size(), needs_help) {
        (1, _) => assert!(found.trials.is_empty() && found.means == Means::Library),
        (_, false) => assert_eq!(found.means, Means::Library, "{found:?}"),
        (_, true) => {
            assert_ne!(found.means, Means::Library, "{found:?}");
            assert!(
                found.trials[0].stalled && found.trials.len() > 1,
                "{found:?}"
            );
        }
    }
    let all = comm.gather(0, format!("{found:?}").as_bytes()).unwrap();
    if let Some(all) = all {
        assert!(all.iter().all(|one| one == &all[0]), "all ranks agree");
    }
    board.close().unwrap();
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
