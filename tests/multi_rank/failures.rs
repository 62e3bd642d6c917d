//! Ranks that fail: the job ends soon and says why; and the harness notices what it must notice.

use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use onesided::claim::{BitBoard, Board};
use onesided::rma::{Comm, Mpi, Window};

use crate::harness::{Body, BodyJob, launch};

pub const BODIES: &[Body] = &[
    Body {
        name: "failures::panics",
        run: panics,
    },
    Body {
        name: "failures::hangs",
        run: hangs,
    },
    Body {
        name: "failures::leaves_silently",
        run: leaves_silently,
    },
];

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test(
            "failures::a_panic_ends_the_job_with_its_message",
            a_panic_ends_the_job,
        ),
        Trial::test("failures::a_hang_fails_at_its_deadline", a_hang_fails),
        Trial::test(
            "failures::a_rank_that_does_not_report_fails",
            a_silent_rank_fails,
        ),
        Trial::test(
            "failures::nothing_communicates_when_dropped",
            nothing_communicates_when_dropped,
        ),
    ]
}

/// Rank 2 panics with a board open, while the others wait for it in a barrier.
fn panics(comm: &Comm<'_>) {
    let mut board = BitBoard::open(comm, 0, 9).unwrap();
    let _ = board.claim(comm.rank() as usize).unwrap();
    assert!(comm.rank() != 2, "rank two has had enough");
    comm.barrier().unwrap();
    board.close().unwrap();
}

fn hangs(comm: &Comm<'_>) {
    if comm.rank() == 1 {
        std::thread::sleep(Duration::from_secs(3600));
    }
    comm.barrier().unwrap();
}

fn leaves_silently(comm: &Comm<'_>) {
    comm.barrier().unwrap();
    if comm.rank() == 1 {
        std::process::exit(0);
    }
}

fn a_panic_ends_the_job() -> Result<(), Failed> {
    let BodyJob { ended, .. } = launch(4, "failures::panics", Duration::from_secs(60));
    if ended.timed_out || ended.code == Some(0) {
        return Err(format!("the job did not end by the panic: {ended:#?}").into());
    }
    for part in ["rank two has had enough", "rank 2 panicked"] {
        if ended.stderr.matches(part).count() != 1 {
            return Err(format!("'{part}' is not said once: {ended:#?}").into());
        }
    }
    Ok(())
}

fn a_hang_fails() -> Result<(), Failed> {
    let job = launch(2, "failures::hangs", Duration::from_secs(6));
    match job.verdict() {
        Err(why) if why.contains("killed after") && job.ended.took < Duration::from_secs(120) => {
            Ok(())
        }
        other => Err(format!("a hang was judged {other:?} after {:?}", job.ended.took).into()),
    }
}

fn a_silent_rank_fails() -> Result<(), Failed> {
    // What happens to the others differs between libraries: they end, hang or are killed.
    let job = launch(2, "failures::leaves_silently", Duration::from_secs(10));
    match job.verdict() {
        Err(_) => Ok(()),
        Ok(()) => Err("a rank left without a report, and the case passed".into()),
    }
}

/// `MPI_Win_free`, `MPI_Comm_free` and `MPI_Finalize` are collective: in a `Drop` they would hang a
/// job whose ranks do not all get there.
fn nothing_communicates_when_dropped() -> Result<(), Failed> {
    let drops = [
        std::mem::needs_drop::<Window<'_>>(),
        std::mem::needs_drop::<Comm<'_>>(),
        std::mem::needs_drop::<Mpi>(),
    ];
    if drops.contains(&true) {
        Err("something has a Drop".into())
    } else {
        Ok(())
    }
}
