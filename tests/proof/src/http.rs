//! The little of HTTP/1.1 that is needed: one message at a time, with a `content-length`.
//!
//! Not a client library: those repeat requests on their own when a connection breaks, and whether a request
//! was sent once or twice is what these programs are about.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A request or an answer.
#[derive(Clone, Debug)]
pub struct Message {
    /// The first line, without its end.
    pub first: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// As long as `content-length` says.
    pub body: Vec<u8>,
}

impl Message {
    /// A request on a connection of its own.
    #[must_use]
    pub fn request(method: &str, path: &str) -> Self {
        let headers = vec![
            ("host".into(), "localhost".into()),
            ("connection".into(), "close".into()),
        ];
        Self {
            first: format!("{method} {path} HTTP/1.1"),
            headers,
            body: Vec::new(),
        }
    }

    /// A request on a connection that stays open.
    #[must_use]
    pub fn further(method: &str, path: &str) -> Self {
        let mut request = Self::request(method, path);
        request.headers.retain(|(name, _)| name != "connection");
        request
    }

    /// With a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// With a bearer token.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.with("authorization", format!("Bearer {token}"))
    }

    /// With a JSON body.
    #[must_use]
    pub fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into_bytes();
        self.with("content-type", "application/json")
    }

    /// With a form's body, which is encoded already.
    #[must_use]
    pub fn form(mut self, body: &str) -> Self {
        self.body = body.into();
        self.with("content-type", "application/x-www-form-urlencoded")
    }

    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    /// The status of an answer; 0 for what is none.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.first
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or_default()
    }

    /// A text member of the JSON body; empty if there is none.
    #[must_use]
    pub fn text(&self, member: &str) -> String {
        self.value()
            .get(member)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    }

    /// The JSON body; null if it is none.
    #[must_use]
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Writes it as it goes over the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.first);
        for (name, value) in self
            .headers
            .iter()
            .filter(|(name, _)| name != "content-length")
        {
            text.extend([name, ": ", value, "\r\n"]);
        }
        if self.status() != 204 {
            text.extend(["content-length: ", &self.body.len().to_string(), "\r\n"]);
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Reads one message; `None` if the other side closed before it began.
    ///
    /// # Errors
    /// When the connection breaks, or what comes is no message with a `content-length`.
    pub async fn read(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Self>> {
        let Some(first) = line(stream).await?.filter(|first| !first.is_empty()) else {
            return Ok(None);
        };
        let mut message = Self {
            first,
            headers: Vec::new(),
            body: Vec::new(),
        };
        loop {
            let line = line(stream).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
            message
                .headers
                .push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        if message.header("transfer-encoding").is_some() {
            return Err(io::Error::other("a body without a content-length"));
        }
        let length = message.header("content-length").map_or(Ok(0), str::parse);
        message.body = vec![0; length.map_err(io::Error::other)?];
        stream.read_exact(&mut message.body).await?;
        Ok(Some(message))
    }
}

async fn line(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<String>> {
    let mut line = String::new();
    let n = stream.read_line(&mut line).await?;
    Ok((n > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Sends a request on a connection of its own and reads the answer.
///
/// # Errors
/// When no whole answer came within `patience`; the other side may have done the work all the same.
pub async fn exchange(
    to: SocketAddr,
    request: &Message,
    patience: Duration,
) -> io::Result<Message> {
    let asked = async {
        let mut stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        stream.write_all(&request.encode()).await?;
        Message::read(&mut BufReader::new(stream))
            .await?
            .ok_or(io::ErrorKind::UnexpectedEof.into())
    };
    timeout(patience, asked)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// A connection that stays open: where the cost of a request counts, not that of connecting.
pub struct Connection(BufReader<TcpStream>);

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn open(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends a request, given as [`Message::encode`] made it, and reads the answer.
    ///
    /// # Errors
    /// When no whole answer comes.
    pub async fn ask(&mut self, request: &[u8]) -> io::Result<Message> {
        self.0.write_all(request).await?;
        Message::read(&mut self.0)
            .await?
            .ok_or(io::ErrorKind::UnexpectedEof.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn a_message_is_read_as_it_was_written() {
        let sent = Message::request("POST", "/a")
            .bearer("t")
            .json(&json!({"b": 1}))
            .encode();
        let read = Message::read(&mut sent.as_slice()).await.unwrap().unwrap();
        assert_eq!(read.header("authorization"), Some("Bearer t"));
        assert_eq!(read.value(), json!({"b": 1}));
        assert_eq!(
            read.encode(),
            Message::read(&mut read.encode().as_slice())
                .await
                .unwrap()
                .unwrap()
                .encode()
        );
    }

    #[tokio::test]
    async fn half_a_message_is_an_error_and_none_is_none() {
        assert!(
            Message::read(&mut "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab".as_bytes())
                .await
                .is_err()
        );
        assert!(
            Message::read(&mut "HTTP/1.1 200 OK\r\n".as_bytes())
                .await
                .is_err()
        );
        assert!(Message::read(&mut "".as_bytes()).await.unwrap().is_none());
    }
}
