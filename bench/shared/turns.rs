//! Who runs when, with nobody polling: ranks whose turn it is not sleep outside MPI.

use std::time::Duration;

use onesided::rma::{Comm, Counter, Layout, Rank, Region, SharedWindow};

const DONE: usize = 0;
const ARRIVED: usize = 1;

/// Two counters that all ranks share.
pub struct Turns<'mpi> {
    window: SharedWindow<'mpi>,
    counters: Region<Counter>,
    rank: Rank,
    n_ranks: u64,
    /// How many turns of rank 0 there were, and how many meetings.
    n_alone: u64,
    n_meetings: u64,
}

impl<'mpi> Turns<'mpi> {
    /// Collective.
    pub fn open(comm: &Comm<'mpi>) -> Self {
        let mut layout = Layout::new();
        let counters = layout.region(2);
        Turns {
            window: SharedWindow::open(comm, 0, &layout).expect("ranks of one node"),
            counters,
            rank: comm.rank(),
            n_ranks: comm.size() as u64,
            n_alone: 0,
            n_meetings: 0,
        }
    }

    /// Does `work` on rank 0, while all others sleep. All ranks call it.
    pub fn rank_0_alone<T>(&mut self, work: impl FnOnce() -> T) -> Option<T> {
        self.n_alone += 1;
        if self.rank == 0 {
            self.others_fall_asleep();
            let result = work();
            self.window.fetch_add(self.counters, DONE, 1);
            return Some(result);
        }
        while self.window.fetch_add(self.counters, DONE, 0) < self.n_alone {
            std::thread::sleep(Duration::from_millis(1));
        }
        None
    }

    /// Until all ranks are here. Those who wait yield.
    pub fn meet(&mut self) {
        self.n_meetings += 1;
        self.window.fetch_add(self.counters, ARRIVED, 1);
        while self.window.fetch_add(self.counters, ARRIVED, 0) < self.n_meetings * self.n_ranks {
            std::thread::yield_now();
        }
    }

    /// The others may still be on their way out of MPI; after this they are asleep, as good as surely.
    fn others_fall_asleep(&self) {
        std::thread::sleep(Duration::from_millis(1));
    }

    /// Collective.
    pub fn close(self) {
        self.window.close().expect("closed");
    }
}
