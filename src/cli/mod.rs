//! The command line: one file or folder a subcommand, one place where failures are printed.

/// Says a line on stderr, as the macro of this name of the standard library does, but in plain characters,
/// and without a panic where stderr cannot be written to.
macro_rules! eprintln {
    ($($what:tt)+) => { $crate::cli::complain(format_args!($($what)+)) };
}

mod batch;
mod compare;
mod doctor;
mod export;
mod launcher;
mod limits;
mod output;
#[cfg(feature = "mpi")]
mod play;
mod terminal;

use std::borrow::Cow;
use std::ffi::OsString;
use std::fs::File;
use std::io::{IsTerminal, Write};
#[cfg(feature = "mpi")]
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;
use std::sync::OnceLock;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use tracing_subscriber::Layer;
use tracing_subscriber::prelude::*;

use crate::diagnostics;

/// Claiming work across MPI ranks without lockstep, and what lockstep costs.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play the guessing game; start it with your MPI's launcher: mpirun -n 4 onesided play rma
    #[cfg(feature = "mpi")]
    Play(play::Play),
    /// Play the guessing game (not in this build, which has no MPI)
    #[cfg(not(feature = "mpi"))]
    Play {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        rest: Vec<OsString>,
    },
    /// Watch over the ranks of a node, for them
    #[cfg(feature = "mpi")]
    #[command(hide = true)]
    Sentinel(play::Sentinel),
    /// Find out what this MPI, on these hosts, with this launcher, really does
    Doctor(Box<doctor::Doctor>),
    /// Say where the time of runs went, who was waited for, and what lockstep cost (needs no MPI)
    Compare(compare::Compare),
    /// Write a run's records for other programs (needs no MPI)
    Export(export::Export),
    /// Play many runs by a plan, one after the other, and say what they show together
    Batch(Box<batch::Batch>),
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON document
    Json,
}

/// Why the program ends early.
#[derive(Debug)]
enum Failure {
    /// The user can mend it on the command line or in its input: exit code 2.
    Usage(String),
    /// It went wrong all the same: exit code 1.
    Run(String),
    /// What the user asked to be told of has come true: exit code 3.
    Condition(String),
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Failure::Usage(_) => 2,
            Failure::Run(_) => 1,
            Failure::Condition(_) => 3,
        }
    }

    /// Prints the failure, and gives the exit code of this process.
    fn report(&self) -> ExitCode {
        eprintln!("{self}");
        ExitCode::from(self.exit_code())
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Failure::Usage(message) | Failure::Run(message) | Failure::Condition(message)) = self;
        write!(f, "onesided: {message}")
    }
}

/// Parses the arguments, does what they say, prints failures: of the ranks of a job that plays once, of all
/// others each by its process, whatever a launcher has left in its environment.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    limits::expect_limits();
    let args: Vec<OsString> = args.collect();
    let mut program = Cli::command();
    let parsed = program.try_get_matches_from_mut(&args);
    let parsed = parsed.and_then(|parsed| {
        let cli = Cli::from_arg_matches(&parsed).map_err(|error| error.format(&mut program))?;
        Ok((cli.command, parsed))
    });
    #[cfg_attr(
        not(feature = "mpi"),
        expect(unused_variables, reason = "nothing is played")
    )]
    let (command, parsed) = match parsed {
        Ok(parsed) => parsed,
        #[cfg(feature = "mpi")]
        Err(error) if args.get(1).is_some_and(|first| first == "play") => {
            return play::Ending::from(&error).of_job();
        }
        Err(error) => {
            // Help goes to stdout, an error to stderr; where neither can be written, nothing can be said.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let outcome = match command {
        #[cfg(feature = "mpi")]
        Command::Play(play) => {
            let layer = play.records().then(Records::new);
            log_to_stderr(layer.clone(), play::is_first_of_job());
            let settings = play::Settings::of(&program, &parsed);
            return play.run(settings, layer.as_ref());
        }
        #[cfg(not(feature = "mpi"))]
        Command::Play { .. } => Err(Failure::Usage(
            "this build has no MPI and cannot play: build it with the default features".into(),
        )),
        #[cfg(feature = "mpi")]
        Command::Sentinel(sentinel) => {
            sentinel.run();
            Ok(())
        }
        Command::Doctor(doctor) => {
            log_to_stderr(None, true);
            return doctor.run();
        }
        Command::Compare(compare) => {
            log_to_stderr(None, true);
            compare.run()
        }
        Command::Export(export) => {
            log_to_stderr(None, true);
            export.run()
        }
        Command::Batch(batch) => {
            log_to_stderr(None, true);
            return batch.run();
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// What takes records of a trace.
#[cfg(feature = "mpi")]
type Records = crate::trace::RecordLayer;
/// A build without MPI plays nothing, and so records nothing.
#[cfg(not(feature = "mpi"))]
type Records = tracing_subscriber::layer::Identity;

/// Diagnostics, by `RUST_LOG`, to stderr: never to stdout, which is for results. Records of a trace go
/// to `records` and are no diagnostics. A `RUST_LOG` that makes no sense is reported if `reports`.
fn log_to_stderr(records: Option<Records>, reports: bool) {
    let wanted = std::env::var_os("RUST_LOG").unwrap_or_default();
    let wanted = wanted.to_string_lossy();
    let filter = diagnostics::filter(&wanted).unwrap_or_else(|error| {
        if reports {
            eprintln!("onesided: RUST_LOG={wanted:?} is ignored: {error}");
        }
        diagnostics::warnings()
    });
    let diagnostics = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_filter(filter);
    tracing_subscriber::registry()
        .with(diagnostics)
        .with(records)
        .init();
}

/// What was stdout when the program started, once it is kept for results.
static STDOUT_FOR_RESULTS: OnceLock<File> = OnceLock::new();

/// Keeps stdout for results: whatever libraries print to it goes to stderr from now on.
///
/// MPI libraries do print to stdout, UCX its errors for one, and a document among them is none.
#[cfg(feature = "mpi")]
fn keep_stdout_for_results() -> Result<&'static File, Failure> {
    let swap = || {
        let own = std::io::stdout().as_fd().try_clone_to_owned()?;
        rustix::stdio::dup2_stdout(std::io::stderr())?;
        Ok(own)
    };
    let own = swap().map_err(|error: std::io::Error| {
        Failure::Run(format!("cannot keep stdout for the result: {error}"))
    })?;
    Ok(STDOUT_FOR_RESULTS.get_or_init(|| File::from(own)))
}

/// Says something on stderr, in plain characters. Where that cannot be written to, nothing can be said.
fn complain(what: std::fmt::Arguments<'_>) {
    let text = terminal::plain(&what.to_string()).into_owned() + "\n";
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Reads a text of up to `max_bytes` bytes, or says why not.
fn read_text(max_bytes: u64, path: &Path) -> Result<String, String> {
    let bytes = crate::trace::read_up_to(max_bytes, path).map_err(|error| error.to_string())?;
    match crate::trace::text_of(&bytes)? {
        Cow::Borrowed(text) => Ok(text.into()),
        Cow::Owned(_) => Err("it is no text in UTF-8".into()), // something had to be replaced
    }
}

/// Prints `text` for people to stdout, in plain characters and colours, all of it or an error.
fn print(text: &str) -> Result<(), Failure> {
    print_as_it_is(&terminal::coloured(text))
}

/// Prints what programs read to stdout: as it is, but for a terminal, which is not to act on it.
fn print_data(text: &str) -> Result<(), Failure> {
    match std::io::stdout().is_terminal() {
        true => print_as_it_is(&terminal::plain(text)),
        false => print_as_it_is(text),
    }
}

fn print_as_it_is(text: &str) -> Result<(), Failure> {
    let printed = match STDOUT_FOR_RESULTS.get() {
        Some(mut file) => file.write_all(text.as_bytes()),
        None => {
            let mut stdout = std::io::stdout().lock();
            stdout
                .write_all(text.as_bytes())
                .and_then(|()| stdout.flush())
        }
    };
    printed.map_err(|error| Failure::Run(format!("cannot print the result: {error}")))
}

/// Prints one JSON document to stdout.
fn print_json(document: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(document)
        .map_err(|error| Failure::Run(format!("cannot write the result as JSON: {error}")))?;
    print_as_it_is(&(terminal::json(&text).into_owned() + "\n"))
}
