//! Addresses: who mails come from, and who gets one.
//!
//! lettre writes an address as it is. What could end a command or a header therefore never gets into one.

use std::fmt;
use std::str::FromStr;

use lettre::Address;
use lettre::message::header::{self, Headers};
use lettre::message::{Mailbox, Mailboxes};

use crate::SendError;

/// The longest address that the commands of SMTP can carry, in bytes (RFC 5321 §4.5.3.1.3, without the brackets).
const LONGEST: usize = 254;

/// Whom mails come from, as in `Keyturn <no-reply@example.com>` or `no-reply@example.com`.
#[derive(Clone, PartialEq, Eq)]
pub struct MailFrom {
    pub(crate) mailbox: Mailbox,
}

impl MailFrom {
    /// The domain behind the `@`, in ASCII.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.mailbox.email.domain()
    }
}

impl FromStr for MailFrom {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || {
            "wants an address, with a name or without: Keyturn <no-reply@example.com>".to_owned()
        };
        let text = text.trim();
        if text.contains(char::is_control) {
            return Err(fault());
        }
        let (name, address) = match text.strip_suffix('>').map(|inner| inner.rsplit_once('<')) {
            Some(Some((name, address))) => (name.trim(), address),
            Some(None) => return Err(fault()),
            None => ("", text),
        };
        let name = name
            .strip_prefix('"')
            .and_then(|inner| inner.strip_suffix('"'))
            .unwrap_or(name);
        if name.contains(['<', '>', '"', '\\', '@']) {
            return Err(
                "the name in front of the address has none of < > \" \\ @ in it".to_owned(),
            );
        }
        let email = address_of(address).ok_or_else(fault)?;
        if !email.user().is_ascii() {
            return Err(
                "in front of the `@` stand ASCII letters alone: few mail servers take others"
                    .to_owned(),
            );
        }
        let name = Some(name.to_owned()).filter(|name| !name.is_empty());
        let mailbox = Mailbox::new(name, email);
        // lettre reads the header again when it builds a mail: a name that it cannot read is found out here.
        let mut headers = Headers::new();
        headers.set(header::From::from(Mailboxes::from(mailbox.clone())));
        match headers.get::<header::From>() {
            Some(_) => Ok(Self { mailbox }),
            None => {
                Err("the name in front of the address cannot be written in a header".to_owned())
            }
        }
    }
}

impl fmt::Display for MailFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mailbox.fmt(f)
    }
}

impl fmt::Debug for MailFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MailFrom({self})")
    }
}

/// Reads the address that a mail goes to.
///
/// # Errors
/// `Never`, if no mail can go there.
pub(crate) fn recipient(address: &str) -> Result<Address, SendError> {
    address_of(address).ok_or_else(|| {
        SendError::Never("the recipient's address is none that mail can go to".to_owned())
    })
}

/// An address with its domain in ASCII; what stands in front of the `@` may be UTF-8 (RFC 6531).
fn address_of(text: &str) -> Option<Address> {
    let dangerous = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>');
    if text.len() > LONGEST || text.contains(dangerous) {
        return None;
    }
    let (user, domain) = text.rsplit_once('@')?;
    let domain = idna::domain_to_ascii(domain).ok()?;
    let address = Address::new(user, domain).ok()?;
    Some(address).filter(|address| AsRef::<str>::as_ref(address).len() <= LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_have_a_name_or_none() {
        for (text, shown, domain) in [
            (
                "no-reply@example.com",
                "no-reply@example.com",
                "example.com",
            ),
            (
                "Keyturn <no-reply@example.com>\n",
                "Keyturn <no-reply@example.com>",
                "example.com",
            ),
            (
                "\"Keyturn, Inc\" <n@example.com>",
                "\"Keyturn, Inc\" <n@example.com>",
                "example.com",
            ),
            ("<n@example.com>", "n@example.com", "example.com"),
            (
                "n@bücher.example",
                "n@xn--bcher-kva.example",
                "xn--bcher-kva.example",
            ),
        ] {
            let from: MailFrom = text.parse().unwrap();
            assert_eq!((from.to_string().as_str(), from.domain()), (shown, domain));
        }
        for name in [
            "a.b",
            "A; B",
            "Ann (her)",
            "O'Neil & Co.",
            "A: B",
            "[x]",
            "%=?utf-8?b?x?=",
        ] {
            let from: MailFrom = format!("{name} <n@example.com>").parse().unwrap();
            assert_eq!(from.mailbox.name.as_deref(), Some(name));
        }
        let chinese: MailFrom = "令牌服务 <n@example.com>".parse().unwrap();
        assert_eq!(chinese.mailbox.name.as_deref(), Some("令牌服务"));
    }

    #[test]
    fn a_sender_that_could_be_more_than_one_header_is_none() {
        for text in [
            "",
            "Keyturn",
            "n@",
            "@example.com",
            "Keyturn <n@example.com",
            "n@example.com>",
            "Key\r\nBcc: x@y <n@example.com>",
            "Keyturn <n@example.com\r\nBcc: x@y>",
            "Key\\turn <n@example.com>",
            "a@b.example <n@example.com>",
            "a@example.com, b@example.com",
            "Keyturn <a@example.com>, <b@example.com>",
            "jürgen@example.com",
        ] {
            assert!(text.parse::<MailFrom>().is_err(), "{text}");
        }
    }

    #[test]
    fn recipients_are_one_address_and_nothing_else() {
        for (text, read) in [
            ("ann@example.com", "ann@example.com"),
            ("Ann+tag@Example.com", "Ann+tag@example.com"),
            ("o'neil@example.co.uk", "o'neil@example.co.uk"),
            ("ann@bücher.example", "ann@xn--bcher-kva.example"),
            ("用户@例子.测试", "用户@xn--fsqu00a.xn--0zwm56d"),
        ] {
            assert_eq!(recipient(text).unwrap().to_string(), read);
        }
        let long = format!("ann@{}.example.com", "a.".repeat(130));
        for text in [
            "",
            "ann",
            "ann@",
            "@example.com",
            "ann@example.com\r\nBcc: x@y",
            "ann@example.com>\r\nRCPT TO:<x@y.example",
            "ann@example.com> SIZE=1",
            "<ann@example.com>",
            "Ann <ann@example.com>",
            "ann@example.com,bob@example.com",
            "ann bob@example.com",
            "\"a\r\nb\"@example.com",
            "ann@exa mple.com",
            "ann@-.example",
            "ann\0@example.com",
            "ann\u{2028}@example.com",
            &long,
        ] {
            assert!(
                matches!(recipient(text), Err(SendError::Never(_))),
                "{text}"
            );
        }
    }
}
