//! What the revocation feed reads: endings, and nothing else of a session.

use diesel::prelude::*;

use super::SessionId;
use super::schema::sessions;
use super::users::uuid;
use super::{DbError, EndReason, Tx};

/// A session that was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The session.
    pub session: SessionId,
    /// Unix seconds.
    pub ended_at: i64,
    /// Why it ended.
    pub reason: EndReason,
}

impl Tx<'_> {
    /// The sessions that ended at `since` or later.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn endings_since(&mut self, since: i64) -> Result<Vec<Ending>, DbError> {
        sessions::table
            .filter(sessions::ended_at.ge(since))
            .select((
                sessions::id,
                sessions::ended_at.assume_not_null(),
                sessions::end_reason,
            ))
            .load::<(String, i64, Option<String>)>(self.0)?
            .into_iter()
            .map(|(id, ended_at, reason)| {
                Ok(Ending {
                    session: uuid(&id)?,
                    ended_at,
                    reason: EndReason::parse(reason.as_deref().unwrap_or_default()),
                })
            })
            .collect()
    }
}
