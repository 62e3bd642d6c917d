//! One rank's file is broken: the others are still told of, with a note where and why it ends.

use std::fs;

use onesided::internals::trace::{HEADER_BYTES, RECORD_BYTES, RUN_FILE, file_name};

use super::{Synthetic, Version, compare};

/// What happens to a file's bytes, and what is noted.
type Breakage = (&'static str, fn(&mut Vec<u8>), &'static str);

/// Writes a word of the header.
fn set_header(bytes: &mut [u8], word: usize, value: u64) {
    bytes[8 * word..][..8].copy_from_slice(&value.to_le_bytes());
}

/// The bytes of a record; the eleventh is a think time, and neither the first nor the last.
fn record(bytes: &mut [u8], index: usize) -> &mut [u8] {
    &mut bytes[HEADER_BYTES + index * RECORD_BYTES..][..RECORD_BYTES]
}

/// An operation: the one behind a think time.
fn operation(bytes: &mut [u8]) -> &mut [u8] {
    let is_operation =
        |&index: &usize| matches!(bytes[HEADER_BYTES + index * RECORD_BYTES + 8], 3 | 4);
    let index = (2..).find(is_operation).unwrap();
    record(bytes, index)
}

/// Room for as many records again, as a rank has that is still at it.
fn leave_open(bytes: &mut Vec<u8>) {
    let n_records = (bytes.len() - HEADER_BYTES) / RECORD_BYTES;
    set_header(bytes, 4, 2 * n_records as u64);
    set_header(bytes, 5, 0);
    set_header(bytes, 7, 0);
    bytes.resize(bytes.len() + n_records * RECORD_BYTES, 0);
}

const BREAKAGES: [Breakage; 25] = [
    ("empty", |bytes| bytes.clear(), "no whole header"),
    ("header cut", |bytes| bytes.truncate(63), "no whole header"),
    ("header only", |bytes| bytes.truncate(64), "cut off there"),
    (
        "foreign",
        |bytes| bytes.fill(b'x'),
        "no record file of onesided",
    ),
    ("other version", |bytes| bytes[8] = 7, "format version 7"),
    (
        "other records",
        |bytes| bytes[12] = 48,
        "records of 48 bytes",
    ),
    ("other run", |bytes| bytes[16] ^= 1, "from another run"),
    (
        "other rank",
        |bytes| set_header(bytes, 3, 3 << 32 | 2),
        "it is of rank 2 of 3 of this run: rename it to rank-2.records",
    ),
    (
        "other size of run",
        |bytes| set_header(bytes, 3, 4 << 32 | 1),
        "it is of rank 1 of 4, and run.json has 3 ranks",
    ),
    (
        "rank 5 of 3",
        |bytes| set_header(bytes, 3, 3 << 32 | 5),
        "header is corrupt",
    ),
    (
        "more records than room",
        |bytes| set_header(bytes, 5, 1 << 63),
        "header is corrupt",
    ),
    (
        "cut in a record",
        |bytes| bytes.truncate(64 + 32 * 5 + 7),
        "cut off there",
    ),
    (
        "cut after a record",
        |bytes| bytes.truncate(64 + 32 * 5),
        "cut off there",
    ),
    (
        "more claimed than there is",
        |bytes| {
            set_header(bytes, 4, 1 << 63);
            set_header(bytes, 5, 1 << 63);
        },
        "cut off there",
    ),
    (
        "absurd room, unfinished",
        |bytes| {
            leave_open(bytes);
            set_header(bytes, 4, 1 << 63);
        },
        "cut off there",
    ),
    (
        "unfinished",
        leave_open,
        "cut short: it died there, or has not finished",
    ),
    (
        "full",
        |bytes| set_header(bytes, 6, 1234),
        "was full, and 1234 records were dropped",
    ),
    ("kind", |bytes| record(bytes, 10)[8] = 77, "kind is unknown"),
    (
        "outcome",
        |bytes| record(bytes, 10)[9] = 77,
        "outcome is unknown",
    ),
    (
        "hole",
        |bytes| record(bytes, 10).fill(0),
        "a record is missing",
    ),
    (
        "backwards",
        |bytes| record(bytes, 10)[..8].fill(0),
        "begins before the one before ends",
    ),
    (
        "beyond all time",
        |bytes| record(bytes, 10)[7] = 0x7f,
        "beyond all time",
    ),
    (
        "second start",
        |bytes| operation(bytes)[8..10].copy_from_slice(&[1, 0]),
        "starts a game that has started",
    ),
    (
        "absurd game",
        |bytes| record(bytes, 10)[28..].fill(0xff),
        "game is none of this run's",
    ),
    (
        "absurd digit",
        |bytes| operation(bytes)[24..28].fill(0xff),
        "digit is none of this run's",
    ),
];

/// What is said of a run of three ranks after `breakage` of rank 1's file.
fn text_after(version: Version, breakage: impl Fn(&mut Vec<u8>)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let run = Synthetic::new(version, 3, 2, 7);
    run.write(folder.path());
    let mut bytes = run.file_of(1);
    breakage(&mut bytes);
    fs::write(folder.path().join(file_name(1)), bytes).unwrap();
    compare(folder.path(), ".").done()
}

#[test]
fn the_other_ranks_are_told_of_and_the_end_of_the_broken_one_is_noted() {
    for version in [Version::Rma, Version::Collective] {
        for (name, breakage, why) in BREAKAGES {
            let text = text_after(version, breakage);
            let notes: Vec<&str> = text
                .lines()
                .filter(|line| line.starts_with("note on "))
                .collect();
            let [of_rank, ..] = notes[..] else {
                panic!("{name}: no note in {text}")
            };
            assert!(
                of_rank.contains(": rank 1 ") && of_rank.contains(why),
                "{name}: {notes:?}"
            );
            assert!(text.contains("\n  0     node0 "), "{name}: {text}");
        }
    }
}

#[test]
fn a_missing_file_is_noted() {
    for version in [Version::Rma, Version::Collective] {
        let folder = tempfile::tempdir().unwrap();
        Synthetic::new(version, 3, 2, 7).write(folder.path());
        fs::remove_file(folder.path().join(file_name(1))).unwrap();
        let text = compare(folder.path(), ".").done();
        assert!(
            text.contains("rank 1 has no records: its file is missing"),
            "{text}"
        );
        assert!(text.contains("0 of 2 games are complete"), "{text}");
    }
}

/// A rank's file is gone, or cut off: what it may have had is no number of the run.
#[test]
fn what_a_missing_file_may_have_had_is_unknown() {
    for version in [Version::Rma, Version::Collective] {
        for bytes_left in [None, Some(HEADER_BYTES + 5 * RECORD_BYTES)] {
            let folder = tempfile::tempdir().unwrap();
            let run = Synthetic::new(version, 3, 2, 7);
            run.write(folder.path());
            let path = folder.path().join(file_name(2));
            match bytes_left {
                None => fs::remove_file(path).unwrap(),
                Some(n) => fs::write(path, &run.file_of(2)[..n]).unwrap(),
            }
            let ended = compare(folder.path(), ". --format json --fail-if double_scores>0");
            assert_eq!(ended.code, Some(2), "no condition passes: {ended:?}");
            assert!(
                ended.stderr.contains("double_scores is unknown"),
                "{ended:?}"
            );
            let document: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
            let run = &document["runs"][0];
            assert_eq!(run["partial"], true);
            for name in [
                "double_scores",
                "wall_ns",
                "complete_ns",
                "efficiency",
                "rounds",
                "stalls",
            ] {
                assert!(run[name].is_null(), "{name}: {}", run[name]);
            }
            for rank in run["per_rank"].as_array().unwrap() {
                assert!(
                    rank["wait_ns"].is_null() && rank["idle_ns"].is_null(),
                    "{rank}"
                );
                assert!(
                    rank["blame"].is_null() && rank["saving_ns"].is_null(),
                    "{rank}"
                );
                assert_eq!(rank["complete"], rank["rank"] != 2);
            }
            let text = compare(folder.path(), ".").done();
            assert!(
                text.contains(" took an unknown time, as some of its records are missing\n"),
                "{text}"
            );
            assert!(!text.contains("no digit was scored twice"), "{text}");
            assert!(
                text.contains("parallel efficiency") && text.contains("? is unknown"),
                "{text}"
            );
            assert!(!text.contains("fit into one order"), "{text}");
        }
    }
}

#[test]
fn files_of_two_ranks_that_were_swapped_are_told_from_those_of_another_run() {
    let folder = tempfile::tempdir().unwrap();
    Synthetic::new(Version::Rma, 3, 2, 7).write(folder.path());
    let at = |name: &str| folder.path().join(name);
    fs::rename(at("rank-1.records"), at("aside")).unwrap();
    fs::rename(at("rank-2.records"), at("rank-1.records")).unwrap();
    fs::rename(at("aside"), at("rank-2.records")).unwrap();
    let text = compare(folder.path(), ".").done();
    for (rank, other) in [(1, 2), (2, 1)] {
        let why = format!(
            "rank {rank} has no records: its file cannot be read: it is of rank {other} of 3 of this run: \
             rename it to rank-{other}.records"
        );
        assert!(text.contains(&why), "{text}");
    }
    assert!(!text.contains("another run"), "{text}");
}

#[test]
fn records_of_the_other_version_are_noted() {
    let text = text_after(Version::Rma, |bytes| operation(bytes)[8] = 4);
    assert!(
        text.contains("it is of the other version of the game"),
        "{text}"
    );
}

#[test]
fn a_file_that_was_not_closed_says_the_same_as_one_that_was() {
    let folder = tempfile::tempdir().unwrap();
    let run = Synthetic::new(Version::Collective, 3, 2, 7);
    run.write(folder.path());
    let closed = compare(folder.path(), ". --format csv").done();
    for rank in 0..3 {
        let mut bytes = run.file_of(rank);
        leave_open(&mut bytes);
        fs::write(folder.path().join(file_name(rank)), bytes).unwrap();
    }
    let open = compare(folder.path(), ". --format csv").done();
    let without = |text: &str| {
        let lines = text
            .lines()
            .filter(|line| !line.contains("incomplete_ranks"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(without(&open), without(&closed));
    assert!(open.contains(",incomplete_ranks,3"), "{open}");
}

#[test]
fn a_run_that_has_not_ended_and_of_which_little_is_written_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Synthetic::new(Version::Rma, 3, 2, 7);
    run.info.ended = None;
    run.records
        .iter_mut()
        .for_each(|records| records.truncate(1));
    run.write(folder.path());
    let text = compare(folder.path(), ".").done();
    assert!(text.starts_with("one-sided took 0 s\n"), "{text}");
    assert!(text.contains("0 of 2 games are complete"), "{text}");
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_read_is_noted() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    Synthetic::new(Version::Rma, 3, 2, 7).write(folder.path());
    let path = folder.path().join(file_name(1));
    fs::remove_file(&path).unwrap();
    symlink(folder.path(), &path).unwrap(); // a folder where a file should be
    let text = compare(folder.path(), ".").done();
    assert!(
        text.contains("rank 1 has no records: its file cannot be read"),
        "{text}"
    );
    assert!(folder.path().join(RUN_FILE).exists());
}
