//! For how long others have given no sign of life. Pure: time is told.

use std::time::Duration;

/// For how long each of several others was silent, as far as somebody listened.
#[derive(Debug)]
pub(super) struct Silence {
    /// How many signs were there when it was last looked, and since when no more.
    others: Vec<(u64, Duration)>,
    /// How much a look counts at most: whoever did not run for a time has heard nobody then, and may be the
    /// reason why.
    longest: Duration,
}

impl Silence {
    /// Of `n` others, of whom nothing was heard yet.
    pub(super) fn of(n: usize, longest: Duration) -> Self {
        Silence {
            others: vec![(0, Duration::ZERO); n],
            longest,
        }
    }

    /// How many signs each has given by now, so long after the look before.
    pub(super) fn look(&mut self, signs: &[u64], after: Duration) {
        let after = after.min(self.longest);
        for ((heard, silent), &signs) in self.others.iter_mut().zip(signs) {
            *silent = match *heard == signs {
                true => *silent + after,
                false => Duration::ZERO,
            };
            *heard = signs;
        }
    }

    /// Those that were silent for so long, or longer.
    pub(super) fn longer_than(&self, patience: Duration) -> Vec<usize> {
        let others = self.others.iter().enumerate();
        let silent = others.filter(|(_, (_, silent))| *silent >= patience);
        silent.map(|(other, _)| other).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn only_silence_that_was_listened_to_counts() {
        let mut silence = Silence::of(3, 20 * MS);
        for look in 1..=9 {
            silence.look(&[look, 7, 0], 10 * MS);
        }
        assert_eq!(silence.longer_than(80 * MS), [1, 2], "one was never heard");
        assert_eq!(silence.longer_than(90 * MS), [2]);
        silence.look(&[9, 8, 0], 3_600_000 * MS);
        assert_eq!(
            silence.longer_than(20 * MS),
            [0, 2],
            "an hour away is one look"
        );
        assert_eq!(silence.longer_than(110 * MS), [2]);
        assert!(silence.longer_than(111 * MS).is_empty());
    }
}
