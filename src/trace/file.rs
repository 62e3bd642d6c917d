//! The file of one rank: a header, then records, one behind the other.

use std::time::Duration;

use super::record::RECORD_BYTES;

/// Bytes before the first record.
pub const HEADER_BYTES: usize = 64;

/// How a rank file begins.
pub const MAGIC: [u8; 8] = *b"onesided";

/// Version of header and records.
pub const FILE_VERSION: u32 = 1;

/// How often records are copied to a file that cannot be mapped into memory.
pub const WRITE_OUT_EVERY: Duration = Duration::from_millis(100);

/// How many 64-bit words the header has.
pub(super) const HEADER_WORDS: usize = HEADER_BYTES / 8;

/// Which word of the header counts the records that were dropped; it is written while recording.
pub(super) const DROPPED_WORD: usize = 6;

/// Which words are written at the end: how many records there are, and that it was the end.
pub(super) const RECORDED_WORD: usize = 5;
pub(super) const CLOSED_WORD: usize = 7;

/// The head of a rank file: eight 64-bit words, little-endian.
///
/// | word | content |
/// |---|---|
/// | 0 | `onesided` |
/// | 1 | version (low 32 bits), bytes of a record (high 32 bits) |
/// | 2 | the run's number, the same in `run.json` |
/// | 3 | rank (low), number of ranks (high) |
/// | 4 | room for so many records |
/// | 5 | records written, once closed |
/// | 6 | records dropped for want of room |
/// | 7 | 1 once closed, 0 while recording |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub run_id: u64,
    pub rank: u32,
    pub n_ranks: u32,
    /// Room for so many records.
    pub capacity: u64,
    /// How many were dropped for want of room.
    pub dropped: u64,
    /// How many were written, where the file was closed; `None` where recording was cut short.
    pub recorded: Option<u64>,
}

impl Header {
    pub fn to_words(&self) -> [u64; HEADER_WORDS] {
        [
            u64::from_le_bytes(MAGIC),
            u64::from(FILE_VERSION) | (RECORD_BYTES as u64) << 32,
            self.run_id,
            u64::from(self.rank) | u64::from(self.n_ranks) << 32,
            self.capacity,
            self.recorded.unwrap_or(0),
            self.dropped,
            u64::from(self.recorded.is_some()),
        ]
    }

    /// Reads a header.
    ///
    /// # Errors
    /// What is wrong with it, in one line.
    pub fn from_bytes(bytes: &[u8; HEADER_BYTES]) -> Result<Self, String> {
        let mut words = [0; HEADER_WORDS];
        for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(chunk);
            *word = u64::from_le_bytes(bytes);
        }
        let word = |index: usize| words[index];
        if word(0) != u64::from_le_bytes(MAGIC) {
            return Err("it is no record file of onesided".into());
        }
        let (version, record_bytes) = (word(1) as u32, (word(1) >> 32) as usize);
        if (version, record_bytes) != (FILE_VERSION, RECORD_BYTES) {
            return Err(format!(
                "it has format version {version} with records of {record_bytes} bytes, and this \
                 program reads version {FILE_VERSION} with {RECORD_BYTES}"
            ));
        }
        let (rank, n_ranks) = (word(3) as u32, (word(3) >> 32) as u32);
        let closed = word(CLOSED_WORD);
        if rank >= n_ranks || closed > 1 || (closed == 1 && word(RECORDED_WORD) > word(4)) {
            return Err("its header is corrupt".into());
        }
        Ok(Header {
            run_id: word(2),
            rank,
            n_ranks,
            capacity: word(4),
            dropped: word(DROPPED_WORD),
            recorded: (closed == 1).then_some(word(RECORDED_WORD)),
        })
    }
}

/// The name of the file of `rank` in a run's folder.
pub fn file_name(rank: u32) -> String {
    format!("rank-{rank}.records")
}

/// Whether a file of this name in a run's folder is one that this program writes.
pub fn is_own_file_name(name: &str) -> bool {
    let rank = name
        .strip_prefix("rank-")
        .and_then(|rest| rest.strip_suffix(".records"));
    name == super::RUN_FILE || rank.is_some_and(|rank| rank.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(header: &Header) -> [u8; HEADER_BYTES] {
        let bytes: Vec<u8> = header
            .to_words()
            .into_iter()
            .flat_map(u64::to_le_bytes)
            .collect();
        bytes.try_into().unwrap()
    }

    #[test]
    fn a_header_is_read_as_it_was_written_and_a_broken_one_is_refused() {
        let header = Header {
            run_id: 77,
            rank: 2,
            n_ranks: 4,
            capacity: 100,
            dropped: 3,
            recorded: Some(100),
        };
        assert_eq!(Header::from_bytes(&bytes(&header)), Ok(header));
        let open = Header {
            recorded: None,
            ..header
        };
        assert_eq!(Header::from_bytes(&bytes(&open)), Ok(open));

        let broken = |at: usize, byte: u8| {
            let mut bytes = bytes(&header);
            bytes[at] = byte;
            Header::from_bytes(&bytes).unwrap_err()
        };
        assert!(broken(0, b'x').contains("no record file"));
        assert!(broken(8, 9).contains("format version 9"));
        assert!(broken(12, 48).contains("records of 48 bytes"));
        assert!(broken(24, 4).contains("corrupt"), "rank 4 of 4");
        assert!(broken(40, 101).contains("corrupt"), "101 in room for 100");
    }

    #[test]
    fn own_files_are_told_from_others() {
        for name in ["run.json", "rank-0.records", &file_name(u32::MAX)] {
            assert!(is_own_file_name(name), "{name}");
        }
        for name in ["rank-x.records", "rank-1.records.bak", "notes.txt", ""] {
            assert!(!is_own_file_name(name), "{name}");
        }
    }
}
