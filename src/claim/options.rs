//! Choices when a board is opened.

use crate::rma::{Comm, Hints, Means, Progress, ProgressEngine, Rank, Result};

/// How a board is opened. The same on all ranks.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Info hints of the window.
    pub hints: Hints,
    /// What keeps claims moving while the home rank is outside MPI.
    pub progress: Progress,
    /// What [`Progress::Auto`] tries, in this order, where the library alone does not do. A helper
    /// thread first unless said otherwise: it asks least of a program.
    pub means: &'static [Means],
}

impl Default for Options {
    fn default() -> Self {
        Options {
            hints: Hints::default(),
            progress: Progress::default(),
            means: &[Means::Thread, Means::Poll],
        }
    }
}

impl Options {
    pub(super) fn start_engine<'mpi>(
        &self,
        comm: &Comm<'mpi>,
        home: Rank,
        read: &mut dyn FnMut() -> Result<()>,
    ) -> Result<ProgressEngine<'mpi>> {
        ProgressEngine::start(comm, home, self.progress, self.means, read)
    }
}
