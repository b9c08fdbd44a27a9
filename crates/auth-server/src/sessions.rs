//! The rules of sessions: how one begins, turns over and ends. No HTTP, no SQL.
//!
//! Every change is one unit of [`Db::write`] that decides by what it hits, so that two requests, two
//! replicas or a killed process can never leave two live successors of one refresh token.

use std::sync::Arc;
use std::time::{Duration, Instant};

use shared::claims::NewToken;
use shared::token::{Signer, Validator};
use uuid::Uuid;

use crate::counters::{Counters, Exchange};
use crate::db::{AuditRecord, Db, DbError, NewSession, Rotated, Rotation, SessionWithAccount, Tx};
use crate::endings::Endings;
use crate::error::Error;
use crate::login_delay::Counter;
use crate::mac_key_file::MacKeyFile;
use crate::model::{Account, Caller, EndReason, Event, Session, User};
use crate::refresh_token::RefreshToken;
use crate::rotation::{Judgement, Over, RotationRules, judge};
use crate::settings::{LifetimeSettings, ReusePolicy};

/// A refresh that has not reached the database this long after it arrived is not executed any more. Shorter
/// than the grace time by default: a request its client gave up on must not come back as theft.
const PATIENCE: Duration = Duration::from_secs(10);

/// Each further try means that another request changed the row between two statements of this one.
const TRIES: usize = 8;

/// Old rows that a log-in takes away: more than it adds, so that they run out.
const SWEEP: i64 = 20;

/// How long after its absolute end a row stays: longer than any revocation is in force.
const KEEP_SESSION: i64 = 2 * 3600;

/// What a log-in or refresh answers.
pub struct Pair {
    /// The signed JWT.
    pub access_token: String,
    /// The refresh token in its one spelling.
    pub refresh_token: String,
    /// Seconds until the access token is over, without skew.
    pub expires_in: i64,
    /// Seconds until the session is over unless refreshed.
    pub refresh_expires_in: i64,
}

/// The rules, with what they need. Shared by all workers.
pub struct Sessions {
    db: Db,
    signer: Signer,
    validator: Arc<Validator>,
    mac_keys: Arc<MacKeyFile>,
    endings: Endings,
    counters: Counters,
    lifetimes: LifetimeSettings,
}

impl Sessions {
    /// Puts the rules together.
    #[must_use]
    pub fn new(
        db: Db,
        signer: Signer,
        validator: Arc<Validator>,
        mac_keys: Arc<MacKeyFile>,
        endings: Endings,
        counters: Counters,
        lifetimes: LifetimeSettings,
    ) -> Self {
        Self {
            db,
            signer,
            validator,
            mac_keys,
            endings,
            counters,
            lifetimes,
        }
    }

    /// Begins a session for a user whose password was just checked.
    ///
    /// # Errors
    /// [`Error::InvalidCredentials`] or [`Error::AccountBlocked`] if the account changed since.
    pub async fn start(
        &self,
        user: &User,
        counter: Option<Counter>,
        caller: &Caller,
    ) -> Result<Pair, Error> {
        let new = self.new_session(&user.account, caller)?;
        let (version, keep, unit_caller, unit_new) = (
            user.password_version,
            self.lifetimes.max_sessions_per_user,
            caller.clone(),
            new.clone(),
        );
        let begun = self
            .db
            .write(deadline(caller), move |tx| {
                if let Some(counter) = &counter {
                    // A guess that turned out right while others began a delay is not let in by it.
                    let wait = tx.login_failures(counter)?.wait(unit_caller.now);
                    if wait > 0 {
                        return Ok(Begun::Delayed(wait));
                    }
                }
                // First of the writes, since block and password change write this row first too: one of the two sees the other.
                if !tx.mark_login(unit_new.user, version, unit_caller.now)? {
                    return Ok(Begun::Changed);
                }
                if let Some(counter) = &counter {
                    tx.clear_login_failures(counter)?;
                }
                begin(tx, &unit_caller, &unit_new, keep).map(Begun::Session)
            })
            .await?;
        let ended = match begun {
            Begun::Session(ended) => ended,
            Begun::Delayed(wait) => {
                return Err(Error::TooManyAttempts(u64::try_from(wait).unwrap_or(1)));
            }
            Begun::Changed => {
                let id = user.account.id;
                let now = self.db.read(move |tx| tx.find_user(id)).await?;
                let blocked = now.is_some_and(|user| user.blocked_at.is_some());
                return Err(if blocked {
                    Error::AccountBlocked
                } else {
                    Error::InvalidCredentials
                });
            }
        };
        self.announce(&ended, EndReason::Limit, caller);
        self.sweep(caller);
        self.pair(&user.account, &new.token, new.idle_until, caller.now)
    }

    /// Changes the password: every session of the account ends, and the answer belongs to a new one.
    ///
    /// # Errors
    /// [`Error::InvalidCredentials`] if the account changed since the current password was checked.
    pub async fn change_password(
        &self,
        user: &User,
        hash: String,
        caller: &Caller,
    ) -> Result<Pair, Error> {
        let new = self.new_session(&user.account, caller)?;
        let (version, keep, unit_caller, unit_new) = (
            user.password_version,
            self.lifetimes.max_sessions_per_user,
            caller.clone(),
            new.clone(),
        );
        let ended = self
            .db
            .write(deadline(caller), move |tx| {
                let (id, caller) = (unit_new.user, &unit_caller);
                if !tx.set_password(id, Some(version), &hash)? {
                    return Ok(None);
                }
                tx.audit(caller, &AuditRecord::of(Event::PasswordChanged, id))?;
                let mut ended = end_all(tx, caller, id, EndReason::Password)?;
                ended.extend(begin(tx, caller, &unit_new, keep)?);
                Ok(Some(ended))
            })
            .await?
            .ok_or(Error::InvalidCredentials)?;
        self.announce(&ended, EndReason::Password, caller);
        self.pair(&user.account, &new.token, new.idle_until, caller.now)
    }

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
        let presented = RefreshToken::decode(refresh, &self.mac_keys.keys())?;
        if presented.absolute_until <= caller.now {
            return Err(Error::SessionOver(Over::Absolute));
        }
        let user = self.owner(access, &presented)?;
        let rotation = Rotation {
            presented,
            user,
            now: caller.now,
            idle_until: caller
                .now
                .saturating_add(seconds(self.lifetimes.refresh_idle_ttl)),
            address: caller.address.clone(),
        };
        for _ in 0..TRIES {
            let unit = rotation.clone();
            if let Some(rotated) = self
                .db
                .write_statement(deadline(caller), move |tx| tx.rotate_session(&unit))
                .await?
            {
                return Ok((self.rotated_pair(&rotation, &rotated)?, Exchange::Rotated));
            }
            if let Some(answer) = self.not_current(&rotation, caller).await? {
                return Ok(answer);
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
        let rules = RotationRules {
            grace: seconds(self.lifetimes.refresh_grace),
            late_retries: i64::from(self.lifetimes.refresh_late_retries),
        };
        let how = match judge(&session, rotation.presented.generation, rotation.now, rules) {
            Judgement::Over(over) => return Err(Error::SessionOver(over)),
            Judgement::Superseded => return Err(Error::Superseded),
            Judgement::Current => return Ok(None),
            Judgement::Retry => Exchange::Retry,
            Judgement::LateRetry if self.count_late(&session, caller).await? => Exchange::LateRetry,
            Judgement::LateRetry => return Ok(None),
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
        let current = rotation.presented.at_generation(session.generation);
        let pair = self.pair(&account, &current, session.idle_until, rotation.now)?;
        Ok(Some((pair, how)))
    }

    async fn count_late(&self, session: &Session, caller: &Caller) -> Result<bool, Error> {
        let (session, unit_caller) = (session.clone(), caller.clone());
        let counted = self.db.write(deadline(caller), move |tx| {
            if !tx.mark_late(&session)? {
                return Ok(false);
            }
            tx.audit(&unit_caller, &record(Event::LateRetry, &session))?;
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
        let (unit, session, unit_caller) = (rotation.clone(), session.clone(), caller.clone());
        let moved = self.db.write(deadline(caller), move |tx| {
            let rotated = tx.catch_up_session(&unit, session.generation)?;
            if rotated.is_some() {
                tx.audit(&unit_caller, &record(Event::RowBehind, &session))?;
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
        log::warn!(
            "reuse: generation {} of session {id} came back at generation {} (request {})",
            rotation.presented.generation,
            session.generation,
            caller.request_id
        );
        let (session, unit_caller) = (session.clone(), caller.clone());
        let ended = self
            .db
            .write(deadline(caller), move |tx| {
                // The users row first, as everyone does: two that block at once wait instead of deadlocking.
                let blocked = block && tx.set_blocked(user, Some(unit_caller.now))?;
                if !tx.end_reused_session(&session, unit_caller.now)? {
                    return Err(DbError::Moved);
                }
                let reused =
                    record(Event::SessionEnded, &session).detail(EndReason::Reuse.as_str());
                tx.audit(&unit_caller, &reused)?;
                let mut ended = vec![session.id];
                if blocked {
                    tx.audit(
                        &unit_caller,
                        &AuditRecord::of(Event::UserBlocked, user).detail("reuse"),
                    )?;
                    ended.extend(end_all(tx, &unit_caller, user, EndReason::Blocked)?);
                }
                Ok(ended)
            })
            .await;
        match ended {
            Ok(ended) => {
                self.announce(&ended, EndReason::Reuse, caller);
                Ok(true)
            }
            Err(DbError::Moved) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends the session that the pair belongs to. A session that is over already is logged out as well.
    ///
    /// # Errors
    /// [`Error::InvalidRefreshToken`], [`Error::InvalidAccessToken`]; the database's.
    pub async fn log_out(&self, access: &str, refresh: &str, caller: &Caller) -> Result<(), Error> {
        let presented = RefreshToken::decode(refresh, &self.mac_keys.keys())?;
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
    fn announce(&self, ended: &[Uuid], reason: EndReason, caller: &Caller) {
        self.counters.ended(reason, ended.len());
        self.endings.publish(ended, caller.now);
    }

    /// The live sessions of a user, newest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn list(&self, user: Uuid, now: i64) -> Result<Vec<Session>, Error> {
        Ok(self.db.read(move |tx| tx.list_sessions(user, now)).await?)
    }

    /// A session and its user.
    ///
    /// # Errors
    /// The database's.
    pub async fn find(&self, id: Uuid) -> Result<Option<SessionWithAccount>, Error> {
        Ok(self.db.read(move |tx| tx.find_session(id)).await?)
    }

    /// The user of the access token that came along: it must be genuine, under any key still known, and
    /// of the same session. Whose session it is, the row decides.
    fn owner(&self, access: &str, presented: &RefreshToken) -> Result<Uuid, Error> {
        let claims = self
            .validator
            .recognise(access)
            .map_err(|_| Error::InvalidAccessToken)?;
        let session = claims
            .sid
            .as_deref()
            .and_then(|sid| Uuid::try_parse(sid).ok());
        if session != Some(presented.session) {
            return Err(Error::InvalidAccessToken);
        }
        Uuid::try_parse(&claims.sub).map_err(|_| Error::InvalidAccessToken)
    }

    fn new_session(&self, account: &Account, caller: &Caller) -> Result<NewSession, Error> {
        let keys = self.mac_keys.keys();
        let key = keys
            .signing(caller.now)
            .ok_or_else(|| Error::Internal("no MAC key".into()))?;
        let absolute_until = caller
            .now
            .saturating_add(seconds(self.lifetimes.refresh_absolute_ttl));
        let idle_until = caller
            .now
            .saturating_add(seconds(self.lifetimes.refresh_idle_ttl));
        Ok(NewSession {
            token: RefreshToken {
                key_id: key.id(),
                session: Uuid::new_v4(),
                generation: 1,
                nonce: rand::random(),
                absolute_until,
            },
            user: account.id,
            created_at: caller.now,
            idle_until: idle_until.min(absolute_until),
            device: caller.user_agent.clone(),
            address: caller.address.clone(),
        })
    }

    fn rotated_pair(&self, rotation: &Rotation, rotated: &Rotated) -> Result<Pair, Error> {
        let next = rotation
            .presented
            .at_generation(rotation.presented.generation.saturating_add(1));
        self.pair(&rotated.account, &next, rotated.idle_until, rotation.now)
    }

    fn pair(
        &self,
        account: &Account,
        token: &RefreshToken,
        idle_until: i64,
        now: i64,
    ) -> Result<Pair, Error> {
        let exp = now
            .saturating_add(seconds(self.lifetimes.access_token_ttl))
            .min(token.absolute_until);
        let access_token = self.signer.sign(
            &NewToken {
                sub: &account.id.to_string(),
                sid: &token.session.to_string(),
                jti: &Uuid::new_v4().to_string(),
                iat: now,
                nbf: now,
                exp,
                name: &account.user_name,
                email: &account.email,
                roles: &account.roles,
            },
            now,
        )?;
        Ok(Pair {
            access_token,
            refresh_token: token.encode(&self.mac_keys.keys())?,
            expires_in: exp.saturating_sub(now),
            refresh_expires_in: idle_until.min(token.absolute_until).saturating_sub(now),
        })
    }

    /// Takes away a few rows that can no longer matter. After the answer, in a unit of its own: that two
    /// replicas meet over the same rows must not fail anyone's log-in.
    fn sweep(&self, caller: &Caller) {
        let db = self.db.clone();
        let deadline = deadline(caller);
        let sessions_before = caller.now.saturating_sub(KEEP_SESSION);
        let audit_before = caller
            .now
            .saturating_sub(seconds(self.lifetimes.audit_retention));
        tokio::spawn(async move {
            let swept = db.write(deadline, move |tx| {
                Ok((
                    tx.delete_old_sessions(sessions_before, SWEEP)?,
                    tx.delete_old_audit(audit_before, SWEEP)?,
                ))
            });
            match swept.await {
                Ok((sessions, records)) => {
                    log::debug!("swept {sessions} sessions, {records} audit records")
                }
                Err(error) => log::debug!("not swept, the next log-in will: {error}"),
            }
        });
    }
}

/// What a log-in's unit came to.
enum Begun {
    /// A session, and those that it pushed out.
    Session(Vec<Uuid>),
    /// Failures meanwhile began a delay of so many seconds.
    Delayed(i64),
    /// The account changed since its password was checked.
    Changed,
}

/// Inserts the session and ends what exceeds the limit; the rest of a log-in's unit.
fn begin(
    tx: &mut Tx<'_>,
    caller: &Caller,
    new: &NewSession,
    keep: u32,
) -> Result<Vec<Uuid>, DbError> {
    tx.insert_session(new)?;
    tx.audit(
        caller,
        &AuditRecord::of(Event::LoggedIn, new.user).session(new.token.session),
    )?;
    let ended = tx.end_sessions_beyond(new.user, keep, caller.now)?;
    audit_endings(tx, caller, new.user, &ended, EndReason::Limit)?;
    Ok(ended)
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

fn audit_endings(
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

fn record(event: Event, session: &Session) -> AuditRecord {
    AuditRecord {
        event,
        user: session.user,
        session: Some(session.id),
        generation: Some(session.generation),
        detail: None,
    }
}

/// When work for this caller must have begun.
pub(crate) fn deadline(caller: &Caller) -> Instant {
    caller.arrived + PATIENCE
}

fn seconds(lifetime: Duration) -> i64 {
    i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod rotation_model;
