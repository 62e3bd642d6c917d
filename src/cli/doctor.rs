//! `onesided doctor`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
#[cfg(feature = "mpi")]
use std::sync::Arc;
#[cfg(feature = "mpi")]
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(feature = "mpi")]
use std::time::Duration;

use clap::Args;
#[cfg(feature = "mpi")]
use clap::ValueEnum;

#[cfg(feature = "mpi")]
use super::keep_stdout_for_results;
#[cfg(feature = "mpi")]
use super::launcher::default_launcher;
use super::output::Output;
use super::{Failure, Format, print, print_json, read_text};
use crate::doctor::Document;
#[cfg(feature = "mpi")]
use crate::doctor::{ClaimMethod, InJob, Launcher, Probe, ProbeJob, Runner, Told};
#[cfg(feature = "mpi")]
use crate::game::parse_duration;
use crate::report;
#[cfg(feature = "mpi")]
use crate::rma::launcher::{self, Launch};
#[cfg(feature = "mpi")]
use crate::rma::{self, Library, Mpi, ThreadLevel};

/// Largest document that is read.
const MAX_DOCUMENT_BYTES: u64 = 1 << 26;

/// Arguments of `onesided doctor`.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    #[cfg(feature = "mpi")]
    #[command(flatten)]
    probing: Probing,
    /// How the result is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Also write the JSON document into this file, anew whenever there is more to tell
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show a JSON document that the doctor wrote elsewhere, and probe nothing
    #[arg(long, value_name = "FILE")]
    read: Vec<PathBuf>,
    /// With --read, given several times: a Markdown table of how claims went in all of them
    #[arg(long, requires = "read")]
    matrix: bool,
}

/// What needs MPI.
#[cfg(feature = "mpi")]
#[derive(Debug, Args)]
struct Probing {
    /// How many ranks to start [default: 2 a host, or as many as there are cores, from 2 to 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    ranks: Option<u32>,
    /// Hosts to start them on, as many on each, such as node1,node2
    #[arg(long, value_name = "HOST,…", value_delimiter = ',')]
    hosts: Vec<String>,
    /// What starts them: words as in a shell; {ranks} and {hosts} are filled in [default: the launcher of
    /// the MPI that this was built with, or $MPIEXEC, and -n {ranks}]
    #[arg(long, value_name = "COMMAND")]
    launcher: Option<String>,
    /// How long it may take; what there is no time for is said to be unknown
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = parse_duration)]
    within: Duration,
    /// The way of claiming that the verdict is about
    #[arg(long, value_enum, default_value = "fetch-and-op")]
    claim_with: MethodArg,
    /// Inside a job: leave out what has been seen to crash or hang libraries
    #[arg(long)]
    safe: bool,
    /// Probe within the job of a launcher that is not noticed by itself
    #[arg(long)]
    in_job: bool,
    /// Be a rank of a job of the doctor's own, and run these probes
    #[arg(long, value_name = "PROBE,…", value_delimiter = ',', hide = true)]
    probe_job: Vec<String>,
    /// What such a rank asks MPI for
    #[arg(long, value_enum, default_value = "serialized", hide = true)]
    thread_level: ThreadLevelArg,
}

#[cfg(feature = "mpi")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum MethodArg {
    FetchAndOp,
    CompareAndSwap,
    SharedMemory,
}

#[cfg(feature = "mpi")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ThreadLevelArg {
    Funneled,
    Serialized,
    Multiple,
}

impl Doctor {
    /// Does what the arguments say. Failures are printed here.
    pub(super) fn run(self) -> ExitCode {
        if !self.read.is_empty() {
            return self.read().unwrap_or_else(|failure| failure.report());
        }
        #[cfg(not(feature = "mpi"))]
        return Failure::Usage(
            "this build has no MPI to examine: build it with the default features; --read shows what a \
             doctor found elsewhere"
                .into(),
        )
        .report();
        #[cfg(feature = "mpi")]
        return self.probe().unwrap_or_else(|failure| failure.report());
    }

    fn read(&self) -> Result<ExitCode, Failure> {
        let read = |path: &PathBuf| {
            let text = read_text(MAX_DOCUMENT_BYTES, path);
            text.and_then(|text| Document::from_json(&text))
                .map_err(|why| Failure::Usage(format!("cannot read {}: {why}", path.display())))
        };
        let documents: Vec<Document> = self.read.iter().map(read).collect::<Result<_, _>>()?;
        if self.matrix {
            print(&report::doctor_matrix(&documents))?;
            return Ok(ExitCode::SUCCESS);
        }
        match documents.as_slice() {
            [document] => self.tell(document),
            _ => Err(Failure::Usage(
                "--read shows one document; add --matrix for a table of several".into(),
            )),
        }
    }

    /// Prints the document, and gives the verdict's exit code.
    fn tell(&self, document: &Document) -> Result<ExitCode, Failure> {
        // What cannot be written is not lost: it is printed all the same.
        let written = self.write(document);
        match self.format {
            Format::Text => print(&report::doctor(document))?,
            Format::Json => print_json(document)?,
        }
        written?;
        Ok(ExitCode::from(document.verdict.exit_code))
    }

    /// Writes the document into the file that was asked for, if one was.
    fn write(&self, document: &Document) -> Result<(), Failure> {
        match &self.output {
            Some(path) => write_document(path, document),
            None => Ok(()),
        }
    }

    /// Whether there can be such a file: before anything is examined.
    #[cfg(feature = "mpi")]
    fn check_output(&self) -> Result<(), Failure> {
        let Some(path) = &self.output else {
            return Ok(());
        };
        Output::check(path).map_err(|error| {
            Failure::Usage(format!("cannot write --output {}: {error}", path.display()))
        })
    }
}

fn write_document(path: &Path, document: &Document) -> Result<(), Failure> {
    let cannot = |why: String| Failure::Run(format!("cannot write {}: {why}", path.display()));
    let text = serde_json::to_string_pretty(document).map_err(|error| cannot(error.to_string()))?;
    let write = || {
        let mut output = Output::create(path)?;
        output.write_all(text.as_bytes())?;
        output.write_all(b"\n")?;
        output.finish()
    };
    write().map_err(|error| cannot(error.to_string()))
}

#[cfg(feature = "mpi")]
impl Doctor {
    fn probe(self) -> Result<ExitCode, Failure> {
        if !self.probing.probe_job.is_empty() {
            return self.be_probed();
        }
        let library = rma::library()
            .map_err(|error| Failure::Run(format!("cannot ask MPI for its version: {error}")))?;
        if self.probing.in_job || Launch::from_environment().is_some() {
            return self.probe_in_job(&library);
        }
        let runner = self.probing.runner(library)?;
        self.check_output()?;
        let document = runner.run().map_err(Failure::Usage)?;
        self.tell(&document)
    }

    /// A rank of a job of the doctor's own.
    fn be_probed(self) -> Result<ExitCode, Failure> {
        let named = |name: &String| {
            Probe::named(name).ok_or_else(|| Failure::Usage(format!("there is no probe {name}")))
        };
        let Probing {
            probe_job,
            thread_level,
            within,
            ranks,
            ..
        } = &self.probing;
        let job = ProbeJob {
            probes: probe_job.iter().map(named).collect::<Result<_, _>>()?,
            ranks: ranks.unwrap_or(1),
            thread_level: match thread_level {
                ThreadLevelArg::Funneled => ThreadLevel::Funneled,
                ThreadLevelArg::Serialized => ThreadLevel::Serialized,
                ThreadLevelArg::Multiple => ThreadLevel::Multiple,
            },
            ends_within: *within,
        };
        Ok(ExitCode::from(job.run(keep_stdout_for_results()?)))
    }

    fn probe_in_job(self, library: &Library) -> Result<ExitCode, Failure> {
        let right = launcher::of(library);
        let right = right.as_deref();
        let launch = Launch::from_environment();
        if let Some(message) = launch.and_then(|launch| launch.cannot_start(library, right)) {
            return Err(Failure::Usage(message));
        }
        if self.format == Format::Json {
            keep_stdout_for_results()?;
        }
        let cannot = |error: rma::Error| Failure::Run(error.to_string());
        let mpi = Mpi::init_up_to(ThreadLevel::Serialized).map_err(cannot)?;
        let world = mpi.world().map_err(cannot)?;
        if let Some(launch) = Launch::from_environment() {
            if let Some(message) = launch.is_wrong_for(world.size(), library, right) {
                return Err(Failure::Usage(message));
            }
        }
        let refused = world.rank() == 0
            && self.check_output().is_err_and(|failure| {
                eprintln!("{failure}");
                true
            });
        let mut refused = [u8::from(refused)];
        let job = InJob {
            within: self.probing.within,
            claim_with: self.probing.claim_with.into(),
            safe_only: self.probing.safe,
        };
        let failed = Arc::new(AtomicBool::new(false));
        let of_job = Arc::clone(&failed);
        let code = world.broadcast(0, &mut refused).and_then(|()| {
            if refused == [1] {
                return Ok(2);
            }
            job.run(&world, library, move |told| {
                if let Err(failure) = self.tell_in_job(told) {
                    eprintln!("{failure}");
                    of_job.store(true, Ordering::Relaxed);
                }
            })
        });
        let code = match code.and_then(|code| world.free().map(|()| code)) {
            Ok(code) => code.max(u8::from(failed.load(Ordering::Relaxed))),
            Err(error) => end_job(error),
        };
        match mpi.finalize_at_last(code.into()) {
            Ok(()) => Ok(ExitCode::from(code)),
            Err(error) => end_job(error),
        }
    }

    fn tell_in_job(&self, told: Told<'_>) -> Result<(), Failure> {
        match (told, self.format) {
            (Told::Found(finding), Format::Text) => print(&report::doctor_finding(finding)),
            (Told::Found(_), Format::Json) => Ok(()),
            (Told::BeforeDanger(document), format) => {
                let written = self.write(document);
                if format == Format::Json {
                    // Not to stdout: should all go well there will be one document, and it is whole.
                    let text = serde_json::to_string(document).unwrap_or_default();
                    eprintln!("onesided: found so far: {text}");
                } else {
                    print(
                        "the probes that follow have been seen to hang libraries, or to end the job \
                         (--safe leaves them out)\n",
                    )?;
                }
                written
            }
            (Told::End(document), _) => self.tell_end(document),
        }
    }

    fn tell_end(&self, document: &Document) -> Result<(), Failure> {
        if self.format == Format::Text {
            print("\n")?;
        }
        self.tell(document).map(|_| ())
    }
}

#[cfg(feature = "mpi")]
impl Probing {
    fn runner(&self, library: Library) -> Result<Runner, Failure> {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let ranks = self.ranks.unwrap_or(match self.hosts.len() {
            0 => cores.clamp(2, 4) as u32,
            n => 2 * n as u32,
        });
        let template = match &self.launcher {
            Some(template) => template.clone(),
            None => default_launcher(|| launcher::of(&library))?,
        };
        let launcher =
            Launcher::new(&template, ranks, &self.hosts, library.family).map_err(Failure::Usage)?;
        let program = std::env::current_exe()
            .map_err(|error| Failure::Run(format!("cannot tell where this program is: {error}")))?;
        Ok(Runner {
            launcher,
            ranks,
            program,
            within: self.within,
            claim_with: self.claim_with.into(),
            library,
        })
    }
}

/// Ends the job on an error that other ranks may not know of.
#[cfg(feature = "mpi")]
fn end_job(error: rma::Error) -> ! {
    eprintln!("{}", Failure::Run(error.to_string()));
    rma::abort(1)
}

#[cfg(feature = "mpi")]
impl From<MethodArg> for ClaimMethod {
    fn from(arg: MethodArg) -> Self {
        match arg {
            MethodArg::FetchAndOp => ClaimMethod::FetchAndOp,
            MethodArg::CompareAndSwap => ClaimMethod::CompareAndSwap,
            MethodArg::SharedMemory => ClaimMethod::SharedMemory,
        }
    }
}
