//! Statements on `clients`, and on requests that clients have pushed.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::connection::AnyConnection;
use super::schema::{clients, consents, pushed_requests, sessions};
use super::users::uuid;
use super::{DbError, Ending, SessionId, Tx, UserId};

/// PostgreSQL: which lock the changes of the clients take, one after the other; "clients" in ASCII.
const LOCK: i64 = 0x0063_6c69_656e_7473;

/// A client's row, as it is stored.
#[derive(Clone, PartialEq, Eq, Queryable, Insertable, AsChangeset)]
#[diesel(table_name = clients)]
#[diesel(treat_none_as_null = true)]
pub struct ClientRow {
    /// Its `client_id`.
    pub id: String,
    /// Shown to users.
    pub name: String,
    /// `web`, `browser`, `native` or `service`.
    pub kind: String,
    /// SHA-256 of its secret, in base64url.
    pub secret_hash: Option<String>,
    /// The same of the one before, for a while.
    pub former_secret_hash: Option<String>,
    /// Until then, Unix seconds.
    pub former_secret_until: Option<i64>,
    /// JSON array.
    pub redirect_uris: String,
    /// JSON array.
    pub logout_uris: String,
    /// Where it hears of log-outs.
    pub backchannel_uri: Option<String>,
    /// JSON array.
    pub scopes: String,
    /// JSON array.
    pub roles: String,
    /// Whether its access tokens are for the APIs.
    pub api: i64,
    /// Whether users are not asked.
    pub trusted: i64,
    /// Whether it must use PKCE.
    pub pkce: i64,
    /// `RS256` or `ES256`.
    pub id_token_alg: String,
    /// Unix seconds.
    pub created_at: i64,
    /// Grows with every change of any client.
    pub changed_at: i64,
    /// Unix seconds of the block.
    pub blocked_at: Option<i64>,
    /// Whether its back-channel URI may lead to a private address.
    pub backchannel_private: i64,
}

impl std::fmt::Debug for ClientRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientRow")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// By what a change of the clients is seen: the latest change, and how many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, QueryableByName)]
pub struct ClientsVersion {
    #[diesel(sql_type = BigInt)]
    latest: i64,
    #[diesel(sql_type = BigInt)]
    number: i64,
}

#[derive(QueryableByName)]
struct Shared {
    #[diesel(sql_type = Text)]
    #[expect(dead_code, reason = "that it is there is all")]
    id: String,
}

impl Tx<'_> {
    /// Which version of the clients this is.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn clients_version(&mut self) -> Result<ClientsVersion, DbError> {
        let version = diesel::sql_query(
            "SELECT COALESCE(MAX(changed_at), 0) AS latest, COUNT(*) AS number FROM clients",
        );
        Ok(version.get_result(self.0)?)
    }

    /// All clients, in the order of their ids.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn list_clients(&mut self) -> Result<Vec<ClientRow>, DbError> {
        Ok(clients::table.order(clients::id).load(self.0)?)
    }

    /// A client.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn find_client(&mut self, id: &str) -> Result<Option<ClientRow>, DbError> {
        Ok(clients::table.find(id).first(self.0).optional()?)
    }

    /// Keeps other changes of the clients waiting until this unit's end: two that took the same `changed_at` would look
    /// like one. SQLite has one writer anyway.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn hold_clients(&mut self) -> Result<(), DbError> {
        if let AnyConnection::Postgres(_) = self.0 {
            diesel::sql_query(format!(
                "SELECT CAST(pg_advisory_xact_lock({LOCK}) AS TEXT)"
            ))
            .execute(self.0)?;
        }
        Ok(())
    }

    /// Writes a client in the place of the one with its id, if there is one. What was changed is later than every
    /// change before, whatever the clock says.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn put_client(&mut self, client: &ClientRow, now: i64) -> Result<(), DbError> {
        self.hold_clients()?;
        let ClientsVersion { latest, .. } = self.clients_version()?;
        let row = ClientRow {
            changed_at: now.max(latest.saturating_add(1)),
            ..client.clone()
        };
        let changed = diesel::update(clients::table.find(&client.id))
            .set(&row)
            .execute(self.0)?;
        if changed == 0 {
            diesel::insert_into(clients::table)
                .values(&row)
                .execute(self.0)?;
        }
        Ok(())
    }

    /// Deletes a client and what users agreed to with it; `false` if there is none.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn delete_client(&mut self, id: &str) -> Result<bool, DbError> {
        diesel::delete(consents::table.filter(consents::client_id.eq(id))).execute(self.0)?;
        diesel::delete(pushed_requests::table.filter(pushed_requests::client_id.eq(id)))
            .execute(self.0)?;
        let deleted = diesel::delete(clients::table.find(id)).execute(self.0)? == 1;
        // What is left has changed as well, or another client of the same age could take this one's place unseen.
        let ClientsVersion { latest, .. } = self.clients_version()?;
        diesel::sql_query(
            "UPDATE clients SET changed_at = $1 WHERE id = (SELECT MIN(id) FROM clients)",
        )
        .bind::<BigInt, _>(latest.saturating_add(1))
        .execute(self.0)?;
        Ok(deleted)
    }

    /// Keeps a client that is not blocked so until this unit's end: a block waits. Others that do the same do not, and SQLite
    /// has one writer anyway. `false` if it is blocked, or gone.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn share_client(&mut self, id: &str) -> Result<bool, DbError> {
        let lock = match self.0 {
            AnyConnection::Postgres(_) => " FOR SHARE",
            AnyConnection::Sqlite(_) => "",
        };
        let found = diesel::sql_query(format!(
            "SELECT id FROM clients WHERE id = $1 AND blocked_at IS NULL{lock}"
        ))
        .bind::<Text, _>(id)
        .get_result::<Shared>(self.0)
        .optional()?;
        Ok(found.is_some())
    }

    /// Writes the row of a client that is not blocked again as it is: two units that do so follow each other. `false` if
    /// there is none.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn hold_client(&mut self, id: &str) -> Result<bool, DbError> {
        let live = clients::table
            .filter(clients::id.eq(id))
            .filter(clients::blocked_at.is_null());
        let held = diesel::update(live)
            .set(clients::id.eq(id))
            .execute(self.0)?;
        Ok(held == 1)
    }

    /// Whose these ended sessions of a client are; those of a service or of a deleted account are nobody's.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn owners_of_ended(
        &mut self,
        client: &str,
        ended: &[Ending],
    ) -> Result<Vec<(SessionId, UserId)>, DbError> {
        let Some(since) = ended.iter().map(|one| one.ended_at).min() else {
            return Ok(Vec::new());
        };
        let owned = sessions::table
            .filter(sessions::client_id.eq(client))
            .filter(sessions::ended_at.ge(since))
            .select((sessions::id, sessions::user_id.assume_not_null()))
            .filter(sessions::user_id.is_not_null())
            .load::<(String, String)>(self.0)?;
        let mut owners = Vec::new();
        for (session, user) in owned {
            owners.push((uuid(&session)?, uuid(&user)?));
        }
        // Others may have ended in the same second.
        let ended: HashSet<SessionId> = ended.iter().map(|one| one.session).collect();
        owners.retain(|(session, _)| ended.contains(session));
        Ok(owners)
    }

    /// Keeps a request that a client has pushed.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn push_request(
        &mut self,
        id: &str,
        client: &str,
        request: &str,
        expires_at: i64,
    ) -> Result<(), DbError> {
        diesel::insert_into(pushed_requests::table)
            .values((
                pushed_requests::id.eq(id),
                pushed_requests::client_id.eq(client),
                pushed_requests::request.eq(request),
                pushed_requests::expires_at.eq(expires_at),
            ))
            .execute(self.0)?;
        Ok(())
    }

    /// Whether there is a pushed request of this name.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn has_request(&mut self, id: &str) -> Result<bool, DbError> {
        let found = pushed_requests::table.find(id).count();
        Ok(found.get_result::<i64>(self.0)? > 0)
    }

    /// Takes a request that this client has pushed: the next one who asks finds none.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn take_request(
        &mut self,
        id: &str,
        client: &str,
        now: i64,
    ) -> Result<Option<String>, DbError> {
        let taken = diesel::delete(
            pushed_requests::table
                .filter(pushed_requests::id.eq(id))
                .filter(pushed_requests::client_id.eq(client))
                .filter(pushed_requests::expires_at.gt(now)),
        )
        .returning(pushed_requests::request);
        Ok(taken.get_result(self.0).optional()?)
    }

    /// Deletes up to `limit` pushed requests that nobody took in time.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn delete_old_requests(&mut self, before: i64, limit: u32) -> Result<usize, DbError> {
        Ok(diesel::sql_query(
            "DELETE FROM pushed_requests WHERE id IN \
               (SELECT id FROM pushed_requests WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
        )
        .bind::<BigInt, _>(before)
        .bind::<BigInt, _>(i64::from(limit))
        .execute(self.0)?)
    }
}
