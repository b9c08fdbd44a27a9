//! How a session begins: a log-in, or a change of the password.

use std::time::Duration;

use shared::clock::seconds;

use mail::Kind;

use super::browser::Leave;
use super::end::{end_all, end_below};
use super::listing::expires_in;
use super::{Pair, Sessions, expires_soonest};
use crate::db::{Account, Caller, EndReason, Event, User};
use crate::db::{AuditRecord, DbError, Ending, NewSession, Tx, Unit};
use crate::db::{Generation, SessionId, SessionKind, UserId};
use crate::error::Error;
use crate::outbox::Outbox;
use crate::sessions::refresh_token::{Purpose, RefreshToken};

/// Whether somebody whose password was right is let in, judged in the unit that begins his session.
pub trait Admission: Send + 'static {
    /// The seconds after which he may come again, if he is not; changes nothing.
    ///
    /// # Errors
    /// The database's.
    fn look(&self, tx: &mut Tx<'_>, now: i64) -> Result<Option<u64>, DbError>;

    /// The same once more, after the user's row is held; and what is to be written of his being let in.
    ///
    /// # Errors
    /// The database's.
    fn settle(&self, tx: &mut Tx<'_>, now: i64) -> Result<Option<u64>, DbError>;
}

impl Sessions {
    /// Begins a session for a user whose password was just checked.
    ///
    /// # Errors
    /// [`Error::InvalidCredentials`] or [`Error::AccountBlocked`] if the account changed since.
    pub async fn start(
        &self,
        user: &User,
        first: FirstUse,
        admission: Option<impl Admission>,
        caller: &Caller,
    ) -> Result<Pair, Error> {
        let new = self.new_session(&user.account, caller)?;
        let account = self
            .log_in(user, first, admission, &new, None, caller)
            .await?;
        self.first_pair(&account, &new.token, caller.now)
    }

    /// The unit of every log-in, whatever kind of session it begins. Answers the account as it is then.
    pub(super) async fn log_in(
        &self,
        user: &User,
        first: FirstUse,
        admission: Option<impl Admission>,
        new: &NewSession,
        leave: Option<Leave>,
        caller: &Caller,
    ) -> Result<Account, Error> {
        let (version, keep, unit_new) = (
            user.password_version,
            self.lifetimes.max_sessions_per_user,
            new.clone(),
        );
        let id = user.account.id;
        let rehash = first.rehash.map(|hash| (user.password_hash.clone(), hash));
        // The first log-in of all is no news.
        let tell = first.unknown_device && user.last_login_at.is_some();
        let notes = if tell {
            self.new_devices
        } else {
            Outbox::new(false)
        };
        let begun = self
            .db
            .write(caller, move |tx| {
                let now = tx.now();
                if let Some(admission) = &admission
                    && let Some(seconds) = admission.look(tx, now)?
                {
                    return Ok(Begun::Delayed(seconds));
                }
                // Two users' rows in one order: somebody may sign in over this user's session elsewhere.
                if let Some(Leave::SignOut(_, owner)) = leave
                    && owner.as_bytes() < id.as_bytes()
                {
                    tx.lock_user(owner, None)?;
                }
                // First of the writes, since block and password change write this row first too: one of the two sees the other.
                if !tx.mark_login(id, version, now)? {
                    return Ok(Begun::Changed);
                }
                if let Some(admission) = &admission
                    && let Some(seconds) = admission.settle(tx, now)?
                {
                    return Ok(Begun::Delayed(seconds));
                }
                if let Some((old, new)) = &rehash {
                    tx.replace_hash(id, old, new)?;
                }
                let device = format!("{} {}", unit_new.address, unit_new.device);
                notes.note(tx, Kind::NewDevice, id, &device)?;
                let mut ended = match leave {
                    Some(leave) => leave.settle(tx, unit_new.token.session)?,
                    None => Vec::new(),
                };
                ended.extend(begin(tx, &unit_new, id, keep)?);
                let account = account_now(tx, id)?;
                Ok(Begun::Session { ended, account })
            })
            .await?;
        let (ended, account) = match begun {
            Begun::Session { ended, account } => (ended, account),
            Begun::Delayed(seconds) => return Err(Error::TooManyAttempts(seconds)),
            Begun::Changed => {
                let now = self.db.read(move |tx| tx.find_user(id)).await?;
                let blocked = now.is_some_and(|user| user.blocked_at.is_some());
                return Err(if blocked {
                    Error::AccountBlocked
                } else {
                    Error::InvalidCredentials
                });
            }
        };
        self.announcer.announce(&ended);
        self.sweeper.sweep_soon(caller.now);
        Ok(account)
    }

    /// Changes the password: every session of the account ends, and the answer belongs to a new one.
    ///
    /// # Errors
    /// [`Error::WrongCurrentPassword`] if the account changed since the current password was checked.
    pub async fn change_password(
        &self,
        user: &User,
        hash: String,
        caller: &Caller,
    ) -> Result<Pair, Error> {
        let new = self.new_session(&user.account, caller)?;
        let (version, keep, unit_new) = (
            user.password_version,
            self.lifetimes.max_sessions_per_user,
            new.clone(),
        );
        let (id, outbox) = (user.account.id, self.outbox);
        let (ended, account) = self
            .db
            .write(caller, move |tx| {
                if !tx.set_password(id, Some(version), &hash)? {
                    return Ok(None);
                }
                tx.audit(&AuditRecord::of(Event::PasswordChanged, id))?;
                outbox.note(tx, Kind::PasswordChanged, id, "")?;
                let mut ended = end_all(tx, id, EndReason::Password)?;
                ended.extend(begin(tx, &unit_new, id, keep)?);
                Ok(Some((ended, account_now(tx, id)?)))
            })
            .await?
            .ok_or(Error::WrongCurrentPassword)?;
        self.announcer.announce(&ended);
        self.sweeper.sweep_soon(caller.now);
        self.first_pair(&account, &new.token, caller.now)
    }

    fn first_pair(&self, account: &Account, token: &RefreshToken, now: i64) -> Result<Pair, Error> {
        let expires_in = expires_in(self.idle_lifetime(), token.absolute_until, now);
        self.pair(account, token, expires_in, now)
    }

    pub(super) fn new_session(
        &self,
        account: &Account,
        caller: &Caller,
    ) -> Result<NewSession, Error> {
        let token = self.new_token(
            Purpose::Account,
            self.lifetimes.refresh_absolute_ttl,
            caller,
        )?;
        Ok(NewSession {
            user: Some(account.id),
            created_at: caller.now,
            idle_until: expires_soonest(caller.now, self.idle_lifetime(), token.absolute_until),
            token,
            device: caller.user_agent.clone(),
            address: caller.address.clone(),
            kind: SessionKind::Account,
            parent: None,
            auth_time: caller.now,
            grant: None,
            pending: None,
        })
    }

    /// The first token of a session that nobody has seen yet.
    pub(super) fn new_token(
        &self,
        purpose: Purpose,
        lives: Duration,
        caller: &Caller,
    ) -> Result<RefreshToken, Error> {
        let keys = self.mac_keys.ring();
        let key = keys
            .signing(caller.now)
            .ok_or_else(|| Error::Internal("no MAC key".into()))?;
        Ok(RefreshToken {
            purpose,
            key_id: key.id(),
            session: SessionId::random(),
            generation: Generation::FIRST,
            nonce: rand::random(),
            absolute_until: caller.now.saturating_add(seconds(lives)),
        })
    }
}

/// What a log-in brings for the first time.
#[derive(Default)]
pub struct FirstUse {
    /// A hash of ours in the place of another system's.
    pub rehash: Option<String>,
    /// Whether the account does not know the device.
    pub unknown_device: bool,
}

/// What a log-in's unit came to.
enum Begun {
    /// A session of this account, and those that it pushed out.
    Session {
        ended: Vec<Ending>,
        account: Account,
    },
    /// Failures meanwhile began a delay: come again after so many seconds.
    Delayed(u64),
    /// The account changed since its password was checked.
    Changed,
}

/// What the first tokens say of the user: the row as this unit holds it. The one that the password was checked
/// against may have lost a role since, and `set-roles --now` promises that no token keeps it.
fn account_now(tx: &mut Tx<'_>, user: UserId) -> Result<Account, DbError> {
    let found = tx.find_user(user)?;
    // It is there: this unit has just written it.
    Ok(found.ok_or(DbError::Moved)?.account)
}

/// Inserts the session and ends what exceeds the limit; the rest of a log-in's unit.
fn begin(
    tx: &mut Unit<'_, '_>,
    new: &NewSession,
    user: UserId,
    keep: u32,
) -> Result<Vec<Ending>, DbError> {
    tx.insert_session(new)?;
    tx.audit(&AuditRecord::of(Event::LoggedIn, user).session(new.token.session))?;
    end_beyond(tx, user, new.token.session, keep)
}

/// Ends what exceeds the limit of a user's sessions, with the programs below a browser's.
pub(super) fn end_beyond(
    tx: &mut Unit<'_, '_>,
    user: UserId,
    new: SessionId,
    keep: u32,
) -> Result<Vec<Ending>, DbError> {
    let now = tx.now();
    let ended = tx.end_sessions_beyond(user, new, keep, now)?;
    end_below(tx, user, ended, EndReason::Limit)
}
