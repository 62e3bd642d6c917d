//! What a batch ends with.

use onesided::internals::batch::about;

use super::*;

fn validate(results: &Value) {
    let schema: Value =
        serde_json::from_str(onesided::internals::batch::BATCH_SCHEMA).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<String> = validator
        .iter_errors(results)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn results_are_of_all_runs_and_fit_their_schema() {
    let batch = Batch::new(&["--ranks=2,3", "--repeat=8", "--think=exp:1ms,2ms"]);
    let text = batch.run_well();
    let results = batch.results();
    validate(&results);
    assert_eq!(results["done"], 64);
    assert_eq!(
        results["plan"]["think"],
        serde_json::json!(["exp:1ms", "2ms"])
    );

    // The made-up collective game takes twice as long, in every repetition: 101/202, 102/204, …
    let pairs = results["pairs"].as_array().expect("pairs");
    assert_eq!(pairs.len(), 4);
    for pair in pairs {
        let ratio = &pair["time_ratio"];
        assert_eq!(
            (&ratio["n"], &ratio["median"]),
            (&8.into(), &0.5.into()),
            "{pair}"
        );
        assert_eq!(
            (&ratio["low"], &pair["significant"]),
            (&0.5.into(), &true.into()),
            "{pair}"
        );
        // All eight the same way: 2 of 2^8 signs. Three are adjusted, the declared one is not.
        let p = 2.0 / 256.0;
        let times = if pair["declared"] == true { 1.0 } else { 3.0 };
        assert_eq!(
            (&pair["p"], &pair["p_adjusted"]),
            (&p.into(), &(times * p).into())
        );
    }
    let cell = results["cells"]
        .as_array()
        .expect("cells")
        .iter()
        .find(|cell| cell["name"] == "3-ranks_9-digits_think-exp-1ms_collective")
        .expect("the cell");
    let (theory, metrics) = (&cell["theory"], &cell["metrics"]);
    let near = |value: &Value, expected: f64| {
        let value = value.as_f64().expect("a number");
        assert!(
            (value / expected - 1.0).abs() < 1e-6,
            "{value} is not {expected}"
        );
    };
    near(&theory["synchronisation_slowdown"], 11.0 / 6.0);
    near(&theory["spread"], 1.0);
    near(&metrics["wall_s"]["median"], 0.2090);
    // 9 points in 3 x 20 steps: with 1, 2 or 3 ranks thinking.
    let idle: f64 = 9.0 / 60.0;
    let on = 1.0 - idle;
    let round = 3.0 * on * idle * idle + 3.0 * on * on * idle * 1.5 + on * on * on * 11.0 / 6.0;
    near(
        &cell["theory_with_scores"]["synchronisation_slowdown"],
        round / on,
    );

    let csv = std::fs::read_to_string(batch.out().join("results.csv")).expect("a table");
    let mut lines = csv.lines();
    let head: Vec<&str> = lines.next().expect("a head").split(',').collect();
    assert_eq!(
        &head[..5],
        ["cell", "repetition", "seed", "ranks", "version"]
    );
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert!(rows.len() == 64 && rows.iter().all(|row| row.len() == head.len()));
    let column = |name: &str| {
        head.iter()
            .position(|other| *other == name)
            .expect("a column")
    };
    let seeds = |version: &str| -> Vec<&str> {
        let own = rows.iter().filter(|row| row[column("version")] == version);
        let mut seeds: Vec<&str> = own.map(|row| row[column("seed")]).collect();
        seeds.sort_unstable();
        seeds
    };
    assert_eq!(
        seeds("rma"),
        seeds("collective"),
        "both versions play the same games"
    );

    for part in [
        "lockstep took 2.00 times as long as one-sided",
        "1.83",
        "0.50 to 0.50",
        "64 of 64 runs played",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.trim_end().ends_with("report.html"), "{text}");
}

#[test]
fn the_page_needs_nothing_but_itself() {
    let batch = Batch::new(&[
        "--ranks=2,3",
        "--repeat=6",
        "--think=exp:1ms,uniform:1ms..3ms",
    ]);
    batch.run_well();
    let page = std::fs::read_to_string(batch.out().join("report.html")).expect("a page");
    // The names of SVG's own elements are no requests.
    for absent in [
        "<script", "http:", "https:", "src=", "@import", "url(", "<link",
    ] {
        assert!(!page.contains(absent), "{absent}");
    }
    assert!(page.contains("prefers-color-scheme: dark"));
    assert!(
        page.matches("<svg").count() >= 2
            && page.matches("<svg").count() == page.matches("</svg>").count()
    );
    for part in [
        "1 / H_P, in theory",
        "more ranks than cores and --think-by spin",
        "<td>1.83</td>",
    ] {
        assert!(page.contains(part), "{part}");
    }
    for tag in [
        "table", "tr", "td", "th", "details", "figure", "ul", "dl", "p", "main",
    ] {
        let opened =
            page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

#[test]
fn a_report_can_be_made_of_what_is_there() {
    let batch = Batch::new(&["--repeat=7"]);
    batch.run_well();
    let journal = batch.out().join("journal.jsonl");
    let all = std::fs::read_to_string(&journal).expect("a journal");
    let five: Vec<&str> = all.lines().take(5).collect();
    // The sixth is being written.
    std::fs::write(&journal, five.join("\n") + "\n{\"cell\":").expect("a journal");
    for name in ["results.json", "results.csv", "report.html"] {
        std::fs::remove_file(batch.out().join(name)).expect("a file");
    }
    let report = |more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_onesided"))
            .args(["batch", "report"])
            .arg(batch.out())
            .args(more)
            .output()
            .expect("the program starts");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let text = report(&[]);
    assert!(text.contains("5 of 14 runs played"), "{text}");
    let results = batch.results();
    assert_eq!(
        (&results["planned"], &results["done"]),
        (&14.into(), &5.into())
    );
    assert_eq!(
        serde_json::from_str::<Value>(&report(&["--format=json"])).expect("JSON"),
        results
    );
    assert!(batch.out().join("report.html").exists());
    // And the batch goes on: the line that was cut off is a run that was not.
    let twice = |batch: &Batch| batch.starts().values().filter(|n| **n == 2).count();
    batch.run_well();
    assert_eq!((batch.journal().len(), twice(&batch)), (14, 9));
}

/// What cannot be written is printed all the same, by the batch and by its report.
#[test]
fn results_that_cannot_be_written_are_printed() {
    let batch = Batch::new(&["--repeat=2"]);
    std::fs::create_dir_all(batch.out()).expect("a folder");
    let printed = batch.run_well();
    std::fs::remove_file(batch.out().join("results.csv")).expect("a file");
    std::fs::create_dir(batch.out().join("results.csv")).expect("a folder");
    let report = batch.out().join("report.html").display().to_string();
    let without = printed.replace(&format!("{report}\n"), "");
    for command in [batch.command(), {
        let mut report = Command::new(env!("CARGO_BIN_EXE_onesided"));
        report.args(["batch", "report"]).arg(batch.out());
        report
    }] {
        let mut command = command;
        let output = command.output().expect("the program starts");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let message = stderr(&output);
        assert!(
            message.contains("cannot write ") && message.contains("results.csv: is a directory"),
            "{message}"
        );
        assert_eq!(String::from_utf8_lossy(&output.stdout), without);
    }
}

#[test]
fn where_there_is_no_terminal_each_run_is_a_line_with_the_time_that_is_left() {
    let batch = Batch::new(&["--repeat=5", "--versions=rma"]).env("FAKE_SLEEP", "0.6");
    let output = batch.run();
    assert!(output.status.success(), "{output:?}");
    let message = stderr(&output);
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!(lines.len(), 5, "{message}");
    let cell = "2-ranks_9-digits_think-0_rma";
    let mut took_s = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        assert!(
            line.starts_with(&format!("{}/5  {cell}/{:03}  ", index + 1, index + 1)),
            "{line}"
        );
        let words = line.split_once("/00").expect("a run").1;
        let (took, left) = match words.split_once("; ") {
            Some((took, left)) => (took, left.strip_suffix(" left")),
            None => (words, None),
        };
        let took = took.split_whitespace().nth(1).expect("a time");
        took_s.push(took.parse::<f64>().expect("a number"));
        // What was measured counts, whatever was thought before; it is printed to a hundredth.
        let mut sorted = took_s.clone();
        sorted.sort_by(f64::total_cmp);
        let median_s = (sorted[index / 2] + sorted[index.div_ceil(2)]) / 2.0;
        match 4 - index {
            0 => assert_eq!(left, None, "{line}"),
            n => {
                let [least, most] = [-0.005, 0.005].map(|by| about((median_s + by) * n as f64));
                assert!(
                    left == Some(&least) || left == Some(&most),
                    "{line}: {took_s:?}"
                );
            }
        }
    }
}

/// Runs that did not end in time are the longest, and leaving them out would make a version look faster the
/// more of its runs hang.
#[test]
fn runs_that_did_not_end_in_time_stay_in_the_medians() {
    let time = |batch: &Batch| batch.results()["cells"][1]["metrics"]["wall_s"].clone();
    let args = ["--repeat=7", "--time-limit=1500ms", "--think=exp:1ms"];
    // Collective times are 0.2020, 0.2040 and so on; the first two are not known.
    let two = Batch::new(&args).env("FAKE_HANG", "collective/00[12]");
    assert_eq!(two.run().status.code(), Some(1));
    let wall = time(&two);
    assert_eq!(
        (&wall["n"], &wall["timed_out"]),
        (&7.into(), &2.into()),
        "{wall}"
    );
    assert_eq!(
        wall["median"], 0.2120,
        "the fourth of 0.206 to 0.214, >, >: {wall}"
    );
    assert_eq!(
        (&wall["low"], &wall["high"]),
        (&0.2060.into(), &Value::Null),
        "{wall}"
    );
    let ratio = &two.results()["pairs"][0]["time_ratio"];
    assert_eq!(
        (&ratio["timed_out"], &ratio["median"]),
        (&2.into(), &0.5.into()),
        "{ratio}"
    );

    // Of most of them the median is a bound, and so is the ratio.
    let four = Batch::new(&args).env("FAKE_HANG", "collective/00[1-4]");
    let output = four.run();
    let wall = time(&four);
    let at_least = wall["at_least"].as_f64().expect("a bound");
    assert!(wall["median"].is_null() && at_least == 1.5, "{wall}");
    let pair = &four.results()["pairs"][0];
    assert!(pair["time_ratio"]["median"].is_null(), "{pair}");
    assert!(
        pair["time_ratio"]["at_most"]
            .as_f64()
            .is_some_and(|most| most < 0.1),
        "{pair}"
    );
    assert_eq!(
        (&pair["p"], &pair["significant"]),
        (&(2.0 / 128.0).into(), &true.into())
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for part in [
        "lockstep took more than 14.4 times",
        "4 of them not in time",
        "3 + 4 not in time",
        "> 1.50 s",
        "counts with at least the time that it had",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let csv = std::fs::read_to_string(four.out().join("results.csv")).expect("a table");
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = lines.next().expect("a head");
    let column = |name: &str| {
        head.iter()
            .position(|other| *other == name)
            .expect("a column")
    };
    for row in lines {
        let of = |name: &str| row[column(name)].parse::<f64>().ok();
        match row[column("status")] {
            "done" => assert_eq!(of("wall_at_least_s"), of("wall_s"), "{row:?}"),
            _ => assert!(
                of("wall_s").is_none() && of("wall_at_least_s") == Some(1.5),
                "{row:?}"
            ),
        }
    }
    validate(&four.results());
}
