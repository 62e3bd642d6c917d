//! What signals ask of this process: to end, or to save what it has.
//!
//! Batch systems and people send SIGTERM or SIGINT before they kill, some of them several times, and leave a
//! rank as little as a quarter of a second. SIGUSR1 asks for a checkpoint and never means "end": `sbatch
//! --signal` sends it, and so does MPICH's launcher when another rank has died. A handler here only notes
//! what was asked; whoever works looks at that between two steps. Without [`listen`] nothing is ever asked.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustix::thread::{NanosleepRelativeResult, Timespec, nanosleep};
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::flag;
use signal_hook::low_level::pipe;

/// How long a sleep goes on at most after a signal that another thread of this process has taken.
const SLICE: Duration = Duration::from_millis(20);

/// What was asked for.
#[derive(Debug, Default)]
struct Asked {
    /// The number of the signal that asks to end; 0 for none.
    end: Arc<AtomicUsize>,
    save: Arc<AtomicBool>,
    /// Gets a byte from each signal that asks to end.
    bell: OnceLock<UnixStream>,
}

static ASKED: OnceLock<Asked> = OnceLock::new();

/// Has SIGTERM, SIGINT and SIGUSR1 be noted from now on. Calling it twice is harmless.
///
/// # Errors
/// What the system says.
pub fn listen() -> io::Result<()> {
    if ASKED.get().is_some() {
        return Ok(());
    }
    let asked = ASKED.get_or_init(Asked::default);
    let (bell, rope) = UnixStream::pair()?;
    for signal in [SIGTERM, SIGINT] {
        flag::register_usize(signal, Arc::clone(&asked.end), signal as usize)?;
        pipe::register(signal, rope.try_clone()?)?;
    }
    // Set once, since nobody else comes here (above), but for threads at the same time.
    let _ = asked.bell.set(bell);
    flag::register(SIGUSR1, Arc::clone(&asked.save))?;
    Ok(())
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
    let mut bell = ASKED.get()?.bell.get()?;
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

    #[test]
    fn signals_have_names() {
        assert_eq!(name(15), "SIGTERM");
        assert_eq!(name(2), "SIGINT");
        assert_eq!(name(99), "signal 99");
    }
}
