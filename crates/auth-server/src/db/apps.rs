//! Statements on the sessions of clients: a code that waits, its exchange, and how many there may be.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use serde::{Deserialize, Serialize};

use super::schema::sessions;
use super::session_row::{grant, read_nonce, write_nonce};
use super::users::{account, uuid};
use super::{DbError, Tx};
use super::{SessionId, UserId};
use crate::db::{Account, EndReason, Ending, Generation, Grant, Nonce, SessionKind};

/// Log-ins in one browser that may have overtaken each other.
const LONGEST_CHAIN: usize = 8;

/// What of an authorization request the exchange of its code must fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingCode {
    /// Where the code went.
    pub redirect_uri: String,
    /// S256 of the verifier; `None` for a client that cannot.
    #[serde(skip)]
    pub challenge: Option<String>,
    /// What the `id_token` is to repeat.
    pub nonce: Option<String>,
}

impl PendingCode {
    pub(super) fn to_json(&self) -> String {
        serde_json::json!({"redirectUri": self.redirect_uri, "nonce": self.nonce}).to_string()
    }
}

/// A client's row as the exchange of its code sees it.
pub struct CodeRow {
    /// Generation 0: it waits.
    pub generation: Generation,
    /// Part of the code.
    pub nonce: Nonce,
    /// Whose code it is.
    pub client: String,
    /// Whose account it opens; `None` once that is deleted.
    pub user: Option<UserId>,
    /// When it was fetched, Unix seconds; while it waits, when it was made. No refresh moves it.
    pub created_at: i64,
    /// Whether it ended.
    pub ended: bool,
    /// App or offline.
    pub kind: SessionKind,
    /// The browser's session that it came from.
    pub parent: Option<SessionId>,
    /// The absolute end of that, if it lives; Unix seconds.
    pub parent_until: Option<i64>,
    /// S256 of the verifier.
    pub challenge: Option<String>,
    /// The rest of the request; `None` after the exchange.
    pub pending: Option<PendingCode>,
}

/// What a code becomes.
#[derive(Clone)]
pub struct Fetched {
    /// The row.
    pub session: SessionId,
    /// Part of the code.
    pub nonce: Nonce,
    /// Who fetches it.
    pub client: String,
    /// Unix seconds.
    pub now: i64,
    /// Unix seconds.
    pub idle_until: i64,
    /// Unix seconds.
    pub absolute_until: i64,
    /// Client address.
    pub address: String,
    /// User agent.
    pub agent: String,
}

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
    /// Over from then on unless used, Unix seconds.
    pub idle_until: i64,
    /// Over from then on.
    pub absolute_until: i64,
    /// When it was last used, Unix seconds.
    pub used_at: i64,
}

#[derive(QueryableByName)]
struct CodeColumns {
    #[diesel(sql_type = BigInt)]
    generation: i64,
    #[diesel(sql_type = Text)]
    nonce: String,
    #[diesel(sql_type = Text)]
    client_id: String,
    #[diesel(sql_type = Nullable<Text>)]
    user_id: Option<String>,
    #[diesel(sql_type = BigInt)]
    created_at: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    ended_at: Option<i64>,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Nullable<Text>)]
    parent_id: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    parent_until: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    code_challenge: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pending: Option<String>,
}

#[derive(QueryableByName)]
struct FetchedColumns {
    #[diesel(sql_type = Text)]
    user_id: String,
    #[diesel(sql_type = Text)]
    user_name: String,
    #[diesel(sql_type = Text)]
    email: String,
    #[diesel(sql_type = Nullable<BigInt>)]
    email_verified_at: Option<i64>,
    #[diesel(sql_type = Text)]
    roles: String,
    #[diesel(sql_type = Text)]
    client_id: String,
    #[diesel(sql_type = Text)]
    scope: String,
    #[diesel(sql_type = BigInt)]
    auth_time: i64,
    #[diesel(sql_type = Text)]
    amr: String,
    #[diesel(sql_type = Nullable<Text>)]
    browser_sid: Option<String>,
}

#[derive(QueryableByName)]
struct BrowserColumns {
    #[diesel(sql_type = Text)]
    user_id: String,
    #[diesel(sql_type = Text)]
    user_name: String,
    #[diesel(sql_type = Text)]
    email: String,
    #[diesel(sql_type = Nullable<BigInt>)]
    email_verified_at: Option<i64>,
    #[diesel(sql_type = Text)]
    roles: String,
    #[diesel(sql_type = BigInt)]
    auth_time: i64,
    #[diesel(sql_type = Text)]
    amr: String,
    #[diesel(sql_type = BigInt)]
    idle_until: i64,
    #[diesel(sql_type = BigInt)]
    absolute_until: i64,
    #[diesel(sql_type = BigInt)]
    rotated_at: i64,
}

impl Tx<'_> {
    /// The row behind a code.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn find_code(&mut self, id: SessionId) -> Result<Option<CodeRow>, DbError> {
        let found = diesel::sql_query(
            "SELECT generation, nonce, client_id, user_id, created_at, ended_at, kind, parent_id, code_challenge, pending, \
               (SELECT p.absolute_until FROM sessions p WHERE p.id = sessions.parent_id AND p.ended_at IS NULL) \
                 AS parent_until \
             FROM sessions WHERE id = $1",
        )
        .bind::<Text, _>(id.to_string())
        .get_result::<CodeColumns>(self.0)
        .optional()?;
        found
            .map(|row| {
                let challenge = row.code_challenge;
                let pending = row
                    .pending
                    .map(|json| serde_json::from_str::<PendingCode>(&json))
                    .transpose()
                    .map_err(|_| DbError::Unreadable("pending"))?;
                Ok(CodeRow {
                    generation: Generation(row.generation),
                    nonce: read_nonce(&row.nonce)?,
                    client: row.client_id,
                    user: row.user_id.as_deref().map(uuid).transpose()?,
                    created_at: row.created_at,
                    ended: row.ended_at.is_some(),
                    kind: SessionKind::parse(&row.kind).ok_or(DbError::Unreadable("kind"))?,
                    parent: row.parent_id.as_deref().map(uuid).transpose()?,
                    parent_until: row.parent_until,
                    challenge: challenge.clone(),
                    pending: pending.map(|code| PendingCode { challenge, ..code }),
                })
            })
            .transpose()
    }

    /// The exchange of a code: its row moves from generation 0 to 1, if it waits, is this client's, which is not
    /// blocked, and the browser's session that it came from was not ended. `None` if any of that does not hold.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn fetch_session(
        &mut self,
        fetched: &Fetched,
    ) -> Result<Option<(Account, Option<Grant>)>, DbError> {
        let row = diesel::sql_query(
            "UPDATE sessions SET generation = 1, pending = NULL, rotated_at = $1, idle_until = $2, absolute_until = $3, \
               address = $4, agent = $5, seen_at = $6, seen_address = $7, created_at = $8 \
             WHERE id = $9 AND generation = 0 AND client_id = $10 AND nonce = $11 AND ended_at IS NULL \
               AND user_id IS NOT NULL \
               AND EXISTS (SELECT 1 FROM sessions p WHERE p.id = sessions.parent_id AND p.ended_at IS NULL) \
               AND EXISTS (SELECT 1 FROM clients WHERE clients.id = sessions.client_id AND blocked_at IS NULL) \
             RETURNING user_id, client_id, scope, auth_time, amr, browser_sid, \
               (SELECT user_name FROM users WHERE users.id = sessions.user_id) AS user_name, \
               (SELECT email FROM users WHERE users.id = sessions.user_id) AS email, \
               (SELECT email_verified_at FROM users WHERE users.id = sessions.user_id) AS email_verified_at, \
               (SELECT roles FROM users WHERE users.id = sessions.user_id) AS roles",
        )
        .bind::<BigInt, _>(fetched.now)
        .bind::<BigInt, _>(fetched.idle_until)
        .bind::<BigInt, _>(fetched.absolute_until)
        .bind::<Text, _>(&fetched.address)
        .bind::<Text, _>(&fetched.agent)
        .bind::<BigInt, _>(fetched.now)
        .bind::<Text, _>(&fetched.address)
        .bind::<BigInt, _>(fetched.now)
        .bind::<Text, _>(fetched.session.to_string())
        .bind::<Text, _>(&fetched.client)
        .bind::<Text, _>(write_nonce(&fetched.nonce))
        .get_result::<FetchedColumns>(self.0)
        .optional()?;
        row.map(|row| {
            let account = account(
                &row.user_id,
                row.user_name,
                row.email,
                row.email_verified_at,
                &row.roles,
            )?;
            let grant = grant(
                row.client_id,
                row.scope,
                row.auth_time,
                row.amr,
                row.browser_sid.as_deref(),
            )?;
            Ok((account, grant))
        })
        .transpose()
    }

    /// The account of a browser's session that lives, by its cookie.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn find_browser(
        &mut self,
        id: SessionId,
        nonce: &Nonce,
        now: i64,
    ) -> Result<Option<BrowserRow>, DbError> {
        let row = diesel::sql_query(
            "SELECT users.id AS user_id, user_name, email, email_verified_at, roles, auth_time, amr, idle_until, \
               absolute_until, rotated_at \
             FROM sessions JOIN users ON users.id = sessions.user_id \
             WHERE sessions.id = $1 AND kind = 'browser' AND nonce = $2 AND ended_at IS NULL \
               AND idle_until > $3 AND absolute_until > $4 AND blocked_at IS NULL",
        )
        .bind::<Text, _>(id.to_string())
        .bind::<Text, _>(write_nonce(nonce))
        .bind::<BigInt, _>(now)
        .bind::<BigInt, _>(now)
        .get_result::<BrowserColumns>(self.0)
        .optional()?;
        row.map(|row| {
            Ok(BrowserRow {
                id,
                account: account(
                    &row.user_id,
                    row.user_name,
                    row.email,
                    row.email_verified_at,
                    &row.roles,
                )?,
                auth_time: row.auth_time,
                amr: row.amr,
                idle_until: row.idle_until,
                absolute_until: row.absolute_until,
                used_at: row.rotated_at,
            })
        })
        .transpose()
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
        let mut old = old;
        for _ in 0..LONGEST_CHAIN {
            let ended = self.end_session_of(user, old, EndReason::Replaced)?;
            if ended.is_some() {
                diesel::update(sessions::table.filter(sessions::parent_id.eq(old.to_string())))
                    .set(sessions::parent_id.eq(new.to_string()))
                    .execute(self.0)?;
                // Of a browser's session that ended, its parent is who took its place.
                diesel::update(sessions::table.find(old.to_string()))
                    .set(sessions::parent_id.eq(new.to_string()))
                    .execute(self.0)?;
                return Ok(ended);
            }
            let successor = sessions::table
                .find(old.to_string())
                .filter(sessions::user_id.eq(user.to_string()))
                .filter(sessions::kind.eq(SessionKind::Browser.as_str()))
                .select(sessions::parent_id)
                .first::<Option<String>>(self.0)
                .optional()?;
            match successor.flatten() {
                Some(id) => old = uuid(&id)?,
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Deletes the oldest codes of a client in one browser, so that `waiting` wait, `new` among them, and those that
    /// nobody fetched in time. No token of theirs exists, so nobody need hear of it.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn limit_codes(
        &mut self,
        (parent, new): (SessionId, SessionId),
        client: &str,
        waiting: i64,
        now: i64,
    ) -> Result<(), DbError> {
        diesel::sql_query(format!(
            "DELETE FROM sessions WHERE generation = 0 AND id IN (SELECT id FROM sessions \
               WHERE parent_id = $1 AND client_id = $2 AND id <> $3 AND generation = 0 AND ended_at IS NULL \
                 AND absolute_until > {now} \
               ORDER BY created_at DESC, id LIMIT 1000 OFFSET {})",
            waiting.saturating_sub(1)
        ))
        .bind::<Text, _>(parent.to_string())
        .bind::<Text, _>(client)
        .bind::<Text, _>(new.to_string())
        .execute(self.0)?;
        diesel::sql_query(format!(
            "DELETE FROM sessions WHERE generation = 0 AND parent_id = $1 AND client_id = $2 \
               AND absolute_until <= {now}"
        ))
        .bind::<Text, _>(parent.to_string())
        .bind::<Text, _>(client)
        .execute(self.0)?;
        Ok(())
    }

    /// Ends the least recently used live sessions of a client in one browser, so that `live` stay, `new` among them.
    /// Of those that were over before `forgotten` only the latest is kept: the memory of who is to hear of the log-out.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn limit_apps(
        &mut self,
        (parent, new): (SessionId, SessionId),
        client: &str,
        live: i64,
        (now, forgotten): (i64, i64),
    ) -> Result<Vec<Ending>, DbError> {
        let (parent, new) = (parent.to_string(), new.to_string());
        diesel::sql_query(format!(
            "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions \
               WHERE parent_id = $1 AND client_id = $2 AND kind = 'app' AND generation > 0 AND ended_at IS NULL \
                 AND (idle_until <= {forgotten} OR absolute_until <= {forgotten}) \
               ORDER BY rotated_at DESC, id LIMIT 1000 OFFSET 1)"
        ))
        .bind::<Text, _>(&parent)
        .bind::<Text, _>(client)
        .execute(self.0)?;
        self.end_where(
            EndReason::Limit,
            &format!(
                "id IN (SELECT id FROM sessions WHERE parent_id = $2 AND client_id = $3 AND id <> $4 \
                   AND kind = 'app' AND generation > 0 AND ended_at IS NULL \
                   AND idle_until > {now} AND absolute_until > {now} \
                   ORDER BY rotated_at DESC, id LIMIT 1000 OFFSET {})",
                live.saturating_sub(1)
            ),
            &[&parent, client, &new],
        )
    }

    /// Ends all that a client has.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn end_sessions_of_client(
        &mut self,
        client: &str,
        reason: EndReason,
    ) -> Result<Vec<Ending>, DbError> {
        self.end_where(reason, "client_id = $2", &[client])
    }

    /// Ends a session of this client.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn end_app(
        &mut self,
        id: SessionId,
        client: &str,
        reason: EndReason,
    ) -> Result<Vec<Ending>, DbError> {
        let id = id.to_string();
        self.end_where(reason, "id = $2 AND client_id = $3", &[&id, client])
    }

    /// Ends a row of this client, whoever's it is: a code that was presented with the wrong words (`waiting`), or one
    /// that came back.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn end_code(
        &mut self,
        id: SessionId,
        client: &str,
        waiting: bool,
    ) -> Result<Option<Ending>, DbError> {
        let which = if waiting {
            "generation = 0"
        } else {
            "generation > 0"
        };
        let id = id.to_string();
        let ended = self.end_where(
            EndReason::Reuse,
            &format!("id = $2 AND client_id = $3 AND {which}"),
            &[&id, client],
        )?;
        Ok(ended.into_iter().next())
    }

    /// The session of a service that lives beyond `until`, Unix seconds.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn find_service(&mut self, client: &str, until: i64) -> Result<Option<SessionId>, DbError> {
        let found = sessions::table
            .filter(sessions::client_id.eq(client))
            .filter(sessions::kind.eq(SessionKind::Service.as_str()))
            .filter(sessions::ended_at.is_null())
            .filter(sessions::absolute_until.gt(until))
            .order((sessions::absolute_until.desc(), sessions::id))
            .select(sessions::id)
            .first::<String>(self.0)
            .optional()?;
        found.as_deref().map(uuid).transpose()
    }
}
