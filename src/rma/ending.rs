//! Ending: this process, or the job.

use std::ffi::c_int;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::FromRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Once;
use std::time::Duration;

use mpi::ffi;

use super::launcher::{HYDRA, Launch};
use crate::pulse::{Call, within};

/// Prints a failure of this rank and ends the job. Of several ranks that fail together, rank 0 prints first, and
/// ends the others before they do.
pub(super) fn end_job_with(why: &str, exit_code: i32) -> ! {
    /// In which rank 0 prints an error that all ranks have.
    const FIRST: Duration = Duration::from_millis(300);
    let rank = world_rank().unwrap_or(0);
    if rank != 0 {
        std::thread::sleep(FIRST);
    }
    // Where stderr cannot be written to, nothing can be said.
    let _ = writeln!(std::io::stderr(), "onesided: rank {rank}: {why}");
    abort(exit_code)
}

/// Tells MPICH's process manager that this process ends as it should, in the words of `PMI_Finalize` (PMI
/// 1): one that leaves without is sometimes taken for a crash. Does nothing under
/// another process manager, and waits for the answer for a second at most.
pub(super) fn take_leave_of_hydra() {
    let fd = std::env::var("PMI_FD").ok().and_then(|fd| fd.parse().ok());
    let Some(fd) = fd else {
        return;
    };
    // SAFETY: the process manager left this descriptor to the process, in whose last function nobody else
    // uses it: MPI is called no more.
    let mut manager = unsafe { UnixStream::from_raw_fd(fd) };
    let patience = manager.set_read_timeout(Some(Duration::from_secs(1)));
    if patience.is_ok() && manager.write_all(b"cmd=finalize\n").is_ok() {
        // That it has answered is all there is to know. A read with a time limit ends at a signal; hydra sends SIGUSR1
        // when another rank has died, and itself dies of an answer that nobody takes.
        let is_interrupted = |error: std::io::Error| error.kind() == ErrorKind::Interrupted;
        while manager.read(&mut [0; 64]).is_err_and(is_interrupted) {}
    }
    std::mem::forget(manager); // closed by the exit, after the process itself is gone
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
    /// In which hydra forwards what this process has printed: MPICH 5.0.2's drops what it has not yet read when it
    /// ends a job.
    const TO_FORWARD: Duration = Duration::from_millis(150);
    let _within = within(Call::Abort, None);
    if is_running() {
        if Launch::from_environment().is_some_and(|launch| launch.launcher == HYDRA) {
            std::thread::sleep(TO_FORWARD);
        }
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
/// the message is printed as before; then calls [`abort`] with exit code 101. [`Mpi::init`](super::Mpi::init) calls
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
