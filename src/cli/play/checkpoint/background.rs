//! A thread that writes, so that nobody who plays waits for the disk.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::{NotWritten, Target};
use crate::game::Snapshot;

/// A thread that writes snapshots. Where one comes before the one before it was begun, that is left out.
pub(super) struct Background {
    desk: Arc<(Mutex<Desk>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Desk {
    next: Option<Snapshot>,
    is_over: bool,
}

impl Background {
    pub(super) fn start(target: Target) -> io::Result<Self> {
        let desk = Arc::<(Mutex<Desk>, Condvar)>::default();
        let shared = Arc::clone(&desk);
        let work = move || {
            let mut has_failed = false;
            while let Some(snapshot) = next(&shared) {
                let outcome = target.write(&snapshot);
                match &outcome {
                    Err(NotWritten::Taken(why)) => {
                        super::is_taken();
                        eprintln!(
                            "onesided: {why}; this job writes no checkpoint any more, and plays to its end, \
                             with exit code 1"
                        );
                        return;
                    }
                    // Once, until it goes well again.
                    Err(NotWritten::Failed(why)) if !has_failed => eprintln!(
                        "onesided: warning: {why}; what is there was written before, and the \
                         game goes on"
                    ),
                    _ => {}
                }
                has_failed = outcome.is_err();
            }
        };
        let thread = std::thread::Builder::new()
            .name("checkpoints".into())
            .spawn(work)?;
        Ok(Background {
            desk,
            thread: Some(thread),
        })
    }

    pub(super) fn write(&self, snapshot: Snapshot) {
        let (desk, bell) = &*self.desk;
        lock(desk).next = Some(snapshot);
        bell.notify_one();
    }
}

/// Waits until the last snapshot is on the disk.
impl Drop for Background {
    fn drop(&mut self) {
        let (desk, bell) = &*self.desk;
        lock(desk).is_over = true;
        bell.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // it has no way to fail but a panic, which has ended the job
        }
    }
}

/// The next snapshot to be written; `None` when there will be no more.
fn next((desk, bell): &(Mutex<Desk>, Condvar)) -> Option<Snapshot> {
    let is_idle = |desk: &mut Desk| desk.next.is_none() && !desk.is_over;
    let mut desk = bell
        .wait_while(lock(desk), is_idle)
        .unwrap_or_else(PoisonError::into_inner);
    desk.next.take()
}

fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}
