//! Two samples that are independent of each other.

use super::ranks::{common_divisor, doubled_midranks, two_sided, two_sided_normal};
use super::{MAX_ADDITIONS, RankTest};

/// The smaller sample's size from which the normal approximation is used where exact is too much work.
const MIN_NORMAL: usize = 10;

/// The two-sided rank-sum test of Wilcoxon, Mann and Whitney: whether one sample tends to be larger than the
/// other. `None` if one is empty or has a NaN, or all values are equal; and where samples are too many and
/// too unequal, as 5 and 2,000, for either of the ways below.
///
/// It is the exact permutation test, with ties by midranks: p is the share of all ways to deal the pooled
/// values to samples of these sizes in which the rank sum is at least as far from its mean as it is here
/// (E. L. Lehmann, "Nonparametrics: Statistical Methods Based on Ranks", 1975, §1.2 and §1.4). The ways are
/// counted by the recurrence of M. Pagano and D. Tritchler, "On obtaining permutation distributions in
/// polynomial time", J. Amer. Statist. Assoc. 78 (1983), 435-440, where that takes at most 100 million
/// additions: up to 76 values each without ties and 63 with, or 10 and 900. Beyond that it is the normal
/// approximation with corrections for ties and continuity: at the switch it is off by less than 0.006, and
/// below p = 0.1 by less than 0.002.
pub fn rank_test(a: &[f64], b: &[f64]) -> Option<RankTest> {
    let is_usable = |sample: &[f64]| !sample.is_empty() && !sample.iter().any(|v| v.is_nan());
    if !is_usable(a) || !is_usable(b) {
        return None;
    }
    let (small, large) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let statistic = Statistic::new(small, large)?;
    match statistic.ways() {
        Some(ways) => {
            let distance = |sum| statistic.distance(sum);
            Some(two_sided(&ways, distance, statistic.observed))
        }
        None if small.len() >= MIN_NORMAL => Some(statistic.normal()),
        None => None,
    }
}

/// The rank sum of the smaller sample, in steps from the smallest rank.
struct Statistic {
    /// The steps of all values, ascending: 0, and without a common divisor.
    steps: Vec<u64>,
    /// The smaller sample's size.
    n: usize,
    /// The sum of its steps.
    observed: u64,
    /// The sum of all steps.
    all: u64,
}

impl Statistic {
    /// `None` if all values are equal.
    fn new(small: &[f64], large: &[f64]) -> Option<Self> {
        let mut steps = doubled_midranks(&[small, large].concat());
        let least = steps.iter().copied().min()?;
        steps.iter_mut().for_each(|rank| *rank -= least);
        let divisor = common_divisor(steps.iter().copied());
        if divisor == 0 {
            return None;
        }
        steps.iter_mut().for_each(|step| *step /= divisor);
        let observed = steps[..small.len()].iter().sum();
        steps.sort_unstable();
        Some(Statistic {
            all: steps.iter().sum(),
            steps,
            n: small.len(),
            observed,
        })
    }

    /// How far a sum is from its mean, times the number of values.
    fn distance(&self, sum: u64) -> u64 {
        (sum * self.steps.len() as u64).abs_diff(self.n as u64 * self.all)
    }

    /// The number of ways to choose the smaller sample; infinity where no `f64` holds it.
    fn n_ways(&self) -> f64 {
        let others = self.steps.len() - self.n;
        (1..=self.n).fold(1.0, |ways, k| ways * (others + k) as f64 / k as f64)
    }

    /// In how many ways the smaller sample's sum is 0, 1, 2 and so on; `None` where that is too much work.
    /// The counts are whole numbers, exact up to 2^53 and to some 15 digits beyond.
    fn ways(&self) -> Option<Vec<f64>> {
        let n = self.n;
        let largest: u64 = self.steps.iter().rev().take(n).sum();
        let n_additions = self.steps.len() as f64 * n as f64 * largest as f64;
        if n_additions > MAX_ADDITIONS || !self.n_ways().is_finite() {
            return None;
        }
        // The sums of k values chosen, for each k.
        let mut rows = vec![vec![0.0; largest as usize + 1]; n + 1];
        rows[0][0] = 1.0;
        for (n_before, &step) in self.steps.iter().enumerate() {
            for k in (1..=n.min(n_before + 1)).rev() {
                // The largest sum of k - 1 values so far: steps ascend.
                let reached: u64 = self.steps[n_before + 1 - k..n_before].iter().sum();
                let (fewer, more) = rows.split_at_mut(k);
                let into = more[0][step as usize..].iter_mut();
                let from = &fewer[k - 1][..=reached as usize];
                into.zip(from).for_each(|(sum, ways)| *sum += ways);
            }
        }
        rows.pop()
    }

    /// By the mean and the variance of sums drawn without replacement.
    fn normal(&self) -> RankTest {
        let (all, n) = (self.steps.len() as f64, self.n as f64);
        let sum = |of: &dyn Fn(f64) -> f64| -> f64 {
            self.steps.iter().map(|&step| of(step as f64)).sum()
        };
        let mean = sum(&|step| step) / all;
        let squares = sum(&|step| (step - mean).powi(2));
        let variance = n * (all - n) / (all * (all - 1.0)) * squares;
        let distance = self.distance(self.observed) as f64 / all;
        two_sided_normal(distance, variance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn p(a: &[f64], b: &[f64]) -> f64 {
        rank_test(a, b).map_or(1.0, |test| test.p)
    }

    fn near(p: f64, expected: f64) {
        assert!(
            (p / expected - 1.0).abs() < 1e-12,
            "{p:e} is not {expected:e}"
        );
    }

    #[test]
    fn ties_are_counted_exactly() {
        assert_eq!(p(&[9.0; 3], &[10.0; 3]), 2.0 / 20.0);
        assert_eq!(p(&[1.0], &[0.0; 19]), 1.0 / 20.0);
        assert_eq!(p(&[1.0; 2], &[0.0; 10]), 1.0 / 66.0);
        // Rank sums 8.5 and more: of 10 ways those with the 3 and a 2; and, as far below, 1 and 1.
        assert_eq!(p(&[2.0, 3.0], &[1.0, 1.0, 2.0]), 3.0 / 10.0);
        // Fisher's exact test of 5 and 1 of 10 each: 2 (C(10,1) C(10,5) + C(10,6)) / C(20,6).
        let of = |n| [vec![1.0; n], vec![0.0; 10 - n]].concat();
        near(p(&of(5), &of(1)), 2.0 * (10.0 * 252.0 + 210.0) / 38_760.0);
    }

    #[test]
    fn without_ties_p_values_are_those_of_scipy() {
        // scipy 1.17.1: stats.mannwhitneyu(a, b, method="exact").pvalue.
        let count = |from: u32, to: u32| (from..=to).map(f64::from).collect::<Vec<_>>();
        let squares =
            |to, shift| -> Vec<f64> { count(0, to).iter().map(|i| i * i + shift).collect() };
        let shifted = [3.1, 4.2, 6.3, 7.4, 8.5, 9.6, 10.7];
        let others = [count(1, 4), count(6, 10)].concat();
        let cases: [(&[f64], &[f64], f64); 5] = [
            (&[1.1, 2.2, 3.3, 4.4, 5.5], &shifted, 0.04797979797979798),
            (&count(1, 6), &count(7, 12), 0.0021645021645021645),
            (&[5.0], &others, 1.0),
            (&[0.5], &count(1, 40), 0.04878048780487805),
            (&squares(49, 0.0), &squares(49, 130.5), 0.22214026018458324),
        ];
        for (a, b, expected) in cases {
            near(p(a, b), expected);
        }
    }

    #[test]
    fn five_percent_is_not_yet_significant_and_too_few_can_never_be() {
        let larger: Vec<f64> = (1..=40).map(f64::from).collect();
        assert_eq!(p(&[0.0], &larger[..39]), 0.05);
        assert!(!rank_test(&[0.0], &larger[..39]).unwrap().is_significant());
        assert!(rank_test(&[0.0], &larger).unwrap().is_significant());
        for (n_a, n_b, smallest) in [
            (1, 1, 1.0),
            (3, 3, 0.1),
            (3, 4, 2.0 / 35.0),
            (4, 4, 2.0 / 70.0),
        ] {
            let test = rank_test(&larger[..n_a], &larger[20..20 + n_b]).unwrap();
            assert_eq!(
                (test.p, test.smallest_p),
                (smallest, smallest),
                "{n_a}, {n_b}"
            );
            assert_eq!(test.is_testable(), smallest < 0.05);
        }
    }

    #[test]
    fn what_cannot_be_tested_is_not() {
        assert_eq!(rank_test(&[1.0; 9], &[1.0; 30]), None);
        assert_eq!(rank_test(&[0.0], &[-0.0]), None);
        assert_eq!(rank_test(&[], &[1.0, 2.0]), None);
        assert_eq!(rank_test(&[1.0], &[2.0, f64::NAN]), None);
        let many: Vec<f64> = (0..20_000).map(f64::from).collect();
        assert_eq!(rank_test(&[0.5], &many), None);
    }

    /// Where the exact test becomes too much work, the approximation is good enough.
    #[test]
    fn the_approximation_is_close_to_the_exact_test_where_it_takes_over() {
        for (n, others, values) in [(75, 75, 150), (10, 900, 910), (10, 600, 100)] {
            let values = (0..n + others).map(|i| f64::from(i * values / (n + others)));
            let values: Vec<f64> = values.collect();
            let (small, large) = values.split_at(n as usize);
            let mut statistic = Statistic::new(small, large).unwrap();
            let ways = statistic.ways().expect("just affordable");
            for sum in (0..ways.len() as u64).step_by(1 + ways.len() / 100) {
                statistic.observed = sum;
                let exact = two_sided(&ways, |sum| statistic.distance(sum), sum).p;
                let error = (statistic.normal().p - exact).abs();
                let least = if exact < 0.1 { 0.002 } else { 0.006 };
                assert!(error < least, "{n}, {others}: {exact} is off by {error}");
            }
        }
    }

    /// The test by its definition: all ways to choose the first sample.
    fn enumerated(a: &[f64], b: &[f64]) -> f64 {
        let all = [a, b].concat();
        let rank = |value: f64| {
            let below = all.iter().filter(|other| **other < value).count() as i64;
            let equal = all.iter().filter(|other| **other == value).count() as i64;
            2 * below + equal + 1
        };
        let ranks: Vec<i64> = all.iter().map(|&value| rank(value)).collect();
        // The sum of a's doubled ranks is n_a (n + 1) on average.
        let mean = (a.len() * (all.len() + 1)) as i64;
        let distance = |sum: i64| (sum - mean).abs();
        let observed = distance(ranks[..a.len()].iter().sum());
        let (mut n, mut n_as_far) = (0, 0);
        for chosen in 0_u32..1 << all.len() {
            if chosen.count_ones() as usize == a.len() {
                let of_chosen = (0..all.len()).filter(|index| chosen >> index & 1 == 1);
                n += 1;
                n_as_far +=
                    u32::from(distance(of_chosen.map(|index| ranks[index]).sum()) >= observed);
            }
        }
        f64::from(n_as_far) / f64::from(n)
    }

    /// Some with many ties, some with none.
    fn sample(most: usize) -> impl Strategy<Value = Vec<f64>> {
        prop_oneof![
            prop::collection::vec((0..2).prop_map(f64::from), 1..most),
            prop::collection::vec((0..6).prop_map(f64::from), 1..most),
            prop::collection::vec(-1e9..1e9, 1..most),
        ]
    }

    proptest! {
        #[test]
        fn it_is_what_enumeration_counts((a, b) in (sample(8), sample(8))) {
            let (p, expected) = (p(&a, &b), enumerated(&a, &b));
            prop_assert!((p - expected).abs() < 1e-12, "{} is not {}", p, expected);
        }

        #[test]
        fn it_is_symmetric_and_sees_order_alone(a in sample(30), b in sample(30)) {
            let times = |factor: f64, sample: &[f64]| -> Vec<f64> {
                sample.iter().map(|value| factor * value).collect()
            };
            let expected = p(&a, &b);
            prop_assert!((0.0..=1.0).contains(&expected));
            prop_assert!((p(&b, &a) - expected).abs() < 1e-12);
            prop_assert_eq!(p(&times(2.0, &a), &times(2.0, &b)), expected);
            prop_assert!((p(&times(-1.0, &a), &times(-1.0, &b)) - expected).abs() < 1e-12);
        }
    }
}
