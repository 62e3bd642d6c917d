//! The helper thread, and how the rank's own thread lends it MPI.
//!
//! Under `MPI_THREAD_SERIALIZED` two threads may call MPI, one at a time. A lock around every call
//! would be paid by every claim; so instead the rank's own thread *lends* MPI while it is away, and takes
//! it back before its next call: one atomic exchange each, and none in between. That is also all that
//! worked between hosts on Open MPI 4.1.4, whose window component over TCP refuses
//! `MPI_THREAD_MULTIPLE`.
//!
//! | state | who may call MPI | left by |
//! |---|---|---|
//! | `HELD` | the rank's own thread | itself: to `LENT`, to `END` |
//! | `LENT` | nobody | either thread: to `INSIDE` (helper), to `HELD` (own) |
//! | `INSIDE` | the helper | itself, after one call: to `LENT` |
//! | `END` | the rank's own thread | – |

use std::ffi::c_int;
use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mpi::ffi;

const HELD: u8 = 0;
const LENT: u8 = 1;
const INSIDE: u8 = 2;
const END: u8 = 3;

/// After so many visits that found nothing lent, the helper sleeps until it is woken.
const IDLE_ROUNDS: u32 = 20;

/// A thread that enters MPI again and again while MPI is lent to it.
#[derive(Debug)]
pub(super) struct Helper {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

/// What both threads see.
#[derive(Debug)]
struct Desk {
    state: AtomicU8,
    /// Whether the helper sleeps until it is woken.
    is_parked: AtomicBool,
    /// What the first visit that failed returned; `MPI_SUCCESS` while all went well.
    code: AtomicI32,
}

impl Helper {
    /// Starts the thread, with MPI held by the caller. `visit` enters MPI and returns its code.
    pub(super) fn start(
        interval: Duration,
        visit: impl FnMut() -> c_int + Send + 'static,
    ) -> std::io::Result<Self> {
        let desk = Arc::new(Desk {
            state: AtomicU8::new(HELD),
            is_parked: AtomicBool::new(false),
            code: AtomicI32::new(ffi::MPI_SUCCESS as c_int),
        });
        let of_thread = Arc::clone(&desk);
        let thread = thread::Builder::new()
            .name("progress".into())
            .spawn(move || of_thread.serve(interval, visit))?;
        Ok(Helper {
            desk,
            thread: Some(thread),
        })
    }

    /// Lends MPI: until [`take_back`](Self::take_back) the caller makes no MPI call.
    #[inline]
    pub(super) fn lend(&self) {
        // SeqCst here and in `serve`: either the helper sees the loan before it parks, or this sees
        // that it is parked.
        self.desk.state.store(LENT, SeqCst);
        if self.desk.is_parked.load(SeqCst) {
            self.thread().unpark();
        }
    }

    /// Takes MPI back, and waits for the one call that the helper may be in. What the helper's visits
    /// returned, if one failed.
    #[inline]
    pub(super) fn take_back(&self) -> c_int {
        let mut n_spins = 0u32;
        while self
            .desk
            .state
            .compare_exchange_weak(LENT, HELD, Acquire, Relaxed)
            .is_err()
        {
            n_spins += 1;
            match n_spins % 256 {
                0 => thread::yield_now(), // the helper may have been put off its core
                _ => std::hint::spin_loop(),
            }
        }
        self.code()
    }

    fn thread(&self) -> &thread::Thread {
        let thread = self.thread.as_ref();
        thread.expect("there until it is dropped").thread()
    }
}

impl Helper {
    /// Ends the thread, which communicates nothing. MPI is held by the caller. What the helper's visits returned,
    /// if one failed.
    pub(super) fn stop(mut self) -> c_int {
        self.end();
        self.code()
    }

    /// What the helper's visits have returned so far, if one failed.
    pub(super) fn code(&self) -> c_int {
        self.desk.code.load(Relaxed)
    }

    fn end(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.desk.state.store(END, SeqCst);
            thread.thread().unpark();
            let _ = thread.join(); // it does not panic; if it did, the hook has ended the job
        }
    }
}

/// [`stop`](Helper::stop), for a helper whose start is undone by a panic.
impl Drop for Helper {
    fn drop(&mut self) {
        self.end();
    }
}

impl Desk {
    fn serve(&self, interval: Duration, mut visit: impl FnMut() -> c_int) {
        let mut n_idle = 0;
        loop {
            match self.state.compare_exchange(LENT, INSIDE, AcqRel, Relaxed) {
                Ok(_) => {
                    let code = visit();
                    if code != ffi::MPI_SUCCESS as c_int {
                        self.code.store(code, Relaxed);
                    }
                    self.state.store(LENT, Release);
                    n_idle = 0;
                }
                Err(END) => return,
                Err(_) => n_idle += 1,
            }
            if n_idle < IDLE_ROUNDS {
                thread::sleep(interval);
                continue;
            }
            self.is_parked.store(true, SeqCst);
            if self.state.load(SeqCst) == HELD {
                thread::park();
            }
            self.is_parked.store(false, SeqCst);
            n_idle = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;
    use std::time::Instant;

    const SUCCESS: c_int = ffi::MPI_SUCCESS as c_int;

    /// What stands for MPI here is not atomic in itself: only one thread may be in it.
    #[derive(Default)]
    struct Library {
        inside: AtomicBool,
        n_visits: AtomicU64,
    }

    impl Library {
        fn enter(&self) {
            assert!(!self.inside.swap(true, SeqCst), "two threads are in MPI");
            for _ in 0..50 {
                std::hint::spin_loop();
            }
            self.inside.store(false, SeqCst);
        }
    }

    fn helper(library: &Arc<Library>, interval: Duration) -> Helper {
        let library = Arc::clone(library);
        let visit = move || {
            library.enter();
            library.n_visits.fetch_add(1, SeqCst);
            SUCCESS
        };
        Helper::start(interval, visit).expect("a thread")
    }

    #[test]
    fn only_one_thread_is_in_mpi_at_a_time() {
        for interval in [Duration::ZERO, Duration::from_micros(20)] {
            let library = Arc::new(Library::default());
            let helper = helper(&library, interval);
            let mut seen = 0;
            let start = Instant::now();
            for round in 0..u32::MAX {
                let is_enough = round >= 20_000 && seen > 100;
                if is_enough || start.elapsed() > Duration::from_secs(60) {
                    break;
                }
                library.enter();
                helper.lend();
                if round % 64 == 0 {
                    thread::sleep(Duration::from_micros(100));
                }
                assert_eq!(helper.take_back(), SUCCESS);
                seen = seen.max(library.n_visits.load(SeqCst));
            }
            assert!(seen > 100, "the helper was in: {seen}");
            drop(helper);
            let after = library.n_visits.load(SeqCst);
            thread::sleep(Duration::from_millis(5));
            assert_eq!(library.n_visits.load(SeqCst), after, "it has ended");
        }
    }

    #[test]
    fn while_mpi_is_lent_visits_go_on_and_while_it_is_held_there_are_none() {
        let library = Arc::new(Library::default());
        let helper = helper(&library, Duration::from_micros(50));
        for _ in 0..3 {
            // Long enough for it to park.
            let before = library.n_visits.load(SeqCst);
            thread::sleep(Duration::from_millis(20));
            assert_eq!(library.n_visits.load(SeqCst), before);
            helper.lend();
            let start = Instant::now();
            while library.n_visits.load(SeqCst) < before + 10 {
                assert!(
                    start.elapsed() < Duration::from_secs(60),
                    "it does not visit"
                );
                thread::sleep(Duration::from_millis(1));
            }
            helper.take_back();
        }
    }

    #[test]
    fn a_visit_that_fails_is_told_when_mpi_is_taken_back() {
        let helper = Helper::start(Duration::ZERO, || 7).expect("a thread");
        helper.lend();
        let start = Instant::now();
        while helper.desk.code.load(SeqCst) == SUCCESS {
            assert!(start.elapsed() < Duration::from_secs(60));
            thread::yield_now();
        }
        assert_eq!(helper.take_back(), 7);
        assert_eq!(helper.stop(), 7, "and when it is stopped");
    }
}
