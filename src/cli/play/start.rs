//! The start of a job: all ranks tell rank 0 what they were asked for, and either all play or all end.
//!
//! Launchers start ranks with different arguments where they are told to, or where a shell makes the arguments
//! of each rank. Ranks that go into different collective calls hang without a word, and ranks that play with
//! different settings make a result that nothing reproduces. So one exchange comes before all other collective
//! calls, and a rank that cannot play, because its arguments do not parse for one, comes to it too.

mod differences;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::Failure;
use super::{HOME, last_resort, sentinel};
use crate::game;
use crate::pulse::{self, Place};
use crate::rma::launcher::Launch;
use crate::rma::{self, Comm, Library, Mpi, ThreadLevel};

/// For how long a rank that cannot play waits for the others: MPI takes less to start. Then it reports its
/// failure by itself.
const PATIENCE: Duration = Duration::from_secs(30);

/// By how much the first process is ahead where each is a job of its own: launchers take less to end the others.
const FIRST_AHEAD: Duration = Duration::from_secs(3);

/// What a rank was asked for: each setting by its name and, where it has one, its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) struct Settings {
    version: String,
    options: Vec<(String, Option<String>)>,
}

/// How a rank ends that does not play.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) struct Ending {
    code: u8,
    /// For stdout with exit code 0, as `--help` has it, else for stderr.
    text: String,
}

/// What a rank brings to the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Brought {
    Settings(Settings),
    Ending(Ending),
}

impl Settings {
    /// Those of `onesided play VERSION`, by the definition of the program and what was parsed.
    pub(in crate::cli) fn of(program: &clap::Command, parsed: &clap::ArgMatches) -> Self {
        let mut version = String::new();
        let (mut definition, mut parsed) = (program, parsed);
        while let Some((name, below)) = parsed.subcommand() {
            version = name.into();
            parsed = below;
            definition = definition.find_subcommand(name).unwrap_or(definition);
        }
        let options = definition.get_arguments().filter_map(|argument| {
            let values = parsed.try_get_raw(argument.get_id().as_str()).ok()?;
            let values = values.map(|values| {
                let values: Vec<String> = values.map(lossless).collect();
                values.join(" ")
            });
            Some((format!("--{}", argument.get_long()?), values))
        });
        Settings {
            version,
            options: options.collect(),
        }
    }

    /// Adds what ranks have to have in common beside their arguments.
    pub(super) fn with_programs(mut self, library: &Library) -> Self {
        let programs = [
            ("the version of onesided", env!("CARGO_PKG_VERSION").into()),
            ("the MPI library", library.to_string()),
        ];
        self.options
            .extend(programs.map(|(name, value)| (name.into(), Some(value))));
        self
    }
}

/// A value as text: different ones as different texts.
fn lossless(value: &std::ffi::OsStr) -> String {
    match value.to_str() {
        Some(text) => text.into(),
        None => format!("{value:?}"),
    }
}

impl From<&Failure> for Ending {
    fn from(failure: &Failure) -> Self {
        Ending {
            code: failure.exit_code(),
            text: format!("{failure}\n"),
        }
    }
}

impl From<&clap::Error> for Ending {
    fn from(error: &clap::Error) -> Self {
        Ending {
            code: u8::try_from(error.exit_code()).unwrap_or(2),
            text: error.render().to_string(),
        }
    }
}

impl Ending {
    fn print(&self) {
        match self.code {
            0 => {
                // Where it cannot be printed nothing else can be done.
                let _ = std::io::stdout().lock().write_all(self.text.as_bytes());
            }
            _ => eprintln!("{}", self.text.trim_end()),
        }
    }

    /// Ends a rank that cannot play, or need not, together with the others of its job. Collective where the
    /// launcher started several.
    pub(in crate::cli) fn of_job(self) -> ExitCode {
        let code = self.code;
        let Some(launch) = Launch::from_environment() else {
            self.print();
            return code.into();
        };
        if super::cannot_start().is_some() {
            self.print_alone(&launch);
            return code.into();
        }
        let is_heard = self.clone().print_in_the_end();
        sentinel::start(None, None, false);
        let Ok(mpi) = Mpi::init_up_to(ThreadLevel::Funneled) else {
            self.print_alone(&launch);
            return code.into();
        };
        let ended = mpi.world().map_err(game::Error::from).and_then(|world| {
            let code = match world.size() {
                1 => {
                    is_heard.store(true, Ordering::SeqCst);
                    self.print_alone(&launch);
                    code
                }
                _ => meet(&world, &Brought::Ending(self))?.unwrap_or(code),
            };
            is_heard.store(true, Ordering::SeqCst);
            world.free()?;
            Ok(code)
        });
        let code = ended.unwrap_or_else(|error| super::end_job(&error, false));
        finish(mpi, code)
    }

    /// Prints, the first process before the others: most launchers end these when that one has ended.
    fn print_alone(&self, launch: &Launch) {
        if launch.rank != 0 {
            std::thread::sleep(FIRST_AHEAD);
        }
        self.print();
    }

    /// Ends a process under a launcher that started several, each of which is alone and ends so: the first
    /// prints.
    pub(super) fn of_singletons(&self, launch: &Launch) -> u8 {
        match launch.rank {
            0 => self.print(),
            _ => std::thread::sleep(FIRST_AHEAD),
        }
        self.code
    }

    /// Prints and ends this process when the others have not come for long. Not any more when what is returned
    /// is set.
    fn print_in_the_end(self) -> Arc<AtomicBool> {
        let is_heard = Arc::new(AtomicBool::new(false));
        let of_thread = Arc::clone(&is_heard);
        std::thread::spawn(move || {
            std::thread::sleep(PATIENCE);
            if of_thread.load(Ordering::SeqCst) {
                return;
            }
            self.print();
            let patience = PATIENCE.as_secs();
            eprintln!(
                "onesided: the other ranks have not started MPI within {patience} s: this one ends"
            );
            sentinel::goodbye(false);
            rma::exit_now(self.code.into());
        });
        is_heard
    }
}

/// Ends MPI, as the last thing that this process does.
pub(super) fn finish(mpi: Mpi, code: u8) -> ExitCode {
    // The first rank that ends with another code than 0 may have its launcher send SIGTERM to the others.
    last_resort::has_stopped();
    sentinel::goodbye(code == 0);
    pulse::at(Place::End, 0);
    match mpi.finalize_at_last(code.into()) {
        Ok(()) => code.into(),
        Err(error) => super::end_job(&error.into(), false),
    }
}

/// Whether all ranks would play with the same settings. If not, prints why not on rank 0, and gives the exit
/// code of all ranks. Collective; the first collective call of a job but for the one that duplicates `world`.
pub(super) fn agree(world: &Comm<'_>, settings: Settings) -> game::Result<Option<u8>> {
    meet(world, &Brought::Settings(settings))
}

fn meet(world: &Comm<'_>, brought: &Brought) -> game::Result<Option<u8>> {
    const ALL_PLAY: u8 = u8::MAX;
    let own = serde_json::to_vec(brought).unwrap_or_default();
    let mut code = [ALL_PLAY];
    if let Some(all) = world.gather(HOME, &own)? {
        let all: Vec<Option<Brought>> = all
            .iter()
            .map(|bytes| serde_json::from_slice(bytes).ok())
            .collect();
        if let Some(ending) = differences::ending(&all) {
            ending.print();
            code = [ending.code];
        }
    }
    world.broadcast(HOME, &mut code)?;
    let [code] = code;
    Ok((code != ALL_PLAY).then_some(code))
}
