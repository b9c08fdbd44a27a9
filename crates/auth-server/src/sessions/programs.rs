//! A user's programs: what each was granted and where it is signed in, and how all of that is taken away.

use std::collections::BTreeMap;

use super::Sessions;
use super::end::audit_endings;
use super::listing::Listed;
use crate::db::{AuditRecord, Caller, DbError, EndReason, Ending, Event, Unit, UserId};
use crate::error::Error;

/// A client that has something of a user's account.
#[derive(Default)]
pub struct Program {
    /// What the user has agreed to, or else what its sessions have; words by blanks.
    pub scope: String,
    /// When he last agreed to something, Unix seconds; `None` for a client whose users are not asked.
    pub granted_at: Option<i64>,
    /// Its live sessions, newest first.
    pub sessions: Vec<Listed>,
}

impl Program {
    /// When it was last used, as coarse as in the list of sessions; `None` if it is signed in nowhere.
    #[must_use]
    pub fn last_used_at(&self) -> Option<i64> {
        self.sessions.iter().map(|one| one.last_used_at).max()
    }

    fn add_scope(&mut self, scope: &str) {
        for word in scope.split(' ') {
            if !self.scope.split(' ').any(|held| held == word) {
                let blank = if self.scope.is_empty() { "" } else { " " };
                self.scope = format!("{}{blank}{word}", self.scope);
            }
        }
    }
}

impl Sessions {
    /// The clients that a user has agreed to something with, or that are signed in to his account, by their ids.
    ///
    /// # Errors
    /// The database's.
    pub async fn programs(
        &self,
        user: UserId,
        now: i64,
    ) -> Result<BTreeMap<String, Program>, Error> {
        let (consents, live) = self
            .db
            .read(move |tx| Ok((tx.list_consents(user)?, tx.list_sessions(user, now)?)))
            .await?;
        let mut programs: BTreeMap<String, Program> = BTreeMap::new();
        for consent in consents {
            let program = programs.entry(consent.client).or_default();
            program.scope = consent.scope;
            program.granted_at = Some(consent.granted_at);
        }
        for session in live {
            let Some(grant) = session.grant.clone() else {
                continue;
            };
            let program = programs.entry(grant.client).or_default();
            if program.granted_at.is_none() {
                program.add_scope(&grant.scope);
            }
            program.sessions.push(self.shown(session, now));
        }
        Ok(programs)
    }

    /// Takes a user's account away from a client: every session ends that it has there, and what the user agreed to is
    /// forgotten. `false` if it has nothing.
    ///
    /// # Errors
    /// The database's.
    pub async fn end_program(
        &self,
        user: UserId,
        client: String,
        caller: &Caller,
    ) -> Result<bool, Error> {
        let taken = self
            .db
            .write(caller, move |tx| {
                end_program(tx, user, &client, EndReason::Ended)
            })
            .await?;
        let Some(ended) = taken else {
            return Ok(false);
        };
        self.announcer.announce(&ended);
        Ok(true)
    }
}

/// Takes a user's account away from a client within a unit, with its audit records: the sessions that ended, of every
/// kind, and codes that wait to be fetched. `None` if it had nothing.
///
/// The users row comes first, as in a consent, a code's issue and its exchange: of two that meet, one sees the other, so
/// nothing that is in flight brings back what was taken away.
fn end_program(
    tx: &mut Unit<'_, '_>,
    user: UserId,
    client: &str,
    reason: EndReason,
) -> Result<Option<Vec<Ending>>, DbError> {
    if !tx.lock_user(user, None)? {
        return Ok(None);
    }
    let ended = tx.end_sessions_of_program(user, client, reason)?;
    let agreed = tx.delete_consent(user, client)?;
    if ended.is_empty() && !agreed {
        return Ok(None);
    }
    tx.queue_log_outs(&ended)?;
    audit_endings(tx, user, &ended, reason)?;
    tx.audit(&AuditRecord::of(Event::ConsentWithdrawn, user).detail(client.to_owned()))?;
    Ok(Some(ended))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scope_of_several_sessions_has_each_word_once() {
        let mut program = Program::default();
        for scope in ["openid email", "openid", "profile email"] {
            program.add_scope(scope);
        }
        assert_eq!(program.scope, "openid email profile");
        assert_eq!(program.last_used_at(), None);
    }
}
