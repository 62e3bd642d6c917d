//! What the system allows a process, and how it says that it was too much.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::process::{Resource, getrlimit, setrlimit};

/// Has the system refuse what is beyond its limits, where it would else end this process, and allow as many
/// open files as the user may have. What is started from here has the signals as they were.
pub(super) fn expect_limits() {
    // A file larger than `ulimit -f` allows is then an error of the write, which is said in words.
    let noticed = Arc::new(AtomicBool::new(false));
    if let Err(error) = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, noticed) {
        eprintln!("onesided: warning: a file that is too large will end this process: {error}");
    }
    let mut files = getrlimit(Resource::Nofile);
    if files.current != files.maximum {
        files.current = files.maximum;
        // Where that is too many for the system, it stays as it was.
        let _ = setrlimit(Resource::Nofile, files);
    }
}
