//! `--checkpoint FILE` and `--resume FILE`: what of a series of games survives the job.

mod background;
mod file;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::args::GameArgs;
use super::{HOME, recording};
use crate::game::{self, Saving, Series, parse_duration};
use crate::rma::Comm;
use background::Background;
use file::read;
pub(in crate::cli::play) use file::{NotWritten, Restart, Target};

/// What this process has written last, as the end of a sentence.
static LAST_WRITTEN: Mutex<Option<String>> = Mutex::new(None);

/// Whether the file of this process's checkpoints has become another job's.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// Where this process has written a checkpoint: which and when, as the end of a sentence.
pub(super) fn last_written() -> Option<String> {
    let last = LAST_WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
    last.clone().filter(|_| !was_taken())
}

fn has_written(file: &Path, saved: &str) {
    let words = format!(
        "; {} was last written at {saved}, and --resume goes on with it",
        file.display()
    );
    *LAST_WRITTEN.lock().unwrap_or_else(PoisonError::into_inner) = Some(words);
}

fn is_taken() {
    IS_TAKEN.store(true, Ordering::Relaxed);
}

/// Whether this process writes no checkpoints any more as its file has become another job's.
pub(super) fn was_taken() -> bool {
    IS_TAKEN.load(Ordering::Relaxed)
}

/// That `--resume` goes on with a file, as the end of a sentence; empty where there is none, or it has become
/// another job's.
pub(super) fn offered(file: Option<&Path>) -> String {
    match file.filter(|file| file.exists() && !was_taken()) {
        Some(file) => format!("; --resume {} goes on", file.display()),
        None => String::new(),
    }
}

/// The exit code of a process that has played well: 1 where its checkpoints [were taken](was_taken).
pub(super) fn exit_code() -> u8 {
    was_taken().into()
}

/// What `--checkpoint` and its companions say.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct CheckpointArgs {
    /// Keep what is claimed in this file, so that --resume can go on with it
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Write it so often; at a signal too (SIGUSR1: and go on)
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_interval)]
    checkpoint_every: Duration,
    /// Go on with the games of this checkpoint, on any number of ranks; writes it further unless
    /// --checkpoint names another file
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
}

fn parse_interval(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("it is 0, and writing takes some time".into()),
        interval => Ok(interval),
    }
}

impl CheckpointArgs {
    /// The file to write.
    pub(in crate::cli::play) fn file(&self) -> Option<&Path> {
        self.checkpoint.as_deref().or(self.resume.as_deref())
    }

    /// The same, for a job of `n_ranks` ranks that goes on with `restart`.
    pub(in crate::cli::play) fn target(
        &self,
        series: &Series,
        n_ranks: u32,
        restart: Option<&Restart>,
    ) -> Option<Target> {
        let file = self.file()?;
        let resumed = restart.filter(|_| self.resume.as_deref() == Some(file));
        Some(Target::new(file, series, n_ranks, resumed))
    }

    /// What to go on with, if anything. Collective; on all ranks the same, or the same failure.
    pub(in crate::cli::play) fn restart(
        &self,
        world: &Comm<'_>,
        game: &GameArgs,
    ) -> game::Result<Result<Option<Restart>, String>> {
        let own = match world.rank() {
            HOME => self
                .look(game)
                .map(|restart| restart.map(|restart| restart.to_bytes())),
            _ => Ok(None),
        };
        let (bytes, failure) = match own {
            Ok(bytes) => (bytes, Ok(())),
            Err(why) => (None, Err(why)),
        };
        if let Some(failure) = recording::first_failure(world, failure)? {
            return Ok(Err(failure));
        }
        let bytes = world.broadcast_all_of(HOME, bytes.unwrap_or_default())?;
        Ok(Ok(Restart::from_bytes(&bytes)))
    }

    /// On the home rank: that the file to be written is not one to be gone on with, and what to go on with.
    fn look(&self, game: &GameArgs) -> Result<Option<Restart>, String> {
        let Some(from) = &self.resume else {
            return match self.file().filter(|file| file.exists()) {
                Some(file) => Err(format!(
                    "{file} is there already: go on with it by --resume {file}, or remove it",
                    file = file.display()
                )),
                None => Ok(None),
            };
        };
        let other = self
            .checkpoint
            .as_ref()
            .filter(|file| *file != from && file.exists());
        if let Some(file) = other {
            return Err(format!(
                "{} is there already, and is not the checkpoint to go on with: remove it, or name \
                 another file for --checkpoint",
                file.display()
            ));
        }
        let restart =
            read(from).map_err(|why| format!("cannot resume from {}: {why}", from.display()))?;
        let (digits, games, seed) = restart.series();
        let differs = [
            ("digits", game.digits.map(u64::from), u64::from(digits)),
            ("games", game.games, games),
            ("seed", game.seed, seed),
        ];
        let differing = differs
            .iter()
            .find(|(_, asked, is)| asked.is_some_and(|asked| asked != *is));
        match differing {
            Some((name, Some(asked), is)) => Err(format!(
                "{} has --{name} {is}, and --{name} {asked} was asked for: leave that out",
                from.display()
            )),
            _ => Ok(Some(restart)),
        }
    }

    /// Where the home rank's snapshots go: to a thread that writes them, so that nobody waits for the disk.
    pub(in crate::cli::play) fn saving(&self, target: Target) -> game::Result<Saving<'static>> {
        let background = Background::start(target)?;
        Ok(Saving {
            every: self.checkpoint_every,
            write: Box::new(move |snapshot| background.write(snapshot.clone())),
        })
    }
}
