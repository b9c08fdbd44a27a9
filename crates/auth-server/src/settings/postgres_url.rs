//! The URL of a PostgreSQL server, taken apart.
//!
//! libpq can read it as well. But it quotes what it cannot read, half a password included, and takes a raw
//! `@` in one for the end of it. So it gets keywords and values from here, and what it says is looked
//! through for the password all the same.

mod keywords;
mod values;

use std::fmt::Write;

use zeroize::Zeroizing;

use keywords::{KEYWORDS, SECRETS};

/// How a character is written that means something else in a URL.
const ADVICE: &str =
    "in user and password, write `@` as %40, `/` as %2F, `?` as %3F, `:` as %3A, `%` as %25";

/// The shortest piece of a password that is not said: less is in many words.
const PIECE: usize = 5;

/// A PostgreSQL server, as keywords and values that libpq knows. No `Debug`: the password is in it.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    parameters: Vec<(&'static str, Zeroizing<String>)>,
    /// Passwords as they are, and as they are written in the URL.
    secrets: Vec<Zeroizing<String>>,
}

impl PostgresUrl {
    /// Reads what stands behind `postgres://`, as libpq does where that is clear.
    ///
    /// # Errors
    /// What is wrong with it, without quoting any of it.
    pub(super) fn parse(rest: &str) -> Result<Self, String> {
        let mut url = Self {
            parameters: Vec::new(),
            secrets: Vec::new(),
        };
        let (credentials, server) = split_credentials(rest);
        if let Some(credentials) = credentials {
            let (user, password) = match credentials.split_once(':') {
                Some((user, password)) => (user, Some(password)),
                None => (credentials, None),
            };
            url.set("user", user)?;
            if let Some(password) = password {
                url.set("password", password)?;
            }
        }
        let (server, query) = match server.split_once('?') {
            Some((server, query)) => (server, Some(query)),
            None => (server, None),
        };
        let (hosts, database) = match server.split_once('/') {
            Some((hosts, database)) => (hosts, Some(database)),
            None => (server, None),
        };
        url.set_hosts(hosts)?;
        if let Some(database) = database {
            if database.contains('@') {
                return Err(format!("an `@` stands behind the first `/`: {ADVICE}"));
            }
            url.set("dbname", database)?;
        }
        for pair in query
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
        {
            url.set_parameter(pair)?;
        }
        // libpq does not ask for what is empty, but takes its own default.
        url.parameters.retain(|(_, value)| !value.is_empty());
        Ok(url)
    }

    /// The value of a keyword, if the URL has it.
    pub(crate) fn parameter(&self, keyword: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(name, _)| *name == keyword);
        found.map(|(_, value)| value.as_str())
    }

    /// The string of keywords and values that libpq takes, with these where the URL does not say otherwise.
    pub(crate) fn connection_string(&self, defaults: &[(&str, &str)]) -> Zeroizing<String> {
        let own = self
            .parameters
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        let missing = defaults
            .iter()
            .filter(|(name, _)| self.parameter(name).is_none());
        let mut text = Zeroizing::new(String::new());
        for (name, value) in own.chain(missing.copied()) {
            let value = Zeroizing::new(value.replace('\\', r"\\").replace('\'', r"\'"));
            // Into a string nothing fails.
            let _ = write!(text, "{name}='{}' ", *value);
        }
        text
    }

    /// What somebody says of this server, without the passwords and without larger pieces of them.
    pub(crate) fn without_secrets(&self, said: &str) -> String {
        let mut clean = String::with_capacity(said.len());
        let mut rest = said;
        while let Some(first) = rest.chars().next() {
            let secret = self
                .secrets
                .iter()
                .map(|secret| piece_in_front(rest, secret));
            if let Some(length @ 1..) = secret.max() {
                clean.push_str("[redacted]");
                rest = rest.get(length..).unwrap_or_default();
            } else {
                clean.push(first);
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
            }
        }
        clean
    }

    fn set(&mut self, keyword: &'static str, written: &str) -> Result<(), String> {
        let value = decode(written)?;
        values::check(keyword, &value)?;
        if SECRETS.contains(&keyword) {
            for secret in [value.clone(), Zeroizing::new(written.to_owned())] {
                if !secret.is_empty() && !self.secrets.contains(&secret) {
                    self.secrets.push(secret);
                }
            }
        }
        self.parameters.retain(|(name, _)| *name != keyword);
        self.parameters.push((keyword, value));
        Ok(())
    }

    /// `host:port`, or several of them separated by commas; an IPv6 address stands in brackets.
    fn set_hosts(&mut self, hosts: &str) -> Result<(), String> {
        let (mut names, mut ports) = (Vec::new(), Vec::new());
        for one in hosts.split(',') {
            let (name, port) = match one.strip_prefix('[').map(|inner| inner.split_once(']')) {
                Some(Some((address, ""))) => (address, ""),
                Some(Some((address, port))) => (
                    address,
                    port.strip_prefix(':')
                        .ok_or("behind the `]` of an IPv6 address stands a `:` and the port")?,
                ),
                Some(None) => return Err("the `]` of an IPv6 address is missing".into()),
                None => one.split_once(':').unwrap_or((one, "")),
            };
            if !port.is_empty() && port.parse::<u16>().is_err() {
                return Err(format!(
                    "what stands behind the host's `:` is no port: {ADVICE}"
                ));
            }
            if name.contains(char::is_whitespace) {
                return Err(format!("a blank stands in the host's name: {ADVICE}"));
            }
            names.push(name);
            ports.push(port);
        }
        // With nothing in front of the slash, host and port may stand behind the question mark.
        if names.iter().any(|name| !name.is_empty()) {
            self.set("host", &names.join(","))?;
        }
        if ports.iter().any(|port| !port.is_empty()) {
            self.set("port", &ports.join(","))?;
        }
        Ok(())
    }

    fn set_parameter(&mut self, pair: &str) -> Result<(), String> {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(format!(
                "what stands behind the `?` is no name=value: {ADVICE}"
            ));
        };
        // What JDBC calls it.
        if (name, value) == ("ssl", "true") {
            return self.set("sslmode", "require");
        }
        let known = KEYWORDS.iter().find(|known| **known == name);
        let Some(keyword) = known else {
            return Err(format!(
                "a name behind the `?` is none of libpq's connection parameters: {ADVICE}"
            ));
        };
        self.set(keyword, value)
    }
}

/// User and password, if there are any, and what stands behind their `@`. They reach as far as the last `@`
/// in front of the first slash or question mark: hosts have none, passwords may.
fn split_credentials(rest: &str) -> (Option<&str>, &str) {
    let Some((front, behind)) = rest
        .split_once('@')
        .filter(|(front, _)| !front.contains('/'))
    else {
        return (None, rest);
    };
    let end = behind.find(['/', '?']).unwrap_or(behind.len());
    let more = behind
        .get(..end)
        .and_then(|server| server.rfind('@'))
        .map_or(0, |at| at + 1);
    let length = front.len() + more;
    (
        rest.get(..length),
        rest.get(length + 1..).unwrap_or_default(),
    )
}

/// What the percent signs stand for.
fn decode(text: &str) -> Result<Zeroizing<String>, String> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
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
        match digits {
            Some(0) => return Err("%00 can be in no user, password or name".into()),
            Some(byte) => bytes.push(byte),
            None => {
                return Err(format!(
                    "a `%` is not followed by two hexadecimal digits: {ADVICE}"
                ));
            }
        }
        rest = behind.get(2..).unwrap_or_default();
    }
    if bytes.contains(&0) {
        return Err("a zero byte is in it".into());
    }
    let text = std::str::from_utf8(&bytes);
    text.map(|text| Zeroizing::new(text.to_owned()))
        .map_err(|_| "the percent signs do not spell UTF-8".into())
}

/// Bytes of the longest piece of the secret that `text` begins with, if it is long enough to tell.
fn piece_in_front(text: &str, secret: &str) -> usize {
    let shortest = PIECE.min(secret.chars().count()).max(3);
    let pieces = secret.char_indices().map(|(from, _)| {
        let piece = secret.get(from..).unwrap_or_default().chars();
        let same = piece.zip(text.chars()).take_while(|(a, b)| a == b);
        same.fold((0, 0), |(count, length), (_, c)| {
            (count + 1, length + c.len_utf8())
        })
    });
    pieces
        .filter(|(count, _)| *count >= shortest)
        .map(|(_, length)| length)
        .max()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
