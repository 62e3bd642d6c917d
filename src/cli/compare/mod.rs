//! `onesided compare RUN [RUN…]`.

mod condition;
mod pictures;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueEnum};
use condition::{Condition, fail_if, names_in_words};
use pictures::{Gathered, Pictures};
use serde::Serialize;

use super::{Failure, print, print_data, print_json};
use crate::analysis::{
    Findings, Group, Row, Waterfall, circumstances, differences, group_rows, read_run,
};
use crate::report;

/// Value of the field `format` of the JSON document.
const COMPARE_FORMAT: &str = "onesided-compare/2";

/// Arguments of `onesided compare`.
#[derive(Debug, Args)]
pub(super) struct Compare {
    /// A run: a folder of `onesided play --trace`, a document of `onesided play --format json`, or the
    /// saved output of the original Python program. One is analysed, two are compared; of several, those
    /// of one version are repetitions
    #[arg(required_unless_present_any = ["group", "fail_if"])]
    runs: Vec<PathBuf>,
    /// Repetitions of one run, such as rma=runs/rma-*; the pattern may also be a single path. Several
    /// with one name add up
    #[arg(long, value_name = "NAME=PATTERN", conflicts_with = "runs")]
    group: Vec<NamedPattern>,
    /// How the result is printed
    #[arg(long, value_enum, default_value = "text")]
    format: CompareFormat,
    /// Exit code 3 if this holds of any run, such as 'double_scores>0', 'serialisation_efficiency<0.5'
    /// or 'collective.wall_s / rma.wall_s < 2'; `compare --fail-if help` lists the names
    #[arg(long, value_name = "EXPR")]
    fail_if: Vec<Condition>,
    #[command(flatten)]
    pictures: Pictures,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CompareFormat {
    /// For people
    Text,
    /// One JSON document
    Json,
    /// One number a line: run,path,rank,metric,value
    Csv,
}

/// `NAME=PATTERN`.
#[derive(Debug, Clone)]
struct NamedPattern {
    name: String,
    pattern: String,
}

impl FromStr for NamedPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, pattern)) if !name.is_empty() && !pattern.is_empty() => Ok(NamedPattern {
                name: name.into(),
                pattern: pattern.into(),
            }),
            _ => Err("expected NAME=PATTERN, such as rma=runs/rma-*".into()),
        }
    }
}

/// The JSON document of a comparison.
#[derive(Debug, Serialize)]
struct Document<'a> {
    format: &'static str,
    verdict: String,
    /// In what they differ beside what is compared, in words: libraries, hosts, seeds, ranks.
    differs_in: Vec<String>,
    /// One or two runs; empty where there are groups.
    runs: &'a [Findings],
    /// Where the difference of two runs comes from.
    difference: Option<Waterfall>,
    /// Repeated runs.
    groups: &'a [Group],
    /// What they say together.
    metrics: Vec<Row>,
}

/// What is compared: one or two runs, or groups of repetitions.
enum Compared {
    /// With what was gathered for what is drawn.
    Runs(Vec<Findings>, Gathered),
    Groups(Vec<Group>),
}

impl Compare {
    pub(super) fn run(self) -> Result<(), Failure> {
        if self.fail_if.iter().any(Condition::asks_for_help) {
            return print(&names_in_words());
        }
        if self.runs.is_empty() && self.group.is_empty() {
            return Err(Failure::Usage("name at least one run to compare".into()));
        }
        self.pictures.check(self.runs.len())?;
        let mut compared = self.read()?;
        let written = match &mut compared {
            Compared::Runs(runs, gathered) => self.pictures.write(runs, gathered),
            Compared::Groups(_) => Ok(()),
        };
        if let Err(Failure::Usage(_)) = written {
            return written;
        }
        // What was found is printed, whatever became of the files.
        match self.format {
            CompareFormat::Text => {
                let note = written.as_ref().map(|()| self.pictures.note());
                print(&(compared.text(&self.pictures) + &note.unwrap_or_default()))?;
            }
            CompareFormat::Json => print_json(&compared.document())?,
            CompareFormat::Csv => print_data(&compared.csv())?,
        }
        written?;
        fail_if(&self.fail_if, &compared.runs())
    }

    fn read(&self) -> Result<Compared, Failure> {
        if !self.group.is_empty() {
            return read_groups(&self.group).map(Compared::Groups);
        }
        let mut runs = Vec::new();
        if self.runs.len() <= 2 {
            let as_text = self.format == CompareFormat::Text;
            let mut gathered = Gathered::default();
            for path in &self.runs {
                let run = self.pictures.read(path, as_text, &mut gathered);
                runs.push(run.map_err(|why| cannot_read(path, why))?);
            }
            tell_apart(&mut runs);
            same_game(&runs)?;
            return Ok(Compared::Runs(runs, gathered));
        }
        for path in &self.runs {
            runs.push(read(path)?);
        }
        let mut groups: Vec<Group> = Vec::new();
        for run in runs {
            match groups.iter_mut().find(|group| group.name == run.label) {
                Some(group) => group.runs.push(run),
                None => groups.push(Group {
                    name: run.label.clone(),
                    runs: vec![run],
                }),
            }
        }
        same_game(groups.iter().flat_map(|group| &group.runs))?;
        Ok(Compared::Groups(groups))
    }
}

fn read(path: &Path) -> Result<Findings, Failure> {
    read_run(path).map_err(|why| cannot_read(path, why))
}

fn cannot_read(path: &Path, why: String) -> Failure {
    Failure::Usage(format!("cannot read {}: {why}", path.display()))
}

fn read_groups(patterns: &[NamedPattern]) -> Result<Vec<Group>, Failure> {
    let mut groups: Vec<Group> = Vec::new();
    for NamedPattern { name, pattern } in patterns {
        let usage = |why: String| Failure::Usage(format!("--group {name}={pattern}: {why}"));
        let paths = glob::glob(pattern).map_err(|error| usage(error.to_string()))?;
        let mut found: Vec<PathBuf> = Vec::new();
        for path in paths {
            found.push(path.map_err(|error| usage(error.to_string()))?);
        }
        if found.is_empty() {
            return Err(usage("there is no such run".into()));
        }
        let runs: Vec<Findings> = found
            .iter()
            .map(|path| read(path))
            .collect::<Result<_, _>>()?;
        match groups.iter_mut().find(|group| group.name == *name) {
            Some(group) => group.runs.extend(runs),
            None => groups.push(Group {
                name: name.clone(),
                runs,
            }),
        }
    }
    same_game(groups.iter().flat_map(|group| &group.runs))?;
    Ok(groups)
}

/// Two runs of one version are called by their paths.
fn tell_apart(runs: &mut [Findings]) {
    let [a, b] = runs else {
        return;
    };
    if a.label != b.label {
        return;
    }
    let name = |run: &Findings| {
        let path = Path::new(&run.path).file_name();
        path.map_or(run.path.clone(), |name| name.to_string_lossy().into())
    };
    (a.label, b.label) = match name(a) != name(b) {
        true => (name(a), name(b)),
        false => ("first".into(), "second".into()),
    };
}

/// Runs of different games are not compared.
fn same_game<'a>(runs: impl IntoIterator<Item = &'a Findings>) -> Result<(), Failure> {
    let mut runs = runs.into_iter();
    let Some(first) = runs.next() else {
        return Ok(());
    };
    for run in runs {
        let differences = differences(first, run);
        if !differences.is_empty() {
            return Err(Failure::Usage(format!(
                "cannot compare {} and {}: they are of different games, with another {}; each can be \
                 analysed alone",
                first.path,
                run.path,
                differences.join(" and another ")
            )));
        }
    }
    Ok(())
}

impl Compared {
    fn text(&self, pictures: &Pictures) -> String {
        match self {
            Compared::Runs(runs, gathered) => report::compare(runs, &pictures.text(runs, gathered)),
            Compared::Groups(groups) => report::compare_groups(groups),
        }
    }

    fn document(&self) -> Document<'_> {
        let sides: Vec<Vec<&Findings>> = match self {
            Compared::Runs(runs, _) => runs.iter().map(|run| vec![run]).collect(),
            Compared::Groups(groups) => {
                let runs = groups.iter().map(|group| group.runs.iter().collect());
                runs.collect()
            }
        };
        let differs_in = circumstances(&sides);
        match self {
            Compared::Runs(runs, _) => Document {
                format: COMPARE_FORMAT,
                verdict: report::verdict(runs),
                differs_in,
                runs,
                difference: match runs.as_slice() {
                    [a, b] => Waterfall::new(a, b),
                    _ => None,
                },
                groups: &[],
                metrics: Vec::new(),
            },
            Compared::Groups(groups) => Document {
                format: COMPARE_FORMAT,
                verdict: report::verdict_on_groups(groups),
                differs_in,
                runs: &[],
                difference: None,
                groups,
                metrics: group_rows(groups),
            },
        }
    }

    fn csv(&self) -> String {
        report::csv(self.runs())
    }

    /// All runs, each with what it is called.
    fn runs<'a>(&'a self) -> Vec<(&'a str, &'a Findings)> {
        match self {
            Compared::Runs(runs, _) => runs.iter().map(|run| (run.label.as_str(), run)).collect(),
            Compared::Groups(groups) => {
                let of_group =
                    |group: &'a Group| group.runs.iter().map(|run| (group.name.as_str(), run));
                groups.iter().flat_map(of_group).collect()
            }
        }
    }
}
