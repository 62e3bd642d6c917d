//! The report for the terminal.

use std::fmt::Write;

use super::super::results::Results;
use super::tables::tables;
use super::verdict;
use crate::report::Table;

/// The whole report as text: the verdict, then tables.
pub fn text(results: &Results) -> String {
    let mut text = verdict(results) + "\n";
    let over = results.done + results.failed + results.timed_out;
    let mut counts = format!("{} of {} runs played", over, results.planned);
    if results.failed > 0 {
        let _ = write!(counts, ", {} failed", results.failed);
    }
    if results.timed_out > 0 {
        let _ = write!(counts, ", {} did not end in time", results.timed_out);
    }
    let libraries = results.mpi_libraries.join(", ");
    let with = if libraries.is_empty() { "" } else { ", with " };
    let _ = writeln!(text, "{counts}{with}{libraries}");
    for rows in tables(results) {
        let _ = writeln!(text, "\n{}\n", rows.title);
        let mut table = Table::new(rows.n_left);
        table.row(rows.head);
        for row in rows.rows {
            // A launcher's words may have anything in them; a terminal is not to act on it.
            table.row(
                row.into_iter()
                    .map(|cell| cell.replace(char::is_control, " ")),
            );
        }
        text += &table.render();
        for note in &rows.notes {
            let _ = writeln!(text, "\n{note}");
        }
    }
    text
}
