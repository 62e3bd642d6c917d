//! A test case is a *body*, run on every rank of a job of its own.
//!
//! The test program starts itself under the launcher. Every rank runs the body, then ends MPI, then
//! leaves a file that says so; the case passes if the job ended well in time *and* each of the ranks
//! left its file. A body that no rank reached, or a launcher that made N jobs of one rank, fails.

#![allow(dead_code, reason = "each test program uses its own part")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use onesided::rma::{Comm, Family, Mpi, ThreadLevel};

use crate::support::{Ended, Job, scratch};

/// What every rank of a job does.
#[derive(Clone, Copy)]
pub struct Body {
    pub name: &'static str,
    pub run: fn(&Comm<'_>),
}

/// How long a case may take. Generous: a case takes a few seconds on two cores.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// The rank counts that every case runs on unless it says otherwise.
pub const RANK_COUNTS: &[u32] = &[1, 2, 3, 5, 8];

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
}

/// Runs the body `name` on `n_ranks` ranks.
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
    let mut finished: Vec<(u32, u32)> = std::fs::read_dir(folder.path())
        .expect("the folder is there")
        .map(|entry| {
            let name = entry
                .expect("readable")
                .file_name()
                .into_string()
                .expect("our own names");
            let (rank, size) = name.split_once("-of-").expect("our own names");
            (
                rank.parse().expect("our own names"),
                size.parse().expect("our own names"),
            )
        })
        .collect();
    finished.sort_unstable();
    BodyJob {
        ended,
        n_ranks,
        finished,
    }
}

impl BodyJob {
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

/// Whether an operation of some ranks takes a round trip over a network.
pub fn is_apart(comm: &Comm<'_>) -> bool {
    onesided::rma::Placement::of(comm).expect("nodes").n_nodes() > 1
}

/// Whether operations crawl: MPICH 4.0.2 and 4.3.2 poll without ever yielding, so that with more ranks
/// than cores an operation of one rank waits for a time slice of another, milliseconds each. Bodies do
/// less then.
pub fn crawls(comm: &Comm<'_>) -> bool {
    let library = onesided::rma::library().expect("the library names itself");
    library.family == Family::Mpich && library.version[0] < 5 && comm.size() > 2
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

/// Runs a body on this rank: `--body NAME FOLDER DEADLINE_S`.
pub fn run_body(by_level: &[(ThreadLevel, &[Body])], args: &[String]) {
    let [name, report, deadline_s] = args else {
        panic!("--body NAME FOLDER DEADLINE_S")
    };
    let mut bodies = by_level
        .iter()
        .flat_map(|(level, bodies)| bodies.iter().map(move |body| (*level, body)));
    let (level, body) = bodies
        .find(|(_, body)| body.name == name)
        .unwrap_or_else(|| panic!("no body {name}"));
    let deadline: u64 = deadline_s.parse().expect("seconds");
    // Should the launcher be killed and leave its ranks behind, they end by themselves.
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(deadline + 15));
        std::process::exit(86);
    });
    let mpi = Mpi::init(level).expect("MPI starts");
    let world = mpi.world().expect("a duplicate of the world");
    let (rank, size) = (world.rank(), world.size());
    (body.run)(&world);
    world.free().expect("freed");
    mpi.finalize().expect("ended");
    std::fs::write(Path::new(report).join(format!("{rank}-of-{size}")), "").expect("a report");
}
