//! A one-sided cell beside a collective one.

use std::collections::BTreeMap;

use serde::Serialize;

use super::bounded::{Between, BoundedSpread};
use super::cell::Cell;
use super::choice::{Guess, Version};
use super::journal::{Entry, Status};
use super::plan::Plan;
use crate::analysis::{RankTest, adjust, paired_test};

/// A one-sided cell beside a collective one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// Name of the one-sided cell.
    pub one_sided: String,
    /// Name of the collective cell.
    pub collective: String,
    /// Whether it is the one that the batch's first sentence is about. That does not depend on what was
    /// measured: it is the first of the plan with the most ranks.
    pub declared: bool,
    /// The one-sided time over the collective one: of runs of one repetition, that is, of one seed.
    pub time_ratio: Option<BoundedSpread>,
    /// The chance that two cells which do not differ would look as different as these do ([`paired_test`] of the
    /// logarithms of the ratios); `None` where no pair differs as far as is known.
    pub p: Option<f64>,
    /// The same adjusted for the number of pairs (Holm), but for the declared one, which stands for itself.
    pub p_adjusted: Option<f64>,
    /// Whether the difference is significant: the adjusted p is below 0.05.
    pub significant: bool,
    /// Whether any difference could have been. If not, there are too few repetitions to tell.
    pub testable: bool,
    /// How many pairs of runs differ, as far as is known: the test has no use for others.
    #[serde(skip)]
    pub(super) n_different: usize,
    /// Whether p was counted, and is not that of an approximation.
    #[serde(skip)]
    pub(super) exact: bool,
}

/// Every one-sided cell beside the collective one of its workload; `runs_of` has the runs of a cell.
pub(super) fn pairs<'a>(plan: &Plan, runs_of: impl Fn(&Cell) -> &'a [Entry]) -> Vec<Pair> {
    let one_sided = |cell: &&Cell| cell.variant.version == Version::Rma;
    let cells = plan.cells.iter().filter(one_sided);
    let cells: Vec<(&Cell, &Cell)> = cells
        .filter_map(|cell| Some((cell, partner(plan, cell)?)))
        .collect();
    let ranks = |index: &usize| cells[*index].0.workload.ranks;
    // The first of them, as the last is what `max_by_key` takes.
    let declared = (0..cells.len()).rev().max_by_key(ranks);
    let ratios: Vec<Vec<Ratio>> = cells
        .iter()
        .map(|(cell, partner)| ratios(runs_of(cell), runs_of(partner)))
        .collect();
    let differences = |ratios: &Vec<Ratio>| ratios.iter().map(Ratio::difference).collect();
    let differences: Vec<Vec<f64>> = ratios.iter().map(differences).collect();
    let tests: Vec<Option<RankTest>> = differences.iter().map(|all| paired_test(all)).collect();
    let adjusted = adjust(&tests, declared);
    let pair = |(index, (cell, partner)): (usize, &(&Cell, &Cell))| {
        let bounds: Vec<Between> = ratios[index].iter().map(Ratio::bounds).collect();
        let test = adjusted[index];
        Pair {
            one_sided: cell.name.clone(),
            collective: partner.name.clone(),
            declared: Some(index) == declared,
            time_ratio: BoundedSpread::of(&bounds),
            p: test.map(|test| test.p),
            p_adjusted: test.map(|test| test.p_adjusted),
            significant: test.is_some_and(|test| test.significant),
            testable: test.is_some_and(|test| test.testable),
            n_different: differences[index].iter().filter(|&&d| d != 0.0).count(),
            exact: test.is_some_and(|test| test.exact),
        }
    };
    cells.iter().enumerate().map(pair).collect()
}

/// The collective cell that a one-sided one is compared with: that of its workload whose ranks guess as
/// its do. Dealt digits have none of their kind; they are compared with guesses among unclaimed ones, or
/// else with uniform ones.
fn partner<'a>(plan: &'a Plan, cell: &Cell) -> Option<&'a Cell> {
    let wanted: &[Guess] = match cell.variant.guess {
        Guess::Uniform => &[Guess::Uniform],
        Guess::Unclaimed => &[Guess::Unclaimed],
        Guess::Ticket => &[Guess::Unclaimed, Guess::Uniform],
    };
    wanted.iter().find_map(|&guess| {
        plan.cells.iter().find(|other| {
            other.workload_index == cell.workload_index
                && other.variant.version == Version::Collective
                && other.variant.guess == guess
        })
    })
}

/// The times of two runs of one repetition.
struct Ratio {
    own: Between,
    other: Between,
}

impl Ratio {
    fn bounds(&self) -> Between {
        self.own.over(&self.other)
    }

    /// The logarithm of the ratio, or of that of its bounds that is nearer to 1. It is 0 where the bounds leave open
    /// which run took longer: two runs that did not end in time are no evidence for either version.
    fn difference(&self) -> f64 {
        let Between { least, most } = self.bounds();
        if least > 1.0 {
            least.ln()
        } else if most < 1.0 {
            most.ln()
        } else {
            0.0
        }
    }
}

impl Entry {
    /// How long its games took: known, or at least as long as it had, or nothing.
    pub(super) fn time(&self) -> Option<Between> {
        let time = match self.status {
            Status::Done => Between::known(*self.metrics.get("wall_s")?),
            Status::TimedOut => Between::at_least(self.at_least_s.unwrap_or(self.took_s)),
            Status::Failed => return None,
        };
        (time.least > 0.0).then_some(time)
    }
}

fn ratios(runs: &[Entry], others: &[Entry]) -> Vec<Ratio> {
    let times = |runs: &[Entry]| -> BTreeMap<u32, Between> {
        let times = runs
            .iter()
            .filter_map(|run| Some((run.repetition, run.time()?)));
        times.collect()
    };
    let others = times(others);
    let own = times(runs).into_iter();
    own.filter_map(|(repetition, own)| {
        let other = *others.get(&repetition)?;
        Some(Ratio { own, other })
    })
    .collect()
}

#[cfg(test)]
pub(in crate::batch) mod tests {
    use super::super::journal::tests::entry;
    use super::super::{Results, Values};
    use super::*;

    pub(in crate::batch) fn plan(flags: &[(&str, &str)]) -> Plan {
        let mut values = Values::default();
        for (name, text) in flags {
            values.flag(name, &[(*text).to_owned()]);
        }
        Plan::new(values).unwrap()
    }

    /// What comes of these one-sided times and these collective ones, by workload.
    pub(in crate::batch) fn results(plan: &Plan, times: &[(&[f64], &[f64])]) -> Results {
        let mut entries = Vec::new();
        for cell in &plan.cells {
            let (own, others) = times[cell.workload_index];
            let times = match cell.variant.version {
                Version::Rma => own,
                Version::Collective => others,
            };
            for (repetition, &time) in (0..).zip(times) {
                let mut entry = entry(&cell.name, repetition);
                entry.metrics.insert("wall_s".into(), time);
                entries.push(entry);
            }
        }
        Results::new(plan, &entries)
    }

    /// The times of seeds differ by far more than those of the versions: what an unpaired test would not see.
    #[test]
    fn what_is_paired_is_tested_in_pairs() {
        let plan = plan(&[("ranks", "2")]);
        let others: Vec<f64> = (0..8).map(|seed| f64::exp2(f64::from(seed))).collect();
        let own: Vec<f64> = others.iter().map(|time| time * 0.9).collect();
        let unpaired = crate::analysis::rank_test(&own, &others).unwrap();
        assert!(unpaired.p > 0.5, "{unpaired:?}");
        let results = results(&plan, &[(&own, &others)]);
        let pair = &results.pairs[0];
        assert_eq!((pair.p, pair.significant), (Some(2.0 / 256.0), true));
    }

    #[test]
    fn the_declared_pair_does_not_depend_on_what_was_measured_and_others_are_adjusted() {
        let plan = plan(&[("ranks", "4,2,8"), ("think", "1ms,2ms,3ms")]);
        let times = |factor: f64| -> Vec<f64> { (1..=10).map(|i| factor * f64::from(i)).collect() };
        let (one, half, hundredth) = (times(1.0), times(0.5), times(0.01));
        let mut all = vec![(&half[..], &one[..]); 9];
        all[8].0 = &hundredth;
        let results = results(&plan, &all);
        let declared: Vec<&Pair> = results.pairs.iter().filter(|pair| pair.declared).collect();
        assert_eq!(declared.len(), 1);
        assert_eq!(declared[0].one_sided, "8-ranks_9-digits_think-1ms_rma");
        let smallest = 2.0 / 1024.0;
        for pair in &results.pairs {
            let times = if pair.declared { 1.0 } else { 8.0 };
            let p = (pair.p, pair.p_adjusted);
            assert_eq!(p, (Some(smallest), Some(times * smallest)), "{pair:?}");
            assert!(pair.significant && pair.testable);
        }
    }

    #[test]
    fn a_run_that_did_not_end_in_time_is_evidence_as_far_as_its_bound_goes() {
        let (three, five) = (Between::known(3.0), Between::known(5.0));
        let late = |least| Between::at_least(least);
        for (own, other, expected) in [
            (three, five, 0.6),
            (three, late(5.0), 0.6),
            (five, late(3.0), 1.0), // it may have taken less or more
            (late(5.0), three, 5.0 / 3.0),
            (late(3.0), five, 1.0),
            (late(5.0), late(3.0), 1.0), // limits, and no times
            (five, five, 1.0),
        ] {
            let difference = Ratio { own, other }.difference();
            let expected = f64::ln(expected);
            assert!((difference - expected).abs() < 1e-15, "{own:?} {other:?}");
        }
    }

    /// One version had a longer limit than the other, and no run of either ended.
    #[test]
    fn runs_of_which_none_ended_show_no_difference() {
        let plan = plan(&[("ranks", "2")]);
        let mut entries = Vec::new();
        for cell in &plan.cells {
            let limit_s = match cell.variant.version {
                Version::Rma => 1.0,
                Version::Collective => 9.0,
            };
            entries.extend((0..10).map(|repetition| Entry {
                status: Status::TimedOut,
                at_least_s: Some(limit_s),
                ..entry(&cell.name, repetition)
            }));
        }
        let pair = &Results::new(&plan, &entries).pairs[0];
        assert_eq!((pair.p, pair.significant), (None, false), "{pair:?}");
    }

    #[test]
    fn five_pairs_are_too_few_whatever_they_show() {
        let plan = plan(&[("ranks", "2")]);
        let results = results(&plan, &[(&[1.0; 5], &[100.0; 5])]);
        let pair = &results.pairs[0];
        assert_eq!(
            (pair.p, pair.significant, pair.testable),
            (Some(0.0625), false, false)
        );
    }
}
