//! Clocks: which ranks share one, and how those of other hosts are read on the first one's.

use serde::{Deserialize, Serialize};

use super::record::MAX_TIME_NS;

/// No clock is taken to run faster or slower than the reference by more than this, at any moment. All that
/// is known of it between measurements follows from them and from this bound.
///
/// Crystal oscillators keep within some 50 parts per million, and NTP slews a clock by up to 500;
/// a monotonic clock that is being slewed that fast is not covered, unless the measurements show it.
pub(super) const DRIFT_BOUND: f64 = 100e-6;

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
    pub clocks: Vec<Clock>,
    /// For each rank, which of them it reads.
    pub of_rank: Vec<u32>,
}

/// A moment on the reference clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
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
        let index = self.clock_of(rank);
        match self.clocks.get(index as usize) {
            Some(clock) if index > 0 => clock.reading(),
            _ => Reading::Same,
        }
    }

    /// Whether two ranks read one clock, so that the difference of their times has no error.
    pub fn is_shared(&self, a: u32, b: u32) -> bool {
        self.clock_of(a) == self.clock_of(b)
    }

    /// Which clock `rank` reads: the reference where that is not told.
    pub fn clock_of(&self, rank: u32) -> u32 {
        self.of_rank.get(rank as usize).copied().unwrap_or(0)
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
        let local = |offset: Offset| i128::from(offset.at_ns) + i128::from(offset.offset_ns);
        let mut reading = Between {
            from_ns: local(before),
            offset_ns: before.offset_ns.into(),
            // It was measured at a moment that is itself known to this error.
            error_ns: before.error_ns as f64 * (1.0 + DRIFT_BOUND),
            after: None,
            bound: DRIFT_BOUND / (1.0 - DRIFT_BOUND), // by this clock's own nanoseconds
        };
        let after = self.after.map(|after| After {
            span_ns: (local(after) - local(before)) as f64,
            offset_ns: (i128::from(after.offset_ns) - i128::from(before.offset_ns)) as f64,
            error_ns: after.error_ns as f64 * (1.0 + DRIFT_BOUND),
        });
        if let Some(after) = after.filter(|after| after.span_ns > 0.0) {
            let errors_ns = reading.error_ns + after.error_ns;
            let shown = (after.offset_ns.abs() - errors_ns) / after.span_ns;
            if shown > reading.bound {
                reading.bound += shown;
            }
            reading.after = Some(after);
        }
        Reading::Other(reading)
    }
}

/// How a clock is read on the reference clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reading {
    /// It is the reference clock.
    Same,
    /// Another.
    Other(Between),
}

/// Another clock than the reference, by what was measured of it once or twice: its offset is taken to be
/// linear in time, and to be wrong by no more than the measurements and the bound on its drift allow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Between {
    /// The local time at which the offset was measured first.
    from_ns: i128,
    /// The offset then.
    offset_ns: i128,
    /// Its error then.
    error_ns: f64,
    /// The second measurement.
    after: Option<After>,
    /// By how much the offset changes at most in a nanosecond.
    bound: f64,
}

/// A second measurement, beside the first.
#[derive(Debug, Clone, Copy, PartialEq)]
struct After {
    /// How much later, by the local clock.
    span_ns: f64,
    /// By how much the offset had changed.
    offset_ns: f64,
    error_ns: f64,
}

impl Between {
    #[inline]
    fn moment(&self, local_ns: u64) -> Moment {
        let since_ns = (i128::from(local_ns) - self.from_ns) as f64;
        // All offsets are beside the first that was measured.
        let reach_ns = self.error_ns + self.bound * since_ns.abs();
        let (mut low_ns, mut high_ns, mut offset_ns) = (-reach_ns, reach_ns, 0.0);
        if let Some(after) = self.after {
            let until_ns = (after.span_ns - since_ns).abs();
            let reach_ns = after.error_ns + self.bound * until_ns;
            low_ns = low_ns.max(after.offset_ns - reach_ns);
            high_ns = high_ns.min(after.offset_ns + reach_ns);
            offset_ns = after.offset_ns / after.span_ns * since_ns;
        }
        let error_ns = (high_ns - offset_ns).max(offset_ns - low_ns).max(0.0);
        let offset_ns = self.offset_ns + offset_ns.round() as i128;
        let ns = (i128::from(local_ns) - offset_ns).clamp(0, i128::from(u64::MAX));
        Moment {
            ns: ns as u64,
            error_ns: error_ns.ceil() as u64,
        }
    }
}

impl Reading {
    /// The moment on the reference clock at which this clock showed `local_ns`.
    #[inline]
    pub fn moment(&self, local_ns: u64) -> Moment {
        match self {
            Reading::Same => Moment {
                ns: local_ns,
                error_ns: 0,
            },
            Reading::Other(between) => between.moment(local_ns),
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
    // Each is of another moment, from which the clock has drifted until the middle of all.
    let error = (high - low + 1) / 2 + (drifted + 1) / 2;
    Some(Offset {
        at_ns: first + last.saturating_sub(first) / 2,
        offset_ns: i64::try_from((low + high).div_euclid(2)).ok()?,
        error_ns: u64::try_from(error).ok()?,
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
        assert_eq!((offset.offset_ns, offset.error_ns), (995, 15 + 1));
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
        assert_eq!((offset.offset_ns, offset.error_ns), (-5000, 10 + 1));
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
    fn offset_is_linear_between_the_two_measurements() {
        // 1000 ahead at reference time 0, 3000 ahead at 100,000,000: 20 parts per million.
        let reading = clock((0, 1000, 10), Some((100_000_000, 3000, 30)));
        assert_eq!(reading.moment(1000).ns, 0);
        assert_eq!(reading.moment(100_003_000).ns, 100_000_000);
        assert_eq!(reading.moment(50_002_000).ns, 50_000_000);
    }

    /// An hour, half of it with the clock running fast, half of it slow, so that both measurements find it
    /// right: halfway it is off by 90 ms.
    #[test]
    fn a_drift_that_bends_between_the_measurements_is_within_the_error() {
        const HALF_NS: u64 = 1_800_000_000_000;
        let offset_ns = HALF_NS / 20_000; // 50 parts per million
        let reading = clock((0, 0, 10_000), Some((2 * HALF_NS, 0, 10_000)));
        let halfway = reading.moment(HALF_NS + offset_ns);
        assert!(
            halfway.ns.abs_diff(HALF_NS) <= halfway.error_ns,
            "{halfway:?}, {HALF_NS}"
        );
        assert!(
            halfway.error_ns < 200_000_000,
            "no more than 100 parts per million explain: {halfway:?}"
        );
        for measured_ns in [0, 2 * HALF_NS] {
            let error_ns = reading.moment(measured_ns).error_ns;
            assert!((10_000..10_010).contains(&error_ns), "{error_ns}");
        }
    }

    /// A clock whose drift changes now and then.
    #[derive(Debug, Clone)]
    struct Drifting {
        /// Of the clock at reference time 0.
        offset_ns: i64,
        /// For how long, in nanoseconds of the reference clock, and by how much a nanosecond.
        pieces: Vec<(u64, f64)>,
    }

    impl Drifting {
        fn offset_at(&self, ns: u64) -> f64 {
            let (mut left_ns, mut offset) = (ns, self.offset_ns as f64);
            for &(piece_ns, drift) in &self.pieces {
                let ns = left_ns.min(piece_ns);
                offset += ns as f64 * drift;
                left_ns -= ns;
            }
            offset
        }

        fn local_at(&self, ns: u64) -> u64 {
            (ns as f64 + self.offset_at(ns)).round() as u64
        }
    }

    #[test]
    fn a_clock_measured_once_gets_less_certain() {
        let reading = clock((0, -500, 10), None);
        let moment = reading.moment(1_000_000_000);
        assert_eq!((moment.ns, moment.error_ns), (1_000_000_500, 100_021));
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

    prop_compose! {
        /// Up to an hour.
        fn any_drifting()(
            offset_ns in -1_000_000i64..1_000_000_000_000,
            pieces in proptest::collection::vec(
                (1u64..600_000_000_000, -DRIFT_BOUND..=DRIFT_BOUND), 1..6),
        ) -> Drifting {
            Drifting { offset_ns, pieces }
        }
    }

    proptest! {
        /// However the clock drifts within the bound, the true time lies within the error: between the
        /// measurements, after them, and where the second is missing.
        #[test]
        fn the_true_time_lies_within_the_error(
            drifting in any_drifting(),
            errors_ns in (0u64..100_000, 0u64..100_000),
            off in (-1.0..=1.0, -1.0..=1.0),
            has_after in any::<bool>(),
            at in proptest::collection::vec(0.0..1.2, 1..50),
        ) {
            const FIRST_NS: u64 = 10_000_000;
            let span_ns: u64 = drifting.pieces.iter().map(|piece| piece.0).sum();
            let measured = |at_ns: u64, error_ns: u64, off: f64| {
                let off_ns = off * error_ns as f64;
                (at_ns, (drifting.offset_at(at_ns) + off_ns).trunc() as i64, error_ns + 1)
            };
            let before = measured(FIRST_NS, errors_ns.0, off.0);
            let after = measured(FIRST_NS + span_ns, errors_ns.1, off.1);
            let reading = clock(before, has_after.then_some(after));
            for at in at {
                let true_ns = (at * (FIRST_NS + span_ns) as f64) as u64;
                let moment = reading.moment(drifting.local_at(true_ns));
                prop_assert!(
                    moment.ns.abs_diff(true_ns) <= moment.error_ns + 1, // a clock shows whole nanoseconds
                    "{moment:?}, and it was {true_ns}"
                );
            }
        }

        /// The same with offsets that are themselves measured, by ping-pongs.
        #[test]
        fn the_interval_holds_the_offset_of_a_clock_that_drifts(
            drift in -DRIFT_BOUND..=DRIFT_BOUND,
            exchanges in proptest::collection::vec((0u64..10_000_000, 0u64..10_000_000), 1..64),
        ) {
            let drifting = Drifting { offset_ns: 5_000, pieces: vec![(u64::MAX, drift)] };
            let mut now = 1_000;
            let mut pings = Vec::new();
            for (there, back) in exchanges {
                pings.push((now, drifting.local_at(now + there), now + there + back));
                now += there + back + 1;
            }
            let offset = offset_of(&pings).unwrap();
            let true_ns = drifting.offset_at(offset.at_ns);
            prop_assert!(
                (offset.offset_ns as f64 - true_ns).abs() <= offset.error_ns as f64 + 1.0,
                "{offset:?}, and it was {true_ns}"
            );
        }

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
