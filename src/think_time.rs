//! Think times as they are asked for: written, read, and nothing drawn. Needs no MPI.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Longest think time that is accepted: nobody means a longer one.
pub const MAX_THINK: Duration = Duration::from_secs(24 * 3600);

/// How think times are distributed ("think time" as in queueing theory: what a client does between
/// two requests).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThinkTime {
    /// The same each time; zero is none at all.
    Fixed(Duration),
    /// Exponentially distributed.
    Exponential { mean: Duration },
    /// Uniformly distributed.
    Uniform { low: Duration, high: Duration },
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ThinkBy {
    /// Sleep: the core is free for other ranks, and the rank is outside MPI.
    #[default]
    Sleep,
    /// Compute: the core is busy, and the rank is outside MPI.
    Spin,
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
}
