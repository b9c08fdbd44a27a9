//! Statements on `login_failures`.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use uuid::Uuid;

use super::schema::{login_failures, sessions};
use super::{DbError, Tx};
use crate::login_delay::{Counter, Failures};

#[derive(QueryableByName)]
struct CountRow {
    #[diesel(sql_type = BigInt)]
    failures: i64,
}

impl Tx<'_> {
    /// The addresses of an account's live sessions. Asked for nobody as well: the same work.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn addresses_of(&mut self, user: Option<Uuid>, now: i64) -> Result<Vec<String>, DbError> {
        Ok(sessions::table
            .filter(sessions::user_id.eq(user.unwrap_or_default().to_string()))
            .filter(sessions::ended_at.is_null())
            .filter(sessions::idle_until.gt(now))
            .filter(sessions::absolute_until.gt(now))
            .select(sessions::address)
            .distinct()
            .load(self.0)?)
    }

    /// The failures in a row of a counter.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn login_failures(&mut self, counter: &Counter) -> Result<Failures, DbError> {
        let found = login_failures::table
            .filter(login_failures::slot.eq(&counter.slot))
            .filter(login_failures::tag.eq(&counter.tag))
            .select((login_failures::failures, login_failures::failed_at))
            .first::<(i64, i64)>(self.0)
            .optional()?;
        Ok(found
            .map(|(count, last_at)| Failures { count, last_at })
            .unwrap_or_default())
    }

    /// Counts one more failure; another e-mail's count in the slot is forgotten.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn count_login_failure(
        &mut self,
        counter: &Counter,
        now: i64,
    ) -> Result<Failures, DbError> {
        let row: CountRow = diesel::sql_query(
            "INSERT INTO login_failures (slot, tag, user_id, failures, failed_at) VALUES ($1, $2, $3, 1, $4) \
             ON CONFLICT (slot) DO UPDATE SET \
               failures = CASE WHEN login_failures.tag = excluded.tag THEN login_failures.failures + 1 ELSE 1 END, \
               tag = excluded.tag, failed_at = excluded.failed_at \
             RETURNING failures",
        )
        .bind::<Text, _>(&counter.slot)
        .bind::<Text, _>(&counter.tag)
        .bind::<Nullable<Text>, _>(counter.user.map(|id| id.to_string()))
        .bind::<BigInt, _>(now)
        .get_result(self.0)?;
        Ok(Failures {
            count: row.failures,
            last_at: now,
        })
    }

    /// Forgets the failures of a counter: the password was right.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn clear_login_failures(&mut self, counter: &Counter) -> Result<(), DbError> {
        diesel::delete(login_failures::table.filter(login_failures::slot.eq(&counter.slot)))
            .execute(self.0)?;
        Ok(())
    }
}
