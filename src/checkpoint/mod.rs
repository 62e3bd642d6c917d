//! Files of 64-bit words that are there as a whole or not at all, and that are checked when they are read.
//!
//! A checkpoint is what a job goes on from after it was killed, so the file must survive all that kills jobs:
//! [`Writer`] writes beside it and replaces it in one step, the one before is kept under the name
//! `FILE.previous`, and [`Reader`] takes nothing on trust. What the words mean is said by whoever writes them, in
//! a document of JSON beside them. There is no MPI here, and memory is bounded whatever the size of the
//! file: 2³⁶ bits are 8 GiB of it.
//!
//! # Layout
//!
//! Numbers are little-endian; CRC is CRC-32 (IEEE 802.3).
//!
//! | bytes | content |
//! |---|---|
//! | 0–19 | `onesided checkpoint` and a line feed |
//! | 20–23 | version of the format, 1 |
//! | 24–31 | number of words |
//! | 32–39 | bytes of the document, [`MAX_META_BYTES`] at most |
//! | 40–43 | CRC of the document |
//! | 44–47 | CRC of bytes 0 to 43 |
//! | then | pieces of [`PIECE_WORDS`] words (1 MiB), the last with the rest; behind each its CRC, 4 bytes |
//! | then | the document, JSON in UTF-8 |
//!
//! The CRC of a piece covers the number of words and the number of the piece (from 0; 8 bytes each) before its
//! words, so a piece that belongs elsewhere is noticed too. The file ends with the document.
//!
//! # Replacing a file
//!
//! 1. The new file is written beside the old one as `.FILE.PID-N.part`, and synced.
//! 2. The old one gets a second name, a hard link, which then becomes `FILE.previous`. On file systems that
//!    have no hard links, or do not allow this one, `FILE.previous` is a copy that is synced.
//! 3. The new one is renamed to `FILE`.
//! 4. The folder is synced.
//!
//! After each step `FILE` is whole, the old one or the new one. Whoever has it open reads on in the one that
//! it opened.
//!
//! # Folders that others write to
//!
//! The new file is created, never opened: nobody can put a link or a file of theirs in its place
//! (`O_EXCL`). It has the permissions of the file that it replaces, if that is the user's own, else
//! those that the umask gives; file systems that refuse `chmod` decide for themselves. If `FILE` is a symbolic link, what it leads to is replaced; in a folder with the
//! sticky bit that all may write to, such as `/tmp`, only if the link is the user's own or the folder owner's
//! (the rule of Linux' `fs.protected_symlinks`).
//!
//! What a killed writer left under its name is removed by the next one of the same user. A writer holds a
//! lock on its file (`flock`) while it lives, on whichever host where the file system carries locks between
//! hosts, so nothing is removed that is still being written; where there are no locks nothing is removed.

mod exact;
mod format;
mod reader;
mod replace;
mod writer;

pub use format::{MAX_META_BYTES, PIECE_WORDS};
pub use reader::Reader;
pub(crate) use replace::sync_folder;
pub use replace::{keep_permissions, previous_of};
pub use writer::Writer;

#[cfg(test)]
mod tests;
