//! Signals, checkpoints, and going on: nothing is lost, and nothing is claimed twice.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use onesided::internals::analysis::analyse_trace;
use onesided::internals::claim::Entry;
use onesided::internals::trace::{End, Kind, Outcome, RUN_FILE, Trace};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::ledger;
use crate::processes::{kill, processes_of};
use crate::support::{
    Ended, Job, Running, again, all_at_once, alone, best_of_three, library_to_preload, mpicc,
    quoted, scratch, signal, until,
};
use crate::{ONESIDED, onesided};

/// Every way to claim that checkpoints go with.
const METHODS: &[&str] = &[
    "",
    "--claim-with compare-and-swap",
    "--claim-with shared-memory",
    "--claim-with two-tier",
    "--home spread",
    "--guess ticket",
    "--guess ticket --claim-with shared-memory",
];

pub const DIGITS: u32 = 300;

/// A game of that many that takes some seconds.
const LONG: &str = "--digits 300 --think exp:20ms --guess unclaimed --seed 3";

/// Of a game that is not over before somebody has done something to it.
const MANY_DIGITS: u32 = 3000;

/// The same where guesses are dealt out.
fn long(method: &str) -> String {
    match method.contains("ticket") {
        true => format!("{} {method}", LONG.replace("--guess unclaimed", "")),
        false => format!("{LONG} {method}"),
    }
}

/// [`long`] with [`MANY_DIGITS`].
fn longest(method: &str) -> String {
    long(method).replace("--digits 300 ", &format!("--digits {MANY_DIGITS} "))
}

pub struct Folder {
    folder: tempfile::TempDir,
    n_digits: u32,
}

impl Folder {
    /// For a game of [`DIGITS`].
    pub fn new() -> Self {
        Folder::of(DIGITS)
    }

    fn of(n_digits: u32) -> Self {
        Folder {
            folder: scratch(),
            n_digits,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn checkpoint(&self) -> PathBuf {
        self.path("checkpoint")
    }

    /// `play rma ARGS` with a trace, and the checkpoint as `option`.
    pub fn job(&self, n_ranks: u32, args: &str, option: &str, trace: &str) -> Job {
        let job = onesided(n_ranks, &format!("play rma {args} --format json {option}"))
            .args([self.checkpoint().display().to_string(), "--trace".into()])
            .args([self.path(trace).display().to_string()]);
        job.deadline(Duration::from_secs(90))
    }

    /// Starts the job, waits until `n` digits are won, has `act` do something to its processes, and
    /// waits for its end.
    fn act_on(&self, job: Job, n: usize, act: impl FnOnce(&[(u32, Option<u32>)])) -> Ended {
        self.wait_for(job, || wins(&self.path("first")).len() >= n, act)
    }

    pub fn wait_for(
        &self,
        job: Job,
        enough: impl Fn() -> bool,
        act: impl FnOnce(&[(u32, Option<u32>)]),
    ) -> Ended {
        self.wait_for_and_watch(job, enough, |processes, _| act(processes))
    }

    /// The same, with an eye on the job.
    pub fn wait_for_and_watch(
        &self,
        job: Job,
        enough: impl Fn() -> bool,
        act: impl FnOnce(&[(u32, Option<u32>)], &Running),
    ) -> Ended {
        let folder = self.path("first");
        let has_enough = || folder.join(RUN_FILE).exists() && enough();
        let job = job.start().until("enough of a game", has_enough);
        act(&processes_of(&folder), &job);
        job.join()
    }

    /// Who has scored what, by the checkpoint.
    pub fn entries(&self) -> BTreeMap<u32, Entry> {
        self.kept().entries
    }

    /// Whether the checkpoint says that all is played, and so has nobody's digits.
    pub fn is_over(&self) -> bool {
        let kept = self.kept();
        assert!(!kept.is_over || kept.entries.is_empty());
        kept.is_over
    }

    fn kept(&self) -> ledger::Kept {
        let kept = ledger::read(&self.checkpoint()).expect("a whole checkpoint");
        assert_eq!(kept.n_digits, u64::from(self.n_digits));
        kept
    }

    /// Resumes on `n_ranks`, and checks that it claims what the checkpoint lacks, each digit once.
    pub fn goes_on(&self, n_ranks: u32, args: &str) {
        let before = self.entries();
        let guess = match args.contains("--guess") {
            true => "",
            false => "--guess unclaimed", // each is a score
        };
        let args = &format!("{args} {guess}");
        let ended = self
            .job(n_ranks, args, "--resume", "resumed")
            .run()
            .expect_success();
        let summary: Value = serde_json::from_str(&ended.stdout).expect("a summary");
        if before.len() < self.n_digits as usize {
            assert_eq!(
                summary["resumed"]["digits_claimed"],
                before.len(),
                "{summary:#}"
            );
        }
        let findings = analyse_trace(&self.path("resumed")).expect("a run");
        if let Some(order) = findings.order {
            assert_eq!(order.known_violations(), Some(0), "{args}: {order:#?}");
        }
        let won = wins(&self.path("resumed"));
        let mut all: Vec<u32> = before.keys().copied().chain(won).collect();
        all.sort_unstable();
        assert!(
            all.iter().copied().eq(1..=self.n_digits),
            "{n_ranks} ranks, {args}: {all:?}"
        );
        assert!(self.is_over());
    }
}

fn n_records(folder: &Path) -> usize {
    let trace = Trace::open(folder).expect("a run");
    (0..trace.run.ranks)
        .map(|rank| trace.records(rank).count())
        .sum()
}

/// The digits that all ranks won, by their records.
pub fn wins(folder: &Path) -> Vec<u32> {
    let trace = Trace::open(folder).expect("a run");
    let ranks = (0..trace.run.ranks).flat_map(|rank| trace.records(rank));
    let won = ranks.filter(|record| record.kind == Kind::Claim && record.outcome == Outcome::Won);
    won.map(|record| record.item).collect()
}

fn launcher_of(processes: &[(u32, Option<u32>)]) -> u32 {
    // The first of them: a launcher may have children of the same command line.
    let launcher = processes.iter().find(|(_, rank)| rank.is_none());
    launcher.expect("a launcher").0
}

/// What a batch system does (all ranks get it), and what a person does (the launcher gets it).
#[test]
fn a_signal_ends_the_game_with_a_summary_and_what_was_claimed_is_kept() {
    again(|| {
        // What the launcher makes of it does not depend on how digits are claimed.
        let cases = (METHODS.iter().enumerate())
            .map(|(index, method)| (index, method, false))
            .chain([(0, &METHODS[0], true)]);
        let sample = |(index, method, to_launcher): (usize, &&str, bool)| {
            let folder = Folder::of(MANY_DIGITS);
            let args = longest(method);
            let name = ["TERM", "INT"][index % 2];
            let job = folder.job(3, &args, "--checkpoint-every 1h --checkpoint", "first");
            let ended = folder.act_on(job, 20, |processes| match to_launcher {
                true => signal(name, launcher_of(processes)),
                false => (processes.iter().filter(|(_, rank)| rank.is_some()))
                    .for_each(|&(process, _)| signal(name, process)),
            });
            let context = format!("SIG{name} to launcher {to_launcher}, {args}: {ended:#?}");
            assert!(!ended.timed_out, "{context}");
            if to_launcher {
                assert_ne!(ended.code, Some(0), "{context}");
            } else {
                let signal = [15, 2][index % 2];
                assert_eq!(ended.code, Some(128 + signal), "{context}");
            }
            // A launcher that ends gives no time to print, at times; that it was told is enough.
            let summary: Option<Value> = ended.stdout.find('{').and_then(|at| {
                let until = ended.stdout.rfind('}')?;
                serde_json::from_str(&ended.stdout[at..=until]).ok()
            });
            let in_time = match summary.is_some() || to_launcher {
                true => Ok(()),
                false => Err(last_resort(&ended)),
            };
            let won = wins(&folder.path("first"));
            let entries = folder.entries();
            assert!(
                won.len() >= 20 && won.len() < MANY_DIGITS as usize,
                "{context}"
            );
            if let Some(summary) = summary {
                let said = ended.stderr.matches("onesided: ended by SIG").count();
                assert!(said == 1 || to_launcher && said == 0, "{context}");
                // Launchers make SIGTERM of SIGINT.
                let by = summary["cut_short"]["signal"].as_str().expect("a name");
                assert!(
                    by == format!("SIG{name}") || to_launcher && by == "SIGTERM",
                    "{context}"
                );
                assert_eq!(
                    summary["cut_short"]["digits_claimed"],
                    won.len(),
                    "{context}"
                );
                assert_eq!(summary["points_total"], won.len(), "{context}");
                let trace = Trace::open(&folder.path("first")).unwrap();
                for rank in 0..3 {
                    let mut records = trace.records(rank);
                    records.by_ref().for_each(drop);
                    assert_eq!(records.end(), Some(&End::Closed), "{context}");
                }
                assert_eq!(trace.run.interrupted.as_deref(), Some(by));
                let mut digits = won.clone();
                digits.sort_unstable();
                assert!(entries.keys().copied().eq(digits), "{context}");
            }
            // What the checkpoint has was won, by whom it says.
            for (digit, entry) in &entries {
                assert!(won.contains(digit) && !entry.earlier, "{digit} {context}");
            }
            folder.goes_on([1, 2, 5][index % 3], method);
            in_time
        };
        all_at_once(cases, |case| best_of_three(|| sample(case)));
    });
}

/// What LSF sends at the run limit, Grid Engine at its soft limit, and a terminal that is closed; more than once,
/// as some do.
#[test]
fn the_signals_of_batch_systems_and_terminals_end_the_game_as_sigterm_does() {
    again(|| {
        let cases = [
            ("USR2", 12, "--think-by sleep"),
            ("XCPU", 24, "--think-by spin"),
            ("HUP", 1, "--think-by spin"),
        ];
        // UCX takes it for its own, in this process as in the ranks.
        let is_free =
            |&(_, signal, _): &(&str, i32, &str)| signal != 1 || !catches(std::process::id(), 1);
        let sample = |(name, number, think_by): (&str, i32, &str)| {
            let folder = Folder::of(MANY_DIGITS);
            let args = longest(think_by);
            let job = folder.job(2, &args, "--checkpoint-every 1h --checkpoint", "first");
            let ended = folder.act_on(job, 20, |processes| {
                for _ in 0..2 {
                    (processes.iter().filter(|(_, rank)| rank.is_some()))
                        .for_each(|&(process, _)| signal(name, process));
                }
            });
            let context = format!("SIG{name}: {ended:#?}");
            assert!(!ended.timed_out, "{context}");
            assert_eq!(ended.code, Some(128 + number), "{context}");
            let mut won = wins(&folder.path("first"));
            won.sort_unstable();
            assert!(won.len() >= 20, "{context}");
            let summary = summary_of(&ended).inspect_err(|_| {
                let is_true = folder.entries().keys().all(|digit| won.contains(digit));
                assert!(is_true, "{context}");
            })?;
            let by = format!("SIG{name}");
            assert_eq!(summary["cut_short"]["signal"], by, "{context}");
            assert!(folder.entries().keys().copied().eq(won), "{context}");
            Ok(())
        };
        all_at_once(cases.into_iter().filter(is_free), |case| {
            best_of_three(|| sample(case))
        });
    });
}

/// The whole summary, or why there is none: the time may be over while it is printed, too.
fn summary_of(ended: &Ended) -> Result<Value, String> {
    serde_json::from_str(&ended.stdout).map_err(|_| last_resort(ended))
}

/// What a job says whose ranks did not stop together in the time that their launcher leaves them, 0.8 s under Open
/// MPI 4: on a busy machine they may not.
fn last_resort(ended: &Ended) -> String {
    let said = ended
        .stderr
        .lines()
        .find(|line| line.contains(": no summary"));
    said.unwrap_or_else(|| panic!("no summary, and nothing says why: {ended:#?}"))
        .into()
}

/// The kernel's SIGXCPU, every second from the limit on.
#[test]
fn a_limit_of_processor_time_ends_the_game_with_a_summary() {
    let args = "play collective --digits 1000000 --think 1ms --think-by spin --format json";
    let script = format!("ulimit -S -t 3 && exec {} {args}", quoted(ONESIDED));
    best_of_three(|| {
        let ended = Job::new(2, "sh").args(["-c", &script]).run();
        assert_eq!(
            (ended.code, ended.timed_out),
            (Some(128 + 24), false),
            "{ended:#?}"
        );
        let summary = summary_of(&ended)?;
        assert_eq!(summary["cut_short"]["signal"], "SIGXCPU", "{summary:#}");
        Ok(())
    });
}

/// A launcher may lose the exit code of one of them: MPICH 4.0.2's does that of the last, when it was itself sent
/// the signal.
#[test]
fn all_ranks_that_a_signal_ended_end_with_its_code() {
    again(|| {
        for version in ["rma", "collective"] {
            let folder = Folder::new();
            let first = folder.path("first");
            let args = format!(
                "{version} {} --quiet --trace {}",
                longest(""),
                quoted(&first)
            );
            let codes = folder.path("codes");
            fs::create_dir(&codes).unwrap();
            // The shells end well, so that no launcher ends one of them for another.
            let program = quoted(ONESIDED);
            let script = format!("{program} play {args}; echo $? > {}/$$", quoted(&codes));
            let job = Job::new(3, "sh").args(["-c".into(), script]);
            let enough = || n_records(&first) > 50;
            let ended = folder.wait_for(job, enough, |processes| {
                (processes.iter().filter(|(_, rank)| rank.is_some()))
                    .for_each(|&(process, _)| signal("TERM", process));
            });
            let codes: Vec<String> = fs::read_dir(&codes)
                .unwrap()
                .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
                .collect();
            assert_eq!(codes, ["143\n"; 3], "{version}: {ended:#?}");
        }
    });
}

/// A job that cannot stop names its checkpoint where it has written one, and no file that is not there.
#[test]
fn what_is_said_of_a_checkpoint_is_true_where_ranks_do_not_stop() {
    again(|| {
        // Rank 1 does not come, so there is nothing yet when the signal comes.
        let folder = Folder::new();
        let late = "case ${OMPI_COMM_WORLD_RANK-}${PMI_RANK-} in 1*) sleep 60 ;; esac; exec \"$@\"";
        let job = Job::new(2, "sh")
            .args(["-c", late, "sh", ONESIDED, "play", "rma", "--checkpoint"])
            .args([folder.checkpoint().display().to_string()]);
        let ranks = || {
            let found = processes_of(&folder.checkpoint());
            found.into_iter().filter(|(_, rank)| *rank == Some(0))
        };
        let listens = || ranks().any(|(process, _)| catches(process, 15));
        let job = job.start().until("a rank that listens", listens);
        ranks().for_each(|(process, _)| signal("TERM", process));
        let ended = job.join();
        let said = ended.stderr.matches(": no summary\n").count();
        assert_eq!(said, 1, "{ended:#?}");
        assert!(!folder.checkpoint().exists());

        // Rank 1 is stopped in the middle of the game.
        let folder = Folder::of(MANY_DIGITS);
        let job = folder.job(
            2,
            &longest(""),
            "--checkpoint-every 50ms --checkpoint",
            "first",
        );
        let ended = folder.act_on(job, 20, |processes| {
            let of = |rank| move |&&(_, of): &&(u32, Option<u32>)| of == Some(rank);
            let (stopped, _) = processes.iter().find(of(1)).expect("rank 1");
            let (told, _) = processes.iter().find(of(0)).expect("rank 0");
            signal("STOP", *stopped);
            signal("TERM", *told);
            until("its end", || !Path::new(&format!("/proc/{told}")).exists());
            kill(*stopped);
        });
        let said = format!(
            ": no summary; {} was last written at ",
            folder.checkpoint().display()
        );
        assert_eq!(ended.stderr.matches(&said).count(), 1, "{ended:#?}");
        assert!(!folder.entries().is_empty());
    });
}

/// `nohup`.
#[test]
fn a_hangup_that_is_ignored_stays_so() {
    let play = "play rma --digits 1 --think 2s --quiet";
    let script = format!("trap '' HUP; exec {} {play}", quoted(ONESIDED));
    let mut command = alone("sh");
    command.args(["-c", &script]);
    command.stdout(Stdio::null()).stderr(Stdio::null()); // UCX prints much then
    let mut child = command.spawn().unwrap();
    until("a handler", || catches(child.id(), 15));
    signal("HUP", child.id());
    assert_eq!(child.wait().expect("own child").code(), Some(0));
}

/// Whether a process has a handler for a signal.
fn catches(process: u32, signal: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    caught.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// What the ranks won after the last checkpoint is claimed anew; what it has is not.
#[test]
fn after_kill_9_the_last_checkpoint_is_whole_and_is_gone_on_with() {
    again(|| {
        for (victim, method) in [(0, METHODS[0]), (1, METHODS[2]), (2, METHODS[5])] {
            let folder = Folder::of(MANY_DIGITS);
            let args = longest(method);
            let job = folder.job(3, &args, "--checkpoint-every 30ms --checkpoint", "first");
            let ended = folder.act_on(job, 40, |processes| {
                until("a checkpoint", || !folder.entries().is_empty());
                let (process, _) = (processes.iter())
                    .find(|(_, rank)| *rank == Some(victim))
                    .expect("a rank");
                kill(*process);
            });
            assert!(!ended.timed_out && ended.code != Some(0), "{ended:#?}");
            let won = wins(&folder.path("first"));
            let entries = folder.entries();
            let context = format!("rank {victim}, {args}: {entries:?} of {won:?}");
            assert!(!entries.is_empty(), "{context}");
            assert!(entries.keys().all(|digit| won.contains(digit)), "{context}");
            assert!(folder.path("checkpoint.previous").exists());
            // On another number of ranks.
            folder.goes_on(2, method);
        }
    });
}

#[test]
fn sigusr1_writes_a_checkpoint_and_ends_nothing() {
    again(|| {
        let folder = Folder::new();
        let job = folder.job(2, &long(""), "--checkpoint-every 1h --checkpoint", "first");
        let before = std::cell::Cell::new(0);
        let ended = folder.act_on(job, 20, |processes| {
            assert!(folder.entries().is_empty(), "nothing was due");
            let ranks = processes.iter().filter(|(_, rank)| rank.is_some());
            ranks.for_each(|&(process, _)| signal("USR1", process));
            until("a checkpoint", || !folder.entries().is_empty());
            before.set(folder.entries().len());
        });
        ended.expect_success();
        assert!(before.get() >= 20);
        assert_eq!(wins(&folder.path("first")).len(), DIGITS as usize);
    });
}

/// One rank is told, and tells the others in the next allreduce.
#[test]
fn a_collective_game_is_left_by_all_at_the_same_allreduce() {
    again(|| {
        let sample = |told: &[u32]| {
            let folder = Folder::new();
            let args =
                "play collective --digits 300 --think exp:4ms --seed 3 --format json --trace";
            let job = onesided(3, args).args([folder.path("first").display().to_string()]);
            let ended = folder.wait_for(
                job,
                || n_records(&folder.path("first")) > 100,
                |processes| {
                    let is_told = |rank: Option<u32>| rank.is_some_and(|rank| told.contains(&rank));
                    (processes.iter().filter(|(_, rank)| is_told(*rank)))
                        .for_each(|&(process, _)| signal("TERM", process));
                },
            );
            assert_eq!(
                (ended.code, ended.timed_out),
                (Some(143), false),
                "{ended:#?}"
            );
            let summary = summary_of(&ended)?;
            assert_eq!(summary["cut_short"]["signal"], "SIGTERM", "{summary:#}");
            let rounds = summary["rounds"].as_u64().unwrap();
            for rank in summary["per_rank"].as_array().unwrap() {
                let steps = rank["guesses"].as_u64().unwrap() + rank["points"].as_u64().unwrap();
                assert_eq!(
                    (steps, rank["operations"].as_u64()),
                    (rounds, Some(rounds)),
                    "{summary:#}"
                );
            }
            Ok(())
        };
        for told in [&[0, 1, 2][..], &[1]] {
            best_of_three(|| sample(told));
        }
    });
}

#[test]
fn what_cannot_be_kept_or_gone_on_with_is_said_before_the_game() {
    let folder = Folder::new();
    let file = folder.checkpoint();
    let says = |option: &str, args: &str, code: i32, expected: &str| {
        let job = onesided(2, &format!("play rma {args} {option}"));
        let ended = job.args([file.display().to_string()]).run();
        assert_eq!(ended.code, Some(code), "{ended:#?}");
        assert_eq!(
            ended.stderr.matches(expected).count(),
            1,
            "{expected}: {ended:#?}"
        );
        assert!(ended.stdout.is_empty(), "{ended:#?}");
    };
    says("--resume", "", 2, "No such file");
    // A recording that is refused leaves no checkpoint in the way of the next attempt.
    let full = folder.path("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("notes.txt"), "mine").unwrap();
    for _ in 0..2 {
        let args = format!("--trace {}", quoted(&full));
        says(&format!("{args} --checkpoint"), "", 2, "is not empty");
        says(
            &format!("{args} --survive --checkpoint"),
            "",
            2,
            "is not empty",
        );
        assert!(!file.exists());
    }
    fs::write(&file, "something else").unwrap();
    says("--checkpoint", "", 2, "is there already");
    says("--resume", "", 2, "cannot resume from");
    fs::remove_file(&file).unwrap();
    let job = onesided(2, "play rma --digits 300 --quiet --checkpoint");
    job.args([file.display().to_string()])
        .run()
        .expect_success();
    says("--resume", "--digits 30", 2, "leave that out");
    says("--resume", "", 0, "nothing is left to do");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    says("--resume", "", 2, "cannot resume from");
    let nowhere = folder.path("nowhere/checkpoint");
    let ended = onesided(2, "play rma --checkpoint")
        .args([nowhere.display().to_string()])
        .run();
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert_eq!(
        ended.stderr.matches("cannot write the checkpoint").count(),
        1,
        "{ended:#?}"
    );
    let every = onesided(2, "play rma --checkpoint-every 0s --checkpoint x").run();
    assert!(
        every.code == Some(2) && every.stderr.contains("it is 0"),
        "{every:#?}"
    );
}

/// Before there is anything to sum up: when MPI is being started, which does not end before the signal has come.
#[test]
fn a_signal_before_the_first_game_ends_the_run_in_a_line() {
    let slow_init = library_to_preload(&mpicc(), "pmpi/hold_init.c");
    let sample = |version: &str| {
        let folder = scratch();
        let (held, go) = (folder.path().join("held"), folder.path().join("go"));
        let mut play = alone(ONESIDED);
        play.args(["play", version, "--think", "1s", "--format", "json"])
            .env("LD_PRELOAD", &slow_init)
            .env("HELD", &held)
            .env("GO", &go)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = play.spawn().expect("the program starts");
        until("MPI_Init_thread", || held.exists());
        kill_process(Pid::from_child(&child), Signal::TERM).expect("it is there");
        fs::write(&go, "").expect("there is room");
        let stderr = std::io::read_to_string(child.stderr.take().expect("piped")).unwrap();
        let stdout = std::io::read_to_string(child.stdout.take().expect("piped")).unwrap();
        let status = child.wait().expect("own child");
        assert_eq!(status.code(), Some(143), "{version}: {stderr}");
        // Where starting takes longer than a rank may take to stop, the last resort says it.
        let said = |words| stderr.matches(words).count();
        let in_time = said("ended by SIGTERM, after 0 whole games");
        let too_late = said("SIGTERM came, and not all ranks stopped within 3s: no summary");
        assert_eq!(in_time + too_late, 1, "{version}: {stderr}");
        assert!(
            !stderr.contains("panicked") && stdout.is_empty(),
            "{version}: {stderr} {stdout}"
        );
        match in_time {
            1 => Ok(()),
            _ => Err(stderr),
        }
    };
    for version in ["rma", "collective"] {
        best_of_three(|| sample(version));
    }
}
