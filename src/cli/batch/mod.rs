//! `onesided batch PLAN.toml`, and `onesided batch report DIR`.

mod args;
mod progress;
mod run;
mod slurm;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{Failure, Format, print, print_json};
use crate::batch::{self, Plan, Results, read_folder, write_results};
use args::PlanArgs;

/// Arguments of `onesided batch`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Batch {
    #[command(subcommand)]
    other: Option<Other>,
    #[command(flatten)]
    plan: PlanArgs,
    /// Say which runs there would be, by what commands, and about how long they would take; run nothing
    #[arg(long)]
    dry_run: bool,
    /// Print a job script for Slurm's sbatch, and run nothing: it plays the batch in the job's allocation, with
    /// srun, and says what to change
    #[arg(long, conflicts_with = "dry_run")]
    slurm: bool,
    /// The program that plays, as the ranks' hosts know it [default: this one]
    #[arg(long, value_name = "PATH")]
    program: Option<PathBuf>,
    /// How the results are printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum Other {
    /// Make the report of a batch again, from what has been played so far
    Report {
        /// The folder of the batch
        folder: PathBuf,
        /// How the results are printed
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
}

impl Batch {
    /// Does what the arguments say, and prints failures.
    pub(super) fn run(self) -> ExitCode {
        let done = match &self.other {
            Some(Other::Report { folder, format }) => report(folder, *format),
            None => self.play(),
        };
        done.unwrap_or_else(|failure| failure.report())
    }

    fn play(&self) -> Result<ExitCode, Failure> {
        let plan = self.plan.read()?;
        if self.slurm {
            let program = run::program(self.program.as_deref(), false)?;
            slurm::print_script(&self.plan, &plan, &program)?;
            return Ok(ExitCode::SUCCESS);
        }
        let launcher = run::launcher(&plan)?;
        let program = run::program(self.program.as_deref(), self.dry_run)?;
        match self.dry_run {
            true => run::dry(&plan, launcher, program),
            false => run::run(&plan, launcher, program, self.format),
        }
    }
}

fn report(folder: &std::path::Path, format: Format) -> Result<ExitCode, Failure> {
    let (plan, entries) = read_folder(folder).map_err(Failure::Usage)?;
    tell(&plan, &entries, folder, format)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the results into the folder, and prints them.
fn tell(
    plan: &Plan,
    entries: &[batch::Entry],
    folder: &std::path::Path,
    format: Format,
) -> Result<Results, Failure> {
    let results = Results::new(plan, entries);
    // Where they cannot be written they are printed all the same.
    let written = write_results(folder, &results).map_err(Failure::Run);
    match format {
        Format::Json => print_json(&results)?,
        Format::Text => {
            let mut text = batch::text(&results) + "\n";
            if written.is_ok() {
                text += &format!("{}\n", folder.join("report.html").display());
            }
            print(&text)?;
        }
    }
    written?;
    Ok(results)
}
