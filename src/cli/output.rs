//! A file that is there when it is whole, and not before.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file being written under another name beside it, which [`finish`](Output::finish) gives its own.
/// Dropped before that, it is removed.
#[derive(Debug)]
pub(super) struct Output {
    file: File,
    /// Where it is written, and its own name; `None` where it is written in its place.
    names: Option<(PathBuf, PathBuf)>,
}

impl Output {
    /// Begins the file at `path`.
    ///
    /// # Errors
    /// Why there can be no such file.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        // The file that a symbolic link leads to is replaced, and not the link.
        let path = match fs::canonicalize(path) {
            Ok(path) => path,
            Err(error) if error.kind() == io::ErrorKind::NotFound => path.into(),
            Err(error) => return Err(error),
        };
        let existing = fs::metadata(&path).ok();
        if existing.as_ref().is_some_and(fs::Metadata::is_dir) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if existing
            .as_ref()
            .is_some_and(|existing| !existing.is_file())
        {
            // A pipe or a device is not to be replaced.
            let file = OpenOptions::new().write(true).open(&path)?;
            return Ok(Output { file, names: None });
        }
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let mut part = OsString::from(".");
        part.push(name);
        part.push(format!(".{}.part", std::process::id()));
        let part = path.with_file_name(part);
        let file = File::create(&part)?;
        let output = Output {
            file,
            names: Some((part, path)),
        };
        if let Some(existing) = existing {
            output.file.set_permissions(existing.permissions())?;
        }
        Ok(output)
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if let Some((part, path)) = &self.names {
            fs::rename(part, path)?;
            self.names = None;
        }
        Ok(())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some((part, _)) = &self.names {
            // It is a failure already that leads here.
            let _ = fs::remove_file(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
