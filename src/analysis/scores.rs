//! Who scored what, and which digits were scored by more than one rank.

use super::findings::DoubleScore;

/// Double scores that are kept with their ranks; the others are counted.
const MAX_KEPT: usize = 20;

pub(super) struct Scores {
    /// For each digit in which game it was scored last, and by whom first in that game. Games are not
    /// cleared up after: a game of few records takes no time that grows with the digits.
    first: Vec<Option<(u32, u32)>>,
    pub(super) doubles: Vec<DoubleScore>,
    pub(super) n_doubles: u64,
}

impl Scores {
    /// Of games of digits `1..=n_digits`.
    pub(super) fn new(n_digits: u32) -> Self {
        Scores {
            first: vec![None; n_digits as usize + 1],
            doubles: Vec::new(),
            n_doubles: 0,
        }
    }

    /// `rank` has scored `digit`. Whether it is the first.
    pub(super) fn won(&mut self, game: u32, rank: u32, digit: u32) -> bool {
        let Some(slot) = self.first.get_mut(digit as usize) else {
            return false;
        };
        let Some((_, first)) = slot.filter(|&(in_game, _)| in_game == game) else {
            *slot = Some((game, rank));
            return true;
        };
        self.double(game, first, rank, digit);
        false
    }

    /// `rank` has scored a digit that `first` had scored.
    fn double(&mut self, game: u32, first: u32, rank: u32, digit: u32) {
        self.n_doubles += 1;
        let known = self
            .doubles
            .iter()
            .rposition(|double| (double.game, double.digit) == (game, digit));
        let double = match known {
            Some(index) => &mut self.doubles[index],
            None if self.doubles.len() == MAX_KEPT => return,
            None => {
                let ranks = vec![first];
                self.doubles.push(DoubleScore { game, digit, ranks });
                self.doubles.last_mut().expect("one was pushed")
            }
        };
        // Each rank once, in order: broken records score again and again.
        if let Err(place) = double.ranks.binary_search(&rank) {
            double.ranks.insert(place, rank);
        }
    }
}
