//! Batches of jobs that a shell script plays: fast, and with no MPI in reach.

mod interrupted;
mod limits;
#[path = "../support/preload.rs"]
#[allow(dead_code, reason = "no MPI is in reach here")]
mod preload;
mod refused;
mod results;
mod troubles;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A batch in a folder of its own, and what its jobs wrote down.
struct Batch {
    scratch: TempDir,
    args: Vec<String>,
    envs: Vec<(&'static str, String)>,
}

impl Batch {
    fn new(args: &[&str]) -> Self {
        let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/batch/launcher.sh");
        let mut all = vec![
            format!("--launcher='{script}' {{ranks}}"),
            "--program=/bin/true".into(),
            format!("--out={}", scratch.path().join("out").display()),
        ];
        all.extend(args.iter().map(ToString::to_string));
        let log = scratch.path().join("log").display().to_string();
        Batch {
            scratch,
            args: all,
            envs: vec![("FAKE_LOG", log)],
        }
    }

    fn env(mut self, name: &'static str, value: &str) -> Self {
        self.envs.push((name, value.into()));
        self
    }

    fn out(&self) -> PathBuf {
        self.scratch.path().join("out")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_onesided"));
        command
            .arg("batch")
            .args(&self.args)
            .envs(self.envs.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self) -> Output {
        self.command().output().expect("the program starts")
    }

    fn run_well(&self) -> String {
        let output = self.run();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Lines that jobs wrote down: what, and the rest.
    fn log(&self) -> Vec<(String, String)> {
        let text = std::fs::read_to_string(self.scratch.path().join("log")).unwrap_or_default();
        let split = |line: &str| {
            line.split_once(' ')
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
        };
        text.lines().filter_map(split).collect()
    }

    /// How often each run was started.
    fn starts(&self) -> BTreeMap<String, usize> {
        let mut starts = BTreeMap::new();
        for (_, run) in self.log().into_iter().filter(|(what, _)| what == "start") {
            *starts.entry(run).or_default() += 1;
        }
        starts
    }

    /// The journal's lines.
    fn journal(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.out().join("journal.jsonl")).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole
            .lines()
            .map(|line| serde_json::from_str(line).expect("a line of JSON"))
            .collect()
    }

    fn results(&self) -> Value {
        json(&self.out().join("results.json"))
    }
}

/// The batch, started by a program that runs what follows its own arguments.
fn started_by(program: &Path, args: &[&str], batch: &Batch) -> Command {
    let own = batch.command();
    let mut command = Command::new(program);
    command
        .args(args)
        .arg(own.get_program())
        .args(own.get_args())
        .envs(batch.envs.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("a file");
    serde_json::from_str(&text).expect("JSON")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Whether a process is there, and has not ended. Not by its command line: while it starts another program, it
/// has none for a moment.
fn is_there(process: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map(|(_, state)| state);
    state.is_some_and(|state| !state.starts_with(['Z', 'X']))
}

/// Whether it is gone in a minute: who is killed is there for a moment.
fn is_gone_soon(process: &str) -> bool {
    let start = std::time::Instant::now();
    while is_there(process) && start.elapsed().as_secs() < 60 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    !is_there(process)
}

/// Sends a signal to a process.
fn signal(name: &str, process: u32) {
    let sent = Command::new("kill")
        .args(["-s", name, &process.to_string()])
        .status();
    assert!(sent.expect("kill runs").success());
}
