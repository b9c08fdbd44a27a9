//! Statements that end sessions, and that take away what is left of them.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use uuid::Uuid;

use super::schema::sessions;
use super::users::uuid;
use super::{DbError, Tx};
use crate::model::{EndReason, Session};

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = Text)]
    id: String,
}

/// Seconds by which two requests may differ about the time: what one waits for the database, and what the
/// clocks of replicas are apart.
const CLOCKS: i64 = 60;

impl Tx<'_> {
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

    /// Ends all live sessions of a user and says which. What has been idle too long for less than a minute
    /// is ended as well: a refresh that came before, or by another replica's clock, may still find it alive.
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
        .bind::<BigInt, _>(now.saturating_sub(CLOCKS))
        .bind::<BigInt, _>(now.saturating_sub(CLOCKS))
        .load::<IdRow>(self.0)?;
        rows.iter().map(|row| uuid(&row.id)).collect()
    }

    /// Ends the least recently used live sessions of a user, so that `keep` stay, `new` among them in any
    /// case, and says which.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn end_sessions_beyond(
        &mut self,
        user: Uuid,
        new: Uuid,
        keep: u32,
        now: i64,
    ) -> Result<Vec<Uuid>, DbError> {
        let rows = diesel::sql_query(
            "UPDATE sessions SET ended_at = $1, end_reason = $2 WHERE ended_at IS NULL AND id IN ( \
               SELECT id FROM sessions WHERE user_id = $3 AND id <> $4 \
               AND ended_at IS NULL AND idle_until > $5 AND absolute_until > $6 \
               ORDER BY rotated_at DESC, created_at DESC, id LIMIT 1000000 OFFSET $7) RETURNING id",
        )
        .bind::<BigInt, _>(now)
        .bind::<Text, _>(EndReason::Limit.as_str())
        .bind::<Text, _>(user.to_string())
        .bind::<Text, _>(new.to_string())
        .bind::<BigInt, _>(now)
        .bind::<BigInt, _>(now)
        .bind::<BigInt, _>(i64::from(keep) - 1)
        .load::<IdRow>(self.0)?;
        rows.iter().map(|row| uuid(&row.id)).collect()
    }

    /// Takes devices and addresses out of a user's sessions: they stay only to be refused.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn strip_sessions_of(&mut self, user: Uuid) -> Result<(), DbError> {
        diesel::update(sessions::table.filter(sessions::user_id.eq(user.to_string())))
            .set((
                sessions::device.eq(""),
                sessions::address.eq(""),
                sessions::agent.eq(None::<String>),
                sessions::seen_address.eq(""),
                sessions::sighting_address.eq(""),
                sessions::sighting_device.eq(""),
            ))
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
