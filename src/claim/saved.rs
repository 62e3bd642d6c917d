//! Boards as files: which items are completed. What was claimed and not completed is to be done again, so it is
//! not told apart from what is free.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::known::{items_in, words_for};
use crate::checkpoint::{Reader, Writer};
use crate::rma::{Comm, Error, ErrorKind, ProgressEngine, Rank, Result};

/// What the document of a board's checkpoint says that it is.
const FORMAT: &str = "onesided-board/1";

/// The document beside the words, of which bit `item % 64` of word `item / 64` is 1 for a completed item.
#[derive(Debug, Serialize, Deserialize)]
struct Document<E> {
    format: String,
    n_items: usize,
    extra: E,
}

impl<E> Document<E> {
    fn of(n_items: usize, extra: E) -> Self {
        Document {
            format: FORMAT.into(),
            n_items,
            extra,
        }
    }
}

/// What a board was restored from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Restored {
    n_completed: usize,
    extra: Value,
}

impl Restored {
    /// How many items are completed.
    pub fn n_completed(&self) -> usize {
        self.n_completed
    }

    /// What was saved beside the board.
    ///
    /// # Errors
    /// [`ErrorKind::CheckpointRefused`], where that is something else.
    pub fn extra<E: DeserializeOwned>(&self) -> Result<E> {
        E::deserialize(&self.extra)
            .map_err(|error| refused(format!("what the checkpoint has beside the board: {error}")))
    }
}

/// A checkpoint that is being written.
pub(super) struct Saving {
    writer: Writer,
    path: String,
    n_items: usize,
    n_completed: usize,
}

impl Saving {
    pub(super) fn begin(path: &Path, n_items: usize) -> Result<Self> {
        let path_name = path.display().to_string();
        let document = Document::of(n_items, ());
        let writer = Writer::create(path, &document, words_for(n_items) as u64)
            .map_err(|error| not_written(&path_name, &error))?;
        Ok(Saving {
            writer,
            path: path_name,
            n_items,
            n_completed: 0,
        })
    }

    /// Appends words of completed items.
    pub(super) fn words(&mut self, words: &[u64]) -> Result<()> {
        let completed = words.iter().map(|word| word.count_ones() as usize);
        self.n_completed += completed.sum::<usize>();
        let written = self.writer.words(words);
        written.map_err(|error| not_written(&self.path, &error))
    }

    /// Makes it the file, and returns how many items are completed in it. Syncing takes as long as the disk
    /// does; others' operations go on meanwhile as they do while the rank computes.
    pub(super) fn finish(
        mut self,
        extra: &impl Serialize,
        engine: &ProgressEngine<'_>,
    ) -> Result<usize> {
        let document = Document::of(self.n_items, extra);
        let set = self.writer.set_meta(&document);
        set.map_err(|error| not_written(&self.path, &error))?;
        let writer = self.writer;
        let committed = engine.outside_mpi(|| writer.commit())?;
        committed.map_err(|error| not_written(&self.path, &error))?;
        Ok(self.n_completed)
    }
}

fn not_written(path: &str, error: &std::io::Error) -> Error {
    ErrorKind::CheckpointNotWritten {
        path: path.into(),
        kind: error.kind(),
        why: error.to_string(),
    }
    .into()
}

/// What the rank that reads a checkpoint tells all others of it.
#[derive(Debug, Serialize, Deserialize)]
enum Told {
    Restored(Restored),
    NotThere { why: String },
    Refused { why: String, board_is_free: bool },
}

/// Why a board was not restored.
pub(super) struct Failed {
    error: Error,
    /// Nothing of the file was put on it.
    board_is_free: bool,
}

impl Failed {
    /// Poisons a board that is restored in part, on each rank.
    pub(super) fn or_poison(self, poison: impl FnOnce()) -> Error {
        if !self.board_is_free {
            poison();
        }
        self.error
    }
}

/// Reads the checkpoint at `path` on rank `reading`, which gives all words of it to `put`, with the index of the
/// first, and tells all ranks what became of it; or why it is not there. Collective; no rank returns before all is
/// put.
pub(super) fn restore(
    comm: &Comm<'_>,
    reading: Rank,
    path: &Path,
    n_items: usize,
    mut put: impl FnMut(usize, &[u64]) -> Result<()>,
) -> Result<Result<Restored, String>, Failed> {
    let mut board_is_free = true;
    let mut failure = None;
    let mut told = Vec::new();
    if comm.rank() == reading {
        let put = |first, words: &[u64]| {
            board_is_free = false;
            put(first, words)
        };
        // One rank decides whether there is a file: it may come or go while others look.
        let told_of = match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Told::NotThere {
                why: format!("{}: {error}", path.display()),
            },
            _ => match read(path, n_items, put, &mut failure) {
                Ok(restored) => Told::Restored(restored),
                Err(why) => Told::Refused { why, board_is_free },
            },
        };
        told = serde_json::to_vec(&told_of).unwrap_or_default();
    }
    let told = comm.broadcast_all_of(reading, told);
    let told = told.map_err(|error| Failed {
        error,
        board_is_free: false,
    })?;
    let told = serde_json::from_slice(&told).unwrap_or_else(|error| Told::Refused {
        why: format!("what rank {reading} says of it: {error}"),
        board_is_free: false,
    });
    match told {
        Told::Restored(restored) => Ok(Ok(restored)),
        Told::NotThere { why } => Ok(Err(why)),
        Told::Refused { why, board_is_free } => Err(Failed {
            error: failure.unwrap_or_else(|| refused(why)),
            board_is_free,
        }),
    }
}

pub(super) fn refused(why: String) -> Error {
    ErrorKind::CheckpointRefused { why }.into()
}

/// Puts an error of `put` into `failure`, and its words into what it returns.
fn read(
    path: &Path,
    n_items: usize,
    mut put: impl FnMut(usize, &[u64]) -> Result<()>,
    failure: &mut Option<Error>,
) -> Result<Restored, String> {
    let name = path.display();
    let reader = Reader::open(path)?;
    let no_board = || format!("{name}: it is no checkpoint of a board");
    let document: Document<Value> = reader.meta().map_err(|_| no_board())?;
    if document.format != FORMAT {
        return Err(no_board());
    }
    if document.n_items != n_items {
        return Err(format!(
            "{name}: it is of a board of {} items, and this one has {n_items}",
            document.n_items
        ));
    }
    if reader.n_words() != words_for(n_items) as u64 {
        return Err(format!(
            "{name}: its words are not those of {n_items} items"
        ));
    }
    let (mut n_completed, mut is_beyond) = (0, false);
    reader.for_each_piece(|first, words| {
        let first = first as usize;
        let last = first + words.len() - 1;
        is_beyond |= words[words.len() - 1] & !items_in(last, n_items) != 0;
        if failure.is_none() && !is_beyond {
            n_completed += words
                .iter()
                .map(|word| word.count_ones() as usize)
                .sum::<usize>();
            *failure = put(first, words).err();
        }
    })?;
    if is_beyond {
        return Err(format!("{name}: it has items beyond the last"));
    }
    match failure {
        Some(error) => Err(error.to_string()),
        None => Ok(Restored {
            n_completed,
            extra: document.extra,
        }),
    }
}

/// A board that is not as it was opened.
pub(super) fn not_free() -> Error {
    refused("items of the board are claimed: it is restored before the first claim".into())
}
