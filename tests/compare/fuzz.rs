//! Whatever becomes of a run's files, reading them ends soon, and in findings or one line.
//!
//! `PROPTEST_CASES=20000 cargo test --release --no-default-features --features cli --test compare fuzz` for longer.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use onesided::internals::analysis::{
    Findings, Group, Source, Waterfall, differences, group_rows, read_run_watched,
};
use onesided::internals::report::{self, Lanes, MAX_HTML_BYTES};
use onesided::internals::trace::Version;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::synthetic::Synthetic;

/// No case here has more than a few hundred records.
const DEADLINE: Duration = Duration::from_secs(120);

/// Numbers at the edges of what fields hold, and of what sums hold.
const EDGES: [u64; 14] = [
    0,
    1,
    9,
    63,
    64,
    1_000_000,
    1_000_001,
    (1 << 31) - 1,
    u32::MAX as u64,
    1 << 48,
    1 << 53,
    (1 << 62) - 1,
    1 << 63,
    u64::MAX,
];

/// Something that happens to a file. Files are counted, and places found, modulo what there is.
#[derive(Debug, Clone)]
enum Damage {
    Flip(Index, Index, u8),
    Truncate(Index, Index),
    Duplicate(Index, Index, u8),
    Swap(Index, Index),
    Splice(Index, Index, Index),
    /// A word of a rank's file: its header, or a field of a record.
    SetWord(Index, Index, u64),
    /// A number in `run.json`.
    SetNumber(Index, String),
    Remove(Index),
}

fn another_number() -> impl Strategy<Value = Damage> {
    let edge = || proptest::sample::select(EDGES.to_vec());
    let number = prop_oneof![
        edge().prop_map(|number| number.to_string()),
        edge().prop_map(|number| format!("-{}", number / 2)),
        "[0-9]{1,30}|1e[0-9]{1,3}|null|\"\\\\n\"|\\[\\]",
    ];
    (any::<Index>(), number).prop_map(|(at, number)| Damage::SetNumber(at, number))
}

fn damage() -> impl Strategy<Value = Damage> {
    let index = any::<Index>;
    let edge = proptest::sample::select(EDGES.to_vec());
    prop_oneof![
        (index(), index(), any::<u8>()).prop_map(|(f, at, mask)| Damage::Flip(f, at, mask)),
        (index(), index()).prop_map(|(f, at)| Damage::Truncate(f, at)),
        (index(), index(), any::<u8>()).prop_map(|(f, at, n)| Damage::Duplicate(f, at, n)),
        (index(), index()).prop_map(|(a, b)| Damage::Swap(a, b)),
        (index(), index(), index()).prop_map(|(a, b, at)| Damage::Splice(a, b, at)),
        (index(), index(), edge).prop_map(|(f, at, word)| Damage::SetWord(f, at, word)),
        another_number(),
        index().prop_map(Damage::Remove),
    ]
}

/// The bytes of a folder; `run.json` is the first.
type Files = Vec<(PathBuf, Vec<u8>)>;

fn files_of(folder: &Path) -> Files {
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort_by_key(|path| (!path.ends_with("run.json"), path.clone()));
    let read = |path: PathBuf| (path.clone(), fs::read(path).unwrap());
    paths.into_iter().map(read).collect()
}

impl Damage {
    fn apply(&self, files: &mut Files) {
        let n = files.len();
        match self {
            Damage::Flip(file, at, mask) => {
                let bytes = &mut files[file.index(n)].1;
                if let Some(len) = bytes.len().checked_sub(1) {
                    bytes[at.index(len + 1)] ^= mask;
                }
            }
            Damage::Truncate(file, at) => {
                let bytes = &mut files[file.index(n)].1;
                bytes.truncate(at.index(bytes.len() + 1));
            }
            Damage::Duplicate(file, at, blocks) => {
                let bytes = &mut files[file.index(n)].1;
                let at = at.index(bytes.len() + 1);
                let end = bytes.len().min(at + 32 * usize::from(*blocks));
                let block = bytes[at..end].to_vec();
                bytes.splice(at..at, block);
            }
            Damage::Swap(a, b) => {
                let (a, b) = (a.index(n), b.index(n));
                let bytes = std::mem::take(&mut files[a].1);
                files[a].1 = std::mem::replace(&mut files[b].1, bytes);
            }
            Damage::Splice(from, to, at) => {
                let tail = files[from.index(n)].1.clone();
                let bytes = &mut files[to.index(n)].1;
                let at = at.index(bytes.len() + 1);
                bytes.truncate(at);
                bytes.extend(tail.iter().skip(at));
            }
            Damage::SetWord(file, at, word) => {
                let bytes = &mut files[file.index(n)].1;
                if let Some(at) = (bytes.len() / 8)
                    .checked_sub(1)
                    .map(|n| 8 * at.index(n + 1))
                {
                    bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
                }
            }
            Damage::SetNumber(at, number) => set_number(&mut files[0].1, at, number),
            Damage::Remove(file) => files[file.index(n)].1.clear(),
        }
    }
}

/// Replaces one of the numbers of a JSON text.
fn set_number(bytes: &mut Vec<u8>, at: &Index, number: &str) {
    let is_number = |&at: &usize| {
        bytes[at].is_ascii_digit() && (at == 0 || matches!(bytes[at - 1], b' ' | b'\n' | b'-'))
    };
    let starts: Vec<usize> = (0..bytes.len()).filter(is_number).collect();
    if starts.is_empty() {
        return;
    }
    let start = starts[at.index(starts.len())];
    let rest = bytes[start..].iter();
    let len = rest
        .take_while(|byte| byte.is_ascii_digit() || **byte == b'.')
        .count();
    bytes.splice(start..start + len, number.bytes());
}

/// Whether the parts of each rank's time are all of it, where a sum is not beyond all numbers.
fn adds_up(run: &Findings) -> bool {
    run.source != Source::Trace
        || run.per_rank.iter().all(|rank| {
            let parts = [
                rank.useful_ns,
                rank.wait_ns,
                rank.operation_ns,
                rank.tracer_ns,
                rank.idle_ns,
            ];
            let sum: Option<u128> = parts.into_iter().map(|part| part.map(u128::from)).sum();
            sum == run.wall_ns.map(u128::from) || run.wall_ns == Some(u64::MAX)
        })
}

/// Whether efficiencies are between none and all. Not that of transfer: where damaged allreduces do
/// not wait for each other, rounds can add up to more than the run.
fn are_shares(run: &Findings) -> bool {
    let is_share = |share: f64| (0.0..=1.0 + 1e-9).contains(&share);
    run.efficiency.is_none_or(|of| {
        let shares = [of.load_balance, of.serialisation, of.parallel];
        shares.into_iter().all(is_share)
    })
}

/// Reads it, and says all that can be said of it.
fn read_and_report(path: &Path) -> Result<(), TestCaseError> {
    let start = Instant::now();
    match read_run_watched(path, Lanes::new) {
        Err(why) => prop_assert!(!why.is_empty() && !why.contains(char::is_control), "{why}"),
        Ok((run, lanes)) => {
            prop_assert!(adds_up(&run) && are_shares(&run), "{run:?}");
            let runs = [run.clone(), run];
            report::compare(&runs[..1], "");
            report::compare(&runs, "");
            report::csv([("run", &runs[0])]);
            prop_assert_eq!(differences(&runs[0], &runs[1]), Vec::<String>::new());
            Waterfall::new(&runs[0], &runs[1]);
            let group = |name: &str| Group {
                name: name.into(),
                runs: runs.to_vec(),
            };
            let groups = [group("a"), group("b")];
            group_rows(&groups);
            report::compare_groups(&groups);
            serde_json::to_string(&groups).unwrap();
            // With room for all records, for few, and for none.
            for max_bytes in [MAX_HTML_BYTES, 70_000, 0] {
                let mut page = Vec::new();
                let lanes = vec![lanes.clone(), lanes.clone()];
                report::html_within(max_bytes, &runs, lanes, &mut page).unwrap();
                prop_assert!(page.ends_with(b"</html>"));
            }
        }
    }
    prop_assert!(start.elapsed() < DEADLINE, "{:?}", start.elapsed());
    Ok(())
}

/// What a run is made of; short to print, which its records are not.
#[derive(Debug, Clone)]
struct Shape {
    version: Version,
    claim_with: &'static str,
    n_clocks: u32,
    ranks: u32,
    games: u32,
    seed: u64,
}

prop_compose! {
    fn any_shape()(
        version in proptest::sample::select(vec![Version::Rma, Version::Collective]),
        claim_with in proptest::sample::select(vec!["fetch-and-op", "compare-and-swap"]),
        n_clocks in 1u32..3,
        ranks in 1u32..5,
        games in 1u32..4,
        seed in 0u64..1000,
    ) -> Shape {
        Shape { version, claim_with, n_clocks, ranks, games, seed }
    }
}

impl Shape {
    fn run(&self) -> Synthetic {
        let mut run = Synthetic::new(self.version, self.ranks, self.games, self.seed);
        run.info.claim_with = Some(self.claim_with.into());
        run.give_clocks(self.n_clocks);
        run
    }
}

proptest! {
    #[test]
    fn a_damaged_folder_gives_findings_or_a_reason(
        shape in any_shape(),
        damages in proptest::collection::vec(damage(), 1..6),
    ) {
        let folder = tempfile::tempdir().unwrap();
        shape.run().write(folder.path());
        let mut files = files_of(folder.path());
        for damage in &damages {
            damage.apply(&mut files);
        }
        for (path, bytes) in &files {
            match bytes.is_empty() {
                true => fs::remove_file(path).unwrap(),
                false => fs::write(path, bytes).unwrap(),
            }
        }
        read_and_report(folder.path())?;
    }

    #[test]
    fn a_damaged_summary_gives_findings_or_a_reason(
        collective in any::<bool>(),
        damages in proptest::collection::vec(
            prop_oneof![9 => another_number(), 1 => damage()], 1..4),
    ) {
        let name = if collective { "collective.json" } else { "rma.json" };
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let mut files = vec![(path.clone(), fs::read(golden).unwrap())];
        for damage in &damages {
            damage.apply(&mut files);
        }
        fs::write(&path, &files[0].1).unwrap();
        read_and_report(&path)?;
    }

    #[test]
    fn any_text_gives_findings_or_a_reason(text in any_text()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.txt");
        fs::write(&path, text).unwrap();
        read_and_report(&path)?;
    }
}

/// Lines like those of the original program, with any numbers; JSON, more or less; and anything.
fn any_text() -> impl Strategy<Value = String> {
    let small = || (0u64..4).prop_map(|number| number.to_string());
    let edge = || proptest::sample::select(EDGES.to_vec()).prop_map(|number| number.to_string());
    let number = || prop_oneof![9 => small(), 1 => edge()];
    let rank = || prop_oneof![99 => small(), 1 => edge()];
    let line =
        (rank(), number(), number(), number(), 0..5).prop_map(|(a, b, c, d, what)| match what {
            0 => format!("1.5: rank {a} guessed {b} on guess {c}; has {d} points\n"),
            1 => format!("rank{a} guess{b} scores!\n"),
            2 => format!("rank {a} got {b} points with {c} guesses\n"),
            3 => format!("rank {a} guessed {b} on gu"),
            _ => format!("ess {a}; has {b} points"),
        });
    let lines = proptest::collection::vec(line, 1..40).prop_map(|lines| lines.concat());
    let json =
        "[{\\[]{1,300}|\\{\"format\": ?\"onesided-(play|run)/1\"[\\[\\]{}\",:0-9a-z ]{0,80}\\}";
    prop_oneof![3 => lines, 1 => json, 1 => any::<String>(), 1 => "[a-z0-9 :;\n]{0,200}"]
}
