//! What must hold in every state, and that the end can be reached from it.

use std::cell::Cell;

use super::super::protocol::{Attempt, Next};
use super::{Doing, HomeCells, Node, NodeCells, Search, State};

impl<const PER_WORD: usize> Search<PER_WORD> {
    /// What is wrong with a state, by itself.
    pub(super) fn wrong(&self, state: &State) -> Option<&'static str> {
        let n_items = self.shape.n_items();
        let is_claimed = |item| {
            let (index, bit) = self.shape.place(item);
            u64::from(state.home[index]) & bit != 0
        };
        for item in 0..n_items {
            if state.won[item] > 1 {
                return Some("an item was won twice");
            }
            if is_claimed(item) != (state.won[item] == 1) {
                return Some("an item is claimed by nobody, or won and not claimed");
            }
        }
        for node in &state.nodes {
            let cells = node.cells();
            if node.asked.iter().any(|&asked| asked > 1) {
                return Some("a node has asked for an item twice");
            }
            let is_asking = |item| {
                node.attempts().any(|attempt| {
                    let before_t2 =
                        matches!(attempt.next, Next::AskHome { .. } | Next::CountThenAskHome);
                    before_t2 && self.item_of(attempt) == Some(item)
                })
            };
            for item in 0..n_items {
                let is_taken = self.shape.is_taken(item, &cells);
                if is_taken && !is_claimed(item) && !is_asking(item) {
                    return Some("a node has an item as taken that nobody takes");
                }
                if self.shape.all_taken(&cells) && !is_taken {
                    return Some("a node knows of all items and lacks one");
                }
            }
            let n_full = (0..self.shape.n_words()).filter(|&word| self.word_is_full(&cells, word));
            let counting = node.attempts().filter(|attempt| {
                matches!(
                    attempt.next,
                    Next::CountThenAskHome | Next::CountThenEnd { .. }
                )
            });
            let n_counted = usize::from(node.n_full_words) + counting.count();
            if self.shape.n_words() > 1 && n_full.count() != n_counted {
                return Some("a full word is not counted once");
            }
            let at_rest = state.nodes.iter().all(|node| node.attempts().count() == 0);
            if at_rest && self.shape.all_taken(&cells) && !(0..n_items).all(is_claimed) {
                return Some("a node at rest knows of all items and one is free");
            }
            if at_rest && (0..n_items).all(is_claimed) && self.looks_do_not_end(&cells, state, 0) {
                return Some("as many looks as words do not teach a node the end");
            }
        }
        None
    }

    /// Whether after some looks, as many as there are words, a node at rest still does not know of all.
    fn looks_do_not_end(&self, node: &NodeCells, state: &State, n_looks: usize) -> bool {
        if self.shape.all_taken(node) {
            return false;
        }
        if n_looks == self.shape.n_words() {
            return true;
        }
        let words = (0..self.shape.n_words()).map(|from| self.shape.word_to_look_at(from, node));
        words.into_iter().any(|found| {
            let Some((word, known)) = found else {
                return true;
            };
            let cells = NodeCells {
                words: node.words.clone(),
                n_full_words: node.n_full_words.clone(),
            };
            let home = HomeCells(state.home.map(Cell::new));
            let mut doing = Doing::Trying(Attempt::look(word, known));
            while let Doing::Trying(attempt) | Doing::Halfway(attempt, _) = doing {
                if matches!(attempt.next, Next::Ended(_)) {
                    break;
                }
                let read = match doing {
                    Doing::Halfway(_, read) => Some(read),
                    _ => None,
                };
                doing = self.step(attempt, read, &cells, &home);
            }
            self.looks_do_not_end(&cells, state, n_looks + 1)
        })
    }

    /// A state from which the end cannot be reached: that each node on which a rank has not stopped
    /// knows of all items. A rank that died with a word to be counted holds up its node.
    pub(super) fn stuck(&self, states: &[State], steps: &[(u32, u32)]) -> Option<String> {
        let is_end = |state: &State| {
            let knows = |node: &Node| !node.is_alive() || self.shape.all_taken(&node.cells());
            state.nodes.iter().all(knows)
        };
        let died_counting = |state: &State| {
            let dead = state.nodes.iter().flat_map(|node| &node.ranks);
            dead.into_iter().any(|doing| {
                matches!(
                    doing,
                    Doing::Stopped(Some(Attempt {
                        next: Next::CountThenAskHome | Next::CountThenEnd { .. },
                        ..
                    }))
                )
            })
        };
        let mut before: Vec<Vec<u32>> = vec![Vec::new(); states.len()];
        for &(from, to) in steps {
            before[to as usize].push(from);
        }
        let mut reaches: Vec<bool> = states.iter().map(is_end).collect();
        let mut open: Vec<usize> = (0..states.len()).filter(|&state| reaches[state]).collect();
        while let Some(state) = open.pop() {
            for &earlier in &before[state] {
                if !std::mem::replace(&mut reaches[earlier as usize], true) {
                    open.push(earlier as usize);
                }
            }
        }
        let mut stuck = states.iter().zip(reaches);
        let (state, _) = stuck.find(|(state, reaches)| !reaches && !died_counting(state))?;
        Some(format!("the end cannot be reached: {state:?}"))
    }
}
