//! Statements on `audit`: appended to, read, and deleted when old; never changed, but for what a deleted
//! account leaves.

use std::borrow::Cow;

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use uuid::Uuid;

use super::schema::audit;
use super::{DbError, Generation, Tx, Unit};
use super::{SessionId, UserId};
use crate::db::Event;

/// One change of state, without the caller.
#[derive(Clone, Debug)]
pub struct AuditRecord {
    /// What happened.
    pub event: Event,
    /// Whose account.
    pub user: Option<UserId>,
    /// Which session.
    pub session: Option<SessionId>,
    /// Its generation, where that matters.
    pub generation: Option<Generation>,
    /// A reason or the like, never a token.
    pub detail: Option<Cow<'static, str>>,
}

impl AuditRecord {
    /// A record of an event that concerns no account.
    #[must_use]
    pub fn general(event: Event) -> Self {
        Self {
            event,
            user: None,
            session: None,
            generation: None,
            detail: None,
        }
    }

    /// A record of an event on an account.
    #[must_use]
    pub fn of(event: Event, user: UserId) -> Self {
        Self {
            user: Some(user),
            ..Self::general(event)
        }
    }

    /// On one of its sessions.
    #[must_use]
    pub fn session(self, id: SessionId) -> Self {
        Self {
            session: Some(id),
            ..self
        }
    }

    /// With a reason.
    #[must_use]
    pub fn detail(self, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }
}

/// A stored record.
#[derive(Clone, Debug, Queryable)]
pub struct AuditRow {
    /// UUIDv7.
    pub id: String,
    /// Unix seconds.
    pub at: i64,
    /// See [`Event::as_str`].
    pub event: String,
    /// Whose account.
    pub user_id: Option<String>,
    /// Which session.
    pub session_id: Option<String>,
    /// Its generation.
    pub generation: Option<i64>,
    /// A reason or the like.
    pub detail: Option<String>,
    /// Client address, or `cli`.
    pub address: Option<String>,
    /// User agent.
    pub user_agent: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
}

impl Unit<'_, '_> {
    /// Appends a record.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn audit(&mut self, record: &AuditRecord) -> Result<(), DbError> {
        let caller = self.caller();
        diesel::insert_into(audit::table)
            .values((
                audit::id.eq(Uuid::now_v7().to_string()),
                audit::at.eq(caller.now),
                audit::event.eq(record.event.as_str()),
                audit::user_id.eq(record.user.map(|id| id.to_string())),
                audit::session_id.eq(record.session.map(|id| id.to_string())),
                audit::generation.eq(record.generation.map(|it| it.0)),
                audit::detail.eq(record.detail.as_deref()),
                audit::address.eq(&caller.address),
                audit::user_agent.eq(&caller.user_agent),
                audit::request_id.eq(&caller.request_id),
            ))
            .execute(self.0)?;
        Ok(())
    }
}

impl Tx<'_> {
    /// The records of a session, oldest first.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn audit_of_session(&mut self, id: SessionId) -> Result<Vec<AuditRow>, DbError> {
        Ok(audit::table
            .filter(audit::session_id.eq(id.to_string()))
            .order(audit::id)
            .load(self.0)?)
    }

    /// The records of a session, and beside them those of its account that concern no session, from the session's first
    /// record to its last; of one that lives on, to today. Oldest first.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn story_of_session(
        &mut self,
        id: SessionId,
        lives: bool,
    ) -> Result<Vec<AuditRow>, DbError> {
        let mut story = self.audit_of_session(id)?;
        let (Some(first), Some(last)) = (story.first(), story.last()) else {
            return Ok(story);
        };
        let until = if lives { i64::MAX } else { last.at };
        let of_account = audit::table
            .filter(audit::user_id.eq(first.user_id.clone()))
            .filter(audit::session_id.is_null())
            .filter(audit::at.between(first.at, until))
            .load::<AuditRow>(self.0)?;
        story.extend(of_account);
        story.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(story)
    }

    /// When an invitation to this account was made, in Unix seconds; `None` if none is known.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn invited_at(&mut self, user: UserId) -> Result<Option<i64>, DbError> {
        Ok(audit::table
            .select(audit::at)
            .filter(audit::user_id.eq(user.to_string()))
            .filter(audit::event.eq(Event::Invited.as_str()))
            .first(self.0)
            .optional()?)
    }

    /// Whether an invitation with this detail was accepted since, in Unix seconds.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn was_accepted_since(&mut self, detail: &str, since: i64) -> Result<bool, DbError> {
        let accepted = audit::table
            .filter(audit::at.ge(since))
            .filter(audit::event.eq(Event::InvitationAccepted.as_str()))
            .filter(audit::detail.eq(detail));
        Ok(diesel::select(diesel::dsl::exists(accepted)).get_result(self.0)?)
    }

    /// Takes address and user agent out of the records of a user: the ids stay.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn strip_audit_of(&mut self, user: UserId) -> Result<(), DbError> {
        diesel::update(audit::table.filter(audit::user_id.eq(user.to_string())))
            .set((
                audit::address.eq(None::<String>),
                audit::user_agent.eq(None::<String>),
            ))
            .execute(self.0)?;
        Ok(())
    }

    /// Deletes up to `limit` records from before `before`.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn delete_old_audit(&mut self, before: i64, limit: u32) -> Result<usize, DbError> {
        Ok(diesel::sql_query(
            "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < $1 ORDER BY at LIMIT $2)",
        )
        .bind::<BigInt, _>(before)
        .bind::<BigInt, _>(i64::from(limit))
        .execute(self.0)?)
    }
}
