//! Choices when a board is opened.

use super::known::{Remember, words_for};
use super::schedule::Schedule;
use crate::rma::{
    Allocation, Comm, Hints, Homes, Layout, Means, Opening, Progress, ProgressEngine, Rank, Result,
    SharedWindow, Window, agree, assert_agreed_memory, assert_one_node, checked_size,
};

/// How a board is opened. The same on all ranks, but for [`remember`](Options::remember): opening compares them, and
/// where they differ it is an error on all ranks.
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
    /// What this rank remembers of the results of its claims. Each rank may choose for itself, since nobody else sees
    /// it.
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
    /// What is to be the same on all ranks that open a `kind` of `n_items`, from rank `target` on.
    pub(super) fn opening(&self, kind: &str, target: Rank, n_items: usize) -> Opening {
        Opening::of(kind)
            .with("target", target)
            .with("n_items", n_items)
            .with("hints", self.hints)
            .with("progress", self.progress)
            .with("means", self.means)
            .with("schedule", self.schedule)
            .with("in_blocks", self.in_blocks)
            .with("completions", self.completions)
    }

    /// Opens the window of a board, if all ranks open the same and there is memory for it, and for what this rank
    /// remembers of `n_remembered` items. Collective; every error is on all ranks.
    pub(super) fn open_window<'mpi, H: Homes>(
        &self,
        opening: &Opening,
        comm: &Comm<'mpi>,
        homes: H,
        layout: &Layout,
        n_remembered: usize,
    ) -> Result<Window<'mpi, H>> {
        let window_bytes = layout.bytes_on(homes.holds(comm.rank()));
        let bytes = (window_bytes, self.private_bytes(n_remembered));
        let bound = agree(comm, opening, bytes.0.saturating_add(bytes.1))?;
        checked_size(layout, comm, homes.first())?;
        assert_agreed_memory(comm, Allocation::Window, bytes, bound)?;
        Window::allocate(comm, homes, layout, self.hints)
    }

    /// The same in memory that all ranks of one node share.
    pub(super) fn open_shared<'mpi>(
        &self,
        opening: &Opening,
        comm: &Comm<'mpi>,
        target: Rank,
        layout: &Layout,
        n_remembered: usize,
    ) -> Result<SharedWindow<'mpi>> {
        let window_bytes = layout.bytes_on(comm.rank() == target);
        let bytes = (window_bytes, self.private_bytes(n_remembered));
        let bound = agree(comm, opening, bytes.0.saturating_add(bytes.1))?;
        checked_size(layout, comm, target)?;
        assert_one_node(comm)?;
        assert_agreed_memory(comm, Allocation::SharedWindow, bytes, bound)?;
        SharedWindow::allocate(comm, target, layout)
    }

    /// Starts what keeps operations on a window moving, after `try_it` has shown that the window is right. Where either
    /// fails, it does so on all ranks, and the window is closed. Collective.
    pub(super) fn start_engine<'mpi, H: Homes>(
        &self,
        comm: &Comm<'mpi>,
        window: Window<'mpi, H>,
        try_it: impl FnOnce(&Window<'mpi, H>) -> Result<()>,
        read: impl Fn(&Window<'mpi, H>) -> Result<()>,
    ) -> Result<(Window<'mpi, H>, ProgressEngine<'mpi>)> {
        let started = try_it(&window).and_then(|()| {
            let mut read = || read(&window);
            let homes = window.homes();
            ProgressEngine::start_agreed(comm, &homes, self.progress, self.means, &mut read)
        });
        match started {
            Ok(engine) => Ok((window, engine)),
            Err(error) => window.close().and(Err(error)),
        }
    }

    fn private_bytes(&self, n_items: usize) -> u64 {
        match self.remember {
            Remember::Claimed => words_for(n_items) as u64 * 8,
            Remember::Nothing => 0,
        }
    }
}
