//! Opening boards of bits.

use super::blocks::n_mark_words;
use super::{BitBoard, Memory, SharedBoard, SpreadBoard, WordBoard};
use crate::claim::Options;
use crate::claim::known::{place, words_for};
use crate::rma::{
    Bits, Comm, Counter, Dealt, ErrorKind, Homes, Layout, OneHome, Progress, Rank, Region, Result,
    Window, failure, library,
};

/// The counters of a board. The order is that of the ranks that hold them, where words are dealt.
pub(super) const N_FULL_WORDS: usize = 0;
pub(super) const N_CHUNKS: usize = 1;
/// Of words all of whose items are completed; only where items are.
pub(super) const N_DONE_WORDS: usize = 2;

/// What lies in a board's memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Regions {
    pub(super) words: Region<Bits>,
    pub(super) marks: Region<Bits>,
    pub(super) counters: Region<Counter>,
    /// Which items are completed; no words where items are not.
    pub(super) done: Region<Bits>,
}

impl<'mpi> BitBoard<'mpi> {
    /// Opens a board of `n_items` free items on rank `home`. Collective.
    ///
    /// # Errors
    /// As [`open_with`](BitBoard::open_with).
    pub fn open(comm: &Comm<'mpi>, home: Rank, n_items: usize) -> Result<Self> {
        Self::open_with(comm, home, n_items, &Options::default())
    }

    /// [`open`](BitBoard::open) with choices.
    ///
    /// Tries once on each rank whether bits that it sets are there afterwards: see [`ErrorKind::LostBits`].
    ///
    /// # Errors
    /// [`ErrorKind::OpenedDifferently`], [`ErrorKind::NoSuchRank`], [`ErrorKind::WindowTooLarge`] or
    /// [`ErrorKind::NotEnoughMemory`] (before anything is allocated), [`ErrorKind::LostBits`], what
    /// [`ProgressEngine::start`](crate::rma::ProgressEngine::start) returns, or what MPI returns. All ranks
    /// get an error, or none does.
    pub fn open_with(
        comm: &Comm<'mpi>,
        home: Rank,
        n_items: usize,
        options: &Options,
    ) -> Result<Self> {
        Self::open_on("BitBoard", comm, OneHome(home), n_items, options)
    }
}

impl<'mpi> SpreadBoard<'mpi> {
    /// Opens a board of `n_items` free items, whose words are dealt over all ranks. Collective.
    ///
    /// # Errors
    /// As [`open_with`](SpreadBoard::open_with).
    pub fn open(comm: &Comm<'mpi>, n_items: usize) -> Result<Self> {
        Self::open_with(comm, n_items, &Options::default())
    }

    /// [`open`](SpreadBoard::open) with choices. Each rank is home of its share, so a means of progress
    /// is at work on all.
    ///
    /// # Errors
    /// As [`BitBoard::open_with`].
    pub fn open_with(comm: &Comm<'mpi>, n_items: usize, options: &Options) -> Result<Self> {
        Self::open_on("SpreadBoard", comm, Dealt::over(comm, 0), n_items, options)
    }
}

impl<'mpi, H: Homes> WordBoard<'mpi, Window<'mpi, H>> {
    fn open_on(
        kind: &str,
        comm: &Comm<'mpi>,
        homes: H,
        n_items: usize,
        options: &Options,
    ) -> Result<Self> {
        let layout = Layout::dealt(homes.n_ranks());
        let (mut layout, regions) = lay_out(layout, n_items, options);
        let trial_words = layout.region(n_trial_words(comm, &homes));
        let opening = options.opening(kind, homes.first(), n_items);
        let window = options.open_window(&opening, comm, homes, &layout, n_items)?;
        let progress = match n_items {
            0 => Progress::None, // nothing to operate on
            _ => options.progress,
        };
        let (window, engine) = Options {
            progress,
            ..*options
        }
        .start_engine(
            comm,
            window,
            |window| try_setting_bits(comm, window, trial_words),
            |window| window.fetch_or(regions.words, 0, 0).map(drop),
        )?;
        let mut board = Self::on(window, regions, n_items, comm, options);
        board.engine = engine;
        Ok(board)
    }
}

impl<'mpi> SharedBoard<'mpi> {
    /// Opens a board of `n_items` free items on rank `home`. Collective; all ranks on one node.
    ///
    /// # Errors
    /// As [`open_with`](SharedBoard::open_with).
    pub fn open(comm: &Comm<'mpi>, home: Rank, n_items: usize) -> Result<Self> {
        Self::open_with(comm, home, n_items, &Options::default())
    }

    /// [`open`](SharedBoard::open) with choices, of which hints and progress are of no use here.
    ///
    /// # Errors
    /// [`ErrorKind::OpenedDifferently`], [`ErrorKind::NoSuchRank`], [`ErrorKind::SeveralNodes`],
    /// [`ErrorKind::WindowTooLarge`] or [`ErrorKind::NotEnoughMemory`] (before anything is allocated), or what MPI
    /// returns. All ranks get an error, or none does.
    pub fn open_with(
        comm: &Comm<'mpi>,
        home: Rank,
        n_items: usize,
        options: &Options,
    ) -> Result<Self> {
        let (layout, regions) = lay_out(Layout::new(), n_items, options);
        let opening = options.opening("SharedBoard", home, n_items);
        let window = options.open_shared(&opening, comm, home, &layout, n_items)?;
        Ok(Self::on(window, regions, n_items, comm, options))
    }
}

fn lay_out(mut layout: Layout, n_items: usize, options: &Options) -> (Layout, Regions) {
    let words = layout.region(words_for(n_items));
    let marks = layout.region(match options.in_blocks {
        true => n_mark_words(n_items),
        false => 0,
    });
    layout.on_next_cache_line(); // claims of the last words do not slow the counters
    let counters = layout.region(if options.completions { 3 } else { 2 });
    let done = layout.region(match options.completions {
        true => words_for(n_items),
        false => 0,
    });
    let regions = Regions {
        words,
        marks,
        counters,
        done,
    };
    (layout, regions)
}

/// How many words [`try_setting_bits`] takes: a bit for each rank, or a word for each that holds words.
pub(in crate::claim) fn n_trial_words(comm: &Comm<'_>, homes: &impl Homes) -> usize {
    match homes.n_ranks() {
        1 => words_for(comm.size() as usize),
        n_ranks => n_ranks,
    }
}

/// Sets bits from each rank, and reads them back, so that a library that loses bits is found before it
/// matters. Open MPI 5.0.11 does over TCP: the code on the target was compiled wrongly. Collective; every error is
/// on all ranks.
pub(in crate::claim) fn try_setting_bits<H: Homes>(
    comm: &Comm<'_>,
    window: &Window<'_, H>,
    trial_words: Region<Bits>,
) -> Result<()> {
    let (rank, n_ranks) = (comm.rank() as usize, comm.size() as usize);
    let trials = if window.homes().n_ranks() == 1 {
        let (index, bit) = place(rank);
        [(index, bit); 2]
    } else {
        // On the next rank and on one that is far, one of which is on another node if there are several.
        [
            ((rank + 1) % n_ranks, 1),
            ((rank + n_ranks / 2) % n_ranks, 2),
        ]
    };
    let own = trials.into_iter().try_fold(false, |is_lost, (index, bit)| {
        window.fetch_or(trial_words, index, bit)?;
        Ok(is_lost | (window.fetch_or(trial_words, index, 0)? & bit == 0))
    });
    // A bit for each rank that has lost any, and a word for those whose calls have failed.
    let n_words = words_for(n_ranks);
    let mut lost = vec![0; n_words + 1];
    match own {
        Ok(false) => {}
        Ok(true) => lost[place(rank).0] = place(rank).1,
        Err(_) => lost[n_words] = 1,
    }
    let mut all_lost = vec![0; lost.len()];
    comm.allreduce_or(&lost, &mut all_lost)?;
    if all_lost[n_words] != 0 {
        return Err(failure(comm, own.err())?);
    }
    let first = (0..comm.size()).find(|&rank| {
        let (index, bit) = place(rank as usize);
        all_lost[index] & bit != 0
    });
    match first {
        None => Ok(()),
        Some(rank) => Err(ErrorKind::LostBits {
            library: library()?.to_string(),
            rank,
        }
        .into()),
    }
}

impl<M: Memory> WordBoard<'_, M> {
    /// The rank whose memory holds the bit of `item`.
    ///
    /// # Panics
    /// If there is no such item.
    pub fn rank_of(&self, item: usize) -> Rank {
        crate::claim::known::assert_item(item, self.n_items);
        self.memory.rank_of(place(item).0)
    }
}
