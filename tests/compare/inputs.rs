//! Whatever else is read (plans, batches' folders, doctors' documents, expressions, launchers, think times,
//! `RUST_LOG`): it is understood or refused in one line, soon, and in little memory.
//!
//! `PROPTEST_CASES=100000 cargo test --release --no-default-features --features cli --test compare inputs` for longer.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use onesided::internals::analysis::Expression;
use onesided::internals::batch::{self, KEYS, Plan, Results, Values, read_folder};
use onesided::internals::doctor::Document;
use onesided::internals::launch::Template;
use onesided::internals::report;
use onesided::internals::think_time::{Straggler, ThinkTime, parse_duration};
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// No case here takes a second; a machine with more to do gets more.
const DEADLINE: Duration = Duration::from_secs(120);

/// What plans, expressions and the like are made of, good and bad.
const WORDS: &[&str] = &[
    "rma",
    "collective",
    "0",
    "1",
    "2",
    "9",
    "64",
    "-1",
    "1e9",
    "1.5",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999999",
    "0x10",
    "1_000",
    "nan",
    "inf",
    "1s",
    "5ms",
    "exp:10ms",
    "uniform:5ms..15ms",
    "uniform:9s..1s",
    "584542046090years",
    "1day",
    "25h",
    "3=200ms",
    "1=1s+3=200ms",
    "4294967296=1s",
    "none",
    "sleep",
    "spin",
    "uniform",
    "unclaimed",
    "ticket",
    "fetch-and-op",
    "compare-and-swap",
    "shared-memory",
    "two-tier",
    "rank0",
    "spread",
    "true",
    "false",
    "auto",
    "poll",
    "thread",
    "mpirun -n {ranks}",
    "'",
    "\"",
    "\\",
    "{ranks}{ranks}",
    "{",
    "\0",
    "\n",
    "\u{1b}[2J",
    "\u{202e}",
    "",
    " ",
    "wall_s",
    "rma.wall_s",
    "double_scores",
    "median",
    "ranks",
    "(",
    ")",
    "<",
    ">",
    "<=",
    "==",
    "!=",
    "+",
    "-",
    "*",
    "/",
    "&&",
    "||",
    "and",
    "or",
    "not",
    "!",
    "[",
    "]",
    "[[",
    "=",
    ",",
    "..",
    ".",
    "#",
    "info",
    "onesided=debug",
    "off",
    "=,",
    "[span{field=1}]",
    "é",
    "数",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        9 => select(WORDS).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => any::<i128>().prop_map(|number| number.to_string()),
    ]
}

/// Words one after the other, some with nothing between them.
fn words() -> impl Strategy<Value = String> {
    let glued = (word(), select(vec!["", " ", " ", ":", "="]));
    let some = proptest::collection::vec(glued, 0..12);
    let some = some.prop_map(|all| all.into_iter().map(|(word, glue)| word + glue).collect());
    // Deep and long, which is what readers that call themselves do not like.
    let deep = (select(WORDS), 0usize..20_000).prop_map(|(word, n)| word.repeat(n));
    prop_oneof![20 => some, 1 => deep]
}

fn one_line(why: &str) -> Result<(), TestCaseError> {
    prop_assert!(
        !why.is_empty() && !why.contains(char::is_control),
        "{why:?}"
    );
    prop_assert!(why.len() < 1_000_000);
    Ok(())
}

fn in_time(what: impl FnOnce() -> Result<(), TestCaseError>) -> Result<(), TestCaseError> {
    let start = Instant::now();
    what()?;
    prop_assert!(start.elapsed() < DEADLINE, "{:?}", start.elapsed());
    Ok(())
}

fn refused_in_lines(bad: &[batch::Bad]) -> Result<(), TestCaseError> {
    prop_assert!(!bad.is_empty());
    bad.iter().try_for_each(|bad| one_line(&bad.to_string()))
}

/// A plan that was understood is written down as one that is understood alike.
fn is_itself(plan: &Plan) -> Result<(), TestCaseError> {
    prop_assert!(!plan.cells.is_empty() && plan.n_runs() <= 10_000_000);
    let texts: Vec<(String, Vec<String>)> = plan
        .canonical()
        .iter()
        .map(|(key, texts)| ((*key).to_owned(), texts.clone()))
        .collect();
    let again = batch::of_canonical(&texts);
    prop_assert_eq!(again.map(|again| again.cells), Ok(plan.cells.clone()));
    Ok(())
}

fn understood_or_refused(values: Values) -> Result<(), TestCaseError> {
    match Plan::new(values) {
        Ok(plan) => is_itself(&plan),
        Err(bad) => refused_in_lines(&bad),
    }
}

/// A flag is one that there is, or it is refused before.
fn flag() -> impl Strategy<Value = String> {
    let names: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
    select(names).prop_map(str::to_owned)
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![9 => flag(), 1 => word()]
}

/// A line of TOML, more or less.
fn toml_line() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        word().prop_map(|word| format!("{word:?}")),
        word(),
        proptest::collection::vec(word(), 0..5).prop_map(|words| format!("[{}]", words.join(", "))),
        proptest::collection::vec(word(), 0..5).prop_map(|words| format!("{words:?}")),
    ];
    prop_oneof![
        9 => (key(), value).prop_map(|(key, value)| format!("{key} = {value}\n")),
        1 => words(),
    ]
}

/// Bytes of a file that something has happened to.
fn damaged(whole: &'static str) -> impl Strategy<Value = String> {
    let damage = (any::<Index>(), any::<Index>(), word(), 0..4);
    proptest::collection::vec(damage, 1..6).prop_map(move |damages| {
        let mut text: Vec<char> = whole.chars().collect();
        for (a, b, word, what) in damages {
            let (a, b) = (a.index(text.len() + 1), b.index(text.len() + 1));
            let (from, to) = (a.min(b), a.max(b));
            // Most are short: a file of which most is gone is soon refused.
            let to = to.min(from + 1 + (to - from) % 40);
            let to = to.min(text.len());
            match what {
                0 => drop(text.splice(from..to, word.chars())),
                1 => drop(text.drain(from..to)),
                2 => {
                    let piece: Vec<char> = text[from..to].into();
                    drop(text.splice(a.min(text.len())..a.min(text.len()), piece));
                }
                _ => set_number(&mut text, from, &word),
            }
        }
        text.into_iter().collect()
    })
}

/// Replaces the first number after a place.
fn set_number(text: &mut Vec<char>, from: usize, word: &str) {
    let rest = text[from..].iter();
    if let Some(start) = rest.clone().position(char::is_ascii_digit) {
        let len = rest
            .skip(start)
            .take_while(|char| char.is_ascii_digit())
            .count();
        drop(text.splice(from + start..from + start + len, word.chars()));
    }
}

const PLAN: &str = r#"{"format": "onesided-batch-plan/1", "onesided": "0.1.0", "id": "18a-7",
"plan": {"ranks": ["2", "4"], "think": ["exp:10ms"], "repeat": ["6"], "seed": ["1"]}}"#;

/// The journal of [`PLAN`], so that all of a report can be made of it.
fn journal() -> String {
    let texts: BTreeMap<&str, Vec<&str>> = BTreeMap::from([
        ("ranks", vec!["2", "4"]),
        ("think", vec!["exp:10ms"]),
        ("repeat", vec!["6"]),
        ("seed", vec!["1"]),
    ]);
    let own = |(key, texts): (&str, Vec<&str>)| {
        (
            key.to_owned(),
            texts.into_iter().map(str::to_owned).collect(),
        )
    };
    let texts: Vec<(String, Vec<String>)> = texts.into_iter().map(own).collect();
    let plan = batch::of_canonical(&texts).expect("a plan");
    let mut text = String::new();
    for run in plan.schedule() {
        let wall_s = 0.1 + 0.01 * run.repetition as f64 + run.cell as f64;
        let cell = &plan.cells[run.cell].name;
        text += &format!(
            "{{\"cell\":\"{cell}\",\"repetition\":{},\"seed\":{},\"status\":\"done\",\"started\":\
             \"2026-01-01T00:00:00Z\",\"took_s\":{wall_s},\"code\":0,\"signal\":null,\"why\":null,\"said\":\
             null,\"source\":\"trace\",\"mpi_library\":\"Fake MPI 1\",\"hosts\":1,\"metrics\":{{\"wall_s\":\
             {wall_s},\"guesses\":40,\"serialisation_efficiency\":0.5}}}}\n",
            run.repetition, run.seed
        );
    }
    text
}

fn read_and_report(folder: &Path) -> Result<(), TestCaseError> {
    match read_folder(folder) {
        Err(why) => one_line(&why),
        Ok((plan, entries)) => {
            let results = Results::new(&plan, &entries);
            let text = batch::text(&results);
            let control = |char: char| char.is_control() && char != '\n';
            prop_assert!(!text.contains(control), "{text:?}");
            let page = batch::html(&results);
            prop_assert!(page.trim_end().ends_with("</html>"));
            batch::write_results(folder, &results).map_err(TestCaseError::fail)
        }
    }
}

/// A file that is read in the square of its length, or whose refusals are, takes hours; as it is, a second.
#[test]
fn a_long_plan_file_is_read() {
    const N: usize = 100_000;
    for what in ["", "1", "[["] {
        let shapes = [
            format!("ranks = {}\n", what.repeat(N)),
            format!("ranks = [{}]\n", format!("{what},\n").repeat(N)),
            format!("ranks = [[]\n{}", what.repeat(N)),
        ];
        for text in shapes {
            let read = in_time(|| understood_or_refused(Values::of_toml("plan.toml", &text)));
            read.unwrap_or_else(|why| panic!("{what:?}, {text:.40}: {why}"));
        }
    }
}

proptest! {
    #[test]
    fn any_plan_file(lines in proptest::collection::vec(toml_line(), 0..12)) {
        in_time(|| understood_or_refused(Values::of_toml("plan.toml", &lines.concat())))?;
    }

    #[test]
    fn any_flags(flags in proptest::collection::vec((flag(), proptest::collection::vec(word(), 1..4)), 0..12)) {
        in_time(|| {
            let mut values = Values::default();
            for (key, texts) in &flags {
                values.flag(key, texts);
            }
            understood_or_refused(values)
        })?;
    }

    #[test]
    fn any_damaged_batch(plan in prop_oneof![1 => damaged(PLAN), 1 => Just(PLAN.to_owned())],
                         lines in damaged(journal().leak())) {
        in_time(|| {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("plan.json"), &plan).unwrap();
            fs::write(folder.path().join("journal.jsonl"), &lines).unwrap();
            read_and_report(folder.path())
        })?;
    }

    #[test]
    fn any_doctor_s_document(text in damaged(include_str!("../golden/doctor.json"))) {
        in_time(|| match Document::from_json(&text) {
            Err(why) => one_line(&why),
            Ok(document) => {
                report::doctor(&document);
                report::doctor_matrix(&[document.clone(), document.clone()]);
                serde_json::to_string(&document).unwrap();
                Ok(())
            }
        })?;
    }

    #[test]
    fn any_expression(text in words()) {
        in_time(|| match Expression::parse(&text) {
            Err(why) => {
                let why = why.to_string();
                prop_assert!(!why.is_empty());
                Ok(())
            }
            Ok(expression) => {
                // Whatever is known, and whatever numbers there are.
                for value in [None, Some(0.0), Some(-1.5), Some(f64::MAX), Some(f64::NAN)] {
                    expression.holds(&mut |_| value);
                }
                let shown = expression.to_string();
                let again = Expression::parse(&shown);
                prop_assert!(again.is_ok(), "{shown}");
                Ok(())
            }
        })?;
    }

    #[test]
    fn any_launcher_think_time_and_filter(text in words()) {
        in_time(|| {
            if let Err(why) = Template::new(&text) {
                prop_assert!(!why.is_empty());
            }
            if let Ok(template) = Template::new(&text) {
                let words = template.fill(&[("ranks", "2"), ("hosts", "{ranks}")]);
                prop_assert_eq!(words.len(), template.fill(&[]).len(), "a value makes no words");
            }
            if let Ok(think) = text.parse::<ThinkTime>() {
                prop_assert_eq!(think.to_string().parse(), Ok(think));
            }
            for why in [
                text.parse::<ThinkTime>().err(),
                text.parse::<Straggler>().err(),
                parse_duration(&text).err(),
            ] {
                prop_assert!(why.is_none_or(|why| !why.is_empty()));
            }
            // Why it is not understood is said; here it counts that it is said.
            let filter = onesided::internals::diagnostics::filter(&text);
            prop_assert!(filter.is_ok() || filter.is_err_and(|why| !why.contains('\n')));
            Ok(())
        })?;
    }
}
