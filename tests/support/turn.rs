//! Whose turn it is to start a job: jobs mostly sleep, so a few go at once, and no more than the cores bear.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::is_campaign;

/// How many ranks may be there at once, unless one job has more.
const RANKS_AT_ONCE: u32 = 12;

/// Whose turns there are.
struct Turns {
    /// Ranks of jobs that run.
    n_ranks: u32,
    /// Turns asked for so far.
    asked: u64,
    /// Turns given so far: in the order in which they were asked for, so that large jobs have theirs.
    given: u64,
}

static TURNS: Mutex<Turns> = Mutex::new(Turns {
    n_ranks: 0,
    asked: 0,
    given: 0,
});
static CHANGED: Condvar = Condvar::new();

/// To be held while a job runs.
#[must_use]
pub struct Turn {
    n_ranks: u32,
}

impl Turn {
    /// Waits for the turn of a job of `n_ranks` ranks.
    pub fn of(n_ranks: u32) -> Turn {
        // A campaign judges times: it lets each job have the machine for itself.
        let n_ranks = match is_campaign() {
            true => RANKS_AT_ONCE,
            false => n_ranks.min(RANKS_AT_ONCE),
        };
        let mut turns = lock();
        let number = turns.asked;
        turns.asked += 1;
        let mut turns = CHANGED
            .wait_while(turns, |turns| {
                turns.given != number || turns.n_ranks + n_ranks > RANKS_AT_ONCE
            })
            .unwrap_or_else(PoisonError::into_inner);
        turns.given += 1;
        turns.n_ranks += n_ranks;
        drop(turns);
        CHANGED.notify_all();
        Turn { n_ranks }
    }

    /// Waits until no other job runs, and keeps others waiting: for what measures time, or starts jobs itself.
    pub fn alone() -> Turn {
        Turn::of(RANKS_AT_ONCE)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        lock().n_ranks -= self.n_ranks;
        CHANGED.notify_all();
    }
}

fn lock() -> MutexGuard<'static, Turns> {
    TURNS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls `case` with each of `cases` at once; those that start jobs have their turns.
pub fn all_at_once<T: Send>(cases: impl IntoIterator<Item = T>, case: impl Fn(T) + Sync) {
    let case = &case;
    std::thread::scope(|scope| {
        for each in cases {
            scope.spawn(move || case(each));
        }
    });
}
