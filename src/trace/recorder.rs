//! The recorder: records into a pre-faulted memory map of the rank's file.
//!
//! The one place outside `rma/` with unsafe code: a memory map is memory that the compiler does not
//! know. It is used as a slice of atomics, so that nothing is assumed of who else writes the file.
#![allow(
    unsafe_code,
    reason = "a memory map is viewed as a slice of atomic words"
)]

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use memmap2::{MmapOptions, MmapRaw};
use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use super::event::now_ns;
use super::file::{CLOSED_WORD, DROPPED_WORD, HEADER_BYTES, HEADER_WORDS, Header, RECORDED_WORD};
use super::record::{Kind, Outcome, RECORD_BYTES, Record};
use super::run::TracerCost;

/// 64-bit words of a record.
const RECORD_WORDS: usize = RECORD_BYTES / 8;

/// Bytes of the smallest page that any system has.
const PAGE_BYTES: usize = 4096;

/// The slot of the next record once the file is closed.
const CLOSED: u64 = u64::MAX / 2;

/// Writes the records of one rank into its file.
///
/// A record is four stores into mapped memory: no lock, no allocation, no system call. The memory
/// belongs to the file, so what was recorded is there after `kill -9`. Room is made once, on disk and
/// in memory, when the recorder is created; when it is used up, records are counted and dropped.
///
/// Where a file system cannot share a file's memory (FUSE with `direct_io`, some 9p mounts), the memory is the
/// process's own, and [`write_out`](Recorder::write_out) copies it to the file: `kill -9` takes what was not
/// yet copied. Recording itself is the same.
///
/// A page that the kernel has written to the disk meanwhile faults once more when it is written to
/// again: 3 us every 128 records, on ext4, in runs longer than half a minute.
#[derive(Debug)]
pub struct Recorder {
    file: File,
    map: MmapRaw,
    capacity: u64,
    /// The slot of the next record; beyond `capacity` there is none.
    next: AtomicU64,
    /// Where `map` is not the file's memory.
    apart: Option<Apart>,
}

/// What is to be known where the memory of the records is not the file's.
#[derive(Debug)]
struct Apart {
    /// Why the file could not be mapped.
    why: io::Error,
    /// How many records are in the file.
    n_written: Mutex<u64>,
}

impl Apart {
    fn n_written(&self) -> MutexGuard<'_, u64> {
        self.n_written
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorder {
    /// Creates the file at `path`, with room for `header.capacity` records. An existing file is
    /// replaced.
    ///
    /// # Errors
    /// What the system says: no such folder, no room on the disk.
    pub fn create(path: &Path, header: &Header) -> io::Result<Self> {
        let too_large = || io::Error::from(io::ErrorKind::FileTooLarge);
        let n_bytes = usize::try_from(header.capacity)
            .ok()
            .and_then(|n| n.checked_mul(RECORD_BYTES)?.checked_add(HEADER_BYTES))
            .filter(|&n| isize::try_from(n).is_ok())
            .ok_or_else(too_large)?;
        // Not `truncate`: a recorder of another process may have the old file mapped.
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)?;
        // Room on disk now: without it, the first store into a page that the disk has no room for is a
        // SIGBUS in the middle of a game.
        let reserve = |n_bytes: usize| {
            match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, n_bytes as u64) {
                // A profiler's signals would interrupt every further attempt too; writing goes on after each.
                Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INTR) => {
                    fill_with_zeros(&file, n_bytes)?;
                }
                reserved => reserved?,
            }
            map_or_allocate(&file, n_bytes)
        };
        let (map, apart) = reserve(n_bytes).inspect_err(|_| {
            // It is a failure already.
            let _ = std::fs::remove_file(path);
        })?;
        let recorder = Recorder {
            file,
            map,
            capacity: header.capacity,
            next: AtomicU64::new(0),
            apart,
        };
        // Pre-fault by writing: a page that was only read faults again when it is written first.
        for page in recorder.words().chunks(PAGE_BYTES / 8) {
            page[0].store(0, Ordering::Relaxed);
        }
        for (word, value) in recorder.words().iter().zip(header.to_words()) {
            word.store(value.to_le(), Ordering::Relaxed);
        }
        recorder.write_out()?;
        Ok(recorder)
    }

    /// Why the memory of the records is not the file's, where it is not. Somebody has to call
    /// [`write_out`](Recorder::write_out) every now and then in that case.
    pub fn unmapped(&self) -> Option<&io::Error> {
        self.apart.as_ref().map(|apart| &apart.why)
    }

    /// Whether [`close`](Recorder::close) was called.
    pub fn is_closed(&self) -> bool {
        self.next.load(Ordering::Relaxed) >= CLOSED
    }

    /// Copies what was recorded since the last time to the file, where their memory is not the same. From any
    /// thread, while others record. What the system refuses is copied next time.
    pub fn write_out(&self) -> io::Result<()> {
        match &self.apart {
            Some(apart) => {
                let until = self.next.load(Ordering::Relaxed).min(self.capacity);
                self.copy_out(&mut apart.n_written(), until)
            }
            None => Ok(()),
        }
    }

    /// Copies the header, and the records from `n_written` to `until`, or to the first that is not yet whole.
    fn copy_out(&self, n_written: &mut u64, until: u64) -> io::Result<()> {
        const AT_ONCE: usize = 1 << 16;
        let mut piece = Vec::with_capacity(AT_ONCE);
        loop {
            let at = HEADER_BYTES as u64 + *n_written * RECORD_BYTES as u64;
            while *n_written + ((piece.len() / RECORD_BYTES) as u64) < until
                && piece.len() < AT_ONCE
            {
                let index = *n_written as usize + piece.len() / RECORD_BYTES;
                let slot = &self.words()[HEADER_WORDS + index * RECORD_WORDS..][..RECORD_WORDS];
                if slot[1].load(Ordering::Acquire) == 0 {
                    break;
                }
                piece.extend(slot.iter().flat_map(bytes_of));
            }
            if piece.is_empty() {
                break;
            }
            self.file.write_all_at(&piece, at)?;
            *n_written += (piece.len() / RECORD_BYTES) as u64;
            piece.clear();
        }
        piece.extend(self.words()[..HEADER_WORDS].iter().flat_map(bytes_of));
        self.file.write_all_at(&piece, 0)
    }

    /// The file's memory, as words.
    #[inline(always)]
    fn words(&self) -> &[AtomicU64] {
        // SAFETY: the map has `len` bytes, begins at a page, and lives as long as `self`; any bytes are
        // an atomic word, and atomics may be written by anybody at any time.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast(), self.map.len() / 8) }
    }

    /// Writes a record given as [`Record::to_words`], or counts it where there is no room.
    ///
    /// From any thread. The word that says that a record is there is written last, so one that was
    /// cut off half way is not taken for a record.
    #[inline]
    pub fn push(&self, words: [u64; 4]) {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        if index >= self.capacity {
            return self.drop_one(index);
        }
        let slot = &self.words()[HEADER_WORDS + index as usize * RECORD_WORDS..][..RECORD_WORDS];
        slot[0].store(words[0].to_le(), Ordering::Relaxed);
        slot[2].store(words[2].to_le(), Ordering::Relaxed);
        slot[3].store(words[3].to_le(), Ordering::Relaxed);
        slot[1].store(words[1].to_le(), Ordering::Release);
    }

    #[cold]
    #[inline(never)]
    fn drop_one(&self, index: u64) {
        if index < CLOSED {
            self.words()[DROPPED_WORD]
                .store((index + 1 - self.capacity).to_le(), Ordering::Relaxed);
        }
    }

    /// Whether the file is still the one at `path`, and not another run's by now.
    pub fn is_at(&self, path: &Path) -> bool {
        let own = self.file.metadata();
        let there = std::fs::symlink_metadata(path);
        own.ok()
            .zip(there.ok())
            .is_some_and(|(own, there)| (own.dev(), own.ino()) == (there.dev(), there.ino()))
    }

    /// How many records the file has room for.
    pub fn capacity(&self) -> u64 {
        self.capacity
    }

    /// How many records were dropped for want of room.
    pub fn n_dropped(&self) -> u64 {
        u64::from_le(self.words()[DROPPED_WORD].load(Ordering::Relaxed))
    }

    /// Measures what recording costs on this rank, by way of `emit`, and removes all traces of that.
    /// Before the first record.
    pub fn measure_cost(&self, emit: impl Fn(&Record)) -> TracerCost {
        const BATCHES: usize = 101;
        // Nothing of it is copied to the file.
        let _held = self.apart.as_ref().map(Apart::n_written);
        let batch = self.capacity.clamp(1, 64);
        let record = Record {
            kind: Kind::Start,
            outcome: Outcome::None,
            game: 0,
            item: 0,
            begin_ns: 0,
            end_ns: 0,
            word: 0,
        };
        let median_ns = |once: &dyn Fn()| {
            let mut samples: Vec<f64> = (0..BATCHES)
                .map(|_| {
                    let begin_ns = now_ns();
                    (0..batch).for_each(|_| once());
                    (now_ns() - begin_ns) as f64 / batch as f64
                })
                .collect();
            samples.sort_by(f64::total_cmp);
            samples[BATCHES / 2]
        };
        let clock_ns = median_ns(&|| {
            std::hint::black_box(now_ns());
        });
        let record_ns = median_ns(&|| {
            emit(&record);
            // Over and over into the first slots, as far as there are any.
            let _ = self
                .next
                .compare_exchange(batch, 0, Ordering::Relaxed, Ordering::Relaxed);
        });
        self.next.store(0, Ordering::Relaxed);
        for word in
            &self.words()[HEADER_WORDS..][..batch.min(self.capacity) as usize * RECORD_WORDS]
        {
            word.store(0, Ordering::Relaxed);
        }
        self.words()[DROPPED_WORD].store(0, Ordering::Relaxed);
        TracerCost {
            record_ns,
            clock_ns,
        }
    }

    /// Ends recording: the file says that it is complete, and gives back the room that it did not
    /// need. Returns how many records it has. After the last record of all threads; records that come
    /// later are dropped.
    pub fn close(&self) -> io::Result<u64> {
        let next = self.next.swap(CLOSED, Ordering::Relaxed);
        let recorded = next.min(self.capacity);
        let words = self.words();
        if u64::from_le(words[CLOSED_WORD].load(Ordering::Relaxed)) == 1 {
            return Ok(u64::from_le(words[RECORDED_WORD].load(Ordering::Relaxed)));
        }
        let dropped = next - recorded; // exact, whichever of several threads dropped last
        words[DROPPED_WORD].store(dropped.to_le(), Ordering::Relaxed);
        words[RECORDED_WORD].store(recorded.to_le(), Ordering::Relaxed);
        words[CLOSED_WORD].store(1u64.to_le(), Ordering::Release);
        if let Some(apart) = &self.apart {
            self.copy_out(&mut apart.n_written(), recorded)?;
        }
        self.file
            .set_len(HEADER_BYTES as u64 + recorded * RECORD_BYTES as u64)?;
        Ok(recorded)
    }
}

/// The file's memory; or as much of the process's own, and why.
fn map_or_allocate(file: &File, n_bytes: usize) -> io::Result<(MmapRaw, Option<Apart>)> {
    let mut options = MmapOptions::new();
    match options.len(n_bytes).map_raw(file) {
        Ok(map) => Ok((map, None)),
        Err(error) if error.kind() == io::ErrorKind::OutOfMemory => Err(error),
        Err(why) => {
            let apart = Apart {
                why,
                n_written: Mutex::new(0),
            };
            Ok((options.map_anon()?.into(), Some(apart)))
        }
    }
}

fn bytes_of(word: &AtomicU64) -> [u8; 8] {
    word.load(Ordering::Relaxed).to_ne_bytes() // it is in the file's order already
}

/// Room on the disk where its file system (NFS 3, for one) can reserve none: whatever was written has room.
fn fill_with_zeros(mut file: &File, n_bytes: usize) -> io::Result<()> {
    const AT_ONCE: usize = 1 << 20;
    let zeros = vec![0; n_bytes.min(AT_ONCE)];
    let mut n_left = n_bytes;
    while n_left > 0 {
        let n = n_left.min(AT_ONCE);
        file.write_all(&zeros[..n])?;
        n_left -= n;
    }
    // Some file systems take more than they have, and say so only here.
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::End;
    use crate::trace::reader::read_all;

    fn header(capacity: u64) -> Header {
        Header {
            run_id: 1,
            rank: 0,
            n_ranks: 1,
            capacity,
            dropped: 0,
            recorded: None,
        }
    }

    fn record(at: u64) -> Record {
        Record {
            kind: Kind::Think,
            outcome: Outcome::None,
            game: 0,
            item: 0,
            begin_ns: at,
            end_ns: at + 1,
            word: at,
        }
    }

    fn recorder(capacity: u64) -> (tempfile::TempDir, std::path::PathBuf, Recorder) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rank-0.records");
        let recorder = Recorder::create(&path, &header(capacity)).unwrap();
        (folder, path, recorder)
    }

    #[test]
    fn what_was_recorded_is_there_while_recording_and_after() {
        let (_folder, path, recorder) = recorder(1000);
        let records: Vec<Record> = (0..300).map(|at| record(10 * at)).collect();
        for record in &records {
            recorder.push(record.to_words());
        }
        assert_eq!(read_all(&path), (records.clone(), End::CutShort));
        assert_eq!(recorder.close().unwrap(), 300);
        recorder.push(record(9999).to_words());
        assert_eq!(recorder.close().unwrap(), 300, "closed once");
        assert_eq!(read_all(&path), (records, End::Closed));
        let n_bytes = std::fs::metadata(&path).unwrap().len();
        assert_eq!(n_bytes, 64 + 300 * 32, "room that was not needed is back");
    }

    #[test]
    fn a_full_file_counts_what_it_drops() {
        for close in [true, false] {
            let (_folder, path, recorder) = recorder(5);
            for at in 0..8 {
                recorder.push(record(at).to_words());
            }
            if close {
                recorder.close().unwrap();
            }
            assert_eq!(recorder.n_dropped(), 3);
            let (records, end) = read_all(&path);
            assert_eq!((records.len(), end), (5, End::Full { dropped: 3 }));
        }
    }

    #[test]
    fn measuring_leaves_no_trace() {
        for capacity in [0, 3, 64, 1000] {
            let (_folder, path, recorder) = recorder(capacity);
            let cost = recorder.measure_cost(|record| recorder.push(record.to_words()));
            assert!(cost.record_ns > 0.0 && cost.clock_ns > 0.0, "{cost:?}");
            assert_eq!((read_all(&path).0.len(), recorder.n_dropped()), (0, 0));
            recorder.push(record(7).to_words());
            assert_eq!(recorder.close().unwrap(), capacity.min(1));
        }
    }

    #[test]
    fn threads_do_not_overwrite_each_other() {
        let (_folder, path, recorder) = recorder(4000);
        std::thread::scope(|scope| {
            for thread in 0..4u64 {
                let recorder = &recorder;
                scope.spawn(move || {
                    for i in 0..1000 {
                        recorder.push(
                            Record {
                                begin_ns: 0,
                                end_ns: 0,
                                ..record(4 * i + thread)
                            }
                            .to_words(),
                        );
                    }
                });
            }
        });
        recorder.close().unwrap();
        let mut seen: Vec<u64> = read_all(&path).0.iter().map(|record| record.word).collect();
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..4000));
    }

    #[test]
    fn room_can_be_had_by_writing() {
        let n_bytes = (1 << 20) + 4096 + 64;
        let file = tempfile::tempfile().unwrap();
        fill_with_zeros(&file, n_bytes).unwrap();
        let there = file.metadata().unwrap();
        assert_eq!(there.len(), n_bytes as u64);
        assert!(
            there.blocks() * 512 >= there.len(),
            "{} blocks",
            there.blocks()
        );
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        assert!(fill_with_zeros(&full, 1).is_err());
    }

    #[test]
    fn nothing_that_a_link_leads_to_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (path, victim) = (
            folder.path().join("rank-0.records"),
            folder.path().join("victim"),
        );
        std::fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        Recorder::create(&path, &header(10)).unwrap();
        assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
        assert!(!path.is_symlink());
    }

    #[test]
    fn a_file_that_cannot_be_made_is_an_error() {
        let missing = Path::new("/nonexistent/folder/rank-0.records");
        let error = Recorder::create(missing, &header(10)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rank-0.records");
        assert!(Recorder::create(&path, &header(1 << 50)).is_err(), "32 PiB");
        assert!(Recorder::create(&path, &header(u64::MAX)).is_err());
        assert!(!path.exists(), "no empty file is left behind");
    }
}
