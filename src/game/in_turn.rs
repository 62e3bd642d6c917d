//! What the one-sided referees share: tables that are played on in turn, and thinking beside an engine.

use std::time::Duration;

use super::{Result, ThinkBy};
use crate::claim::Account;
use crate::pulse::{Call, within};
use crate::rma::{Comm, ProgressEngine, Rank};

/// Two tables, boards or tickets, that games are played on in turn.
///
/// When a game begins, all ranks have left the one before (there was a barrier), so its table is at rest:
/// the home rank accounts for it and clears it, and the barrier before the next game but this makes that
/// known to all. So a game needs no collective of its own beyond the one barrier that starts it.
#[derive(Debug)]
pub(super) struct InTurn<T> {
    both: [T; 2],
    is_home: bool,
    game: Option<u64>,
    accounts: Vec<Account>,
}

impl<T> InTurn<T> {
    /// Both lie on rank `home`.
    pub(super) fn on(comm: &Comm<'_>, home: Rank, both: [T; 2]) -> Self {
        InTurn {
            both,
            is_home: comm.rank() == home,
            game: None,
            accounts: Vec::new(),
        }
    }

    pub(super) fn both(&self) -> &[T; 2] {
        &self.both
    }

    pub(super) fn into_both(self) -> [T; 2] {
        self.both
    }

    /// That of the game being played.
    #[inline(always)]
    pub(super) fn now(&self) -> &T {
        &self.both[self.side()]
    }

    #[inline(always)]
    pub(super) fn now_mut(&mut self) -> &mut T {
        &mut self.both[self.side()]
    }

    #[inline(always)]
    fn side(&self) -> usize {
        (self.game.unwrap_or(0) % 2) as usize
    }

    /// The game being played, or the last one, until it is accounted for.
    pub(super) fn game(&self) -> Option<u64> {
        self.game
    }

    /// That of game `game`, which is not begun.
    pub(super) fn of_mut(&mut self, game: u64) -> &mut T {
        &mut self.both[(game % 2) as usize]
    }

    pub(super) fn is_home(&self) -> bool {
        self.is_home
    }

    /// Plays game `game` from now on; the one before was [settled](InTurn::settle).
    pub(super) fn begin(&mut self, game: u64) {
        self.game = Some(game);
    }

    /// Accounts for the table of the last game, which is at rest: `account_and_clear` on its home rank,
    /// then `forget` on every rank.
    pub(super) fn settle(
        &mut self,
        account_and_clear: impl FnOnce(&mut T) -> Result<Account>,
        forget: impl FnOnce(&mut T),
    ) -> Result<()> {
        if self.game.is_none() {
            return Ok(());
        }
        if self.is_home {
            let _within = within(Call::Board, None);
            let account = account_and_clear(self.now_mut())?;
            self.accounts.push(account);
        }
        forget(self.now_mut());
        Ok(())
    }

    /// The accounts of the games since the last call, on the home rank, the last of which was
    /// [settled](InTurn::settle).
    pub(super) fn take_accounts(&mut self) -> Vec<Account> {
        self.game = None; // settled: the next game must not do it again
        std::mem::take(&mut self.accounts)
    }
}

/// Thinks while `engine` keeps operations on this rank moving.
#[inline]
pub(super) fn think_beside(
    engine: &ProgressEngine<'_>,
    by: ThinkBy,
    duration: Duration,
) -> Result<()> {
    match engine.visit_interval() {
        Some(interval) => by.spend_and_visit(duration, interval, || engine.visit())?,
        None => engine.outside_mpi(|| by.spend(duration))?,
    }
    Ok(())
}
