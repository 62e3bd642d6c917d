//! What has been played: one line of JSON a run, appended when the run is over, and on the disk before the
//! next begins. A line is there or it is not: what a crash cut off is no line.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::checkpoint::sync_folder;
use crate::trace::{WholeFile, read_from_up_to};

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It was played to its end.
    Done,
    /// It ended otherwise.
    Failed,
    /// It had not ended within its time limit, and was ended; or its ranks ended it, because one had waited for
    /// too long.
    TimedOut,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Status::Done => "done",
            Status::Failed => "failed",
            Status::TimedOut => "timed-out",
        }
    }
}

/// A run that is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub cell: String,
    /// Which repetition, from 0.
    pub repetition: u32,
    pub seed: u64,
    pub status: Status,
    /// When it was started, by the wall clock.
    pub started: String,
    /// From the launcher's start to its end, in seconds.
    pub took_s: f64,
    /// Where it did not end in time: how long it would have taken at least, in seconds.
    #[serde(default)]
    pub at_least_s: Option<f64>,
    /// The launcher's exit code, where it has one.
    pub code: Option<i32>,
    pub signal: Option<i32>,
    /// What was wrong, in one line; `None` where nothing was.
    pub why: Option<String>,
    /// The end of what it said on stderr, or else on stdout, where it went wrong.
    pub said: Option<String>,
    /// What its metrics rest on: `trace`, or `summary` where the trace is not whole.
    pub source: Option<String>,
    pub mpi_library: Option<String>,
    pub hosts: Option<u32>,
    pub metrics: BTreeMap<String, f64>,
}

/// The journal, open for more.
#[derive(Debug)]
pub struct Journal {
    file: File,
}

/// Largest journal that is read: a plan has at most ten million runs, and no machine plays so many.
const MAX_JOURNAL_BYTES: u64 = 1 << 32;

/// Name of the journal in a batch's folder.
pub(super) const JOURNAL_FILE: &str = "journal.jsonl";

impl Journal {
    /// Opens or begins it, and takes away what a crash left of a line.
    ///
    /// # Errors
    /// Why it cannot be, in one line for the user.
    pub fn open(folder: &Path) -> Result<(Self, Vec<Entry>), String> {
        let path = folder.join(JOURNAL_FILE);
        let say = |error: io::Error| format!("cannot open {}: {error}", path.display());
        let mut file = open_own(&path).map_err(say)?;
        let (entries, whole) = read_from(&mut file, &path)?;
        let end = || {
            file.set_len(whole)?;
            file.seek(SeekFrom::Start(whole))?;
            file.sync_all()?;
            sync_folder(folder)
        };
        let mut end = end;
        end().map_err(say)?;
        Ok((Journal { file }, entries))
    }

    /// Appends a run that is over.
    ///
    /// # Errors
    /// What the system says: then the run counts as not played.
    pub fn append(&mut self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.file.sync_data()
    }
}

/// Opens or makes a file that is ours alone to write, and nothing that a symbolic link leads to.
pub(super) fn open_own(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let no_follow = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
    options.custom_flags(no_follow).open(path)
}

/// The entries of a batch's folder, without touching it.
///
/// # Errors
/// Why they cannot be read, in one line for the user.
pub fn read(folder: &Path) -> Result<Vec<Entry>, String> {
    let path = folder.join(JOURNAL_FILE);
    match File::open(&path) {
        Ok(mut file) => read_from(&mut file, &path).map(|(entries, _)| entries),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(format!("cannot open {}: {error}", path.display())),
    }
}

/// All entries, and how many bytes they take.
fn read_from(file: &mut File, path: &Path) -> Result<(Vec<Entry>, u64), String> {
    let bytes = read_from_up_to(MAX_JOURNAL_BYTES, file)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let whole = bytes
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |at| at + 1);
    let mut entries: Vec<Entry> = Vec::new();
    let mut known = BTreeSet::new();
    for (index, line) in bytes[..whole]
        .split_inclusive(|&byte| byte == b'\n')
        .enumerate()
    {
        // Reasons quote what they are about, whatever is in it.
        let wrong = |what: String| {
            let what = what.replace(char::is_control, " ");
            format!("{}:{}: {what}", path.display(), index + 1)
        };
        let entry: Entry = serde_json::from_slice(line)
            .map_err(|error| wrong(format!("no line of a journal: {error}")))?;
        if !known.insert((entry.cell.clone(), entry.repetition)) {
            let what = format!("run {} of {} is there twice", entry.repetition, entry.cell);
            return Err(wrong(what));
        }
        entries.push(entry);
    }
    Ok((entries, whole as u64))
}

/// Writes a file beside its name and renames it: whoever reads it finds the old one or the new one, whole.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = WholeFile::create(path)?;
    file.write_all(bytes)?;
    file.file().sync_all()?;
    file.finish()?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn entry(cell: &str, repetition: u32) -> Entry {
        Entry {
            cell: cell.into(),
            repetition,
            seed: 7,
            status: Status::Done,
            started: "2026-01-01T00:00:00Z".into(),
            took_s: 0.1 + f64::from(repetition),
            at_least_s: None,
            code: Some(0),
            signal: None,
            why: None,
            said: None,
            source: Some("trace".into()),
            mpi_library: Some("Open MPI 4.1.4".into()),
            hosts: Some(1),
            metrics: BTreeMap::from([("wall_s".into(), 1.0 / 3.0)]),
        }
    }

    #[test]
    fn wherever_a_crash_cuts_it_off_whole_lines_remain_and_more_can_follow() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(JOURNAL_FILE);
        assert_eq!(read(folder.path()), Ok(Vec::new()));
        let all: Vec<Entry> = (0..3)
            .map(|repetition| entry("a \"cell\"\n", repetition))
            .collect();
        let (mut journal, before) = Journal::open(folder.path()).unwrap();
        assert!(before.is_empty());
        all.iter().for_each(|entry| journal.append(entry).unwrap());
        let bytes = std::fs::read(&path).unwrap();
        let ends: Vec<usize> = (0..bytes.len())
            .filter(|&at| bytes[at] == b'\n')
            .map(|at| at + 1)
            .collect();
        assert_eq!(ends.len(), 3, "one line each");
        for cut in 0..=bytes.len() {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let n_whole = ends.iter().filter(|&&end| end <= cut).count();
            assert_eq!(read(folder.path()).unwrap(), all[..n_whole]);
            let (mut journal, entries) = Journal::open(folder.path()).unwrap();
            assert_eq!(entries, all[..n_whole], "cut at {cut}");
            journal.append(&entry("b", 9)).unwrap();
            assert_eq!(read(folder.path()).unwrap().len(), n_whole + 1);
        }
    }

    #[test]
    fn what_is_no_journal_is_refused_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(JOURNAL_FILE);
        let line = serde_json::to_string(&entry("a", 0)).unwrap();
        for (text, expected) in [
            (format!("{line}\nrubbish\n{line}\n"), ":2: no line"),
            (format!("{line}\n\n"), ":2: no line"),
            (format!("{line}\n{line}\n"), ":2: run 0 of a is there twice"),
        ] {
            std::fs::write(&path, &text).unwrap();
            let error = Journal::open(folder.path()).unwrap_err();
            assert!(error.contains(expected) && !error.contains('\n'), "{error}");
            assert_eq!(
                std::fs::read_to_string(&path).unwrap(),
                text,
                "nothing is taken away"
            );
        }
    }
}
