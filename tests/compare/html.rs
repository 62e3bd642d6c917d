//! `--html`: a page beside what is printed. What it shows, `tests/browser` looks at.

use super::*;

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string());
    let mut names: Vec<_> = names.map(|name| name.expect("text")).collect();
    names.sort();
    names
}

#[test]
fn the_text_is_as_without_and_ends_with_where_the_page_is() {
    let folder = a_pair();
    let text = compare(folder.path(), "rma collective").done();
    let with = compare(folder.path(), "rma collective --html report.html").done();
    assert_eq!(with, text + "\nreport: report.html\n");
    assert_eq!(names(folder.path()), ["collective", "report.html", "rma"]);
    let page = fs::read_to_string(folder.path().join("report.html")).expect("text");
    assert!(
        page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"),
        "it is whole"
    );
    let verdict = with.lines().next().expect("a verdict");
    assert!(
        page.contains(&format!("<h1>{}", verdict.replace('"', "&quot;"))),
        "{verdict}"
    );
}

#[test]
fn documents_are_the_same_with_a_page_as_without() {
    let folder = a_pair();
    for format in ["json", "csv"] {
        let args = format!("rma collective --format {format}");
        let without = compare(folder.path(), &args).done();
        assert_eq!(
            compare(folder.path(), &format!("{args} --html x.html")).done(),
            without
        );
    }
}

#[test]
fn a_page_is_replaced_and_written_though_a_condition_holds() {
    let folder = a_pair();
    let path = folder.path().join("report.html");
    fs::write(&path, "old").expect("written");
    let ended = compare(folder.path(), "rma --html report.html --fail-if ranks>0");
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let page = fs::read_to_string(path).expect("text");
    assert!(page.ends_with("</html>"));
}

#[test]
fn what_makes_no_page_is_refused_and_leaves_nothing() {
    let folder = six_of_each();
    let before = names(folder.path());
    for (args, why) in [
        (
            "rma-0 rma-1 rma-2 --html x.html",
            "--html shows one run or two",
        ),
        (
            "rma-0 collective-0 --html no/such/x.html",
            "cannot write no/such/x.html: ",
        ),
        (
            "rma-0 none --html no/such/x.html",
            "cannot write no/such/x.html: ",
        ),
        ("rma-0 --svg rma-1", "cannot write rma-1: is a directory"),
        ("rma-0 --html rma-1", "cannot write rma-1: is a directory"),
        ("rma-0 none --html x.html", "cannot read none: "),
    ] {
        let line = compare(folder.path(), args).refused();
        assert!(line.contains(why), "{line}");
        assert_eq!(names(folder.path()), before);
    }
    // Two options that do not go together are clap's to refuse.
    let ended = compare(folder.path(), "--group a=rma-* --html x.html");
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(2), ""),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("cannot be used with"), "{ended:?}");
}

/// What was found out is printed, although the file that it was to be drawn into is not there.
#[test]
fn a_page_that_there_is_no_room_for_takes_nothing_else_with_it() {
    let folder = six_of_each();
    let expected = compare(folder.path(), "rma-0").done();
    let ended = compare(folder.path(), "rma-0 --html /dev/full");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.stdout, expected);
    assert!(
        ended.stderr.contains("cannot write /dev/full: "),
        "{ended:?}"
    );
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
}

#[test]
fn runs_without_records_and_broken_ones_have_a_page_too() {
    let folder = a_pair();
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/rma.json");
    fs::copy(golden, folder.path().join("summary.json")).expect("copied");
    // Half of a rank's records, and none of another's.
    let cut = folder.path().join("collective/rank-1.records");
    let bytes = fs::read(&cut).expect("records");
    fs::write(&cut, &bytes[..bytes.len() / 2]).expect("written");
    fs::remove_file(folder.path().join("collective/rank-2.records")).expect("removed");
    for run in ["summary.json", "collective"] {
        compare(folder.path(), &format!("{run} --html {run}.html")).done();
        let page = fs::read_to_string(folder.path().join(format!("{run}.html"))).expect("text");
        assert_eq!(
            page.contains("a summary has no records"),
            run == "summary.json"
        );
        assert_eq!(page.contains("id=\"lanes-0\""), run == "collective");
    }
}
