//! Files that are there when they are whole, and not before.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How the name of a file begins that is not yet whole.
const PART_PREFIX: &str = ".onesided-";

/// Names that are tried, should somebody have put something in the way of the first.
const MAX_NAMES: u32 = 100;

/// A file being written under another name beside it, which [`finish`](WholeFile::finish) gives its own.
/// Dropped before that, it is removed.
///
/// The other name can be guessed, and the folder may be one that others write to: the file is a new one or
/// none, whatever is in its way is left alone, and symbolic links are not followed.
#[derive(Debug)]
pub struct WholeFile {
    file: File,
    /// Where it is written, and its own name.
    names: Option<(PathBuf, PathBuf)>,
}

impl WholeFile {
    /// Begins the file at `path`. Whatever is there now is replaced at the end, a symbolic link itself and
    /// not what it leads to. Permissions are those that a new file has.
    ///
    /// # Errors
    /// Why there can be no such file.
    pub fn create(path: &Path) -> io::Result<Self> {
        let is_folder = fs::symlink_metadata(path).is_ok_and(|there| there.is_dir());
        if is_folder {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        // Not made of its own name, which may be as long as names can be.
        let name = |number: u32| format!("{PART_PREFIX}{}-{number}.part", std::process::id());
        let mut number = 0;
        loop {
            let part = path.with_file_name(name(number));
            match OpenOptions::new().write(true).create_new(true).open(&part) {
                Ok(file) => {
                    return Ok(WholeFile {
                        file,
                        names: Some((part, path.into())),
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    number += 1;
                    if number == MAX_NAMES {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The file as it is being written.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file its name.
    pub fn finish(mut self) -> io::Result<()> {
        if let Some((part, path)) = &self.names {
            fs::rename(part, path)?;
            self.names = None;
        }
        Ok(())
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        if let Some((part, _)) = &self.names {
            // It is a failure already that leads here.
            let _ = fs::remove_file(part);
        }
    }
}

/// Whether a file of this name is one that was being written when its writer was killed.
pub fn is_part_name(name: &str) -> bool {
    name.starts_with(PART_PREFIX) && name.ends_with(".part")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_is_put_in_its_way_is_neither_followed_nor_harmed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, victim) = (folder.path().join("out"), folder.path().join("victim"));
        fs::write(&victim, "precious").unwrap();
        let own = std::process::id();
        for number in 0..2 {
            let trap = folder.path().join(format!(".onesided-{own}-{number}.part"));
            symlink(&victim, trap).unwrap();
        }
        symlink(&victim, &path).unwrap();
        let mut file = WholeFile::create(&path).unwrap();
        file.write_all(b"result").unwrap();
        file.finish().unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        assert_eq!(fs::read(&path).unwrap(), b"result");
        assert!(!path.is_symlink());

        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(WholeFile::create(&path).is_err(), "a folder");
    }

    #[test]
    fn a_name_may_be_as_long_as_names_can_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x".repeat(255));
        WholeFile::create(&path).unwrap().finish().unwrap();
        assert!(path.exists());
        drop(WholeFile::create(&path).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn parts_are_known_by_their_names() {
        assert!(is_part_name(".onesided-17-0.part"));
        for name in ["run.json", ".onesided-x", "x.part", "rank-0.records"] {
            assert!(!is_part_name(name), "{name}");
        }
    }
}
