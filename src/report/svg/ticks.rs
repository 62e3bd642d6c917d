//! Where the ticks of an axis are, and what is written beside them.

/// Multiples of 1, 2 or 5 times a power of ten, about `n` of them and no more than `n + 1`.
pub(in crate::report) fn linear_ticks(low: f64, high: f64, n: f64) -> Vec<f64> {
    let rough = (high - low) / n;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|&step| step >= rough)
        .unwrap_or(10.0 * power);
    let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
    (first..=last).map(|i| i as f64 * step).collect()
}

/// Powers of ten, and where there are fewer than three of them 2 and 5 times those as well.
pub(super) fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    let powers = low.log10().floor() as i32..=high.log10().ceil() as i32;
    let within = |factors: &[f64]| -> Vec<f64> {
        let all = powers
            .clone()
            .flat_map(|power| factors.iter().map(move |factor| factor * 10f64.powi(power)));
        all.filter(|tick| (low..=high).contains(tick)).collect()
    };
    match within(&[1.0]) {
        decades if decades.len() >= 3 => decades,
        _ => within(&[1.0, 2.0, 5.0]),
    }
}

/// A number as short as can be: 250, 20 k, 1.5 M, 3 G; small ones by their power of ten.
pub fn short(value: f64) -> String {
    let size = value.abs();
    let (factor, suffix) = match size {
        1e9.. => (1e9, " G"),
        1e6.. => (1e6, " M"),
        1e4.. => (1e3, " k"),
        _ => (1.0, ""),
    };
    if size != 0.0 && size < 1e-3 {
        return format!("{value:e}");
    }
    let digits = format!("{:.3}", value / factor);
    format!(
        "{}{suffix}",
        digits.trim_end_matches('0').trim_end_matches('.')
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(linear_ticks(0.0, 8.4, 8.0), [0.0, 2.0, 4.0, 6.0, 8.0]);
        assert_eq!(log_ticks(8.0, 2e4), [10.0, 100.0, 1000.0, 1e4]);
        assert_eq!(log_ticks(1.5, 60.0), [2.0, 5.0, 10.0, 20.0, 50.0]);
        let numbers = [0.0, 2.5, 1000.0, 20_000.0, 1e6, 3.5e9, 1e-5];
        assert_eq!(
            numbers.map(short),
            ["0", "2.5", "1000", "20 k", "1 M", "3.5 G", "1e-5"]
        );
    }
}
