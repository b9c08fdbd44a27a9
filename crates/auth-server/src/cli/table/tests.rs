//! Lists as people, scripts and programs get them.

use super::*;

const COLUMNS: &[Column] = &[
    Column::whole("ID"),
    Column::text("NAME"),
    Column::whole("SINCE").piped("since {}"),
    Column::text("NOTE"),
];

#[derive(Serialize)]
struct Line(Vec<&'static str>);

impl Row for Line {
    fn cells(&self) -> Vec<String> {
        self.0.iter().map(|&cell| cell.to_owned()).collect()
    }
}

fn print(layout: Layout, rows: &[&[&'static str]]) -> Vec<String> {
    let mut table = Table::laid_out(COLUMNS, layout);
    let rows: Vec<_> = rows.iter().map(|row| Line(row.to_vec())).collect();
    let mut lines = table.lines(&rows).unwrap();
    lines.extend(table.last().map(str::to_owned));
    lines
}

/// Columns before the cell.
fn place(line: &str, cell: &str) -> usize {
    line.split_once(cell).unwrap().0.width()
}

#[test]
fn columns_are_aligned_whatever_script_they_are_in() {
    let names = [
        "Ada",
        "王小明",
        "🦀🦀",
        "e\u{301}\u{302}",
        "אבג",
        "",
        "Ｗide",
    ];
    let rows: Vec<Vec<&str>> = names
        .iter()
        .map(|name| vec!["1", name, "noon", "x"])
        .collect();
    let rows: Vec<&[&str]> = rows.iter().map(Vec::as_slice).collect();
    let lines = print(Layout::Aligned(None), &rows);
    assert_eq!(lines[0], "ID  NAME    SINCE  NOTE");
    assert_eq!(lines[2], "1   王小明  noon   x");
    for line in &lines[1..] {
        assert_eq!(place(line, "noon"), place(&lines[0], "SINCE"), "{line}");
        assert_eq!(place(line, "x"), place(&lines[0], "NOTE"), "{line}");
    }
    assert_eq!(lines.len(), 1 + names.len());
}

#[test]
fn a_list_without_rows_has_no_head_and_is_an_empty_array() {
    assert!(print(Layout::Aligned(Some(80)), &[]).is_empty());
    assert!(print(Layout::Tabs, &[]).is_empty());
    assert_eq!(print(Layout::Json, &[]), ["[]"]);
}

#[test]
fn a_second_page_has_no_second_head_and_no_narrower_columns() {
    let mut table = Table::laid_out(COLUMNS, Layout::Aligned(None));
    let first = table
        .lines(&[Line(vec!["1", "a long name", "s", "n"])])
        .unwrap();
    let second = table.lines(&[Line(vec!["2", "b", "s", "n"])]).unwrap();
    assert_eq!((first.len(), second.len()), (2, 1));
    assert_eq!(place(&first[1], "s  "), place(&second[0], "s  "));
}

#[test]
fn free_text_is_cut_to_the_terminal_and_ids_never() {
    let id = "018f3c1e-0000-7000-8000-000000000000";
    for name in [
        "a name that goes on and on and on",
        "王小明王小明王小明王小明王小明",
        "🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀",
    ] {
        for width in 64..100 {
            let rows = [&[id, name, "noon", "a note that goes on as well, for long"][..]];
            let lines = print(Layout::Aligned(Some(width)), &rows);
            for line in &lines {
                assert!(line.width() <= width, "{width}: {line}");
            }
            assert!(
                lines[1].starts_with(id) && lines[1].contains('…'),
                "{lines:?}"
            );
            assert_eq!(
                place(&lines[1], "noon"),
                place(&lines[0], "SINCE"),
                "{lines:?}"
            );
        }
        // Narrower than what cannot be cut: the terminal breaks the line, and the id stays whole.
        let lines = print(Layout::Aligned(Some(20)), &[&[id, name, "noon", "x"]]);
        assert!(lines[1].contains(id), "{lines:?}");
        // Nobody knows how wide it is, or nobody looks.
        for layout in [Layout::Aligned(None), Layout::Tabs, Layout::Json] {
            assert!(
                print(layout, &[&[id, name, "noon", "x"]])
                    .concat()
                    .contains(name)
            );
        }
    }
}

#[test]
fn no_cell_moves_the_cursor_or_fakes_a_line_or_a_column() {
    for hostile in [
        "\u{1b}[2J\u{1b}[H",
        "\u{1b}]0;title\u{7}",
        "\u{9b}31m",
        "Ada\nadmin\troot",
        "Ada\r\nadmin",
        "Ada\r",
        "Ada\tadmin",
        "Ada\u{b}\u{c}",
        "Ada\u{85}admin",
        "Ada\u{2028}admin",
        "Ada\u{2029}admin",
        "\u{202e}nimda",
        "\u{2067}nimda\u{2069}",
        "\u{200f}\u{61c}",
        "a\u{200b}b\u{feff}",
        "\u{8}\u{8}\u{7f}",
        "\0",
        "\u{e0041}\u{fe0f}",
    ] {
        for layout in [
            Layout::Aligned(None),
            Layout::Aligned(Some(70)),
            Layout::Tabs,
            Layout::Json,
        ] {
            let lines = print(layout, &[&["1", hostile, "noon", hostile]]);
            let wanted = if matches!(layout, Layout::Tabs) { 1 } else { 2 };
            assert_eq!(lines.len(), wanted, "{hostile:?}");
            for line in &lines {
                let cells: Vec<_> = line.split('\t').collect();
                let columns = if matches!(layout, Layout::Tabs) { 4 } else { 1 };
                assert_eq!(cells.len(), columns, "{line:?}");
                assert!(
                    cells.iter().all(|cell| crate::spelling::is_visible(cell)),
                    "{line:?}"
                );
            }
            if matches!(layout, Layout::Json) {
                let json: Vec<Vec<String>> = serde_json::from_str(&lines.concat()).unwrap();
                assert_eq!(json, [["1", hostile, "noon", hostile]]);
            }
        }
    }
}

#[test]
fn a_script_gets_the_words_that_have_no_head_and_no_cell_that_is_missing() {
    let lines = print(
        Layout::Tabs,
        &[&["1", "Ada", "noon", "x"], &["2", "", "{}"]],
    );
    assert_eq!(lines, ["1\tAda\tsince noon\tx", "2\t\tsince {}"]);
}

#[test]
fn json_is_one_array_however_many_pages_it_comes_in() {
    let mut table = Table::laid_out(COLUMNS, Layout::Json);
    let mut lines = table.lines(&[Line(vec!["1"]), Line(vec!["2"])]).unwrap();
    lines.extend(table.lines(&[Line(vec!["3"])]).unwrap());
    table.part("another part", COLUMNS).unwrap();
    lines.extend(table.lines(&[Line(vec!["4"])]).unwrap());
    lines.extend(table.last().map(str::to_owned));
    let json: Vec<Vec<String>> = serde_json::from_str(&lines.join("\n")).unwrap();
    assert_eq!(json, [["1"], ["2"], ["3"], ["4"]]);
}
