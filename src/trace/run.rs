//! `run.json`: what a run's folder says of the run as a whole.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::clock::Clocks;
use super::progress::ProgressInfo;
use super::record::{Outcome, Record};

/// Name of the file in a run's folder.
pub const RUN_FILE: &str = "run.json";

/// Value of the field `format` that this version writes and reads.
pub const RUN_FORMAT: &str = "onesided-run/2";

/// Largest `run.json` that is read: one of [`MAX_RANKS`] fits.
const MAX_RUN_BYTES: u64 = 1 << 28;

/// Runs of more ranks are refused: memory grows with them.
const MAX_RANKS: u32 = 1_000_000;

/// Runs of more digits are refused, as `onesided play` does: memory grows with them too.
const MAX_DIGITS: u32 = 1_000_000;

/// Which version of the game was played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Version {
    /// One-sided: claims by RMA, no collective in the game.
    Rma,
    /// Collective: an allreduce on every guess.
    Collective,
}

impl Version {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Version::Rma => "one-sided",
            Version::Collective => "collective",
        }
    }
}

/// What recording itself costs, measured on rank 0 before the first game.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct TracerCost {
    /// Median cost of a record, in nanoseconds: the event, and its way into the file.
    pub record_ns: f64,
    /// Median cost of reading the clock, in nanoseconds; an unrecorded game reads it as often.
    pub clock_ns: f64,
}

/// A game that an earlier run had begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumedGame {
    /// Its number, from 0.
    pub game: u64,
    /// The digits that were claimed before this run, in ascending order: no record says by whom.
    pub digits: Vec<u32>,
}

/// A run: what was played by whom, where, with what, on which clocks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// [`RUN_FORMAT`].
    pub format: String,
    /// Version of the program that wrote this.
    pub onesided: String,
    /// The run's number, in hexadecimal; the same in every rank's file.
    pub run_id: String,
    pub version: Version,
    /// How digits were claimed; `None` for the collective version.
    pub claim_with: Option<String>,
    /// How digits were guessed, where not uniformly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guess: Option<String>,
    /// Whether a guess that was known to be lost cost no operation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skip_known: bool,
    /// Whether the claims were spread over all ranks' memory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub spread: bool,
    /// The game that this run has resumed from a checkpoint, if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed: Option<ResumedGame>,
    /// The command line, as rank 0 saw it.
    pub command: Vec<String>,
    /// When it started (UTC, RFC 3339), by rank 0's wall clock.
    pub started: String,
    /// When it ended; `None` until then, so also where it was cut short.
    pub ended: Option<String>,
    /// Name of the signal that ended it before its last game was over, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interrupted: Option<String>,
    pub ranks: u32,
    /// The rank whose memory holds the claims, or the first where they are spread.
    pub home: u32,
    /// Digits were `1..=digits`.
    pub digits: u32,
    pub games: u64,
    /// Seed of the random streams.
    pub seed: u64,
    /// Think time as it was asked for, in words.
    pub think: String,
    /// Name and version of the MPI library.
    pub mpi_library: String,
    /// Who makes progress on one-sided operations while the home rank is outside MPI; `None` for the
    /// collective version.
    pub progress: Option<ProgressInfo>,
    /// For each rank its host.
    pub hosts: Vec<String>,
    /// For each rank its node: ranks of one node share memory.
    pub nodes: Vec<u32>,
    pub clocks: Clocks,
    /// What recording costs.
    pub tracer: TracerCost,
    /// Whether a rank's file could not be mapped into memory, and its records were copied to it
    /// every `WRITE_OUT_EVERY`: a rank that was killed lost the last of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unmapped: bool,
}

impl RunInfo {
    /// Reads `run.json` of a run's folder.
    ///
    /// # Errors
    /// What is wrong with it, in one line for the user.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let path = folder.join(RUN_FILE);
        let bytes = read_up_to(MAX_RUN_BYTES, &path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                format!("it has no {RUN_FILE}, so it is no folder of `onesided play --trace`")
            }
            _ => format!("{RUN_FILE}: {error}"),
        })?;
        text_of(&bytes)
            .and_then(|text| Self::from_json(&text))
            .map_err(|why| format!("{RUN_FILE}: {why}"))
    }

    /// Reads the document and checks that it is one that this program can have written.
    ///
    /// # Errors
    /// What is wrong with it, in one line for the user.
    pub fn from_json(text: &str) -> Result<Self, String> {
        check_format(text, RUN_FORMAT)?;
        let run: RunInfo = serde_json::from_str(text).map_err(|error| error.to_string())?;
        run.check()?;
        Ok(run)
    }

    fn check(&self) -> Result<(), String> {
        if self.ranks == 0 || self.digits == 0 || self.games == 0 {
            return Err("a run has at least one rank, one digit and one game".into());
        }
        if self.ranks > MAX_RANKS || self.digits > MAX_DIGITS {
            return Err(format!(
                "it has {} ranks and {} digits; at most {MAX_RANKS} and {MAX_DIGITS} are read",
                self.ranks, self.digits
            ));
        }
        let of_ranks = [self.hosts.len(), self.nodes.len()];
        if of_ranks != [self.ranks as usize; 2] || self.home >= self.ranks {
            return Err("'hosts', 'nodes' and 'home' do not go with the number of ranks".into());
        }
        let costs = [self.tracer.record_ns, self.tracer.clock_ns];
        if !costs.iter().all(|cost_ns| (0.0..1e9).contains(cost_ns)) {
            return Err("the cost of recording is negative or absurd".into());
        }
        self.run_number()?;
        self.clocks.check(self.ranks)
    }

    /// The run's number, as the files of the ranks have it.
    ///
    /// # Errors
    /// If `run_id` is no number.
    pub fn run_number(&self) -> Result<u64, String> {
        u64::from_str_radix(&self.run_id, 16)
            .map_err(|_| format!("run_id '{}' is no hexadecimal number", self.run_id))
    }

    pub fn n_nodes(&self) -> usize {
        self.nodes.iter().collect::<BTreeSet<_>>().len()
    }

    /// Whether two ranks shared a node.
    pub fn share_a_node(&self, a: u32, b: u32) -> bool {
        self.nodes.get(a as usize) == self.nodes.get(b as usize)
    }

    /// The ranks whose memory holds claims.
    pub fn homes(&self) -> std::ops::Range<u32> {
        match self.spread {
            true => 0..self.ranks,
            false => self.home..self.home + 1,
        }
    }

    /// The rank whose memory a claim of `digit` operates on; a guess of 0 looks at the first word there is,
    /// or at a counter, which are [`home`](RunInfo::home)'s.
    fn home_of(&self, digit: u32) -> u32 {
        const DIGITS_OF_A_WORD: u32 = 64;
        let word = match self.claim_with.as_deref() {
            Some("compare-and-swap") => digit.saturating_sub(1),
            _ => digit.saturating_sub(1) / DIGITS_OF_A_WORD,
        };
        match self.spread {
            true => ((u64::from(self.home) + u64::from(word)) % u64::from(self.ranks)) as u32,
            false => self.home,
        }
    }

    /// The rank whose memory the operation of `record` is on: that of its claim, or of the ledger in which it is
    /// announced, which is [`home`](RunInfo::home).
    pub fn target_of(&self, record: &Record) -> u32 {
        match record.outcome {
            Outcome::Announced => self.home,
            _ => self.home_of(record.item),
        }
    }

    pub fn n_hosts(&self) -> usize {
        let mut hosts: Vec<&str> = self.hosts.iter().map(String::as_str).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts.len()
    }
}

/// Whether a text is a JSON document of this format. What else is in it takes no memory here.
///
/// # Errors
/// If it is none, in one line for the user.
pub(crate) fn check_format(text: &str, format: &str) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Document {
        format: Option<String>,
    }
    serde_json::from_str::<IgnoredAny>(text)
        .map_err(|error| format!("not a JSON document ({error})"))?;
    let document = serde_json::from_str(text).unwrap_or(Document { format: None });
    match document.format {
        Some(found) if found == format => Ok(()),
        Some(other) => Err(format!(
            "format '{other}', and this program reads '{format}'"
        )),
        None => Err("it has no field 'format'".into()),
    }
}

/// Reads a file of up to `max_bytes`. Its length is not asked for: pipes and devices have none.
///
/// # Errors
/// If it cannot be read, or is longer.
pub fn read_up_to(max_bytes: u64, path: &Path) -> std::io::Result<Vec<u8>> {
    read_from_up_to(max_bytes, &mut std::fs::File::open(path)?)
}

/// [`read_up_to`] from a file that is open.
///
/// # Errors
/// If it cannot be read, or is longer.
pub(crate) fn read_from_up_to(
    max_bytes: u64,
    file: &mut std::fs::File,
) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(max_bytes + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > max_bytes {
        true => Err(std::io::Error::other(format!(
            "it has more than {max_bytes} bytes, too many"
        ))),
        false => Ok(bytes),
    }
}

/// The text that bytes are, without the mark that some editors put before it, and with what is not UTF-8
/// replaced.
///
/// # Errors
/// In one line for the user, where it is text in UTF-16, such as the output that Windows PowerShell redirects.
pub fn text_of(bytes: &[u8]) -> Result<Cow<'_, str>, String> {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    let encoding = match bytes {
        [0xff, 0xfe, ..] => "UTF-16LE",
        [0xfe, 0xff, ..] => "UTF-16BE",
        // The first two characters, where there is no mark: plain ones, as all that is read begins with.
        [1..=255, 0, 1..=255, 0, ..] => "UTF-16LE",
        [0, 1..=255, 0, 1..=255, ..] => "UTF-16BE",
        _ => {
            return Ok(String::from_utf8_lossy(
                bytes.strip_prefix(MARK).unwrap_or(bytes),
            ));
        }
    };
    Err(format!(
        "it is text in {encoding}, and UTF-8 is read: `iconv -f {encoding} -t UTF-8` converts it"
    ))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A run of `ranks` ranks on one host.
    pub(crate) fn run(version: Version, ranks: u32) -> RunInfo {
        RunInfo {
            format: RUN_FORMAT.into(),
            onesided: "0.1.0".into(),
            run_id: "2a".into(),
            version,
            claim_with: (version == Version::Rma).then(|| "fetch-and-op".into()),
            guess: None,
            skip_known: false,
            spread: false,
            resumed: None,
            command: vec!["onesided".into(), "play".into()],
            started: "2026-11-23T00:00:00Z".into(),
            ended: Some("2026-11-23T00:00:01Z".into()),
            interrupted: None,
            ranks,
            home: 0,
            digits: 9,
            games: 1,
            seed: 7,
            think: "1ms".into(),
            mpi_library: "Open MPI 4.1.4".into(),
            progress: None,
            hosts: vec!["node1".into(); ranks as usize],
            nodes: vec![0; ranks as usize],
            clocks: Clocks::one("node1", ranks),
            tracer: TracerCost::default(),
            unmapped: false,
        }
    }

    #[test]
    fn a_document_is_read_as_it_was_written_and_a_broken_one_is_refused_in_one_line() {
        let good = run(Version::Rma, 2);
        let text = serde_json::to_string(&good).unwrap();
        assert_eq!(RunInfo::from_json(&text).unwrap(), good);
        for (from, to, why) in [
            ("{", "", "not a JSON document"),
            ("onesided-run/2", "onesided-run/9", "reads 'onesided-run/2'"),
            ("\"format\"", "\"fromat\"", "no field 'format'"),
            ("\"ranks\":2", "\"ranks\":3", "do not go with"),
            ("\"digits\":9", "\"digits\":0", "at least one"),
            ("\"digits\":9", "\"digits\":4294967295", "at most"),
            ("\"ranks\":2", "\"ranks\":4294967295", "at most"),
            ("\"onesided-run/2\"", "7", "no field 'format'"),
            ("\"2a\"", "\"xyz\"", "no hexadecimal"),
            ("\"of_rank\":[0,0]", "\"of_rank\":[0,1]", "lacks a clock"),
            ("\"record_ns\":0.0", "\"record_ns\":-1", "negative"),
            ("\"seed\":7,", "", "missing field `seed`"),
        ] {
            let broken = text.replacen(from, to, 1);
            assert_ne!(broken, text, "{from}");
            let error = RunInfo::from_json(&broken).unwrap_err();
            assert!(error.contains(why) && !error.contains('\n'), "{error}");
        }
    }
}
