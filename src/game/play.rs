//! The game, written once.

use std::time::{Duration, Instant};

use super::referee::{Referee, Verdict};
use super::{Guesser, Result, Thinker};

/// What one rank did in one game.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// How often it guessed.
    pub guesses: u64,
    /// The digits that it scored, in order; as many as its points.
    pub won: Vec<u32>,
    /// Time thinking.
    pub think_ns: u64,
    /// MPI operations of the referee: RMA operations, or allreduces.
    pub operations: u64,
    /// Time in those operations, waiting included.
    pub operation_ns: u64,
    /// From the start of the game on this rank to its end on this rank.
    pub play_ns: u64,
    /// From the start of the game on this rank to its last score; 0 without one.
    pub last_win_ns: u64,
}

impl Tally {
    /// Points scored.
    pub fn points(&self) -> u64 {
        self.won.len() as u64
    }
}

/// Sees the game as it is played.
pub trait Observer {
    /// Whether anything happens in the others. A constant, so that a game that nobody watches does
    /// not even read the clock for it.
    const WATCHES: bool;

    /// Before guess number `guess` (1, 2, …) goes to the referee; `points` so far.
    ///
    /// # Errors
    /// Whatever ends the game.
    fn guessed(&mut self, digit: u32, guess: u64, points: u64) -> Result<()>;

    /// After guess number `guess` has scored.
    ///
    /// # Errors
    /// Whatever ends the game.
    fn scored(&mut self, guess: u64) -> Result<()>;

    /// After the last guess.
    ///
    /// # Errors
    /// Whatever ends the game.
    fn finished(&mut self, tally: &Tally) -> Result<()>;
}

/// Nobody watches.
impl Observer for () {
    const WATCHES: bool = false;

    fn guessed(&mut self, _digit: u32, _guess: u64, _points: u64) -> Result<()> {
        Ok(())
    }

    fn scored(&mut self, _guess: u64) -> Result<()> {
        Ok(())
    }

    fn finished(&mut self, _tally: &Tally) -> Result<()> {
        Ok(())
    }
}

/// Plays one game on this rank, until the referee says that all digits are claimed.
///
/// # Errors
/// What MPI returns, or the observer.
pub fn play_game<R: Referee, O: Observer>(
    referee: &mut R,
    guesser: &mut Guesser,
    thinker: &mut Thinker,
    observer: &mut O,
) -> Result<Tally> {
    let mut tally = Tally::default();
    let operations_before = referee.n_operations();
    let (mut think, mut operation) = (Duration::ZERO, Duration::ZERO);
    let start = Instant::now();
    let mut now = start;
    while !referee.all_claimed() {
        if !thinker.never_thinks() {
            thinker.think();
            let thought = Instant::now();
            think += thought - now;
            now = thought;
        }
        let digit = guesser.guess();
        tally.guesses += 1;
        if O::WATCHES {
            observer.guessed(digit, tally.guesses, tally.points())?;
            now = Instant::now();
        }
        let verdict = referee.submit(digit)?;
        let decided = Instant::now();
        operation += decided - now;
        now = decided;
        if verdict == Verdict::Won {
            tally.won.push(digit);
            tally.last_win_ns = nanoseconds(decided - start);
            if O::WATCHES {
                observer.scored(tally.guesses)?;
                now = Instant::now();
            }
        }
    }
    tally.think_ns = nanoseconds(think);
    tally.operation_ns = nanoseconds(operation);
    tally.operations = referee.n_operations() - operations_before;
    tally.play_ns = nanoseconds(start.elapsed());
    observer.finished(&tally)?;
    Ok(tally)
}

/// Whole nanoseconds; 584 years fit.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::Account;
    use crate::game::ThinkPlan;

    /// A referee of one rank, in memory.
    struct Alone {
        free: Vec<u32>,
        submitted: Vec<u32>,
    }

    impl Referee for Alone {
        fn begin_game(&mut self, _game: u64) -> Result<()> {
            Ok(())
        }
        fn submit(&mut self, digit: u32) -> Result<Verdict> {
            self.submitted.push(digit);
            let before = self.free.len();
            self.free.retain(|&free| free != digit);
            Ok(if self.free.len() < before {
                Verdict::Won
            } else {
                Verdict::Lost
            })
        }
        fn all_claimed(&self) -> bool {
            self.free.is_empty()
        }
        fn n_operations(&self) -> u64 {
            self.submitted.len() as u64
        }
        fn take_accounts(&mut self) -> Result<Vec<Account>> {
            Ok(Vec::new())
        }
    }

    #[derive(Default)]
    struct Lines(Vec<String>);

    impl Observer for Lines {
        const WATCHES: bool = true;
        fn guessed(&mut self, digit: u32, guess: u64, points: u64) -> Result<()> {
            self.0.push(format!("{guess}: {digit}, has {points}"));
            Ok(())
        }
        fn scored(&mut self, guess: u64) -> Result<()> {
            self.0.push(format!("{guess} scores"));
            Ok(())
        }
        fn finished(&mut self, tally: &Tally) -> Result<()> {
            self.0.push(format!("{} guesses", tally.guesses));
            Ok(())
        }
    }

    #[test]
    fn plays_until_all_is_claimed_and_counts_what_happened() {
        let mut referee = Alone {
            free: (1..=9).collect(),
            submitted: Vec::new(),
        };
        let mut lines = Lines::default();
        let mut thinker = ThinkPlan::default().thinker(1, 0, 0);
        let mut guesser = Guesser::new(1, 0, 0, 9);
        let tally = play_game(&mut referee, &mut guesser, &mut thinker, &mut lines).unwrap();

        let mut again = Guesser::new(1, 0, 0, 9);
        let expected: Vec<u32> = (0..tally.guesses).map(|_| again.guess()).collect();
        assert_eq!(referee.submitted, expected);
        assert_eq!((tally.operations, tally.points()), (tally.guesses, 9));
        let mut won = tally.won.clone();
        won.sort_unstable();
        assert_eq!(won, (1..=9).collect::<Vec<_>>());
        assert_eq!(
            expected.last(),
            tally.won.last(),
            "the last guess ends the game"
        );
        assert!(tally.last_win_ns <= tally.play_ns && tally.operation_ns <= tally.play_ns);
        assert_eq!(tally.think_ns, 0);
        assert_eq!(lines.0.len() as u64, tally.guesses + 9 + 1);
        assert_eq!(lines.0[0], format!("1: {}, has 0", expected[0]));
    }
}
