//! A plan: which cells there are, how often each is played, and by what.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use super::cell::{Cell, OneSided, Variant, Workload, duration, folder_name};
use super::choice::{ClaimWith, Flag, Guess, Home, Named, Progress, Stragglers, ThinkBy, Version};
use super::values::{Bad, KEYS, Value, Values};
use crate::launch::Template;
use crate::think_time::{ThinkTime, parse_duration};

/// Most runs of a plan: more would not end within a year.
const MAX_RUNS: u64 = 10_000_000;

/// As `onesided play` has it.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(100);

/// Most cells of a plan, each of which is a line of every table.
const MAX_CELLS: u64 = 100_000;

/// Longest time limit: a later time than clocks have is none.
const MAX_TIME_LIMIT: Duration = Duration::from_secs(365 * 24 * 3600);

/// A plan that can be run. Every value is one that `onesided play` takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The cross product of all axes: cells of one workload follow each other.
    pub cells: Vec<Cell>,
    pub n_workloads: usize,
    /// How often each cell is played.
    pub repeat: u32,
    /// What all seeds are derived from.
    pub seed: u64,
    /// Room for records a rank; `None` leaves it to `onesided play`.
    pub trace_records: Option<u64>,
    /// How long a run may take; `None` derives it from what it is expected to take.
    pub time_limit: Option<Duration>,
    /// How long a rank may wait in one MPI operation; `None` derives it from how long the run may take.
    pub timeout: Option<Duration>,
    /// The launcher's command; `None` for the one that is found.
    pub launcher: Option<Template>,
    /// The folder of the batch; `None` where it is named elsewhere.
    pub out: Option<PathBuf>,
    /// The plan as text: each key with its values, defaults included.
    canonical: Vec<(&'static str, Vec<String>)>,
}

impl Plan {
    /// Understands the values.
    ///
    /// # Errors
    /// Every bad value, each with its place.
    pub fn new(values: Values) -> Result<Self, Vec<Bad>> {
        let mut reader = Reader {
            values,
            canonical: Vec::new(),
        };
        let ranks = reader.axis(
            "ranks",
            "2",
            |text| number(text, 1, 100_000),
            u32::to_string,
        );
        let versions = reader.axis("versions", "rma,collective", Version::of_name, named);
        let digits = reader.axis(
            "digits",
            "9",
            |text| number(text, 1, 1_000_000),
            u32::to_string,
        );
        let games = reader.axis(
            "games",
            "1",
            |text| number(text, 1, 1_000_000_000),
            u64::to_string,
        );
        let think = reader.axis(
            "think",
            "0",
            str::parse::<ThinkTime>,
            |think: &ThinkTime| think.to_string().replace(' ', ""),
        );
        let per_rank = reader.axis("think-per-rank", "0", parse_duration, |extra: &Duration| {
            duration(*extra)
        });
        let stragglers = reader.axis(
            "straggler",
            "none",
            str::parse::<Stragglers>,
            Stragglers::to_string,
        );
        let think_by = reader.axis("think-by", "sleep", ThinkBy::of_name, named);
        let guesses = reader.axis("guess", "uniform", Guess::of_name, named);
        let claim_with = reader.axis("claim-with", "fetch-and-op", ClaimWith::of_name, named);
        let homes = reader.axis("home", "rank0", Home::of_name, named);
        let skip_known = reader.axis("skip-known", "false", Flag::of_name, named);
        let progress = reader.axis("progress", "auto", Progress::of_name, named);
        let repeat = reader.one(
            "repeat",
            Some("10"),
            |text| number(text, 1, 1_000_000),
            u32::to_string,
        );
        let seed = reader.one(
            "seed",
            Some("1"),
            |text| number(text, 0, u64::MAX),
            u64::to_string,
        );
        let trace_records = reader.one(
            "trace-records",
            None,
            |text| number(text, 1, 1 << 40),
            u64::to_string,
        );
        let time_limit = reader.one("time-limit", None, time_limit, |limit: &Duration| {
            duration(*limit)
        });
        let timeout = reader.one("timeout", None, timeout, |timeout: &Duration| {
            duration(*timeout)
        });
        let launcher = reader.one("launcher", None, Template::new, |launcher: &Template| {
            launcher.text().into()
        });
        let out = reader.one("out", None, folder, |out: &PathBuf| {
            out.display().to_string()
        });

        reader.stragglers_exist(&ranks, &stragglers);
        let mut variants = Vec::new();
        for &version in &versions {
            match version {
                Version::Collective => {
                    // Tickets are the one-sided version's: where others are asked for too, those are
                    // the collective one's.
                    let mut own = guesses.clone();
                    own.retain(|&guess| guess != Guess::Ticket || guesses.len() == 1);
                    variants.extend(own.into_iter().map(|guess| Variant {
                        version,
                        guess,
                        one_sided: None,
                    }));
                }
                Version::Rma => {
                    for (&guess, &claim_with) in pairs(&guesses, &claim_with) {
                        for (&home, &Flag(skip_known)) in pairs(&homes, &skip_known) {
                            variants.extend(progress.iter().map(|&progress| Variant {
                                version,
                                guess,
                                one_sided: Some(OneSided {
                                    claim_with,
                                    home,
                                    skip_known,
                                    progress,
                                }),
                            }));
                        }
                    }
                }
            }
        }
        let contradictions: BTreeSet<String> =
            variants.iter().filter_map(Variant::contradiction).collect();
        for what in contradictions {
            let place = reader.place_of(&["guess", "home", "claim-with"]);
            reader.values.refuse(place, what);
        }

        let axes = [
            ranks.len(),
            digits.len(),
            games.len(),
            think.len(),
            per_rank.len(),
            stragglers.len(),
            think_by.len(),
            variants.len(),
            repeat.unwrap_or(1) as usize,
        ];
        let n_runs = axes
            .iter()
            .fold(1u64, |n, &len| n.saturating_mul(len as u64));
        if n_runs > MAX_RUNS {
            let place = reader.place_of(&["repeat", "ranks"]);
            let what =
                format!("that makes {n_runs} runs, and more than {MAX_RUNS} would never end");
            reader.values.refuse(place, what);
        } else if n_runs / u64::from(repeat.unwrap_or(1)) > MAX_CELLS {
            let n_cells = n_runs / u64::from(repeat.unwrap_or(1));
            let place = reader.place_of(&["ranks", "digits", "games", "think"]);
            let what = format!(
                "that makes {n_cells} cells, and nobody could read of more than {MAX_CELLS}"
            );
            reader.values.refuse(place, what);
        }
        let Values { bad, .. } = reader.values;
        let (Some(repeat), Some(seed), true) = (repeat, seed, bad.is_empty()) else {
            return Err(bad);
        };

        let mut workloads = Vec::new();
        for (think, &think_per_rank) in pairs(&think, &per_rank) {
            for (stragglers, &think_by) in pairs(&stragglers, &think_by) {
                for (&digits, &games) in pairs(&digits, &games) {
                    workloads.extend(ranks.iter().map(|&ranks| Workload {
                        ranks,
                        digits,
                        games,
                        think: *think,
                        think_per_rank,
                        stragglers: stragglers.clone(),
                        think_by,
                    }));
                }
            }
        }
        let mut taken = BTreeSet::new();
        let mut cells = Vec::new();
        for (workload_index, workload) in workloads.iter().enumerate() {
            for variant in &variants {
                let name = format!("{}_{}", workload.name(), variant.name());
                cells.push(Cell {
                    workload: workload.clone(),
                    variant: *variant,
                    name: folder_name(&name, &mut taken),
                    workload_index,
                });
            }
        }
        Ok(Plan {
            cells,
            n_workloads: workloads.len(),
            repeat,
            seed,
            trace_records,
            time_limit,
            timeout,
            launcher,
            out,
            canonical: reader.canonical,
        })
    }

    pub fn n_runs(&self) -> usize {
        self.cells.len() * self.repeat as usize
    }

    /// What makes it this plan and no other: each key with its values as texts, in the order of [`KEYS`],
    /// those included that were not given. Where it is written to and how long runs may take are none of it.
    pub fn canonical(&self) -> &[(&'static str, Vec<String>)] {
        &self.canonical
    }
}

fn by_default(text: &str) -> Value {
    Value {
        text: text.into(),
        place: String::new(),
    }
}

fn named<T: Named>(value: &T) -> String {
    value.name().into()
}

/// All pairs, those of the first of `a` first.
fn pairs<'a, A, B>(a: &'a [A], b: &'a [B]) -> impl Iterator<Item = (&'a A, &'a B)> {
    a.iter().flat_map(move |a| b.iter().map(move |b| (a, b)))
}

fn number<T>(text: &str, from: T, to: T) -> Result<T, String>
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    let number = text
        .parse()
        .ok()
        .filter(|number| (&from..=&to).contains(&number));
    number.ok_or_else(|| format!("expected a whole number from {from} to {to}"))
}

fn time_limit(text: &str) -> Result<Duration, String> {
    let limit = humantime::parse_duration(text)
        .map_err(|_| "expected a number and a unit, such as 90s, 10min, 1h".to_owned())?;
    match limit < Duration::from_millis(100) {
        true => Err("no run is that short: at least 100ms".into()),
        false if limit > MAX_TIME_LIMIT => Err("no run is that long: at most 365days".into()),
        false => Ok(limit),
    }
}

fn timeout(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        timeout if timeout < SHORTEST_TIMEOUT => {
            Err("no wait is that short: at least 100ms".into())
        }
        timeout => Ok(timeout),
    }
}

fn folder(text: &str) -> Result<PathBuf, String> {
    match text.is_empty() || text.contains('\0') {
        true => Err("expected the path of a folder".into()),
        false => Ok(text.into()),
    }
}

/// Values being understood.
struct Reader {
    values: Values,
    canonical: Vec<(&'static str, Vec<String>)>,
}

impl Reader {
    /// The values of an axis, or those of `default`, parted by commas.
    fn axis<T: PartialEq>(
        &mut self,
        name: &'static str,
        default: &str,
        parse: impl Fn(&str) -> Result<T, String>,
        show: impl Fn(&T) -> String,
    ) -> Vec<T> {
        let given = self.values.by_key.get(name).cloned();
        let given = given.unwrap_or_else(|| default.split(',').map(by_default).collect());
        let mut understood = Vec::new();
        for Value { text, place } in &given {
            match parse(text) {
                Ok(value) if understood.contains(&value) => {
                    let what = format!("{name} has {text:?} twice");
                    self.values.refuse(place.clone(), what);
                }
                Ok(value) => understood.push(value),
                Err(why) => self.refuse(name, text, place, &why),
            }
        }
        let texts = understood.iter().map(show).collect();
        self.canonical.push((name, texts));
        understood
    }

    /// The one value of a key, or the default.
    fn one<T>(
        &mut self,
        name: &'static str,
        default: Option<&str>,
        parse: impl Fn(&str) -> Result<T, String>,
        show: impl Fn(&T) -> String,
    ) -> Option<T> {
        let given = self
            .values
            .by_key
            .get(name)
            .and_then(|values| values.first());
        let given = given.cloned().or_else(|| default.map(by_default))?;
        match parse(&given.text) {
            Ok(value) => {
                if !matches!(name, "out" | "time-limit" | "timeout") {
                    self.canonical.push((name, vec![show(&value)]));
                }
                Some(value)
            }
            Err(why) => {
                self.refuse(name, &given.text, &given.place, &why);
                None
            }
        }
    }

    fn refuse(&mut self, name: &str, text: &str, place: &str, why: &str) {
        // Some reasons quote the value themselves.
        let quoted = why.contains(&format!("'{text}'"));
        let what = match quoted && !text.is_empty() {
            true => format!("{name}: {why}"),
            false => format!("{name}: {text:?}: {why}"),
        };
        self.values.refuse(place.into(), what);
    }

    /// Where the first of these keys was given that was.
    fn place_of(&self, names: &[&'static str]) -> String {
        let given = names
            .iter()
            .filter_map(|name| self.values.by_key.get(name)?.first());
        given
            .map(|value| value.place.clone())
            .next()
            .unwrap_or_else(|| "the plan".into())
    }

    fn stragglers_exist(&mut self, ranks: &[u32], all: &[Stragglers]) {
        let Some(&fewest) = ranks.iter().min() else {
            return;
        };
        for stragglers in all {
            for straggler in stragglers
                .0
                .iter()
                .filter(|straggler| straggler.rank >= fewest)
            {
                let rank = straggler.rank;
                let there = match fewest {
                    1 => "there is only rank 0".to_owned(),
                    n => format!("the ranks are 0 to {}", n - 1),
                };
                let place = self.place_of(&["straggler"]);
                let what =
                    format!("straggler names rank {rank}, and with ranks = {fewest} {there}");
                self.values.refuse(place, what);
            }
        }
    }
}

/// The plan whose [`Plan::canonical`] text is this.
///
/// # Errors
/// What is none of a plan's.
pub fn of_canonical(texts: &[(String, Vec<String>)]) -> Result<Plan, Vec<Bad>> {
    let mut values = Values::default();
    for (name, texts) in texts {
        let Some(key) = KEYS.iter().find(|key| key.name == *name) else {
            values.refuse("its plan".into(), format!("there is no key {name:?}"));
            continue;
        };
        let value = |text: &String| Value {
            text: text.clone(),
            place: "its plan".into(),
        };
        values
            .by_key
            .insert(key.name, texts.iter().map(value).collect());
    }
    Plan::new(values)
}
