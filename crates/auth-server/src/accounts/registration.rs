//! How an account begins.

use mail::Kind;

use super::{Accounts, check_password, forms, taken};
use crate::db::{Account, AuditRecord, Caller, DbError, Event};
use crate::db::{NewUser, Unit, UserId};
use crate::error::Error;
use crate::log_in::Paid;
use crate::log_in::password::Password;
use crate::outbox::Outbox;

/// Who is to have an account.
pub(crate) struct NewAccount {
    pub(crate) user_name: String,
    pub(crate) email: String,
    pub(crate) password: Password,
    pub(crate) roles: Vec<String>,
}

impl Accounts {
    /// Makes an account.
    ///
    /// # Errors
    /// [`Error::InvalidUserName`], [`Error::InvalidEmail`], [`Error::WeakPassword`], [`Error::AccountExists`].
    pub(crate) async fn register(
        &self,
        new: NewAccount,
        paid: Paid,
        caller: &Caller,
    ) -> Result<Account, Error> {
        let (account, password) = checked(new)?;
        let password_hash = self
            .hasher
            .hash_new(password, account.words(), paid)
            .await?;
        self.insert(account, password_hash, true, caller).await
    }

    /// Makes an account for somebody else, who is not written to.
    ///
    /// # Errors
    /// As [`Self::register`].
    pub(crate) async fn add(&self, new: NewAccount, caller: &Caller) -> Result<Account, Error> {
        let (account, password) = checked(new)?;
        let words = account.words();
        let password_hash = self
            .hasher
            .hash_new(password, words, Paid::by_operator())
            .await?;
        self.insert(account, password_hash, false, caller).await
    }

    /// Makes an account whose password everybody knows, be it weak.
    ///
    /// # Errors
    /// As [`Self::register`].
    pub(crate) async fn add_demo(&self, new: NewAccount, caller: &Caller) -> Result<(), Error> {
        let (mut account, password) = checked(new)?;
        // Its mailbox is nobody's, and it is to be of use.
        account.email_verified = true;
        let password_hash = self.hasher.hash(password, Paid::by_operator()).await?;
        self.insert(account, password_hash, false, caller)
            .await
            .map(drop)
    }

    async fn insert(
        &self,
        account: Account,
        password_hash: String,
        by_himself: bool,
        caller: &Caller,
    ) -> Result<Account, Error> {
        let new = NewUser {
            account: account.clone(),
            password_hash,
            created_at: caller.now,
            email_verified_at: account.email_verified.then_some(caller.now),
            self_registered: by_himself,
        };
        // Nobody is written to of what he did not do.
        let outbox = if by_himself {
            self.outbox
        } else {
            Outbox::new(false)
        };
        let inserted = self.db.write(caller, move |tx| {
            tx.insert_user(&new)?;
            let account = &new.account;
            tx.audit(&AuditRecord::of(Event::Registered, account.id))?;
            // The first mail of an account is none that somebody asked for.
            outbox.post(tx, Kind::Verify, account.id, &account.email, "")
        });
        inserted.await.map_err(taken)?;
        Ok(account)
    }

    /// Makes an account that is of use once its address is proven. Whether there was one before is nobody's to learn: the
    /// answer is the same, and the address gets the mail that fits.
    ///
    /// An account that nobody has proven and nobody has used has no right to its address: it goes. One that has been
    /// used, be it unproven, stays, and whoever has the mailbox can set a new password for it.
    ///
    /// # Errors
    /// [`Error::InvalidUserName`], [`Error::InvalidEmail`], [`Error::WeakPassword`].
    pub(crate) async fn register_unproven(
        &self,
        new: NewAccount,
        paid: Paid,
        caller: &Caller,
    ) -> Result<(), Error> {
        let (account, password) = checked(new)?;
        let password_hash = self
            .hasher
            .hash_new(password, account.words(), paid)
            .await?;
        let new = NewUser {
            account,
            password_hash,
            created_at: caller.now,
            email_verified_at: None,
            self_registered: true,
        };
        let outbox = self.outbox;
        let registered = self.db.write(caller, move |tx| {
            let (id, email) = (new.account.id, &new.account.email);
            // The same statements for an address that is there and for one that is not, so that time does not tell either.
            if tx.insert_user_unless_there(&new)? {
                tx.audit(&AuditRecord::of(Event::Registered, id))?;
                // The first mail of an account is none that somebody asked for.
                return outbox.post(tx, Kind::Verify, id, email, "");
            }
            let there = tx.find_user_by_email(email)?.ok_or(DbError::Moved)?;
            if there.is_used() {
                let owner = there.account;
                return outbox.tell_owner(tx, owner.id, &owner.email);
            }
            replace(tx, there.account.id, &new)?;
            // The mails before it have gone with the account that they were of, so this one comes late rather than never.
            let now = tx.now();
            let wait = tx.pay_for_letter(id, now)?.unwrap_or(0);
            outbox.post_after(tx, Kind::Verify, id, email, wait)
        });
        Ok(registered.await?)
    }
}

/// Gives the address of an account that nobody has proven or used to a new one: with an id of its own, so that no link to
/// the old one opens it, and nothing that others know of the old one is taken for the new one's. It has no session, since
/// nobody ever logged in to it.
fn replace(tx: &mut Unit<'_, '_>, old: UserId, new: &NewUser) -> Result<(), DbError> {
    let paid = tx.letters_paid(old)?;
    if !tx.delete_unused_user(old)? {
        return Err(DbError::Moved);
    }
    tx.audit(&AuditRecord::of(Event::Replaced, old))?;
    tx.insert_user(new)?;
    // Else whoever registers again and again could fill the mailbox.
    tx.set_letters_paid(new.account.id, &paid)?;
    tx.audit(&AuditRecord::of(Event::Registered, new.account.id))
}

fn checked(new: NewAccount) -> Result<(Account, Password), Error> {
    let user_name = forms::user_name(&new.user_name)?;
    let email = forms::email(&new.email)?;
    check_password(&new.password)?;
    forms::check_roles(&new.roles)?;
    let account = Account {
        id: UserId::random(),
        user_name,
        email,
        email_verified: false,
        roles: new.roles,
    };
    Ok((account, new.password))
}
