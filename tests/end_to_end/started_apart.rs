//! Ranks of one job that were started with different arguments: one message, exit code 2, and never a hang.

use std::time::Duration;

use crate::support::{Ended, Job, all_at_once, alone, quoted, scratch, words};
use crate::{ONESIDED, onesided};

/// Long for the start of MPI, and short for a hang.
const SOON: Duration = Duration::from_secs(60);

/// One rank of `onesided FIRST` and `n_others` of `onesided OTHERS`, in one job.
fn apart(first: &str, n_others: u32, others: &str) -> Job {
    let others = format!(": -n {n_others} {} {others}", quoted(ONESIDED));
    onesided(1, first).args(words(&others)).deadline(SOON)
}

fn refused_once(ended: &Ended, expected: &str) {
    assert!(!ended.timed_out, "{expected}: {ended:#?}");
    assert_eq!(ended.code, Some(2), "{expected}: {ended:#?}");
    let said = ended.stderr.matches(expected).count();
    assert_eq!(said, 1, "'{expected}' once: {ended:#?}");
    assert!(ended.stdout.is_empty(), "{ended:#?}");
    assert!(!ended.stderr.contains("panicked"), "{ended:#?}");
}

#[test]
fn a_rank_whose_arguments_do_not_parse_is_heard_and_ends_the_job() {
    let cases = [
        (
            "play rma --seed 1",
            "play rma --seed x",
            "ranks 1, 2 cannot play:\nerror: invalid value 'x'",
        ),
        (
            "play rma --seed x",
            "play rma --seed 1",
            "rank 0 cannot play:\nerror: invalid value 'x'",
        ),
        ("play rma", "play", "ranks 1, 2 cannot play:"),
        (
            "play rma",
            "play rma --home spread --guess ticket",
            "ranks 1, 2 cannot play:\nonesided: --guess",
        ),
        (
            "play rma --digits 0",
            "play rma --games 0",
            "rank 0 cannot play:\nerror: invalid value '0' for '--digits",
        ),
        ("play rma --help", "play rma", "rank 0 asked for help alone"),
    ];
    all_at_once(cases, |(first, others, expected)| {
        refused_once(&apart(first, 2, others).run(), expected);
    });
}

/// Other subcommands do not start MPI, and report for themselves. Open MPI's launcher ends the job then; hydra lets
/// the others wait in MPI's start.
#[test]
fn another_subcommand_beside_a_game_is_heard() {
    for (others, expected) in [
        ("compare /nonexistent", "cannot read /nonexistent"),
        ("frobnicate", "unrecognized subcommand 'frobnicate'"),
    ] {
        // That of Open MPI 5.0.11 often dies then, of an assertion of its own, or hangs when all ranks are gone.
        let job = apart("play rma --timeout 5s", 1, others).that_fails();
        let (ended, death) = job.run_once();
        assert!(death.is_some() || !ended.timed_out, "{ended:#?}");
        // Of 2 and 124 launchers make 2, 124, 126, and hydra 4.0.2 in half of its runs 1.
        assert_ne!(ended.code, Some(0), "{ended:#?}");
        assert!(ended.stderr.contains(expected), "{ended:#?}");
    }
}

#[test]
fn options_that_differ_are_named_with_their_ranks_before_anything_is_played_or_written() {
    let folder = scratch();
    let path = |name: &str| quoted(folder.path().join(name));
    let (checkpoint, trace) = (path("checkpoint"), path("trace"));
    let long = "--digits 20 --think 1ms";
    let with = |option: &str| format!("play rma {long} {option}");
    let cases = [
        (
            format!("play rma {long}"),
            format!("play collective {long}"),
            "`play rma` on rank 0, and `play collective` on ranks 1, 2",
        ),
        (
            with("--claim-with fetch-and-op"),
            with("--claim-with compare-and-swap"),
            "--claim-with is fetch-and-op on rank 0, and compare-and-swap on ranks 1, 2",
        ),
        (
            with(""),
            with("--games 2"),
            "--games is not given on rank 0, and 2 on ranks 1, 2",
        ),
        (
            with(&format!("--checkpoint {checkpoint}")),
            with(""),
            "--checkpoint is ",
        ),
        (
            with(""),
            with(&format!("--checkpoint {checkpoint}")),
            "--checkpoint is not given on rank 0",
        ),
        (
            with("--survive"),
            with(""),
            "--survive is 5s on rank 0, and not given on ranks 1, 2",
        ),
        (
            with(""),
            with(&format!("--trace {trace}")),
            "--trace is not given on rank 0",
        ),
        (with(&format!("--trace {trace}")), with(""), "--trace is "),
        (
            with("--seed 1"),
            with("--seed 2"),
            "--seed is 1 on rank 0, and 2 on ranks 1, 2",
        ),
        (
            with(""),
            with("--straggler 1=2ms"),
            "--straggler is not given on rank 0",
        ),
        (
            with("--verbose"),
            with(""),
            "--verbose is true on rank 0, and false on ranks 1, 2",
        ),
        (
            "play rma --think 1ms".into(),
            "play rma --think 2ms".into(),
            "--think is 1ms on rank 0, and 2ms on ranks 1, 2",
        ),
        (
            "play collective --digits 9".into(),
            "play collective --digits 10".into(),
            "--digits is 9 on rank 0, and 10 on ranks 1, 2",
        ),
    ];
    all_at_once(cases, |(first, others, expected)| {
        refused_once(&apart(&first, 2, &others).run(), expected);
    });
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// A shell that expands on each rank.
#[test]
fn what_a_shell_makes_of_each_rank_s_arguments_is_compared() {
    let folder = scratch();
    let folder = quoted(folder.path());
    let rank = "${OMPI_COMM_WORLD_RANK-}${PMI_RANK-}";
    let cases = [
        (
            format!("collective --digits 20 --format json --seed {rank}"),
            "--seed is 0 on rank 0, and 1 on rank 1",
        ),
        (format!("rma --trace {folder}/run.$$"), "--trace is "),
        (format!("rma --checkpoint {folder}/$$"), "--checkpoint is "),
    ];
    all_at_once(cases, |(args, expected)| {
        let shell = Job::new(2, "sh").args([
            "-c".into(),
            format!("exec {} play {args}", quoted(ONESIDED)),
        ]);
        refused_once(&shell.deadline(SOON).run(), expected);
    });
}

/// What the shell makes may be the same.
#[test]
fn ranks_with_equal_arguments_play() {
    apart("play rma --quiet --seed 3", 2, "play rma --quiet --seed 3")
        .run()
        .expect_success();
}

/// Another program beside, which never starts MPI.
#[test]
fn a_rank_that_cannot_play_does_not_wait_for_ever_for_others_to_start() {
    let args = "play rma --digits 0 : -n 1 sleep 100";
    let job = onesided(1, args).deadline(Duration::from_secs(70));
    let ended = job.run();
    // 2, or that of the other program, which hydra 4.0.2 may have killed last.
    let codes = [Some(2), Some(9), Some(137)];
    assert!(
        !ended.timed_out && codes.contains(&ended.code),
        "{ended:#?}"
    );
    assert!(
        ended.stderr.contains("0 is not in 1..=1000000"),
        "{ended:#?}"
    );
}

/// Whatever variables a launcher has left.
#[test]
fn outside_a_game_each_process_reports_for_itself() {
    for (args, code, expected) in [
        (&["compare", "/nonexistent"][..], 2, "No such file"),
        (
            &["export", "/nonexistent", "--format", "csv"],
            2,
            "/nonexistent",
        ),
        (&["doctor", "--read", "/nonexistent"], 2, "/nonexistent"),
        (&["batch", "/nonexistent.toml"], 2, "/nonexistent.toml"),
        (&["batch", "report", "/nonexistent"], 2, "/nonexistent"),
        (&["compare", "--frobnicate"], 2, "'--frobnicate'"),
        (&["frobnicate"], 2, "'frobnicate'"),
        (&["--version"], 0, ""),
    ] {
        for [rank, size] in [
            ["PMI_RANK", "PMI_SIZE"],
            ["OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"],
            ["SLURM_PROCID", "SLURM_STEP_NUM_TASKS"],
        ] {
            let output = alone(ONESIDED)
                .args(args)
                .envs([(rank, "1"), (size, "2")])
                .output()
                .expect("the program starts");
            let message = String::from_utf8_lossy(&output.stderr);
            assert_eq!(
                output.status.code(),
                Some(code),
                "{args:?} {rank}: {message}"
            );
            assert!(message.contains(expected), "{args:?} {rank}: {message}");
            assert!(code != 0 || !output.stdout.is_empty(), "{args:?} {rank}");
        }
    }
}

/// No rank ends well where the job has failed, whichever of them is asked.
#[test]
fn all_ranks_of_a_refused_job_end_with_its_code() {
    let folder = scratch();
    let args = "play rma --digits 0";
    let (program, codes) = (quoted(ONESIDED), quoted(folder.path()));
    let script = format!("{program} {args}; echo $? > {codes}/$$");
    // The shells end well, so that no launcher ends one of them for another.
    let ended = Job::new(3, "sh").args(["-c".into(), script]).run();
    assert!(!ended.timed_out, "{ended:#?}");
    let codes: Vec<String> = (std::fs::read_dir(folder.path()).unwrap())
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    assert_eq!(codes, ["2\n"; 3], "{ended:#?}");
}
