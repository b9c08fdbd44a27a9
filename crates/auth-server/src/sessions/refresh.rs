//! How a session turns over: the table of rotation rules, acted upon.

use shared::clock::seconds;

use mail::Kind;

use super::end::end_all;
use super::listing::{expires_in, expires_in_late};
use super::{Pair, Sessions};
use crate::db::{Account, Generation, Grant, Owner};
use crate::db::{AuditRecord, DbError, Rotated, Rotation, SessionWithAccount};
use crate::db::{Caller, EndReason, Event, Session, Sighting};
use crate::error::Error;
use crate::error::Over;
use crate::operations::counters::Exchange;
use crate::sessions::refresh_token::{Purpose, RefreshToken};
use crate::sessions::rotation::{Judgement, RotationRules, elsewhere, in_grace, judge};
use crate::settings::ReusePolicy;

/// Each further try means that another request changed the row between two statements of this one.
const TRIES: usize = 8;

/// What a turn came to: the token that is good now, for whom, and for how long.
pub(super) struct Turned {
    pub(super) account: Account,
    pub(super) token: RefreshToken,
    pub(super) refresh_expires_in: i64,
    /// What the client was granted, if it is a client's session.
    pub(super) grant: Option<Grant>,
}

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
        let exchanged = async {
            let presented = RefreshToken::read(refresh, Purpose::Account, &self.mac_keys)?;
            let owner = self.owner(access, &presented).map(Owner::User);
            let (turned, how) = self.turn(presented, owner, caller).await?;
            let pair = self.pair(
                &turned.account,
                &turned.token,
                turned.refresh_expires_in,
                caller.now,
            )?;
            Ok((pair, how))
        }
        .await;
        self.counters
            .refresh(exchanged.as_ref().map(|(_, how)| *how));
        exchanged.map(|(pair, _)| pair)
    }

    /// Turns a session over: the one place where a genuine refresh token is exchanged, whichever door it came to. Who
    /// may ask, the door says: `owner`, or what it refuses with; a session that is over is refused as that first.
    pub(super) async fn turn(
        &self,
        presented: RefreshToken,
        owner: Result<Owner, Error>,
        caller: &Caller,
    ) -> Result<(Turned, Exchange), Error> {
        let over = presented.absolute_until <= caller.now;
        // Over for so long that no gate takes an access token of it any more: nobody need be asked.
        if presented.absolute_until.saturating_add(self.accepted()) <= caller.now {
            return Err(Error::SessionOver(Over::Absolute));
        }
        let owner = match owner {
            Ok(owner) => owner,
            Err(_) if over => return Err(Error::SessionOver(Over::Absolute)),
            Err(error) => return Err(error),
        };
        let rotation = Rotation {
            presented,
            owner,
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
                return Ok((self.rotated(&rotation, rotated), Exchange::Rotated));
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
    ) -> Result<Option<(Turned, Exchange)>, Error> {
        let found = self.find(rotation.presented.session).await?;
        let Some(SessionWithAccount { session, account }) =
            found.filter(|found| found.session.nonce == rotation.presented.nonce)
        else {
            return Err(Error::SessionOver(Over::Gone));
        };
        // Before the table is asked: who is not its owner can neither end nor age a session.
        if !rotation.owner.owns(&session) {
            return Err(match rotation.owner {
                Owner::User(_) => Error::InvalidAccessToken,
                Owner::Client(_) => Error::InvalidRefreshToken,
            });
        }
        let rules = self.rules();
        let session = as_presented(session, &rotation.presented);
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
                let moved = self.catch_up(rotation, &session, caller).await?;
                return Ok(moved.map(|turned| (turned, Exchange::Behind)));
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
        let token = rotation.presented.at_generation(session.generation);
        let (idle, now) = (self.idle_lifetime(), rotation.now);
        let refresh_expires_in = if in_grace(&session, now, rules) {
            expires_in(idle, session.absolute_until, now)
        } else {
            expires_in_late(&session, idle, now)
        };
        let turned = Turned {
            account,
            token,
            refresh_expires_in,
            grant: session.grant,
        };
        Ok(Some((turned, how)))
    }

    pub(super) fn rules(&self) -> RotationRules {
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
    ) -> Result<Option<Turned>, Error> {
        let (unit, session) = (rotation.clone(), session.clone());
        let moved = self.db.write(caller, move |tx| {
            let rotated = tx.catch_up_session(&unit, session.generation)?;
            if rotated.is_some() {
                tx.audit(&record(Event::RowBehind, &session))?;
            }
            Ok(rotated)
        });
        let moved = moved.await?;
        Ok(moved.map(|rotated| self.rotated(rotation, rotated)))
    }

    async fn end_reused(
        &self,
        session: &Session,
        rotation: &Rotation,
        caller: &Caller,
    ) -> Result<bool, Error> {
        let id = session.id;
        // Only the session of a deleted account has no user, and that has ended.
        let Some(user) = session.user else {
            return Ok(false);
        };
        // A client's refresh token is in other hands than its user's.
        let block =
            self.lifetimes.refresh_reuse == ReusePolicy::BlockUser && session.grant.is_none();
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
                tx.queue_log_outs(&ended)?;
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

    fn rotated(&self, rotation: &Rotation, rotated: Rotated) -> Turned {
        let token = rotation
            .presented
            .at_generation(rotation.presented.generation.next());
        let (idle, now) = (self.idle_lifetime(), rotation.now);
        Turned {
            account: rotated.account,
            token,
            refresh_expires_in: expires_in(idle, rotated.absolute_until, now),
            grant: rotated.grant,
        }
    }
}

/// The row as a genuine token of it has to see it: the token's own word on the absolute end counts, too.
pub(super) fn as_presented(session: Session, presented: &RefreshToken) -> Session {
    let said = presented.absolute_until;
    if session.generation == Generation(0) {
        // Its client has a token, so it was fetched, and the database was set back to before that. What is stored
        // are the ends of the code.
        Session {
            absolute_until: said,
            idle_until: said,
            ..session
        }
    } else {
        Session {
            absolute_until: session.absolute_until.min(said),
            ..session
        }
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
