//! Numbers for programs: JSON and CSV, of runs of any size, alone, in pairs and in groups.

use std::collections::BTreeMap;
use std::path::Path;

use onesided::internals::trace::Version;
use serde_json::Value;

use super::{Synthetic, a_pair, compare, six_of_each};

fn json(folder: &Path, args: &str) -> Value {
    let text = compare(folder, &format!("{args} --format json")).done();
    let document: Value = serde_json::from_str(&text).expect("one document");
    assert_eq!(document["format"], "onesided-compare/2");
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

/// Three runs against three: the smallest p that there can be is 0.1.
#[test]
fn too_few_runs_to_tell_are_said_to_be_that() {
    let folder = six_of_each();
    let args = "--group a=rma-[0-2] --group b=collective-[0-2]";
    let text = compare(folder.path(), args).done();
    assert!(
        text.lines()
            .next()
            .unwrap()
            .ends_with("(too few runs to tell, p = 0.10)"),
        "{text}"
    );
    let said =
        "too few runs to tell: of 3 and 3 runs, no difference can be significant, however large";
    assert_eq!(text.matches(said).count(), 1, "{text}");
    assert!(!text.contains('~') && !text.contains('×'), "{text}");
    let document = json(folder.path(), args);
    for row in document["metrics"].as_array().unwrap() {
        assert_eq!(
            (&row["significant"], &row["testable"]),
            (&false.into(), &false.into()),
            "{row}"
        );
    }
}

/// One of some thirty metrics is below 0.05 by chance alone more often than not.
#[test]
fn all_metrics_but_the_one_that_counts_are_adjusted_for_their_number() {
    let folder = six_of_each();
    let args = "--group a=rma-* --group b=collective-*";
    let document = json(folder.path(), args);
    let metrics = document["metrics"].as_array().unwrap();
    let p = |row: &Value, key: &str| row[key].as_f64();
    let n = metrics.iter().filter(|row| p(row, "p").is_some()).count() as f64 - 1.0;
    assert!(n > 20.0);
    for row in metrics {
        let (Some(alone), Some(adjusted)) = (p(row, "p"), p(row, "p_adjusted")) else {
            assert!(row["p"].is_null() && row["p_adjusted"].is_null(), "{row}");
            continue;
        };
        let is_declared = row["metric"] == "wall_s";
        assert!(
            adjusted <= 1.0 && (adjusted > alone || is_declared || alone == 1.0),
            "{row}"
        );
        assert_eq!(row["significant"], adjusted < 0.05, "{row}");
        // All of one below all of the other: 2 of 924 ways.
        let smallest = 2.0 / 924.0;
        if is_declared {
            assert!(
                (alone - smallest).abs() < 1e-15 && alone == adjusted,
                "{row}"
            );
        } else if alone < smallest * 1.01 {
            assert!((adjusted - n * smallest).abs() < 1e-12, "{row}");
        }
    }
}

/// Runs of one game can be compared whatever else differs, and it is said what does.
#[test]
fn what_else_differs_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Synthetic::new(Version::Collective, 3, 1, 1);
    run.write(&folder.path().join("a"));
    run.write(&folder.path().join("same"));
    run.info.seed = 2;
    run.info.mpi_library = "MPICH 5.0.2".into();
    run.info.hosts[2] = "elsewhere".into();
    run.write(&folder.path().join("b"));
    Synthetic::new(Version::Collective, 4, 1, 1).write(&folder.path().join("more"));

    assert_eq!(
        json(folder.path(), "a same")["differs_in"],
        serde_json::json!([])
    );
    let text = compare(folder.path(), "a same").done();
    assert!(!text.contains("also differ"), "{text}");
    let differ = json(folder.path(), "a b")["differs_in"].clone();
    let expected = serde_json::json!([
        "MPI library (Open MPI 4.1.4 and MPICH 5.0.2)",
        "hosts (node0 and elsewhere, node0)",
        "seed (1 and 2)"
    ]);
    assert_eq!(differ, expected);
    let text = compare(folder.path(), "a b").done();
    assert!(
        text.contains(
            "\nnote: these also differ in MPI library (Open MPI 4.1.4 and MPICH 5.0.2); hosts (node0 and \
             elsewhere, node0); seed (1 and 2)\n"
        ),
        "{text}"
    );
    let text = compare(folder.path(), "a more").done();
    assert!(
        text.contains("differ in number of ranks (3 and 4)\n"),
        "{text}"
    );
    let groups = "--group x=a --group x=same --group y=b";
    let text = compare(folder.path(), groups).done();
    assert!(text.contains("differ in MPI library (Open MPI"), "{text}");
}

/// A question mark in a path is no number that is unknown.
#[test]
fn what_runs_are_called_explains_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["what?", "?", "a"] {
        Synthetic::new(Version::Rma, 3, 1, 1).write(&folder.path().join(name));
    }
    for args in ["what?", "?", "what? a", "? a", "--group ?=a --group what=a"] {
        let text = compare(folder.path(), args).done();
        assert!(text.contains('?') && !text.contains("is unknown"), "{text}");
    }
}
