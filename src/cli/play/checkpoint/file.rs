//! The file: a document that says which games, and a word a digit that says who has scored it.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use onesided::checkpoint::{Reader, Writer};
use onesided::claim::Entry;
use onesided::game::{self, Resumed, Snapshot};
use serde::{Deserialize, Serialize};

/// Value of the field `kind` of the document in a checkpoint of games.
const KIND: &str = "game";

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
}

impl Target {
    pub(in crate::cli::play) fn new(file: &Path, series: &game::Series, ranks: u32) -> Self {
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
    pub(in crate::cli::play) fn write(&self, snapshot: &Snapshot) -> Result<(), String> {
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
