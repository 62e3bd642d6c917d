//! `onesided export RUN`.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::Failure;
use super::output::Output;
use crate::report::export::{ExportFormat, Exported, export};
use crate::trace::Trace;

/// Arguments of `onesided export`.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// Folder of a run, as `onesided play … --trace DIR` made it
    run: PathBuf,
    /// What the records are written as
    #[arg(long, value_enum)]
    format: Format,
    /// The file to write, replaced if it is there; - is stdout, and the default
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// JSON Lines, an object a record
    Jsonl,
    /// CSV, a line a record
    Csv,
    /// A trace to open at ui.perfetto.dev
    Perfetto,
}

impl Export {
    pub(super) fn run(self) -> Result<(), Failure> {
        let format = match self.format {
            Format::Jsonl => ExportFormat::Jsonl,
            Format::Csv => ExportFormat::Csv,
            Format::Perfetto => ExportFormat::Perfetto,
        };
        if self.output.is_none() && format == ExportFormat::Perfetto && io::stdout().is_terminal() {
            return Err(Failure::Usage(
                "a Perfetto trace is not for terminals: name a file, such as -o run.pftrace".into(),
            ));
        }
        let trace = Trace::open(&self.run).map_err(|why| {
            Failure::Usage(format!("cannot read the run {}: {why}", self.run.display()))
        })?;
        let exported = match self.output {
            Some(path) if path != Path::new("-") => to_file(&trace, format, &path)?,
            _ => match export(&trace, format, io::stdout().lock()) {
                // Who reads it, `head` for one, has seen enough.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                exported => exported.map_err(|error| {
                    Failure::Run(format!("cannot write the export to stdout: {error}"))
                })?,
            },
        };
        warn(&exported);
        Ok(())
    }
}

fn to_file(trace: &Trace, format: ExportFormat, path: &Path) -> Result<Exported, Failure> {
    let cannot = |error: io::Error| format!("cannot write {}: {error}", path.display());
    let mut output = Output::create(path).map_err(|error| Failure::Usage(cannot(error)))?;
    let written = export(trace, format, output.by_ref());
    written
        .and_then(|exported| output.finish().map(|()| exported))
        .map_err(|error| Failure::Run(cannot(error)))
}

/// Says whose records are incomplete: what was written is all there is of them.
fn warn(exported: &Exported) {
    for incomplete in &exported.incomplete {
        eprintln!("onesided: warning: {incomplete}");
    }
    let n_more = exported.n_incomplete - exported.incomplete.len() as u64;
    if n_more > 0 {
        eprintln!("onesided: warning: so it is with {n_more} more ranks");
    }
}
