//! How a session ends, and who hears of it.

use std::sync::Arc;

use tokio::sync::Notify;

use super::Sessions;
use crate::db::{AuditRecord, DbError, Ending, Unit};
use crate::db::{Caller, EndReason, Event};
use crate::db::{SessionId, UserId};
use crate::error::Error;
use crate::feed::Endings;
use crate::operations::counters::Counters;
use crate::sessions::refresh_token::{Purpose, RefreshToken};

/// Seconds that clocks may be apart where one of them issues a token and another judges it.
const CLOCKS: i64 = 60;

impl Sessions {
    /// Ends the session that the pair belongs to. A session that is over already is logged out as well.
    ///
    /// # Errors
    /// [`Error::InvalidRefreshToken`], [`Error::InvalidAccessToken`]; the database's.
    pub async fn log_out(&self, access: &str, refresh: &str, caller: &Caller) -> Result<(), Error> {
        let presented = RefreshToken::read(refresh, Purpose::Account, &self.mac_keys)?;
        let user = match self.owner(access, &presented) {
            Ok(user) => user,
            // Over is logged out, whatever came along.
            Err(_) if presented.absolute_until <= caller.now => return Ok(()),
            Err(error) => return Err(error),
        };
        // Over for so long that no gate takes an access token of it any more: nothing is left to end.
        if presented.absolute_until.saturating_add(self.accepted()) <= caller.now {
            return Ok(());
        }
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

    /// Seconds after its end for which a gate may still accept an access token.
    pub(super) fn accepted(&self) -> i64 {
        self.validator.policy().skew.saturating_add(CLOCKS)
    }

    /// Ends one session of a user, be it over already; `false` if it is not one of his, or has been ended.
    ///
    /// # Errors
    /// The database's.
    pub async fn end(
        &self,
        user: UserId,
        id: SessionId,
        reason: EndReason,
        caller: &Caller,
    ) -> Result<bool, Error> {
        let ended = self
            .db
            .write(caller, move |tx| end_one(tx, user, id, reason))
            .await?;
        self.announcer.announce(&ended);
        Ok(!ended.is_empty())
    }

    /// Ends all sessions of a user.
    ///
    /// # Errors
    /// The database's.
    pub async fn end_all(
        &self,
        user: UserId,
        reason: EndReason,
        caller: &Caller,
    ) -> Result<(), Error> {
        let ended = self
            .db
            .write(caller, move |tx| end_all(tx, user, reason))
            .await?;
        self.announcer.announce(&ended);
        Ok(())
    }
}

/// Tells of endings after their commit: the counters, the followers of the feed, and whoever tells clients of log-outs.
#[derive(Clone)]
pub struct Announcer {
    endings: Endings,
    counters: Counters,
    news: Arc<Notify>,
}

impl Announcer {
    /// Tells these.
    #[must_use]
    pub fn new(endings: Endings, counters: Counters) -> Self {
        Self {
            endings,
            counters,
            news: Arc::default(),
        }
    }

    /// Wakes whoever tells clients of log-outs: there may be one to tell of.
    pub(crate) fn news(&self) -> Arc<Notify> {
        Arc::clone(&self.news)
    }

    /// The counters.
    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Seconds that an ending stays in force.
    pub(super) fn in_force(&self) -> i64 {
        self.endings.in_force()
    }

    /// Tells of these.
    pub fn announce(&self, ended: &[Ending]) {
        for ending in ended {
            self.counters.ended(ending.reason);
        }
        self.endings.publish(ended);
        if !ended.is_empty() {
            self.news.notify_one();
        }
    }
}

/// Ends one session of a user within a unit, with its audit record; with a browser's the programs that it opened; and
/// queues what clients are to be told. Empty if the session is not one of his, or has been ended.
///
/// # Errors
/// The database's.
pub(super) fn end_one(
    tx: &mut Unit<'_, '_>,
    user: UserId,
    id: SessionId,
    reason: EndReason,
) -> Result<Vec<Ending>, DbError> {
    // The users row first: an exchange that is on its way is before this or after it, and never beside it.
    tx.lock_user(user, None)?;
    let ended = tx.end_session_of(user, id, reason)?;
    end_below(tx, user, ended.into_iter().collect(), reason)
}

/// Ends a browser's session as [`end_one`] does; where a log-in beside this unit has just taken its place, that one's: it
/// began with the same cookie, and has its programs.
///
/// # Errors
/// The database's.
pub(super) fn end_browser(
    tx: &mut Unit<'_, '_>,
    user: UserId,
    id: SessionId,
    reason: EndReason,
) -> Result<Vec<Ending>, DbError> {
    tx.lock_user(user, None)?;
    let ended = tx.end_browser(id, user, reason)?;
    end_below(tx, user, ended.into_iter().collect(), reason)
}

/// The rest of every unit that ends sessions of a user for good: the programs below those of browsers end as well, clients
/// are to be told, and all of it is recorded.
pub(super) fn end_below(
    tx: &mut Unit<'_, '_>,
    user: UserId,
    mut ended: Vec<Ending>,
    reason: EndReason,
) -> Result<Vec<Ending>, DbError> {
    ended.extend(tx.end_apps_of(&ended, reason)?);
    tx.queue_log_outs(&ended)?;
    audit_endings(tx, user, &ended, reason)?;
    Ok(ended)
}

/// Ends all sessions of a user within a unit, with their audit records, and queues what clients are to be told.
///
/// # Errors
/// The database's.
pub fn end_all(
    tx: &mut Unit<'_, '_>,
    user: UserId,
    reason: EndReason,
) -> Result<Vec<Ending>, DbError> {
    // As in [`end_one`]; whoever wrote the row before holds it already.
    tx.lock_user(user, None)?;
    let ended = tx.end_sessions_of(user, reason)?;
    tx.queue_log_outs(&ended)?;
    audit_endings(tx, user, &ended, reason)?;
    Ok(ended)
}

/// Ends one session, whosever it is: a service's has no user.
///
/// # Errors
/// The database's.
pub fn end_any(
    tx: &mut Unit<'_, '_>,
    id: SessionId,
    reason: EndReason,
) -> Result<Vec<Ending>, DbError> {
    let Some(found) = tx.find_session(id)? else {
        return Ok(Vec::new());
    };
    match (found.session.user, found.session.grant) {
        (Some(user), _) => end_one(tx, user, id, reason),
        (None, Some(grant)) => {
            let ended = tx.end_app(id, &grant.client, reason)?;
            audit_endings(tx, None, &ended, reason)?;
            Ok(ended)
        }
        (None, None) => Ok(Vec::new()),
    }
}

pub(super) fn audit_endings(
    tx: &mut Unit<'_, '_>,
    user: impl Into<Option<UserId>>,
    ended: &[Ending],
    reason: EndReason,
) -> Result<(), DbError> {
    let user = user.into();
    ended.iter().try_for_each(|one| {
        let record = match user {
            Some(user) => AuditRecord::of(Event::SessionEnded, user),
            None => AuditRecord::general(Event::SessionEnded),
        };
        tx.audit(&record.session(one.session).detail(reason.as_str()))
    })
}
