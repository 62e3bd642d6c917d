//! Starting, ending and aborting MPI.

use std::ffi::{CStr, c_char, c_int};
use std::io::{Read, Write};
use std::marker::PhantomData;
use std::os::fd::FromRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Once;
use std::time::{Duration, Instant};

use mpi::ffi;

use super::comm::Comm;
use super::error::{ErrorKind, Result, check};
use super::error_handler::errors_return;
use super::faults;
use super::library::Library;
use super::placement::Placement;
use super::settings::{Setting, prepare};
use crate::pulse::{Call, within};

/// Thread support to ask MPI for (MPI-4.1 §11.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ThreadLevel {
    /// There is one thread only.
    Single,
    /// Only the thread that initialised MPI calls it.
    Funneled,
    /// Any thread may call MPI, one at a time.
    Serialized,
    /// Any thread may call MPI at any time.
    Multiple,
}

impl ThreadLevel {
    fn raw(self) -> c_int {
        // SAFETY: constants of the library, written once when `mpi-sys` is loaded.
        unsafe {
            match self {
                ThreadLevel::Single => ffi::RSMPI_THREAD_SINGLE,
                ThreadLevel::Funneled => ffi::RSMPI_THREAD_FUNNELED,
                ThreadLevel::Serialized => ffi::RSMPI_THREAD_SERIALIZED,
                ThreadLevel::Multiple => ffi::RSMPI_THREAD_MULTIPLE,
            }
        }
    }

    /// The highest level that is no more than what the library calls `raw`.
    fn from_raw(raw: c_int) -> Self {
        use ThreadLevel::{Funneled, Multiple, Serialized, Single};
        [Multiple, Serialized, Funneled]
            .into_iter()
            .find(|level| raw >= level.raw())
            .unwrap_or(Single)
    }

    /// Its name in the standard.
    pub fn name(self) -> &'static str {
        match self {
            ThreadLevel::Single => "MPI_THREAD_SINGLE",
            ThreadLevel::Funneled => "MPI_THREAD_FUNNELED",
            ThreadLevel::Serialized => "MPI_THREAD_SERIALIZED",
            ThreadLevel::Multiple => "MPI_THREAD_MULTIPLE",
        }
    }
}

/// MPI, initialised by this process.
///
/// Everything that uses MPI borrows from it, so the compiler rejects a window or a communicator that
/// would outlive [`Mpi::finalize`]. Dropping it without `finalize` does nothing: `MPI_Finalize` is
/// collective, and a collective in a `Drop` hangs a job whose ranks do not all get there.
///
/// Programs that start MPI with `mpi::initialize()` do not need this type: they hand their
/// communicator to [`Comm::duplicate`].
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
    /// hang in it ([`faults::MPICH_4_0_FINALIZE_OVER_TCP`]), processes leave together without, each with
    /// its `exit_code`. Collective over all ranks.
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
        if Placement::of(&world)?.n_nodes() == 1 {
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
    /// # Errors
    /// What `MPI_Finalize` returns.
    pub fn finalize(self) -> Result<()> {
        let _within = within(Call::Finalize, None);
        // SAFETY: initialised by `init`, and `self` is consumed, so this happens once and nothing
        // that borrows from `self` is left.
        check("MPI_Finalize", unsafe { ffi::MPI_Finalize() })
    }
}

/// How much thread support MPI was initialised with (`MPI_Query_thread`), by whoever did it.
///
/// # Errors
/// What MPI returns.
pub fn thread_level() -> Result<ThreadLevel> {
    let mut provided: c_int = 0;
    // SAFETY: `provided` is a live int; MPI is initialised, or the call returns an error.
    check("MPI_Query_thread", unsafe {
        ffi::MPI_Query_thread(&mut provided)
    })?;
    Ok(ThreadLevel::from_raw(provided))
}

/// Tells MPICH's process manager that this process ends as it should, in the words of `PMI_Finalize` (PMI
/// 1): one that leaves without is sometimes taken for a crash. Does nothing under
/// another process manager, and waits for the answer for a second at most.
fn take_leave_of_hydra() {
    let fd = std::env::var("PMI_FD").ok().and_then(|fd| fd.parse().ok());
    let Some(fd) = fd else {
        return;
    };
    // SAFETY: the process manager left this descriptor to the process, in whose last function nobody else
    // uses it: MPI is called no more.
    let mut manager = unsafe { UnixStream::from_raw_fd(fd) };
    let patience = manager.set_read_timeout(Some(Duration::from_secs(1)));
    if patience.is_ok() && manager.write_all(b"cmd=finalize\n").is_ok() {
        let _ = manager.read(&mut [0; 64]); // that it has answered is all there is to know
    }
    std::mem::forget(manager); // closed by the exit, after the process itself is gone
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

/// Ends this process now and without `MPI_Finalize`, which waits for ranks that died: as one that ends as it
/// should, as far as its process manager can be told. What was printed is to be flushed before.
pub fn leave_alone(exit_code: i32) -> ! {
    take_leave_of_hydra();
    exit_now(exit_code)
}

/// Ends this process now, with nothing run at its exit: from a thread, while another one hangs in MPI.
pub fn exit_now(exit_code: i32) -> ! {
    unsafe extern "C" {
        safe fn _exit(status: c_int) -> !;
    }
    _exit(exit_code)
}

/// Ends the whole job now, without unwinding, from any state of MPI.
///
/// With MPI running this is `MPI_Abort` on `MPI_COMM_WORLD`; otherwise the process exits.
pub fn abort(exit_code: i32) -> ! {
    let _within = within(Call::Abort, None);
    if is_running() {
        // SAFETY: MPI is initialised and not finalised; the handle is predefined. The call is made
        // from a state in which nothing better can be done, so its return code tells nobody.
        let _ = unsafe { ffi::MPI_Abort(ffi::RSMPI_COMM_WORLD, exit_code) };
    }
    std::process::exit(exit_code)
}

/// Makes a panic on any rank end the job at once, with the panic's message.
///
/// Without it, the panicking rank unwinds or exits while the others wait for it in a collective or
/// in `MPI_Finalize`, for as long as the batch job has time. Chains to the hook that was there, so
/// the message is printed as before; then calls [`abort`] with exit code 101. [`Mpi::init`] calls
/// this; programs that start MPI in another way call it themselves. Calling it twice is harmless.
pub fn abort_on_panic() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let earlier = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if is_running() {
                if let Some(rank) = world_rank() {
                    eprintln!("onesided: rank {rank} panicked, and ends the job:");
                }
            }
            earlier(info);
            if is_running() {
                abort(101);
            }
        }));
    });
}

/// Whether MPI can be called.
pub(super) fn is_running() -> bool {
    let (mut initialised, mut finalised): (c_int, c_int) = (0, 0);
    // SAFETY: live ints; both calls are allowed at any time from any thread (MPI-4.1 §11.4.1).
    let codes = unsafe {
        [
            ffi::MPI_Initialized(&mut initialised),
            ffi::MPI_Finalized(&mut finalised),
        ]
    };
    codes == [ffi::MPI_SUCCESS as c_int; 2] && initialised != 0 && finalised == 0
}

fn world_rank() -> Option<c_int> {
    let mut rank: c_int = -1;
    // SAFETY: the caller found MPI running; the handle is predefined, `rank` a live int.
    let code = unsafe { ffi::MPI_Comm_rank(ffi::RSMPI_COMM_WORLD, &mut rank) };
    (code == ffi::MPI_SUCCESS as c_int).then_some(rank)
}
