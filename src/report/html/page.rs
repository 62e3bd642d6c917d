//! The page: its shell, its parts in their order, and what is told to its script.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::super::run::{checks, setup};
use super::super::verdict::explanation;
use super::super::{seconds, verdict};
use super::about::{Document, Part, colour};
use super::fit::Payload;
use super::lanes::Lanes;
use super::{bars, tables};
use crate::analysis::{Findings, Source};

/// Only what is in the page itself.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

const STYLE: &str = include_str!("style.css");

/// In this order they are one script.
const SCRIPTS: [&str; 8] = [
    include_str!("js/decode.js"),
    include_str!("js/shares.js"),
    include_str!("js/view.js"),
    include_str!("js/words.js"),
    include_str!("js/lanes.js"),
    include_str!("js/charts.js"),
    include_str!("js/input.js"),
    include_str!("js/main.js"),
];

/// Room for what is not known before payloads are: the numbers of their columns.
const SPARE_BYTES: usize = 16_384;

/// The page without its payloads.
pub(super) struct Shell<'a> {
    runs: &'a [Findings],
    parts: Vec<Part<'a>>,
    claims: Markup,
}

impl<'a> Shell<'a> {
    pub(super) fn new(runs: &'a [Findings], lanes: &[Option<Lanes>]) -> Self {
        let parts = runs.iter().zip(lanes);
        let parts = parts.map(|(run, lanes)| Part::new(run, lanes.as_ref()));
        let labelled: Vec<_> = runs
            .iter()
            .zip(lanes)
            .map(|(run, lanes)| (run.label.as_str(), lanes.as_ref()))
            .collect();
        Shell {
            runs,
            parts: parts.collect(),
            claims: tables::claims(&labelled),
        }
    }

    /// Its length in bytes, and what may come to it.
    pub(super) fn len(&self) -> usize {
        let none: Vec<_> = self.parts.iter().map(|_| None).collect();
        self.page(&none).into_string().len() + SPARE_BYTES
    }

    pub(super) fn page(&self, payloads: &[Option<Payload>]) -> Markup {
        let runs = self.runs;
        let labels: Vec<&str> = runs.iter().map(|run| run.label.as_str()).collect();
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="generator" content=(concat!("onesided ", env!("CARGO_PKG_VERSION")));
                    title { "onesided: " (labels.join(" and ")) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    header {
                        h1 { (verdict(runs)) }
                        @for run in runs { p.setup { (setup(run)) } }
                    }
                    main {
                        (self.time())
                        (self.timelines(payloads))
                        (self.blame())
                        (self.efficiency())
                        (self.checks())
                    }
                    div #tip role="tooltip" hidden {}
                    (self.data(payloads))
                    script { (PreEscaped("\"use strict\";\n(() => {\n")) @for script in SCRIPTS { (PreEscaped(script)) } (PreEscaped("})();\n")) }
                }
            }
        }
    }

    fn time(&self) -> Markup {
        html! {
            section {
                h2 { "Where the time went" }
                p { "Mean over ranks." }
                @match bars::bars(self.runs) {
                    Some(bars) => figure.bars { (bars) },
                    None => p { "What these runs were kept as does not tell it." },
                }
                @if self.runs.len() == 1 || bars::bars(self.runs).is_some() { p.legend { (legend(&bars::PARTS)) } }
                (tables::folded("Numbers", tables::waterfall(self.runs)))
            }
        }
    }

    fn timelines(&self, payloads: &[Option<Payload>]) -> Markup {
        let drawn: Vec<usize> = (0..payloads.len())
            .filter(|&k| payloads[k].is_some())
            .collect();
        html! {
            section #timelines {
                h2 { "Who did what, when" }
                noscript { p { "The timelines are drawn by a script, which does not run here; the tables have the numbers." } }
                p #problem hidden {}
                @for (part, payload) in self.parts.iter().zip(payloads) {
                    @if payload.is_none() { p.missing { (part.why_not_drawn()) } }
                }
                @if !drawn.is_empty() {
                    (controls())
                    p.legend { (legend(&STATES)) }
                    @for (place, &k) in drawn.iter().enumerate() {
                        (self.parts[k].lanes_figure(k, place + 1 == drawn.len() && place > 0))
                    }
                    canvas #axis aria-hidden="true" {}
                    p #status role="status" {}
                    div #followed {}
                    @for &k in &drawn { @if let Some(payload) = &payloads[k] { p.note { (self.parts[k].precision(payload)) } } }
                }
                @let tables = html! { @for run in self.runs { (tables::ranks(run)) } };
                (tables::folded("Numbers of each rank", tables))
                @if !drawn.is_empty() {
                    h2 { "Digits claimed" }
                    p.legend { @for &k in &drawn { (key(colour(self.parts[k].run), &self.parts[k].run.label)) } }
                    div.picture {
                        canvas #digits tabindex="0" role="img" aria-label="digits claimed over time, of each run; the table below has the numbers" {}
                    }
                    canvas #digits-axis aria-hidden="true" {}
                    (tables::folded("Numbers", self.claims.clone()))
                }
            }
        }
    }

    fn blame(&self) -> Markup {
        let known = |part: &&Part| {
            part.lanes
                .as_ref()
                .is_some_and(|lanes| lanes.matrix.iter().any(|&ns| ns > 0))
                || tables::blame(part.run).is_some()
        };
        let parts: Vec<_> = self
            .parts
            .iter()
            .enumerate()
            .filter(|(_, part)| known(part))
            .collect();
        html! {
            section {
                h2 { "Who was waited for" }
                @if parts.is_empty() { p { "Nobody waited for a rank, as far as is known." } }
                @for (k, part) in parts {
                    h3 { (part.run.label) }
                    @if let Some(lanes) = &part.lanes {
                        p { "Down: who waited. Across: for whom. The stronger the colour, the longer."
                            @if lanes.ranks_per_block > 1 { " A cell is of " (lanes.ranks_per_block) " ranks." } }
                        canvas.matrix id=(format!("matrix-{k}")) role="img" aria-label="matrix of who waited for whom; the table below has the numbers" {}
                        p.status id=(format!("matrix-tip-{k}")) {}
                        (tables::folded("Who waited for whom", lanes.matrix_table.clone()))
                    }
                    @if let Some(blame) = tables::blame(part.run) {
                        p { "Charged to the last to come, in fair parts to all who were late, and what curing that rank alone would save." }
                        div.scroll { (blame) }
                    }
                }
            }
        }
    }

    fn efficiency(&self) -> Markup {
        html! {
            @if let Some(table) = tables::efficiencies(self.runs) {
                section { h2 { "How well the time was used" } (table) }
            }
        }
    }

    fn checks(&self) -> Markup {
        html! {
            section {
                h2 { "Checks" }
                @for run in self.runs {
                    h3 { (run.label) }
                    pre { (checks(run)) }
                    @for note in &run.notes { p.note { (note) } }
                }
                @if let [a, b] = self.runs { @if let Some(explanation) = explanation(a, b) { p { (explanation) } } }
            }
        }
    }

    /// What the script reads, in elements that are not executed.
    fn data(&self, payloads: &[Option<Payload>]) -> Markup {
        let runs = self.parts.iter().zip(payloads).enumerate();
        let document = Document {
            runs: runs
                .filter_map(|(k, (part, payload))| part.about(k, payload.as_ref()))
                .collect(),
        };
        let text = serde_json::to_string(&document).expect("it has no maps and no failing parts");
        // Within a string of JSON this is the same, and nothing that ends a script.
        let text = text.replace('<', "\\u003c");
        html! {
            script #about type="application/json" { (PreEscaped(text)) }
            @for (k, payload) in payloads.iter().enumerate() {
                @if let Some(payload) = payload {
                    script id=(format!("data-{k}")) type="application/octet-stream" { (PreEscaped(&payload.text)) }
                }
            }
        }
    }
}

impl Part<'_> {
    /// A timeline, with the strip of who was last in each round on the side of the other timeline.
    fn lanes_figure(&self, k: usize, strip_above: bool) -> Markup {
        let lanes = html! {
            h3 { (self.run.label) }
            div.picture {
                canvas id=(format!("lanes-{k}")) tabindex="0" role="img"
                    aria-label={ "timeline of " (self.run.label) ", a lane a rank. Arrows move and follow ranks, plus and minus zoom, Home shows all; the table below has the numbers" } {}
            }
        };
        let has_rounds = self.lanes.as_ref().is_some_and(|lanes| lanes.has_rounds);
        let strip = html! {
            @if has_rounds {
                p.legend id=(format!("lasts-{k}")) {}
            }
            div.picture hidden[!has_rounds] {
                canvas.strip id=(format!("strip-{k}")) tabindex="0" role="img" aria-label="who came last in each round" {}
            }
            @if !has_rounds { p hidden id=(format!("lasts-{k}")) {} }
        };
        html! {
            @if strip_above { (strip) (lanes) } @else { (lanes) (strip) }
        }
    }

    fn why_not_drawn(&self) -> String {
        let label = &self.run.label;
        match self.run.source {
            Source::Trace => format!(
                "There is no timeline of {label}: it has too many ranks for a page of this size."
            ),
            Source::Summary => format!(
                "There is no timeline of {label}: a summary has no records. Play with --trace to have them."
            ),
            Source::Log => {
                format!("There is no timeline of {label}: what the program printed has no times.")
            }
        }
    }

    fn precision(&self, payload: &Payload) -> String {
        let label = &self.run.label;
        let to = seconds(payload.quantum_ns as f64 / 1e9)
            .replace(".00", "")
            .replace(".0", "");
        match payload.cell_ns {
            0 => format!("{label}: all records, times to {to}."),
            cell_ns => format!(
                "{label}: more records than fit, so neighbouring records of a rank within {} are shown as \
                 one, in the shares of what they are; times to {to}.",
                seconds(cell_ns as f64 / 1e9)
            ),
        }
    }
}

/// What lanes are made of: name, colour.
const STATES: [(&str, &str); 6] = [
    ("thinking", "#56b4e9"),
    ("operation", "#e69f00"),
    ("waiting", "#d55e00"),
    ("idle", "#bbbbbb"),
    ("start and end of a game", "#999999"),
    ("a digit won", "#009e73"),
];

fn key(colour: &str, name: &str) -> Markup {
    html! { span { i style=(format!("background:{colour}")) {} (name) } " " }
}

fn legend(keys: &[(&str, &str)]) -> Markup {
    html! { @for (name, colour) in keys { (key(colour, name)) } }
}

fn controls() -> Markup {
    html! {
        div #controls hidden {
            span role="group" aria-label="axis" {
                "Axis: "
                button type="button" data-axis="time" aria-pressed="true" { "wall time" }
                button type="button" data-axis="guess" aria-pressed="false" { "guess number" }
                button type="button" data-axis="digits" aria-pressed="false" { "digits claimed" }
            }
            " "
            span role="group" aria-label="zoom" {
                button #closer type="button" { "closer" }
                button #farther type="button" { "farther" }
                button #all type="button" { "show all" }
            }
            p.note {
                "Wheel or + − zoom, drag or ← → move, Home shows all; with Alt the wheel zooms ranks, as [ ] do. "
                "Click a rank, or ↑ ↓, to follow it; Esc lets go."
            }
        }
    }
}
