//! `onesided export`, on runs that nobody played. Needs no MPI.

mod bad_input;
mod formats;
mod readers;

mod made_up;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use onesided::internals::trace::Record;
use tempfile::TempDir;

/// `onesided export ARGS`.
pub(crate) fn export<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onesided"));
    command.arg("export").args(args);
    command
}

/// Runs the program to its end.
pub(crate) fn output(command: &mut Command) -> Output {
    command.output().expect("the program starts")
}

/// What it complained of.
pub(crate) fn complaint(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

/// A folder of its own for a test, with a run in it.
pub struct Run {
    folder: TempDir,
}

impl Run {
    /// A run of these records.
    pub(crate) fn new(ranks: &[Vec<Record>]) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        let run = Run {
            folder: folder.expect("the target folder is writable"),
        };
        std::fs::create_dir(run.path()).expect("the target folder is writable");
        made_up::write(&run.path(), ranks);
        run
    }

    /// The run's folder.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// A place for a file, outside the run's folder.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Exports it to a file, which must go well; the file, and what the program had to say.
    pub(crate) fn export(&self, format: &str) -> (PathBuf, String) {
        let file = self.beside(format);
        let output = output(&mut self.command(format, &file));
        assert!(output.status.success(), "{output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        (file, complaint(&output))
    }

    /// The command that exports it to a file.
    pub(crate) fn command(&self, format: &str, file: &Path) -> Command {
        let mut command = export(["--format", format]);
        command.arg("-o").arg(file).arg(self.path());
        command
    }
}
