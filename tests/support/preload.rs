//! Libraries that are put between a program and what it calls.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The wrapper of the C compiler that belongs to this MPI.
pub fn mpicc() -> String {
    std::env::var("MPICC").unwrap_or_else(|_| "mpicc".into())
}

/// The library made of a C file in `tests/` by this compiler, for `LD_PRELOAD`.
pub fn library_to_preload(compiler: &str, source: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(source);
    let name = source
        .file_stem()
        .expect("a file")
        .to_str()
        .expect("a plain name");
    let made = tempfile::Builder::new()
        .tempfile_in(folder)
        .expect("there is room");
    let output = Command::new(compiler)
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror"])
        .arg(&source)
        .arg("-o")
        .arg(made.path())
        .output()
        .expect("the compiler runs");
    assert!(
        output.status.success(),
        "{} compiles: {output:#?}",
        source.display()
    );
    // Moved into place: another process may be using the one that was there.
    let library = folder.join(format!("lib{name}.so"));
    std::fs::rename(made.path(), &library).expect("it can be moved");
    library
}
