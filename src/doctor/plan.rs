//! The probes, from safe to dangerous.

use std::time::Duration;

use super::finding::{Atomic, WindowKind};
use super::verdict::ClaimMethod;

/// A probe: what all ranks of a job do together to find one thing out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// Who takes part, with which library and thread level.
    Start,
    /// How ranks reach each other, as far as it can be known.
    Transport,
    /// What waiting in MPI costs.
    Waiting,
    /// Clocks of other hosts.
    Clocks,
    MemoryModel,
    /// An atomic under contention.
    Atomic(Atomic, u32, WindowKind),
    /// How long a fetch-and-op takes.
    Latency,
    /// Whether the target must be inside MPI, by what the library does by itself.
    Progress(WindowKind),
    /// Claims as the library of this crate makes them, under each progress policy.
    Claims(ClaimMethod),
    /// Windows where all threads may call MPI: in a job that asks for that.
    ThreadMultiple,
}

use Atomic::{CompareAndSwap, FetchAndOp};
use WindowKind::{Allocated, Created, Shared};

/// All probes of a job that asks for `MPI_THREAD_SERIALIZED`. Compare-and-swap is last: on libraries
/// that are in use it hangs, or ends the job.
const PLAN: [Probe; 19] = [
    Probe::Start,
    Probe::Transport,
    Probe::Waiting,
    Probe::Clocks,
    Probe::MemoryModel,
    Probe::Atomic(FetchAndOp, 64, Allocated),
    Probe::Atomic(FetchAndOp, 32, Allocated),
    Probe::Latency,
    Probe::Claims(ClaimMethod::FetchAndOp),
    Probe::Atomic(FetchAndOp, 64, Shared),
    Probe::Atomic(FetchAndOp, 32, Shared),
    Probe::Progress(Shared),
    Probe::Progress(Created),
    Probe::Claims(ClaimMethod::SharedMemory),
    Probe::Atomic(CompareAndSwap, 32, Shared),
    Probe::Atomic(CompareAndSwap, 32, Allocated),
    Probe::Claims(ClaimMethod::CompareAndSwap),
    Probe::Atomic(CompareAndSwap, 64, Shared),
    Probe::Atomic(CompareAndSwap, 64, Allocated),
];

/// How long the doctor takes unless it is told.
pub const WITHIN: Duration = Duration::from_secs(20);

/// What may take `usual` within [`WITHIN`], and longer where there is more time.
pub(super) fn at_the_pace_of(within: Duration, usual: Duration) -> Duration {
    usual.mul_f64((within.as_secs_f64() / WITHIN.as_secs_f64()).max(1.0))
}

/// All probes of a job, from safe to dangerous; `Probe::Start` is the first.
pub fn plan() -> &'static [Probe] {
    &PLAN
}

impl Probe {
    /// Its name in documents and on the command line.
    pub fn name(self) -> String {
        match self {
            Probe::Start => "start".into(),
            Probe::Transport => "transport".into(),
            Probe::Waiting => "waiting".into(),
            Probe::Clocks => "clocks".into(),
            Probe::MemoryModel => "memory-model".into(),
            Probe::Atomic(operation, bits, window) => {
                format!("{}-{bits}-{}", operation.name(), window.name())
            }
            Probe::Latency => "latency".into(),
            Probe::Progress(window) => format!("progress-{}", window.name()),
            Probe::Claims(method) => format!("claims-{}", method.name()),
            Probe::ThreadMultiple => "thread-multiple".into(),
        }
    }

    pub fn named(name: &str) -> Option<Probe> {
        let extra = [Probe::ThreadMultiple];
        let mut all = PLAN.iter().chain(&extra);
        all.find(|probe| probe.name() == name).copied()
    }

    /// What its finding is called in a report.
    pub fn subject(self) -> String {
        match self {
            Probe::Start => "job".into(),
            Probe::Transport => "transport".into(),
            Probe::Waiting => "waiting in MPI".into(),
            Probe::Clocks => "clocks".into(),
            Probe::MemoryModel => "memory model".into(),
            Probe::Atomic(operation, bits, window) => {
                format!("{} {bits}, {}", operation.name(), window.name())
            }
            Probe::Latency => "latency".into(),
            Probe::Progress(window) => format!("progress, {}", window.name()),
            Probe::Claims(method) => format!("claims by {}", method.name()),
            Probe::ThreadMultiple => "MPI_THREAD_MULTIPLE".into(),
        }
    }

    /// Whether it has been seen to crash or hang a library that is in use.
    pub fn is_dangerous(self) -> bool {
        matches!(
            self,
            Probe::Atomic(CompareAndSwap, ..) | Probe::Claims(ClaimMethod::CompareAndSwap)
        )
    }

    /// How long it may take where all may take `within`: several times as long as it takes where ranks share a
    /// core, and more where there is more time than `WITHIN`. For [`Probe::Start`] the launcher's own start
    /// counts too.
    pub fn deadline(self, within: Duration) -> Duration {
        let usual = Duration::from_millis(match self {
            Probe::Start => 9000,
            Probe::Progress(_) => 4000,
            Probe::Claims(_) => 7000,
            _ => 3000,
        });
        at_the_pace_of(within, usual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_name_their_probe() {
        for probe in plan().iter().chain(&[Probe::ThreadMultiple]) {
            assert_eq!(Probe::named(&probe.name()), Some(*probe));
        }
        assert_eq!(Probe::named("nothing"), None);
    }

    #[test]
    fn who_gives_more_time_gives_it_to_each_probe() {
        let probe = Probe::Latency;
        let usual = probe.deadline(WITHIN);
        assert_eq!(probe.deadline(WITHIN * 6), usual * 6);
        assert_eq!(probe.deadline(WITHIN / 6), usual, "and never less");
    }

    #[test]
    fn nothing_safe_comes_after_something_dangerous() {
        let first = plan().iter().position(|probe| probe.is_dangerous());
        let first = first.expect("some are");
        assert!(plan()[first..].iter().all(|probe| probe.is_dangerous()));
    }
}
