//! `onesided compare` as a user starts it, on good runs and bad ones. Needs no MPI.

mod bad_files;
mod bad_runs;
mod fail_if;
mod formats;
mod fuzz;
mod golden;
mod hostile;
mod html;
mod inputs;
mod limits;
#[cfg(all(target_os = "linux", not(feature = "mpi")))]
mod memory;
mod pictures;
mod refused;
#[path = "../support/replay.rs"]
mod replay;
mod savings;
#[path = "../support/synthetic.rs"]
mod synthetic;

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use onesided::internals::trace::Version;
use synthetic::Synthetic;
use tempfile::TempDir;

/// The program under test.
const ONESIDED: &str = env!("CARGO_BIN_EXE_onesided");

/// Nothing here takes a second; a machine with more to do gets more.
const DEADLINE: Duration = Duration::from_secs(120);

/// How the program ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// `onesided compare ARGS`, the arguments parted by blanks, in `folder`: so the paths in what it prints
/// are the same on every machine.
fn compare(folder: &Path, args: &str) -> Ended {
    compare_with(folder, &args.split_whitespace().collect::<Vec<_>>())
}

fn compare_with(folder: &Path, args: &[&str]) -> Ended {
    let mut command = Command::new(ONESIDED);
    command.arg("compare").args(args).current_dir(folder);
    end_of(command)
}

/// Runs a command to its end, which is soon.
fn end_of(mut command: Command) -> Ended {
    let outputs = tempfile::tempdir().expect("a folder");
    let path = |name: &str| outputs.path().join(name);
    let file = |name: &str| File::create(path(name)).expect("a file");
    command.env_remove("RUST_LOG").env_remove("RUST_BACKTRACE");
    command.stdout(file("stdout")).stderr(file("stderr"));
    let mut child = command.spawn().expect("the program starts");
    let deadline = Instant::now() + DEADLINE;
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        if Instant::now() > deadline {
            child.kill().expect("it is our own");
            child.wait().expect("it was killed");
            panic!("{command:?} does not end");
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let read = |name: &str| fs::read_to_string(path(name)).expect("text");
    Ended {
        code: status.code(),
        stdout: read("stdout"),
        stderr: read("stderr"),
    }
}

impl Ended {
    /// It printed a result and no complaint. The result.
    fn done(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{self:?}");
        self.stdout
    }

    /// It was the user's fault: exit code 2, nothing on stdout, and one line on stderr. The line.
    fn refused(self) -> String {
        assert_eq!((self.code, self.stdout.as_str()), (Some(2), ""), "{self:?}");
        assert!(self.stderr.starts_with("onesided: "), "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        self.stderr
    }
}

/// A folder with the runs `rma` and `collective` of three ranks and two games.
fn a_pair() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, version) in [("rma", Version::Rma), ("collective", Version::Collective)] {
        Synthetic::new(version, 3, 2, 1).write(&folder.path().join(name));
    }
    folder
}

/// A folder with the runs `rma-0` to `rma-5` and `collective-0` to `collective-5`.
fn six_of_each() -> TempDir {
    some_of_each(6)
}

fn some_of_each(n: u64) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, version) in [("rma", Version::Rma), ("collective", Version::Collective)] {
        for seed in 0..n {
            let path = folder.path().join(format!("{name}-{seed}"));
            Synthetic::new(version, 3, 2, seed).write(&path);
        }
    }
    folder
}
