//! Small histories, as a run can have left them.

use super::game::Game;
use super::{ClaimSetup, Method, OrderCheck, Witness};

/// A record: a claim, or a guess that was not submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Op {
    pub(super) claim: Witness,
    pub(super) is_skip: bool,
}

/// What a run left of a game.
#[derive(Debug, Clone)]
pub(super) struct History {
    pub(super) setup: ClaimSetup,
    pub(super) complete: bool,
    pub(super) ops: Vec<Op>,
    /// That of all clocks but the reference clock.
    pub(super) error_ns: u64,
}

/// Numbers as they come (SplitMix64).
#[derive(Debug, Clone)]
pub(super) struct Random(pub(super) u64);

impl Random {
    /// A number below `n`.
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.below(from.len())])
    }
}

impl History {
    pub(super) fn check(&self) -> super::Order {
        let mut check = OrderCheck::new(self.setup.clone());
        for rank in check.ranks() {
            for op in self.ops.iter().filter(|op| op.claim.rank == rank) {
                match op.is_skip {
                    true => check.skip(0, op.claim),
                    false => check.add(0, op.claim),
                }
            }
        }
        check.end_game(0, self.complete);
        check.into_order()
    }

    /// Whether operation `a` comes before `b`: by the clocks, or as records of one rank.
    pub(super) fn precedes(&self, a: usize, b: usize) -> bool {
        let (a, b) = (&self.ops[a].claim, &self.ops[b].claim);
        let clock = |claim: &Witness| self.setup.clocks[claim.rank as usize];
        let doubt_ns = match clock(a) == clock(b) {
            true => 0,
            false => a.error_ns + b.error_ns,
        };
        a.rank == b.rank && a.record < b.record || a.end_ns + doubt_ns < b.begin_ns
    }

    /// Whether the rank of a guess that was not submitted had seen its digit claimed.
    pub(super) fn has_seen(&self, op: usize) -> bool {
        let guess = &self.ops[op].claim;
        let resumed = self.setup.resumed.iter().flat_map(|(_, digits)| digits);
        let shows = |claim: &Witness| match self.setup.method {
            Method::CompareAndSwap => claim.digit == guess.digit,
            _ => {
                let word = |digit: u32| digit.saturating_sub(1) / 64;
                word(claim.digit) == word(guess.digit)
                    && claim.word >> ((guess.digit - 1) % 64) & 1 == 1
            }
        };
        resumed.into_iter().any(|&digit| digit == guess.digit)
            || self.ops.iter().any(|Op { claim, is_skip }| {
                let is_before = claim.rank == guess.rank && claim.record < guess.record;
                is_before && !is_skip && shows(claim)
            })
    }

    /// Pairs of a rank's operations, the earlier record first.
    fn of_one_rank(&self) -> impl Iterator<Item = (&Witness, &Witness)> {
        let all = self.ops.iter().map(|op| &op.claim);
        all.clone()
            .flat_map(move |a| all.clone().map(move |b| (a, b)))
            .filter(|(a, b)| a.rank == b.rank && a.record < b.record)
    }

    /// Whether some time passes between a rank's operations.
    pub(super) fn is_apart(&self) -> bool {
        self.of_one_rank().all(|(a, b)| a.end_ns < b.begin_ns)
    }

    /// Whether each rank's operations follow each other, as they do wherever a rank wrote them down.
    pub(super) fn is_in_sequence(&self) -> bool {
        self.of_one_rank().all(|(a, b)| a.end_ns <= b.begin_ns)
    }

    /// Whether two ranks are between two of their operations in the same nanosecond: which of the ends came
    /// before which of the beginnings cannot be said then.
    pub(super) fn has_ties(&self) -> bool {
        let touching = || self.of_one_rank().filter(|(a, b)| a.end_ns == b.begin_ns);
        touching().any(|(a, _)| touching().any(|(b, _)| a.rank != b.rank && a.end_ns == b.end_ns))
    }

    /// Records of a rank come in the order in which they began, and have the error of its clock.
    pub(super) fn number(&mut self) {
        for Op { claim, .. } in &mut self.ops {
            let has_error = self.setup.clocks[claim.rank as usize] > 0;
            claim.error_ns = if has_error { self.error_ns } else { 0 };
        }
        self.ops
            .sort_by_key(|op| (op.claim.rank, op.claim.begin_ns, op.claim.end_ns));
        for index in 0..self.ops.len() {
            let earlier = self.ops[..index]
                .iter()
                .filter(|op| op.claim.rank == self.ops[index].claim.rank);
            self.ops[index].claim.record = earlier.count() as u64;
        }
    }

    /// A right history. Three or four digits are played for, by four ranks at most.
    pub(super) fn random(method: Method, random: &mut Random) -> Self {
        let n_ranks = 2 + random.below(3);
        let has_clocks = random.below(3) == 0;
        let n_free = 1 + random.below(3) as u32;
        let is_resumed = random.below(3) == 0;
        let (n_digits, free) = match (is_resumed, method) {
            (false, _) => (n_free, (1..=n_free).collect()),
            (true, Method::Ticket | Method::TwoTier) => (n_free + 1, (2..=n_free + 1).collect()),
            (true, _) => (66, [1, 64, 66][..n_free as usize].to_vec()),
        };
        let setup = ClaimSetup {
            method,
            n_digits,
            clocks: (0..n_ranks as u32)
                .map(|rank| u32::from(has_clocks) * (rank / 2))
                .collect(),
            nodes: (0..n_ranks as u32).map(|rank| rank / 2).collect(),
            target: random.below(n_ranks) as u32,
            resumed: is_resumed.then(|| {
                (
                    0,
                    (1..=n_digits)
                        .filter(|digit| !free.contains(digit))
                        .collect(),
                )
            }),
        };
        let mut game = Game::new(&setup, &free);
        game.play(random);
        let ops = game.into_ops(random);
        let mut history = History {
            setup,
            complete: true,
            ops,
            error_ns: 0,
        };
        if has_clocks {
            history.put_on_clocks(random);
        }
        history.number();
        if random.below(2) == 0 {
            history.complete = false;
            for _ in 0..random.below(4).min(history.ops.len()) {
                history.ops.remove(random.below(history.ops.len()));
            }
        }
        history
    }

    /// Each clock but the first is wrong by no more than its error.
    fn put_on_clocks(&mut self, random: &mut Random) {
        let error_ns = 1 + random.below(40);
        self.error_ns = error_ns as u64;
        let ahead_ns = random.below(2 * error_ns + 1);
        for Op { claim, .. } in &mut self.ops {
            if self.setup.clocks[claim.rank as usize] > 0 {
                let shift = |ns: u64| ns + ahead_ns as u64 - error_ns as u64;
                (claim.begin_ns, claim.end_ns) = (shift(claim.begin_ns), shift(claim.end_ns));
            }
        }
    }
}
