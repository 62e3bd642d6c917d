//! Every interleaving of the shared-memory part on a memory that is as weak as Rust's: the same code,
//! on `loom`'s atomics.

use std::convert::Infallible;

use loom::sync::Arc;
use loom::sync::atomic::Ordering::{self, AcqRel, Acquire, Relaxed};
use loom::sync::atomic::{AtomicU64, AtomicUsize};

use super::protocol::{Attempt, End, HomeMemory, Next, NodeMemory, Shape};

const N_WORDS: usize = 2;

/// One node's words, as `SharedWindow` has them.
struct Node {
    words: [AtomicU64; N_WORDS],
    n_full_words: AtomicU64,
    /// The order of the counter's addition; a model has it too weak, to see that this is noticed.
    counting: Ordering,
}

impl NodeMemory for Node {
    fn load(&self, index: usize) -> u64 {
        self.words[index].load(Acquire)
    }
    fn fetch_or(&self, index: usize, bits: u64) -> u64 {
        self.words[index].fetch_or(bits, AcqRel)
    }
    fn n_full_words(&self) -> u64 {
        self.n_full_words.load(Acquire)
    }
    fn add_full_words(&self, addend: u64) -> u64 {
        self.n_full_words.fetch_add(addend, self.counting)
    }
}

/// The home rank's words and counter. Relaxed: MPI promises that its operations are atomic, and of their
/// order against the node's memory nothing is used.
struct Home {
    words: [AtomicU64; N_WORDS],
    n_full_words: AtomicU64,
    /// T2 of claims, and T6.
    n_questions: AtomicUsize,
}

impl HomeMemory for Home {
    type Error = Infallible;
    fn fetch_or(&self, index: usize, bits: u64) -> Result<u64, Infallible> {
        if bits != 0 {
            self.n_questions.fetch_add(1, Relaxed);
        }
        Ok(self.words[index].fetch_or(bits, Relaxed))
    }
    fn add_full_words(&self, addend: u64) -> Result<u64, Infallible> {
        if addend == 0 {
            self.n_questions.fetch_add(1, Relaxed);
        }
        Ok(self.n_full_words.fetch_add(addend, Relaxed))
    }
}

/// Runs an attempt to its end; whether it won.
fn finish(mut attempt: Attempt, node: &Node, home: &Home) -> bool {
    loop {
        if let Next::Ended(end) = attempt.next {
            return matches!(end, End::Asked { won: true, .. });
        }
        attempt = match attempt.step(node, home) {
            Ok(attempt) => attempt,
            Err(never) => match never {},
        };
    }
}

/// Ranks on nodes, each with the items that it claims, in this order.
struct Model<const PER_WORD: usize> {
    shape: Shape<PER_WORD>,
    nodes: &'static [&'static [&'static [usize]]],
    counting: Ordering,
}

impl<const PER_WORD: usize> Model<PER_WORD> {
    fn check(&'static self, max_preemptions: Option<usize>) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = max_preemptions;
        builder.check(|| self.run());
    }

    fn run(&self) {
        let shape = self.shape;
        let words = || [AtomicU64::new(0), AtomicU64::new(0)];
        let home = Arc::new(Home {
            words: words(),
            n_full_words: AtomicU64::new(0),
            n_questions: AtomicUsize::new(0),
        });
        let mut ranks = Vec::new();
        let mut nodes = Vec::new();
        for &of_node in self.nodes {
            let node = Arc::new(Node {
                words: words(),
                n_full_words: AtomicU64::new(0),
                counting: self.counting,
            });
            for &items in of_node {
                let (node, home) = (node.clone(), home.clone());
                ranks.push(loom::thread::spawn(move || {
                    rank(&shape, items, &node, &home)
                }));
            }
            nodes.push(node);
        }
        let won: Vec<Vec<usize>> = ranks
            .into_iter()
            .map(|rank| rank.join().expect("no panic"))
            .collect();
        let mut won = won.concat();
        won.sort_unstable();
        let claimed = self.nodes.concat().concat();
        let expected: Vec<usize> = (0..shape.n_items())
            .filter(|item| claimed.contains(item))
            .collect();
        assert_eq!(won, expected, "each item that was claimed is won once");
        let n_questions = home.n_questions.load(Relaxed);
        assert!(
            n_questions <= shape.n_items() * self.nodes.len(),
            "{n_questions} questions"
        );
        let home_words = home.words.iter().map(|word| word.load(Relaxed));
        let home_words: Vec<u64> = home_words.collect();
        let n_full_at_home = n_full_words(&shape, |item| {
            let (index, bit) = shape.place(item);
            home_words[index] & bit != 0
        });
        let n_counted_at_home = home.n_full_words.load(Relaxed) as usize;
        let n_to_count = n_full_at_home * usize::from(shape.n_words() > 1);
        assert_eq!(n_counted_at_home, n_to_count, "each is counted at home");
        for (node, of_node) in nodes.iter().zip(self.nodes) {
            let n_full = n_full_words(&shape, |item| shape.has_bit(item, &**node));
            let by_t7 = node.n_full_words() as usize - n_full;
            assert_eq!(by_t7 % shape.n_words(), 0, "each full word is counted once");
            assert!(by_t7 == 0 || n_counted_at_home == shape.n_words());
            let claims_all = (0..shape.n_items()).all(|item| of_node.concat().contains(&item));
            assert!(!claims_all || shape.all_taken(&**node));
            look_to_the_end(&shape, node, &home, expected.len() == shape.n_items());
        }
    }
}

/// A rank claims its items, and after each checks what its node knows.
fn rank<const PER_WORD: usize>(
    shape: &Shape<PER_WORD>,
    items: &[usize],
    node: &Node,
    home: &Home,
) -> Vec<usize> {
    let mut won = Vec::new();
    for &item in items {
        if Attempt::claim(shape, item, node).is_some_and(|attempt| finish(attempt, node, home)) {
            won.push(item);
        }
        let all_taken = shape.all_taken(node);
        assert!(
            all_taken || shape.has_bit(item, node),
            "what is claimed is taken"
        );
        if all_taken {
            let is_claimed = |item| {
                let (index, bit) = shape.place(item);
                // Not a load, which may be of a word that has changed since.
                home.words[index].fetch_or(0, Relaxed) & bit != 0
            };
            let is_taken = |item| shape.has_bit(item, node) || is_claimed(item);
            assert!((0..shape.n_items()).all(is_taken), "all, and each");
        }
    }
    won
}

/// At rest, one look teaches a node that all is claimed, if it is: all words are counted at home.
fn look_to_the_end<const PER_WORD: usize>(
    shape: &Shape<PER_WORD>,
    node: &Node,
    home: &Home,
    all_claimed: bool,
) {
    if let Some((word, known)) = shape.word_to_look_at(0, node) {
        assert!(!finish(Attempt::look(word, known), node, home));
    }
    assert_eq!(shape.all_taken(node), all_claimed);
}

/// How many words have all of their items.
fn n_full_words<const PER_WORD: usize>(
    shape: &Shape<PER_WORD>,
    has: impl Fn(usize) -> bool,
) -> usize {
    let items_of = |index| index * PER_WORD..shape.n_items().min((index + 1) * PER_WORD);
    (0..shape.n_words())
        .filter(|&index| items_of(index).all(&has))
        .count()
}

fn model<const PER_WORD: usize>(
    n_items: usize,
    nodes: &'static [&'static [&'static [usize]]],
) -> &'static Model<PER_WORD> {
    Box::leak(Box::new(Model {
        shape: Shape::of(n_items),
        nodes,
        counting: AcqRel,
    }))
}

#[test]
fn two_ranks_of_a_node_and_two_words() {
    model::<1>(2, &[&[&[0, 1], &[1, 0]]]).check(Some(2));
}

#[test]
fn two_ranks_of_a_node_and_one_word_after_which_another_is_begun() {
    model::<2>(3, &[&[&[0, 1, 2], &[1, 0]]]).check(Some(3));
}

#[test]
fn two_nodes_of_a_rank_each() {
    model::<1>(2, &[&[&[0, 1]], &[&[1, 0]]]).check(None);
}

#[test]
fn two_ranks_of_a_node_and_one_of_another() {
    model::<1>(2, &[&[&[0, 1], &[1, 0]], &[&[0, 1]]]).check(Some(2));
}

#[test]
fn two_nodes_that_fill_a_word_together() {
    model::<2>(3, &[&[&[0, 2]], &[&[1, 2, 0]]]).check(Some(3));
}

#[test]
fn three_ranks_of_a_node_and_a_part_of_the_items() {
    model::<2>(4, &[&[&[0, 1], &[1, 0], &[2]]]).check(Some(2));
}

/// The model sees an order that is too weak: a node is told of all before it has each.
#[test]
#[should_panic(expected = "all, and each")]
fn a_counter_without_release_order_is_noticed() {
    let model = Box::leak(Box::new(Model::<1> {
        shape: Shape::of(2),
        nodes: &[&[&[0], &[1]]],
        counting: Relaxed,
    }));
    model.check(None);
}
