//! Changes of an account, by its user or by an operator.

use mail::Kind;

use super::{Accounts, forms, taken};
use crate::db::{Account, Caller, EndReason, Event, PendingEmail, User};
use crate::db::{AuditRecord, DbError, Unit};
use crate::db::{PasswordVersion, UserId};
use crate::error::Error;
use crate::log_in::password::Password;
use crate::log_in::{Confirmed, Paid};
use crate::outbox::Outbox;
use crate::outbox::link::Purpose;
use crate::sessions::end_all;

/// What a change of the account asks for.
#[derive(Clone)]
pub(crate) struct ProfileChange {
    user_name: Option<String>,
    email: Option<String>,
}

impl ProfileChange {
    /// A new name, a new e-mail or both.
    ///
    /// # Errors
    /// [`Error::InvalidUserName`], [`Error::InvalidEmail`]; [`Error::InvalidRequest`] if there is neither.
    pub(crate) fn new(user_name: Option<&str>, email: Option<&str>) -> Result<Self, Error> {
        if user_name.is_none() && email.is_none() {
            return Err(Error::InvalidRequest(
                "neither userName nor email is there to be changed",
            ));
        }
        Ok(Self {
            user_name: user_name.map(forms::user_name).transpose()?,
            email: email.map(forms::email).transpose()?,
        })
    }

    /// What of it is new to this account.
    fn from(self, account: &Account) -> Self {
        Self {
            user_name: self.user_name.filter(|name| *name != account.user_name),
            email: self.email.filter(|email| *email != account.email),
        }
    }
}

/// What became of a change.
pub(crate) struct Changed {
    /// The account as it is now.
    pub(crate) account: Account,
    /// What its e-mail is to become.
    pub(crate) pending: Option<PendingEmail>,
}

impl Accounts {
    /// The account of who is signed in, as it is now.
    ///
    /// # Errors
    /// [`Error::SessionEnded`] if it was deleted meanwhile; the database's.
    pub(crate) async fn find(&self, id: UserId, caller: &Caller) -> Result<Changed, Error> {
        let found = self.db.read(move |tx| tx.find_user(id)).await?;
        let user = found.ok_or(Error::SessionEnded)?;
        Ok(Changed {
            pending: user.pending_at(caller.now).cloned(),
            account: user.account,
        })
    }

    /// Changes name or e-mail. What is so already is not written again. Where mail is sent, a new e-mail waits until a
    /// link that went to it is followed; to set the present one takes that back.
    ///
    /// # Errors
    /// [`Error::AccountExists`]; [`Error::WrongCurrentPassword`] if the password was changed meanwhile;
    /// [`Error::TooManyAttempts`] if the account had its mails.
    pub(crate) async fn change_profile(
        &self,
        confirmed: &Confirmed,
        change: ProfileChange,
        caller: &Caller,
    ) -> Result<Changed, Error> {
        let user = confirmed.user();
        let (id, version, outbox) = (user.account.id, user.password_version, self.outbox);
        let (old, asked) = (user.account.email.clone(), change.email.clone());
        let change = change.from(&user.account);
        let changed = self.db.write(caller, move |tx| {
            let now = tx.now();
            let email = change.email.as_deref();
            let proof = email.filter(|_| outbox.is_on());
            if proof.is_some()
                && let Some(wait) = tx.pay_for_letter(id, now)?
            {
                return Ok(Outcome::Wait(wait));
            }
            let (name, at_once) = (change.user_name.as_deref(), email.xor(proof));
            let detail = match (name, at_once) {
                (Some(_), Some(_)) => Some("name and e-mail"),
                (Some(_), None) => Some("name"),
                (None, Some(_)) => Some("e-mail"),
                (None, None) => None,
            };
            if let Some(detail) = detail {
                if !tx.set_profile(id, name, at_once, version)? {
                    return Ok(Outcome::Missed);
                }
                tx.audit(&AuditRecord::of(Event::AccountChanged, id).detail(detail))?;
            }
            if outbox.is_on() && asked.is_some() {
                let pending = proof.map(|email| PendingEmail {
                    email: email.to_owned(),
                    until: now.saturating_add(Purpose::Change.lives()),
                });
                if !tx.set_pending_email(id, pending.as_ref(), version)? {
                    return Ok(Outcome::Missed);
                }
                if let Some(email) = proof {
                    ask_for_proof(tx, outbox, id, &old, email)?;
                }
            }
            // As the row is now: another change may have been faster than this one's look at it.
            Ok(match tx.find_user(id)? {
                Some(user) => Outcome::Done(Box::new(user)),
                None => Outcome::Missed,
            })
        });
        match changed.await.map_err(taken)? {
            Outcome::Done(user) => Ok(Changed {
                pending: user.pending_at(caller.now).cloned(),
                account: user.account,
            }),
            Outcome::Missed => Err(Error::WrongCurrentPassword),
            Outcome::Wait(wait) => Err(too_many_mails(wait)),
        }
    }

    /// Deletes the account: its sessions end, and of the user only ids stay, in the audit trail.
    ///
    /// # Errors
    /// [`Error::WrongCurrentPassword`] if the password was changed meanwhile.
    pub(crate) async fn delete(&self, confirmed: &Confirmed, caller: &Caller) -> Result<(), Error> {
        let user = confirmed.user();
        let (id, version) = (user.account.id, Some(user.password_version));
        if self.remove(id, version, EndReason::Ended, caller).await? {
            Ok(())
        } else {
            Err(Error::WrongCurrentPassword)
        }
    }

    /// Deletes an account, with a `password_version` only if that is still the password's.
    ///
    /// # Errors
    /// The database's.
    pub(crate) async fn remove(
        &self,
        id: UserId,
        password_version: Option<PasswordVersion>,
        reason: EndReason,
        caller: &Caller,
    ) -> Result<bool, Error> {
        let ended = self
            .db
            .write(caller, move |tx| {
                // The users row first: a log-in in flight then finds none. Its sessions' rows lose their
                // user with it, so they are found before; a session that begins in between cannot be, since
                // its unit writes the users row, too.
                if !tx.lock_user(id, password_version)? {
                    return Ok(None);
                }
                let ended = end_all(tx, id, reason)?;
                tx.strip_sessions_of(id)?;
                tx.audit(&AuditRecord::of(Event::UserDeleted, id))?;
                tx.strip_audit_of(id)?;
                tx.delete_user(id)?;
                Ok(Some(ended))
            })
            .await?;
        let Some(ended) = ended else { return Ok(false) };
        self.announce(&ended);
        Ok(true)
    }

    /// Sets a password without knowing the old one; every session ends. `false` for an unknown user.
    ///
    /// # Errors
    /// [`Error::WeakPassword`]; the database's.
    pub(crate) async fn set_password(
        &self,
        id: UserId,
        new: Password,
        caller: &Caller,
    ) -> Result<bool, Error> {
        forms::check_password(&new)?;
        let found = self.db.read(move |tx| tx.find_user(id)).await?;
        let Some(user) = found else { return Ok(false) };
        let words = user.account.words();
        let hash = self
            .hasher
            .hash_new(new, words, Paid::by_operator())
            .await?;
        let outbox = self.outbox;
        self.change_and_end(id, EndReason::Password, caller, move |tx| {
            let hit = tx.set_password(id, None, &hash)?;
            if hit {
                tx.audit(&AuditRecord::of(Event::PasswordChanged, id))?;
                outbox.note(tx, Kind::PasswordChanged, id, "")?;
            }
            Ok(hit)
        })
        .await
    }

    /// Blocks an account; every session ends. `false` if it is blocked already, or unknown.
    ///
    /// # Errors
    /// The database's.
    pub(crate) async fn block(&self, id: UserId, caller: &Caller) -> Result<bool, Error> {
        self.change_and_end(id, EndReason::Blocked, caller, move |tx| {
            let now = tx.now();
            let hit = tx.set_blocked(id, Some(now))?;
            if hit {
                tx.audit(&AuditRecord::of(Event::UserBlocked, id).detail("admin"))?;
            }
            Ok(hit)
        })
        .await
    }

    /// Lifts a block. `false` if there is none.
    ///
    /// # Errors
    /// The database's.
    pub(crate) async fn unblock(&self, id: UserId, caller: &Caller) -> Result<bool, Error> {
        let lifted = self.db.write(caller, move |tx| {
            let hit = tx.set_blocked(id, None)?;
            if hit {
                tx.audit(&AuditRecord::of(Event::UserUnblocked, id))?;
            }
            Ok(hit)
        });
        Ok(lifted.await?)
    }

    /// Sets the roles, which the next refresh takes over; with `now`, every session ends instead.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for roles that no token has room for; the database's.
    pub(crate) async fn set_roles(
        &self,
        id: UserId,
        roles: Vec<String>,
        now: bool,
        caller: &Caller,
    ) -> Result<bool, Error> {
        forms::check_roles(&roles)?;
        let change = move |tx: &mut Unit<'_, '_>| {
            let hit = tx.set_roles(id, &roles)?;
            if hit {
                tx.audit(&AuditRecord::of(Event::AccountChanged, id).detail("roles"))?;
            }
            Ok(hit)
        };
        if now {
            return self
                .change_and_end(id, EndReason::Admin, caller, change)
                .await;
        }
        Ok(self.db.write(caller, change).await?)
    }

    /// A change of the users row, and then the end of the user's sessions, in one unit.
    async fn change_and_end(
        &self,
        id: UserId,
        reason: EndReason,
        caller: &Caller,
        change: impl Fn(&mut Unit<'_, '_>) -> Result<bool, DbError> + Send + 'static,
    ) -> Result<bool, Error> {
        let ended = self
            .db
            .write(caller, move |tx| {
                if !change(tx)? {
                    return Ok(None);
                }
                end_all(tx, id, reason).map(Some)
            })
            .await?;
        let Some(ended) = ended else { return Ok(false) };
        self.announce(&ended);
        Ok(true)
    }
}

/// What a change's unit came to.
enum Outcome {
    Done(Box<User>),
    /// The password was changed, or the account is gone.
    Missed,
    /// The account had its mails; nothing was changed.
    Wait(i64),
}

/// Asks the new address for its proof, and tells the old one. Whose the new one is already is told there alone.
fn ask_for_proof(
    tx: &mut Unit<'_, '_>,
    outbox: Outbox,
    id: UserId,
    old: &str,
    new: &str,
) -> Result<(), DbError> {
    let owner = tx
        .find_user_by_email(new)?
        .filter(|owner| owner.account.id != id && owner.is_used());
    match owner {
        Some(owner) => {
            let owner = owner.account;
            outbox.tell_owner(tx, owner.id, &owner.email)?;
        }
        None => outbox.post(tx, Kind::Change, id, new, "")?,
    }
    outbox.post(tx, Kind::ChangeNote, id, old, new)?;
    tx.audit(&AuditRecord::of(Event::EmailChangeRequested, id))
}

/// What is answered when an account had its mails.
pub(super) fn too_many_mails(wait: i64) -> Error {
    Error::TooManyAttempts(u64::try_from(wait).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::accounts::NewAccount;
    use crate::db::Db;
    use crate::log_in::Hasher;
    use crate::mac_keys::{MacKeyFile, MacKeys};
    use crate::settings::{DatabaseUrl, PasswordPolicy};
    use crate::strength::Strength;

    #[tokio::test]
    async fn a_new_name_and_a_new_e_mail_at_once_do_not_undo_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(folder.path().join("test.db"));
        let db = Db::open(&url, Duration::ZERO).unwrap();
        let strength = Strength::new(PasswordPolicy::Length, None);
        let hasher = Hasher::start(1, strength).unwrap();
        let keys = folder.path().join("keys.json");
        let json = MacKeys::generate(0).to_json().unwrap();
        shared::key_file::create_new(&keys, json.as_bytes(), 0o600).unwrap();
        let keys = MacKeyFile::open(&keys).unwrap();
        let accounts = Accounts::new(db.clone(), hasher, keys, Outbox::new(false), None);
        let caller = Caller::cli();
        let new = NewAccount {
            user_name: "old".to_owned(),
            email: "old@x".to_owned(),
            password: Password::new("correct horse".into()),
            roles: vec![],
        };
        let made = accounts.register(new, Paid::by_operator(), &caller);
        let made = made.await.unwrap();
        // Both looked at the row before either writes.
        let looked = db.read(move |tx| tx.find_user(made.id)).await.unwrap();
        let confirmed = Confirmed::of(looked.unwrap());
        let name = ProfileChange::new(Some("new"), None).unwrap();
        let email = ProfileChange::new(None, Some("New@x")).unwrap();
        let named = accounts.change_profile(&confirmed, name, &caller).await;
        let moved = accounts.change_profile(&confirmed, email, &caller).await;
        assert_eq!(named.unwrap().account.user_name, "new");
        assert_eq!(moved.unwrap().account.email, "New@x");
        let found = db.read(|tx| tx.find_user_by_email("nEW@X")).await.unwrap();
        assert_eq!(found.unwrap().account.user_name, "new");
    }
}
