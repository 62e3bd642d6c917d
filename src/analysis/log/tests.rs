//! Whole logs: real ones, simulated ones that are cut and mixed, and broken ones.

use proptest::prelude::*;

use super::*;

/// A run of `golden/guess.py` by 4 ranks with `python -u` under Open MPI 4.1.4.
const CLEAN: &str = include_str!("../../../tests/golden/python/python_log.txt");
/// Longer, through a pipe in blocks: eight lines are mixed up by cuts.
const CUT: &str = include_str!("../../../tests/golden/python/python_log_cut.txt");

/// Words of the game and of others, in any order.
const WORDS: &str = "(rank ?[0-9]{1,9}|k|ra| guessed | on guess |; has | points| ?guess|scores!| got | with \
                     | guesses|[0-9]{1,21}|\\[1?,?[0-9]\\]|<stdout>:|\r?\n|\\PC){0,40}";

/// As the tally files say it, which the ranks' own counts were turned into.
fn tally(log: &GameLog) -> String {
    let line = |r: &LoggedRank| {
        let LoggedRank {
            rank,
            guesses,
            points,
            scored,
            ..
        } = r;
        format!("rank {rank}: {guesses} guesses, {points} points, digits {scored:?}\n")
    };
    log.ranks.iter().map(line).collect()
}

/// A generator of random numbers that is good enough to play.
fn random(seed: &mut u64) -> u64 {
    *seed = seed
        .wrapping_mul(6364136223846793005)
        .wrapping_add(1442695040888963407);
    *seed >> 33
}

/// A game of the same rules: what each rank prints, and the tally.
fn game(n_ranks: usize, digits: u64, seed: &mut u64, with_time: bool) -> (Vec<String>, String) {
    let (mut prints, mut tally) = (vec![String::new(); n_ranks], String::new());
    let mut scored: Vec<Vec<u64>> = vec![Vec::new(); n_ranks];
    let (mut guesses, mut guessed) = (vec![0; n_ranks], vec![None; n_ranks]);
    let mut claimed = BTreeSet::from([0]);
    let mut say = |step: u64, rank: usize, text: String| {
        let time = format!("{}.{:02}: ", step / 100, step % 100);
        prints[rank] += &format!("{}{text}\n", if with_time { &time } else { "" });
    };
    let mut step = 0;
    while claimed.len() as u64 <= digits {
        // A rank that has just scored only publishes that in this allreduce.
        for rank in 0..n_ranks {
            if guessed[rank] == Some(0) {
                continue;
            }
            let digit = random(seed) % (digits + 1);
            guesses[rank] += 1;
            let (n, points) = (guesses[rank], scored[rank].len());
            say(
                step,
                rank,
                format!("rank {rank} guessed {digit} on guess {n}; has {points} points"),
            );
            guessed[rank] = (digit > 0).then_some(digit);
        }
        claimed.extend(scored.iter().flatten());
        for rank in 0..n_ranks {
            let free = guessed[rank]
                .take()
                .filter(|digit| !claimed.contains(digit));
            if let Some(digit) = free {
                scored[rank].push(digit);
                say(
                    step,
                    rank,
                    format!("rank{rank} guess{} scores!", guesses[rank]),
                );
                guessed[rank] = Some(0);
            }
        }
        step += 1;
    }
    for (rank, scored) in scored.iter().enumerate() {
        let (guesses, points) = (guesses[rank], scored.len());
        say(
            step,
            rank,
            format!("rank {rank} got {points} points with {guesses} guesses"),
        );
        tally += &format!("rank {rank}: {guesses} guesses, {points} points, digits {scored:?}\n");
    }
    (prints, tally)
}

/// What the ranks print, in blocks that follow each other at random, each after its rank's tag.
fn mix(prints: &[String], block: usize, seed: &mut u64, tag: &str) -> String {
    let mut left: Vec<&str> = prints.iter().map(String::as_str).collect();
    let mut mixed = String::new();
    while left.iter().any(|text| !text.is_empty()) {
        let rank = random(seed) as usize % prints.len();
        let (now, later) = left[rank].split_at(block.min(left[rank].len()));
        mixed += &format!("{}{now}", tag.replace('#', &rank.to_string()));
        left[rank] = later;
    }
    mixed
}

#[test]
fn real_logs_are_read_as_the_ranks_counted() {
    let log = GameLog::read(CLEAN).unwrap();
    assert_eq!(
        tally(&log),
        include_str!("../../../tests/golden/python/python_log.tally")
    );
    assert_eq!((log.n_ranks, log.digits, log.n_joined), (4, 9, 0));
    assert_eq!((log.double_scores, log.lockstep_steps), (Some(2), Some(11)));
    assert_eq!(log.double_scored, BTreeMap::from([(6, vec![0, 1, 2])]));
    assert_eq!(log.notes, Vec::<String>::new());

    let log = GameLog::read(CUT).unwrap();
    assert_eq!(
        tally(&log),
        include_str!("../../../tests/golden/python/python_log_cut.tally")
    );
    assert_eq!((log.n_ranks, log.digits, log.n_joined), (4, 190, 5));
    assert_eq!(
        (log.double_scores, log.lockstep_steps),
        (Some(1), Some(299))
    );
    assert_eq!(log.double_scored, BTreeMap::from([(137, vec![0, 2])]));
    assert_eq!(log.notes, Vec::<String>::new());
}

#[test]
fn nearly_all_logs_in_blocks_of_8_kib_are_read_whole() {
    let right = (0..40u64).filter(|n| {
        let mut seed = n * 7919 + 1;
        let (prints, expected) = game(4, 200, &mut seed, n % 2 == 0);
        tally(&GameLog::read(&mix(&prints, 8192, &mut seed, "")).unwrap()) == expected
    });
    assert!(right.count() >= 38);
}

#[test]
fn what_is_missing_is_said() {
    let text = "rank 0 guessed 3 on guess 1; has 0 points\nrank0 guess1 scores!\n\
                rank 0 guessed 7 on guess 4; has 1 points\nrank0 guess4 scores!\n\
                rank 2 guessed 3 on guess 1; has 0 points\nrank2 guess1 scores!\n\
                rank 2 got 2 points with 3 guesses\nrank 2 guessed 3 on gu";
    let log = GameLog::read(text).unwrap();
    let ranks: Vec<_> = log
        .ranks
        .iter()
        .map(|r| (r.rank, r.guesses, r.points, r.finished))
        .collect();
    assert_eq!(ranks, [(0, 4, 2, false), (2, 3, 2, true)]);
    assert_eq!(log.ranks[0].missing, [2..=3]);
    assert_eq!((log.n_ranks, log.digits, log.double_scores), (3, 7, None));
    assert_eq!(
        (&log.double_scored, log.lockstep_steps),
        (&[(3, vec![0, 2])].into(), None)
    );
    let expected = [
        "rank 1 said nothing in this log",
        "rank 0 printed no final line: guesses and points are those seen",
        "ranks 0, 2 made guesses that were not found",
        "rank 2 scored digits that were not found",
        "1 piece of cut lines could not be read",
    ];
    assert_eq!(log.notes, expected);
}

#[test]
fn ranks_out_of_step_and_mixed_up_lines_are_named() {
    let text = "rank 0 guessed 1 on guess 1; has 0 points\nrank 0 guessed 1 on guess 2; has 1 points\n\
                rank 0 guessed 1 on guess 2; has 0 points\nrank 0 guessed 2 on guess 3; has 0 points\n\
                rank 0 got 1 points with 3 guesses\nrank 1 got 1 points with 3 guesses\n\
                rank 2 got 0 points with 3 guesses\nrank 3 guessed 4 on guess 5; has 9 points";
    let log = GameLog::read(text).unwrap();
    assert_eq!((log.lockstep_steps, log.out_of_step), (None, vec![2]));
    let has = |what: &str| log.notes.iter().any(|note| note.contains(what));
    for what in [
        "rank 0 said something twice",
        "rank 0 said what does not agree",
        "rank 2 finished with other guesses + points",
        "1 piece",
    ] {
        assert!(has(what), "{what}: {:?}", log.notes);
    }
}

#[test]
fn texts_that_are_no_log_of_one_game_are_refused() {
    let twice = format!("{CLEAN}{CLEAN}");
    assert!(matches!(
        GameLog::read(&twice),
        Err(LogError::SeveralGames(_))
    ));
    for text in [
        "",
        "rank 3 ",
        "hello\nrank 0 guessed",
        "\u{0}\u{fffd}[[[[1,",
    ] {
        assert_eq!(GameLog::read(text), Err(LogError::NotALog));
    }
    let ghost = "rank 999999999 guessed 1 on guess 1; has 0 points";
    assert_eq!(
        GameLog::read(ghost),
        Err(LogError::TooManyRanks(999_999_999))
    );
    let large = "rank 0 got 1 points with 18446744073709551616 guesses";
    assert!(matches!(
        GameLog::read(large),
        Err(LogError::NumberTooLarge(_))
    ));
    let largest = large.replace("616", "615") + "rank0 guess18446744073709551615 scores!";
    assert_eq!(GameLog::read(&largest).unwrap().ranks[0].guesses, u64::MAX);
}

/// What `onesided play --verbose` prints after its game has words that statements end with.
#[test]
fn the_summary_after_a_game_is_no_piece_of_a_cut_line() {
    let game = "rank 0 guessed 1 on guess 1; has 0 points\nrank0 guess1 scores!\nrank 0 got 1 points with 1 guesses\n";
    let summary = "\n  rank  host  guesses  points  thinking  in allreduces  operations\n\
                   \npoints 9, double scores 0, allreduces 9 = guesses + points on every rank\n";
    let log = GameLog::read(&format!("{game}{summary}")).unwrap();
    assert_eq!(log.notes, [""; 0]);
    for rest in [
        "points",
        "1 points with 1 guesses",
        "ess2 scores!",
        "points rank",
    ] {
        let log = GameLog::read(&format!("{game}{rest}\n{summary}")).unwrap();
        let expected = match rest {
            "points rank" => vec![],
            _ => vec!["1 piece of cut lines could not be read"],
        };
        assert_eq!(log.notes, expected, "{rest}");
    }
}

proptest! {
    #[test]
    fn a_tagged_log_is_read_whole_whatever_the_blocks(
        seed: u64, n in 1..12usize, digits in 1..60u64, block in 1..300usize, time: bool,
        tag in prop::sample::select(vec!["[#] ", "[1,#]<stdout>:", "[1,#]<stdout>: "]),
    ) {
        let mut seed = seed;
        let (prints, expected) = game(n, digits, &mut seed, time);
        let text = mix(&prints, block, &mut seed, tag);
        let log = GameLog::read(&text).unwrap();
        prop_assert_eq!(tally(&log), expected);
        prop_assert_eq!((log.digits, &log.notes), (digits, &vec![]));
        prop_assert!(log.lockstep_steps.is_some() && log.double_scores.is_some());
    }

    #[test]
    fn lines_that_run_together_are_read_whole(
        seed: u64, n in 1..12usize, digits in 1..60u64, time: bool, end in "(\r?\n|\n\n)?",
    ) {
        let mut seed = seed;
        let (prints, expected) = game(n, digits, &mut seed, time);
        let log = GameLog::read(&prints.concat().replace('\n', &end)).unwrap();
        prop_assert_eq!((tally(&log), &log.notes), (expected, &vec![]));
    }

    #[test]
    fn what_a_rank_finished_with_is_never_misread(seed: u64, block in 500..9000usize, time: bool) {
        let mut seed = seed;
        let (prints, expected) = game(4, 120, &mut seed, time);
        let log = GameLog::read(&mix(&prints, block, &mut seed, "")).unwrap();
        prop_assert_eq!(log.n_ranks, 4);
        for LoggedRank { rank, guesses, points, .. } in log.ranks.iter().filter(|rank| rank.finished) {
            let start = format!("rank {rank}: {guesses} guesses, {points} points,");
            prop_assert!(expected.contains(&start), "{start} in {expected}");
        }
    }

    #[test]
    fn no_text_makes_it_panic(
        changes in prop::collection::vec((0..CLEAN.len(), 0..80usize, WORDS), 0..6), words in WORDS,
    ) {
        let mut text = CLEAN.as_bytes().to_vec();
        for (start, len, words) in changes {
            let range = start.min(text.len())..text.len().min(start + len);
            text.splice(range.start.min(range.end)..range.end, words.bytes());
        }
        for text in [&*String::from_utf8_lossy(&text), &words] {
            if let Ok(log) = GameLog::read(text) {
                prop_assert!(log.ranks.len() <= text.len());
            }
        }
    }
}
