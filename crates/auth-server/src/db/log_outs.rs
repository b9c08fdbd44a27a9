//! Statements on `logout_deliveries`: log-outs that clients are still to be told of (OIDC Back-Channel Logout 1.0). A row
//! is written in the unit that ends the sessions, and goes when the client has heard of it.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use uuid::Uuid;

use super::schema::logout_deliveries;
use super::{DbError, Ending, SessionId, Tx, Unit};

/// Sessions that are named in one statement.
const NAMED: usize = 200;

/// A log-out that a client is to be told of.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct LogOut {
    /// Its row.
    pub id: String,
    /// Who is to be told.
    pub client: String,
    /// The `sid` that the client knows from its `id_token`s.
    pub sid: String,
    /// Who was signed in.
    pub sub: String,
    /// How often it was tried in vain.
    pub tries: i64,
    /// When it is tried next, Unix seconds.
    pub due_at: i64,
    /// Since when it waits, Unix seconds.
    pub created_at: i64,
}

#[derive(QueryableByName, PartialEq, Eq, Hash)]
struct Told {
    #[diesel(sql_type = Text)]
    client_id: String,
    #[diesel(sql_type = Text)]
    browser_sid: String,
    #[diesel(sql_type = Text)]
    user_id: String,
}

#[derive(QueryableByName)]
struct ClientId {
    #[diesel(sql_type = Text)]
    id: String,
}

impl Unit<'_, '_> {
    /// Queues what clients are to be told of these endings, once for each client and `sid`: all that fetched tokens below a
    /// browser's session that ended, whether those are over or not, as long as their rows are there, but for those that
    /// were told when theirs ended; and the clients of programs' sessions that ended themselves, unless another of the same
    /// client and browser lives on.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn queue_log_outs(&mut self, ended: &[Ending]) -> Result<(), DbError> {
        let now = self.now();
        let mut all = std::collections::HashSet::new();
        for ended in ended.chunks(NAMED) {
            // Ids are ours: letters, digits and hyphens.
            let ids: Vec<String> = ended.iter().map(|it| format!("'{}'", it.session)).collect();
            let ids = ids.join(", ");
            let told = diesel::sql_query(format!(
                "SELECT DISTINCT s.client_id, s.browser_sid, s.user_id \
                 FROM sessions s JOIN clients c ON c.id = s.client_id \
                 WHERE s.kind IN ('app', 'offline') AND s.generation > 0 AND s.browser_sid IS NOT NULL \
                   AND s.user_id IS NOT NULL AND c.backchannel_uri IS NOT NULL AND c.blocked_at IS NULL \
                   AND ((s.parent_id IN ({ids}) AND (s.ended_at IS NULL OR s.id IN ({ids}) \
                       OR s.end_reason IN ('logout', 'limit', 'replaced'))) \
                     OR (s.id IN ({ids}) AND NOT EXISTS (SELECT 1 FROM sessions o \
                     WHERE o.parent_id = s.parent_id AND o.client_id = s.client_id AND o.browser_sid = s.browser_sid \
                       AND o.generation > 0 AND o.ended_at IS NULL AND o.idle_until > $1 AND o.absolute_until > $2)))"
            ))
            .bind::<BigInt, _>(now)
            .bind::<BigInt, _>(now)
            .load::<Told>(self.0)?;
            all.extend(told);
        }
        for told in all {
            diesel::insert_into(logout_deliveries::table)
                .values((
                    logout_deliveries::id.eq(Uuid::now_v7().to_string()),
                    logout_deliveries::client_id.eq(told.client_id),
                    logout_deliveries::sid.eq(told.browser_sid),
                    logout_deliveries::sub.eq(told.user_id),
                    logout_deliveries::tries.eq(0),
                    logout_deliveries::due_at.eq(now),
                    logout_deliveries::created_at.eq(now),
                ))
                .execute(self.0)?;
        }
        Ok(())
    }
}

impl Tx<'_> {
    /// Log-outs of a client whose time has come, the longest due first, `limit` at most.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn log_outs_due(
        &mut self,
        now: i64,
        client: &str,
        limit: i64,
    ) -> Result<Vec<LogOut>, DbError> {
        Ok(logout_deliveries::table
            .filter(logout_deliveries::client_id.eq(client))
            .filter(logout_deliveries::due_at.le(now))
            .order((logout_deliveries::due_at, logout_deliveries::id))
            .limit(limit)
            .load(self.0)?)
    }

    /// The clients that log-outs wait for. From one to the next by the index, so that a client that many wait for costs
    /// no more than any other.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn clients_to_tell(&mut self) -> Result<Vec<String>, DbError> {
        let clients = diesel::sql_query(
            "WITH RECURSIVE waiting (id) AS ( \
               SELECT MIN(client_id) FROM logout_deliveries \
               UNION ALL SELECT (SELECT MIN(client_id) FROM logout_deliveries WHERE client_id > waiting.id) \
                 FROM waiting WHERE waiting.id IS NOT NULL) \
             SELECT id FROM waiting WHERE id IS NOT NULL",
        )
        .load::<ClientId>(self.0)?;
        Ok(clients.into_iter().map(|it| it.id).collect())
    }

    /// Takes a log-out to deliver it: nobody else does until `until`, Unix seconds. `false` if somebody else has.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn take_log_out(&mut self, taken: &LogOut, until: i64) -> Result<bool, DbError> {
        let hit = diesel::sql_query(
            "UPDATE logout_deliveries SET due_at = $1 WHERE id = $2 AND due_at = $3 AND tries = $4",
        )
        .bind::<BigInt, _>(until)
        .bind::<Text, _>(&taken.id)
        .bind::<BigInt, _>(taken.due_at)
        .bind::<BigInt, _>(taken.tries)
        .execute(self.0)?;
        Ok(hit == 1)
    }

    /// Puts a log-out that was tried in vain off until `due_at`, Unix seconds.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn put_off_log_out(&mut self, id: &str, due_at: i64) -> Result<(), DbError> {
        diesel::update(logout_deliveries::table.find(id))
            .set((
                logout_deliveries::due_at.eq(due_at),
                logout_deliveries::tries.eq(logout_deliveries::tries + 1),
            ))
            .execute(self.0)?;
        Ok(())
    }

    /// Removes a log-out: the client knows of it, or never will. `false` if it was removed already.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn remove_log_out(&mut self, id: &str) -> Result<bool, DbError> {
        let gone = diesel::delete(logout_deliveries::table.find(id)).execute(self.0)?;
        Ok(gone == 1)
    }

    /// Removes what a client was to be told: there is no such client any more.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn remove_log_outs_of(&mut self, client: &str) -> Result<(), DbError> {
        let its = logout_deliveries::table.filter(logout_deliveries::client_id.eq(client));
        diesel::delete(its).execute(self.0)?;
        Ok(())
    }

    /// How many log-outs wait, and since when the oldest does, in Unix seconds.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn log_outs_waiting(&mut self) -> Result<(i64, Option<i64>), DbError> {
        use diesel::dsl::{count_star, min};
        Ok(logout_deliveries::table
            .select((count_star(), min(logout_deliveries::created_at)))
            .first(self.0)?)
    }

    /// The log-outs of a `sid` that wait.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn log_outs_of(&mut self, sid: SessionId) -> Result<Vec<LogOut>, DbError> {
        Ok(logout_deliveries::table
            .filter(logout_deliveries::sid.eq(sid.to_string()))
            .order(logout_deliveries::id)
            .load(self.0)?)
    }

    /// For each client that log-outs wait for: how many were tried in vain, and how often the one that was tried most.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn log_outs_in_vain(&mut self) -> Result<Vec<(String, i64, i64)>, DbError> {
        use diesel::dsl::{count_star, max};
        let rows: Vec<(String, i64, Option<i64>)> = logout_deliveries::table
            .filter(logout_deliveries::tries.gt(0))
            .group_by(logout_deliveries::client_id)
            .select((
                logout_deliveries::client_id,
                count_star(),
                max(logout_deliveries::tries),
            ))
            .load(self.0)?;
        let known = |(client, number, tries): (_, _, Option<i64>)| {
            (client, number, tries.unwrap_or_default())
        };
        Ok(rows.into_iter().map(known).collect())
    }

    /// Deletes up to `limit` log-outs from before `before`, Unix seconds: those of an installation that tells nobody any
    /// more.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn delete_old_log_outs(&mut self, before: i64, limit: u32) -> Result<usize, DbError> {
        Ok(diesel::sql_query(
            "DELETE FROM logout_deliveries WHERE id IN \
               (SELECT id FROM logout_deliveries WHERE created_at < $1 LIMIT $2)",
        )
        .bind::<BigInt, _>(before)
        .bind::<BigInt, _>(i64::from(limit))
        .execute(self.0)?)
    }
}

#[cfg(test)]
impl Tx<'_> {
    /// A log-out for this client, whose row is `1`.
    pub(crate) fn put_log_out(&mut self, client: &str) -> Result<(), DbError> {
        diesel::sql_query(
            "INSERT INTO logout_deliveries (id, client_id, sid, sub, tries, due_at, created_at) \
             VALUES ('1', $1, 's', 'u', 0, 5, 5)",
        )
        .bind::<Text, _>(client)
        .execute(self.0)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::db::{Caller, Db};
    use crate::settings::DatabaseUrl;

    #[tokio::test]
    async fn of_two_replicas_that_see_a_log_out_at_once_one_takes_it() {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(folder.path().join("test.db"));
        let db = Db::open(&url, Duration::ZERO).unwrap();
        let caller = Caller::cli();
        let now = caller.now;
        let put = db.write(&caller, |tx| tx.put_log_out("shop"));
        put.await.unwrap();
        let due = async |at| {
            db.read(move |tx| tx.log_outs_due(at, "shop", 9))
                .await
                .unwrap()
        };
        let seen = due(now).await.remove(0);
        for (until, first) in [(now + 60, true), (now + 60, false), (now, false)] {
            let log_out = seen.clone();
            let taken = db.write(&caller, move |tx| tx.take_log_out(&log_out, until));
            assert_eq!(taken.await.unwrap(), first);
        }
        assert!(
            due(now + 59).await.is_empty(),
            "whoever took it has a minute"
        );
        let again = due(now + 60).await.remove(0);
        assert_eq!(again.tries, 0, "to take it is no try in vain");
        let put_off = db.write(&caller, |tx| tx.put_off_log_out("1", 7));
        put_off.await.unwrap();
        assert_eq!(due(7).await[0].tries, 1);
        #[expect(
            clippy::redundant_closure_for_method_calls,
            reason = "the method itself is not general enough over the lifetime of a Tx"
        )]
        let clients = db.read(|tx| tx.clients_to_tell()).await.unwrap();
        assert_eq!(clients, ["shop"]);
        for gone in [true, false] {
            let removed = db.write(&caller, |tx| tx.remove_log_out("1"));
            assert_eq!(removed.await.unwrap(), gone);
        }
    }
}
