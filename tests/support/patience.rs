//! Waiting for what has to come, and what only a campaign asserts.

use std::time::{Duration, Instant};

/// How long is waited for what has to come: many times as long as it takes, also on a machine that others use.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until something is so.
///
/// # Panics
/// Where it is not so after [`PATIENCE`].
pub fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "this does not come: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether measured times and rates are judged too. A machine that others use makes any of them too long now and
/// then, so the gate asserts what holds however long things take, and `just campaign` the rest.
pub fn is_campaign() -> bool {
    std::env::var_os("ONESIDED_CAMPAIGN").is_some()
}

/// Numbers of ranks on which is tried what holds on any.
pub fn rank_counts() -> &'static [u32] {
    match is_campaign() {
        true => &[1, 2, 3, 5, 8],
        false => &[1, 2, 4],
    }
}

/// Takes at most three samples of what depends on times that are measured, until one is as it should be; each of
/// the others is printed.
///
/// # Panics
/// Where none is: with what the last one lacks.
pub fn best_of_three<T>(sample: impl Fn() -> Result<T, String>) -> T {
    for number in 1.. {
        match sample() {
            Ok(value) => return value,
            Err(why) if number < 3 => println!("sample {number} of 3: {why}"),
            Err(why) => panic!("sample {number} of 3: {why}"),
        }
    }
    unreachable!("it returns or panics")
}
