//! One record: what took time, from when to when, and what came of it.

pub const RECORD_BYTES: usize = 32;

/// Longest duration that a record holds: 48 bits of nanoseconds, 3.2 days. A longer one is recorded
/// as this.
pub const MAX_DURATION_NS: u64 = (1 << 48) - 1;

/// A record that ends later than this is none: 146 years. It leaves room for adding and subtracting
/// such times, and offsets of clocks, which have the same bound.
pub const MAX_TIME_NS: u64 = (1 << 62) - 1;

/// What took time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// From entering the barrier before a game to the game's start on this rank.
    Start = 1,
    /// Simulated work, outside MPI.
    Think = 2,
    /// One-sided: a guess on its way through the board, from the end of thinking to its outcome.
    Claim = 3,
    /// Collective: one allreduce.
    Allreduce = 4,
    /// From the last outcome to the end of the game on this rank.
    Finish = 5,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Outcome {
    /// Nothing to decide: start, think, finish.
    None = 0,
    /// The guess scored.
    Won = 1,
    /// The guess was claimed before.
    Lost = 2,
    /// The guess was 0, which claims nothing: a look at the board (one-sided).
    Looked = 3,
    /// The operation that tells of a score; no guess of its own: an allreduce (collective), or an entry in
    /// the ledger of a game with checkpoints (one-sided). Of item 0: signs of life and checkpoints between a
    /// guess and the next, and no score (one-sided).
    Announced = 4,
    /// The guess was known to be claimed, so no operation was made for it (one-sided).
    Skipped = 5,
}

/// One thing that took time on one rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    pub kind: Kind,
    pub outcome: Outcome,
    /// Which game, from 0.
    pub game: u32,
    /// Claim, allreduce: the digit guessed. Finish: points. Else 0.
    pub item: u32,
    /// When it began: nanoseconds of the host's monotonic clock.
    pub begin_ns: u64,
    /// When it ended, on the same clock.
    pub end_ns: u64,
    /// What the operation showed.
    ///
    /// Claim by fetch-and-op: the digit's word after the claim, with all that the rank had seen in it before,
    /// bit (d − 1) mod 64 for digit d; for a guess of 0, word 0 where there is one word only, else 0. On two
    /// tiers: what the home rank's word showed, 0 where it was not asked. Claim by compare-and-swap: the slot's
    /// content before, 0 or the owner's rank + 1. Claim by ticket: the ticket's number + 1. Skipped: 0.
    /// Allreduce: the first word of what is known after it,
    /// bit d for digit d. Finish: the number of guesses. Else 0.
    pub word: u64,
}

impl Kind {
    pub const ALL: [Kind; 5] = [
        Kind::Start,
        Kind::Think,
        Kind::Claim,
        Kind::Allreduce,
        Kind::Finish,
    ];

    /// Its name in exports.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Start => "start",
            Kind::Think => "think",
            Kind::Claim => "claim",
            Kind::Allreduce => "allreduce",
            Kind::Finish => "finish",
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|&kind| kind as u8 == code)
    }
}

impl Outcome {
    pub const ALL: [Outcome; 6] = [
        Outcome::None,
        Outcome::Won,
        Outcome::Lost,
        Outcome::Looked,
        Outcome::Announced,
        Outcome::Skipped,
    ];

    /// Its name in exports.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::None => "none",
            Outcome::Won => "won",
            Outcome::Lost => "lost",
            Outcome::Looked => "looked",
            Outcome::Announced => "announced",
            Outcome::Skipped => "skipped",
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|&outcome| outcome as u8 == code)
    }
}

impl Record {
    /// How long it took.
    #[inline]
    pub fn duration_ns(&self) -> u64 {
        self.end_ns - self.begin_ns
    }

    /// The record as four words, in the order in which a file has them (little-endian):
    ///
    /// | word | bits | content |
    /// |---|---|---|
    /// | 0 | 64 | begin, ns |
    /// | 1 | 8, 8, 48 | kind, outcome, duration in ns |
    /// | 2 | 64 | what the operation showed |
    /// | 3 | 32, 32 | item, game |
    ///
    /// Word 1 is never 0, and the recorder writes it last: a record is there when its word 1 is.
    #[inline]
    pub fn to_words(&self) -> [u64; 4] {
        let what = self.kind as u64 | (self.outcome as u64) << 8;
        let duration_ns = self.end_ns.saturating_sub(self.begin_ns);
        let timing = what | duration_ns.min(MAX_DURATION_NS) << 16;
        let place = u64::from(self.item) | u64::from(self.game) << 32;
        [self.begin_ns, timing, self.word, place]
    }

    #[inline]
    pub fn to_bytes(&self) -> [u8; RECORD_BYTES] {
        let mut bytes = [0; RECORD_BYTES];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(self.to_words()) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// Reads the words of a file. `Ok(None)` where no record was written.
    ///
    /// # Errors
    /// What is wrong with it, where this is no record that the recorder can have written.
    #[inline]
    pub fn from_words(words: [u64; 4]) -> Result<Option<Self>, &'static str> {
        let [begin_ns, timing, word, place] = words;
        if timing & 0xff == 0 {
            return match words {
                [_, 0, _, _] => Ok(None),
                _ => Err("its kind is 0"),
            };
        }
        let kind = Kind::from_code(timing as u8).ok_or("its kind is unknown")?;
        let outcome = Outcome::from_code((timing >> 8) as u8).ok_or("its outcome is unknown")?;
        let fits = match kind {
            Kind::Start | Kind::Think | Kind::Finish => outcome == Outcome::None,
            Kind::Claim => matches!(
                outcome,
                Outcome::Won
                    | Outcome::Lost
                    | Outcome::Looked
                    | Outcome::Announced
                    | Outcome::Skipped
            ),
            Kind::Allreduce => matches!(outcome, Outcome::Won | Outcome::Lost | Outcome::Announced),
        };
        if !fits {
            return Err("its outcome does not go with its kind");
        }
        let end_ns = begin_ns
            .checked_add(timing >> 16)
            .filter(|&end_ns| end_ns <= MAX_TIME_NS)
            .ok_or("it ends beyond all time")?;
        Ok(Some(Record {
            kind,
            outcome,
            game: (place >> 32) as u32,
            item: place as u32,
            begin_ns,
            end_ns,
            word,
        }))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn any_record() -> impl Strategy<Value = Record> {
        let what = prop_oneof![
            Just((Kind::Start, Outcome::None)),
            Just((Kind::Think, Outcome::None)),
            Just((Kind::Claim, Outcome::Won)),
            Just((Kind::Claim, Outcome::Looked)),
            Just((Kind::Allreduce, Outcome::Announced)),
            Just((Kind::Finish, Outcome::None)),
        ];
        let times = (0..1u64 << 61, 0..=MAX_DURATION_NS);
        (what, times, any::<(u32, u32, u64)>()).prop_map(
            |((kind, outcome), (begin_ns, duration_ns), (game, item, word))| Record {
                kind,
                outcome,
                game,
                item,
                begin_ns,
                end_ns: begin_ns + duration_ns,
                word,
            },
        )
    }

    proptest! {
        #[test]
        fn a_record_is_read_as_it_was_written(record in any_record()) {
            prop_assert_eq!(Record::from_words(record.to_words()), Ok(Some(record)));
        }

        #[test]
        fn any_words_are_a_record_or_refused(words in any::<[u64; 4]>()) {
            if let Ok(Some(record)) = Record::from_words(words) {
                prop_assert_eq!(record.to_words(), words);
            }
        }
    }

    #[test]
    fn what_is_no_record_is_told_from_what_is_not_there() {
        let good = Record {
            kind: Kind::Claim,
            outcome: Outcome::Won,
            game: 3,
            item: 7,
            begin_ns: 100,
            end_ns: 130,
            word: 0x40,
        };
        let words = good.to_words();
        assert_eq!(words, [100, 0x1e_01_03, 0x40, 3 << 32 | 7]);
        assert_eq!(Record::from_words([9, 0, 9, 9]), Ok(None), "not complete");
        for (timing, why) in [
            (0x1e_01_00, "kind is 0"),
            (0x1e_01_09, "kind is unknown"),
            (0x1e_07_03, "outcome is unknown"),
            (0x1e_03_04, "does not go with its kind"),
        ] {
            let error = Record::from_words([100, timing, 0, 0]).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        let latest_ns = MAX_TIME_NS - good.duration_ns();
        assert!(Record::from_words([latest_ns, words[1], 0, 0]).is_ok());
        for begin_ns in [latest_ns + 1, u64::MAX] {
            let error = Record::from_words([begin_ns, words[1], 0, 0]).unwrap_err();
            assert!(error.contains("beyond all time"), "{error}");
        }
    }

    #[test]
    fn a_duration_that_does_not_fit_is_cut_and_does_not_spill() {
        let record = Record {
            kind: Kind::Think,
            outcome: Outcome::None,
            game: 0,
            item: 0,
            begin_ns: 5,
            end_ns: 5 + (1 << 50),
            word: 0,
        };
        let read = Record::from_words(record.to_words()).unwrap().unwrap();
        assert_eq!(
            (read.duration_ns(), read.kind),
            (MAX_DURATION_NS, Kind::Think)
        );
    }
}
