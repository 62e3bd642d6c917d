//! Small runs, drawn.

use super::*;
use crate::analysis::{Findings, Timeline, Watch, Watched, analyse};
use crate::trace::{Kind, Outcome, Record, Version, run_of_ranks};

/// A record of a rank from and to so many microseconds, of which it waited so many.
struct Step(u32, Kind, (u64, u64), u64);

fn run(version: Version, ranks: u32, steps: &[Step]) -> (Findings, Timeline) {
    let info = run_of_ranks(version, ranks);
    let findings = analyse(&info, |_| Vec::new().into_iter());
    let mut timeline = Timeline::new(&info, MAX_LINES, 100);
    timeline.begin(0);
    for &Step(rank, kind, (begin, end), wait_us) in steps {
        let (begin_ns, end_ns) = (1000 * begin, 1000 * end);
        timeline.record(&Watched {
            rank,
            record: Record {
                kind,
                outcome: Outcome::None,
                game: 0,
                item: 1,
                begin_ns,
                end_ns,
                word: 0,
            },
            begin_ns,
            end_ns,
            wait_ns: 1000 * wait_us,
            waited_for: (kind == Kind::Allreduce).then_some(ranks - 1),
            claimed: kind == Kind::Claim && end == 8_200,
        });
    }
    (findings, timeline)
}

fn draw(runs: &[(Findings, Timeline)], width: usize, ink: Ink) -> String {
    let drawn: Vec<Drawn<'_>> = runs
        .iter()
        .map(|(run, timeline)| Drawn { run, timeline })
        .collect();
    timelines(&drawn, Paper { width, ink })
}

fn a_pair() -> [(Findings, Timeline); 2] {
    use Kind::{Allreduce, Claim, Think};
    let one_sided = [
        Step(0, Think, (0, 9_400), 0),
        Step(0, Claim, (9_400, 10_100), 0),
        Step(1, Think, (0, 7_200), 0),
        Step(1, Claim, (7_200, 8_200), 1),
    ];
    let collective = [
        Step(0, Think, (0, 5_300), 0),
        Step(0, Allreduce, (5_300, 20_500), 14_000),
        Step(1, Think, (0, 19_300), 0),
        Step(1, Allreduce, (19_300, 20_500), 0),
        Step(0, Think, (20_500, 25_700), 0),
        Step(0, Allreduce, (25_700, 40_000), 14_200),
        Step(1, Think, (20_500, 39_900), 0),
        Step(1, Allreduce, (39_900, 40_000), 0),
    ];
    [
        run(Version::Rma, 2, &one_sided),
        run(Version::Collective, 2, &collective),
    ]
}

#[test]
fn both_versions_are_on_one_axis() {
    let expected = "\
one-sided, 10.1 ms
        0 |#########o'|
        1 |#######*'  |
  claimed |        1  |

collective, 40.0 ms
        0 |#####..............*+####%.............:|
        1 |###################o+##################+|
     last |1111111111111111111111111111111111111111|

          +-------------------+-------------------+-
          0                 20 ms              40 ms
";
    let text = draw(&a_pair(), 52, Ink::Ascii);
    let (picture, legend) = text.split_at(text.find("  a column").unwrap());
    assert_eq!(picture, expected);
    for entry in [
        "a column is 1.00 ms",
        "# thinking",
        "o operation",
        "* operation, waiting in it",
        ". waiting",
        "last: whom the others waited for",
    ] {
        assert!(legend.contains(entry), "{entry}: {legend}");
    }
    assert!(!legend.contains('-'), "no such cell is there: {legend}");
}

/// One rank thinks for ten seconds, and waits for a microsecond in the middle.
#[test]
fn a_short_stall_in_a_long_run_is_seen() {
    let steps = [
        Step(0, Kind::Think, (0, 5_001_000), 0),
        Step(0, Kind::Claim, (5_001_000, 5_002_000), 1),
        Step(0, Kind::Think, (5_002_000, 10_000_000), 0),
    ];
    let long = [run(Version::Rma, 1, &steps)];
    for (ink, mark) in [(Ink::Ascii, '%'), (Ink::Blocks, '▓')] {
        let text = draw(&long, 80, ink);
        let lane = text.lines().nth(1).unwrap();
        assert_eq!(lane.matches(mark).count(), 1, "{lane}");
    }
    let text = draw(&long, 80, Ink::Colours);
    let waiting = format!("38;5;{}m▁", colour(State::Waiting));
    assert_eq!(text.matches(&waiting).count(), 1, "{text:?}");
}

#[test]
fn no_line_is_wider_than_the_paper() {
    for (width, ink) in [
        (52, Ink::Ascii),
        (80, Ink::Ascii),
        (100, Ink::Blocks),
        (201, Ink::Colours),
    ] {
        let text = draw(&a_pair(), width, ink);
        for line in text.lines() {
            assert!(visible(line) <= width, "{width}: {line}");
            assert_eq!(line.contains('\x1b'), line.contains("\x1b[0m"), "{line}");
        }
        let widest = text.lines().map(visible).max();
        assert_eq!(widest, Some(width), "the paper is used: {text}");
        assert_eq!(ink == Ink::Ascii, text.is_ascii(), "{text}");
        assert_eq!(ink == Ink::Colours, text.contains('\x1b'), "{text:?}");
    }
    let narrow = draw(&a_pair(), 0, Ink::Ascii);
    assert!(narrow.contains("last: whom"), "{narrow}");
}

#[test]
fn many_ranks_share_lines_and_each_line_has_a_sign() {
    let steps: Vec<Step> = (0..1000)
        .flat_map(|rank| {
            let come = 1000 * (1 + u64::from(rank) / 100);
            [
                Step(rank, Kind::Think, (0, come), 0),
                Step(rank, Kind::Allreduce, (come, 11_000), 10_000 - come),
            ]
        })
        .collect();
    let text = draw(&[run(Version::Collective, 1000, &steps)], 80, Ink::Ascii);
    let lanes: Vec<&str> = text.lines().skip(1).collect();
    assert!(lanes[0].starts_with("     0-31 0 |#"), "{text}");
    assert!(lanes[31].starts_with("  992-999 v |#"), "{text}");
    let last = text.lines().find(|line| line.contains("last |")).unwrap();
    assert!(last.ends_with("vvvv|"), "rank 999 was last: {text}");
    assert_eq!(text.lines().count(), 1 + 32 + 1 + 1 + 2 + 3, "{text}");
}

#[test]
fn nothing_is_drawn_of_nothing() {
    assert_eq!(draw(&[], 80, Ink::Colours), "");
}
