//! What the launcher left in the environment: who starts, with how many ranks, and whether it is the
//! launcher of another MPI.
//!
//! A program started by the launcher of another MPI library does not fail: it becomes N jobs of one
//! rank each, and every one does all the work. The environment shows it.

use std::os::fd::{FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use super::library::{Family, Library};

/// Variables by which one kind of launcher tells a process its rank and the job's size.
#[derive(Debug)]
struct Signature {
    launcher: &'static str,
    rank: &'static str,
    size: &'static str,
}

/// The launcher of MPICH and of Intel MPI.
pub const HYDRA: &str = "MPICH's or Intel's mpiexec (hydra)";
const OPEN_MPI: &str = "Open MPI's mpirun";
const SRUN: &str = "Slurm's srun";

/// Set to 1, lets MPI start under a launcher that is thought to be another library's.
pub const OVERRIDE: &str = "ONESIDED_ANY_LAUNCHER";

/// Most specific first: under a launcher that runs inside a Slurm step, its own variables count.
const SIGNATURES: &[Signature] = &[
    Signature {
        launcher: OPEN_MPI,
        rank: "OMPI_COMM_WORLD_RANK",
        size: "OMPI_COMM_WORLD_SIZE",
    },
    Signature {
        launcher: "MVAPICH's launcher",
        rank: "MV2_COMM_WORLD_RANK",
        size: "MV2_COMM_WORLD_SIZE",
    },
    Signature {
        launcher: HYDRA,
        rank: "PMI_RANK",
        size: "PMI_SIZE",
    },
    Signature {
        launcher: "Flux",
        rank: "FLUX_TASK_RANK",
        size: "FLUX_JOB_SIZE",
    },
    Signature {
        launcher: "jsrun",
        rank: "JSM_NAMESPACE_RANK",
        size: "JSM_NAMESPACE_SIZE",
    },
    Signature {
        launcher: SRUN,
        rank: "SLURM_PROCID",
        size: "SLURM_STEP_NUM_TASKS",
    },
];

/// What a launcher says of this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Which launcher.
    pub launcher: &'static str,
    /// This process's rank in the launcher's job.
    pub rank: u32,
    /// How many processes the launcher started.
    pub size: u32,
}

/// The launcher of `library`, the one that was loaded, as far as it can be told: it stands beside the
/// compiler wrapper that this crate was built with. A build against the standard ABI loads other
/// libraries too; then it is looked for beside the file that was loaded.
pub fn of(library: &Library) -> Option<String> {
    let launcher = if cfg!(mpi_standard_abi) {
        beside(&loaded_file()?, library.family)?
    } else {
        PathBuf::from(env!("ONESIDED_MPIEXEC"))
    };
    launcher.is_file().then(|| launcher.display().to_string())
}

/// The file of the standard ABI's library that this process has loaded.
fn loaded_file() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let mut files = maps
        .lines()
        .filter_map(|line| line.find('/').map(|at| &line[at..]));
    files
        .find(|file| file.contains("/libmpi_abi.so"))
        .map(PathBuf::from)
}

/// The launcher of the installation that `file`, in its `lib` or a folder below, belongs to.
fn beside(file: &Path, family: Family) -> Option<PathBuf> {
    // Intel's `mpirun` leaves ranks behind on SIGTERM.
    let names: &[&str] = match family {
        Family::Intel => &["mpiexec.hydra"],
        // Debian has launchers of both families in one folder.
        Family::Mpich => &["mpirun.mpich", "mpirun", "mpiexec"],
        Family::OpenMpi => &["mpirun.openmpi", "mpirun", "mpiexec"],
        _ => &["mpirun", "mpiexec"],
    };
    let folders = file
        .ancestors()
        .skip(2)
        .take(2)
        .map(|folder| folder.join("bin"));
    let mut launchers = folders.flat_map(|bin| names.iter().map(move |name| bin.join(name)));
    launchers.find(|launcher| launcher.is_file())
}

/// Closes all files that this process was started with but the three standard streams: a child of a rank
/// has what the launcher left open for the rank, and as long as it is open the rank seems to be there.
/// For a process that has opened nothing itself yet.
pub fn close_what_was_inherited() {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else {
        return;
    };
    let open: Vec<i32> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    for fd in open.into_iter().filter(|&fd| fd > 2) {
        // That by which the folder was read is closed already.
        if std::fs::read_link(format!("/proc/self/fd/{fd}")).is_ok() {
            // SAFETY: it is open, and as nobody in this process has opened a file yet (caller), nobody
            // owns it.
            drop(unsafe { OwnedFd::from_raw_fd(fd) });
        }
    }
}

impl Launch {
    /// What the environment of this process says, if a launcher of more than one process left word.
    pub fn from_environment() -> Option<Launch> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// The same from any source of variables.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Option<Launch> {
        let number = |name| variable(name)?.trim().parse::<u32>().ok();
        SIGNATURES.iter().find_map(|signature| {
            let (rank, size) = (number(signature.rank)?, number(signature.size)?);
            (size > 1 && rank < size).then_some(Launch {
                launcher: signature.launcher,
                rank,
                size,
            })
        })
    }

    /// The message for a launcher under which `library` does not even start as one rank, or `None`.
    /// To be asked before MPI is initialised.
    ///
    /// Open MPI's launcher speaks PMIx. MPICH 4.0.2 ignores it and starts as N jobs of one rank; MPICH
    /// 5.0.2 aborts in `MPI_Init_thread` ("unsupported PMI version PMIx"). Only an MPICH that was built
    /// with PMIx could take part; [`OVERRIDE`] is for that.
    pub fn cannot_start(&self, library: &Library, right: Option<&str>) -> Option<String> {
        let of_mpich = matches!(
            library.family,
            Family::Mpich | Family::Intel | Family::Mvapich
        );
        if self.launcher != OPEN_MPI || !of_mpich || std::env::var(OVERRIDE).is_ok_and(|v| v == "1")
        {
            return None;
        }
        Some(
            self.wrong_launcher(library, right)
                + &format!("; if it does speak PMIx, set {OVERRIDE}=1"),
        )
    }

    /// The message for a job whose launcher started more processes than MPI knows of, or `None`
    /// where all is well. `world_size` is the size of `MPI_COMM_WORLD`.
    pub fn is_wrong_for(
        &self,
        world_size: i32,
        library: &Library,
        right: Option<&str>,
    ) -> Option<String> {
        (world_size == 1).then(|| self.wrong_launcher(library, right))
    }

    fn wrong_launcher(&self, library: &Library, right: Option<&str>) -> String {
        let Launch { launcher, size, .. } = self;
        let started = format!(
            "{launcher} started {size} processes, but each of them is alone: this program uses {library}, \
             which does not take part in that launcher's jobs"
        );
        let remedy = match (*launcher, library.family) {
            (SRUN, Family::OpenMpi) => "use `srun --mpi=pmix …`",
            (SRUN, _) => "use `srun --mpi=pmi2 …`",
            _ => "use that library's own launcher",
        };
        let path = right
            .map(|path| format!(" (`{path} -n {size} …`)"))
            .unwrap_or_default();
        format!("{started}; {remedy}{path}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(variables: &[(&str, &str)]) -> Option<Launch> {
        Launch::from_variables(|name| {
            variables
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| value.to_string())
        })
    }

    #[test]
    fn a_launcher_of_one_process_or_none_is_no_news() {
        assert_eq!(launch(&[]), None);
        assert_eq!(
            launch(&[("OMPI_COMM_WORLD_RANK", "0"), ("OMPI_COMM_WORLD_SIZE", "1")]),
            None
        );
        assert_eq!(launch(&[("PMI_RANK", "x"), ("PMI_SIZE", "4")]), None);
        // A Slurm batch script has a rank and no step of its own.
        assert_eq!(
            launch(&[("SLURM_PROCID", "0"), ("SLURM_NTASKS", "4")]),
            None
        );
    }

    #[test]
    fn singletons_under_a_launcher_of_more_are_told_the_right_one() {
        let found =
            launch(&[("OMPI_COMM_WORLD_RANK", "2"), ("OMPI_COMM_WORLD_SIZE", "4")]).unwrap();
        assert_eq!((found.rank, found.size), (2, 4));
        let mpich = Library::parse("MPICH 4.0.2");
        assert_eq!(found.is_wrong_for(4, &mpich, None), None);
        let open_mpi = Library::parse("Open MPI v4.1.4");
        assert_eq!(found.cannot_start(&open_mpi, None), None);
        let before = found.cannot_start(&mpich, None).unwrap();
        assert!(
            before.contains("started 4 processes") && before.contains(OVERRIDE),
            "{before}"
        );
        let message = found
            .is_wrong_for(1, &mpich, Some("/opt/mpich/bin/mpirun"))
            .unwrap();
        assert!(message.contains("MPICH 4.0.2") && message.contains("/opt/mpich/bin/mpirun -n 4"));
    }

    #[test]
    fn the_launcher_of_the_library_that_was_loaded_is_found_in_its_installation() {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        for name in ["mpirun", "mpiexec.hydra"] {
            std::fs::write(bin.join(name), "").unwrap();
        }
        for lib in ["lib", "lib/release"] {
            let file = folder.path().join(lib).join("libmpi_abi.so.1");
            assert_eq!(beside(&file, Family::Mpich), Some(bin.join("mpirun")));
            assert_eq!(
                beside(&file, Family::Intel),
                Some(bin.join("mpiexec.hydra"))
            );
        }
        let elsewhere = folder.path().join("a/b/lib/libmpi_abi.so.1");
        assert_eq!(beside(&elsewhere, Family::Mpich), None);
    }

    #[test]
    fn srun_without_mpi_plugin_is_told_the_plugin() {
        let found = launch(&[("SLURM_PROCID", "1"), ("SLURM_STEP_NUM_TASKS", "2")]).unwrap();
        let message = found
            .is_wrong_for(1, &Library::parse("Open MPI v5.0.11"), None)
            .unwrap();
        assert!(message.contains("--mpi=pmix"), "{message}");
    }
}
