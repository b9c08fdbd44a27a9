//! Statements on the sessions of browsers that are signed in.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::answers::AccountColumns;
use super::schema::sessions;
use super::session_row::write_nonce;
use super::users::uuid;
use super::{DbError, SessionId, Tx, UserId};
use crate::db::{Account, EndReason, Ending, Nonce, SessionKind};

/// Log-ins in one browser that may have overtaken each other.
const LONGEST_CHAIN: usize = 8;

/// A browser that is signed in.
#[derive(Clone)]
pub struct BrowserRow {
    /// Its session.
    pub id: SessionId,
    /// Who is signed in.
    pub account: Account,
    /// When he gave his password, Unix seconds.
    pub auth_time: i64,
    /// How.
    pub amr: String,
    /// Over from then on, Unix seconds.
    pub absolute_until: i64,
    /// When it was last used, Unix seconds.
    pub used_at: i64,
}

#[derive(QueryableByName)]
struct BrowserColumns {
    #[diesel(embed)]
    account: AccountColumns,
    #[diesel(sql_type = BigInt)]
    auth_time: i64,
    #[diesel(sql_type = Text)]
    amr: String,
    #[diesel(sql_type = BigInt)]
    absolute_until: i64,
    #[diesel(sql_type = BigInt)]
    rotated_at: i64,
}

#[derive(QueryableByName)]
struct Successor {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Text)]
    nonce: String,
}

impl Tx<'_> {
    /// The account of a browser's session that lives at `now`, by its cookie.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn find_browser(
        &mut self,
        id: SessionId,
        nonce: &Nonce,
        now: i64,
    ) -> Result<Option<BrowserRow>, DbError> {
        self.browser_where(id, &write_nonce(nonce), now)
    }

    /// The same for who signs out of it, however long nobody used it; or of the one that took its place since `since`, Unix
    /// seconds: the browser may not have heard of that yet.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn find_browser_to_leave(
        &mut self,
        id: SessionId,
        nonce: &Nonce,
        since: i64,
    ) -> Result<Option<BrowserRow>, DbError> {
        let (mut id, mut nonce) = (id, write_nonce(nonce));
        for _ in 0..LONGEST_CHAIN {
            let found = self.browser_where(id, &nonce, i64::MIN)?;
            if found.is_some() {
                return Ok(found);
            }
            let successor = diesel::sql_query(
                "SELECT p.id, p.nonce FROM sessions s JOIN sessions p ON p.id = s.parent_id AND p.user_id = s.user_id \
                 WHERE s.id = $1 AND s.nonce = $2 AND s.kind = 'browser' AND s.end_reason = 'replaced' AND s.ended_at > $3",
            )
            .bind::<Text, _>(id.to_string())
            .bind::<Text, _>(&nonce)
            .bind::<BigInt, _>(since)
            .get_result::<Successor>(self.0)
            .optional()?;
            let Some(next) = successor else {
                return Ok(None);
            };
            (id, nonce) = (uuid(&next.id)?, next.nonce);
        }
        Ok(None)
    }

    fn browser_where(
        &mut self,
        id: SessionId,
        nonce: &str,
        now: i64,
    ) -> Result<Option<BrowserRow>, DbError> {
        let row = diesel::sql_query(
            "SELECT users.id AS user_id, user_name, email, email_verified_at, roles, auth_time, amr, \
               absolute_until, rotated_at \
             FROM sessions JOIN users ON users.id = sessions.user_id \
             WHERE sessions.id = $1 AND kind = 'browser' AND nonce = $2 AND ended_at IS NULL \
               AND idle_until > $3 AND absolute_until > $4 AND blocked_at IS NULL",
        )
        .bind::<Text, _>(id.to_string())
        .bind::<Text, _>(nonce)
        .bind::<BigInt, _>(now)
        .bind::<BigInt, _>(now)
        .get_result::<BrowserColumns>(self.0)
        .optional()?;
        row.map(|row| {
            Ok(BrowserRow {
                id,
                account: row.account.account()?,
                auth_time: row.auth_time,
                amr: row.amr,
                absolute_until: row.absolute_until,
                used_at: row.rotated_at,
            })
        })
        .transpose()
    }

    /// Whether a client has, or had until lately, a session below a browser's which it knows under this `sid`.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn has_app(
        &mut self,
        browser: SessionId,
        sid: SessionId,
        client: &str,
    ) -> Result<bool, DbError> {
        let its = sessions::table
            .filter(sessions::parent_id.eq(browser.to_string()))
            .filter(sessions::browser_sid.eq(sid.to_string()))
            .filter(sessions::client_id.eq(client));
        Ok(diesel::select(diesel::dsl::exists(its)).get_result(self.0)?)
    }

    /// The clients that have live sessions below a browser's which end with it: not those that stay.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn clients_below(&mut self, browser: SessionId, now: i64) -> Result<Vec<String>, DbError> {
        Ok(sessions::table
            .filter(sessions::parent_id.eq(browser.to_string()))
            .filter(sessions::kind.eq(SessionKind::App.as_str()))
            .filter(sessions::generation.gt(0))
            .filter(sessions::ended_at.is_null())
            .filter(sessions::idle_until.gt(now))
            .filter(sessions::absolute_until.gt(now))
            .select(sessions::client_id)
            .distinct()
            .load(self.0)?)
    }

    /// Slides the idle end of a browser's session that lives. One use from before `shown_from`, Unix seconds, is kept
    /// for the user's list, as at a rotation.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn use_browser(
        &mut self,
        id: SessionId,
        (now, idle_until, shown_from): (i64, i64, i64),
        address: &str,
    ) -> Result<(), DbError> {
        diesel::sql_query(
            "UPDATE sessions SET \
               seen_at = CASE WHEN rotated_at < $1 THEN rotated_at ELSE seen_at END, \
               seen_address = CASE WHEN rotated_at < $2 THEN address ELSE seen_address END, \
               rotated_at = $3, idle_until = $4, address = $5 \
             WHERE id = $6 AND ended_at IS NULL",
        )
        .bind::<BigInt, _>(shown_from)
        .bind::<BigInt, _>(shown_from)
        .bind::<BigInt, _>(now)
        .bind::<BigInt, _>(idle_until)
        .bind::<Text, _>(address)
        .bind::<Text, _>(id.to_string())
        .execute(self.0)?;
        Ok(())
    }

    /// Ends a browser's session of this user alone, and hands its programs over to the one that takes its place. Where a
    /// log-in beside this one has replaced it already, that one's is replaced: both began with the same cookie. `None`
    /// if there was nothing to replace.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn replace_browser(
        &mut self,
        old: SessionId,
        new: SessionId,
        user: UserId,
    ) -> Result<Option<Ending>, DbError> {
        let Some(ended) = self.end_browser(old, user, EndReason::Replaced)? else {
            return Ok(None);
        };
        let old = ended.session.to_string();
        diesel::update(sessions::table.filter(sessions::parent_id.eq(&old)))
            .set(sessions::parent_id.eq(new.to_string()))
            .execute(self.0)?;
        // Of a browser's session that ended, its parent is who took its place.
        diesel::update(sessions::table.find(&old))
            .set(sessions::parent_id.eq(new.to_string()))
            .execute(self.0)?;
        Ok(Some(ended))
    }

    /// Ends a browser's session of this user alone, or the one that took its place meanwhile. `None` if neither lives.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn end_browser(
        &mut self,
        id: SessionId,
        user: UserId,
        reason: EndReason,
    ) -> Result<Option<Ending>, DbError> {
        let mut id = id;
        for _ in 0..LONGEST_CHAIN {
            let ended = self.end_session_of(user, id, reason)?;
            if ended.is_some() {
                return Ok(ended);
            }
            let successor = sessions::table
                .find(id.to_string())
                .filter(sessions::user_id.eq(user.to_string()))
                .filter(sessions::kind.eq(SessionKind::Browser.as_str()))
                .select(sessions::parent_id)
                .first::<Option<String>>(self.0)
                .optional()?;
            match successor.flatten() {
                Some(next) => id = uuid(&next)?,
                None => return Ok(None),
            }
        }
        Ok(None)
    }
}
