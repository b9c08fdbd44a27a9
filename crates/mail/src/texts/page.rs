//! The HTML of a mail, made from its text: paragraphs, and the line that is the link as a button.

use minijinja::context;
use minijinja::value::Value;

use super::Locale;

/// A piece of the page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block<'a> {
    /// A paragraph of these lines.
    Lines(Vec<&'a str>),
    /// The link.
    Link(&'a str),
}

/// Takes the text apart. Only what the caller says is the link becomes one, and only if a browser would open it.
pub(super) fn blocks<'a>(text: &'a str, link: &'a str) -> Vec<Block<'a>> {
    let opens = link.starts_with("https://") || link.starts_with("http://");
    let mut blocks = Vec::new();
    let mut paragraph = Vec::new();
    for line in text.lines() {
        let is_link = opens && line == link;
        if (is_link || line.is_empty()) && !paragraph.is_empty() {
            blocks.push(Block::Lines(std::mem::take(&mut paragraph)));
        }
        if is_link {
            blocks.push(Block::Link(link));
        } else if !line.is_empty() {
            paragraph.push(line);
        }
    }
    if !paragraph.is_empty() {
        blocks.push(Block::Lines(paragraph));
    }
    blocks
}

/// What the layout sees.
pub(super) fn context(
    locale: Locale,
    subject: &str,
    button: &str,
    service: &str,
    blocks: &[Block<'_>],
) -> Value {
    let blocks: Vec<Value> = blocks.iter().map(value).collect();
    context! {
        language => locale.html(),
        subject => subject,
        button => button,
        service => service,
        blocks => blocks,
    }
}

fn value(block: &Block<'_>) -> Value {
    match block {
        Block::Lines(lines) => {
            let lines: Vec<Value> = lines.iter().map(|line| Value::from(*line)).collect();
            context! { link => "", lines => lines }
        }
        // Escaped here: the engine would write its slashes as `&#x2f;`, which not all that reads mail undoes.
        Block::Link(link) => {
            context! { link => Value::from_safe_string(escaped(link)), lines => Vec::<Value>::new() }
        }
    }
}

/// The link as it stands in an attribute.
pub(super) fn escaped(link: &str) -> String {
    let mut escaped = String::with_capacity(link.len());
    for c in link.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#x27;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_is_the_link_is_a_block_of_its_own() {
        let link = "https://a.example/#t";
        let text = "Hello\nAnn,\n\nopen:\nhttps://a.example/#t\nsoon\n\nhttps://a.example/#t2\n";
        assert_eq!(
            blocks(text, link),
            [
                Block::Lines(vec!["Hello", "Ann,"]),
                Block::Lines(vec!["open:"]),
                Block::Link(link),
                Block::Lines(vec!["soon"]),
                Block::Lines(vec!["https://a.example/#t2"]),
            ]
        );
    }

    #[test]
    fn what_no_browser_opens_is_no_link() {
        for link in ["javascript:alert(1)", "data:x", "", "//a.example"] {
            let text = format!("a\n\n{link}\n");
            assert!(!blocks(&text, link).contains(&Block::Link(link)), "{link}");
        }
    }
}
