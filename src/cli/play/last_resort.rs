//! What a rank does that was asked to end and cannot: others do not answer, or MPI does not.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use signal_hook::consts::{SIGUSR2, SIGXCPU};

use super::{checkpoint, sentinel};
use crate::interrupt;
use crate::rma::launcher::Launch;
use crate::rma::{self, Family, Library};
use crate::trace::RecordLayer;

/// The exit code of a process that a signal ended.
pub(super) fn exit_code(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}

/// How long ranks may take to stop together: less than their launcher lets them live. Open MPI 5 kills a
/// quarter of a second after its SIGTERM, Open MPI 4 a second after, the others not within 15 s. No launcher ends its
/// job for SIGUSR2 or SIGXCPU; the latter may come to one rank alone, which then has to wait for the others.
fn patience(library: &Library, launch: Option<&Launch>, signal: i32) -> Duration {
    Duration::from_millis(match (library.family, library.version[0]) {
        _ if launch.is_none() || [SIGUSR2, SIGXCPU].contains(&signal) => 3000,
        (Family::OpenMpi, 5..) => 180,
        (Family::OpenMpi, _) => 800,
        _ => 3000,
    })
}

/// How long rank 0 has beyond that to print what there is, once all ranks have stopped together. A rank that ends
/// before with another code than 0 has Open MPI's launcher end rank 0 in the middle of its summary.
const TO_PRINT: Duration = Duration::from_secs(3);

/// How far this rank has come: [`STOPPED`], then [`SAID`].
static STATE: AtomicU8 = AtomicU8::new(0);

/// All ranks have stopped together.
const STOPPED: u8 = 1;

/// What this rank has to print is printed.
const SAID: u8 = 2;

/// All ranks have stopped together: what is left is to print what was played, which rank 0 does.
pub(super) fn have_stopped_together() {
    STATE.fetch_max(STOPPED, Ordering::Relaxed);
}

/// Nothing is left but to end MPI, which may hang: its launcher is ending, too.
pub(super) fn has_stopped() {
    STATE.fetch_max(SAID, Ordering::Relaxed);
}

/// From now on ends this process when it was asked to end and is still there a while later, whatever MPI
/// does: with its trace closed, and a word from rank 0. Calls no MPI.
pub(super) fn wait(library: &Library, layer: Option<RecordLayer>) {
    let launch = Launch::from_environment();
    let library = library.clone();
    let wait = move || {
        let Some(signal) = interrupt::wait_to_end() else {
            return;
        };
        sentinel::goodbye(false); // whoever dies now was asked to
        let patience = patience(&library, launch.as_ref(), signal);
        std::thread::sleep(patience);
        if STATE.load(Ordering::Relaxed) >= STOPPED {
            std::thread::sleep(TO_PRINT);
        }
        if let Some(recorder) = layer.as_ref().and_then(RecordLayer::recorder) {
            let _ = recorder.close(); // what is recorded is there even so
        }
        let rank = launch.as_ref().map_or(0, |launch| launch.rank);
        if rank == 0 && STATE.load(Ordering::Relaxed) < SAID {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rma::launcher::HYDRA;
    use signal_hook::consts::SIGTERM;

    #[test]
    fn it_is_shorter_than_what_a_launcher_leaves_where_that_is_ending() {
        let launch = Launch {
            launcher: HYDRA,
            rank: 1,
            size: 2,
        };
        let of =
            |library, signal| patience(&Library::parse(library), Some(&launch), signal).as_millis();
        let [four, five] = [
            "Open MPI v4.1.4, package: Debian OpenMPI",
            "Open MPI v5.0.11, package: x",
        ];
        assert_eq!([of(four, SIGTERM), of(five, SIGTERM)], [800, 180]);
        assert_eq!([of(four, SIGXCPU), of(five, SIGUSR2)], [3000, 3000]);
        assert_eq!(
            patience(&Library::parse(four), None, SIGTERM).as_millis(),
            3000
        );
    }
}
