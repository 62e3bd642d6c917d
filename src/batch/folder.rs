//! A batch's folder: whose it is, what plan it is of, what has been played.
//!
//! ```text
//! plan.json       the plan, and the batch's number; written once
//! journal.jsonl   a line a run that is over
//! lock            held by the batch that is at work, where the file system has locks
//! cells/<cell>/<repetition>/   stdout, stderr and trace of each run
//! results.csv, results.json, report.html
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::journal::{Entry, Journal, open_own, read, write_whole};
use super::plan::{Plan, of_canonical};
use super::schedule::Run;
use crate::checkpoint::sync_folder;
use crate::launch::end_all_marked;
use crate::trace::{is_part_name, read_up_to};

/// Variable by which the processes of a batch's jobs are known.
pub const MARK: &str = "ONESIDED_BATCH";

/// Value of the field `format` of `plan.json`.
const PLAN_FORMAT: &str = "onesided-batch-plan/1";

const PLAN_FILE: &str = "plan.json";
/// Largest plan that is read.
const MAX_PLAN_BYTES: u64 = 1 << 26;
const LOCK_FILE: &str = "lock";

/// What `plan.json` has.
#[derive(Debug, Serialize, Deserialize)]
struct PlanFile {
    format: String,
    onesided: String,
    /// The batch's number, by which its processes are known.
    id: String,
    plan: BTreeMap<String, Vec<String>>,
}

/// A batch's folder, locked.
#[derive(Debug)]
pub struct Folder {
    /// Where it is, from the root.
    path: PathBuf,
    id: String,
    journal: Journal,
    /// Runs that were over when it was opened.
    entries: Vec<Entry>,
    /// Released when it is closed, however this process ends.
    _lock: File,
}

impl Folder {
    /// Opens the folder for this plan, or makes it; ends what jobs a batch that was killed left behind.
    ///
    /// # Errors
    /// Why this plan cannot be played in this folder, in words for the user.
    pub fn open(path: &Path, plan: &Plan) -> Result<Self, String> {
        let say =
            |what: &str, error: io::Error| format!("cannot {what} {}: {error}", path.display());
        fs::create_dir_all(path).map_err(|error| say("make the folder", error))?;
        let path = fs::canonicalize(path).map_err(|error| say("find", error))?;
        let plan_path = path.join(PLAN_FILE);
        if !plan_path.exists() {
            let entries = fs::read_dir(&path).map_err(|error| say("read", error))?;
            for entry in entries {
                let name = entry.map_err(|error| say("read", error))?.file_name();
                let name = name.to_string_lossy();
                // A batch that was killed at its very beginning leaves these.
                if name != LOCK_FILE && !is_part_name(&name) {
                    return Err(format!(
                        "{} has no batch in it, and is not empty ({name:?}): name another folder",
                        path.display()
                    ));
                }
            }
        }
        let lock = lock(&path)?;
        let file = match read_plan(&plan_path)? {
            Some(file) => {
                let differences = differences(&file.plan, plan);
                if !differences.is_empty() {
                    return Err(format!(
                        "{} has another plan in it: name another folder, or the same plan\n  {}",
                        path.display(),
                        differences.join("\n  ")
                    ));
                }
                file
            }
            None => {
                let texts = plan.canonical().iter();
                let file = PlanFile {
                    format: PLAN_FORMAT.into(),
                    onesided: env!("CARGO_PKG_VERSION").into(),
                    id: new_id(),
                    plan: texts
                        .map(|(key, texts)| ((*key).into(), texts.clone()))
                        .collect(),
                };
                let text = serde_json::to_vec_pretty(&file).map_err(|error| error.to_string())?;
                write_whole(&plan_path, &text)
                    .map_err(|error| format!("cannot write {}: {error}", plan_path.display()))?;
                file
            }
        };
        // A copy of the folder is another batch, which is not to end what the first one has started.
        let inode = fs::metadata(&path)
            .map_err(|error| say("find", error))?
            .ino();
        let id = format!("{}-{inode:x}", file.id);
        let n_ended = end_all_marked(MARK, &id);
        if n_ended > 0 {
            tracing::warn!("ended {n_ended} processes of a job that a batch had left behind");
        }
        let (journal, entries) = Journal::open(&path)?;
        Ok(Folder {
            path,
            id,
            journal,
            entries,
            _lock: lock,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What [`MARK`] is for the batch's jobs.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Runs that are over.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Writes down that a run is over.
    pub fn append(&mut self, entry: Entry) -> io::Result<()> {
        self.journal.append(&entry)?;
        self.entries.push(entry);
        Ok(())
    }

    /// A run's own folder, empty: what is left of a run that was not written down is gone.
    pub fn for_run(&self, cell: &str, run: Run) -> io::Result<PathBuf> {
        let path = run_folder(&self.path, cell, run.repetition);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::create_dir_all(&path)?;
        Ok(path)
    }
}

/// Where a run's output is, in a batch's folder: repetitions are counted from 1 there.
pub fn run_folder(batch: &Path, cell: &str, repetition: u32) -> PathBuf {
    batch
        .join("cells")
        .join(cell)
        .join(format!("{:03}", u64::from(repetition) + 1))
}

/// The plan and the runs of a folder, without touching it.
///
/// # Errors
/// Why there is no batch to read, in one line for the user.
pub fn read_folder(path: &Path) -> Result<(Plan, Vec<Entry>), String> {
    let plan_path = path.join(PLAN_FILE);
    let file = read_plan(&plan_path)?.ok_or_else(|| {
        format!(
            "{} has no batch in it: there is no {PLAN_FILE}",
            path.display()
        )
    })?;
    let texts: Vec<(String, Vec<String>)> = file.plan.into_iter().collect();
    let plan = of_canonical(&texts).map_err(|bad| {
        let bad: Vec<String> = bad.iter().map(ToString::to_string).collect();
        format!("{}: {}", plan_path.display(), bad.join("; "))
    })?;
    Ok((plan, read(path)?))
}

fn lock(folder: &Path) -> Result<File, String> {
    let path = folder.join(LOCK_FILE);
    let say = |error: io::Error| format!("cannot lock {}: {error}", path.display());
    let mut file = open_own(&path).map_err(say)?;
    match lock_in_time(&file) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let holder = fs::read_to_string(&path).unwrap_or_default();
            let holder = match holder.trim() {
                "" => String::new(),
                process => format!(" (process {process})"),
            };
            return Err(format!(
                "another batch{holder} is at work in {}: wait for it, or name another folder",
                folder.display()
            ));
        }
        // Lustre without the mount option flock, NFS without its lock service, FUSE.
        Err(
            error @ (rustix::io::Errno::NOSYS
            | rustix::io::Errno::NOLCK
            | rustix::io::Errno::OPNOTSUPP),
        ) => {
            tracing::warn!(
                "the file system of {} has no locks ({error}): nothing keeps a second batch out of the \
                 folder, so start none while this one is at work",
                folder.display()
            );
        }
        Err(error) => return Err(say(error.into())),
    }
    // For people alone: it is the lock that counts.
    let written = file
        .set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()));
    written.and_then(|()| sync_folder(folder)).map_err(say)?;
    Ok(file)
}

/// Locks `file`; `WOULDBLOCK` if another batch holds the lock.
///
/// A process that a batch is starting has all files of the batch until it executes its program. If the batch is killed
/// meanwhile, that process holds the lock a little longer, on busy cores for a while.
fn lock_in_time(file: &File) -> rustix::io::Result<()> {
    const TIMEOUT: Duration = Duration::from_secs(3);
    const BETWEEN_TRIES: Duration = Duration::from_millis(20);
    let start = Instant::now();
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) if start.elapsed() < TIMEOUT => {
                sleep(BETWEEN_TRIES);
            }
            locked => return locked,
        }
    }
}

fn read_plan(path: &Path) -> Result<Option<PlanFile>, String> {
    // Reasons quote what they are about, whatever is in it.
    let say = |why: String| {
        let why = why.replace(char::is_control, " ");
        format!("cannot read {}: {why}", path.display())
    };
    let bytes = match read_up_to(MAX_PLAN_BYTES, path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(say(error.to_string())),
    };
    let text = String::from_utf8(bytes).map_err(|_| say("it is no text in UTF-8".into()))?;
    crate::trace::check_format(&text, PLAN_FORMAT).map_err(say)?;
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|error| say(error.to_string()))
}

/// In which keys the plan of the folder and this one differ, in words.
fn differences(there: &BTreeMap<String, Vec<String>>, plan: &Plan) -> Vec<String> {
    let here: BTreeMap<&str, &Vec<String>> = plan
        .canonical()
        .iter()
        .map(|(key, texts)| (*key, texts))
        .collect();
    let keys: std::collections::BTreeSet<&str> = there
        .keys()
        .map(String::as_str)
        .chain(here.keys().copied())
        .collect();
    let words = |texts: Option<&Vec<String>>| match texts {
        Some(texts) => texts.join(", "),
        None => "not given".into(),
    };
    let differing = keys
        .into_iter()
        .filter(|&key| there.get(key) != here.get(key).copied());
    differing
        .map(|key| {
            let (there, here) = (there.get(key), here.get(key).copied());
            format!("{key}: {} there, {} here", words(there), words(here))
        })
        .collect()
}

/// A number that no other batch has.
fn new_id() -> String {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    format!("{:x}-{:x}", since.as_nanos(), std::process::id())
}

#[cfg(test)]
mod tests {
    use super::super::journal::tests::entry;
    use super::super::values::Values;
    use super::*;

    fn plan(flags: &[(&str, &str)]) -> Plan {
        let mut values = Values::default();
        for (name, text) in flags {
            values.flag(name, &[(*text).to_owned()]);
        }
        Plan::new(values).unwrap()
    }

    #[test]
    fn a_folder_belongs_to_one_batch_and_one_plan() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join(" a folder\nwith 'a' name");
        let first = plan(&[("ranks", "2"), ("launcher", "mpirun -n {ranks}")]);
        let mut folder = Folder::open(&path, &first).unwrap();
        folder.append(entry("a", 0)).unwrap();

        let error = Folder::open(&path, &first).unwrap_err();
        let own = format!("(process {})", std::process::id());
        assert!(
            error.contains("another batch") && error.contains(&own),
            "{error}"
        );
        drop(folder);

        let other = plan(&[
            ("ranks", "2,4"),
            ("repeat", "3"),
            ("out", "x"),
            ("time-limit", "9s"),
        ]);
        let error = Folder::open(&path, &other).unwrap_err();
        for difference in [
            "ranks: 2 there, 2, 4 here",
            "repeat: 10 there, 3 here",
            "launcher: mpirun -n {ranks} there, not given here",
        ] {
            assert!(error.contains(difference), "{error}");
        }
        assert_eq!(
            error.lines().filter(|line| line.starts_with("  ")).count(),
            3,
            "{error}"
        );

        let again = Folder::open(&path, &first).unwrap();
        assert_eq!(again.entries(), [entry("a", 0)]);
        let (read, entries) = read_folder(&path).unwrap();
        assert_eq!((read.cells, entries), (first.cells, vec![entry("a", 0)]));
    }

    #[test]
    fn nobody_s_files_are_taken_for_a_batch() {
        let scratch = tempfile::tempdir().unwrap();
        fs::write(scratch.path().join("thesis.tex"), "").unwrap();
        let error = Folder::open(scratch.path(), &plan(&[])).unwrap_err();
        assert!(
            error.contains("is not empty") && error.contains("thesis.tex"),
            "{error}"
        );
        assert_eq!(
            fs::read_dir(scratch.path()).unwrap().count(),
            1,
            "nothing is added"
        );
        assert!(
            read_folder(scratch.path())
                .unwrap_err()
                .contains("no batch in it")
        );
    }

    #[test]
    fn what_is_left_of_a_run_is_gone_and_other_runs_stay() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = Folder::open(scratch.path(), &plan(&[])).unwrap();
        let run = |repetition| Run {
            cell: 0,
            repetition,
            seed: 0,
        };
        let (first, second) = (folder.for_run("a", run(0)), folder.for_run("a", run(1)));
        let (first, second) = (first.unwrap(), second.unwrap());
        fs::create_dir(first.join("trace")).unwrap();
        fs::write(first.join("trace/rank-0"), "half").unwrap();
        fs::write(second.join("stdout"), "whole").unwrap();
        assert_eq!(folder.for_run("a", run(0)).unwrap(), first);
        assert_eq!(fs::read_dir(&first).unwrap().count(), 0);
        assert!(first.ends_with("cells/a/001") && second.join("stdout").exists());
    }
}
