//! `--timeout TIME`: a thread on every rank that ends the job when this rank waits too long.
//!
//! It looks at the [pulse](crate::pulse) and calls nothing of MPI, ever: where the rank's own thread
//! hangs in the library, another one would hang there too. So it ends this process alone, by `_exit`; what
//! is left of the job is ended by its launcher, which every one does when a rank ends with a code.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{park, sleep};
use std::time::{Duration, Instant, SystemTime};

use super::super::Failure;
use super::checkpoint;
use super::sentinel;
use crate::game::parse_duration;
use crate::pulse::{self, Call, Pulse};
use crate::rma;
use crate::rma::launcher::Launch;
use crate::trace::RecordLayer;

/// The exit code of a rank that has waited too long, as `timeout(1)` has it.
const EXIT_CODE: i32 = 124;

/// Least and most time between two looks.
const LOOKS: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(500)];

/// How long the other ranks that wait have to say so before this one ends the job: longer than any two are
/// apart by their looks.
const GRACE: Duration = Duration::from_millis(1200);

/// So long after rank 0 the others end.
const FIRST_AHEAD: Duration = Duration::from_millis(500);

/// Shortest time that can be asked for: with more ranks than cores a rank may wait that long for a core.
const SHORTEST: Duration = Duration::from_millis(100);

/// The thread.
#[derive(Debug)]
pub(super) struct Watchdog {
    /// Whether it has spoken, and is about to end the job.
    has_spoken: Arc<AtomicBool>,
}

/// Reads the value of `--timeout`.
pub(super) fn parse_timeout(text: &str) -> Result<Duration, String> {
    let timeout = parse_duration(text)?;
    match timeout < SHORTEST {
        true => Err(format!(
            "a wait of '{text}' is none: at least 100ms; leave --timeout out to wait for ever"
        )),
        false => Ok(timeout),
    }
}

impl Watchdog {
    /// Watches this process from now on. The records that `layer` has taken are made whole before the end, and
    /// it is said that `checkpoint` goes on, where there is one.
    pub(super) fn start(
        timeout: Duration,
        layer: Option<RecordLayer>,
        checkpoint: Option<PathBuf>,
    ) -> Result<Self, Failure> {
        let has_spoken = Arc::new(AtomicBool::new(false));
        let of_thread = Arc::clone(&has_spoken);
        let watch = move || {
            let stay = wait_for_a_long_stay(timeout);
            of_thread.store(true, Ordering::SeqCst);
            let resume = checkpoint::offered(checkpoint.as_deref());
            say(&message(&stay, timeout, &resume));
            sentinel::goodbye(false);
            if let Some(recorder) = layer.as_ref().and_then(RecordLayer::recorder) {
                if let Err(error) = recorder.close() {
                    say(&format!("onesided: cannot finish its records: {error}\n"));
                }
            }
            // Hydra's exit code is rank 0's, which it may have killed by then: so that one goes first.
            let is_first = Launch::from_environment().is_none_or(|launch| launch.rank == 0);
            sleep(
                GRACE
                    + if is_first {
                        Duration::ZERO
                    } else {
                        FIRST_AHEAD
                    },
            );
            rma::exit_now(EXIT_CODE)
        };
        std::thread::Builder::new()
            .name("watchdog".into())
            .spawn(watch)
            .map_err(|error| Failure::Run(format!("no thread for --timeout: {error}")))?;
        Ok(Watchdog { has_spoken })
    }

    /// Where it has spoken, it ends this process, though the rank has got on meanwhile: what was said to
    /// have failed does not succeed.
    pub(super) fn let_it_end_what_it_has_begun_to(&self) {
        while self.has_spoken.load(Ordering::SeqCst) {
            park();
        }
    }
}

/// A stay of this rank in one operation.
#[derive(Debug, Clone, Copy)]
struct Stay {
    what: Pulse,
    since: SystemTime,
    /// As far as it was looked at.
    lasted: Duration,
}

/// Sums up looks. Pure, so that time can be made up.
#[derive(Debug)]
struct Looks {
    interval: Duration,
    timeout: Duration,
    stay: Option<Stay>,
}

impl Looks {
    fn new(timeout: Duration) -> Self {
        Looks {
            interval: (timeout / 8).clamp(LOOKS[0], LOOKS[1]),
            timeout,
            stay: None,
        }
    }

    /// What was seen at `now`, so long after the look before. The stay that is too long, if it is one.
    ///
    /// Time in which this thread did not run either, as this process was stopped or had no core, counts as
    /// two intervals at most.
    fn look(&mut self, what: Pulse, now: SystemTime, after: Duration) -> Option<Stay> {
        let stay = match self.stay {
            Some(stay) if stay.what == what => Stay {
                lasted: stay.lasted + after.min(2 * self.interval),
                ..stay
            },
            _ => Stay {
                what,
                since: now,
                lasted: Duration::ZERO,
            },
        };
        self.stay = Some(stay);
        (what.call().waits() && stay.lasted >= self.timeout).then_some(stay)
    }
}

fn wait_for_a_long_stay(timeout: Duration) -> Stay {
    let mut looks = Looks::new(timeout);
    let mut last = Instant::now();
    loop {
        sleep(looks.interval);
        let now = Instant::now();
        let after = now - last;
        last = now;
        if let Some(stay) = looks.look(pulse::look(), SystemTime::now(), after) {
            return stay;
        }
    }
}

/// One line: who waits where, since when, and what to do.
fn message(stay: &Stay, timeout: Duration, resume: &str) -> String {
    let (rank, n_ranks) = Launch::from_environment().map_or((0, 1), |l| (l.rank, l.size));
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy();
    let lasted = match stay.lasted.as_secs_f64() {
        seconds if seconds < 10.0 => format!("{seconds:.1} s"),
        seconds => format!("{seconds:.0} s"),
    };
    let since = humantime::format_rfc3339_seconds(stay.since).to_string();
    let since = since.get(11..19).unwrap_or(&since); // of 2026-01-31T12:03:05Z
    let what = stay.what.in_words();
    let next = next(stay.what, timeout);
    format!(
        "onesided: rank {rank} of {n_ranks} (host {host}) has waited in {what} for {lasted}, since {since} \
         UTC: {next}{resume}\n"
    )
}

/// What to do next.
fn next(what: Pulse, timeout: Duration) -> String {
    let timeout = humantime::format_duration(timeout);
    let looked_for = match (what.call(), what.target()) {
        (Call::Init, _) => {
            "not all ranks of the job were started, or they do not reach each other".into()
        }
        (Call::Exit | Call::Abort, _) => "the MPI library does not let go of this process".into(),
        (call, _) if call.is_collective() => {
            "a rank that does not say so has not come there: it is stopped, hangs or still works"
                .into()
        }
        (Call::Claim | Call::Board | Call::Trial, Some(target)) => format!(
            "rank {target} is dead, stopped or outside MPI (--progress), or the library has lost the operation, \
             as some do (`onesided doctor` tries it)"
        ),
        (_, Some(target)) => format!("rank {target} is dead or stopped, or hangs itself"),
        _ => "another rank is dead or stopped, or hangs itself".into(),
    };
    format!("{looked_for}. The job ends, as --timeout {timeout} says; a longer one waits longer")
}

/// To stderr in one piece, past the lock that the rank's own thread may hold.
fn say(line: &str) {
    struct Stderr;
    impl Write for Stderr {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            Ok(rustix::io::write(rustix::stdio::stderr(), bytes)?)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let _ = Stderr.write_all(line.as_bytes()); // nobody else could be told
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    const SECOND: Duration = Duration::from_secs(1);

    /// What is seen of a process that is in `call`.
    fn seen(call: Call) -> Pulse {
        /// There is one pulse in a process, and several tests in this one.
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _turn = ONE_AT_A_TIME.lock();
        pulse::enter(call);
        pulse::look()
    }

    #[test]
    fn only_a_stay_that_was_seen_all_along_is_too_long() {
        let mut looks = Looks::new(4 * SECOND);
        assert_eq!(looks.interval, SECOND / 2);
        let (barrier, think) = (seen(Call::Barrier), seen(Call::Think));
        let begin = SystemTime::UNIX_EPOCH;
        let mut look = |what, half_seconds: u32, after| {
            looks.look(what, begin + half_seconds * SECOND / 2, after)
        };
        for at in 0..100 {
            assert!(
                look(think, at, SECOND / 2).is_none(),
                "thinking is no waiting"
            );
        }
        for at in 0..8 {
            assert!(look(barrier, at, SECOND / 2).is_none(), "at look {at}");
        }
        let stay = look(barrier, 8, SECOND / 2).unwrap();
        assert_eq!((stay.since, stay.lasted), (begin, 4 * SECOND));
        // Another barrier is another stay.
        let next = seen(Call::Barrier);
        assert!(look(next, 9, SECOND / 2).is_none());
        assert!(
            look(next, 10, 3600 * SECOND).is_none(),
            "stopped for an hour"
        );
        assert!((11..16).all(|at| look(next, at, SECOND / 2).is_none()));
        assert!(look(next, 16, SECOND / 2).is_some());
    }

    #[test]
    fn no_wait_and_nonsense_are_refused() {
        for text in ["0", "0s", "99ms", "", "soon", "5", "-1s", "2days"] {
            let why = parse_timeout(text).unwrap_err();
            assert!(!why.is_empty() && !why.contains('\n'), "{text}: {why}");
        }
        assert_eq!(parse_timeout("100ms"), Ok(SHORTEST));
        assert_eq!(parse_timeout("1h"), Ok(3600 * SECOND));
    }

    #[test]
    fn the_message_is_one_line_with_everything_in_it() {
        let stay = Stay {
            what: seen(Call::Finalize),
            since: SystemTime::UNIX_EPOCH + Duration::from_secs(12 * 3600 + 185),
            lasted: Duration::from_millis(30_250),
        };
        let line = message(&stay, 30 * SECOND, "; --resume a/file goes on");
        assert!(
            line.contains(" has waited in MPI_Finalize for 30 s, since 12:03:05 UTC: "),
            "{line}"
        );
        assert!(
            line.ends_with("; a longer one waits longer; --resume a/file goes on\n"),
            "{line}"
        );
        assert_eq!(line.matches('\n').count(), 1);
    }
}
