//! A mail, and the form in which it travels.

use std::fmt;

use chrono::{DateTime, Utc};
use lettre::Message;
use lettre::address::Envelope;
use lettre::message::MultiPart;
use lettre::message::header::{HeaderName, HeaderValue};

use crate::address::recipient;
use crate::{MailFrom, SendError};

/// A mail to one person. Its `Debug` shows the id alone: a link in the text is a secret.
#[derive(Clone)]
pub struct Mail {
    /// What tells this mail from others. It stays the same when the mail is sent again, and so does the
    /// `Message-ID` made from it: whoever gets both can see that they are one.
    pub id: String,
    /// The address it goes to.
    pub to: String,
    /// One line.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// When it was written, the header `Date`: the same again when it is sent again.
    pub written: DateTime<Utc>,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mail({})", self.plain_id())
    }
}

impl Mail {
    /// The id, of characters that mean nothing in a header or in a file's name.
    pub(crate) fn plain_id(&self) -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let id = self.id.chars().take(100);
        id.map(|c| if plain(c) { c } else { '-' }).collect()
    }

    /// The mail with its headers.
    ///
    /// # Errors
    /// `Never`, if no mail can go to its address.
    pub(crate) fn compose(&self, from: &MailFrom) -> Result<Message, SendError> {
        let to = recipient(&self.to)?;
        let subject: String = self
            .subject
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let automatic = HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        );
        let unusable =
            |_| SendError::Later("the mail's headers cannot be put into their form".to_owned());
        let envelope =
            Envelope::new(Some(from.mailbox.email.clone()), vec![to.clone()]).map_err(unusable)?;
        Message::builder()
            .from(from.mailbox.clone())
            .to(to.into())
            .subject(subject.trim())
            .date(self.written.into())
            .message_id(Some(format!("<{}@{}>", self.plain_id(), from.domain())))
            .raw_header(automatic)
            .envelope(envelope)
            .multipart(MultiPart::alternative_plain_html(
                self.text.clone(),
                self.html.clone(),
            ))
            .map_err(unusable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail() -> Mail {
        Mail {
            id: "0190-abc".to_owned(),
            to: "ann@example.com".to_owned(),
            subject: "Choose a new password".to_owned(),
            text: "Open this:\n\nhttps://a.example/#token=S3CRET\n".to_owned(),
            html: "<p>Open this</p>".to_owned(),
            written: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
        }
    }

    fn from() -> MailFrom {
        "Keyturn <no-reply@example.com>".parse().unwrap()
    }

    /// The headers of the whole, unfolded, and what follows them.
    fn parts(mail: &Mail, from: &MailFrom) -> (Vec<String>, String) {
        let raw = String::from_utf8(mail.compose(from).unwrap().formatted()).unwrap();
        let (head, body) = raw.split_once("\r\n\r\n").unwrap();
        let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        (
            head.split("\r\n").map(str::to_owned).collect(),
            body.to_owned(),
        )
    }

    #[test]
    fn the_headers_are_these_and_no_more() {
        let (headers, body) = parts(&mail(), &from());
        let (last, rest) = headers.split_last().unwrap();
        assert_eq!(
            rest,
            [
                "From: Keyturn <no-reply@example.com>",
                "To: ann@example.com",
                "Subject: Choose a new password",
                "Date: Tue, 14 Nov 2023 22:13:20 +0000",
                "Message-ID: <0190-abc@example.com>",
                "Auto-Submitted: auto-generated",
                "MIME-Version: 1.0",
            ]
        );
        assert!(
            last.starts_with("Content-Type: multipart/alternative;"),
            "{last}"
        );
        let (plain, html) = (
            body.find("text/plain").unwrap(),
            body.find("text/html").unwrap(),
        );
        assert!(plain < html);
        assert!(!body.replace("\r\n", "").contains(['\r', '\n']));
    }

    #[test]
    fn a_mail_sent_again_has_the_same_headers() {
        let without_boundary = |mut parts: Vec<String>| {
            parts.pop();
            parts
        };
        let (first, again) = (parts(&mail(), &from()).0, parts(&mail(), &from()).0);
        assert_eq!(without_boundary(first), without_boundary(again));
    }

    #[test]
    fn no_value_can_bring_a_header_of_its_own() {
        let evil = "x\r\nBcc: x@y.example\r\n\r\nbody";
        let names = |mail: &Mail| {
            let headers = parts(mail, &from()).0;
            let name = |header: &String| header.split(':').next().unwrap().to_owned();
            headers.iter().map(name).collect::<Vec<_>>()
        };
        let usual = names(&mail());
        for bad in [
            evil,
            "x\nBcc: x@y.example",
            "x\rBcc: x@y.example",
            "ü\r\nBcc: x@y.example",
            "x\0y",
        ] {
            let subject = Mail {
                subject: bad.to_owned(),
                ..mail()
            };
            let id = Mail {
                id: bad.to_owned(),
                ..mail()
            };
            assert_eq!(names(&subject), usual, "{bad:?}");
            assert_eq!(names(&id), usual, "{bad:?}");
            let to = Mail {
                to: bad.to_owned(),
                ..mail()
            };
            assert!(matches!(to.compose(&from()), Err(SendError::Never(_))));
            let to = Mail {
                to: format!("ann@example.com{bad}"),
                ..mail()
            };
            assert!(matches!(to.compose(&from()), Err(SendError::Never(_))));
        }
        // Bodies may have anything: it stays behind the headers.
        let text = Mail {
            text: evil.to_owned(),
            html: evil.to_owned(),
            ..mail()
        };
        assert_eq!(names(&text), usual);
    }

    #[test]
    fn everything_but_an_address_in_utf_8_travels_as_ascii() {
        let chinese = Mail {
            subject: "重置你的密码".to_owned(),
            text: "你好\n\nhttps://a.example/#token=S3CRET\n".to_owned(),
            html: "<p>你好</p>".to_owned(),
            to: "ann@例子.测试".to_owned(),
            ..mail()
        };
        let from: MailFrom = "令牌 <n@bücher.example>".parse().unwrap();
        let raw = chinese.compose(&from).unwrap().formatted();
        assert!(raw.is_ascii());
        assert!(
            raw.split(|byte| *byte == b'\n')
                .all(|line| line.len() <= 79)
        );
        let utf8 = Mail {
            to: "用户@例子.测试".to_owned(),
            ..mail()
        };
        let message = utf8.compose(&from).unwrap();
        assert_eq!(
            message.envelope().to()[0].to_string(),
            "用户@xn--fsqu00a.xn--0zwm56d"
        );
        assert!(
            String::from_utf8(message.formatted())
                .unwrap()
                .contains("To: 用户@xn--")
        );
    }

    #[test]
    fn what_is_shown_of_a_mail_has_no_link() {
        assert_eq!(format!("{:?}", mail()), "Mail(0190-abc)");
    }
}
