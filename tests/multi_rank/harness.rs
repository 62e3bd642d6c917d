//! A test case is a *body*, run on every rank of a job of its own.
//!
//! The test program starts itself under the launcher. Every rank runs the body, then ends MPI, then
//! leaves a file that says so; the case passes if the job ended well in time *and* each of the ranks
//! left its file. A body that no rank reached, or a launcher that made N jobs of one rank, fails.
//!
//! A job may run several bodies, one after the other, each on a duplicate of the world of its own.

#![allow(dead_code, reason = "each test program uses its own part")]

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use onesided::rma::{Comm, Mpi, ThreadLevel};

use crate::support::{Ended, Job, library_to_preload, mpicc, scratch};

/// What every rank of a job does.
#[derive(Clone, Copy)]
pub struct Body {
    pub name: &'static str,
    pub run: fn(&Comm<'_>),
}

/// How long a case may take. Generous: a case takes a few seconds on two cores.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// One test case per rank count.
pub fn on_ranks(counts: &'static [u32], body: Body) -> impl Iterator<Item = Trial> {
    counts.iter().map(move |&n_ranks| {
        Trial::test(format!("{}/ranks_{n_ranks}", body.name), move || {
            let job = launch(n_ranks, body.name, DEADLINE);
            job.verdict().map_err(Failed::from)
        })
    })
}

/// A job that ran a body.
pub struct BodyJob {
    pub ended: Ended,
    n_ranks: u32,
    /// Ranks that left a file, `(rank, size)`.
    finished: Vec<(u32, u32)>,
    /// For each rank that ran any the bodies that it ran to their end, a line each.
    bodies: Vec<String>,
}

/// Beginning of the name of a file in which a rank writes which bodies it ran to their end, a line each.
const BODIES_OF: &str = "bodies-";

/// Runs the body `name`, or several whose names are parted by commas, on `n_ranks` ranks.
pub fn launch(n_ranks: u32, name: &str, deadline: Duration) -> BodyJob {
    launch_with(n_ranks, name, deadline, &[])
}

/// [`launch`] with some variables set.
pub fn launch_with(
    n_ranks: u32,
    name: &str,
    deadline: Duration,
    variables: &[(&str, &str)],
) -> BodyJob {
    let set = |job: Job, &(variable, value): &(&str, &str)| job.env(variable, value);
    let new_job = |n_ranks, program| variables.iter().fold(Job::new(n_ranks, program), set);
    launch_by(new_job, n_ranks, name, deadline)
}

/// [`launch`] in a job that `new_job` makes of a number of ranks and a program.
pub fn launch_by(
    new_job: impl FnOnce(u32, PathBuf) -> Job,
    n_ranks: u32,
    name: &str,
    deadline: Duration,
) -> BodyJob {
    let folder = scratch();
    let report = folder
        .path()
        .to_str()
        .expect("the target folder has a plain name");
    let program = std::env::current_exe().expect("a running program");
    let deadline_s = deadline.as_secs().to_string();
    let job = new_job(n_ranks, program)
        .args(["--body", name, report, &deadline_s])
        .deadline(deadline);
    let ended = job.run();
    let entries = std::fs::read_dir(folder.path()).expect("the folder is there");
    let (mut finished, mut bodies) = (Vec::new(), Vec::new());
    for entry in entries {
        let path = entry.expect("readable").path();
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.expect("our own names");
        if name.starts_with(BODIES_OF) {
            bodies.push(std::fs::read_to_string(&path).expect("our own file"));
            continue;
        }
        let (rank, size) = name.split_once("-of-").expect("our own names");
        let number = |text: &str| text.parse::<u32>().expect("our own names");
        finished.push((number(rank), number(size)));
    }
    finished.sort_unstable();
    BodyJob {
        ended,
        n_ranks,
        finished,
        bodies,
    }
}

impl BodyJob {
    /// Whether every rank ran this body to its end.
    pub fn finished_by_all(&self, name: &str) -> bool {
        let ranks = self.bodies.iter();
        let n_ranks = ranks.filter(|bodies| bodies.lines().any(|body| body == name));
        n_ranks.count() == self.n_ranks as usize
    }

    /// Whether every rank ran the body to its end, in one job, in time.
    pub fn verdict(&self) -> Result<(), String> {
        let Ended {
            code,
            timed_out,
            stdout,
            stderr,
            took,
        } = &self.ended;
        let output = format!("\n--- stdout\n{stdout}\n--- stderr\n{stderr}");
        if *timed_out {
            return Err(format!(
                "killed after {took:?}; finished ranks: {:?}{output}",
                self.finished
            ));
        }
        if *code != Some(0) {
            return Err(format!("the launcher ended with {code:?}{output}"));
        }
        let expected: Vec<_> = (0..self.n_ranks).map(|rank| (rank, self.n_ranks)).collect();
        if self.finished != expected {
            return Err(format!(
                "not every rank finished the body: {:?}{output}",
                self.finished
            ));
        }
        Ok(())
    }
}

/// Whether an operation of some ranks takes a round trip over a network. Collective.
pub fn is_apart(comm: &Comm<'_>) -> bool {
    onesided::rma::Placement::of(comm).expect("nodes").n_nodes() > 1
}

/// Every rank's numbers, on all ranks the same assertion: `None` elsewhere than on rank 0.
pub fn gather_numbers(comm: &Comm<'_>, numbers: &[u64]) -> Option<Vec<u64>> {
    let bytes: Vec<u8> = numbers
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    let all = comm.gather(0, &bytes).expect("gathered")?;
    let words = all.iter().flat_map(|bytes| bytes.chunks_exact(8));
    Some(
        words
            .map(|word| u64::from_le_bytes(word.try_into().expect("8 bytes")))
            .collect(),
    )
}

/// A variable of ranks: end by `MPI_Finalize` even where the library is known to hang in it.
pub const PLAIN_END: &str = "ONESIDED_TEST_PLAIN_END";

/// Runs bodies on this rank: `--body NAME,… FOLDER DEADLINE_S`.
pub fn run_body(by_level: &[(ThreadLevel, &[Body])], args: &[String]) {
    let [names, report, deadline_s] = args else {
        panic!("--body NAME,… FOLDER DEADLINE_S")
    };
    let body = |name| {
        let all = by_level
            .iter()
            .flat_map(|(level, bodies)| bodies.iter().map(move |body| (*level, body)));
        let mut named = all.filter(|(_, body)| body.name == name);
        named.next().unwrap_or_else(|| panic!("no body {name}"))
    };
    let bodies: Vec<(ThreadLevel, &Body)> = names.split(',').map(body).collect();
    let deadline: u64 = deadline_s.parse().expect("seconds");
    // Should the launcher be killed and leave its ranks behind, they end by themselves.
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(deadline + 15));
        std::process::exit(86);
    });
    let level = bodies.iter().map(|&(level, _)| level).max();
    let mpi = Mpi::init(level.expect("a name")).expect("MPI starts");
    let report = Path::new(report);
    let mut who = None;
    for (_, body) in &bodies {
        let world = mpi.world().expect("a duplicate of the world");
        let (rank, size) = (world.rank(), world.size());
        (body.run)(&world);
        world.free().expect("freed");
        let path = report.join(format!("{BODIES_OF}{rank}"));
        let mut file = File::options().create(true).append(true).open(path);
        writeln!(file.as_mut().expect("a report"), "{}", body.name).expect("a report");
        who = Some((rank, size));
    }
    let (rank, size) = who.expect("a name");
    let finished =
        || std::fs::write(report.join(format!("{rank}-of-{size}")), "").expect("a report");
    if std::env::var_os(PLAIN_END).is_some() {
        mpi.finalize().expect("ended");
        finished();
    } else {
        finished();
        mpi.finalize_at_last(0).expect("ended");
    }
}

/// `tests/pmpi/fail.c`, compiled once with the wrapper of this MPI.
pub fn library_with_faults() -> &'static str {
    static LIBRARY: OnceLock<String> = OnceLock::new();
    LIBRARY.get_or_init(|| library_to_preload(&mpicc(), "pmpi/fail.c"))
}
