//! Statements on the sessions of clients: how many there may be, their end, and services.

use diesel::prelude::*;
use diesel::sql_types::Text;

use super::schema::sessions;
use super::users::uuid;
use super::{DbError, SessionId, Tx, UserId};
use crate::db::{EndReason, Ending, SessionKind};

impl Tx<'_> {
    /// Ends the least recently used live sessions of a client in one browser, so that `live` stay, `new` among them.
    /// Of those that were over before `forgotten` only the latest of each `sid` is kept: the memory of who is to hear of the
    /// log-out, and under which name.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn limit_apps(
        &mut self,
        (parent, new): (SessionId, SessionId),
        client: &str,
        live: i64,
        (now, forgotten): (i64, i64),
    ) -> Result<Vec<Ending>, DbError> {
        let (parent, new) = (parent.to_string(), new.to_string());
        diesel::sql_query(format!(
            "DELETE FROM sessions WHERE id IN (SELECT id FROM (SELECT id, \
                 ROW_NUMBER() OVER (PARTITION BY browser_sid ORDER BY rotated_at DESC, id) AS place FROM sessions \
               WHERE parent_id = $1 AND client_id = $2 AND kind = 'app' AND generation > 0 AND ended_at IS NULL \
                 AND (idle_until <= {forgotten} OR absolute_until <= {forgotten})) placed WHERE place > 1)"
        ))
        .bind::<Text, _>(&parent)
        .bind::<Text, _>(client)
        .execute(self.0)?;
        self.end_where(
            EndReason::Limit,
            &format!(
                "id IN (SELECT id FROM sessions WHERE parent_id = $2 AND client_id = $3 AND id <> $4 \
                   AND kind = 'app' AND generation > 0 AND ended_at IS NULL \
                   AND idle_until > {now} AND absolute_until > {now} \
                   ORDER BY rotated_at DESC, id LIMIT 1000 OFFSET {})",
                live.saturating_sub(1)
            ),
            &[&parent, client, &new],
        )
    }

    /// Ends all that a client has.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn end_sessions_of_client(
        &mut self,
        client: &str,
        reason: EndReason,
    ) -> Result<Vec<Ending>, DbError> {
        self.end_where(reason, "client_id = $2", &[client])
    }

    /// Ends all that a client has of this user, codes that wait to be fetched included.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn end_sessions_of_program(
        &mut self,
        user: UserId,
        client: &str,
        reason: EndReason,
    ) -> Result<Vec<Ending>, DbError> {
        let user = user.to_string();
        self.end_where(reason, "user_id = $2 AND client_id = $3", &[&user, client])
    }

    /// Ends a session of this client.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn end_app(
        &mut self,
        id: SessionId,
        client: &str,
        reason: EndReason,
    ) -> Result<Vec<Ending>, DbError> {
        let id = id.to_string();
        self.end_where(reason, "id = $2 AND client_id = $3", &[&id, client])
    }

    /// The session of a service that lives beyond `until`, Unix seconds.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn find_service(&mut self, client: &str, until: i64) -> Result<Option<SessionId>, DbError> {
        let found = sessions::table
            .filter(sessions::client_id.eq(client))
            .filter(sessions::kind.eq(SessionKind::Service.as_str()))
            .filter(sessions::ended_at.is_null())
            .filter(sessions::absolute_until.gt(until))
            .order((sessions::absolute_until.desc(), sessions::id))
            .select(sessions::id)
            .first::<String>(self.0)
            .optional()?;
        found.as_deref().map(uuid).transpose()
    }
}
