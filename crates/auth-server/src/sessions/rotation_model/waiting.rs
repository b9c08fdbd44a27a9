//! Codes that wait for their client, on the world's database.

use diesel::RunQueryDsl;

use super::table::{ABSOLUTE, IDLE, MORNING};
use super::world::{World, caller};
use crate::clients::{Client, ClientKind, Definition};
use crate::db::{ClientRow, EndReason, Fetched, Purpose, RefreshToken, SessionId};
use crate::error::Error;
use crate::sessions::AppTokens;

/// The client of the stories.
pub(super) const CLIENT: &str = "shop";
pub(super) const REDIRECT: &str = "https://shop.example/cb";
pub(super) const VERIFIER: &str = "a-verifier-that-is-long-enough-for-the-standard";

/// A code that waits for its client.
pub(super) struct Waiting<'a> {
    pub(super) world: &'a World,
    pub(super) id: SessionId,
    pub(super) browser: SessionId,
    pub(super) code: String,
}

/// What a code is exchanged with.
pub(super) struct Words {
    pub(super) client: &'static str,
    pub(super) redirect: &'static str,
    pub(super) verifier: &'static str,
}

impl Words {
    /// What it was asked with.
    pub(super) fn right() -> Self {
        Self {
            client: CLIENT,
            redirect: REDIRECT,
            verifier: VERIFIER,
        }
    }
}

impl Waiting<'_> {
    /// Exchanges the code at a replica.
    pub(super) fn exchange(
        &self,
        replica: usize,
        now: i64,
        words: &Words,
    ) -> Result<AppTokens, Error> {
        let (client, caller) = (client(words.client), caller(now));
        let exchange = self.world.replicas[replica % 2].exchange_code(
            &self.code,
            &client,
            Some(words.redirect),
            Some(words.verifier),
            &caller,
        );
        self.world.runtime.block_on(exchange)
    }

    /// The exchange's own statement, as it finds what has changed since the row was looked at; whether it hit.
    pub(super) fn fetch_after(&self, change: &str) -> bool {
        diesel::sql_query(change)
            .execute(&mut *self.world.raw.borrow_mut())
            .unwrap();
        let code = RefreshToken::decode(&self.code, Purpose::Code, &self.world.mac_keys.ring());
        let fetched = Fetched {
            session: self.id,
            nonce: code.unwrap().nonce,
            client: CLIENT.into(),
            now: MORNING,
            idle_until: MORNING + IDLE,
            absolute_until: MORNING + ABSOLUTE,
            address: String::new(),
            agent: String::new(),
        };
        let caller = caller(MORNING);
        let fetch = self
            .world
            .db
            .write(&caller, move |tx| Ok(tx.fetch_session(&fetched)?.is_some()));
        self.world.runtime.block_on(fetch).unwrap()
    }

    /// Turns the session over.
    pub(super) fn refresh(&self, token: &str, now: i64) -> Result<AppTokens, Error> {
        self.refresh_as(CLIENT, token, now)
    }

    /// The same by somebody else.
    pub(super) fn refresh_as(&self, id: &str, token: &str, now: i64) -> Result<AppTokens, Error> {
        let (client, caller) = (client(id), caller(now));
        let refresh = self.world.replicas[0].refresh_app(token, &client, None, &caller);
        self.world.runtime.block_on(refresh)
    }

    /// Signs the browser out.
    pub(super) fn sign_out(&self, now: i64) {
        let (user, caller) = (self.world.user.account.id, caller(now));
        let rules = &self.world.replicas[1];
        let ended = rules.end(user, self.browser, EndReason::Logout, &caller);
        self.world.runtime.block_on(ended).unwrap();
    }

    /// Blocks the user, or changes his password.
    pub(super) fn end_all(&self, now: i64) {
        let (user, caller) = (self.world.user.account.id, caller(now));
        let ended = self.world.replicas[1].end_all(user, EndReason::Blocked, &caller);
        self.world.runtime.block_on(ended).unwrap();
    }

    /// Why the session ended, if it did.
    pub(super) fn ended(&self) -> Option<&'static str> {
        let id = self.id;
        let read = self.world.db.read(move |tx| tx.find_session(id));
        let row = self.world.runtime.block_on(read).unwrap().unwrap();
        row.session.ended.map(|(_, reason)| reason.as_str())
    }

    /// How many log-outs the client is to be told of, under the name that it knows the browser's session by.
    pub(super) fn told(&self) -> usize {
        let sid = self.browser;
        let read = self.world.db.read(move |tx| tx.log_outs_of(sid));
        self.world.runtime.block_on(read).unwrap().len()
    }

    /// Sets the row back to before the exchange, as a restored database does.
    pub(super) fn restore(&self) {
        let sql = format!(
            "UPDATE sessions SET generation = 0, pending = '{{\"redirectUri\":\"{REDIRECT}\"}}', \
             idle_until = created_at + 60, absolute_until = created_at + 60 WHERE id = '{}'",
            self.id
        );
        diesel::sql_query(sql)
            .execute(&mut *self.world.raw.borrow_mut())
            .unwrap();
    }
}

pub(super) fn client_row(id: &str) -> ClientRow {
    let mut definition = Definition::new(id, ClientKind::Browser);
    definition.redirect_uris = vec![REDIRECT.into()];
    definition.backchannel_uri = Some("https://shop.example/out".into());
    definition.row(None, None, 0).unwrap()
}

pub(super) fn client(id: &str) -> Client {
    client_row(id).try_into().unwrap()
}
