//! The game, written once.

use super::observer::{Observer, Operation};
use super::referee::{Referee, Verdict};
use super::{Guesser, Result, Thinker};
use crate::interrupt;
use crate::pulse::{Call, enter, step};
use crate::trace::{Kind, Outcome, now_ns};

/// What one rank did in one game.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    pub guesses: u64,
    /// The digits that it scored, in order; as many as its points.
    pub won: Vec<u32>,
    pub think_ns: u64,
    /// MPI operations of the referee: RMA operations, or allreduces.
    pub operations: u64,
    /// Time in those operations, waiting included, and in signs of life and checkpoints between them.
    pub operation_ns: u64,
    /// From the start of the game on this rank to its end on this rank.
    pub play_ns: u64,
    /// From the start of the game on this rank to its last score; 0 without one.
    pub last_win_ns: u64,
    /// Whether it left before it knew that all digits are claimed. Not told to other ranks.
    pub left_early: bool,
}

impl Tally {
    pub fn points(&self) -> u64 {
        self.won.len() as u64
    }
}

/// Plays one game on this rank, until the referee says that all digits are claimed, or that this rank leaves
/// because a signal has asked it to.
///
/// `entered_ns` is when this rank came to the barrier before the game ([`now_ns`]). The clock is read
/// once after each thing that takes time: the end of one is the beginning of the next.
///
/// # Errors
/// What MPI returns, or the observer.
pub fn play_game<R: Referee, O: Observer>(
    referee: &mut R,
    guesser: &mut Guesser,
    thinker: &mut Thinker,
    observer: &mut O,
    entered_ns: u64,
) -> Result<Tally> {
    let mut tally = Tally::default();
    let operations_before = referee.n_operations();
    let start_ns = now_ns();
    observer.started(entered_ns, start_ns);
    let mut now = start_ns;
    while !referee.all_claimed() {
        let upkeep_before_ns = referee.upkeep_ns();
        referee.so_far(&tally)?;
        if referee.leaves(interrupt::to_end().is_some()) {
            tally.left_early = true;
            break;
        }
        if !thinker.never_thinks() {
            enter(Call::Think);
            let duration = thinker.draw();
            referee.think(thinker.by(), duration)?;
            // What signs of life and checkpoints took is no thinking, wherever in it they fell.
            let upkeep_ns = referee.upkeep_ns() - upkeep_before_ns;
            let thought_ns = now_ns().saturating_sub(upkeep_ns).max(now);
            tally.think_ns += thought_ns - now;
            observer.thought(now, thought_ns);
            now = thought_ns;
        }
        if referee.upkeep_ns() > upkeep_before_ns {
            now = operated::<R, O>(referee, observer, &mut tally, 0, now, Outcome::Announced);
        }
        if !thinker.never_thinks() && referee.leaves(interrupt::to_end().is_some()) {
            tally.left_early = true;
            break;
        }
        enter(Call::Claim); // drawing may be one
        let digit = referee.draw(guesser)?;
        tally.guesses += 1;
        if O::WATCHES {
            tally.operation_ns += now_ns() - now; // drawing may take an operation
            observer.guessed(digit, tally.guesses, tally.points())?;
            now = now_ns();
        }
        step(Call::Claim, digit);
        let verdict = referee.submit(digit)?;
        now = operated::<R, O>(referee, observer, &mut tally, digit, now, verdict.into());
        if verdict != Verdict::Won {
            continue;
        }
        if referee.announce(digit)? {
            now = operated::<R, O>(
                referee,
                observer,
                &mut tally,
                digit,
                now,
                Outcome::Announced,
            );
        }
        tally.won.push(digit);
        tally.last_win_ns = now - start_ns;
        if O::WATCHES {
            observer.scored(tally.guesses)?;
            now = now_ns();
        }
    }
    enter(Call::Nothing);
    tally.operations = referee.n_operations() - operations_before;
    let end_ns = now_ns();
    tally.play_ns = end_ns - start_ns;
    match tally.left_early {
        false => observer.finished(&tally, now, end_ns)?,
        true => observer.left(&tally)?,
    }
    Ok(tally)
}

/// After an operation of the referee that began at `begin_ns`: counts its time, and returns when it
/// ended.
#[inline(always)]
fn operated<R: Referee, O: Observer>(
    referee: &R,
    observer: &mut O,
    tally: &mut Tally,
    digit: u32,
    begin_ns: u64,
    outcome: Outcome,
) -> u64 {
    let end_ns = now_ns();
    tally.operation_ns += end_ns - begin_ns;
    if O::RECORDS {
        let outcome = match (R::OPERATION, outcome, digit) {
            (Kind::Claim, Outcome::Lost, 0) => Outcome::Looked,
            _ => outcome,
        };
        observer.operated(&Operation {
            kind: R::OPERATION,
            outcome,
            digit,
            begin_ns,
            end_ns,
            word: match outcome {
                Outcome::Skipped => 0,
                Outcome::Announced if digit == 0 => 0,
                _ => referee.evidence(digit),
            },
        });
    }
    end_ns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::Account;
    use crate::game::{GuessBy, ThinkBy, ThinkPlan};
    use crate::think_time::ThinkTime;
    use std::time::Duration;

    /// A referee of one rank, in memory.
    struct Alone {
        free: Vec<u32>,
        submitted: Vec<u32>,
    }

    impl Alone {
        fn new() -> Self {
            Alone {
                free: (1..=9).collect(),
                submitted: Vec::new(),
            }
        }
    }

    impl Referee for Alone {
        const OPERATION: Kind = Kind::Claim;
        fn begin_game(&mut self, _game: u64) -> Result<()> {
            Ok(())
        }
        fn is_known_claimed(&self, digit: u32) -> bool {
            !self.free.contains(&digit)
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
        fn evidence(&self, _digit: u32) -> u64 {
            self.free.len() as u64
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

    /// A referee that gives a sign of life before each guess, and another while it thinks.
    struct Signing(Alone, u64);

    const SIGN: Duration = Duration::from_millis(3);

    impl Signing {
        fn sign(&mut self) {
            let begun_ns = now_ns();
            std::thread::sleep(SIGN);
            self.1 += now_ns() - begun_ns;
        }
    }

    impl Referee for Signing {
        const OPERATION: Kind = Kind::Claim;
        fn begin_game(&mut self, _game: u64) -> Result<()> {
            Ok(())
        }
        fn think(&mut self, by: ThinkBy, duration: Duration) -> Result<()> {
            self.sign();
            by.spend(duration);
            Ok(())
        }
        fn so_far(&mut self, _tally: &Tally) -> Result<()> {
            self.sign();
            Ok(())
        }
        fn upkeep_ns(&self) -> u64 {
            self.1
        }
        fn is_known_claimed(&self, digit: u32) -> bool {
            self.0.is_known_claimed(digit)
        }
        fn submit(&mut self, digit: u32) -> Result<Verdict> {
            self.0.submit(digit)
        }
        fn evidence(&self, digit: u32) -> u64 {
            self.0.evidence(digit)
        }
        fn all_claimed(&self) -> bool {
            self.0.all_claimed()
        }
        fn n_operations(&self) -> u64 {
            self.0.n_operations()
        }
        fn take_accounts(&mut self) -> Result<Vec<Account>> {
            Ok(Vec::new())
        }
    }

    /// Whatever a think time lasts, signs within it are none of it.
    #[test]
    fn signs_of_life_are_operations_and_no_thinking() {
        for (think, n_signs) in [(Duration::ZERO, 1), (Duration::from_micros(50), 2)] {
            let mut referee = Signing(Alone::new(), 0);
            let plan = ThinkPlan {
                base: ThinkTime::Fixed(think),
                by: ThinkBy::Spin,
                ..ThinkPlan::default()
            };
            let mut thinker = plan.thinker(1, 0, 0);
            let mut guesser = Guesser::new(1, 0, 0, 9, GuessBy::Uniform);
            let mut lines = Lines::default();
            let now = now_ns();
            let tally =
                play_game(&mut referee, &mut guesser, &mut thinker, &mut lines, now).unwrap();
            let signs: Vec<_> = lines
                .1
                .iter()
                .filter(|operation| operation.outcome == Outcome::Announced)
                .collect();
            assert_eq!(signs.len() as u64, tally.guesses);
            assert!(signs.iter().all(|sign| (sign.digit, sign.word) == (0, 0)));
            let signed_ns: u64 = signs.iter().map(|sign| sign.end_ns - sign.begin_ns).sum();
            let least_ns = tally.guesses * n_signs * SIGN.as_nanos() as u64;
            assert!(signed_ns >= least_ns, "{signed_ns}");
            assert!(tally.operation_ns >= least_ns);
            assert!(
                tally.think_ns + signed_ns <= tally.play_ns,
                "nothing is counted twice: {tally:?}"
            );
        }
    }

    #[derive(Default)]
    struct Lines(Vec<String>, Vec<Operation>, Vec<(u64, u64)>);

    impl Observer for Lines {
        const WATCHES: bool = true;
        const RECORDS: bool = true;
        fn started(&mut self, begin_ns: u64, end_ns: u64) {
            self.2.push((begin_ns, end_ns));
        }
        fn operated(&mut self, operation: &Operation) {
            self.1.push(*operation);
        }
        fn guessed(&mut self, digit: u32, guess: u64, points: u64) -> Result<()> {
            self.0.push(format!("{guess}: {digit}, has {points}"));
            Ok(())
        }
        fn scored(&mut self, guess: u64) -> Result<()> {
            self.0.push(format!("{guess} scores"));
            Ok(())
        }
        fn finished(&mut self, tally: &Tally, begin_ns: u64, end_ns: u64) -> Result<()> {
            self.2.push((begin_ns, end_ns));
            self.0.push(format!("{} guesses", tally.guesses));
            Ok(())
        }
    }

    #[test]
    fn plays_until_all_is_claimed_and_counts_what_happened() {
        let mut referee = Alone::new();
        let mut lines = Lines::default();
        let mut thinker = ThinkPlan::default().thinker(1, 0, 0);
        let mut guesser = Guesser::new(1, 0, 0, 9, GuessBy::Uniform);
        let entered_ns = now_ns();
        let tally = play_game(
            &mut referee,
            &mut guesser,
            &mut thinker,
            &mut lines,
            entered_ns,
        )
        .unwrap();

        let mut again = Guesser::new(1, 0, 0, 9, GuessBy::Uniform);
        let expected: Vec<u32> = (0..tally.guesses).map(|_| again.guess(|_| false)).collect();
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

        let digits: Vec<u32> = lines.1.iter().map(|operation| operation.digit).collect();
        assert_eq!(digits, expected, "each operation is observed once");
        for Operation { outcome, digit, .. } in &lines.1 {
            assert_eq!(*outcome == Outcome::Looked, *digit == 0);
        }
        let n_won = lines.1.iter().filter(|op| op.outcome == Outcome::Won);
        assert_eq!(n_won.count(), 9);
        let operation_ns: u64 = lines.1.iter().map(|op| op.end_ns - op.begin_ns).sum();
        assert!(
            operation_ns <= tally.operation_ns,
            "which has the drawing of a watched game too"
        );
        let [started, finished] = lines.2[..] else {
            panic!("one start, one finish: {:?}", lines.2)
        };
        assert_eq!(
            (started.0, finished.1 - started.1),
            (entered_ns, tally.play_ns)
        );
    }
}
