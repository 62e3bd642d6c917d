//! `onesided play`: what it prints.

use std::collections::BTreeMap;

use onesided::internals::analysis::SCHEMA;
use serde_json::Value;

use crate::{onesided, support};

/// Plays and returns the document, which is all of stdout and fits the schema.
fn play_json(n_ranks: u32, args: &str) -> Value {
    let ended = onesided(n_ranks, &format!("play {args} --format json"))
        .run()
        .expect_success();
    let document: Value = serde_json::from_str(&ended.stdout).expect("stdout is one JSON document");
    assert_fits_schema(&document);
    document
}

fn assert_fits_schema(document: &Value) {
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is a schema");
    let errors: Vec<String> = validator
        .iter_errors(document)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?} in {document:#}");
}

fn sum(document: &Value, field: &str) -> u64 {
    let ranks = document["per_rank"].as_array().expect("a list of ranks");
    ranks
        .iter()
        .map(|rank| rank[field].as_u64().expect("a count"))
        .sum()
}

#[test]
fn one_sided_documents_fit_the_schema_and_add_up() {
    for &n_ranks in support::rank_counts() {
        for method in ["fetch-and-op", "compare-and-swap"] {
            let document = play_json(n_ranks, &format!("rma --claim-with {method} --seed 11"));
            assert_eq!(document["version"], "rma");
            assert_eq!(document["claim_with"], method);
            assert_eq!(document["ranks"], n_ranks);
            assert_eq!(
                (&document["digits"], &document["games"], &document["seed"]),
                (&9.into(), &1.into(), &11.into())
            );
            assert_eq!(
                (&document["points_total"], &document["double_scores"]),
                (&9.into(), &0.into())
            );
            assert_eq!(document["rounds"], Value::Null);
            let claimed: BTreeMap<u32, u32> =
                serde_json::from_value(document["claimed"].clone()).unwrap();
            assert!(claimed.keys().copied().eq(1..=9), "{claimed:?}");
            for rank in document["per_rank"].as_array().unwrap() {
                let won = claimed
                    .values()
                    .filter(|&&owner| rank["rank"] == owner)
                    .count();
                assert_eq!(rank["points"], won, "owners and points agree");
            }
        }
    }
}

/// Whichever way digits are guessed and wherever they lie, the document says so and adds up.
#[test]
fn each_way_to_guess_and_to_claim_adds_up() {
    const N: u64 = 300;
    for (options, told) in [
        ("--guess unclaimed", [Some("unclaimed"), None, None]),
        ("--guess ticket", [Some("ticket"), None, None]),
        (
            "--guess ticket --claim-with shared-memory",
            [Some("ticket"), None, None],
        ),
        ("--skip-known", [None, Some("skip_known"), None]),
        ("--home spread", [None, None, Some("spread")]),
        (
            "--home spread --claim-with compare-and-swap --guess unclaimed --skip-known",
            [Some("unclaimed"), Some("skip_known"), Some("spread")],
        ),
    ] {
        let document = play_json(3, &format!("rma {options} --digits {N} --seed 3"));
        let [guess, skip_known, spread] = told;
        assert_eq!(
            document.get("guess").and_then(Value::as_str),
            guess,
            "{options}"
        );
        assert_eq!(
            document.get("skip_known").is_some(),
            skip_known.is_some(),
            "{options}"
        );
        assert_eq!(
            document.get("spread").is_some(),
            spread.is_some(),
            "{options}"
        );
        assert_eq!(
            (&document["points_total"], &document["double_scores"]),
            (&N.into(), &0.into())
        );
        let (guesses, operations) = (sum(&document, "guesses"), sum(&document, "operations"));
        match guess {
            Some("ticket") => assert_eq!((guesses, operations), (N + 3, N + 3)),
            // Each rank guesses each digit once at most, and 0 when it knows all.
            Some(_) => assert!(guesses <= 3 * (N + 1), "{guesses}"),
            None if skip_known.is_some() => assert!(operations < guesses, "{document:#}"),
            None => assert!(operations >= guesses, "{document:#}"),
        }
    }
    let collective = play_json(3, "collective --guess unclaimed --digits 70 --seed 3");
    assert_eq!(collective["guess"], "unclaimed");
    // Nobody guesses what all know: every round claims something.
    assert!(
        collective["rounds"].as_u64() <= Some(2 * 70),
        "{collective:#}"
    );
}

#[test]
fn collective_documents_fit_the_schema_and_are_in_lockstep() {
    for n_ranks in [1, 2, 4] {
        let document = play_json(n_ranks, "collective --seed 5");
        assert_eq!(
            (&document["version"], &document["claim_with"]),
            (&"collective".into(), &Value::Null)
        );
        let points = document["points_total"].as_u64().unwrap();
        assert_eq!(document["double_scores"], points - 9);
        assert_eq!(sum(&document, "points"), points);
        for rank in document["per_rank"].as_array().unwrap() {
            let steps = rank["guesses"].as_u64().unwrap() + rank["points"].as_u64().unwrap();
            assert_eq!(document["rounds"], steps);
            assert_eq!(rank["operations"], steps);
        }
        let doubles: BTreeMap<u32, Vec<u32>> = match document.get("double_scored") {
            Some(doubles) => serde_json::from_value(doubles.clone()).unwrap(),
            None => BTreeMap::new(),
        };
        let extra: usize = doubles.values().map(|ranks| ranks.len() - 1).sum();
        assert_eq!(
            document["double_scores"], extra,
            "each double score is named"
        );
    }
}

/// Four ranks that guess at the same pace meet on a digit within a few games: this seed does.
#[test]
fn lockstep_scores_digits_twice_and_one_sided_does_not() {
    let collective = play_json(4, "collective --seed 1 --games 3");
    let game_s = &collective["game_s"];
    let times = ["min", "p5", "median", "p95", "max"].map(|name| game_s[name].as_f64().unwrap());
    let wall_s = collective["wall_s"].as_f64().unwrap();
    assert!(times.is_sorted() && times[0] > 0.0, "{game_s}");
    // Three games: the shortest, the one between and the longest are all that there are.
    assert!(
        ((times[0] + times[2] + times[4]) / wall_s - 1.0).abs() < 0.04,
        "{game_s} of {wall_s}"
    );
    assert!(
        collective["double_scores"].as_u64().unwrap() > 0,
        "{collective:#}"
    );
    let one_sided = play_json(4, "rma --seed 1 --games 3");
    assert_eq!(
        (&one_sided["double_scores"], &one_sided["points_total"]),
        (&0.into(), &27.into())
    );
    assert!(
        one_sided.get("claimed").is_none(),
        "left out with several games"
    );
}

/// The post's experiment in small: lockstep gives the fast rank no more guesses, one-sided does.
#[test]
fn fast_ranks_guess_more_only_without_lockstep() {
    let think = "--think 4ms --think-per-rank 40ms --seed 2";
    let guesses =
        |document: &Value, rank: usize| document["per_rank"][rank]["guesses"].as_u64().unwrap();
    let collective = play_json(3, &format!("collective {think}"));
    let (fast, slow) = (guesses(&collective, 0), guesses(&collective, 2));
    assert!(
        fast <= slow + 9 && slow <= fast + 9,
        "no more apart than points allow: {fast}, {slow}"
    );
    let one_sided = play_json(3, &format!("rma {think} --games 2"));
    let (fast, slow) = (guesses(&one_sided, 0), guesses(&one_sided, 2));
    // 4 ms against 84 ms: 21 to 1, less what the last guess of the slow rank rounds up.
    assert!(fast >= 3 * slow, "{fast} guesses to {slow}");
    let of_rank_0 = &one_sided["per_rank"][0];
    let think_s = of_rank_0["think_s"].as_f64().unwrap();
    assert!(
        think_s >= 0.004 * fast as f64,
        "{think_s} s for {fast} guesses of 4 ms"
    );
    assert!(think_s <= of_rank_0["play_s"].as_f64().unwrap());
}

#[test]
fn the_text_summary_is_printed_once_with_a_row_a_rank() {
    let ended = onesided(3, "play rma --seed 9 --games 2")
        .run()
        .expect_success();
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(
        lines[0].starts_with("one-sided by fetch-and-op: 2 games of digits 1 to 9, 3 ranks"),
        "{ended:#?}"
    );
    for part in ["seed 9", "think time 0"] {
        assert!(lines[0].contains(part), "{part} in {}", lines[0]);
    }
    let library = onesided::rma::library().unwrap().to_string();
    assert!(
        lines[0].ends_with(&library),
        "the library at run time is the one built against: {}",
        lines[0]
    );
    let row = |name: &str| {
        lines
            .iter()
            .filter(|line| line.starts_with(&format!("  {name:<6}")))
            .count()
    };
    assert_eq!(
        [row("0"), row("1"), row("2"), row("3"), row("all")],
        [1, 1, 1, 0, 1],
        "{ended:#?}"
    );
    assert_eq!(ended.stdout.matches("double scores 0").count(), 1);
}

#[test]
fn a_drawn_seed_is_printed_and_plays_the_same_guesses_again() {
    let drawn = play_json(2, "collective");
    let again = play_json(2, &format!("collective --seed {}", drawn["seed"]));
    for field in ["points_total", "double_scores", "rounds", "claimed"] {
        assert_eq!(drawn[field], again[field], "{field}");
    }
    let other = play_json(2, "collective");
    assert_ne!(drawn["seed"], other["seed"], "drawn anew each time");
}

#[test]
fn quiet_prints_nothing_and_still_gives_the_document() {
    let ended = onesided(2, "play rma --quiet").run().expect_success();
    assert_eq!(ended.stdout, "", "{ended:#?}");
    play_json(2, "rma --quiet");
}

/// Lines of four ranks that all print at once: each is whole, and they tell the same story as the
/// document.
#[test]
fn every_guess_and_score_is_a_whole_line_in_the_words_of_the_original() {
    for version in ["rma", "collective"] {
        let args = format!("play {version} --digits 40 --seed 3 --verbose --format json");
        let ended = onesided(4, &args).run().expect_success();
        let document: Value =
            serde_json::from_str(&ended.stdout).expect("stdout is the document alone");
        let (mut guesses, mut points, mut finals) = ([0u64; 4], [0u64; 4], [None; 4]);
        // MPI may have lines of its own.
        let of_ranks = |line: &&str| line.starts_with("rank");
        for line in ended.stderr.lines().filter(of_ranks) {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                [
                    "rank",
                    rank,
                    "guessed",
                    digit,
                    "on",
                    "guess",
                    guess,
                    "has",
                    so_far,
                    "points",
                ] => {
                    let rank: usize = rank.parse().unwrap();
                    guesses[rank] += 1;
                    assert_eq!(*guess, format!("{};", guesses[rank]), "{line}");
                    assert_eq!(*so_far, points[rank].to_string(), "{line}");
                    assert!(digit.parse::<u32>().unwrap() <= 40, "{line}");
                }
                [rank, guess, "scores!"] => {
                    let rank: usize = rank.strip_prefix("rank").unwrap().parse().unwrap();
                    points[rank] += 1;
                    assert_eq!(*guess, format!("guess{}", guesses[rank]), "{line}");
                }
                [
                    "rank",
                    rank,
                    "got",
                    points,
                    "points",
                    "with",
                    guesses,
                    "guesses",
                ] => {
                    let rank: usize = rank.parse().unwrap();
                    let tally: (u64, u64) = (guesses.parse().unwrap(), points.parse().unwrap());
                    assert!(finals[rank].replace(tally).is_none(), "{line}");
                }
                _ => panic!(
                    "not a whole line of the original: '{line}'\n{}",
                    ended.stderr
                ),
            }
        }
        for rank in 0..4 {
            assert_eq!(
                finals[rank],
                Some((guesses[rank], points[rank])),
                "rank {rank}"
            );
            assert_eq!(document["per_rank"][rank]["guesses"], guesses[rank]);
            assert_eq!(document["per_rank"][rank]["points"], points[rank]);
        }
    }
}

#[test]
fn with_text_the_lines_come_before_the_summary_on_stdout() {
    let ended = onesided(2, "play rma --verbose --seed 4")
        .run()
        .expect_success();
    let first = ended.stdout.lines().next().unwrap();
    assert!(
        first.starts_with("rank ") && first.contains(" guessed "),
        "{first}"
    );
    assert!(
        ended.stdout.contains("\none-sided by fetch-and-op"),
        "{ended:#?}"
    );
}

/// Both documents put side by side, as `just demo` does.
#[test]
fn both_versions_side_by_side_answer_the_question() {
    let folder = support::scratch();
    let mut paths = Vec::new();
    for version in ["rma", "collective"] {
        let think = "--think 5ms --think-per-rank 25ms --seed 6";
        let document = play_json(3, &format!("{version} {think}"));
        let path = folder.path().join(version);
        std::fs::write(&path, document.to_string()).unwrap();
        paths.push(path);
    }
    let output = std::process::Command::new(crate::ONESIDED)
        .arg("compare")
        .args(&paths)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let (verdict, explanation) = (text.lines().next(), text.lines().last());
    let (verdict, explanation) = (verdict.unwrap(), explanation.unwrap());
    let output = std::process::Command::new(crate::ONESIDED)
        .args(["compare", "--format", "json"])
        .args(&paths)
        .output()
        .unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    assert_eq!(document["verdict"], verdict);
    assert_eq!(document["runs"][0]["setup"]["version"], "rma");
    assert!(
        verdict.starts_with("collective took ") && verdict.contains("of its time in allreduces"),
        "{verdict}"
    );
    assert!(
        explanation.starts_with("In lockstep the fast rank 0 got ")
            && explanation.contains("guesses + points is "),
        "{explanation}"
    );
}
