//! What is written agrees with the records.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;

use onesided::internals::report::export::COLUMNS;
use onesided::internals::trace::Record;
use serde_json::Value;

use crate::{Run, complaint, export, made_up, output};

/// The records by the time of their beginning, then by rank, as the lines of an export are.
fn in_order(ranks: &[Vec<Record>]) -> Vec<(u64, u64, Record)> {
    let mut records = Vec::new();
    for (rank, of_rank) in (0..).zip(ranks) {
        records.extend((0..).zip(of_rank).map(|(seq, &record)| (rank, seq, record)));
    }
    records.sort_by_key(|&(rank, seq, record)| (record.begin_ns, rank, seq));
    records
}

#[test]
fn lines_of_json_are_the_records_in_order() {
    let ranks = made_up::games(4, 20);
    let run = Run::new(&ranks);
    let (file, complaint) = run.export("jsonl");
    assert_eq!(complaint, "");
    let text = fs::read_to_string(file).expect("text");
    let records = in_order(&ranks);
    let origin_ns = records[0].2.begin_ns;
    assert!(origin_ns > 0);
    assert_eq!(text.lines().count(), records.len());
    for (line, (rank, seq, record)) in text.lines().zip(records) {
        let expected = serde_json::json!({
            "rank": rank,
            "seq": seq,
            "game": record.game,
            "kind": record.kind.name(),
            "outcome": record.outcome.name(),
            "begin_ns": record.begin_ns - origin_ns,
            "end_ns": record.end_ns - origin_ns,
            "duration_ns": record.duration_ns(),
            "item": record.item,
            "word": format!("{:#x}", record.word),
            "error_ns": 0,
        });
        let object: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(object, expected);
    }
}

#[test]
fn lines_of_csv_are_those_of_json() {
    let run = Run::new(&made_up::games(3, 5));
    let read = |format| fs::read_to_string(run.export(format).0).expect("text");
    let (csv, jsonl) = (read("csv"), read("jsonl"));
    assert!(!csv.contains(['\r', '"']) && csv.ends_with('\n'));
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some(COLUMNS.join(",").as_str()));
    assert_eq!(lines.clone().count(), jsonl.lines().count());
    for (line, json) in lines.zip(jsonl.lines()) {
        let object: Value = serde_json::from_str(json).expect("JSON");
        let values = COLUMNS.map(|column| match &object[column] {
            Value::String(text) => text.clone(),
            number => number.to_string(),
        });
        assert_eq!(line, values.join(","));
    }
}

#[test]
fn stdout_has_what_the_file_has() {
    let run = Run::new(&made_up::games(2, 2));
    for format in ["jsonl", "csv", "perfetto"] {
        let file = fs::read(run.export(format).0).expect("file");
        for rest in [vec![], vec!["-o", "-"]] {
            let mut command = export(["--format", format]);
            let output = output(command.arg(run.path()).args(rest));
            assert!(output.status.success(), "{output:?}");
            assert!(output.stdout == file, "{format}");
        }
    }
}

#[test]
fn a_run_without_records_is_exported() {
    let run = Run::new(&[Vec::new(), Vec::new()]);
    for (format, n_lines) in [("jsonl", 0), ("csv", 1)] {
        let text = fs::read_to_string(run.export(format).0).expect("text");
        assert_eq!(text.lines().count(), n_lines, "{format}");
    }
    assert!(fs::metadata(run.export("perfetto").0).expect("file").len() > 0);
}

#[test]
fn an_existing_file_is_replaced_and_nothing_else_is_left() {
    let run = Run::new(&made_up::games(1, 1));
    let names = || -> BTreeSet<_> {
        let entries = fs::read_dir(run.beside("")).expect("folder");
        entries
            .map(|entry| entry.expect("entry").file_name())
            .collect()
    };
    let first = fs::read(run.export("csv").0).expect("file");
    let before = names();
    fs::write(run.beside("csv"), "old").expect("file");
    let second = fs::read(run.export("csv").0).expect("file");
    assert!(first == second);
    assert_eq!(names(), before);
}

#[test]
fn what_is_missing_is_said_once_a_rank_and_the_rest_is_written() {
    let ranks = made_up::games(30, 1);
    let run = Run::new(&ranks);
    made_up::truncate(&run.path(), 1);
    made_up::remove(&run.path(), 2);
    let expected = format!(
        "onesided: warning: rank 1 has {} records: its file is cut off there\n\
         onesided: warning: rank 2 has no records: its file is missing\n",
        ranks[1].len() - 1
    );
    for format in ["jsonl", "csv", "perfetto"] {
        assert_eq!(run.export(format).1, expected, "{format}");
    }
    let n_lines = fs::read_to_string(run.beside("jsonl")).expect("text");
    let n_records: usize = ranks.iter().map(Vec::len).sum();
    assert_eq!(n_lines.lines().count(), n_records - 1 - ranks[2].len());

    for rank in 3..30 {
        made_up::remove(&run.path(), rank);
    }
    let complaint = run.export("csv").1;
    assert_eq!(complaint.lines().count(), 21, "{complaint}");
    let last = "onesided: warning: so it is with 9 more ranks";
    assert_eq!(complaint.lines().last(), Some(last));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let run = Run::new(&made_up::games(4, 500));
    let mut command = export(["--format", "jsonl"]);
    command.arg(run.path());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("own child");
    assert_eq!(complaint(&output), "");
    assert!(output.status.success(), "{output:?}");
}
