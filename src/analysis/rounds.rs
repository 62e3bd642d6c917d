//! Lockstep, round by round: who waited, for how long, and for whom.
//!
//! A round is one allreduce of all ranks. Rank i thinks d_i, enters at e_i, leaves at x_i. Nobody
//! leaves before everybody has entered, so whoever enters early waits for the last arriver: "wait at
//! N×N" (Scalasca; Geimer et al. 2010).

#[cfg(test)]
mod tests;

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
    /// How often a rank left before the last one had entered, by the clocks and by more than their error:
    /// they are off by more than was measured.
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

    /// The last to come to a round; of several at once, the highest rank.
    pub fn last_to_come(arrivals: &[Arrival]) -> Option<&Arrival> {
        arrivals.iter().max_by_key(|a| (a.enter_ns, a.rank))
    }

    /// Adds a round. Returns how long each of `arrivals` waited, in their order.
    ///
    /// # Panics
    /// If a rank is none of `n_ranks`.
    pub fn add(&mut self, arrivals: &[Arrival]) -> &[u64] {
        self.waited.clear();
        let Some(last) = Self::last_to_come(arrivals) else {
            return &self.waited;
        };
        let (last_rank, last_enter_ns) = (last.rank as usize, last.enter_ns);
        let last_error_ns = last.error_ns;
        let shortest_ns = arrivals.iter().map(Arrival::stay_ns).min().unwrap_or(0);
        self.n_rounds += 1;
        let longest_ns = arrivals.iter().map(|a| a.think_ns).max().unwrap_or(0);
        add(&mut self.critical_think_ns, longest_ns);
        let (mut total_ns, mut violated) = (0, false);
        for arrival in arrivals {
            let until_ns = match arrival.exit_ns < last_enter_ns {
                true => {
                    violated = true;
                    let error_ns = arrival.error_ns.saturating_add(last_error_ns);
                    let early_ns = last_enter_ns - arrival.exit_ns;
                    self.n_clock_violations += u64::from(early_ns > error_ns);
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
