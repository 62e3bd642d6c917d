//! What keeps operations moving on the home rank, once it is decided.

use std::ffi::c_int;
use std::marker::PhantomData;
use std::time::Duration;

use mpi::ffi;

use super::helper::Helper;
use super::probe::Probe;
use super::{DEFAULT_INTERVAL, Progress};
use crate::pulse::{Call, within};
use crate::rma::agreement::{Opening, agree, all_or_none};
use crate::rma::comm::{Comm, Rank};
use crate::rma::ending::is_running;
use crate::rma::environment::library;
use crate::rma::error::{ErrorKind, Result, check};
use crate::rma::homes::Homes;
use crate::rma::open_at_end::on_all_ranks;
use crate::rma::threads::{ThreadLevel, thread_level};

/// By what means operations on the home rank's memory make progress while that rank is outside MPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Means {
    /// The library alone.
    Library,
    /// The home rank's own thread, which enters MPI now and then.
    Poll,
    /// A helper thread on the home rank.
    Thread,
}

/// What a means did while the home rank slept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trial {
    /// The means.
    pub means: Means,
    /// How many operations of another rank ended meanwhile. Of several ranks that tried, the fewest.
    pub n_operations: u64,
    /// Half of them took no longer, in nanoseconds; of several ranks the longest.
    pub median_ns: u64,
    /// The longest.
    pub max_ns: u64,
    /// Whether an operation waited for the home rank to wake.
    pub stalled: bool,
}

/// What was found and decided. The same on all ranks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What was asked for.
    pub asked: Progress,
    /// What is done.
    pub means: Means,
    /// How long the home rank stays away from MPI at most, about; `None` where the library is alone.
    pub interval: Option<Duration>,
    /// What was tried, in this order; the last is the one decided for, unless all stalled. Empty where
    /// nothing was to be tried.
    pub trials: Vec<Trial>,
}

impl Found {
    /// Whether all that could be tried leaves operations waiting for the home rank.
    pub fn stalls(&self) -> bool {
        !self.trials.is_empty() && self.trials.iter().all(|trial| trial.stalled)
    }
}

/// Keeps other ranks' operations moving while the home rank is outside MPI. Does nothing elsewhere.
#[derive(Debug)]
pub struct ProgressEngine<'mpi> {
    found: Found,
    is_home: bool,
    helper: Option<Helper>,
    /// Whether the helper has MPI for good, because any thread may call it at any time.
    is_concurrent: bool,
    mpi: PhantomData<(&'mpi (), *const ())>,
}

impl<'mpi> ProgressEngine<'mpi> {
    /// No engine: what the library does by itself is what there is.
    pub fn none() -> Self {
        ProgressEngine {
            found: Found {
                asked: Progress::None,
                means: Means::Library,
                interval: None,
                trials: Vec::new(),
            },
            is_home: false,
            helper: None,
            is_concurrent: false,
            mpi: PhantomData,
        }
    }

    /// Decides, and starts the helper where there is to be one. Collective over `comm`, whose ranks all give the same
    /// homes, `asked` and `means`. Where several ranks are home, what is found for the first is done on all.
    ///
    /// [`Progress::Auto`] tries the library alone, then `means` in their order, as far as the lowest thread
    /// level of all ranks allows them, each for some 50 ms in which the home rank sleeps and another rank calls
    /// `operate`: an operation that changes nothing, such as an atomic read.
    ///
    /// # Errors
    /// [`ErrorKind::OpenedDifferently`], [`ErrorKind::NoSuchRank`], [`ErrorKind::ThreadLevel`] where
    /// [`Progress::Thread`] is asked for and some rank has not initialised MPI for it, all three on all ranks;
    /// [`ErrorKind::Thread`] where the system gives no thread, or what MPI returns, and then
    /// [`ErrorKind::OnOtherRank`] on the others.
    pub fn start(
        comm: &Comm<'mpi>,
        homes: &impl Homes,
        asked: Progress,
        means: &[Means],
        operate: &mut dyn FnMut() -> Result<()>,
    ) -> Result<Self> {
        let opening = Opening::of("ProgressEngine")
            .with("target", homes.first())
            .with("number of targets", homes.n_ranks())
            .with("progress", asked)
            .with("means", means);
        agree(comm, &opening, 0)?;
        on_all_ranks(comm.assert_rank(homes.first()))?;
        Self::start_agreed(comm, homes, asked, means, operate)
    }

    /// [`start`](Self::start) for ranks that have [agreed](agree) on all arguments. Collective; every error is on all
    /// ranks.
    pub(crate) fn start_agreed(
        comm: &Comm<'mpi>,
        homes: &impl Homes,
        asked: Progress,
        means: &[Means],
        operate: &mut dyn FnMut() -> Result<()>,
    ) -> Result<Self> {
        let mut engine = Self::none();
        engine.is_home = homes.holds(comm.rank());
        engine.found.asked = asked;
        match asked {
            Progress::None => {}
            Progress::Poll => engine.take(Means::Poll)?, // which cannot fail
            Progress::Thread => {
                let level = lowest_thread_level(comm)?;
                engine.take_thread(comm, level)?;
            }
            Progress::Auto => engine.choose(comm, homes.first(), means, operate)?,
        }
        Ok(engine)
    }

    /// Tries what there is, and takes the first that does not stall, or the one that stalls least. Collective; every
    /// error is on all ranks.
    fn choose(
        &mut self,
        comm: &Comm<'mpi>,
        home: Rank,
        means: &[Means],
        operate: &mut dyn FnMut() -> Result<()>,
    ) -> Result<()> {
        if comm.size() == 1 {
            return Ok(()); // nobody to wait for the home rank
        }
        let probe = Probe::new(comm, home)?;
        let level = lowest_thread_level(comm)?;
        let threads = level >= ThreadLevel::Serialized;
        let others = means.iter().copied().filter(|&m| m != Means::Library);
        let possible = others.filter(|&means| means != Means::Thread || threads);
        let mut trials: Vec<Trial> = Vec::new();
        for means in std::iter::once(Means::Library).chain(possible) {
            self.take_agreed(comm, means, level)?;
            let trial = probe.run(comm, self, operate)?;
            trials.push(trial);
            if !trial.stalled {
                break;
            }
        }
        let best = trials
            .iter()
            .min_by_key(|trial| (trial.stalled, trial.max_ns));
        if let Some(best) = best.filter(|best| best.means != self.found.means) {
            self.take_agreed(comm, best.means, level)?;
        }
        self.found.trials = trials;
        Ok(())
    }

    /// Goes over to `means` on all ranks, whose lowest thread level is `lowest`. Collective; every error is on all
    /// ranks.
    fn take_agreed(&mut self, comm: &Comm<'mpi>, means: Means, lowest: ThreadLevel) -> Result<()> {
        match means {
            Means::Thread => self.take_thread(comm, lowest),
            Means::Library | Means::Poll => all_or_none(comm, self.take(means)),
        }
    }

    /// Goes over to `means`.
    fn take(&mut self, means: Means) -> Result<()> {
        let stopped = self.stop_helper();
        self.found.means = means;
        self.found.interval = (means != Means::Library).then_some(DEFAULT_INTERVAL);
        stopped
    }

    /// Goes over to a helper thread; `lowest` is the lowest thread level of all ranks. Collective; every error is on
    /// all ranks.
    fn take_thread(&mut self, comm: &Comm<'mpi>, lowest: ThreadLevel) -> Result<()> {
        if lowest < ThreadLevel::Serialized {
            let error = ErrorKind::ThreadLevel {
                library: library()?.to_string(),
                provided: lowest.name(),
                required: ThreadLevel::Serialized.name(),
            };
            return on_all_ranks(Err(error.into()));
        }
        let started = self.take(Means::Thread).and_then(|()| self.start_helper());
        all_or_none(comm, started)
    }

    /// Starts the helper on a home rank.
    fn start_helper(&mut self) -> Result<()> {
        if !self.is_home {
            return Ok(());
        }
        // Should the engine be leaked, its helper must not outlive MPI.
        let visit = || match is_running() {
            true => enter_mpi(),
            false => ffi::MPI_SUCCESS as c_int,
        };
        let helper = Helper::start(DEFAULT_INTERVAL, visit)
            .map_err(|error| ErrorKind::Thread(error.to_string()))?;
        self.is_concurrent = thread_level()? == ThreadLevel::Multiple;
        if self.is_concurrent {
            helper.lend();
        }
        self.helper = Some(helper);
        Ok(())
    }

    /// Stops the helper where there is one, and returns what its visits to MPI returned.
    fn stop_helper(&mut self) -> Result<()> {
        let Some(helper) = self.helper.take() else {
            return Ok(());
        };
        if std::mem::take(&mut self.is_concurrent) {
            helper.take_back();
        }
        check("MPI_Iprobe", helper.stop())
    }

    /// Stops the helper where there is one. Nothing is communicated. To be called before the window is closed whose
    /// operations it keeps moving; where it is dropped instead, an error is logged.
    ///
    /// # Errors
    /// What MPI returned to the helper.
    pub fn stop(mut self) -> Result<()> {
        self.stop_helper()
    }

    /// What was found and decided.
    pub fn found(&self) -> &Found {
        &self.found
    }

    /// How often a home rank that is working should call [`visit`](Self::visit); `None` where that
    /// brings nothing: on other ranks, and by other means.
    #[inline]
    pub fn visit_interval(&self) -> Option<Duration> {
        (self.is_home && self.found.means == Means::Poll).then_some(DEFAULT_INTERVAL)
    }

    /// Enters MPI for a moment, on the home rank, if that is the means (`MPI_Iprobe`); to be called now
    /// and then in a loop that computes. Takes some 100 ns where nothing waits.
    ///
    /// # Errors
    /// What MPI returns.
    #[inline]
    pub fn visit(&self) -> Result<()> {
        match self.visit_interval() {
            Some(_) => {
                let _within = within(Call::Iprobe, None);
                check("MPI_Iprobe", enter_mpi())
            }
            None => Ok(()),
        }
    }

    /// Enters MPI for a moment (`MPI_Iprobe`), whatever the means: for an operation that has turned out to
    /// need no MPI, in a loop that others take to be in MPI all the time.
    pub(crate) fn enter(&self) -> Result<()> {
        check("MPI_Iprobe", enter_mpi())
    }

    /// Does `work`, which calls nothing of MPI, and lends MPI to the helper meanwhile where there is
    /// one. Where this thread polls, it enters MPI afterwards, as [`visit`](Self::visit) does: so work
    /// that is done in pieces, each about as long as others may wait, is right by all means.
    ///
    /// `work` must be `Send` so that nothing of this crate that calls MPI gets into it. It is for the
    /// caller that nothing else of MPI does.
    ///
    /// # Errors
    /// What MPI returned to the helper, or to the visit.
    #[inline]
    pub fn outside_mpi<T>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let Some(helper) = self.helper.as_ref().filter(|_| !self.is_concurrent) else {
            let value = work();
            self.visit()?;
            return Ok(value);
        };
        helper.lend();
        let on_panic = TakeBack(helper);
        let value = work();
        std::mem::forget(on_panic);
        let _within = within(Call::Iprobe, None); // which the helper may be in
        check("MPI_Iprobe", helper.take_back())?;
        Ok(value)
    }
}

/// Takes MPI back when `work` panics, so that what unwinds may call MPI.
struct TakeBack<'a>(&'a Helper);

impl Drop for TakeBack<'_> {
    fn drop(&mut self) {
        self.0.take_back();
    }
}

/// The helper is to call MPI no more once the engine is gone. Nothing is communicated.
impl Drop for ProgressEngine<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.stop_helper() {
            tracing::error!("the helper thread for progress: {error}");
        }
    }
}

/// The lowest thread level of all ranks, which may have initialised MPI with different ones. Collective.
fn lowest_thread_level(comm: &Comm<'_>) -> Result<ThreadLevel> {
    let levels = [
        ThreadLevel::Single,
        ThreadLevel::Funneled,
        ThreadLevel::Serialized,
        ThreadLevel::Multiple,
    ];
    let own = all_or_none(comm, thread_level())?;
    let own = levels.iter().position(|&level| level == own);
    let mut lowest = [0];
    comm.allreduce_min(&[own.unwrap_or(0) as u64], &mut lowest)?;
    Ok(levels[lowest[0] as usize])
}

/// One visit to MPI, which makes progress on everything: `MPI_Iprobe` for a message that nobody sends.
/// `MPI_Win_sync` is cheaper and brings nothing on MPICH and UCX.
pub(in crate::rma) fn enter_mpi() -> c_int {
    // SAFETY: a constant of the library, written once when `mpi-sys` is loaded.
    let code = probe(unsafe { ffi::RSMPI_ANY_SOURCE });
    if code == ffi::MPI_SUCCESS as c_int {
        return code;
    }
    // A library with fault tolerance (Open MPI 5 with ULFM) lets nobody wait for just anybody once a rank has
    // died, and makes no progress then; this rank has not died.
    let mut own_rank: c_int = 0;
    // SAFETY: as in `probe`; a live int.
    match unsafe { ffi::MPI_Comm_rank(ffi::RSMPI_COMM_WORLD, &mut own_rank) } {
        0 => probe(own_rank),
        _ => code,
    }
}

/// Looks for a message from `source` that nobody sends.
fn probe(source: c_int) -> c_int {
    /// Within the 32,767 that every library allows (MPI-4.1 §9.1.2), and used by nobody here.
    const UNUSED_TAG: c_int = 32_749;
    let mut flag: c_int = 0;
    // SAFETY: MPI is initialised for `'mpi`, which outlives the engine and its helper; the handles are
    // predefined, `flag` is live, the status is not asked for. By the thread level and the loan
    // (`helper.rs`) this thread may call MPI now.
    unsafe {
        ffi::MPI_Iprobe(
            source,
            UNUSED_TAG,
            ffi::RSMPI_COMM_WORLD,
            &mut flag,
            ffi::RSMPI_STATUS_IGNORE,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_helper_met_is_returned_when_it_is_stopped() {
        for is_concurrent in [false, true] {
            let mut engine = ProgressEngine::none();
            let helper = Helper::start(Duration::ZERO, || 7).expect("a thread");
            helper.lend();
            let start = std::time::Instant::now();
            while helper.code() == ffi::MPI_SUCCESS as c_int {
                assert!(start.elapsed() < Duration::from_secs(60));
                std::thread::yield_now();
            }
            if !is_concurrent {
                helper.take_back();
            }
            engine.helper = Some(helper);
            engine.is_concurrent = is_concurrent;
            let error = engine.stop().expect_err("a visit failed");
            assert!(
                error.to_string().starts_with("MPI_Iprobe failed"),
                "{error}"
            );
        }
    }

    #[test]
    fn all_stalls_only_where_everything_was_tried_in_vain() {
        let trial = |means, stalled| Trial {
            means,
            n_operations: 1,
            median_ns: 1,
            max_ns: 1,
            stalled,
        };
        let found = |trials| Found {
            asked: Progress::Auto,
            means: Means::Library,
            interval: None,
            trials,
        };
        assert!(!found(vec![]).stalls(), "nothing was to be tried");
        let helped = [trial(Means::Library, true), trial(Means::Poll, false)];
        assert!(!found(helped.to_vec()).stalls());
        assert!(found(vec![trial(Means::Library, true), trial(Means::Poll, true)]).stalls());
    }
}
