//! A campaign of faults: jobs that are killed at random moments, and gone on with.
//!
//! Each run is a one-sided game with checkpoints. At a random moment of the game something happens to it;
//! then its processes must be gone, its checkpoint whole and true, and a run that resumes on another number of
//! ranks must claim exactly what the checkpoint lacks. In CI some runs; `just faults 200` is the campaign, and
//! prints the table of docs/measurements/faults.md.

#[path = "../support/dice.rs"]
mod dice;
#[path = "../support/ledger.rs"]
mod ledger;
#[path = "../support/processes.rs"]
mod processes;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use dice::{Dice, number};
use libtest_mimic::{Arguments, Trial};
use onesided::internals::trace::{Kind, Outcome, RUN_FILE, Trace};
use processes::{kill, processes_of};
use support::{Job, again, scratch, signal, until};

const ONESIDED: &str = env!("CARGO_BIN_EXE_onesided");

/// Ranks of the run that something happens to.
const RANKS: u32 = 4;

const DIGITS: u32 = 240;

/// Some 1.2 seconds of a game.
const GAME: &str = "--digits 240 --think exp:20ms --checkpoint-every 50ms --quiet";

/// Ways to claim, in turn.
const METHODS: &[&str] = &[
    "--guess unclaimed",
    "--guess unclaimed --claim-with compare-and-swap",
    "--guess unclaimed --claim-with shared-memory",
    "--guess unclaimed --claim-with two-tier",
    "--guess unclaimed --home spread",
    "--guess ticket",
];

/// When something happens to a job.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// So long after the job was started: it may not have begun to play.
    OfJob(Duration),
    /// So long after all is open and the game begins; now and then it is over by then.
    OfGame(Duration),
}

impl Moment {
    /// One of eight is a moment of the job.
    fn draw(dice: &mut Dice) -> Moment {
        match dice.below(8) {
            0 => Moment::OfJob(Duration::from_millis(dice.below(1000))),
            _ => Moment::OfGame(Duration::from_millis(dice.below(1100))),
        }
    }

    /// Waits for it, in a job that records in `folder`.
    fn wait(self, folder: &Path, job_is_there: impl Fn() -> bool) {
        let after = match self {
            Moment::OfJob(after) => after,
            Moment::OfGame(after) => {
                while !folder.join(RUN_FILE).exists() && job_is_there() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                after
            }
        };
        std::thread::sleep(after);
    }
}

/// How long a job may live on after the fault.
const TO_END: Duration = Duration::from_secs(60);

/// What happens to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    KillHome,
    KillOther(u32),
    TermRanks,
    TermLauncher,
}

impl Fault {
    const ALL: [Fault; 6] = [
        Fault::KillHome,
        Fault::TermRanks,
        Fault::KillOther(1),
        Fault::TermLauncher,
        Fault::KillOther(2),
        Fault::KillOther(3),
    ];

    /// The row that it counts in.
    fn row(self) -> &'static str {
        match self {
            Fault::KillHome => "`kill -9` of the target rank",
            Fault::KillOther(_) => "`kill -9` of another rank",
            Fault::TermRanks => "SIGTERM to all ranks",
            Fault::TermLauncher => "SIGTERM to the launcher",
        }
    }

    /// Does it, if there is whom to do it to.
    fn happen(self, folder: &Path) -> bool {
        let processes = processes_of(folder);
        let ranks = processes
            .iter()
            .filter_map(|&(process, rank)| Some((process, rank?)));
        let launcher = processes.iter().find(|(_, rank)| rank.is_none());
        match self {
            Fault::KillHome | Fault::KillOther(_) => {
                let victim = if let Fault::KillOther(rank) = self {
                    rank
                } else {
                    0
                };
                let victim = ranks.into_iter().find(|&(_, rank)| rank == victim);
                victim.inspect(|&(process, _)| kill(process)).is_some()
            }
            Fault::TermRanks => ranks.map(|(process, _)| signal("TERM", process)).count() > 0,
            Fault::TermLauncher => launcher
                .inspect(|&&(process, _)| signal("TERM", process))
                .is_some(),
        }
    }
}

/// What a row of the table sums up.
#[derive(Debug, Default)]
struct Row {
    runs: u32,
    /// The game was over, or had not begun, when it was to happen.
    missed: u32,
    /// It came before there was a checkpoint.
    without: u32,
    /// Checkpoints that were whole and true, and whose rest was claimed exactly once.
    exact: u32,
    /// From the fault to the end of the job, the longest.
    longest: Duration,
    /// Digits that had been scored and were claimed anew: in all, and at most.
    anew: usize,
    most_anew: usize,
}

impl Row {
    fn add(&mut self, run: &Row) {
        self.runs += 1;
        self.missed += run.missed;
        self.without += run.without;
        self.exact += run.exact;
        self.longest = self.longest.max(run.longest);
        self.anew += run.anew;
        self.most_anew = self.most_anew.max(run.most_anew);
    }
}

fn main() {
    let arguments = Arguments::from_args();
    let trials = vec![Trial::test("jobs_that_are_killed_are_gone_on_with", || {
        campaign();
        Ok(())
    })];
    libtest_mimic::run(&arguments, trials).exit();
}

fn campaign() {
    let n_runs = number("ONESIDED_FAULTS").unwrap_or(6);
    // `just campaign` draws another.
    let seed = number("ONESIDED_FAULTS_SEED").unwrap_or(1);
    println!("a campaign of {n_runs} faults, ONESIDED_FAULTS_SEED={seed}");
    let mut dice = Dice::new(seed);
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    for run in 0..n_runs {
        let fault = Fault::ALL[run as usize % Fault::ALL.len()];
        // Coprime counts: in time every fault meets every method.
        let method = METHODS[(run / Fault::ALL.len() as u64 + run) as usize % METHODS.len()];
        let moment = Moment::draw(&mut dice);
        let (game_seed, n_ranks) = (dice.below(1 << 32), 1 + dice.below(5) as u32);
        let context = format!(
            "run {run}: {fault:?} at {moment:?}, {method} --seed {game_seed}, then {n_ranks} ranks"
        );
        let row = rows.entry(fault.row()).or_default();
        let game = format!("{GAME} {method} --seed {game_seed}");
        let of_run = again(|| {
            let mut of_run = Row::default();
            one(fault, moment, &game, n_ranks, &mut of_run, &context);
            of_run
        });
        row.add(&of_run);
        if n_runs > 20 && run % 20 == 19 {
            eprintln!("{} of {n_runs}", run + 1);
        }
    }
    println!("{}", table(&rows, n_runs));
}

/// Plays a run, lets the fault happen, and goes on with it. Panics where anything is wrong.
fn one(fault: Fault, moment: Moment, args: &str, n_ranks: u32, row: &mut Row, context: &str) {
    let folder = scratch();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let file = folder.path().join("checkpoint");
    let job = play(RANKS, &format!("{args} --checkpoint"), &file, &first);
    let job = job.start();
    moment.wait(&first, || !job.is_finished());
    let happened = fault.happen(&first);
    let (fault_at, ended) = (Instant::now(), job.join());
    let took = fault_at.elapsed();
    assert!(!ended.timed_out, "{context}: {ended:#?}");
    if happened && ended.code != Some(0) {
        assert!(
            took < TO_END,
            "{context}: it took {took:?} to end: {ended:#?}"
        );
        row.longest = row.longest.max(took);
    } else {
        row.missed += 1;
        assert_eq!(ended.code, Some(0), "{context}: {ended:#?}");
    }
    until(&format!("nobody is left: {context}"), || {
        processes_of(folder.path()).is_empty()
    });
    let won = winners(&first);
    if !file.exists() {
        assert!(
            won.is_empty(),
            "{context}: won without a checkpoint: {won:?}"
        );
        row.without += 1;
        return;
    }
    let kept = ledger::read(&file).unwrap_or_else(|why| panic!("{context}: {why}"));
    assert_eq!(kept.n_digits, u64::from(DIGITS), "{context}");
    let (is_over, before) = (kept.is_over, kept.entries);
    for (digit, entry) in &before {
        let true_to_it = !entry.earlier && won.get(digit) == Some(&entry.rank.unsigned_abs());
        assert!(
            true_to_it,
            "{context}: digit {digit} by {entry:?}, and {won:?}"
        );
    }
    let ended = play(n_ranks, "--quiet --resume", &file, &second).run();
    assert!(
        ended.code == Some(0) && !ended.timed_out,
        "{context}: resumed: {ended:#?}"
    );
    let rest = winners(&second);
    let once = |digit: &u32| before.contains_key(digit) != rest.contains_key(digit);
    assert!(
        is_over && rest.is_empty() || (1..=DIGITS).all(|digit| once(&digit)),
        "{context}: {before:?}, then {rest:?}"
    );
    let anew = rest.keys().filter(|digit| won.contains_key(digit)).count();
    row.anew += anew;
    row.most_anew = row.most_anew.max(anew);
    row.exact += 1;
    let left = ledger::read(&file)
        .unwrap_or_else(|why| panic!("{context}: resumed: {why}"))
        .entries;
    // One that had it all is left as it was.
    assert!(
        left.is_empty() || before.len() == DIGITS as usize,
        "{context}: it is over"
    );
}

fn play(n_ranks: u32, args: &str, file: &Path, trace: &Path) -> Job {
    let job = Job::new(n_ranks, ONESIDED)
        .args(["play", "rma"])
        .args(args.split_whitespace());
    let job = job.args([
        file.display().to_string(),
        "--trace".into(),
        trace.display().to_string(),
    ]);
    job.deadline(Duration::from_secs(90))
}

/// Who won which digit, by the records of all ranks; panics where two did.
fn winners(folder: &Path) -> BTreeMap<u32, u32> {
    let mut winners = BTreeMap::new();
    if !folder.join(RUN_FILE).exists() {
        return winners;
    }
    let trace = Trace::open(folder).expect("a run");
    for rank in 0..trace.run.ranks {
        let won = |record: &onesided::internals::trace::Record| {
            record.kind == Kind::Claim && record.outcome == Outcome::Won
        };
        for record in trace.records(rank).filter(won) {
            let other = winners.insert(record.item, rank);
            assert_eq!(other, None, "digit {} was won twice", record.item);
        }
    }
    winners
}

fn table(rows: &BTreeMap<&str, Row>, n_runs: u64) -> String {
    let library =
        onesided::rma::library().map_or_else(|_| "?".into(), |library| library.to_string());
    let mut text = format!(
        "\n{library}, {n_runs} runs of {RANKS} ranks\n\n\
         | | runs | too late or too early | ended within | checkpoint whole, all claimed exactly once | scored and claimed again, mean (most) |\n\
         |---|---|---|---|---|---|\n"
    );
    for (name, row) in rows {
        let hit = row.runs - row.missed;
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {:.1} s | {} of {} | {:.1} ({}) |",
            row.runs,
            row.missed + row.without,
            row.longest.as_secs_f64(),
            row.exact,
            row.runs - row.without,
            row.anew as f64 / f64::from(hit.max(1)),
            row.most_anew,
        );
    }
    text
}
