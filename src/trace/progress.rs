//! Who made progress on one-sided operations while the home rank was outside MPI.

use serde::{Deserialize, Serialize};

/// What was asked for, tried and done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProgressInfo {
    /// What was asked for: `auto`, `none`, `poll` or `thread`.
    pub asked: String,
    /// What was done: `library` (whatever the MPI library does by itself), `poll` (the home rank entered
    /// MPI now and then while it thought), `thread` (a helper thread did), or `cpu-atomics` (nothing had
    /// to be done).
    pub means: String,
    /// How long the home rank stayed away from MPI at most, about, in microseconds; `None` where it was
    /// not bounded.
    pub interval_us: Option<f64>,
    /// What was tried before the first game, in this order; empty where the home rank never left MPI, or
    /// nothing was to be decided.
    pub trials: Vec<ProgressTrial>,
}

/// What one means did while the home rank slept, before the first game.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProgressTrial {
    /// The means, as in [`ProgressInfo`].
    pub means: String,
    /// How many operations of another rank ended meanwhile.
    pub operations: u64,
    /// Half of them took no longer, in microseconds.
    pub median_us: f64,
    pub max_us: f64,
    /// Whether one waited for the home rank to come back.
    pub stalled: bool,
}

impl ProgressInfo {
    /// What was done and why, in words.
    pub fn in_words(&self) -> String {
        let every = self
            .interval_us
            .map_or(String::new(), |us| format!(" every {us:.0} us"));
        let done = match self.means.as_str() {
            "poll" => format!("the home rank polls{every}"),
            "thread" => format!("a thread on the home rank polls{every}"),
            "cpu-atomics" => "CPU atomics need none".into(),
            _ => "by the library alone".into(),
        };
        let why: Vec<String> = self.trials.iter().map(ProgressTrial::in_words).collect();
        match (self.asked.as_str(), why.is_empty()) {
            ("auto", false) => format!("{done} (auto: {})", why.join("; ")),
            ("auto", true) if self.means == "library" => format!("{done} (auto)"),
            _ => done,
        }
    }
}

impl ProgressTrial {
    fn in_words(&self) -> String {
        let who = match self.means.as_str() {
            "library" => "the library alone",
            "poll" => "polling",
            "thread" => "a thread",
            other => other,
        };
        let (median, longest) = (time(self.median_us), time(self.max_us));
        match self.stalled {
            true => format!("{who} let an operation wait {longest}"),
            false => {
                format!("{who} got them through, half within {median}, all within {longest}")
            }
        }
    }
}

fn time(us: f64) -> String {
    match us < 1000.0 {
        true => format!("{us:.1} us"),
        false => format!("{:.1} ms", us / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_said_with_its_reason() {
        let trial = |means: &str, max_us: f64, stalled| ProgressTrial {
            means: means.into(),
            operations: 3,
            median_us: 120.0,
            max_us,
            stalled,
        };
        let mut info = ProgressInfo {
            asked: "auto".into(),
            means: "poll".into(),
            interval_us: Some(50.0),
            trials: vec![
                trial("library", 40_100.0, true),
                trial("poll", 800.0, false),
            ],
        };
        assert_eq!(
            info.in_words(),
            "the home rank polls every 50 us (auto: the library alone let an operation wait 40.1 ms; \
             polling got them through, half within 120.0 us, all within 800.0 us)"
        );
        info.asked = "poll".into();
        assert_eq!(info.in_words(), "the home rank polls every 50 us");
        info.means = "library".into();
        (info.asked, info.interval_us) = ("auto".into(), None);
        info.trials.clear();
        assert_eq!(info.in_words(), "by the library alone (auto)");
    }
}
