//! The three statements of the game, and how to read one.

use super::LogError;

/// Statements as printed, `#` being a number. They begin with the last letter of "rank": if the cut
/// goes through that word, the rest of the statement still says all.
const SHAPES: [&str; 3] = [
    "k # guessed # on guess #; has # points",
    "k# guess# scores!",
    "k # got # points with # guesses",
];

/// What a rank can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// The number of a guess, its digit, and the points before it.
    Guess {
        guess: u64,
        digit: u64,
        points: u64,
    },
    Score {
        guess: u64,
    },
    Final {
        points: u64,
        guesses: u64,
    },
}

impl Said {
    /// Whether the numbers can be those of one statement: a guess scores one point at most.
    pub fn is_possible(self) -> bool {
        match self {
            Said::Guess { guess, points, .. } => points < guess,
            Said::Score { guess } => guess > 0,
            Said::Final { points, guesses } => points <= guesses,
        }
    }
}

/// A rank, not yet held against the limit, and what it says.
pub(super) type Statement = (u64, Said);

/// What a text begins with.
pub(super) enum Beginning {
    /// A whole statement, of that many bytes.
    Whole(Statement, usize),
    /// The first bytes of a statement.
    Head(usize),
}

/// The longest beginning of a text that is one of a statement, maybe whole.
pub(super) fn begin(text: &[u8]) -> Result<Beginning, LogError> {
    let mut longest = 0;
    for (index, shape) in SHAPES.iter().enumerate() {
        let (len, numbers) = fit(shape.as_bytes(), text);
        longest = longest.max(len);
        let Some(numbers) = numbers else { continue };
        let (rank, said) = match (index, numbers) {
            (0, [Some(rank), Some(digit), Some(guess), Some(points)]) => {
                let said = Said::Guess {
                    guess,
                    digit,
                    points,
                };
                (rank, said)
            }
            (1, [Some(rank), Some(guess), ..]) => (rank, Said::Score { guess }),
            (2, [Some(rank), Some(points), Some(guesses), _]) => {
                (rank, Said::Final { points, guesses })
            }
            _ => {
                let start = String::from_utf8_lossy(&text[..len.min(60)]);
                return Err(LogError::NumberTooLarge(format!("ran{start}")));
            }
        };
        return Ok(Beginning::Whole((rank, said), len));
    }
    Ok(Beginning::Head(longest))
}

/// How long the rests of statements are that a text begins with: ends of them, their last word included.
pub(super) fn rests(text: &[u8]) -> impl Iterator<Item = usize> {
    SHAPES.iter().flat_map(move |shape| {
        let last_word = shape.rfind(' ').map_or(0, |blank| blank + 1);
        (1..=last_word).filter_map(move |cut| match fit(&shape.as_bytes()[cut..], text) {
            (len, Some(_)) => Some(len),
            _ => None,
        })
    })
}

/// How many bytes of a text have a shape, and the numbers in it if it is whole (`None` for a number
/// beyond 64 bits; 0 where the shape has fewer).
fn fit(shape: &[u8], text: &[u8]) -> (usize, Option<[Option<u64>; 4]>) {
    let (mut at, mut n, mut numbers) = (0, 0, [Some(0); 4]);
    for expected in shape {
        let rest = &text[at..];
        if *expected == b'#' {
            let end = rest.iter().position(|byte| !byte.is_ascii_digit());
            let digits = &rest[..end.unwrap_or(rest.len())];
            if digits.is_empty() {
                return (at, None);
            }
            numbers[n] = digits.iter().try_fold(0u64, |value, byte| {
                value.checked_mul(10)?.checked_add(u64::from(byte - b'0'))
            });
            n += 1;
            at += digits.len();
        } else if rest.first() == Some(expected) {
            at += 1;
        } else {
            return (at, None);
        }
    }
    (at, Some(numbers))
}
