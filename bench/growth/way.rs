//! Ways to find what is left to do.

use std::fmt;
use std::str::FromStr;

/// How ranks come by items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Guess any item, and claim it.
    Uniform,
    /// Guess any item, and claim it unless it is known to be lost.
    SkipKnown,
    /// Guess among the items that are not known to be claimed.
    Unclaimed,
    /// Draw the next item.
    Ticket,
    /// Draw the next chunk, and claim it on a board.
    Chunks,
}

impl Way {
    pub const ALL: [Way; 5] = [
        Way::Uniform,
        Way::SkipKnown,
        Way::Unclaimed,
        Way::Ticket,
        Way::Chunks,
    ];
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Way::Uniform => "uniform",
            Way::SkipKnown => "uniform, known skipped",
            Way::Unclaimed => "unclaimed",
            Way::Ticket => "ticket",
            Way::Chunks => "chunks",
        })
    }
}

impl FromStr for Way {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let way = Way::ALL.into_iter().find(|way| way.to_string() == name);
        way.ok_or_else(|| format!("no such way: {name}"))
    }
}
