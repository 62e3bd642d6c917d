//! What is not compared, and why: paths that are no runs, and runs that do not go together.

use std::fs;

use super::{Synthetic, Version, a_pair, compare};

#[test]
fn paths_that_are_no_runs_are_refused() {
    let folder = a_pair();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("empty")).unwrap();
    fs::create_dir_all(at("no_run_file")).unwrap();
    fs::copy(at("rma/rank-0.records"), at("no_run_file/rank-0.records")).unwrap();
    fs::create_dir_all(at("run_file_is_a_folder/run.json")).unwrap();
    fs::write(at("empty.json"), "").unwrap();
    fs::write(at("braces.json"), "{".repeat(100_000)).unwrap();
    fs::write(at("other.json"), r#"{"format": "else", "x": [1, 2]}"#).unwrap();
    fs::write(at("bytes"), [0xff, 0x80, 0, 1]).unwrap();
    let log = "rank 0 guessed 3 on guess 1; has 0 points\r\n";
    let little = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<_>>()
    };
    let big = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect::<Vec<_>>()
    };
    fs::write(at("little.log"), little(&format!("\u{feff}{log}"))).unwrap();
    fs::write(at("little_unmarked.log"), little(log)).unwrap();
    fs::write(at("big.log"), big(&format!("\u{feff}{log}"))).unwrap();
    fs::write(at("big_unmarked.json"), big("{}")).unwrap();
    fs::create_dir(at("wide_run_file")).unwrap();
    fs::write(at("wide_run_file/run.json"), little("\u{feff}{}")).unwrap();
    for (path, why) in [
        ("missing", "No such file"),
        ("empty", "no run.json"),
        ("no_run_file", "no run.json"),
        ("run_file_is_a_folder", "run.json: "),
        ("rma/rank-0.records", "neither a folder"),
        ("rma/run.json", "no summary of"),
        ("empty.json", "neither a folder"),
        ("braces.json", "not a JSON document"),
        ("other.json", "format 'else'"),
        ("bytes", "neither a folder"),
        ("little.log", "UTF-16LE"),
        ("little_unmarked.log", "`iconv -f UTF-16LE -t UTF-8`"),
        ("big.log", "UTF-16BE"),
        ("big_unmarked.json", "UTF-16BE"),
        ("wide_run_file", "run.json: it is text in UTF-16LE"),
    ] {
        for args in [
            path.to_owned(),
            format!("rma {path}"),
            format!("--group a={path}"),
        ] {
            let line = compare(folder.path(), &args).refused();
            assert!(
                line.contains(why) || line.contains("no such run"),
                "{args}: {line}"
            );
        }
        let line = compare(folder.path(), path).refused();
        assert!(
            line.contains(&format!("cannot read {path}: ")) && line.contains(why),
            "{line}"
        );
    }
}

#[test]
fn runs_of_different_games_are_refused() {
    let folder = a_pair();
    let write = |name: &str, change: fn(&mut Synthetic)| {
        let mut run = Synthetic::new(Version::Collective, 3, 2, 7);
        change(&mut run);
        run.write(&folder.path().join(name));
    };
    write("more_digits", |run| run.info.digits = 12);
    write("more_games", |run| run.info.games = 3);
    write("more_thinking", |run| run.info.think = "1s".into());
    write("all_three", |run| {
        (run.info.digits, run.info.games, run.info.think) = (12, 3, "1s".into());
    });
    for (path, why) in [
        ("more_digits", "another number of digits (9 and 12);"),
        ("more_games", "another number of games (2 and 3);"),
        (
            "more_thinking",
            "another think time (1ms + 1ms a rank and 1s);",
        ),
        ("all_three", "digits (9 and 12) and another number of games"),
    ] {
        for args in [
            format!("rma {path}"),
            format!("rma collective {path}"),
            format!("--group a=rma --group b={path}"),
        ] {
            let line = compare(folder.path(), &args).refused();
            assert!(
                line.contains(why) && line.contains("analysed alone"),
                "{args}: {line}"
            );
        }
        compare(folder.path(), path).done();
    }
}

#[test]
fn a_different_number_of_ranks_is_no_other_game() {
    let folder = a_pair();
    Synthetic::new(Version::Rma, 5, 2, 7).write(&folder.path().join("five"));
    compare(folder.path(), "five collective").done();
}

#[test]
fn groups_that_are_none_are_refused() {
    let folder = a_pair();
    for (args, why) in [
        (
            "--group a=nothing-*",
            "--group a=nothing-*: there is no such run",
        ),
        ("--group a=[", "--group a=[: "),
    ] {
        let line = compare(folder.path(), args).refused();
        assert!(line.contains(why), "{line}");
    }
    for args in [
        "",
        "--group rma",
        "--group =rma",
        "--group a= rma",
        "rma --group a=rma",
    ] {
        let ended = compare(folder.path(), args);
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(2), ""),
            "{args}: {ended:?}"
        );
    }
}
