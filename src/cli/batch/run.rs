//! Playing a batch, or saying what it would play.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU};

use super::super::launcher::default_launcher;
use super::super::{Failure, Format, print};
use super::progress::Progress;
use super::tell;
use crate::batch::{Estimates, Folder, Jobs, Plan, Run, about, read_folder, run_folder};
use crate::interrupt::heeds_hangup;
use crate::launch::{Template, find_program};

/// What ends a batch, and lets it go on another time: people and terminals, and batch systems before they kill
/// (LSF at the run limit and SGE with `-notify` by SIGUSR2; SIGXCPU comes at the limit of CPU time).
const SIGNALS: [(i32, &str); 5] = [
    (SIGINT, "SIGINT"),
    (SIGTERM, "SIGTERM"),
    (SIGHUP, "SIGHUP"),
    (SIGUSR2, "SIGUSR2"),
    (SIGXCPU, "SIGXCPU"),
];

/// Listens to [`SIGNALS`]: the number of the one that came is stored. SIGUSR1, which asks for a checkpoint, ends
/// nothing: what was played is on the disk. SIGHUP may be left alone: [`heeds_hangup`].
fn listen(signal: &Arc<AtomicUsize>) -> std::io::Result<()> {
    for (number, _) in SIGNALS {
        if number != SIGHUP || heeds_hangup() {
            let value = number.unsigned_abs() as usize;
            signal_hook::flag::register_usize(number, Arc::clone(signal), value)?;
        }
    }
    // A handler, and not "ignored": the jobs would inherit that.
    signal_hook::flag::register(SIGUSR1, Arc::default())?;
    Ok(())
}

/// The launcher that the plan names, or the one that is found.
pub(super) fn launcher(plan: &Plan) -> Result<Template, Failure> {
    if let Some(launcher) = &plan.launcher {
        return Ok(launcher.clone());
    }
    #[cfg(feature = "mpi")]
    let of_library = || {
        use crate::rma;
        rma::library()
            .ok()
            .and_then(|library| rma::launcher::of(&library))
    };
    #[cfg(not(feature = "mpi"))]
    let of_library = || None;
    let command = default_launcher(of_library)?;
    Template::new(&command).map_err(|why| Failure::Usage(format!("the launcher {why}")))
}

/// The program that plays, from the root: launchers may start it in another folder.
pub(super) fn program(named: Option<&Path>, dry: bool) -> Result<PathBuf, Failure> {
    match named {
        // A name alone is looked for where the ranks are.
        Some(name) if name.components().count() == 1 && !name.exists() => Ok(name.into()),
        Some(path) => std::path::absolute(path)
            .map_err(|error| Failure::Usage(format!("--program {}: {error}", path.display()))),
        None if cfg!(feature = "mpi") || dry => std::env::current_exe()
            .map_err(|error| Failure::Run(format!("cannot tell where this program is: {error}"))),
        None => Err(Failure::Usage(
            "this build has no MPI and cannot play: name a program that can with --program".into(),
        )),
    }
}

/// Runs that are not over, in their order.
fn pending<'a>(
    plan: &'a Plan,
    over: &'a BTreeSet<(String, u32)>,
) -> impl Iterator<Item = Run> + 'a {
    plan.schedule()
        .filter(|run| !over.contains(&(plan.cells[run.cell].name.clone(), run.repetition)))
}

fn folder_of(plan: &Plan) -> Result<&Path, Failure> {
    let missing = || Failure::Usage("--out: name the folder that the batch is to be in".into());
    plan.out.as_deref().ok_or_else(missing)
}

/// How long a run of the cell may take.
fn limit(plan: &Plan, estimates: &Estimates, cell: usize) -> Duration {
    let derived = || Duration::from_secs_f64(estimates.time_limit_s(cell).min(1e9));
    plan.time_limit.unwrap_or_else(derived)
}

/// Says what would be played.
pub(super) fn dry(plan: &Plan, launcher: Template, program: PathBuf) -> Result<ExitCode, Failure> {
    let folder = plan.out.clone().unwrap_or_else(|| "DIR".into());
    let folder = std::path::absolute(&folder).unwrap_or(folder);
    let mut estimates = Estimates::new(&plan.cells);
    let mut over = BTreeSet::new();
    if let Ok((there, entries)) = read_folder(&folder) {
        if there.canonical() == plan.canonical() {
            for entry in entries {
                let cell = plan.cells.iter().position(|cell| cell.name == entry.cell);
                cell.into_iter()
                    .for_each(|cell| estimates.add(cell, entry.took_s));
                over.insert((entry.cell, entry.repetition));
            }
        }
    }
    let jobs = Jobs {
        launcher,
        program,
        id: String::new(),
        trace_records: plan.trace_records,
        timeout: plan.timeout,
    };
    let mut text = String::new();
    for run in pending(plan, &over) {
        let cell = &plan.cells[run.cell];
        let place = run_folder(&folder, &cell.name, run.repetition);
        let limit = limit(plan, &estimates, run.cell);
        let command = jobs.command(cell, run, &place, limit);
        let words: Vec<String> = command
            .iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        let line = shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default();
        let _ = writeln!(text, "{line}");
    }
    let left_s = estimates.left(pending(plan, &over).map(|run| run.cell));
    let n_left = plan.n_runs() - over.len();
    let _ = write!(
        text,
        "\n{n_left} runs of {} cells, {}",
        plan.cells.len(),
        about(left_s)
    );
    if !over.is_empty() {
        let _ = write!(text, "; {} more are over", over.len());
    }
    text.push('\n');
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Plays what is not over, and tells the results.
pub(super) fn run(
    plan: &Plan,
    launcher: Template,
    program: PathBuf,
    format: Format,
) -> Result<ExitCode, Failure> {
    let folder = folder_of(plan)?;
    #[cfg(feature = "mpi")]
    if let Some(launch) = crate::rma::launcher::Launch::from_environment() {
        return Err(Failure::Usage(format!(
            "a batch starts its jobs itself: start it without {}",
            launch.launcher
        )));
    }
    if find_program(launcher.program()).is_none() {
        return Err(Failure::Usage(format!(
            "cannot start the launcher '{}': there is no such program; --launcher names another, such as \
             'mpirun -n {{ranks}}'",
            launcher.program()
        )));
    }
    let cannot = |error: std::io::Error| Failure::Run(format!("cannot wait for signals: {error}"));
    let signal = Arc::new(AtomicUsize::new(0));
    listen(&signal).map_err(cannot)?;
    let mut folder = Folder::open(folder, plan).map_err(Failure::Usage)?;
    let jobs = Jobs {
        launcher,
        program,
        id: folder.id().into(),
        trace_records: plan.trace_records,
        timeout: plan.timeout,
    };
    let interrupted = play_all(plan, &jobs, &mut folder, || signal.load(Ordering::Relaxed))?;
    if interrupted > 0 {
        // What there is can be looked at; that it is not all is said below.
        let results = crate::batch::Results::new(plan, folder.entries());
        crate::batch::write_results(folder.path(), &results).map_err(Failure::Run)?;
        let name = SIGNALS
            .iter()
            .find(|(number, _)| number.unsigned_abs() as usize == interrupted);
        eprintln!(
            "onesided: {} after {} of {} runs; the same command goes on from there",
            name.map_or("interrupted", |(_, name)| name),
            folder.entries().len(),
            plan.n_runs()
        );
        return Ok(ExitCode::from(128 + interrupted as u8));
    }
    let results = tell(plan, folder.entries(), folder.path(), format)?;
    let bad = results.failed + results.timed_out;
    match bad {
        0 => Ok(ExitCode::SUCCESS),
        bad => Err(Failure::Run(format!(
            "{bad} of {} runs were not played to their end: {} has what they said",
            results.planned,
            folder.path().join("journal.jsonl").display()
        ))),
    }
}

/// Plays all runs that are not over. The signal that ended it before its end, or 0.
fn play_all(
    plan: &Plan,
    jobs: &Jobs,
    folder: &mut Folder,
    signal: impl Fn() -> usize,
) -> Result<usize, Failure> {
    let mut estimates = Estimates::new(&plan.cells);
    let mut over = BTreeSet::new();
    for entry in folder.entries() {
        let cell = plan.cells.iter().position(|cell| cell.name == entry.cell);
        cell.into_iter()
            .for_each(|cell| estimates.add(cell, entry.took_s));
        over.insert((entry.cell.clone(), entry.repetition));
    }
    let runs: Vec<Run> = pending(plan, &over).collect();
    // How many runs of each cell are left.
    let mut n_left = vec![0usize; plan.cells.len()];
    runs.iter().for_each(|run| n_left[run.cell] += 1);
    let left_s = |estimates: &Estimates, n_left: &[usize]| -> f64 {
        (0..n_left.len())
            .map(|cell| n_left[cell] as f64 * estimates.of(cell))
            .sum()
    };
    let mut progress = Progress::new(plan.n_runs(), over.len());
    for run in runs {
        if signal() > 0 {
            break;
        }
        let cell = &plan.cells[run.cell];
        let name = format!("{}/{:03}", cell.name, u64::from(run.repetition) + 1);
        n_left[run.cell] -= 1;
        let (after_s, this_s) = (left_s(&estimates, &n_left), estimates.of(run.cell));
        progress.under_way(&name, after_s + this_s, true);
        let start = Instant::now();
        let goes_on = || {
            let this_s = (this_s - start.elapsed().as_secs_f64()).max(0.0);
            progress.under_way(&name, after_s + this_s, false);
            signal() == 0
        };
        let cannot =
            |error: std::io::Error| Failure::Run(format!("cannot keep run {name}: {error}"));
        let place = folder.for_run(&cell.name, run).map_err(cannot)?;
        let limit = limit(plan, &estimates, run.cell);
        let Some(entry) = jobs
            .play(cell, run, &place, limit, goes_on)
            .map_err(cannot)?
        else {
            break;
        };
        estimates.add(run.cell, entry.took_s);
        folder.append(entry.clone()).map_err(cannot)?;
        progress.over(&entry, left_s(&estimates, &n_left));
    }
    progress.end();
    // One that came too late to end anything is none.
    let all_over = folder.entries().len() == plan.n_runs();
    Ok(if all_over { 0 } else { signal() })
}
