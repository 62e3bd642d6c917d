//! The text report, byte for byte. `ONESIDED_BLESS=1` writes what it is now.

use std::fs;
use std::path::Path;

use super::{a_pair, compare, some_of_each};

fn assert_golden(name: &str, text: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/compare");
    let path = folder.join(name).with_extension("txt");
    if std::env::var_os("ONESIDED_BLESS").is_some() {
        fs::create_dir_all(&folder).unwrap();
        fs::write(&path, text).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, golden, "{} is another", path.display());
}

#[test]
fn a_one_sided_run_beside_a_collective_one() {
    let text = compare(a_pair().path(), "rma collective").done();
    assert_eq!(
        text.lines().next().map(|verdict| verdict.split(' ').next()),
        Some(Some("collective")),
        "the first line is the verdict on the slower one"
    );
    assert_golden("pair", &text);
}

#[test]
fn one_run_alone() {
    let folder = a_pair();
    assert_golden("alone_rma", &compare(folder.path(), "rma").done());
    let collective = compare(folder.path(), "collective").done();
    assert_golden("alone_collective", &collective);
}

#[test]
fn a_log_of_the_original_beside_a_collective_run() {
    let folder = a_pair();
    let log = include_str!("../golden/python/python_log.txt");
    fs::write(folder.path().join("log.txt"), log).unwrap();
    let only_one_game = super::Synthetic::new(super::Version::Collective, 4, 1, 7);
    only_one_game.write(&folder.path().join("one_game"));
    let text = compare(folder.path(), "log.txt one_game").done();
    assert_golden("log", &text);
}

#[test]
fn groups_of_repeated_runs() {
    let folder = some_of_each(8);
    let args = "--group a=rma-* --group b=collective-*";
    assert_golden("groups", &compare(folder.path(), args).done());
}

#[test]
fn a_run_that_is_not_all_there() {
    let folder = a_pair();
    let path = folder.path().join("collective/rank-1.records");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let text = compare(folder.path(), "collective rma").done();
    assert_golden("partial", &text);
}
