//! What this MPI, on these hosts, with this launcher, really does.
//!
//! Judgement is apart from measuring. [`Finding`]s are data; [`Verdict`] is a pure function of them, and
//! so is the report; both work without MPI. With the feature `mpi`:
//!
//! | module | what it does |
//! |---|---|
//! | `plan` | the probes, from safe to dangerous, each with its deadline |
//! | `probes` | measure; called by all ranks of a job, rank 0 reports |
//! | `line` | how rank 0 tells the doctor what it found: marked lines on its stdout |
//! | `runner` | starts probes as jobs of their own, so that a crash or a hang is a finding |
//! | `in_job` | the same probes within the job that the doctor was started in |
//! | `remedies` | what may help, tried before it is named |

mod document;
mod finding;
#[cfg(feature = "mpi")]
mod in_job;
#[cfg(feature = "mpi")]
mod line;
#[cfg(feature = "mpi")]
mod plan;
#[cfg(feature = "mpi")]
mod probes;
#[cfg(feature = "mpi")]
mod remedies;
#[cfg(feature = "mpi")]
mod runner;
mod verdict;

pub use document::{DOCTOR_SCHEMA, Document};
#[cfg(test)]
pub(crate) use finding::Latencies;
pub use finding::{Away, Finding, Host, Measured, Policy, Severity};
#[cfg(feature = "mpi")]
pub use in_job::{InJob, Told};
#[cfg(feature = "mpi")]
pub use plan::{Probe, plan};
#[cfg(feature = "mpi")]
pub use probes::ProbeJob;
#[cfg(feature = "mpi")]
pub use runner::{Launcher, Runner};
pub use verdict::ClaimMethod;
