//! Browsers that are signed in: one log-in for many programs.
//!
//! The cookie is a MACed token of a session that never turns over. It opens nothing but our own pages, which hand out
//! codes for the programs.

use shared::clock::seconds;

use super::end::{audit_endings, end_browser};
use super::start::{Admission, FirstUse};
use super::{Sessions, expires_soonest};
use crate::db::{Account, Caller, EndReason, Generation, Purpose, RefreshToken, SessionKind, User};
use crate::db::{BrowserRow, DbError, Ending, SessionId, Unit, UserId};
use crate::error::Error;

/// How seldom a use is written down: a redirect costs no write.
const USE_EVERY: i64 = 60;

/// Seconds that the answer to a log-in may be under way: the browser still comes with the cookie before.
const UNDER_WAY: i64 = 60;

/// A browser that is signed in.
#[derive(Clone)]
pub struct Browser {
    /// Its session.
    pub session: SessionId,
    /// Who is signed in.
    pub account: Account,
    /// When he gave his password, Unix seconds.
    pub auth_time: i64,
    /// How, as RFC 8176 names it; words by blanks.
    pub amr: String,
    /// Over from then on, Unix seconds.
    pub absolute_until: i64,
}

impl From<BrowserRow> for Browser {
    fn from(row: BrowserRow) -> Self {
        Self {
            session: row.id,
            account: row.account,
            auth_time: row.auth_time,
            amr: row.amr,
            absolute_until: row.absolute_until,
        }
    }
}

/// A log-in in a browser: its new cookie, and what it shows.
pub struct BrowserStart {
    /// The cookie's value.
    pub cookie: String,
    /// Seconds that the browser may keep it at most.
    pub lives: i64,
    /// Who is signed in now.
    pub browser: Browser,
}

/// What becomes of the session that the browser had before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// The same user's: its programs go over to the new one.
    HandOver(SessionId, UserId),
    /// Another user's: it is signed out, and so are its programs.
    SignOut(SessionId, UserId),
}

impl Leave {
    /// What a log-in of `user` does to the session that the browser has.
    #[must_use]
    pub fn of(before: &Browser, user: UserId) -> Self {
        let (session, owner) = (before.session, before.account.id);
        if owner == user {
            Self::HandOver(session, owner)
        } else {
            Self::SignOut(session, owner)
        }
    }

    /// Does it, within the unit of the log-in that begins `new`.
    pub(super) fn settle(
        self,
        tx: &mut Unit<'_, '_>,
        new: SessionId,
    ) -> Result<Vec<Ending>, DbError> {
        match self {
            Self::HandOver(session, user) => {
                let ended = tx.replace_browser(session, new, user)?;
                audit_endings(tx, user, ended.as_slice(), EndReason::Replaced)?;
                Ok(ended.into_iter().collect())
            }
            Self::SignOut(session, user) => end_browser(tx, user, session, EndReason::Logout),
        }
    }
}

impl Sessions {
    /// The live session behind a browser's cookie; notes that it was used, once a minute.
    ///
    /// # Errors
    /// The database's.
    pub async fn browser(&self, cookie: &str, caller: &Caller) -> Result<Option<Browser>, Error> {
        let now = caller.now;
        let Ok(presented) = RefreshToken::read(cookie, Purpose::Browser, &self.mac_keys) else {
            return Ok(None);
        };
        if presented.absolute_until <= now {
            return Ok(None);
        }
        let (id, nonce) = (presented.session, presented.nonce);
        let found = self.db.read(move |tx| tx.find_browser(id, &nonce, now));
        let Some(row) = found.await? else {
            return Ok(None);
        };
        if row.used_at.saturating_add(USE_EVERY) <= now {
            let idle_until = now
                .saturating_add(seconds(self.lifetimes.sso_idle_ttl))
                .min(row.absolute_until);
            let (address, shown_from) = (caller.address.clone(), self.shown_from(now));
            self.db
                .write(caller, move |tx| {
                    tx.use_browser(id, (now, idle_until, shown_from), &address)
                })
                .await?;
        }
        Ok(Some(row.into()))
    }

    /// The session behind a browser's cookie for who signs out of it, or in over it: one that nobody used for too long has
    /// programs that live on, so it is found as well; and so is one that a log-in has just put into its place.
    ///
    /// # Errors
    /// The database's.
    pub async fn browser_to_leave(
        &self,
        cookie: &str,
        caller: &Caller,
    ) -> Result<Option<Browser>, Error> {
        let Ok(presented) = RefreshToken::read(cookie, Purpose::Browser, &self.mac_keys) else {
            return Ok(None);
        };
        let (id, nonce) = (presented.session, presented.nonce);
        let since = caller.now.saturating_sub(UNDER_WAY);
        let found = self
            .db
            .read(move |tx| tx.find_browser_to_leave(id, &nonce, since));
        Ok(found.await?.map(Browser::from))
    }

    /// Whether a client knows a browser's session under this `sid`: it is its own, or that of one whose place it took.
    ///
    /// # Errors
    /// The database's.
    pub async fn is_known_as(
        &self,
        browser: &Browser,
        sid: SessionId,
        client: &str,
    ) -> Result<bool, Error> {
        let (session, client) = (browser.session, client.to_owned());
        if sid == session {
            return Ok(true);
        }
        let found = self.db.read(move |tx| tx.has_app(session, sid, &client));
        Ok(found.await?)
    }

    /// The clients that have live sessions below a browser's.
    ///
    /// # Errors
    /// The database's.
    pub async fn programs_of(&self, browser: &Browser, now: i64) -> Result<Vec<String>, Error> {
        let session = browser.session;
        Ok(self
            .db
            .read(move |tx| tx.clients_below(session, now))
            .await?)
    }

    /// Signs a browser out: its session ends with the programs below it, and their clients are to be told.
    ///
    /// # Errors
    /// The database's.
    pub async fn sign_out(&self, browser: &Browser, caller: &Caller) -> Result<(), Error> {
        let (user, session) = (browser.account.id, browser.session);
        let ended = self.db.write(caller, move |tx| {
            end_browser(tx, user, session, EndReason::Logout)
        });
        self.announcer.announce(&ended.await?);
        Ok(())
    }

    /// Begins a browser's session for a user whose password was just checked. It is a new one with a new cookie
    /// whatever the browser had before, so that nobody knows it who knew that one.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_browser(
        &self,
        user: &User,
        first: FirstUse,
        admission: Option<impl Admission>,
        before: Option<&Browser>,
        caller: &Caller,
    ) -> Result<BrowserStart, Error> {
        let mut new = self.new_session(&user.account, caller)?;
        let lives = seconds(self.lifetimes.sso_absolute_ttl);
        let absolute_until = caller.now.saturating_add(lives);
        new.kind = SessionKind::Browser;
        new.token = RefreshToken {
            purpose: Purpose::Browser,
            generation: Generation::FIRST,
            absolute_until,
            ..new.token
        };
        new.idle_until = expires_soonest(
            caller.now,
            seconds(self.lifetimes.sso_idle_ttl),
            absolute_until,
        );
        let leave = before.map(|before| Leave::of(before, user.account.id));
        let account = self
            .log_in(user, first, admission, &new, leave, caller)
            .await?;
        Ok(BrowserStart {
            cookie: new.token.encode(&self.mac_keys.ring())?,
            lives,
            browser: Browser {
                session: new.token.session,
                account,
                auth_time: caller.now,
                amr: "pwd".into(),
                absolute_until,
            },
        })
    }
}
