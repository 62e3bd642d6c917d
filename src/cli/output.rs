//! A file that somebody asked for: there when it is whole, and not before.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use crate::checkpoint::keep_permissions;
use crate::trace::WholeFile;

/// A file being written, which is there when it is [`finish`](Output::finish)ed; or a pipe or a device, which
/// is written in its place.
#[derive(Debug)]
pub(super) enum Output {
    /// To be renamed.
    Whole(WholeFile),
    /// A pipe or a device.
    InPlace(File),
}

impl Output {
    /// Begins the file at `path`.
    ///
    /// # Errors
    /// Why there can be no such file.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        // The file that a symbolic link leads to is replaced, and not the link: the user may have made it.
        let path = match fs::canonicalize(path) {
            Ok(path) => path,
            Err(error) if error.kind() == io::ErrorKind::NotFound => path.into(),
            Err(error) => return Err(error),
        };
        let existing = fs::metadata(&path).ok();
        if let Some(existing) = existing.as_ref().filter(|existing| !existing.is_file()) {
            if existing.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            // A pipe or a device is not to be replaced.
            let file = OpenOptions::new().write(true).open(&path)?;
            return Ok(Output::InPlace(file));
        }
        let output = WholeFile::create(&path)?;
        if let Some(existing) = existing {
            keep_permissions(output.file(), &existing)?;
        }
        Ok(Output::Whole(output))
    }

    /// Whether there can be a file at `path`: before the work begins whose result it is to have. Leaves nothing
    /// behind, and does not open a pipe, whose reader would take that for the end.
    ///
    /// # Errors
    /// Why there can be no such file.
    pub(super) fn check(path: &Path) -> io::Result<()> {
        match fs::metadata(path) {
            Ok(existing) if !existing.is_file() && !existing.is_dir() => Ok(()),
            _ => Self::create(path).map(drop),
        }
    }

    /// Gives the file its name.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Output::Whole(file) => file.finish(),
            Output::InPlace(_) => Ok(()),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Output::Whole(file) => file.write(bytes),
            Output::InPlace(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Output::Whole(file) => file.flush(),
            Output::InPlace(file) => file.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn names(folder: &Path) -> Vec<OsString> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_when_it_is_whole_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "old").unwrap();

        let mut given_up = Output::create(&path).unwrap();
        given_up.write_all(b"half").unwrap();
        assert_eq!(names(folder.path()).len(), 2);
        drop(given_up);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["file"]);

        let mut finished = Output::create(&path).unwrap();
        finished.write_all(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        finished.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["file"]);
    }

    #[test]
    fn what_cannot_be_written_is_refused_beforehand_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        Output::check(&path).unwrap();
        assert!(names(folder.path()).is_empty());
        fs::write(&path, "old").unwrap();
        Output::check(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert!(Output::check(folder.path()).is_err());
        assert!(Output::check(&path.join("below")).is_err());
        assert!(Output::check(&folder.path().join("missing/file")).is_err());
        assert_eq!(names(folder.path()), ["file"]);
    }

    #[cfg(unix)]
    #[test]
    fn what_a_link_leads_to_is_replaced_and_keeps_its_permissions() {
        use std::os::unix::fs::{PermissionsExt, symlink};

        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        symlink(&path, &link).unwrap();

        let mut output = Output::create(&link).unwrap();
        output.write_all(b"new").unwrap();
        output.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_link(&link).unwrap(), path);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
