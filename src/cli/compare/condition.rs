//! `--fail-if`: conditions on the numbers of runs.

use std::str::FromStr;

use onesided::analysis::{Expression, Findings, METRICS, Name, Spread, metric};
use onesided::trace::Version;

use super::super::Failure;

/// A condition, or the wish to know what conditions can be made of.
#[derive(Debug, Clone)]
pub(super) struct Condition {
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

impl Condition {
    pub(super) fn asks_for_help(&self) -> bool {
        self.expression.is_none()
    }
}

/// The failure if a condition holds of a run, or cannot be told of any. Each run with what it is
/// called.
pub(super) fn fail_if(conditions: &[Condition], runs: &[(&str, &Findings)]) -> Result<(), Failure> {
    Runs(runs).fail_if(conditions)
}

/// Runs, each with what it is called.
struct Runs<'a>(&'a [(&'a str, &'a Findings)]);

impl<'a> Runs<'a> {
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
            for &(label, run) in self.0 {
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
                    self.0
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
    fn runs_called(&self, qualifier: &str) -> Vec<&'a Findings> {
        let is_called = |label: &str, run: &Findings| {
            let version = match run.setup.version {
                Some(Version::Rma) => "rma",
                Some(Version::Collective) => "collective",
                None => "log",
            };
            label == qualifier || version == qualifier
        };
        let runs = self.0.iter();
        runs.filter(|(label, run)| is_called(label, run))
            .map(|&(_, run)| run)
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
        Spread::of(&sample?).map(|spread| spread.median)
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
pub(super) fn names_in_words() -> String {
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
