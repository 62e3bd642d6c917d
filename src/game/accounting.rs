//! After the game: what all ranks did, and whether it adds up.

use std::collections::BTreeMap;

use super::play::Tally;
use crate::analysis::Games;
use crate::claim::Account;

/// Sums over games of what one rank did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sums {
    pub guesses: u64,
    pub points: u64,
    pub think_ns: u64,
    /// MPI operations of the referee.
    pub operations: u64,
    /// Time in them, waiting included.
    pub operation_ns: u64,
    /// Time from start to end of the games on this rank.
    pub play_ns: u64,
}

/// What all ranks did in a series of games: sums over the games.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Results {
    pub n_games: u64,
    pub per_rank: Vec<Sums>,
    /// From the start of a game to the end of it on the rank that left it last.
    pub wall_ns: u64,
    /// From the start of a game until its last digit was claimed.
    pub to_complete_ns: u64,
    /// How long each of them took, from its start to its end on the rank that left it last.
    pub games: Games,
    /// Points beyond one for each digit and game.
    pub double_scores: u64,
    /// Of the last game: for each digit the ranks that scored it, in ascending order.
    pub scored: BTreeMap<u32, Vec<u32>>,
    /// Why and where the series was cut short, if it was.
    pub cut_short: Option<CutShort>,
    /// Ranks that died, in ascending order. Of these, the numbers are those that they told last.
    pub dead: Vec<u32>,
    /// Digits that these had claimed and not scored, which rank 0 has claimed anew, in ascending order.
    pub claimed_anew: Vec<u32>,
}

/// A series that was ended by a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutShort {
    pub signal: i32,
    /// The game that is to be played next, or on, counted from 0.
    pub game: u64,
    /// How many of its digits are claimed.
    pub n_claimed: u32,
}

/// What is known of a game beside the tallies of its ranks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Played<'a> {
    pub(super) n_digits: u32,
    /// What the home rank's memory said, where there is such a memory.
    pub(super) account: Option<&'a Account>,
    /// Digits that were claimed by an earlier run, in ascending order.
    pub(super) claimed_before: &'a [u32],
    /// Whether ranks may have left before the end.
    pub(super) may_be_cut: bool,
}

impl Results {
    /// Adds a game: the tallies of all ranks, in their order. Checks that all that is known of it agrees,
    /// and says how many of its digits are claimed.
    pub(super) fn add(&mut self, game: &Played<'_>, tallies: &[Tally]) -> Result<u32, String> {
        let scored = who_scored(game, tallies)?;
        match game.account {
            Some(account) => check_account(game, &scored, account)?,
            None => check_lockstep(tallies)?,
        }
        self.n_games += 1;
        self.per_rank.resize(tallies.len(), Sums::default());
        for (sums, tally) in self.per_rank.iter_mut().zip(tallies) {
            sums.guesses += tally.guesses;
            sums.points += tally.points();
            sums.think_ns += tally.think_ns;
            sums.operations += tally.operations;
            sums.operation_ns += tally.operation_ns;
            sums.play_ns += tally.play_ns;
        }
        let longest = |of: fn(&Tally) -> u64| tallies.iter().map(of).max().unwrap_or(0);
        let wall_ns = longest(|tally| tally.play_ns);
        self.wall_ns += wall_ns;
        let n_claimed = (scored.len() + game.claimed_before.len()) as u32;
        if n_claimed == game.n_digits {
            self.games.add(wall_ns);
        }
        self.to_complete_ns += longest(|tally| tally.last_win_ns);
        let points: u64 = tallies.iter().map(Tally::points).sum();
        self.double_scores += points - scored.len() as u64;
        self.scored = scored;
        Ok(n_claimed)
    }
}

/// For each digit the ranks that scored it; every digit was scored, and none twice by one rank.
fn who_scored(game: &Played<'_>, tallies: &[Tally]) -> Result<BTreeMap<u32, Vec<u32>>, String> {
    let n_digits = game.n_digits;
    let was_claimed = |digit: &u32| game.claimed_before.binary_search(digit).is_ok();
    let mut scored: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (rank, tally) in (0u32..).zip(tallies) {
        for &digit in &tally.won {
            if digit == 0 || digit > n_digits {
                return Err(format!(
                    "rank {rank} scored {digit}, which is no digit of this game"
                ));
            }
            if was_claimed(&digit) {
                return Err(format!(
                    "rank {rank} scored digit {digit}, which the run before had claimed"
                ));
            }
            let ranks = scored.entry(digit).or_default();
            if ranks.last() == Some(&rank) {
                return Err(format!("rank {rank} scored digit {digit} twice"));
            }
            ranks.push(rank);
        }
    }
    let is_open = |digit: &u32| !scored.contains_key(digit) && !was_claimed(digit);
    match (1..=n_digits).find(is_open) {
        Some(digit) if !game.may_be_cut => Err(format!("nobody scored digit {digit}")),
        _ => Ok(scored),
    }
}

/// One-sided: each digit has one winner, the home rank's memory has it claimed, by that winner where
/// it keeps owners; and no other digit.
fn check_account(
    game: &Played<'_>,
    scored: &BTreeMap<u32, Vec<u32>>,
    account: &Account,
) -> Result<(), String> {
    if account.claimed.len() != game.n_digits as usize {
        return Err(format!(
            "the board has {} items for {} digits",
            account.claimed.len(),
            game.n_digits
        ));
    }
    for (&digit, ranks) in scored {
        let item = digit as usize - 1;
        let &[winner] = ranks.as_slice() else {
            return Err(format!("ranks {ranks:?} all won digit {digit}"));
        };
        if !account.claimed[item] {
            return Err(format!(
                "rank {winner} won digit {digit}, which the home rank has as free"
            ));
        }
        let owner = account.owners.as_ref().map(|owners| owners[item]);
        if owner.is_some_and(|owner| owner != i32::try_from(winner).ok()) {
            return Err(format!(
                "rank {winner} won digit {digit}, which the home rank has as {owner:?}"
            ));
        }
    }
    // Of a game that was cut short, too: whoever won a digit has said so.
    let is_unaccounted = |digit: &u32| {
        account.claimed[*digit as usize - 1]
            && !scored.contains_key(digit)
            && game.claimed_before.binary_search(digit).is_err()
    };
    match (1..=game.n_digits).find(is_unaccounted) {
        Some(digit) => Err(format!(
            "the home rank has digit {digit} as claimed, and nobody won it"
        )),
        None => Ok(()),
    }
}

/// Collective: guesses + points is the same on all ranks, and is the number of allreduces.
fn check_lockstep(tallies: &[Tally]) -> Result<(), String> {
    let rounds = tallies.first().map_or(0, |tally| tally.operations);
    for (rank, tally) in tallies.iter().enumerate() {
        let steps = tally.guesses + tally.points();
        if steps != rounds || tally.operations != rounds {
            return Err(format!(
                "rank {rank} made {steps} guesses and points in {} allreduces, rank 0 made {rounds}",
                tally.operations
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(guesses: u64, won: &[u32]) -> Tally {
        let operations = guesses + won.len() as u64;
        Tally {
            guesses,
            won: won.to_vec(),
            operations,
            ..Tally::default()
        }
    }

    fn lasting(play_ns: u64, tally: Tally) -> Tally {
        Tally { play_ns, ..tally }
    }

    fn played(n_digits: u32, account: Option<&Account>) -> Played<'_> {
        Played {
            n_digits,
            account,
            claimed_before: &[],
            may_be_cut: false,
        }
    }

    fn account(owners: &[Option<i32>]) -> Account {
        Account {
            claimed: owners.iter().map(Option::is_some).collect(),
            owners: Some(owners.to_vec()),
        }
    }

    #[test]
    fn a_good_one_sided_game_adds_up() {
        let mut results = Results::default();
        let good = account(&[Some(1), Some(0), Some(1)]);
        for _ in 0..2 {
            results
                .add(
                    &played(3, Some(&good)),
                    &[tally(5, &[2]), lasting(30, tally(4, &[3, 1]))],
                )
                .unwrap();
        }
        assert_eq!((results.n_games, results.double_scores), (2, 0));
        assert_eq!(
            results.games.times().map(|times| (times.n, times.max_ns)),
            Some((2, 30))
        );
        assert_eq!(
            (results.per_rank[0].guesses, results.per_rank[1].points),
            (10, 4)
        );
        assert_eq!(
            results.scored,
            BTreeMap::from([(1, vec![1]), (2, vec![0]), (3, vec![1])])
        );
    }

    #[test]
    fn every_fault_of_a_one_sided_game_is_found() {
        let good = account(&[Some(0), Some(1)]);
        let cases: [(&[Tally], Account, &str); 6] = [
            (
                &[tally(2, &[1]), tally(2, &[1, 2])],
                good.clone(),
                "ranks [0, 1] all won digit 1",
            ),
            (
                &[tally(2, &[1]), tally(2, &[])],
                good.clone(),
                "nobody scored digit 2",
            ),
            (
                &[tally(2, &[1, 1]), tally(2, &[2])],
                good.clone(),
                "scored digit 1 twice",
            ),
            (
                &[tally(2, &[1]), tally(2, &[2, 7])],
                good,
                "no digit of this game",
            ),
            (
                &[tally(2, &[1]), tally(2, &[2])],
                account(&[Some(0), None]),
                "has as free",
            ),
            (
                &[tally(2, &[1]), tally(2, &[2])],
                account(&[Some(0), Some(0)]),
                "won digit 2, which",
            ),
        ];
        for (tallies, account, expected) in cases {
            let error = Results::default()
                .add(&played(2, Some(&account)), tallies)
                .unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_collective_game_may_score_twice_but_not_fall_out_of_step() {
        let mut results = Results::default();
        results
            .add(&played(2, None), &[tally(3, &[1, 2]), tally(4, &[1])])
            .unwrap();
        assert_eq!(
            (results.double_scores, results.scored[&1].as_slice()),
            (1, &[0, 1][..])
        );

        let error = results
            .add(&played(2, None), &[tally(3, &[1, 2]), tally(3, &[1])])
            .unwrap_err();
        assert!(
            error.contains("rank 1 made 4 guesses and points"),
            "{error}"
        );
    }

    #[test]
    fn a_game_that_was_cut_or_resumed_adds_up_with_what_was_claimed_before() {
        let of = |claimed: [bool; 3]| Account {
            claimed: claimed.to_vec(),
            owners: None,
        };
        let (cut, whole) = (of([true, false, true]), of([true; 3]));
        let add = |account: &Account, claimed_before: &[u32], may_be_cut: bool, won: &[u32]| {
            let game = Played {
                n_digits: 3,
                account: Some(account),
                claimed_before,
                may_be_cut,
            };
            let mut results = Results::default();
            let added = results.add(&game, &[tally(5, won), tally(2, &[])]);
            added.map(|n_claimed| (n_claimed, results.games.times().is_some()))
        };
        assert_eq!(add(&cut, &[], true, &[1, 3]), Ok((2, false)));
        assert_eq!(add(&cut, &[3], true, &[1]), Ok((2, false)));
        assert!(add(&whole, &[2, 3], false, &[1]).is_ok_and(|(n, _)| n == 3));
        for (account, before, may_be_cut, won, expected) in [
            (&cut, &[][..], false, &[1, 3][..], "nobody scored digit 2"),
            (&cut, &[], true, &[1], "digit 3 as claimed, and nobody won"),
            (
                &whole,
                &[2],
                false,
                &[1, 2, 3],
                "the run before had claimed",
            ),
            (&cut, &[], true, &[1, 2, 3], "as free"),
        ] {
            let error = add(account, before, may_be_cut, won).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
