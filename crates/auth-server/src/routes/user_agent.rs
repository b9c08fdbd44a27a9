//! The name that a client gives itself, as it is shown and kept.

use actix_web::http::header::{HeaderMap, USER_AGENT};

/// Characters that are kept: enough for every browser's.
const LONGEST: usize = 200;

/// The user agent, shortened; empty where there is none.
///
/// RFC 9110 §5.5 knows ASCII alone, but telephones put the name that their owner gave them there, in UTF-8 or, from
/// older libraries, in Latin-1. What moves the text around it in a list, or cannot be seen, is left out.
pub(super) fn of(headers: &HeaderMap) -> String {
    let Some(value) = headers.get(USER_AGENT) else {
        return String::new();
    };
    let text = match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => text.to_owned(),
        // Every byte of Latin-1 is the character of that number.
        Err(_) => value.as_bytes().iter().copied().map(char::from).collect(),
    };
    text.chars()
        .filter(|c| is_shown(*c))
        .take(LONGEST)
        .collect()
}

fn is_shown(c: char) -> bool {
    let moves_or_hides = matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}'
    );
    !c.is_control() && !moves_or_hides
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn shown(bytes: &[u8]) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_bytes(bytes).unwrap());
        of(&headers)
    }

    #[test]
    fn a_user_agent_in_utf_8_or_latin_1_has_a_name() {
        for (bytes, name) in [
            (&b"Mozilla/5.0 (X11)"[..], "Mozilla/5.0 (X11)"),
            ("Jürgens Telefon/1.0".as_bytes(), "Jürgens Telefon/1.0"),
            (b"J\xfcrgens Telefon/1.0", "Jürgens Telefon/1.0"),
            ("Анна iPhone".as_bytes(), "Анна iPhone"),
            ("小米手机 🦀".as_bytes(), "小米手机 🦀"),
            (b"half of one \xc3", "half of one Ã"),
            (b"tab\there", "tabhere"),
            ("a\u{202e}b\u{200b}c\u{2066}d\u{feff}".as_bytes(), "abcd"),
            (b"", ""),
        ] {
            assert_eq!(shown(bytes), name);
        }
        assert_eq!(of(&HeaderMap::new()), "");
        // Characters are counted, not bytes, and none is cut in two.
        assert_eq!(shown("ü".repeat(500).as_bytes()), "ü".repeat(200));
    }
}
