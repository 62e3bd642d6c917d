//! A one-sided referee whose game goes on without ranks that died.

mod results;
mod silence;
mod told;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use self::silence::Silence;
use self::told::SoFar;
use super::accounting::Results;
use super::checkpointed::Checkpointed;
use super::play::Tally;
use super::referee::{Referee, Verdict};
use super::{Guesser, Result, ThinkBy};
use crate::claim::{Account, Decision, Memory, Muster};
use crate::interrupt;
use crate::pulse::{Call, within};
use crate::rma::Rank;
use crate::trace::{Kind, now_ns};

/// How often a rank gives a sign of life while it plays.
const SIGN_EVERY: Duration = Duration::from_millis(100);

/// How often a rank that has left the game looks whether the others have.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How long the home rank waits at most for others to leave when all is decided.
const TO_LEAVE: Duration = Duration::from_secs(2);

/// In which survivors of the home rank find out which of them speaks.
const TO_FIND_FIRST: Duration = Duration::from_millis(500);

/// How a rank parts from the others where some died: by itself, without any collective, `MPI_Finalize`
/// included.
#[derive(Debug)]
pub enum Parting {
    /// On the home rank: the game is over, and these are its results.
    Survived(Box<Results>),
    /// Elsewhere: the home rank has all there is to know.
    Dismissed,
    /// This rank gave no sign of life for a time, and the others have gone on without it.
    TakenForDead,
    /// The home rank gives no sign of life, and its memory has the claims: there is nothing to go on with.
    HomeDied {
        /// Whether this rank is the first of those that are left.
        is_first: bool,
    },
}

/// Plays as [`Checkpointed`], and goes on without ranks that give no sign of life for a time. What such
/// a rank had claimed and not entered in the ledger is claimed anew by the home rank.
///
/// For one game. Between its start and its end nobody waits for anybody: see [`Muster`]. That a living rank is
/// taken for dead costs it its place, and nothing else: of its entry of a digit and the home rank's, the ledger
/// counts the first.
#[must_use = "closed with `close`, which is collective"]
pub struct Survivors<'a, R, M> {
    game: Checkpointed<'a, R, M>,
    muster: Muster<M>,
    patience: Duration,
    /// Is told on the home rank whom it takes for dead.
    on_death: Box<dyn FnMut(Rank) + 'a>,
    /// Of all ranks on the home rank; elsewhere of the home rank alone.
    silence: Silence,
    dead: BTreeSet<Rank>,
    begun: Instant,
    n_operations_before: u64,
    so_far: SoFar,
    signed: Instant,
    /// Time of signs while it plays.
    signing_ns: u64,
    parting: Option<Parting>,
}

impl<'a, R: Referee, M: Memory> Survivors<'a, R, M> {
    /// `muster` lies on the home rank of `game`. A rank that gives no sign of life for `patience` is taken for
    /// dead, which `on_death` is told on the home rank.
    pub fn on(
        game: Checkpointed<'a, R, M>,
        muster: Muster<M>,
        patience: Duration,
        on_death: Box<dyn FnMut(Rank) + 'a>,
    ) -> Self {
        let n_heard = match muster.own_rank() == muster.home() {
            true => muster.n_ranks(),
            false => 1,
        };
        Survivors {
            game,
            muster,
            patience,
            on_death,
            silence: Silence::of(n_heard, 2 * SIGN_EVERY),
            dead: BTreeSet::new(),
            begun: Instant::now(),
            n_operations_before: 0,
            so_far: SoFar::default(),
            signed: Instant::now(),
            signing_ns: 0,
            parting: None,
        }
    }

    /// Closes muster and ledgers. Collective: where all are together.
    pub fn close(self) -> Result<()> {
        self.muster.close()?;
        self.game.close()
    }

    fn is_home(&self) -> bool {
        self.muster.own_rank() == self.muster.home()
    }

    /// What `look` finds on the muster.
    fn looking<T>(&self, look: impl FnOnce(&Muster<M>) -> crate::rma::Result<T>) -> Result<T> {
        let _within = within(Call::Muster, Some(self.muster.home()));
        Ok(look(&self.muster)?)
    }

    #[inline]
    fn sign_if_due(&mut self) -> Result<()> {
        if self.signed.elapsed() >= SIGN_EVERY {
            let begun_ns = now_ns();
            self.sign()?;
            self.signing_ns += now_ns() - begun_ns;
        }
        Ok(())
    }

    /// Gives a sign of life, and looks for others'.
    fn sign(&mut self) -> Result<()> {
        let _within = within(Call::Muster, Some(self.muster.home()));
        let after = self.signed.elapsed();
        self.signed = Instant::now();
        let operations = self.game.n_operations() - self.n_operations_before;
        self.muster
            .sign(&self.so_far.numbers(operations, nanoseconds(self.begun)))?;
        if !self.is_home() {
            return self.look_for_home(after);
        }
        self.silence.look(&self.muster.signs()?, after);
        for rank in self.silence.longer_than(self.patience) {
            let rank = rank as Rank;
            if rank != self.muster.home() && self.dead.insert(rank) {
                self.muster.take_for_dead(rank)?;
                (self.on_death)(rank);
            }
        }
        Ok(())
    }

    /// On another rank: that it is not taken for dead, and that the home rank lives.
    fn look_for_home(&mut self, after: Duration) -> Result<()> {
        let home = self.muster.signs_of(self.muster.home())?;
        self.silence.look(&[home], after);
        if self.muster.is_taken_for_dead()? {
            self.parting = Some(Parting::TakenForDead);
        } else if !self.silence.longer_than(self.patience).is_empty() {
            self.parting = Some(Parting::HomeDied { is_first: false });
        }
        Ok(())
    }

    /// On another rank that has left the game: whether all come together.
    fn wait_for_decision(&mut self) -> Result<bool> {
        while self.parting.is_none() {
            match self.looking(Muster::decision)? {
                Decision::Together => return Ok(true),
                Decision::Apart => {
                    self.muster.step()?;
                    self.parting = Some(Parting::Dismissed);
                }
                Decision::None => {
                    std::thread::sleep(LOOK_EVERY);
                    self.sign()?;
                }
            }
        }
        if let Some(Parting::HomeDied { .. }) = self.parting {
            let before = self.looking(Muster::signs)?;
            let start = Instant::now();
            while start.elapsed() < TO_FIND_FIRST {
                std::thread::sleep(SIGN_EVERY);
                self.sign()?;
            }
            let after = self.looking(Muster::signs)?;
            let home = self.muster.home();
            let is_lower_alive = (0..self.muster.own_rank())
                .filter(|&rank| rank != home)
                .any(|rank| before[rank as usize] != after[rank as usize]);
            self.parting = Some(Parting::HomeDied {
                is_first: !is_lower_alive,
            });
        }
        Ok(false)
    }

    /// On the home rank, when it has left the game: waits until each rank has left it too, or is dead.
    fn wait_for_all(&mut self) -> Result<()> {
        // A rank has left for sure when it was heard of since: it may have died in the act.
        let mut signs_when_left: Vec<Option<u64>> = vec![None; self.muster.n_ranks()];
        loop {
            let steps = self.looking(Muster::steps)?;
            let signs = self.looking(Muster::signs)?;
            let mut all_left = true;
            for (rank, when_left) in signs_when_left.iter_mut().enumerate() {
                if steps[rank] > 0 && when_left.is_none() {
                    *when_left = Some(signs[rank]);
                }
                let has_left = when_left.is_some_and(|when_left| signs[rank] > when_left);
                all_left &= has_left || self.dead.contains(&(rank as Rank));
            }
            if all_left {
                return Ok(());
            }
            std::thread::sleep(LOOK_EVERY);
            self.sign()?;
        }
    }

    /// On the home rank: lets the others go, and sees them off.
    fn dismiss(&mut self) -> Result<()> {
        self.muster.decide(Decision::Apart)?;
        let start = Instant::now();
        let n_others = self.muster.n_ranks() - 1 - self.dead.len();
        while start.elapsed() < TO_LEAVE {
            let steps = self.looking(Muster::steps)?;
            let has_gone = |rank: &usize| steps[*rank] > 1 && !self.dead.contains(&(*rank as Rank));
            if (0..steps.len()).filter(has_gone).count() >= n_others {
                break;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }
}

fn nanoseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

impl<R: Referee, M: Memory> Referee for Survivors<'_, R, M> {
    const OPERATION: Kind = R::OPERATION;

    fn begin_game(&mut self, game: u64) -> Result<()> {
        self.game.begin_game(game)?;
        self.n_operations_before = self.game.n_operations();
        self.begun = Instant::now();
        self.sign()
    }

    fn think(&mut self, by: ThinkBy, duration: Duration) -> Result<()> {
        let start = Instant::now();
        while self.parting.is_none() {
            self.sign_if_due()?;
            let left = duration.saturating_sub(start.elapsed());
            if left.is_zero() || interrupt::to_end().is_some() {
                break;
            }
            let until_sign = SIGN_EVERY.saturating_sub(self.signed.elapsed());
            self.game.think(by, left.min(until_sign))?;
        }
        Ok(())
    }

    fn leaves(&mut self, asked: bool) -> bool {
        self.parting.is_some() || self.game.leaves(asked)
    }

    #[inline]
    fn so_far(&mut self, tally: &Tally) -> Result<()> {
        self.so_far = SoFar::of(tally);
        self.sign_if_due()
    }

    #[inline]
    fn upkeep_ns(&self) -> u64 {
        self.signing_ns + self.game.upkeep_ns()
    }

    fn has_left(&mut self, game: u64, tally: &Tally) -> Result<bool> {
        if self.parting.is_none() {
            self.so_far = SoFar::of(tally);
            self.sign()?;
            self.muster.step()?;
        }
        if !self.is_home() {
            return self.wait_for_decision();
        }
        self.wait_for_all()?;
        if self.dead.is_empty() {
            self.muster.decide(Decision::Together)?;
            return Ok(true);
        }
        let results = self.results(game, tally)?;
        self.dismiss()?;
        match results.cut_short {
            Some(_) => self.game.save()?,
            None => self.game.save_between(game + 1),
        }
        self.game.finish_saving();
        self.parting = Some(Parting::Survived(Box::new(results)));
        Ok(false)
    }

    fn parting(&mut self) -> Option<Parting> {
        self.parting.take()
    }

    fn save(&mut self) -> Result<()> {
        self.game.save()
    }

    fn save_between(&mut self, n_played: u64) {
        self.game.save_between(n_played);
    }

    fn draw(&mut self, guesser: &mut Guesser) -> Result<u32> {
        self.game.draw(guesser)
    }

    fn is_known_claimed(&self, digit: u32) -> bool {
        self.game.is_known_claimed(digit)
    }

    fn submit(&mut self, digit: u32) -> Result<Verdict> {
        self.game.submit(digit)
    }

    /// Enters it in the ledger; where that does not count, this rank leaves.
    fn announce(&mut self, digit: u32) -> Result<bool> {
        if !self.game.enter(digit)? {
            self.parting = Some(Parting::TakenForDead);
        }
        Ok(true)
    }

    fn evidence(&self, digit: u32) -> u64 {
        self.game.evidence(digit)
    }

    fn all_claimed(&self) -> bool {
        self.game.all_claimed()
    }

    /// Signs of life are not counted: they claim nothing.
    fn n_operations(&self) -> u64 {
        self.game.n_operations()
    }

    fn take_accounts(&mut self) -> Result<Vec<Account>> {
        self.game.take_accounts()
    }
}
