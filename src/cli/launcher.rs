//! Which launcher starts jobs where none is named: the same for all subcommands that start some.

use super::Failure;

/// The command of `$MPIEXEC`, or else of the MPI library's own launcher, which `of_library` finds.
pub(super) fn default_launcher(
    of_library: impl FnOnce() -> Option<String>,
) -> Result<String, Failure> {
    let named = std::env::var("MPIEXEC")
        .ok()
        .filter(|path| !path.is_empty());
    match named.or_else(of_library) {
        // As it is: MPIEXEC may be a command with options.
        Some(path) => Ok(format!("{path} -n {{ranks}}")),
        None => Err(Failure::Usage(
            "no launcher is known: name it with --launcher, such as --launcher 'mpirun -n {ranks}'"
                .into(),
        )),
    }
}
