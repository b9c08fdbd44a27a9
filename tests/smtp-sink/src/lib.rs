//! A mail server for tests, over real sockets: it keeps what it gets, and misbehaves as it is told.
//!
//! [`Sink`] listens on a port of its own with a certificate of an authority of its own. It speaks what a mail
//! server of a provider speaks (STARTTLS or TLS from the start, `AUTH PLAIN` and `LOGIN`, `8BITMIME`,
//! `SMTPUTF8`); [`Behaviour`] says what goes wrong on which connection. Knows nothing of who sends.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "a harness: what cannot be done fails the test that asked for it"
)]

mod behaviour;
mod certificates;
mod mail;
mod talk;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub use behaviour::Behaviour;
pub use mail::Mail;

use certificates::Certificates;

/// How long a mail is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a sink is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// Offered by STARTTLS.
    #[default]
    StartTls,
    /// From the first byte.
    FromTheStart,
    /// Not at all.
    None,
}

/// What a sink is like.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How it is spoken to.
    pub tls: Tls,
    /// User and password without which it takes no mail; `None` takes it from everybody.
    pub login: Option<(String, String)>,
    /// Takes ASCII addresses alone.
    pub without_smtputf8: bool,
    /// Offers `AUTH LOGIN` alone.
    pub auth_login_alone: bool,
}

/// A line that a client said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The line, without its end; of a mail none.
    pub line: String,
    /// Whether it came under TLS.
    pub encrypted: bool,
}

/// The server. It ends when it is dropped.
#[derive(Debug)]
pub struct Sink {
    shared: Arc<Shared>,
    port: u16,
    taken: tokio::sync::Mutex<usize>,
    listener: JoinHandle<()>,
}

/// What the connections share.
#[derive(Debug)]
struct Shared {
    options: Options,
    certificates: Certificates,
    script: Mutex<VecDeque<Behaviour>>,
    otherwise: Mutex<Behaviour>,
    said: Mutex<Vec<Said>>,
    mails: Mutex<Vec<Mail>>,
    count: watch::Sender<usize>,
    connections: watch::Sender<usize>,
}

/// The lock, also of a connection that failed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sink {
    /// A sink with STARTTLS, for everybody.
    pub async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    /// A sink like this.
    pub async fn start_with(options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let shared = Arc::new(Shared {
            options,
            certificates: Certificates::new(),
            script: Mutex::default(),
            otherwise: Mutex::default(),
            said: Mutex::default(),
            mails: Mutex::default(),
            count: watch::Sender::new(0),
            connections: watch::Sender::new(0),
        });
        let for_listener = shared.clone();
        let listener = tokio::spawn(async move {
            // With the listener they end, too.
            let mut talks = JoinSet::new();
            loop {
                let Ok((tcp, _)) = listener.accept().await else {
                    return;
                };
                for_listener.connections.send_modify(|count| *count += 1);
                talks.spawn(talk::talk(tcp, for_listener.clone()));
                while talks.try_join_next().is_some() {}
            }
        });
        Self {
            shared,
            port,
            taken: tokio::sync::Mutex::new(0),
            listener,
        }
    }

    /// Where it is, as a mail URL with the user if there is one: `smtp://user@localhost:PORT`.
    pub fn url(&self) -> String {
        self.url_of("localhost")
    }

    /// The same with another name for this host. `0.0.0.0` leads here as well, and does not look like loopback;
    /// the certificate is good for it, too.
    pub fn url_of(&self, host: &str) -> String {
        let scheme = match self.shared.options.tls {
            Tls::FromTheStart => "smtps",
            Tls::StartTls | Tls::None => "smtp",
        };
        let user = match &self.shared.options.login {
            Some((user, _)) => format!("{}@", user.replace('%', "%25").replace('@', "%40")),
            None => String::new(),
        };
        format!("{scheme}://{user}{host}:{}", self.port)
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The authority that its certificate is to be trusted by, in PEM.
    pub fn authority(&self) -> &str {
        &self.shared.certificates.authority
    }

    /// What the next connections are like, one after the other, behind those said before. A client that tries
    /// twice, with TLS and without, makes two.
    pub fn script(&self, behaviours: impl IntoIterator<Item = Behaviour>) {
        lock(&self.shared.script).extend(behaviours);
    }

    /// What connections are like that the script says nothing of, from now on.
    pub fn otherwise(&self, behaviour: Behaviour) {
        *lock(&self.shared.otherwise) = behaviour;
    }

    /// Waits for the next mail that no call has had.
    pub async fn next(&self) -> Mail {
        let mut taken = self.taken.lock().await;
        let mut count = self.shared.count.subscribe();
        let arrived = tokio::time::timeout(PATIENCE, count.wait_for(|count| *count > *taken)).await;
        let Ok(Ok(_)) = arrived else {
            panic!("no mail within {PATIENCE:?}; said was {:#?}", self.said());
        };
        let mail = lock(&self.shared.mails).get(*taken).cloned();
        *taken += 1;
        mail.expect("a mail that was counted")
    }

    /// Every mail so far, also those that `next` has handed out.
    pub fn accepted(&self) -> Vec<Mail> {
        lock(&self.shared.mails).clone()
    }

    /// Every line of every client so far, but those of mails.
    pub fn said(&self) -> Vec<Said> {
        lock(&self.shared.said).clone()
    }

    /// How many connections there were so far.
    pub fn connections(&self) -> usize {
        *self.shared.connections.borrow()
    }

    /// Waits until there were as many connections.
    pub async fn connected(&self, times: usize) {
        let mut count = self.shared.connections.subscribe();
        let reached = tokio::time::timeout(PATIENCE, count.wait_for(|count| *count >= times)).await;
        assert!(
            matches!(reached, Ok(Ok(_))),
            "no {times} connections within {PATIENCE:?}"
        );
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.listener.abort();
    }
}
