//! Whole programs, as users write them: started by rsmpi or by [`Mpi`], ended early by an error, a panic or
//! a rank that returns. The job ends soon, not with 0, and the error is printed once.
#![allow(
    unsafe_code,
    reason = "what the library does with an error is asked as a C program would"
)]

use std::error::Error;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use mpi::Threading;
use mpi::environment::Universe;
use mpi::ffi;
use mpi::topology::{Communicator, SimpleCommunicator};
use onesided::claim::{BitBoard, Board, Options, SlotBoard, TwoTierBoard};
use onesided::internals::rma::faults::MPICH_4_0_CALLS_WITHOUT_COMMUNICATOR;
use onesided::internals::rma::launcher::Launch;
use onesided::rma::{self, Comm, ErrorKind, Family, Mpi, Progress, ThreadLevel};

use crate::harness::{Body, library_with_faults};
use crate::support::{Death, Ended, Job, Turn, all_at_once, is_campaign};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A program's `main`.
type Main = fn() -> Result<()>;

const PROGRAMS: &[(&str, Main)] = &[
    ("an_error_of_rsmpi_s_main", || {
        let universe = mpi::initialize().expect("MPI starts once");
        let comm = Comm::duplicate(&universe, &universe.world())?;
        complete_twice_on_rank_1(&comm)?;
        comm.free()?;
        Ok(())
    }),
    ("an_error_within_run", || {
        let universe = mpi::initialize().expect("MPI starts once");
        rma::run(&universe, complete_twice_on_rank_1);
        Ok(())
    }),
    ("another_s_error_within_run", || {
        let universe = mpi::initialize().expect("MPI starts once");
        rma::run(&universe, |comm| -> Result<()> {
            let board = BitBoard::open(comm, 0, 9)?;
            if comm.rank() == 1 {
                std::fs::read("/nonexistent/7")?;
            }
            Ok(board.close()?)
        });
        Ok(())
    }),
    ("an_error_of_all_ranks_within_run", || {
        let universe = mpi::initialize().expect("MPI starts once");
        rma::run(&universe, |comm| BitBoard::open(comm, 99, 9)?.close());
        Ok(())
    }),
    ("an_error_after_mpi_init", || {
        let mpi = Mpi::init(ThreadLevel::Funneled)?;
        let world = mpi.world()?;
        complete_twice_on_rank_1(&world)?;
        world.free()?;
        Ok(mpi.finalize()?)
    }),
    ("a_panic_without_a_hook", || {
        let universe = mpi::initialize().expect("MPI starts once");
        let comm = Comm::duplicate(&universe, &universe.world())?;
        assert!(comm.rank() != 1, "rank one has had enough");
        comm.barrier()?;
        comm.free()?;
        Ok(())
    }),
    ("a_return_with_a_board_open", || {
        let universe = mpi::initialize().expect("MPI starts once");
        let comm = Comm::duplicate(&universe, &universe.world())?;
        let board = BitBoard::open(&comm, 0, 9)?;
        if comm.rank() == 1 {
            return Ok(());
        }
        board.close()?;
        comm.free()?;
        Ok(())
    }),
    ("a_communicator_that_all_ranks_leak", || {
        let universe = mpi::initialize().expect("MPI starts once");
        let comm = Comm::duplicate(&universe, &universe.world())?;
        comm.barrier()?;
        Ok(())
    }),
    ("an_error_of_all_ranks_that_is_no_end", || {
        let universe = mpi::initialize().expect("MPI starts once");
        let comm = Comm::duplicate(&universe, &universe.world())?;
        let refused = BitBoard::open(&comm, 99, 9).map(drop);
        assert!(refused.is_err());
        BitBoard::open(&comm, 0, 9)?.close()?;
        Ok(()) // the communicator is leaked
    }),
    ("an_answer_that_is_no_end", || {
        let universe = mpi::initialize().expect("MPI starts once");
        let comm = Comm::duplicate(&universe, &universe.world())?;
        let mut board = SlotBoard::open(&comm, 0, 9)?;
        assert!(board.complete(comm.rank() as usize).is_err(), "not held");
        board.close()?;
        Ok(()) // the communicator is leaked
    }),
    ("an_opening_that_fails_is_no_end", || {
        let universe = mpi::initialize().expect("MPI starts once");
        let comm = Comm::duplicate(&universe, &universe.world())?;
        let refused = TwoTierBoard::open(&comm, 0, 9).map(drop);
        assert!(refused.is_err());
        BitBoard::open(&comm, 0, 9)?.close()?;
        comm.free()?;
        Ok(())
    }),
    ("threads_of_mpi_thread_single", || {
        let universe = mpi::initialize().expect("MPI starts once");
        let comm = Comm::duplicate(&universe, &universe.world())?;
        assert_eq!(n_refused_of_four_threads(&universe), 4);
        comm.free()?;
        Ok(())
    }),
    ("threads_of_mpi_thread_serialized", || {
        let (universe, level) =
            mpi::initialize_with_threading(Threading::Serialized).expect("MPI starts once");
        assert_eq!(level, Threading::Serialized);
        let comm = Comm::duplicate(&universe, &universe.world())?;
        assert_eq!(n_refused_of_four_threads(&universe), 4);
        comm.free()?;
        Ok(())
    }),
    ("calls_without_a_communicator_after_rsmpi", || {
        let universe = mpi::initialize().expect("MPI starts once");
        let comm = Comm::duplicate(&universe, &universe.world())?;
        // Before MPI-4.0 the error is one of MPI_COMM_WORLD, which is the program's own.
        let fault = MPICH_4_0_CALLS_WITHOUT_COMMUNICATOR;
        if version_of_the_standard() >= 4 && !fault.is_in(&rma::library()?) {
            a_call_without_communicator_returns_its_error();
        }
        comm.free()?;
        Ok(())
    }),
    ("thread_levels_that_differ", thread_levels_that_differ),
    ("a_panic_while_others_end_mpi", || {
        let mpi = Mpi::init(ThreadLevel::Funneled)?;
        let world = mpi.world()?;
        let rank = world.rank();
        world.free()?;
        panic_late_on_rank_0(rank);
        Ok(mpi.finalize()?)
    }),
    ("a_panic_while_others_have_run", || {
        let universe = mpi::initialize().expect("MPI starts once");
        rma::run(&universe, |comm| -> Result<()> {
            panic_late_on_rank_0(comm.rank());
            Ok(())
        });
        Ok(())
    }),
    ("a_panic_while_others_are_in_mpi_finalize", || {
        let universe = mpi::initialize().expect("MPI starts once");
        rma::abort_on_panic();
        panic_late_on_rank_0(universe.world().rank());
        Ok(())
    }),
];

/// Panics on rank 0, when the others have gone on.
fn panic_late_on_rank_0(rank: i32) {
    if rank == 0 {
        std::thread::sleep(Duration::from_millis(10));
        panic!("{LATE}");
    }
}

const LATE: &str = "rank zero has had enough";

/// Bodies of jobs that [`Mpi`] has started.
pub const BODIES: &[Body] = &[Body {
    name: "programs::a_call_without_a_communicator_returns_its_error",
    run: |_| a_call_without_communicator_returns_its_error(),
}];

/// Runs the program that is named.
pub fn run(name: &str) {
    let program = PROGRAMS.iter().find(|(known, _)| *known == name);
    let (_, main) = program.expect("a program's name");
    // As a `main` that returns a result does.
    if let Err(error) = main() {
        eprintln!("Error: {error:?}");
        std::process::exit(1);
    }
}

pub fn trials() -> Vec<Trial> {
    const COMPLETED: &str = "item 7 was completed before";
    let fails = |name: &'static str, why: &'static str| {
        Trial::test(format!("programs::{name}_ends_the_job"), move || {
            let ended = job(name, &[]).that_fails().run();
            match ended.code != Some(0)
                && !ended.timed_out
                && ended.stderr.matches(why).count() == 1
            {
                true => Ok(()),
                false => Err(Failed::from(format!(
                    "'{why}' was to be said once: {ended:#?}"
                ))),
            }
        })
    };
    let works = |name: &'static str, variables: &[(&'static str, &'static str)]| {
        let variables = variables.to_vec();
        Trial::test(format!("programs::{name}"), move || {
            ends_well(name, &variables)
        })
    };
    let fails_shared_query = || {
        let variables = [
            ("LD_PRELOAD", library_with_faults()),
            ("FAIL", "MPI_Win_shared_query"),
            ("FAIL_ON", "1"),
        ];
        ends_well("an_opening_that_fails_is_no_end", &variables)
    };
    // A window of this component needs help, so that all means are tried.
    const STALLS: &[(&str, &str)] = &[("OMPI_MCA_osc", "pt2pt")];
    let has_it = rma::library()
        .is_ok_and(|library| library.family == Family::OpenMpi && library.version[0] == 4);
    let mut trials = vec![
        fails("an_error_of_rsmpi_s_main", COMPLETED),
        fails("an_error_within_run", COMPLETED),
        fails("another_s_error_within_run", "No such file or directory"),
        fails("an_error_of_all_ranks_within_run", "rank 99 does not exist"),
        fails("an_error_after_mpi_init", "CompletedBefore"),
        fails("a_panic_without_a_hook", "rank one has had enough"),
        fails("a_return_with_a_board_open", "MPI ends while windows (1)"),
        works("a_communicator_that_all_ranks_leak", &[]),
        works("threads_of_mpi_thread_single", &[]),
        works("threads_of_mpi_thread_serialized", &[]),
        works("calls_without_a_communicator_after_rsmpi", &[]),
        works("an_error_of_all_ranks_that_is_no_end", &[]),
        works("an_answer_that_is_no_end", &[]),
        Trial::test(
            "programs::an_opening_that_fails_is_no_end",
            fails_shared_query,
        ),
        works(
            "thread_levels_that_differ",
            if has_it { STALLS } else { &[] },
        ),
        Trial::test(
            "programs::a_panic_ends_the_job_while_others_end_mpi",
            || {
                const PROGRAMS: [&str; 2] = [
                    "a_panic_while_others_end_mpi",
                    "a_panic_while_others_have_run",
                ];
                // Of 120 jobs 7 end badly without the barriers; with them one in a thousand, as all jobs.
                let (n_jobs, bearable) = if is_under_hydra() { (4, 0) } else { (60, 2) };
                let of = |program: &&str| those_that_end_badly(program, n_jobs, bearable + 1);
                let bad: Vec<_> = PROGRAMS.iter().flat_map(of).collect();
                let launchers = bad.iter().all(|(_, death)| death.is_some());
                match launchers && bad.len() <= bearable {
                    true => Ok(()),
                    false => Err(Failed::from(format!("{bad:#?}"))),
                }
            },
        ),
    ];
    // What the barriers of `Mpi::finalize` and `rma::run` are for.
    if !is_under_hydra() {
        let trial = Trial::test(
            "programs::a_launcher_crashes_or_hangs_when_a_rank_aborts_during_mpi_finalize",
            || {
                let program = "a_panic_while_others_are_in_mpi_finalize";
                match &those_that_end_badly(program, 400, 1)[..] {
                    [] => Err(Failed::from("no job of 400: the barriers are needless")),
                    [(ended, death), ..] if ended.timed_out || death.is_some() => Ok(()),
                    other => Err(Failed::from(format!("not by its launcher: {other:#?}"))),
                }
            },
        );
        // How often a library fails is for a campaign.
        trials.push(trial.with_ignored_flag(!is_campaign()));
    }
    trials.extend(
        BODIES
            .iter()
            .flat_map(|&body| crate::harness::on_ranks(&[2], body)),
    );
    trials
}

fn ends_well(name: &str, variables: &[(&str, &str)]) -> std::result::Result<(), Failed> {
    let ended = job(name, variables).run();
    match ended.code == Some(0) && !ended.timed_out {
        true => Ok(()),
        false => Err(Failed::from(format!("it was to end with 0: {ended:#?}"))),
    }
}

/// Of `n_jobs`, four at once, those that do not end with the code of their panic, soon, until `enough` have not.
fn those_that_end_badly(name: &str, n_jobs: usize, enough: usize) -> Vec<(Ended, Option<Death>)> {
    let (started, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    // A campaign gives each job the machine, and it is beside others that these end badly.
    let turn = is_campaign().then(Turn::alone);
    all_at_once(0..4, |_| {
        while started.fetch_add(1, Relaxed) < n_jobs && found.lock().expect("lock").len() < enough {
            let program = std::env::current_exe().expect("a running program");
            let job = Job::new(2, program)
                .args(["--program", name])
                .deadline(Duration::from_secs(60))
                .that_fails();
            let job = if turn.is_some() { job.at_once() } else { job };
            let (ended, death) = job.run_once();
            let is_right = match is_under_hydra() {
                true => ended.code != Some(0), // it may be another's
                false => ended.code == Some(101),
            };
            if ended.timed_out || !is_right || ended.stderr.matches(LATE).count() != 1 {
                found.lock().expect("lock").push((ended, death));
            }
        }
    });
    found.into_inner().expect("lock")
}

fn job(name: &str, variables: &[(&str, &str)]) -> Job {
    let program = std::env::current_exe().expect("a running program");
    let job = Job::new(3, program)
        .args(["--program", name])
        .deadline(Duration::from_secs(60));
    let set = |job: Job, &(variable, value): &(&str, &str)| job.env(variable, value);
    variables.iter().fold(job, set)
}

fn complete_twice_on_rank_1(comm: &Comm<'_>) -> rma::Result<()> {
    let options = Options {
        completions: true,
        ..Options::default()
    };
    let mut board = BitBoard::open_with(comm, 0, 9, &options)?;
    if comm.rank() == 1 {
        let _ = board.claim(7)?;
        board.complete(7)?;
        board.complete(7)?;
    }
    board.close()
}

fn n_refused_of_four_threads(universe: &Universe) -> usize {
    let duplicate = || {
        let duplicated = Comm::duplicate(universe, &SimpleCommunicator::world());
        matches!(
            duplicated.map(drop).map_err(|error| error.kind().clone()),
            Err(ErrorKind::WrongThread { .. })
        )
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(duplicate)).collect();
        let refused = threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"));
        refused.filter(|&is_refused| is_refused).count()
    })
}

/// Rank 1 asks for less than the others: all find out the same, or get the same error.
fn thread_levels_that_differ() -> Result<()> {
    let launch = Launch::from_environment().expect("a job");
    let level = match launch.rank {
        1 => ThreadLevel::Funneled,
        _ => ThreadLevel::Serialized,
    };
    let mpi = Mpi::init(level)?;
    let world = mpi.world()?;
    let options = |progress| Options {
        progress,
        ..Options::default()
    };
    let refused = BitBoard::open_with(&world, 0, 64, &options(Progress::Thread));
    let refused = refused.map(drop).unwrap_err();
    let ErrorKind::ThreadLevel { provided, .. } = refused.kind() else {
        panic!("{refused}")
    };
    assert_eq!(*provided, "MPI_THREAD_FUNNELED");
    let board = BitBoard::open_with(&world, 0, 64, &options(Progress::Auto))?;
    let found = format!("{:?}", board.engine().found());
    if let Some(all) = world.gather(0, found.as_bytes())? {
        assert!(all.iter().all(|other| other == found.as_bytes()), "{all:?}");
    }
    board.close()?;
    world.free()?;
    Ok(mpi.finalize()?)
}

pub fn version_of_the_standard() -> i32 {
    let (mut version, mut subversion) = (0, 0);
    // SAFETY: live ints.
    unsafe { ffi::MPI_Get_version(&mut version, &mut subversion) };
    version
}

/// A call without a communicator, window or file that has to fail.
pub fn a_call_without_communicator_returns_its_error() {
    // SAFETY: plain MPI, as in C: the info is made and freed here, and the key has its NUL.
    let code = unsafe {
        let mut info = ffi::RSMPI_INFO_NULL;
        ffi::MPI_Info_create(&mut info);
        let code = ffi::MPI_Info_delete(info, c"no such key".as_ptr());
        ffi::MPI_Info_free(&mut info);
        code
    };
    assert_ne!(code, ffi::MPI_SUCCESS as i32);
}

/// Hydra may give the code of a rank that it killed, and does not confuse itself in `MPI_Finalize`.
fn is_under_hydra() -> bool {
    let family = rma::library().expect("the library names itself").family;
    matches!(family, Family::Mpich | Family::Intel)
}
