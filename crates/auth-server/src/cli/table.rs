//! Lists, for people on a terminal, for pipes, and for programs (`--json`).
//!
//! On a terminal there is a head line, and columns are aligned by the width that characters have there. In a pipe
//! cells are separated by tabs, without a head. Nothing that a user typed moves the cursor or looks like a line
//! of ours: see [`clean`].

use std::borrow::Cow;
use std::io::IsTerminal;

use serde_json::{Map, Value, json};
use unicode_width::UnicodeWidthStr;

use super::output::say;
use super::{CommandError, time};

/// A cell.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    /// A text, perhaps a user's.
    Text(String),
    /// Several.
    List(Vec<String>),
    /// A number.
    Number(i64),
    /// Unix seconds.
    Time(i64),
    /// There is none.
    None,
}

impl Cell {
    /// A time that may be missing.
    pub(super) fn maybe(time: Option<i64>) -> Self {
        time.map_or(Self::None, Self::Time)
    }

    fn text(&self) -> String {
        match self {
            Self::Text(text) => clean(text).into_owned(),
            Self::List(list) => clean(&list.join(",")).into_owned(),
            Self::Number(number) => number.to_string(),
            Self::Time(seconds) => time(*seconds),
            Self::None => String::new(),
        }
    }

    fn json(self) -> Value {
        match self {
            Self::Text(text) => text.into(),
            Self::List(list) => list.into(),
            Self::Number(number) | Self::Time(number) => number.into(),
            Self::None => Value::Null,
        }
    }
}

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    Aligned,
    Tabs,
    Json,
}

/// A list that is written a page at a time. Its columns have a name for programs, and a head for people.
pub(super) struct Table<const N: usize> {
    columns: [(&'static str, &'static str); N],
    layout: Layout,
    /// The widest that was written so far: a later page is no narrower.
    widths: [usize; N],
    begun: bool,
}

impl<const N: usize> Table<N> {
    /// A list for whoever reads standard output.
    pub(super) fn new(columns: [(&'static str, &'static str); N], json: bool) -> Self {
        let layout = if json {
            Layout::Json
        } else if std::io::stdout().is_terminal() {
            Layout::Aligned
        } else {
            Layout::Tabs
        };
        Self::with(columns, layout)
    }

    fn with(columns: [(&'static str, &'static str); N], layout: Layout) -> Self {
        Self {
            columns,
            layout,
            widths: columns.map(|(_, head)| head.width()),
            begun: false,
        }
    }

    /// Writes a page.
    ///
    /// # Errors
    /// Those of [`say`].
    pub(super) fn page(&mut self, rows: Vec<[Cell; N]>) -> Result<(), CommandError> {
        self.lines(rows).into_iter().try_for_each(say)
    }

    /// Writes what comes after the last page.
    ///
    /// # Errors
    /// Those of [`say`].
    pub(super) fn end(self) -> Result<(), CommandError> {
        match (self.layout, self.begun) {
            (Layout::Json, true) => say("]"),
            (Layout::Json, false) => say("[]"),
            _ => Ok(()),
        }
    }

    fn lines(&mut self, rows: Vec<[Cell; N]>) -> Vec<String> {
        let first = !self.begun && !rows.is_empty();
        self.begun |= first;
        match self.layout {
            Layout::Tabs => rows
                .iter()
                .map(|row| row.each_ref().map(Cell::text).join("\t"))
                .collect(),
            Layout::Json => {
                let begins =
                    std::iter::once(if first { "[" } else { "," }).chain(std::iter::repeat(","));
                let objects = rows.into_iter().map(|row| self.object(row));
                objects
                    .zip(begins)
                    .map(|(object, begin)| format!("{begin}{object}"))
                    .collect()
            }
            Layout::Aligned => {
                let rows: Vec<[String; N]> = rows
                    .iter()
                    .map(|row| row.each_ref().map(Cell::text))
                    .collect();
                for row in &rows {
                    for (cell, width) in row.iter().zip(&mut self.widths) {
                        *width = cell.width().max(*width);
                    }
                }
                let head = first.then(|| self.columns.map(|(_, head)| head.to_owned()));
                head.iter()
                    .chain(&rows)
                    .map(|row| self.aligned(row))
                    .collect()
            }
        }
    }

    fn object(&self, row: [Cell; N]) -> String {
        let names = self.columns.iter().map(|(name, _)| (*name).to_owned());
        let object: Map<String, Value> = names.zip(row.map(Cell::json)).collect();
        json_text(&json!(object))
    }

    fn aligned(&self, row: &[String; N]) -> String {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(self.widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(
                ' ',
                width.saturating_sub(cell.width()) + 2,
            ));
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// JSON in which nothing moves the cursor either: what [`is_unseen`] is written as an escape, which programs read back.
fn json_text(value: &Value) -> String {
    let mut text = String::new();
    for c in value.to_string().chars() {
        if is_unseen(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            text.push(c);
        }
    }
    text
}

/// The text with everything in it escaped that is not seen, moves the cursor, begins a line or turns the text around.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut cleaned = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_unseen(c) {
            cleaned.extend(c.escape_unicode());
        } else {
            cleaned.push(c);
        }
    }
    Cow::Owned(cleaned)
}

/// Control characters, line and paragraph separators, and the characters that are not seen or turn the text around
/// (UAX #9, Default_Ignorable_Code_Point as far as names have it).
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [(&str, &str); 3] = [
        ("userName", "NAME"),
        ("roles", "ROLES"),
        ("createdAt", "SINCE"),
    ];

    fn row(name: &str) -> [Cell; 3] {
        let roles = Cell::List(vec!["admin".into(), "x".into()]);
        [Cell::Text(name.into()), roles, Cell::Time(0)]
    }

    fn lines(layout: Layout, names: &[&str]) -> Vec<String> {
        let mut table = Table::with(COLUMNS, layout);
        let mut lines = Vec::new();
        for page in names.chunks(2) {
            lines.extend(table.lines(page.iter().map(|name| row(name)).collect()));
        }
        lines
    }

    #[test]
    fn columns_are_aligned_by_the_width_on_a_terminal() {
        let lines = lines(
            Layout::Aligned,
            &["Ada", "王小明", "e\u{301}🦀", "A longer name"],
        );
        assert_eq!(
            lines,
            [
                "NAME    ROLES    SINCE",
                "Ada     admin,x  1970-01-01 00:00:00 UTC",
                "王小明  admin,x  1970-01-01 00:00:00 UTC",
                "e\u{301}🦀            admin,x  1970-01-01 00:00:00 UTC",
                "A longer name  admin,x  1970-01-01 00:00:00 UTC",
            ]
        );
    }

    #[test]
    fn pipes_have_tabs_and_no_head_and_programs_get_one_document() {
        let tabs = lines(Layout::Tabs, &["Ada"]);
        assert_eq!(tabs, ["Ada\tadmin,x\t1970-01-01 00:00:00 UTC"]);
        let document = |names: &[&str]| lines(Layout::Json, names).concat() + "]";
        let read: Value =
            serde_json::from_str(&document(&["Ada", "\u{1b}[2J", "\u{202e}x"])).unwrap();
        let expected = json!([
            {"userName": "Ada", "roles": ["admin", "x"], "createdAt": 0},
            {"userName": "\u{1b}[2J", "roles": ["admin", "x"], "createdAt": 0},
            {"userName": "\u{202e}x", "roles": ["admin", "x"], "createdAt": 0},
        ]);
        assert_eq!(read, expected);
        assert!(document(&["\u{202e}\u{1b}\u{2028}\u{e0041}"]).is_ascii());
    }

    #[test]
    fn nothing_that_a_user_typed_moves_the_cursor_or_fakes_a_line() {
        for (name, shown) in [
            ("a\tb", r"a\u{9}b"),
            ("a\nADMIN", r"a\u{a}ADMIN"),
            ("a\r\u{85}", r"a\u{d}\u{85}"),
            ("\u{1b}[31mred\u{7}", r"\u{1b}[31mred\u{7}"),
            ("\u{9b}2J", r"\u{9b}2J"),
            ("\u{2028}\u{2029}", r"\u{2028}\u{2029}"),
            ("\u{202e}nimda\u{2066}", r"\u{202e}nimda\u{2066}"),
            ("a\u{200b}b\u{feff}", r"a\u{200b}b\u{feff}"),
            ("Zoë 王 🦀 e\u{301}", "Zoë 王 🦀 e\u{301}"),
        ] {
            assert_eq!(clean(name), shown);
            for layout in [Layout::Aligned, Layout::Tabs] {
                let lines = lines(layout, &[name]);
                let line = lines.last().unwrap();
                assert!(line.starts_with(shown), "{line}");
                assert_eq!(
                    line.matches('\t').count(),
                    if layout == Layout::Tabs { 2 } else { 0 }
                );
            }
        }
    }
}
