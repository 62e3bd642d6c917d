//! Claiming work across MPI ranks without lockstep, and the evidence of what lockstep costs.
//!
//! Ranks of an MPI job often search together and must not repeat each other's work. Kept in step by
//! a collective, they all run at the pace of the slowest. Here they claim work instead: the claimed
//! items are bits or slots in an MPI window on one rank, and ranks claim them with one-sided atomics
//! (`MPI_Fetch_and_op`, `MPI_Compare_and_swap`; MPI-4.1 §12), passive target, with no collective
//! between the first claim and the last.
//!
//! # Rooms
//!
//! - [`rma`]: windows, epochs, atomics, progress, checked errors: the one room that calls MPI.
//! - [`claim`]: boards of items, each claimed exactly once; the proof is beside the code.
//! - [`checkpoint`]: files of words that are replaced as a whole, and checked when they are read. No MPI.
//! - [`game`]: a guessing game on a board, written once, with a one-sided and a collective referee.
//! - [`interrupt`]: what signals ask of a process.
//! - [`trace`]: what each rank did, from when to when, in files that survive the job.
//! - [`diagnostics`]: which of them `RUST_LOG` asks for.
//! - [`doctor`]: what this MPI, on these hosts, with this launcher, really does.
//! - [`launch`]: starting jobs by their launcher, and ending them with all that they started.
//! - [`batch`]: many runs, one after the other, and what they say together.
//! - [`analysis`], [`report`]: what runs show, and what lockstep cost. They need no MPI: without the
//!   feature `mpi` the crate builds on a machine that has none.
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

pub mod analysis;
pub mod batch;
pub mod checkpoint;
#[cfg(feature = "mpi")]
pub mod claim;
pub mod diagnostics;
pub mod doctor;
#[cfg(feature = "mpi")]
pub mod game;
pub mod interrupt;
pub mod launch;
#[cfg(feature = "mpi")]
pub mod pulse;
pub mod report;
#[cfg(feature = "mpi")]
pub mod rma;
pub mod think_time;
pub mod trace;

/// The crate [`rand`] in the version whose generators [`UnclaimedPicker`](claim::UnclaimedPicker) takes.
#[cfg(feature = "mpi")]
pub use rand;

/// The examples of these pages compile.
#[cfg(all(doctest, feature = "mpi"))]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../docs/claims.md")]
pub struct Pages;
