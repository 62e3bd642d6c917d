//! What readers that nobody here wrote make of an export: Perfetto's trace processor, pandas, jq.
//!
//! `.ci/readers env` sets them up and prints the environment that these tests look for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use onesided::internals::report::export::COLUMNS;
use onesided::internals::trace::{Kind, Outcome, Record};
use serde_json::{Value, json};

use crate::{Run, made_up};

/// The variables that say where the readers are.
const PYTHON: &str = "ONESIDED_READERS_PYTHON";
const NODE: &str = "ONESIDED_READERS_NODE";
const ENGINE: &str = "ONESIDED_READERS_ENGINE";

/// Their values; `None`, with the reason, without them.
fn readers<const N: usize>(names: [&str; N]) -> Option<[String; N]> {
    let values = names.map(|name| std::env::var(name).unwrap_or_default());
    match names
        .iter()
        .zip(&values)
        .find(|(_, value)| value.is_empty())
    {
        None => Some(values),
        Some((name, _)) => {
            skip(&format!("no {name}, which `.ci/readers env` prints"));
            None
        }
    }
}

/// A test that cannot be run here says so, unless it must be.
fn skip(what: &str) {
    assert!(
        std::env::var("ONESIDED_SKIP").as_deref() != Ok("forbidden"),
        "not to be skipped: {what}"
    );
    println!("SKIPPED: {what}");
}

/// What a reader in `tests/readers/` prints.
fn read(program: &str, script: &str, args: &[&str]) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/readers/");
    let mut command = Command::new(program);
    let output = command.arg(format!("{folder}{script}")).args(args);
    let output = output.output().expect("the reader starts");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {complaint}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the target folder's name is text")
}

fn n_records(ranks: &[Vec<Record>]) -> usize {
    ranks.iter().map(Vec::len).sum()
}

fn duration_ns(ranks: &[Vec<Record>]) -> u64 {
    ranks.iter().flatten().map(Record::duration_ns).sum()
}

#[test]
fn pandas_and_jq_read_what_was_recorded() {
    let Some([python]) = readers([PYTHON]) else {
        return;
    };
    let ranks = made_up::games(4, 50);
    let run = Run::new(&ranks);
    let (csv, jsonl) = (run.export("csv").0, run.export("jsonl").0);
    let documents = read(&python, "tables.py", &[text(&csv), text(&jsonl)]);
    let mut outcomes = BTreeMap::new();
    for record in ranks.iter().flatten() {
        *outcomes.entry(record.outcome.name()).or_insert(0) += 1;
    }
    let expected = json!({
        "columns": COLUMNS,
        "rows": n_records(&ranks),
        "duration_ns": duration_ns(&ranks),
        "outcomes": outcomes,
    });
    for reader in ["pandas, CSV", "pandas, JSON Lines", "jq"] {
        assert_eq!(documents[reader], expected, "{reader}");
    }
}

/// What Perfetto is asked, and must answer for a run.
fn questions(ranks: &[Vec<Record>]) -> Vec<(&'static str, Value)> {
    let all = || ranks.iter().flatten();
    let n_of = |is: fn(&Record) -> bool| all().filter(|record| is(record)).count();
    let games: BTreeSet<u32> = all().map(|record| record.game).collect();
    let n_won = n_of(|record| record.outcome == Outcome::Won);
    let won = all().filter(|record| record.outcome == Outcome::Won);
    let of_kind = |kind: Kind| {
        let n = all().filter(|record| record.kind == kind).count();
        json!({"name": kind.name(), "n": n})
    };
    let of_rank = |(rank, records): (usize, &Vec<Record>)| {
        let ns = duration_ns(std::slice::from_ref(records));
        json!({"name": format!("rank {rank} (node1)"), "n": records.len(), "ns": ns})
    };
    vec![
        (
            "select name, value from stats
             where value > 0 and severity in ('error', 'data_loss')",
            json!([]),
        ),
        (
            "select count(*) n, sum(dur) ns, min(ts) first, sum(dur = 0) n_empty, max(depth) depth
             from slice",
            json!([{
                "n": n_records(ranks),
                "ns": duration_ns(ranks),
                "first": 0,
                "n_empty": n_of(|record| record.duration_ns() == 0),
                "depth": 0,
            }]),
        ),
        (
            "select name, count(*) n from slice group by name order by name",
            [Kind::Claim, Kind::Finish, Kind::Start, Kind::Think]
                .map(of_kind)
                .into(),
        ),
        (
            "select track.name, count(*) n, sum(dur) ns
             from slice join track on track.id = track_id
             group by track.id order by track.name",
            ranks.iter().enumerate().map(of_rank).collect(),
        ),
        (
            "select count(*) n, sum(value = 0) n_games, max(value) n_digits from counter",
            json!([{"n": n_won + games.len(), "n_games": games.len(), "n_digits": 9}]),
        ),
        (
            "select count(*) n, sum(digit.int_value) digits, sum(game.int_value) games
             from slice join args outcome using (arg_set_id)
             join args digit using (arg_set_id) join args game using (arg_set_id)
             where outcome.key = 'debug.outcome' and outcome.string_value = 'won'
             and digit.key = 'debug.digit' and game.key = 'debug.game'",
            json!([{
                "n": n_won,
                "digits": won.clone().map(|record| record.item).sum::<u32>(),
                "games": won.map(|record| record.game).sum::<u32>(),
            }]),
        ),
        (
            "select name, count(*) n from slice where arg_set_id is not null group by name",
            json!([of_kind(Kind::Claim)]),
        ),
        (
            "select count(*) n, sum(before.ts > after.ts) n_backward from flow
             join slice before on before.id = slice_out join slice after on after.id = slice_in",
            match n_flows(ranks) {
                0 => json!([{"n": 0, "n_backward": null}]),
                n => json!([{"n": n, "n_backward": 0}]),
            },
        ),
    ]
}

/// For each digit and game, the ranks that begin to lose it after another has begun to win it.
fn n_flows(ranks: &[Vec<Record>]) -> usize {
    let mut claims = Vec::new();
    for (rank, records) in ranks.iter().enumerate() {
        let records = records.iter().filter(|record| record.item > 0);
        claims.extend(records.map(|record| (record.begin_ns, rank, *record)));
    }
    claims.sort_by_key(|&(begin_ns, rank, _)| (begin_ns, rank));
    let mut winners = BTreeMap::new();
    let mut losers = BTreeSet::new();
    for (_, rank, record) in claims {
        let what = (record.game, record.item);
        match (record.outcome, winners.get(&what)) {
            (Outcome::Won, None) => drop(winners.insert(what, rank)),
            (Outcome::Lost, Some(&winner)) if winner != rank => drop(losers.insert((what, rank))),
            _ => {}
        }
    }
    losers.len()
}

/// Exports a run and compares what Perfetto makes of it.
fn perfetto_agrees(run: &Run, ranks: &[Vec<Record>]) {
    let Some([node, engine]) = readers([NODE, ENGINE]) else {
        return;
    };
    let (file, _) = run.export("perfetto");
    let questions = questions(ranks);
    let mut args = vec![engine.as_str(), text(&file)];
    args.extend(questions.iter().map(|(sql, _)| sql));
    let answers = read(&node, "perfetto.mjs", &args);
    for ((sql, expected), answer) in questions.iter().zip(answers.as_array().expect("rows")) {
        assert_eq!(answer, expected, "{sql}");
    }
}

#[test]
fn perfetto_reads_one_rank_and_one_game() {
    let ranks = made_up::games(1, 1);
    perfetto_agrees(&Run::new(&ranks), &ranks);
}

#[test]
fn perfetto_reads_many_games_of_four_ranks() {
    let ranks = made_up::games(4, 200);
    let lost = |record: &Record| record.outcome == Outcome::Lost;
    assert!(ranks.iter().flatten().any(lost) && n_flows(&ranks) > 200);
    assert!(
        ranks
            .iter()
            .flatten()
            .any(|record| record.duration_ns() == 0)
    );
    perfetto_agrees(&Run::new(&ranks), &ranks);
}

#[test]
fn perfetto_reads_what_is_left_of_a_run() {
    let mut ranks = made_up::games(3, 10);
    let run = Run::new(&ranks);
    made_up::truncate(&run.path(), 1);
    ranks[1].pop();
    perfetto_agrees(&run, &ranks);
}
