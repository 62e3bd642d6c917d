//! How rank 0 of a job of probes tells the doctor what it found: marked lines on its stdout.
//!
//! Stdout is the one way back that every launcher has, wherever it starts rank 0. Libraries and
//! launchers print to it too, so that a line counts from its mark on, and one that is no message is
//! none of ours.

use serde::{Deserialize, Serialize};

use super::finding::Finding;

const MARK: &str = "@onesided-doctor@ ";

/// What rank 0 says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Line {
    Begin(String),
    /// It has come to a part of it, named in words.
    Step(String),
    Found(Box<Finding>),
    End(String),
    /// All probes ended, and MPI was finalised.
    Done,
}

impl Line {
    /// One line with its line feed.
    pub(super) fn to_text(&self) -> String {
        let json = serde_json::to_string(self).expect("findings have no maps but of strings");
        // Whatever a library left unfinished on the line stays before the line feed.
        format!("\n{MARK}{json}\n")
    }

    /// What a line of the launcher's stdout says, if it is one of ours.
    pub(super) fn parse(line: &str) -> Option<Line> {
        let at = line.find(MARK)?;
        serde_json::from_str(line[at + MARK.len()..].trim_end()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Severity;

    #[test]
    fn lines_are_found_behind_what_others_print() {
        let finding = Finding::new("p", "s", Severity::Ok, "two\nlines and \u{fc}");
        for line in [
            Line::Begin("a".into()),
            Line::Found(Box::new(finding)),
            Line::Done,
        ] {
            let text = line.to_text();
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines.len(), 2, "{text}");
            assert_eq!(Line::parse(lines[1]), Some(line.clone()));
            assert_eq!(
                Line::parse(&format!("[1,0]<stdout>: {}", lines[1])),
                Some(line)
            );
        }
        assert_eq!(Line::parse("hello"), None);
        assert_eq!(Line::parse(&format!("{MARK}{{\"begin\":")), None);
    }
}
