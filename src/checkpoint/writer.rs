//! Writing a checkpoint.

use std::io::{self, Error, ErrorKind, Write};
use std::path::Path;

use serde::Serialize;

use super::exact;
use super::format::crc_of_piece;
use super::format::{CRC_BYTES, HEADER_BYTES, Header, MAX_META_BYTES, PIECE_WORDS, WORD_BYTES};
use super::replace::Replacement;

/// A checkpoint that is being written; [`commit`](Writer::commit) makes it the file. Dropped before that, it
/// leaves nothing behind. Takes 1 MiB of memory at most, beside the document.
///
/// ```
/// use onesided::checkpoint::{Reader, Writer};
///
/// # let folder = std::env::temp_dir().join(format!("onesided-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// # let path = folder.join("search.checkpoint");
/// let mut writer = Writer::create(&path, &"the first three", 3)?;
/// writer.words(&[2, 3])?;
/// writer.words(&[5])?;
/// writer.commit()?;
///
/// let reader = Reader::open(&path)?;
/// assert_eq!(reader.meta::<String>()?, "the first three");
/// let mut sum = 0;
/// reader.for_each_piece(|_first_index, words| sum += words.iter().sum::<u64>())?;
/// assert_eq!(sum, 10);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a checkpoint that is not committed is removed"]
pub struct Writer {
    file: Replacement,
    meta: Vec<u8>,
    n_words: u64,
    n_written: u64,
    /// Words of the piece that is not full yet, as bytes; those before it are in the file.
    piece: Vec<u8>,
    /// Whether words are missing that were given.
    failed: bool,
}

impl Writer {
    /// Begins a checkpoint of `n_words` words that is to be the file at `path`, with `meta` as its
    /// document. Nothing is seen of it at `path` before it is committed.
    ///
    /// # Errors
    /// Why there can be no such file: it is a folder, a pipe or a device, a link that another user put there,
    /// its folder cannot be written to; the document is no JSON, or would not be read as it is (it has a number that
    /// is not finite, or `Some` of what is written as null), or has more than [`MAX_META_BYTES`] bytes;
    /// no file can hold so many words.
    pub fn create(path: &Path, meta: &impl Serialize, n_words: u64) -> io::Result<Self> {
        let meta = bytes_of(meta)?;
        if Header::of(&meta, n_words).file_bytes().is_none() {
            return Err(refused("no file can hold so many words"));
        }
        let mut file = Replacement::create(path)?;
        file.write_all(&[0; HEADER_BYTES])?; // the header comes last
        let capacity = n_words.min(PIECE_WORDS as u64) as usize * WORD_BYTES;
        Ok(Writer {
            file,
            meta,
            n_words,
            n_written: 0,
            piece: Vec::with_capacity(capacity + CRC_BYTES),
            failed: false,
        })
    }

    /// Takes `meta` for the document in place of the one before: what is known only after the words.
    ///
    /// # Errors
    /// As [`create`](Writer::create) has it of the document.
    pub fn set_meta(&mut self, meta: &impl Serialize) -> io::Result<()> {
        self.meta = bytes_of(meta)?;
        Ok(())
    }

    /// Appends words.
    ///
    /// # Errors
    /// What the system says, or that there are more words than were announced. The checkpoint cannot be
    /// committed after that.
    pub fn words(&mut self, words: &[u64]) -> io::Result<()> {
        if words.len() as u64 > self.n_words - self.n_written {
            self.failed = true;
            return Err(refused(
                "more words than the checkpoint was announced to have",
            ));
        }
        let mut rest = words;
        while !rest.is_empty() {
            let room = PIECE_WORDS - self.piece.len() / WORD_BYTES;
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.piece
                .extend(now.iter().flat_map(|word| word.to_le_bytes()));
            self.n_written += now.len() as u64;
            rest = later;
            if self.piece.len() == PIECE_WORDS * WORD_BYTES {
                self.write_piece()?;
            }
        }
        Ok(())
    }

    /// Writes the piece, full or the last, and its CRC.
    fn write_piece(&mut self) -> io::Result<()> {
        let number = (self.n_written - 1) / PIECE_WORDS as u64;
        let crc = crc_of_piece(self.n_words, number, &self.piece);
        self.piece.extend(crc.to_le_bytes());
        let written = self.file.write_all(&self.piece);
        self.piece.clear();
        self.failed |= written.is_err();
        written
    }

    /// Makes the checkpoint the file, in steps after each of which the file is whole, the old one or
    /// this; the old one is `PATH.previous` afterwards. On return it is on the disk.
    ///
    /// # Errors
    /// What the system says, or that words are missing. The file is the old one then, unless it was the last
    /// step that failed, which syncs the folder.
    pub fn commit(mut self) -> io::Result<()> {
        self.finish()?;
        self.file.commit()
    }

    /// Writes what is missing of the file, and its header.
    fn finish(&mut self) -> io::Result<()> {
        if !self.piece.is_empty() {
            self.write_piece()?;
        }
        if self.failed || self.n_written != self.n_words {
            return Err(refused(
                "words are missing of those that the checkpoint was announced to have",
            ));
        }
        self.file.write_all(&self.meta)?;
        let header = Header::of(&self.meta, self.n_words);
        self.file.begin_with(&header.to_bytes())
    }

    /// Commits no further than after step `n_steps`, and leaves all as a process does that is killed there.
    #[cfg(test)]
    pub(super) fn commit_and_be_killed_after(mut self, n_steps: usize) -> io::Result<()> {
        self.finish()?;
        self.file.commit_and_be_killed_after(n_steps)
    }
}

fn bytes_of(meta: &impl Serialize) -> io::Result<Vec<u8>> {
    exact::check(meta).map_err(|error| refused(&error.to_string()))?;
    let meta = serde_json::to_vec(meta)?;
    match meta.len() {
        0..=MAX_META_BYTES => Ok(meta),
        _ => Err(refused("the document of a checkpoint has 16 MiB at most")),
    }
}

fn refused(why: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, why)
}
