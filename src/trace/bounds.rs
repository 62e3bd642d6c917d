//! What the records of a run can say, by what `run.json` says of it.

use super::record::{Kind, Record};
use super::run::{RunInfo, Version};

/// Held against every record as it is read, so that whoever takes records need not look again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    operation: Kind,
    digits: u32,
    games: u64,
}

impl Bounds {
    pub(super) fn of(run: &RunInfo) -> Self {
        Bounds {
            operation: match run.version {
                Version::Rma => Kind::Claim,
                Version::Collective => Kind::Allreduce,
            },
            digits: run.digits,
            games: run.games,
        }
    }

    /// What is wrong with a record; `None` of a good one.
    #[inline]
    pub(super) fn violated_by(&self, record: &Record) -> Option<&'static str> {
        let is_operation = matches!(record.kind, Kind::Claim | Kind::Allreduce);
        if is_operation && record.kind != self.operation {
            return Some("it is of the other version of the game");
        }
        if is_operation && record.item > self.digits {
            return Some("its digit is none of this run's");
        }
        if u64::from(record.game) >= self.games {
            return Some("its game is none of this run's");
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Outcome, run_of_ranks};

    #[test]
    fn records_of_another_game_are_told_from_those_of_this_one() {
        let bounds = Bounds::of(&run_of_ranks(Version::Rma, 2)); // one game of digits 1 to 9
        let record = |kind, item, game| Record {
            kind,
            outcome: Outcome::None,
            game,
            item,
            begin_ns: 0,
            end_ns: 0,
            word: 0,
        };
        for good in [
            record(Kind::Claim, 0, 0),
            record(Kind::Claim, 9, 0),
            record(Kind::Finish, 9999, 0), // that is points
        ] {
            assert_eq!(bounds.violated_by(&good), None, "{good:?}");
        }
        for (bad, why) in [
            (record(Kind::Claim, 10, 0), "digit"),
            (record(Kind::Think, 0, 1), "game"),
            (record(Kind::Allreduce, 1, 0), "other version"),
        ] {
            let told = bounds.violated_by(&bad);
            assert!(told.is_some_and(|told| told.contains(why)), "{told:?}");
        }
    }
}
