//! Other people's text on our pages.

use std::fmt::Display;

use askama::{Result, Values};

/// The text without what could reach beyond it: control characters and line ends become blanks, and the characters
/// that set the direction of text are left out.
///
/// `<bdi>` alone does not hold them: to the algorithm it is a pair of such characters, and a third one within closes
/// it early (CSS Writing Modes 3 §2.4.2).
#[expect(clippy::unnecessary_wraps, reason = "what askama asks of every filter")]
pub(crate) fn shown(text: impl Display, _: &dyn Values) -> Result<String> {
    let text = text.to_string();
    let kept = text.chars().filter(|c| !turns_text(*c));
    Ok(kept.map(|c| if breaks(c) { ' ' } else { c }).collect())
}

/// Unicode's `Bidi_Control`.
pub(crate) fn turns_text(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn breaks(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_what_is_theirs_and_lose_what_turns_the_sentence() {
        let shown = |text: &str| shown(text, askama::NO_VALUES).unwrap();
        assert_eq!(shown("Zoë 王小明 سارة 👩‍🚀"), "Zoë 王小明 سارة 👩‍🚀");
        assert_eq!(shown("a\u{2069}\u{202e}b\u{200f}\u{61c}c"), "abc");
        assert_eq!(shown("a\nb\u{2028}c\0d"), "a b c d");
    }
}
