//! Peers: what else could answer the same question, on the same run.

use std::path::Path;

/// Measures them, where they are installed.
pub fn run(_folder: &Path) {}
