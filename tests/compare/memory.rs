//! Memory grows with ranks and digits, and not with records.
//!
//! Only where the program is without MPI, whose libraries map more than all the records here.

use std::process::Command;

use super::{ONESIDED, Synthetic, Version, end_of};

/// Address space that is given, in KiB. The debug build needs less than 10,000, whatever the number of
/// records (Linux 6, x86-64); the records of the longer runs alone are more than this.
const LIMIT_KIB: u64 = 20_000;

#[test]
fn twenty_times_the_records_take_no_more_memory() {
    let folder = tempfile::tempdir().unwrap();
    for games in [600, 12_000] {
        for (name, version) in [("rma", Version::Rma), ("collective", Version::Collective)] {
            let run = Synthetic::new(version, 4, games, 1);
            if games == 12_000 {
                let kib = run.n_records() as u64 * 32 / 1024;
                assert!(kib > LIMIT_KIB, "{kib} KiB of records prove nothing");
            }
            run.write(&folder.path().join(name));
        }
        let mut command = Command::new("bash");
        let script = format!("ulimit -v {LIMIT_KIB}; exec \"$0\" compare rma collective");
        command
            .args(["-c", &script, ONESIDED])
            .current_dir(folder.path());
        let text = end_of(command).done();
        assert!(
            text.contains(&format!("{games} games of digits 1 to 9")),
            "{text}"
        );
        assert!(!text.contains("note on"), "{text}");
    }
}

/// A run of 300 ranks opens each file anew for each read: more are not open at once than a process may
/// have.
#[test]
fn runs_of_many_ranks_need_few_open_files() {
    let folder = tempfile::tempdir().unwrap();
    Synthetic::new(Version::Rma, 300, 1, 1).write(&folder.path().join("rma"));
    let mut command = Command::new("bash");
    let script = "ulimit -n 16; exec \"$0\" compare rma";
    command
        .args(["-c", script, ONESIDED])
        .current_dir(folder.path());
    assert!(!end_of(command).done().contains("note on"));
}
