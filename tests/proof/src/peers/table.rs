//! A table of what was measured: the median of all blocks, and how a row compares with Keyturn's in the same round.

use std::fmt::Write;

use crate::peers::load::{Block, Subject};
use crate::statistics::median;

/// A table.
pub struct Table {
    /// What was asked for.
    pub title: &'static str,
    /// What was measured.
    pub rows: Vec<Row>,
}

/// A line of it.
#[derive(Debug, PartialEq)]
pub struct Row {
    /// Who.
    pub name: String,
    /// Microseconds of CPU time for a request.
    pub cpu: f64,
    /// How many times Keyturn's that is.
    pub ratio: f64,
    /// Requests in a second.
    pub rate: f64,
    /// Whether it is Keyturn's own, which the others are compared with.
    pub own: bool,
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(title: &'static str) -> Self {
        Self {
            title,
            rows: Vec::new(),
        }
    }

    /// Adds subjects that were measured in the same rounds, the first of which is Keyturn.
    pub fn add(&mut self, subjects: &[Subject]) {
        let own = subjects.first().map_or(&[][..], |own| &own.blocks);
        for (n, subject) in subjects.iter().enumerate() {
            self.rows
                .push(Row::of(&subject.name, &subject.blocks, own, n == 0));
        }
    }

    /// As Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = format!(
            "| {} | CPU per request, µs | times Keyturn's | requests/s |\n|---|---:|---:|---:|\n",
            self.title
        );
        for row in &self.rows {
            let name = if row.own {
                format!("**{}**", row.name)
            } else {
                row.name.clone()
            };
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "| {name} | {:.1} | {:.2} | {:.0} |",
                row.cpu, row.ratio, row.rate
            );
        }
        text
    }
}

impl Row {
    fn of(name: &str, blocks: &[Block], own: &[Block], is_own: bool) -> Self {
        Self {
            name: name.to_owned(),
            cpu: median(blocks.iter().map(|block| block.cpu)),
            // Within a round, since the machine may be busier in another.
            ratio: median(
                blocks
                    .iter()
                    .zip(own)
                    .map(|(block, own)| block.cpu / own.cpu),
            ),
            rate: median(blocks.iter().map(|block| block.rate)),
            own: is_own,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_the_same_round() {
        let block = |cpu| Block { cpu, rate: 1.0 };
        let own = [block(1.0), block(10.0), block(100.0)];
        let twice = [block(2.0), block(20.0), block(200.0)];
        let mut slow_at_first = twice;
        slow_at_first[0] = block(300.0);
        for blocks in [twice, slow_at_first] {
            let row = Row::of("peer", &blocks, &own, false);
            assert!((row.ratio - 2.0).abs() < 1e-9, "{row:?}");
        }
    }
}
