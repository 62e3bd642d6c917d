//! Batches: the cross product of options of `onesided play`, each played again and again, and what all of
//! it says together. Starts other programs, and no MPI itself.
//!
//! | module | what it does |
//! |---|---|
//! | `values`, `choice` | what a plan file and flags say, each with its place |
//! | `plan`, `cell` | what that means: cells, and how each is played |
//! | `schedule` | which run comes when, under which seed |

mod cell;
mod choice;
mod plan;
mod schedule;
#[cfg(test)]
mod tests;
mod values;

pub use cell::{Cell, OneSided, Variant, Workload};
pub use choice::{ClaimWith, Flag, Guess, Home, Named, Progress, Stragglers, ThinkBy, Version};
pub use plan::{Plan, of_canonical};
pub use schedule::Run;
pub use values::{Bad, KEYS, Key, Values};
