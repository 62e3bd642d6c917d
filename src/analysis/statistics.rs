//! What repeated runs say of each other, whatever the distribution of their times.
//!
//! Times of a benchmark are skewed and have outliers, so nothing here assumes a normal distribution
//! of the samples: medians, order statistics and ranks only.

use serde::Serialize;

/// How often an interval may miss, and how often a test may see a difference where there is none.
const MAX_ERROR_RATE: f64 = 0.05;

/// Products of sample sizes up to which the rank test is exact: two times 50 samples. The work
/// grows with the square of the product, and the approximation is good long before.
const EXACT_UP_TO: usize = 2_500;

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
        if sample.is_empty() || !sample.iter().all(|value| value.is_finite()) {
            return None;
        }
        let mut sorted = sample.to_vec();
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

/// Outcome of a [`rank_test`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RankTest {
    /// Probability of ranks at least this uneven if both samples are of the same distribution.
    pub p: f64,
}

impl RankTest {
    /// Whether chance alone would do this in fewer than 5 % of all cases.
    pub fn is_significant(&self) -> bool {
        self.p < MAX_ERROR_RATE
    }
}

/// The two-sided U test of Mann & Whitney: whether one sample tends to be larger than the other.
/// `None` if one is empty or has a NaN.
///
/// Without ties and up to a product of the sizes of 2500 the p-value is exact, by the recurrence of
/// H. B. Mann and D. R. Whitney, "On a test of whether one of two random variables is
/// stochastically larger than the other", Ann. Math. Statist. 18 (1947), 50-60. Otherwise it is the
/// normal approximation with corrections for ties and for continuity.
pub fn rank_test(a: &[f64], b: &[f64]) -> Option<RankTest> {
    let is_usable = |sample: &[f64]| !sample.is_empty() && !sample.iter().any(|v| v.is_nan());
    if !is_usable(a) || !is_usable(b) {
        return None;
    }
    let of = |sample: &[f64], is_a| sample.iter().map(move |&v| (v, is_a)).collect::<Vec<_>>();
    let mut pooled = [of(a, true), of(b, false)].concat();
    pooled.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let (mut before, mut rank_sum, mut ties) = (0.0, 0.0, 0.0);
    for equal in pooled.chunk_by(|(a, _), (b, _)| a == b) {
        let size = equal.len() as f64;
        let of_a = equal.iter().filter(|(_, is_a)| *is_a).count() as f64;
        rank_sum += of_a * (before + (size + 1.0) / 2.0);
        ties += size.powi(3) - size;
        before += size;
    }
    let (n_a, n_b) = (a.len() as f64, b.len() as f64);
    let u = rank_sum - n_a * (n_a + 1.0) / 2.0;
    let u = u.max(n_a * n_b - u);
    let is_exact = ties == 0.0 && a.len().saturating_mul(b.len()) <= EXACT_UP_TO;
    let p = if is_exact {
        // Ordered, so that exchanging a and b changes not even the last bit.
        let orders = orders_by_u(a.len().max(b.len()), a.len().min(b.len()));
        2.0 * orders[u as usize..].iter().sum::<f64>() / orders.iter().sum::<f64>()
    } else {
        let n = n_a + n_b;
        let variance = n_a * n_b / 12.0 * (n + 1.0 - ties / (n * (n - 1.0)));
        let excess = u - n_a * n_b / 2.0 - 0.5;
        if excess > 0.0 {
            erfc(excess / (2.0 * variance).sqrt())
        } else {
            1.0 // where all values are equal, the variance is 0
        }
    };
    let p = p.clamp(0.0, 1.0);
    Some(RankTest { p })
}

/// In how many orders of `n_a` and `n_b` values U is 0, 1, and so on up to `n_a * n_b`.
///
/// The largest of all is a value of `a`, which adds `n_b` to U, or one of `b`, which adds nothing.
/// The counts are whole numbers, and exact up to 2^53. One row of `n_b + 1` distributions is kept,
/// so that the smaller size belongs in `n_b`.
fn orders_by_u(n_a: usize, n_b: usize) -> Vec<f64> {
    let mut row = vec![vec![1.0]; n_b + 1];
    for i in 1..=n_a {
        for j in 1..=n_b {
            let mut orders = row[j - 1].clone();
            orders.resize(i * j + 1, 0.0);
            for (sum, one_a_fewer) in orders[j..].iter_mut().zip(&row[j]) {
                *sum += one_a_fewer;
            }
            row[j] = orders;
        }
    }
    row.swap_remove(n_b)
}

/// The complementary error function for `x >= 0`: twice the normal tail beyond `x * sqrt(2)`.
fn erfc(x: f64) -> f64 {
    let bell = (-x * x).exp() / std::f64::consts::PI.sqrt();
    if x < 2.0 {
        // The series of DLMF 7.6.2; beyond 60 terms nothing changes for x < 2.
        let (mut term, mut sum) = (2.0 * x, 0.0);
        for n in 1..60 {
            sum += term;
            term *= 2.0 * x * x / f64::from(2 * n + 1);
        }
        1.0 - bell * sum
    } else {
        // The continued fraction of DLMF 7.9.1, from its 60th level upwards.
        let tail = (1..60)
            .rev()
            .fold(x, |tail, k| x + f64::from(k) / 2.0 / tail);
        bell / tail
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn p(a: &[f64], b: &[f64]) -> f64 {
        rank_test(a, b).unwrap().p
    }

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
    fn p_values_are_those_of_scipy() {
        // scipy 1.17.1: stats.mannwhitneyu(a, b, method=m).pvalue, m = "exact" without ties up to
        // the bound, else "asymptotic" (which corrects for ties and continuity).
        let count = |from: u32, to: u32| (from..=to).map(f64::from).collect::<Vec<_>>();
        let squares =
            |to, shift| -> Vec<f64> { count(0, to).iter().map(|i| i * i + shift).collect() };
        let shifted = [3.1, 4.2, 6.3, 7.4, 8.5, 9.6, 10.7];
        let tied_a = [1.0, 2.0, 2.0, 3.0, 3.0, 4.0];
        let tied_b = [2.0, 3.0, 4.0, 4.0, 5.0, 6.0];
        let (skewed_a, skewed_b) = ([0.1, 0.1, 0.2, 0.2, 9.0], [0.2, 0.3, 0.4, 15.0, 80.0, 80.0]);
        let others = [count(1, 4), count(6, 10)].concat();
        let cases: [(&[f64], &[f64], f64); 9] = [
            (&[1.1, 2.2, 3.3, 4.4, 5.5], &shifted, 0.04797979797979798),
            (&count(1, 6), &count(7, 12), 0.0021645021645021645),
            (&[5.0], &others, 1.0),
            (&[0.5], &count(1, 40), 0.04878048780487805),
            (&count(1, 60), &count(61, 120), 3.5565709749847226e-21),
            (&squares(49, 0.0), &squares(49, 130.5), 0.22214026018458324),
            (&squares(59, 0.0), &squares(59, 130.5), 0.312321421676216),
            (&tied_a, &tied_b, 0.08583877982601507),
            (&skewed_a, &skewed_b, 0.05192953756340434),
        ];
        for (a, b, expected) in cases {
            let error = (p(a, b) / expected - 1.0).abs();
            assert!(error < 1e-12, "{:e} is not {expected:e}", p(a, b));
        }
    }

    #[test]
    fn equal_values_say_nothing_and_five_percent_is_not_yet_significant() {
        assert_eq!(p(&[1.0; 9], &[1.0; 30]), 1.0);
        assert_eq!(p(&[0.0], &[-0.0]), 1.0);
        let larger: Vec<f64> = (1..=40).map(f64::from).collect();
        assert_eq!(p(&[0.0], &larger[..39]), 0.05);
        assert!(!rank_test(&[0.0], &larger[..39]).unwrap().is_significant());
        assert!(rank_test(&[0.0], &larger).unwrap().is_significant());
        assert_eq!(rank_test(&[], &larger), None);
        assert_eq!(rank_test(&larger, &[1.0, f64::NAN]), None);
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

    proptest! {
        #[test]
        fn the_rank_test_is_symmetric_and_sees_order_alone(a in sample(), b in sample()) {
            let times = |factor: f64, sample: &[f64]| -> Vec<f64> {
                sample.iter().map(|value| factor * value).collect()
            };
            let expected = p(&a, &b);
            prop_assert!((0.0..=1.0).contains(&expected));
            prop_assert_eq!(p(&b, &a), expected);
            prop_assert_eq!(p(&times(2.0, &a), &times(2.0, &b)), expected);
            prop_assert_eq!(p(&times(-1.0, &a), &times(-1.0, &b)), expected);
        }

        #[test]
        fn the_median_lies_in_its_interval(values in sample()) {
            let Spread { median, low, high } = Spread::of(&values).unwrap();
            prop_assert!(low <= median && median <= high);
        }
    }
}
