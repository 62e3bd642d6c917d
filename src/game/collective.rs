//! The collective referee: the original program's steps, kept exactly.

use super::Result;
use super::referee::{Referee, Verdict};
use crate::claim::Account;
use crate::rma::Comm;
use crate::trace::Kind;

/// Decides guesses by an allreduce of what every rank knows, and a second one for every score.
///
/// Nobody leaves an allreduce before everybody has entered it, so all ranks make the same number of
/// them: guesses + points is the same on every rank, and all run at the pace of the slowest. Two
/// ranks that guess the same free digit before the same allreduce both score.
#[derive(Debug)]
pub struct Collective<'comm, 'mpi> {
    comm: &'comm Comm<'mpi>,
    /// What this rank knows to be claimed: bit d of word d / 64 for digit d, 0 included. The bit after the
    /// last digit's: that somebody asks all to leave the game.
    known: Vec<u64>,
    /// What the next allreduce brings in.
    incoming: Vec<u64>,
    n_digits: u32,
    n_known: u32,
    /// Whether this rank tells the others, in the next allreduce, that the game is to be left.
    asks_to_leave: bool,
    /// Whether any rank did: all have learnt that by the same allreduce.
    all_leave: bool,
    n_operations: u64,
}

impl<'comm, 'mpi> Collective<'comm, 'mpi> {
    /// A referee for digits `1..=n_digits`.
    pub fn new(comm: &'comm Comm<'mpi>, n_digits: u32) -> Self {
        let n_words = (n_digits as usize + 2).div_ceil(64);
        let (known, incoming) = (vec![0; n_words], vec![0; n_words]);
        Collective {
            comm,
            known,
            incoming,
            n_digits,
            n_known: 0,
            asks_to_leave: false,
            all_leave: false,
            n_operations: 0,
        }
    }

    /// One round: everybody learns what anybody knows.
    fn synchronise(&mut self) -> Result<()> {
        let (word, bit) = place(self.n_digits + 1);
        if self.asks_to_leave {
            self.known[word] |= bit;
        }
        self.comm.allreduce_or(&self.known, &mut self.incoming)?;
        self.n_operations += 1;
        std::mem::swap(&mut self.known, &mut self.incoming);
        self.all_leave = self.known[word] & bit != 0;
        let n_bits: u32 = self.known.iter().map(|word| word.count_ones()).sum();
        self.n_known = n_bits - u32::from(self.all_leave);
        Ok(())
    }
}

/// The word of a digit, and its bit there.
fn place(digit: u32) -> (usize, u64) {
    ((digit / 64) as usize, 1 << (digit % 64))
}

impl Referee for Collective<'_, '_> {
    const OPERATION: Kind = Kind::Allreduce;

    fn begin_game(&mut self, _game: u64) -> Result<()> {
        self.known.fill(0);
        self.known[0] = 1; // 0 counts as claimed from the start
        self.n_known = 1;
        self.all_leave = false;
        Ok(())
    }

    #[inline]
    fn is_known_claimed(&self, digit: u32) -> bool {
        let (word, bit) = place(digit);
        self.known[word] & bit != 0
    }

    fn submit(&mut self, digit: u32) -> Result<Verdict> {
        let (word, bit) = place(digit);
        self.synchronise()?;
        // Who leaves announces nothing more, and what is not announced is not scored.
        if self.all_leave || self.known[word] & bit != 0 {
            return Ok(Verdict::Lost);
        }
        self.known[word] |= bit;
        Ok(Verdict::Won)
    }

    fn leaves(&mut self, asked: bool) -> bool {
        self.asks_to_leave |= asked;
        self.all_leave
    }

    fn announce(&mut self, _digit: u32) -> Result<bool> {
        self.synchronise()?;
        Ok(true)
    }

    fn evidence(&self, _digit: u32) -> u64 {
        self.known[0]
    }

    fn all_claimed(&self) -> bool {
        self.n_known > self.n_digits
    }

    fn n_operations(&self) -> u64 {
        self.n_operations
    }

    fn take_accounts(&mut self) -> Result<Vec<Account>> {
        Ok(Vec::new())
    }
}
