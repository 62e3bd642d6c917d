//! Median and its confidence interval, without assumptions on the distribution.

/// A median and the order statistics that hold it with 95 % confidence.
pub struct Summary {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

/// The median of `samples`, and the ranks n/2 ± 0.98 √n, which hold the true median with at least 95 %
/// probability (normal approximation of the sign test).
pub fn summarise(samples: &[f64]) -> Summary {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    let half_width = 0.98 * (n as f64).sqrt();
    let at = |rank: f64| sorted[(rank.max(0.0) as usize).min(n - 1)];
    let median = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2.0;
    Summary {
        median,
        low: at((n as f64 / 2.0 - half_width).floor()),
        high: at((n as f64 / 2.0 + half_width).ceil()),
    }
}
