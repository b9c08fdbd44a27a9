//! Where mail goes to: `MAIL_URL`, taken apart.
//!
//! No password is in it: that has a file of its own. What is wrong with a URL is said without quoting it, since
//! somebody may have written one into it all the same.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What can be written.
const KNOWN: &str = "the schemes known here are smtp://USER@HOST:587 (STARTTLS), smtps://USER@HOST:465 (TLS from \
                     the start) and file:DIR (a file per mail, for development)";

/// How a character is written that means something else in a URL.
const ADVICE: &str = "in the user, write `@` as %40, `/` as %2F, `:` as %3A, `%` as %25";

/// Where mail goes to. Its `Debug` and `Display` show no password, since there is none.
///
/// - `smtp://[USER@]HOST[:587]`: STARTTLS is required, except on loopback, where a local relay may have none;
/// - `smtps://[USER@]HOST[:465]`: TLS from the first byte;
/// - `file:DIR`: each mail becomes a file.
#[derive(Clone, PartialEq, Eq)]
pub struct MailUrl(pub(crate) Way);

/// The ways that mail can go.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// Into a folder.
    Folder(PathBuf),
    /// To a mail server.
    Server(Server),
}

/// A mail server and how it is spoken to.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// TLS from the first byte, not by STARTTLS.
    pub(crate) tls_first: bool,
    pub(crate) host: Host,
    pub(crate) port: u16,
    /// Who logs in.
    pub(crate) user: Option<String>,
}

/// A host, by name or by address.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Host {
    Name(String),
    Address(IpAddr),
}

impl MailUrl {
    /// The folder that mails are written to, if that is what the URL says.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        match &self.0 {
            Way::Folder(folder) => Some(folder),
            Way::Server(_) => None,
        }
    }

    /// Who logs in at the mail server, if anybody does.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match &self.0 {
            Way::Folder(_) => None,
            Way::Server(server) => server.user.as_deref(),
        }
    }
}

impl FromStr for MailUrl {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        // A line's end, as files and secret stores add one.
        let url = url.trim_ascii();
        if let Some(folder) = url.strip_prefix("file:") {
            return folder_of(folder).map(|folder| Self(Way::Folder(folder)));
        }
        let (tls_first, rest) = match (url.strip_prefix("smtp://"), url.strip_prefix("smtps://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err(KNOWN.to_owned()),
        };
        Server::parse(tls_first, rest).map(|server| Self(Way::Server(server)))
    }
}

impl fmt::Display for MailUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Way::Folder(folder) => write!(f, "file:{}", folder.display()),
            Way::Server(server) => server.fmt(f),
        }
    }
}

impl fmt::Debug for MailUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        match self.user() {
            Some(user) => write!(f, " as {user:?}"),
            None => Ok(()),
        }
    }
}

/// Without the user: for what is said about the server.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls_first { "smtps" } else { "smtp" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

fn folder_of(text: &str) -> Result<PathBuf, String> {
    let path = match text.strip_prefix("//") {
        Some(path) if path.starts_with('/') => path,
        Some(_) => return Err("a folder is written file:DIR or file:///DIR".to_owned()),
        None => text,
    };
    if path.is_empty() || path.contains(['?', '\0']) {
        return Err("file: wants the path of a folder and nothing behind it".to_owned());
    }
    Ok(path.into())
}

impl Server {
    fn parse(tls_first: bool, rest: &str) -> Result<Self, String> {
        // To the last `@`: hosts have none.
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, rest),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err(format!(
                "no password belongs into MAIL_URL, where process lists and logs show it: put it into the file that \
                 MAIL_PASSWORD_FILE names ({ADVICE})"
            ));
        }
        if rest.contains(['/', '?', '#', '\\']) {
            return Err(format!(
                "behind the host and its port stands nothing more, no `/` and no `?` ({ADVICE})"
            ));
        }
        let user = user.map(decode).transpose()?;
        let (host, port) = match place.strip_prefix('[').map(|inner| inner.split_once(']')) {
            Some(Some((address, port))) => {
                let address: Ipv6Addr = address
                    .parse()
                    .map_err(|_| "what stands in brackets is no IPv6 address")?;
                (Host::Address(address.into()), port)
            }
            Some(None) => return Err("the `]` of an IPv6 address is missing".to_owned()),
            None => {
                let end = place.find(':').unwrap_or(place.len());
                let (name, port) = place.split_at(end);
                (Host::parse(name)?, port)
            }
        };
        let port = match port.strip_prefix(':') {
            Some(digits) => port_of(digits)?,
            None if port.is_empty() && tls_first => 465,
            None if port.is_empty() => 587,
            None => {
                return Err(
                    "behind the `]` of an IPv6 address stands a `:` and the port".to_owned(),
                );
            }
        };
        Ok(Self {
            tls_first,
            host,
            port,
            user,
        })
    }
}

impl Host {
    fn parse(name: &str) -> Result<Self, String> {
        if let Ok(address) = name.parse::<Ipv4Addr>() {
            return Ok(Self::Address(address.into()));
        }
        let fault = || "smtp:// and smtps:// want the name of a host".to_owned();
        let ascii = idna::domain_to_ascii(name).map_err(|_| fault())?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        let dots_alone = ascii.bytes().all(|byte| byte == b'.');
        if dots_alone || !ascii.bytes().all(plain) {
            return Err(fault());
        }
        Ok(Self::Name(ascii))
    }

    /// Whether only this host's own processes are reached, so that nobody listens on the way.
    pub(crate) fn is_loopback(&self) -> bool {
        match self {
            Self::Address(address) => address.is_loopback(),
            Self::Name(name) => name.trim_end_matches('.') == "localhost",
        }
    }

    /// The name or address that the server's certificate must have.
    pub(crate) fn certified(&self) -> String {
        match self {
            Self::Name(name) => name.trim_end_matches('.').to_owned(),
            Self::Address(address) => address.to_string(),
        }
    }
}

fn port_of(digits: &str) -> Result<u16, String> {
    let all = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse() {
        Ok(0) => Err("port 0 is none that can be connected to".to_owned()),
        Ok(port) if all => Ok(port),
        _ => Err("what stands behind the host's `:` is no port from 1 to 65535".to_owned()),
    }
}

/// What the percent signs in the user stand for.
fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = behind
            .get(..2)
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        let byte = digits.ok_or_else(|| {
            format!("a `%` in the user is not followed by two hexadecimal digits: {ADVICE}")
        })?;
        bytes.push(byte);
        rest = behind.get(2..).unwrap_or_default();
    }
    let user = String::from_utf8(bytes)
        .map_err(|_| "the percent signs in the user do not spell UTF-8".to_owned())?;
    if user.is_empty() || user.contains(char::is_control) {
        return Err(
            "in front of the `@` stands the user who logs in, without control characters"
                .to_owned(),
        );
    }
    Ok(user)
}

#[cfg(test)]
mod tests;
