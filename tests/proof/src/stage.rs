//! Accounts, and log-ins outside of the story.

use std::net::SocketAddr;

use rand::RngExt;
use serde_json::{Value, json};

use crate::Fault;
use crate::client::{persist, said};
use crate::door::Door;
use crate::http::Message;
use crate::pair::Pair;

/// An account of this run.
#[derive(Clone, Debug)]
pub struct Account {
    /// E-mail; random, so that a database may be used again.
    pub email: String,
    password: String,
    /// Where its sessions turn over.
    pub door: Door,
}

impl Account {
    /// Registers an account.
    ///
    /// # Errors
    /// When the service refuses.
    pub async fn register(auth: SocketAddr) -> Result<Self, Fault> {
        Self::register_at(auth, Door::Account).await
    }

    /// Registers an account whose sessions turn over at this door.
    ///
    /// # Errors
    /// When the service refuses.
    pub async fn register_at(auth: SocketAddr, door: Door) -> Result<Self, Fault> {
        let email = format!("proof-{:016x}@example.com", rand::rng().random::<u64>());
        let account = Self {
            email,
            password: "correct horse battery".into(),
            door,
        };
        let Account {
            email, password, ..
        } = &account;
        let body = json!({"userName": "Proof", "email": email, "password": password});
        let answer = persist(
            auth,
            &Message::request("POST", "/api/account/register").json(&body),
        )
        .await;
        match answer {
            Some(answer) if answer.status() == 201 => Ok(account),
            answer => Err(format!("registration: {}", said(answer.as_ref())).into()),
        }
    }

    /// The same account at another door.
    #[must_use]
    pub fn at(&self, door: Door) -> Self {
        Self {
            door,
            ..self.clone()
        }
    }

    /// The body of a log-in.
    #[must_use]
    pub fn credentials(&self) -> Value {
        json!({"email": self.email, "password": self.password})
    }

    /// The body of a log-in that fails.
    #[must_use]
    pub fn wrong_credentials(&self) -> Value {
        json!({"email": self.email, "password": "not the password"})
    }

    /// Begins a session.
    ///
    /// # Errors
    /// When the service refuses.
    pub async fn log_in(&self, auth: SocketAddr) -> Result<Pair, Fault> {
        let answer = self.try_log_in(auth).await?;
        Pair::of(&answer).ok_or_else(|| format!("log-in: {}", said(Some(&answer))).into())
    }

    /// Begins a session in a browser, where the door has pages: its tokens, and the browser's cookies.
    ///
    /// # Errors
    /// When the service refuses.
    pub async fn sign_in(&self, auth: SocketAddr) -> Result<(Message, String), Fault> {
        self.door.by_pages(auth, &self.email, &self.password).await
    }

    /// The same, whatever the answer.
    ///
    /// # Errors
    /// When the service does not answer, or shows other pages than are known here.
    pub async fn try_log_in(&self, auth: SocketAddr) -> Result<Message, Fault> {
        match self.door {
            door @ (Door::OAuth | Door::Rs256 | Door::Es256) => {
                let begun = door.by_pages(auth, &self.email, &self.password).await?;
                Ok(begun.0)
            }
            Door::Account => {
                let request =
                    Message::request("POST", "/api/account/login").json(&self.credentials());
                let answer = persist(auth, &request).await;
                answer.ok_or_else(|| "log-in: no answer".into())
            }
        }
    }
}
