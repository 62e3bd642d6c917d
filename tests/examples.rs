//! The examples, as a user starts them: each checks its own answer, and a wrong one ends the job badly.

use std::path::{Path, PathBuf};

use onesided::checkpoint::{Reader, Writer};

#[path = "support/mod.rs"]
mod support;

use support::{Job, again, quoted, rank_counts, scratch, signal, words};

/// Where the examples are, which `cargo test` and `just test` build.
fn folder() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_onesided"));
    let folder = program.parent().expect("a folder").join("examples");
    assert!(
        folder.join("queens").is_file(),
        "there are no examples: cargo build --examples"
    );
    folder
}

fn example(n_ranks: u32, command: &str) -> Job {
    let mut words = words(command).into_iter();
    let program = folder().join(words.next().expect("a name"));
    Job::new(n_ranks, program).args(words)
}

/// Runs an example on several numbers of ranks, and looks for each of `expected` once.
fn is_right(command: &str, expected: &[&str]) {
    for &n_ranks in rank_counts() {
        let ended = example(n_ranks, command).run().expect_success();
        let ranks = format!("{n_ranks} rank");
        for text in expected.iter().copied().chain([ranks.as_str()]) {
            assert_eq!(ended.stdout.matches(text).count(), 1, "{text}: {ended:#?}");
        }
    }
}

/// The job ends badly, soon, and says `why`.
fn is_noticed(n_ranks: u32, command: &str, why: &str) {
    let ended = example(n_ranks, command).that_fails().run();
    assert!(!ended.timed_out, "{ended:#?}");
    assert!(ended.code.is_some_and(|code| code != 0), "{ended:#?}");
    assert_eq!(ended.stderr.matches(why).count(), 1, "{ended:#?}");
}

#[test]
fn queens_counts_all_solutions() {
    is_right("queens 8", &["92 solutions", "one-sided", "in lockstep"]);
}

#[test]
fn queens_of_the_smallest_boards_are_right_too() {
    for (n, solutions) in [(1, 1), (2, 0), (4, 2)] {
        let ended = example(2, &format!("queens {n}")).run().expect_success();
        let text = format!("{solutions} solutions");
        assert!(ended.stdout.contains(&text), "{ended:#?}");
    }
}

#[test]
fn queens_notices_a_wrong_number() {
    is_noticed(3, "queens 6 5", "found and known");
}

#[test]
fn golomb_finds_all_optimal_rulers() {
    is_right(
        "golomb 7",
        &["found a ruler of length 25", "one-sided", "in lockstep"],
    );
}

#[test]
fn golomb_notices_a_wrong_length_and_a_wrong_number() {
    is_noticed(3, "golomb 6 16", "found and known");
    is_noticed(2, "golomb 6 17 7", "found and known");
}

#[test]
fn costas_finds_an_array_both_ways() {
    for &n_ranks in rank_counts() {
        let ended = example(n_ranks, "costas 9").run().expect_success();
        assert_eq!(ended.stdout.matches("leads to [").count(), 2, "{ended:#?}");
        for line in ended
            .stdout
            .lines()
            .filter(|line| line.contains("leads to"))
        {
            assert!(is_costas(line), "{line}");
        }
    }
}

/// By triangles of differences, as Costas arrays are usually shown: no row has a number twice.
fn is_costas(line: &str) -> bool {
    let array = line.split(['[', ']']).nth(1).expect("an array");
    let array = array.split(", ").map(|number| number.parse().unwrap());
    let array: Vec<i32> = array.collect();
    (1..array.len()).all(|distance| {
        let row = array
            .windows(distance + 1)
            .map(|part| part[distance] - part[0]);
        let mut row: Vec<i32> = row.collect();
        row.sort();
        row.windows(2).all(|pair| pair[0] < pair[1])
    })
}

#[test]
fn costas_says_when_no_seed_leads_to_an_array() {
    // Of 18 entries, which one restart in some thousands finds.
    is_noticed(3, "costas 18 4", "one of the seeds leads to a Costas array");
}

/// How many beginnings the checkpoint has as completed; 0 if there is none yet.
fn n_completed(path: &Path) -> u32 {
    let mut n_completed = 0;
    if let Ok(reader) = Reader::open(path) {
        let count = |words: &[u64]| words.iter().map(|word| word.count_ones()).sum::<u32>();
        let read = reader.for_each_piece(|_, words| n_completed += count(words));
        read.expect("it was whole");
    }
    n_completed
}

/// The processes that run the example with this file: the ranks of a job, and not its launcher.
fn ranks_with(path: &Path) -> Vec<u32> {
    let path = path.to_str().expect("a plain name");
    let processes = std::fs::read_dir("/proc").expect("Linux").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_rank = |pid: &u32| {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command);
        let mut words = command.split('\0');
        words
            .next()
            .is_some_and(|program| program.ends_with("langford"))
            && words.any(|word| word == path)
    };
    pids.filter(is_rank).collect()
}

/// Kills all ranks, or the last one that was started, once the checkpoint has more than `before`.
fn kill_in_the_middle(n_ranks: u32, path: &Path, all: bool, before: u32) -> u32 {
    let job = example(n_ranks, &format!("langford {} 12", quoted(path)));
    let job = job
        .start()
        .until("more in the checkpoint", || n_completed(path) > before);
    let ranks = ranks_with(path);
    assert_eq!(ranks.len(), n_ranks as usize, "the job is under way");
    let killed = if all {
        &ranks[..]
    } else {
        &ranks[ranks.len() - 1..]
    };
    killed.iter().for_each(|&rank| signal("KILL", rank));
    let ended = job.join();
    assert!(!ended.timed_out && ended.code != Some(0), "{ended:#?}");
    assert!(!ended.stdout.contains("pairings"), "{ended:#?}");
    n_completed(path)
}

#[test]
fn langford_goes_on_after_it_was_killed_with_any_number_of_ranks() {
    again(|| {
        let folder = scratch();
        let path = folder.path().join("langford.checkpoint");
        let first = kill_in_the_middle(3, &path, true, 0);
        let second = kill_in_the_middle(2, &path, false, first);
        assert!(second > first && first > 0, "{first}, {second}");

        let command = format!("langford {} 12", quoted(&path));
        let ended = example(1, &command).run().expect_success();
        let went_on = format!("{second} of 992 beginnings were completed before");
        for text in [&*went_on, "12: 108144 pairings, found by 1 ranks"] {
            assert_eq!(ended.stdout.matches(text).count(), 1, "{text}: {ended:#?}");
        }
        let third = example(3, &command).run().expect_success();
        for text in ["992 of 992 beginnings", "12: 108144 pairings"] {
            assert_eq!(third.stdout.matches(text).count(), 1, "{text}: {third:#?}");
        }
    });
}

/// A number that came too late for its beginning to be completed is passed over, and comes again: however soon another
/// rank has completed that beginning.
#[test]
fn langford_counts_nothing_twice_of_what_was_not_completed() {
    let folder = scratch();
    let path = folder.path().join("langford.checkpoint");
    let command = format!("langford {} 8", quoted(&path));
    example(2, &command).run().expect_success();
    let reader = Reader::open(&path).expect("a checkpoint");
    let document: serde_json::Value = reader.meta().expect("a board's");
    let n_items = document["n_items"].as_u64().expect("a number");
    for _ in 0..5 {
        let n_words = n_items.div_ceil(64);
        let mut writer = Writer::create(&path, &document, n_words).expect("a checkpoint");
        writer.words(&vec![0; n_words as usize]).expect("words");
        writer.commit().expect("a checkpoint");
        let ended = example(3, &command).run().expect_success();
        let none = format!("0 of {n_items} beginnings");
        for text in [&*none, "8: 150 pairings"] {
            assert_eq!(ended.stdout.matches(text).count(), 1, "{text}: {ended:#?}");
        }
    }
}

#[test]
fn langford_notices_a_wrong_number_and_a_file_of_something_else() {
    let folder = scratch();
    let path = folder.path().join("langford.checkpoint");
    let path_name = quoted(&path);
    is_noticed(2, &format!("langford {path_name} 7 27"), "found and known");
    std::fs::write(&path, "something else").expect("a file");
    let ended = example(2, &format!("langford {path_name} 7"))
        .that_fails()
        .run();
    assert!(!ended.timed_out && ended.code != Some(0), "{ended:#?}");
    assert!(
        ended.stderr.contains("it is no checkpoint of onesided"),
        "{ended:#?}"
    );
}
