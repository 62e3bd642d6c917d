//! Starting jobs under the launcher of the MPI that was built against, each with a deadline.

#![allow(dead_code, reason = "each test program uses its own part")]

use std::io::{ErrorKind, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

mod launcher;
mod patience;
mod preload;
mod turn;
mod words;

use launcher::{Before, MARK, ranks_left};

#[allow(unused_imports, reason = "each test program uses its own part")]
pub use launcher::{Death, again};
#[allow(unused_imports, reason = "each test program uses its own part")]
pub use patience::{best_of_three, is_campaign, rank_counts, until};
#[allow(unused_imports, reason = "each test program uses its own part")]
pub use preload::{library_to_preload, mpicc, without_blanks};
#[allow(unused_imports, reason = "each test program uses its own part")]
pub use turn::{Turn, all_at_once};
#[allow(unused_imports, reason = "each test program uses its own part")]
pub use words::{quoted, words};

/// A job of a launcher.
#[derive(Debug, Clone)]
pub struct Job {
    launcher: PathBuf,
    /// What starts the launcher, where it is not this process.
    through: Vec<String>,
    launcher_args: Vec<String>,
    n_ranks: u32,
    program: PathBuf,
    args: Vec<String>,
    envs: Vec<(String, String)>,
    launcher_envs: Vec<(String, String)>,
    /// All variables of the launcher, where they are not those of this process.
    environment: Option<Vec<(String, String)>>,
    deadline: Duration,
    /// A process that takes the whole job with it when it is killed.
    keeper: Option<u32>,
    /// Whether no other job may run beside it.
    alone: bool,
    /// Whether it waits for no turn.
    at_once: bool,
    /// Whether a test does something to it while it runs.
    acted_on: bool,
    /// Whether its launcher is made to die, by a test of the launcher rule.
    is_drill: bool,
    /// Whether ranks are to fail.
    to_fail: bool,
    /// What it has printed on stderr so far.
    stderr: Printed,
}

/// What a stream has had so far.
type Printed = Arc<Mutex<Vec<u8>>>;

/// A job under way, to which the test does something.
#[derive(Debug)]
pub struct Running {
    job: JoinHandle<Ended>,
    stderr: Printed,
}

impl Running {
    /// Whether it has ended.
    pub fn is_finished(&self) -> bool {
        self.job.is_finished()
    }

    /// Whether it has printed this on stderr.
    pub fn has_said(&self, words: &str) -> bool {
        in_words(&self.stderr).contains(words)
    }

    /// Waits until it has done something. Jobs of other tests have their turn first.
    ///
    /// # Panics
    /// Where it has not in five minutes, or has ended without; as [`join`](Self::join) where its launcher died.
    pub fn until(self, what: &str, is_so: impl Fn() -> bool) -> Self {
        let start = Instant::now();
        while !is_so() {
            assert!(
                start.elapsed() < Duration::from_secs(300),
                "this does not come: {what}"
            );
            assert!(
                !self.is_finished(),
                "it has ended without {what}: {:#?}",
                self.join()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        self
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// Where its launcher died, in a way that [`again`] knows.
    pub fn join(self) -> Ended {
        let ended = self.job.join();
        ended.unwrap_or_else(|payload| std::panic::resume_unwind(payload))
    }
}

/// How a job ended.
#[derive(Debug)]
pub struct Ended {
    /// The launcher's exit code; `None` if it died of a signal.
    pub code: Option<i32>,
    /// Whether the deadline passed and the job was killed for it.
    pub timed_out: bool,
    /// What all ranks printed.
    pub stdout: String,
    /// What all ranks and the launcher complained of.
    pub stderr: String,
    /// How long it took.
    pub took: Duration,
}

/// The launcher of the MPI that this was built against, unless `MPIEXEC` names another.
pub fn launcher() -> PathBuf {
    let launcher = std::env::var("MPIEXEC").unwrap_or_else(|_| env!("ONESIDED_MPIEXEC").into());
    assert!(
        !launcher.is_empty(),
        "no launcher: set MPIEXEC, or run the tests with `just test`"
    );
    launcher.into()
}

/// Whether MPICH 4.0 is loaded, which some tests expect less of.
pub fn is_mpich_4_0() -> bool {
    let library = onesided::rma::library().expect("the library names itself");
    library.family == onesided::rma::Family::Mpich && library.version[..2] == [4, 0]
}

/// What ranks preload, so that those that wait yield and sleep, where MPICH 4 is loaded. It polls without ever
/// yielding, and with more ranks than cores each operation waits for time slices of others: a barrier of 4 ranks on
/// 2 cores takes 8.4 ms, and 0.018 ms so; of 8 ranks 35 ms, and 0.042 ms (4.0.2). 5.0 has variables for it, which
/// `.ci/mpi` sets. It reaches builds with UCX, as Debian's and the wheel 4.3.2 are.
pub fn that_yields() -> Option<&'static str> {
    let library = onesided::rma::library().expect("the library names itself");
    let polls = library.family == onesided::rma::Family::Mpich && library.version[0] < 5;
    polls.then(library_that_yields)
}

/// The library of [`that_yields`], whatever is loaded.
pub fn library_that_yields() -> &'static str {
    static LIBRARY: LazyLock<String> =
        LazyLock::new(|| library_to_preload("cc", "support/yield.c"));
    &LIBRARY
}

/// What ranks are to run under, such as valgrind: words as in a shell.
fn ranks_under() -> Vec<String> {
    let words = std::env::var("ONESIDED_RANKS_UNDER").unwrap_or_default();
    shlex::split(&words).expect("ONESIDED_RANKS_UNDER is a command")
}

impl Job {
    /// `n_ranks` ranks of `program`, killed after a minute.
    pub fn new(n_ranks: u32, program: impl AsRef<Path>) -> Self {
        Job {
            launcher: launcher(),
            through: Vec::new(),
            launcher_args: Vec::new(),
            n_ranks,
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            envs: Vec::new(),
            launcher_envs: Vec::new(),
            environment: None,
            deadline: Duration::from_secs(60),
            keeper: None,
            alone: false,
            at_once: false,
            acted_on: false,
            is_drill: false,
            to_fail: false,
            stderr: Printed::default(),
        }
    }

    /// Ranks are to fail, and may say so: their launcher is no less to blame for its own death.
    pub fn that_fails(mut self) -> Self {
        self.to_fail = true;
        self
    }

    /// Takes another launcher, whose deaths are none of MPI's.
    pub fn drill(mut self, launcher: impl Into<PathBuf>) -> Self {
        self.launcher = launcher.into();
        self.is_drill = true;
        self
    }

    /// Lets no other job run beside it: for what measures time.
    pub fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    /// Waits for no turn: for a second job of a test whose first one has had its turn.
    pub fn at_once(mut self) -> Self {
        self.at_once = true;
        self
    }

    /// Adds arguments of the program.
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of the ranks, and not of the launcher.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.envs.push((name.into(), value.into()));
        self
    }

    /// Sets a variable of the launcher.
    pub fn launcher_env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.launcher_envs.push((name.into(), value.into()));
        self
    }

    /// Adds arguments of the launcher.
    pub fn launcher_args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.launcher_args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Has the command `through` start the launcher, its command line being the rest of that command.
    /// Processes of such a job may outlive their launcher; killing `keeper` ends them all.
    pub fn started_through<S: Into<String>>(
        mut self,
        through: impl IntoIterator<Item = S>,
        keeper: u32,
    ) -> Self {
        self.keeper = Some(keeper);
        self.started_by(through)
    }

    /// [`started_through`](Self::started_through) a command that becomes the launcher (`exec`), so that the
    /// job ends as it does without.
    pub fn started_by<S: Into<String>>(mut self, through: impl IntoIterator<Item = S>) -> Self {
        self.through = through.into_iter().map(Into::into).collect();
        self
    }

    /// Kills the job when it has not ended by then.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Starts the job with the launcher of another MPI, a name that `.ci/mpi` knows and has installed,
    /// in the environment which that launcher needs. The ranks load the library that they would have
    /// loaded without it.
    pub fn launcher_of(self, mpi: &str) -> Self {
        let libraries = std::env::var("LD_LIBRARY_PATH").unwrap_or_default();
        self.in_environment_of(mpi)
            .env("LD_LIBRARY_PATH", libraries)
    }

    /// Starts the job as after `eval "$(.ci/mpi env MPI)"`.
    pub fn in_environment_of(mut self, mpi: &str) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/mpi");
        let print_all = r#"exports=$("$0" env "$1") && eval "$exports" && env -0"#;
        let output = Command::new("bash")
            .args(["-c", print_all, script, mpi])
            .env_remove("MPICC")
            .env_remove("MPIEXEC")
            .output()
            .expect("bash runs");
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let variables = text
            .split('\0')
            .filter_map(|variable| variable.split_once('='));
        let variables: Vec<(String, String)> = variables
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let launcher = variables.iter().find(|(name, _)| name == "MPIEXEC");
        self.launcher = launcher
            .expect("`.ci/mpi` names the launcher")
            .1
            .clone()
            .into();
        self.environment = Some(variables);
        self
    }

    /// Runs the job to its end, when it has its turn; again where its [launcher died](launcher).
    pub fn run(self) -> Ended {
        let values = self.envs.iter().map(|(_, value)| value);
        let words = self.args.iter().chain(values).map(String::as_str);
        let before = (!self.acted_on).then(|| Before::of(words));
        let job = format!("{} {}", self.program.display(), self.args.join(" "));
        launcher::to_its_end(before.as_ref(), self.is_drill, &job, || self.run_once())
    }

    /// Starts the job; a test that then does something to it goes through [`again`].
    pub fn start(mut self) -> Running {
        self.acted_on = true;
        self.stderr = Printed::default(); // and not that of a clone
        let stderr = Arc::clone(&self.stderr);
        let job = std::thread::spawn(move || self.run());
        Running { job, stderr }
    }

    /// The variables of ranks, as words for `env`.
    fn variables(&self) -> Vec<String> {
        const PRELOAD: &str = "LD_PRELOAD";
        let mut envs = self.envs.clone();
        if let Some(library) = that_yields().filter(|_| !self.is_drill) {
            match envs.iter_mut().find(|(name, _)| name == PRELOAD) {
                Some((_, others)) if others.split(':').any(|other| other == library) => {}
                Some((_, others)) => others.extend([":", library]),
                None => envs.push((PRELOAD.into(), library.into())),
            }
        }
        let word = |(name, value)| format!("{name}={value}");
        envs.into_iter().map(word).collect()
    }

    /// [`run`](Self::run), and never again: whether the launcher died is part of what is returned.
    pub fn run_once(&self) -> (Ended, Option<Death>) {
        static N_JOBS: AtomicU32 = AtomicU32::new(0);
        // Several hosts are one machine's, and one set of them.
        let _turn = match self.alone || self.keeper.is_some() {
            _ if self.at_once => None,
            true => Some(Turn::alone()),
            false => Some(Turn::of(self.n_ranks)),
        };
        let start = Instant::now();
        let under = ranks_under();
        let deadline = match under.is_empty() {
            true => self.deadline,
            false => self.deadline * 10, // as much slower as valgrind may be
        };
        let mut command = match self.through.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(&self.launcher);
                command
            }
            None => Command::new(&self.launcher),
        };
        if let Some(variables) = &self.environment {
            command.env_clear().envs(variables.iter().cloned());
        }
        command.envs(self.launcher_envs.iter().cloned());
        let tmp = own_tmp();
        if self.launcher_envs.iter().all(|(name, _)| name != "TMPDIR") {
            command.env("TMPDIR", tmp.path());
        }
        let mark = format!("{}-{}", std::process::id(), N_JOBS.fetch_add(1, Relaxed));
        // `env` sets the variables for every launcher alike.
        let mut child = command
            .env(MARK, &mark)
            .args(["-n", &self.n_ranks.to_string()])
            .args(&self.launcher_args)
            .arg("env")
            .args(self.variables())
            .args(under)
            .arg(&self.program)
            .args(&self.args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let stdout = Printed::default();
        self.stderr.lock().expect("lock").clear();
        let readers = [
            read_in_thread(child.stdout.take().expect("piped"), &stdout),
            read_in_thread(child.stderr.take().expect("piped"), &self.stderr),
        ];
        let in_time = wait_until(&mut child, start + deadline);
        let left = match in_time {
            Some(_) => Vec::new(),
            None => ranks_left(&mark),
        };
        let stacks = launcher::stacks(&left);
        let status = in_time.unwrap_or_else(|| kill(&mut child, self.keeper));
        for reader in readers {
            reader.join().expect("reader");
        }
        let ended = Ended {
            code: status.code(),
            timed_out: in_time.is_none(),
            stdout: in_words(&stdout),
            stderr: in_words(&self.stderr) + &stacks,
            took: start.elapsed(),
        };
        let death = launcher::death(&ended, status.signal(), !left.is_empty(), self.to_fail);
        (ended, death)
    }
}

impl Ended {
    /// Panics with everything that is known unless the job ended well.
    pub fn expect_success(self) -> Self {
        assert!(
            self.code == Some(0) && !self.timed_out,
            "the job did not end well: {self:#?}"
        );
        self
    }
}

fn read_in_thread(mut from: impl Read + Send + 'static, into: &Printed) -> JoinHandle<()> {
    let into = Arc::clone(into);
    std::thread::spawn(move || {
        let mut bytes = [0; 8192];
        loop {
            match from.read(&mut bytes) {
                Ok(n @ 1..) => into.lock().expect("lock").extend_from_slice(&bytes[..n]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => return, // what there was is told
            }
        }
    })
}

fn in_words(printed: &Printed) -> String {
    String::from_utf8_lossy(&printed.lock().expect("lock")).into_owned()
}

/// How it ended, or `None` when the deadline has passed.
fn wait_until(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().expect("own child") {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

/// Asks the launcher to end the job, and after 10 s insists.
fn kill(child: &mut Child, keeper: Option<u32>) -> ExitStatus {
    signal("TERM", child.id());
    wait_until(child, Instant::now() + Duration::from_secs(10)).unwrap_or_else(|| {
        if let Some(keeper) = keeper {
            signal("KILL", keeper);
        }
        let _ = child.kill();
        child.wait().expect("own child")
    })
}

/// Sends a signal to a process.
pub fn signal(name: &str, process: u32) {
    let _ = Command::new("kill")
        .args(["-s", name, &process.to_string()])
        .status();
}

/// What starts a program, as words that come before it, with a `TMPDIR` of its own below the one that there is: for ranks
/// that a launcher leaves alone, since each makes its own job (see [`own_tmp`]).
pub const WITH_OWN_TMP: [&str; 4] = [
    "sh",
    "-c",
    r#"TMPDIR=$(mktemp -d "$TMPDIR/XXXX") exec "$@""#,
    "sh",
];

/// A program without a launcher, which MPI makes a job of one rank.
#[derive(Debug)]
pub struct Alone {
    command: Command,
    _tmp: tempfile::TempDir,
}

/// It, with no arguments yet.
pub fn alone(program: impl AsRef<Path>) -> Alone {
    let (mut command, tmp) = (Command::new(program.as_ref()), own_tmp());
    command.env("TMPDIR", tmp.path());
    Alone { command, _tmp: tmp }
}

impl std::ops::Deref for Alone {
    type Target = Command;

    fn deref(&self) -> &Command {
        &self.command
    }
}

impl std::ops::DerefMut for Alone {
    fn deref_mut(&mut self) -> &mut Command {
        &mut self.command
    }
}

/// A folder for what MPI makes in `TMPDIR`. Jobs of Open MPI 4.1.4 that share one take the folder
/// `ompi.HOST.UID` in it away from under each other where one ends while another begins ("orte_session_dir
/// failed"). The path is short, as those of sockets have to be.
pub fn own_tmp() -> tempfile::TempDir {
    let mut folder = tempfile::Builder::new();
    folder
        .prefix("os-")
        .rand_bytes(5)
        .tempdir()
        .expect("room in /tmp")
}

/// A folder of its own for a test, in the target folder.
pub fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target folder is writable")
}
