//! Several hosts on this machine, made of namespaces by `hosts.sh`.

#![allow(dead_code, reason = "a benchmark uses its own part")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use onesided::rma::Family;
use tempfile::TempDir;

use crate::launchers::{Within, launcher_words};
use crate::support::{Job, launcher, scratch, signal, without_blanks};

/// What makes a set of hosts and talks to them.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/several_hosts/hosts.sh");

/// What launchers start in place of ssh.
pub fn agent() -> String {
    agents_folder().join("agent.sh").display().to_string()
}

fn agents_folder() -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/several_hosts");
    without_blanks(Path::new(folder))
}

/// Tools that `hosts.sh` is written with.
const TOOLS: &[&str] = &["bash", "ip", "mount", "nsenter", "timeout", "unshare"];

/// What the hosts are to be like.
#[derive(Debug, Clone, Copy, Default)]
pub struct Setup {
    /// How much later each frame is delivered, one way, to the microsecond.
    pub delay: Duration,
    /// How far ahead the clock of each host is of the clock of the host before, to the second. With
    /// zero all hosts have one clock.
    pub clock_step: Duration,
}

/// A set of hosts, which is gone when this is dropped, or when this process ends in any way.
#[derive(Debug)]
pub struct Hosts {
    n_hosts: u32,
    /// `unshare`: the kernel kills everything on the hosts when it ends.
    keeper: Child,
    /// Held open: the hosts stay until it is closed.
    stdin: Option<ChildStdin>,
    folder: TempDir,
}

/// Bytes and frames of `eth0` of a host.
#[derive(Debug, Clone, Copy)]
pub struct Traffic {
    pub received_bytes: u64,
    pub received_frames: u64,
    pub sent_bytes: u64,
    pub sent_frames: u64,
}

/// The host's name.
pub fn name(host: u32) -> String {
    format!("host{host}")
}

impl Hosts {
    /// `n_hosts` hosts with a common clock on a network without delay.
    pub fn up(n_hosts: u32) -> Self {
        Self::like(n_hosts, Setup::default())
    }

    /// `n_hosts` hosts.
    pub fn like(n_hosts: u32, setup: Setup) -> Self {
        Self::try_like(n_hosts, setup).unwrap_or_else(|why| panic!("no hosts: {why}"))
    }

    fn try_like(n_hosts: u32, setup: Setup) -> Result<Self, String> {
        let folder = scratch();
        let switch = match setup.delay.is_zero() {
            true => PathBuf::from("none"),
            false => switch()?,
        };
        let mut keeper = Command::new("unshare")
            .args(["--pid", "--fork", "--kill-child", "--mount", "--net", "--"])
            .args([SCRIPT, "make"])
            .arg(folder.path())
            .arg(n_hosts.to_string())
            .arg(switch)
            .arg(setup.delay.as_micros().to_string())
            .arg(setup.clock_step.as_secs().to_string())
            .args(common_folders())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("unshare: {error}"))?;
        let stdin = keeper.stdin.take();
        let stdout = keeper.stdout.take().expect("piped");
        let stderr = keeper.stderr.take().expect("piped");
        let hosts = Hosts {
            n_hosts,
            keeper,
            stdin,
            folder,
        };
        let mut line = String::new();
        let _ = BufReader::new(stdout).read_line(&mut line);
        match line.as_str() {
            "up\n" => Ok(hosts),
            _ => Err(hosts.complaint(stderr)),
        }
    }

    /// What the script said before it gave up.
    fn complaint(self, mut stderr: ChildStderr) -> String {
        drop(self);
        let mut text = String::new();
        let _ = stderr.read_to_string(&mut text);
        text.trim().replace('\n', "; ")
    }

    /// Why there can be no hosts here, found out once.
    pub fn impossible() -> Option<&'static str> {
        static WHY: OnceLock<Option<String>> = OnceLock::new();
        WHY.get_or_init(|| why_impossible().err()).as_deref()
    }

    /// A command to be run on a host.
    pub fn command_on(&self, host: u32) -> Vec<String> {
        let keeper = self.keeper.id();
        let words = [
            "nsenter",
            // A process cannot change its process namespace, only that of its children; what is
            // started is `timeout`, which hands on to them the signals that it gets.
            "--no-fork",
            "--mount",
            "--net",
            &format!("--pid=/proc/{keeper}/ns/pid_for_children"),
            &format!("--target={keeper}"),
            "--",
            "timeout",
            "0",
            SCRIPT,
            "on",
            &name(host),
        ];
        words.map(str::to_owned).to_vec()
    }

    /// Runs a command on a host to its end, and returns what it printed.
    pub fn run_on(&self, host: u32, command: &[&str]) -> String {
        let words = self.command_on(host);
        let output = Command::new(&words[0])
            .args(&words[1..])
            .args(command)
            .env("ONESIDED_HOSTS", self.folder.path())
            .output()
            .expect("nsenter runs");
        assert!(output.status.success(), "{command:?}: {output:?}");
        String::from_utf8(output.stdout).expect("plain text")
    }

    /// A job of `per_host` ranks of `program` on each host, rank 0 and its neighbours on the first.
    /// All talk over TCP; ranks of one host do what `within` says.
    pub fn job(&self, per_host: u32, within: Within, program: impl AsRef<Path>) -> Job {
        let names: Vec<String> = (0..self.n_hosts).map(name).collect();
        let library = onesided::rma::library().expect("the library names itself");
        let words = launcher_words(&library, &names, per_host, within);
        let mut job = Job::new(self.n_hosts * per_host, &program)
            .started_through(self.command_on(0), self.keeper.id())
            .launcher_args(words.args)
            // The agent finds the hosts by it.
            .launcher_env("ONESIDED_HOSTS", self.folder.path().display().to_string())
            // Each host has its own.
            .launcher_env("TMPDIR", "/tmp");
        for (name, value) in words.envs {
            job = job.launcher_env(name, value);
        }
        job
    }

    /// Where the hosts' names and processes are written down, for the agent.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Number of hosts.
    pub fn len(&self) -> u32 {
        self.n_hosts
    }

    /// The process that everything on the hosts ends with.
    pub fn keeper(&self) -> u32 {
        self.keeper.id()
    }

    /// What went over the wire of a host since it was made.
    pub fn traffic(&self, host: u32) -> Traffic {
        let text = self.run_on(host, &["cat", "/proc/net/dev"]);
        let line = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("eth0:"));
        let numbers: Vec<u64> = line
            .expect("each host has eth0")
            .split_whitespace()
            .map(|number| number.parse().expect("a count"))
            .collect();
        Traffic {
            received_bytes: numbers[0],
            received_frames: numbers[1],
            sent_bytes: numbers[8],
            sent_frames: numbers[9],
        }
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline {
            if let Ok(Some(_)) = self.keeper.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        signal("KILL", self.keeper.id());
        let _ = self.keeper.wait();
    }
}

fn why_impossible() -> Result<(), String> {
    let status = std::fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    let user = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    if user.and_then(|ids| ids.split_whitespace().nth(1)) != Some("0") {
        return Err("network namespaces are for root".into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |tool: &&&str| std::env::split_paths(&path).any(|dir| dir.join(tool).is_file());
    if let Some(missing) = TOOLS.iter().find(|tool| !is_there(tool)) {
        return Err(format!(
            "there is no `{missing}` (Debian: iproute2, util-linux)"
        ));
    }
    can_be_told(&launcher())?;
    // Root in a container may lack the right, and a kernel a part; both kinds of hosts are tried.
    let both = [Setup::default(), delayed_and_ahead()];
    both.into_iter()
        .try_for_each(|setup| Hosts::try_like(2, setup).map(drop))
}

/// Whether the launcher is one that `launchers.rs` knows.
fn can_be_told(launcher: &Path) -> Result<(), String> {
    let library = onesided::rma::library().map_err(|error| error.to_string())?;
    let name = launcher.file_name().unwrap_or_default().to_string_lossy();
    let known = matches!(library.family, Family::OpenMpi | Family::Mpich);
    match known && name.starts_with("mpi") {
        true => Ok(()),
        false => Err(format!("no words for {name} of {library} are known")),
    }
}

fn delayed_and_ahead() -> Setup {
    Setup {
        delay: Duration::from_micros(1),
        clock_step: Duration::from_secs(1),
    }
}

/// `switch.c`, compiled once.
fn switch() -> Result<PathBuf, String> {
    static SWITCH: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let compile = || {
        let folder =
            tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).map_err(|error| error.to_string())?;
        let (source, made) = (
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/several_hosts/switch.c"),
            folder.path().join("switch"),
        );
        let output = Command::new("cc")
            .args(["-O2", "-Wall", "-Wextra", "-Werror", source, "-o"])
            .arg(&made)
            .output()
            .map_err(|error| format!("cc: {error}"))?;
        assert!(output.status.success(), "switch.c compiles: {output:?}");
        // Moved into place: another test run may be using the one that was there.
        let switch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("switch");
        std::fs::rename(made, &switch).map_err(|error| error.to_string())?;
        Ok(switch)
    };
    SWITCH.get_or_init(compile).clone()
}

/// Folders that programs of a job lie in, or write to: each host has a /tmp of its own, which would
/// hide those that are below it.
fn common_folders() -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::from([
        PathBuf::from(env!("CARGO_MANIFEST_DIR")),
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(".."),
        agents_folder(),
    ]);
    // The launcher's installation, PREFIX/bin/mpirun, which the library is taken to be of.
    folders.extend(launcher().ancestors().nth(2).map(Path::to_owned));
    folders
}
