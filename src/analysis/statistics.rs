//! What repeated runs say of each other, whatever the distribution of their times.
//!
//! Times of a benchmark are skewed and have outliers, so nothing here assumes a normal distribution
//! of the samples: medians, order statistics and ranks only.

//!
//! | module | what it does |
//! |---|---|
//! | `rank_sum` | two samples that are independent of each other |
//! | `signed_rank` | samples whose values come in pairs |
//! | `several` | many tests at once |
//! | `ranks` | ranks with ties, and the tail of the normal distribution |

mod rank_sum;
mod ranks;
mod several;
mod signed_rank;

use serde::Serialize;

pub use rank_sum::rank_test;
pub use several::{Adjusted, adjust};
pub use signed_rank::paired_test;

/// How often an interval may miss, and how often a test may see a difference where there is none.
const MAX_ERROR_RATE: f64 = 0.05;

/// Additions up to which the distribution of a rank statistic is computed exactly: a fraction of a second.
const MAX_ADDITIONS: f64 = 100e6;

/// The median of a sample, and where the median of all runs lies, with at least 95 % confidence.
///
/// In JSON an infinite bound is `null`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Median of the sample; of an even number, the middle between the two in the middle.
    pub median: f64,
    /// Lower end of the interval; minus infinity where the sample has fewer than 6 values.
    pub low: f64,
    /// Upper end of the interval; infinity where the sample has fewer than 6 values.
    pub high: f64,
}

impl Spread {
    /// The spread of a sample in any order; `None` if it is empty or a value is not finite.
    ///
    /// The interval reaches from the k-th smallest to the k-th largest value. It misses the median
    /// only if fewer than k values fall on one side of it, and how many do is binomial with 1/2 for
    /// any continuous distribution (David & Nagaraja, Order Statistics, 3rd ed., §7.1). With ties
    /// it misses less often still.
    pub fn of(sample: &[f64]) -> Option<Self> {
        match sample.iter().all(|value| value.is_finite()) {
            true => Spread::of_bounds(sample),
            false => None,
        }
    }

    /// The same of lower bounds of values, some of which may be minus infinity, or of upper bounds, some of
    /// which may be infinity: the median of the values lies between the medians of their bounds, and the
    /// interval holds it that reaches from the low end of one spread to the high end of the other.
    pub fn of_bounds(bounds: &[f64]) -> Option<Self> {
        if bounds.is_empty() || bounds.iter().any(|bound| bound.is_nan()) {
            return None;
        }
        let mut sorted = bounds.to_vec();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        let (low, high) = match values_beyond(n) {
            0 => (f64::NEG_INFINITY, f64::INFINITY),
            k => (sorted[k - 1], sorted[n - k]),
        };
        Some(Spread {
            median: sorted[(n - 1) / 2].midpoint(sorted[n / 2]),
            low,
            high,
        })
    }

    /// Whether there were enough values for an interval.
    pub fn is_bounded(&self) -> bool {
        self.low.is_finite() && self.high.is_finite()
    }
}

/// How many values may lie beyond each end of the interval, the end included: its k, or 0 if no
/// interval is sure enough.
fn values_beyond(n: usize) -> usize {
    // Logarithms, because 2^-n underflows from n = 1075 on.
    let mut ln_probability = -(n as f64) * std::f64::consts::LN_2;
    let mut below = 0.0; // probability that at most k of n values fall below the median
    let is_sure_enough = |&k: &usize| {
        below += ln_probability.exp();
        ln_probability += ((n - k) as f64 / (k + 1) as f64).ln();
        2.0 * below <= MAX_ERROR_RATE
    };
    (0..n).take_while(is_sure_enough).count()
}

/// Outcome of a test, [unpaired](rank_test) or [paired](paired_test).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RankTest {
    /// Probability of ranks at least this uneven if there is no difference.
    pub p: f64,
    /// The smallest p that these values could have had, however they were dealt: with 3 and 3 of them 0.1.
    pub smallest_p: f64,
    /// Whether both were counted. If not, they are those of the normal approximation.
    pub exact: bool,
}

impl RankTest {
    /// Whether chance alone would do this in fewer than 5 % of all cases.
    pub fn is_significant(&self) -> bool {
        self.p < MAX_ERROR_RATE
    }

    /// Whether the difference could have been significant at all. If not, there were too few values to tell.
    pub fn is_testable(&self) -> bool {
        self.smallest_p < MAX_ERROR_RATE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_interval_is_as_narrow_as_the_binomial_distribution_allows() {
        // scipy 1.17.1: the largest k with 1 - 2 * stats.binom.cdf(k - 1, n, 0.5) >= 0.95.
        let small = [(1, 0), (5, 0), (6, 1), (8, 1), (9, 2), (10, 2), (20, 6)];
        let large = [(25, 8), (100, 40), (500, 228), (2000, 956)];
        for (n, k) in small.into_iter().chain(large) {
            assert_eq!(values_beyond(n), k, "n = {n}");
        }
        let spread = Spread::of(&[7.0, 1.0, 10.0, 4.0, 3.0, 9.0, 2.0, 8.0, 5.0, 60.0]).unwrap();
        assert_eq!((spread.median, spread.low, spread.high), (6.0, 2.0, 10.0));
        assert!(spread.is_bounded());
    }

    #[test]
    fn too_few_values_have_a_median_without_bounds_and_none_has_nothing() {
        let spread = Spread::of(&[3.0, 1.0, 2.0, 5.0, 4.0]).unwrap();
        assert_eq!((spread.low, spread.high), (-f64::INFINITY, f64::INFINITY));
        assert!(spread.median == 3.0 && !spread.is_bounded());
        for unusable in [&[][..], &[1.0, f64::NAN], &[f64::INFINITY]] {
            assert_eq!(Spread::of(unusable), None);
        }
    }

    #[test]
    fn the_interval_covers_the_true_median_of_a_skewed_distribution() {
        let mut state = 1947_u64;
        let mut exponential = || {
            // SplitMix64, so that the test is the same everywhere.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut bits = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            -(((bits ^ (bits >> 31)) >> 11) as f64 + 0.5).ln() + 53.0 * std::f64::consts::LN_2
        };
        for n in [6, 9, 25, 100] {
            let covers = |_: &u32| {
                let sample: Vec<f64> = (0..n).map(|_| exponential()).collect();
                let spread = Spread::of(&sample).unwrap();
                (spread.low..=spread.high).contains(&std::f64::consts::LN_2)
            };
            let percent = (0..4_000).filter(covers).count() as f64 / 40.0;
            assert!(percent >= 94.0, "n = {n}: {percent} %");
        }
    }

    /// Some with many ties, some with none.
    fn sample() -> impl Strategy<Value = Vec<f64>> {
        prop_oneof![
            prop::collection::vec((0..9).prop_map(f64::from), 1..40),
            prop::collection::vec(-1e9..1e9, 1..40),
        ]
    }

    #[test]
    fn a_value_of_which_only_a_bound_is_known_stays_in_the_median() {
        // Five finished, two are known to be at least 10.
        let known = [1.0, 2.0, 3.0, 4.0, 5.0];
        let with = |bound: f64| [&known[..], &[bound, bound]].concat();
        let low = Spread::of_bounds(&with(10.0)).unwrap();
        let high = Spread::of_bounds(&with(f64::INFINITY)).unwrap();
        assert_eq!(
            (low.median, high.median),
            (4.0, 4.0),
            "as if they were 6 and 7"
        );
        assert_eq!((low.low, high.high), (1.0, f64::INFINITY));
        // With more of them the median is one of them.
        let low = Spread::of_bounds(&[1.0, 10.0, 10.0]).unwrap();
        let high = Spread::of_bounds(&[1.0, f64::INFINITY, f64::INFINITY]).unwrap();
        assert_eq!((low.median, high.median), (10.0, f64::INFINITY));
        assert_eq!(Spread::of_bounds(&[f64::NAN]), None);
    }

    proptest! {
        #[test]
        fn the_median_lies_in_its_interval(values in sample()) {
            let Spread { median, low, high } = Spread::of(&values).unwrap();
            prop_assert!(low <= median && median <= high);
        }
    }
}
