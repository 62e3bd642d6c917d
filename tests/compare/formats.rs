//! Numbers for programs: JSON and CSV, of runs of any size, alone, in pairs and in groups.

use std::collections::BTreeMap;
use std::path::Path;

use onesided::trace::Version;
use serde_json::Value;

use super::{Synthetic, a_pair, compare, six_of_each};

fn json(folder: &Path, args: &str) -> Value {
    let text = compare(folder, &format!("{args} --format json")).done();
    let document: Value = serde_json::from_str(&text).expect("one document");
    assert_eq!(document["format"], "onesided-compare/1");
    document
}

/// The numbers of a run by rank (empty: the run's own) and name.
fn csv(folder: &Path, args: &str) -> BTreeMap<(String, String, String), f64> {
    let text = compare(folder, &format!("{args} --format csv")).done();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("run,path,rank,metric,value"));
    let number = |line: &str| {
        let [run, _, rank, metric, value] = line.split(',').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let key = (run.into(), rank.into(), metric.into());
        (key, value.parse().expect("a number"))
    };
    lines.map(number).collect()
}

/// What every run must satisfy, whatever its size.
fn assert_adds_up(run: &Value, ranks: usize) {
    let per_rank = run["per_rank"].as_array().unwrap();
    assert_eq!(per_rank.len(), ranks);
    for rank in per_rank {
        let parts = [
            "useful_ns",
            "wait_ns",
            "operation_ns",
            "tracer_ns",
            "idle_ns",
        ];
        let sum: u64 = parts.iter().map(|part| rank[part].as_u64().unwrap()).sum();
        assert_eq!(Some(sum), run["wall_ns"].as_u64(), "{rank}");
    }
    assert_eq!(
        run["notes"].as_array().unwrap().len(),
        0,
        "{}",
        run["notes"]
    );
    match run["setup"]["version"].as_str().unwrap() {
        "rma" => assert_eq!(run["order"]["n_violations"], 0, "{}", run["order"]),
        _ => assert_eq!(run["lockstep"]["holds"], true, "{}", run["lockstep"]),
    }
}

#[test]
fn runs_of_1_2_7_and_300_ranks_add_up() {
    for ranks in [1, 2, 7, 300] {
        let folder = tempfile::tempdir().unwrap();
        for (name, version) in [("rma", Version::Rma), ("collective", Version::Collective)] {
            Synthetic::new(version, ranks, 2, 11).write(&folder.path().join(name));
        }
        let document = json(folder.path(), "rma collective");
        for run in document["runs"].as_array().unwrap() {
            assert_adds_up(run, ranks as usize);
        }
        let total = &document["difference"]["total_ns"];
        let parts = document["difference"]["parts"].as_array().unwrap();
        for run in 0..2 {
            let sum: u64 = parts
                .iter()
                .map(|part| part["sum_ns"][run].as_u64().unwrap())
                .sum();
            assert_eq!(Some(sum), total[run].as_u64());
        }
        let text = compare(folder.path(), "rma collective").done();
        assert!(
            text.lines().all(|line| line.chars().count() < 400),
            "{text}"
        );
    }
}

#[test]
fn json_and_csv_tell_the_same_numbers() {
    let folder = a_pair();
    let document = json(folder.path(), "rma collective");
    let numbers = csv(folder.path(), "rma collective");
    let number = |run: &str, rank: &str, metric: &str| {
        numbers[&(run.to_owned(), rank.to_owned(), metric.to_owned())]
    };
    for run in document["runs"].as_array().unwrap() {
        let label = run["label"].as_str().unwrap();
        assert_eq!(
            number(label, "", "wall_s"),
            run["wall_ns"].as_f64().unwrap() / 1e9
        );
        for (rank, findings) in run["per_rank"].as_array().unwrap().iter().enumerate() {
            let guesses = number(label, &rank.to_string(), "guesses");
            assert_eq!(guesses, findings["guesses"].as_f64().unwrap());
        }
    }
    let points: f64 = (0..3)
        .map(|rank| number("one-sided", &rank.to_string(), "points"))
        .sum();
    assert_eq!(points, 2.0 * 9.0, "two games of nine digits");
    assert_eq!(number("one-sided", "", "double_scores"), 0.0);
    assert!(!numbers.contains_key(&("one-sided".into(), String::new(), "rounds".into())));
}

#[test]
fn several_runs_become_groups_by_version() {
    let folder = six_of_each();
    let document = json(folder.path(), "rma-0 collective-0 rma-1 rma-2");
    let groups = document["groups"].as_array().unwrap();
    let sizes: Vec<_> = groups
        .iter()
        .map(|group| {
            (
                group["name"].as_str().unwrap(),
                group["runs"].as_array().unwrap().len(),
            )
        })
        .collect();
    assert_eq!(sizes, [("one-sided", 3), ("collective", 1)]);
    assert_eq!(document["runs"].as_array().unwrap().len(), 0);
}

#[test]
fn groups_have_medians_of_their_runs() {
    let folder = six_of_each();
    let args = "--group a=rma-* --group b=collective-[0-4] --group b=collective-5";
    let document = json(folder.path(), args);
    let metrics = document["metrics"].as_array().unwrap();
    let wall = metrics
        .iter()
        .find(|row| row["metric"] == "wall_s")
        .unwrap();
    for (group, name) in ["rma", "collective"].iter().enumerate() {
        let mut walls: Vec<f64> = (0..6)
            .map(|seed| {
                let run = &json(folder.path(), &format!("{name}-{seed}"))["runs"][0];
                run["wall_ns"].as_f64().unwrap() / 1e9
            })
            .collect();
        walls.sort_by(f64::total_cmp);
        let spread = &wall["spreads"][group];
        let close = |a: &Value, b: f64| (a.as_f64().unwrap() - b).abs() < 1e-12;
        assert!(
            close(&spread["median"], walls[2].midpoint(walls[3])),
            "{spread}"
        );
        assert!(close(&spread["low"], walls[0]) && close(&spread["high"], walls[5]));
        assert_eq!(spread["n"], 6);
    }
    assert!(
        wall["p"].as_f64().unwrap() < 0.05 && wall["significant"] == true,
        "{wall}"
    );
}

#[test]
fn two_runs_of_one_version_are_called_by_their_folders() {
    let folder = six_of_each();
    let verdict = compare(folder.path(), "rma-0 rma-1").done();
    let first = verdict.lines().next().unwrap();
    assert!(
        first.contains("rma-0 took") && first.contains("rma-1 took"),
        "{first}"
    );
    let same = json(folder.path(), "rma-0 rma-0");
    assert_eq!(
        (&same["runs"][0]["label"], &same["runs"][1]["label"]),
        (&"first".into(), &"second".into())
    );
    assert_eq!(
        same["difference"]["total_ns"][0],
        same["difference"]["total_ns"][1]
    );
}
