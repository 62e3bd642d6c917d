//! What benchmarks share: where they ran, their raw samples, ratios held against targets.

use std::fmt::{Display, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use onesided::internals::analysis::Spread;
use onesided::rma::{Comm, Library};

/// Machine, MPI and commit, in one line. To be called before MPI starts: it runs git.
pub fn machine_and_commit() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown processor", |(_, model)| model.trim());
    // Not what this process may use: a launcher may have bound it to one core.
    let n_cores = cpus
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let git = Command::new("git")
        .args(["describe", "--always", "--dirty"])
        .output();
    let commit = git
        .ok()
        .filter(|output| output.status.success())
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    format!(
        "{n_cores} cores of {model}, commit {}",
        commit.as_deref().unwrap_or("unknown")
    )
}

/// What a result is measured with.
pub fn heading(library: &Library, n_ranks: impl Display, machine: &str) -> String {
    format!("{library}, {n_ranks} ranks, {machine}")
}

/// Raw samples as CSV.
pub struct Samples {
    csv: String,
}

impl Samples {
    pub fn with_columns(columns: &str) -> Self {
        Samples {
            csv: format!("{columns}\n"),
        }
    }

    pub fn push(&mut self, line: impl Display) {
        let _ = writeln!(self.csv, "{line}");
    }

    /// Writes the file that `just bench` names, and says so.
    pub fn write(&self) {
        let Some(path) = std::env::var_os("ONESIDED_BENCH_CSV").map(PathBuf::from) else {
            return;
        };
        write_file(&path, &self.csv);
        println!("raw samples: {}", path.display());
    }
}

pub fn write_file(path: &Path, text: &str) {
    if let Err(error) = std::fs::write(path, text) {
        eprintln!("cannot write {}: {error}", path.display());
    }
}

/// The ratios of pairs of samples, and whether their median meets a target.
pub struct Ratio {
    pub spread: Spread,
    /// Infinite where there is none.
    pub target: f64,
}

impl Ratio {
    pub fn of(a: &[f64], b: &[f64], target: f64) -> Self {
        let ratios: Vec<f64> = a.iter().zip(b).map(|(a, b)| a / b).collect();
        Ratio {
            spread: spread(&ratios),
            target,
        }
    }

    pub fn holds(&self) -> bool {
        self.spread.median <= self.target
    }
}

impl Display for Ratio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Spread { median, low, high } = self.spread;
        write!(f, "{median:>6.2} ({low:.2} to {high:.2})")?;
        match self.target {
            f64::INFINITY => Ok(()),
            target if self.holds() => write!(f, "  ok {target}"),
            target => write!(f, "  MISSES {target}"),
        }
    }
}

/// The median with its 95 % interval.
pub fn spread(samples: &[f64]) -> Spread {
    Spread::of(samples).expect("samples are numbers")
}

/// The numbers of all ranks, on rank 0. Collective.
pub fn gather(comm: &Comm<'_>, own: &[f64]) -> Option<Vec<Vec<f64>>> {
    let bytes: Vec<u8> = own.iter().flat_map(|number| number.to_le_bytes()).collect();
    let all = comm.gather(0, &bytes).expect("gathered")?;
    let numbers = |bytes: Vec<u8>| {
        let words = bytes.chunks_exact(8);
        words
            .map(|word| f64::from_le_bytes(word.try_into().expect("8 bytes")))
            .collect()
    };
    Some(all.into_iter().map(numbers).collect())
}

/// Column `index` of what was gathered.
pub fn column(all: &[Vec<f64>], index: usize) -> impl Iterator<Item = f64> + '_ {
    all.iter().map(move |numbers| numbers[index])
}

/// What rank 0 says. Collective.
pub fn agreed(comm: &Comm<'_>, own: bool) -> bool {
    let mut byte = [u8::from(own)];
    comm.broadcast(0, &mut byte).expect("broadcast");
    byte == [1]
}

/// Lets this thread, and those that it starts, run on any core. Open MPI binds each of two ranks to a core,
/// where all threads of the rank would take turns.
pub fn run_on_any_core() {
    let mut all = rustix::thread::CpuSet::new();
    (0..rustix::thread::CpuSet::MAX_CPU).for_each(|core| all.set(core));
    rustix::thread::sched_setaffinity(None, &all).expect("cores that there are");
}

/// Processor time of this thread, in nanoseconds. Where nothing waits, it says what work costs however
/// busy the machine is; what polls while it waits is counted.
pub fn thread_cpu_ns() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}
