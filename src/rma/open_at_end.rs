//! What is left open when MPI ends, in programs whose MPI ends in a `Drop`: rsmpi's universe.
//!
//! A function that returns early with an error drops its windows and communicators unclosed, then the
//! universe, whose `MPI_Finalize` waits for the other ranks; and they wait for this one, in `close`. Nobody
//! has printed the error by then. So `MPI_Finalize` begins with a look at what is open: it deletes the
//! attributes of `MPI_COMM_SELF` before anything else, and calls their functions (MPI-4.1 §11.4.3).

use std::ffi::{c_int, c_void};
use std::sync::Mutex;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicUsize};

use mpi::ffi;

use super::ending::end_job_with;
use super::environment::return_errors_without_communicator;
use super::error::{self, ErrorKind, check};

/// What is closed by a collective call.
#[derive(Debug, Clone, Copy)]
pub(super) enum Open {
    Communicator,
    Window,
}

static N_OPEN: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];

/// The last error of this crate in this process.
static LAST_ERROR: Mutex<Option<LastError>> = Mutex::new(None);

struct LastError {
    kind: ErrorKind,
    /// Whether other ranks may wait for this one, which has it and they have none.
    is_of_this_rank: bool,
}

pub(super) fn opened(what: Open) {
    N_OPEN[what as usize].fetch_add(1, Relaxed);
}

pub(super) fn closed(what: Open) {
    N_OPEN[what as usize].fetch_sub(1, Relaxed);
}

pub(super) fn remember(error: &ErrorKind) {
    if let Ok(mut last) = LAST_ERROR.lock() {
        *last = Some(LastError {
            kind: error.clone(),
            is_of_this_rank: !is_answer(error) && !is_always_on_all_ranks(error),
        });
    }
}

/// Whether the error answers a question of the program, which goes on after it.
fn is_answer(error: &ErrorKind) -> bool {
    use ErrorKind::{CompletedBefore, NotHeld};
    matches!(error, CompletedBefore { .. } | NotHeld { .. })
}

/// Whether collective calls alone return the error, and on all ranks.
fn is_always_on_all_ranks(error: &ErrorKind) -> bool {
    use ErrorKind::{
        LostBits, NotEnoughMemory, OnOtherRank, OpenedDifferently, SeveralNodes, WindowTooLarge,
    };
    matches!(
        error,
        LostBits { .. }
            | NotEnoughMemory { .. }
            | OnOtherRank { .. }
            | OpenedDifferently { .. }
            | SeveralNodes { .. }
            | WindowTooLarge
    )
}

/// The result of a collective call, which is an error on all ranks or on none: nobody waits for anybody after it.
pub(super) fn on_all_ranks<T, E>(result: Result<T, E>) -> Result<T, E> {
    result.inspect_err(|_| is_on_all_ranks())
}

/// The last error is one that all ranks have: see [`on_all_ranks`].
pub(super) fn is_on_all_ranks() {
    if let Ok(mut last) = LAST_ERROR.lock() {
        if let Some(last) = last.as_mut() {
            last.is_of_this_rank = false;
        }
    }
}

/// Has `MPI_Finalize` look at what is open. MPI is initialised. Calling it again is harmless.
pub(super) fn watch() -> error::Result<()> {
    static WATCHES: AtomicBool = AtomicBool::new(false);
    if WATCHES.swap(true, SeqCst) {
        return Ok(());
    }
    return_errors_without_communicator()?;
    let mut key: c_int = 0;
    // SAFETY: `key` is a live int; both functions have the signatures that the call asks for.
    check("MPI_Comm_create_keyval", unsafe {
        ffi::MPI_Comm_create_keyval(Some(copy_not), Some(look), &mut key, std::ptr::null_mut())
    })?;
    // SAFETY: the key was made above; the value is not looked at.
    check("MPI_Comm_set_attr", unsafe {
        ffi::MPI_Comm_set_attr(ffi::RSMPI_COMM_SELF, key, std::ptr::null_mut())
    })
}

/// A duplicate of `MPI_COMM_SELF` has not the attribute. `MPI_COMM_NULL_COPY_FN` does this too, and is a null
/// pointer in some libraries and none in others.
unsafe extern "C" fn copy_not(
    _: ffi::MPI_Comm,
    _: c_int,
    _: *mut c_void,
    _: *mut c_void,
    _: *mut c_void,
    is_copied: *mut c_int,
) -> c_int {
    // SAFETY: MPI gives a live int (MPI-4.1 §7.7.2).
    unsafe { *is_copied = 0 };
    ffi::MPI_SUCCESS as c_int
}

/// Called by `MPI_Finalize` when it begins.
unsafe extern "C" fn look(_: ffi::MPI_Comm, _: c_int, _: *mut c_void, _: *mut c_void) -> c_int {
    let [n_communicators, n_windows] =
        [Open::Communicator, Open::Window].map(|what| N_OPEN[what as usize].load(Relaxed));
    let error = LAST_ERROR.lock().ok().and_then(|mut last| last.take());
    let panics = std::thread::panicking();
    // A communicator that a program leaks waits for nobody; a window has an epoch open.
    let is_left = panics || (error.as_ref()).is_some_and(|error| error.is_of_this_rank);
    if n_windows > 0 || (n_communicators > 0 && is_left) {
        let last_error = match error {
            Some(error) => format!("; the last error was: {}", error.kind),
            None => String::new(),
        };
        end_job_with(
            &format!(
                "MPI ends while windows ({n_windows}) and communicators ({n_communicators}) are open, for \
                 whose `close` or `free` other ranks may wait{last_error}"
            ),
            if panics { 101 } else { 1 },
        );
    }
    ffi::MPI_SUCCESS as c_int
}
