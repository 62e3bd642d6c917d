//! One job of probes: started, listened to, and ended when a deadline passes.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::super::finding::{Finding, Severity};
use super::super::line::Line;
use super::super::plan::{Probe, at_the_pace_of};
use crate::launch::{end, has_ended, in_own_group, status_in_words};

/// How long a launcher has to end a job that it is asked to end; Open MPI takes a second and a half.
const GRACE: Duration = Duration::from_millis(2500);

/// How long a job may take from one probe to the next, and to end MPI after the last.
const BETWEEN: Duration = Duration::from_secs(3);

/// What became of a job.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// What its probes found; for a probe that crashed or hung, that.
    pub(super) findings: Vec<Finding>,
    /// Probes that it did not get to.
    pub(super) left: Vec<Probe>,
    /// Whether it never came to its first probe, so that another will not either.
    pub(super) never_started: bool,
}

/// What is heard of a job.
enum Heard {
    Out(String),
    Err(String),
    /// One of its two streams has ended.
    Closed,
}

/// Starts the job, and listens until all of `probes` have ended, or one of them has crashed or hung. It is
/// over by `until`, and a little; `within` is what all jobs may take.
pub(super) fn run(
    mut command: Command,
    probes: &[Probe],
    until: Instant,
    within: Duration,
) -> std::io::Result<Outcome> {
    tracing::debug!(?command, "starting a job of probes");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = in_own_group(&mut command).spawn()?;
    let (sender, heard) = channel();
    listen(
        child.stdout.take().expect("piped"),
        sender.clone(),
        Heard::Out,
    );
    listen(child.stderr.take().expect("piped"), sender, Heard::Err);
    let mut listener = Listener::new(probes, until, within);
    let end = listener.listen(&heard, &mut child);
    tracing::debug!(?end, "the job is over");
    Ok(listener.conclude(end))
}

/// Reads lines in a thread. It ends with the stream, which somebody that is not ours may hold open: so
/// nobody waits for it.
fn listen(from: impl Read + Send + 'static, to: Sender<Heard>, kind: fn(String) -> Heard) {
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while matches!(from.read_until(b'\n', &mut line), Ok(n) if n > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            if to.send(kind(text)).is_err() {
                return;
            }
        }
        let _ = to.send(Heard::Closed);
    });
}

/// How listening came to its end.
#[derive(Debug)]
enum End {
    /// All probes ended.
    Done,
    /// The launcher ended by itself before.
    Ended(Option<ExitStatus>),
    /// A deadline passed; whether it was the doctor's own.
    Late { out_of_time: bool },
}

struct Listener<'a> {
    probes: &'a [Probe],
    until: Instant,
    /// How long all may take.
    within: Duration,
    findings: Vec<Finding>,
    ended: Vec<Probe>,
    current: Option<Probe>,
    step: Option<String>,
    /// When what happens now should be over.
    deadline: Instant,
    /// What the job said that is none of our lines, the last of it.
    words: Vec<String>,
    begun: bool,
}

impl<'a> Listener<'a> {
    fn new(probes: &'a [Probe], until: Instant, within: Duration) -> Self {
        Listener {
            probes,
            until,
            within,
            findings: Vec::new(),
            ended: Vec::new(),
            current: None,
            step: None,
            deadline: Instant::now() + Probe::Start.deadline(within),
            words: Vec::new(),
            begun: false,
        }
    }

    fn listen(&mut self, heard: &Receiver<Heard>, child: &mut Child) -> End {
        let mut n_open = 2;
        loop {
            let deadline = self.deadline.min(self.until);
            let left = deadline.saturating_duration_since(Instant::now());
            match heard.recv_timeout(left) {
                Ok(Heard::Out(text)) => match Line::parse(&text) {
                    Some(Line::Done) => {
                        // MPI was finalised: the launcher has nothing left to do.
                        has_ended(child, GRACE);
                        let _ = end(child);
                        return End::Done;
                    }
                    Some(line) => self.take(line),
                    None => self.keep(text),
                },
                Ok(Heard::Err(text)) => self.keep(text),
                Ok(Heard::Closed) => n_open -= 1,
                Err(RecvTimeoutError::Disconnected) => n_open = 0,
                Err(RecvTimeoutError::Timeout) => {
                    let _ = end(child);
                    let out_of_time = self.until <= self.deadline;
                    return End::Late { out_of_time };
                }
            }
            if n_open == 0 {
                let by_itself = has_ended(child, GRACE);
                return End::Ended(end(child).ok().filter(|_| by_itself));
            }
        }
    }

    fn take(&mut self, line: Line) {
        tracing::debug!(?line, "heard");
        match line {
            Line::Begin(name) => {
                self.begun = true;
                self.current = Probe::named(&name);
                self.step = None;
                self.deadline = Instant::now()
                    + match self.current {
                        Some(probe) => probe.deadline(self.within),
                        None => at_the_pace_of(self.within, BETWEEN),
                    };
            }
            Line::Step(what) => self.step = Some(what),
            Line::Found(finding) => {
                // Ranks that are alone each take themselves for rank 0, and say so.
                if !self.findings.contains(&finding) {
                    self.findings.push(*finding);
                }
            }
            Line::End(name) => {
                self.ended.extend(Probe::named(&name));
                self.current = None;
                self.deadline = Instant::now() + at_the_pace_of(self.within, BETWEEN);
            }
            Line::Done => {}
        }
    }

    fn keep(&mut self, text: String) {
        const MOST: usize = 50;
        if !text.trim().is_empty() {
            self.words.push(text);
        }
        if self.words.len() > MOST {
            self.words.remove(0);
        }
    }

    /// Where a job ended that did not end well: the probe that had begun, or the next one.
    fn place(&self) -> Option<Probe> {
        self.current.or_else(|| {
            let next = self.probes.iter().find(|probe| !self.ended.contains(probe));
            next.copied()
        })
    }

    fn conclude(mut self, end: End) -> Outcome {
        let place = match end {
            End::Done => None,
            _ => self.place(),
        };
        let told = |place: Probe| {
            // A job that refuses to begin says why, and ends.
            let name = place.name();
            self.findings
                .iter()
                .any(|found| found.probe == name && found.severity > Severity::Slow)
        };
        let all_alone = place.is_some_and(|place| place == Probe::Start && told(place));
        if let Some(place) = place.filter(|&place| !told(place)) {
            let finding = self.broken(place, &end);
            self.findings.push(finding);
        }
        let left = self
            .probes
            .iter()
            .filter(|&&probe| !self.ended.contains(&probe) && Some(probe) != place);
        Outcome {
            left: left.copied().collect(),
            never_started: !self.begun || all_alone,
            findings: self.findings,
        }
    }

    /// The finding of a probe that crashed or hung.
    fn broken(&self, place: Probe, end: &End) -> Finding {
        let at = match (&self.step, self.begun) {
            (_, false) => " before the first probe began".into(),
            (Some(step), _) if self.current.is_some() => format!(" ({step})"),
            _ => String::new(),
        };
        let words = self.last_words();
        let said = match words {
            Some(words) => format!("; it said: {words}"),
            None => String::new(),
        };
        let (severity, detail) = match end {
            End::Late { out_of_time: true } => (
                Severity::Unknown,
                format!("not probed to its end: out of time{at}{said}"),
            ),
            End::Late { .. } => {
                let after = match self.begun {
                    true => place.deadline(self.within),
                    false => Probe::Start.deadline(self.within),
                };
                (
                    Severity::Hung,
                    format!(
                        "had not ended after {} s{at}: killed{said}",
                        after.as_secs()
                    ),
                )
            }
            End::Ended(status) => (
                Severity::Crashed,
                format!("the job ended with {}{at}{said}", how_it_ended(*status)),
            ),
            End::Done => unreachable!("a job that is done has no broken probe"),
        };
        Finding::new(place.name(), place.subject(), severity, detail)
    }

    /// The line that tells most: what the launcher or the library says of the end.
    fn last_words(&self) -> Option<&str> {
        const MARKS: [&str; 6] = [
            "exited on signal",
            "Segmentation fault",
            "onesided: rank",
            "rror",
            "signal",
            "bort",
        ];
        let marked = MARKS
            .iter()
            .find_map(|mark| self.words.iter().rposition(|line| line.contains(mark)));
        let marked = marked.or(self.words.len().checked_sub(1))?;
        let stack = self.words[marked + 1..]
            .iter()
            .take_while(|line| is_of_stack(line));
        let line = match self.words[marked].contains(STACK) {
            true => stack.last().unwrap_or(&self.words[marked]),
            false => &self.words[marked],
        };
        Some(shortened(line.trim()))
    }
}

/// What MPICH ends a line with that a stack of calls follows, one a line: the last says what went wrong.
const STACK: &str = "error stack:";

/// Whether a line is one of such a stack: `function(line)`, then what of it.
fn is_of_stack(line: &str) -> bool {
    let function = line.trim_start().split_once('(');
    function.is_some_and(|(function, rest)| {
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        !function.is_empty()
            && function.bytes().all(is_of_name)
            && rest.starts_with(|first: char| first.is_ascii_digit())
    })
}

/// The end of a line that is long because a stack was put into it, else its beginning.
fn shortened(line: &str) -> &str {
    const MOST: usize = 240;
    let n_more = line.chars().count().saturating_sub(MOST);
    let at = |n| line.char_indices().nth(n).map_or(line.len(), |(at, _)| at);
    match line.contains(STACK) {
        true => &line[at(n_more)..],
        false => &line[..at(MOST)],
    }
}

fn how_it_ended(status: Option<ExitStatus>) -> String {
    status.map_or("its output closed".into(), status_in_words)
}
