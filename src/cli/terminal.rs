//! What a terminal gets to see: no character that it would act on, whatever host names, paths and logs have
//! in them.

use std::borrow::Cow;
use std::fmt::Write;

/// The text with every control character but line feeds shown as `\u{1b}`.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    shown(text, |_| None)
}

/// [`plain`], but for the colours that this program uses, which change how what follows looks and nothing
/// else.
pub(super) fn coloured(text: &str) -> Cow<'_, str> {
    shown(text, |rest| {
        let numbers = rest.strip_prefix("\x1b[")?;
        let len = numbers.find(|char: char| !(char.is_ascii_digit() || char == ';'))?;
        let is_colour = numbers[len..].starts_with('m')
            && (numbers[..len] == *"0" || numbers[..len].contains("8;5;"));
        is_colour.then_some("\x1b[".len() + len + 1)
    })
}

/// The same JSON document with no control character in its strings: JSON lets those beyond ASCII be.
pub(super) fn json(text: &str) -> Cow<'_, str> {
    let must = |char: char| char.is_control() && !matches!(char, '\n' | '\t');
    if !text.contains(must) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        if must(char) {
            let _ = write!(escaped, "\\u{:04x}", u32::from(char));
        } else {
            escaped.push(char);
        }
    }
    escaped.into()
}

/// `may_pass` says how many bytes may pass at the beginning of a text that begins with a control character.
fn shown(text: &str, may_pass: impl Fn(&str) -> Option<usize>) -> Cow<'_, str> {
    let must = |char: char| char.is_control() && char != '\n';
    if !text.contains(must) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(must) {
        shown += &rest[..at];
        rest = &rest[at..];
        let n_bytes = may_pass(rest).unwrap_or(0);
        shown += &rest[..n_bytes];
        rest = &rest[n_bytes..];
        if n_bytes == 0 {
            let mut chars = rest.chars();
            let char = chars.next().unwrap_or_default();
            let _ = write!(shown, "{}", char.escape_unicode());
            rest = chars.as_str();
        }
    }
    shown += rest;
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_terminal_acts_on_is_shown_and_colours_pass() {
        let hostile = "a\x1b]0;title\x07\u{9b}2J\r\x08b\tc\n\x1b[8mhidden\x1b[";
        let harmless = r"a\u{1b}]0;title\u{7}\u{9b}2J\u{d}\u{8}b\u{9}c";
        let end = r"\u{1b}[8mhidden\u{1b}[";
        assert_eq!(plain(hostile), format!("{harmless}\n{end}"));
        assert_eq!(coloured(hostile), format!("{harmless}\n{end}"));
        let colours = "\x1b[38;5;208mx\x1b[0m \x1b[0;38;5;1;48;5;2my";
        assert_eq!(coloured(colours), colours);
        assert!(!plain(colours).contains('\x1b'));
        assert!(matches!(plain("ranks 0–3, 5 µs\n"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn whatever_the_text_nothing_is_left_to_act_on(text in any::<String>()) {
            let is_left = |text: &str| text.contains(|char: char| char.is_control() && char != '\n');
            prop_assert!(!is_left(&plain(&text)));
            let document = serde_json::to_string(&text).unwrap();
            let printed = json(&document);
            prop_assert!(!is_left(&printed));
            prop_assert_eq!(serde_json::from_str::<String>(&printed).unwrap(), text);
        }
    }
}
