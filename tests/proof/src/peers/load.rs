//! The load: as many clients as connections, each with one request in flight, for a time.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::Fault;
use crate::client::said;
use crate::http::{Connection, Message};
use crate::machine;
use crate::pair::Pair;

/// How long a request may take, on the busiest machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who asks on a connection, and what.
#[derive(Clone)]
pub enum Client {
    /// The same request each time, which this status answers.
    Same {
        /// As it goes over the wire.
        request: Vec<u8>,
        /// The status.
        status: u16,
    },
    /// Refreshes at Keyturn, each with the pair of the one before.
    Keyturn(Pair),
    /// Refreshes at an OAuth 2.0 token endpoint, each with the refresh token of the one before.
    OAuth(String),
}

impl Client {
    /// Asks for `path` with a bearer, or without if it is empty.
    #[must_use]
    pub fn getting(path: &str, token: &str, status: u16) -> Self {
        let request = match token {
            "" => Message::further("GET", path),
            token => Message::further("GET", path).bearer(token),
        };
        let request = request.encode();
        Self::Same { request, status }
    }

    fn request(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Same { request, .. } => Cow::Borrowed(request),
            Self::Keyturn(pair) => Message::further("POST", "/api/account/refresh-token")
                .json(&pair.body())
                .encode()
                .into(),
            Self::OAuth(token) => Message::further("POST", "/token")
                .form(&format!(
                    "grant_type=refresh_token&client_id=demo&refresh_token={token}"
                ))
                .encode()
                .into(),
        }
    }

    /// Takes over what the answer brings; says what is wrong with it otherwise.
    fn take(&mut self, answer: &Message) -> Result<(), String> {
        match self {
            Self::Same { status, .. } if answer.status() == *status => Ok(()),
            Self::Same { .. } => Err(said(Some(answer))),
            Self::Keyturn(pair) => {
                *pair = Pair::of(answer).ok_or_else(|| said(Some(answer)))?;
                Ok(())
            }
            Self::OAuth(token) => {
                let body = answer.value();
                let next = body.get("refresh_token").and_then(Value::as_str);
                match next.filter(|next| next != token && answer.status() == 200) {
                    Some(next) => {
                        next.clone_into(token);
                        Ok(())
                    }
                    None => Err(format!("{} {body}", answer.status())),
                }
            }
        }
    }

    /// Asks once, on a connection of its own.
    ///
    /// # Errors
    /// When the answer is not the one expected.
    pub async fn once(&mut self, to: SocketAddr) -> Result<Message, Fault> {
        let answer = Connection::open(to).await?.ask(&self.request()).await?;
        self.take(&answer)?;
        Ok(answer)
    }

    async fn ask_until(&mut self, to: SocketAddr, end: Instant) -> Result<u32, Fault> {
        let mut connection = Connection::open(to).await?;
        let mut answered = 0;
        while Instant::now() < end {
            // One that hangs would be lost in a median.
            let answer = timeout(PATIENCE, connection.ask(&self.request())).await;
            let answer = answer.map_err(|_| format!("no answer within {PATIENCE:?}"))??;
            self.take(&answer)?;
            answered += 1;
        }
        Ok(answered)
    }
}

/// What a block showed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block {
    /// Microseconds of the server's CPU time for a request.
    pub cpu: f64,
    /// Requests answered in a second.
    pub rate: f64,
}

/// A server, what it is asked, and what was measured.
pub struct Subject {
    /// As the table has it.
    pub name: String,
    /// Where it listens.
    pub addr: SocketAddr,
    /// Its process.
    pub process: u32,
    /// Who asks.
    pub clients: Vec<Client>,
    /// What was measured, in the order of the rounds.
    pub blocks: Vec<Block>,
}

impl Subject {
    /// Asks for `length`.
    ///
    /// # Errors
    /// When an answer is not the one expected, or CPU time cannot be read.
    pub async fn block(&mut self, length: Duration) -> Result<Block, Fault> {
        let before = machine::cpu_nanoseconds_of_all(self.process)?;
        let begun = Instant::now();
        let mut asking = JoinSet::new();
        for (n, mut client) in self.clients.iter().cloned().enumerate() {
            let (to, end) = (self.addr, begun + length);
            asking.spawn(async move {
                let answered = client.ask_until(to, end).await;
                answered.map(|answered| (n, client, answered))
            });
        }
        let mut requests = 0;
        for asked in asking.join_all().await {
            let (n, client, answered) = asked.map_err(|error| format!("{}: {error}", self.name))?;
            requests += answered;
            if let Some(place) = self.clients.get_mut(n) {
                *place = client;
            }
        }
        let seconds = begun.elapsed().as_secs_f64();
        let used = machine::cpu_nanoseconds_of_all(self.process)?.saturating_sub(before);
        let requests = f64::from(requests.max(1));
        Ok(Block {
            cpu: Duration::from_nanos(used).as_secs_f64() * 1e6 / requests,
            rate: requests / seconds,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(first: &str, body: &str) -> Message {
        let mut answer = Message::request("", "");
        answer.first = first.into();
        answer.body = body.into();
        answer
    }

    #[test]
    fn an_answer_that_is_not_the_expected_one_is_a_fault() {
        let mut client = Client::getting("/", "", 401);
        assert!(client.take(&answer("HTTP/1.1 401 No", "")).is_ok());
        assert!(client.take(&answer("HTTP/1.1 200 OK", "")).is_err());
    }

    #[test]
    fn a_refresh_token_that_was_not_rotated_is_a_fault() {
        let mut client = Client::OAuth("a".into());
        let next = answer("HTTP/1.1 200 OK", r#"{"refresh_token":"b"}"#);
        assert!(client.take(&next).is_ok());
        assert!(client.take(&next).is_err());
        assert!(client.take(&answer("HTTP/1.1 200 OK", "{}")).is_err());
    }
}
