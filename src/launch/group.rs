//! A launcher in a process group of its own, and how it ends with all that it started.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// How long a launcher has to end a job that it is asked to end; Open MPI takes a second and a half.
const GRACE: Duration = Duration::from_millis(2500);

/// Has the command start in a process group of its own: what it starts can be ended with it, and a Ctrl-C
/// in the terminal is this program's affair.
pub fn in_own_group(command: &mut Command) -> &mut Command {
    command.process_group(0)
}

/// The child's status, if it ends in time.
pub fn wait(child: &mut Child, within: Duration) -> Option<ExitStatus> {
    let start = Instant::now();
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if start.elapsed() >= within {
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Ends a child that leads a process group, and all of that group, first by asking.
pub fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let Some(group) = group else { return };
    if wait(child, Duration::ZERO).is_none() {
        // It may have ended meanwhile: then there is nobody to kill.
        let _ = kill_process_group(group, Signal::TERM);
        let _ = wait(child, GRACE);
    }
    // The launcher's number stays its group's while anybody is left in it.
    let _ = kill_process_group(group, Signal::KILL);
    let _ = child.wait();
}

/// Ends every process of this host that has `variable` set to `value` in the environment that it was
/// started with, first by asking; not this one. How many there were.
///
/// Launchers give ranks process groups of their own, and whoever started the launcher may have been killed
/// before it could end it. What a job was started with, its ranks have too.
pub fn end_all_marked(variable: &str, value: &str) -> usize {
    let marked = marked(variable, value);
    if marked.is_empty() {
        return 0;
    }
    for &process in &marked {
        // One that has ended meanwhile is no failure.
        let _ = kill_process(process, Signal::TERM);
    }
    let start = Instant::now();
    let mut left = self::marked(variable, value);
    while !left.is_empty() && start.elapsed() < GRACE {
        std::thread::sleep(Duration::from_millis(20));
        left = self::marked(variable, value);
    }
    for process in left {
        let _ = kill_process(process, Signal::KILL);
    }
    marked.len()
}

/// The processes that have it. On a system without `/proc` none is known of.
fn marked(variable: &str, value: &str) -> Vec<Pid> {
    let wanted = format!("{variable}={value}");
    let own = std::process::id();
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let processes = entries.filter_map(|entry| {
        let name = entry.ok()?.file_name();
        let number: u32 = std::str::from_utf8(name.as_bytes()).ok()?.parse().ok()?;
        // Others' processes cannot be read. One that has ended, and is not yet waited for, has nothing.
        let environment = std::fs::read(format!("/proc/{number}/environ")).ok()?;
        let has = environment
            .split(|&byte| byte == 0)
            .any(|variable| variable == wanted.as_bytes());
        (has && number != own).then_some(number)
    });
    processes
        .filter_map(|number| Pid::from_raw(i32::try_from(number).ok()?))
        .collect()
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
        (child, line.trim().parse().unwrap())
    }

    fn is_there(process: u32) -> bool {
        // A process that has ended, and nobody waited for, has no command line.
        std::fs::read(format!("/proc/{process}/cmdline")).is_ok_and(|text| !text.is_empty())
    }

    fn is_gone_soon(process: u32) -> bool {
        let start = Instant::now();
        while is_there(process) && start.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(5));
        }
        !is_there(process)
    }

    #[test]
    fn a_group_ends_with_its_leader_even_if_it_will_not() {
        let (mut child, grandchild) = stubborn("group");
        assert!(is_there(grandchild));
        let start = Instant::now();
        end(&mut child);
        assert!(start.elapsed() < 2 * GRACE);
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
        end(&mut other);
    }
}
