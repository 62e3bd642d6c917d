//! What all runs of a batch say together.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::Serialize;

use super::bounded::{Between, BoundedSpread};
use super::cell::Cell;
use super::choice::Version;
use super::journal::{Entry, Status, write_whole};
use super::pair::{Pair, pairs};
use super::plan::Plan;
use super::theory::Theory;
use crate::analysis::{Efficiency, METRICS, metric};

/// Value of the field `format` of `results.json`.
pub const BATCH_FORMAT: &str = "onesided-batch/2";

/// The JSON Schema (2020-12) of `results.json`.
pub const BATCH_SCHEMA: &str = include_str!("batch.schema.json");

/// The metric that theory is held against: [`Efficiency::synchronisation_slowdown`].
pub(super) const SLOWDOWN: &str = "synchronisation_slowdown";

/// All results, as `results.json` has them.
#[derive(Debug, Clone, Serialize)]
pub struct Results {
    /// `BATCH_FORMAT`.
    pub format: &'static str,
    /// Version of the program that wrote this.
    pub onesided: &'static str,
    /// The plan: each key with its values.
    pub plan: BTreeMap<&'static str, Vec<String>>,
    /// Number of runs that the plan has.
    pub planned: usize,
    /// Number of runs that were played to their end.
    pub done: usize,
    /// Number of runs that ended otherwise.
    pub failed: usize,
    /// Number of runs that did not end in time.
    pub timed_out: usize,
    /// MPI libraries that were met.
    pub mpi_libraries: Vec<String>,
    pub cells: Vec<CellResults>,
    /// Every one-sided cell beside the collective one of its workload.
    pub pairs: Vec<Pair>,
    pub runs: Vec<Entry>,
}

/// What the runs of a cell say.
#[derive(Debug, Clone, Serialize)]
pub struct CellResults {
    /// Its name: that of its folder.
    pub name: String,
    pub parameters: Cell,
    /// What is played, in words; cells that differ in nothing but ranks and version have the same.
    pub family: String,
    pub variant: String,
    /// Number of runs that were played to their end.
    pub done: usize,
    /// Number of runs that ended otherwise.
    pub failed: usize,
    /// Number of runs that did not end in time.
    pub timed_out: usize,
    /// Medians, with 95 % confidence intervals, of what all runs tell that were played to their end; of the
    /// time `wall_s` those that did not end in time are part, with at least the time that they had.
    pub metrics: BTreeMap<String, BoundedSpread>,
    /// What theory says of its think times in lockstep; `None` where nobody thinks.
    pub theory: Option<Theory>,
    /// The same with the share of rounds in which ranks that had just scored did not think (collective).
    pub theory_with_scores: Option<Theory>,
}

impl Results {
    /// Of the runs that are over; those of no cell of the plan are left out.
    pub fn new(plan: &Plan, entries: &[Entry]) -> Self {
        let mut of_cell: BTreeMap<&str, Vec<Entry>> = BTreeMap::new();
        for entry in entries {
            let mut entry = entry.clone();
            entry.derive();
            let known = plan.cells.iter().find(|cell| cell.name == entry.cell);
            if let Some(cell) = known {
                of_cell.entry(&cell.name).or_default().push(entry);
            }
        }
        for runs in of_cell.values_mut() {
            runs.sort_by_key(|run| run.repetition);
        }
        let runs_of = |cell: &Cell| {
            of_cell
                .get(cell.name.as_str())
                .map_or(&[][..], Vec::as_slice)
        };
        let count = |runs: &[Entry], status| runs.iter().filter(|run| run.status == status).count();
        let cells: Vec<CellResults> = plan
            .cells
            .iter()
            .map(|cell| CellResults::new(cell, runs_of(cell)))
            .collect();
        let pairs = pairs(plan, runs_of);
        let runs: Vec<Entry> = plan.cells.iter().flat_map(runs_of).cloned().collect();
        let mut mpi_libraries: Vec<String> = runs
            .iter()
            .filter_map(|run| run.mpi_library.clone())
            .collect();
        mpi_libraries.sort();
        mpi_libraries.dedup();
        Results {
            format: BATCH_FORMAT,
            onesided: env!("CARGO_PKG_VERSION"),
            plan: plan.canonical().iter().cloned().collect(),
            planned: plan.n_runs(),
            done: count(&runs, Status::Done),
            failed: count(&runs, Status::Failed),
            timed_out: count(&runs, Status::TimedOut),
            mpi_libraries,
            cells,
            pairs,
            runs,
        }
    }

    pub fn cell(&self, name: &str) -> Option<&CellResults> {
        self.cells.iter().find(|cell| cell.name == name)
    }

    /// One line a run: parameters, what became of it, its numbers.
    pub fn csv(&self) -> String {
        let names = || METRICS.iter().map(|metric| metric.name);
        let mut text = String::from("cell,repetition,seed");
        let empty: Vec<(&str, String)> = self
            .cells
            .first()
            .map_or_else(Vec::new, |cell| cell.parameters.parameters());
        for (name, _) in &empty {
            text += &format!(",{name}");
        }
        text += ",status,started,took_s,code,signal,why,source,mpi_library,wall_at_least_s";
        names().for_each(|name| text += &format!(",{name}"));
        text.push('\n');
        for run in &self.runs {
            let Some(cell) = self.cell(&run.cell) else {
                continue; // runs of no cell have been left out
            };
            let mut fields = vec![
                run.cell.clone(),
                (run.repetition + 1).to_string(),
                run.seed.to_string(),
            ];
            fields.extend(
                cell.parameters
                    .parameters()
                    .into_iter()
                    .map(|(_, value)| value),
            );
            let number = |number: Option<i32>| number.map_or(String::new(), |n| n.to_string());
            fields.extend([
                run.status.name().into(),
                run.started.clone(),
                run.took_s.to_string(),
                number(run.code),
                number(run.signal),
                run.why.clone().unwrap_or_default(),
                run.source.clone().unwrap_or_default(),
                run.mpi_library.clone().unwrap_or_default(),
                run.time()
                    .map_or(String::new(), |time| time.least.to_string()),
            ]);
            fields.extend(
                names().map(|name| run.metrics.get(name).map_or(String::new(), f64::to_string)),
            );
            let fields: Vec<String> = fields.iter().map(|field| csv_field(field)).collect();
            text += &fields.join(",");
            text.push('\n');
        }
        text
    }
}

/// Quoted where it must be (RFC 4180).
fn csv_field(text: &str) -> String {
    match text.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.into(),
    }
}

impl Entry {
    /// Adds numbers that follow from the others.
    fn derive(&mut self) {
        let of = |name: &str| self.metrics.get(name).copied();
        if let (None, Some(useful_s), Some(wall_s), Some(ranks)) = (
            of("parallel_efficiency"),
            of("useful_s"),
            of("wall_s").filter(|&wall_s| wall_s > 0.0),
            of("ranks"),
        ) {
            // A summary tells this much.
            let efficiency = useful_s / ranks / wall_s;
            self.metrics
                .insert("parallel_efficiency".into(), efficiency);
        }
        let of = |name: &str| self.metrics.get(name).copied();
        if let Some((balance, serialisation)) =
            of("load_balance").zip(of("serialisation_efficiency"))
        {
            let slowdown = Efficiency::slowdown(balance, serialisation);
            if slowdown.is_finite() {
                self.metrics.insert(SLOWDOWN.into(), slowdown);
            }
        }
        // Journals of earlier versions have numbers that are defined no more.
        self.metrics.retain(|name, _| metric(name).is_some());
    }
}

impl CellResults {
    fn new(cell: &Cell, runs: &[Entry]) -> Self {
        let done: Vec<&Entry> = runs
            .iter()
            .filter(|run| run.status == Status::Done)
            .collect();
        let mut metrics = BTreeMap::new();
        for name in done
            .first()
            .map_or_else(Vec::new, |run| run.metrics.keys().collect())
        {
            let sample: Option<Vec<Between>> = done
                .iter()
                .map(|run| run.metrics.get(name).copied().map(Between::known))
                .collect();
            if let Some(spread) = sample.and_then(|sample| BoundedSpread::of(&sample)) {
                metrics.insert(name.clone(), spread);
            }
        }
        let times: Vec<Between> = runs.iter().filter_map(Entry::time).collect();
        if let Some(spread) = BoundedSpread::of(&times) {
            metrics.insert("wall_s".into(), spread);
        }
        let sum = |name: &str| -> f64 { done.iter().filter_map(|run| run.metrics.get(name)).sum() };
        let steps = sum("guesses") + sum("points");
        let collective = cell.variant.version == Version::Collective;
        let count = |status| runs.iter().filter(|run| run.status == status).count();
        CellResults {
            name: cell.name.clone(),
            parameters: cell.clone(),
            family: cell.workload.in_words(),
            variant: cell.variant.in_words(),
            done: done.len(),
            failed: count(Status::Failed),
            timed_out: count(Status::TimedOut),
            metrics,
            theory: cell.workload.theory(0.0),
            theory_with_scores: match collective && steps > 0.0 {
                true => cell.workload.theory(sum("points") / steps),
                false => None,
            },
        }
    }

    /// The median of a number, and its interval.
    pub fn metric(&self, name: &str) -> Option<&BoundedSpread> {
        self.metrics.get(name)
    }
}

/// Writes `results.csv`, `results.json`, `report.html` and each of its charts as a file into the batch's
/// folder, each whole or not at all.
///
/// # Errors
/// What the system says, with the file's name.
pub fn write_results(folder: &Path, results: &Results) -> Result<(), String> {
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        let say = |error: io::Error| format!("cannot write {}: {error}", path.display());
        write_whole(&path, bytes).map_err(say)
    };
    write("results.csv", results.csv().as_bytes())?;
    let mut json = serde_json::to_vec_pretty(results).map_err(|error| error.to_string())?;
    json.push(b'\n');
    write("results.json", &json)?;
    for (name, chart) in super::report::chart_files(results) {
        write(&name, chart.as_bytes())?;
    }
    write("report.html", super::report::html(results).as_bytes())
}
