//! How long games took, of many in one run: in bounded memory.

use serde::{Deserialize, Serialize};

use super::latency::Histogram;

/// The times of games as they end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Games {
    times: Histogram,
    min_ns: Option<u64>,
}

/// How long games took, from the start until the last rank left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct GameTimes {
    pub n: u64,
    /// The shortest, exact.
    pub min_ns: u64,
    /// 5 % took no longer; like the next two up to 1/64 too much.
    pub p5_ns: u64,
    /// Half took no longer.
    pub p50_ns: u64,
    /// 95 % took no longer.
    pub p95_ns: u64,
    /// The longest, exact.
    pub max_ns: u64,
}

/// The same in seconds, as a run's summary has it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GameSeconds {
    pub min: f64,
    /// 5 % took no longer.
    pub p5: f64,
    /// Half took no longer.
    pub median: f64,
    /// 95 % took no longer.
    pub p95: f64,
    pub max: f64,
}

impl Games {
    /// Counts a game that took so long.
    pub fn add(&mut self, ns: u64) {
        self.times.add(ns);
        self.min_ns = Some(self.min_ns.map_or(ns, |min_ns| min_ns.min(ns)));
    }

    /// What they come to; `None` of fewer than two, which have no distribution.
    pub fn times(&self) -> Option<GameTimes> {
        let latency = self.times.latency().filter(|latency| latency.n > 1)?;
        let min_ns = self.min_ns?;
        Some(GameTimes {
            n: latency.n,
            min_ns,
            p5_ns: self.times.percentile(5),
            p50_ns: latency.p50_ns,
            p95_ns: self.times.percentile(95),
            max_ns: latency.max_ns,
        })
    }
}

impl From<GameTimes> for GameSeconds {
    fn from(times: GameTimes) -> Self {
        let seconds = |ns: u64| ns as f64 / 1e9;
        GameSeconds {
            min: seconds(times.min_ns),
            p5: seconds(times.p5_ns),
            median: seconds(times.p50_ns),
            p95: seconds(times.p95_ns),
            max: seconds(times.max_ns),
        }
    }
}

impl GameSeconds {
    /// In the order of their size.
    pub fn all(&self) -> [f64; 5] {
        [self.min, self.p5, self.median, self.p95, self.max]
    }

    /// The times of `n` games.
    pub fn times(&self, n: u64) -> GameTimes {
        let [min_ns, p5_ns, p50_ns, p95_ns, max_ns] =
            self.all().map(|seconds| (seconds * 1e9).round() as u64);
        GameTimes {
            n,
            min_ns,
            p5_ns,
            p50_ns,
            p95_ns,
            max_ns,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_game_has_no_distribution() {
        let mut games = Games::default();
        assert_eq!(games.times(), None);
        games.add(5);
        assert_eq!(games.times(), None);
        games.add(3);
        let times = games.times().unwrap();
        assert_eq!((times.n, times.min_ns, times.p5_ns), (2, 3, 3));
        assert_eq!((times.p50_ns, times.p95_ns, times.max_ns), (3, 5, 5));
    }

    proptest! {
        /// The oracle sorts.
        #[test]
        fn times_are_those_of_the_games(mut all in proptest::collection::vec(0..1u64 << 40, 2..300)) {
            let mut games = Games::default();
            all.iter().for_each(|&ns| games.add(ns));
            all.sort_unstable();
            let times = games.times().unwrap();
            for (percent, got) in [(5, times.p5_ns), (50, times.p50_ns), (95, times.p95_ns)] {
                let exact = all[(all.len() * percent).div_ceil(100) - 1];
                prop_assert!(got >= exact && got - exact <= exact / 64 + 1, "{got} for {exact}");
            }
            prop_assert_eq!((times.min_ns, times.max_ns), (all[0], all[all.len() - 1]));
            let again = GameSeconds::from(times).times(times.n);
            prop_assert_eq!(again, times);
        }
    }
}
