//! Choices when a board is opened.

use super::known::{Remember, words_for};
use super::schedule::Schedule;
use crate::rma::{
    Allocation, Comm, Hints, Homes, Layout, Means, Progress, ProgressEngine, Result, Window,
    assert_memory_at_hand,
};

/// How a board is opened. The same on all ranks.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Info hints of the window.
    pub hints: Hints,
    /// What keeps claims moving while the home rank is outside MPI.
    ///
    /// What is done for one window on a home rank is done for all windows that lie on that rank: where a
    /// search has several there, one of them with a means of progress is enough.
    pub progress: Progress,
    /// What [`Progress::Auto`] tries, in this order, where the library alone does not do. A helper
    /// thread first unless said otherwise: it asks least of a program.
    pub means: &'static [Means],
    /// What this rank remembers of the results of its claims.
    pub remember: Remember,
    /// How large the chunks are that [`claim_next`](super::WordBoard::claim_next) and
    /// [`Tickets`](super::Tickets) hand out. Chunks are runs of neighbours, and the first ones are large:
    /// where neighbours take alike, map items through a [`Permutation`](super::Permutation).
    pub schedule: Schedule,
    /// Whether [`claim_next`](super::WordBoard::claim_next) claims blocks of 4096 items by one bit each, where
    /// none of their items was claimed before. Then a billion items are claimed in chunks by some thousand
    /// operations; and the first claim of a rank in a block that was not handed out takes an operation
    /// more. For boards of 4096 items or more that are claimed in chunks for the most part.
    pub in_blocks: bool,
    /// Whether items are completed after they were claimed, on a [`WordBoard`](super::WordBoard): 1 bit an item
    /// more. Then the board can be [saved](super::WordBoard::save). A [`SlotBoard`](super::SlotBoard) has
    /// the bit in its slots in any case.
    pub completions: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            hints: Hints::default(),
            progress: Progress::default(),
            means: &[Means::Thread, Means::Poll],
            remember: Remember::default(),
            schedule: Schedule::default(),
            in_blocks: false,
            completions: false,
        }
    }
}

impl Options {
    pub(super) fn start_engine<'mpi>(
        &self,
        comm: &Comm<'mpi>,
        homes: &impl Homes,
        read: &mut dyn FnMut() -> Result<()>,
    ) -> Result<ProgressEngine<'mpi>> {
        ProgressEngine::start(comm, homes, self.progress, self.means, read)
    }

    /// Opens the window of a board of `n_items`, if there is memory for it. Collective.
    pub(super) fn open_window<'mpi, H: Homes>(
        &self,
        comm: &Comm<'mpi>,
        homes: H,
        layout: &Layout,
        n_items: usize,
    ) -> Result<Window<'mpi, H>> {
        let window_bytes = layout.bytes_on(homes.holds(comm.rank()));
        self.assert_memory(comm, Allocation::Window, window_bytes, n_items)?;
        Window::open_on(comm, homes, layout, self.hints)
    }

    /// Whether the memory is there for a board of `n_items` of which this rank gives `window_bytes`.
    /// Collective.
    pub(super) fn assert_memory(
        &self,
        comm: &Comm<'_>,
        allocation: Allocation,
        window_bytes: u64,
        n_items: usize,
    ) -> Result<()> {
        let private_bytes = match self.remember {
            Remember::Claimed => words_for(n_items) as u64 * 8,
            Remember::Nothing => 0,
        };
        assert_memory_at_hand(comm, allocation, window_bytes, private_bytes)
    }
}
