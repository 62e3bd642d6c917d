//! One thing that a probe found out.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::verdict::ClaimMethod;

/// How bad a finding is, from harmless to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    Ok,
    /// Worth knowing.
    Note,
    /// Could not be found out.
    Unknown,
    /// Right, and much slower than it need be.
    Slow,
    /// Nothing moves while the target is outside MPI.
    StandsStill,
    /// The library returned an error.
    Refused,
    /// It had not ended at its deadline.
    Hung,
    /// A process ended before its time.
    Crashed,
    Wrong,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Severity::Ok => "ok",
            Severity::Note => "note",
            Severity::Unknown => "unknown",
            Severity::Slow => "slow",
            Severity::StandsStill => "stands still",
            Severity::Refused => "refused",
            Severity::Hung => "HUNG",
            Severity::Crashed => "CRASHED",
            Severity::Wrong => "WRONG",
        })
    }
}

/// What helps against a finding: an exact flag or an environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remedy {
    /// `VARIABLE=value` (several parted by blanks), or flags of `onesided`.
    pub setting: String,
    /// What it costs, or where it applies; may be empty.
    pub note: String,
    /// Whether this run of the doctor applied it and saw it work; `None` where it was not tried.
    pub seen_to_work: Option<bool>,
}

/// One thing that a probe found out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub probe: String,
    /// What it is about, in a few words.
    pub subject: String,
    pub severity: Severity,
    /// What was found, in a sentence with its numbers.
    pub detail: String,
    pub remedy: Option<Remedy>,
    pub measured: Option<Measured>,
}

impl Finding {
    /// A finding without remedy or numbers.
    pub fn new(
        probe: impl Into<String>,
        subject: impl Into<String>,
        severity: Severity,
        detail: impl Into<String>,
    ) -> Self {
        Finding {
            probe: probe.into(),
            subject: subject.into(),
            severity,
            detail: detail.into(),
            remedy: None,
            measured: None,
        }
    }

    /// The same with its numbers.
    pub fn with(self, measured: Measured) -> Self {
        Finding {
            measured: Some(measured),
            ..self
        }
    }
}

/// How a window's memory came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WindowKind {
    /// `MPI_Win_allocate`: what claims use.
    Allocated,
    /// `MPI_Win_create`.
    Created,
    /// `MPI_Win_allocate_shared`, on each node one.
    Shared,
}

impl WindowKind {
    /// As in "an allocated window".
    pub fn name(self) -> &'static str {
        match self {
            WindowKind::Allocated => "allocated",
            WindowKind::Created => "created",
            WindowKind::Shared => "shared",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Atomic {
    /// `MPI_Fetch_and_op`.
    FetchAndOp,
    /// `MPI_Compare_and_swap`.
    CompareAndSwap,
}

impl Atomic {
    /// As it is called on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Atomic::FetchAndOp => "fetch-and-op",
            Atomic::CompareAndSwap => "compare-and-swap",
        }
    }
}

/// Which ranks operate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origins {
    /// The home rank alone, on its own memory.
    Home,
    /// All but the home rank.
    Others,
    /// All at once.
    All,
}

impl Origins {
    pub fn name(self) -> &'static str {
        match self {
            Origins::Home => "home alone",
            Origins::Others => "other ranks",
            Origins::All => "all ranks",
        }
    }
}

/// Some ranks drew tickets from one word as fast as they could.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    pub origins: Origins,
    pub ranks: u32,
    pub tickets: u64,
    /// Tickets that somebody else had drawn before.
    pub drawn_twice: u64,
    /// Tickets below the highest that nobody drew.
    pub missing: u64,
}

impl Phase {
    /// Whether each ticket was drawn exactly once.
    pub fn is_right(&self) -> bool {
        self.drawn_twice == 0 && self.missing == 0
    }
}

/// Where the origin of an operation is, seen from the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// It is the target.
    Home,
    /// On the target's node.
    SameNode,
    OtherNode,
}

impl Place {
    pub fn name(self) -> &'static str {
        match self {
            Place::Home => "home itself",
            Place::SameNode => "same node",
            Place::OtherNode => "other node",
        }
    }
}

/// What the target does meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Away {
    /// It sleeps, and its core is free.
    Asleep,
    /// It computes, and its core is busy.
    Computing,
    /// It is not away: it does what the others do.
    Claiming,
}

impl Away {
    /// As in "while the target sleeps".
    pub fn verb(self) -> &'static str {
        match self {
            Away::Asleep => "sleeps",
            Away::Computing => "computes",
            Away::Claiming => "claims too",
        }
    }
}

/// Who lets claims through while the home rank is outside MPI: the choices of `--progress` but `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// The library alone.
    None,
    /// The home rank's own thread, which enters MPI now and then.
    Poll,
    /// A helper thread on the home rank.
    Thread,
}

impl Policy {
    /// As it is called on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Policy::None => "none",
            Policy::Poll => "poll",
            Policy::Thread => "thread",
        }
    }
}

/// How long operations took, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Latencies {
    pub operations: u64,
    /// Half of them took no longer.
    pub median_ns: u64,
    /// 90 % of them took no longer.
    pub p90_ns: u64,
    /// 99 % of them took no longer.
    pub p99_ns: u64,
    pub longest_ns: u64,
}

impl Latencies {
    /// Of a sample; all zero where it is empty.
    pub fn of(mut sample_ns: Vec<u64>) -> Self {
        sample_ns.sort_unstable();
        let n = sample_ns.len();
        // Nearest rank: the smallest value that at least so many percent do not exceed.
        let percentile = |percent: usize| {
            let index = (n * percent).div_ceil(100).saturating_sub(1);
            sample_ns.get(index).copied().unwrap_or(0)
        };
        Latencies {
            operations: n as u64,
            median_ns: percentile(50),
            p90_ns: percentile(90),
            p99_ns: percentile(99),
            longest_ns: percentile(100),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Its name, as MPI tells it.
    pub name: String,
    pub ranks: u32,
    /// How many cores they may use together: their affinity, and the limit of their control group.
    pub cores: u32,
}

/// The numbers of a finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "kebab-case",
    rename_all_fields = "snake_case"
)]
#[allow(missing_docs, reason = "the schema describes the fields")]
pub enum Measured {
    /// Who takes part.
    Job {
        ranks: u32,
        hosts: Vec<Host>,
    },
    Library {
        name: String,
        text: String,
    },
    /// How ranks reach each other, as far as it can be known.
    Transport {
        variables: BTreeMap<String, String>,
        device: Option<String>,
        components: Vec<String>,
        rdma_devices: Vec<String>,
    },
    ThreadLevel {
        asked: String,
        given: String,
        windows_work: Option<bool>,
    },
    MemoryModel {
        window: WindowKind,
        model: Option<String>,
    },
    /// An atomic under contention.
    Atomic {
        operation: Atomic,
        bits: u32,
        window: WindowKind,
        phases: Vec<Phase>,
    },
    /// How long a fetch-and-op takes while the target waits in MPI.
    Latency {
        place: Place,
        latency: Latencies,
    },
    /// Whether operations end while the target is outside MPI.
    Progress {
        window: WindowKind,
        away: Away,
        place: Place,
        away_ns: u64,
        latency: Latencies,
    },
    /// Claims of the other ranks while the home rank is outside MPI.
    Claims {
        claim_with: ClaimMethod,
        policy: Policy,
        away: Away,
        away_ns: u64,
        items: u64,
        each_once: bool,
        stalled: bool,
        latency: Latencies,
        home_cpu_ns: u64,
    },
    /// Another host's clock against rank 0's.
    Clock {
        host: String,
        offset_ns: i64,
        error_ns: u64,
    },
    /// What waiting in MPI costs.
    Waiting {
        oversubscribed: bool,
        barrier: Latencies,
        cpu_share: f64,
    },
    /// A known fault of this library.
    Fault {
        name: String,
        seen: Option<bool>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_of_the_sample() {
        let latencies = Latencies::of((1..=1000).rev().collect());
        let Latencies {
            operations,
            median_ns,
            p90_ns,
            p99_ns,
            longest_ns,
        } = latencies;
        assert_eq!(
            [operations, median_ns, p90_ns, p99_ns, longest_ns],
            [1000, 500, 900, 990, 1000]
        );
        assert_eq!(Latencies::of(vec![7]).median_ns, 7);
        assert_eq!(Latencies::of(vec![]), Latencies::default());
    }
}
