//! Ranks with ties, and the tail of the normal distribution.

use super::RankTest;

/// Twice the midrank of each value, from 2 on: equal values share the mean of the ranks that they take
/// together. Doubled, all are whole numbers.
pub(super) fn doubled_midranks(values: &[f64]) -> Vec<u64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0; values.len()];
    let mut n_before = 0;
    for equal in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let size = equal.len() as u64;
        equal
            .iter()
            .for_each(|&index| ranks[index] = 2 * n_before + size + 1);
        n_before += size;
    }
    ranks
}

/// The greatest common divisor of all; 0 if all are 0.
pub(super) fn common_divisor(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0, |mut a, mut b| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    })
}

/// The two-sided test of a statistic whose values 0, 1, 2, … have these weights: the share of values that
/// are at least as far from the middle as the one observed.
pub(super) fn two_sided(weights: &[f64], distance: impl Fn(u64) -> u64, observed: u64) -> RankTest {
    let values = || (0..).zip(weights).filter(|(_, weight)| **weight > 0.0);
    let all: f64 = weights.iter().sum();
    let share_from = |least: u64| {
        let far = values().filter(|&(value, _)| distance(value) >= least);
        far.map(|(_, weight)| weight).sum::<f64>() / all
    };
    let farthest = values().map(|(value, _)| distance(value)).max();
    RankTest {
        p: share_from(distance(observed)),
        smallest_p: share_from(farthest.unwrap_or(0)),
        exact: true,
    }
}

/// The same by the normal distribution, for a statistic that takes whole numbers: half a step is taken from
/// its distance (the correction for continuity).
pub(super) fn two_sided_normal(distance: f64, variance: f64) -> RankTest {
    let excess = distance - 0.5;
    let p = match excess > 0.0 {
        true => erfc(excess / (2.0 * variance).sqrt()),
        false => 1.0,
    };
    RankTest {
        p,
        smallest_p: 0.0, // of this many values
        exact: false,
    }
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

    #[test]
    fn equal_values_share_the_mean_of_their_ranks() {
        let ranks = doubled_midranks(&[3.0, 1.0, -0.0, 3.0, 0.0, f64::INFINITY, 3.0]);
        assert_eq!(ranks, [10, 6, 3, 10, 3, 14, 10]);
        assert_eq!(common_divisor([12, 0, 18].into_iter()), 6);
        assert_eq!(common_divisor([0, 0].into_iter()), 0);
    }

    #[test]
    fn the_normal_tail_is_that_of_the_tables() {
        // Abramowitz & Stegun, table 7.1 (erf), and table 26.1 for the quantiles.
        for (x, expected) in [
            (0.0, 1.0),
            (0.5, 0.479_500_122_2),
            (1.0, 0.157_299_207_1),
            (1.959_963_984_540_054 / f64::sqrt(2.0), 0.05),
            (2.0, 0.004_677_734_981),
            (3.290_526_731_491_926 / f64::sqrt(2.0), 0.001),
        ] {
            assert!((erfc(x) - expected).abs() < 1e-10, "{x}: {}", erfc(x));
        }
    }
}
