//! Traffic of all kinds, as many users make it together: mostly calls of the API, some refreshes, few log-ins.
//!
//! Each client does one thing at a time over connections that stay open, and knows what must come of it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::{Instant, sleep_until};

use crate::Fault;
use crate::client::said;
use crate::http::{Connection, Message};
use crate::pair::Pair;
use crate::stage::Account;

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A protected call.
    Call,
    /// One with an access token that is over.
    Expired,
    /// A refresh.
    Refresh,
    /// A log-in.
    LogIn,
    /// A log-in with a wrong password.
    WrongPassword,
    /// A log-out.
    LogOut,
}

impl Kind {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 6] = [
        Self::Call,
        Self::Expired,
        Self::Refresh,
        Self::LogIn,
        Self::WrongPassword,
        Self::LogOut,
    ];

    /// As tables have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Expired => "expired",
            Self::Refresh => "refresh",
            Self::LogIn => "log-in",
            Self::WrongPassword => "wrong password",
            Self::LogOut => "log-out",
        }
    }
}

/// Of 10 000 requests so many are calls with an expired token, refreshes, wrong passwords, and log-ins or
/// log-outs. The rest are calls. A log-in costs as much as a thousand calls: this is about half of the work.
const EXPIRED: u32 = 600;
const REFRESHES: u32 = 2300;
const WRONG: u32 = 15;
const CHANGES: u32 = 60;
/// Sessions that a client has before it logs out of one.
const SESSIONS: usize = 4;

/// What happened since the last look.
#[derive(Default)]
pub struct Tally {
    /// How long each request took.
    pub times: Vec<(Kind, Duration)>,
    /// What should not have happened, with its kind.
    pub faults: Vec<String>,
}

impl Tally {
    /// Adds what another one has.
    pub fn add(&mut self, other: Self) {
        self.times.extend(other.times);
        self.faults.extend(other.faults);
    }

    /// How long those of a kind took.
    #[must_use]
    pub fn of(&self, kind: Kind) -> Vec<Duration> {
        let of_kind = self.times.iter().filter(|(it, _)| *it == kind);
        of_kind.map(|(_, time)| *time).collect()
    }
}

/// One client.
pub struct Client {
    auth: Connection,
    api: Connection,
    at: (SocketAddr, SocketAddr),
    account: Account,
    pairs: Vec<Pair>,
    expired: Vec<u8>,
    dice: StdRng,
    tally: Arc<Mutex<Tally>>,
}

impl Client {
    /// Registers an account and logs in. `expired` is an access token that is over.
    ///
    /// # Errors
    /// When that fails.
    pub async fn new(
        auth: SocketAddr,
        api: SocketAddr,
        expired: &str,
        seed: u64,
    ) -> Result<Self, Fault> {
        let account = Account::register(auth).await?;
        let pairs = vec![account.log_in(auth).await?, account.log_in(auth).await?];
        Ok(Self {
            auth: Connection::open(auth).await?,
            api: Connection::open(api).await?,
            at: (auth, api),
            account,
            pairs,
            expired: Message::further("GET", "/api/home")
                .bearer(expired)
                .encode(),
            dice: StdRng::seed_from_u64(seed),
            tally: Arc::default(),
        })
    }

    /// Where it notes what happens.
    #[must_use]
    pub fn tally(&self) -> Arc<Mutex<Tally>> {
        Arc::clone(&self.tally)
    }

    /// Works until then: one request each `pace`, or without a pause. Who falls behind catches up.
    pub async fn work(&mut self, pace: Option<Duration>, until: Instant) {
        let mut next = Instant::now();
        if let Some(pace) = pace {
            // Not all at once.
            next += pace.mul_f64(self.dice.random());
        }
        while next < until && Instant::now() < until {
            if let Some(pace) = pace {
                sleep_until(next).await;
                next += pace;
            } else {
                next = Instant::now();
            }
            let kind = self.choose();
            let begun = Instant::now();
            let done = self.act(kind).await;
            let time = begun.elapsed();
            if done.is_err() {
                self.connect_again().await;
            }
            let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
            tally.times.push((kind, time));
            if let Err(fault) = done {
                tally.faults.push(format!("{}: {fault}", kind.name()));
            }
        }
    }

    fn choose(&mut self) -> Kind {
        let mut fallen = self.dice.random_range(0..10_000_u32);
        let change = if self.pairs.len() < SESSIONS {
            Kind::LogIn
        } else {
            Kind::LogOut
        };
        for (kind, share) in [
            (Kind::Expired, EXPIRED),
            (Kind::Refresh, REFRESHES),
            (Kind::WrongPassword, WRONG),
            (change, CHANGES),
        ] {
            if fallen < share {
                return kind;
            }
            fallen -= share;
        }
        Kind::Call
    }

    async fn act(&mut self, kind: Kind) -> Result<(), Fault> {
        let at = self.dice.random_range(0..self.pairs.len().max(1));
        let pair = self.pairs.get_mut(at).ok_or("no session is left")?;
        let post = |path: &str, body| {
            Message::further("POST", &format!("/api/account/{path}"))
                .json(body)
                .encode()
        };
        let answer = match kind {
            Kind::Call => {
                let call = Message::further("GET", "/api/home").bearer(&pair.access);
                self.api.ask(&call.encode()).await?
            }
            Kind::Expired => self.api.ask(&self.expired).await?,
            Kind::Refresh => self.auth.ask(&post("refresh-token", &pair.body())).await?,
            Kind::LogIn => {
                let body = self.account.credentials();
                self.auth.ask(&post("login", &body)).await?
            }
            Kind::WrongPassword => {
                let body = self.account.wrong_credentials();
                self.auth.ask(&post("login", &body)).await?
            }
            Kind::LogOut => self.auth.ask(&post("logout", &pair.body())).await?,
        };
        let expected = match kind {
            Kind::Call => answer.status() == 200,
            Kind::Expired => answer.status() == 401 && answer.header("act") == Some("expired"),
            Kind::Refresh => Pair::of(&answer).map(|fresh| *pair = fresh).is_some(),
            Kind::LogIn => Pair::of(&answer).map(|new| self.pairs.push(new)).is_some(),
            Kind::WrongPassword => answer.text("code") == "invalid_credentials",
            Kind::LogOut => {
                self.pairs.swap_remove(at);
                answer.status() == 204
            }
        };
        if expected {
            Ok(())
        } else {
            Err(said(Some(&answer)).into())
        }
    }

    /// After a fault the connections may be gone, or hold half an answer.
    async fn connect_again(&mut self) {
        if let Ok(auth) = Connection::open(self.at.0).await {
            self.auth = auth;
        }
        if let Ok(api) = Connection::open(self.at.1).await {
            self.api = api;
        }
    }
}
