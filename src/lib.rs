//! Claiming work across MPI ranks without lockstep, and the evidence of what lockstep costs.
//!
//! Ranks of an MPI job often search together and must not repeat each other's work. Kept in step by
//! a collective, they all run at the pace of the slowest. Here they claim work instead: the claimed
//! items are bits or slots in an MPI window on one rank, and ranks claim them with one-sided atomics
//! (`MPI_Fetch_and_op`, `MPI_Compare_and_swap`; MPI-4.1 §12), passive target, with no collective
//! between the first claim and the last.
//!
//! - [`claim`]: boards of items, each claimed exactly once; the proof is beside the code.
//! - [`rma`]: the start of MPI, windows, epochs, atomics, progress, checked errors.
//! - [`checkpoint`]: files of words that are replaced as a whole, and checked when they are read. No MPI.
//!
//! The program `onesided`, which records, compares and finds out what ranks wait for, is behind the feature `cli`;
//! a search of its own needs the feature `mpi` alone.
//!
//! # Claiming
//!
#![cfg_attr(feature = "mpi", doc = "```no_run")]
#![cfg_attr(not(feature = "mpi"), doc = "```text")]
//! use onesided::claim::{BitBoard, Board, Claim};
//! use onesided::rma::{self, Comm};
//!
//! fn main() {
//!     rma::prepare().expect("MPI has not started"); // tells Open MPI what it needs to be right over TCP
//!     let universe = mpi::initialize().expect("MPI starts once"); // rsmpi, as your program has it
//!     rma::run(&universe, search); // an error or a panic of any rank is printed and ends the job
//! }
//!
//! fn search(comm: &Comm<'_>) -> rma::Result<()> {
//!     let mut board = BitBoard::open(comm, 0, 64)?; // collective: 64 items, kept on rank 0
//!     match board.claim(17)? {
//!         Claim::Won => println!("rank {} works on item 17, and nobody else does", comm.rank()),
//!         Claim::Lost { .. } => assert!(board.is_known_claimed(17)),
//!     }
//!     board.close() // collective
//! }
//! ```

// The whole crate says what has no user; a part of it lacks some users.
#![cfg_attr(
    not(all(feature = "mpi", feature = "cli")),
    allow(dead_code, unused_imports)
)]

#[warn(missing_docs, clippy::missing_errors_doc, clippy::missing_panics_doc)]
pub mod checkpoint;
#[cfg(feature = "mpi")]
#[warn(missing_docs, clippy::missing_errors_doc, clippy::missing_panics_doc)]
pub mod claim;
#[cfg(feature = "mpi")]
#[warn(missing_docs, clippy::missing_errors_doc, clippy::missing_panics_doc)]
pub mod rma;

#[cfg(feature = "mpi")]
mod pulse;

#[cfg(feature = "cli")]
mod analysis;
#[cfg(feature = "cli")]
mod batch;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "cli")]
mod diagnostics;
#[cfg(feature = "cli")]
mod doctor;
#[cfg(all(feature = "cli", feature = "mpi"))]
mod game;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod internals;
#[cfg(feature = "cli")]
mod interrupt;
#[cfg(feature = "cli")]
mod launch;
#[cfg(feature = "cli")]
mod report;
#[cfg(feature = "cli")]
mod think_time;
#[cfg(feature = "cli")]
mod trace;

/// The crate [`rand`] in the version whose generators [`UnclaimedPicker`](claim::UnclaimedPicker) takes.
#[cfg(feature = "mpi")]
pub use rand;

/// The examples of these pages compile.
#[cfg(all(doctest, feature = "mpi"))]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../docs/claims.md")]
pub struct Pages;
