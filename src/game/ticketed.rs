//! The referee that deals out the guesses: no digit is guessed twice.

use std::time::Duration;

use super::in_turn::{InTurn, think_beside};
use super::referee::{Referee, Verdict};
use super::{Error, Guesser, Result, ThinkBy};
use crate::claim::{Account, Memory, Permutation, Tickets};
use crate::rma::{Comm, ProgressEngine, Rank};
use crate::trace::Kind;

/// Deals the digits in a random order, a permutation that follows from seed and game, by a counter on the
/// home rank: one operation a digit, and one more on each rank that tells it that there are no more.
///
/// Two counters are used in turn, as [`OneSided`](super::OneSided) does with boards, and for the same
/// reason.
#[derive(Debug)]
#[must_use = "a referee is closed with `close`, which is collective"]
pub struct Ticketed<'mpi, M> {
    tickets: InTurn<Tickets<'mpi, M>>,
    order: Permutation,
    seed: u64,
    /// The first game, while it is being played or before, and the digits that were claimed before it began,
    /// in ascending order.
    restored: Option<(u64, Vec<u32>)>,
}

impl<'mpi, M: Memory> Ticketed<'mpi, M> {
    /// On two sets of tickets for all digits, one a draw, which lie on rank `home`. The first one's
    /// progress engine serves both.
    pub fn on(comm: &Comm<'_>, home: Rank, tickets: [Tickets<'mpi, M>; 2], seed: u64) -> Self {
        let order = Permutation::new(seed, tickets[0].n_items());
        Ticketed {
            tickets: InTurn::on(comm, home, tickets),
            order,
            seed,
            restored: None,
        }
    }

    /// What keeps draws moving while the home rank thinks.
    pub fn engine(&self) -> &ProgressEngine<'mpi> {
        self.tickets.both()[0].engine()
    }

    /// Closes both counters. Collective.
    pub fn close(self) -> Result<()> {
        let [even, odd] = self.tickets.into_both();
        even.close()?;
        odd.close().map_err(Error::from)
    }

    /// Accounts for the tickets of the last game, and makes them new.
    fn settle(&mut self) -> Result<()> {
        let order = &self.order;
        let account_and_clear = |tickets: &mut Tickets<'mpi, M>| {
            let mut claimed = vec![false; tickets.n_items()];
            (0..tickets.n_handed_out()?).for_each(|ticket| claimed[order.apply(ticket)] = true);
            tickets.clear()?;
            Ok(Account {
                claimed,
                owners: None,
            })
        };
        self.tickets.settle(account_and_clear, Tickets::forget)
    }
}

impl<M: Memory> Referee for Ticketed<'_, M> {
    const OPERATION: Kind = Kind::Claim;

    /// Their tickets are drawn, and lost.
    fn restore(&mut self, game: u64, digits: &[u32]) -> Result<()> {
        self.restored = Some((game, digits.to_vec()));
        Ok(())
    }

    fn begin_game(&mut self, game: u64) -> Result<()> {
        self.restored.take_if(|(first, _)| *first != game);
        self.settle()?;
        self.tickets.begin(game);
        // The golden ratio, in 64 bits, keeps the keys of games apart from those of other seeds.
        let key = self.seed ^ game.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.order = Permutation::new(key, self.tickets.now().n_items());
        Ok(())
    }

    #[inline]
    fn think(&mut self, by: ThinkBy, duration: Duration) -> Result<()> {
        think_beside(self.engine(), by, duration)
    }

    /// The digit of the next ticket; 0 where there is none.
    #[inline]
    fn draw(&mut self, _guesser: &mut Guesser) -> Result<u32> {
        let ticket = self.tickets.now_mut().draw()?;
        Ok(ticket.map_or(0, |ticket| self.order.apply(ticket.start) as u32 + 1))
    }

    fn is_known_claimed(&self, _digit: u32) -> bool {
        self.tickets.now().all_known_drawn()
    }

    /// Won by the draw, which nobody else made.
    #[inline]
    fn submit(&mut self, digit: u32) -> Result<Verdict> {
        let was_claimed = |digit: u32| match &self.restored {
            None => false,
            Some((_, digits)) => digits.binary_search(&digit).is_ok(),
        };
        Ok(match digit {
            0 => Verdict::Lost,
            digit if was_claimed(digit) => Verdict::Lost,
            _ => Verdict::Won,
        })
    }

    #[inline]
    fn evidence(&self, _digit: u32) -> u64 {
        self.tickets.now().last_ticket() + 1
    }

    #[inline]
    fn all_claimed(&self) -> bool {
        self.tickets.now().all_known_drawn()
    }

    fn n_operations(&self) -> u64 {
        self.tickets.both().iter().map(Tickets::n_operations).sum()
    }

    fn take_accounts(&mut self) -> Result<Vec<Account>> {
        self.settle()?;
        Ok(self.tickets.take_accounts())
    }
}
