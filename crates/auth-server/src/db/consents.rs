//! Statements on what users have agreed to with clients.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::schema::consents;
use super::{DbError, Tx, UserId};

/// What a user has agreed to with a client.
pub struct Consent {
    /// The client.
    pub client: String,
    /// Words by blanks.
    pub scope: String,
    /// When he last agreed to something, Unix seconds.
    pub granted_at: i64,
}

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

    /// All that the user has agreed to.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn list_consents(&mut self, user: UserId) -> Result<Vec<Consent>, DbError> {
        let rows = consents::table
            .filter(consents::user_id.eq(user.to_string()))
            .select((consents::client_id, consents::scope, consents::granted_at))
            .load::<(String, String, i64)>(self.0)?;
        let consent = |(client, scope, granted_at)| Consent {
            client,
            scope,
            granted_at,
        };
        Ok(rows.into_iter().map(consent).collect())
    }

    /// Takes back what the user has agreed to with a client; `false` if there is nothing.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn delete_consent(&mut self, user: UserId, client: &str) -> Result<bool, DbError> {
        let deleted =
            diesel::delete(consents::table.find((user.to_string(), client))).execute(self.0)?;
        Ok(deleted == 1)
    }
}
