//! The results of a game whose dead told only some of theirs.

use super::told::tally_of;
use super::{Survivors, nanoseconds};
use crate::claim::{Account, Entry, Memory};
use crate::game::accounting::{CutShort, Played, Results};
use crate::game::play::Tally;
use crate::game::referee::Referee;
use crate::game::{Error, Result};
use crate::interrupt;

impl<R: Referee, M: Memory> Survivors<'_, R, M> {
    /// On the home rank, when all others have left the game `game` or died: takes over what dead ranks have left
    /// undone, and adds everything up.
    pub(super) fn results(&mut self, game: u64, tally: &Tally) -> Result<Results> {
        let home = self.muster.home();
        let worthless = |what| Error::DoesNotAddUp { game, what };
        let mut claimed_anew = Vec::new();
        if !tally.left_early {
            // This rank knows that all is claimed: who has not entered it is dead.
            let entries = self.game.ledger().entries()?;
            let missing = (0..).zip(&entries).filter(|(_, entry)| entry.is_none());
            for (item, _) in missing {
                if self.game.ledger().take_over(item)? {
                    claimed_anew.push(item as u32 + 1);
                }
            }
        }
        let last_ns = nanoseconds(self.begun);
        let entries = self.game.ledger().entries()?;
        let numbers = self.muster.numbers()?.into_iter();
        let mut tallies: Vec<Tally> = numbers.map(tally_of).collect();
        if !claimed_anew.is_empty() {
            let of_home = &mut tallies[home as usize];
            of_home.operations += claimed_anew.len() as u64;
            (of_home.last_win_ns, of_home.play_ns) = (last_ns, last_ns);
        }
        let mut claimed_before = Vec::new();
        for (digit, entry) in (1u32..).zip(&entries) {
            match entry {
                None => {}
                Some(Entry { earlier: true, .. }) => claimed_before.push(digit),
                Some(Entry { rank, .. }) => match tallies.get_mut(*rank as usize) {
                    Some(tally) => tally.won.push(digit),
                    None => {
                        let what = format!("digit {digit} is rank {rank}'s, which there is not");
                        return Err(worthless(what));
                    }
                },
            }
        }
        let is_entered = |digit: &&u32| tallies[home as usize].won.binary_search(digit).is_ok();
        if let Some(digit) = tally.won.iter().find(|digit| !is_entered(digit)) {
            let what = format!("rank {home} has scored digit {digit}, and its ledger has not");
            return Err(worthless(what));
        }
        let account = Account {
            claimed: entries.iter().map(Option::is_some).collect(),
            owners: None,
        };
        let played = Played {
            n_digits: entries.len() as u32,
            account: Some(&account),
            claimed_before: &claimed_before,
            may_be_cut: tally.left_early,
        };
        let mut results = Results::default();
        let n_claimed = results.add(&played, &tallies).map_err(worthless)?;
        results.cut_short = interrupt::to_end()
            .filter(|_| n_claimed < played.n_digits)
            .map(|signal| CutShort {
                signal,
                game,
                n_claimed,
            });
        results.dead = self.dead.iter().map(|&rank| rank.unsigned_abs()).collect();
        results.claimed_anew = claimed_anew;
        Ok(results)
    }
}
