//! The one-sided referee: a claim board on the home rank, and no collective in the game.

use super::referee::{Referee, Verdict};
use super::{Error, Result, Thinker};
use crate::claim::{Account, Board, Claim};
use crate::rma::{Comm, ProgressEngine, Rank};
use crate::trace::Kind;

/// Decides guesses by claims on a [`Board`]: digit d is item d − 1.
///
/// Two boards are played on in turn. When a game begins, all ranks have left the one before (there
/// was a barrier), so its board is at rest: the home rank accounts for it and clears it, and the
/// barrier before the next game but this makes that known to all. So a game needs no collective of
/// its own beyond the one barrier that starts it.
#[derive(Debug)]
#[must_use = "a referee is closed with `close`, which is collective"]
pub struct OneSided<B> {
    boards: [B; 2],
    is_home: bool,
    /// Whether a guess that is known to be lost costs no operation.
    skip_known: bool,
    game: Option<u64>,
    accounts: Vec<Account>,
}

impl<B: Board> OneSided<B> {
    /// Opens both boards with `open`, such as `|comm| BitBoard::open(comm, home, n_digits)`.
    /// Collective.
    ///
    /// # Errors
    /// What `open` returns.
    pub fn open<'mpi>(
        comm: &Comm<'mpi>,
        home: Rank,
        open: impl Fn(&Comm<'mpi>) -> crate::rma::Result<B>,
    ) -> Result<Self> {
        Ok(Self::on(comm, home, [open(comm)?, open(comm)?]))
    }

    /// On two boards of the same items that lie on rank `home`. The first one's progress engine serves
    /// both: what it does on the home rank, it does for the whole process.
    pub fn on(comm: &Comm<'_>, home: Rank, boards: [B; 2]) -> Self {
        OneSided {
            boards,
            is_home: comm.rank() == home,
            skip_known: false,
            game: None,
            accounts: Vec::new(),
        }
    }

    /// From now on a guess that is known to be lost costs no operation, or does again.
    pub fn skip_known(&mut self, skip_known: bool) {
        self.skip_known = skip_known;
    }

    /// What keeps claims moving while the home rank thinks.
    pub fn engine(&self) -> &ProgressEngine<'_> {
        self.boards[0].engine()
    }

    /// Closes both boards. Collective.
    ///
    /// # Errors
    /// What MPI returns.
    pub fn close(self) -> Result<()> {
        let [even, odd] = self.boards;
        even.close()?;
        odd.close().map_err(Error::from)
    }

    #[inline(always)]
    fn board(&self) -> &B {
        &self.boards[Self::side(self.game)]
    }

    #[inline(always)]
    fn board_mut(&mut self) -> &mut B {
        &mut self.boards[Self::side(self.game)]
    }

    #[inline(always)]
    fn side(game: Option<u64>) -> usize {
        (game.unwrap_or(0) % 2) as usize
    }

    /// Accounts for the board of the last game, which is at rest, and frees it.
    fn settle(&mut self) -> Result<()> {
        if self.game.is_none() {
            return Ok(());
        }
        let is_home = self.is_home;
        let board = self.board_mut();
        let account = if is_home {
            Some(board.account()?)
        } else {
            None
        };
        if is_home {
            board.clear()?;
        }
        board.forget();
        self.accounts.extend(account);
        Ok(())
    }
}

impl<B: Board> Referee for OneSided<B> {
    const OPERATION: Kind = Kind::Claim;

    fn begin_game(&mut self, game: u64) -> Result<()> {
        self.settle()?;
        self.game = Some(game);
        Ok(())
    }

    #[inline]
    fn think(&mut self, thinker: &mut Thinker) -> Result<()> {
        let engine = self.engine();
        match engine.visit_interval() {
            Some(interval) => thinker.think_and_visit(interval, || engine.visit())?,
            None => engine.outside_mpi(|| thinker.think())?,
        }
        Ok(())
    }

    #[inline]
    fn is_known_claimed(&self, digit: u32) -> bool {
        self.board().is_known_claimed(digit as usize - 1)
    }

    #[inline]
    fn submit(&mut self, digit: u32) -> Result<Verdict> {
        if self.skip_known && (digit == 0 || self.is_known_claimed(digit)) {
            return Ok(Verdict::KnownLost);
        }
        let board = self.board_mut();
        let Some(item) = (digit as usize).checked_sub(1) else {
            board.look()?; // 0 is claimed from the start; a guess of it still shows the board
            return Ok(Verdict::Lost);
        };
        Ok(match board.claim(item)? {
            Claim::Won => Verdict::Won,
            Claim::Lost { .. } => Verdict::Lost,
        })
    }

    #[inline]
    fn evidence(&self, digit: u32) -> u64 {
        match (digit as usize).checked_sub(1) {
            Some(item) => self.board().evidence(item),
            None => self.board().evidence_of_look(),
        }
    }

    #[inline]
    fn all_claimed(&self) -> bool {
        self.board().all_known_claimed()
    }

    fn n_operations(&self) -> u64 {
        self.boards.iter().map(Board::n_operations).sum()
    }

    fn take_accounts(&mut self) -> Result<Vec<Account>> {
        self.settle()?;
        self.game = None; // settled: the next game's `begin_game` must not do it again
        Ok(std::mem::take(&mut self.accounts))
    }
}
