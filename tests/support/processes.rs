//! The processes of a job, found by what is on their command lines.

use std::fs;
use std::path::Path;
use std::process::Command;

/// The processes of this machine whose command line names `folder`, each with the rank that its
/// launcher gave it; launchers have none.
pub fn processes_of(folder: &Path) -> Vec<(u32, Option<u32>)> {
    let folder = folder.display().to_string();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("Linux").flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let read = |what: &str| fs::read(entry.path().join(what)).unwrap_or_default();
        let command = String::from_utf8_lossy(&read("cmdline")).into_owned();
        if pid == std::process::id() || !command.contains(&folder) {
            continue;
        }
        let environment = String::from_utf8_lossy(&read("environ")).into_owned();
        let rank = environment.split('\0').find_map(|variable| {
            let (name, value) = variable.split_once('=')?;
            let says = ["OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"].contains(&name);
            value.parse().ok().filter(|_| says)
        });
        // A launcher passes its whole command line on; a rank begins with the program.
        let is_program = command
            .split('\0')
            .next()
            .is_some_and(|name| name.ends_with("onesided"));
        found.push((pid, rank.filter(|_| is_program)));
    }
    found
}

pub fn kill(pid: u32) {
    let status = Command::new("kill").args(["-9", &pid.to_string()]).status();
    assert!(status.expect("kill runs").success() || !Path::new(&format!("/proc/{pid}")).exists());
}
