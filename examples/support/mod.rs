//! A stopwatch: how long a search took, and how much of that its ranks spent waiting in collectives. All
//! that the examples share, and there for the comparison with lockstep alone.

use std::fmt;
use std::time::{Duration, Instant};

use onesided::rma::{Comm, Result};

pub struct Stopwatch<'a, 'mpi> {
    comm: &'a Comm<'mpi>,
    start: Instant,
    waited: Duration,
}

/// The mean over ranks.
pub struct Took {
    pub seconds: f64,
    /// The part that was spent waiting, 0 to 1.
    pub waiting: f64,
}

impl<'a, 'mpi> Stopwatch<'a, 'mpi> {
    /// When all ranks are there. Collective.
    pub fn start(comm: &'a Comm<'mpi>) -> Result<Self> {
        comm.barrier()?;
        Ok(Stopwatch {
            comm,
            start: Instant::now(),
            waited: Duration::ZERO,
        })
    }

    /// Does what makes this rank wait for others.
    pub fn waiting<T>(&mut self, collective: impl FnOnce() -> T) -> T {
        let entered = Instant::now();
        let result = collective();
        self.waited += entered.elapsed();
        result
    }

    /// Waits until all ranks are done, which is the end. Collective.
    pub fn stop(mut self) -> Result<Took> {
        self.waiting(|| self.comm.barrier())?;
        let own = [self.start.elapsed(), self.waited].map(|time| time.as_nanos() as u64);
        let mut all = [0; 2];
        self.comm.allreduce_sum(&own, &mut all)?;
        let [took_ns, waited_ns] = all.map(|ns| ns as f64);
        Ok(Took {
            seconds: took_ns / 1e9 / f64::from(self.comm.size()),
            waiting: waited_ns / took_ns,
        })
    }
}

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, percent) = (self.seconds, 100.0 * self.waiting);
        write!(f, "{seconds:.3} s, {percent:.0} % of it waiting")
    }
}
