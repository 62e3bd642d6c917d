//! Boards of which an operation failed: what became of it is unknown, so that rank is told no more of them.

use std::ffi::CStr;
use std::path::Path;

use libtest_mimic::{Failed, Trial};
use onesided::claim::{
    BitBoard, Board, Claim, Memory, Options, SharedBoard, SlotBoard, SpreadBoard, TwoTierBoard,
    WordBoard,
};
use onesided::internals::rma::in_region;
use onesided::rma::{Comm, Error, ErrorKind, Homes, Result};

use crate::harness::{Body, DEADLINE, launch_with, library_with_faults};

pub const BODIES: &[Body] = &[
    Body {
        name: "poisoned::words",
        run: words,
    },
    Body {
        name: "poisoned::slots",
        run: slots,
    },
    Body {
        name: "poisoned::two_tiers",
        run: two_tiers,
    },
    Body {
        name: "poisoned::restored_in_part",
        run: restored_in_part,
    },
];

pub fn trials() -> Vec<Trial> {
    let of = |body: &'static Body| {
        [1, 3].map(|n_ranks| {
            Trial::test(format!("{}/ranks_{n_ranks}", body.name), move || {
                let preload = [("LD_PRELOAD", library_with_faults())];
                let job = launch_with(n_ranks, body.name, DEADLINE, &preload);
                job.verdict().map_err(Failed::from)
            })
        })
    };
    BODIES.iter().flat_map(of).collect()
}

/// The error of `operation`, whose first call of what the region names fails.
fn failure<T>(region: &CStr, operation: impl FnOnce() -> Result<T>) -> Error {
    let failed = in_region(region, || Ok::<_, Error>(operation().err()));
    let error = failed.unwrap();
    error.unwrap_or_else(|| panic!("{region:?}: it did not fail"))
}

/// One operation fails in the call that is named, and from then on all do.
fn assert_poisoned<B: Board>(
    board: &mut B,
    call: &CStr,
    fails: impl FnOnce(&mut B) -> Result<()>,
    others: &[Operation<B>],
) {
    let error = failure(call, || fails(board));
    match error.kind() {
        ErrorKind::Mpi(error) => assert!(call.to_str().unwrap().ends_with(error.call)),
        other => panic!("{other}"),
    }
    let of_all: [Operation<B>; 7] = [
        |board| board.claim_many(&[], &mut []).and(board.claim(1).map(drop)),
        |board| board.claim(2).map(drop),
        |board| board.claim(80).map(drop),
        |board| board.claim_unless_known(77).map(drop),
        |board| board.claim_many(&[3, 70, 71], &mut [Claim::Won; 3]),
        |board| board.account().map(drop),
        |board| board.clear(),
    ];
    for (nth, operation) in of_all.iter().chain(others).enumerate() {
        let error = operation(board).expect_err("it was poisoned");
        assert_eq!(*error.kind(), ErrorKind::Poisoned, "operation {nth}");
    }
    assert_eq!(
        ErrorKind::Poisoned.to_string(),
        "an earlier operation of this rank on the window failed, so what its words hold is unknown: close it and \
         open a new one (both are collective), or end the job"
    );
}

/// The last rank's operation fails; all others go on, and all close.
fn fails_on_last<B: Board>(
    comm: &Comm<'_>,
    mut board: B,
    call: &CStr,
    fails: impl FnOnce(&mut B) -> Result<()>,
    others: &[Operation<B>],
) {
    if comm.rank() == comm.size() - 1 {
        assert_poisoned(&mut board, call, fails, others);
    } else {
        let own = comm.rank() as usize;
        let _ = board.claim(own).unwrap(); // won, unless the last rank has claimed a chunk
        assert!(!board.claim(own).unwrap().is_won());
    }
    comm.barrier().unwrap();
    board.close().unwrap();
}

fn options() -> Options {
    Options {
        completions: true,
        ..Options::default()
    }
}

type Operation<B> = fn(&mut B) -> Result<()>;

fn of_words<'mpi, M: Memory>() -> [Operation<WordBoard<'mpi, M>>; 10] {
    [
        |board| board.look(),
        |board| board.claim_word(1).map(drop),
        |board| board.claim_next().map(drop),
        |board| board.complete(3),
        |board| board.complete_many(&[3, 4]),
        |board| board.complete_range(3..70),
        |board| board.is_completed(3).map(drop),
        |board| board.n_completed().map(drop),
        |board| board.n_claimed().map(drop),
        |board| {
            let path = std::env::temp_dir().join(format!("poisoned-{}", std::process::id()));
            board.save(&path, || Ok(())).map(drop)
        },
    ]
}

fn words(comm: &Comm<'_>) {
    type Failing<B> = (&'static CStr, Operation<B>);
    let failing: [Failing<BitBoard<'_>>; 8] = [
        (c"fail MPI_Win_flush", |board| board.claim(66).map(drop)),
        (c"fail MPI_Fetch_and_op", |board| board.claim(66).map(drop)),
        (c"fail MPI_Fetch_and_op", |board| {
            board.claim_many(&[66, 67, 5], &mut [Claim::Won; 3])
        }),
        (c"fail MPI_Win_flush", |board| {
            board.claim_many(&[66, 67, 5], &mut [Claim::Won; 3])
        }),
        (c"fail MPI_Get_accumulate", |board| {
            let _ = board.claim_next()?;
            board.claim_next().map(drop)
        }),
        (c"fail MPI_Win_flush", |board| board.n_completed().map(drop)),
        (c"fail MPI_Win_flush", |board| board.complete_range(0..90)),
        (c"fail MPI_Get", |board| board.account().map(drop)),
    ];
    for (call, fails) in failing {
        let board = BitBoard::open_with(comm, 0, 100, &options()).unwrap();
        fails_on_last(comm, board, call, fails, &of_words());
    }
    let failing: [Failing<SpreadBoard<'_>>; 2] = [
        (c"fail MPI_Win_flush", |board| board.claim(66).map(drop)),
        (c"fail MPI_Get_accumulate", |board| {
            board.claim_next().map(drop)
        }),
    ];
    for (call, fails) in failing {
        let board = SpreadBoard::open_with(comm, 100, &options()).unwrap();
        fails_on_last(comm, board, call, fails, &of_words());
    }
}

fn of_slots<'mpi, H: Homes>() -> [Operation<SlotBoard<'mpi, H>>; 8] {
    [
        |board| board.look(),
        |board| board.complete(3),
        |board| board.complete_many(&[3, 4]),
        |board| board.holder(3).map(drop),
        |board| board.take_over(3, 0).map(drop),
        |board| board.is_completed(3).map(drop),
        |board| board.n_completed().map(drop),
        |board| {
            let path = std::env::temp_dir().join(format!("poisoned-{}", std::process::id()));
            board.save(&path, || Ok(())).map(drop)
        },
    ]
}

fn slots(comm: &Comm<'_>) {
    for call in [
        c"fail MPI_Win_flush",
        c"fail MPI_Compare_and_swap",
        c"fail MPI_Fetch_and_op",
    ] {
        let board = SlotBoard::open(comm, 0, 100).unwrap();
        fails_on_last(comm, board, call, |b| b.claim(66).map(drop), &of_slots());
        let board = SlotBoard::open(comm, 0, 100).unwrap();
        let many = |b: &mut SlotBoard<'_>| b.claim_many(&[66, 67], &mut [Claim::Won; 2]);
        fails_on_last(comm, board, call, many, &of_slots());
    }
    let board = SlotBoard::open_spread(comm, 100, &Options::default()).unwrap();
    let call = c"fail MPI_Compare_and_swap";
    fails_on_last(comm, board, call, |b| b.claim(66).map(drop), &of_slots());
}

/// The item is taken on the node and claimed by nobody: it is not said to be lost to somebody.
fn two_tiers(comm: &Comm<'_>) {
    for call in [c"fail MPI_Win_flush", c"fail MPI_Fetch_and_op"] {
        let board = TwoTierBoard::open(comm, 0, 100).unwrap();
        let again = |board: &mut TwoTierBoard<'_>| board.claim(66).map(drop);
        let look = |board: &mut TwoTierBoard<'_>| board.look();
        fails_on_last(comm, board, call, |b| b.claim(66).map(drop), &[again, look]);
    }
    // A rank whose claim failed takes no item from the ranks of its node.
    let mut board = TwoTierBoard::open(comm, 0, 100).unwrap();
    if comm.rank() == 0 {
        failure(c"fail MPI_Fetch_and_op", || board.claim(66).map(drop));
        let error = board.claim(30).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Poisoned);
    }
    comm.barrier().unwrap();
    if comm.rank() == 1 {
        assert!(board.claim(30).unwrap().is_won());
    }
    comm.barrier().unwrap();
    board.close().unwrap();
}

/// A board that was claimed before it is restored: some of the file is on it then, on some ranks' word alone.
fn restored_in_part(comm: &Comm<'_>) {
    fn restores<B: Board>(comm: &Comm<'_>, mut board: B, restore: impl Fn(&mut B, &Path) -> Error) {
        let (own, folder) = crate::checkpoints::folder(comm);
        let path = folder.join("board");
        let error = restore(&mut board, &path);
        assert!(error.to_string().contains("No such file"), "{error}");
        if comm.rank() == 0 {
            assert!(board.claim(3).unwrap().is_won(), "the board is as it was");
        }
        comm.barrier().unwrap();
        let mut other = BitBoard::open_with(comm, 0, 100, &options()).unwrap();
        if comm.rank() == 0 {
            other.complete(3).unwrap();
            other.save(&path, || Ok(())).unwrap();
        }
        comm.barrier().unwrap();
        other.close().unwrap();
        let error = restore(&mut board, &path);
        assert!(
            error.to_string().contains("before the first claim"),
            "{error}"
        );
        let error = board.claim(50).unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Poisoned);
        comm.barrier().unwrap();
        board.close().unwrap();
        drop(own);
    }
    let bits = BitBoard::open_with(comm, 0, 100, &options()).unwrap();
    restores(comm, bits, |board, path| {
        board.restore(comm, path).unwrap_err()
    });
    let shared = SharedBoard::open_with(comm, 0, 100, &options()).unwrap();
    restores(comm, shared, |board, path| {
        board.restore(comm, path).unwrap_err()
    });
    let slots = SlotBoard::open(comm, 0, 100).unwrap();
    restores(comm, slots, |board, path| {
        board.restore(comm, path).unwrap_err()
    });
}
