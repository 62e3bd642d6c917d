//! Reading a checkpoint, of which nothing is taken on trust.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use serde::de::DeserializeOwned;

use super::format::{CRC_BYTES, HEADER_BYTES, Header, PIECE_WORDS, WORD_BYTES};
use super::format::{crc_of_piece, u32_at, u64_at};
use super::replace::previous_of;

/// A checkpoint that is whole: all of it was checked when it was opened. Replaced meanwhile, it stays the one
/// that was opened. Takes 2 MiB of memory at most, beside the document.
#[derive(Debug)]
pub struct Reader {
    file: File,
    /// As messages call it.
    name: String,
    header: Header,
    meta: Vec<u8>,
}

impl Reader {
    /// Opens the checkpoint at `path` and reads all of it, once, to see whether it is whole.
    ///
    /// # Errors
    /// What is wrong with it, in one line for the user; and that the one before it, which is kept as
    /// `PATH.previous`, is whole, where it is.
    pub fn open(path: &Path) -> Result<Self, String> {
        Self::open_alone(path).map_err(|why| {
            let previous = previous_of(path);
            match Self::open_alone(&previous) {
                Ok(_) => format!("{why}; {} is whole: resume from that", previous.display()),
                Err(_) => why,
            }
        })
    }

    /// The document of the checkpoint at `path`. Its words are not looked at.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] if the file was read and is no checkpoint, or has another document. Other errors
    /// are the system's, and show nothing of what the file holds.
    pub fn meta_of<T: DeserializeOwned>(path: &Path) -> io::Result<T> {
        Self::open_unchecked(path)?.meta().map_err(invalid)
    }

    fn open_alone(path: &Path) -> Result<Self, String> {
        let name = path.display().to_string();
        let reader = Self::open_unchecked(path).map_err(|why| format!("{name}: {why}"))?;
        reader.for_each_piece(|_, _| {})?;
        Ok(reader)
    }

    /// Opens it, and checks its length, header and document.
    fn open_unchecked(path: &Path) -> io::Result<Self> {
        // A pipe is opened without waiting for its other end, and refused.
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits() as i32)
            .open(path)?;
        let about = file.metadata()?;
        if !about.is_file() {
            return Err(io::Error::other(
                "it is no file, so no checkpoint of onesided",
            ));
        }
        let n_bytes = about.len();
        let mut head = Vec::with_capacity(HEADER_BYTES);
        (&file).take(HEADER_BYTES as u64).read_to_end(&mut head)?;
        let header = Header::from_bytes(&head).map_err(invalid)?;
        let (Some(meta_at), Some(expected)) = (header.meta_at(), header.file_bytes()) else {
            return Err(invalid(format!(
                "it claims to have {} words, more than any file can",
                header.n_words
            )));
        };
        if n_bytes < expected {
            return Err(invalid(format!(
                "it was cut short: it has {n_bytes} bytes of {expected}"
            )));
        }
        if n_bytes > expected {
            return Err(invalid(format!(
                "it is too long: it has {n_bytes} bytes, and should have {expected}"
            )));
        }
        let mut meta = vec![0; header.meta_bytes as usize]; // no more than the file has
        file.read_exact_at(&mut meta, meta_at)?;
        if crc32fast::hash(&meta) != header.meta_crc {
            return Err(invalid("its document is corrupt".into()));
        }
        Ok(Reader {
            file,
            name: path.display().to_string(),
            header,
            meta,
        })
    }

    /// The document that it was written with.
    ///
    /// # Errors
    /// That the document is another one, in one line for the user.
    pub fn meta<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice(&self.meta)
            .map_err(|error| format!("{}: its document: {error}", self.name))
    }

    /// How many words it has.
    pub fn n_words(&self) -> u64 {
        self.header.n_words
    }

    /// Shows all words to `look`, in order, in pieces of [`PIECE_WORDS`] and the rest, each with the index of its
    /// first word. A piece is checked again before it is shown.
    ///
    /// # Errors
    /// That the file is no longer what it was when it was opened, in one line for the user.
    pub fn for_each_piece(&self, mut look: impl FnMut(u64, &[u64])) -> Result<(), String> {
        let n_words = self.header.n_words.min(PIECE_WORDS as u64) as usize;
        let mut bytes = vec![0; n_words * WORD_BYTES + CRC_BYTES];
        let mut words = Vec::with_capacity(n_words);
        let mut at = HEADER_BYTES as u64;
        for number in 0..self.header.n_pieces() {
            let first_index = number * PIECE_WORDS as u64;
            let n_words = (self.header.n_words - first_index).min(PIECE_WORDS as u64) as usize;
            let n_bytes = n_words * WORD_BYTES;
            let bytes = &mut bytes[..n_bytes + CRC_BYTES];
            (self.file.read_exact_at(bytes, at))
                .map_err(|error| format!("{}: {error}", self.name))?;
            at += bytes.len() as u64;
            if crc_of_piece(self.header.n_words, number, &bytes[..n_bytes])
                != u32_at(bytes, n_bytes)
            {
                return Err(format!(
                    "{}: its words from {first_index} on are corrupt",
                    self.name
                ));
            }
            words.clear();
            words.extend((0..n_words).map(|i| u64_at(bytes, i * WORD_BYTES)));
            look(first_index, &words);
        }
        Ok(())
    }
}

/// What was read and is not as it should be.
fn invalid(why: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}
