//! Statements on what users have agreed to with clients.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::schema::consents;
use super::{DbError, Tx, UserId};

impl Tx<'_> {
    /// What the user has agreed to with a client, words by blanks.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn find_consent(&mut self, user: UserId, client: &str) -> Result<Option<String>, DbError> {
        Ok(consents::table
            .find((user.to_string(), client))
            .select(consents::scope)
            .first(self.0)
            .optional()?)
    }

    /// Notes what the user agrees to with a client, in the place of what he did before.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn put_consent(
        &mut self,
        user: UserId,
        client: &str,
        scope: &str,
        now: i64,
    ) -> Result<(), DbError> {
        diesel::sql_query(
            "INSERT INTO consents (user_id, client_id, scope, granted_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (user_id, client_id) DO UPDATE SET scope = excluded.scope, granted_at = excluded.granted_at",
        )
        .bind::<Text, _>(user.to_string())
        .bind::<Text, _>(client)
        .bind::<Text, _>(scope)
        .bind::<BigInt, _>(now)
        .execute(self.0)?;
        Ok(())
    }
}
