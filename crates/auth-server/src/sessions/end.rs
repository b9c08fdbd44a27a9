//! How a session ends, and who hears of it.

use uuid::Uuid;

use super::{Sessions, deadline};
use crate::db::{AuditRecord, DbError, Tx};
use crate::error::Error;
use crate::model::{Caller, EndReason, Event};
use crate::refresh_token::RefreshToken;

impl Sessions {
    /// Ends the session that the pair belongs to. A session that is over already is logged out as well.
    ///
    /// # Errors
    /// [`Error::InvalidRefreshToken`], [`Error::InvalidAccessToken`]; the database's.
    pub async fn log_out(&self, access: &str, refresh: &str, caller: &Caller) -> Result<(), Error> {
        let presented = RefreshToken::read(refresh, &self.mac_keys)?;
        if presented.absolute_until <= caller.now {
            return Ok(());
        }
        let user = self.owner(access, &presented)?;
        if self
            .end(user, presented.session, EndReason::Logout, caller)
            .await?
        {
            return Ok(());
        }
        // Not hit: over already, which is what was asked for, or somebody else's.
        let found = self.find(presented.session).await?;
        match found.and_then(|found| found.session.user) {
            Some(owner) if owner != user => Err(Error::InvalidAccessToken),
            _ => Ok(()),
        }
    }

    /// Ends one session of a user; `false` if it is not one of his that is alive.
    ///
    /// # Errors
    /// The database's.
    pub async fn end(
        &self,
        user: Uuid,
        id: Uuid,
        reason: EndReason,
        caller: &Caller,
    ) -> Result<bool, Error> {
        let unit_caller = caller.clone();
        let ended = self
            .db
            .write(deadline(caller), move |tx| {
                let hit = tx.end_session_of(user, id, reason, unit_caller.now)?;
                if hit {
                    let ended = AuditRecord::of(Event::SessionEnded, user)
                        .session(id)
                        .detail(reason.as_str());
                    tx.audit(&unit_caller, &ended)?;
                }
                Ok(hit)
            })
            .await?;
        if ended {
            self.announce(&[id], reason, caller);
        }
        Ok(ended)
    }

    /// Ends all sessions of a user.
    ///
    /// # Errors
    /// The database's.
    pub async fn end_all(
        &self,
        user: Uuid,
        reason: EndReason,
        caller: &Caller,
    ) -> Result<(), Error> {
        let unit_caller = caller.clone();
        let ended = self
            .db
            .write(deadline(caller), move |tx| {
                end_all(tx, &unit_caller, user, reason)
            })
            .await?;
        self.announce(&ended, reason, caller);
        Ok(())
    }

    /// After the commit: followers hear of it at once.
    pub(super) fn announce(&self, ended: &[Uuid], reason: EndReason, caller: &Caller) {
        self.counters.ended(reason, ended.len());
        self.endings.publish(ended, caller.now);
    }
}

/// Ends all sessions of a user within a unit, with their audit records.
///
/// # Errors
/// The database's.
pub fn end_all(
    tx: &mut Tx<'_>,
    caller: &Caller,
    user: Uuid,
    reason: EndReason,
) -> Result<Vec<Uuid>, DbError> {
    let ended = tx.end_sessions_of(user, reason, caller.now)?;
    audit_endings(tx, caller, user, &ended, reason)?;
    Ok(ended)
}

pub(super) fn audit_endings(
    tx: &mut Tx<'_>,
    caller: &Caller,
    user: Uuid,
    ended: &[Uuid],
    reason: EndReason,
) -> Result<(), DbError> {
    ended.iter().try_for_each(|id| {
        tx.audit(
            caller,
            &AuditRecord::of(Event::SessionEnded, user)
                .session(*id)
                .detail(reason.as_str()),
        )
    })
}
