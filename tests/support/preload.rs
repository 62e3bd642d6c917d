//! Libraries that are put between a program and what it calls.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The wrapper of the C compiler that belongs to this MPI.
pub fn mpicc() -> String {
    std::env::var("MPICC").unwrap_or_else(|_| "mpicc".into())
}

/// The library made of a C file in `tests/` by this compiler, as `LD_PRELOAD` wants it.
pub fn library_to_preload(compiler: &str, source: &str) -> String {
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
    let file = format!("lib{name}.so");
    std::fs::rename(made.path(), folder.join(&file)).expect("it can be moved");
    let library = without_blanks(folder).join(file);
    library.to_str().expect("a plain name").into()
}

/// A name of a folder without blanks and colons, at which the loader splits `LD_PRELOAD`, and launchers what they
/// are to take for ssh: where its own has some, that of a link to it.
pub fn without_blanks(folder: &Path) -> PathBuf {
    let name = folder.to_str().expect("a plain name");
    if !name.contains([' ', ':']) {
        return folder.to_owned();
    }
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    let link = std::env::temp_dir().join(format!("onesided-{:016x}", hasher.finish()));
    let made = std::os::unix::fs::symlink(folder, &link);
    let leads_to = std::fs::read_link(&link); // made now, or by an earlier run
    assert!(
        leads_to.is_ok_and(|leads_to| leads_to == folder),
        "{link:?} cannot be made a link to {folder:?}: {made:?}"
    );
    link
}
