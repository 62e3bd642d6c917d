//! Timelines: in a pipe, on a terminal, and as SVG.

use std::fs;
use std::path::Path;

use onesided::internals::trace::{Kind, Outcome, Record};

use super::{Synthetic, Version, a_pair, compare, compare_with};

/// A folder with both versions played by so many ranks.
fn runs_of(ranks: u32, games: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, version) in [("rma", Version::Rma), ("collective", Version::Collective)] {
        Synthetic::new(version, ranks, games, 5).write(&folder.path().join(name));
    }
    folder
}

/// The SVG file that compare writes.
fn svg(folder: &Path, args: &str) -> String {
    let text = compare(folder, &format!("{args} --svg picture.svg")).done();
    assert_eq!(text, compare(folder, args).done(), "the report is the same");
    fs::read_to_string(folder.join("picture.svg")).unwrap()
}

/// Area of the rectangles of a lane's path, in columns times levels.
fn area(path: &str) -> f64 {
    let rectangles = path.split('M').skip(1).map(|rectangle| {
        // M x y h WIDTH v HEIGHT h -WIDTH z
        let (_, rest) = rectangle.split_once('h').expect("its width");
        let (width, rest) = rest.split_once('v').expect("its height");
        let (height, _) = rest.split_once('h').expect("the way back");
        width.parse::<f64>().expect("a number") * height.parse::<f64>().expect("a number")
    });
    rectangles.sum()
}

#[test]
fn the_picture_shows_what_the_findings_say() {
    let folder = runs_of(4, 1);
    let text = svg(folder.path(), "rma collective");
    let document = roxmltree::Document::parse(&text).unwrap();
    let json = compare(folder.path(), "rma collective --format json").done();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let longest_ns = json["runs"][1]["wall_ns"].as_f64().unwrap();

    let is_lane = |node: &roxmltree::Node<'_, '_>| {
        let title = node.children().find(|child| child.has_tag_name("title"));
        node.has_tag_name("g") && title.is_some()
    };
    let lanes: Vec<_> = document.descendants().filter(is_lane).collect();
    assert_eq!(lanes.len(), 8, "a lane a rank and version");
    for (index, lane) in lanes.iter().enumerate() {
        let rank = &json["runs"][index / 4]["per_rank"][index % 4];
        for (class, key) in [("thinking", "useful_ns"), ("waiting", "wait_ns")] {
            let of_class = lane
                .children()
                .find(|node| node.attribute("class") == Some(class));
            let drawn = of_class.map_or(0.0, |node| area(node.attribute("d").unwrap()));
            // Of a lane as long as the longer run, 860 columns of 16 levels.
            let share = drawn / (860.0 * 16.0);
            let expected = rank[key].as_f64().unwrap() / longest_ns;
            assert!(
                (share - expected).abs() < 0.02,
                "lane {index}, {class}: {share} of the axis, and {expected} were found"
            );
        }
    }
    // What it is for those who do not see it.
    let root = document.root_element();
    let child = |name: &str| root.children().find(|node| node.has_tag_name(name));
    let verdict = json["verdict"].as_str().unwrap();
    let told = child("desc").and_then(|node| node.text()).unwrap();
    assert!(told.starts_with(verdict), "{told}");
    assert!(child("title").is_some() && root.attribute("role") == Some("img"));
    assert!(text.contains("prefers-color-scheme:dark"));
    for word in ["thinking", "last to come", "ms", "rank 0", "claimed"] {
        let is_word = |node: &roxmltree::Node<'_, '_>| {
            node.has_tag_name("text") && node.text().is_some_and(|text| text.contains(word))
        };
        assert!(document.descendants().any(|node| is_word(&node)), "{word}");
    }
}

#[test]
fn a_thousand_ranks_make_a_file_that_is_not_large() {
    let folder = runs_of(1000, 1);
    let text = svg(folder.path(), "rma collective");
    roxmltree::Document::parse(&text).unwrap();
    assert!(text.len() < 1_000_000, "{} bytes", text.len());
    assert!(text.contains("ranks 0 to 15"), "several ranks a lane");
}

#[test]
fn names_of_hosts_cannot_break_the_picture() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Synthetic::new(Version::Collective, 2, 1, 1);
    let hostile = "<script>\"a&b\"</script>\u{1}\u{ffff}]]>";
    run.info.hosts = vec![hostile.into(); 2];
    run.info.think = hostile.into();
    run.write(&folder.path().join("run"));
    let text = svg(folder.path(), "run");
    let document = roxmltree::Document::parse(&text).unwrap();
    assert!(
        !document
            .descendants()
            .any(|node| node.has_tag_name("script"))
    );
    let titles = document
        .descendants()
        .filter(|node| node.has_tag_name("title"));
    let mut titles = titles.filter_map(|node| node.text());
    let shown = "rank 0 on <script>\"a&b\"</script>\u{fffd}\u{fffd}]]>: thinking";
    assert!(titles.any(|title| title.starts_with(shown)), "{text}");
}

#[test]
fn what_cannot_be_drawn_is_said_in_a_line() {
    let folder = a_pair();
    let log = include_str!("../golden/python/python_log.txt");
    fs::write(folder.path().join("log.txt"), log).unwrap();
    let cases = [
        ("log.txt --svg a.svg", "records"),
        ("rma --svg nowhere/a.svg", "nowhere/a.svg"),
        ("rma rma rma --svg a.svg", "one run or two"),
    ];
    for (args, named) in cases {
        let message = compare(folder.path(), args).refused();
        assert!(message.contains(named), "{args}: {message}");
    }
    let both = compare_with(folder.path(), &["--group", "a=rma", "--svg", "a.svg"]);
    assert_eq!((both.code, both.stdout.as_str()), (Some(2), ""), "{both:?}");
    assert!(!folder.path().join("a.svg").exists());
}

/// Whatever is not recorded is not drawn, and nothing is said of it.
#[test]
fn of_a_run_without_records_the_other_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    Synthetic::new(Version::Collective, 4, 1, 7).write(&folder.path().join("run"));
    let log = include_str!("../golden/python/python_log.txt");
    fs::write(folder.path().join("log.txt"), log).unwrap();
    let alone = compare(folder.path(), "log.txt").done();
    assert!(!alone.contains("a column is"), "{alone}");
    let both = compare(folder.path(), "log.txt run").done();
    assert_eq!(both.matches("a column is").count(), 1, "{both}");
    let text = svg(folder.path(), "log.txt run");
    assert_eq!(text.matches("<g ").count(), 4, "lanes of one run");
}

/// A stall of a microsecond is in the picture, however long the run.
#[test]
fn a_short_stall_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Synthetic::new(Version::Collective, 2, 1, 1);
    // Rank 0 is always a microsecond before rank 1.
    for (rank, records) in (0..).zip(&mut run.records) {
        let (start, finish) = (records[0], *records.last().unwrap());
        let at = |kind, item, word, (begin_ns, end_ns)| Record {
            kind,
            outcome: match kind {
                Kind::Allreduce => Outcome::Lost,
                _ => Outcome::None,
            },
            item,
            word,
            begin_ns: start.end_ns + begin_ns,
            end_ns: start.end_ns + end_ns,
            ..finish
        };
        *records = vec![start];
        for guess in 0..2 {
            let begin_ns = guess * 5_000_000_000;
            let come_ns = begin_ns + 4_999_990_000 + 1000 * rank;
            let until_ns = begin_ns + 5_000_000_000;
            records.push(at(Kind::Think, 0, 0, (begin_ns, come_ns)));
            records.push(at(Kind::Allreduce, 0, 0, (come_ns, until_ns)));
        }
        let end_ns = 10_000_000_000;
        records.push(at(Kind::Finish, 0, 2, (end_ns, end_ns)));
    }
    run.write(&folder.path().join("run"));
    let text = compare(folder.path(), "run").done();
    let lane = text
        .lines()
        .find(|line| line.starts_with("        0 |"))
        .unwrap();
    assert_eq!(lane.matches('%').count(), 2, "{lane}");
    let text = svg(folder.path(), "run");
    let document = roxmltree::Document::parse(&text).unwrap();
    let waits = |node: &roxmltree::Node<'_, '_>| {
        node.has_tag_name("path") && node.attribute("class") == Some("waiting")
    };
    assert!(document.descendants().any(|node| waits(&node)), "{text}");
}

#[cfg(unix)]
mod on_a_terminal {
    use std::io::Read;
    use std::os::fd::OwnedFd;
    use std::process::Command;

    use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
    use rustix::termios::{Winsize, tcsetwinsize};

    use super::super::{ONESIDED, a_pair};

    /// What compare prints on a terminal of so many columns.
    fn printed(columns: u16, args: &[&str], env: &[(&str, &str)]) -> String {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let terminal = openpt(flags).expect("a terminal");
        grantpt(&terminal).expect("its other end");
        unlockpt(&terminal).expect("its other end");
        let other: OwnedFd = ioctl_tiocgptpeer(&terminal, flags).expect("its other end");
        let size = Winsize {
            ws_row: 50,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&other, size).expect("a size");
        let folder = a_pair();
        let mut command = Command::new(ONESIDED);
        command.args(["compare", "rma", "collective"]).args(args);
        command.current_dir(folder.path()).stdout(other);
        for name in ["NO_COLOR", "COLUMNS", "RUST_LOG"] {
            command.env_remove(name);
        }
        command.env("TERM", "xterm").envs(env.iter().copied());
        let mut child = command.spawn().expect("the program starts");
        drop(command); // and with it our own hold on the other end
        let mut text = Vec::new();
        let mut reader = std::fs::File::from(terminal);
        let mut buffer = [0; 4096];
        // The end of it is an error, once nobody holds the other end.
        while let Ok(n @ 1..) = reader.read(&mut buffer) {
            text.extend_from_slice(&buffer[..n]);
        }
        assert!(child.wait().expect("a child").success());
        let text = String::from_utf8(text).expect("text").replace("\r\n", "\n");
        let begin = text.find("one-sided, ").expect("a timeline");
        text[begin..]
            .split("\n\none-sided\n")
            .next()
            .expect("its end")
            .into()
    }

    /// Characters of the widest line, but for colours.
    fn width(text: &str) -> usize {
        let plain = |line: &str| {
            let mut parts = line.split('\x1b');
            let first = parts.next().unwrap_or("").chars().count();
            let rest = parts.map(|part| {
                part.split_once('m')
                    .map_or(0, |(_, seen)| seen.chars().count())
            });
            first + rest.sum::<usize>()
        };
        text.lines().map(plain).max().unwrap_or(0)
    }

    #[test]
    fn it_is_as_wide_as_the_terminal_and_in_colours() {
        for columns in [60, 133] {
            let text = printed(columns, &[], &[]);
            assert_eq!(width(&text), usize::from(columns), "{text}");
            assert!(text.contains("\x1b[0;48;5;74"), "{text:?}");
        }
        assert_eq!(width(&printed(60, &[], &[("COLUMNS", "70")])), 70);
    }

    #[test]
    fn colours_and_blocks_can_be_done_without() {
        for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
            let text = printed(80, &[], &[(name, value)]);
            assert!(!text.contains('\x1b') && text.contains('░'), "{text:?}");
        }
        let coloured = printed(80, &[], &[("NO_COLOR", "")]);
        assert!(coloured.contains('\x1b'), "empty is unset: {coloured:?}");
        let ascii = printed(90, &["--ascii"], &[]);
        assert!(ascii.is_ascii() && !ascii.contains('\x1b'), "{ascii:?}");
        assert_eq!(width(&ascii), 90, "{ascii}");
    }
}
