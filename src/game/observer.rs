//! Who sees the game as it is played.

use super::Result;
use super::play::Tally;
use crate::trace::{self, Kind, Outcome, Record};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Claim or allreduce.
    pub kind: Kind,
    pub outcome: Outcome,
    pub digit: u32,
    /// When it began ([`now_ns`](trace::now_ns)).
    pub begin_ns: u64,
    /// When it ended.
    pub end_ns: u64,
    /// What it showed: `word` of its [`Record`].
    pub word: u64,
}

/// Sees the game as it is played. Times are those of [`now_ns`](trace::now_ns).
pub trait Observer {
    /// Whether [`guessed`](Observer::guessed) and [`scored`](Observer::scored) take time of their own,
    /// so that the clock is read again after them.
    const WATCHES: bool;

    /// Whether [`operated`](Observer::operated) wants to be called.
    const RECORDS: bool;

    /// Before game `game` (0, 1, …).
    fn begins(&mut self, _game: u64) {}

    /// After the barrier that starts a game, entered at `begin_ns` and left at `end_ns`.
    fn started(&mut self, _begin_ns: u64, _end_ns: u64) {}

    /// After thinking.
    fn thought(&mut self, _begin_ns: u64, _end_ns: u64) {}

    /// Before guess number `guess` (1, 2, …) goes to the referee; `points` so far.
    fn guessed(&mut self, _digit: u32, _guess: u64, _points: u64) -> Result<()> {
        Ok(())
    }

    /// After an operation of the referee.
    fn operated(&mut self, _operation: &Operation) {}

    /// After guess number `guess` has scored.
    fn scored(&mut self, _guess: u64) -> Result<()> {
        Ok(())
    }

    /// After the game, whose last outcome was there at `begin_ns`, and which this rank left at
    /// `end_ns`.
    fn finished(&mut self, _tally: &Tally, _begin_ns: u64, _end_ns: u64) -> Result<()> {
        Ok(())
    }

    /// Instead, where this rank left the game before its end.
    fn left(&mut self, _tally: &Tally) -> Result<()> {
        Ok(())
    }
}

/// Nobody watches.
impl Observer for () {
    const WATCHES: bool = false;
    const RECORDS: bool = false;
}

/// Emits what takes time as record events of `tracing`, target [`trace::TARGET`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Recording {
    game: u32,
}

impl Recording {
    #[inline]
    fn record(&self, kind: Kind, begin_ns: u64, end_ns: u64, item: u32, word: u64) {
        trace::record(&Record {
            kind,
            outcome: Outcome::None,
            game: self.game,
            item,
            begin_ns,
            end_ns,
            word,
        });
    }
}

impl Observer for Recording {
    const WATCHES: bool = false;
    const RECORDS: bool = true;

    fn begins(&mut self, game: u64) {
        self.game = u32::try_from(game).unwrap_or(u32::MAX);
    }

    fn started(&mut self, begin_ns: u64, end_ns: u64) {
        self.record(Kind::Start, begin_ns, end_ns, 0, 0);
    }

    #[inline]
    fn thought(&mut self, begin_ns: u64, end_ns: u64) {
        self.record(Kind::Think, begin_ns, end_ns, 0, 0);
    }

    #[inline]
    fn operated(&mut self, operation: &Operation) {
        trace::record(&Record {
            kind: operation.kind,
            outcome: operation.outcome,
            game: self.game,
            item: operation.digit,
            begin_ns: operation.begin_ns,
            end_ns: operation.end_ns,
            word: operation.word,
        });
    }

    fn finished(&mut self, tally: &Tally, begin_ns: u64, end_ns: u64) -> Result<()> {
        let points = u32::try_from(tally.points()).unwrap_or(u32::MAX);
        self.record(Kind::Finish, begin_ns, end_ns, points, tally.guesses);
        Ok(())
    }
}

/// Both watch.
impl<A: Observer, B: Observer> Observer for (A, B) {
    const WATCHES: bool = A::WATCHES || B::WATCHES;
    const RECORDS: bool = A::RECORDS || B::RECORDS;

    fn begins(&mut self, game: u64) {
        self.0.begins(game);
        self.1.begins(game);
    }

    fn started(&mut self, begin_ns: u64, end_ns: u64) {
        self.0.started(begin_ns, end_ns);
        self.1.started(begin_ns, end_ns);
    }

    fn thought(&mut self, begin_ns: u64, end_ns: u64) {
        self.0.thought(begin_ns, end_ns);
        self.1.thought(begin_ns, end_ns);
    }

    fn guessed(&mut self, digit: u32, guess: u64, points: u64) -> Result<()> {
        self.0.guessed(digit, guess, points)?;
        self.1.guessed(digit, guess, points)
    }

    fn operated(&mut self, operation: &Operation) {
        self.0.operated(operation);
        self.1.operated(operation);
    }

    fn scored(&mut self, guess: u64) -> Result<()> {
        self.0.scored(guess)?;
        self.1.scored(guess)
    }

    fn finished(&mut self, tally: &Tally, begin_ns: u64, end_ns: u64) -> Result<()> {
        self.0.finished(tally, begin_ns, end_ns)?;
        self.1.finished(tally, begin_ns, end_ns)
    }

    fn left(&mut self, tally: &Tally) -> Result<()> {
        self.0.left(tally)?;
        self.1.left(tally)
    }
}
