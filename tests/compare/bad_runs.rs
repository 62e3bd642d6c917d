//! Folders whose `run.json` is broken, or of whose ranks no file can be read: refused in one line.

use std::fs;
use std::path::Path;

use onesided::internals::trace::{RUN_FILE, file_name};

use super::{Synthetic, Version, compare};

/// A change to `run.json`'s text, and what must be said of it.
type Break = (&'static str, &'static str, &'static str);

#[test]
fn a_run_file_that_cannot_be_is_refused() {
    let broken: [Break; 20] = [
        ("", "", "not a JSON document"),
        ("{", "}{", "not a JSON document"),
        ("\"format\"", "\"else\"", "no field 'format'"),
        ("onesided-run/2", "onesided-run/9", "reads 'onesided-run/2'"),
        ("onesided-run/2", "two\\nlines", "format 'two lines'"),
        ("\"ranks\": 3", "\"ranks\": 4294967295", "at most 1000000"),
        ("\"ranks\": 3", "\"ranks\": 4294967296", "expected u32"),
        (
            "\"ranks\": 3",
            "\"ranks\": 300000",
            "'hosts', 'nodes' and 'home'",
        ),
        ("\"ranks\": 3", "\"ranks\": 0", "at least one rank"),
        ("\"digits\": 9", "\"digits\": 4294967295", "at most 1000000"),
        ("\"digits\": 9", "\"digits\": -9", "invalid value"),
        ("\"games\": 2", "\"games\": 1e300", "invalid type"),
        ("\"games\": 2", "\"games\": 0", "at least one"),
        ("\"home\": 0", "\"home\": 3", "'hosts', 'nodes' and 'home'"),
        (
            "\"seed\": 7",
            "\"seed\": 18446744073709551616",
            "invalid type",
        ),
        ("\"record_ns\": 50.0", "\"record_ns\": 1e300", "absurd"),
        ("\"of_rank\": [", "\"of_rank\": [1,", "every rank"),
        ("\"rma\"", "\"o\\nther\"", "unknown variant `o ther`"),
        ("\"before\": null", "\"before\": 1", "invalid type"),
        ("\"node0\"", "null", "invalid type"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    Synthetic::new(Version::Rma, 3, 2, 7).write(&run);
    let good = fs::read_to_string(run.join(RUN_FILE)).unwrap();
    for (from, to, why) in broken {
        let text = match from {
            "" => String::new(),
            from => good.replacen(from, to, 1),
        };
        assert_ne!(text, good, "{from}");
        fs::write(run.join(RUN_FILE), text).unwrap();
        let line = compare(folder.path(), "run").refused();
        assert!(line.contains("cannot read run: run.json: "), "{line}");
        assert!(line.contains(why), "{from} to {to}: {line}");
    }
}

/// Some editors put a mark before the text that they save.
#[test]
fn a_byte_order_mark_is_passed_over() {
    const MARK: &str = "\u{feff}";
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    Synthetic::new(Version::Rma, 3, 2, 7).write(&run);
    let log = folder.path().join("log");
    fs::write(&log, "rank 0 got 0 points with 1 guesses\n").unwrap();
    for (file, path) in [
        (run.join(RUN_FILE), "run"),
        (log, "log"),
        (folder.path().join("rma.json"), "rma.json"),
    ] {
        if path == "rma.json" {
            fs::write(&file, include_str!("../golden/rma.json")).unwrap();
        }
        let without = compare(folder.path(), path).done();
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{MARK}{text}")).unwrap();
        assert_eq!(compare(folder.path(), path).done(), without, "{path}");
    }
}

#[test]
fn a_run_file_in_other_bytes_than_text_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for bytes in [
        vec![0xff; 100],
        vec![0; 1 << 20],
        b"[".repeat(1 << 20),
        b"{\"a\":".repeat(1 << 20),
    ] {
        fs::write(folder.path().join(RUN_FILE), bytes).unwrap();
        let line = compare(folder.path(), ".").refused();
        assert!(line.contains("not a JSON document"), "{line}");
    }
}

/// What happens to every rank's file, and what is said of rank 0's.
type Breakage = (fn(&Path), &'static str);

#[test]
fn a_run_without_any_records_is_refused() {
    let breakages: [Breakage; 6] = [
        (|path| fs::remove_file(path).unwrap(), "missing"),
        (|path| fs::write(path, "").unwrap(), "no whole header"),
        (|path| fs::write(path, [0; 63]).unwrap(), "no whole header"),
        (
            |path| fs::write(path, "a text of another program ".repeat(9)).unwrap(),
            "no record file of onesided",
        ),
        (
            |path| fs::write(path, Synthetic::new(Version::Rma, 3, 2, 8).file_of(0)).unwrap(),
            "from another run (of rank 0 of 3)",
        ),
        (
            |path| {
                let mut bytes = fs::read(path).unwrap();
                bytes[8] = 2;
                fs::write(path, bytes).unwrap();
            },
            "format version 2",
        ),
    ];
    for (breakage, why) in breakages {
        let folder = tempfile::tempdir().unwrap();
        Synthetic::new(Version::Rma, 3, 2, 7).write(folder.path());
        for rank in 0..3 {
            breakage(&folder.path().join(file_name(rank)));
        }
        let line = compare(folder.path(), ".").refused();
        assert!(
            line.contains("no rank's records can be read; rank 0: "),
            "{line}"
        );
        assert!(line.contains(why), "{line}");
    }
}
