//! The file: a document that says which games, and a word a digit that says who has scored it.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::checkpoint::{Reader, Writer, previous_of};
use crate::claim::Entry;
use crate::game::{self, Resumed, Snapshot};

/// Value of the field `kind` of the document in a checkpoint of games.
const KIND: &str = "game";

/// How often, and how far apart, a job looks at a file that is another's before it gives it up.
const N_LOOKS: u32 = 5;
const BETWEEN_LOOKS: Duration = Duration::from_millis(400);

/// The document of a checkpoint. The words behind it are the game's ledger, one a digit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Document {
    kind: String,
    onesided: String,
    /// When it was written (UTC, RFC 3339).
    saved: String,
    /// Digits are `1..=digits`.
    digits: u32,
    games: u64,
    seed: u64,
    /// The game that is being played, from 0; `games` after the last.
    game: u64,
    /// How many runs there were before the one that wrote this.
    runs: u32,
    /// Ranks of the run that wrote this.
    ranks: u32,
    /// A random number of the job that wrote this; empty where an earlier version did.
    #[serde(default)]
    job: String,
}

/// What a checkpoint says to go on with. The same on all ranks.
#[derive(Debug, Clone)]
pub(in crate::cli::play) struct Restart {
    document: Document,
    pub(in crate::cli::play) snapshot: Snapshot,
}

/// The file that checkpoints of a run go to.
#[derive(Debug, Clone)]
pub(in crate::cli::play) struct Target {
    file: PathBuf,
    /// What its document says, but for game and time.
    document: Document,
    /// The document that was there before this job wrote its own, if one was.
    resumed: Option<Document>,
}

/// Why a checkpoint was not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli::play) enum NotWritten {
    /// The file is another job's now, and not to be written any more. In words.
    Taken(String),
    /// What the system says, in words.
    Failed(String),
}

impl NotWritten {
    pub(in crate::cli::play) fn in_words(self) -> String {
        let (NotWritten::Taken(why) | NotWritten::Failed(why)) = self;
        why
    }
}

impl Target {
    /// The file of a job of `ranks` ranks that plays `series`, and goes on with `restart` if that is from this
    /// file.
    pub(in crate::cli::play) fn new(
        file: &Path,
        series: &game::Series,
        ranks: u32,
        resumed: Option<&Restart>,
    ) -> Self {
        let job = u64::from(game::draw_seed()) << 32 | u64::from(game::draw_seed());
        Target {
            file: file.to_owned(),
            resumed: resumed.map(|restart| restart.document.clone()),
            document: Document {
                kind: KIND.into(),
                onesided: env!("CARGO_PKG_VERSION").into(),
                saved: String::new(),
                digits: series.n_digits,
                games: series.n_games,
                seed: series.seed,
                game: 0,
                runs: series.resumed.n_runs,
                ranks,
                job: format!("{job:016x}"),
            },
        }
    }

    /// Writes a checkpoint; returns when it is on the disk. Replaces nothing but what this job wrote last, or
    /// what it goes on with.
    ///
    /// Another job may write between the look at the file and its replacement: no file system has one step for
    /// both. That is noticed afterwards, by the file that was replaced, which was kept and gets its name back.
    pub(in crate::cli::play) fn write(&self, snapshot: &Snapshot) -> Result<(), NotWritten> {
        let document = Document {
            saved: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
            game: snapshot.game,
            ..self.document.clone()
        };
        let failed = |error| self.failed(error);
        let n_words = snapshot.entries.len() as u64;
        let mut writer = Writer::create(&self.file, &document, n_words).map_err(failed)?;
        writer.words(&words_of(snapshot)).map_err(failed)?;
        let was_there = self.is_own_soon()?;
        // Of the file that a link leads to.
        let file = fs::canonicalize(&self.file).unwrap_or_else(|_| self.file.clone());
        let previous = previous_of(&file);
        let found = || Reader::meta_of::<Document>(&previous).map_err(|error| error.to_string());
        let before = found();
        writer.commit().map_err(failed)?;
        // Where there was no file, that of an earlier job may have been there all the time.
        let is_as_before = || !was_there && found() == before;
        match self.is_own(&previous) {
            Err(NotWritten::Taken(why)) if !is_as_before() => {
                let _ = fs::rename(&previous, &file); // the other one misses its file where this fails
                return Err(NotWritten::Taken(why));
            }
            _ => {}
        }
        super::has_written(&self.file, &document.saved);
        Ok(())
    }

    /// Whether the file is there; an error if it is another job's, and stays so: one that has replaced it by
    /// mistake puts it back.
    fn is_own_soon(&self) -> Result<bool, NotWritten> {
        let mut looks = 1;
        loop {
            match self.is_own(&self.file) {
                Err(_) if looks < N_LOOKS => std::thread::sleep(BETWEEN_LOOKS),
                found => return found,
            }
            looks += 1;
        }
    }

    /// Whether `file`, the checkpoint or the one before it, is there; an error if it is not what this job wrote
    /// or goes on with, or cannot be read.
    fn is_own(&self, file: &Path) -> Result<bool, NotWritten> {
        if !file.try_exists().map_err(|error| self.failed(error))? {
            return Ok(false);
        }
        match Reader::meta_of::<Document>(file) {
            Ok(found) if found.job == self.document.job => Ok(true),
            Ok(found) if Some(&found) == self.resumed.as_ref() => Ok(true),
            Ok(_) => Err(self.taken()),
            // What was read and is no checkpoint is another job's too.
            Err(error) if error.kind() == ErrorKind::InvalidData => Err(self.taken()),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn taken(&self) -> NotWritten {
        NotWritten::Taken(format!(
            "{} is no longer what this job wrote or resumed: another job has written it meanwhile",
            self.file.display()
        ))
    }

    fn failed(&self, error: io::Error) -> NotWritten {
        NotWritten::Failed(format!(
            "cannot write the checkpoint {}: {error}",
            self.file.display()
        ))
    }

    /// Removes the file where this job has made it, for a job that ends before its first game.
    pub(in crate::cli::play) fn take_back(&self) {
        if self.resumed.is_none() && self.is_own(&self.file) == Ok(true) {
            let _ = fs::remove_file(&self.file); // it says that nothing is claimed, and harms nobody
        }
    }
}

fn words_of(snapshot: &Snapshot) -> Vec<u64> {
    let entries = snapshot.entries.iter();
    entries
        .map(|entry| entry.map_or(0, Entry::to_word))
        .collect()
}

pub(super) fn read(file: &Path) -> Result<Restart, String> {
    let reader = Reader::open(file)?;
    let document: Document = reader.meta()?;
    let limits =
        (1..=1_000_000).contains(&document.digits) && (1..=1_000_000_000).contains(&document.games);
    let fits = reader.n_words() == u64::from(document.digits) && document.game <= document.games;
    if document.kind != KIND || !limits || !fits {
        return Err("it is a checkpoint, and none of `onesided play`".into());
    }
    let mut entries = Vec::with_capacity(document.digits as usize);
    let mut strange = None;
    reader.for_each_piece(|_, words| {
        for &word in words {
            let entry = Entry::from_word(word);
            if entry.is_none() && word != 0 {
                strange = Some(word);
            }
            entries.push(entry);
        }
    })?;
    if let Some(word) = strange {
        return Err(format!("{word:#x} is no entry of a ledger"));
    }
    let mut restart = Restart {
        snapshot: Snapshot {
            game: document.game,
            entries,
        },
        document,
    };
    restart.skip_what_is_over();
    Ok(restart)
}

impl Restart {
    /// A game of which all digits are claimed is over: the next is to be played.
    fn skip_what_is_over(&mut self) {
        let snapshot = &mut self.snapshot;
        if snapshot.game < self.document.games && snapshot.entries.iter().all(Option::is_some) {
            snapshot.game += 1;
            snapshot.entries.fill(None);
        }
    }

    /// Whether there is nothing left to play.
    pub(in crate::cli::play) fn is_over(&self) -> bool {
        self.snapshot.game == self.document.games
    }

    /// Digits, games and seed, which are the checkpoint's.
    pub(in crate::cli::play) fn series(&self) -> (u32, u64, u64) {
        let Document {
            digits,
            games,
            seed,
            ..
        } = self.document;
        (digits, games, seed)
    }

    /// What was done before.
    pub(in crate::cli::play) fn resumed(&self) -> Resumed {
        let scored = (1u32..).zip(&self.snapshot.entries);
        Resumed {
            n_played: self.snapshot.game,
            claimed: scored
                .filter_map(|(digit, entry)| entry.map(|_| digit))
                .collect(),
            n_runs: self.document.runs + 1,
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let document = serde_json::to_vec(&self.document).unwrap_or_default();
        let words = [self.snapshot.game, document.len() as u64];
        let words = words.into_iter().chain(words_of(&self.snapshot));
        let mut bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        bytes.extend(document);
        bytes
    }

    /// `None` of no bytes.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let n_bytes = bytes.len().checked_sub(word(8)? as usize)?;
        let document = serde_json::from_slice(&bytes[n_bytes..]).ok()?;
        let entries = (16..n_bytes)
            .step_by(8)
            .map(|at| Entry::from_word(word(at).unwrap_or(0)));
        Some(Restart {
            document,
            snapshot: Snapshot {
                game: word(0)?,
                entries: entries.collect(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(n_games: u64) -> game::Series {
        game::Series {
            n_digits: 3,
            n_games,
            seed: 7,
            ..game::Series::default()
        }
    }

    fn snapshot(game: u64, ranks: [Option<i32>; 3]) -> Snapshot {
        let entry = |rank: Option<i32>| {
            rank.map(|rank| Entry {
                rank,
                earlier: false,
            })
        };
        Snapshot {
            game,
            entries: ranks.map(entry).to_vec(),
        }
    }

    #[test]
    fn what_is_written_is_read_on_every_rank_and_a_game_that_is_over_is_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("checkpoint");
        let target = Target::new(&file, &series(3), 4, None);
        let cases = [
            (snapshot(1, [Some(2), None, Some(0)]), 1, vec![1, 3]),
            (snapshot(1, [Some(2), Some(0), Some(0)]), 2, vec![]),
            (snapshot(3, [None; 3]), 3, vec![]),
        ];
        for (snapshot, game, claimed) in cases {
            target.write(&snapshot).unwrap();
            let read = read(&file).unwrap();
            let restart = Restart::from_bytes(&read.to_bytes()).unwrap();
            assert_eq!(restart.document, read.document);
            assert_eq!(restart.snapshot, read.snapshot);
            assert_eq!(restart.is_over(), game == 3);
            let resumed = restart.resumed();
            assert_eq!(
                (resumed.n_played, resumed.claimed, resumed.n_runs),
                (game, claimed, 1)
            );
        }
        assert!(Restart::from_bytes(&[]).is_none());
    }

    /// A disk that fails is no other job.
    #[test]
    fn what_cannot_be_read_is_not_taken_for_another_job_s() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("checkpoint");
        let target = Target::new(&file, &series(3), 4, None);
        target.write(&snapshot(0, [None; 3])).unwrap();
        assert_eq!(target.is_own(&file), Ok(true));
        // Nothing is mapped at 0, so that reading there is an I/O error.
        for unreadable in [Path::new("/proc/self/mem"), &file.join("beneath a file")] {
            let found = target.is_own(unreadable);
            let is_failure =
                matches!(&found, Err(NotWritten::Failed(why)) if why.contains("(os error"));
            assert!(is_failure, "{found:?}");
        }
        let other = folder.path().join("other");
        for text in ["no checkpoint", ""] {
            fs::write(&other, text).unwrap();
            assert!(matches!(target.is_own(&other), Err(NotWritten::Taken(_))));
        }
        // A directory was written by no job.
        let found = target.is_own(folder.path());
        let is_failure =
            matches!(&found, Err(NotWritten::Failed(why)) if why.contains("it is no file"));
        assert!(is_failure, "{found:?}");
    }

    #[test]
    fn only_what_a_job_wrote_or_resumed_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("checkpoint");
        let nothing = snapshot(0, [None; 3]);
        let new = |resumed| Target::new(&file, &series(3), 4, resumed);
        let is_taken = |target: &Target| {
            let before = fs::read(&file).unwrap();
            let outcome = target.write(&nothing);
            assert!(matches!(outcome, Err(NotWritten::Taken(_))), "{outcome:?}");
            assert_eq!(fs::read(&file).unwrap(), before);
        };

        let [first, second] = [new(None), new(None)];
        first.write(&nothing).unwrap();
        first.write(&snapshot(1, [None; 3])).unwrap();
        is_taken(&second);
        second.take_back();
        assert!(file.exists(), "it is not the second's");

        // Two go on with it: the one that writes first has it.
        let restart = read(&file).unwrap();
        let [third, fourth] = [new(Some(&restart)), new(Some(&restart))];
        third.write(&nothing).unwrap();
        third.write(&nothing).unwrap();
        is_taken(&fourth);
        is_taken(&first);

        // What is no checkpoint is nobody's, and a file that is gone is made again.
        fs::write(&file, "something else").unwrap();
        is_taken(&third);
        fs::remove_file(&file).unwrap();
        third.write(&nothing).unwrap();
        third.take_back();
        assert!(file.exists(), "an earlier job's work");
        let fifth = Target::new(&folder.path().join("new"), &series(3), 4, None);
        fifth.write(&nothing).unwrap();
        fifth.take_back();
        assert!(!folder.path().join("new").exists());
    }

    #[test]
    fn a_checkpoint_of_something_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("checkpoint");
        let target = Target::new(&file, &series(3), 4, None);
        target.write(&snapshot(9, [None; 3])).unwrap();
        assert!(read(&file).unwrap_err().contains("none of `onesided play`"));
        let mut writer = Writer::create(&file, &serde_json::json!({"kind": "board"}), 0).unwrap();
        writer.words(&[]).unwrap();
        writer.commit().unwrap();
        assert!(read(&file).is_err());
    }
}
