//! Who died, where the launcher does not say: under hydra, the launcher of MPICH and Intel MPI.
//!
//! Open MPI's launcher and srun name the rank that died. Hydra names a process, and kills all ranks at
//! once, so that none of them can say more. There, the first rank of each node starts a *sentinel* before
//! MPI: this program again, in a session of its own, which hydra's kill does not reach. It waits for any
//! of the processes that the node's proxy of hydra started, and which of several died first is the order
//! in which the kernel reports them. That order is not always the order of deaths: hydra notices the end of a
//! rank's connection, and may have killed another rank before the first one's process is gone. The message leaves
//! that open.
//!
//! Ranks that end by themselves say [`goodbye`] first. The sentinel ends with the last of them, with the
//! first that died, or with the proxy, whichever comes first: it holds the launcher's stderr, and nobody
//! waits for it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::event::epoll;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::checkpoint;
use crate::rma;
use crate::rma::launcher::{HYDRA, Launch};
use crate::trace::RUN_FILE;

/// What hydra calls its process on each node, as far as the kernel keeps names.
const PROXY: &str = "hydra_pmi_proxy";

/// How long ranks may take to be there.
const TO_START: Duration = Duration::from_secs(5);

/// How often it is looked for ranks, until all are there, and then whether any is left: who has said
/// nothing and died unseen is not waited for.
const LOOK_FOR: Duration = Duration::from_millis(20);
const LOOK_AFTER: Duration = Duration::from_secs(5);

/// What a rank says: that it ends as it should, or that it ends the job and has said why.
const WELL: u8 = b'w';
const ALL: u8 = b'a';

/// The arguments of the hidden subcommand.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Sentinel {
    /// The proxy whose children are watched
    proxy: i32,
    /// How many they are
    n_ranks: usize,
    /// The folder that the job records into
    #[arg(long)]
    trace: Option<PathBuf>,
    /// The file of the job's checkpoints
    #[arg(long)]
    checkpoint: Option<PathBuf>,
    /// Whether the job may go on without a rank, and then says so itself
    #[arg(long)]
    survive: bool,
}

/// How long hydra takes at most to kill the others, if it does; less than a rank is silent before it is taken for
/// dead, so that the others are still there if not.
const TO_KILL: Duration = Duration::from_millis(300);

/// Whom this process says goodbye to.
static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();

/// Starts the node's sentinel, on its first rank and where the launcher is hydra; elsewhere does nothing.
/// Before MPI starts. It names what is there of `trace` and `checkpoint` when a rank has died. Without a
/// sentinel, a job ends as it did: in silence.
pub(super) fn start(trace: Option<&Path>, checkpoint: Option<&Path>, survive: bool) {
    let hydra = Launch::from_environment().is_some_and(|launch| launch.launcher == HYDRA);
    let Some(proxy) = hydra.then(own_proxy).flatten() else {
        return;
    };
    let Ok(address) = address(proxy) else {
        return;
    };
    let _ = ADDRESS.set(address);
    let earlier = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        goodbye(false); // the message of the panic says why
        earlier(info);
    }));
    let number = |name| std::env::var(name).ok()?.parse::<usize>().ok();
    let (Some(0), Some(n_ranks)) = (number("MPI_LOCALRANKID"), number("MPI_LOCALNRANKS")) else {
        return;
    };
    // What is said before the sentinel listens waits for it here.
    let Some(socket) = ADDRESS
        .get()
        .and_then(|own| UnixDatagram::bind_addr(own).ok())
    else {
        return;
    };
    let started = std::env::current_exe().and_then(|program| {
        Command::new(program)
            .arg("sentinel")
            .args([proxy.to_string(), n_ranks.to_string()])
            .args(option("--trace", trace))
            .args(option("--checkpoint", checkpoint))
            .args(survive.then_some("--survive"))
            .env_remove("PMI_RANK") // it is none
            .stdin(OwnedFd::from(socket))
            .stdout(Stdio::null())
            .spawn()
    });
    if let Err(error) = started {
        tracing::info!("no sentinel: {error}");
    }
}

/// An option with a path, if there is one.
fn option(name: &str, path: Option<&Path>) -> Option<OsString> {
    let mut option = OsString::from(name);
    option.push("=");
    option.push(path?);
    Some(option)
}

/// Says that this process ends as it should, or that it ends the job and has said why. Whoever dies after the
/// latter has been ended for it.
pub(super) fn goodbye(well: bool) {
    let Some(address) = ADDRESS.get() else {
        return;
    };
    let rank = Launch::from_environment().map_or(0, |launch| launch.rank);
    let mut message = vec![if well { WELL } else { ALL }];
    message.extend(rank.to_le_bytes());
    // A sentinel that is not there any more needs no word.
    let _ = UnixDatagram::unbound().and_then(|socket| {
        socket.set_write_timeout(Some(Duration::from_millis(200)))?;
        socket.send_to_addr(&message, address)
    });
}

/// Where the sentinel of the node's ranks listens. Not a file: nothing is left behind.
fn address(proxy: i32) -> io::Result<SocketAddr> {
    let started = stat(proxy).map_or(0, |stat| stat.started);
    let user = rustix::process::getuid().as_raw();
    SocketAddr::from_abstract_name(format!("onesided-sentinel-{user}-{proxy}-{started}"))
}

/// What the kernel says of a process.
struct Stat {
    name: String,
    parent: i32,
    /// In ticks since the system started.
    started: u64,
}

fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in brackets, and may have any characters, brackets included.
    let (name, rest) = (text.find('(')?, text.rfind(')')?);
    let fields: Vec<&str> = text[rest + 1..].split_whitespace().collect();
    Some(Stat {
        name: text[name + 1..rest].into(),
        parent: fields.get(1)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

/// The proxy that started this process, be it through others.
fn own_proxy() -> Option<i32> {
    let mut pid = i32::try_from(std::process::id()).ok()?;
    while pid > 1 {
        let Stat { name, parent, .. } = stat(pid)?;
        if name == PROXY {
            return Some(pid);
        }
        pid = parent;
    }
    None
}

/// A process that the proxy started for a rank; the rank itself, or what starts it.
#[derive(Debug, Clone, Copy)]
struct Member {
    pid: i32,
    rank: u32,
}

/// The processes with a rank that `proxy` has started.
fn members(proxy: i32) -> Vec<Member> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let children = pids.filter(|&pid| stat(pid).is_some_and(|stat| stat.parent == proxy));
    let member = |pid: i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
        let variables = environment.split(|&byte| byte == 0);
        let mut ranks = variables.filter_map(|variable| variable.strip_prefix(b"PMI_RANK="));
        Some(Member {
            pid,
            rank: std::str::from_utf8(ranks.next()?).ok()?.parse().ok()?,
        })
    };
    children.filter_map(member).collect()
}

impl Sentinel {
    /// Watches, says what there is to say, and ends.
    pub(in crate::cli) fn run(self) {
        // Before all else: what the launcher left open for its rank is not to be held by anybody else.
        rma::launcher::close_what_was_inherited();
        let _ = rustix::process::setsid(); // else hydra's kill may reach this process: no harm but silence
        let died = match self.watch() {
            Ok(died) => died,
            Err(error) => {
                tracing::info!("the sentinel cannot watch: {error}");
                return;
            }
        };
        if let Some(Member { pid, rank, .. }) = died {
            if self.survive && self.do_others_live() {
                return;
            }
            let host = rustix::system::uname();
            let host = host.nodename().to_string_lossy();
            eprint!(
                "{}",
                format_args!(
                    "onesided: rank {rank} (process {pid} on {host}) died: it was killed from outside, or \
                     by the system for want of memory, or has crashed; or another rank did just before, and hydra \
                     killed this one for it. The job ends{}\n",
                    self.what_is_left()
                )
            );
        }
    }

    /// What there is of the job, as the end of a sentence.
    fn what_is_left(&self) -> String {
        let mut left = String::new();
        let is_there = |folder: &&PathBuf| folder.join(RUN_FILE).exists();
        if let Some(folder) = self.trace.as_ref().filter(is_there) {
            left += &format!("; what was recorded is in {}", folder.display());
        }
        left + &checkpoint::offered(self.checkpoint.as_deref())
    }

    /// Whether ranks of this node are still there when hydra would have killed them.
    fn do_others_live(&self) -> bool {
        std::thread::sleep(TO_KILL);
        !members(self.proxy).is_empty()
    }

    /// The first that died without a word.
    fn watch(&self) -> io::Result<Option<Member>> {
        let socket = UnixDatagram::from(io::stdin().as_fd().try_clone_to_owned()?);
        socket.set_nonblocking(true)?;
        let proxy = Pid::from_raw(self.proxy).ok_or(io::ErrorKind::InvalidInput)?;
        let proxy = pidfd_open(proxy, PidfdFlags::empty())?;
        // Of events that came since it was last asked, epoll gives the first first.
        let events = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let add = |fd: std::os::fd::BorrowedFd<'_>, id: u64| {
            let data = epoll::EventData::new_u64(id);
            epoll::add(&events, fd, data, epoll::EventFlags::IN)
        };
        const PROXY_ENDED: u64 = u64::MAX;
        const HEARD: u64 = u64::MAX - 1;
        add(proxy.as_fd(), PROXY_ENDED)?;
        add(socket.as_fd(), HEARD)?;
        let mut watched: Vec<Member> = Vec::new();
        let mut fds = Vec::new();
        // Ranks that have said goodbye, some of them before they were looked for.
        let mut ended_well = BTreeSet::new();
        let start = Instant::now();
        let mut buffer = Vec::with_capacity(16);
        loop {
            let all_there = watched.len() >= self.n_ranks || start.elapsed() > TO_START;
            let left = members(self.proxy);
            if left.is_empty() && (all_there || !ended_well.is_empty()) {
                return Ok(None);
            }
            if !all_there {
                for member in left {
                    let known = watched.iter().any(|known| known.pid == member.pid);
                    let Some(pid) = Pid::from_raw(member.pid).filter(|_| !known) else {
                        continue;
                    };
                    let Ok(fd) = pidfd_open(pid, PidfdFlags::empty()) else {
                        continue;
                    };
                    add(fd.as_fd(), watched.len() as u64)?;
                    watched.push(member);
                    fds.push(fd);
                }
            }
            buffer.clear();
            let wait = if all_there { LOOK_AFTER } else { LOOK_FOR };
            let wait = rustix::event::Timespec {
                tv_sec: wait.as_secs() as i64,
                tv_nsec: wait.subsec_nanos().into(),
            };
            match epoll::wait(
                &events,
                rustix::buffer::spare_capacity(&mut buffer),
                Some(&wait),
            ) {
                Err(rustix::io::Errno::INTR) => continue,
                other => other?,
            };
            // What was said before a death counts, in whatever order both are seen.
            let mut words = [0u8; 16];
            while let Ok(n) = socket.recv(&mut words) {
                match (&words[..n], n) {
                    ([WELL, rank @ ..], 5) => {
                        ended_well.insert(u32::from_le_bytes(rank.try_into().expect("4 bytes")));
                    }
                    _ => return Ok(None),
                }
            }
            for event in &buffer {
                match event.data.u64() {
                    PROXY_ENDED => return Ok(None),
                    HEARD => {}
                    index => {
                        let member = watched[index as usize];
                        if !ended_well.contains(&member.rank) {
                            return Ok(Some(member));
                        }
                        epoll::delete(&events, &fds[index as usize])?;
                    }
                }
            }
            if ended_well.len() >= self.n_ranks {
                return Ok(None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_who_started_whom() {
        let own = i32::try_from(std::process::id()).unwrap();
        let parent = stat(own).unwrap().parent;
        assert_eq!(parent, Pid::as_raw(rustix::process::getppid()));
        assert!(stat(own).unwrap().started > 0);
        assert!(stat(i32::MAX).is_none());
        assert!(members(own).is_empty(), "no child has a rank");
    }
}
