//! Think time: the simulated work before each guess.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, Exp1};

use super::guess::{Purpose, stream};

/// Longest think time that is accepted: nobody means a longer one.
pub const MAX_THINK: Duration = Duration::from_secs(24 * 3600);

/// How think times are distributed ("think time" as in queueing theory: what a client does between
/// two requests).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThinkTime {
    /// The same each time; zero is none at all.
    Fixed(Duration),
    /// Exponentially distributed.
    Exponential {
        /// Mean.
        mean: Duration,
    },
    /// Uniformly distributed.
    Uniform {
        /// Shortest.
        low: Duration,
        /// Longest.
        high: Duration,
    },
}

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

impl FromStr for ThinkTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(mean) = text.strip_prefix("exp:") {
            return Ok(ThinkTime::Exponential {
                mean: parse_duration(mean)?,
            });
        }
        if let Some(range) = text.strip_prefix("uniform:") {
            let (low, high) = range
                .split_once("..")
                .ok_or("expected uniform:LOW..HIGH, such as uniform:5ms..15ms")?;
            let (low, high) = (parse_duration(low)?, parse_duration(high)?);
            if low > high {
                return Err(format!("the range {range} is upside down"));
            }
            return Ok(ThinkTime::Uniform { low, high });
        }
        parse_duration(text).map(ThinkTime::Fixed)
    }
}

impl fmt::Display for ThinkTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = humantime::format_duration;
        match *self {
            ThinkTime::Fixed(Duration::ZERO) => f.write_str("0"),
            ThinkTime::Fixed(duration) => show(duration).fmt(f),
            ThinkTime::Exponential { mean } => write!(f, "exp:{}", show(mean)),
            ThinkTime::Uniform { low, high } => write!(f, "uniform:{}..{}", show(low), show(high)),
        }
    }
}

/// Reads a duration such as `5ms`, `1s`, `2min` or `0`.
///
/// # Errors
/// What is wrong with it, in words for the user.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text.trim()).map_err(|_| {
        format!("'{text}' is no duration: expected a number and a unit, such as 5ms, 1s, 250us")
    })?;
    if duration > MAX_THINK {
        return Err(format!("'{text}' is longer than a day"));
    }
    Ok(duration)
}

/// A rank that thinks longer than the others: `RANK=DURATION`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Straggler {
    /// Which rank.
    pub rank: u32,
    /// What is added to each of its think times.
    pub extra: Duration,
}

impl FromStr for Straggler {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (rank, extra) = text
            .split_once('=')
            .ok_or("expected RANK=DURATION, such as 3=200ms")?;
        let rank = rank
            .trim()
            .parse()
            .map_err(|_| format!("'{rank}' is no rank"))?;
        Ok(Straggler {
            rank,
            extra: parse_duration(extra)?,
        })
    }
}

/// How thinking is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ThinkBy {
    /// Sleep: the core is free for other ranks, and the rank is outside MPI.
    #[default]
    Sleep,
    /// Compute: the core is busy, and the rank is outside MPI.
    Spin,
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
    /// How it is simulated.
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

    /// Thinks once.
    pub fn think(&mut self) {
        let duration = self.draw();
        self.by.spend(duration);
    }

    /// Thinks once, and calls `visit` about every `interval` meanwhile.
    ///
    /// # Errors
    /// Those of `visit`; the thought ends there.
    pub fn think_and_visit<E>(
        &mut self,
        interval: Duration,
        mut visit: impl FnMut() -> Result<(), E>,
    ) -> Result<(), E> {
        let duration = self.draw();
        let start = Instant::now();
        while let Some(left) = duration.checked_sub(start.elapsed()) {
            self.by.spend(left.min(interval));
            visit()?;
        }
        Ok(())
    }
}

impl ThinkBy {
    fn spend(self, duration: Duration) {
        match self {
            ThinkBy::Sleep => std::thread::sleep(duration),
            ThinkBy::Spin => {
                let start = Instant::now();
                while start.elapsed() < duration {
                    std::hint::spin_loop();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn reads_what_it_writes() {
        for text in ["0", "1s", "exp:10ms", "uniform:5ms..15ms", "1m 30s"] {
            assert_eq!(text.parse::<ThinkTime>().unwrap().to_string(), text);
        }
        assert_eq!(
            "3=200ms".parse(),
            Ok(Straggler {
                rank: 3,
                extra: 200 * MS
            })
        );
    }

    #[test]
    fn refuses_what_it_cannot_mean() {
        for text in [
            "",
            "fast",
            "5",
            "-1s",
            "exp:",
            "uniform:5ms",
            "uniform:2ms..1ms",
            "1e9s",
            "2days",
        ] {
            let error = text.parse::<ThinkTime>().unwrap_err();
            assert!(
                !error.is_empty() && !error.contains('\n'),
                "{text}: {error}"
            );
        }
        for text in ["", "3", "=1s", "x=1s", "-1=1s", "3=", "4294967296=1s"] {
            assert!(text.parse::<Straggler>().is_err(), "{text}");
        }
    }

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

    #[test]
    fn visits_cut_a_thought_and_do_not_change_what_is_drawn() {
        for by in [ThinkBy::Sleep, ThinkBy::Spin] {
            let base = "uniform:2ms..4ms".parse().unwrap();
            let plan = ThinkPlan {
                base,
                by,
                ..ThinkPlan::default()
            };
            let (mut alone, mut visiting) = (plan.thinker(1, 0, 0), plan.thinker(1, 0, 0));
            for _ in 0..3 {
                let (drawn, start) = (alone.draw(), Instant::now());
                let mut n_visits = 0u32;
                let visit = || {
                    n_visits += 1;
                    Ok::<(), ()>(())
                };
                visiting
                    .think_and_visit(Duration::from_micros(100), visit)
                    .unwrap();
                assert!(start.elapsed() >= drawn, "it thinks as long");
                assert!((2..=41).contains(&n_visits), "{n_visits} visits");
            }
            assert_eq!(alone.draw(), visiting.draw(), "the streams go on alike");
            assert_eq!(visiting.think_and_visit(MS, || Err("no")), Err("no"));
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
