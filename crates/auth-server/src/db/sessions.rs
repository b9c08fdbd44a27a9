//! Statements on `sessions`. Each that changes a row says in its condition what it found the row to be.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::schema::{sessions, users};
use super::session_row::{SessionRow, write_nonce};
use super::users::account;
use super::{DbError, Tx};
use super::{SessionId, UserId};
use crate::db::{Account, Grant, PendingCode, RefreshToken, Session, SessionKind, Sighting};

/// A session to insert.
#[derive(Clone)]
pub struct NewSession {
    /// Its id, generation, nonce and absolute end.
    pub token: RefreshToken,
    /// Whose it is; a service has no user.
    pub user: Option<UserId>,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub idle_until: i64,
    /// User agent.
    pub device: String,
    /// Client address.
    pub address: String,
    /// What it is.
    pub kind: SessionKind,
    /// The browser's session that it comes from.
    pub parent: Option<SessionId>,
    /// When its user gave his password, Unix seconds; of a browser's.
    pub auth_time: i64,
    /// What its client was granted.
    pub grant: Option<Grant>,
    /// The rest of the authorization request, until the client fetches it.
    pub pending: Option<PendingCode>,
}

/// A session with its user, who is `None` once deleted.
#[derive(Clone)]
pub struct SessionWithAccount {
    /// The row.
    pub session: Session,
    /// The user.
    pub account: Option<Account>,
}

type AccountColumns = (String, String, String, Option<i64>, String);

impl Tx<'_> {
    /// Inserts a session: at generation 1, or at 0 until its client fetches it.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn insert_session(&mut self, new: &NewSession) -> Result<(), DbError> {
        let grant = new.grant.as_ref();
        let pending = new.pending.as_ref();
        diesel::insert_into(sessions::table)
            .values((
                sessions::id.eq(new.token.session.to_string()),
                sessions::user_id.eq(new.user.map(|user| user.to_string())),
                sessions::nonce.eq(write_nonce(&new.token.nonce)),
                sessions::generation.eq(new.token.generation.0),
                sessions::created_at.eq(new.created_at),
                sessions::rotated_at.eq(new.created_at),
                sessions::idle_until.eq(new.idle_until),
                sessions::absolute_until.eq(new.token.absolute_until),
                sessions::late_generation.eq(0),
                sessions::late_streak.eq(0),
                sessions::device.eq(&new.device),
                sessions::address.eq(&new.address),
                sessions::agent.eq(Some(&new.device)),
                sessions::seen_at.eq(new.created_at),
                sessions::seen_address.eq(&new.address),
                sessions::kind.eq(new.kind.as_str()),
                sessions::client_id.eq(grant.map_or("", |grant| grant.client.as_str())),
                sessions::parent_id.eq(new.parent.map(|id| id.to_string())),
                sessions::scope.eq(grant.map_or("", |grant| grant.scope.as_str())),
                sessions::auth_time.eq(new.auth_time),
                sessions::amr.eq(grant.map_or("pwd", |grant| grant.amr.as_str())),
                sessions::browser_sid.eq(grant
                    .and_then(|grant| grant.browser_sid)
                    .map(|id| id.to_string())),
                sessions::pending.eq(pending.map(PendingCode::to_json)),
                sessions::code_challenge.eq(pending.and_then(|code| code.challenge.clone())),
            ))
            .execute(self.0)?;
        Ok(())
    }

    /// Notes that the row's current generation was handed out late, if nothing moved since it was read;
    /// `false` if something did.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn mark_late(&mut self, session: &Session) -> Result<bool, DbError> {
        let hit = diesel::update(
            sessions::table
                .filter(sessions::id.eq(session.id.to_string()))
                .filter(sessions::generation.eq(session.generation.0))
                .filter(sessions::late_generation.eq(session.late_generation.0))
                .filter(sessions::late_streak.eq(session.late_streak))
                .filter(sessions::ended_at.is_null()),
        )
        .set((
            sessions::late_generation.eq(session.generation.0),
            sessions::late_streak.eq(sessions::late_streak + 1),
        ))
        .execute(self.0)?;
        Ok(hit == 1)
    }

    /// Notes that the row's current generation was handed out again to somebody elsewhere, if that is not
    /// noted yet; `false` if it is, or the row moved on. The mark before it is kept for the user's list if it is
    /// from before `shown_from`, Unix seconds.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn mark_elsewhere(
        &mut self,
        session: SessionId,
        seen: &Sighting,
        shown_from: i64,
    ) -> Result<bool, DbError> {
        let older = |column: &str| {
            format!(
                "shown_sighting_{column} = CASE WHEN sighting_generation > 0 AND sighting_at < {shown_from} \
                 THEN sighting_{column} ELSE shown_sighting_{column} END"
            )
        };
        let hit = diesel::sql_query(format!(
            "UPDATE sessions SET {}, {}, {}, sighting_generation = $1, sighting_at = $2, \
               sighting_address = $3, sighting_device = $4 \
             WHERE id = $5 AND generation = $6 AND sighting_generation <> $7 AND ended_at IS NULL",
            older("at"),
            older("address"),
            older("device"),
        ))
        .bind::<BigInt, _>(seen.generation.0)
        .bind::<BigInt, _>(seen.at)
        .bind::<Text, _>(&seen.address)
        .bind::<Text, _>(&seen.device)
        .bind::<Text, _>(session.to_string())
        .bind::<BigInt, _>(seen.generation.0)
        .bind::<BigInt, _>(seen.generation.0)
        .execute(self.0)?;
        Ok(hit == 1)
    }

    /// A session and its user.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn find_session(&mut self, id: SessionId) -> Result<Option<SessionWithAccount>, DbError> {
        let found = sessions::table
            .left_join(users::table)
            .filter(sessions::id.eq(id.to_string()))
            .select((
                sessions::all_columns,
                (
                    users::id,
                    users::user_name,
                    users::email,
                    users::email_verified_at,
                    users::roles,
                )
                    .nullable(),
            ))
            .first::<(SessionRow, Option<AccountColumns>)>(self.0)
            .optional()?;
        let Some((row, user)) = found else {
            return Ok(None);
        };
        Ok(Some(SessionWithAccount {
            session: row.try_into()?,
            account: user
                .map(|(id, name, email, verified_at, roles)| {
                    account(&id, name, email, verified_at, &roles)
                })
                .transpose()?,
        }))
    }

    /// The longest lives that sessions were given, in seconds: unless refreshed, and in all. 0 where there are none.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn longest_lives(&mut self) -> Result<(i64, i64), DbError> {
        #[derive(QueryableByName)]
        struct Lives {
            #[diesel(sql_type = BigInt)]
            idle: i64,
            #[diesel(sql_type = BigInt)]
            absolute: i64,
        }
        let lives: Lives = diesel::sql_query(
            "SELECT COALESCE(MAX(idle_until - rotated_at), 0) AS idle, \
             COALESCE(MAX(absolute_until - created_at), 0) AS absolute \
             FROM sessions WHERE ended_at IS NULL",
        )
        .get_result(self.0)?;
        Ok((lives.idle, lives.absolute))
    }

    /// The live sessions of a user, newest first; none that its client has yet to fetch.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn list_sessions(&mut self, user: UserId, now: i64) -> Result<Vec<Session>, DbError> {
        sessions::table
            .filter(sessions::user_id.eq(user.to_string()))
            .filter(sessions::generation.gt(0))
            .filter(sessions::ended_at.is_null())
            .filter(sessions::idle_until.gt(now))
            .filter(sessions::absolute_until.gt(now))
            .order((sessions::created_at.desc(), sessions::id))
            .load::<SessionRow>(self.0)?
            .into_iter()
            .map(Session::try_from)
            .collect()
    }
}
