//! A mail that arrived, and what a reader sees of it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A mail that arrived.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The address that `MAIL FROM` named.
    pub from: String,
    /// The addresses that `RCPT TO` named.
    pub to: Vec<String>,
    /// Who had logged in.
    pub user: Option<String>,
    /// Whether it came under TLS.
    pub encrypted: bool,
    /// Headers and bodies as they came, with the lines' ends.
    pub raw: Vec<u8>,
}

impl Mail {
    /// The headers of the whole by name and value, unfolded, in their order.
    pub fn headers(&self) -> Vec<(String, String)> {
        headers(&split(&self.raw).0)
    }

    /// A header's value, unfolded and as it came.
    pub fn header(&self, name: &str) -> Option<String> {
        find(&self.headers(), name)
    }

    /// The subject as a reader sees it.
    pub fn subject(&self) -> String {
        words(&self.header("Subject").unwrap_or_default())
    }

    /// The plain text, decoded; lines end in `\n`.
    pub fn text(&self) -> String {
        part(&self.raw, "text/plain").expect("a plain text in the mail")
    }

    /// The HTML, decoded; lines end in `\n`.
    pub fn html(&self) -> String {
        part(&self.raw, "text/html").expect("HTML in the mail")
    }

    /// The first link in the plain text.
    pub fn link(&self) -> Option<String> {
        let text = self.text();
        let starts = ["https://", "http://"]
            .into_iter()
            .filter_map(|scheme| text.find(scheme));
        let (_, behind) = text.split_at(starts.min()?);
        behind.split_whitespace().next().map(str::to_owned)
    }
}

/// Head and body.
fn split(raw: &[u8]) -> (String, Vec<u8>) {
    let end = raw.windows(4).position(|window| window == b"\r\n\r\n");
    let (head, body) = raw.split_at(end.unwrap_or(raw.len()));
    let body = body.strip_prefix(b"\r\n\r\n").unwrap_or(body);
    (String::from_utf8_lossy(head).into_owned(), body.to_vec())
}

fn headers(head: &str) -> Vec<(String, String)> {
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let lines = unfolded
        .split("\r\n")
        .filter_map(|line| line.split_once(':'));
    lines
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect()
}

fn find(headers: &[(String, String)], name: &str) -> Option<String> {
    let found = headers.iter().find(|(it, _)| it.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.clone())
}

/// The first part of a type, decoded.
fn part(raw: &[u8], wanted: &str) -> Option<String> {
    let (head, body) = split(raw);
    let headers = headers(&head);
    let kind = find(&headers, "Content-Type").unwrap_or_else(|| "text/plain".to_owned());
    let lower = kind.to_ascii_lowercase();
    if let Some(at) = lower
        .find("boundary=")
        .filter(|_| lower.starts_with("multipart/"))
    {
        let (_, boundary) = kind.split_at(at + "boundary=".len());
        let boundary = boundary.split(';').next()?.trim().trim_matches('"');
        let body = String::from_utf8_lossy(&body).into_owned();
        let body = format!("\r\n{body}");
        let delimiter = format!("\r\n--{boundary}");
        let parts = body.split(&delimiter).skip(1);
        let parts = parts.take_while(|part| !part.starts_with("--"));
        return parts
            .filter_map(|it| it.strip_prefix("\r\n"))
            .find_map(|it| part(it.as_bytes(), wanted));
    }
    if !lower.starts_with(wanted) {
        return None;
    }
    let encoding = find(&headers, "Content-Transfer-Encoding").unwrap_or_default();
    let bytes = match encoding.to_ascii_lowercase().as_str() {
        "base64" => base64(&body)?,
        "quoted-printable" => quoted_printable(&body),
        _ => body,
    };
    Some(String::from_utf8_lossy(&bytes).replace("\r\n", "\n"))
}

fn base64(body: &[u8]) -> Option<Vec<u8>> {
    let body: Vec<u8> = body
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    STANDARD.decode(body).ok()
}

/// RFC 2045 §6.7.
fn quoted_printable(mut body: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(body.len());
    while let Some((first, rest)) = body.split_first() {
        body = rest;
        if *first != b'=' {
            decoded.push(*first);
            continue;
        }
        if let Some(rest) = body.strip_prefix(b"\r\n") {
            body = rest;
            continue;
        }
        let digits = body
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                body = body.get(2..).unwrap_or_default();
            }
            None => decoded.push(b'='),
        }
    }
    decoded
}

/// A header's value with its encoded words decoded (RFC 2047).
fn words(value: &str) -> String {
    let mut decoded = Vec::new();
    let mut rest = value;
    while let Some((front, behind)) = rest.split_once("=?") {
        // Blanks between two encoded words are not part of the text.
        if decoded.is_empty() || !front.trim().is_empty() {
            decoded.extend_from_slice(front.as_bytes());
        }
        let mut parts = behind.splitn(4, '?');
        let (Some(_), Some(how), Some(word), Some(tail)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            panic!("an encoded word is cut: {value}");
        };
        let bytes = match how {
            "b" | "B" => base64(word.as_bytes()).expect("base64 in an encoded word"),
            _ => quoted_printable(word.replace('_', " ").as_bytes()),
        };
        decoded.extend_from_slice(&bytes);
        rest = tail.strip_prefix('=').expect("the end of an encoded word");
    }
    decoded.extend_from_slice(rest.as_bytes());
    String::from_utf8(decoded).expect("UTF-8 in a header")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(raw: &str) -> Mail {
        Mail {
            from: String::new(),
            to: Vec::new(),
            user: None,
            encrypted: false,
            raw: raw.replace('\n', "\r\n").into_bytes(),
        }
    }

    #[test]
    fn the_text_is_found_and_decoded_however_it_is_encoded() {
        let plain = mail("Subject: a\n b\nX: y\n\nsee http://a.example/x and more\n");
        assert_eq!(plain.subject(), "a b");
        assert_eq!(plain.link().unwrap(), "http://a.example/x");
        let quoted = mail(
            "Content-Type: multipart/alternative;\n boundary=\"q=_1\"\n\npreamble\n--q=_1\n\
             Content-Type: text/html\n\n<p>https://b.example</p>\n--q=_1\n\
             Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n\
             gr=C3=BC=\nezi https://a.example/#token=3Dab=\nc rest\n--q=_1--\nhttps://c.example\n",
        );
        assert_eq!(quoted.text(), "grüezi https://a.example/#token=abc rest");
        assert_eq!(quoted.link().unwrap(), "https://a.example/#token=abc");
        assert_eq!(quoted.html(), "<p>https://b.example</p>");
        let coded = STANDARD.encode("重置\r\nhttps://a.example/#t\r\n");
        let (front, back) = coded.split_at(8);
        let coded = mail(&format!(
            "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n{front}\n{back}\n"
        ));
        assert_eq!(coded.text(), "重置\nhttps://a.example/#t\n");
        assert_eq!(coded.link().unwrap(), "https://a.example/#t");
        assert_eq!(mail("Subject: a\n\nnothing here\n").link(), None);
    }

    #[test]
    fn encoded_words_are_read() {
        let coded = format!(
            "=?utf-8?b?{}?= =?UTF-8?Q?_=C3=BC?= x",
            STANDARD.encode("重置")
        );
        assert_eq!(mail(&format!("Subject: {coded}\n\n")).subject(), "重置 ü x");
    }
}
