//! Protocols with a fault, which the search must find out.

use std::cell::Cell;

use super::super::protocol::{Attempt, End, HomeMemory, Next, NodeMemory};
use super::{Doing, HomeCells, MAX_WORDS, NodeCells, Search};

/// What is wrong with a protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing.
    None,
    /// T1 is a load and a store, with time between them.
    NodeIsAskedInTwoSteps,
    /// T2 is a read and a write, with time between them.
    HomeIsAskedInTwoSteps,
    /// The node is told when the home rank has answered, and not before it is asked.
    NodeIsToldAfterwards,
    /// The node's winner takes itself for the winner.
    HomeIsNotAsked,
    /// T3 has the whole word as taken before the home rank's answer is known.
    AllIsPublished,
    /// T3 is left out.
    NothingIsPublished,
    /// T3 is a store.
    PublishedByAStore,
    /// T4 by everybody who sees the word full.
    CountedByAllWhoSeeIt,
    /// T4 after T1 only.
    NotCountedAfterPublishing,
    /// T4 before T3.
    CountedBeforePublishing,
    /// T5 before T2.
    CountedAtHomeBeforeAsking,
    /// T5 by everybody whose T2 shows the word full.
    CountedAtHomeByAllWhoSeeIt,
    /// T5 is left out.
    NotCountedAtHome,
    /// T5 takes the number before for the number after.
    LastCountIsNotNoticed,
    /// T6 by everybody whose T2 showed a full word with bits that its T1 had not left, whether or not T3
    /// found them on the node meanwhile.
    EndIsAskedForByAllWhoPublish,
    /// T6 is left out.
    EndIsNotAskedFor,
    /// T6 has all words as counted when one is missing.
    EndIsToldOneTooEarly,
    /// T7 is left out.
    EndIsNotTold,
}

impl<const PER_WORD: usize> Search<PER_WORD> {
    /// The protocol's step, or what the fault makes of it.
    pub(super) fn step(
        &self,
        attempt: Attempt,
        read: Option<u64>,
        node: &NodeCells,
        home: &HomeCells,
    ) -> Doing {
        let stepped =
            |attempt: Attempt, node: &NodeCells, home: &HomeCells| match attempt.step(node, home) {
                Ok(after) => after,
                Err(never) => match never {},
            };
        let word = attempt.word.index;
        let is_full = || self.word_is_full(node, word);
        match (self.fault, attempt.next, read) {
            (Fault::NodeIsAskedInTwoSteps, Next::AskNode, None) => {
                Doing::Halfway(attempt, node.load(word))
            }
            (Fault::HomeIsAskedInTwoSteps, Next::AskHome { .. }, None) => {
                Doing::Halfway(attempt, home.words[word].get().into())
            }
            (Fault::NodeIsAskedInTwoSteps, Next::AskNode, Some(read)) => {
                node.words[word].set(read as u8);
                Doing::Trying(stepped(attempt, node, home))
            }
            (Fault::HomeIsAskedInTwoSteps, Next::AskHome { .. }, Some(read)) => {
                home.words[word].set(read as u8);
                Doing::Trying(stepped(attempt, node, home))
            }
            (Fault::NodeIsToldAfterwards, Next::AskNode, _) => {
                // T1 decides by what is there, and leaves it as it is: T3 tells all.
                let known = node.load(word);
                let mut after = stepped(attempt, node, home);
                node.words[word].set(known as u8);
                if matches!(after.next, Next::AskHome { .. } | Next::CountThenAskHome) {
                    after.next = Next::AskHome { known };
                }
                Doing::Trying(after)
            }
            (Fault::HomeIsNotAsked, Next::AskHome { .. }, _) => {
                let unasked = HomeCells {
                    words: [const { Cell::new(0) }; MAX_WORDS],
                    n_full_words: Cell::new(0),
                };
                let after = stepped(attempt, node, &unasked);
                home.fetch_or(word, unasked.words[word].get().into())
                    .unwrap_or_else(|never| match never {});
                Doing::Trying(after)
            }
            (Fault::AllIsPublished, Next::AskHome { known }, _) => {
                let mut after = stepped(attempt, node, home);
                if let Next::Publish { news, .. } = &mut after.next {
                    *news = self.full(word) & !known;
                }
                Doing::Trying(after)
            }
            (Fault::NothingIsPublished, Next::Publish { end, .. }, _) => {
                Doing::Trying(attempt.with(Next::Ended(end)))
            }
            (Fault::PublishedByAStore, Next::AskHome { known }, _) => {
                let mut after = stepped(attempt, node, home);
                if let Next::Publish { news, .. } = &mut after.next {
                    *news |= known; // all that it is to store
                }
                Doing::Trying(after)
            }
            (Fault::PublishedByAStore, Next::Publish { .. }, _) => {
                let after = stepped(attempt, node, home);
                if let Next::Publish { news, .. } = attempt.next {
                    node.words[word].set(news as u8);
                }
                Doing::Trying(after)
            }
            (Fault::CountedByAllWhoSeeIt, Next::Publish { end, .. }, _) => {
                let after = stepped(attempt, node, home);
                Doing::Trying(match self.shape.n_words() > 1 && is_full() {
                    true => after.with(Next::CountOnNode { end }),
                    false => after,
                })
            }
            (Fault::NotCountedAfterPublishing, Next::CountOnNode { end }, _) => {
                Doing::Trying(attempt.with(Next::Ended(end)))
            }
            (Fault::CountedBeforePublishing, Next::Publish { news, .. }, _)
                if self.shape.n_words() > 1
                    && !is_full()
                    && node.load(word) | news == self.full(word)
                    && read.is_none() =>
            {
                node.add_full_words(1);
                Doing::Halfway(attempt, 0)
            }
            (Fault::CountedBeforePublishing, Next::Publish { end, .. }, Some(_)) => {
                let after = stepped(attempt, node, home);
                Doing::Trying(after.with(Next::Ended(end)))
            }
            (Fault::CountedAtHomeBeforeAsking, Next::AskHome { .. }, None)
                if self.shape.n_words() > 1
                    && u64::from(home.words[word].get()) != self.full(word)
                    && u64::from(home.words[word].get()) | attempt.bit == self.full(word) =>
            {
                let counted = home.add_full_words(1);
                counted.map_or_else(|never| match never {}, |_| Doing::Halfway(attempt, 0))
            }
            (Fault::CountedAtHomeBeforeAsking, Next::CountAtHome { end }, _) => {
                Doing::Trying(attempt.with(Next::Ended(end)))
            }
            (
                Fault::CountedAtHomeByAllWhoSeeIt,
                Next::Publish { .. } | Next::CountOnNode { .. },
                _,
            ) => {
                let after = stepped(attempt, node, home);
                Doing::Trying(match after.next {
                    Next::AskForEnd { end } => after.with(Next::CountAtHome { end }),
                    _ => after,
                })
            }
            (Fault::NotCountedAtHome, Next::CountAtHome { end }, _)
            | (Fault::EndIsNotAskedFor, Next::AskForEnd { end }, _)
            | (Fault::EndIsNotTold, Next::TellEnd { end }, _) => {
                Doing::Trying(attempt.with(Next::Ended(end)))
            }
            (Fault::LastCountIsNotNoticed, Next::CountAtHome { end }, _) => {
                Doing::Trying(stepped(attempt, node, home).with(Next::Ended(end)))
            }
            (Fault::EndIsAskedForByAllWhoPublish, Next::Publish { end, .. }, _) => {
                let after = stepped(attempt, node, home);
                Doing::Trying(match (after.next, end) {
                    (Next::Ended(_), End::Asked { shown, .. }) if shown == self.full(word) => {
                        after.with(Next::AskForEnd { end })
                    }
                    _ => after,
                })
            }
            (Fault::EndIsToldOneTooEarly, Next::AskForEnd { end }, _) => {
                let after = stepped(attempt, node, home);
                let n_counted = usize::from(home.n_full_words.get());
                Doing::Trying(match n_counted + 1 == self.shape.n_words() {
                    true => after.with(Next::TellEnd { end }),
                    false => after,
                })
            }
            _ => Doing::Trying(stepped(attempt, node, home)),
        }
    }
}

impl Attempt {
    fn with(self, next: Next) -> Self {
        Attempt { next, ..self }
    }
}
