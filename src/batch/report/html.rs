//! The report as a page: one file, no script, nothing from elsewhere.

use std::fmt::Write;

use super::super::results::Results;
use super::charts::charts;
use super::tables::{Rows, tables};
use super::{LEFT_OUT, verdict};

const STYLE: &str = concat!(include_str!("chart.css"), include_str!("page.css"));

/// Text that stands for itself in HTML and in its attributes. Characters that no page may have are shown
/// as U+FFFD.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

pub fn html(results: &Results) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<title>onesided: a batch of {} runs</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{}</h1>\n",
        results.planned,
        escape(&verdict(results)),
    );
    page += &facts(results);
    let charts = charts(results);
    if !charts.is_empty() {
        page += "<h2>Charts</h2>\n<p>Medians; whiskers show where the median lies with 95 % confidence, from \
                 six runs on. Dashed lines are theory.</p>\n";
    }
    for chart in charts {
        let _ = writeln!(page, "<figure>\n{}</figure>", chart.svg());
    }
    for rows in tables(results) {
        page += &table(&rows);
    }
    page += "<h2>What theory says, and what it leaves out</h2>\n<p>In lockstep a round lasts as long as the \
             longest think time of all P ranks, so that over many rounds the synchronisation slowdown, \
             1 / (load balance × serialisation efficiency), tends to E[max] / mean. For independent exponential think \
             times that is H<sub>P</sub> = 1 + 1/2 + … + 1/P, so that efficiency falls as 1 / H<sub>P</sub>; \
             for the uniform distribution on [a, b] it is (a + (b − a) P / (P + 1)) / ((a + b) / 2), at most \
             2; for equal think times 1. Where ranks add times of their own, E[max] is computed from their \
             distributions.</p>\n<ul>\n";
    for left_out in LEFT_OUT {
        let _ = writeln!(page, "<li>{}</li>", escape(left_out));
    }
    page += "</ul>\n";
    page += &said(results);
    page + "</main>\n</body>\n</html>\n"
}

/// What was played, with what, how far it has come.
fn facts(results: &Results) -> String {
    let mut facts = format!(
        "<p>{} of {} runs played to their end",
        results.done, results.planned
    );
    for (n, what) in [
        (results.failed, "failed"),
        (results.timed_out, "did not end in time"),
    ] {
        if n > 0 {
            let _ = write!(facts, ", {n} {what}");
        }
    }
    let _ = write!(facts, ". onesided {}", escape(results.onesided));
    for library in &results.mpi_libraries {
        let _ = write!(facts, ", {}", escape(library));
    }
    facts += ".</p>\n<details>\n<summary>The plan</summary>\n<dl>\n";
    for (key, values) in &results.plan {
        let _ = writeln!(
            facts,
            "<dt>{key}</dt><dd>{}</dd>",
            escape(&values.join(", "))
        );
    }
    facts + "</dl>\n</details>\n"
}

fn table(rows: &Rows) -> String {
    let mut title = rows.title.chars();
    let first = title
        .next()
        .map_or(String::new(), |c| c.to_uppercase().to_string());
    let mut text = format!(
        "<h2>{}</h2>\n<div class=\"wide\"><table>\n<thead><tr>",
        escape(&(first + title.as_str()))
    );
    for (column, cell) in rows.head.iter().enumerate() {
        let class = if column < rows.n_left {
            " class=\"words\""
        } else {
            ""
        };
        let _ = write!(text, "<th{class}>{}</th>", escape(cell));
    }
    text += "</tr></thead>\n<tbody>\n";
    for row in &rows.rows {
        let begins = if row.first().is_some_and(|cell| !cell.is_empty()) {
            " class=\"begins\""
        } else {
            ""
        };
        let _ = write!(text, "<tr{begins}>");
        for (column, cell) in row.iter().enumerate() {
            let class = if column < rows.n_left {
                " class=\"words\""
            } else {
                ""
            };
            let _ = write!(text, "<td{class}>{}</td>", escape(cell));
        }
        text += "</tr>\n";
    }
    text += "</tbody>\n</table></div>\n";
    for note in &rows.notes {
        let _ = writeln!(text, "<p>{}</p>", escape(note));
    }
    text
}

/// What runs said that went wrong.
fn said(results: &Results) -> String {
    const MOST: usize = 20;
    let mut text = String::new();
    for run in results
        .runs
        .iter()
        .filter(|run| run.said.is_some())
        .take(MOST)
    {
        let (said, why) = (
            run.said.as_deref().unwrap_or(""),
            run.why.as_deref().unwrap_or(""),
        );
        let _ = writeln!(
            text,
            "<details><summary>{}/{:03}: {}</summary><pre>{}</pre></details>",
            escape(&run.cell),
            u64::from(run.repetition) + 1,
            escape(why),
            escape(said)
        );
    }
    match text.is_empty() {
        true => text,
        false => format!("<h2>What failed runs said</h2>\n{text}"),
    }
}
