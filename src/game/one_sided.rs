//! The one-sided referee: a claim board on the home rank, and no collective in the game.

use std::time::Duration;

use super::in_turn::{InTurn, think_beside};
use super::referee::{Referee, Verdict};
use super::{Error, Result, ThinkBy};
use crate::claim::{Account, Board, Claim};
use crate::rma::{Comm, ProgressEngine, Rank};
use crate::trace::Kind;

/// Decides guesses by claims on a [`Board`]: digit d is item d − 1.
///
/// Two boards are played on in turn, so that a game needs no collective of its own beyond the one barrier
/// that starts it.
#[derive(Debug)]
#[must_use = "a referee is closed with `close`, which is collective"]
pub struct OneSided<B> {
    boards: InTurn<B>,
    /// Whether a guess that is known to be lost costs no operation.
    skip_known: bool,
}

impl<B: Board> OneSided<B> {
    /// Opens both boards with `open`, such as `|comm| BitBoard::open(comm, home, n_digits)`.
    /// Collective.
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
            boards: InTurn::on(comm, home, boards),
            skip_known: false,
        }
    }

    /// From now on a guess that is known to be lost costs no operation, or does again.
    pub fn skip_known(&mut self, skip_known: bool) {
        self.skip_known = skip_known;
    }

    /// What keeps claims moving while the home rank thinks.
    pub fn engine(&self) -> &ProgressEngine<'_> {
        self.boards.both()[0].engine()
    }

    /// Closes both boards. Collective.
    pub fn close(self) -> Result<()> {
        let [even, odd] = self.boards.into_both();
        even.close()?;
        odd.close().map_err(Error::from)
    }

    /// Accounts for the board of the last game, and frees it.
    fn settle(&mut self) -> Result<()> {
        let account_and_clear = |board: &mut B| {
            let account = board.account()?;
            board.clear()?;
            Ok(account)
        };
        self.boards.settle(account_and_clear, B::forget)
    }
}

impl<B: Board> Referee for OneSided<B> {
    const OPERATION: Kind = Kind::Claim;

    /// The home rank claims them, as anybody would.
    fn restore(&mut self, game: u64, digits: &[u32]) -> Result<()> {
        if !self.boards.is_home() {
            return Ok(());
        }
        let board = self.boards.of_mut(game);
        for &digit in digits {
            if !board.claim(digit as usize - 1)?.is_won() {
                return Err(Error::DoesNotAddUp {
                    game,
                    what: format!("digit {digit} of the checkpoint is claimed on a new board"),
                });
            }
        }
        Ok(())
    }

    fn begin_game(&mut self, game: u64) -> Result<()> {
        self.settle()?;
        self.boards.begin(game);
        Ok(())
    }

    #[inline]
    fn think(&mut self, by: ThinkBy, duration: Duration) -> Result<()> {
        think_beside(self.engine(), by, duration)
    }

    #[inline]
    fn is_known_claimed(&self, digit: u32) -> bool {
        self.boards.now().is_known_claimed(digit as usize - 1)
    }

    #[inline]
    fn submit(&mut self, digit: u32) -> Result<Verdict> {
        if self.skip_known && (digit == 0 || self.is_known_claimed(digit)) {
            return Ok(Verdict::KnownLost);
        }
        let board = self.boards.now_mut();
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
            Some(item) => self.boards.now().evidence(item),
            None => self.boards.now().evidence_of_look(),
        }
    }

    #[inline]
    fn all_claimed(&self) -> bool {
        self.boards.now().all_known_claimed()
    }

    fn n_operations(&self) -> u64 {
        self.boards.both().iter().map(Board::n_operations).sum()
    }

    fn take_accounts(&mut self) -> Result<Vec<Account>> {
        self.settle()?;
        Ok(self.boards.take_accounts())
    }
}
