//! Runs made up record by record, as the analysis would show them.

use super::super::lanes::Lanes;
use crate::analysis::{Watch, Watched};
use crate::trace::{Kind, Outcome, Record, Version, run_of_ranks};

const ORIGIN_NS: u64 = 5_000;

/// A run in the making: what ranks think and how long operations take, in rounds or without.
struct Model {
    lanes: Lanes,
    now_ns: Vec<u64>,
}

impl Model {
    fn new(lanes: Lanes, n_ranks: usize) -> Self {
        let mut lanes = lanes;
        lanes.begin(ORIGIN_NS);
        Model {
            lanes,
            now_ns: vec![ORIGIN_NS; n_ranks],
        }
    }

    fn show(
        &mut self,
        rank: usize,
        what: (Kind, Outcome),
        place: (u32, u32),
        end_ns: u64,
        wait: (u64, Option<u32>),
    ) {
        let begin_ns = self.now_ns[rank];
        let record = Record {
            kind: what.0,
            outcome: what.1,
            game: place.0,
            item: place.1,
            begin_ns,
            end_ns,
            word: 0,
        };
        self.lanes.record(&Watched {
            rank: rank as u32,
            record,
            begin_ns,
            end_ns,
            wait_ns: wait.0,
            waited_for: wait.1,
            claimed: what.1 == Outcome::Won,
        });
        self.now_ns[rank] = end_ns;
    }

    fn think(&mut self, rank: usize, game: u32, ns: u64) {
        let end_ns = self.now_ns[rank] + ns;
        self.show(
            rank,
            (Kind::Think, Outcome::None),
            (game, 0),
            end_ns,
            (0, None),
        );
    }

    /// An allreduce of all ranks; each stays so much longer than it must. A clock that is off makes some leave
    /// before the last has come, or leaves it unknown who that was.
    fn round(&mut self, game: u32, stays_ns: &[u64], off_ns: u64) {
        let last = (0..self.now_ns.len())
            .max_by_key(|&rank| (self.now_ns[rank], rank))
            .unwrap();
        let enter_ns = self.now_ns[last];
        let whom = (off_ns % 3 != 1).then_some(last as u32);
        for (rank, stay_ns) in stays_ns.iter().enumerate() {
            let begin_ns = self.now_ns[rank];
            let end_ns = (enter_ns + stay_ns).saturating_sub(off_ns).max(begin_ns);
            let wait_ns = enter_ns.min(end_ns) - begin_ns.min(enter_ns);
            let outcome = if stay_ns % 5 == 0 {
                Outcome::Won
            } else {
                Outcome::Lost
            };
            let what = (Kind::Allreduce, outcome);
            self.show(
                rank,
                what,
                (game, stay_ns.to_le_bytes()[0].into()),
                end_ns,
                (wait_ns, whom),
            );
        }
    }
}

pub(super) fn no_lanes(version: Version, n_ranks: usize) -> Lanes {
    Lanes::new(&run_of_ranks(version, n_ranks as u32))
}

/// Think times and stays of each rank for each round, and how far clocks are off.
pub(super) type Rounds = Vec<(Vec<(u64, u64)>, u64)>;

pub(super) fn collective(n_ranks: usize, rounds: &Rounds, max_steps: usize) -> Lanes {
    let mut model = Model::new(
        no_lanes(Version::Collective, n_ranks).with_room_for(max_steps),
        n_ranks,
    );
    for (number, (ranks, off_ns)) in rounds.iter().enumerate() {
        let game = 3 * (number / 4) as u32;
        for (rank, &(think_ns, stay_ns)) in ranks.iter().enumerate() {
            model.now_ns[rank] += stay_ns % 3; // what no record covers
            model.think(rank, game, think_ns);
        }
        let stays_ns: Vec<u64> = ranks.iter().map(|rank| rank.1).collect();
        model.round(game, &stays_ns, *off_ns);
    }
    model.lanes
}

/// One-sided: some claims wait for rank 0.
pub(super) fn one_sided(n_ranks: usize, rounds: &Rounds) -> Lanes {
    let mut model = Model::new(no_lanes(Version::Rma, n_ranks), n_ranks);
    for (number, (ranks, off_ns)) in rounds.iter().enumerate() {
        let game = (number / 7) as u32;
        for (rank, &(think_ns, stay_ns)) in ranks.iter().enumerate() {
            model.think(rank, game, think_ns);
            let wait_ns = if (stay_ns + off_ns) % 4 == 0 {
                stay_ns / 2
            } else {
                0
            };
            let whom = (wait_ns > 0).then_some(0);
            let outcome = if stay_ns % 9 == 0 {
                Outcome::Won
            } else {
                Outcome::Looked
            };
            let end_ns = model.now_ns[rank] + stay_ns;
            model.show(
                rank,
                (Kind::Claim, outcome),
                (game, think_ns as u32 % 1000),
                end_ns,
                (wait_ns, whom),
            );
        }
    }
    model.lanes
}
