//! Command lines as a shell reads them, since the folders of tests may have blanks in their names.

use std::path::Path;

/// The words of a command.
pub fn words(command: &str) -> Vec<String> {
    shlex::split(command).unwrap_or_else(|| panic!("no words: {command}"))
}

/// A path as one word of a command.
pub fn quoted(path: impl AsRef<Path>) -> String {
    let path = path.as_ref().to_str().expect("a plain name");
    shlex::try_quote(path).expect("no zero byte").into_owned()
}
