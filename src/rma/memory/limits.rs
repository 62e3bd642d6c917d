//! Pure: texts of the system in, limits of memory out, and what is short of them.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What there is too little of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum MemoryLimit {
    /// The node's memory.
    Node,
    /// What a control group allows (a job's or a container's limit), by its directory.
    ControlGroup(String),
    /// The file system in which the MPI library keeps shared windows, by a directory in it.
    FileSystem(String),
}

/// A limit as one process sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Limit {
    /// Processes of one node whose limits have the same `id` share what is available.
    pub id: String,
    pub limit: MemoryLimit,
    pub available_bytes: u64,
}

/// What one rank needs, and what limits it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Demand {
    pub window_bytes: u64,
    pub private_bytes: u64,
    pub limits: Vec<Limit>,
}

/// A limit that the ranks of a node need more of than there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shortage {
    pub limit: MemoryLimit,
    /// How many ranks share it.
    pub n_ranks: usize,
    pub needed_bytes: u64,
    pub available_bytes: u64,
}

/// What is short where one node's ranks need so much; the node's memory rather than a limit upon it, for
/// it is of no use to raise a limit above what there is.
pub(super) fn shortage(demands: &[Demand]) -> Option<Shortage> {
    let mut shared: HashMap<&str, Shortage> = HashMap::new();
    for demand in demands {
        for limit in &demand.limits {
            let needed = match limit.limit {
                MemoryLimit::FileSystem(_) => demand.window_bytes,
                _ => demand.window_bytes.saturating_add(demand.private_bytes),
            };
            let so_far = shared.entry(&limit.id).or_insert_with(|| Shortage {
                limit: limit.limit.clone(),
                n_ranks: 0,
                needed_bytes: 0,
                available_bytes: limit.available_bytes,
            });
            so_far.n_ranks += 1;
            so_far.needed_bytes = so_far.needed_bytes.saturating_add(needed);
            // Read at different times; never a false refusal.
            so_far.available_bytes = so_far.available_bytes.max(limit.available_bytes);
        }
    }
    shared
        .into_values()
        .filter(|limit| limit.needed_bytes > limit.available_bytes)
        .min_by(|one, other| one.limit.cmp(&other.limit))
}

/// The memory of the node, from `/proc/meminfo`: what the kernel reckons can be had without swapping, and
/// what can be swapped out.
pub(super) fn memory_limit(meminfo: &str) -> Option<Limit> {
    Some(Limit {
        id: "memory".into(),
        limit: MemoryLimit::Node,
        available_bytes: kib(meminfo, "MemAvailable:")?.saturating_add(free_swap(meminfo)),
    })
}

fn free_swap(meminfo: &str) -> u64 {
    kib(meminfo, "SwapFree:").unwrap_or(0)
}

fn kib(meminfo: &str, key: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kib.checked_mul(1024)
}

/// The limits of the control groups that a process is in, from the innermost out, as far as the mounts show
/// them: of version 2 (Linux's admin-guide/cgroup-v2.rst, "Memory Interface Files") and version 1
/// (admin-guide/cgroup-v1/memory.rst).
pub(super) fn cgroup_limits(
    namespace: &str,
    cgroup: &str,
    mountinfo: &str,
    meminfo: &str,
    read: &dyn Fn(&Path) -> Option<String>,
) -> Vec<Limit> {
    let mut limits = Vec::new();
    for line in cgroup.lines() {
        // hierarchy-ID:controllers:path; version 2 has no controllers.
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (fields.next(), fields.next()) else {
            continue;
        };
        let version_2 = controllers.is_empty();
        if !version_2 && !controllers.split(',').any(|name| name == "memory") {
            continue;
        }
        let Some((root, mount)) = mount_of(mountinfo, version_2) else {
            continue;
        };
        for group in Path::new(group).ancestors() {
            let Ok(inside) = group.strip_prefix(root) else {
                break; // further out than the mount shows
            };
            let directory = if inside.as_os_str().is_empty() {
                PathBuf::from(mount)
            } else {
                Path::new(mount).join(inside)
            };
            let file = |name: &str| read(&directory.join(name));
            let available = if version_2 {
                available_v2(&file, free_swap(meminfo))
            } else {
                available_v1(&file, free_swap(meminfo))
            };
            limits.extend(available.map(|available_bytes| Limit {
                id: format!("{namespace} {controllers} {}", group.display()),
                limit: MemoryLimit::ControlGroup(directory.display().to_string()),
                available_bytes,
            }));
        }
    }
    limits
}

/// Which group the mount of a hierarchy begins with, and where it is mounted, from `/proc/self/mountinfo`
/// (proc_pid_mountinfo(5)).
fn mount_of(mountinfo: &str, version_2: bool) -> Option<(&str, &str)> {
    mountinfo.lines().find_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let mut file_system = file_system.split(' ');
        let kind = file_system.next()?;
        let fits = if version_2 {
            kind == "cgroup2"
        } else {
            kind == "cgroup"
                && file_system
                    .nth(1)?
                    .split(',')
                    .any(|option| option == "memory")
        };
        fits.then_some((mount.next()?, mount.next()?))
    })
}

type ReadFile<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// `None` also for "max", which is no limit.
fn number(read: &ReadFile<'_>, file: &str) -> Option<u64> {
    read(file)?.trim().parse().ok()
}

/// Sum of some lines of `memory.stat`.
fn statistics(read: &ReadFile<'_>, keys: &[&str]) -> u64 {
    let text = read("memory.stat").unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    let of_keys = lines.filter(|(key, _)| keys.contains(key));
    let bytes = of_keys.filter_map(|(_, bytes)| bytes.trim().parse::<u64>().ok());
    bytes.fold(0, u64::saturating_add)
}

/// What the group may still take: file pages and slabs are given back when it asks for more (both lists of
/// file pages, since pages move from the active one to the other), and pages are swapped out.
fn available_v2(read: &ReadFile<'_>, free_swap: u64) -> Option<u64> {
    let free = number(read, "memory.max")?.saturating_sub(number(read, "memory.current")?);
    let reclaimable = statistics(read, &["inactive_file", "active_file", "slab_reclaimable"]);
    let swap = match (
        number(read, "memory.swap.max"),
        number(read, "memory.swap.current"),
    ) {
        (Some(most), Some(current)) => free_swap.min(most.saturating_sub(current)),
        _ => free_swap,
    };
    Some(free.saturating_add(reclaimable).saturating_add(swap))
}

fn available_v1(read: &ReadFile<'_>, free_swap: u64) -> Option<u64> {
    let free = |limit, usage| Some(number(read, limit)?.saturating_sub(number(read, usage)?));
    let reclaimable = statistics(read, &["total_inactive_file", "total_active_file"]);
    let memory = free("memory.limit_in_bytes", "memory.usage_in_bytes")?.saturating_add(free_swap);
    // Memory and swap together, where that is counted.
    let both = free("memory.memsw.limit_in_bytes", "memory.memsw.usage_in_bytes");
    Some(
        memory
            .min(both.unwrap_or(u64::MAX))
            .saturating_add(reclaimable),
    )
}

/// A line of `/proc/self/maps`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    /// Major and minor number.
    pub device: (u32, u32),
    pub file: PathBuf,
}

/// What is mapped at `address`, if it has the name of a file.
pub(super) fn mapping_at(maps: &str, address: usize) -> Option<Mapping> {
    maps.lines().find_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let hexadecimal = |text| usize::from_str_radix(text, 16).ok();
        if !(hexadecimal(start)?..hexadecimal(end)?).contains(&address) {
            return None;
        }
        // Permissions, offset, device, inode, and after some blanks the name, which may have blanks too.
        let mut fields = rest.splitn(5, ' ').skip(2);
        let (major, minor) = fields.next()?.split_once(':')?;
        let number = |text| u32::from_str_radix(text, 16).ok();
        let name = fields.nth(1)?.trim_start();
        let name = name.strip_suffix(" (deleted)").unwrap_or(name);
        name.starts_with('/').then_some(Mapping {
            device: (number(major)?, number(minor)?),
            file: name.into(),
        })
    })
}

/// Bytes in a unit that people read: `64.0 MiB`.
pub(in super::super) struct Human(pub u64);

impl fmt::Display for Human {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        let mut value = self.0 as f64 / 1024.0;
        let mut units = UNITS.iter();
        let mut unit = units.next();
        while value >= 1023.95 && units.len() > 0 {
            value /= 1024.0;
            unit = units.next();
        }
        write!(f, "{value:.1} {}", unit.unwrap_or(&"KiB"))
    }
}

impl fmt::Display for MemoryLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MemoryLimit::Node => f.write_str("of memory"),
            MemoryLimit::ControlGroup(directory) => {
                write!(f, "of what the control group {directory} allows")
            }
            MemoryLimit::FileSystem(directory) => {
                write!(f, "in {directory}, where the MPI library keeps windows")
            }
        }
    }
}

impl MemoryLimit {
    /// What a user can do, so that `needed_bytes` are there.
    pub(in super::super) fn advice(&self, needed_bytes: u64) -> String {
        const LESS: &str = "spread the board over more nodes (`SpreadBoard`), start fewer ranks on each, or \
                            let ranks remember nothing (Remember::Nothing)";
        match self {
            MemoryLimit::Node => format!("To need less on this node, {LESS}"),
            MemoryLimit::ControlGroup(_) => format!(
                "Ask for more memory where the job or container is started (Slurm: --mem, docker and \
                 podman: --memory), or {LESS}"
            ),
            MemoryLimit::FileSystem(directory) => {
                let mib = needed_bytes.div_ceil(1 << 20);
                // Libraries keep queues of their own there.
                let size = mib.saturating_add(mib / 8).saturating_add(64);
                format!(
                    "Enlarge it (docker and podman: run --shm-size={size}m; elsewhere, as root: mount -o \
                     remount,size={size}m {directory}), spread the board over more nodes (`SpreadBoard`), \
                     or start one rank a node, which needs none of it"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests;
