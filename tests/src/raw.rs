//! HTTP by hand, for what no client library would send.

use std::net::Ipv4Addr;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::Answer;

/// How long an answer may take: longer than the services' own patience.
const PATIENCE: Duration = Duration::from_secs(25);

/// What came back on a connection until the other side closed it.
#[derive(Debug)]
pub struct RawAnswer(pub String);

/// Connects to the host of a URL.
pub async fn open(url: &str) -> TcpStream {
    TcpStream::connect(host(url)).await.expect("a connection")
}

/// Connects from another address of this machine: on Linux, all of 127.0.0.0/8.
pub async fn open_from(source: Ipv4Addr, url: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((source, 0).into()).expect("an address");
    let to = host(url).parse().expect("an address with a port");
    socket.connect(to).await.expect("a connection")
}

fn host(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, host)| host)
}

/// Sends bytes on a new connection, and reads until the other side closes or has answered and falls silent.
pub async fn exchange(url: &str, bytes: &[u8]) -> RawAnswer {
    let mut stream = open(url).await;
    // The other side may answer and close before it has read everything.
    let _ = stream.write_all(bytes).await;
    RawAnswer::read(&mut stream).await
}

impl RawAnswer {
    /// Reads what comes until the connection is closed, or one answer is there and nothing follows.
    pub async fn read(stream: &mut TcpStream) -> Self {
        let (mut all, mut part) = (Vec::new(), vec![0; 64 * 1024]);
        loop {
            let patience = if all.is_empty() {
                PATIENCE
            } else {
                Duration::from_millis(300)
            };
            match timeout(patience, stream.read(&mut part)).await {
                Ok(Ok(n)) if n > 0 => all.extend(part.iter().take(n)),
                // Closed, reset, or silent.
                _ => break,
            }
        }
        Self(String::from_utf8_lossy(&all).into_owned())
    }

    /// The status of the first answer; `None` if the connection was closed without a word.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
    }

    /// How many answers came.
    #[must_use]
    pub fn answers(&self) -> usize {
        self.0.matches("HTTP/1.1 ").count()
    }

    /// The first answer, checked as every other; its body must have a `Content-Length`.
    #[must_use]
    pub fn answer(&self) -> Answer {
        let (head, rest) = self
            .0
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("no answer: {:?}", self.0));
        let mut headers = HeaderMap::new();
        for line in head.lines().skip(1) {
            let (name, value) = line
                .split_once(": ")
                .unwrap_or_else(|| panic!("a header: {line:?}"));
            headers.append(
                name.parse::<HeaderName>().expect("a name"),
                HeaderValue::from_str(value).expect("a value"),
            );
        }
        let length: usize = headers
            .get("content-length")
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .unwrap_or_else(|| panic!("no length: {head:?}"));
        let body = rest
            .get(..length)
            .unwrap_or_else(|| panic!("the body is cut: {rest:?}"));
        Answer::checked(self.status().expect("a status"), headers, body.to_owned())
    }
}
