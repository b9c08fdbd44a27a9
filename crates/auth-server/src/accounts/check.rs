//! Checking a password: the same work for nobody as for somebody, and slower for who guesses.

use uuid::Uuid;

use super::{Accounts, forms};
use crate::db::AuditRecord;
use crate::error::Error;
use crate::login_delay::Counter;
use crate::model::{Caller, Event, User};
use crate::password::Password;
use crate::sessions::deadline;

/// A user whose password was just checked.
pub struct Authenticated {
    /// The user.
    pub user: User,
    /// Where failures are counted: to be cleared by the log-in.
    pub counter: Option<Counter>,
}

impl Accounts {
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
        let known = self.check(Who::Email(email), password, caller).await?;
        if known.user.blocked_at.is_none() {
            // The log-in's own unit looks at the failures once more, and forgets them.
            return Ok(known);
        }
        self.still_no_delay(known.counter, false, caller).await?;
        Err(Error::AccountBlocked)
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
        forms::check_password(&new)?;
        let user = self.confirmed(user, current, caller).await?;
        Ok((user, self.hasher.hash(new).await?))
    }

    pub(super) async fn confirmed(
        &self,
        id: Uuid,
        current: Password,
        caller: &Caller,
    ) -> Result<User, Error> {
        let known = self.check(Who::Id(id), current, caller).await?;
        let blocked = known.user.blocked_at.is_some();
        self.still_no_delay(known.counter, !blocked, caller).await?;
        if blocked {
            Err(Error::AccountBlocked)
        } else {
            Ok(known.user)
        }
    }

    /// Refuses a guess that turned out right while others began a delay: that it was right stays unsaid.
    async fn still_no_delay(
        &self,
        counter: Option<Counter>,
        forgive: bool,
        caller: &Caller,
    ) -> Result<(), Error> {
        let Some(counter) = counter else {
            return Ok(());
        };
        let now = caller.now;
        let looked = self.db.write(deadline(caller), move |tx| {
            if forgive {
                tx.forgive_login_failures(&counter, now)
            } else {
                Ok(tx.login_failures(&counter)?.wait(now))
            }
        });
        refuse_within_delay(looked.await?)
    }

    /// The user if the password fits, blocked or not: the same work for nobody as for somebody.
    async fn check(
        &self,
        who: Who,
        password: Password,
        caller: &Caller,
    ) -> Result<Authenticated, Error> {
        let keys = self.failure_keys.as_ref().map(|file| file.ring());
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
        Ok(Authenticated { user, counter })
    }

    /// Counts a failure. Of many guesses at once only the first few are answered as such: once they have
    /// begun a delay, the others are told of it, and not whether they were right.
    async fn count_failure(&self, counter: Counter, caller: &Caller) -> Result<(), Error> {
        let unit_caller = caller.clone();
        let wait = self
            .db
            .write(deadline(caller), move |tx| {
                let Some(failures) = tx.count_login_failure(&counter, unit_caller.now)? else {
                    return Ok(tx.login_failures(&counter)?.wait(unit_caller.now).max(1));
                };
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
fn refuse_within_delay(wait: i64) -> Result<(), Error> {
    match u64::try_from(wait) {
        Ok(seconds @ 1..) => Err(Error::TooManyAttempts(seconds)),
        _ => Ok(()),
    }
}
