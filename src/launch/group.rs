//! A launcher in a process group of its own, and how it ends with all that it started.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::fd::OwnedFd;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, pidfd_open,
    pidfd_send_signal, waitid,
};

/// How long a launcher has to end a job that it is asked to end; Open MPI takes a second and a half.
const GRACE: Duration = Duration::from_millis(2500);

/// Has the command start in a process group of its own: what it starts can be ended with it, and a Ctrl-C
/// in the terminal is this program's affair.
pub fn in_own_group(command: &mut Command) -> &mut Command {
    command.process_group(0)
}

/// Whether the child has ended, if it does in time. It is not yet waited for: until [`end`], its number,
/// which is its group's too, is given to nobody else.
pub fn has_ended(child: &Child, within: Duration) -> bool {
    let start = Instant::now();
    loop {
        if is_over(child) {
            return true;
        }
        if start.elapsed() >= within {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn is_over(child: &Child) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let number = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // One that was waited for already is no child any more.
    number.is_none_or(|number| !matches!(waitid(WaitId::Pid(number), options), Ok(None)))
}

/// Ends a child that leads a process group, and all of that group, first by asking where the child has not
/// ended by itself. Its status. To be called once.
///
/// # Errors
/// What the system says where it is no child.
pub fn end(child: &mut Child) -> io::Result<ExitStatus> {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        if !is_over(child) {
            // It may have ended meanwhile: then there is nobody to kill.
            let _ = kill_process_group(group, Signal::TERM);
            let _ = has_ended(child, GRACE);
        }
        // Before it is waited for: afterwards the number could be another's.
        let _ = kill_process_group(group, Signal::KILL);
    }
    child.wait()
}

/// Ends every process of this user's, on this host, that has `variable` set to `value` in the environment
/// that it was started with, first by asking; not this one. How many there were.
///
/// Launchers give ranks process groups of their own, and whoever started the launcher may have been killed
/// before it could end it. What a job was started with, its ranks have too. Root could read and end others'
/// processes, and does not: anybody can give a process of their own any environment.
pub fn end_all_marked(variable: &str, value: &str) -> usize {
    let marked = marked(variable, value);
    if marked.is_empty() {
        return 0;
    }
    for process in &marked {
        process.signal(Signal::TERM);
    }
    let start = Instant::now();
    let mut left = self::marked(variable, value);
    while !left.is_empty() && start.elapsed() < GRACE {
        std::thread::sleep(Duration::from_millis(20));
        left = self::marked(variable, value);
    }
    for process in left {
        process.signal(Signal::KILL);
    }
    marked.len()
}

/// A process that was looked at.
#[derive(Debug)]
struct Process {
    number: Pid,
    /// Is this process whatever becomes of its number; `None` where the system has no such thing.
    handle: Option<OwnedFd>,
}

impl Process {
    fn signal(&self, signal: Signal) {
        // One that has ended meanwhile is no failure.
        let _ = match &self.handle {
            Some(handle) => pidfd_send_signal(handle, signal),
            None => kill_process(self.number, signal),
        };
    }
}

/// The processes that have it. On a system without `/proc` none is known of.
fn marked(variable: &str, value: &str) -> Vec<Process> {
    let wanted = format!("{variable}={value}");
    let own = std::process::id();
    let user = rustix::process::geteuid().as_raw();
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let processes = entries.filter_map(|entry| {
        let name = entry.ok()?.file_name();
        let number: u32 = std::str::from_utf8(name.as_bytes()).ok()?.parse().ok()?;
        let folder = format!("/proc/{number}");
        let pid = Pid::from_raw(i32::try_from(number).ok()?)?;
        if number == own || std::fs::metadata(&folder).ok()?.uid() != user {
            return None;
        }
        let has = || {
            // One that has ended, and is not yet waited for, has nothing.
            let environment = std::fs::read(format!("{folder}/environ")).ok()?;
            let mut variables = environment.split(|&byte| byte == 0);
            Some(variables.any(|variable| variable == wanted.as_bytes()))
        };
        if !has()? {
            return None;
        }
        let handle = pidfd_open(pid, PidfdFlags::empty()).ok();
        // Another process may have had the number since: what the handle is of is looked at again.
        (handle.is_none() || has()?).then_some(Process {
            number: pid,
            handle,
        })
    });
    processes.collect()
}

/// `exit code 3`, `signal 9`.
pub fn status_in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown status".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    /// A shell that ignores SIGTERM, and a child of it; the child's number.
    fn stubborn(mark: &str) -> (Child, u32) {
        let mut command = Command::new("sh");
        command
            .args(["-c", "trap '' TERM; sleep 100 & echo $!; wait; wait"])
            .env("ONESIDED_TEST_MARK", mark)
            .stdout(Stdio::piped());
        let mut child = in_own_group(&mut command).spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let grandchild = line.trim().parse().unwrap();
        // While it becomes `sleep` it has neither a command line nor an environment.
        assert!(soon(
            || is_there(grandchild) && command_line(grandchild).starts_with(b"sleep")
        ));
        (child, grandchild)
    }

    fn command_line(process: u32) -> Vec<u8> {
        std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default()
    }

    /// Whether a process is there, and has not ended. Not by its command line: while it starts another
    /// program, it has none for a moment.
    fn is_there(process: u32) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let state = stat.rsplit_once(") ").map(|(_, state)| state);
        state.is_some_and(|state| !state.starts_with(['Z', 'X']))
    }

    fn is_gone_soon(process: u32) -> bool {
        soon(|| !is_there(process))
    }

    /// Whether it comes to be so, in a minute.
    fn soon(is_so: impl Fn() -> bool) -> bool {
        let start = Instant::now();
        while !is_so() && start.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(5));
        }
        is_so()
    }

    #[test]
    fn a_group_ends_with_its_leader_even_if_it_will_not() {
        let (mut child, grandchild) = stubborn("group");
        let start = Instant::now();
        let status = end(&mut child).unwrap();
        assert_eq!(status.signal(), Some(9));
        assert!(start.elapsed() < Duration::from_secs(60));
        assert!(is_gone_soon(grandchild));
    }

    #[test]
    fn what_is_marked_is_found_whoever_its_parent_is_and_others_are_left_alone() {
        let mark = format!("mine {}", std::process::id());
        let (mut mine, of_mine) = stubborn(&mark);
        let (mut other, of_other) = stubborn("other");
        assert_eq!(end_all_marked("ONESIDED_TEST_MARK", &mark), 2);
        let _ = mine.wait();
        assert!(is_gone_soon(of_mine));
        assert!(is_there(of_other));
        assert_eq!(end_all_marked("ONESIDED_TEST_MARK", &mark), 0);
        end(&mut other).unwrap();
    }
    /// Until `end` its number is nobody else's: what is left of its group is ended, and no other process.
    #[test]
    fn a_child_that_has_ended_keeps_its_number_until_its_group_is_ended_too() {
        let mut command = Command::new("sh");
        command
            .args(["-c", "sleep 100 & echo $!; exit 7"])
            .stdout(Stdio::piped());
        let mut child = in_own_group(&mut command).spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let grandchild = line.trim().parse().unwrap();
        for _ in 0..2 {
            assert!(has_ended(&child, Duration::from_secs(20)));
        }
        let state = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        assert!(state.contains(") Z "), "{state}");
        assert!(std::fs::exists(format!("/proc/{grandchild}")).unwrap());
        assert_eq!(end(&mut child).unwrap().code(), Some(7));
        assert!(is_gone_soon(grandchild));
    }

    /// Root sees the environment of all processes.
    #[test]
    fn another_user_s_process_is_left_alone_whatever_its_environment() {
        let skip = |what: &str| {
            assert!(
                std::env::var("ONESIDED_SKIP").as_deref() != Ok("forbidden"),
                "not to be skipped: {what}"
            );
            println!("SKIPPED: {what}");
        };
        if !rustix::process::geteuid().is_root() {
            return skip("who is not root could not end that process anyway");
        }
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--clear-groups", "sleep", "100"])
            .env("ONESIDED_TEST_MARK", "another user's");
        let Ok(mut child) = in_own_group(&mut command).spawn() else {
            return skip("there is no setpriv");
        };
        let user = || {
            std::fs::metadata(format!("/proc/{}", child.id()))
                .unwrap()
                .uid()
        };
        assert!(soon(|| user() == 65534), "setpriv runs");
        assert_eq!(end_all_marked("ONESIDED_TEST_MARK", "another user's"), 0);
        assert!(is_there(child.id()));
        end(&mut child).unwrap();
    }
}
