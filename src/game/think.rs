//! Think time: the simulated work before each guess.

use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, Exp1};

use super::guess::{Purpose, stream};
use crate::interrupt;
use crate::think_time::{Straggler, ThinkBy, ThinkTime};

impl ThinkTime {
    fn draw(self, rng: &mut ChaCha8Rng) -> Duration {
        match self {
            ThinkTime::Fixed(duration) => duration,
            ThinkTime::Exponential { mean } => {
                let unit: f64 = Exp1.sample(rng);
                mean.mul_f64(unit)
            }
            ThinkTime::Uniform { low, high } => low + (high - low).mul_f64(rng.random::<f64>()),
        }
    }
}

/// The think times of all ranks.
#[derive(Debug, Clone)]
pub struct ThinkPlan {
    /// What every rank draws from.
    pub base: ThinkTime,
    /// What rank r adds r times.
    pub per_rank: Duration,
    /// What single ranks add.
    pub stragglers: Vec<Straggler>,
    pub by: ThinkBy,
}

impl Default for ThinkPlan {
    /// No think time.
    fn default() -> Self {
        let base = ThinkTime::Fixed(Duration::ZERO);
        ThinkPlan {
            base,
            per_rank: Duration::ZERO,
            stragglers: Vec::new(),
            by: ThinkBy::Sleep,
        }
    }
}

impl ThinkPlan {
    /// What `rank` adds to every draw.
    fn extra(&self, rank: u32) -> Duration {
        let straggling = self
            .stragglers
            .iter()
            .filter(|s| s.rank == rank)
            .map(|s| s.extra);
        self.per_rank.saturating_mul(rank) + straggling.sum::<Duration>()
    }

    /// The thinker of `rank` in `game` under `seed`.
    pub fn thinker(&self, seed: u64, rank: u32, game: u64) -> Thinker {
        let extra = self.extra(rank);
        let never = self.base == ThinkTime::Fixed(Duration::ZERO) && extra.is_zero();
        let rng = stream(seed, rank, game, Purpose::Think);
        Thinker {
            base: self.base,
            extra,
            by: self.by,
            never,
            rng,
        }
    }
}

/// One rank's thinking in one game.
#[derive(Debug)]
pub struct Thinker {
    base: ThinkTime,
    extra: Duration,
    by: ThinkBy,
    never: bool,
    rng: ChaCha8Rng,
}

impl Thinker {
    /// Whether this rank never thinks, so that nobody needs to time it.
    #[inline]
    pub fn never_thinks(&self) -> bool {
        self.never
    }

    /// Draws the next think time.
    pub fn draw(&mut self) -> Duration {
        self.base.draw(&mut self.rng) + self.extra
    }

    #[inline]
    pub fn by(&self) -> ThinkBy {
        self.by
    }
}

impl ThinkBy {
    /// Thinks for so long, or until this process is [asked to end](interrupt::to_end).
    pub fn spend(self, duration: Duration) {
        match self {
            ThinkBy::Sleep => interrupt::sleep(duration),
            ThinkBy::Spin => {
                let start = Instant::now();
                while start.elapsed() < duration && interrupt::to_end().is_none() {
                    std::hint::spin_loop();
                }
            }
        }
    }

    /// The same, and calls `visit` about every `interval` meanwhile.
    ///
    /// # Errors
    /// Those of `visit`; the thought ends there.
    pub fn spend_and_visit<E>(
        self,
        duration: Duration,
        interval: Duration,
        mut visit: impl FnMut() -> Result<(), E>,
    ) -> Result<(), E> {
        let start = Instant::now();
        while let Some(slice) = next_slice(duration, interval, start.elapsed()) {
            self.spend(slice);
            visit()?;
            if interrupt::to_end().is_some() {
                break;
            }
        }
        Ok(())
    }
}

/// How long to think until the next visit, of a thought of `duration` that has gone on for `elapsed`; `None` when
/// it is over.
fn next_slice(duration: Duration, interval: Duration, elapsed: Duration) -> Option<Duration> {
    let left = duration.saturating_sub(elapsed);
    (!left.is_zero()).then(|| left.min(interval))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn draws_have_the_mean_and_range_that_were_asked_for() {
        let mean_ms = |text: &str| {
            let plan = ThinkPlan {
                base: text.parse().unwrap(),
                ..ThinkPlan::default()
            };
            let mut thinker = plan.thinker(3, 0, 0);
            let draws: Vec<f64> = (0..20_000)
                .map(|_| thinker.draw().as_secs_f64() * 1e3)
                .collect();
            let (low, high) = draws
                .iter()
                .fold((f64::MAX, 0f64), |(l, h), &d| (l.min(d), h.max(d)));
            (draws.iter().sum::<f64>() / draws.len() as f64, low, high)
        };
        let (mean, low, high) = mean_ms("uniform:5ms..15ms");
        assert!(
            (mean - 10.0).abs() < 0.1 && low >= 5.0 && high <= 15.0,
            "{mean} {low} {high}"
        );
        let (mean, _, high) = mean_ms("exp:10ms");
        assert!((mean - 10.0).abs() < 0.4 && high > 50.0, "{mean} {high}");
        assert_eq!(mean_ms("7ms"), (7.0, 7.0, 7.0));
    }

    /// Slices and what was overslept, in made-up time: the visits, and when the thought was over.
    fn think(duration: Duration, interval: Duration, overslept: Duration) -> (u32, Duration) {
        let (mut n_visits, mut now) = (0, Duration::ZERO);
        while let Some(slice) = next_slice(duration, interval, now) {
            assert!(slice <= interval);
            now += slice + overslept;
            n_visits += 1;
        }
        (n_visits, now)
    }

    #[test]
    fn visits_cut_a_thought_and_do_not_shorten_it() {
        let us = Duration::from_micros;
        assert_eq!(think(us(1000), us(100), us(0)), (10, us(1000)));
        assert_eq!(think(us(1050), us(100), us(0)), (11, us(1050)));
        assert_eq!(think(us(50), us(100), us(0)), (1, us(50)));
        assert_eq!(think(us(0), us(100), us(0)), (0, us(0)));
        // A sleep that is late makes fewer visits, and ends the thought no earlier, and at most once late.
        assert_eq!(think(us(1000), us(100), us(150)), (4, us(1000)));
        assert_eq!(think(us(3000), us(100), us(2000)), (2, us(4200)));
    }

    #[test]
    fn a_thought_with_visits_takes_as_long_as_one_without() {
        for by in [ThinkBy::Sleep, ThinkBy::Spin] {
            let base = "uniform:2ms..4ms".parse().unwrap();
            let plan = ThinkPlan {
                base,
                by,
                ..ThinkPlan::default()
            };
            let (mut alone, mut visiting) = (plan.thinker(1, 0, 0), plan.thinker(1, 0, 0));
            for _ in 0..5 {
                let (drawn, start, mut n_visits) = (alone.draw(), Instant::now(), 0);
                let visit = || {
                    n_visits += 1;
                    Ok::<(), ()>(())
                };
                let duration = visiting.draw();
                by.spend_and_visit(duration, Duration::from_micros(100), visit)
                    .unwrap();
                assert!(start.elapsed() >= drawn, "it thinks as long");
                assert!(n_visits >= 1, "there are visits");
            }
            assert_eq!(alone.draw(), visiting.draw(), "the streams go on alike");
            assert_eq!(by.spend_and_visit(MS, MS, || Err("no")), Err("no"));
        }
    }

    #[test]
    fn slow_ranks_and_stragglers_add_up() {
        let stragglers = vec!["2=100ms".parse().unwrap(), "2=1ms".parse().unwrap()];
        let plan = ThinkPlan {
            per_rank: 5 * MS,
            stragglers,
            ..ThinkPlan::default()
        };
        let draws: Vec<_> = (0..4).map(|rank| plan.thinker(0, rank, 0).draw()).collect();
        assert_eq!(draws, [Duration::ZERO, 5 * MS, 111 * MS, 15 * MS]);
        assert!(plan.thinker(0, 0, 0).never_thinks() && !plan.thinker(0, 1, 0).never_thinks());
    }
}
