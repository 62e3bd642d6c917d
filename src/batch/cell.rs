//! A cell of a batch: one way to play, which is played again and again.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::time::Duration;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::choice::{ClaimWith, Guess, Home, Named, Progress, Stragglers, ThinkBy, Version};
use crate::think_time::{Straggler, ThinkTime};

/// What is to be done, whoever does it: two cells of one workload can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    pub ranks: u32,
    /// Digits are 1 to this.
    pub digits: u32,
    /// Games, one after the other.
    pub games: u64,
    /// Think time before each guess.
    pub think: ThinkTime,
    /// Think time that rank r adds r times.
    pub think_per_rank: Duration,
    /// Think times that single ranks add.
    pub stragglers: Stragglers,
    pub think_by: ThinkBy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant {
    pub version: Version,
    /// Which digits ranks guess.
    pub guess: Guess,
    /// What only the one-sided version has; `None` for the collective one.
    pub one_sided: Option<OneSided>,
}

/// What only the one-sided version has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OneSided {
    /// The atomic operation that claims a digit.
    pub claim_with: ClaimWith,
    /// Where the claims lie.
    pub home: Home,
    /// A guess that is known to be lost costs no operation.
    pub skip_known: bool,
    /// What keeps claims moving while rank 0 thinks.
    pub progress: Progress,
}

/// A workload, played in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    pub workload: Workload,
    pub variant: Variant,
    /// A name that can be read, and can be that of a folder anywhere; no other cell of the plan has it.
    pub name: String,
    /// Number of its workload among those of the plan.
    pub workload_index: usize,
}

/// A duration without blanks, as `play` takes it.
pub(super) fn duration(duration: Duration) -> String {
    match duration {
        Duration::ZERO => "0".into(),
        duration => humantime::format_duration(duration)
            .to_string()
            .replace(' ', ""),
    }
}

/// `--name value`.
fn option(name: &str, value: impl Display) -> [String; 2] {
    [format!("--{name}"), value.to_string()]
}

impl Workload {
    /// What tells it from others, and no more, in words for people.
    pub fn in_words(&self) -> String {
        let mut words = format!("think {}", self.think);
        if !self.think_per_rank.is_zero() {
            words += &format!(" + {} a rank", duration(self.think_per_rank));
        }
        for Straggler { rank, extra } in &self.stragglers.0 {
            words += &format!(" + {} on rank {rank}", duration(*extra));
        }
        if self.think_by == ThinkBy::Spin {
            words += ", spinning";
        }
        words += &format!(", digits 1 to {}", self.digits);
        if self.games > 1 {
            words += &format!(", {} games", self.games);
        }
        words
    }

    /// Its part of a cell's name.
    pub(super) fn name(&self) -> String {
        let mut parts = vec![
            format!("{}-ranks", self.ranks),
            format!("{}-digits", self.digits),
        ];
        if self.games > 1 {
            parts.push(format!("{}-games", self.games));
        }
        parts.push(format!("think-{}", self.think));
        if !self.think_per_rank.is_zero() {
            parts.push(format!("per-rank-{}", duration(self.think_per_rank)));
        }
        if !self.stragglers.0.is_empty() {
            parts.push(format!("straggler-{}", self.stragglers));
        }
        if self.think_by == ThinkBy::Spin {
            parts.push("spin".into());
        }
        parts.join("_")
    }

    /// What rank `rank` adds to every think time.
    pub fn extra(&self, rank: u32) -> Duration {
        let straggling = self.stragglers.0.iter().filter(|s| s.rank == rank);
        self.think_per_rank.saturating_mul(rank) + straggling.map(|s| s.extra).sum::<Duration>()
    }

    fn arguments(&self) -> Vec<String> {
        let mut words = [
            option("digits", self.digits),
            option("games", self.games),
            option("think", self.think.to_string().replace(' ', "")),
            option("think-per-rank", duration(self.think_per_rank)),
            option("think-by", self.think_by.name()),
        ]
        .concat();
        for Straggler { rank, extra } in &self.stragglers.0 {
            words.extend(option("straggler", format!("{rank}={}", duration(*extra))));
        }
        words
    }
}

impl Variant {
    /// What people call it: `one-sided`, and what is not as usual.
    pub fn in_words(&self) -> String {
        let mut words = vec![self.version.name().to_owned()];
        words.extend(self.unusual().map(str::to_owned));
        words.join(", ")
    }

    /// What is not as usual.
    fn unusual(&self) -> impl Iterator<Item = &'static str> {
        let mut words = Vec::new();
        if let Some(one_sided) = self.one_sided {
            let OneSided {
                claim_with,
                home,
                skip_known,
                progress,
            } = one_sided;
            if claim_with != ClaimWith::FetchAndOp {
                words.push(claim_with.name());
            }
            if home != Home::Rank0 {
                words.push(home.name());
            }
            if skip_known {
                words.push("skip-known");
            }
            match progress {
                Progress::Auto => {}
                Progress::None => words.push("no-progress"),
                other => words.push(other.name()),
            }
        }
        if self.guess != Guess::Uniform {
            words.push(self.guess.name());
        }
        words.into_iter()
    }

    /// Its part of a cell's name.
    pub(super) fn name(&self) -> String {
        let mut words = vec![self.version.name_as_argument()];
        words.extend(self.unusual());
        words.join("_")
    }

    /// What does not go together, in words: `onesided play` would refuse it.
    pub fn contradiction(&self) -> Option<String> {
        let Some(OneSided {
            claim_with,
            home,
            skip_known,
            ..
        }) = self.one_sided
        else {
            let deals = self.guess == Guess::Ticket;
            return deals.then(|| "guess = ticket is for the version rma".into());
        };
        let window = matches!(
            claim_with,
            ClaimWith::FetchAndOp | ClaimWith::CompareAndSwap
        );
        let counter = matches!(claim_with, ClaimWith::FetchAndOp | ClaimWith::SharedMemory);
        let (ticket, spread) = (self.guess == Guess::Ticket, home == Home::Spread);
        let method = claim_with.name();
        if ticket && !counter {
            return Some(format!(
                "guess = ticket does not go with claim-with = {method}"
            ));
        }
        if ticket && skip_known {
            return Some("guess = ticket does not go with skip-known = true".into());
        }
        if spread && ticket {
            return Some("guess = ticket does not go with home = spread".into());
        }
        if spread && !window {
            return Some(format!(
                "home = spread does not go with claim-with = {method}"
            ));
        }
        None
    }

    fn arguments(&self) -> Vec<String> {
        let mut words = Vec::from(option("guess", self.guess.name()));
        if let Some(OneSided {
            claim_with,
            home,
            skip_known,
            progress,
        }) = self.one_sided
        {
            words.extend(option("claim-with", claim_with.name()));
            words.extend(option("home", home.name()));
            words.extend(option("progress", progress.name()));
            if skip_known {
                words.push("--skip-known".into());
            }
        }
        words
    }
}

impl Version {
    fn name_as_argument(self) -> &'static str {
        Named::name(self)
    }
}

impl Cell {
    /// The arguments of `onesided` that play it once: `play rma --digits=9 …`.
    pub fn arguments(&self, seed: u64) -> Vec<String> {
        let mut words = vec![
            "play".to_owned(),
            self.variant.version.name_as_argument().into(),
        ];
        words.extend(self.workload.arguments());
        words.extend(self.variant.arguments());
        words.extend(option("seed", seed));
        words
    }

    /// Its parameters by name, as results have them; empty what it does not have.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        let Workload {
            ranks,
            digits,
            games,
            think,
            think_per_rank,
            stragglers,
            think_by,
        } = &self.workload;
        let of = |one_sided: fn(OneSided) -> String| {
            self.variant.one_sided.map_or(String::new(), one_sided)
        };
        vec![
            ("ranks", ranks.to_string()),
            ("version", self.variant.version.name_as_argument().into()),
            ("digits", digits.to_string()),
            ("games", games.to_string()),
            ("think", think.to_string()),
            ("think_per_rank", duration(*think_per_rank)),
            ("straggler", stragglers.to_string()),
            ("think_by", think_by.name().into()),
            ("guess", self.variant.guess.name().into()),
            (
                "claim_with",
                of(|one_sided| one_sided.claim_with.name().into()),
            ),
            ("home", of(|one_sided| one_sided.home.name().into())),
            (
                "skip_known",
                of(|one_sided| one_sided.skip_known.to_string()),
            ),
            ("progress", of(|one_sided| one_sided.progress.name().into())),
        ]
    }
}

/// Longest name of a cell, in bytes: file systems take 255, and some other programs fewer.
const MAX_NAME: usize = 120;

/// A name of nothing but letters, digits, `.`, `-` and `_`, which nobody in `taken` has.
pub(super) fn folder_name(wanted: &str, taken: &mut BTreeSet<String>) -> String {
    let harmless = |c: char| match c {
        c if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') => c,
        _ => '-',
    };
    let mut name: String = wanted
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(harmless)
        .collect();
    name.truncate(MAX_NAME); // ASCII alone
    if name.is_empty() {
        name = "cell".into();
    }
    let (stem, mut n) = (name.clone(), 1);
    // Compared without case: some file systems make no difference.
    while !taken.insert(name.to_ascii_lowercase()) {
        n += 1;
        name = format!("{stem}-{n}");
    }
    name
}

impl Serialize for Cell {
    /// As [`Cell::parameters`], numbers as numbers and what it does not have as null.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.parameters() {
            match name {
                "ranks" => map.serialize_entry(name, &self.workload.ranks)?,
                "digits" => map.serialize_entry(name, &self.workload.digits)?,
                "games" => map.serialize_entry(name, &self.workload.games)?,
                "skip_known" => {
                    let skip_known = self.variant.one_sided.map(|one_sided| one_sided.skip_known);
                    map.serialize_entry(name, &skip_known)?;
                }
                _ => map.serialize_entry(name, &Some(value).filter(|value| !value.is_empty()))?,
            }
        }
        map.end()
    }
}
