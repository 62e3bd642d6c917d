//! Reading a run's folder: records as a stream, and where each rank's stream ends and why.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::bounds::Bounds;
use super::file::{HEADER_BYTES, Header, WRITE_OUT_EVERY, file_name};
use super::record::{Kind, RECORD_BYTES, Record};
use super::run::{RUN_FILE, RunInfo};

/// Records of one read. Two streams a rank are open at most, so this bounds the memory of reading.
const RECORDS_AT_ONCE: usize = 512;

/// With more ranks than this, files are opened anew for each read: 1024 open files is a common limit.
const MAX_OPEN_RANKS: usize = 128;

/// A run's folder, its files found and their headers read.
#[derive(Debug)]
pub struct Trace {
    pub folder: PathBuf,
    /// What `run.json` says.
    pub run: RunInfo,
    /// For each rank its header, or why there is none.
    headers: Vec<Result<Header, End>>,
}

/// Why a rank's records end where they end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The rank closed its file: all is there.
    Closed,
    /// The file was full, and so many records were dropped.
    Full { dropped: u64 },
    /// Recording was cut short: the rank died, or has not finished yet.
    CutShort,
    /// The same, of a file that could not be mapped into memory: the last records may not be there.
    CutShortUnmapped,
    /// The file is shorter than its header says.
    Truncated,
    /// What comes next is no record.
    Corrupt(String),
    /// The file is not there.
    Missing,
    /// The file cannot be read, or belongs to another run.
    Unreadable(String),
}

impl End {
    /// Whether everything that happened was recorded and read.
    pub fn is_complete(&self) -> bool {
        *self == End::Closed
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            End::Closed => f.write_str("complete"),
            End::Full { dropped } => {
                write!(f, "its file was full, and {dropped} records were dropped")
            }
            End::CutShort => {
                f.write_str("recording was cut short: it died there, or has not finished")
            }
            End::CutShortUnmapped => write!(
                f,
                "recording was cut short: it died, or has not finished; its file could not be mapped into \
                 memory, so records of the last {WRITE_OUT_EVERY:?} may be missing"
            ),
            End::Truncated => f.write_str("its file is cut off there"),
            End::Corrupt(why) => write!(f, "its file is corrupt there: {why}"),
            End::Missing => f.write_str("its file is missing"),
            End::Unreadable(why) => write!(f, "its file cannot be read: {why}"),
        }
    }
}

impl Trace {
    /// Opens a run's folder.
    ///
    /// # Errors
    /// Why this is no run of which anything can be said, in one line for the user. A rank's file that
    /// is missing or broken is no error: its records end at once.
    pub fn open(folder: &Path) -> Result<Self, String> {
        let run = RunInfo::read(folder)?;
        let run_id = run.run_number()?;
        let header = |rank| read_header(folder, rank, run.ranks, run_id);
        let headers: Vec<_> = (0..run.ranks).map(header).collect();
        if headers.iter().all(Result::is_err) {
            let why = headers.into_iter().next().and_then(Result::err);
            let why = why.unwrap_or(End::Missing);
            return Err(format!("no rank's records can be read; rank 0: {why}"));
        }
        Ok(Trace {
            folder: folder.into(),
            run,
            headers,
        })
    }

    /// The records of `rank`, from the first on.
    pub fn records(&self, rank: u32) -> Records {
        let keep_open = self.headers.len() <= most_open_ranks();
        let path = self.folder.join(file_name(rank));
        match self.headers.get(rank as usize) {
            Some(Ok(header)) => {
                let mut records =
                    Records::new(path, header, Some(Bounds::of(&self.run)), keep_open);
                if self.run.unmapped && records.end_at_last == End::CutShort {
                    records.end_at_last = End::CutShortUnmapped;
                }
                records
            }
            Some(Err(end)) => Records::none(path, end.clone()),
            None => Records::none(path, End::Missing),
        }
    }
}

/// As many ranks as may have their files open: two each, and others' files besides.
fn most_open_ranks() -> usize {
    const OTHERS: u64 = 32;
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let left = files.map_or(u64::MAX, |files| files.saturating_sub(OTHERS));
    MAX_OPEN_RANKS.min(usize::try_from(left / 2).unwrap_or(usize::MAX))
}

fn read_header(folder: &Path, rank: u32, n_ranks: u32, run_id: u64) -> Result<Header, End> {
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => End::Missing,
        std::io::ErrorKind::UnexpectedEof => End::Unreadable("it has no whole header".into()),
        _ => End::Unreadable(error.to_string()),
    };
    let mut bytes = [0; HEADER_BYTES];
    File::open(folder.join(file_name(rank)))
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(unreadable)?;
    let header = Header::from_bytes(&bytes).map_err(End::Unreadable)?;
    let in_it = format!("rank {} of {}", header.rank, header.n_ranks);
    let why = match header.run_id == run_id {
        false => format!("it is from another run (of {in_it})"),
        true if header.n_ranks != n_ranks => {
            format!("it is of {in_it}, and {RUN_FILE} has {n_ranks} ranks")
        }
        true if header.rank != rank => format!(
            "it is of {in_it} of this run: rename it to {}",
            file_name(header.rank)
        ),
        true => return Ok(header),
    };
    Err(End::Unreadable(why))
}

/// The records of one rank, in the order in which they happened. Ends where the file does, and then
/// says why.
#[derive(Debug)]
pub struct Records {
    path: PathBuf,
    bounds: Option<Bounds>,
    file: Option<File>,
    keep_open: bool,
    /// Records that are still in the file, as far as its header and length say.
    n_left: u64,
    /// Where in the file the next read begins.
    offset: u64,
    buffer: Vec<u8>,
    position: usize,
    n_read: u64,
    last_end_ns: u64,
    last_game: u32,
    /// Why the stream ends where `n_left` does.
    end_at_last: End,
    /// Why it has ended.
    end: Option<End>,
}

impl Records {
    fn none(path: PathBuf, end: End) -> Self {
        Records {
            path,
            bounds: None,
            file: None,
            keep_open: false,
            n_left: 0,
            offset: HEADER_BYTES as u64,
            buffer: Vec::new(),
            position: 0,
            n_read: 0,
            last_end_ns: 0,
            last_game: 0,
            end_at_last: end.clone(),
            end: Some(end),
        }
    }

    fn new(path: PathBuf, header: &Header, bounds: Option<Bounds>, keep_open: bool) -> Self {
        let len = match std::fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) => return Records::none(path, End::Unreadable(error.to_string())),
        };
        let n_slots = len.saturating_sub(HEADER_BYTES as u64) / RECORD_BYTES as u64;
        let (n_left, end_at_last) = match (header.recorded, header.dropped) {
            (Some(recorded), _) if recorded > n_slots => (n_slots, End::Truncated),
            (Some(recorded), 0) => (recorded, End::Closed),
            (Some(recorded), dropped) => (recorded, End::Full { dropped }),
            (None, _) if header.capacity > n_slots => (n_slots, End::Truncated),
            (None, 0) => (header.capacity, End::CutShort),
            (None, dropped) => (header.capacity, End::Full { dropped }),
        };
        Records {
            n_left,
            bounds,
            keep_open,
            end: None,
            end_at_last: end_at_last.clone(),
            ..Records::none(path, end_at_last)
        }
    }

    /// How many records were read so far.
    pub fn n_read(&self) -> u64 {
        self.n_read
    }

    /// Why the records have ended; `None` while there may be more.
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// Reads on. `false` at the end.
    #[cold]
    fn refill(&mut self) -> bool {
        if self.end.is_some() {
            return false;
        }
        let n = self.n_left.min(RECORDS_AT_ONCE as u64) as usize;
        if n == 0 {
            self.end = Some(self.end_at_last.clone());
            return false;
        }
        self.buffer.resize(n * RECORD_BYTES, 0);
        self.position = 0;
        let read = self.read_buffer();
        if let Err(error) = read {
            self.buffer.clear();
            self.end = Some(match error.kind() {
                std::io::ErrorKind::UnexpectedEof => End::Truncated,
                _ => End::Unreadable(error.to_string()),
            });
            return false;
        }
        self.n_left -= n as u64;
        self.offset += (n * RECORD_BYTES) as u64;
        true
    }

    fn read_buffer(&mut self) -> std::io::Result<()> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => {
                let mut file = File::open(&self.path)?;
                file.seek(SeekFrom::Start(self.offset))?;
                file
            }
        };
        file.read_exact(&mut self.buffer)?;
        self.file = self.keep_open.then_some(file);
        Ok(())
    }

    /// Why a record cannot come next.
    #[inline]
    fn violated_by(&self, record: &Record) -> Option<&'static str> {
        if record.begin_ns < self.last_end_ns {
            return Some("it begins before the one before ends");
        }
        if record.game < self.last_game {
            return Some("it is of an earlier game than the one before");
        }
        if record.kind == Kind::Start && record.game == self.last_game && self.n_read > 0 {
            return Some("it starts a game that has started");
        }
        self.bounds.and_then(|bounds| bounds.violated_by(record))
    }

    #[cold]
    fn finish(&mut self, end: End) -> Option<Record> {
        self.buffer.clear();
        self.position = 0;
        self.end = Some(end);
        None
    }
}

impl Iterator for Records {
    type Item = Record;

    #[inline]
    fn next(&mut self) -> Option<Record> {
        if self.position == self.buffer.len() && !self.refill() {
            return None;
        }
        let bytes = &self.buffer[self.position..][..RECORD_BYTES];
        let word =
            |index: usize| u64::from_le_bytes(bytes[8 * index..][..8].try_into().expect("8 bytes"));
        let record = match Record::from_words([word(0), word(1), word(2), word(3)]) {
            Ok(Some(record)) => record,
            Ok(None) => {
                let end = match self.end_at_last {
                    End::CutShort | End::CutShortUnmapped | End::Truncated => {
                        self.end_at_last.clone()
                    }
                    _ => End::Corrupt("a record is missing".into()),
                };
                return self.finish(end);
            }
            Err(why) => return self.finish(End::Corrupt(why.into())),
        };
        if let Some(why) = self.violated_by(&record) {
            return self.finish(End::Corrupt(why.into()));
        }
        (self.last_end_ns, self.last_game) = (record.end_ns, record.game);
        self.position += RECORD_BYTES;
        self.n_read += 1;
        Some(record)
    }
}

/// All records of one file, and why they end.
#[cfg(all(test, feature = "mpi"))]
pub(super) fn read_all(path: &Path) -> (Vec<Record>, End) {
    let mut bytes = [0; HEADER_BYTES];
    File::open(path).unwrap().read_exact(&mut bytes).unwrap();
    let header = Header::from_bytes(&bytes).unwrap();
    let mut records = Records::new(path.into(), &header, None, true);
    let all = records.by_ref().collect();
    (all, records.end().unwrap().clone())
}
