//! One spelling for what means the same: passwords, e-mails and names, whatever keyboard they come from.
//!
//! Passwords follow `OpaqueString` (RFC 8265 §4.2) and names `Nickname` (RFC 8266 §2), e-mails are trimmed and put in
//! NFC. Letters that Unicode gained after PRECIS was written are taken, since nobody can tell users which emoji are
//! too young. Here is also what can be seen at all, for what commands print. Knows no accounts; what comes out is compared
//! byte by byte.

use std::fmt::Write;
use std::ops::RangeInclusive;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;
use zeroize::Zeroizing;

/// Bytes that one character may have after NFC, per byte before (Unicode's FAQ on normalization).
const NFC_GROWTH: usize = 3;

/// Times that the rules of a name are applied until they change nothing any more (RFC 8266 §2.3 says three).
const STABLE_AFTER: usize = 3;

/// What is not seen: `Default_Ignorable_Code_Point`, line separators, and what directs the text around it.
const INVISIBLE: [RangeInclusive<char>; 19] = [
    '\u{ad}'..='\u{ad}',
    '\u{34f}'..='\u{34f}',
    '\u{61c}'..='\u{61c}',
    '\u{115f}'..='\u{1160}',
    '\u{17b4}'..='\u{17b5}',
    '\u{180b}'..='\u{180f}',
    '\u{200b}'..='\u{200f}',
    '\u{2028}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    '\u{2800}'..='\u{2800}',
    '\u{3164}'..='\u{3164}',
    '\u{fe00}'..='\u{fe0f}',
    '\u{feff}'..='\u{feff}',
    '\u{ffa0}'..='\u{ffa0}',
    '\u{fff0}'..='\u{fffb}',
    '\u{1bca0}'..='\u{1bca3}',
    '\u{1d173}'..='\u{1d17a}',
    '\u{e0000}'..='\u{e0fff}',
    '\u{13430}'..='\u{1343f}',
];

/// A password as it is hashed and compared: NFC, and every space the usual one. Nothing is cut off, and nothing is
/// refused here.
pub(crate) fn password(text: &str) -> Zeroizing<String> {
    // Room enough from the beginning, so that no half of it is left behind in memory.
    let mut spelled = Zeroizing::new(String::with_capacity(text.len().saturating_mul(NFC_GROWTH)));
    spelled.extend(text.chars().map(usual_space).nfc());
    spelled
}

/// An e-mail as it is kept: without blanks around it, and in NFC.
pub(crate) fn email(text: &str) -> String {
    text.trim().nfc().collect()
}

/// The form in which e-mails are compared: besides, ASCII in lower case. Other letters stay as they are, since
/// folding them merges addresses that mail servers keep apart.
#[must_use]
pub(crate) fn email_key(text: &str) -> String {
    email(text).to_ascii_lowercase()
}

/// A name as it is kept: compatible characters are one, blanks around it are gone and blanks in it single. `None` if
/// that has no end.
pub(crate) fn name(text: &str) -> Option<String> {
    let mut name = text.to_owned();
    for _ in 0..=STABLE_AFTER {
        let spaced: String = name.chars().map(usual_space).collect();
        let words: Vec<&str> = spaced.split(' ').filter(|word| !word.is_empty()).collect();
        let next: String = words.join(" ").nfkc().collect();
        if next == name {
            return Some(name);
        }
        name = next;
    }
    None
}

/// Can everything be seen, and does nothing turn the text around? A joiner is fine where its script needs one.
pub(crate) fn is_visible(text: &str) -> bool {
    with_visibility(text).all(|(_, visible)| visible)
}

/// The text for one line of a terminal: what [`is_visible`] refuses is written as its number, `\u{1b}`, so that it
/// neither moves the cursor nor begins a line.
pub(crate) fn on_one_line(text: &str) -> String {
    with_visibility(text)
        .map(|(c, visible)| {
            if visible {
                String::from(c)
            } else {
                c.escape_unicode().to_string()
            }
        })
        .collect()
}

/// The same for a document of JSON, all of it in one line: what JSON itself lets stand in a string (DEL, U+2028,
/// what turns text around) becomes `\u001b` (RFC 8259 §7), which every reader turns back.
pub(crate) fn in_json(document: &str) -> String {
    let mut escaped = String::with_capacity(document.len());
    for (c, visible) in with_visibility(document) {
        if visible {
            escaped.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // A String takes everything.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    escaped
}

fn with_visibility(text: &str) -> impl Iterator<Item = (char, bool)> {
    let chars: Vec<char> = text.chars().collect();
    (0..chars.len()).filter_map(move |at| {
        let c = *chars.get(at)?;
        let before = at.checked_sub(1).and_then(|at| chars.get(at));
        let after = chars.get(at.saturating_add(1));
        let visible = !c.is_control()
            && !is_private(c)
            && (!INVISIBLE.iter().any(|range| range.contains(&c)) || joins(before, c, after));
        Some((c, visible))
    })
}

/// Non-joiner and joiner, where RFC 5892 (appendix A.1 and A.2) lets them stand: after a virama, and the non-joiner
/// between letters of a script that is written joined.
fn joins(before: Option<&char>, c: char, after: Option<&char>) -> bool {
    const VIRAMA: u8 = 9;
    let after_virama = before.is_some_and(|before| canonical_combining_class(*before) == VIRAMA);
    let cursive = |c: Option<&char>| {
        c.is_some_and(|c| c.is_alphabetic() && matches!(c, '\u{600}'..='\u{8ff}'))
    };
    match c {
        '\u{200d}' => after_virama,
        '\u{200c}' => after_virama || (cursive(before) && cursive(after)),
        _ => false,
    }
}

/// Private use, and what is no character at all.
fn is_private(c: char) -> bool {
    matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{f0000}'..)
        || u32::from(c) & 0xfffe == 0xfffe
}

/// Any space (Unicode's category Zs) as U+0020.
fn usual_space(c: char) -> char {
    match c {
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => {
            ' '
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_password_is_one_however_it_is_composed() {
        for (text, spelled) in [
            ("cafe\u{301}", "café"),
            ("café", "café"),
            ("\u{212b}", "Å"),
            ("\u{1112}\u{1161}\u{11ab}", "한"),
            ("a\u{a0}b\u{3000}c\u{2009}d", "a b c d"),
            ("  blanks  stay  ", "  blanks  stay  "),
            ("ﬁ Ａ ①", "ﬁ Ａ ①"),
            ("Case", "Case"),
            ("🦀\u{1fac8}", "🦀\u{1fac8}"),
            ("", ""),
        ] {
            assert_eq!(*password(text), spelled, "{text}");
        }
    }

    #[test]
    fn an_e_mail_is_one_however_it_is_typed() {
        for text in [
            "café@x",
            " cafe\u{301}@x",
            "\u{a0}CAFé@X\t",
            "cafe\u{301}@X\r\n",
        ] {
            assert_eq!(email_key(text), "café@x", "{text:?}");
        }
        assert_eq!(email(" Cafe\u{301}@X "), "Café@X");
        assert_ne!(email_key("É@x"), email_key("é@x"), "not folded");
        assert_ne!(email_key("ﬁ@x"), email_key("fi@x"), "not compatible");
    }

    #[test]
    fn a_name_is_one_however_it_is_spaced() {
        for (text, spelled) in [
            ("  Ada \u{a0} Lovelace\u{3000}", "Ada Lovelace"),
            ("cafe\u{301}", "café"),
            ("Ａda", "Ada"),
            ("\u{a8}x", "\u{308}x"),
            ("   ", ""),
            ("\u{2003}", ""),
            ("王小明", "王小明"),
        ] {
            assert_eq!(name(text).as_deref(), Some(spelled), "{text:?}");
        }
    }

    #[test]
    fn what_is_not_seen_or_turns_the_text_is_found() {
        let mut hidden = vec![
            '\0',
            '\n',
            '\u{7f}',
            '\u{85}',
            '\u{e000}',
            '\u{fdd0}',
            '\u{ffff}',
            '\u{10ffff}',
        ];
        hidden.extend([
            '\u{200b}', '\u{200e}', '\u{202a}', '\u{202e}', '\u{2066}', '\u{feff}', '\u{ad}',
        ]);
        hidden.extend([
            '\u{2028}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{e0041}',
            '\u{200c}',
            '\u{200d}',
            '\u{61c}',
        ]);
        for c in hidden {
            for text in [
                format!("{c}"),
                format!("a{c}b"),
                format!("{c}a"),
                format!("a{c}"),
            ] {
                assert!(!is_visible(&text), "{c:?}");
            }
        }
        for seen in [
            "Ada Lovelace",
            "王小明",
            "🦀",
            "می\u{200c}خواهم",
            "क्\u{200d}ष",
            "אבג",
            "é",
            "e\u{301}",
            "<b>",
        ] {
            assert!(is_visible(seen), "{seen}");
        }
        assert!(!is_visible("می\u{200c}"), "a joiner that joins nothing");
        assert!(!is_visible("a\u{200c}b"), "in a script that does not join");
    }

    #[test]
    fn what_moves_the_cursor_or_the_text_is_shown_as_its_number() {
        for (text, line, json) in [
            ("Ada \u{1b}[2J", "Ada \\u{1b}[2J", "Ada \\u001b[2J"),
            (
                "a\r\nb\tc",
                "a\\u{d}\\u{a}b\\u{9}c",
                "a\\u000d\\u000ab\\u0009c",
            ),
            (
                "a\u{2028}b\u{2029}\u{85}",
                "a\\u{2028}b\\u{2029}\\u{85}",
                "a\\u2028b\\u2029\\u0085",
            ),
            (
                "\u{202e}nimda\u{2066}",
                "\\u{202e}nimda\\u{2066}",
                "\\u202enimda\\u2066",
            ),
            (
                "\u{9b}31m\u{7f}\u{8}",
                "\\u{9b}31m\\u{7f}\\u{8}",
                "\\u009b31m\\u007f\\u0008",
            ),
            ("\u{e0041}", "\\u{e0041}", "\\udb40\\udc41"),
            ("王 🦀 é אבג", "王 🦀 é אבג", "王 🦀 é אבג"),
            ("", "", ""),
        ] {
            assert_eq!(on_one_line(text), line, "{text:?}");
            assert_eq!(in_json(text), json, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_it_was_a_line_is_visible_and_json_says_the_same(text in any::<String>()) {
            prop_assert!(is_visible(&on_one_line(&text)));
            let json = in_json(&serde_json::to_string(&text).unwrap());
            prop_assert!(is_visible(&json), "{json:?}");
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }

        #[test]
        fn what_is_spelled_stays_so(text in "\\PC{0,40}") {
            prop_assert_eq!(password(&password(&text)), password(&text));
            prop_assert_eq!(email_key(&email_key(&text)), email_key(&text));
            if let Some(spelled) = name(&text) {
                prop_assert_eq!(name(&spelled), Some(spelled.clone()));
                prop_assert!(!spelled.starts_with(' ') && !spelled.ends_with(' ') && !spelled.contains("  "));
            }
        }

        #[test]
        fn nfc_never_needs_more_room_than_it_was_given(text in any::<String>()) {
            prop_assert!(password(&text).len() <= text.len() * NFC_GROWTH);
        }
    }
}
