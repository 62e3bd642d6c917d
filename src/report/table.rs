//! Tables of text: columns as wide as they need to be.

/// What stands for a number that is not known.
pub(crate) const UNKNOWN: &str = "?";

/// A table whose first `n_left` columns are aligned left, the others right.
pub(crate) struct Table {
    n_left: usize,
    has_unknown: bool,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(n_left: usize) -> Self {
        Table {
            n_left,
            has_unknown: false,
            rows: Vec::new(),
        }
    }

    pub(crate) fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// A row of numbers: one that is [`UNKNOWN`] is noticed.
    pub(crate) fn numbers<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.row(cells);
        let cells = self.rows.last().expect("one was added");
        self.has_unknown |= cells.iter().skip(1).any(|cell| cell == UNKNOWN);
    }

    pub(crate) fn has_unknown(&self) -> bool {
        self.has_unknown
    }

    /// All rows, each indented by two blanks and ended by a line feed.
    pub(crate) fn render(&self) -> String {
        let n_columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut widths = vec![0; n_columns];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                line += "  ";
                line += &match column < self.n_left {
                    true => format!("{cell:<width$}"),
                    false => format!("{cell:>width$}"),
                };
            }
            text += line.trim_end();
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(1);
        table.row(["host", "n"]);
        table.row(["a", "100"]);
        assert_eq!(table.render(), "  host    n\n  a     100\n");
    }
}
