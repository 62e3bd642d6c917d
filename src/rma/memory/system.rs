//! What this process's system says of memory: the files that are read, and nothing that is computed.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

use rustix::fs::{major, minor, stat, statvfs};

use super::limits::{Limit, MemoryLimit, cgroup_limits, mapping_at, memory_limit};

/// All limits of this process's memory that can be found out; windows lie in files of `windows`, if there.
pub(super) fn limits(windows: Option<&Path>) -> Vec<Limit> {
    let text = |path: &str| read_to_string(path).unwrap_or_default();
    let meminfo = text("/proc/meminfo");
    let mut limits: Vec<Limit> = memory_limit(&meminfo).into_iter().collect();
    // Paths of groups mean the same to processes of one namespace.
    let namespace = std::fs::read_link("/proc/self/ns/cgroup").unwrap_or_default();
    limits.extend(cgroup_limits(
        &namespace.to_string_lossy(),
        &text("/proc/self/cgroup"),
        &text("/proc/self/mountinfo"),
        &meminfo,
        &|path| read_to_string(path).ok(),
    ));
    limits.extend(windows.and_then(free_space));
    limits
}

/// The directory of the file that is mapped at `address`; `None` for memory that is in no file.
pub(super) fn directory_of_mapping(address: usize) -> Option<PathBuf> {
    let maps = read_to_string("/proc/self/maps").ok()?;
    let mapping = mapping_at(&maps, address)?;
    let directory = mapping.file.parent()?;
    // Shared memory without a file, such as /dev/zero's or that of a memfd, has a name like a file's, and
    // is on no device that a directory is on.
    let device = stat(directory).ok()?.st_dev;
    (mapping.device == (major(device), minor(device))).then(|| directory.to_owned())
}

fn free_space(directory: &Path) -> Option<Limit> {
    let device = stat(directory).ok()?.st_dev;
    let space = statvfs(directory).ok()?;
    // A tmpfs that was mounted with size=0 is limited by memory alone, and says so.
    (space.f_blocks > 0).then(|| Limit {
        id: format!("device {device}"),
        limit: MemoryLimit::FileSystem(directory.display().to_string()),
        available_bytes: space.f_bavail.saturating_mul(space.f_frsize),
    })
}
