//! How long runs take: by what they are made of before any has been played, by what was measured after.

use super::cell::{Cell, Workload};
use super::choice::{Guess, Version};
use super::theory::{harmonic, moments};

/// What a launcher and MPI take to start and to end, in seconds; and what each rank adds.
const START_S: (f64, f64) = (1.0, 0.05);

/// What an operation takes, in seconds: more than on any network that one would measure on.
const OPERATION_S: f64 = 50e-6;

/// Seconds that a run of the cell takes, from what it is made of: right to a factor of two or three.
fn before_any(cell: &Cell) -> f64 {
    let Workload {
        ranks,
        digits,
        games,
        think,
        ..
    } = cell.workload;
    let (n_ranks, digits) = (f64::from(ranks), f64::from(digits));
    // A collector of coupons of which one is worth nothing; or one who never draws what he has.
    let guesses = match cell.variant.guess {
        Guess::Uniform => (digits + 1.0) * harmonic(cell.workload.digits),
        Guess::Unclaimed | Guess::Ticket => digits,
    };
    let mean = moments(think).0;
    let game_s = match cell.variant.version {
        Version::Rma => {
            let rates = (0..ranks)
                .map(|rank| 1.0 / (mean + cell.workload.extra(rank).as_secs_f64() + OPERATION_S));
            let rate: f64 = rates.sum();
            guesses / rate + n_ranks / rate
        }
        Version::Collective => {
            let slowest = (0..ranks).map(|rank| cell.workload.extra(rank).as_secs_f64());
            let round_s = match cell.workload.theory(0.0) {
                Some(theory) => theory.round_s,
                None => mean + slowest.fold(0.0, f64::max),
            };
            ((guesses + digits) / n_ranks + 1.0) * (round_s + OPERATION_S)
        }
    };
    START_S.0 + START_S.1 * n_ranks + games as f64 * game_s
}

/// How long runs of each cell take.
#[derive(Debug, Clone)]
pub struct Estimates {
    /// Before any was measured.
    before: Vec<f64>,
    /// What was measured, in ascending order.
    measured: Vec<Vec<f64>>,
}

fn median(sorted: &[f64]) -> Option<f64> {
    let n = sorted.len();
    (n > 0).then(|| sorted[(n - 1) / 2].midpoint(sorted[n / 2]))
}

impl Estimates {
    /// Nothing is measured yet.
    pub fn new(cells: &[Cell]) -> Self {
        Estimates {
            before: cells.iter().map(before_any).collect(),
            measured: vec![Vec::new(); cells.len()],
        }
    }

    /// A run of the cell took so many seconds, from the launcher's start to its end.
    pub fn add(&mut self, cell: usize, took_s: f64) {
        let measured = &mut self.measured[cell];
        let at = measured.partition_point(|&other| other < took_s);
        measured.insert(at, took_s);
    }

    /// Seconds that a run of the cell will take: the median of those that were measured. Of a cell of which
    /// none was, what it is made of, times what the others took beyond what they are made of.
    pub fn of(&self, cell: usize) -> f64 {
        median(&self.measured[cell]).unwrap_or_else(|| self.before[cell] * self.slower())
    }

    /// How many times longer than thought runs took, in the middle.
    fn slower(&self) -> f64 {
        let medians = self.measured.iter().zip(&self.before);
        let mut slower: Vec<f64> = medians
            .filter_map(|(measured, before)| Some(median(measured)? / before))
            .collect();
        slower.sort_by(f64::total_cmp);
        median(&slower).unwrap_or(1.0)
    }

    /// Seconds that all of these runs will take.
    pub fn left(&self, cells: impl IntoIterator<Item = usize>) -> f64 {
        let mut of = vec![None; self.before.len()];
        cells
            .into_iter()
            .map(|cell| *of[cell].get_or_insert_with(|| self.of(cell)))
            .sum()
    }

    /// How long a run of the cell may take where nobody said: ten times what it is thought to take, and ten
    /// minutes at least.
    pub fn time_limit_s(&self, cell: usize) -> f64 {
        (10.0 * self.before[cell]).max(600.0)
    }
}

/// A time for people who wait: `about 3 min`.
pub fn about(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => "less than a second".into(),
        s if s < 90.0 => format!("about {s:.0} s"),
        s if s < 5400.0 => format!("about {:.0} min", s / 60.0),
        s if s < 48.0 * 3600.0 => format!("about {:.1} h", s / 3600.0),
        s => format!("about {:.1} days", s / 86400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Plan, Values};

    fn plan() -> Plan {
        let text = "ranks = [2, 8]\ndigits = 9\nthink = \"exp:100ms\"\nversions = [\"rma\", \"collective\"]";
        Plan::new(Values::of_toml("plan", text)).unwrap()
    }

    #[test]
    fn before_any_run_estimates_follow_from_the_work() {
        let estimates = Estimates::new(&plan().cells);
        let game = |cell, ranks: f64| estimates.of(cell) - START_S.0 - START_S.1 * ranks;
        // 28.3 guesses of 100 ms by 2 and by 8 ranks, and a last one of each.
        assert!(
            (game(0, 2.0) - (28.29 + 2.0) * 0.1 / 2.0).abs() < 0.02,
            "{}",
            game(0, 2.0)
        );
        assert!(
            (game(2, 8.0) - (28.29 + 8.0) * 0.1 / 8.0).abs() < 0.02,
            "{}",
            game(2, 8.0)
        );
        // Rounds of 150 ms.
        assert!(
            (game(1, 2.0) - (37.29 / 2.0 + 1.0) * 0.15).abs() < 0.02,
            "{}",
            game(1, 2.0)
        );
        assert_eq!(estimates.time_limit_s(0), 600.0);
    }

    #[test]
    fn what_was_measured_counts_and_teaches_of_the_rest() {
        let mut estimates = Estimates::new(&plan().cells);
        let (before, other) = (estimates.of(0), estimates.of(3));
        for took_s in [9.0, 3.0 * before, 1.0] {
            estimates.add(0, took_s);
        }
        assert_eq!(estimates.of(0), 3.0 * before);
        assert!((estimates.of(3) - 3.0 * other).abs() < 1e-9);
        let left = estimates.left([0, 3, 0]);
        assert!((left - (6.0 * before + 3.0 * other)).abs() < 1e-9);
        assert_eq!(estimates.left([]), 0.0);
        assert_eq!(
            [0.2, 12.4, 100.0, 7200.0, 1e6].map(about),
            [
                "less than a second",
                "about 12 s",
                "about 2 min",
                "about 2.0 h",
                "about 11.6 days"
            ]
        );
    }
}
