//! What the checkpoint of a game says.

use std::collections::BTreeMap;
use std::path::Path;

use onesided::checkpoint::Reader;
use onesided::internals::claim::Entry;

/// A checkpoint, as a test looks at it.
pub struct Kept {
    /// Whether all games are played.
    pub is_over: bool,
    /// How many digits there are.
    pub n_digits: u64,
    /// Who has scored which.
    pub entries: BTreeMap<u32, Entry>,
}

/// Reads the checkpoint of a game.
pub fn read(file: &Path) -> Result<Kept, String> {
    let reader = Reader::open(file)?;
    let document: serde_json::Value = reader.meta()?;
    let mut entries = BTreeMap::new();
    reader.for_each_piece(|first, words| {
        let words = (first as u32 + 1..)
            .zip(words)
            .filter(|&(_, &word)| word != 0);
        entries
            .extend(words.map(|(digit, &word)| (digit, Entry::from_word(word).expect("an entry"))));
    })?;
    Ok(Kept {
        is_over: document["game"] == document["games"],
        n_digits: reader.n_words(),
        entries,
    })
}
