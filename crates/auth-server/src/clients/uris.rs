//! Redirect URIs: which may be registered, and which registered one a request names.
//!
//! RFC 9700 §2.1: compared as the strings they are. RFC 8252 §7: native programs have loopback addresses, whose port
//! is whatever was free, and schemes of their own.

use reqwest::Url;

use super::ClientKind;

/// Schemes that make a browser do something else than go somewhere.
const NEVER: [&str; 7] = [
    "javascript",
    "data",
    "file",
    "blob",
    "about",
    "vbscript",
    "filesystem",
];

/// Where a client's codes may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirects {
    native: bool,
    registered: Vec<String>,
}

impl Redirects {
    /// These.
    #[must_use]
    pub fn new(kind: ClientKind, registered: Vec<String>) -> Self {
        Self {
            native: kind == ClientKind::Native,
            registered,
        }
    }

    /// Whether a code may go there: the very string is registered, or, of a native program, the same loopback address
    /// with another port (RFC 8252 §7.3).
    #[must_use]
    pub fn allow(&self, asked: &str) -> bool {
        self.registered.iter().any(|registered| {
            registered == asked
                || (self.native
                    && without_port(asked)
                        .zip(without_port(registered))
                        .is_some_and(|(asked, registered)| asked == registered))
        })
    }

    /// The one that is meant if a request names none.
    #[must_use]
    pub fn only(&self) -> Option<&str> {
        match self.registered.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// As they were registered.
    #[must_use]
    pub fn registered(&self) -> &[String] {
        &self.registered
    }
}

const LOOPBACK: [&str; 3] = ["http://127.0.0.1", "http://[::1]", "http://localhost"];

/// A loopback address in two parts, its port left out: exact strings again, so that nothing else differs.
fn without_port(uri: &str) -> Option<(&str, &str)> {
    let host = LOOPBACK.into_iter().find(|host| uri.starts_with(host))?;
    let rest = uri.get(host.len()..)?;
    let rest = match rest.strip_prefix(':') {
        None => rest,
        Some(rest) => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let port: u16 = rest.get(..digits)?.parse().ok()?;
            if port == 0 || rest.starts_with('0') {
                return None;
            }
            rest.get(digits..)?
        }
    };
    // What follows begins a path or a query; anything else would belong to the host.
    (rest.is_empty() || rest.starts_with('/') || rest.starts_with('?')).then_some((host, rest))
}

/// Whether this is an http address of the machine itself, on whatever port.
#[must_use]
pub fn is_loopback(uri: &str) -> bool {
    without_port(uri).is_some()
}

/// What is wrong with a URI that is to be registered.
pub(super) fn fault(uri: &str, kind: ClientKind) -> Option<&'static str> {
    if uri.is_empty() || uri.len() > 2000 {
        return Some("it is empty, or longer than 2000 bytes");
    }
    if uri.bytes().any(|c| !matches!(c, b'!'..=b'~')) {
        return Some("it has a blank or a character that is not ASCII: write it percent-encoded");
    }
    if uri.contains(['*', '"', '<', '>', '\\', '^', '`', '{', '|', '}', '\'']) {
        return Some("it has a wildcard, a quotation mark or a character that no URI has");
    }
    if uri.contains('#') {
        return Some("it has a fragment (RFC 6749 §3.1.2)");
    }
    let Ok(parsed) = Url::parse(uri) else {
        return Some("it is no absolute URI");
    };
    let scheme = parsed.scheme();
    if !uri.starts_with(scheme) {
        return Some("its scheme is not in small letters");
    }
    if NEVER.contains(&scheme) {
        return Some("a browser would run it, not go there");
    }
    match scheme {
        "https" | "http" => {
            let authority = uri
                .split_once("://")
                .map_or("", |(_, rest)| rest)
                .split(['/', '?'])
                .next()
                .unwrap_or_default();
            if authority.contains('@') {
                return Some("it has a user or a password in it");
            }
            if authority.is_empty() || authority.starts_with(':') {
                return Some("it has no host");
            }
            // What a browser makes of it must be what stands there: the code goes where the operator reads it goes.
            let host = parsed.host_str().unwrap_or_default();
            if !authority.starts_with(host) {
                return Some("its host is not written as browsers write it");
            }
            if scheme == "http" && !is_loopback(uri) {
                return Some("http is for the machine itself: 127.0.0.1, [::1] or localhost");
            }
            None
        }
        _ if kind != ClientKind::Native => Some("only native clients have schemes of their own"),
        _ if !scheme.contains('.') => {
            Some("a scheme of your own has a dot in it, as com.example.app (RFC 8252 §7.1)")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_registered() {
        use ClientKind::{Browser, Native, Web};
        for (uri, kind, good) in [
            ("https://app.example/cb", Web, true),
            ("https://app.example", Web, true),
            ("https://app.example:8443/cb?x=1", Browser, true),
            ("http://localhost:3000/cb", Web, true),
            ("http://127.0.0.1/cb", Native, true),
            ("http://[::1]:7/cb", Native, true),
            ("com.example.app:/cb", Native, true),
            ("com.example.app://cb", Native, true),
            ("com.example.app:/cb", Web, false),
            ("myapp:/cb", Native, false),
            ("http://app.example/cb", Web, false),
            ("http://localhost.example/cb", Web, false),
            ("http://127.0.0.1.example/cb", Native, false),
            ("http://127.0.0.1@evil.example/cb", Native, false),
            ("https://*.example/cb", Web, false),
            ("https://app.example/*", Web, false),
            ("https://u:p@app.example/cb", Web, false),
            ("https://app.example/cb#x", Web, false),
            ("https://app.example/a b", Web, false),
            ("https://APP.example/cb", Web, false),
            ("HTTPS://app.example/cb", Web, false),
            ("https://bücher.example/cb", Web, false),
            ("https:app.example", Web, false),
            ("https:///cb", Web, false),
            ("//app.example/cb", Web, false),
            ("/cb", Web, false),
            ("javascript:alert(1)", Native, false),
            ("data:text/html,x", Native, false),
            ("file:///etc/passwd", Native, false),
            ("", Web, false),
        ] {
            assert_eq!(fault(uri, kind).is_none(), good, "{uri} {kind:?}");
        }
    }

    #[test]
    fn a_request_names_a_registered_one_letter_by_letter() {
        let web = Redirects::new(ClientKind::Web, vec!["https://app.example/cb".into()]);
        assert!(web.allow("https://app.example/cb"));
        for other in [
            "https://app.example/cb/",
            "https://app.example/CB",
            "https://APP.example/cb",
            "HTTPS://app.example/cb",
            "http://app.example/cb",
            "https://app.example:443/cb",
            "https://app.example:8443/cb",
            "https://app.example/cb?x=1",
            "https://app.example/cb#x",
            "https://app.example/cb/../cb",
            "https://app.example/%63b",
            "https://user@app.example/cb",
            "https://app.example.evil.example/cb",
            "https://evil.example/https://app.example/cb",
            "https://app.example/cb ",
            " https://app.example/cb",
            "https://app.example\\@evil.example/cb",
            "//app.example/cb",
            "",
        ] {
            assert!(!web.allow(other), "{other}");
        }
    }

    #[test]
    fn the_port_is_free_on_the_machine_itself_and_for_native_programs_alone() {
        let uris = || {
            vec![
                "http://127.0.0.1/cb".to_owned(),
                "http://[::1]:80/cb".to_owned(),
                "http://localhost:3000/cb?a=b".to_owned(),
            ]
        };
        let native = Redirects::new(ClientKind::Native, uris());
        for good in [
            "http://127.0.0.1/cb",
            "http://127.0.0.1:49152/cb",
            "http://[::1]/cb",
            "http://[::1]:65535/cb",
            "http://localhost:1/cb?a=b",
        ] {
            assert!(native.allow(good), "{good}");
        }
        for bad in [
            "http://127.0.0.1:0/cb",
            "http://127.0.0.1:65536/cb",
            "http://127.0.0.1:08/cb",
            "http://127.0.0.1:/cb",
            "http://127.0.0.1:80@evil.example/cb",
            "http://127.0.0.1:80.evil.example/cb",
            "http://127.0.0.1.evil.example/cb",
            "http://127.0.0.2/cb",
            "http://localhost:3000/cb",
            "http://localhost:3000/cb?a=c",
            "https://127.0.0.1/cb",
            "http://127.0.0.1:1/cb/",
        ] {
            assert!(!native.allow(bad), "{bad}");
        }
        let web = Redirects::new(ClientKind::Web, uris());
        assert!(web.allow("http://127.0.0.1/cb"));
        assert!(!web.allow("http://127.0.0.1:49152/cb"));
    }
}
