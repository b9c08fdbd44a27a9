//! The rules of sessions: how one begins, turns over and ends. No HTTP, no SQL.
//!
//! Every change is one unit of [`Db::write`] that decides by what it hits, so that two requests, two
//! replicas or a killed process can never leave two live successors of one refresh token.

mod apps;
mod browser;
mod codes;
mod end;
mod introspection;
mod listing;
mod programs;
mod refresh;
pub mod refresh_token;
pub mod rotation;
mod start;
mod sweep;

use std::sync::Arc;

use shared::clock::seconds;
use shared::token::NewToken;
use shared::token::{Signer, Validator};
use uuid::Uuid;

pub use apps::AppTokens;
pub use browser::{Browser, BrowserStart, Leave};
pub use codes::Granted;
pub use end::{Announcer, end_all, end_any};
pub use introspection::{Asker, Introspected};
pub use listing::Listed;
pub use programs::Program;
pub use start::{Admission, FirstUse};
#[cfg(test)]
pub(crate) use sweep::KEEP_SESSION;

use crate::db::Account;
use crate::db::{Db, SessionWithAccount};
use crate::db::{SessionId, UserId};
use crate::error::Error;
use crate::mac_keys::MacKeyFile;
use crate::operations::counters::Counters;
use crate::outbox::Outbox;
use crate::sessions::refresh_token::{Purpose, RefreshToken};
use crate::settings::LifetimeSettings;
use sweep::Sweeper;

/// What a log-in or refresh answers.
pub struct Pair {
    /// The signed JWT.
    pub access_token: String,
    /// The refresh token in its one spelling.
    pub refresh_token: String,
    /// Seconds until the access token is over, without skew.
    pub expires_in: i64,
    /// Seconds until the session is over unless refreshed; too coarse to tell when a rotation was.
    pub refresh_expires_in: i64,
}

/// The rules, with what they need. Shared by all workers.
pub struct Sessions {
    db: Db,
    signer: Signer,
    validator: Arc<Validator>,
    mac_keys: Arc<MacKeyFile>,
    announcer: Announcer,
    counters: Counters,
    lifetimes: LifetimeSettings,
    outbox: Outbox,
    /// Where notes of new devices go, if users are told of them.
    new_devices: Outbox,
    sweeper: Sweeper,
}

impl Sessions {
    /// Puts the rules together.
    #[must_use]
    pub fn new(
        db: Db,
        signer: Signer,
        validator: Arc<Validator>,
        mac_keys: Arc<MacKeyFile>,
        announcer: Announcer,
        lifetimes: LifetimeSettings,
        (outbox, new_devices): (Outbox, Outbox),
    ) -> Self {
        let counters = announcer.counters().clone();
        let sweeper = Sweeper::new(db.clone(), &announcer, lifetimes.audit_retention);
        Self {
            db,
            signer,
            validator,
            mac_keys,
            announcer,
            counters,
            lifetimes,
            outbox,
            new_devices,
            sweeper,
        }
    }

    /// A session and its user.
    ///
    /// # Errors
    /// The database's.
    pub async fn find(&self, id: SessionId) -> Result<Option<SessionWithAccount>, Error> {
        Ok(self.db.read(move |tx| tx.find_session(id)).await?)
    }

    /// The user of the access token that came along: it must be genuine, under any key still known, and
    /// of the same session. Whose session it is, the row decides.
    fn owner(&self, access: &str, presented: &RefreshToken) -> Result<UserId, Error> {
        let claims = self
            .validator
            .recognise(access)
            .map_err(|_| Error::InvalidAccessToken)?;
        let session = claims.sid.as_deref().and_then(|sid| sid.parse().ok());
        if session != Some(presented.session) {
            return Err(Error::InvalidAccessToken);
        }
        claims.sub.parse().map_err(|_| Error::InvalidAccessToken)
    }

    fn pair(
        &self,
        account: &Account,
        token: &RefreshToken,
        refresh_expires_in: i64,
        now: i64,
    ) -> Result<Pair, Error> {
        let exp = now
            .saturating_add(seconds(self.lifetimes.access_token_ttl))
            .min(token.absolute_until);
        debug_assert_eq!(token.purpose, Purpose::Account);
        let access_token = self.signer.sign(
            &NewToken {
                sub: &account.id.to_string(),
                sid: &token.session.to_string(),
                jti: &Uuid::new_v4().to_string(),
                iat: now,
                nbf: now,
                exp,
                name: &account.user_name,
                email: &account.email,
                email_verified: account.email_verified,
                roles: &account.roles,
            },
            now,
        )?;
        Ok(Pair {
            access_token,
            refresh_token: token.encode(&self.mac_keys.ring())?,
            expires_in: exp.saturating_sub(now),
            refresh_expires_in,
        })
    }
}

/// When something is over that lives for so many seconds unless used, but for no longer than another; in Unix seconds.
fn expires_soonest(now: i64, lives: i64, absolute_until: i64) -> i64 {
    now.saturating_add(lives).min(absolute_until)
}

#[cfg(test)]
mod rotation_model;
