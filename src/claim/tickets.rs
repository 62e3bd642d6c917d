//! Handing out items by number alone: no bits, no memory, no duplicate.

use std::ops::Range;

use super::word_board::Memory;
use super::{Chunks, Options};
use crate::rma::{
    Comm, Counter, Layout, OneHome, ProgressEngine, Rank, Region, Result, SharedWindow, Window,
};

/// [`Tickets`] from a counter in memory that all ranks of one node share, drawn by CPU atomics.
pub type SharedTickets<'mpi> = Tickets<'mpi, SharedWindow<'mpi>>;

/// Hands out the items `0..n_items`, each exactly once, in chunks of the [`Schedule`](super::Schedule) of
/// [`Options`]: self-scheduling with one `MPI_Fetch_and_op(MPI_SUM)` a chunk, and 8 bytes of memory in
/// all.
///
/// The choice for a search whose items are all to be done once, by whoever comes first. For a random
/// order, take a [`Permutation`](super::Permutation) of the items: still one operation an item, and no
/// duplicate. Which items are done cannot be asked, and none can be claimed out of turn; a
/// [`BitBoard`](super::BitBoard) can both.
#[derive(Debug)]
#[must_use = "closed with `close`, which is collective"]
pub struct Tickets<'mpi, M = Window<'mpi>> {
    memory: M,
    engine: ProgressEngine<'mpi>,
    n_drawn: Region<Counter>,
    /// What the schedule makes of a ticket's number.
    chunks: Chunks,
    all_drawn: bool,
    last_ticket: u64,
    n_operations: u64,
}

impl<'mpi> Tickets<'mpi> {
    /// A counter on rank `home`. Collective.
    ///
    /// # Errors
    /// As [`BitBoard::open_with`](super::BitBoard::open_with), but for lost bits.
    pub fn open(comm: &Comm<'mpi>, home: Rank, n_items: usize, options: &Options) -> Result<Self> {
        let mut layout = Layout::new();
        let n_drawn = layout.region(1);
        let opening = options.opening("Tickets", home, n_items);
        let window = options.open_window(&opening, comm, OneHome(home), &layout, 0)?;
        let read = |window: &Window<'mpi>| window.fetch_add(n_drawn, 0, 0).map(drop);
        let (window, engine) = options.start_engine(comm, window, |_| Ok(()), read)?;
        Ok(Self::on(window, engine, n_drawn, n_items, comm, options))
    }
}

impl<'mpi> SharedTickets<'mpi> {
    /// A counter on rank `home`, all ranks on one node. Collective.
    ///
    /// # Errors
    /// As [`SharedBoard::open_with`](super::SharedBoard::open_with).
    pub fn open_shared(
        comm: &Comm<'mpi>,
        home: Rank,
        n_items: usize,
        options: &Options,
    ) -> Result<Self> {
        let mut layout = Layout::new();
        let n_drawn = layout.region(1);
        let opening = options.opening("SharedTickets", home, n_items);
        let window = options.open_shared(&opening, comm, home, &layout, 0)?;
        let engine = ProgressEngine::none();
        Ok(Self::on(window, engine, n_drawn, n_items, comm, options))
    }
}

impl<'mpi, M: Memory> Tickets<'mpi, M> {
    fn on(
        memory: M,
        engine: ProgressEngine<'mpi>,
        n_drawn: Region<Counter>,
        n_items: usize,
        comm: &Comm<'_>,
        options: &Options,
    ) -> Self {
        let chunks = options.schedule.chunks(n_items, comm.size() as usize);
        Tickets {
            memory,
            engine,
            n_drawn,
            chunks,
            all_drawn: n_items == 0,
            last_ticket: 0,
            n_operations: 0,
        }
    }

    /// How many items there are.
    pub fn n_items(&self) -> usize {
        self.chunks.n_items()
    }

    /// The next items, which are this rank's and nobody else's; `None` once all were handed out.
    ///
    /// # Errors
    /// What MPI returns.
    #[inline]
    pub fn draw(&mut self) -> Result<Option<Range<usize>>> {
        self.n_operations += 1;
        self.last_ticket = self.memory.fetch_add(self.n_drawn, 0, 1)?;
        let items = self.chunks.at(self.last_ticket);
        self.all_drawn |= items.is_none();
        Ok(items)
    }

    /// Whether this rank has learnt that all items were handed out. Costs no operation.
    #[inline]
    pub fn all_known_drawn(&self) -> bool {
        self.all_drawn
    }

    /// The number of the last ticket, from 0: tickets are drawn in the order of their numbers.
    #[inline]
    pub fn last_ticket(&self) -> u64 {
        self.last_ticket
    }

    /// How many RMA operations this rank has issued so far.
    pub fn n_operations(&self) -> u64 {
        self.n_operations
    }

    /// The items that were handed out, all ranks together, by the home rank's memory: `0..` this. At
    /// rest only, as [`Board::account`](super::Board::account).
    ///
    /// # Errors
    /// What MPI returns.
    pub fn n_handed_out(&self) -> Result<usize> {
        let mut chunks = self.chunks.clone();
        let last = self.memory.fetch_add(self.n_drawn, 0, 0)?.checked_sub(1);
        Ok(match last {
            None => 0,
            Some(last) => chunks.at(last).map_or(self.n_items(), |chunk| chunk.end),
        })
    }

    /// Begins anew: as [`Board::clear`](super::Board::clear), at rest and by one rank, and all
    /// [`forget`](Tickets::forget) before.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn clear(&mut self) -> Result<()> {
        self.memory.clear()
    }

    /// Forgets what was drawn, for a further round.
    pub fn forget(&mut self) {
        self.all_drawn = self.n_items() == 0;
    }

    /// What keeps other ranks' draws moving while the home rank is outside MPI; see
    /// [`Board::progress`](super::Board::progress).
    pub fn engine(&self) -> &ProgressEngine<'mpi> {
        &self.engine
    }

    /// Lets other ranks through, where this rank is home: [`Board::progress`](super::Board::progress).
    ///
    /// # Errors
    /// What MPI returns.
    #[inline]
    pub fn progress(&self) -> Result<()> {
        self.engine.visit()
    }

    /// Does `work` while others are let through, where this rank is home:
    /// [`Board::outside_mpi`](super::Board::outside_mpi).
    ///
    /// # Errors
    /// What MPI returned meanwhile.
    #[inline]
    pub fn outside_mpi<T>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        self.engine.outside_mpi(work)
    }

    /// Closes it. Collective.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn close(self) -> Result<()> {
        let stopped = self.engine.stop(); // before its window: its thread calls MPI
        self.memory.close().and(stopped)
    }
}
