//! A Slurm of one node, for one test.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::DEADLINE;

/// Tasks that it takes at once, whatever the machine has.
const CPUS: &str = "8";
/// Commands of Slurm answer at once, or not at all.
const PATIENCE_S: &str = "60";

/// One at a time: the machine has few cores, and tests wait for jobs.
static TURN: Mutex<()> = Mutex::new(());

/// Daemons that run as long as this is there.
pub struct Cluster {
    up: Child,
    folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

/// A new one; `None`, and a line that says so, where there can be none and that is allowed.
pub fn cluster() -> Option<Cluster> {
    let turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let Some(script) = std::env::var_os("ONESIDED_SLURM") else {
        skip("there is no Slurm to submit to: `eval \"$(.ci/slurm env)\"`, as root, brings one");
        return None;
    };
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let mut up = Command::new(script)
        .arg("up")
        .arg(folder.path())
        .arg(CPUS)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the script starts");
    // Ends with the script's own deadline, if it does not come up.
    let mut said = String::new();
    let stdout = up.stdout.as_mut().expect("piped");
    BufReader::new(stdout).read_line(&mut said).expect("text");
    let cluster = Cluster {
        up,
        folder,
        _turn: turn,
    };
    assert_eq!(said, "up\n", "Slurm does not come up: see stderr");
    Some(cluster)
}

/// Passes a test over, unless `ONESIDED_SKIP=forbidden` says that everything is here.
fn skip(what: &str) {
    assert!(
        std::env::var("ONESIDED_SKIP").as_deref() != Ok("forbidden"),
        "not to be skipped: {what}"
    );
    println!("SKIPPED: {what}");
}

impl Cluster {
    /// Where its own files are, and those of jobs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs one of Slurm's commands, and returns what it printed.
    pub fn command(&self, program: &str, args: &[&str]) -> String {
        let output = Command::new("timeout")
            .args([PATIENCE_S, program])
            .args(args)
            .env("SLURM_CONF", self.folder().join("slurm.conf"))
            .current_dir(self.folder())
            .output()
            .expect("the command starts");
        assert!(output.status.success(), "{program} {args:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Waits for something, but not for ever.
    pub fn wait(&self, what: &str, is_there: impl Fn() -> bool) {
        let start = Instant::now();
        while !is_there() {
            let jobs = || self.command("scontrol", &["show", "job"]);
            assert!(start.elapsed() < DEADLINE, "no {what}: {}", jobs());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What Slurm says of a job.
    pub fn about(&self, job: &str) -> String {
        self.command("scontrol", &["--oneliner", "show", "job", job])
    }

    /// How a job ended, once it has: its state, its exit code and the signal that ended it.
    pub fn end_of(&self, job: &str) -> String {
        let field = |name: &str| {
            let about = self.about(job);
            let value = about
                .split_whitespace()
                .find_map(|word| word.strip_prefix(name));
            value.expect("a field").to_owned()
        };
        // One that is ending still holds its node.
        self.wait("end", || {
            let state = field("JobState=");
            !["PENDING", "RUNNING", "COMPLETING", "REQUEUED"].contains(&state.as_str())
                && self.command("squeue", &["--noheader"]).is_empty()
        });
        format!("{} {}", field("JobState="), field("ExitCode="))
    }

    /// What a job printed.
    pub fn output_of(&self, job: &str) -> String {
        let path: PathBuf = self.folder().join(format!("onesided-{job}.out"));
        std::fs::read_to_string(path).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The end of its standard input ends it, and it ends what it started.
        drop(self.up.stdin.take());
        let start = Instant::now();
        while !matches!(self.up.try_wait(), Ok(Some(_))) {
            if start.elapsed() > Duration::from_secs(60) {
                eprintln!("{} does not end Slurm's daemons", self.folder().display());
                let _ = self.up.kill();
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
