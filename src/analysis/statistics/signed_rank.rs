//! Samples whose values come in pairs.

use super::ranks::{common_divisor, doubled_midranks, two_sided, two_sided_normal};
use super::{MAX_ADDITIONS, RankTest};

/// The two-sided signed-rank test of Wilcoxon: whether differences of pairs tend to be above 0, or below.
/// `None` if there are none, one is NaN, or all are 0.
///
/// For ratios give their logarithms, so that half and double are equally far from equal. Ties have midranks.
/// Differences of 0 are ranked with the others and then left out, by J. W. Pratt, "Remarks on zeros and ties
/// in the Wilcoxon signed rank procedures", J. Amer. Statist. Assoc. 54 (1959), 655-667: so a difference
/// that grows never makes the others' evidence weaker. Given the ranks, p is the share of all 2^n signs of the
/// n others whose sum of positive ranks is at least as far from its mean as it is here. These are counted where n times
/// the sum of all ranks is at most 100 million additions: up to 463 pairs whatever their ties and zeros, up to 584 that
/// all differ and have none. Beyond that p is that of the normal approximation with corrections for ties and
/// continuity.
pub fn paired_test(differences: &[f64]) -> Option<RankTest> {
    if differences.iter().any(|difference| difference.is_nan()) {
        return None;
    }
    let sizes: Vec<f64> = differences.iter().map(|value| value.abs()).collect();
    let ranked = differences.iter().zip(doubled_midranks(&sizes));
    let ranked: Vec<(bool, u64)> = ranked
        .filter(|(difference, _)| **difference != 0.0)
        .map(|(difference, rank)| (*difference > 0.0, rank))
        .collect();
    let divisor = common_divisor(ranked.iter().map(|&(_, rank)| rank));
    if divisor == 0 {
        return None; // nothing is left
    }
    let steps: Vec<u64> = ranked.iter().map(|(_, rank)| rank / divisor).collect();
    let all: u64 = steps.iter().sum();
    let positive = ranked.iter().zip(&steps).filter(|((is_up, _), _)| *is_up);
    let observed: u64 = positive.map(|(_, step)| step).sum();
    let distance = |sum: u64| (2 * sum).abs_diff(all);
    if steps.len() as f64 * all as f64 > MAX_ADDITIONS {
        let variance = steps.iter().map(|&step| (step as f64).powi(2)).sum::<f64>() / 4.0;
        let from_mean = distance(observed) as f64 / 2.0;
        return Some(RankTest {
            smallest_p: f64::exp2(1.0 - steps.len() as f64), // all one way, whatever the ranks
            ..two_sided_normal(from_mean, variance)
        });
    }
    Some(two_sided(&shares(&steps), distance, observed))
}

/// The share of all signs with which the positive steps sum up to 0, 1, 2 and so on. Halving is exact.
fn shares(steps: &[u64]) -> Vec<f64> {
    let all: u64 = steps.iter().sum();
    let mut shares = vec![0.0; all as usize + 1];
    shares[0] = 1.0;
    let mut reached = 0;
    for &step in steps {
        let step = step as usize;
        shares[..=reached]
            .iter_mut()
            .for_each(|share| *share /= 2.0);
        // From above, so that no sum has this step twice.
        for sum in (0..=reached).rev() {
            shares[sum + step] += shares[sum];
        }
        reached += step;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn p(differences: &[f64]) -> f64 {
        paired_test(differences).map_or(1.0, |test| test.p)
    }

    #[test]
    fn small_samples_have_the_p_values_of_the_tables() {
        // All one way: 2 of 2^n signs.
        for n in 1..=10 {
            let up: Vec<f64> = (1..=n).map(f64::from).collect();
            let test = paired_test(&up).unwrap();
            assert_eq!(
                (test.p, test.smallest_p),
                (f64::exp2(1.0 - f64::from(n)), test.p)
            );
            assert_eq!(test.is_testable(), n >= 6, "n = {n}");
        }
        // One of six the other way, the smallest: sums 0 and 1, and as far above.
        assert_eq!(p(&[-1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), 4.0 / 64.0);
        // Critical value 8 of n = 10 at 5 % (Wilcoxon 1945): 25 sets of 1 to 10 sum up to 8 at most.
        let mut ten: Vec<f64> = (1..=10).map(f64::from).collect();
        ten[7] = -8.0;
        assert_eq!(p(&ten), 50.0 / 1024.0);
    }

    #[test]
    fn zeros_take_ranks_and_have_no_sign() {
        // Without the zeros' ranks -1 would have rank 1 of 6, with them rank 3 of 8: the sums are
        // 3 to 8, of 64 signs those with none or 3 alone, and as far above.
        assert_eq!(p(&[0.0, 0.0, -1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), 4.0 / 64.0);
        // Ranks 3 and up, and 3 + 4 beside 7: it does make a difference here.
        assert_eq!(p(&[0.0, 0.0, 1.0, 2.0, 3.0, 4.0, -5.0, 6.0]), 14.0 / 64.0);
        assert_eq!(p(&[1.0, 2.0, 3.0, 4.0, -5.0, 6.0]), 20.0 / 64.0);
        assert_eq!(paired_test(&[0.0, -0.0]), None);
        assert_eq!(paired_test(&[]), None);
        assert_eq!(paired_test(&[1.0, f64::NAN]), None);
        assert_eq!(p(&[f64::INFINITY, 1.0]), 0.5);
    }

    #[test]
    fn the_approximation_is_close_to_the_exact_test_where_it_takes_over() {
        // As many as are exact, some of them the other way: the more, the larger p.
        let mut last = 0.0;
        let n = 500_u32;
        for n_down in [170, 190, 205, 215, 225, 235] {
            let mut values: Vec<f64> = (1..=n).map(f64::from).collect();
            (0..n_down).for_each(|index| values[index * 2 + 1] *= -1.0);
            let exact = p(&values);
            let steps: Vec<u64> = (1..=u64::from(n)).collect();
            let variance = steps.iter().map(|&s| (s * s) as f64).sum::<f64>() / 4.0;
            let all: u64 = steps.iter().sum();
            let up: f64 = values.iter().filter(|value| **value > 0.0).sum();
            let normal = two_sided_normal((up - all as f64 / 2.0).abs(), variance).p;
            assert!((exact - normal).abs() < 1e-4, "{exact} and {normal}");
            assert!(exact > last);
            last = exact;
        }
    }

    /// What is counted is bounded, and what is not counted is said to be an approximation.
    #[test]
    fn it_is_exact_up_to_the_work_that_the_documentation_names() {
        let distinct = |n: u32| (1..=n).map(f64::from).collect::<Vec<_>>();
        // Ranks 1.5, 1.5, 3 and so on: doubled, they have no common divisor.
        let tied = |n: u32| [vec![1.0], distinct(n - 1)].concat();
        let beside_zeros = |n: u32, n_zeros| [vec![0.0; n_zeros], distinct(n)].concat();
        for (differences, exact) in [
            (distinct(584), true),
            (distinct(585), false),
            (tied(463), true),
            (tied(464), false),
            (beside_zeros(300, 163), true),
            (beside_zeros(8, 5_000), true),
            // Ranks begin at 10,001: 400 times 400 of them and more.
            (beside_zeros(400, 10_000), false),
        ] {
            let test = paired_test(&differences).unwrap();
            let n = differences.len();
            assert_eq!(test.exact, exact, "{n} pairs: {test:?}");
            assert!(test.p < 1e-2 && test.is_testable(), "{n} pairs: {test:?}");
        }
    }

    /// The test by its definition: all signs.
    fn enumerated(differences: &[f64]) -> f64 {
        let rank = |value: f64| {
            let size = |value: &&f64| value.abs();
            let below = differences.iter().filter(|other| size(other) < value.abs());
            let equal = differences
                .iter()
                .filter(|other| size(other) == value.abs());
            (2 * below.count() + equal.count() + 1) as i64
        };
        let ranked = differences.iter().filter(|value| **value != 0.0);
        let ranked: Vec<(i64, bool)> = ranked.map(|&value| (rank(value), value > 0.0)).collect();
        let all: i64 = ranked.iter().map(|(rank, _)| rank).sum();
        let distance = |sum: i64| (2 * sum - all).abs();
        let up = ranked.iter().filter(|(_, is_up)| *is_up);
        let observed = distance(up.map(|(rank, _)| rank).sum());
        let n_as_far = (0_u32..1 << ranked.len()).filter(|signs| {
            let up = (0..ranked.len()).filter(|index| signs >> index & 1 == 1);
            distance(up.map(|index| ranked[index].0).sum()) >= observed
        });
        n_as_far.count() as f64 / f64::exp2(ranked.len() as f64)
    }

    proptest! {
        #[test]
        fn it_is_what_enumeration_counts(differences in prop_oneof![
            prop::collection::vec((-4..=4).prop_map(f64::from), 1..11),
            prop::collection::vec(-1e3..1e3, 1..11),
        ]) {
            prop_assert_eq!(p(&differences), enumerated(&differences));
            let negative: Vec<f64> = differences.iter().map(|value| -value).collect();
            prop_assert_eq!(p(&negative), p(&differences));
        }
    }
}
