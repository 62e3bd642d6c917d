//! Batches: the cross product of options of `onesided play`, each played again and again, and what all of
//! it says together. Starts other programs, and no MPI itself.
//!
//! | module | what it does |
//! |---|---|
//! | `values`, `choice` | what a plan file and flags say, each with its place |
//! | `plan`, `cell` | what that means: cells, and how each is played |
//! | `schedule` | which run comes when, under which seed |
//! | `estimate` | how long runs take |
//! | `folder`, `journal` | what has been played, so that a batch that was stopped goes on |
//! | `job` | one run |
//! | `theory` | what lockstep should cost |
//! | `slurm` | the job script that plays it on a cluster |
//! | `results`, `pair`, `bounded`, `report` | what all runs say together |

mod bounded;
mod cell;
mod choice;
mod estimate;
mod folder;
mod job;
mod journal;
mod pair;
mod plan;
mod report;
mod results;
mod schedule;
mod slurm;
#[cfg(test)]
mod tests;
mod theory;
mod values;

#[cfg(test)]
pub(crate) use cell::{OneSided, Variant};
#[cfg(test)]
pub(crate) use choice::{ClaimWith, Guess, Home, Named, Progress, Version};
pub use estimate::{Estimates, about};
pub use folder::{Folder, read_folder, run_folder};
pub use job::Jobs;
pub use journal::{Entry, Status};
pub use plan::{Plan, of_canonical};
pub use report::{html, text};
pub use results::{BATCH_SCHEMA, Results, write_results};
pub use schedule::Run;
pub use slurm::{JobScript, srun_of};
pub use values::{Bad, KEYS, Values};
