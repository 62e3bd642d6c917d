//! What lockstep should cost, for think times that are independent of each other.
//!
//! In lockstep a round lasts as long as the longest think time of all P ranks, and of that a rank thinks its
//! own. Over many rounds the synchronisation slowdown, 1 / (load balance × serialisation efficiency) of a
//! run, is the sum of the longest think times over the sum of the mean ones: it tends to the expected longest
//! think time over the mean, `E[max] / mean`, and efficiency to the inverse of that. The longest of P independent
//! exponential ones has the mean H_P = 1 + 1/2 + … + 1/P times theirs (A. Rényi, "On the theory of order
//! statistics", Acta Math. Acad. Sci. Hung. 4 (1953)), so that efficiency falls as 1/H_P; of P from the
//! uniform distribution on [a, b] it is a + (b − a)·P/(P + 1); of equal ones, one of them, and lockstep
//! costs nothing.

use serde::Serialize;

use super::cell::Workload;
use crate::think_time::ThinkTime;

/// Groups of ranks alike beyond which nothing is computed.
const MAX_GROUPS: usize = 2_000;

/// What theory says of a workload in lockstep.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Theory {
    /// Mean think time of a rank, in seconds.
    pub mean_think_s: f64,
    /// Standard deviation of think times over their mean, over all ranks: 1 for exponential ones, 0 for
    /// equal ones.
    pub spread: f64,
    /// How long a round lasts, in seconds: the expected longest think time.
    pub round_s: f64,
    /// Mean think time over that: what parallel efficiency falls to.
    pub efficiency: f64,
    /// Its inverse, `E[max] / mean`: what a run's synchronisation slowdown tends to over many rounds.
    pub synchronisation_slowdown: f64,
}

/// The n-th harmonic number, 1 + 1/2 + … + 1/n.
pub fn harmonic(n: u32) -> f64 {
    (1..=n).rev().map(|k| 1.0 / f64::from(k)).sum()
}

impl Workload {
    /// What theory says; `None` where nobody thinks, or too many ranks each think in their own way.
    ///
    /// `idle` is the share of rounds in which a rank does not think. Whoever scores in this game makes its
    /// second allreduce while the others think for their next guess; with 0, that is left out.
    pub fn theory(&self, idle: f64) -> Option<Theory> {
        let groups = self.groups();
        if groups.len() > MAX_GROUPS || !(0.0..1.0).contains(&idle) {
            return None;
        }
        let (mean, variance) = moments(self.think);
        let n = f64::from(self.ranks);
        let over_ranks = |of: &dyn Fn(f64) -> f64| {
            groups.iter().map(|&(extra, n)| n * of(extra)).sum::<f64>() / n
        };
        let mean_think_s = over_ranks(&|extra| mean + extra);
        if mean_think_s <= 0.0 {
            return None;
        }
        let of_ranks = over_ranks(&|extra| (mean + extra - mean_think_s).powi(2));
        let round_s = expected_longest(self.think, &groups, idle);
        let synchronisation_slowdown = round_s / ((1.0 - idle) * mean_think_s);
        Some(Theory {
            mean_think_s,
            spread: (variance + of_ranks).sqrt() / mean_think_s,
            round_s,
            efficiency: 1.0 / synchronisation_slowdown,
            synchronisation_slowdown,
        })
    }

    /// What ranks add to their think times, in seconds, and how many ranks do; the smallest first.
    fn groups(&self) -> Vec<(f64, f64)> {
        let mut extras: Vec<f64> = (0..self.ranks)
            .map(|rank| self.extra(rank).as_secs_f64())
            .collect();
        extras.sort_by(f64::total_cmp);
        extras
            .chunk_by(|a, b| a == b)
            .map(|alike| (alike[0], alike.len() as f64))
            .collect()
    }
}

/// Mean and variance of a think time, in seconds and their square.
pub(super) fn moments(think: ThinkTime) -> (f64, f64) {
    match think {
        ThinkTime::Fixed(fixed) => (fixed.as_secs_f64(), 0.0),
        ThinkTime::Exponential { mean } => (mean.as_secs_f64(), mean.as_secs_f64().powi(2)),
        ThinkTime::Uniform { low, high } => {
            let (low, high) = (low.as_secs_f64(), high.as_secs_f64());
            (low.midpoint(high), (high - low).powi(2) / 12.0)
        }
    }
}

/// The probability that a think time is at most `t` seconds.
fn at_most(think: ThinkTime, t: f64) -> f64 {
    if t < 0.0 {
        return 0.0;
    }
    match think {
        ThinkTime::Fixed(fixed) => f64::from(u8::from(t >= fixed.as_secs_f64())),
        ThinkTime::Exponential { mean } if mean.is_zero() => 1.0,
        ThinkTime::Exponential { mean } => -(-t / mean.as_secs_f64()).exp_m1(),
        ThinkTime::Uniform { low, high } => {
            let (low, high) = (low.as_secs_f64(), high.as_secs_f64());
            match t >= high {
                true => 1.0,
                false => ((t - low) / (high - low)).max(0.0),
            }
        }
    }
}

/// The expected longest of all ranks' think times, where each rank thinks with probability `1 - idle`:
/// the integral of the probability that it is longer than t.
fn expected_longest(think: ThinkTime, groups: &[(f64, f64)], idle: f64) -> f64 {
    let longer_than = |t: f64| {
        let mut ln = 0.0;
        for &(extra, n) in groups {
            let at_most = idle + (1.0 - idle) * at_most(think, t - extra);
            ln += n * at_most.ln();
            if ln < -50.0 {
                return 1.0; // as good as certain
            }
        }
        -f64::exp_m1(ln)
    };
    // Between these, the function is smooth.
    let n_ranks: f64 = groups.iter().map(|(_, n)| n).sum();
    let ends = match think {
        ThinkTime::Fixed(fixed) => vec![fixed.as_secs_f64()],
        ThinkTime::Uniform { low, high } => vec![low.as_secs_f64(), high.as_secs_f64()],
        ThinkTime::Exponential { mean } => {
            let mean = mean.as_secs_f64();
            // What is beyond is less than a part in 10^15.
            vec![
                0.0,
                mean * (1.0 + n_ranks.ln()),
                mean * (36.0 + n_ranks.ln()),
            ]
        }
    };
    let mut bounds = vec![0.0];
    bounds.extend(
        groups
            .iter()
            .flat_map(|(extra, _)| ends.iter().map(move |end| extra + end)),
    );
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    let n_steps = (20_000 / bounds.len()).clamp(8, 2_000);
    bounds
        .windows(2)
        .map(|ends| integral(ends[0], ends[1], n_steps, &longer_than))
        .sum()
}

/// The integral of `f` by Gauss's rule of two points in each step: none of them is an end, where `f` may
/// jump.
fn integral(from: f64, to: f64, n_steps: usize, f: &impl Fn(f64) -> f64) -> f64 {
    let step = (to - from) / n_steps as f64;
    let off = step / 2.0 / f64::sqrt(3.0);
    let middles = (0..n_steps).map(|index| from + (index as f64 + 0.5) * step);
    middles
        .map(|middle| step / 2.0 * (f(middle - off) + f(middle + off)))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Plan, Values};

    fn theory(ranks: u32, flags: &[(&str, &str)], idle: f64) -> Theory {
        let mut values = Values::default();
        values.flag("ranks", &[ranks.to_string()]);
        for (name, text) in flags {
            values.flag(name, &[(*text).to_owned()]);
        }
        Plan::new(values).unwrap().cells[0]
            .workload
            .theory(idle)
            .unwrap()
    }

    fn near(a: f64, b: f64) {
        assert!((a / b - 1.0).abs() < 1e-6, "{a} is not {b}");
    }

    #[test]
    fn closed_forms_are_met() {
        for ranks in [1, 2, 3, 8, 64, 1000] {
            let p = f64::from(ranks);
            let exponential = theory(ranks, &[("think", "exp:3ms")], 0.0);
            near(exponential.efficiency, 1.0 / harmonic(ranks));
            near(exponential.spread, 1.0);
            let uniform = theory(ranks, &[("think", "uniform:5ms..15ms")], 0.0);
            near(uniform.round_s, 0.005 + 0.010 * p / (p + 1.0));
            near(uniform.spread, 10.0 / f64::sqrt(12.0) / 10.0);
            let equal = theory(ranks, &[("think", "2ms")], 0.0);
            near(equal.synchronisation_slowdown, 1.0);
            assert_eq!(equal.spread, 0.0);
        }
        near(harmonic(4), 25.0 / 12.0);
    }

    #[test]
    fn slow_ranks_are_waited_for() {
        // Equal think times: the slowest decides.
        let slow = theory(4, &[("think", "1ms"), ("think-per-rank", "2ms")], 0.0);
        near(slow.efficiency, 4.0 / 7.0);
        // A straggler by far: nobody else is ever last.
        let far = theory(3, &[("think", "exp:1ms"), ("straggler", "1=1s")], 0.0);
        near(far.round_s, 1.001);
        // Of two exponential ones, one of them c later: c + m + m/2·exp(-c/m).
        let late = theory(2, &[("think", "exp:1ms"), ("straggler", "1=2ms")], 0.0);
        near(late.round_s, 0.002 + 0.001 + 0.0005 * f64::exp(-2.0));
    }

    #[test]
    fn ranks_that_just_scored_do_not_think() {
        // Equal think times: a round takes one unless nobody thinks.
        let half = theory(3, &[("think", "1ms")], 0.5);
        near(half.round_s, 0.001 * (1.0 - 0.125));
        near(half.efficiency, 0.5 / 0.875);
        // Exponential ones: the harmonic number of however many think.
        let idle: f64 = 0.25;
        let expected: f64 = (0..=4)
            .map(|k| {
                let choose = [1.0, 4.0, 6.0, 4.0, 1.0][k as usize];
                choose * (1.0 - idle).powi(k) * idle.powi(4 - k) * harmonic(k as u32)
            })
            .sum();
        near(
            theory(4, &[("think", "exp:1ms")], idle).round_s,
            0.001 * expected,
        );
    }

    /// The oracle draws.
    #[test]
    fn drawing_comes_to_the_same() {
        let mut state = 7_u64;
        let mut uniform = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((state >> 11) as f64 + 0.5) / (1u64 << 53) as f64
        };
        let n = 40_000;
        let mut sum = 0.0;
        for _ in 0..n {
            let longest = (0..5).map(|rank| f64::from(rank) * 0.3 - uniform().ln());
            sum += longest.fold(0.0, f64::max);
        }
        let drawn = sum / f64::from(n);
        let computed = theory(5, &[("think", "exp:1s"), ("think-per-rank", "300ms")], 0.0).round_s;
        assert!(
            (drawn / computed - 1.0).abs() < 0.02,
            "{drawn} and {computed}"
        );
    }
}
