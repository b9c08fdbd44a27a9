//! Statements on `sessions`. Each that changes a row says in its condition what it found the row to be.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use uuid::Uuid;

use super::schema::{sessions, users};
use super::users::{account, uuid};
use super::{DbError, Tx};
use crate::model::{Account, EndReason, Session};
use crate::refresh_token::{Nonce, RefreshToken};

/// A session to insert.
#[derive(Clone)]
pub struct NewSession {
    /// Its id, generation 1, nonce and absolute end.
    pub token: RefreshToken,
    /// Whose it is.
    pub user: Uuid,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub idle_until: i64,
    /// User agent.
    pub device: String,
    /// Client address.
    pub address: String,
}

/// What a rotation moves.
#[derive(Clone)]
pub struct Rotation {
    /// The token that was presented.
    pub presented: RefreshToken,
    /// The user its access token names.
    pub user: Uuid,
    /// Unix seconds.
    pub now: i64,
    /// Unix seconds to which the idle end slides, if the absolute end allows.
    pub idle_until: i64,
    /// Client address.
    pub address: String,
}

/// What a rotation found and made.
#[derive(Clone)]
pub struct Rotated {
    /// The user as of now: tokens carry today's name, e-mail and roles.
    pub account: Account,
    /// Unix seconds.
    pub idle_until: i64,
}

/// A session with its user, who is `None` once deleted.
#[derive(Clone)]
pub struct SessionWithAccount {
    /// The row.
    pub session: Session,
    /// The user.
    pub account: Option<Account>,
}

#[derive(QueryableByName)]
struct RotatedRow {
    #[diesel(sql_type = Text)]
    user_id: String,
    #[diesel(sql_type = BigInt)]
    idle_until: i64,
    #[diesel(sql_type = Text)]
    user_name: String,
    #[diesel(sql_type = Text)]
    email: String,
    #[diesel(sql_type = Text)]
    roles: String,
}

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = Text)]
    id: String,
}

#[derive(QueryableByName, Queryable)]
struct SessionRow {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Nullable<Text>)]
    user_id: Option<String>,
    #[diesel(sql_type = Text)]
    nonce: String,
    #[diesel(sql_type = BigInt)]
    generation: i64,
    #[diesel(sql_type = BigInt)]
    created_at: i64,
    #[diesel(sql_type = BigInt)]
    rotated_at: i64,
    #[diesel(sql_type = BigInt)]
    idle_until: i64,
    #[diesel(sql_type = BigInt)]
    absolute_until: i64,
    #[diesel(sql_type = BigInt)]
    late_generation: i64,
    #[diesel(sql_type = BigInt)]
    late_streak: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    ended_at: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    end_reason: Option<String>,
    #[diesel(sql_type = Text)]
    device: String,
    #[diesel(sql_type = Text)]
    address: String,
}

impl TryFrom<SessionRow> for Session {
    type Error = DbError;

    fn try_from(row: SessionRow) -> Result<Self, DbError> {
        Ok(Self {
            id: uuid(&row.id)?,
            user: row.user_id.as_deref().map(uuid).transpose()?,
            generation: row.generation,
            nonce: read_nonce(&row.nonce)?,
            created_at: row.created_at,
            rotated_at: row.rotated_at,
            idle_until: row.idle_until,
            absolute_until: row.absolute_until,
            late_generation: row.late_generation,
            late_streak: row.late_streak,
            ended: row.ended_at.map(|at| {
                (
                    at,
                    EndReason::parse(row.end_reason.as_deref().unwrap_or_default()),
                )
            }),
            device: row.device,
            address: row.address,
        })
    }
}

fn read_nonce(text: &str) -> Result<Nonce, DbError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    bytes
        .and_then(|b| b.try_into().ok())
        .ok_or(DbError::Unreadable("nonce"))
}

fn write_nonce(nonce: &Nonce) -> String {
    URL_SAFE_NO_PAD.encode(nonce)
}

impl Tx<'_> {
    /// Inserts a session at generation 1.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn insert_session(&mut self, new: &NewSession) -> Result<(), DbError> {
        diesel::insert_into(sessions::table)
            .values((
                sessions::id.eq(new.token.session.to_string()),
                sessions::user_id.eq(new.user.to_string()),
                sessions::nonce.eq(write_nonce(&new.token.nonce)),
                sessions::generation.eq(new.token.generation),
                sessions::created_at.eq(new.created_at),
                sessions::rotated_at.eq(new.created_at),
                sessions::idle_until.eq(new.idle_until),
                sessions::absolute_until.eq(new.token.absolute_until),
                sessions::late_generation.eq(0),
                sessions::late_streak.eq(0),
                sessions::device.eq(&new.device),
                sessions::address.eq(&new.address),
            ))
            .execute(self.0)?;
        Ok(())
    }

    /// The usual refresh, whole in one statement: the row moves one generation on if it is live and the
    /// presented token is its current one; `None` if any of that does not hold.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn rotate_session(&mut self, rotation: &Rotation) -> Result<Option<Rotated>, DbError> {
        self.advance(
            "UPDATE sessions SET generation = generation + 1, rotated_at = $1, \
               idle_until = CASE WHEN absolute_until < $2 THEN absolute_until ELSE $3 END, \
               late_streak = CASE WHEN late_generation = generation THEN late_streak ELSE 0 END, \
               address = $4 \
             WHERE id = $5 AND generation = $6 AND user_id = $7 AND nonce = $8 \
               AND ended_at IS NULL AND idle_until > $9 AND absolute_until > $10 \
             RETURNING user_id, idle_until, \
               (SELECT user_name FROM users WHERE users.id = sessions.user_id) AS user_name, \
               (SELECT email FROM users WHERE users.id = sessions.user_id) AS email, \
               (SELECT roles FROM users WHERE users.id = sessions.user_id) AS roles",
            rotation,
            rotation.presented.generation,
        )
    }

    /// A genuine token newer than the row, whose database was set back: the row catches up with it and
    /// moves on, provided it still stands at `found`.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn catch_up_session(
        &mut self,
        rotation: &Rotation,
        found: i64,
    ) -> Result<Option<Rotated>, DbError> {
        let sql = format!(
            "UPDATE sessions SET generation = {next}, rotated_at = $1, \
               idle_until = CASE WHEN absolute_until < $2 THEN absolute_until ELSE $3 END, \
               late_generation = 0, late_streak = 0, address = $4 \
             WHERE id = $5 AND generation = $6 AND user_id = $7 AND nonce = $8 \
               AND ended_at IS NULL AND idle_until > $9 AND absolute_until > $10 \
             RETURNING user_id, idle_until, \
               (SELECT user_name FROM users WHERE users.id = sessions.user_id) AS user_name, \
               (SELECT email FROM users WHERE users.id = sessions.user_id) AS email, \
               (SELECT roles FROM users WHERE users.id = sessions.user_id) AS roles",
            next = rotation.presented.generation.saturating_add(1),
        );
        self.advance(&sql, rotation, found)
    }

    fn advance(
        &mut self,
        sql: &str,
        rotation: &Rotation,
        found: i64,
    ) -> Result<Option<Rotated>, DbError> {
        // Each $n is bound once, in ascending order: what both databases number alike.
        let row = diesel::sql_query(sql)
            .bind::<BigInt, _>(rotation.now)
            .bind::<BigInt, _>(rotation.idle_until)
            .bind::<BigInt, _>(rotation.idle_until)
            .bind::<Text, _>(&rotation.address)
            .bind::<Text, _>(rotation.presented.session.to_string())
            .bind::<BigInt, _>(found)
            .bind::<Text, _>(rotation.user.to_string())
            .bind::<Text, _>(write_nonce(&rotation.presented.nonce))
            .bind::<BigInt, _>(rotation.now)
            .bind::<BigInt, _>(rotation.now)
            .get_result::<RotatedRow>(self.0)
            .optional()?;
        row.map(|row| {
            Ok(Rotated {
                account: account(&row.user_id, row.user_name, row.email, &row.roles)?,
                idle_until: row.idle_until,
            })
        })
        .transpose()
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
                .filter(sessions::generation.eq(session.generation))
                .filter(sessions::late_generation.eq(session.late_generation))
                .filter(sessions::late_streak.eq(session.late_streak))
                .filter(sessions::ended_at.is_null()),
        )
        .set((
            sessions::late_generation.eq(session.generation),
            sessions::late_streak.eq(sessions::late_streak + 1),
        ))
        .execute(self.0)?;
        Ok(hit == 1)
    }

    /// Ends a session for reuse, if nothing moved since it was read.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn end_reused_session(&mut self, session: &Session, now: i64) -> Result<bool, DbError> {
        let hit = diesel::update(
            sessions::table
                .filter(sessions::id.eq(session.id.to_string()))
                .filter(sessions::generation.eq(session.generation))
                .filter(sessions::late_generation.eq(session.late_generation))
                .filter(sessions::ended_at.is_null()),
        )
        .set((
            sessions::ended_at.eq(now),
            sessions::end_reason.eq(EndReason::Reuse.as_str()),
        ))
        .execute(self.0)?;
        Ok(hit == 1)
    }

    /// Ends a session of this user that is not yet ended.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn end_session_of(
        &mut self,
        user: Uuid,
        id: Uuid,
        reason: EndReason,
        now: i64,
    ) -> Result<bool, DbError> {
        let hit = diesel::update(
            sessions::table
                .filter(sessions::id.eq(id.to_string()))
                .filter(sessions::user_id.eq(user.to_string()))
                .filter(sessions::ended_at.is_null()),
        )
        .set((
            sessions::ended_at.eq(now),
            sessions::end_reason.eq(reason.as_str()),
        ))
        .execute(self.0)?;
        Ok(hit == 1)
    }

    /// Ends all live sessions of a user and says which.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn end_sessions_of(
        &mut self,
        user: Uuid,
        reason: EndReason,
        now: i64,
    ) -> Result<Vec<Uuid>, DbError> {
        let rows = diesel::sql_query(
            "UPDATE sessions SET ended_at = $1, end_reason = $2 \
             WHERE user_id = $3 AND ended_at IS NULL AND idle_until > $4 AND absolute_until > $5 RETURNING id",
        )
        .bind::<BigInt, _>(now)
        .bind::<Text, _>(reason.as_str())
        .bind::<Text, _>(user.to_string())
        .bind::<BigInt, _>(now)
        .bind::<BigInt, _>(now)
        .load::<IdRow>(self.0)?;
        rows.iter().map(|row| uuid(&row.id)).collect()
    }

    /// Ends the least recently used live sessions of a user beyond the first `keep`, and says which.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn end_sessions_beyond(
        &mut self,
        user: Uuid,
        keep: u32,
        now: i64,
    ) -> Result<Vec<Uuid>, DbError> {
        let rows = diesel::sql_query(
            "UPDATE sessions SET ended_at = $1, end_reason = $2 WHERE ended_at IS NULL AND id IN ( \
               SELECT id FROM sessions \
               WHERE user_id = $3 AND ended_at IS NULL AND idle_until > $4 AND absolute_until > $5 \
               ORDER BY rotated_at DESC, created_at DESC, id LIMIT 1000000 OFFSET $6) RETURNING id",
        )
        .bind::<BigInt, _>(now)
        .bind::<Text, _>(EndReason::Limit.as_str())
        .bind::<Text, _>(user.to_string())
        .bind::<BigInt, _>(now)
        .bind::<BigInt, _>(now)
        .bind::<BigInt, _>(i64::from(keep))
        .load::<IdRow>(self.0)?;
        rows.iter().map(|row| uuid(&row.id)).collect()
    }

    /// A session and its user.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn find_session(&mut self, id: Uuid) -> Result<Option<SessionWithAccount>, DbError> {
        let found = sessions::table
            .left_join(users::table)
            .filter(sessions::id.eq(id.to_string()))
            .select((
                sessions::all_columns,
                (users::id, users::user_name, users::email, users::roles).nullable(),
            ))
            .first::<(SessionRow, Option<(String, String, String, String)>)>(self.0)
            .optional()?;
        let Some((row, user)) = found else {
            return Ok(None);
        };
        Ok(Some(SessionWithAccount {
            session: row.try_into()?,
            account: user
                .map(|(id, name, email, roles)| account(&id, name, email, &roles))
                .transpose()?,
        }))
    }

    /// The live sessions of a user, newest first.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn list_sessions(&mut self, user: Uuid, now: i64) -> Result<Vec<Session>, DbError> {
        sessions::table
            .filter(sessions::user_id.eq(user.to_string()))
            .filter(sessions::ended_at.is_null())
            .filter(sessions::idle_until.gt(now))
            .filter(sessions::absolute_until.gt(now))
            .order((sessions::created_at.desc(), sessions::id))
            .load::<SessionRow>(self.0)?
            .into_iter()
            .map(Session::try_from)
            .collect()
    }

    /// Takes device and address out of a user's sessions: they stay only to be refused.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn strip_sessions_of(&mut self, user: Uuid) -> Result<(), DbError> {
        diesel::update(sessions::table.filter(sessions::user_id.eq(user.to_string())))
            .set((sessions::device.eq(""), sessions::address.eq("")))
            .execute(self.0)?;
        Ok(())
    }

    /// Deletes up to `limit` sessions whose absolute end is before `before`.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn delete_old_sessions(&mut self, before: i64, limit: i64) -> Result<usize, DbError> {
        Ok(diesel::sql_query(
            "DELETE FROM sessions WHERE id IN \
               (SELECT id FROM sessions WHERE absolute_until < $1 ORDER BY absolute_until LIMIT $2)",
        )
        .bind::<BigInt, _>(before)
        .bind::<BigInt, _>(limit)
        .execute(self.0)?)
    }
}
