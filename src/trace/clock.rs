//! Clocks: which ranks share one, and how those of other hosts are read on the first one's.

use serde::{Deserialize, Serialize};

use super::record::MAX_TIME_NS;

/// A clock that was read against the reference once only is taken to drift by no more than this.
///
/// Crystal oscillators keep within some 50 parts per million, and NTP slews a clock by up to 500;
/// a monotonic clock that is being slewed that fast is not covered.
const DRIFT_BOUND: f64 = 100e-6;

/// A clock's offset from the reference clock, measured by ping-pongs.
///
/// Each ping-pong says that the offset lies in an interval; this is the intersection of all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offset {
    /// When, on the reference clock, in nanoseconds.
    pub at_ns: u64,
    /// This clock less the reference clock: the interval's midpoint, in nanoseconds.
    pub offset_ns: i64,
    /// Half of the interval's width, in nanoseconds.
    pub error_ns: u64,
}

/// The monotonic clock of one host (and time namespace).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// The host.
    pub host: String,
    /// Its offset before the first game; `None` for the reference clock itself.
    pub before: Option<Offset>,
    /// Its offset after the last game; `None` for the reference clock, and where the run did not get
    /// that far.
    pub after: Option<Offset>,
}

/// All clocks of a run. The first is the reference clock, that of rank 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clocks {
    /// The clocks.
    pub clocks: Vec<Clock>,
    /// For each rank, which of them it reads.
    pub of_rank: Vec<u32>,
}

/// A moment on the reference clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Nanoseconds.
    pub ns: u64,
    /// How wrong that may be, either way.
    pub error_ns: u64,
}

impl Clocks {
    /// All ranks on one clock.
    pub fn one(host: &str, n_ranks: u32) -> Self {
        let clock = Clock {
            host: host.into(),
            before: None,
            after: None,
        };
        Clocks {
            clocks: vec![clock],
            of_rank: vec![0; n_ranks as usize],
        }
    }

    /// How to read the clock of `rank` on the reference clock.
    pub fn reading_of(&self, rank: u32) -> Reading {
        let index = self.of_rank.get(rank as usize).copied().unwrap_or(0);
        match self.clocks.get(index as usize) {
            Some(clock) if index > 0 => clock.reading(),
            _ => Reading::Same,
        }
    }

    /// Whether this can be: each rank has a clock, each but the first was measured, and none of the
    /// measured times is beyond [`MAX_TIME_NS`], so that differences of them are numbers.
    ///
    /// # Errors
    /// What is wrong, in one line.
    pub fn check(&self, n_ranks: u32) -> Result<(), String> {
        if self.of_rank.len() != n_ranks as usize {
            return Err("'clocks' does not list every rank".into());
        }
        let n_clocks = self.clocks.len();
        if n_clocks == 0 || self.of_rank.iter().any(|&clock| clock as usize >= n_clocks) {
            return Err("'clocks' lacks a clock".into());
        }
        let unmeasured = |clock: &&Clock| clock.before.is_none();
        if let Some(clock) = self.clocks.iter().skip(1).find(unmeasured) {
            return Err(format!("the clock of {} was not measured", clock.host));
        }
        let absurd = |offset: Offset| {
            let times_ns = [
                offset.at_ns,
                offset.offset_ns.unsigned_abs(),
                offset.error_ns,
            ];
            times_ns.into_iter().any(|ns| ns > MAX_TIME_NS)
        };
        let is_absurd = |clock: &&Clock| {
            [clock.before, clock.after]
                .into_iter()
                .flatten()
                .any(absurd)
        };
        match self.clocks.iter().find(is_absurd) {
            Some(clock) => Err(format!(
                "the clock of {} is off by an absurd time",
                clock.host
            )),
            None => Ok(()),
        }
    }
}

impl Clock {
    fn reading(&self) -> Reading {
        let Some(before) = self.before else {
            return Reading::Same;
        };
        let local = |offset: Offset| offset.at_ns as f64 + offset.offset_ns as f64;
        let span = self.after.map(|after| local(after) - local(before));
        let drift = match (self.after, span) {
            (Some(after), Some(span)) if span > 0.0 => Drift {
                offset: (after.offset_ns - before.offset_ns) as f64 / span,
                error: (after.error_ns as f64 - before.error_ns as f64) / span,
            },
            _ => Drift {
                offset: 0.0,
                error: DRIFT_BOUND,
            },
        };
        Reading::Other {
            from_ns: before.at_ns as i128 + i128::from(before.offset_ns),
            offset_ns: before.offset_ns.into(),
            error_ns: before.error_ns as f64,
            drift,
        }
    }
}

/// What changes per nanosecond.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    offset: f64,
    error: f64,
}

/// How a clock is read on the reference clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reading {
    /// It is the reference clock.
    Same,
    /// Another, linear in time.
    Other {
        /// The local time at which the offset was measured first.
        from_ns: i128,
        /// The offset then.
        offset_ns: i128,
        /// Its error then.
        error_ns: f64,
        /// Change of both per nanosecond.
        drift: Drift,
    },
}

impl Reading {
    /// The moment on the reference clock at which this clock showed `local_ns`.
    #[inline]
    pub fn moment(&self, local_ns: u64) -> Moment {
        match *self {
            Reading::Same => Moment {
                ns: local_ns,
                error_ns: 0,
            },
            Reading::Other {
                from_ns,
                offset_ns,
                error_ns,
                drift,
            } => {
                let since = (i128::from(local_ns) - from_ns) as f64;
                let offset = offset_ns + (drift.offset * since).round() as i128;
                let ns = (i128::from(local_ns) - offset).clamp(0, i128::from(u64::MAX));
                let error = error_ns + drift.error * since.max(0.0);
                Moment {
                    ns: ns as u64,
                    error_ns: error.max(0.0).ceil() as u64,
                }
            }
        }
    }

    /// Whether moments of this clock carry an error.
    pub fn is_other(&self) -> bool {
        *self != Reading::Same
    }
}

/// Intersection of what ping-pongs say: each a (sent, answered, received), the first and the last on
/// the reference clock, the middle one on the other. `None` without ping-pongs, or where they
/// contradict each other by more than a clock can drift meanwhile.
///
/// The other clock was read after sending and before receiving, so its offset lies between
/// `answered − received` and `answered − sent`.
pub fn offset_of(ping_pongs: &[(u64, u64, u64)]) -> Option<Offset> {
    let difference = |a: u64, b: u64| i128::from(a) - i128::from(b);
    let low = ping_pongs.iter().map(|&(_, a, r)| difference(a, r)).max()?;
    let high = ping_pongs.iter().map(|&(s, a, _)| difference(a, s)).min()?;
    let first = ping_pongs.iter().map(|&(sent, ..)| sent).min()?;
    let last = ping_pongs.iter().map(|&(_, _, received)| received).max()?;
    let drifted = (last.saturating_sub(first) as f64 * DRIFT_BOUND).ceil() as i128;
    if low > high + drifted {
        return None;
    }
    let (low, high) = (low.min(high), high.max(low));
    Some(Offset {
        at_ns: first + last.saturating_sub(first) / 2,
        offset_ns: i64::try_from((low + high).div_euclid(2)).ok()?,
        error_ns: u64::try_from((high - low + 1) / 2).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ping_pongs_bound_the_offset() {
        // The other clock is 1000 ahead; the second exchange is the tighter one on both sides.
        let pings = [(100, 1150, 210), (300, 1310, 330), (400, 1480, 500)];
        let offset = offset_of(&pings).unwrap();
        assert_eq!((offset.offset_ns, offset.error_ns), (995, 15));
        assert_eq!(offset.at_ns, 300);
        assert_eq!(offset_of(&[]), None);
        assert_eq!(
            offset_of(&[(0, 100, 10), (20, 900, 30)]),
            None,
            "two clocks"
        );
    }

    #[test]
    fn a_clock_behind_the_reference_has_a_negative_offset() {
        let offset = offset_of(&[(5000, 10, 5020)]).unwrap();
        assert_eq!((offset.offset_ns, offset.error_ns), (-5000, 10));
    }

    fn clock(before: (u64, i64, u64), after: Option<(u64, i64, u64)>) -> Reading {
        let offset = |(at_ns, offset_ns, error_ns)| Offset {
            at_ns,
            offset_ns,
            error_ns,
        };
        let clock = Clock {
            host: "b".into(),
            before: Some(offset(before)),
            after: after.map(offset),
        };
        clock.reading()
    }

    #[test]
    fn offset_and_error_are_linear_between_the_two_measurements() {
        // 1000 ahead at reference time 0, 3000 ahead at 1,000,000.
        let reading = clock((0, 1000, 10), Some((1_000_000, 3000, 30)));
        let moment = |ns, error_ns| Moment { ns, error_ns };
        assert_eq!(reading.moment(1000), moment(0, 10));
        assert_eq!(reading.moment(1_003_000), moment(1_000_000, 30));
        assert_eq!(reading.moment(502_000), moment(500_000, 20));
    }

    #[test]
    fn a_clock_measured_once_gets_less_certain() {
        let reading = clock((0, -500, 10), None);
        let moment = reading.moment(1_000_000_000);
        assert_eq!((moment.ns, moment.error_ns), (1_000_000_500, 100_011));
    }

    #[test]
    fn clocks_that_cannot_be_are_refused() {
        let good = Clocks::one("a", 2);
        assert_eq!(good.check(2), Ok(()));
        assert!(good.check(3).unwrap_err().contains("every rank"));
        let mut broken = good.clone();
        broken.of_rank[1] = 1;
        assert!(broken.check(2).unwrap_err().contains("lacks a clock"));
        broken.clocks.push(broken.clocks[0].clone());
        assert!(broken.check(2).unwrap_err().contains("not measured"));
        let most = i64::try_from(MAX_TIME_NS).unwrap();
        for (offset_ns, error_ns, is_good) in [
            (-most, MAX_TIME_NS, true),
            (most + 1, 0, false),
            (i64::MIN, 0, false),
            (0, u64::MAX, false),
        ] {
            broken.clocks[1].before = Some(Offset {
                at_ns: 0,
                offset_ns,
                error_ns,
            });
            assert_eq!(broken.check(2).is_ok(), is_good, "{broken:?}");
        }
    }

    proptest! {
        /// Whatever the true offset and the latencies, the interval holds the truth.
        #[test]
        fn the_interval_holds_the_true_offset(
            true_offset in -1_000_000_000i64..1_000_000_000,
            exchanges in proptest::collection::vec((0u64..100_000, 0u64..100_000), 1..20),
        ) {
            let mut now = 2_000_000_000u64;
            let mut pings = Vec::new();
            for (there, back) in exchanges {
                let answered = (now + there).checked_add_signed(true_offset).unwrap();
                pings.push((now, answered, now + there + back));
                now += there + back + 1;
            }
            let offset = offset_of(&pings).unwrap();
            prop_assert!(offset.offset_ns.abs_diff(true_offset) <= offset.error_ns);
        }
    }
}
