//! The rules of accounts: registration, log-in, changes, deletion. No HTTP, no SQL.

use std::sync::Arc;

use uuid::Uuid;

use crate::db::{AuditRecord, Db, DbError, NewUser};
use crate::endings::Endings;
use crate::error::Error;
use crate::login_delay::Counter;
use crate::mac_key_file::MacKeyFile;
use crate::model::{Account, Caller, EndReason, Event, User};
use crate::password::{Hasher, Password};
use crate::sessions::{deadline, end_all};

/// The rules, with what they need. Shared by all workers.
pub struct Accounts {
    db: Db,
    hasher: Hasher,
    endings: Endings,
    /// Keys for counting failures; `None` where they are not counted.
    failure_keys: Option<Arc<MacKeyFile>>,
}

/// A user whose password was just checked.
pub struct Authenticated {
    /// The user.
    pub user: User,
    /// Where failures are counted: to be cleared by the log-in.
    pub counter: Option<Counter>,
}

/// What a change of the account asks for.
pub struct ProfileChange {
    /// A new name, if any.
    pub user_name: Option<String>,
    /// A new e-mail, if any.
    pub email: Option<String>,
}

impl Accounts {
    /// Puts the rules together.
    #[must_use]
    pub fn new(
        db: Db,
        hasher: Hasher,
        endings: Endings,
        failure_keys: Option<Arc<MacKeyFile>>,
    ) -> Self {
        Self {
            db,
            hasher,
            endings,
            failure_keys,
        }
    }

    /// Passwords that wait for a thread.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.hasher.waiting()
    }

    /// Makes an account.
    ///
    /// # Errors
    /// [`Error::InvalidUserName`], [`Error::InvalidEmail`], [`Error::WeakPassword`], [`Error::AccountExists`].
    pub async fn register(
        &self,
        user_name: String,
        email: String,
        password: Password,
        roles: Vec<String>,
        caller: &Caller,
    ) -> Result<Account, Error> {
        check_user_name(&user_name)?;
        check_email(&email)?;
        check_password(&password)?;
        let password_hash = self.hasher.hash(password).await?;
        let account = Account {
            id: Uuid::new_v4(),
            user_name,
            email,
            roles,
        };
        let new = NewUser {
            account: account.clone(),
            password_hash,
            created_at: caller.now,
        };
        let unit_caller = caller.clone();
        let inserted = self.db.write(deadline(caller), move |tx| {
            tx.insert_user(&new)?;
            tx.audit(
                &unit_caller,
                &AuditRecord::of(Event::Registered, new.account.id),
            )
        });
        inserted.await.map_err(taken)?;
        Ok(account)
    }

    /// The user with this e-mail and password.
    ///
    /// # Errors
    /// [`Error::InvalidCredentials`], the same and after the same work for an unknown user;
    /// [`Error::AccountBlocked`] only with the right password; [`Error::TooManyAttempts`] unchecked.
    pub async fn authenticate(
        &self,
        email: String,
        password: Password,
        caller: &Caller,
    ) -> Result<Authenticated, Error> {
        self.check(Who::Email(email), password, caller).await
    }

    /// The user, whose current password was given, and the hash of the new one.
    ///
    /// # Errors
    /// [`Error::InvalidCredentials`] for a wrong current password; [`Error::WeakPassword`] for the new one.
    pub async fn check_new_password(
        &self,
        user: Uuid,
        current: Password,
        new: Password,
        caller: &Caller,
    ) -> Result<(User, String), Error> {
        check_password(&new)?;
        let user = self.confirmed(user, current, caller).await?;
        Ok((user, self.hasher.hash(new).await?))
    }

    /// Changes name or e-mail.
    ///
    /// # Errors
    /// As registration, and [`Error::InvalidCredentials`] for a wrong current password.
    pub async fn change_profile(
        &self,
        user: Uuid,
        current: Password,
        change: ProfileChange,
        caller: &Caller,
    ) -> Result<Account, Error> {
        change
            .user_name
            .as_deref()
            .map_or(Ok(()), check_user_name)?;
        change.email.as_deref().map_or(Ok(()), check_email)?;
        let user = self.confirmed(user, current, caller).await?;
        let detail = match (&change.user_name, &change.email) {
            (Some(_), Some(_)) => "name and e-mail",
            (Some(_), None) => "name",
            (None, Some(_)) => "e-mail",
            (None, None) => {
                return Err(Error::InvalidRequest(
                    "neither userName nor email is there to be changed",
                ));
            }
        };
        let account = Account {
            user_name: change.user_name.unwrap_or(user.account.user_name),
            email: change.email.unwrap_or(user.account.email),
            ..user.account
        };
        let (unit_account, version, unit_caller) =
            (account.clone(), user.password_version, caller.clone());
        let changed = self.db.write(deadline(caller), move |tx| {
            let hit = tx.set_profile(&unit_account, version)?;
            if hit {
                let record = AuditRecord::of(Event::AccountChanged, unit_account.id).detail(detail);
                tx.audit(&unit_caller, &record)?;
            }
            Ok(hit)
        });
        if changed.await.map_err(taken)? {
            Ok(account)
        } else {
            Err(Error::InvalidCredentials)
        }
    }

    /// Deletes the account: its sessions end, and of the user only ids stay, in the audit trail.
    ///
    /// # Errors
    /// [`Error::InvalidCredentials`] for a wrong current password.
    pub async fn delete(
        &self,
        user: Uuid,
        current: Password,
        caller: &Caller,
    ) -> Result<(), Error> {
        let user = self.confirmed(user, current, caller).await?;
        let (id, version) = (user.account.id, Some(user.password_version));
        if self.remove(id, version, EndReason::Ended, caller).await? {
            Ok(())
        } else {
            Err(Error::InvalidCredentials)
        }
    }

    /// Deletes an account, with a `password_version` only if that is still the password's.
    ///
    /// # Errors
    /// The database's.
    pub async fn remove(
        &self,
        id: Uuid,
        password_version: Option<i64>,
        reason: EndReason,
        caller: &Caller,
    ) -> Result<bool, Error> {
        let unit_caller = caller.clone();
        let ended = self
            .db
            .write(deadline(caller), move |tx| {
                // The users row first: a log-in in flight then finds none. Its sessions' rows lose their
                // user with it, so they are found before; a session that begins in between cannot be, since
                // its unit writes the users row, too.
                if !tx.lock_user(id, password_version)? {
                    return Ok(None);
                }
                let ended = end_all(tx, &unit_caller, id, reason)?;
                tx.strip_sessions_of(id)?;
                tx.audit(&unit_caller, &AuditRecord::of(Event::UserDeleted, id))?;
                tx.strip_audit_of(id)?;
                tx.delete_user(id)?;
                Ok(Some(ended))
            })
            .await?;
        let Some(ended) = ended else { return Ok(false) };
        self.endings.publish(&ended, caller.now);
        Ok(true)
    }

    /// Sets a password without knowing the old one; every session ends. `false` for an unknown user.
    ///
    /// # Errors
    /// [`Error::WeakPassword`]; the database's.
    pub async fn set_password(
        &self,
        id: Uuid,
        new: Password,
        caller: &Caller,
    ) -> Result<bool, Error> {
        check_password(&new)?;
        let hash = self.hasher.hash(new).await?;
        self.change_and_end(id, EndReason::Password, caller, move |tx, caller| {
            let hit = tx.set_password(id, None, &hash)?;
            if hit {
                tx.audit(caller, &AuditRecord::of(Event::PasswordChanged, id))?;
            }
            Ok(hit)
        })
        .await
    }

    /// Blocks an account; every session ends. `false` if it is blocked already, or unknown.
    ///
    /// # Errors
    /// The database's.
    pub async fn block(&self, id: Uuid, caller: &Caller) -> Result<bool, Error> {
        self.change_and_end(id, EndReason::Blocked, caller, move |tx, caller| {
            let hit = tx.set_blocked(id, Some(caller.now))?;
            if hit {
                tx.audit(
                    caller,
                    &AuditRecord::of(Event::UserBlocked, id).detail("admin"),
                )?;
            }
            Ok(hit)
        })
        .await
    }

    /// Lifts a block. `false` if there is none.
    ///
    /// # Errors
    /// The database's.
    pub async fn unblock(&self, id: Uuid, caller: &Caller) -> Result<bool, Error> {
        let unit_caller = caller.clone();
        let lifted = self.db.write(deadline(caller), move |tx| {
            let hit = tx.set_blocked(id, None)?;
            if hit {
                tx.audit(&unit_caller, &AuditRecord::of(Event::UserUnblocked, id))?;
            }
            Ok(hit)
        });
        Ok(lifted.await?)
    }

    /// Sets the roles, which the next refresh takes over; with `now`, every session ends instead.
    ///
    /// # Errors
    /// The database's.
    pub async fn set_roles(
        &self,
        id: Uuid,
        roles: Vec<String>,
        now: bool,
        caller: &Caller,
    ) -> Result<bool, Error> {
        let change = move |tx: &mut crate::db::Tx<'_>, caller: &Caller| {
            let hit = tx.set_roles(id, &roles)?;
            if hit {
                tx.audit(
                    caller,
                    &AuditRecord::of(Event::AccountChanged, id).detail("roles"),
                )?;
            }
            Ok(hit)
        };
        if now {
            return self
                .change_and_end(id, EndReason::Admin, caller, change)
                .await;
        }
        let unit_caller = caller.clone();
        Ok(self
            .db
            .write(deadline(caller), move |tx| change(tx, &unit_caller))
            .await?)
    }

    /// A change of the users row, and then the end of the user's sessions, in one unit.
    async fn change_and_end(
        &self,
        id: Uuid,
        reason: EndReason,
        caller: &Caller,
        change: impl Fn(&mut crate::db::Tx<'_>, &Caller) -> Result<bool, DbError> + Send + 'static,
    ) -> Result<bool, Error> {
        let unit_caller = caller.clone();
        let ended = self
            .db
            .write(deadline(caller), move |tx| {
                if !change(tx, &unit_caller)? {
                    return Ok(None);
                }
                end_all(tx, &unit_caller, id, reason).map(Some)
            })
            .await?;
        let Some(ended) = ended else { return Ok(false) };
        self.endings.publish(&ended, caller.now);
        Ok(true)
    }

    async fn confirmed(&self, id: Uuid, current: Password, caller: &Caller) -> Result<User, Error> {
        Ok(self.check(Who::Id(id), current, caller).await?.user)
    }

    /// The user if the password fits: the same work for nobody as for somebody.
    async fn check(
        &self,
        who: Who,
        password: Password,
        caller: &Caller,
    ) -> Result<Authenticated, Error> {
        let keys = self.failure_keys.as_ref().map(|file| file.keys());
        let (from, now) = (caller.address.clone(), caller.now);
        let (user, counter) = self
            .db
            .read(move |tx| {
                let user = match &who {
                    Who::Email(email) => tx.find_user_by_email(email)?,
                    Who::Id(id) => tx.find_user(*id)?,
                };
                let Some(keys) = &keys else {
                    return Ok((user, None));
                };
                let id = user.as_ref().map(|user| user.account.id);
                let email = match (&who, &user) {
                    (Who::Email(email), _) => email.as_str(),
                    (_, user) => user.as_ref().map_or("", |user| user.account.email.as_str()),
                };
                let counter = Counter::of(email, id, &tx.addresses_of(id, now)?, &from, keys);
                let failures = tx.login_failures(&counter)?;
                Ok((user, Some((counter, failures))))
            })
            .await?;
        if let Some((_, failures)) = &counter {
            refuse_within_delay(failures.wait(caller.now))?;
        }
        let counter = counter.map(|(counter, _)| counter);
        let stored = user.as_ref().map(|user| user.password_hash.clone());
        let fits = self.hasher.verify(password, stored).await?;
        let Some(user) = user.filter(|_| fits) else {
            if let Some(counter) = counter {
                self.count_failure(counter, caller).await?;
            }
            return Err(Error::InvalidCredentials);
        };
        if user.blocked_at.is_some() {
            Err(Error::AccountBlocked)
        } else {
            Ok(Authenticated { user, counter })
        }
    }

    /// Counts a failure. Of many guesses at once only the first few are answered as such: once they have
    /// begun a delay, the others are told of it, and not whether they were right.
    async fn count_failure(&self, counter: Counter, caller: &Caller) -> Result<(), Error> {
        let unit_caller = caller.clone();
        let wait = self
            .db
            .write(deadline(caller), move |tx| {
                let wait = tx.login_failures(&counter)?.wait(unit_caller.now);
                if wait > 0 {
                    return Ok(wait);
                }
                let failures = tx.count_login_failure(&counter, unit_caller.now)?;
                if let Some(user) = counter.user.filter(|_| failures.is_first_delay()) {
                    tx.audit(&unit_caller, &AuditRecord::of(Event::LoginDelayed, user))?;
                }
                Ok(0)
            })
            .await?;
        refuse_within_delay(wait)
    }
}

/// Whose password is checked.
enum Who {
    Email(String),
    Id(Uuid),
}

/// Answers an attempt within a delay.
pub(crate) fn refuse_within_delay(wait: i64) -> Result<(), Error> {
    match u64::try_from(wait) {
        Ok(seconds @ 1..) => Err(Error::TooManyAttempts(seconds)),
        _ => Ok(()),
    }
}

fn taken(error: DbError) -> Error {
    match error {
        DbError::Duplicate => Error::AccountExists,
        other => other.into(),
    }
}

fn check_user_name(name: &str) -> Result<(), Error> {
    let fine = (1..=64).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if fine {
        Ok(())
    } else {
        Err(Error::InvalidUserName)
    }
}

fn check_email(email: &str) -> Result<(), Error> {
    let mut parts = email.split('@');
    let two = matches!(
        (parts.next(), parts.next(), parts.next()),
        (Some(local), Some(domain), None) if !local.is_empty() && !domain.is_empty()
    );
    let fine =
        two && email.len() <= 254 && !email.chars().any(|c| c.is_whitespace() || c.is_control());
    if fine {
        Ok(())
    } else {
        Err(Error::InvalidEmail)
    }
}

fn check_password(password: &Password) -> Result<(), Error> {
    if password.is_acceptable() {
        Ok(())
    } else {
        Err(Error::WeakPassword)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emails_have_one_at_and_no_space() {
        let longest = format!("{}@b.example", "a".repeat(244));
        for good in ["a@b", "王@例え.jp", "a+b@c.d", longest.as_str()] {
            assert!(check_email(good).is_ok(), "{good}");
        }
        let too_long = format!("a{longest}");
        for bad in [
            "",
            "@",
            "a@",
            "@b",
            "ab",
            "a@b@c",
            "a b@c",
            "a@b\n",
            "a@b\0",
            "a\u{a0}@b",
            &too_long,
        ] {
            assert!(check_email(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn user_names_have_1_to_64_characters_and_no_controls() {
        for good in ["王小明", "a", &"é".repeat(64), "with space"] {
            assert!(check_user_name(good).is_ok(), "{good}");
        }
        for bad in ["", "a\tb", "a\0", &"é".repeat(65)] {
            assert!(check_user_name(bad).is_err(), "{bad}");
        }
    }
}
