//! Many tests at once: of forty metrics that do not differ, two have p < 0.05 on average.

use serde::Serialize;

use super::{MAX_ERROR_RATE, RankTest};

/// What a test says among others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Adjusted {
    /// Its p-value by itself.
    pub p: f64,
    /// The same where the others are taken into account: what is held against 5 %.
    pub p_adjusted: f64,
    pub significant: bool,
    /// Whether any difference could have been: if not, there were too few runs to tell.
    pub testable: bool,
    /// Whether its p-value was counted, and is not that of an approximation.
    pub exact: bool,
}

/// Adjusts p-values of tests made at once by S. Holm, "A simple sequentially rejective multiple test
/// procedure", Scand. J. Statist. 6 (1979), 65-70: the chance that a difference is called significant where
/// there is none is below 5 % for all of them together, however they depend on each other.
///
/// The test that was `declared` as the one that counts before anything was measured stands for itself: its p
/// is not adjusted, and the others' are without it.
pub fn adjust(tests: &[Option<RankTest>], declared: Option<usize>) -> Vec<Option<Adjusted>> {
    let others = (0..tests.len()).filter(|&index| Some(index) != declared);
    let mut others: Vec<(usize, RankTest)> = others
        .filter_map(|index| Some((index, tests[index]?)))
        .collect();
    others.sort_by(|(_, a), (_, b)| a.p.total_cmp(&b.p));
    let mut adjusted = vec![None; tests.len()];
    let n = others.len();
    let mut p_adjusted: f64 = 0.0;
    let all_p_adjusted: Vec<f64> = (others.iter().enumerate())
        .map(|(n_smaller, (_, test))| {
            p_adjusted = p_adjusted.max((n - n_smaller) as f64 * test.p).min(1.0);
            p_adjusted
        })
        .collect();
    let is_significant = |p_adjusted: &f64| *p_adjusted < MAX_ERROR_RATE;
    // Beside these, a test is one of those that are left, whatever its own p is.
    let n_left = n - all_p_adjusted.iter().filter(|p| is_significant(p)).count();
    for ((index, test), p_adjusted) in others.into_iter().zip(all_p_adjusted) {
        let significant = is_significant(&p_adjusted);
        adjusted[index] = Some(Adjusted {
            p: test.p,
            p_adjusted,
            significant,
            testable: significant || n_left as f64 * test.smallest_p < MAX_ERROR_RATE,
            exact: test.exact,
        });
    }
    if let Some(index) = declared {
        adjusted[index] = tests[index].map(|test| Adjusted {
            p: test.p,
            p_adjusted: test.p,
            significant: test.is_significant(),
            testable: test.is_testable(),
            exact: test.exact,
        });
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(p: f64, smallest_p: f64) -> Option<RankTest> {
        Some(RankTest {
            p,
            smallest_p,
            exact: true,
        })
    }

    #[test]
    fn each_p_is_multiplied_by_the_number_of_those_that_are_no_smaller() {
        let tests = [0.01, 0.04, 0.03, 0.005].map(|p| test(p, 1e-9));
        let adjusted = adjust(&tests, None);
        let p: Vec<f64> = adjusted
            .iter()
            .map(|test| test.unwrap().p_adjusted)
            .collect();
        // R 4.2: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm").
        for (p, expected) in p.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((p - expected).abs() < 1e-15, "{p}");
        }
        let significant = adjusted.iter().map(|test| test.unwrap().significant);
        assert!(significant.eq([true, false, false, true]));
        assert_eq!(
            adjust(&[test(0.6, 0.1), test(0.7, 0.1)], None)[1]
                .unwrap()
                .p_adjusted,
            1.0
        );
    }

    #[test]
    fn what_was_declared_in_advance_is_not_adjusted_and_what_was_not_tested_does_not_count() {
        let tests = [test(0.04, 1e-9), None, test(0.04, 1e-9), test(0.02, 1e-9)];
        let adjusted = adjust(&tests, Some(0));
        assert_eq!(adjusted[1], None);
        let p = |index: usize| adjusted[index].unwrap().p_adjusted;
        assert_eq!((p(0), p(2), p(3)), (0.04, 0.04, 0.04));
        assert_eq!(adjust(&[], None), []);
        assert_eq!(adjust(&[None], Some(0)), [None]);
    }

    #[test]
    fn what_is_significant_was_not_too_few_runs() {
        let tests = [test(1e-9, 1e-9), test(0.03, 0.03)];
        let last = adjust(&tests, None)[1].unwrap();
        assert_eq!(
            (last.p_adjusted, last.significant, last.testable),
            (0.03, true, true)
        );
    }

    /// Held against every p that the last test could have had.
    #[test]
    fn a_test_is_testable_where_some_p_of_it_would_be_significant() {
        for others in [
            &[][..],
            &[1e-9],
            &[0.02],
            &[1e-9, 0.001],
            &[1e-9, 0.5],
            &[0.5; 3],
        ] {
            for n in 1..12 {
                let smallest_p = f64::exp2(1.0 - f64::from(n));
                let last = |p: f64| {
                    let others = others.iter().map(|&p| test(p, 1e-9));
                    let tests: Vec<_> = others.chain([test(p, smallest_p)]).collect();
                    adjust(&tests, None)[tests.len() - 1].unwrap()
                };
                let can_be = last(smallest_p).significant;
                for p in [smallest_p, smallest_p.max(0.04), 0.3, 1.0] {
                    let found = last(p.max(smallest_p));
                    assert_eq!(found.testable, can_be, "{others:?}, 1 of {n}: {found:?}");
                }
            }
        }
    }

    #[test]
    fn too_few_runs_for_many_tests_may_be_enough_for_one() {
        // Six against six.
        let smallest = 2.0 / 924.0;
        let tests = vec![test(smallest, smallest); 28];
        let adjusted = adjust(&tests, Some(3));
        let testable = adjusted.iter().filter(|test| test.unwrap().testable);
        assert_eq!(testable.count(), 1);
        assert!(adjusted[3].unwrap().significant && !adjusted[4].unwrap().significant);
        // Three against three: for none.
        let tests = vec![test(0.1, 0.1); 28];
        assert!(
            adjust(&tests, Some(3))
                .iter()
                .all(|test| !test.unwrap().testable)
        );
    }
}
