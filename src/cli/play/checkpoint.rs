//! `--checkpoint FILE` and `--resume FILE`: what of a series of games survives the job.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use onesided::checkpoint::{Reader, Writer};
use onesided::claim::Entry;
use onesided::game::{self, Resumed, Saving, Snapshot, parse_duration};
use onesided::rma::Comm;
use serde::{Deserialize, Serialize};

use super::args::GameArgs;
use super::{HOME, recording};

/// Value of the field `kind` of the document in a checkpoint of games.
const KIND: &str = "game";

/// What `--checkpoint` and its companions say.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct CheckpointArgs {
    /// Keep what is claimed in this file, so that --resume can go on with it
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Write it so often; at a signal too (SIGUSR1: and go on)
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_interval)]
    checkpoint_every: Duration,
    /// Go on with the games of this checkpoint, on any number of ranks; writes it further unless
    /// --checkpoint names another file
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
}

fn parse_interval(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("it is 0, and writing takes some time".into()),
        interval => Ok(interval),
    }
}

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
}

/// What a checkpoint says to go on with. The same on all ranks.
#[derive(Debug, Clone)]
pub(super) struct Restart {
    document: Document,
    pub(super) snapshot: Snapshot,
}

impl CheckpointArgs {
    /// The file to write.
    pub(super) fn file(&self) -> Option<&Path> {
        self.checkpoint.as_deref().or(self.resume.as_deref())
    }

    /// What to go on with, if anything. Collective; on all ranks the same, or the same failure.
    pub(super) fn restart(
        &self,
        world: &Comm<'_>,
        game: &GameArgs,
    ) -> game::Result<Result<Option<Restart>, String>> {
        let own = match world.rank() {
            HOME => self
                .look(game)
                .map(|restart| restart.map(|restart| restart.to_bytes())),
            _ => Ok(None),
        };
        let (bytes, failure) = match own {
            Ok(bytes) => (bytes, Ok(())),
            Err(why) => (None, Err(why)),
        };
        if let Some(failure) = recording::first_failure(world, failure)? {
            return Ok(Err(failure));
        }
        let bytes = broadcast(world, bytes.unwrap_or_default())?;
        Ok(Ok(Restart::from_bytes(&bytes)))
    }

    /// On the home rank: that the file to be written is not one to be gone on with, and what to go on with.
    fn look(&self, game: &GameArgs) -> Result<Option<Restart>, String> {
        let Some(from) = &self.resume else {
            return match self.file().filter(|file| file.exists()) {
                Some(file) => Err(format!(
                    "{file} is there already: go on with it by --resume {file}, or remove it",
                    file = file.display()
                )),
                None => Ok(None),
            };
        };
        let other = self
            .checkpoint
            .as_ref()
            .filter(|file| *file != from && file.exists());
        if let Some(file) = other {
            return Err(format!(
                "{} is there already, and is not the checkpoint to go on with: remove it, or name \
                 another file for --checkpoint",
                file.display()
            ));
        }
        let restart =
            read(from).map_err(|why| format!("cannot resume from {}: {why}", from.display()))?;
        let document = &restart.document;
        let differs = [
            (
                "digits",
                game.digits.map(u64::from),
                u64::from(document.digits),
            ),
            ("games", game.games, document.games),
            ("seed", game.seed, document.seed),
        ];
        let differing = differs
            .iter()
            .find(|(_, asked, is)| asked.is_some_and(|asked| asked != *is));
        match differing {
            Some((name, Some(asked), is)) => Err(format!(
                "{} has --{name} {is}, and --{name} {asked} was asked for: leave that out",
                from.display()
            )),
            _ => Ok(Some(restart)),
        }
    }

    /// Where the home rank's snapshots go: to a thread that writes them, so that nobody waits for the disk.
    pub(super) fn saving(&self, target: Target) -> game::Result<Saving<'static>> {
        let background = Background::start(target)?;
        Ok(Saving {
            every: self.checkpoint_every,
            write: Box::new(move |snapshot| background.write(snapshot.clone())),
        })
    }
}

/// The file that checkpoints of a run go to.
#[derive(Debug, Clone)]
pub(super) struct Target {
    file: PathBuf,
    /// What its document says, but for game and time.
    document: Document,
}

impl Target {
    pub(super) fn new(file: &Path, series: &game::Series, ranks: u32) -> Self {
        Target {
            file: file.to_owned(),
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
            },
        }
    }

    /// Writes a checkpoint; returns when it is on the disk.
    pub(super) fn write(&self, snapshot: &Snapshot) -> Result<(), String> {
        let document = Document {
            saved: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
            game: snapshot.game,
            ..self.document.clone()
        };
        let n_words = snapshot.entries.len() as u64;
        let written = Writer::create(&self.file, &document, n_words).and_then(|mut writer| {
            writer.words(&words_of(snapshot))?;
            writer.commit()
        });
        written.map_err(|error| {
            format!(
                "cannot write the checkpoint {}: {error}",
                self.file.display()
            )
        })
    }
}

/// A thread that writes snapshots. Where one comes before the one before it was begun, that is left out.
struct Background {
    desk: Arc<(Mutex<Desk>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Desk {
    next: Option<Snapshot>,
    is_over: bool,
}

impl Background {
    fn start(target: Target) -> io::Result<Self> {
        let desk = Arc::<(Mutex<Desk>, Condvar)>::default();
        let shared = Arc::clone(&desk);
        let work = move || {
            let mut has_failed = false;
            while let Some(snapshot) = next(&shared) {
                let outcome = target.write(&snapshot);
                if let Err(why) = &outcome {
                    // Once, until it goes well again.
                    if !has_failed {
                        eprintln!(
                            "onesided: warning: {why}; what is there was written before, and the \
                             game goes on"
                        );
                    }
                }
                has_failed = outcome.is_err();
            }
        };
        let thread = std::thread::Builder::new()
            .name("checkpoints".into())
            .spawn(work)?;
        Ok(Background {
            desk,
            thread: Some(thread),
        })
    }

    fn write(&self, snapshot: Snapshot) {
        let (desk, bell) = &*self.desk;
        lock(desk).next = Some(snapshot);
        bell.notify_one();
    }
}

/// Waits until the last snapshot is on the disk.
impl Drop for Background {
    fn drop(&mut self) {
        let (desk, bell) = &*self.desk;
        lock(desk).is_over = true;
        bell.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // it has no way to fail but a panic, which has ended the job
        }
    }
}

/// The next snapshot to be written; `None` when there will be no more.
fn next((desk, bell): &(Mutex<Desk>, Condvar)) -> Option<Snapshot> {
    let is_idle = |desk: &mut Desk| desk.next.is_none() && !desk.is_over;
    let mut desk = bell
        .wait_while(lock(desk), is_idle)
        .unwrap_or_else(PoisonError::into_inner);
    desk.next.take()
}

fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

fn words_of(snapshot: &Snapshot) -> Vec<u64> {
    let entries = snapshot.entries.iter();
    entries
        .map(|entry| entry.map_or(0, Entry::to_word))
        .collect()
}

fn read(file: &Path) -> Result<Restart, String> {
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
    pub(super) fn is_over(&self) -> bool {
        self.snapshot.game == self.document.games
    }

    /// Digits, games and seed, which are the checkpoint's.
    pub(super) fn series(&self) -> (u32, u64, u64) {
        let Document {
            digits,
            games,
            seed,
            ..
        } = self.document;
        (digits, games, seed)
    }

    /// What was done before.
    pub(super) fn resumed(&self) -> Resumed {
        let scored = (1u32..).zip(&self.snapshot.entries);
        Resumed {
            n_played: self.snapshot.game,
            claimed: scored
                .filter_map(|(digit, entry)| entry.map(|_| digit))
                .collect(),
            n_runs: self.document.runs + 1,
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let document = serde_json::to_vec(&self.document).unwrap_or_default();
        let words = [self.snapshot.game, document.len() as u64];
        let words = words.into_iter().chain(words_of(&self.snapshot));
        let mut bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        bytes.extend(document);
        bytes
    }

    /// `None` of no bytes.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
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

/// The home rank's bytes, on all ranks. Collective.
fn broadcast(world: &Comm<'_>, mut bytes: Vec<u8>) -> game::Result<Vec<u8>> {
    let mut n_bytes = (bytes.len() as u64).to_le_bytes();
    world.broadcast(HOME, &mut n_bytes)?;
    bytes.resize(u64::from_le_bytes(n_bytes) as usize, 0);
    world.broadcast(HOME, &mut bytes)?;
    Ok(bytes)
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
        let cases = [
            (snapshot(1, [Some(2), None, Some(0)]), 1, vec![1, 3]),
            (snapshot(1, [Some(2), Some(0), Some(0)]), 2, vec![]),
            (snapshot(3, [None; 3]), 3, vec![]),
        ];
        for (snapshot, game, claimed) in cases {
            Target::new(&file, &series(3), 4).write(&snapshot).unwrap();
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

    #[test]
    fn a_checkpoint_of_something_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("checkpoint");
        Target::new(&file, &series(3), 4)
            .write(&snapshot(9, [None; 3]))
            .unwrap();
        assert!(read(&file).unwrap_err().contains("none of `onesided play`"));
        let mut writer = Writer::create(&file, &serde_json::json!({"kind": "board"}), 0).unwrap();
        writer.words(&[]).unwrap();
        writer.commit().unwrap();
        assert!(read(&file).is_err());
    }
}
