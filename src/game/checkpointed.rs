//! A one-sided referee whose game survives the job: a ledger beside the board, and checkpoints of it.

use std::time::{Duration, Instant};

use super::in_turn::InTurn;
use super::referee::{Referee, Verdict};
use super::{Error, Guesser, Result, ThinkBy};
use crate::claim::{Account, Entering, Entry, Ledger, Memory};
use crate::interrupt;
use crate::rma::{Comm, Rank};
use crate::trace::{Kind, now_ns};

/// For how long the home rank thinks before it looks whether a checkpoint is due.
const PIECE: Duration = Duration::from_millis(20);

/// What a checkpoint keeps of a series of games.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The game that is being played, from 0; the number of games after the last.
    pub game: u64,
    /// For each digit from 1 on the rank that has scored it in that game.
    pub entries: Vec<Option<Entry>>,
}

impl Snapshot {
    /// When `n_played` games are over, and no digit of the next is scored.
    pub fn between(n_played: u64, n_digits: usize) -> Self {
        Snapshot {
            game: n_played,
            entries: vec![None; n_digits],
        }
    }
}

/// Where the home rank's snapshots go, and how often.
pub struct Saving<'a> {
    /// At most so long after the one before.
    pub every: Duration,
    /// Writes it, and had better not keep the game waiting for that. What goes wrong is for it to say.
    pub write: Box<dyn FnMut(&Snapshot) + 'a>,
}

/// Plays as its inner referee, and enters each digit that is scored in a ledger on the home rank, which writes
/// checkpoints of it while the others play on.
///
/// A digit that is claimed and not entered when the job dies is claimed anew by the next: who had won it did
/// not come to score it.
#[must_use = "closed with `close`, which is collective"]
pub struct Checkpointed<'a, R, M> {
    inner: &'a mut R,
    ledgers: InTurn<Ledger<M>>,
    /// On the home rank.
    saving: Option<Saving<'a>>,
    saved: Instant,
    /// Time of snapshots while it plays.
    saving_ns: u64,
}

impl<'a, R: Referee, M: Memory> Checkpointed<'a, R, M> {
    /// On two ledgers of as many items as there are digits, which lie on rank `home`, as does what `inner`
    /// plays on: its progress is theirs. `saving` is there on the home rank.
    pub fn on(
        comm: &Comm<'_>,
        home: Rank,
        inner: &'a mut R,
        ledgers: [Ledger<M>; 2],
        saving: Option<Saving<'a>>,
    ) -> Self {
        Checkpointed {
            inner,
            ledgers: InTurn::on(comm, home, ledgers),
            saving,
            saved: Instant::now(),
            saving_ns: 0,
        }
    }

    /// Takes over what an earlier run had scored, before the first game is played: on all ranks, and
    /// nobody plays before all have. Tells the digits that were.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<Vec<u32>> {
        let scored = (1u32..).zip(&snapshot.entries);
        let scored = scored.filter_map(|(digit, entry)| Some((digit, (*entry)?)));
        let (digits, entries): (Vec<u32>, Vec<Entry>) = scored.unzip();
        self.inner.restore(snapshot.game, &digits)?;
        if self.saving.is_some() {
            let ledger = self.ledgers.of_mut(snapshot.game);
            for (&digit, entry) in digits.iter().zip(entries) {
                ledger.restore(digit as usize - 1, entry)?;
            }
        }
        Ok(digits)
    }

    /// Closes the ledgers. Collective.
    pub fn close(self) -> Result<()> {
        let [even, odd] = self.ledgers.into_both();
        even.close()?;
        odd.close().map_err(Error::from)
    }

    /// The ledger of the game being played.
    pub(super) fn ledger(&mut self) -> &mut Ledger<M> {
        self.ledgers.now_mut()
    }

    /// Announces `digit`, and enters it in the ledger. Whether its entry counts; if not, this rank was taken
    /// for dead.
    ///
    /// # Errors
    /// What MPI returns, or [`Error::DoesNotAddUp`] where another rank has entered it.
    pub(super) fn enter(&mut self, digit: u32) -> Result<bool> {
        self.inner.announce(digit)?;
        match self.ledger().enter(digit as usize - 1)? {
            Entering::First => Ok(true),
            Entering::TakenOver => Ok(false),
            Entering::Second => Err(Error::DoesNotAddUp {
                game: self.ledgers.game().unwrap_or(0),
                what: format!("digit {digit} was won, and had been scored before"),
            }),
        }
    }

    /// Waits until the last snapshot is where it goes; there will be no more.
    pub(super) fn finish_saving(&mut self) {
        self.saving = None;
    }

    fn write(&mut self, snapshot: &Snapshot) {
        if let Some(saving) = &mut self.saving {
            (saving.write)(snapshot);
            self.saved = Instant::now();
        }
    }

    /// On the home rank, now and then.
    #[inline]
    fn save_if_due(&mut self) -> Result<()> {
        match &self.saving {
            Some(saving) if self.saved.elapsed() >= saving.every || interrupt::take_to_save() => {
                let begun_ns = now_ns();
                self.save()?;
                self.saving_ns += now_ns() - begun_ns;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn settle(&mut self) -> Result<()> {
        let account_and_clear = |ledger: &mut Ledger<M>| {
            let account = ledger.account()?;
            ledger.clear()?;
            Ok(account)
        };
        self.ledgers.settle(account_and_clear, |_| {})
    }
}

impl<R: Referee, M: Memory> Referee for Checkpointed<'_, R, M> {
    const OPERATION: Kind = R::OPERATION;

    fn begin_game(&mut self, game: u64) -> Result<()> {
        self.inner.begin_game(game)?;
        self.settle()?;
        self.ledgers.begin(game);
        self.save_if_due()
    }

    fn think(&mut self, by: ThinkBy, duration: Duration) -> Result<()> {
        if self.saving.is_none() {
            return self.inner.think(by, duration);
        }
        let start = Instant::now();
        loop {
            self.save_if_due()?;
            let left = duration.saturating_sub(start.elapsed());
            if left.is_zero() || interrupt::to_end().is_some() {
                return Ok(());
            }
            self.inner.think(by, left.min(PIECE))?;
        }
    }

    #[inline]
    fn upkeep_ns(&self) -> u64 {
        self.saving_ns
    }

    fn leaves(&mut self, asked: bool) -> bool {
        self.inner.leaves(asked)
    }

    fn restore(&mut self, game: u64, digits: &[u32]) -> Result<()> {
        self.inner.restore(game, digits)
    }

    fn save(&mut self) -> Result<()> {
        let Some(game) = self.ledgers.game().filter(|_| self.saving.is_some()) else {
            return Ok(());
        };
        let entries = self.ledgers.now().entries()?;
        self.write(&Snapshot { game, entries });
        Ok(())
    }

    fn save_between(&mut self, n_played: u64) {
        let n_digits = self.ledgers.both()[0].n_items();
        self.write(&Snapshot::between(n_played, n_digits));
    }

    fn draw(&mut self, guesser: &mut Guesser) -> Result<u32> {
        self.inner.draw(guesser)
    }

    fn is_known_claimed(&self, digit: u32) -> bool {
        self.inner.is_known_claimed(digit)
    }

    fn submit(&mut self, digit: u32) -> Result<Verdict> {
        self.save_if_due()?;
        self.inner.submit(digit)
    }

    /// Enters it in the ledger.
    fn announce(&mut self, digit: u32) -> Result<bool> {
        self.enter(digit)?; // counts: nobody takes over what is claimed here
        Ok(true)
    }

    fn evidence(&self, digit: u32) -> u64 {
        self.inner.evidence(digit)
    }

    fn all_claimed(&self) -> bool {
        self.inner.all_claimed()
    }

    fn n_operations(&self) -> u64 {
        let ledgers = self.ledgers.both().iter().map(Ledger::n_operations);
        self.inner.n_operations() + ledgers.sum::<u64>()
    }

    /// What is claimed by the inner referee's memory, and by whom, by the ledger.
    fn take_accounts(&mut self) -> Result<Vec<Account>> {
        let accounts = self.inner.take_accounts()?;
        self.settle()?;
        let ledgers = self.ledgers.take_accounts();
        let both = accounts.into_iter().zip(ledgers);
        Ok(both
            .map(|(account, ledger)| Account {
                owners: ledger.owners,
                ..account
            })
            .collect())
    }
}
