//! `--trace DIR`: the run's folder, from before the first game until after the last.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::super::Failure;
use super::HOME;
use crate::game::{self, Recording};
use crate::rma::{self, Comm};
use crate::trace::{
    self, Clocks, Header, RUN_FILE, RecordLayer, Recorder, RunInfo, Synchroniser, TracerCost,
    WholeFile,
};

/// What `--trace` and its companions say.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct TraceArgs {
    /// Record every think time, claim and allreduce of every rank into this folder
    #[arg(long, value_name = "DIR")]
    pub(super) trace: Option<PathBuf>,
    /// Room for so many records a rank (32 bytes each; what does not fit is counted and dropped)
    #[arg(long, value_name = "N", default_value_t = 1 << 20, requires = "trace",
          value_parser = clap::value_parser!(u64).range(1..=1 << 40))]
    pub(super) trace_records: u64,
    /// Replace the run in the folder, if there is one
    #[arg(long, requires = "trace")]
    pub(super) overwrite: bool,
}

/// A run that is being recorded. The same calls on all ranks: they are collective.
pub(super) struct Tracing<'a> {
    folder: PathBuf,
    recorder: &'a Recorder,
    synchroniser: Synchroniser,
    /// Of this rank's records.
    file: PathBuf,
    /// On rank 0.
    info: Option<RunInfo>,
}

/// What is wrong with a recording when its games are over.
pub(super) enum Trouble {
    /// It is there, but.
    Warning(String),
    /// It is gone: the folder is another run's, and nothing more was written there.
    Lost(String),
}

impl Trouble {
    /// Prints it, and gives the exit code of a process that has played well.
    pub(super) fn report(self) -> u8 {
        match self {
            Trouble::Warning(why) => {
                eprintln!("onesided: warning: {why}");
                0
            }
            Trouble::Lost(why) => {
                eprintln!("onesided: {why}");
                1
            }
        }
    }
}

impl TraceArgs {
    /// Makes the folder and starts recording. Collective. The failure on all ranks, each with the
    /// same one; rank 0 says it.
    pub(super) fn start<'a>(
        &self,
        folder: &Path,
        layer: &'a RecordLayer,
        world: &Comm<'_>,
        info: impl FnOnce(String, Clocks, TracerCost, Vec<String>) -> RunInfo,
    ) -> game::Result<Result<Tracing<'a>, Failure>> {
        let is_first = world.rank() == HOME;
        let prepared = match is_first {
            true => prepare(folder, self.overwrite),
            false => Ok(()),
        };
        if let Some(message) = first_failure(world, prepared)? {
            return Ok(Err(Failure::Usage(message)));
        }
        let run_id = match is_first {
            true => u64::from(game::draw_seed()) << 32 | u64::from(game::draw_seed()),
            false => 0,
        };
        let sign = match is_first {
            true => Sign::put_up(folder, run_id),
            false => Ok(Sign::none()),
        };
        let mut bytes = run_id.to_le_bytes();
        world.broadcast(HOME, &mut bytes)?;
        let run_id = u64::from_le_bytes(bytes);
        let sees_it = is_first || Sign::path(folder, run_id).exists();
        let header = Header {
            run_id,
            rank: world.rank().unsigned_abs(),
            n_ranks: world.size().unsigned_abs(),
            capacity: self.trace_records,
            dropped: 0,
            recorded: None,
        };
        let created = match (sees_it, &sign) {
            (_, Err(message)) => Err(message.clone()),
            // Nobody has looked yet whether there is a run, or another job has come since.
            _ if !self.overwrite => is_free(folder, header.rank, sees_it),
            _ => Ok(()),
        };
        let created = created.and_then(|()| create(folder, &header, layer));
        let (recorder, failure) = match created {
            Ok(recorder) => (Some(recorder), Ok(())),
            Err(message) => (None, Err(message)),
        };
        let failure = first_failure(world, failure)?;
        let (None, Some(recorder)) = (&failure, recorder) else {
            // Nothing of this run is left behind that a second attempt would find in its way.
            if recorder.is_some() {
                let _ = fs::remove_file(folder.join(trace::file_name(header.rank)));
            }
            let message = failure.unwrap_or_default();
            return Ok(Err(Failure::Run(format!("cannot record: {message}"))));
        };
        warn_of_others(folder, sees_it, world)?;
        let unmapped = warn_of_unmapped(folder, recorder, world)?;
        drop(sign); // all have looked
        // Through `tracing`, as the game will.
        let cost = recorder.measure_cost(trace::record);
        let host = rma::processor_name()?;
        let (synchroniser, clocks) = Synchroniser::before(world, &host)?;
        let hosts = world.gather(HOME, host.as_bytes())?;
        let info = clocks.zip(hosts).map(|(clocks, hosts)| {
            let hosts = hosts
                .iter()
                .map(|host| String::from_utf8_lossy(host).into());
            let info = info(format!("{run_id:016x}"), clocks, cost, hosts.collect());
            RunInfo { unmapped, ..info }
        });
        let written = info.as_ref().map_or(Ok(()), |info| {
            match folder.join(RUN_FILE).symlink_metadata() {
                Ok(_) => Err(format!(
                    "another job records into {} just now",
                    folder.display()
                )),
                Err(_) => write(folder, info),
            }
        });
        let file = folder.join(trace::file_name(header.rank));
        if let Some(message) = first_failure(world, written)? {
            if recorder.is_at(&file) {
                let _ = fs::remove_file(&file);
            }
            return Ok(Err(Failure::Run(message)));
        }
        Ok(Ok(Tracing {
            folder: folder.into(),
            file,
            recorder,
            synchroniser,
            info,
        }))
    }
}

impl Tracing<'_> {
    /// What the game tells of itself to be recorded.
    pub(super) fn observer(&self) -> Recording {
        Recording::default()
    }

    /// Ends recording. Collective. What went wrong with it, on rank 0: the games themselves went well.
    /// On rank 0, `interrupted` names the signal that ended the games, if one did.
    pub(super) fn finish(
        mut self,
        world: &Comm<'_>,
        interrupted: Option<String>,
    ) -> game::Result<Option<Trouble>> {
        let closed = self.close();
        let failure = first_failure(world, closed)?;
        let is_lost = first_failure(world, self.look_for_own())?.is_some();
        let dropped = world.gather(HOME, &self.recorder.n_dropped().to_le_bytes())?;
        self.synchroniser
            .after(world, self.info.as_mut().map(|info| &mut info.clocks))?;
        if is_lost {
            let lost = || Trouble::Lost(lost(&self.folder));
            return Ok(self.info.is_some().then(lost));
        }
        let (Some(info), Some(dropped)) = (self.info, dropped) else {
            return Ok(None);
        };
        let written = write_end(&self.folder, info, interrupted);
        let full = too_small(&dropped, self.recorder.capacity());
        Ok(failure.or(written.err()).or(full).map(Trouble::Warning))
    }

    /// The same on each rank by itself, where some died: with the clocks as they were before the game.
    pub(super) fn finish_alone(self, interrupted: Option<String>) -> Option<Trouble> {
        let closed = self.close();
        if self.look_for_own().is_err() {
            return Some(Trouble::Lost(lost(&self.folder)));
        }
        let Some(info) = self.info else {
            return closed.err().map(Trouble::Warning);
        };
        let written = write_end(&self.folder, info, interrupted);
        let dropped = self.recorder.n_dropped().to_le_bytes().to_vec();
        let full = too_small(&[dropped], self.recorder.capacity());
        let trouble = closed.err().or(written.err()).or(full);
        trouble.map(Trouble::Warning)
    }

    fn close(&self) -> Result<(), String> {
        let closed = self.recorder.close().map(drop);
        closed.map_err(|error| format!("cannot finish its records: {error}"))
    }

    /// Whether what this rank has in the folder is still there, and not another run's.
    fn look_for_own(&self) -> Result<(), String> {
        let is_own = |info: &RunInfo| {
            RunInfo::read(&self.folder).is_ok_and(|there| there.run_id == info.run_id)
        };
        match self.recorder.is_at(&self.file) && self.info.as_ref().is_none_or(is_own) {
            true => Ok(()),
            false => Err(lost(&self.folder)),
        }
    }
}

/// The message for a recording that is gone.
fn lost(folder: &Path) -> String {
    format!(
        "what was recorded into {} is gone: another job has recorded there meanwhile (--overwrite), or it was \
         removed; nothing more is written there",
        folder.display()
    )
}

fn write_end(folder: &Path, mut info: RunInfo, interrupted: Option<String>) -> Result<(), String> {
    info.ended = Some(now_in_words());
    info.interrupted = interrupted;
    write(folder, &info)
}

/// The warning where records were dropped.
fn too_small(dropped: &[Vec<u8>], capacity: u64) -> Option<String> {
    let dropped = dropped.iter().filter_map(|bytes| {
        let bytes = bytes.as_slice().try_into().ok()?;
        Some(u64::from_le_bytes(bytes)).filter(|&n| n > 0)
    });
    let dropped: Vec<u64> = dropped.collect();
    let most = dropped.iter().max()?;
    Some(format!(
        "the records of {} rank(s) did not fit, and up to {most} were dropped: the trace ends early \
         there. `--trace-records {}` has room for all",
        dropped.len(),
        capacity + most,
    ))
}

/// The folder, empty of runs. Another program's files stay.
fn prepare(folder: &Path, overwrite: bool) -> Result<(), String> {
    let say = |what: &str, error: io::Error| format!("cannot {what} {}: {error}", folder.display());
    fs::create_dir_all(folder).map_err(|error| say("make the folder", error))?;
    let entries = fs::read_dir(folder).map_err(|error| say("read", error))?;
    for entry in entries {
        let entry = entry.map_err(|error| say("read", error))?;
        if !overwrite {
            return Err(format!(
                "{} is not empty: name another folder for --trace, or add --overwrite to replace the \
                 run in it",
                folder.display()
            ));
        }
        let name = entry.file_name();
        if name.to_str().is_some_and(trace::is_own_file_name) {
            fs::remove_file(entry.path()).map_err(|error| say("replace the run in", error))?;
        }
    }
    Ok(())
}

fn create<'a>(
    folder: &Path,
    header: &Header,
    layer: &'a RecordLayer,
) -> Result<&'a Recorder, String> {
    let path = folder.join(trace::file_name(header.rank));
    // Where the folder is not shared between hosts, each has its own.
    fs::create_dir_all(folder)
        .and_then(|()| Recorder::create(&path, header))
        .map_err(|error| {
            let n_bytes = trace::RECORD_BYTES as f64 * header.capacity as f64;
            let less = match error.kind() {
                io::ErrorKind::StorageFull
                | io::ErrorKind::QuotaExceeded
                | io::ErrorKind::FileTooLarge => "; --trace-records asks for less",
                _ => "",
            };
            format!(
                "{}, with room for {} records ({:.1} MB): {error}{less}",
                path.display(),
                header.capacity,
                n_bytes / 1e6
            )
        })
        .and_then(|recorder| {
            let again = |_| "this process records another run already".to_owned();
            layer.start(recorder).map_err(again)
        })
}

/// A file in the folder of rank 0, whose name nobody has looked for before: a host that does not see it has
/// a folder of its own. (Of a name that was missing once, a network file system says so for a while.)
struct Sign(Option<PathBuf>);

impl Sign {
    fn path(folder: &Path, run_id: u64) -> PathBuf {
        folder.join(format!(".onesided-{run_id:016x}"))
    }

    fn none() -> Self {
        Sign(None)
    }

    fn put_up(folder: &Path, run_id: u64) -> Result<Self, String> {
        let path = Self::path(folder, run_id);
        match File::create_new(&path) {
            Ok(_) => Ok(Sign(Some(path))),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }
}

impl Drop for Sign {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // Nobody looks for it any more; it is small.
            let _ = fs::remove_file(path);
        }
    }
}

/// Whether the rank's place in a folder is free, which rank 0 has found free if the rank `sees` that one.
fn is_free(folder: &Path, rank: u32, sees: bool) -> Result<(), String> {
    let path = folder.join(trace::file_name(rank));
    let path = match path.symlink_metadata() {
        Ok(_) => path.display(),
        Err(_) => return Ok(()),
    };
    Err(match sees {
        true => format!("another job records into {path} just now"),
        false => format!(
            "{path} is there already, in a folder of this host's own: name another folder for --trace, or \
             add --overwrite"
        ),
    })
}

/// Says, before the game, that records are not all in one place. Collective.
fn warn_of_others(folder: &Path, sees_it: bool, world: &Comm<'_>) -> game::Result<()> {
    let host = match sees_it {
        true => String::new(),
        false => rma::processor_name()?,
    };
    let Some(hosts) = world.gather(HOME, host.as_bytes())? else {
        return Ok(());
    };
    let apart = hosts.iter().filter(|host| !host.is_empty());
    if let Some(first) = apart.clone().next() {
        let folder = folder.display();
        eprintln!(
            "onesided: warning: {} of {} ranks, the first on {}, do not see {folder} of rank {HOME} and record \
             into a folder of this name of their own: name one that all hosts share, or copy their \
             rank-*.records into that of rank {HOME} before you compare",
            apart.count(),
            hosts.len(),
            String::from_utf8_lossy(first),
        );
    }
    Ok(())
}

/// Warns, before the game, of ranks whose files cannot be mapped into memory. Whether there are any. Collective.
fn warn_of_unmapped(folder: &Path, recorder: &Recorder, world: &Comm<'_>) -> game::Result<bool> {
    let mapped = recorder
        .unmapped()
        .map_or(Ok(()), |why| Err(why.to_string()));
    let Some(why) = first_failure(world, mapped)? else {
        return Ok(false);
    };
    if world.rank() == HOME {
        eprintln!(
            "onesided: warning: files in {} cannot be mapped into memory ({why}): records are written every \
             {:?}, and a rank that is killed loses those since the last time. On a file system that shares \
             mappings no record is lost",
            folder.display(),
            trace::WRITE_OUT_EVERY,
        );
    }
    Ok(true)
}

/// Written beside and renamed: whoever reads it finds the old one or the new one, and whole.
fn write(folder: &Path, info: &RunInfo) -> Result<(), String> {
    let path = folder.join(RUN_FILE);
    let write = || {
        let text = serde_json::to_string_pretty(info)? + "\n";
        let mut file = WholeFile::create(&path)?;
        file.write_all(text.as_bytes())?;
        file.finish()
    };
    write().map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// The failure of the first rank that has one, on all ranks. Collective.
pub(super) fn first_failure(
    world: &Comm<'_>,
    outcome: Result<(), String>,
) -> game::Result<Option<String>> {
    let message = outcome.err();
    let mut first = String::new();
    if let Some(messages) = world.gather(HOME, message.unwrap_or_default().as_bytes())? {
        let failed = (0..)
            .zip(&messages)
            .find(|(_, message)| !message.is_empty());
        if let Some((rank, message)) = failed {
            first = match rank {
                HOME => String::from_utf8_lossy(message).into(),
                _ => format!("rank {rank}: {}", String::from_utf8_lossy(message)),
            };
        }
    }
    let text = world.broadcast_all_of(HOME, first.into_bytes())?;
    Ok((!text.is_empty()).then(|| String::from_utf8_lossy(&text).into()))
}

/// The wall clock's time, as `run.json` has it.
pub(super) fn now_in_words() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}
