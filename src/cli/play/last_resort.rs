//! What a rank does that was asked to end and cannot: others do not answer, or MPI does not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use onesided::interrupt;
use onesided::rma::launcher::Launch;
use onesided::rma::{self, Family, Library};
use onesided::trace::RecordLayer;

use super::{checkpoint, sentinel};

/// The exit code of a process that a signal ended.
pub(super) fn exit_code(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}

/// How long ranks may take to stop together: less than their launcher lets them live. Open MPI 5 kills a
/// quarter of a second after its SIGTERM, Open MPI 4 a second after, the others not within 15 s.
fn patience(library: &Library, launch: Option<&Launch>) -> Duration {
    Duration::from_millis(match (library.family, library.version[0]) {
        _ if launch.is_none() => 3000,
        (Family::OpenMpi, 5..) => 180,
        (Family::OpenMpi, _) => 800,
        _ => 3000,
    })
}

/// Whether all ranks have stopped together, and what there is to say is said.
static HAS_STOPPED: AtomicBool = AtomicBool::new(false);

/// Nothing is left but to end MPI, which may hang: its launcher is ending, too.
pub(super) fn has_stopped() {
    HAS_STOPPED.store(true, Ordering::Relaxed);
}

/// From now on ends this process when it was asked to end and is still there a while later, whatever MPI
/// does: with its trace closed, and a word from rank 0. Calls no MPI.
pub(super) fn wait(library: &Library, layer: Option<RecordLayer>) {
    let launch = Launch::from_environment();
    let patience = patience(library, launch.as_ref());
    let wait = move || {
        let Some(signal) = interrupt::wait_to_end() else {
            return;
        };
        sentinel::goodbye(false); // whoever dies now was asked to
        std::thread::sleep(patience);
        if let Some(recorder) = layer.as_ref().and_then(RecordLayer::recorder) {
            let _ = recorder.close(); // what is recorded is there even so
        }
        let rank = launch.as_ref().map_or(0, |launch| launch.rank);
        if rank == 0 && !HAS_STOPPED.load(Ordering::Relaxed) {
            let kept = checkpoint::last_written().unwrap_or_default();
            eprintln!(
                "onesided: {} came, and not all ranks stopped within {patience:?}: no summary{kept}",
                interrupt::name(signal)
            );
        }
        rma::probe::exit_now(exit_code(signal).into());
    };
    // Without it the process ends as the launcher likes.
    if let Err(error) = std::thread::Builder::new()
        .name("last resort".into())
        .spawn(wait)
    {
        tracing::warn!("no thread for the last resort: {error}");
    }
}
