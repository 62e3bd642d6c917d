//! Plans, their cells, and the order of runs.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

fn flags(given: &[(&str, &str)]) -> Values {
    let mut values = Values::default();
    for (name, text) in given {
        values.flag(name, &[(*text).to_owned()]);
    }
    values
}

fn plan(given: &[(&str, &str)]) -> Plan {
    Plan::new(flags(given)).unwrap()
}

fn bad(values: Values) -> Vec<String> {
    let bad = Plan::new(values).unwrap_err();
    let bad: Vec<String> = bad.iter().map(ToString::to_string).collect();
    assert!(bad.iter().all(|line| !line.contains('\n')), "{bad:?}");
    bad
}

const EVERYTHING: &str = r#"
# A comment.
ranks = [2, 4]
versions = ["rma", "collective"]
digits = [9, 0x40]
games = 3
think = ["0", "exp:1ms", "uniform:5ms..15ms"]
think-per-rank = ["0", "5ms"]
straggler = ["none", "1=20ms"]
think-by = "sleep"
guess = ["uniform", "unclaimed"]
claim-with = ["fetch-and-op", "compare-and-swap"]
home = "rank0"
skip-known = [true, false]
progress = ["auto", "poll"]
repeat = 4
seed = 7
trace-records = 1000
time-limit = "90s"
timeout = "20s"
launcher = "mpirun -n {ranks}"
out = "some folder"
"#;

#[test]
fn a_file_and_flags_say_the_same() {
    let of_file = Plan::new(Values::of_toml("plan.toml", EVERYTHING)).unwrap();
    let of_flags = plan(&[
        ("ranks", "2,4"),
        ("versions", "rma, collective"),
        ("digits", "9,64"),
        ("games", "3"),
        ("think", "0,exp:1ms,uniform:5ms..15ms"),
        ("think-per-rank", "0,5ms"),
        ("straggler", "none,1=20ms"),
        ("guess", "uniform,unclaimed"),
        ("claim-with", "fetch-and-op,compare-and-swap"),
        ("skip-known", "true,false"),
        ("progress", "auto,poll"),
        ("repeat", "4"),
        ("seed", "7"),
        ("trace-records", "1000"),
        ("time-limit", "90s"),
        ("timeout", "20s"),
        ("launcher", "mpirun -n {ranks}"),
        ("out", "some folder"),
    ]);
    assert_eq!(of_file, of_flags);
    // ranks, digits, think, per rank, straggler; one-sided: guess, claim, skip, progress; collective: guess.
    assert_eq!(of_file.cells.len(), 2 * 2 * 3 * 2 * 2 * (16 + 2));
    assert_eq!(of_file.n_runs(), 4 * of_file.cells.len());
    let texts: Vec<(String, Vec<String>)> = of_file
        .canonical()
        .iter()
        .map(|(key, texts)| ((*key).into(), texts.clone()))
        .collect();
    let again = of_canonical(&texts).unwrap();
    assert_eq!((&again.cells, again.seed), (&of_file.cells, of_file.seed));
    assert_eq!(again.canonical(), of_file.canonical());
}

#[test]
fn a_plan_is_the_same_however_it_is_written() {
    let text = "ranks = [2, 1_000]\nthink = \"1m 30s\"\nthink-per-rank = \"0s\"\nseed = 0x10";
    let of_file = Plan::new(Values::of_toml("plan.toml", text)).unwrap();
    let of_flags = plan(&[("ranks", "2 ,1000"), ("think", "90s"), ("seed", "16")]);
    assert_eq!(of_file.canonical(), of_flags.canonical());
}

#[test]
fn flags_replace_what_the_file_says() {
    let mut values = Values::of_toml("plan.toml", EVERYTHING);
    values.flag("ranks", &["8".into()]);
    values.flag("repeat", &["1".into()]);
    let plan = Plan::new(values).unwrap();
    assert!(plan.cells.iter().all(|cell| cell.workload.ranks == 8));
    assert_eq!(plan.repeat, 1);
}

/// Every line of the file but the first and the last has something wrong with it.
#[test]
fn every_bad_value_is_named_with_its_line() {
    let text = r#"ranks = [2, 4]
digits = [0, 9, 1000001, -1]
versions = ["rma", "mpi", 3]
think = ["fast", "exp:", "uniform:3ms..1ms"]
think-by = "wait"
straggler = ["x=1s", "7"]
repeat = [1, 2]
seed = -1
rank = 2
games = []
home = { rank = 0 }
progress = 1.5
time-limit = "0s"
launcher = "mpirun 'x"
skip-known = "yes"
claim-with = ["fetch-and-op", "fetch-and-op"]
guess = "uniform""#;
    let mut values = Values::of_toml("plan.toml", text);
    values.flag("think-per-rank", &["1s,soon".into()]);
    let bad = bad(values);
    let expected = [
        (2, "digits", "\"0\""),
        (2, "digits", "\"1000001\""),
        (2, "digits", "\"-1\""),
        (3, "versions", "\"mpi\""),
        (3, "versions", "\"3\""),
        (4, "think", "'fast'"),
        (4, "think", "\"exp:\""),
        (4, "think", "upside down"),
        (5, "think-by", "sleep, spin"),
        (6, "straggler", "'x'"),
        (6, "straggler", "RANK=DURATION"),
        (7, "repeat", "no list"),
        (8, "seed", "\"-1\""),
        (9, "\"rank\"", "ranks, versions"),
        (10, "games", "no value"),
        (11, "home", "table"),
        (12, "progress", "float"),
        (13, "time-limit", "100ms"),
        (14, "launcher", "quote"),
        (15, "skip-known", "false, true"),
        (16, "claim-with", "twice"),
    ];
    for (line, key, what) in expected {
        let place = format!("plan.toml:{line}: ");
        let found =
            |bad: &&String| bad.starts_with(&place) && bad.contains(key) && bad.contains(what);
        assert_eq!(
            bad.iter().filter(found).count(),
            1,
            "{place}{key} {what} in {bad:#?}"
        );
    }
    let of_flag: Vec<&String> = bad
        .iter()
        .filter(|bad| bad.starts_with("--think-per-rank: "))
        .collect();
    assert!(
        of_flag.len() == 1 && of_flag[0].contains("'soon'"),
        "{bad:#?}"
    );
    assert_eq!(bad.len(), expected.len() + 1, "{bad:#?}");
}

#[test]
fn what_is_no_toml_is_refused_with_all_its_lines() {
    let bad = bad(Values::of_toml(
        "plan.toml",
        "ranks = [2\ndigits 9\nthink = \"0\nrepeat = 3\n",
    ));
    assert!(bad.len() > 1, "{bad:#?}");
    assert!(
        bad.iter().all(|bad| bad.starts_with("plan.toml:")),
        "{bad:#?}"
    );
    let twice = self::bad(Values::of_toml("p", "ranks = 2\nranks = 3\n"));
    assert!(
        twice[0].starts_with("p:2: not TOML: duplicate key"),
        "{twice:?}"
    );
}

#[test]
fn what_does_not_go_together_is_named() {
    let bad = bad(flags(&[
        ("guess", "uniform,ticket"),
        ("claim-with", "fetch-and-op,two-tier"),
        ("home", "rank0,spread"),
        ("ranks", "2,4"),
        ("straggler", "2=1s,3=1s"),
    ]));
    let has = |what: &str| assert!(bad.iter().any(|bad| bad.contains(what)), "{what}: {bad:#?}");
    has("guess = ticket does not go with claim-with = two-tier");
    has("guess = ticket does not go with home = spread");
    has("home = spread does not go with claim-with = two-tier");
    has("straggler names rank 2, and with ranks = 2 the ranks are 0 to 1");
    has("straggler names rank 3, and with ranks = 2");
    assert_eq!(bad.len(), 5, "{bad:#?}");
    // Beside other guesses, tickets are left to the version that has them.
    let plan = plan(&[("guess", "uniform,ticket")]);
    let names: Vec<&str> = plan.cells.iter().map(|cell| cell.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "2-ranks_9-digits_think-0_rma",
            "2-ranks_9-digits_think-0_rma_ticket",
            "2-ranks_9-digits_think-0_collective",
        ]
    );
    let alone = self::bad(flags(&[("guess", "ticket"), ("versions", "collective")]));
    assert!(
        alone[0].contains("ticket is for the version rma"),
        "{alone:?}"
    );
    let endless = self::bad(flags(&[
        ("repeat", "1000000"),
        ("ranks", "1,2,3,4,5,6,7,8"),
    ]));
    assert!(endless[0].contains("16000000 runs"), "{endless:?}");
}

#[test]
fn cells_have_names_of_their_own_that_any_file_system_takes() {
    let plan = Plan::new(Values::of_toml("plan.toml", EVERYTHING)).unwrap();
    let names: BTreeSet<&str> = plan.cells.iter().map(|cell| cell.name.as_str()).collect();
    assert_eq!(names.len(), plan.cells.len());
    let harmless = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    assert!(
        names
            .iter()
            .all(|name| name.len() < 140 && name.chars().all(harmless)),
        "{names:?}"
    );
    let mut taken = BTreeSet::new();
    let long = "x".repeat(1000);
    let hostile = [
        "a/../b",
        "a?..?b",
        "A/../B",
        "",
        "\u{1f600}\n",
        &long,
        &long,
    ];
    let names: Vec<String> = hostile
        .iter()
        .map(|wanted| cell::folder_name(wanted, &mut taken))
        .collect();
    assert_eq!(names[..5], ["a-..-b", "a-..-b-2", "A-..-B-3", "cell", "-"]);
    assert!(names[5] != names[6] && names[6].len() < 140);
}

#[test]
fn a_cell_is_played_with_everything_that_it_says() {
    let plan = plan(&[
        ("versions", "rma"),
        ("ranks", "4"),
        ("think", "1m 30s"),
        ("straggler", "1=20ms+3=1m30s"),
        ("skip-known", "true"),
        ("think-by", "spin"),
    ]);
    assert_eq!(
        plan.cells[0].arguments(5).join(" "),
        "play rma --digits 9 --games 1 --think 1m30s --think-per-rank 0 --think-by spin \
         --straggler 1=20ms --straggler 3=1m30s --guess uniform --claim-with fetch-and-op --home rank0 \
         --progress auto --skip-known --seed 5"
    );
}

#[test]
fn repetitions_go_to_and_fro_so_that_drift_hits_all_cells_alike() {
    let plan = plan(&[("ranks", "2,4,8"), ("digits", "9,64"), ("repeat", "6")]);
    let runs: Vec<Run> = plan.schedule().collect();
    let n = plan.cells.len();
    assert_eq!(runs.len(), plan.n_runs());
    for pair in runs.chunks(2) {
        let [a, b] = pair else { panic!() };
        let of = |run: &Run| &plan.cells[run.cell];
        assert_eq!(
            of(a).workload,
            of(b).workload,
            "versions are next to each other"
        );
        assert_ne!(of(a).variant, of(b).variant);
        assert_eq!((a.repetition, a.seed), (b.repetition, b.seed));
    }
    // A machine that slows down by as much from run to run: the sums of two repetitions are equal.
    for two in runs.chunks(2 * n) {
        let mut place = vec![0; n];
        two.iter()
            .enumerate()
            .for_each(|(at, run)| place[run.cell] += at);
        assert!(place.iter().all(|&sum| sum == place[0]), "{place:?}");
    }
}

#[test]
fn seeds_are_the_plan_s_and_shared_by_the_cells_of_a_workload_alone() {
    let seeds = |seed: &str| -> BTreeMap<(usize, u32), BTreeSet<u64>> {
        let plan = plan(&[("ranks", "2,3,4,5"), ("repeat", "500"), ("seed", seed)]);
        let mut seeds: BTreeMap<_, BTreeSet<u64>> = BTreeMap::new();
        for run in plan.schedule() {
            let workload = plan.cells[run.cell].workload_index;
            seeds
                .entry((workload, run.repetition))
                .or_default()
                .insert(run.seed);
        }
        seeds
    };
    let (first, again, other) = (seeds("1"), seeds("1"), seeds("2"));
    assert!(first.values().all(|seeds| seeds.len() == 1));
    let all =
        |of: &BTreeMap<_, BTreeSet<u64>>| of.values().flatten().copied().collect::<BTreeSet<u64>>();
    assert_eq!(all(&first).len(), first.len(), "no seed twice");
    assert!(all(&first).iter().all(|&seed| seed < 1 << 53));
    assert_eq!(first, again);
    assert!(all(&first).is_disjoint(&all(&other)));
}
