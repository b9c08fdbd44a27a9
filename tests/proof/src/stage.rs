//! Accounts, and log-ins outside of the story.

use std::net::SocketAddr;

use rand::RngExt;
use serde_json::{Value, json};

use crate::Fault;
use crate::client::{persist, said};
use crate::http::Message;
use crate::pair::Pair;

/// An account of this run.
#[derive(Clone, Debug)]
pub struct Account {
    /// E-mail; random, so that a database may be used again.
    pub email: String,
    password: String,
}

impl Account {
    /// Registers an account.
    ///
    /// # Errors
    /// When the service refuses.
    pub async fn register(auth: SocketAddr) -> Result<Self, Fault> {
        let email = format!("proof-{:016x}@example.com", rand::rng().random::<u64>());
        let account = Self {
            email,
            password: "correct horse battery".into(),
        };
        let Account { email, password } = &account;
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
        let answer = persist(
            auth,
            &Message::request("POST", "/api/account/login").json(&self.credentials()),
        )
        .await;
        answer
            .as_ref()
            .and_then(Pair::of)
            .ok_or_else(|| format!("log-in: {}", said(answer.as_ref())).into())
    }
}
