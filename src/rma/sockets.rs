//! What sockets this process has, by the kernel (proc(5)).

use std::collections::BTreeSet;
use std::fs;

/// Whether this process holds a connected TCP socket: what the ranks of a library have that communicates over
/// TCP, be it between hosts, by a setting such as `UCX_TLS`, or because it found nothing better.
pub(super) fn connected_over_tcp() -> std::io::Result<bool> {
    let mut sockets = BTreeSet::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        // The descriptor that reads the directory is gone by now.
        if let Ok(link) = fs::read_link(entry?.path()) {
            sockets.extend(link.to_str().and_then(inode_of_socket));
        }
    }
    for table in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
        match fs::read_to_string(table) {
            Ok(table) if has_connected(&table, &sockets) => return Ok(true),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {} // no IPv6
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// The number in `socket:[NUMBER]`, as links of descriptors to sockets read.
fn inode_of_socket(link: &str) -> Option<u64> {
    let number = link.strip_prefix("socket:[")?.strip_suffix(']')?;
    number.parse().ok()
}

/// Whether one of `sockets` is connected in a table of the kernel's (proc(5), `/proc/net/tcp`).
fn has_connected(table: &str, sockets: &BTreeSet<u64>) -> bool {
    const STATE: usize = 3;
    const INODE: usize = 9;
    const ESTABLISHED: &str = "01";
    table.lines().any(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let inode = columns.get(INODE).and_then(|inode| inode.parse().ok());
        columns.get(STATE) == Some(&ESTABLISHED)
            && inode.is_some_and(|inode: u64| sockets.contains(&inode))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    #[test]
    fn a_socket_counts_from_when_it_is_connected() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let inode = |fd: i32| {
            let link = fs::read_link(format!("/proc/self/fd/{fd}")).unwrap();
            inode_of_socket(link.to_str().unwrap()).unwrap()
        };
        let table = || fs::read_to_string("/proc/self/net/tcp").unwrap();
        let listening = BTreeSet::from([inode(listener.as_raw_fd())]);
        assert!(!has_connected(&table(), &listening));
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let connected = BTreeSet::from([inode(stream.as_raw_fd())]);
        assert!(has_connected(&table(), &connected));
        assert!(!has_connected(&table(), &listening), "not the other's");
        assert!(connected_over_tcp().unwrap());
        assert_eq!(inode_of_socket("pipe:[7]"), None);
    }
}
