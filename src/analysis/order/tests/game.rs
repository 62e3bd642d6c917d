//! A game as it is played on a sequential board.

use super::history::{History, Op, Random};
use super::{ClaimSetup, Method, Witness};

/// Two tiers: what a rank is in the middle of.
#[derive(Debug, Clone, Copy)]
struct Begun {
    digit: u32,
    /// The moment of its first step.
    begin_ns: u64,
    /// What the home rank's word showed, and whether that was won.
    shown: Option<(u64, bool)>,
}

/// A game as it is played: the sequential board, and what each rank is in the middle of.
pub(super) struct Game<'a> {
    setup: &'a ClaimSetup,
    free: &'a [u32],
    now_ns: u64,
    claimed: Vec<u32>,
    owners: Vec<(u32, u64)>,
    n_drawn: u64,
    nodes: Vec<Vec<u32>>,
    /// What each rank has begun.
    begun: Vec<Option<Begun>>,
    /// Moments of the first and last step.
    done: Vec<(Op, u64, u64)>,
}

impl<'a> Game<'a> {
    pub(super) fn new(setup: &'a ClaimSetup, free: &'a [u32]) -> Self {
        let resumed = setup.resumed.iter().flat_map(|(_, digits)| digits).copied();
        Game {
            setup,
            free,
            now_ns: 1000,
            claimed: resumed.clone().collect(),
            owners: resumed.clone().map(|digit| (digit, 1)).collect(),
            n_drawn: 0,
            nodes: (0..setup.nodes.len() as u32)
                .map(|node| match setup.node_of(setup.target) == node {
                    true => resumed.clone().collect(),
                    false => Vec::new(),
                })
                .collect(),
            begun: vec![None; setup.nodes.len()],
            done: Vec::new(),
        }
    }

    pub(super) fn play(&mut self, random: &mut Random) {
        let n_ranks = self.setup.nodes.len();
        for _ in 0..random.below(7) {
            let digit = match random.below(6) {
                0 => 0,
                1 => 1 + random.below(self.setup.n_digits as usize) as u32,
                _ => random.pick(self.free).unwrap_or(1),
            };
            self.step(random.below(n_ranks) as u32, digit, random.below(4) == 0);
        }
        for rank in 0..n_ranks as u32 {
            while self.begun[rank as usize].is_some() {
                self.step(rank, 0, false);
            }
        }
        let mut digits: Vec<u32> = self.free.to_vec();
        while !digits.is_empty() {
            let digit = digits.swap_remove(random.below(digits.len()));
            let rank = random.below(n_ranks) as u32;
            let is_open = match self.setup.method {
                Method::Ticket => self.n_drawn < u64::from(self.setup.n_digits),
                _ => !self.claimed.contains(&digit),
            };
            if is_open {
                self.step(rank, digit, false);
            }
            while self.begun[rank as usize].is_some() {
                self.step(rank, digit, false);
            }
        }
        if self.setup.method == Method::Ticket {
            while self.n_drawn < u64::from(self.setup.n_digits) {
                self.step(random.below(n_ranks) as u32, 0, false);
            }
        }
    }

    fn word_of(&self, digit: u32) -> u64 {
        let word = digit.saturating_sub(1) / 64;
        let digits = self
            .claimed
            .iter()
            .filter(|&&other| (other - 1) / 64 == word);
        digits.map(|other| 1 << ((other - 1) % 64)).sum()
    }

    /// A rank begins a claim, or goes on with what it has begun.
    fn step(&mut self, rank: u32, digit: u32, skips_known: bool) {
        self.now_ns += 10;
        let now_ns = self.now_ns;
        let op = |digit, word, won, is_skip| Op {
            claim: Witness {
                rank,
                record: 0,
                digit,
                begin_ns: 0,
                end_ns: 0,
                error_ns: 0,
                word,
                won,
            },
            is_skip,
        };
        if self.setup.method == Method::TwoTier {
            return self.step_on_two_tiers(rank, digit, skips_known, op);
        }
        let has_seen = || {
            let (ops, setup) = (
                self.done.iter().map(|(op, ..)| op.clone()),
                self.setup.clone(),
            );
            let mut history = History {
                setup,
                complete: true,
                ops: ops.collect(),
                error_ns: 0,
            };
            history.ops.push(op(digit, 0, false, true));
            let last = history.ops.len() - 1;
            history
                .ops
                .iter_mut()
                .zip(0..)
                .for_each(|(op, record)| op.claim.record = record);
            history.has_seen(last)
        };
        if skips_known && digit > 0 && self.setup.method != Method::Ticket && has_seen() {
            return self.done.push((op(digit, 0, false, true), now_ns, now_ns));
        }
        let is_new = digit > 0 && !self.claimed.contains(&digit);
        let done = match self.setup.method {
            Method::FetchAndOp | Method::TwoTier => {
                self.claimed.extend(is_new.then_some(digit));
                let word = match digit == 0 && self.setup.n_digits > 64 {
                    true => 0,
                    false => self.word_of(digit),
                };
                op(digit, word, is_new, false)
            }
            Method::CompareAndSwap => {
                let owner = self.owners.iter().find(|(owned, _)| *owned == digit);
                let word = owner.map_or(0, |&(_, owner)| owner);
                if is_new {
                    self.claimed.push(digit);
                    self.owners.push((digit, u64::from(rank) + 1));
                }
                op(digit, word, is_new, false)
            }
            Method::Ticket => {
                let n_beyond = self.n_drawn.saturating_sub(u64::from(self.setup.n_digits));
                if n_beyond >= self.setup.nodes.len() as u64 {
                    return;
                }
                self.n_drawn += 1;
                // The permutation: from the last digit to the first.
                let digit =
                    (u64::from(self.setup.n_digits) + 1).saturating_sub(self.n_drawn) as u32;
                let won = digit > 0 && self.free.contains(&digit);
                op(digit, self.n_drawn, won, false)
            }
        };
        self.done.push((done, now_ns, now_ns));
    }

    fn step_on_two_tiers(
        &mut self,
        rank: u32,
        digit: u32,
        skips_known: bool,
        op: impl Fn(u32, u64, bool, bool) -> Op,
    ) {
        let (now_ns, node) = (self.now_ns, self.setup.nodes[rank as usize] as usize);
        let begun = self.begun[rank as usize].take();
        let begins = Begun {
            digit,
            begin_ns: now_ns,
            shown: None,
        };
        match begun {
            None if digit == 0 => self.begun[rank as usize] = Some(begins),
            None if self.nodes[node].contains(&digit) => {
                self.done
                    .push((op(digit, 0, false, skips_known), now_ns, now_ns));
            }
            None => {
                self.nodes[node].push(digit);
                self.begun[rank as usize] = Some(begins);
            }
            Some(Begun {
                digit, shown: None, ..
            }) => {
                let won = digit > 0 && !self.claimed.contains(&digit);
                self.claimed.extend(won.then_some(digit));
                let shown = Some((self.word_of(1), won));
                self.begun[rank as usize] = begun.map(|begun| Begun { shown, ..begun });
            }
            Some(Begun {
                digit,
                begin_ns,
                shown: Some((word, won)),
            }) => {
                let shown = (1..=64).filter(|digit| word >> (digit - 1) & 1 == 1);
                self.nodes[node].extend(shown);
                let asked = op(digit, word, won, false);
                self.done.push((asked, begin_ns, now_ns));
            }
        }
    }

    /// Each operation begins before its first step and ends after its last; those of a rank follow each
    /// other, on two tiers after some time.
    pub(super) fn into_ops(mut self, random: &mut Random) -> Vec<Op> {
        self.done.sort_by_key(|&(_, first_ns, _)| first_ns);
        let gap_ns = u64::from(self.setup.method == Method::TwoTier);
        let mut ends: Vec<(u32, u64)> = Vec::new();
        let mut ops = Vec::new();
        for index in 0..self.done.len() {
            let (mut op, first_ns, last_ns) = self.done[index].clone();
            let rank = op.claim.rank;
            let before = ends.iter().rev().find(|(of, _)| *of == rank);
            let mut next = self.done[index + 1..]
                .iter()
                .filter(|(op, ..)| op.claim.rank == rank);
            let at_most_ns = next
                .next()
                .map_or(u64::MAX, |&(_, first_ns, _)| first_ns - gap_ns);
            op.claim.begin_ns = (first_ns - random.below(40) as u64)
                .max(before.map_or(0, |&(_, end_ns)| end_ns + gap_ns));
            op.claim.end_ns = (last_ns + random.below(40) as u64).min(at_most_ns);
            ends.push((rank, op.claim.end_ns));
            ops.push(op);
        }
        ops
    }
}
