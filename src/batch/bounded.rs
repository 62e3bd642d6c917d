//! Numbers of which some are known by bounds alone: the time of a run that was ended for taking too long.

use serde::Serialize;

use crate::analysis::Spread;

/// A number that lies between two bounds: equal ones, if it is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Between {
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Between {
    pub(super) fn known(value: f64) -> Self {
        Between {
            least: value,
            most: value,
        }
    }

    /// What had not ended after this long.
    pub(super) fn at_least(least: f64) -> Self {
        let most = f64::INFINITY;
        Between { least, most }
    }

    pub(super) fn is_known(&self) -> bool {
        self.least == self.most
    }

    /// This over another, both above 0.
    pub(super) fn over(&self, other: &Between) -> Self {
        Between {
            least: self.least / other.most,
            most: self.most / other.least,
        }
    }
}

/// The median of numbers of which some may be known by bounds alone, and the interval that holds it with 95 %
/// confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BoundedSpread {
    pub n: usize,
    /// How many of them are known by bounds alone, because of runs that did not end in time.
    pub timed_out: usize,
    /// The median; `None` where it is one that is known by bounds alone.
    pub median: Option<f64>,
    /// Then what it is at least.
    pub at_least: Option<f64>,
    pub at_most: Option<f64>,
    /// Lower end of the interval; `None` with too few numbers, or where it has no bound.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

impl BoundedSpread {
    /// `None` if there are no numbers.
    pub(super) fn of(numbers: &[Between]) -> Option<Self> {
        let bounds = |of: fn(&Between) -> f64| numbers.iter().map(of).collect::<Vec<f64>>();
        let least = Spread::of_bounds(&bounds(|number| number.least))?;
        let most = Spread::of_bounds(&bounds(|number| number.most))?;
        let is_known = least.median == most.median && least.median.is_finite();
        // Times and their ratios are above 0, so that this is no bound.
        let lower = |bound: f64| (bound > 0.0).then_some(bound);
        let upper = |bound: f64| bound.is_finite().then_some(bound);
        Some(BoundedSpread {
            n: numbers.len(),
            timed_out: numbers.iter().filter(|number| !number.is_known()).count(),
            median: is_known.then_some(least.median),
            at_least: lower(least.median).filter(|_| !is_known),
            at_most: upper(most.median).filter(|_| !is_known),
            low: least.low.is_finite().then_some(least.low),
            high: upper(most.high),
        })
    }

    /// The same of the inverse numbers, such as ratios seen from the other side.
    pub(super) fn inverse(&self) -> Self {
        let inverse = |value: Option<f64>| value.filter(|&v| v > 0.0).map(|value| 1.0 / value);
        BoundedSpread {
            median: inverse(self.median),
            at_least: inverse(self.at_most),
            at_most: inverse(self.at_least),
            low: inverse(self.high),
            high: inverse(self.low),
            ..*self
        }
    }

    /// The median as far as it is known: `2.00`, `> 2.00`, `< 2.00`, `1.00 to 2.00`, `?`.
    pub(super) fn shown(&self, show: impl Fn(f64) -> String) -> String {
        match (self.median, self.at_least, self.at_most) {
            (Some(median), _, _) => show(median),
            (None, Some(least), Some(most)) => format!("{} to {}", show(least), show(most)),
            (None, Some(least), None) => format!("> {}", show(least)),
            (None, None, Some(most)) => format!("< {}", show(most)),
            (None, None, None) => "?".into(),
        }
    }

    /// The interval, where it has both ends.
    pub(super) fn interval(&self) -> Option<(f64, f64)> {
        self.low.zip(self.high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(numbers: &[Between]) -> String {
        let spread = BoundedSpread::of(numbers).unwrap();
        spread.shown(|value| format!("{value}"))
    }

    #[test]
    fn runs_that_were_ended_stay_in_the_median() {
        let times = |known: &[f64], n_ended: usize| -> Vec<Between> {
            let known = known.iter().map(|&value| Between::known(value));
            let ended = std::iter::repeat_n(Between::at_least(9.0), n_ended);
            known.chain(ended).collect()
        };
        assert_eq!(shown(&times(&[1.0, 2.0, 3.0], 0)), "2");
        assert_eq!(shown(&times(&[1.0, 2.0, 3.0], 2)), "3", "and not 2");
        assert_eq!(shown(&times(&[1.0, 2.0, 3.0], 3)), "> 6", "half of them");
        assert_eq!(shown(&times(&[1.0, 2.0, 3.0], 4)), "> 9");
        assert_eq!(shown(&times(&[], 1)), "> 9");
        assert_eq!(BoundedSpread::of(&[]), None);
        let spread = BoundedSpread::of(&times(&[1.0, 2.0, 3.0, 4.0, 5.0], 1)).unwrap();
        assert_eq!((spread.n, spread.timed_out), (6, 1));
        assert_eq!((spread.low, spread.high), (Some(1.0), None));
    }

    #[test]
    fn ratios_of_them_have_bounds_on_either_side() {
        let (known, ended) = (Between::known(3.0), Between::at_least(9.0));
        assert_eq!(shown(&[known.over(&ended)]), "< 0.3333333333333333");
        assert_eq!(shown(&[ended.over(&known)]), "> 3");
        assert_eq!(shown(&[ended.over(&ended)]), "?");
        // 3/9 or less, 1, 3 or more: the middle one is known.
        let all = [known.over(&ended), known.over(&known), ended.over(&known)];
        assert_eq!(shown(&all), "1");
        // 1/3 or less, and 1: the middle between them is at least a half, were it 0.
        let two = BoundedSpread::of(&all[..2]).unwrap();
        assert_eq!(two.shown(|value| format!("{value:.2}")), "0.50 to 0.67");
        assert_eq!(
            two.inverse().shown(|value| format!("{value:.2}")),
            "1.50 to 2.00"
        );
    }
}
