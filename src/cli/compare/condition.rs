//! `--fail-if`: conditions on the numbers of runs.

use std::str::FromStr;

use super::super::Failure;
use crate::analysis::{Expression, Findings, METRICS, Name, Spread, metric};
use crate::trace::Version;

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

/// The failure if a condition holds of a run, or cannot be told of one. Each run with what it is called.
pub(super) fn fail_if(conditions: &[Condition], runs: &[(&str, &Findings)]) -> Result<(), Failure> {
    Runs(runs).fail_if(conditions)
}

/// Runs, each with what it is called.
struct Runs<'a>(&'a [(&'a str, &'a Findings)]);

impl<'a> Runs<'a> {
    /// The failure if a condition holds of a run, or cannot be told of one. A run that is of a version of the
    /// game which has none of the numbers that are unknown is passed over, if another run tells.
    fn fail_if(&self, conditions: &[Condition]) -> Result<(), Failure> {
        let (mut failures, mut unknown) = (Vec::new(), Vec::new());
        for Condition { text, expression } in conditions {
            let Some(expression) = expression else {
                continue;
            };
            let names = expression.names();
            for name in &names {
                self.check_name(text, name)?;
            }
            let of_one = names.iter().any(|name| name.qualifier.is_none());
            // Without a name of each run's own, the condition is one of all runs.
            let runs = if of_one { self.0 } else { &self.0[..1] };
            let (mut told, mut not_told) = (false, Vec::new());
            for &(label, run) in runs {
                let holds = expression.holds(&mut |name| self.value(name, run));
                told |= holds.is_some();
                let whose = match of_one {
                    true => format!(" of {label} ({})", run.path),
                    false => String::new(),
                };
                let values = self.values(&names, run);
                match holds {
                    Some(true) => failures.push(format!("{text} holds{whose}{values}")),
                    Some(false) => {}
                    None => not_told.push((self.has_none_of(&names, run), whose, values)),
                }
            }
            not_told.retain(|(has_none, ..)| !(told && *has_none));
            let whose = match (told, not_told.len()) {
                (_, 0) => continue,
                (false, 2..) => " of any of these runs".into(),
                (true, n @ 2..) => format!("{}, nor of {} more", not_told[0].1, n - 1),
                _ => not_told[0].1.clone(),
            };
            let values = &not_told[0].2;
            unknown.push(format!("--fail-if '{text}': not known{whose}{values}"));
        }
        if failures.is_empty() && unknown.is_empty() {
            return Ok(());
        }
        let holds = !failures.is_empty();
        failures.append(&mut unknown);
        let why = failures.join("\nonesided: ");
        Err(match holds {
            true => Failure::Condition(why),
            false => Failure::Usage(why),
        })
    }

    /// Whether all the unqualified numbers that this run does not tell are of the other version of the game.
    fn has_none_of(&self, names: &[Name], run: &Findings) -> bool {
        let unknown = names.iter().filter(|name| self.value(name, run).is_none());
        let mut applies = unknown.map(|name| {
            name.qualifier.is_some()
                || metric(&name.metric).is_none_or(|metric| metric.applies_to(run))
        });
        let first = applies.next();
        first == Some(false) && !applies.any(|applies| applies)
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
