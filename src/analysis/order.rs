//! Whether the claims of a run are linearizable: whether their atomic operations can have happened one
//! after the other, so that each found what it reports, and in an order that real time allows.
//!
//! A board is a set of objects that are independent of each other, and linearizability is local (Herlihy and
//! Wing 1990, theorem 1): by one clock, claims are linearizable if and only if those of each object are. Of each
//! it is decided:
//!
//! - **Fetch-and-op** (also by CPU atomics in shared memory), a word of 64 digits. A claim reports the word
//!   after it. The words seen must be a chain of supersets. Each state of the word has exactly one claim that
//!   brought it about: it won, and its digit is the one bit that the state before lacks. Whoever lost, or
//!   looked, saw a state that holds its own digit, and comes after that state's winner and before the next.
//! - **Compare-and-swap**, a slot for each digit. Exactly one claim won and found the slot free; the others
//!   found the winner's rank, and come after it.
//! - **Tickets**, one counter. Each number up to the highest was drawn once, and each digit by one number;
//!   draws come in the order of their numbers. Numbers beyond the last digit show that there are no more.
//! - **Two tiers**, the words of the home rank as in fetch-and-op, and those of each node
//!   ([`nodes`]).
//!
//! Real time: a claim that ended before another began comes first. On one clock there is no doubt about
//! that; on two it must be beyond the errors of both. A rank's own claims come in the order of its records,
//! also where one ends in the nanosecond in which the next begins.
//!
//! What claims report puts the states in a fixed order. So the claims have an order if and only if real time
//! puts no claim of a later state before one of an earlier state, and none that lost before the winner of its
//! state: a cycle of the two orders goes back somewhere, and only real time goes back. The latest beginning in
//! all earlier states and the earliest end in each decide it, in time that grows with the claims alone. Between
//! clocks it is decided of each pair of claims of an object: no error of a clock makes a violation, and one that
//! several clocks could prove together may be missed.
//!
//! Where records are missing, what is checked is what holds whatever they had: a state may lack its winner. The
//! tests hold all this against an oracle that tries all orders.

mod board;
mod clocks;
mod nodes;
mod report;
mod setup;
mod slots;
#[cfg(test)]
mod tests;
mod tickets;
mod witness;
mod words;

use board::Board;
use clocks::Clocks;
use nodes::{Lost, Node};
use report::Report;
pub use setup::{ClaimSetup, Method};
pub use witness::{Order, OrderViolation, Witness};

/// Checks claims game by game. Memory is bounded by the digits of a game, and work by its claims.
#[derive(Debug)]
pub struct OrderCheck {
    setup: ClaimSetup,
    board: Board,
    /// The claims of one clock by themselves, which are compared without its error. `None` where all ranks
    /// are on the reference clock, which has none.
    on_clock: Option<Board>,
    /// Two tiers: the claims of one node.
    node: Option<Node>,
    /// Two tiers: claims that were lost on their node, which learnt of the digit by what is not recorded.
    untold: Vec<Witness>,
    /// Whose claims come.
    rank: Option<u32>,
    /// Whether that rank is on another clock than the reference clock.
    has_other_clock: bool,
    /// What the rank has seen as claimed so far, by words of 64 digits.
    known: Vec<u64>,
    known_words: Vec<usize>,
    /// The number of the rank's last ticket.
    last_ticket: Option<Witness>,
    /// A guess that was not submitted, though the rank had not seen its digit claimed.
    skipped: Option<Witness>,
    /// Bits of the digits that were claimed before the resumed game.
    resumed: Vec<u64>,
    report: Report,
}

impl OrderCheck {
    /// A check of the games of a run.
    pub fn new(setup: ClaimSetup) -> Self {
        let n_words = (setup.n_digits as usize).div_ceil(64);
        let has_clocks = setup.clocks.iter().any(|&clock| clock > 0);
        let is_two_tier = setup.method == Method::TwoTier;
        let mut resumed = Vec::new();
        for &digit in setup.resumed.iter().flat_map(|(_, digits)| digits) {
            resumed.resize(n_words, 0);
            if let Some((index, bit)) = place(digit).filter(|&(index, _)| index < n_words) {
                resumed[index] |= bit;
            }
        }
        OrderCheck {
            board: Board::new(&setup, Clocks::All),
            on_clock: has_clocks.then(|| Board::new(&setup, Clocks::One)),
            node: is_two_tier.then(|| Node::new(setup.n_digits, setup.clocks_of_nodes())),
            untold: Vec::new(),
            rank: None,
            has_other_clock: false,
            known: vec![0; n_words],
            known_words: Vec::new(),
            last_ticket: None,
            skipped: None,
            resumed,
            report: Report::default(),
            setup,
        }
    }

    /// All ranks, in the order in which their claims of a game are to be [added](OrderCheck::add).
    pub fn ranks(&self) -> Vec<u32> {
        self.setup.ranks()
    }

    /// Adds a claim of `game`. Claims of a game come rank by rank in the order of
    /// [`ranks`](OrderCheck::ranks), those of a rank in the order of its records, all of them before
    /// [`end_game`](OrderCheck::end_game).
    #[inline]
    pub fn add(&mut self, game: u32, claim: Witness) {
        self.report.n_claims += 1;
        self.comes(game, &claim);
        if self.is_possible(&claim) {
            self.board.file(&claim);
            if let Some(on_clock) = self.on_clock.as_mut().filter(|_| self.has_other_clock) {
                on_clock.file(&claim);
            }
        }
    }

    /// Adds a guess of `game` that was not submitted, since its rank knew that the digit was claimed; likewise.
    pub fn skip(&mut self, game: u32, guess: Witness) {
        self.comes(game, &guess);
        let Some((index, bit)) = place(guess.digit) else {
            return; // 0 is known to be claimed
        };
        if guess.digit > self.setup.n_digits {
            return self.is_of_no_digit(&guess);
        }
        if self.node.is_some() {
            self.lose_on_node(&guess, index, bit);
        } else if (self.known[index] | self.resumed_of(index)) & bit == 0 {
            self.skipped.get_or_insert(guess);
        }
    }

    /// A claim or a guess of this game and rank comes.
    #[inline]
    fn comes(&mut self, game: u32, claim: &Witness) {
        self.report.game = game;
        if self.rank != Some(claim.rank) {
            self.leave_rank(Some(claim.rank));
        }
    }

    #[inline(never)]
    fn leave_rank(&mut self, next: Option<u32>) {
        if let Some(rank) = self.rank {
            let setup = &self.setup;
            let other_clock = next.is_none_or(|next| setup.clock_of(next) != setup.clock_of(rank));
            if next.is_none_or(|next| setup.node_of(next) != setup.node_of(rank)) {
                self.leave_node(rank);
            }
            if let Some(on_clock) = self.on_clock.as_mut().filter(|_| other_clock) {
                on_clock.check_times(&mut self.report);
                on_clock.clear();
            }
        }
        for index in self.known_words.drain(..) {
            self.known[index] = 0;
        }
        self.last_ticket = None;
        self.rank = next;
        self.has_other_clock = next.is_some_and(|next| self.setup.clock_of(next) > 0);
    }

    /// Two tiers: all claims of the node of `rank`, whose claims came last, are there.
    fn leave_node(&mut self, rank: u32) {
        let Some(node) = &mut self.node else {
            return;
        };
        let (all, on_clock, untold) = (&mut self.board, &mut self.on_clock, &mut self.untold);
        let clock = self.setup.clock_of(rank);
        let has_this_clock = |lost: &Witness| clock > 0 && self.setup.clock_of(lost.rank) == clock;
        node.check(&mut self.report, |loser, lost| match lost {
            Lost::After { index, n_claimed } => {
                let on_clock = on_clock.as_mut().filter(|_| has_this_clock(loser));
                for board in [Some(&mut *all), on_clock].into_iter().flatten() {
                    if let Board::Words(words) = board {
                        words.file_after(index, n_claimed, loser);
                    }
                }
            }
            Lost::Untold => untold.push(*loser),
        });
        node.clear();
    }

    /// Two tiers: a claim of the digit of bit `own` of word `index` was lost on its node. The target rank's node
    /// has had the digits since before the game that were claimed then; the others ask for them as for any.
    fn lose_on_node(&mut self, claim: &Witness, index: usize, own: u64) {
        let was_claimed = self.node_had(claim.rank, index) & own != 0;
        if let Some(node) = self.node.as_mut().filter(|_| !was_claimed) {
            node.lost(claim);
        }
    }

    /// Two tiers: the bits that the node of `rank` had in word `index` before the game.
    fn node_had(&self, rank: u32, index: usize) -> u64 {
        match self.setup.node_of(rank) == self.setup.node_of(self.setup.target) {
            true => self.resumed_of(index),
            false => 0,
        }
    }

    fn resumed_of(&self, index: usize) -> u64 {
        match &self.setup.resumed {
            Some((game, _)) if *game == self.report.game => {
                self.resumed.get(index).copied().unwrap_or(0)
            }
            _ => 0,
        }
    }

    fn is_of_no_digit(&mut self, claim: &Witness) {
        let n_digits = self.setup.n_digits;
        let what = format!("{} is of no digit: they are 1 to {n_digits}", claim.name());
        self.report.violate(what, &[claim]);
    }

    /// Whether a claim is possible by itself, and beside those of its rank. What it tells is kept.
    #[inline]
    fn is_possible(&mut self, claim: &Witness) -> bool {
        let n_digits = self.setup.n_digits;
        if claim.digit > n_digits || (claim.won && claim.digit == 0) {
            self.is_of_no_digit(claim);
            return false;
        }
        let (index, own) = place(claim.digit).unwrap_or((0, 0));
        if claim.won && self.resumed_of(index) & own != 0 {
            let what = format!("{} won what was claimed before the game", claim.name());
            self.report.violate(what, &[claim]);
            return false;
        }
        match self.setup.method {
            Method::FetchAndOp | Method::TwoTier => self.is_possible_on_word(claim, index, own),
            Method::CompareAndSwap => self.is_possible_on_slot(claim, index, own),
            Method::Ticket => self.is_possible_ticket(claim, index, own),
        }
    }

    #[inline]
    fn is_possible_on_word(&mut self, claim: &Witness, index: usize, own: u64) -> bool {
        if claim.digit == 0 && (self.known.len() > 1 || self.node.is_some() && claim.word == 0) {
            return false; // a look that reports no word
        }
        if self.node.is_some() && claim.word == 0 {
            if claim.won {
                let what = format!("{} won and had not asked the home rank", claim.name());
                self.report.violate(what, &[claim]);
            } else {
                self.lose_on_node(claim, index, own);
            }
            return false;
        }
        let Board::Words(words) = &self.board else {
            return false;
        };
        let asker = self.node.as_ref().and_then(|node| node.asker(claim));
        let items = words.items_in(index);
        let before = self.known[index] | self.resumed_of(index);
        let on_node = self.known[index] | self.node_had(claim.rank, index);
        let what = if claim.word & !items != 0 {
            "saw a bit that is no digit's"
        } else if claim.word & own != own {
            "saw its own digit as not claimed, after it had claimed it"
        } else if before & !claim.word != 0 {
            "saw less than was claimed before the game, or than its rank had seen before"
        } else if claim.won && before & own != 0 {
            "won, and its rank had seen its digit claimed before"
        } else if self.node.is_some() && on_node & own != 0 {
            "asked the home rank, and its rank had seen its digit claimed before"
        } else {
            ""
        };
        if !what.is_empty() {
            self.report
                .violate(format!("{} {what}", claim.name()), &[claim]);
            return false;
        }
        if let Some(other) = asker {
            let what = "{a} and {b} both asked the home rank, and share a node";
            self.report.violate_pair(what, claim, &other);
            return false;
        }
        if let Some((what, other)) = words.contradiction(claim, index, own) {
            self.report.violate_pair(what, claim, &other);
            return false;
        }
        if let Some(node) = &mut self.node {
            node.asked(claim);
        }
        self.learn(index, claim.word);
        true
    }

    fn is_possible_on_slot(&mut self, claim: &Witness, index: usize, own: u64) -> bool {
        if claim.digit == 0 {
            return false; // a look reads the counter, and reports nothing
        }
        let Board::Slots(slots) = &self.board else {
            return false;
        };
        let n_ranks = self.setup.clocks.len() as u64;
        let what = match (claim.won, claim.word) {
            (true, 1..) => "won, and found that its digit had an owner",
            (false, 0) => "lost, and found its digit free",
            (false, owner) if owner > n_ranks => "lost to a rank that there is not",
            (true, 0) if self.known[index] & own != 0 => {
                "won, and its rank had lost or won its digit before"
            }
            _ => "",
        };
        if !what.is_empty() {
            self.report
                .violate(format!("{} {what}", claim.name()), &[claim]);
            return false;
        }
        if let Some((what, other)) = slots.contradiction(claim) {
            self.report.violate_pair(what, claim, &other);
            return false;
        }
        self.learn(index, own);
        true
    }

    fn is_possible_ticket(&mut self, claim: &Witness, index: usize, own: u64) -> bool {
        let Board::Tickets(tickets) = &self.board else {
            return false;
        };
        let may_be_lost = claim.digit == 0 || self.resumed_of(index) & own != 0;
        let what = if !tickets.is_number(claim.word) {
            "has a number that no draw can have"
        } else if tickets.is_beyond(claim.word) != (claim.digit == 0) {
            "has a digit beyond the last ticket, or none for a ticket before it"
        } else if claim.won == may_be_lost {
            "lost the digit of its own ticket"
        } else {
            ""
        };
        if !what.is_empty() {
            self.report
                .violate(format!("{} {what}", claim.name()), &[claim]);
            return false;
        }
        if let Some(last) = self.last_ticket.filter(|last| last.word >= claim.word) {
            let what = "{a} is no later ticket than {b}, which its rank had drawn before";
            self.report.violate_pair(what, claim, &last);
            return false;
        }
        if let Some((what, other)) = tickets.contradiction(claim) {
            self.report.violate_pair(what, claim, &other);
            return false;
        }
        self.last_ticket = Some(*claim);
        true
    }

    /// The rank has seen these digits claimed.
    #[inline]
    fn learn(&mut self, index: usize, word: u64) {
        if self.known[index] == 0 {
            self.known_words.push(index);
        }
        self.known[index] |= word;
    }

    /// Ends `game`: checks it and forgets it. `complete`: all claims of all ranks were added.
    pub fn end_game(&mut self, game: u32, complete: bool) {
        self.report.game = game;
        self.leave_rank(None);
        let is_resumed = matches!(&self.setup.resumed, Some((of, _)) if *of == game);
        let resumed = if is_resumed { &self.resumed[..] } else { &[] };
        match &self.board {
            Board::Words(words) => words.check_states(&mut self.report),
            Board::Slots(_) | Board::Tickets(_) => {}
        }
        self.board.check_times(&mut self.report);
        // Where a claim was refused, what it did is missing elsewhere.
        if complete && self.report.is_clean() {
            self.report.is_complete();
            if let Some(guess) = self.skipped {
                let what = format!(
                    "{} was skipped, and its rank had not seen it claimed",
                    guess.name()
                );
                self.report.violate(what, &[&guess]);
            }
            match &self.board {
                Board::Words(words) => {
                    words.check_untold(&self.untold, &mut self.report);
                    words.check_winners(resumed, &mut self.report);
                }
                Board::Slots(slots) => slots.check_winners(resumed, &mut self.report),
                Board::Tickets(tickets) => tickets.check_draws(&mut self.report),
            }
        }
        self.skipped = None;
        self.untold.clear();
        self.board.clear();
        self.report.end_game(complete);
    }

    /// What came of all games.
    pub fn into_order(self) -> Order {
        self.report.into_order()
    }
}

/// Where the bit of a digit is: index of the word, and the bit within it. `None` for 0.
#[inline]
fn place(digit: u32) -> Option<(usize, u64)> {
    let item = digit.checked_sub(1)?;
    Some((item as usize / 64, 1 << (item % 64)))
}
