//! What signals ask of this process: to end, or to save what it has.
//!
//! Batch systems and people send a signal before they kill, some of them several times, and leave a rank as
//! little as a quarter of a second: SIGTERM (most of them), SIGINT (people), SIGUSR2 (LSF at the run limit),
//! SIGXCPU (Grid Engine, and the kernel every second beyond `ulimit -St`), SIGHUP (a terminal that is closed).
//! SIGUSR1 asks for a checkpoint and never means "end": `sbatch --signal` sends it, and so does MPICH's
//! launcher when another rank has died. A handler here only notes what was asked; whoever works looks at that
//! between two steps. Without [`listen`] nothing is ever asked.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rustix::thread::{NanosleepRelativeResult, Timespec, nanosleep};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU};
use signal_hook::flag;
use signal_hook::low_level::pipe;

/// How long a sleep goes on at most after a signal that another thread of this process has taken.
const SLICE: Duration = Duration::from_millis(20);

/// The signals that ask to end.
const TO_END: [i32; 5] = [SIGTERM, SIGINT, SIGUSR2, SIGXCPU, SIGHUP];

#[derive(Debug)]
struct Asked {
    /// The number of the signal that asks to end; 0 for none.
    end: Arc<AtomicUsize>,
    save: Arc<AtomicBool>,
    /// Gets a byte from each signal that asks to end.
    bell: UnixStream,
}

/// There when all handlers are.
static ASKED: OnceLock<Asked> = OnceLock::new();

/// Installs handlers for the signals that ask to end, and for SIGUSR1. Calling it twice is harmless. SIGHUP may be
/// left alone: [`heeds_hangup`].
///
/// # Errors
/// What the system returns. No handler is installed then, and the next call tries again.
pub fn listen() -> io::Result<()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if ASKED.get().is_some() {
        return Ok(());
    }
    let (bell, rope) = UnixStream::pair()?;
    let heeds_hangup = heeds_hangup();
    let heeded = TO_END
        .into_iter()
        .filter(|&signal| signal != SIGHUP || heeds_hangup);
    // All that may be refused comes before the first handler: a signal whose handler nobody heeds is lost.
    let ropes = heeded.map(|signal| Ok((signal, rope.try_clone()?)));
    let ropes: Vec<(i32, UnixStream)> = ropes.collect::<io::Result<_>>()?;
    let asked = Asked {
        end: Arc::default(),
        save: Arc::default(),
        bell,
    };
    for (signal, rope) in ropes {
        flag::register_usize(signal, Arc::clone(&asked.end), signal as usize)?;
        pipe::register(signal, rope)?;
    }
    flag::register(SIGUSR1, Arc::clone(&asked.save))?;
    let _ = ASKED.set(asked); // nobody else sets it: one at a time
    Ok(())
}

/// Whether SIGHUP would end this process, and so asks it to end. It does not where it is ignored, as `nohup` has it,
/// or has a handler: UCX, which MPICH may use, puts one in place of either before the program begins.
pub fn heeds_hangup() -> bool {
    is_default(SIGHUP)
}

/// Whether this process neither ignores `signal` nor handles it, as far as the kernel says.
fn is_default(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let is_in = |name: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix(name));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
    };
    !is_in("SigIgn:") && !is_in("SigCgt:")
}

/// The number of the signal that asked this process to end, if one did.
#[inline]
pub fn to_end() -> Option<i32> {
    match ASKED.get()?.end.load(Ordering::Relaxed) {
        0 => None,
        signal => Some(signal as i32),
    }
}

/// Waits until this process is asked to end, without looking now and then. `None` without [`listen`].
pub fn wait_to_end() -> Option<i32> {
    let mut bell = &ASKED.get()?.bell;
    while to_end().is_none() {
        match bell.read(&mut [0; 64]) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    to_end()
}

/// Whether this process was asked to save since the last call.
#[inline]
pub fn take_to_save() -> bool {
    let Some(asked) = ASKED.get() else {
        return false;
    };
    asked.save.load(Ordering::Relaxed) && asked.save.swap(false, Ordering::Relaxed)
}

/// Sleeps, but not on when asked to end.
pub fn sleep(duration: Duration) {
    let start = Instant::now();
    while to_end().is_none() {
        let left = duration.saturating_sub(start.elapsed()).min(SLICE);
        if left.is_zero() {
            return;
        }
        let left = Timespec {
            tv_sec: 0, // a slice is less than a second
            tv_nsec: left.subsec_nanos().into(),
        };
        // A signal ends it early, or something is wrong with it: the loop looks again.
        if let NanosleepRelativeResult::Err(_) = nanosleep(&left) {
            std::thread::sleep(SLICE);
        }
    }
}

/// `SIGTERM` for 15.
pub fn name(signal: i32) -> String {
    match signal_hook::low_level::signal_name(signal) {
        Some(name) => name.into(),
        None => format!("signal {signal}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_takes_its_time() {
        for ms in [0, 1, 45] {
            let (start, duration) = (Instant::now(), Duration::from_millis(ms));
            sleep(duration);
            assert!(start.elapsed() >= duration);
        }
    }

    /// In a process of its own, which has no files left: the first call fails, and so does the second, and no
    /// signal is caught; with files again the third does what it should.
    #[test]
    fn a_failure_to_listen_is_reported_each_time_and_leaves_no_handler() {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

        const CHILD: &str = "ONESIDED_TEST_LISTENS";
        if std::env::var_os(CHILD).is_none() {
            let name =
                "interrupt::tests::a_failure_to_listen_is_reported_each_time_and_leaves_no_handler";
            let output = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", name])
                .env(CHILD, "1")
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(
                output.status.success() && text.contains("1 passed"),
                "{output:?}"
            );
            return;
        }
        // The MPI library may have a handler for SIGHUP.
        let signals = TO_END.into_iter().filter(|&signal| signal != SIGHUP);
        let nothing_is_caught = || signals.clone().all(is_default);
        assert!(nothing_is_caught());
        let all = getrlimit(Resource::Nofile);
        let allow = |n: Option<u64>| {
            let limit = Rlimit { current: n, ..all };
            setrlimit(Resource::Nofile, limit).unwrap();
        };
        let n_open = || std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
        let n_before = n_open();
        // Too few for the first socket, then enough for some of the handlers, then for all.
        let mut n_failures = 0;
        for n_allowed in 3..n_before + 20 {
            let with_few = || {
                allow(Some(n_allowed));
                let outcome = listen();
                allow(all.current);
                outcome
            };
            if with_few().is_ok() {
                break;
            }
            assert!(with_few().is_err(), "again with {n_allowed} files");
            n_failures += 1;
            assert!(nothing_is_caught());
            assert_eq!((to_end(), wait_to_end()), (None, None));
            assert_eq!(n_open(), n_before, "files are closed again");
        }
        assert!(n_failures > TO_END.len(), "{n_failures}");
        assert!(!TO_END.into_iter().any(is_default));
        listen().unwrap();
    }

    #[test]
    fn signals_have_names() {
        assert_eq!(name(15), "SIGTERM");
        assert_eq!(name(2), "SIGINT");
        assert_eq!(name(99), "signal 99");
    }
}
