//! `onesided compare A B`.

use std::path::{Path, PathBuf};

use clap::Args;
use onesided::analysis::{RunSummary, SideBySide, Verdict};
use onesided::report;
use serde::Serialize;

use super::{Failure, Format, print, print_json};

/// Largest summary that is read: one of a million ranks fits.
const MAX_SUMMARY_BYTES: u64 = 1 << 28;

/// Arguments of `onesided compare`.
#[derive(Debug, Args)]
pub(super) struct Compare {
    /// Summary of one run, as `onesided play … --format json` printed it
    a: PathBuf,
    /// Summary of the other run
    b: PathBuf,
    /// How the result is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// The JSON document of a comparison.
#[derive(Debug, Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    pair: &'a SideBySide,
    verdict: Verdict,
    sentence: String,
}

impl Compare {
    pub(super) fn run(self) -> Result<(), Failure> {
        let pair = SideBySide::new(read(&self.a)?, read(&self.b)?).map_err(|why| {
            Failure::Usage(format!(
                "cannot compare {} and {}: {why}",
                self.a.display(),
                self.b.display()
            ))
        })?;
        match self.format {
            Format::Text => print(&report::side_by_side(&pair)),
            Format::Json => print_json(&Document {
                pair: &pair,
                verdict: pair.verdict(),
                sentence: report::verdict_sentence(&pair),
            }),
        }
    }
}

fn read(path: &Path) -> Result<RunSummary, Failure> {
    let unreadable = |why: String| Failure::Usage(format!("cannot read {}: {why}", path.display()));
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?;
    if metadata.len() > MAX_SUMMARY_BYTES {
        return Err(unreadable(format!(
            "it has {} bytes, too many for a summary",
            metadata.len()
        )));
    }
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
    RunSummary::from_json(&text).map_err(unreadable)
}
