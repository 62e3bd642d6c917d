//! From text to tokens.

use std::cmp::Ordering::{Equal, Greater, Less};

use super::{Arithmetic, Comparison, Name};

/// What a word or a symbol is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Number(f64),
    Name(Name),
    Compare(Comparison),
    Arithmetic(Arithmetic),
    And,
    Or,
    Not,
    Open,
    Close,
    End,
    /// No token, and why: an error once the parser comes to it, so that the first is reported.
    Bad(String),
}

/// Symbols and what they mean, a longer one before its own beginning.
static SYMBOLS: [(&str, Token); 15] = [
    ("<=", Token::Compare(("<=", &[Less, Equal]))),
    (">=", Token::Compare((">=", &[Greater, Equal]))),
    ("==", Token::Compare(("==", &[Equal]))),
    ("!=", Token::Compare(("!=", &[Less, Greater]))),
    ("<", Token::Compare(("<", &[Less]))),
    (">", Token::Compare((">", &[Greater]))),
    ("&&", Token::And),
    ("||", Token::Or),
    ("!", Token::Not),
    ("(", Token::Open),
    (")", Token::Close),
    ("+", Token::Arithmetic(Arithmetic::Add)),
    ("-", Token::Arithmetic(Arithmetic::Subtract)),
    ("*", Token::Arithmetic(Arithmetic::Multiply)),
    ("/", Token::Arithmetic(Arithmetic::Divide)),
];

/// From the number that stands before a unit to its value.
type Conversion = fn(f64) -> f64;

/// Units and what they make of a number. They divide, because 1 / 1000 is rounded and 100 / 1000 is
/// the same as 0.1.
static UNITS: [(&str, Conversion); 8] = [
    ("", |number| number),
    ("ns", |number| number / 1e9),
    ("us", |number| number / 1e6),
    ("ms", |number| number / 1e3),
    ("s", |number| number),
    ("min", |number| number * 60.0),
    ("h", |number| number * 3600.0),
    ("%", |number| number / 100.0),
];

/// A token, how it is written, and its column.
pub(super) struct Lexeme<'a> {
    pub(super) token: Token,
    pub(super) written: &'a str,
    /// In characters from 1.
    pub(super) column: usize,
}

/// The tokens of a text: the last, and no other, is [`Token::End`] or [`Token::Bad`].
pub(super) fn lexemes(text: &str) -> Vec<Lexeme<'_>> {
    let (mut rest, mut column) = (text, 1);
    let mut lexemes = Vec::new();
    loop {
        let trimmed = rest.trim_start();
        column += rest[..rest.len() - trimmed.len()].chars().count();
        let (token, length) = first_token(trimmed).unwrap_or_else(|why| (Token::Bad(why), 0));
        let is_last = matches!(token, Token::End | Token::Bad(_));
        let written = &trimmed[..length];
        lexemes.push(Lexeme {
            token,
            written,
            column,
        });
        if is_last {
            return lexemes;
        }
        rest = &trimmed[length..];
        column += length; // tokens are ASCII
    }
}

/// The token that a text begins with, and its length; or why there is none.
fn first_token(text: &str) -> Result<(Token, usize), String> {
    let Some(first) = text.chars().next() else {
        return Ok((Token::End, 0));
    };
    if let Some((symbol, token)) = SYMBOLS.iter().find(|(symbol, _)| text.starts_with(symbol)) {
        return Ok((token.clone(), symbol.len()));
    }
    match first {
        '=' | '&' | '|' => return Err(format!("expected '{first}{first}', found one '{first}'")),
        _ if !is_of_word(first) => {
            let found = first.escape_debug();
            return Err(format!(
                "expected a number, a name or an operator, found '{found}'"
            ));
        }
        _ => {}
    }
    let label = prefix(text, |c| is_of_word(c) || c == '-');
    let after = text[label.len()..].strip_prefix('.').unwrap_or("");
    if after.starts_with(|c| is_of_word(c) && !c.is_ascii_digit()) {
        let metric = prefix(after, is_of_word);
        let length = label.len() + 1 + metric.len();
        return Ok((name(Some(label), metric)?, length));
    }
    if first.is_ascii_digit() {
        return number(text);
    }
    let word = prefix(text, is_of_word);
    let token = match word {
        "and" => Token::And,
        "or" => Token::Or,
        "not" => Token::Not,
        _ => name(None, word)?,
    };
    Ok((token, word.len()))
}

fn name(qualifier: Option<&str>, metric: &str) -> Result<Token, String> {
    if metric.contains(|c: char| c.is_ascii_uppercase()) {
        let metric = clipped(metric);
        return Err(format!("expected a metric in lower case, found '{metric}'"));
    }
    Ok(Token::Name(Name {
        qualifier: qualifier.map(str::to_owned),
        metric: metric.to_owned(),
    }))
}

fn number(text: &str) -> Result<(Token, usize), String> {
    let digits = |from: usize| prefix(&text[from..], |c| c.is_ascii_digit()).len();
    let mut length = digits(0);
    if text[length..].starts_with('.') && digits(length + 1) > 0 {
        length += 1 + digits(length + 1);
    }
    if text[length..].starts_with(['e', 'E']) {
        let sign = usize::from(text[length + 1..].starts_with(['+', '-']));
        // Without digits it is no exponent, but a unit that does not exist.
        match digits(length + 1 + sign) {
            0 => {}
            exponent => length += 1 + sign + exponent,
        }
    }
    let unit = match prefix(&text[length..], is_of_word) {
        "" if text[length..].starts_with('%') => "%",
        unit => unit,
    };
    let Some((_, in_unit)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(format!(
            "expected one of the units ns, us, ms, s, min, h and %, found '{}'",
            clipped(unit)
        ));
    };
    let value = in_unit(text[..length].parse().unwrap_or(f64::INFINITY));
    length += unit.len();
    if value.is_finite() {
        Ok((Token::Number(value), length))
    } else {
        let written = clipped(&text[..length]);
        Err(format!("expected a smaller number, found '{written}'"))
    }
}

/// The beginning of what was found, so that a message stays one line of a terminal.
pub(super) fn clipped(written: &str) -> String {
    const MAX_CHARS: usize = 30;
    match written.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &written[..end]),
        None => written.to_owned(),
    }
}

fn prefix(text: &str, belongs: impl Fn(char) -> bool) -> &str {
    &text[..text.find(|c| !belongs(c)).unwrap_or(text.len())]
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<String> {
        let written = |lexeme: &Lexeme| match &lexeme.token {
            Token::Bad(why) => why.clone(),
            _ => lexeme.written.to_owned(),
        };
        lexemes(text).iter().map(written).collect()
    }

    #[test]
    fn a_minus_belongs_to_a_qualifier_up_to_its_dot_and_is_an_operator_elsewhere() {
        let cases: [(&str, &[&str]); 9] = [
            ("a-b.x", &["a-b.x"]),
            ("a - b.x", &["a", "-", "b.x"]),
            ("a -b.x", &["a", "-", "b.x"]),
            ("-b.x", &["-", "b.x"]),
            ("a-b", &["a", "-", "b"]),
            ("a.x-b.x", &["a.x", "-", "b.x"]),
            ("a-1.5", &["a", "-", "1.5"]),
            ("2-run.x", &["2-run.x"]),
            ("1.5-run.x", &["1.5", "-", "run.x"]),
        ];
        for (text, expected) in cases {
            let tokens = tokens(text);
            assert_eq!(tokens.split_last().unwrap().1, expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_token_ends_the_list_with_the_reason() {
        let cases = [
            ("a & b", "expected '&&', found one '&'"),
            ("§", "expected a number, a name or an operator, found '§'"),
            (
                "\u{1b}",
                "expected a number, a name or an operator, found '\\u{1b}'",
            ),
            ("1.", "expected a number, a name or an operator, found '.'"),
            ("Wall_s", "expected a metric in lower case, found 'Wall_s'"),
            (
                "run.Wall_s",
                "expected a metric in lower case, found 'Wall_s'",
            ),
            (
                "5sec",
                "expected one of the units ns, us, ms, s, min, h and %, found 'sec'",
            ),
            (
                "1e+",
                "expected one of the units ns, us, ms, s, min, h and %, found 'e'",
            ),
            ("1e308h", "expected a smaller number, found '1e308h'"),
        ];
        for (text, expected) in cases {
            assert_eq!(tokens(text).last().unwrap(), expected);
        }
        assert!(tokens(&"1e".repeat(5_000)).last().unwrap().len() < 100);
    }
}
