//! What the doctor found out, for people.

use std::fmt::Write;

use super::table::Table;
use super::{percent, seconds};
use crate::doctor::{ClaimMethod, Document, Finding, Measured, Severity};

/// How wide a line of the report may get.
const WIDTH: usize = 100;

/// The report: verdict, then a row a finding, each remedy below the finding it helps against.
pub fn doctor(document: &Document) -> String {
    let mut text = wrap(&document.verdict.text, "", WIDTH);
    text.push('\n');
    let started = match &document.launcher {
        Some(launcher) => format!("probed with {launcher}"),
        None => "probed in this job".into(),
    };
    let _ = writeln!(
        text,
        "{}, {started}, in {:.1} s\n",
        document.mpi_library, document.took_s
    );
    let (claims, others): (Vec<&Finding>, Vec<&Finding>) = document
        .findings
        .iter()
        .partition(|finding| matches!(finding.measured, Some(Measured::Claims { .. })));
    text += &findings(&others);
    if !claims.is_empty() {
        text += "\nclaims of the other ranks while the home rank is outside MPI\n";
        text += &claims_table(&claims);
    }
    text += "\nwindows are allocated (MPI_Win_allocate, which claims use), created or shared\n";
    let bad = document
        .findings
        .iter()
        .filter(|finding| finding.severity > Severity::Slow)
        .count();
    let unknown = document
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Unknown)
        .count();
    let _ = writeln!(
        text,
        "{} findings: {bad} bad, {unknown} unknown",
        document.findings.len()
    );
    text
}

fn findings(findings: &[&Finding]) -> String {
    let subject_width = widest(findings.iter().map(|finding| finding.subject.as_str()));
    let severities: Vec<String> = findings
        .iter()
        .map(|finding| finding.severity.to_string())
        .collect();
    let severity_width = widest(severities.iter().map(String::as_str));
    let detail_width = WIDTH
        .saturating_sub(subject_width + severity_width + 6)
        .max(30);
    let mut table = Table::new(3);
    for (finding, severity) in findings.iter().zip(&severities) {
        let mut lines = wrapped(&finding.detail, detail_width);
        if let Some(remedy) = remedy_in_words(finding) {
            lines.extend(wrapped(&remedy, detail_width));
        }
        let mut first = (severity.as_str(), finding.subject.as_str());
        for line in lines {
            table.row([first.0, first.1, &line]);
            first = ("", "");
        }
    }
    table.render()
}

/// A row for each method, policy, and way of being away.
fn claims_table(claims: &[&Finding]) -> String {
    let mut table = Table::new(4);
    table.row([
        "",
        "claim with",
        "progress",
        "home",
        "claims",
        "median",
        "99 %",
        "longest",
        "home's core",
    ]);
    let mut remedies: Vec<String> = Vec::new();
    for finding in claims {
        let Some(Measured::Claims {
            claim_with,
            policy,
            away,
            away_ns,
            latency,
            home_cpu_ns,
            ..
        }) = &finding.measured
        else {
            continue;
        };
        let policy = match claim_with {
            ClaimMethod::SharedMemory => "any",
            _ => policy.name(),
        };
        let s = |ns: u64| seconds(ns as f64 / 1e9);
        table.row([
            finding.severity.to_string(),
            claim_with.name().into(),
            policy.into(),
            away.verb().into(),
            latency.operations.to_string(),
            s(latency.median_ns),
            s(latency.p99_ns),
            s(latency.longest_ns),
            percent(*home_cpu_ns as f64 / *away_ns as f64),
        ]);
        let remedy = remedy_in_words(finding);
        remedies.extend(remedy.map(|remedy| format!("{}: {remedy}", claim_with.name())));
    }
    remedies.dedup();
    let remedies = remedies.iter().map(|remedy| wrap(remedy, "  ", WIDTH - 2));
    table.render() + &remedies.collect::<String>()
}

/// One finding on a line, as it comes.
pub fn doctor_finding(finding: &Finding) -> String {
    let mut text = format!(
        "{}: {}: {}\n",
        finding.subject, finding.severity, finding.detail
    );
    if let Some(remedy) = remedy_in_words(finding) {
        let _ = writeln!(text, "    {remedy}");
    }
    text
}

fn remedy_in_words(finding: &Finding) -> Option<String> {
    let remedy = finding.remedy.as_ref()?;
    let tried = match remedy.seen_to_work {
        Some(true) => " (tried: it works here)",
        Some(false) => " (tried: it does not work here)",
        None => "",
    };
    let note = match remedy.note.as_str() {
        "" => String::new(),
        note => format!("; {note}"),
    };
    Some(format!("remedy: {}{tried}{note}", remedy.setting))
}

fn widest<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0)
}

/// Lines of at most `width` characters, unless a word is longer.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is one");
        let len = line.chars().count();
        if len > 0 && len + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if len > 0 {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

fn wrap(text: &str, indent: &str, width: usize) -> String {
    let lines = wrapped(text, width);
    lines
        .iter()
        .map(|line| format!("{indent}{line}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_no_longer_than_they_may_be() {
        assert_eq!(wrapped("a bb ccc dddd", 6), ["a bb", "ccc", "dddd"]);
        assert_eq!(wrapped("", 6), [""]);
        assert_eq!(wrapped("muchtoolong a", 6), ["muchtoolong", "a"]);
    }
}
