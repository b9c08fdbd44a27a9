//! Lists that commands print: aligned under a head line on a terminal, tab separated for a pipe, JSON for programs.
//!
//! Nothing in a cell can move the cursor, fake a line or turn its neighbours around, whoever typed it. Knows
//! nothing of what is listed; rows are printed as they come, and not kept.

use std::io::{self, IsTerminal};

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::CommandError;
use super::output::say;
use crate::spelling::{in_json, on_one_line};

const GAP: &str = "  ";

/// Columns below which a cell is not cut: less of it says nothing.
const NARROWEST: usize = 8;

/// One column.
pub(super) struct Column {
    /// What the head line says.
    head: &'static str,
    /// The cell in the tab separated form, around `{}`, where no head line says what it is.
    piped: &'static str,
    /// May be cut where the terminal is too narrow: free text, and nothing that is copied, such as an id.
    cut: bool,
}

impl Column {
    /// A column that is shown whole.
    pub(super) const fn whole(head: &'static str) -> Self {
        Self {
            head,
            piped: "{}",
            cut: false,
        }
    }

    /// A column of free text.
    pub(super) const fn text(head: &'static str) -> Self {
        Self {
            head,
            piped: "{}",
            cut: true,
        }
    }

    /// The same with words around `{}` in the tab separated form.
    pub(super) const fn piped(self, piped: &'static str) -> Self {
        Self { piped, ..self }
    }
}

/// One row; its JSON object has the names of the HTTP API.
pub(super) trait Row: Serialize {
    /// The cells, as many as there are columns; the last ones may be missing.
    fn cells(&self) -> Vec<String>;
}

/// How a list is laid out.
#[derive(Clone, Copy)]
enum Layout {
    /// For people: a head line and aligned columns; the terminal's width, if it is known.
    Aligned(Option<usize>),
    /// For scripts: a line per row, no head line.
    Tabs,
    /// For programs: one array.
    Json,
}

/// A list while it is printed.
pub(super) struct Table {
    layout: Layout,
    columns: &'static [Column],
    /// How wide each column is so far.
    widths: Vec<usize>,
    headed: bool,
    /// Rows so far.
    rows: usize,
}

impl Table {
    /// An empty list for standard output.
    pub(super) fn new(columns: &'static [Column], json: bool) -> Self {
        Self::laid_out(
            columns,
            match json {
                true => Layout::Json,
                false if io::stdout().is_terminal() => Layout::Aligned(terminal_width()),
                false => Layout::Tabs,
            },
        )
    }

    fn laid_out(columns: &'static [Column], layout: Layout) -> Self {
        Self {
            layout,
            columns,
            widths: Vec::new(),
            headed: false,
            rows: 0,
        }
    }

    /// Begins a part of the list that has other columns, under a line that says which. JSON goes on.
    ///
    /// # Errors
    /// See [`say`].
    pub(super) fn part(
        &mut self,
        title: &str,
        columns: &'static [Column],
    ) -> Result<(), CommandError> {
        self.columns = columns;
        self.widths.clear();
        self.headed = false;
        match self.layout {
            Layout::Json => Ok(()),
            Layout::Aligned(_) | Layout::Tabs => say(on_one_line(title)),
        }
    }

    /// Prints rows. Columns get as wide as they need to be for these, and never narrower again.
    ///
    /// # Errors
    /// See [`say`].
    pub(super) fn rows(&mut self, rows: &[impl Row]) -> Result<(), CommandError> {
        self.lines(rows)?.into_iter().try_for_each(say)
    }

    /// Ends the list.
    ///
    /// # Errors
    /// See [`say`].
    pub(super) fn end(self) -> Result<(), CommandError> {
        self.last().map_or(Ok(()), say)
    }

    fn lines(&mut self, rows: &[impl Row]) -> Result<Vec<String>, CommandError> {
        match self.layout {
            Layout::Json => rows.iter().map(|row| self.object(row)).collect(),
            Layout::Tabs => Ok(rows.iter().map(|row| self.tabs(&row.cells())).collect()),
            Layout::Aligned(width) => Ok(self.aligned(rows, width)),
        }
    }

    fn last(&self) -> Option<&'static str> {
        match (self.layout, self.rows) {
            (Layout::Json, 0) => Some("[]"),
            (Layout::Json, _) => Some("]"),
            _ => None,
        }
    }

    fn object(&mut self, row: &impl Row) -> Result<String, CommandError> {
        let before = if self.rows == 0 { '[' } else { ',' };
        self.rows = self.rows.saturating_add(1);
        let object = serde_json::to_string(row)?;
        Ok(format!("{before}{}", in_json(&object)))
    }

    fn tabs(&self, cells: &[String]) -> String {
        let cells = self.columns.iter().zip(cells);
        // An empty one keeps the place of those behind it.
        let cells = cells.map(|(column, cell)| match cell.as_str() {
            "" => String::new(),
            cell => column.piped.replace("{}", &on_one_line(cell)),
        });
        cells.collect::<Vec<_>>().join("\t")
    }

    fn aligned(&mut self, rows: &[impl Row], width: Option<usize>) -> Vec<String> {
        let mut lines: Vec<Vec<String>> = Vec::new();
        if !self.headed && !rows.is_empty() {
            self.headed = true;
            lines.push(self.columns.iter().map(|it| it.head.to_owned()).collect());
        }
        // Columns are parted by blanks here, so that a cell must not have several in a row.
        let single = |cell: &String| {
            let clean = on_one_line(cell);
            clean
                .split(' ')
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join(" ")
        };
        let cleaned = |row: Vec<String>| row.iter().map(single).collect();
        lines.extend(rows.iter().map(Row::cells).map(cleaned));
        self.widths.resize(self.columns.len(), 0);
        for line in &lines {
            for (widest, cell) in self.widths.iter_mut().zip(line) {
                *widest = cell.width().max(*widest);
            }
        }
        if let Some(width) = width {
            self.narrow(width);
        }
        lines.iter().map(|line| self.padded(line)).collect()
    }

    /// Takes from the widest column that may be cut, until the line fits or nothing can be taken any more.
    fn narrow(&mut self, width: usize) {
        let gaps = GAP.len() * self.columns.len().saturating_sub(1);
        let mut over = (self.widths.iter().sum::<usize>() + gaps).saturating_sub(width);
        while over > 0 {
            let cuttable = self.columns.iter().zip(&mut self.widths);
            let cuttable = cuttable.filter(|(column, wide)| column.cut && **wide > NARROWEST);
            let Some((_, widest)) = cuttable.max_by_key(|(_, wide)| **wide) else {
                return;
            };
            *widest -= 1;
            over -= 1;
        }
    }

    fn padded(&self, cells: &[String]) -> String {
        let mut line = String::new();
        for ((column, wide), cell) in self.columns.iter().zip(&self.widths).zip(cells) {
            let cell = if column.cut {
                cut(cell, *wide)
            } else {
                cell.clone()
            };
            line.push_str(&cell);
            line.push_str(&" ".repeat(wide.saturating_sub(cell.width())));
            line.push_str(GAP);
        }
        line.truncate(line.trim_end_matches(' ').len());
        line
    }
}

/// The longest beginning that leaves room for an ellipsis, if not all of it fits.
fn cut(cell: &str, wide: usize) -> String {
    if cell.width() <= wide {
        return cell.to_owned();
    }
    let mut kept = cell.to_owned();
    while kept.width() >= wide && kept.pop().is_some() {}
    kept.push('…');
    kept
}

/// Columns of the terminal behind standard output; `None` if it does not say.
#[cfg(unix)]
fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0).then(|| size.ws_col.into())
}

#[cfg(not(unix))]
fn terminal_width() -> Option<usize> {
    None
}

#[cfg(test)]
mod tests;
