//! A client's receiver of log-outs (OIDC Back-Channel Logout 1.0 §2.5), which can be down, slow or out of order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::App;

/// How a receiver answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answering {
    /// With this status.
    With(u16),
    /// With a redirect to itself.
    Elsewhere,
    /// Never.
    Not,
}

/// A receiver, and what it got.
pub struct Receiver {
    /// Where it listens.
    pub uri: String,
    answering: watch::Sender<Answering>,
    got: Arc<watch::Sender<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    /// One that takes everything.
    pub async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let uri = format!(
            "http://{}/out?from=keyturn",
            listener.local_addr().expect("it")
        );
        let answering = watch::Sender::new(Answering::With(200));
        let got: Arc<watch::Sender<Vec<String>>> = Arc::new(watch::Sender::new(Vec::new()));
        let (how, into) = (answering.subscribe(), Arc::clone(&got));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, how.clone(), Arc::clone(&into)));
            }
        });
        Self {
            uri,
            answering,
            got,
            task,
        }
    }

    /// Answers otherwise from now on.
    pub fn answer(&self, how: Answering) {
        self.answering.send_replace(how);
    }

    /// The tokens that it got so far, whatever it answered.
    #[must_use]
    pub fn got(&self) -> Vec<String> {
        self.got.borrow().clone()
    }

    /// Waits until it has got so many.
    pub async fn wait_for(&self, number: usize) -> Vec<String> {
        let mut got = self.got.subscribe();
        let enough = got.wait_for(|got| got.len() >= number);
        let came = tokio::time::timeout(Duration::from_secs(20), enough).await;
        let came = came.map(|got| got.expect("it is open").clone());
        came.unwrap_or_else(|_| panic!("{} of {number} log-outs came", self.got().len()))
    }

    /// Waits until no log-out waits in the database any more, and gives what it got.
    pub async fn settled(&self, app: &App) -> Vec<String> {
        let patience = Instant::now() + Duration::from_secs(20);
        let waiting = "SELECT COUNT(*) AS value FROM logout_deliveries";
        while app.database().number(waiting) != Some(0) {
            assert!(Instant::now() < patience, "log-outs wait");
            tokio::task::yield_now().await;
        }
        self.got()
    }
}

async fn serve(
    mut stream: TcpStream,
    how: watch::Receiver<Answering>,
    got: Arc<watch::Sender<Vec<String>>>,
) -> Option<()> {
    let mut bytes = Vec::new();
    let token = loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        if let Some(token) = token_of(&String::from_utf8_lossy(&bytes)) {
            break token;
        }
    };
    let how = *how.borrow();
    got.send_modify(|got| got.push(token));
    let answer = match how {
        Answering::With(status) => format!("HTTP/1.1 {status} So\r\ncontent-length: 0\r\n\r\n"),
        Answering::Elsewhere => {
            "HTTP/1.1 307 So\r\nlocation: /out?from=keyturn\r\ncontent-length: 0\r\n\r\n".to_owned()
        }
        Answering::Not => {
            // Until the other side has enough of it.
            let _ = stream.read_buf(&mut bytes).await;
            return None;
        }
    };
    stream.write_all(answer.as_bytes()).await.ok()
}

/// The token of a request that is there as a whole, and is what the standard says.
fn token_of(request: &str) -> Option<String> {
    let (head, body) = request.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some("POST /out?from=keyturn HTTP/1.1"));
    let header = |wanted: &str| {
        head.lines().skip(1).find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim())
        })
    };
    let length: usize = header("content-length")?.parse().expect("a number");
    assert_eq!(
        header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    if body.len() < length {
        return None;
    }
    let fields: Vec<(String, String)> = serde_urlencoded::from_str(body).expect("a form");
    match fields.as_slice() {
        [(name, token)] if name == "logout_token" => Some(token.clone()),
        _ => panic!("{} fields", fields.len()),
    }
}

impl App {
    /// The claims of a logout token for this client, whose signature is checked with the keys that are published.
    pub async fn claims_of_logout_token(&self, token: &str, client: &str) -> Value {
        let all = self.claims_of_signed(token, "logout+jwt").await;
        let claims = |name: &str| all.get(name).cloned().unwrap_or_default();
        let event = "http://schemas.openid.net/event/backchannel-logout";
        assert_eq!(claims("iss"), crate::ISSUER);
        assert_eq!(claims("aud"), client);
        assert_eq!(claims("events"), serde_json::json!({event: {}}));
        assert!(claims("nonce").is_null() && claims("jti").is_string());
        let lives = claims("exp").as_i64().zip(claims("iat").as_i64());
        assert_eq!(lives.map(|(exp, iat)| exp - iat), Some(120));
        all
    }
}
