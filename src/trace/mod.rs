//! Traces: what each rank did, from when to when, as files that survive the job.
//!
//! A run's folder holds [`RUN_FILE`] for the run and one file of fixed-size records a rank. Records
//! are complete events of `tracing` (target [`TARGET`]), which [`RecordLayer`] takes into a
//! memory-mapped file: no lock, allocation or system call a record, and what was recorded is in the
//! file whatever becomes of the process. On file systems that cannot map files a thread copies records to
//! the file every [`WRITE_OUT_EVERY`].
//!
//! Reading needs no MPI: [`Trace::open`], then [`Trace::records`] for each rank.
//!
//! | module | what it is |
//! |---|---|
//! | `record`, `file` | the bytes of a record, and of the file's header |
//! | `run` | `run.json` |
//! | `progress` | who let one-sided operations through while the home rank was away |
//! | `clock` | which ranks share a clock, and the offsets of the others; `synchronise` measures them |
//! | `reader` | records as a stream, and why it ends |
//! | `bounds` | what a record of a run can be |
//! | `whole` | files that are there when they are whole |
//! | `recorder`, `layer`, `event` | recording (with the feature `mpi`) |

mod bounds;
mod clock;
#[cfg(feature = "mpi")]
mod event;
mod file;
#[cfg(feature = "mpi")]
mod layer;
mod progress;
mod reader;
mod record;
#[cfg(feature = "mpi")]
mod recorder;
mod run;
#[cfg(feature = "mpi")]
mod synchronise;
mod whole;

pub use clock::{Clock, Clocks, Moment, Offset, Reading};
#[cfg(feature = "mpi")]
pub use event::{now_ns, record};
pub use file::{HEADER_BYTES, Header, WRITE_OUT_EVERY, file_name, is_own_file_name};
#[cfg(feature = "mpi")]
pub use layer::RecordLayer;
pub use progress::{ProgressInfo, ProgressTrial};
pub use reader::{End, Records, Trace};
pub use record::{Kind, MAX_TIME_NS, Outcome, RECORD_BYTES, Record};
#[cfg(feature = "mpi")]
pub use recorder::Recorder;
pub(crate) use run::check_format;
pub(crate) use run::read_from_up_to;
#[cfg(test)]
pub(crate) use run::tests::run as run_of_ranks;
pub use run::{RUN_FILE, RUN_FORMAT, ResumedGame, RunInfo, TracerCost, Version};
pub use run::{read_up_to, text_of};
#[cfg(feature = "mpi")]
pub use synchronise::Synchroniser;
pub use whole::{WholeFile, is_part_name};
