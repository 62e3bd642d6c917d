//! Progress: who gets other ranks' operations done while the home rank is outside MPI.
//!
//! One-sided is a promise that most transports keep only while the target is inside MPI: over TCP, no
//! library measured completes an operation while the home rank computes or sleeps (MPI-4.1 §12.7.3
//! asks for no more than that it completes once the target calls MPI again). So somebody has to enter
//! MPI on the home rank meanwhile: its own thread, now and then ([`Progress::Poll`]), or a helper thread
//! ([`Progress::Thread`]). MPI tells nobody whether that is needed; [`Progress::Auto`] tries.

mod engine;
mod helper;
mod probe;

pub(super) use engine::enter_mpi;
pub use engine::{Found, Means, ProgressEngine, Trial};

use std::time::Duration;

/// How long the home rank stays away from MPI at most, by polling or by its helper's sleep: about
/// this, since a sleep of 50 us takes 105 us on Linux unless its timer slack is reduced.
pub const DEFAULT_INTERVAL: Duration = Duration::from_micros(50);

/// What to do about progress on the home rank. The same on all ranks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Progress {
    /// Nothing: what the library does by itself is what there is.
    #[default]
    None,
    /// The home rank's own thread enters MPI at a bounded interval while it works. It has to say so:
    /// [`ProgressEngine::visit`] in its loop.
    Poll,
    /// A helper thread on the home rank enters MPI at a bounded interval.
    ///
    /// Under `MPI_THREAD_MULTIPLE` it does so all the time. Under `MPI_THREAD_SERIALIZED` it does so
    /// while the rank's own thread is away and says so ([`ProgressEngine::outside_mpi`]); with less, it
    /// is refused.
    Thread,
    /// Tries what the library does by itself, and takes the first of several means that keeps
    /// operations moving while the home rank sleeps. Costs some 50 ms a means when a board is opened.
    Auto,
}
