//! The launcher rule: a job whose *launcher* died by a signal of its own, or hung alone when all its ranks were
//! gone, has no verdict. It is started again, at most twice, and nothing else ever is. Each case is printed, and
//! written down for `just ci`, which lists them and fails if there are many.
//!
//! `mpirun` of Open MPI 4.1.4 and 5.0.11 does so at the end of about one in a thousand jobs, in
//! `PMIx_server_finalize` (open-mpi/ompi#10117, openpmix/openpmix#2508), and far more often where a rank aborts
//! while another is in `MPI_Finalize`: `programs::a_launcher_crashes_or_hangs_…` of multi_rank notices when not.

use std::fmt;
use std::fs;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Ended;

/// How often a job is started again.
const RESTARTS: u32 = 2;

/// The variable by which the processes of a job are known.
pub const MARK: &str = "ONESIDED_TEST_JOB";

/// Signals that a process brings upon itself. Tests send none of them.
const OWN_SIGNALS: [(i32, &str); 5] = [
    (4, "SIGILL"),
    (6, "SIGABRT"),
    (7, "SIGBUS"),
    (8, "SIGFPE"),
    (11, "SIGSEGV"),
];

/// What launchers and programs print where a rank is to blame.
const BLAMES_A_RANK: [&str; 4] = ["onesided: rank", "panicked", "on signal", "BAD TERMINATION"];

/// How a launcher ended that says nothing of its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// It crashed.
    Signal(&'static str),
    /// It did not end, and no rank was left.
    HungAlone,
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Death::Signal(name) => write!(f, "died of {name}"),
            Death::HungAlone => write!(f, "hung alone"),
        }
    }
}

/// Whether the launcher is why a job ended as it did. `ranks_left` is about when its time was over; ranks that
/// are not `to_fail` are to blame where somebody says so.
pub fn death(ended: &Ended, signal: Option<i32>, ranks_left: bool, to_fail: bool) -> Option<Death> {
    let blames_a_rank = |text: &str| BLAMES_A_RANK.iter().any(|words| text.contains(words));
    if !to_fail && (blames_a_rank(&ended.stdout) || blames_a_rank(&ended.stderr)) {
        return None;
    }
    if ended.timed_out {
        return (!ranks_left).then_some(Death::HungAlone);
    }
    let own = OWN_SIGNALS
        .iter()
        .find(|&&(number, _)| signal == Some(number));
    own.map(|&(_, name)| Death::Signal(name))
}

/// The ranks of the marked job that are there: processes of it to which its launcher gave a rank.
pub fn ranks_left(mark: &str) -> Vec<u32> {
    const RANKS: [&str; 3] = ["OMPI_COMM_WORLD_RANK=", "PMI_RANK=", "PMIX_RANK="];
    let mark = format!("{MARK}={mark}");
    let is_rank = |process: &u32| {
        // What has ended, and is not yet waited for, has no environment.
        let environment = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
        let environment = String::from_utf8_lossy(&environment);
        let mut variables = environment.split('\0');
        variables.clone().any(|variable| variable == mark)
            && variables.any(|variable| RANKS.iter().any(|name| variable.starts_with(name)))
    };
    let entries = fs::read_dir("/proc").expect("Linux").flatten();
    let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    processes.filter(is_rank).collect()
}

/// Where processes are, if there is a debugger to ask.
pub fn stacks(processes: &[u32]) -> String {
    let of = |process: &u32| {
        let gdb = Command::new("timeout")
            .args([
                "20",
                "gdb",
                "-batch",
                "-nx",
                "-ex",
                "thread apply all bt 20",
                "-p",
            ])
            .arg(process.to_string())
            .output();
        let text = gdb.map(|output| output.stdout).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let frames = text.lines().filter(|line| line.starts_with(['#', 'T']));
        let frames: Vec<&str> = frames.collect();
        format!("\n--- process {process}\n{}", frames.join("\n"))
    };
    processes.iter().map(of).collect()
}

/// What a job may write to, as it was before: what is under the folder of scratch files among its words.
#[derive(Debug)]
pub struct Before {
    folder: tempfile::TempDir,
    paths: Vec<PathBuf>,
}

impl Before {
    /// Copies what is there.
    pub fn of<'a>(words: impl Iterator<Item = &'a str>) -> Self {
        let of_tests = |word: &&str| Path::new(word).starts_with(env!("CARGO_TARGET_TMPDIR"));
        let before = Before {
            folder: super::scratch(),
            paths: words.filter(of_tests).map(PathBuf::from).collect(),
        };
        for (path, copy) in before.copies() {
            if path.exists() {
                copy_all(path, &copy);
            }
        }
        before
    }

    fn copies(&self) -> impl Iterator<Item = (&PathBuf, PathBuf)> {
        let named = self.paths.iter().enumerate();
        named.map(|(i, path)| (path, self.folder.path().join(i.to_string())))
    }

    /// Brings it back.
    pub fn restore(&self) {
        for (path, copy) in self.copies() {
            let _ = fs::remove_file(path).or_else(|_| fs::remove_dir_all(path)); // it may not be there
            if copy.exists() {
                copy_all(&copy, path);
            }
        }
    }
}

fn copy_all(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-aT").args([from, to]).status();
    assert!(status.expect("cp runs").success(), "{from:?} to {to:?}");
}

/// The payload of a panic: the launcher of a job that a test does something to has died.
struct LauncherDied;

/// Starts a job by `start` until its launcher has not died, at most [`RESTARTS`] times more; before each of
/// these the files are brought [`Before`].
///
/// # Panics
/// Where it has died and there is no such state: see [`again`].
pub fn to_its_end(
    before: Option<&Before>,
    is_drill: bool,
    job: &str,
    start: impl Fn() -> (Ended, Option<Death>),
) -> Ended {
    for restart in 1.. {
        let (ended, death) = start();
        if !is_drill {
            write_down("job\n");
        }
        let Some(death) = death.filter(|_| restart <= RESTARTS) else {
            return ended;
        };
        let line = format!("LAUNCHER DIED: it {death}, job {job}, started again ({restart})\n");
        if !is_drill {
            // By no macro, whose output the harness would keep.
            let _ = std::io::stderr().write_all(line.as_bytes());
            write_down(&line);
        }
        match before {
            Some(before) => before.restore(),
            None => panic_any(LauncherDied),
        }
    }
    unreachable!("it returns after some restarts")
}

/// Appends to `launcher-log` in the folder of scratch files: a line a job, and a line a death.
fn write_down(line: &str) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("launcher-log");
    let file = fs::File::options().create(true).append(true).open(path);
    let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
    written.expect("the target folder is writable");
}

/// Runs a test that does something to its jobs, and the whole of it once more where a launcher died.
pub fn again<T>(test: impl Fn() -> T) -> T {
    let mut restarts = 0;
    loop {
        // A test that is run again makes everything new.
        match catch_unwind(AssertUnwindSafe(&test)) {
            Ok(value) => return value,
            Err(payload) if payload.is::<LauncherDied>() && restarts < RESTARTS => restarts += 1,
            Err(payload) => resume_unwind(payload),
        }
    }
}
