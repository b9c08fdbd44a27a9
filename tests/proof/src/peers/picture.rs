//! A table as a picture: horizontal bars on white, so that it can be read on a light page and on a dark one.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::Fault;
use crate::peers::table::{Row, Table};

const WIDTH: i32 = 860;
/// Where the names end and the bars begin.
const BARS: i32 = 320;
/// The longest bar.
const LONGEST: f64 = 330.0;
const HEAD: i32 = 78;
const LINE: i32 = 34;
const BAR: i32 = 20;
const KEYTURN: RGBColor = RGBColor(0x1f, 0x6f, 0x54);
const OTHERS: RGBColor = RGBColor(0x8a, 0x93, 0x9b);
const TEXT: RGBColor = RGBColor(0x22, 0x26, 0x2a);

/// Draws a table's CPU time into an SVG file.
///
/// # Errors
/// When the file cannot be written.
pub fn draw(table: &Table, path: &Path, machine: &str) -> Result<(), Fault> {
    let mut text = String::new();
    paint(table, machine, &mut text)?;
    Ok(std::fs::write(path, text)?)
}

fn paint(table: &Table, machine: &str, into: &mut String) -> Result<(), Fault> {
    let lines = i32::try_from(table.rows.len())?;
    let height = HEAD + lines * LINE + 36;
    let size = (u32::try_from(WIDTH)?, u32::try_from(height)?);
    let area = SVGBackend::with_string(into, size).into_drawing_area();
    area.fill(&WHITE)?;
    let font = |size| TextStyle::from(("sans-serif", size).into_font()).color(&TEXT);
    let left = |size| font(size).pos(Pos::new(HPos::Left, VPos::Center));
    let right = |size| font(size).pos(Pos::new(HPos::Right, VPos::Center));
    let title = format!("{}: CPU time of the server per request", table.title);
    let below = "µs, shorter is better; and requests per second, more is better";
    area.draw(&Text::new(title, (20, 26), left(20)))?;
    area.draw(&Text::new(below, (20, 54), left(14)))?;
    let most = table
        .rows
        .iter()
        .map(|row| row.cpu)
        .fold(f64::MIN_POSITIVE, f64::max);
    for (row, line) in table.rows.iter().zip(0..) {
        let middle = HEAD + line * LINE + LINE / 2;
        let colour = if row.own { KEYTURN } else { OTHERS };
        let end = BARS + length(row, most);
        let corners = [(BARS, middle - BAR / 2), (end, middle + BAR / 2)];
        let figures = format!("{:.1} µs   ({:.0}/s)", row.cpu, row.rate);
        area.draw(&Rectangle::new(corners, colour.filled()))?;
        area.draw(&Text::new(row.name.clone(), (BARS - 10, middle), right(15)))?;
        area.draw(&Text::new(figures, (end + 8, middle), left(15)))?;
    }
    area.draw(&Text::new(machine.to_owned(), (20, height - 18), left(12)))?;
    Ok(area.present()?)
}

/// Pixels of a bar; even the shortest can be seen.
#[expect(
    clippy::cast_possible_truncation,
    reason = "at most the longest bar, which is far from any limit"
)]
fn length(row: &Row, most: f64) -> i32 {
    (row.cpu / most * LONGEST).round().clamp(1.0, LONGEST) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_its_name_and_its_figures_in_the_picture() {
        let mut table = Table::new("protected GET");
        for (name, cpu) in [("one", 9.5), ("another & more", 950.0)] {
            table.rows.push(Row {
                name: name.into(),
                cpu,
                ratio: 1.0,
                rate: 100.0,
                own: name == "one",
            });
        }
        let mut svg = String::new();
        paint(&table, "a machine", &mut svg).unwrap();
        for text in [
            "9.5 µs",
            "950.0 µs",
            "one",
            "another &amp; more",
            "a machine",
        ] {
            assert!(svg.contains(text), "{text} is not in {svg}");
        }
        assert!(svg.contains("shorter is better"));
    }
}
