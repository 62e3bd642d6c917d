//! Text to statements: whole ones, and the pieces of cut ones.

use super::LogError;
use super::statement::{Beginning, Statement, begin, rests};

/// The words that end a statement.
const LAST_WORDS: [&str; 3] = ["points", "scores!", "guesses"];

/// A piece of a cut statement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    /// Where it starts in the text.
    pub place: usize,
    /// The piece; empty once it is used.
    pub text: &'a [u8],
    /// Bytes at the cut that may as well belong to what is printed next to it.
    pub n_unsure: usize,
}

/// All of a text that concerns the game.
#[derive(Debug, Default)]
pub(super) struct Pieces<'a> {
    /// Whole statements in the order of the text.
    pub statements: Vec<Statement>,
    /// Beginnings of statements that break off.
    pub heads: Vec<Piece<'a>>,
    /// Texts that may be the rest of a head.
    pub tails: Vec<Piece<'a>>,
}

impl<'a> Pieces<'a> {
    /// Takes a text apart, in one pass: no statement contains the letter that another begins with.
    pub fn of(text: &'a [u8]) -> Result<Self, LogError> {
        let mut pieces = Pieces::default();
        let (mut from, mut at, mut n_unsure) = (0, 0, 0);
        while let Some(skipped) = text[at..].iter().position(|byte| *byte == b'k') {
            at += skipped;
            let (len, unsure) = match begin(&text[at..])? {
                Beginning::Whole(statement, len) => {
                    pieces.statements.push(statement);
                    (len, 0)
                }
                Beginning::Head(len) if text[..at].ends_with(b"ran") => {
                    let head = Piece::head(at, &text[at..], len);
                    pieces.heads.push(head);
                    (head.text.len(), head.n_unsure)
                }
                Beginning::Head(_) => {
                    at += 1;
                    continue;
                }
            };
            pieces.add_tails(&text[..at], from - n_unsure, n_unsure);
            at += len;
            (from, n_unsure) = (at, unsure);
        }
        pieces.add_tails(text, from - n_unsure, n_unsure);
        Ok(pieces)
    }

    /// A block starts at a line's start, or right after what the block before it ends with.
    fn add_tails(&mut self, text: &'a [u8], mut place: usize, mut n_unsure: usize) {
        for line in text[place..].split(|byte| matches!(byte, b'\n' | b'\r')) {
            let text = without_start_of_line(line);
            if text.len() < line.len() {
                n_unsure = 0;
            }
            let tail = Piece {
                place,
                text,
                n_unsure,
            };
            if tail.has_last_word() || tail.is_rest_of_last_word() {
                self.tails.push(tail);
            }
            place += line.len() + 1;
            n_unsure = 0;
        }
    }
}

impl<'a> Piece<'a> {
    /// The first `len` bytes of a text, as far as they can be a head.
    fn head(place: usize, text: &'a [u8], len: usize) -> Self {
        /// More digits of a time, or of the rest of a number, seldom follow a head.
        const DIGITS: usize = 6;
        let (text, after) = text.split_at(len);
        let digits = text.iter().rev().take(DIGITS);
        let n_unsure = match (
            digits.take_while(|byte| byte.is_ascii_digit()).count(),
            after.first(),
        ) {
            (_, None | Some(b'\n' | b'\r')) => 0,
            (0, _) => 1,
            (n_digits, Some(b' ' | b';' | b'.' | b':')) => n_digits,
            _ => 0,
        };
        Piece {
            place,
            text,
            n_unsure,
        }
    }

    pub fn has_last_word(&self) -> bool {
        let has = |word: &&str| {
            self.text
                .windows(word.len())
                .any(|part| part == word.as_bytes())
        };
        LAST_WORDS.iter().any(has)
    }

    /// Whether it begins with what a statement ends with, as the rest of a cut one does: not just any text with
    /// such words, such as the summary that follows a game.
    pub fn is_rest(&self) -> bool {
        // What is printed next begins with no blank, be it a line or another rank's block.
        let is_rest = |text: &[u8]| rests(text).any(|len| text.get(len) != Some(&b' '));
        (0..=self.n_unsure.min(self.text.len())).any(|n| is_rest(&self.text[n..]))
    }

    fn is_rest_of_last_word(&self) -> bool {
        let starts = |text: &[u8], word: &str| {
            (1..word.len()).any(|n| text.starts_with(&word.as_bytes()[n..]))
        };
        let mut starts_at = 0..=self.n_unsure;
        starts_at.any(|n| LAST_WORDS.iter().any(|word| starts(&self.text[n..], word)))
    }

    /// The statements that this head and a tail can make.
    pub fn join(self, tail: Self) -> impl Iterator<Item = Statement> + use<'a> {
        let heads = (0..=self.n_unsure).map(move |n| &self.text[..self.text.len() - n]);
        let tails = move || (0..=tail.n_unsure).map(move |n| &tail.text[n..]);
        heads.flat_map(move |head| tails().filter_map(move |tail| join(head, tail)))
    }

    /// Takes it out, for it is part of a statement now.
    pub fn take(&mut self) {
        (self.text, self.n_unsure) = (&[], 0);
    }
}

/// What follows the first bytes of another rank's line, if that was cut within "12.34: ran".
fn without_start_of_line(line: &[u8]) -> &[u8] {
    let is_of_time = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let n_time = line.iter().take_while(|byte| is_of_time(byte)).count();
    let line = line[n_time..]
        .strip_prefix(b": ")
        .filter(|_| n_time > 0)
        .unwrap_or(line);
    // "res!" is the end of a score.
    let starts: [&[u8]; 3] = [b"ran", b"ra", b"r"];
    let start = starts
        .iter()
        .find(|start| line.starts_with(start) && !line.starts_with(b"res!"));
    &line[start.map_or(0, |start| start.len())..]
}

/// Joins a head and a tail, if that makes a whole statement.
fn join(head: &[u8], tail: &[u8]) -> Option<Statement> {
    /// No statement with numbers of 20 digits is longer.
    const LONGEST: usize = 128;
    if head.len() > LONGEST {
        return None;
    }
    let text = [head, &tail[..tail.len().min(LONGEST)]].concat();
    match begin(&text) {
        // A statement that the head alone could not end ends in the tail.
        Ok(Beginning::Whole(statement, _)) => Some(statement),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::statement::Said;
    use super::*;

    fn guess(rank: u64, digit: u64, guess: u64, points: u64) -> Statement {
        let said = Said::Guess {
            guess,
            digit,
            points,
        };
        (rank, said)
    }

    #[test]
    fn statements_are_found_wherever_they_stand_in_a_line() {
        let text = "12.34: rank 0 guessed 3 on guess 1; has 0 pointsrank0 guess1 scores!\r\n\n\u{fffd}\
                    WARNING rank [host:1] 4.5: rank 0 got 1 points with 1 guesses. Task 7 ended";
        let pieces = Pieces::of(text.as_bytes()).unwrap();
        let said = [
            guess(0, 3, 1, 0),
            (0, Said::Score { guess: 1 }),
            (
                0,
                Said::Final {
                    points: 1,
                    guesses: 1,
                },
            ),
        ];
        assert_eq!(pieces.statements, said);
        assert_eq!(
            pieces
                .heads
                .iter()
                .map(|head| head.text)
                .collect::<Vec<_>>(),
            [b"k "]
        );
        assert!(pieces.tails.is_empty(), "{:?}", pieces.tails);
    }

    #[test]
    fn a_statement_cut_anywhere_is_joined_again() {
        for line in [
            "rank 12 guessed 34 on guess 56; has 78 points",
            "rank12 guess34 scores!",
            "rank 12 got 34 points with 56 guesses",
        ] {
            let whole = Pieces::of(line.as_bytes()).unwrap().statements;
            for cut in 1..line.len() {
                let other = "rank 3 guessed 4 on guess 1; has 0 points";
                let text = format!("{}{other}\n{}\n", &line[..cut], &line[cut..]);
                let pieces = Pieces::of(text.as_bytes()).unwrap();
                let mut found: Vec<Statement> = Vec::new();
                for head in &pieces.heads {
                    found.extend(pieces.tails.iter().flat_map(|tail| head.join(*tail)));
                }
                if cut < 4 {
                    found = pieces.statements[1..].to_vec();
                }
                assert_eq!(found, whole, "{text}");
            }
        }
    }
}
