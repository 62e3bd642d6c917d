//! The oracle: tries all orders of the atomic steps of a small history.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashSet;

use super::{ClaimSetup, History, Method, Op};

/// What the steps done so far have left.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct State {
    /// How many steps of each operation are done.
    done: Vec<u8>,
    /// The digits that were claimed in the game. Compare-and-swap: with the owner of each. Ticket: with the
    /// number by which each was drawn.
    digits: BTreeMap<u32, u64>,
    n_drawn: u64,
    /// Two tiers: for each node the digits that its word has.
    nodes: BTreeMap<u32, BTreeSet<u32>>,
    /// Two tiers: what claims that are missing have set on their nodes, and ask the home rank for.
    pending: BTreeSet<(u32, u32)>,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Claim,
    /// T1, T2 and T3 of two tiers.
    AskNode,
    AskHome,
    TellNode,
    /// A guess that was not submitted.
    Skip,
}

fn steps(method: Method, op: &Op) -> &'static [Step] {
    match (method, op.claim.digit, op.claim.word) {
        _ if op.is_skip => &[Step::Skip],
        (Method::TwoTier, 0, 0) if !op.claim.won => &[], // a look that reports nothing
        (Method::TwoTier, 0, _) => &[Step::AskHome, Step::TellNode],
        (Method::TwoTier, _, 0) => &[Step::AskNode],
        (Method::TwoTier, ..) => &[Step::AskNode, Step::AskHome, Step::TellNode],
        _ => &[Step::Claim],
    }
}

/// Whether some order of all steps explains what the history reports, and real time allows it.
pub(super) fn is_linearizable(history: &History) -> bool {
    let setup = &history.setup;
    let all = 0..history.ops.len();
    let before_each = all.clone().map(|op| {
        all.clone()
            .filter(|&other| history.precedes(other, op))
            .collect()
    });
    let before_each: Vec<Vec<usize>> = before_each.collect();
    let initial = State {
        done: vec![0; history.ops.len()],
        digits: BTreeMap::new(),
        n_drawn: 0,
        nodes: setup
            .nodes
            .iter()
            .map(|&node| (node, resumed_on(setup, node)))
            .collect(),
        pending: BTreeSet::new(),
    };
    let mut seen = FxHashSet::from_iter([initial.clone()]);
    let mut left = vec![initial];
    while let Some(state) = left.pop() {
        let is_done =
            |op: usize| state.done[op] as usize == steps(setup.method, &history.ops[op]).len();
        let all_done = all.clone().all(is_done);
        if all_done && (!history.complete || free_digits(setup, &state).next().is_none()) {
            return true;
        }
        let may_go_on =
            |&op: &usize| !is_done(op) && before_each[op].iter().all(|&other| is_done(other));
        let by_ops = all.clone().filter(may_go_on);
        let mut next: Vec<State> = by_ops.filter_map(|op| state.after(history, op)).collect();
        if !history.complete {
            next.extend(state.after_what_is_missing(setup));
        }
        // Most are known: they are not copied.
        let is_new = |state: &State| !seen.contains(state) && seen.insert(state.clone());
        left.extend(next.into_iter().filter(is_new));
    }
    false
}

/// The digits that are not claimed. Of tickets, those that are not drawn, which digits are that were claimed
/// before the game.
fn free_digits(setup: &ClaimSetup, state: &State) -> impl Iterator<Item = u32> {
    let is_free = |digit: &u32| !state.digits.contains_key(digit) && !is_resumed(setup, *digit);
    (1..=setup.n_digits).filter(move |digit| match setup.method {
        Method::Ticket => !state.digits.contains_key(digit),
        _ => is_free(digit),
    })
}

fn is_resumed(setup: &ClaimSetup, digit: u32) -> bool {
    let resumed = setup.resumed.as_ref();
    resumed.is_some_and(|(_, digits)| digits.binary_search(&digit).is_ok())
}

/// The digits that the node had before the game: the target rank claimed them, and nobody else did.
fn resumed_on(setup: &ClaimSetup, node: u32) -> BTreeSet<u32> {
    let digits = setup.resumed.iter().flat_map(|(_, digits)| digits);
    let is_target = setup.nodes[setup.target as usize] == node;
    digits.filter(|_| is_target).copied().collect()
}

/// The digits whose bits are set in `word`, which is that of `digit`.
fn digits_of(word: u64, digit: u32) -> impl Iterator<Item = u32> {
    let first = digit.saturating_sub(1) / 64 * 64 + 1;
    (0..64)
        .filter(move |bit| word >> bit & 1 == 1)
        .map(move |bit| first + bit)
}

impl State {
    /// The word of `digit`.
    fn word_of(&self, digit: u32, setup: &ClaimSetup) -> u64 {
        let first = digit.saturating_sub(1) / 64 * 64 + 1;
        let is_claimed = |digit: u32| self.digits.contains_key(&digit) || is_resumed(setup, digit);
        let bits = (0..64).filter(|bit| is_claimed(first + bit));
        bits.map(|bit| 1 << bit).sum()
    }

    /// After the next step of an operation, if that finds what it reports.
    fn after(&self, history: &History, op: usize) -> Option<State> {
        let (setup, Op { claim, is_skip: _ }) = (&history.setup, &history.ops[op]);
        let mut state = self.clone();
        let step = steps(setup.method, &history.ops[op])[self.done[op] as usize];
        state.done[op] += 1;
        if claim.digit > setup.n_digits || (claim.won && claim.digit == 0) {
            return None;
        }
        let node = state.nodes.get_mut(&setup.nodes[claim.rank as usize])?;
        let is_right = match step {
            Step::Skip if setup.method == Method::TwoTier => node.contains(&claim.digit),
            Step::Skip => !history.complete || history.has_seen(op),
            Step::AskNode if claim.word == 0 => !claim.won && node.contains(&claim.digit),
            Step::AskNode => node.insert(claim.digit),
            Step::TellNode => {
                node.extend(digits_of(claim.word, claim.digit));
                true
            }
            Step::AskHome => state.set(claim, setup),
            Step::Claim => match setup.method {
                Method::CompareAndSwap => state.swap(claim, setup),
                Method::Ticket => state.draw(claim, setup),
                Method::FetchAndOp | Method::TwoTier if claim.digit == 0 && setup.n_digits > 64 => {
                    true
                }
                Method::FetchAndOp | Method::TwoTier => state.set(claim, setup),
            },
        };
        is_right.then_some(state)
    }

    fn set(&mut self, claim: &super::Witness, setup: &ClaimSetup) -> bool {
        let is_new = claim.digit > 0
            && !is_resumed(setup, claim.digit)
            && self.digits.insert(claim.digit, 0).is_none();
        self.word_of(claim.digit, setup) == claim.word && is_new == claim.won
    }

    fn swap(&mut self, claim: &super::Witness, setup: &ClaimSetup) -> bool {
        if claim.digit == 0 {
            return true;
        }
        let mark = u64::from(claim.rank) + 1;
        match self.digits.get_mut(&claim.digit) {
            // Who had it before the game shows in the first who loses it.
            None if is_resumed(setup, claim.digit) => {
                self.digits.insert(claim.digit, claim.word);
                !claim.won && (1..=setup.clocks.len() as u64).contains(&claim.word)
            }
            None => {
                self.digits.insert(claim.digit, mark);
                claim.won && claim.word == 0
            }
            Some(owner) => !claim.won && claim.word == *owner,
        }
    }

    fn draw(&mut self, claim: &super::Witness, setup: &ClaimSetup) -> bool {
        self.n_drawn += 1;
        let is_beyond = self.n_drawn > u64::from(setup.n_digits);
        let is_resumed = is_resumed(setup, claim.digit);
        claim.word == self.n_drawn
            && claim.won != (is_beyond || is_resumed)
            && match claim.digit {
                0 => is_beyond && self.n_drawn <= setup.n_digits as u64 + setup.clocks.len() as u64,
                digit => !is_beyond && self.digits.insert(digit, self.n_drawn).is_none(),
            }
    }

    /// After a step of a claim of which there is no record.
    fn after_what_is_missing(&self, setup: &ClaimSetup) -> Vec<State> {
        let mut all = Vec::new();
        let mut add = |change: &mut dyn FnMut(&mut State)| {
            let mut state = self.clone();
            change(&mut state);
            all.push(state);
        };
        let free: Vec<u32> = free_digits(setup, self).collect();
        match setup.method {
            Method::FetchAndOp => free.iter().for_each(|&digit| {
                add(&mut |state| _ = state.digits.insert(digit, 0));
            }),
            Method::CompareAndSwap => free.iter().for_each(|&digit| {
                for mark in 1..=setup.clocks.len() as u64 {
                    add(&mut |state| _ = state.digits.insert(digit, mark));
                }
            }),
            Method::Ticket if self.n_drawn >= u64::from(setup.n_digits) => {
                if self.n_drawn < u64::from(setup.n_digits) + setup.clocks.len() as u64 {
                    add(&mut |state| state.n_drawn += 1);
                }
            }
            Method::Ticket => free.iter().for_each(|&digit| {
                add(&mut |state| {
                    state.n_drawn += 1;
                    state.digits.insert(digit, state.n_drawn);
                });
            }),
            Method::TwoTier => {
                for (&node, digits) in &self.nodes {
                    for digit in (1..=setup.n_digits).filter(|digit| !digits.contains(digit)) {
                        add(&mut |state| {
                            state.nodes.entry(node).or_default().insert(digit);
                            state.pending.insert((node, digit));
                        });
                    }
                    add(&mut |state| {
                        let resumed = setup.resumed.iter().flat_map(|(_, digits)| digits);
                        let claimed: Vec<u32> =
                            state.digits.keys().chain(resumed).copied().collect();
                        state.nodes.entry(node).or_default().extend(claimed);
                    });
                }
                for &(node, digit) in &self.pending {
                    add(&mut |state| {
                        state.pending.remove(&(node, digit));
                        state.digits.insert(digit, 0);
                    });
                }
            }
        }
        all
    }
}
