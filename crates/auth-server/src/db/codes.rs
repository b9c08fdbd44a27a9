//! Statements on codes: sessions of clients that wait to be fetched.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use serde::{Deserialize, Serialize};

use super::answers::{AccountColumns, GrantColumns, USER_AND_GRANT};
use super::session_row::{read_nonce, write_nonce};
use super::users::uuid;
use super::{DbError, SessionId, Tx, UserId};
use crate::db::{Account, EndReason, Ending, Generation, Grant, Nonce, SessionKind};

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
    #[diesel(embed)]
    account: AccountColumns,
    #[diesel(embed)]
    grant: GrantColumns,
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
        let row = diesel::sql_query(format!(
            "UPDATE sessions SET generation = 1, pending = NULL, rotated_at = $1, idle_until = $2, absolute_until = $3, \
               address = $4, agent = $5, seen_at = $6, seen_address = $7, created_at = $8 \
             WHERE id = $9 AND generation = 0 AND client_id = $10 AND nonce = $11 AND ended_at IS NULL \
               AND user_id IS NOT NULL \
               AND EXISTS (SELECT 1 FROM sessions p WHERE p.id = sessions.parent_id AND p.ended_at IS NULL) \
               AND EXISTS (SELECT 1 FROM clients WHERE clients.id = sessions.client_id AND blocked_at IS NULL) \
             RETURNING {USER_AND_GRANT}"
        ))
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
        row.map(|row| Ok((row.account.account()?, row.grant.grant()?)))
            .transpose()
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
}
