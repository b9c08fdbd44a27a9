//! What templates are filled with.
//!
//! A name is a stranger's choice, and a mail speaks in our name: what gets through is too short and too plain to
//! carry a message or something to click on. No value brings a line of its own.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use minijinja::context;
use minijinja::value::Value;

use super::{Kind, Locale};

/// The longest name that is shown, in characters.
const LONGEST_NAME: usize = 40;

/// The longest of the other values but the link, in characters.
const LONGEST: usize = 300;

/// What templates are filled with, each under its field's name; what a kind has no use for stays empty. Its
/// `Debug` does not show the link.
#[derive(Clone, Default)]
pub struct Values<'a> {
    /// The account's name. Left out of mails that can be made to go to anybody, and if it could pass for a
    /// message or an address.
    pub name: &'a str,
    /// The address the mail goes to.
    pub address: &'a str,
    /// What is to be opened, `https://…`.
    pub link: &'a str,
    /// How long the link is good.
    pub lives: Duration,
    /// What the service calls itself, as the host of its issuer.
    pub service: &'a str,
    /// The new address, or device and network, in our own words: no text that a stranger wrote.
    pub detail: &'a str,
    /// When it happened.
    pub when: DateTime<Utc>,
}

impl fmt::Debug for Values<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Values")
            .field("service", &self.service)
            .field("detail", &self.detail)
            .finish_non_exhaustive()
    }
}

impl Values<'_> {
    /// Values that a template is tried with.
    pub(super) fn sample() -> Values<'static> {
        Values {
            name: "Ann",
            address: "ann@example.com",
            link: "https://accounts.example.com/account/reset#token=SAMPLE_1-2&x=3",
            lives: Duration::from_mins(30),
            service: "accounts.example.com",
            detail: "anna@example.org",
            when: DateTime::default(),
        }
    }

    /// The same without what may be missing.
    pub(super) fn bare_sample() -> Values<'static> {
        Values {
            name: "",
            detail: "",
            ..Self::sample()
        }
    }

    /// What the service calls itself.
    pub(super) fn service(&self) -> String {
        line(self.service)
    }

    /// All of them, as templates see them.
    pub(super) fn context(&self, kind: Kind, locale: Locale) -> Value {
        let name = if kind.may_name() {
            harmless(self.name)
        } else {
            ""
        };
        context! {
            name => name,
            address => line(self.address),
            link => self.link,
            lives => locale.in_words(self.lives),
            service => self.service(),
            detail => line(self.detail),
            when => self.when.format("%Y-%m-%d %H:%M UTC").to_string(),
        }
    }
}

/// The name, or nothing if it is long or has what addresses and links are made of.
fn harmless(name: &str) -> &str {
    let name = name.trim();
    let telling = |c: char| {
        c.is_control()
            || is_invisible(c)
            // The dots that resolvers and mail programs take for one (IDNA, UTS #46), too.
            || matches!(c, '.' | '/' | '@' | ':' | '\\' | '<' | '>' | '。' | '．' | '｡' | '：' | '／' | '＠')
    };
    if name.chars().count() > LONGEST_NAME || name.contains(telling) {
        return "";
    }
    name
}

/// Characters that turn the writing's direction, or that nobody sees.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The value as one line, cut if need be.
fn line(value: &str) -> String {
    let plain = |c: char| {
        if c.is_control() || is_invisible(c) {
            ' '
        } else {
            c
        }
    };
    value.trim().chars().take(LONGEST).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_be_a_message_is_left_out() {
        for name in ["Ann", "Ann O'Neil", "王小明", "jean-luc 2", "Łukasz"] {
            assert_eq!(harmless(name), name);
        }
        for name in [
            "evil.example",
            "http://evil",
            "a@b",
            "evil。example",
            "win／now",
            "a:b",
            "a\nb",
            "a\r\nBcc: x@y",
            "a\u{202e}b",
            "a\u{200b}b",
            "<b>a</b>",
            "You have won a prize of 1000000 dollars call us",
        ] {
            assert_eq!(harmless(name), "", "{name}");
        }
    }

    #[test]
    fn what_is_shown_of_values_has_no_link() {
        let shown = format!("{:?}", Values::sample());
        assert!(
            !shown.contains("SAMPLE") && !shown.contains("https"),
            "{shown}"
        );
    }
}
