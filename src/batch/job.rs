//! One run: started by the launcher, waited for, ended with all that it started when it takes too long, and
//! measured by what it left behind.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::Signal;

use super::cell::{Cell, duration};
use super::folder::MARK;
use super::journal::{Entry, Status};
use super::schedule::Run;
use crate::analysis::{Findings, METRICS, RunSummary, analyse_trace, of_summary};
use crate::launch::{Template, end, end_all_marked, has_ended, in_own_group, status_in_words};
use crate::think_time::MAX_THINK;

/// How often a run is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// How long after a run failed a signal may come that explains it, where a job of Slurm's is around: when
/// the job is cancelled, `srun` hears of it from the controller, and before the node tells the script.
const SLURM_GRACE: Duration = Duration::from_secs(5);

/// Most times that a run is started, where its launcher is why it failed.
const LAUNCHES: u32 = 3;

/// Signals that a launcher that crashes dies of, and that nobody sends to one.
const OF_CRASHES: [i32; 5] = [
    Signal::ILL.as_raw(),
    Signal::ABORT.as_raw(),
    Signal::BUS.as_raw(),
    Signal::FPE.as_raw(),
    Signal::SEGV.as_raw(),
];

/// Most that is kept of what a run said that went wrong.
const MAX_LINES: usize = 20;
const MAX_BYTES: usize = 4_000;

/// What all runs of a batch have in common.
#[derive(Debug, Clone)]
pub struct Jobs {
    /// The launcher's command.
    pub launcher: Template,
    /// The program that plays, as the ranks' hosts know it.
    pub program: PathBuf,
    /// What [`MARK`] is set to.
    pub id: String,
    /// Room for records a rank; `None` leaves it to the program.
    pub trace_records: Option<u64>,
    /// How long a rank may wait in one MPI operation; `None` derives it from how long a run may take.
    pub timeout: Option<Duration>,
}

/// How long a rank may wait where nobody said, in a run that may take `limit`: most of it, as a rank does
/// wait while another thinks; but so that ranks can say that they wait before the run is ended for being
/// late.
fn timeout_within(limit: Duration) -> Duration {
    /// What ranks need to notice, to speak and to end.
    const TO_SPEAK: Duration = Duration::from_secs(4);
    let most = (limit * 3 / 4).min(limit.saturating_sub(TO_SPEAK));
    most.max(limit / 2)
        .clamp(Duration::from_millis(100), MAX_THINK)
}

/// Whether Slurm's srun said that it could not start a rank. Through PMIx, Slurm 22.05 fails to once in some
/// fifty jobs, ends the others, and ends well itself.
fn was_not_launched(folder: &Path) -> bool {
    let said = fs::read(folder.join("stderr")).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    said.lines()
        .any(|line| line.starts_with("srun: error: task") && line.contains("launch failed"))
}

/// Whether a rank is to blame for how a run ended: it says so, or its launcher does.
fn blames_a_rank(folder: &Path) -> bool {
    const WORDS: [&str; 4] = ["onesided: rank", "panicked", "on signal", "BAD TERMINATION"];
    let said = fs::read(folder.join("stderr")).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    WORDS.iter().any(|words| said.contains(words))
}

/// Whether ranks ended their run because one had waited for longer than `--timeout` in one operation. Some
/// launchers have an exit code of their own for that.
fn waited_too_long(status: ExitStatus, folder: &Path) -> bool {
    /// That of `onesided play`.
    const EXIT_CODE: i32 = 124;
    let said = || fs::read(folder.join("stderr")).unwrap_or_default();
    status.code() == Some(EXIT_CODE)
        || String::from_utf8_lossy(&said()).contains(" has waited in MPI_")
}

/// Whether a run may have failed because all is to end, and not by itself.
fn was_interrupted(goes_on: &mut impl FnMut() -> bool) -> bool {
    let grace = match std::env::var_os("SLURM_JOB_ID") {
        Some(_) => SLURM_GRACE,
        None => Duration::ZERO,
    };
    let start = Instant::now();
    while goes_on() {
        if start.elapsed() >= grace {
            return false;
        }
        std::thread::sleep(LOOK);
    }
    true
}

/// How a run came to its end.
enum End {
    Ended(ExitStatus),
    Late,
    Interrupted,
}

impl Jobs {
    /// The whole command that plays a run into `folder`, for at most `limit`.
    pub fn command(
        &self,
        cell: &Cell,
        run: Run,
        folder: &Path,
        limit: Duration,
    ) -> Vec<std::ffi::OsString> {
        let ranks = cell.workload.ranks.to_string();
        let mut words: Vec<std::ffi::OsString> = self
            .launcher
            .fill(&[("ranks", &ranks)])
            .into_iter()
            .map(Into::into)
            .collect();
        words.push(self.program.clone().into());
        words.extend(cell.arguments(run.seed).into_iter().map(Into::into));
        let timeout = self.timeout_within(limit);
        words.extend(["--timeout".into(), duration(timeout).into()]);
        words.extend(["--format", "json", "--quiet", "--trace"].map(Into::into));
        words.push(folder.join("trace").into());
        if let Some(records) = self.trace_records {
            words.extend(["--trace-records".into(), records.to_string().into()]);
        }
        words
    }

    /// How long a rank of a run may wait that may itself take `limit`.
    fn timeout_within(&self, limit: Duration) -> Duration {
        self.timeout.unwrap_or_else(|| timeout_within(limit))
    }

    /// Plays a run in its own empty `folder`, for at most `limit`. `None` if `goes_on`, which is asked
    /// now and then, said no: then the job has been ended, and the run is none.
    ///
    /// # Errors
    /// Why its output has no place. A launcher that cannot be started is a run that failed.
    pub fn play(
        &self,
        cell: &Cell,
        run: Run,
        folder: &Path,
        limit: Duration,
        mut goes_on: impl FnMut() -> bool,
    ) -> io::Result<Option<Entry>> {
        for _ in 1..LAUNCHES {
            let entry = self.play_once(cell, run, folder, limit, &mut goes_on)?;
            let why = entry
                .as_ref()
                .and_then(|entry| no_verdict(entry, cell, run, folder));
            let Some(why) = why else {
                return Ok(entry);
            };
            let (cell, repetition) = (&cell.name, run.repetition + 1);
            tracing::warn!(
                "{why}, which says nothing of run {repetition} of {cell}: it is started again"
            );
            // Ranks that were launched all the same may have begun it.
            if let Err(error) = fs::remove_dir_all(folder.join("trace")) {
                if error.kind() != io::ErrorKind::NotFound {
                    return Err(error);
                }
            }
        }
        self.play_once(cell, run, folder, limit, &mut goes_on)
    }

    fn play_once(
        &self,
        cell: &Cell,
        run: Run,
        folder: &Path,
        limit: Duration,
        goes_on: &mut impl FnMut() -> bool,
    ) -> io::Result<Option<Entry>> {
        let words = self.command(cell, run, folder, limit);
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .env(MARK, &self.id)
            .stdin(Stdio::null())
            .stdout(File::create(folder.join("stdout"))?)
            .stderr(File::create(folder.join("stderr"))?);
        let mut entry = Entry {
            cell: cell.name.clone(),
            repetition: run.repetition,
            seed: run.seed,
            status: Status::Failed,
            started: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            took_s: 0.0,
            at_least_s: None,
            code: None,
            signal: None,
            why: None,
            said: None,
            source: None,
            mpi_library: None,
            hosts: None,
            metrics: BTreeMap::new(),
        };
        tracing::debug!(?command, "starting a run");
        let start = Instant::now();
        let ended = match in_own_group(&mut command).spawn() {
            Ok(mut child) => {
                let ended = watch(&mut child, start + limit, goes_on)?;
                // Ranks may be in groups of their own, and no run is to disturb the next.
                end_all_marked(MARK, &self.id);
                ended
            }
            Err(error) => {
                entry.why = Some(format!("the launcher cannot be started: {error}"));
                return Ok(Some(entry));
            }
        };
        entry.took_s = start.elapsed().as_secs_f64();
        let failed = matches!(&ended, End::Ended(status) if !status.success());
        if failed && was_interrupted(goes_on) {
            return Ok(None);
        }
        match ended {
            End::Interrupted => return Ok(None),
            End::Late => {
                entry.status = Status::TimedOut;
                entry.at_least_s = Some(limit.as_secs_f64());
                let limit = humantime::format_duration(limit);
                entry.why = Some(format!("had not ended after {limit}: ended"));
            }
            End::Ended(status) => {
                (entry.code, entry.signal) = (status.code(), status.signal());
                match status.success() {
                    true => match measure(cell, run, folder) {
                        Ok(findings) => entry.measured(&findings),
                        Err(why) => entry.why = Some(why),
                    },
                    false => {
                        entry.why = Some(status_in_words(status));
                        if waited_too_long(status, folder) {
                            entry.status = Status::TimedOut;
                            entry.at_least_s = Some(self.timeout_within(limit).as_secs_f64());
                        }
                    }
                }
            }
        }
        if entry.status != Status::Done {
            entry.said = last_words(folder);
        }
        Ok(Some(entry))
    }
}

/// Waits for the launcher, and ends it and all of its group.
fn watch(child: &mut Child, until: Instant, goes_on: &mut impl FnMut() -> bool) -> io::Result<End> {
    loop {
        if has_ended(child, Duration::ZERO) {
            return end(child).map(End::Ended);
        }
        if !goes_on() {
            return end(child).map(|_| End::Interrupted);
        }
        if Instant::now() >= until {
            return end(child).map(|_| End::Late);
        }
        std::thread::sleep(LOOK);
    }
}

impl Entry {
    fn measured(&mut self, findings: &Findings) {
        self.status = Status::Done;
        self.source = Some(match findings.source {
            crate::analysis::Source::Trace => "trace".into(),
            _ => "summary".into(),
        });
        self.mpi_library = findings.setup.mpi_library.clone();
        self.hosts = findings.setup.hosts;
        let metrics = METRICS.iter().filter_map(|metric| {
            let value = metric.of(findings).filter(|value| value.is_finite())?;
            Some((metric.name.to_owned(), value))
        });
        self.metrics = metrics.collect();
    }
}

/// Why a run that did not end well says nothing of its job: what its launcher did by itself. `mpirun` of Open MPI
/// 4.1.4 and 5.0.11 crashes or hangs in its own end, when all ranks are gone, in about one of a thousand jobs
/// (open-mpi/ompi#10117, openpmix/openpmix#2508), and Slurm 22.05 cannot launch one of fifty through PMIx.
fn no_verdict(entry: &Entry, cell: &Cell, run: Run, folder: &Path) -> Option<String> {
    match (entry.status, entry.signal) {
        (Status::Done, _) => None,
        (Status::Failed, _) if was_not_launched(folder) => Some("srun could not launch it".into()),
        (Status::Failed, Some(signal))
            if OF_CRASHES.contains(&signal) && !blames_a_rank(folder) =>
        {
            Some(format!("the launcher died of signal {signal}"))
        }
        // All was played and told: whoever did not end was the launcher.
        (Status::TimedOut, _) if !blames_a_rank(folder) && measure(cell, run, folder).is_ok() => {
            Some("the launcher hung when all was played".into())
        }
        _ => None,
    }
}

/// What a run that ended well shows: by its trace, or by its summary where the trace is not whole or is
/// elsewhere.
fn measure(cell: &Cell, run: Run, folder: &Path) -> Result<Findings, String> {
    let text = fs::read(folder.join("stdout")).map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&text);
    // Launchers may have words of their own around it.
    let document = text
        .find('{')
        .zip(text.rfind('}'))
        .and_then(|(from, to)| text.get(from..=to));
    let document = document.ok_or("it ended well, and printed no summary")?;
    let summary = RunSummary::from_json(document)
        .map_err(|why| format!("it ended well, and printed no summary: {why}"))?;
    let workload = &cell.workload;
    let played = (summary.ranks, summary.digits, summary.games, summary.seed);
    let wanted = (workload.ranks, workload.digits, workload.games, run.seed);
    if summary.version != cell.variant.version || played != wanted {
        return Err(format!(
            "another game was played: {} ranks, digits to {}, {} games, seed {}, {}",
            summary.ranks,
            summary.digits,
            summary.games,
            summary.seed,
            summary.version.name()
        ));
    }
    let whole = |findings: &Findings| {
        let recorded = findings.recorded.as_ref();
        recorded.is_some_and(|r| r.incomplete_ranks == 0 && r.complete_games == summary.games)
    };
    let of_trace = analyse_trace(&folder.join("trace")).ok().filter(whole);
    Ok(of_trace.unwrap_or_else(|| of_summary(&summary)))
}

/// The last lines of stderr, or of stdout if there are none.
fn last_words(folder: &Path) -> Option<String> {
    ["stderr", "stdout"].iter().find_map(|name| {
        let mut lines = VecDeque::new();
        let mut from = BufReader::new(File::open(folder.join(name)).ok()?);
        let mut line = Vec::new();
        // Line by line: nobody knows how much it is.
        while matches!(io::Read::take(&mut from, 1 << 16).read_until(b'\n', &mut line), Ok(n) if n > 0) {
            let text = String::from_utf8_lossy(&line);
            if !text.trim().is_empty() {
                lines.push_back(text.trim_end().to_owned());
            }
            if lines.len() > MAX_LINES {
                lines.pop_front();
            }
            line.clear();
        }
        let text = Vec::from(lines).join("\n");
        let from = text.len().saturating_sub(MAX_BYTES);
        let from = (from..text.len()).find(|&at| text.is_char_boundary(at))?;
        Some(text[from..].to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_can_say_that_they_wait_before_their_run_is_late() {
        let of = |limit_s: f64| timeout_within(Duration::from_secs_f64(limit_s)).as_secs_f64();
        assert_eq!([600.0, 90.0, 12.0, 6.0].map(of), [450.0, 67.5, 8.0, 3.0]);
        assert_eq!(of(0.1), 0.1, "the shortest that there is");
        assert_eq!(of(1e9), 86_400.0, "the longest that `onesided play` takes");
    }
}
