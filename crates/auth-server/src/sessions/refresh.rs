//! How a session turns over: the table of rotation rules, acted upon.

use shared::clock::seconds;

use mail::Kind;

use super::end::end_all;
use super::listing::{expires_in, expires_in_late};
use super::{Pair, Sessions};
use crate::db::{AuditRecord, DbError, Rotated, Rotation, SessionWithAccount};
use crate::db::{Caller, EndReason, Event, Session, Sighting};
use crate::error::Error;
use crate::error::Over;
use crate::operations::counters::Exchange;
use crate::sessions::refresh_token::RefreshToken;
use crate::sessions::rotation::{Judgement, RotationRules, elsewhere, in_grace, judge};
use crate::settings::ReusePolicy;

/// Each further try means that another request changed the row between two statements of this one.
const TRIES: usize = 8;

impl Sessions {
    /// Exchanges a pair for the next one, by the table of rotation rules.
    ///
    /// # Errors
    /// The refusals of that table; [`Error::Busy`] and [`Error::Database`] leave the pair as it was.
    pub async fn refresh(
        &self,
        access: &str,
        refresh: &str,
        caller: &Caller,
    ) -> Result<Pair, Error> {
        let exchanged = self.exchange(access, refresh, caller).await;
        self.counters
            .refresh(exchanged.as_ref().map(|(_, how)| *how));
        exchanged.map(|(pair, _)| pair)
    }

    async fn exchange(
        &self,
        access: &str,
        refresh: &str,
        caller: &Caller,
    ) -> Result<(Pair, Exchange), Error> {
        let presented = RefreshToken::read(refresh, &self.mac_keys)?;
        let over = presented.absolute_until <= caller.now;
        // Over for so long that no gate takes an access token of it any more: nobody need be asked.
        if presented.absolute_until.saturating_add(self.accepted()) <= caller.now {
            return Err(Error::SessionOver(Over::Absolute));
        }
        let user = match self.owner(access, &presented) {
            Ok(user) => user,
            Err(_) if over => return Err(Error::SessionOver(Over::Absolute)),
            Err(error) => return Err(error),
        };
        let rotation = Rotation {
            presented,
            user,
            now: caller.now,
            idle_until: caller.now.saturating_add(self.idle_lifetime()),
            address: caller.address.clone(),
            agent: caller.user_agent.clone(),
            shown_from: self.shown_from(caller.now),
        };
        for _ in 0..TRIES {
            if over {
                // It does not turn; a theft that shows only now is seen all the same.
            } else if let Some(rotated) = self.db.rotate(caller, rotation.clone()).await? {
                return Ok((self.rotated_pair(&rotation, &rotated)?, Exchange::Rotated));
            }
            match self.not_current(&rotation, caller).await {
                Ok(None) => {}
                // By its own word, whatever the row says, and if nobody can read it.
                _ if over => return Err(Error::SessionOver(Over::Absolute)),
                Ok(Some(answer)) => return Ok(answer),
                Err(refused) => return Err(refused),
            }
        }
        Err(Error::Busy)
    }

    /// The refreshes that did not hit: reads why, and does what the table says. `None`: the row moved, again.
    async fn not_current(
        &self,
        rotation: &Rotation,
        caller: &Caller,
    ) -> Result<Option<(Pair, Exchange)>, Error> {
        let found = self.find(rotation.presented.session).await?;
        let Some(SessionWithAccount { session, account }) =
            found.filter(|found| found.session.nonce == rotation.presented.nonce)
        else {
            return Err(Error::SessionOver(Over::Gone));
        };
        if session.user.is_some_and(|user| user != rotation.user) {
            return Err(Error::InvalidAccessToken);
        }
        let rules = self.rules();
        // The token's own word counts, too.
        let session = Session {
            absolute_until: session
                .absolute_until
                .min(rotation.presented.absolute_until),
            ..session
        };
        let elsewhere = elsewhere(&session, &caller.address, &caller.user_agent);
        let how = match judge(&session, rotation.presented.generation, rotation.now, rules) {
            Judgement::Over(over) => return Err(Error::SessionOver(over)),
            Judgement::ReuseOfOver(over) => {
                return if self.end_reused(&session, rotation, caller).await? {
                    Err(Error::SessionOver(over))
                } else {
                    Ok(None)
                };
            }
            Judgement::Superseded => return Err(Error::Superseded),
            Judgement::Retry if elsewhere.is_some() => Exchange::RetryElsewhere,
            Judgement::Retry => Exchange::Retry,
            Judgement::LateRetry if self.count_late(&session, caller).await? => Exchange::LateRetry,
            // The row moved on between the two statements.
            Judgement::Current | Judgement::LateRetry => return Ok(None),
            Judgement::Behind => {
                let pair = self.catch_up(rotation, &session, caller).await?;
                return Ok(pair.map(|pair| (pair, Exchange::Behind)));
            }
            Judgement::Reuse => {
                return if self.end_reused(&session, rotation, caller).await? {
                    Err(Error::Reused)
                } else {
                    Ok(None)
                };
            }
        };
        // A live session has its user; a row read between the two changes of a deletion is read again.
        let Some(account) = account else {
            return Ok(None);
        };
        if let Some(whence) = elsewhere {
            self.note_elsewhere(&session, whence, caller).await?;
        }
        let current = rotation.presented.at_generation(session.generation);
        let (idle, now) = (self.idle_lifetime(), rotation.now);
        let expires_in = if in_grace(&session, now, rules) {
            expires_in(idle, session.absolute_until, now)
        } else {
            expires_in_late(&session, idle, now)
        };
        let pair = self.pair(&account, &current, expires_in, now)?;
        Ok(Some((pair, how)))
    }

    fn rules(&self) -> RotationRules {
        RotationRules {
            grace: seconds(self.lifetimes.refresh_grace),
            late_retries: i64::from(self.lifetimes.refresh_late_retries),
            access_ttl: seconds(self.lifetimes.access_token_ttl),
            accepted: self.accepted(),
        }
    }

    /// Notes, once for a generation, that it was handed out again to somebody elsewhere. Before the answer: what
    /// cannot be noted is not handed out. The answer itself is that of any retry.
    async fn note_elsewhere(
        &self,
        session: &Session,
        whence: &'static str,
        caller: &Caller,
    ) -> Result<(), Error> {
        let seen = Sighting {
            generation: session.generation,
            at: caller.now,
            address: caller.address.clone(),
            device: caller.user_agent.clone(),
        };
        if session.sighting.as_ref().map(|last| last.generation) == Some(seen.generation) {
            return Ok(());
        }
        let id = session.id;
        let shown_from = self.shown_from(caller.now);
        let record = record(Event::RetryElsewhere, session).detail(whence);
        let noted = self.db.write(caller, move |tx| {
            if tx.mark_elsewhere(id, &seen, shown_from)? {
                tx.audit(&record)?;
            }
            Ok(())
        });
        Ok(noted.await?)
    }

    async fn count_late(&self, session: &Session, caller: &Caller) -> Result<bool, Error> {
        let session = session.clone();
        let counted = self.db.write(caller, move |tx| {
            if !tx.mark_late(&session)? {
                return Ok(false);
            }
            tx.audit(&record(Event::LateRetry, &session))?;
            Ok(true)
        });
        Ok(counted.await?)
    }

    async fn catch_up(
        &self,
        rotation: &Rotation,
        session: &Session,
        caller: &Caller,
    ) -> Result<Option<Pair>, Error> {
        let (unit, session) = (rotation.clone(), session.clone());
        let moved = self.db.write(caller, move |tx| {
            let rotated = tx.catch_up_session(&unit, session.generation)?;
            if rotated.is_some() {
                tx.audit(&record(Event::RowBehind, &session))?;
            }
            Ok(rotated)
        });
        moved
            .await?
            .map(|rotated| self.rotated_pair(rotation, &rotated))
            .transpose()
    }

    async fn end_reused(
        &self,
        session: &Session,
        rotation: &Rotation,
        caller: &Caller,
    ) -> Result<bool, Error> {
        let block = self.lifetimes.refresh_reuse == ReusePolicy::BlockUser;
        let (id, user) = (session.id, rotation.user);
        let message = format!(
            "reuse: generation {} of session {id} came back at generation {} (request {})",
            rotation.presented.generation, session.generation, caller.request_id
        );
        let (session, outbox) = (session.clone(), self.outbox);
        let ended = self
            .db
            .write(caller, move |tx| {
                // The users row first, as everyone does: two that block at once wait instead of deadlocking.
                let now = tx.now();
                let blocked = block && tx.set_blocked(user, Some(now))?;
                let reused_ending = tx.end_reused_session(&session)?.ok_or(DbError::Moved)?;
                let reused =
                    record(Event::SessionEnded, &session).detail(EndReason::Reuse.as_str());
                tx.audit(&reused)?;
                let mut ended = vec![reused_ending];
                if blocked {
                    tx.audit(&AuditRecord::of(Event::UserBlocked, user).detail("reuse"))?;
                    outbox.note(tx, Kind::Blocked, user, "")?;
                    ended.extend(end_all(tx, user, EndReason::Blocked)?);
                }
                Ok(ended)
            })
            .await;
        match ended {
            Ok(ended) => {
                // Once for a session, however often the token came back at that moment.
                log::warn!("{message}");
                self.announcer.announce(&ended);
                Ok(true)
            }
            Err(DbError::Moved) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn rotated_pair(&self, rotation: &Rotation, rotated: &Rotated) -> Result<Pair, Error> {
        let next = rotation
            .presented
            .at_generation(rotation.presented.generation.next());
        let expires_in = expires_in(self.idle_lifetime(), rotated.absolute_until, rotation.now);
        self.pair(&rotated.account, &next, expires_in, rotation.now)
    }
}

fn record(event: Event, session: &Session) -> AuditRecord {
    AuditRecord {
        event,
        user: session.user,
        session: Some(session.id),
        generation: Some(session.generation),
        detail: None,
    }
}
