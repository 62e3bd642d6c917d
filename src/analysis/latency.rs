//! How long operations took: percentiles in bounded memory.

use serde::Serialize;

/// Each power of two is parted into so many buckets: a percentile is right to 1 part in 64.
const BUCKETS_PER_OCTAVE: u32 = 64;

/// Durations by count, in buckets that grow with the duration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    buckets: Vec<u64>,
    n: u64,
    max_ns: u64,
}

/// Percentiles of durations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Latency {
    pub n: u64,
    /// Half took no longer, in nanoseconds; like the others up to 1/64 too much.
    pub p50_ns: u64,
    /// 90 % took no longer.
    pub p90_ns: u64,
    /// 99 % took no longer.
    pub p99_ns: u64,
    /// The longest, exact.
    pub max_ns: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        let n_buckets = (64 - BUCKETS_PER_OCTAVE.ilog2() + 1) * BUCKETS_PER_OCTAVE;
        Histogram {
            buckets: vec![0; n_buckets as usize],
            n: 0,
            max_ns: 0,
        }
    }
}

/// Below one octave of buckets exact, above with the leading bits of the duration.
#[inline]
fn bucket_of(ns: u64) -> usize {
    let shift =
        (63 - (ns | u64::from(BUCKETS_PER_OCTAVE)).leading_zeros()) - BUCKETS_PER_OCTAVE.ilog2();
    (shift * BUCKETS_PER_OCTAVE) as usize + (ns >> shift) as usize
}

fn longest_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let octave = u64::from(BUCKETS_PER_OCTAVE);
    let shift = (bucket / octave).saturating_sub(1);
    let leading = bucket - shift * octave;
    ((u128::from(leading) + 1) << shift).min(u128::from(u64::MAX)) as u64 - 1
}

impl Histogram {
    /// Counts one operation.
    #[inline]
    pub fn add(&mut self, ns: u64) {
        self.buckets[bucket_of(ns)] += 1;
        self.n += 1;
        self.max_ns = self.max_ns.max(ns);
    }

    /// The percentiles; `None` without operations.
    pub fn latency(&self) -> Option<Latency> {
        (self.n > 0).then(|| Latency {
            n: self.n,
            p50_ns: self.percentile(50),
            p90_ns: self.percentile(90),
            p99_ns: self.percentile(99),
            max_ns: self.max_ns,
        })
    }

    /// How many took longer, give or take those that took up to 1/64 more.
    pub(super) fn n_above(&self, ns: u64) -> u64 {
        self.buckets[bucket_of(ns) + 1..].iter().sum()
    }

    /// So many percent took no longer, up to 1/64 more; 0 without operations.
    pub(super) fn percentile(&self, percent: u64) -> u64 {
        let wanted = (u128::from(self.n) * u128::from(percent)).div_ceil(100) as u64;
        let mut seen = 0;
        let bucket = self.buckets.iter().position(|&n| {
            seen += n;
            seen >= wanted
        });
        bucket.map_or(self.max_ns, longest_of).min(self.max_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn short_durations_are_exact() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.latency(), None);
        (1..=100).for_each(|ns| histogram.add(ns));
        let latency = histogram.latency().unwrap();
        assert_eq!((latency.n, latency.p50_ns, latency.p90_ns), (100, 50, 90));
        assert_eq!((latency.p99_ns, latency.max_ns), (99, 100));
    }

    proptest! {
        /// The oracle sorts.
        #[test]
        fn percentiles_are_right_to_one_part_in_64(
            mut durations in proptest::collection::vec(
                prop_oneof![0..200u64, 0..1u64 << 40, any::<u64>()], 1..300),
        ) {
            let mut histogram = Histogram::default();
            durations.iter().for_each(|&ns| histogram.add(ns));
            durations.sort_unstable();
            let latency = histogram.latency().unwrap();
            for (percent, got) in [(50, latency.p50_ns), (90, latency.p90_ns), (99, latency.p99_ns)] {
                let exact = durations[(durations.len() * percent).div_ceil(100) - 1];
                prop_assert!(got >= exact && got - exact <= exact / 64 + 1, "{got} for {exact}");
            }
            prop_assert_eq!(latency.max_ns, durations[durations.len() - 1]);
        }

        #[test]
        fn a_bucket_holds_what_is_put_into_it(ns in any::<u64>()) {
            let bucket = bucket_of(ns);
            prop_assert!(ns <= longest_of(bucket));
            prop_assert!(bucket == 0 || ns > longest_of(bucket - 1));
        }
    }
}
