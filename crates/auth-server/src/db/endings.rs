//! Statements that end sessions, and that take away what is left of them.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::connection::AnyConnection;
use super::schema::sessions;
use super::users::uuid;
use super::{DbError, Ending, Tx};
use super::{SessionId, UserId};
use crate::db::{EndReason, Session};

#[derive(QueryableByName)]
struct EndedRow {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = BigInt)]
    ended_at: i64,
    #[diesel(sql_type = Text)]
    end_reason: String,
}

fn endings(rows: &[EndedRow]) -> Result<Vec<Ending>, DbError> {
    rows.iter()
        .map(|row| {
            Ok(Ending {
                session: uuid(&row.id)?,
                ended_at: row.ended_at,
                reason: EndReason::parse(&row.end_reason),
            })
        })
        .collect()
}

/// Every ending takes the database's clock: the feed asks for what ended since its last look, by that clock,
/// and must not miss what a machine wrote whose own clock is wrong.
///
/// None of them asks whether a session is over already. That depends on whose clock one asks, and its last access
/// token may be accepted for longer than it lived.
impl Tx<'_> {
    /// Ends a session for reuse, if nothing moved since it was read.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn end_reused_session(&mut self, session: &Session) -> Result<Option<Ending>, DbError> {
        let sql = format!(
            "UPDATE sessions SET ended_at = {}, end_reason = $1 \
             WHERE id = $2 AND generation = $3 AND late_generation = $4 AND ended_at IS NULL \
             RETURNING id, ended_at, end_reason",
            self.clock_sql()
        );
        let rows = diesel::sql_query(sql)
            .bind::<Text, _>(EndReason::Reuse.as_str())
            .bind::<Text, _>(session.id.to_string())
            .bind::<BigInt, _>(session.generation.0)
            .bind::<BigInt, _>(session.late_generation.0)
            .load::<EndedRow>(self.0)?;
        Ok(endings(&rows)?.pop())
    }

    /// Ends the sessions of a condition that are not yet ended. The condition has `$2`, `$3` … for `values`.
    ///
    /// # Errors
    /// See [`DbError`].
    pub(super) fn end_where(
        &mut self,
        reason: EndReason,
        condition: &str,
        values: &[&str],
    ) -> Result<Vec<Ending>, DbError> {
        let sql = format!(
            "UPDATE sessions SET ended_at = {}, end_reason = $1 WHERE ended_at IS NULL AND {} \
             RETURNING id, ended_at, end_reason",
            self.clock_sql(),
            self.in_order(condition)
        );
        let mut query = diesel::sql_query(sql)
            .into_boxed::<<AnyConnection as Connection>::Backend>()
            .bind::<Text, _>(reason.as_str().to_owned());
        for value in values {
            query = query.bind::<Text, _>((*value).to_owned());
        }
        let rows = query.load::<EndedRow>(self.0)?;
        endings(&rows)
    }

    /// The sessions of a condition, which PostgreSQL locks in the order of their ids: two units that end many of the same,
    /// found by different indexes, wait for each other instead of deadlocking.
    fn in_order(&self, condition: &str) -> String {
        match self.0 {
            AnyConnection::Postgres(_) => format!(
                "id IN (SELECT id FROM sessions WHERE ended_at IS NULL AND {condition} ORDER BY id FOR UPDATE)"
            ),
            AnyConnection::Sqlite(_) => condition.to_owned(),
        }
    }

    /// Ends the programs of these sessions that end with them.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn end_apps_of(
        &mut self,
        parents: &[Ending],
        reason: EndReason,
    ) -> Result<Vec<Ending>, DbError> {
        let mut ended = Vec::new();
        for parent in parents {
            let parent = parent.session.to_string();
            ended.extend(self.end_where(reason, "kind = 'app' AND parent_id = $2", &[&parent])?);
        }
        Ok(ended)
    }

    /// Ends a session of this user that is not yet ended.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn end_session_of(
        &mut self,
        user: UserId,
        id: SessionId,
        reason: EndReason,
    ) -> Result<Option<Ending>, DbError> {
        let sql = format!(
            "UPDATE sessions SET ended_at = {}, end_reason = $1 \
             WHERE id = $2 AND user_id = $3 AND ended_at IS NULL RETURNING id, ended_at, end_reason",
            self.clock_sql()
        );
        let rows = diesel::sql_query(sql)
            .bind::<Text, _>(reason.as_str())
            .bind::<Text, _>(id.to_string())
            .bind::<Text, _>(user.to_string())
            .load::<EndedRow>(self.0)?;
        Ok(endings(&rows)?.pop())
    }

    /// Ends all sessions of a user that are not yet ended, and says which.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn end_sessions_of(
        &mut self,
        user: UserId,
        reason: EndReason,
    ) -> Result<Vec<Ending>, DbError> {
        self.end_where(reason, "user_id = $2", &[&user.to_string()])
    }

    /// Ends the least recently used live sessions of a user, so that `keep` stay, `new` among them in any
    /// case, and says which. What is over takes nobody's place, and is left alone.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn end_sessions_beyond(
        &mut self,
        user: UserId,
        new: SessionId,
        keep: u32,
        now: i64,
    ) -> Result<Vec<Ending>, DbError> {
        let beyond = format!(
            "id IN (SELECT id FROM sessions WHERE user_id = $2 AND id <> $3 AND kind <> 'app' AND generation > 0 \
               AND ended_at IS NULL AND idle_until > {now} AND absolute_until > {now} \
               ORDER BY rotated_at DESC, created_at DESC, id LIMIT 1000000 OFFSET {})",
            i64::from(keep) - 1
        );
        let (user, new) = (user.to_string(), new.to_string());
        self.end_where(EndReason::Limit, &beyond, &[&user, &new])
    }

    /// Takes devices and addresses out of a user's sessions: they stay only to be refused.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn strip_sessions_of(&mut self, user: UserId) -> Result<(), DbError> {
        diesel::update(sessions::table.filter(sessions::user_id.eq(user.to_string())))
            .set((
                sessions::device.eq(""),
                sessions::address.eq(""),
                sessions::agent.eq(None::<String>),
                sessions::seen_address.eq(""),
                sessions::sighting_address.eq(""),
                sessions::sighting_device.eq(""),
                sessions::shown_sighting_address.eq(""),
                sessions::shown_sighting_device.eq(""),
            ))
            .execute(self.0)?;
        Ok(())
    }

    /// Deletes up to `limit` sessions that were ended at least `kept` seconds ago.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn delete_ended_sessions(&mut self, kept: i64, limit: u32) -> Result<usize, DbError> {
        let sql = format!(
            "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions \
               WHERE ended_at < {} - $1 ORDER BY ended_at LIMIT $2)",
            self.clock_sql()
        );
        Ok(diesel::sql_query(sql)
            .bind::<BigInt, _>(kept)
            .bind::<BigInt, _>(i64::from(limit))
            .execute(self.0)?)
    }

    /// Deletes up to `limit` sessions whose absolute end is before `before`. What a program had stays while the browser's
    /// session lives that it came from: it is the memory of who is to hear of the log-out.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn delete_old_sessions(&mut self, before: i64, limit: u32) -> Result<usize, DbError> {
        Ok(diesel::sql_query(
            "DELETE FROM sessions WHERE id IN \
               (SELECT id FROM sessions WHERE absolute_until < $1 AND (kind NOT IN ('app', 'offline') OR generation = 0 OR NOT EXISTS \
                  (SELECT 1 FROM sessions p WHERE p.id = sessions.parent_id AND p.ended_at IS NULL \
                     AND p.absolute_until >= $2)) \
                ORDER BY absolute_until LIMIT $3)",
        )
        .bind::<BigInt, _>(before)
        .bind::<BigInt, _>(before)
        .bind::<BigInt, _>(i64::from(limit))
        .execute(self.0)?)
    }
}
