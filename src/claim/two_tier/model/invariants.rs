//! What must hold in every state, and that the end can be reached from it.

use super::super::protocol::{Attempt, End, Next, NodeMemory};
use super::{Doing, HomeCells, Node, NodeCells, Search, State, end_of};

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
        let n_words = self.shape.n_words();
        let is_full_at_home = |&word: &usize| u64::from(state.home[word]) == self.full(word);
        let n_full_at_home = (0..n_words).filter(is_full_at_home).count();
        let attempts = || state.nodes.iter().flat_map(Node::attempts);
        let to_count_at_home = attempts().filter(|attempt| self.is_to_count_at_home(attempt));
        let n_counted_at_home = usize::from(state.n_full_at_home) + to_count_at_home.count();
        if n_words > 1 && n_counted_at_home != n_full_at_home {
            return Some("a full word is not counted once on the home rank");
        }
        let telling = |attempt: &Attempt| matches!(attempt.next, Next::TellEnd { .. });
        let mut knowing = state.nodes.iter();
        if n_words > 1
            && usize::from(state.n_full_at_home) == n_words
            && !attempts().any(telling)
            && !knowing.any(|node| self.shape.all_taken(&node.cells()))
        {
            return Some("all is counted on the home rank, and no node knows");
        }
        for node in &state.nodes {
            let cells = node.cells();
            if node.attempts().any(telling) && n_full_at_home != n_words {
                return Some("the end is told before all is claimed");
            }
            if node.asked.iter().any(|&asked| asked > 1) {
                return Some("a node has asked for an item twice");
            }
            let bits = (0..n_items).filter(|&item| self.shape.has_bit(item, &cells));
            let n_asked = node.asked.iter().sum::<u8>() + node.n_asked_for_end;
            if usize::from(n_asked) > bits.count() {
                return Some("a node has asked more often than it has items");
            }
            let is_asking = |item| {
                node.attempts().any(|attempt| {
                    let before_t2 =
                        matches!(attempt.next, Next::AskHome { .. } | Next::CountThenAskHome);
                    before_t2 && self.item_of(attempt) == Some(item)
                })
            };
            for item in 0..n_items {
                let has_bit = self.shape.has_bit(item, &cells);
                if has_bit && !is_claimed(item) && !is_asking(item) {
                    return Some("a node has an item as taken that nobody takes");
                }
                if self.shape.all_taken(&cells) && !has_bit && !is_claimed(item) {
                    return Some("a node knows of all items and lacks one");
                }
            }
            let n_full = (0..self.shape.n_words()).filter(|&word| self.word_is_full(&cells, word));
            let counting = node.attempts().filter(|attempt| {
                matches!(
                    attempt.next,
                    Next::CountThenAskHome | Next::CountOnNode { .. }
                )
            });
            let n_counted = usize::from(node.n_full_words) + counting.count();
            // What is above the number of full words is by T7, which adds that of all words.
            let by_t7 = n_counted.checked_sub(n_full.count());
            if n_words > 1 && by_t7.is_none_or(|by_t7| by_t7 % n_words != 0) {
                return Some("a full word is not counted once");
            }
            if n_words > 1 && by_t7.is_some_and(|by_t7| by_t7 > 0 && n_full_at_home != n_words) {
                return Some("the end was told before all was claimed");
            }
            let at_rest = state.nodes.iter().all(|node| node.attempts().count() == 0);
            if at_rest && self.shape.all_taken(&cells) && !(0..n_items).all(is_claimed) {
                return Some("a node at rest knows of all items and one is free");
            }
            if at_rest && (0..n_items).all(is_claimed) && self.looks_do_not_end(&cells, state, 0) {
                return Some("as many looks as words do not teach a node the end");
            }
            let is_counted = n_words == 1 || usize::from(state.n_full_at_home) == n_words;
            if at_rest && is_counted && (0..n_items).all(is_claimed) && self.is_late(&cells, state)
            {
                return Some("one attempt does not teach a node the end that is counted");
            }
        }
        None
    }

    /// Whether an attempt fills a word on the home rank, or has filled it, and has not counted it yet.
    fn is_to_count_at_home(&self, attempt: &Attempt) -> bool {
        let is_before_t5 = matches!(
            attempt.next,
            Next::Publish { .. } | Next::CountOnNode { .. } | Next::CountAtHome { .. }
        );
        let full = self.full(attempt.word.index);
        let filled =
            |end| matches!(end, End::Asked { won: true, shown } if shown == full && is_before_t5);
        end_of(attempt).is_some_and(filled)
    }

    /// Whether a node at rest may not know of all after one attempt, unless it is one that fills the node's
    /// word by T1: that has no item which T3 could save, to pay for T6.
    fn is_late(&self, node: &NodeCells, state: &State) -> bool {
        if self.shape.all_taken(node) {
            return false;
        }
        let fills_by_t1 = |attempt: &Attempt| {
            let word = attempt.word.index;
            attempt.bit != 0 && node.load(word) | attempt.bit == self.full(word)
        };
        let mut attempts = self.beginnings(node);
        attempts.any(|attempt| {
            if fills_by_t1(&attempt) {
                return false;
            }
            let after = self.after(attempt, node, state);
            !self.shape.all_taken(&after)
        })
    }

    /// What a node at rest knows after an attempt.
    fn after(&self, attempt: Attempt, node: &NodeCells, state: &State) -> NodeCells {
        let cells = NodeCells {
            words: node.words.clone(),
            n_full_words: node.n_full_words.clone(),
        };
        let home = HomeCells::of(state);
        let mut doing = Doing::Trying(attempt);
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
        cells
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
            let cells = self.after(Attempt::look(word, known), node, state);
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
                        next: Next::CountThenAskHome | Next::CountOnNode { .. },
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
