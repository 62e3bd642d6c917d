//! Starting MPI, and finalizing it.

use std::ffi::{CStr, c_char, c_int};
use std::fmt::Display;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use mpi::environment::Universe;
use mpi::ffi;

use super::comm::Comm;
use super::ending::{abort_on_panic, end_job_with, exit_now, take_leave_of_hydra};
use super::error::{ErrorKind, Result, check};
use super::error_handler::errors_return;
use super::faults;
use super::library::Library;
use super::settings::{Setting, prepare};
use super::sockets::connected_over_tcp;
use super::threads::{ThreadLevel, thread_level};
use crate::pulse::{Call, within};

/// MPI, initialised by this process.
///
/// Everything that uses MPI borrows from it, so the compiler rejects a window or a communicator that
/// would outlive [`Mpi::finalize`]. Dropping it without `finalize` does nothing: `MPI_Finalize` is
/// collective, and a collective in a `Drop` hangs a job whose ranks do not all get there.
///
/// Programs that start MPI with `mpi::initialize()` do not need this type: they hand their
/// search to [`run`], or their communicator to [`Comm::duplicate`].
#[derive(Debug)]
#[must_use = "MPI must be ended with `finalize`, or the launcher takes the exit for a crash"]
pub struct Mpi {
    /// Below `MPI_THREAD_MULTIPLE`, the thread matters: not `Send`, not `Sync`.
    not_send: PhantomData<*const ()>,
}

impl Mpi {
    /// Initialises MPI (`MPI_Init_thread`), told what it needs to be told ([`prepare`]), and makes a
    /// panic of any rank end the job ([`abort_on_panic`]).
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyInitialised`], [`ErrorKind::ThreadLevel`], or what `MPI_Init_thread` returned
    /// (most libraries abort the process instead).
    pub fn init(level: ThreadLevel) -> Result<Mpi> {
        let mpi = Self::init_up_to(level)?;
        let provided = thread_level()?;
        if provided < level {
            return Err(ErrorKind::ThreadLevel {
                library: library()?.to_string(),
                provided: provided.name(),
                required: level.name(),
            }
            .into());
        }
        Ok(mpi)
    }

    /// [`init`](Mpi::init), content with less thread support: [`thread_level`] tells how much there is.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyInitialised`], or what `MPI_Init_thread` returned.
    pub fn init_up_to(level: ThreadLevel) -> Result<Mpi> {
        let mut initialised: c_int = 0;
        // SAFETY: `initialised` is a live int; the call is allowed before MPI_Init (MPI-4.1 §11.4.1).
        check("MPI_Initialized", unsafe {
            ffi::MPI_Initialized(&mut initialised)
        })?;
        if initialised != 0 {
            return Err(ErrorKind::AlreadyInitialised.into());
        }
        if let Some(Setting {
            variable,
            value,
            why,
        }) = prepare()?
        {
            tracing::info!("set {variable}={value}: {why}");
        }
        let within_init = within(Call::Init, None);
        let mut provided: c_int = 0;
        let (argc, argv) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: null argc and argv are allowed since MPI-2; `provided` is a live int.
        let code = unsafe { ffi::MPI_Init_thread(argc, argv, level.raw(), &mut provided) };
        check("MPI_Init_thread", code)?;
        drop(within_init);
        let mpi = Mpi {
            not_send: PhantomData,
        };
        // Errors of calls on the predefined communicators return codes too, or `check` never fires.
        // SAFETY: MPI is initialised; both handles are predefined.
        let code = unsafe { ffi::MPI_Comm_set_errhandler(ffi::RSMPI_COMM_WORLD, errors_return()) };
        check("MPI_Comm_set_errhandler", code)?;
        return_errors_without_communicator()?;
        abort_on_panic();
        Ok(mpi)
    }

    /// A duplicate of `MPI_COMM_WORLD`. Collective over all ranks.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn world(&self) -> Result<Comm<'_>> {
        // SAFETY: MPI is initialised while `self` lives; the handle is predefined.
        unsafe { Comm::duplicate_raw(ffi::RSMPI_COMM_WORLD) }
    }

    /// [`finalize`](Mpi::finalize), as the last thing that a process does: where the library is known to
    /// hang in it ([`faults::MPICH_4_0_FINALIZE_OVER_TCP`]) and a rank is connected over TCP, processes leave
    /// together without, each with its `exit_code`. Collective over all ranks.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn finalize_at_last(self, exit_code: i32) -> Result<()> {
        /// In which this rank answers those that are still in the barrier.
        const ANSWER: Duration = Duration::from_millis(20);
        /// In which it does not look any more, so that it does not see others leave.
        const LINGER: Duration = Duration::from_millis(200);
        if !faults::MPICH_4_0_FINALIZE_OVER_TCP.is_in(&library()?) {
            return self.finalize();
        }
        let world = self.world()?;
        let mut connected = [0];
        // Where the system does not tell, the worse is taken for granted.
        let own = connected_over_tcp().unwrap_or(true);
        world.allreduce_or(&[u64::from(own)], &mut connected)?;
        if connected == [0] {
            world.free()?;
            return self.finalize();
        }
        world.barrier()?;
        let start = Instant::now();
        while start.elapsed() < ANSWER {
            check("MPI_Iprobe", super::progress::enter_mpi())?;
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(LINGER);
        take_leave_of_hydra();
        exit_now(exit_code)
    }

    /// Ends MPI (`MPI_Finalize`). Collective over all ranks.
    ///
    /// All ranks wait for each other in a barrier first. In Open MPI 4.1.4 and 5.0.11 the launcher crashes or hangs in 2
    /// to 6 % of the jobs that one rank aborts while another is in `MPI_Finalize`, and in none if it is in
    /// `MPI_Barrier`. Other versions have not been tried.
    ///
    /// # Errors
    /// What `MPI_Barrier` or `MPI_Finalize` returns.
    pub fn finalize(self) -> Result<()> {
        let _within = within(Call::Finalize, None);
        // SAFETY: MPI is initialised while `self` lives; the handle is predefined.
        check("MPI_Barrier", unsafe {
            ffi::MPI_Barrier(ffi::RSMPI_COMM_WORLD)
        })?;
        // SAFETY: initialised by `init`, and `self` is consumed, so this happens once and nothing
        // that borrows from `self` is left.
        check("MPI_Finalize", unsafe { ffi::MPI_Finalize() })
    }
}

/// Makes calls that have no communicator return their errors: these are raised on `MPI_COMM_SELF` since MPI-4.0
/// (MPI-4.1 §9.3), on `MPI_COMM_WORLD` before, and by MPICH 4.0 still (`faults.rs`).
pub(super) fn return_errors_without_communicator() -> Result<()> {
    // SAFETY: MPI is initialised (caller); both handles are predefined.
    let code = unsafe { ffi::MPI_Comm_set_errhandler(ffi::RSMPI_COMM_SELF, errors_return()) };
    check("MPI_Comm_set_errhandler", code)
}

/// Runs `search` on this rank, in a program that starts MPI by the crate `mpi` (rsmpi), with a duplicate of the
/// world that is freed afterwards. Called by all ranks, which leave it together (for the reason in [`Mpi::finalize`]).
/// An error of any rank is printed and ends the job with exit code 1, and so does a panic ([`abort_on_panic`]).
///
/// With a `?` in `main` instead, the universe is dropped before `main` returns the error, and `MPI_Finalize` waits for
/// the other ranks, which wait for this one, unless a window or communicator of this crate is still open: then this rank
/// prints the error and ends the job.
///
/// ```no_run
/// use onesided::claim::{BitBoard, Board};
/// use onesided::rma::{self, Comm};
///
/// fn main() {
///     let universe = mpi::initialize().expect("MPI starts once");
///     rma::run(&universe, search);
/// }
///
/// fn search(comm: &Comm<'_>) -> rma::Result<()> {
///     let mut board = BitBoard::open(comm, 0, 64)?;
///     // ...
///     board.close()
/// }
/// ```
pub fn run<T, E: Display>(
    universe: &Universe,
    search: impl FnOnce(&Comm<'_>) -> Result<T, E>,
) -> T {
    abort_on_panic();
    let comm = or_end_job(Comm::duplicate(universe, &universe.world()));
    let value = or_end_job(search(&comm));
    or_end_job(comm.barrier());
    or_end_job(comm.free());
    value
}

fn or_end_job<T, E: Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| end_job_with(&error.to_string(), 1))
}

/// The MPI library that was loaded (`MPI_Get_library_version`; needs no initialised MPI).
///
/// # Errors
/// What MPI returns.
pub fn library() -> Result<Library> {
    Ok(Library::parse(&library_text()?))
}

/// All that `MPI_Get_library_version` says, on several lines. Needs no initialised MPI.
///
/// # Errors
/// What MPI returns.
pub fn library_text() -> Result<String> {
    let mut text = [0u8; ffi::MPI_MAX_LIBRARY_VERSION_STRING as usize + 1];
    let mut len: c_int = 0;
    // SAFETY: `text` has MPI_MAX_LIBRARY_VERSION_STRING bytes and one more, as MPI-4.1 §9.1.1 asks.
    let code =
        unsafe { ffi::MPI_Get_library_version(text.as_mut_ptr().cast::<c_char>(), &mut len) };
    check("MPI_Get_library_version", code)?;
    let text = CStr::from_bytes_until_nul(&text).unwrap_or_default();
    Ok(text.to_string_lossy().into_owned())
}
