//! A board that is claimed within a node first: only the node's winner asks the home rank.

#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod model;
mod numbers;
mod protocol;

use super::known::{assert_item, assert_items, words_for};
use super::word_board::{n_trial_words, try_setting_bits};
use super::{Account, Board, Claim, Options, in_pipelines};
use crate::rma::{
    Allocation, Bits, Comm, Counter, Error, Layout, OneHome, Progress, ProgressEngine, Rank,
    Region, Result, SharedWindow, Window, agree, all_or_none, assert_agreed_memory, checked_size,
    node_of,
};
use protocol::{Attempt, End, HomeMemory, Next, NodeMemory, Shape};

/// Items as bits in 64-bit words twice: on the home rank, where claims are won, and in memory that the
/// ranks of a node share, where most of them are lost. Of the ranks of a node one at most asks the home
/// rank for an item, and what it is shown all of them know: steps T1 to T7 of `src/claim/README.md`.
///
/// The two memories are apart, and no word ever sees both MPI's atomics and the CPU's: words on the home
/// rank see `MPI_Fetch_and_op` alone, also by the ranks of its own node.
///
/// What [`is_known_claimed`](Board::is_known_claimed) and
/// [`all_known_claimed`](Board::all_known_claimed) say is the node's knowledge, and it is that items are
/// *taken*: claimed, or being claimed at this moment by another rank of this node, whose claim will find
/// them claimed or win them. Either way nobody of this node can win them any more.
///
/// It has no completions and no checkpoints: a search that is to survive its job takes a
/// [`BitBoard`](super::BitBoard).
#[derive(Debug)]
#[must_use = "a board is closed with `close`, which is collective"]
pub struct TwoTierBoard<'mpi> {
    home: HomeWords<'mpi>,
    node: NodeWords<'mpi>,
    engine: ProgressEngine<'mpi>,
    shape: Shape,
    is_home: bool,
    /// How many claims were lost on the node since the home rank was in MPI; counted there alone.
    n_outside_mpi: u32,
    /// Whether this is the lowest rank of its node, which clears the node's words.
    leads_node: bool,
    /// What the home rank's word showed in the last claim, 0 if that was lost on the node.
    shown: u64,
    /// Likewise in the last look.
    looked: u64,
    /// Where the next look begins.
    next_look: usize,
    n_operations: u64,
    n_node_operations: u64,
}

#[derive(Debug)]
struct HomeWords<'mpi> {
    window: Window<'mpi>,
    words: Region<Bits>,
    n_full_words: Region<Counter>,
}

impl HomeMemory for HomeWords<'_> {
    type Error = Error;

    #[inline(always)]
    fn fetch_or(&self, index: usize, bits: u64) -> Result<u64> {
        self.window.fetch_or(self.words, index, bits)
    }

    #[inline(always)]
    fn add_full_words(&self, addend: u64) -> Result<u64> {
        self.window.fetch_add(self.n_full_words, 0, addend)
    }
}

#[derive(Debug)]
struct NodeWords<'mpi> {
    window: SharedWindow<'mpi>,
    words: Region<Bits>,
    n_full_words: Region<Counter>,
}

impl NodeMemory for NodeWords<'_> {
    #[inline(always)]
    fn load(&self, index: usize) -> u64 {
        self.window.load(self.words, index)
    }

    #[inline(always)]
    fn fetch_or(&self, index: usize, bits: u64) -> u64 {
        self.window.fetch_or(self.words, index, bits)
    }

    #[inline(always)]
    fn n_full_words(&self) -> u64 {
        self.window.load(self.n_full_words, 0)
    }

    #[inline(always)]
    fn add_full_words(&self, addend: u64) -> u64 {
        self.window.fetch_add(self.n_full_words, 0, addend)
    }
}

/// Words, and on a cache line of its own the counter of those that are full, where there are several. It is
/// read far more often than it is written.
fn lay_out(n_items: usize) -> (Layout, Region<Bits>, Region<Counter>) {
    let mut layout = Layout::new();
    let words = layout.region(words_for(n_items));
    layout.on_next_cache_line();
    let n_full_words = layout.region(usize::from(words.n_words() > 1));
    (layout, words, n_full_words)
}

impl<'mpi> TwoTierBoard<'mpi> {
    /// Opens a board of `n_items` free items on rank `home`, and one on each node. Collective.
    ///
    /// # Errors
    /// As [`open_with`](TwoTierBoard::open_with).
    pub fn open(comm: &Comm<'mpi>, home: Rank, n_items: usize) -> Result<Self> {
        Self::open_with(comm, home, n_items, &Options::default())
    }

    /// [`open`](TwoTierBoard::open) with choices of hints and progress.
    ///
    /// # Errors
    /// As [`BitBoard::open_with`](super::BitBoard::open_with).
    pub fn open_with(
        comm: &Comm<'mpi>,
        home: Rank,
        n_items: usize,
        options: &Options,
    ) -> Result<Self> {
        let (mut layout, words, n_full_words) = lay_out(n_items);
        let trial_words = layout.region(n_trial_words(comm, &OneHome(home)));
        let (node_layout, node_words, node_counter) = lay_out(n_items);
        let home_bytes = layout.bytes_on(comm.rank() == home);
        let bytes = |leads_node| home_bytes.saturating_add(node_layout.bytes_on(leads_node));
        let opening = options.opening("TwoTierBoard", home, n_items);
        let bound = agree(comm, &opening, bytes(true))?; // before it is known who leads a node
        checked_size(&layout, comm, home)?;
        let node = node_of(comm)?;
        let leads_node = node.rank() == 0;
        let bytes = (bytes(leads_node), 0); // no rank remembers by itself
        let windows = assert_agreed_memory(comm, Allocation::Window, bytes, bound).and_then(|()| {
            let window = Window::allocate(comm, OneHome(home), &layout, options.hints)?;
            let node_window = SharedWindow::allocate(&node, 0, &node_layout);
            match all_or_none(comm, node_window) {
                Ok(node_window) => Ok((window, node_window)),
                Err(error) => window.close().and(Err(error)),
            }
        });
        node.free()?;
        let (window, node_window) = windows?;
        let progress = match n_items {
            0 => Progress::None, // nothing to operate on
            _ => options.progress,
        };
        let started = Options {
            progress,
            ..*options
        }
        .start_engine(
            comm,
            window,
            |window| try_setting_bits(comm, window, trial_words),
            |window| window.fetch_or(words, 0, 0).map(drop),
        );
        let (window, engine) = match started {
            Ok(started) => started,
            Err(error) => return node_window.close().and(Err(error)),
        };
        Ok(TwoTierBoard {
            home: HomeWords {
                window,
                words,
                n_full_words,
            },
            node: NodeWords {
                window: node_window,
                words: node_words,
                n_full_words: node_counter,
            },
            engine,
            shape: Shape::of(n_items),
            is_home: comm.rank() == home,
            n_outside_mpi: 0,
            leads_node,
            shown: 0,
            looked: 0,
            next_look: 0,
            n_operations: 0,
            n_node_operations: 0,
        })
    }

    /// How many CPU atomics this rank has issued on its node's words for claims and looks so far; plain
    /// loads are not among them.
    pub fn n_node_operations(&self) -> u64 {
        self.n_node_operations
    }

    /// A home rank that does nothing but claim lets other ranks' claims through, as on other boards, also
    /// where all that it claims is lost on its node.
    #[inline]
    fn enter_mpi_at_times(&mut self, n_claims: u32) -> Result<()> {
        const N_CLAIMS: u32 = 64; // some 100 ns of MPI on a microsecond of claims
        self.n_outside_mpi += n_claims;
        if self.n_outside_mpi < N_CLAIMS {
            return Ok(());
        }
        self.n_outside_mpi = 0;
        self.engine.enter()
    }

    /// Goes on with an attempt to its end: at most two operations on the home rank, and four CPU
    /// atomics.
    #[inline(never)]
    fn finish(&mut self, mut attempt: Attempt) -> Result<(bool, u64)> {
        loop {
            match attempt.next {
                Next::Ended(End::LostOnNode) => return Ok((false, 0)),
                Next::Ended(End::Asked { won, shown }) => return Ok((won, shown)),
                Next::AskHome { .. } | Next::CountAtHome { .. } | Next::AskForEnd { .. } => {
                    self.n_operations += 1;
                }
                _ => self.n_node_operations += 1,
            }
            attempt = attempt.step(&self.node, &self.home)?;
        }
    }
}

impl Board for TwoTierBoard<'_> {
    fn n_items(&self) -> usize {
        self.shape.n_items()
    }

    #[inline]
    fn claim(&mut self, item: usize) -> Result<Claim> {
        assert_item(item, self.shape.n_items());
        self.home.window.assert_usable()?; // before the node takes the item
        let won;
        (won, self.shown) = match Attempt::claim(&self.shape, item, &self.node) {
            None => (false, 0),
            Some(attempt) => self.finish(attempt)?,
        };
        if self.is_home && self.shown == 0 {
            self.enter_mpi_at_times(1)?;
        }
        Ok(match won {
            true => Claim::Won,
            false => Claim::Lost { owner: None },
        })
    }

    fn claim_many(&mut self, items: &[usize], claims: &mut [Claim]) -> Result<()> {
        assert_items(items, self.shape.n_items());
        in_pipelines(items, claims, |items, claims| {
            self.claim_pipelined(items, claims)
        })
    }

    /// Reads the next word on the home rank of which this node lacks bits, and tells the node. No
    /// operation where there is none.
    fn look(&mut self) -> Result<()> {
        self.home.window.assert_usable()?;
        self.looked = 0;
        if self.all_known_claimed() {
            return Ok(());
        }
        if let Some((word, known)) = self.shape.word_to_look_at(self.next_look, &self.node) {
            self.next_look = word.index + 1;
            (_, self.looked) = self.finish(Attempt::look(word, known))?;
        }
        Ok(())
    }

    #[inline]
    fn is_known_claimed(&self, item: usize) -> bool {
        assert_item(item, self.shape.n_items());
        self.shape.has_bit(item, &self.node) || self.all_known_claimed()
    }

    #[inline]
    fn all_known_claimed(&self) -> bool {
        self.shape.all_taken(&self.node)
    }

    #[inline]
    fn evidence(&self, item: usize) -> u64 {
        assert_item(item, self.shape.n_items());
        self.shown
    }

    fn evidence_of_look(&self) -> u64 {
        match self.shape.n_words() {
            1 => self.looked,
            _ => 0,
        }
    }

    fn n_operations(&self) -> u64 {
        self.n_operations
    }

    fn account(&self) -> Result<Account> {
        let words = self.home.window.read(self.home.words)?;
        Ok(Account::of_bits(&words, self.n_items()))
    }

    fn clear(&mut self) -> Result<()> {
        self.home.window.clear()
    }

    fn forget(&mut self) {
        if self.leads_node {
            self.node.window.clear();
        }
    }

    fn engine(&self) -> &ProgressEngine<'_> {
        &self.engine
    }

    fn close(self) -> Result<()> {
        let stopped = self.engine.stop(); // before its window: its thread calls MPI
        let closed = self.home.window.close();
        self.node.window.close().and(closed).and(stopped)
    }

    fn close_boxed(self: Box<Self>) -> Result<()> {
        self.close()
    }
}
