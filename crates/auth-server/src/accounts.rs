//! The rules of accounts: registration, log-in, changes, deletion. No HTTP, no SQL.

mod changes;
mod forms;

pub(crate) use changes::ProfileChange;
pub(crate) use forms::check_password;

use crate::db::UserId;
use crate::db::{Account, Caller, Event};
use crate::db::{AuditRecord, Db, DbError, Ending, NewUser};
use crate::error::Error;
use crate::log_in::password::Password;
use crate::log_in::{Hasher, Paid};
use crate::sessions::Announcer;

/// The rules, with what they need. Shared by all workers.
pub(crate) struct Accounts {
    db: Db,
    hasher: Hasher,
    /// `None` on the command line: the running services learn of endings from the table.
    announcer: Option<Announcer>,
}

impl Accounts {
    /// Puts the rules together.
    #[must_use]
    pub(crate) fn new(db: Db, hasher: Hasher, announcer: Option<Announcer>) -> Self {
        Self {
            db,
            hasher,
            announcer,
        }
    }

    /// Makes an account.
    ///
    /// # Errors
    /// [`Error::InvalidUserName`], [`Error::InvalidEmail`], [`Error::WeakPassword`], [`Error::AccountExists`].
    pub(crate) async fn register(
        &self,
        user_name: String,
        email: String,
        password: Password,
        roles: Vec<String>,
        paid: Paid,
        caller: &Caller,
    ) -> Result<Account, Error> {
        let user_name = forms::user_name(&user_name)?;
        let email = forms::email(&email)?;
        check_password(&password)?;
        forms::check_roles(&roles)?;
        let password_hash = self.hasher.hash(password, paid).await?;
        let account = Account {
            id: UserId::random(),
            user_name,
            email,
            roles,
        };
        let new = NewUser {
            account: account.clone(),
            password_hash,
            created_at: caller.now,
        };
        let inserted = self.db.write(caller, move |tx| {
            tx.insert_user(&new)?;
            tx.audit(&AuditRecord::of(Event::Registered, new.account.id))
        });
        inserted.await.map_err(taken)?;
        Ok(account)
    }
}

impl Accounts {
    fn announce(&self, ended: &[Ending]) {
        if let Some(announcer) = &self.announcer {
            announcer.announce(ended);
        }
    }
}

fn taken(error: DbError) -> Error {
    match error {
        DbError::Duplicate => Error::AccountExists,
        other => other.into(),
    }
}
