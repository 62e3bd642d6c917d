//! Replacing a file by another one, the old one kept, in steps after each of which the file is whole.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Error, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FlockOperation, OFlags, flock};

/// How many symbolic links are followed, as many as Linux does.
const MAX_LINKS: usize = 40;

/// How many names are tried for a temporary file.
const MAX_NAMES: usize = 1000;

const PART: &str = ".part";

/// The name under which the file before the one at `path` is kept.
pub fn previous_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".previous");
    name.into()
}

/// A file that is written beside the one that it is to replace. Dropped before that, it is removed.
#[derive(Debug)]
pub(super) struct Replacement {
    file: File,
    /// Where it is written; `None` once that is another file's business.
    part: Option<PathBuf>,
    /// Another name of the old file, on its way to `FILE.previous`.
    kept: PathBuf,
    path: PathBuf,
}

/// What a commit does, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    SyncFile,
    LinkOld,
    RenameOld,
    RemoveLink,
    RenameNew,
    SyncFolder,
}

const STEPS: [Step; 6] = [
    Step::SyncFile,
    Step::LinkOld,
    Step::RenameOld,
    Step::RemoveLink,
    Step::RenameNew,
    Step::SyncFolder,
];

#[cfg(test)]
pub(super) const N_STEPS: usize = STEPS.len();

impl Replacement {
    /// Creates the file that is to replace the one at `path`, and removes what killed writers left of theirs.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let path = resolve(path)?;
        let name = path.file_name().ok_or(ErrorKind::InvalidInput)?;
        let existing = existing_file(&path)?.filter(|existing| existing.uid() == own_uid());
        remove_leftovers(&path, name);
        let (file, part) = create_part(&path, name, existing.as_ref())?;
        let mut kept = part.as_os_str().to_owned();
        kept.push(".previous");
        kept.push(PART);
        let replacement = Replacement {
            file,
            part: Some(part),
            kept: kept.into(),
            path,
        };
        if let Some(existing) = existing {
            keep_permissions(&replacement.file, &existing)?;
        }
        Ok(replacement)
    }

    /// Puts `bytes` where the file begins.
    pub(super) fn begin_with(&self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, 0)
    }

    /// Replaces the file.
    pub(super) fn commit(mut self) -> io::Result<()> {
        STEPS.iter().try_for_each(|&step| self.take(step))
    }

    #[cfg(test)]
    pub(super) fn commit_and_be_killed_after(mut self, n_steps: usize) -> io::Result<()> {
        let done = STEPS[..n_steps]
            .iter()
            .try_for_each(|&step| self.take(step));
        self.part = None; // so nothing is removed, and the lock goes with the file
        self.kept = PathBuf::new();
        done
    }

    fn take(&mut self, step: Step) -> io::Result<()> {
        match step {
            Step::SyncFile => self.file.sync_all(),
            Step::LinkOld => keep_old(&self.path, &self.kept),
            Step::RenameOld => match fs::rename(&self.kept, previous_of(&self.path)) {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()), // there is no old file
                renamed => renamed,
            },
            // Where both names are of one file already, as they are when a commit was cut short here, renaming
            // does nothing, and leaves both.
            Step::RemoveLink => match fs::remove_file(&self.kept) {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                removed => removed,
            },
            Step::RenameNew => {
                if let Some(part) = &self.part {
                    fs::rename(part, &self.path)?;
                    self.part = None;
                }
                Ok(())
            }
            Step::SyncFolder => sync_folder(folder_of(&self.path)),
        }
    }
}

impl Write for Replacement {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if let Some(part) = &self.part {
            // It is a failure already that leads here.
            let _ = fs::remove_file(part);
            let _ = fs::remove_file(&self.kept);
        }
    }
}

fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Has the names in a folder be on the disk, where its file system has such a thing.
///
/// # Errors
/// What the system says.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // What file systems say that have nothing to be synced of folders.
        Err(error) if is_unsupported(&error) => Ok(()),
        synced => synced,
    }
}

fn is_unsupported(error: &Error) -> bool {
    let unsupported = [ErrorKind::InvalidInput, ErrorKind::Unsupported];
    unsupported.contains(&error.kind())
}

/// Where the file is that `path` leads to, whether there is one or not.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::symlink_metadata(&path) {
            Ok(link) if link.is_symlink() => {
                let folder = folder_of(&path);
                let about = fs::metadata(folder)?;
                // Whoever puts a link here could have any file of the user's replaced. The system refuses to
                // follow such links (proc(5), protected_symlinks), and is not asked to when they are read.
                let others_write = about.mode() & 0o1002 == 0o1002;
                if others_write && link.uid() != own_uid() && link.uid() != about.uid() {
                    return Err(Error::new(
                        ErrorKind::PermissionDenied,
                        "it is a link that another user put into a folder that all may write to",
                    ));
                }
                path = folder.join(fs::read_link(&path)?);
            }
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => return Ok(path),
        }
    }
    Err(rustix::io::Errno::LOOP.into())
}

/// What is known of the file at `path`; `None` if there is none.
fn existing_file(path: &Path) -> io::Result<Option<fs::Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(existing) if existing.is_dir() => Err(ErrorKind::IsADirectory.into()),
        Ok(existing) if existing.is_file() => Ok(Some(existing)),
        Ok(_) => Err(Error::new(
            ErrorKind::InvalidInput,
            "it is a pipe, a device or the like, which a checkpoint cannot replace",
        )),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The mode of a new file: what the umask leaves of this. Whoever may not read the `old` one cannot read the
/// new one at any time.
fn mode_like(old: Option<&fs::Metadata>) -> u32 {
    old.map_or(0o666, |old| old.mode() & 0o777)
}

/// Gives a file the permissions of the `old` one, where it has others. File systems without permissions (CIFS,
/// mounted object stores) refuse that, and are not asked for what is so already; where they refuse the rest,
/// the file is what it is there.
///
/// # Errors
/// What the system says, other than that it refuses.
pub fn keep_permissions(file: &File, old: &fs::Metadata) -> io::Result<()> {
    if file.metadata()?.mode() == old.mode() {
        return Ok(());
    }
    match file.set_permissions(old.permissions()) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied || is_unsupported(&error) => {
            Ok(())
        }
        set => set,
    }
}

/// Creates a file beside `path` and locks it. No two writers have one name: not those of other processes of
/// this host, nor those of this process, nor those of other hosts, which find the name taken.
fn create_part(
    path: &Path,
    name: &OsStr,
    old: Option<&fs::Metadata>,
) -> io::Result<(File, PathBuf)> {
    static N_CREATED: AtomicU64 = AtomicU64::new(0);
    for _ in 0..MAX_NAMES {
        let n = N_CREATED.fetch_add(1, Ordering::Relaxed);
        let mut part = OsString::from(".");
        part.push(name);
        part.push(format!(".{}-{n}{PART}", std::process::id()));
        let part = path.with_file_name(part);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(mode_like(old));
        let file = match options.open(&part) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            file => file?,
        };
        // Until it is locked, another writer may take it for a leftover; then it has no name any more.
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => continue,
            Ok(()) if file.metadata()?.nlink() == 0 => continue,
            _ => return Ok((file, part)), // without locks nothing is ever taken for a leftover
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

/// Whether `entry` is what a writer of `name` calls its files until they are the file.
fn is_part_of(entry: &OsStr, name: &OsStr) -> bool {
    let (entry, name) = (entry.as_bytes(), name.as_bytes());
    let middle = (entry.strip_prefix(b"."))
        .and_then(|rest| rest.strip_prefix(name))
        .and_then(|rest| rest.strip_prefix(b"."))
        .and_then(|rest| rest.strip_suffix(PART.as_bytes()));
    let Some(middle) = middle else { return false };
    let middle = middle.strip_suffix(b".part.previous").unwrap_or(middle);
    let numbers: Vec<&[u8]> = middle.split(|&byte| byte == b'-').collect();
    let is_number = |text: &&[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    numbers.len() == 2 && numbers.iter().all(is_number)
}

/// Removes what writers of this user that are no more left beside `path`. What cannot be removed stays: it is in
/// nobody's way.
fn remove_leftovers(path: &Path, name: &OsStr) {
    let Ok(entries) = fs::read_dir(folder_of(path)) else {
        return;
    };
    for entry in entries.flatten() {
        if is_part_of(&entry.file_name(), name) {
            let _ = remove_if_left(&entry.path());
        }
    }
}

fn remove_if_left(part: &Path) -> io::Result<()> {
    // Neither waits for the other end of a pipe nor follows a link.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new()
        .write(true) // NFS locks for writing nothing else
        .custom_flags(flags.bits() as i32)
        .open(part)?;
    let about = file.metadata()?;
    if about.is_file() && about.uid() == own_uid() {
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        fs::remove_file(part)?;
    }
    Ok(())
}

/// Gives the file at `path`, if there is one, another name.
fn keep_old(path: &Path, kept: &Path) -> io::Result<()> {
    for _ in 0..MAX_NAMES {
        if existing_file(path)?.is_none() {
            return Ok(());
        }
        match link_or_copy(path, kept) {
            // Another writer replaced the file just now: what was to be linked has no name any more. There is
            // the other's.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            linked => return linked,
        }
    }
    Err(ErrorKind::ResourceBusy.into())
}

/// Gives the file at `path` another name, or copies it where the file system knows no such thing or does not
/// allow it.
fn link_or_copy(path: &Path, kept: &Path) -> io::Result<()> {
    match fs::hard_link(path, kept) {
        Err(error) if error.kind() != ErrorKind::NotFound => copy(path, kept),
        linked => linked,
    }
}

fn copy(path: &Path, kept: &Path) -> io::Result<()> {
    let mut old = File::open(path)?;
    let about = old.metadata()?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    let mut copy = options.mode(mode_like(Some(&about))).open(kept)?;
    io::copy(&mut old, &mut copy)?;
    keep_permissions(&copy, &about)?;
    copy.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_cannot_be_linked_is_copied_with_its_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let (path, kept) = (folder.path().join("file"), folder.path().join("kept"));
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        copy(&path, &kept).unwrap();
        assert_eq!(fs::read(&kept).unwrap(), b"old");
        let about = fs::metadata(&kept).unwrap();
        assert_eq!((about.mode() & 0o777, about.nlink()), (0o640, 1));
        assert!(link_or_copy(&path, &kept).is_err(), "the name is taken");
        fs::remove_file(&kept).unwrap();
        link_or_copy(&path, &kept).unwrap();
        assert_eq!(fs::metadata(&kept).unwrap().nlink(), 2);
    }
}
