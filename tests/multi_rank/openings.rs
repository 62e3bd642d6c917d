//! Ranks that open different things: all of them get the same error, which names what differs, and a board
//! that is opened afterwards is right.

#![allow(unsafe_code, reason = "communicators are counted as a C program would")]

use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use mpi::ffi;
use onesided::claim::{
    BitBoard, Blackboard, Board, Claim, Objective, Options, Schedule, SharedBoard, SharedTickets,
    SlotBoard, SpreadBoard, Tickets, TwoTierBoard,
};
use onesided::internals::claim::{Ledger, Muster};
use onesided::internals::rma::faults;
use onesided::rma::{
    self, Allocation, Bits, Comm, Counter, Family, Hints, Layout, Means, OneHome, Progress,
    ProgressEngine, Rank, Result, SharedWindow, Slot, Window, assert_memory_at_hand,
};

use crate::harness::{Body, DEADLINE, launch_with, library_with_faults, on_ranks};

pub const BODIES: &[Body] = &[
    Body {
        name: "openings::what_differs_is_named_on_all_ranks",
        run: differences,
    },
    Body {
        name: "openings::arguments_that_no_rank_can_have_are_refused_on_all",
        run: impossible,
    },
    Body {
        name: "openings::a_refused_opening_takes_no_communicator",
        run: no_communicator_is_taken,
    },
];

/// Bodies for jobs whose library has faults.
pub const WITH_FAULTS: &[Body] = &[
    Body {
        name: "openings::a_library_that_loses_bits_is_noticed",
        run: lost_bits,
    },
    Body {
        name: "openings::a_call_that_fails_on_one_rank_fails_on_all",
        run: failing_call,
    },
];

/// For jobs on two nodes.
pub const SEVERAL_NODES: Body = Body {
    name: "openings::memory_is_not_shared_over_several_nodes",
    run: several_nodes,
};

pub fn trials() -> impl Iterator<Item = Trial> {
    let alike = BODIES.iter().flat_map(|&body| on_ranks(&[2, 3, 4], body));
    let [loses_bits, fails] = [WITH_FAULTS[0].name, WITH_FAULTS[1].name];
    let with_faults = [
        with_faults(loses_bits, "", &[("LOSE_BITS", "1")]),
        with_faults(
            fails,
            "/lock_all",
            &[("FAIL", "MPI_Win_lock_all"), ("FAIL_ON", "1")],
        ),
        with_faults(
            fails,
            "/fetch_and_op",
            &[("FAIL", "MPI_Fetch_and_op"), ("FAIL_ON", "1")],
        ),
        with_faults(
            fails,
            "/set_errhandler",
            &[("FAIL", "MPI_Win_set_errhandler"), ("FAIL_ON", "1")],
        ),
        with_faults(
            fails,
            "/shared_query",
            &[("FAIL", "MPI_Win_shared_query"), ("FAIL_ON", "1")],
        ),
    ];
    // MPICH can take every other rank for one of another node; several_hosts has real ones, for all libraries.
    let is_mpich = rma::library().is_ok_and(|library| library.family == Family::Mpich);
    let several_nodes = is_mpich.then(|| {
        Trial::test(SEVERAL_NODES.name, || {
            let variables = [("MPIR_CVAR_ODD_EVEN_CLIQUES", "1")];
            let job = launch_with(4, SEVERAL_NODES.name, DEADLINE, &variables);
            job.verdict().map_err(Failed::from)
        })
    });
    alike.chain(with_faults).chain(several_nodes)
}

fn with_faults(
    body: &'static str,
    case: &str,
    faults: &'static [(&'static str, &'static str)],
) -> Trial {
    Trial::test(format!("{body}{case}"), move || {
        let preload = [("LD_PRELOAD", library_with_faults())];
        let job = launch_with(
            3,
            body,
            Duration::from_secs(60),
            &[&preload, faults].concat(),
        );
        // After an error of MPI's no window is freed.
        let library = rma::library().expect("the library names itself");
        let aborts = faults::MPICH_4_0_WINDOW_LEFT.is_in(&library);
        if aborts && job.ended.stderr.contains("of ucp_rcache") && job.finished_by_all(body) {
            println!("aborted in MPI_Finalize");
            return Ok(());
        }
        job.verdict().map_err(Failed::from)
    })
}

/// Opens something and closes it again.
type Open = fn(&Comm<'_>) -> Result<()>;

/// Boards of 64 items on rank 0 with all that can be chosen.
fn options(options: Options) -> impl Fn(&Comm<'_>) -> Result<()> {
    move |comm| BitBoard::open_with(comm, 0, 64, &options)?.close()
}

fn layout(lay_out: impl Fn(&mut Layout)) -> Layout {
    let mut layout = Layout::new();
    lay_out(&mut layout);
    layout
}

/// What differs, what the last rank opens, and what all others do.
const DIFFERENCES: &[(&str, Open, Open)] = &[
    (
        "target",
        |comm| BitBoard::open(comm, comm.size() - 1, 9)?.close(),
        |comm| BitBoard::open(comm, 0, 9)?.close(),
    ),
    (
        "target", // of one rank only, one that there is not
        |comm| BitBoard::open(comm, 99, 9)?.close(),
        |comm| BitBoard::open(comm, 0, 9)?.close(),
    ),
    (
        "n_items",
        |comm| BitBoard::open(comm, 0, 64)?.close(),
        |comm| BitBoard::open(comm, 0, 100_000)?.close(),
    ),
    (
        "n_items", // of one rank only, more than any memory holds
        |comm| SpreadBoard::open(comm, usize::MAX)?.close(),
        |comm| SpreadBoard::open(comm, 64)?.close(),
    ),
    (
        "n_items",
        |comm| SlotBoard::open(comm, 0, 64)?.close(),
        |comm| SlotBoard::open(comm, 0, 65)?.close(),
    ),
    (
        "n_items",
        |comm| SharedBoard::open(comm, 0, 64)?.close(),
        |comm| SharedBoard::open(comm, 0, 20_000_000)?.close(),
    ),
    (
        "n_items",
        |comm| TwoTierBoard::open(comm, 0, 64)?.close(),
        |comm| TwoTierBoard::open(comm, 0, 128)?.close(),
    ),
    (
        "n_items",
        |comm| Tickets::open(comm, 0, 64, &Options::default())?.close(),
        |comm| Tickets::open(comm, 0, 65, &Options::default())?.close(),
    ),
    (
        "n_items",
        |comm| Ledger::open(comm, 0, 64)?.close(),
        |comm| Ledger::open(comm, 0, 65)?.close(),
    ),
    (
        "kind",
        |comm| BitBoard::open(comm, 0, 64)?.close(),
        |comm| SlotBoard::open(comm, 0, 64)?.close(),
    ),
    (
        "kind",
        |comm| BitBoard::open(comm, 0, 64)?.close(),
        |comm| SharedBoard::open(comm, 0, 64)?.close(),
    ),
    (
        "kind",
        |comm| BitBoard::open(comm, 0, 64)?.close(),
        |comm| SpreadBoard::open(comm, 64)?.close(),
    ),
    (
        "kind",
        |comm| SlotBoard::open(comm, 0, 64)?.close(),
        |comm| SlotBoard::open_spread(comm, 64, &Options::default())?.close(),
    ),
    (
        "kind",
        |comm| TwoTierBoard::open(comm, 0, 64)?.close(),
        |comm| BitBoard::open(comm, 0, 64)?.close(),
    ),
    (
        "kind",
        |comm| Tickets::open(comm, 0, 64, &Options::default())?.close(),
        |comm| SharedTickets::open_shared(comm, 0, 64, &Options::default())?.close(),
    ),
    (
        "kind",
        |comm| Ledger::open(comm, 0, 64)?.close(),
        |comm| Ledger::open_shared(comm, 0, 64)?.close(),
    ),
    (
        "kind",
        |comm| Muster::open(comm, 0)?.close(),
        |comm| Muster::open_shared(comm, 0)?.close(),
    ),
    (
        "kind",
        |comm| Blackboard::open(comm, 0, Objective::Minimum)?.close(),
        |comm| Tickets::open(comm, 0, 1, &Options::default())?.close(),
    ),
    (
        "kind",
        |comm| Window::open(comm, 0, &Layout::new())?.close(),
        |comm| SharedWindow::open(comm, 0, &Layout::new())?.close(),
    ),
    (
        "target",
        |comm| Muster::open(comm, 0)?.close(),
        |comm| Muster::open(comm, 1)?.close(),
    ),
    (
        "objective",
        |comm| Blackboard::open(comm, 0, Objective::Minimum)?.close(),
        |comm| Blackboard::open(comm, 0, Objective::Maximum)?.close(),
    ),
    (
        "hints",
        |comm| {
            options(Options {
                hints: Hints::Whitelisted,
                ..Options::default()
            })(comm)
        },
        |comm| options(Options::default())(comm),
    ),
    (
        "progress",
        |comm| {
            options(Options {
                progress: Progress::Auto,
                ..Options::default()
            })(comm)
        },
        |comm| options(Options::default())(comm),
    ),
    (
        "means",
        |comm| {
            options(Options {
                means: &[Means::Poll],
                ..Options::default()
            })(comm)
        },
        |comm| options(Options::default())(comm),
    ),
    (
        "schedule",
        |comm| {
            options(Options {
                schedule: "guided".parse::<Schedule>().unwrap(),
                ..Options::default()
            })(comm)
        },
        |comm| options(Options::default())(comm),
    ),
    (
        "in_blocks",
        |comm| {
            options(Options {
                in_blocks: true,
                ..Options::default()
            })(comm)
        },
        |comm| options(Options::default())(comm),
    ),
    (
        "completions",
        |comm| {
            options(Options {
                completions: true,
                ..Options::default()
            })(comm)
        },
        |comm| options(Options::default())(comm),
    ),
    (
        "layout",
        |comm| {
            let layout = layout(|layout| {
                layout.region::<Slot>(4);
            });
            Window::open(comm, 0, &layout)?.close()
        },
        |comm| {
            let layout = layout(|layout| _ = layout.region::<Bits>(2));
            Window::open(comm, 0, &layout)?.close()
        },
    ),
    (
        "layout",
        |comm| {
            let layout = layout(|layout| _ = layout.region::<Counter>(1));
            SharedWindow::open(comm, 0, &layout)?.close()
        },
        |comm| {
            let layout = layout(|layout| _ = layout.region::<Counter>(2));
            SharedWindow::open(comm, 0, &layout)?.close()
        },
    ),
    (
        "progress",
        |comm| engine(comm, Progress::Auto),
        |comm| engine(comm, Progress::None),
    ),
];

fn engine(comm: &Comm<'_>, progress: Progress) -> Result<()> {
    let mut operate = || Ok(());
    ProgressEngine::start(comm, &OneHome(0), progress, &[], &mut operate).map(drop)
}

/// What this rank was told, which is the same on all ranks.
fn refusal(comm: &Comm<'_>, opened: Result<()>) -> String {
    let told = opened
        .expect_err("different things were opened")
        .to_string();
    if let Some(all) = comm.gather(0, told.as_bytes()).unwrap() {
        assert!(all.iter().all(|other| other == told.as_bytes()), "{all:?}");
    }
    told
}

fn differences(comm: &Comm<'_>) {
    let last = comm.size() - 1;
    for (what, there, here) in DIFFERENCES {
        let open = if comm.rank() == last { there } else { here };
        let told = refusal(comm, open(comm));
        let named = told.contains(what) && told.contains(&format!("on rank {last}"));
        assert!(named, "{what}: {told}");
        assert_all_is_claimed_once(comm);
    }
}

fn assert_all_is_claimed_once(comm: &Comm<'_>) {
    let mut board = BitBoard::open(comm, 0, 9).unwrap();
    let claims = (0..9).map(|item| board.claim(item).unwrap());
    let n_won = claims.filter(|&claim| claim == Claim::Won).count() as u64;
    let mut n_won_by_all = [0];
    comm.allreduce_sum(&[n_won], &mut n_won_by_all).unwrap();
    assert_eq!(n_won_by_all, [9]);
    board.close().unwrap();
}

/// On all ranks alike: a target that is no rank, a size beyond all memory.
const IMPOSSIBLE: &[(&str, Open)] = &[
    ("rank 99 does not exist", |comm| {
        BitBoard::open(comm, 99, 9)?.close()
    }),
    ("rank -1 does not exist", |comm| {
        SlotBoard::open(comm, -1, 9)?.close()
    }),
    ("rank 99 does not exist", |comm| {
        SharedBoard::open(comm, 99, 9)?.close()
    }),
    ("rank 99 does not exist", |comm| {
        TwoTierBoard::open(comm, 99, 9)?.close()
    }),
    ("does not exist", |comm| {
        TwoTierBoard::open(comm, Rank::MIN, 9)?.close()
    }),
    ("rank 99 does not exist", |comm| {
        Tickets::open(comm, 99, 9, &Options::default())?.close()
    }),
    ("rank 99 does not exist", |comm| {
        SharedTickets::open_shared(comm, 99, 9, &Options::default())?.close()
    }),
    ("rank 99 does not exist", |comm| {
        Blackboard::open(comm, 99, Objective::Minimum)?.close()
    }),
    ("rank 99 does not exist", |comm| {
        Ledger::open(comm, 99, 9)?.close()
    }),
    ("rank 99 does not exist", |comm| {
        Muster::open_shared(comm, 99)?.close()
    }),
    ("rank -1 does not exist", |comm| {
        engine(comm, Progress::None).and_then(|()| {
            let mut operate = || Ok(());
            ProgressEngine::start(comm, &OneHome(-1), Progress::Auto, &[], &mut operate).map(drop)
        })
    }),
    ("not enough memory", |comm| {
        BitBoard::open(comm, 0, 1 << 60)?.close()
    }),
    ("address space", |comm| {
        SlotBoard::open(comm, 0, usize::MAX)?.close()
    }),
];

fn impossible(comm: &Comm<'_>) {
    for (why, open) in IMPOSSIBLE {
        let told = refusal(comm, open(comm));
        assert!(told.contains(why), "{why}: {told}");
        assert_all_is_claimed_once(comm);
    }
}

/// With a library that loses bits, what is claimed by bits is not opened, and nor is a board whose stop flag is one;
/// and what needs none is.
fn lost_bits(comm: &Comm<'_>) {
    const OPENS: &[Open] = &[
        |comm| BitBoard::open(comm, 0, 9)?.close(),
        |comm| SpreadBoard::open(comm, 900)?.close(),
        |comm| TwoTierBoard::open(comm, 0, 9)?.close(),
        |comm| Blackboard::open(comm, 0, Objective::Minimum)?.close(),
    ];
    for open in OPENS {
        let told = refusal(comm, open(comm));
        assert!(told.contains("loses bits"), "{told}");
    }
    SlotBoard::open(comm, 0, 9).unwrap().close().unwrap();
    let tickets = Tickets::open(comm, 0, 9, &Options::default()).unwrap();
    tickets.close().unwrap();
}

/// A call fails on one rank: it gets that error, and the others one that names the rank and the call.
fn failing_call(comm: &Comm<'_>) {
    let call = std::env::var("FAIL").unwrap();
    let opens: &[Open] = match &call[..] {
        "MPI_Win_shared_query" => &[
            |comm| SharedBoard::open(comm, 0, 9)?.close(),
            |comm| TwoTierBoard::open(comm, 0, 9)?.close(),
        ],
        _ => &[
            |comm| BitBoard::open(comm, 0, 9)?.close(),
            |comm| BitBoard::open(comm, 0, 20_000_000)?.close(), // which looks for memory first
            |comm| {
                let progress = Progress::Auto; // which alone operates on slots
                let options = Options {
                    progress,
                    ..Options::default()
                };
                SlotBoard::open_with(comm, 0, 9, &options)?.close()
            },
            |comm| TwoTierBoard::open(comm, 0, 9)?.close(),
            |comm| Blackboard::open(comm, 0, Objective::Minimum)?.close(),
        ],
    };
    for open in opens {
        let told = open(comm).expect_err("a call failed").to_string();
        assert!(told.contains(&format!("{call} failed")), "{told}");
        assert_eq!(
            told.starts_with("rank 1 failed"),
            comm.rank() != 1,
            "{told}"
        );
    }
}

/// Ranks of several nodes share no memory, and that is what they are told, however much they want.
fn several_nodes(comm: &Comm<'_>) {
    const OPENS: &[Open] = &[
        |comm| SharedBoard::open(comm, 0, 9)?.close(),
        |comm| SharedBoard::open(comm, 0, 20_000_000)?.close(),
        |comm| SharedTickets::open_shared(comm, 0, 9, &Options::default())?.close(),
        |comm| Ledger::open_shared(comm, 0, 9)?.close(),
        |comm| Ledger::open_shared(comm, 0, 1_000_000)?.close(),
        |comm| Muster::open_shared(comm, 0)?.close(),
        |comm| SharedWindow::open(comm, 0, &layout(|layout| _ = layout.region::<Bits>(9)))?.close(),
        |comm| assert_memory_at_hand(comm, Allocation::SharedWindow, 3 << 20, 0),
    ];
    for open in OPENS {
        let told = refusal(comm, open(comm));
        assert!(told.contains("the ranks are on 2 nodes"), "{told}");
    }
    assert_all_is_claimed_once(comm);
}

/// The next communicators have the numbers that they had before: the lowest that are free.
fn no_communicator_is_taken(comm: &Comm<'_>) {
    let before = numbers_of_next_communicators();
    for _ in 0..5 {
        TwoTierBoard::open(comm, 99, 64).map(drop).unwrap_err();
        TwoTierBoard::open(comm, 0, 1 << 60).map(drop).unwrap_err();
    }
    assert_eq!(numbers_of_next_communicators(), before);
}

fn numbers_of_next_communicators() -> [i32; 4] {
    // SAFETY: plain MPI on MPI_COMM_WORLD, as in C: all ranks duplicate it, and free the duplicates.
    unsafe {
        let mut duplicates = [ffi::RSMPI_COMM_NULL; 4];
        for duplicate in &mut duplicates {
            ffi::MPI_Comm_dup(ffi::RSMPI_COMM_WORLD, duplicate);
        }
        let mut numbers = duplicates.map(|duplicate| ffi::RSMPI_Comm_c2f(duplicate));
        for duplicate in &mut duplicates {
            ffi::MPI_Comm_free(duplicate);
        }
        numbers.sort_unstable();
        numbers
    }
}
