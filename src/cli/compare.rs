//! `onesided compare RUN [RUN…]`.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueEnum};
use onesided::analysis::{
    Expression, Findings, Group, METRICS, Name, Row, Waterfall, differences, group_rows, metric,
    read_run,
};
use onesided::report;
use onesided::trace::Version;
use serde::Serialize;

use super::{Failure, print, print_json};

/// Value of the field `format` of the JSON document.
const COMPARE_FORMAT: &str = "onesided-compare/1";

/// Arguments of `onesided compare`.
#[derive(Debug, Args)]
pub(super) struct Compare {
    /// A run: a folder of `onesided play --trace`, a document of `onesided play --format json`, or the
    /// saved output of the original Python program. One is analysed, two are compared; of several, those
    /// of one version are repetitions
    #[arg(required_unless_present = "group")]
    runs: Vec<PathBuf>,
    /// Repetitions of one run, such as rma=runs/rma-*; the pattern may also be a single path. Several
    /// with one name add up
    #[arg(long, value_name = "NAME=PATTERN", conflicts_with = "runs")]
    group: Vec<NamedPattern>,
    /// How the result is printed
    #[arg(long, value_enum, default_value = "text")]
    format: CompareFormat,
    /// Exit code 3 if this holds of any run, such as 'double_scores>0', 'serialisation_efficiency<0.5'
    /// or 'collective.wall_s / rma.wall_s < 2'; `--fail-if help` lists the names
    #[arg(long, value_name = "EXPR")]
    fail_if: Vec<Condition>,
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

#[derive(Debug, Clone)]
struct Condition {
    text: String,
    expression: Option<Expression>,
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expression = match text {
            "help" => None,
            _ => Some(Expression::parse(text).map_err(|error| error.to_string())?),
        };
        Ok(Condition {
            text: text.into(),
            expression,
        })
    }
}

/// The JSON document of a comparison.
#[derive(Debug, Serialize)]
struct Document<'a> {
    format: &'static str,
    verdict: String,
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
    Runs(Vec<Findings>),
    Groups(Vec<Group>),
}

impl Compare {
    pub(super) fn run(self) -> Result<(), Failure> {
        if self
            .fail_if
            .iter()
            .any(|condition| condition.expression.is_none())
        {
            return print(&names_in_words());
        }
        let compared = self.read()?;
        match self.format {
            CompareFormat::Text => print(&compared.text())?,
            CompareFormat::Json => print_json(&compared.document())?,
            CompareFormat::Csv => print(&compared.csv())?,
        }
        compared.fail_if(&self.fail_if)
    }

    fn read(&self) -> Result<Compared, Failure> {
        if !self.group.is_empty() {
            return read_groups(&self.group).map(Compared::Groups);
        }
        let mut runs = Vec::new();
        for path in &self.runs {
            runs.push(read(path)?);
        }
        if runs.len() <= 2 {
            tell_apart(&mut runs);
            same_game(&runs)?;
            return Ok(Compared::Runs(runs));
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
    read_run(path).map_err(|why| Failure::Usage(format!("cannot read {}: {why}", path.display())))
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
    fn text(&self) -> String {
        match self {
            Compared::Runs(runs) => report::compare(runs),
            Compared::Groups(groups) => report::compare_groups(groups),
        }
    }

    fn document(&self) -> Document<'_> {
        match self {
            Compared::Runs(runs) => Document {
                format: COMPARE_FORMAT,
                verdict: report::verdict(runs),
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
            Compared::Runs(runs) => runs.iter().map(|run| (run.label.as_str(), run)).collect(),
            Compared::Groups(groups) => {
                let of_group =
                    |group: &'a Group| group.runs.iter().map(|run| (group.name.as_str(), run));
                groups.iter().flat_map(of_group).collect()
            }
        }
    }

    /// The failure if a condition holds of a run, or cannot be told of any.
    fn fail_if(&self, conditions: &[Condition]) -> Result<(), Failure> {
        let mut failures = Vec::new();
        for Condition { text, expression } in conditions {
            let Some(expression) = expression else {
                continue;
            };
            let names = expression.names();
            for name in &names {
                self.check_name(text, name)?;
            }
            let mut told = false;
            for (label, run) in self.runs() {
                let holds = expression.holds(&mut |name| self.value(name, run));
                told |= holds.is_some();
                if holds == Some(true) {
                    let of_one = names.iter().any(|name| name.qualifier.is_none());
                    let whose = if of_one {
                        format!(" of {label} ({})", run.path)
                    } else {
                        String::new()
                    };
                    failures.push(format!("{text} holds{whose}{}", self.values(&names, run)));
                    if !of_one {
                        break;
                    }
                }
            }
            if !told {
                return Err(Failure::Usage(format!(
                    "--fail-if '{text}': not known of any of these runs{}",
                    self.runs()
                        .first()
                        .map_or(String::new(), |(_, run)| self.values(&names, run))
                )));
            }
        }
        match failures.is_empty() {
            true => Ok(()),
            false => Err(Failure::Condition(failures.join("\nonesided: "))),
        }
    }

    fn check_name(&self, text: &str, name: &Name) -> Result<(), Failure> {
        let usage = |why: String| Err(Failure::Usage(format!("--fail-if '{text}': {why}")));
        if metric(&name.metric).is_none() {
            let known: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
            return usage(format!(
                "there is no number '{}'; there are {}",
                name.metric,
                known.join(", ")
            ));
        }
        match &name.qualifier {
            Some(qualifier) if self.runs_called(qualifier).is_empty() => usage(format!(
                "no run is called '{qualifier}' (a minus needs blanks around it)"
            )),
            _ => Ok(()),
        }
    }

    /// The runs of this name: their label, their group, or `rma` and `collective` for their version.
    fn runs_called(&self, qualifier: &str) -> Vec<&Findings> {
        let is_called = |label: &str, run: &Findings| {
            let version = match run.setup.version {
                Some(Version::Rma) => "rma",
                Some(Version::Collective) => "collective",
                None => "log",
            };
            label == qualifier || version == qualifier
        };
        let runs = self.runs().into_iter();
        runs.filter(|(label, run)| is_called(label, run))
            .map(|(_, run)| run)
            .collect()
    }

    /// The number that a name stands for: of this run, or the median of those it names.
    fn value(&self, name: &Name, run: &Findings) -> Option<f64> {
        let metric = metric(&name.metric)?;
        let Some(qualifier) = &name.qualifier else {
            return metric.of(run);
        };
        let sample = self
            .runs_called(qualifier)
            .into_iter()
            .map(|run| metric.of(run));
        let sample: Option<Vec<f64>> = sample.collect();
        onesided::analysis::Spread::of(&sample?).map(|spread| spread.median)
    }

    fn values(&self, names: &[Name], run: &Findings) -> String {
        let values = names.iter().map(|name| match self.value(name, run) {
            Some(value) => format!("{name} = {value}"),
            None => format!("{name} is unknown"),
        });
        format!(": {}", values.collect::<Vec<_>>().join(", "))
    }
}

/// `--fail-if help`.
fn names_in_words() -> String {
    let lines = METRICS
        .iter()
        .map(|metric| format!("  {:<26} {}\n", metric.name, metric.what));
    format!(
        "Conditions compare numbers of a run, with + - * /, < <= > >= == !=, and, or, not and parentheses.\n\
         50ms, 2s, 10% are numbers too. A name may say whose number it is: rma.wall_s, collective.wall_s.\n\n\
         {}",
        lines.collect::<String>()
    )
}
