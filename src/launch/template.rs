//! The launcher's command line, from a template: words, no shell.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// A command with `{ranks}` in it, such as `mpirun -n {ranks}`, split into words as a shell would, quotes
/// included, and given to no shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    words: Vec<String>,
}

impl Template {
    /// Splits the command into words.
    ///
    /// # Errors
    /// What is wrong with it, in one line for the user.
    pub fn new(text: &str) -> Result<Self, String> {
        let words = shlex::split(text).ok_or_else(|| format!("'{text}': a quote is not closed"))?;
        if words.first().is_none_or(String::is_empty) {
            return Err("it is empty: it is a command such as 'mpirun -n {ranks}'".into());
        }
        if text.contains('\0') {
            return Err(format!("{text:?} has a NUL in it"));
        }
        Ok(Template {
            text: text.into(),
            words,
        })
    }

    /// As it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether `{name}` is in it.
    pub fn names(&self, name: &str) -> bool {
        let name = format!("{{{name}}}");
        self.words.iter().any(|word| word.contains(&name))
    }

    /// The words, with each `{name}` of `values` filled in.
    pub fn fill(&self, values: &[(&str, &str)]) -> Vec<String> {
        let fill = |word: &String| {
            let fill = |word: String, (name, value): &(&str, &str)| {
                word.replace(&format!("{{{name}}}"), value)
            };
            values.iter().fold(word.clone(), fill)
        };
        self.words.iter().map(fill).collect()
    }

    /// The program that is started first.
    pub fn program(&self) -> &str {
        &self.words[0]
    }
}

/// Where the system would find `program`: as it is if it names a folder, else on `PATH`. `None` if there
/// is no such program, or it may not be started.
pub fn find_program(program: &str) -> Option<PathBuf> {
    let may_start = |path: &Path| {
        let may = rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok();
        may && path.is_file()
    };
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| may_start(path));
    }
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders)
        .map(|folder| match folder.as_os_str() == OsStr::new("") {
            true => Path::new(".").join(program),
            false => folder.join(program),
        })
        .find(|path| may_start(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_filled_in_and_no_shell_sees_them() {
        let template = Template::new("'my launcher' -n {ranks} \"--x={ranks};$HOME\"").unwrap();
        assert_eq!(
            template.fill(&[("ranks", "4")]),
            ["my launcher", "-n", "4", "--x=4;$HOME"]
        );
        assert!(template.names("ranks") && !template.names("hosts"));
        assert_eq!(template.program(), "my launcher");
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for (text, expected) in [
            ("", "empty"),
            ("  ", "empty"),
            ("''", "empty"),
            ("mpirun 'x", "quote"),
            ("mpirun \0", "NUL"),
        ] {
            let error = Template::new(text).unwrap_err();
            assert!(error.contains(expected) && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn programs_are_found_as_the_system_finds_them() {
        assert!(find_program("sh").is_some_and(|path| path.is_absolute()));
        assert_eq!(find_program("/bin/sh"), Some("/bin/sh".into()));
        for missing in [
            "no-such-program-anywhere",
            "/no/such/program",
            "/etc",
            "/etc/passwd",
        ] {
            assert_eq!(find_program(missing), None, "{missing}");
        }
    }
}
