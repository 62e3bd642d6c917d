//! Lockstep, round by round: who waited, for how long, and for whom.
//!
//! A round is one allreduce of all ranks. Rank i thinks d_i, enters at e_i, leaves at x_i. Nobody
//! leaves before everybody has entered, so whoever enters early waits for the last arriver: "wait at
//! N×N" (Scalasca; Geimer et al. 2010).

use serde::Serialize;

use super::add;

/// With more ranks than this, who waited for whom is not kept: it takes ranks² numbers.
const MAX_RANKS_OF_MATRIX: usize = 1024;

/// One rank's part in a round. Times in nanoseconds of the reference clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// The rank.
    pub rank: u32,
    /// How long it thought since the round before.
    pub think_ns: u64,
    /// When it entered the allreduce.
    pub enter_ns: u64,
    /// When it left.
    pub exit_ns: u64,
    /// How wrong its clock may be.
    pub error_ns: u64,
}

/// What others waited because of a rank, in nanoseconds: three answers to different questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Blame {
    /// All waiting of a round is charged to its last arriver.
    pub last_ns: u64,
    /// Each moment of waiting is charged in equal parts to all who had not arrived yet.
    pub fair_ns: u64,
    /// What curing this rank alone would have saved: the others would still have waited for the last
    /// but one.
    pub fixable_ns: u64,
}

/// Waiting of one rank, over all rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct RankWait {
    /// Σ min(max_j e_j, x_i) − e_i.
    pub wait_ns: u64,
    /// How wrong that may be because clocks differ; 0 where all ranks share one.
    pub error_ns: u64,
    /// The same without comparing clocks: Σ (x_i − e_i) − min_j (x_j − e_j).
    pub clock_free_ns: u64,
}

/// The waiting of all rounds seen so far.
#[derive(Debug, Clone)]
pub struct Rounds {
    /// How many rounds.
    pub n_rounds: u64,
    /// For each rank its waiting.
    pub waits: Vec<RankWait>,
    /// For each rank what it is blamed for. `last` and `fair` each sum to all waiting, exactly.
    pub blame: Vec<Blame>,
    /// Σ max_i d_i: how long the thinking takes in lockstep, if all else were free.
    pub critical_think_ns: u64,
    /// How often a rank left before the last one had entered, by the clocks: each is a violation that
    /// says how far they are off.
    pub n_clock_violations: u64,
    /// `[i * n_ranks + j]`: how long i waited for j as the last arriver. Empty with too many ranks.
    pub waited_for: Vec<u64>,
    /// Scratch: indices of arrivals by time.
    order: Vec<u32>,
    /// Scratch: what each arrival waited.
    waited: Vec<u64>,
}

impl Rounds {
    /// No rounds yet, of `n_ranks` ranks.
    pub fn new(n_ranks: usize) -> Self {
        let n_pairs = match n_ranks <= MAX_RANKS_OF_MATRIX {
            true => n_ranks * n_ranks,
            false => 0,
        };
        Rounds {
            n_rounds: 0,
            waits: vec![RankWait::default(); n_ranks],
            blame: vec![Blame::default(); n_ranks],
            critical_think_ns: 0,
            n_clock_violations: 0,
            waited_for: vec![0; n_pairs],
            order: Vec::new(),
            waited: Vec::new(),
        }
    }

    /// Adds a round. Returns how long each of `arrivals` waited, in their order.
    ///
    /// # Panics
    /// If a rank is none of `n_ranks`.
    pub fn add(&mut self, arrivals: &[Arrival]) -> &[u64] {
        self.waited.clear();
        let Some(last) = arrivals.iter().max_by_key(|a| (a.enter_ns, a.rank)) else {
            return &self.waited;
        };
        let (last_rank, last_enter_ns) = (last.rank as usize, last.enter_ns);
        let shortest_ns = arrivals.iter().map(Arrival::stay_ns).min().unwrap_or(0);
        self.n_rounds += 1;
        let longest_ns = arrivals.iter().map(|a| a.think_ns).max().unwrap_or(0);
        add(&mut self.critical_think_ns, longest_ns);
        let (mut total_ns, mut violated) = (0, false);
        for arrival in arrivals {
            let until_ns = match arrival.exit_ns < last_enter_ns {
                true => {
                    violated = true;
                    self.n_clock_violations += 1;
                    arrival.exit_ns
                }
                false => last_enter_ns,
            };
            let wait_ns = until_ns.saturating_sub(arrival.enter_ns);
            let rank = arrival.rank as usize;
            let sums = &mut self.waits[rank];
            add(&mut sums.wait_ns, wait_ns);
            add(&mut sums.clock_free_ns, arrival.stay_ns() - shortest_ns);
            if rank != last_rank {
                add(&mut sums.error_ns, arrival.error_ns);
                add(&mut sums.error_ns, last.error_ns);
            }
            add(&mut total_ns, wait_ns);
            if !self.waited_for.is_empty() {
                let pair = rank * self.waits.len() + last_rank;
                add(&mut self.waited_for[pair], wait_ns);
            }
            self.waited.push(wait_ns);
        }
        add(&mut self.blame[last_rank].last_ns, total_ns);
        self.share(arrivals, violated);
        &self.waited
    }

    /// Charges `fair` and `fixable`. `violated`: somebody left before the last one came.
    fn share(&mut self, arrivals: &[Arrival], violated: bool) {
        let n = arrivals.len();
        self.order.clear();
        self.order.extend(0..n as u32);
        self.order
            .sort_unstable_by_key(|&i| (arrivals[i as usize].enter_ns, arrivals[i as usize].rank));
        let arrival = |position: usize| &arrivals[self.order[position] as usize];
        let (mut per_absent_ns, mut left_over_ns) = (0u64, 0);
        for position in 1..n {
            // Between this arrival and the one before, so many were there and waited.
            let (from_ns, to_ns) = (arrival(position - 1).enter_ns, arrival(position).enter_ns);
            let gap_ns = match violated {
                false => (to_ns - from_ns).saturating_mul(position as u64),
                true => (0..position).fold(0, |sum_ns: u64, waiting| {
                    let left_ns = arrival(waiting).exit_ns.clamp(from_ns, to_ns);
                    sum_ns.saturating_add(left_ns - from_ns)
                }),
            };
            // In whole nanoseconds; what cannot be shared is the last arriver's.
            let n_absent = (n - position) as u64;
            add(&mut per_absent_ns, gap_ns / n_absent);
            left_over_ns += gap_ns % n_absent;
            let blame = &mut self.blame[arrival(position).rank as usize];
            add(&mut blame.fair_ns, per_absent_ns);
            if position == n - 1 {
                add(&mut blame.fair_ns, left_over_ns);
                add(&mut blame.fixable_ns, gap_ns);
            }
        }
    }

    /// All waiting.
    pub fn total_wait_ns(&self) -> u64 {
        let waits = self.waits.iter().map(|wait| wait.wait_ns);
        waits.fold(0, u64::saturating_add)
    }
}

impl Arrival {
    fn stay_ns(&self) -> u64 {
        self.exit_ns.saturating_sub(self.enter_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn arrival(rank: u32, think_ns: u64, enter_ns: u64, exit_ns: u64) -> Arrival {
        Arrival {
            rank,
            think_ns,
            enter_ns,
            exit_ns,
            error_ns: 0,
        }
    }

    fn wait(wait_ns: u64, clock_free_ns: u64) -> RankWait {
        RankWait {
            wait_ns,
            error_ns: 0,
            clock_free_ns,
        }
    }

    fn blame(last_ns: u64, fair_ns: u64, fixable_ns: u64) -> Blame {
        Blame {
            last_ns,
            fair_ns,
            fixable_ns,
        }
    }

    /// Enter at 10, 20, 50; leave at 53, 52, 51. Waits 40, 30, 0. Gap 10..20: one waits for two, 5
    /// each. Gap 20..50: two wait for one, 60.
    #[test]
    fn a_round_is_what_a_hand_computes() {
        let mut rounds = Rounds::new(3);
        let waited = rounds.add(&[
            arrival(0, 10, 10, 53),
            arrival(1, 20, 20, 52),
            arrival(2, 50, 50, 51),
        ]);
        assert_eq!(waited, [40, 30, 0]);
        assert_eq!(rounds.waits, [wait(40, 42), wait(30, 31), wait(0, 0)]);
        let expected = [blame(0, 0, 0), blame(0, 5, 0), blame(70, 65, 60)];
        assert_eq!(rounds.blame, expected);
        assert_eq!((rounds.n_rounds, rounds.critical_think_ns), (1, 50));
        assert_eq!(rounds.waited_for, [0, 0, 40, 0, 0, 30, 0, 0, 0]);
    }

    #[test]
    fn a_clock_that_says_the_impossible_is_counted_and_blame_still_adds_up() {
        // Rank 0 leaves at 30, before rank 2 enters at 50.
        let mut rounds = Rounds::new(3);
        let waited = rounds.add(&[
            arrival(0, 0, 10, 30),
            arrival(1, 0, 20, 52),
            arrival(2, 0, 50, 51),
        ]);
        assert_eq!(waited, [20, 30, 0]);
        assert_eq!(rounds.n_clock_violations, 1);
        // Gap 10..20: 10, shared by two. Gap 20..50: rank 0 waits 10, rank 1 waits 30.
        let expected = [blame(0, 0, 0), blame(0, 5, 0), blame(50, 45, 40)];
        assert_eq!(rounds.blame, expected);
    }

    #[test]
    fn what_cannot_be_shared_in_whole_nanoseconds_is_the_last_arrivers() {
        let mut rounds = Rounds::new(3);
        rounds.add(&[
            arrival(0, 0, 0, 9),
            arrival(1, 0, 7, 9),
            arrival(2, 0, 7, 9),
        ]);
        assert_eq!(rounds.blame[1].fair_ns + rounds.blame[2].fair_ns, 7);
        assert_eq!(
            rounds.blame[2],
            blame(7, 4, 0),
            "equal times: the higher rank"
        );
    }

    #[test]
    fn one_rank_waits_for_nobody() {
        let mut rounds = Rounds::new(1);
        assert_eq!(rounds.add(&[arrival(0, 5, 5, 9)]), [0]);
        assert_eq!(rounds.blame, [Blame::default()]);
    }

    prop_compose! {
        /// A round of several ranks: entering times, and how long each takes after the last arrival.
        fn round(n: usize)(
            enter in proptest::collection::vec(0u64..1_000_000, n),
            after in proptest::collection::vec(0u64..1000, n),
            think in proptest::collection::vec(0u64..1000, n),
        ) -> Vec<Arrival> {
            let last = enter.iter().copied().max().unwrap_or(0);
            (0..n).map(|i| arrival(i as u32, think[i], enter[i], last + after[i])).collect()
        }
    }

    proptest! {
        #[test]
        fn both_blames_sum_to_all_waiting_exactly(
            rounds_seen in (1usize..9).prop_flat_map(|n| proptest::collection::vec(round(n), 1..20)),
            early in any::<u64>(),
        ) {
            let n = rounds_seen[0].len();
            let mut rounds = Rounds::new(n);
            for (k, mut round) in rounds_seen.into_iter().enumerate() {
                if early >> (k % 64) & 1 == 1 {
                    round[k % n].exit_ns = round[k % n].enter_ns + 7; // a clock violation
                }
                rounds.add(&round);
            }
            let sum = |of: fn(&Blame) -> u64| rounds.blame.iter().map(of).sum::<u64>();
            prop_assert_eq!(sum(|b| b.last_ns), rounds.total_wait_ns());
            prop_assert_eq!(sum(|b| b.fair_ns), rounds.total_wait_ns());
            prop_assert_eq!(rounds.waited_for.iter().sum::<u64>(), rounds.total_wait_ns());
            for blame in &rounds.blame {
                prop_assert!(blame.fixable_ns <= blame.last_ns);
            }
        }

        /// With clocks that agree, both estimates differ by no more than the allreduce itself takes.
        #[test]
        fn the_clock_free_estimate_is_right_within_its_bound(round in round(5)) {
            let last = round.iter().map(|a| a.enter_ns).max().unwrap();
            let bound = round.iter().map(|a| a.exit_ns - last).max().unwrap();
            let mut rounds = Rounds::new(5);
            rounds.add(&round);
            for wait in &rounds.waits {
                prop_assert!(wait.wait_ns.abs_diff(wait.clock_free_ns) <= bound);
            }
        }

        /// A clock that is off by a constant changes the synchronised estimate and not the other.
        #[test]
        fn the_clock_free_estimate_needs_no_clock(round in round(4), shift in 0u64..1000) {
            let (mut right, mut wrong) = (Rounds::new(4), Rounds::new(4));
            right.add(&round);
            let mut shifted = round;
            (shifted[1].enter_ns, shifted[1].exit_ns) =
                (shifted[1].enter_ns + shift, shifted[1].exit_ns + shift);
            wrong.add(&shifted);
            for (a, b) in right.waits.iter().zip(&wrong.waits) {
                prop_assert_eq!(a.clock_free_ns, b.clock_free_ns);
            }
        }

        /// The oracle of `fair`: nanosecond by nanosecond.
        #[test]
        fn fair_blame_is_what_counting_each_nanosecond_gives(
            enter in proptest::collection::vec(0u64..60, 2..6),
        ) {
            let n = enter.len();
            let last = *enter.iter().max().unwrap();
            let round: Vec<Arrival> =
                (0..n).map(|i| arrival(i as u32, 0, enter[i], last)).collect();
            let mut rounds = Rounds::new(n);
            rounds.add(&round);
            let mut exact = vec![0.0; n];
            for t in 0..last {
                let absent: Vec<usize> = (0..n).filter(|&i| enter[i] > t).collect();
                for &i in &absent {
                    exact[i] += (n - absent.len()) as f64 / absent.len() as f64;
                }
            }
            for (blame, exact) in rounds.blame.iter().zip(exact) {
                prop_assert!((blame.fair_ns as f64 - exact).abs() <= n as f64);
            }
        }
    }
}
