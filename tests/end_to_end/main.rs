//! The program as a user starts it: under the launcher, from the command line.

mod bad_input;
mod batch;
mod counted;
#[path = "../support/dice.rs"]
mod dice;
mod docs;
mod doctor;
mod experiment;
mod file_systems;
mod hangs;
mod interrupted;
mod killed;
mod launchers;
#[path = "../support/ledger.rs"]
mod ledger;
mod limits;
mod play;
#[path = "../support/processes.rs"]
mod processes;
#[path = "../support/replay.rs"]
mod replay;
mod started_apart;
mod started_wrongly;
#[path = "../support/mod.rs"]
mod support;
mod survive;
mod trace;
mod two_jobs;

use support::{Job, words};

/// The program under test.
pub const ONESIDED: &str = env!("CARGO_BIN_EXE_onesided");

/// `n_ranks` ranks of `onesided ARGS`, the arguments parted by blanks.
pub fn onesided(n_ranks: u32, args: &str) -> Job {
    Job::new(n_ranks, ONESIDED).args(words(args))
}
