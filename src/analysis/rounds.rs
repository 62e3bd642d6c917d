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
    pub rank: u32,
    /// How long it thought since the round before.
    pub think_ns: u64,
    /// When it entered the allreduce.
    pub enter_ns: u64,
    /// When it left.
    pub exit_ns: u64,
    /// How wrong its clock may be.
    pub error_ns: u64,
    /// Which clock that is: times of one clock are compared without error.
    pub clock: u32,
}

/// What others waited because of a rank, in nanoseconds: two answers to different questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Blame {
    /// All waiting of a round is charged to its last arriver, where the clocks tell who that was.
    pub last_ns: u64,
    /// Each moment of waiting is charged in equal parts to all who had not arrived yet.
    pub fair_ns: u64,
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
    pub n_rounds: u64,
    pub waits: Vec<RankWait>,
    /// For each rank what it is blamed for. `fair` sums to all waiting, exactly, and so does `last` with
    /// what is [unattributed](Rounds::unattributed_ns).
    pub blame: Vec<Blame>,
    /// Waiting in rounds whose last arriver is not known: another came so shortly before that by the clocks'
    /// errors it may have been that one.
    pub unattributed_ns: u64,
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
    /// Scratch: what is known of when the last one entered.
    latest: Latest,
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
            unattributed_ns: 0,
            critical_think_ns: 0,
            n_clock_violations: 0,
            waited_for: vec![0; n_pairs],
            order: Vec::new(),
            waited: Vec::new(),
            latest: Latest::default(),
        }
    }

    /// The last to come to a round, of several at once by one clock the highest rank; `None` where another
    /// may have been, by the errors of their clocks, or where a rank's arrival is not there.
    pub fn last_to_come<'a>(&self, arrivals: &'a [Arrival]) -> Option<&'a Arrival> {
        let last = latest(arrivals).filter(|_| arrivals.len() == self.waits.len())?;
        let may_be_last = |other: &&Arrival| {
            other.clock != last.clock
                && last.enter_ns - other.enter_ns <= last.error_ns.saturating_add(other.error_ns)
        };
        (!arrivals.iter().any(|other| may_be_last(&other))).then_some(last)
    }

    /// Adds a round. Returns how long each of `arrivals` waited, in their order.
    ///
    /// # Panics
    /// If a rank is none of `n_ranks`.
    pub fn add(&mut self, arrivals: &[Arrival]) -> &[u64] {
        self.waited.clear();
        let Some(last_enter_ns) = latest(arrivals).map(|last| last.enter_ns) else {
            return &self.waited;
        };
        let last_rank = self.last_to_come(arrivals).map(|last| last.rank as usize);
        self.latest.look_at(arrivals);
        let shortest_ns = arrivals.iter().map(Arrival::stay_ns).min().unwrap_or(0);
        self.n_rounds += 1;
        let longest_ns = arrivals.iter().map(|a| a.think_ns).max().unwrap_or(0);
        add(&mut self.critical_think_ns, longest_ns);
        let (mut total_ns, mut violated) = (0, false);
        for arrival in arrivals {
            let (low_ns, high_ns) = self.latest.beside(arrival);
            violated |= arrival.exit_ns < last_enter_ns;
            self.n_clock_violations += u64::from(arrival.exit_ns < low_ns);
            // Its own stay is by one clock, and ends the wait whatever the others' say.
            let wait_until = |ns: u64| ns.min(arrival.exit_ns).saturating_sub(arrival.enter_ns);
            let wait_ns = wait_until(last_enter_ns);
            let error_ns = wait_until(high_ns)
                .saturating_sub(wait_ns)
                .max(wait_ns.saturating_sub(wait_until(low_ns)));
            let rank = arrival.rank as usize;
            let sums = &mut self.waits[rank];
            add(&mut sums.wait_ns, wait_ns);
            add(&mut sums.clock_free_ns, arrival.stay_ns() - shortest_ns);
            add(&mut sums.error_ns, error_ns);
            add(&mut total_ns, wait_ns);
            if let (Some(last_rank), false) = (last_rank, self.waited_for.is_empty()) {
                let pair = rank * self.waits.len() + last_rank;
                add(&mut self.waited_for[pair], wait_ns);
            }
            self.waited.push(wait_ns);
        }
        let charged_ns = match last_rank {
            Some(last_rank) => &mut self.blame[last_rank].last_ns,
            None => &mut self.unattributed_ns,
        };
        add(charged_ns, total_ns);
        self.share(arrivals, violated);
        &self.waited
    }

    /// Charges `fair`. `violated`: somebody left before the last one came.
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
            }
        }
    }
}

impl Arrival {
    fn stay_ns(&self) -> u64 {
        self.exit_ns.saturating_sub(self.enter_ns)
    }
}

/// Whoever entered last by the clocks as they are read; of several the highest rank.
fn latest(arrivals: &[Arrival]) -> Option<&Arrival> {
    arrivals.iter().max_by_key(|a| (a.enter_ns, a.rank))
}

/// When the last one entered, as far as several clocks tell.
#[derive(Debug, Clone, Default)]
struct Latest {
    /// By clock: the last to enter by it.
    by_clock: Vec<Option<u64>>,
    /// The two clocks by which somebody entered last, all times as early as they may be, and as late.
    early: [Option<(u64, u32)>; 2],
    late: [Option<(u64, u32)>; 2],
}

impl Latest {
    fn look_at(&mut self, arrivals: &[Arrival]) {
        self.by_clock.clear();
        (self.early, self.late) = Default::default();
        for arrival in arrivals {
            let clock = arrival.clock as usize;
            if clock >= self.by_clock.len() {
                self.by_clock.resize(clock + 1, None);
            }
            let last = &mut self.by_clock[clock];
            *last = (*last).max(Some(arrival.enter_ns));
            let early_ns = arrival.enter_ns.saturating_sub(arrival.error_ns);
            put(&mut self.early, early_ns, arrival.clock);
            let late_ns = arrival.enter_ns.saturating_add(arrival.error_ns);
            put(&mut self.late, late_ns, arrival.clock);
        }
    }

    /// When the last one entered at the earliest and at the latest, on the clock of `arrival`, whose times
    /// are not in doubt.
    fn beside(&self, arrival: &Arrival) -> (u64, u64) {
        let of_others = |two: [Option<(u64, u32)>; 2]| {
            let mut two = two.into_iter().flatten();
            two.find(|&(_, clock)| clock != arrival.clock)
        };
        let own_ns = self.by_clock[arrival.clock as usize].unwrap_or(0);
        let early_ns = of_others(self.early).map_or(0, |(ns, _)| ns);
        let late_ns = of_others(self.late).map_or(0, |(ns, _)| ns.saturating_add(arrival.error_ns));
        (
            own_ns.max(early_ns.saturating_sub(arrival.error_ns)),
            own_ns.max(late_ns),
        )
    }
}

/// Keeps the latest times of two different clocks.
fn put(two: &mut [Option<(u64, u32)>; 2], ns: u64, clock: u32) {
    let new = Some((ns, clock));
    match two {
        [Some(first), _] if first.1 == clock => first.0 = first.0.max(ns),
        [first, second] if new > *first => {
            *second = *first;
            *first = new;
        }
        [_, Some(second)] if second.1 == clock => second.0 = second.0.max(ns),
        [_, second] => *second = (*second).max(new),
    }
}
