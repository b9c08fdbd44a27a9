//! What a mailed link does: a new password, or the proof of an address.

use mail::Kind;

use super::changes::too_many_mails;
use super::{Accounts, forms, taken};
use crate::db::{AuditRecord, Caller, DbError, EndReason, Event};
use crate::db::{LetterKind, NewLetter, User, UserId};
use crate::error::Error;
use crate::log_in::password::Password;
use crate::log_in::{FrontDoor, Paid};
use crate::outbox::link::{Presented, Purpose};
use crate::sessions::end_all;

impl Accounts {
    /// Has a link to a new password sent to this address, if an account has it. It is looked up when the mail is sent:
    /// the answer and its time are the same for all.
    ///
    /// # Errors
    /// [`Error::NoMail`]; [`Error::InvalidEmail`].
    pub(crate) async fn forgot(&self, email: &str, caller: &Caller) -> Result<(), Error> {
        if !self.outbox.is_on() {
            return Err(Error::NoMail);
        }
        let letter = NewLetter {
            kind: LetterKind::Forgot,
            user: None,
            address: forms::email(email)?,
            locale: caller.locale,
            detail: String::new(),
            after: 0,
        };
        Ok(self.db.write(caller, move |tx| tx.post(&letter)).await?)
    }

    /// Sets a new password by a link; every session ends. Nobody is logged in by it.
    ///
    /// # Errors
    /// [`Error::InvalidLink`] for one that is used, over or forged; [`Error::WeakPassword`].
    pub(crate) async fn reset(
        &self,
        token: &str,
        new: Password,
        door: &FrontDoor,
        caller: &Caller,
    ) -> Result<(), Error> {
        let presented = self.read(token, caller)?;
        let purpose = presented.purpose();
        if !matches!(purpose, Purpose::Reset | Purpose::HandedReset) {
            return Err(Error::InvalidLink);
        }
        door.pay_for_mail(caller)?;
        let user = self.user_of(&presented).await?;
        let fits = presented.fits(&user, &user.account.email);
        if !fits || user.blocked_at.is_some() {
            return Err(Error::InvalidLink);
        }
        // Only now: whoever knows an id must not empty the account's bucket with links that are none.
        let paid = door.pay_for_link(user.account.id, caller)?;
        self.reset_of(&user, purpose, new, paid, caller).await
    }

    async fn reset_of(
        &self,
        user: &User,
        purpose: Purpose,
        new: Password,
        paid: Paid,
        caller: &Caller,
    ) -> Result<(), Error> {
        forms::check_password(&new)?;
        let words = user.account.words();
        let hash = self.hasher.hash_new(new, words, paid).await?;
        let (id, version) = (user.account.id, user.password_version);
        let (email, outbox) = (user.account.email.clone(), self.outbox);
        let ended = self.db.write(caller, move |tx| {
            if !tx.set_password(id, Some(version), &hash)? {
                return Ok(None);
            }
            // The row is held now. To another address the link was not sent.
            let found = tx.find_user(id)?;
            if found.is_none_or(|now| now.account.email != email) {
                return Err(DbError::Moved);
            }
            tx.audit(&AuditRecord::of(Event::PasswordChanged, id).detail("reset"))?;
            // Who was handed a link by an operator has shown no mailbox.
            let now = tx.now();
            if purpose == Purpose::Reset && tx.verify_email(id, &email, now)? {
                tx.audit(&AuditRecord::of(Event::EmailVerified, id).detail("reset"))?;
            }
            let ended = end_all(tx, id, EndReason::Password)?;
            outbox.note(tx, Kind::PasswordChanged, id, "")?;
            Ok(Some(ended))
        });
        let ended = ended.await?.ok_or(Error::InvalidLink)?;
        self.announce(&ended);
        Ok(())
    }

    /// Takes a link as the proof of an address: the account's, or the one that is to become it. A second time changes
    /// nothing, as long as the address is the same.
    ///
    /// # Errors
    /// [`Error::InvalidLink`]; [`Error::AccountExists`] if the new address has become another account's meanwhile.
    pub(crate) async fn verify_email(&self, token: &str, caller: &Caller) -> Result<(), Error> {
        let presented = self.read(token, caller)?;
        let user = self.user_of(&presented).await?;
        let (id, email) = (user.account.id, user.account.email.clone());
        // Of either purpose, once its address is the account's.
        let is_own = presented.fits(&user, &email);
        match presented.purpose() {
            Purpose::Verify if is_own => {
                self.db
                    .write(caller, move |tx| {
                        let now = tx.now();
                        if tx.verify_email(id, &email, now)? {
                            tx.audit(&AuditRecord::of(Event::EmailVerified, id))?;
                        }
                        Ok(())
                    })
                    .await?;
                Ok(())
            }
            Purpose::Change if is_own && user.account.email_verified => Ok(()),
            Purpose::Change => self.adopt(&user, &presented, caller).await,
            _ => Err(Error::InvalidLink),
        }
    }

    async fn adopt(
        &self,
        user: &User,
        presented: &Presented,
        caller: &Caller,
    ) -> Result<(), Error> {
        let pending = user.pending_at(caller.now);
        let pending = pending.filter(|pending| presented.fits(user, &pending.email));
        let pending = pending.ok_or(Error::InvalidLink)?.email.clone();
        let (id, version) = (user.account.id, user.password_version);
        let (old, outbox) = (user.account.email.clone(), self.outbox);
        let adopted = self.db.write(caller, move |tx| {
            let now = tx.now();
            // Who squats the address has no right to it.
            let there = tx.find_user_by_email(&pending)?;
            if let Some(there) = there.filter(|one| one.account.id != id && !one.is_used())
                && tx.delete_unused_user(there.account.id)?
            {
                tx.audit(&AuditRecord::of(Event::Replaced, there.account.id))?;
            }
            if !tx.adopt_pending_email(id, &pending, version, now)? {
                return Ok(false);
            }
            tx.audit(&AuditRecord::of(Event::AccountChanged, id).detail("e-mail"))?;
            outbox.post(tx, Kind::AddressChanged, id, &old, &pending)?;
            Ok(true)
        });
        if adopted.await.map_err(taken)? {
            Ok(())
        } else {
            Err(Error::InvalidLink)
        }
    }

    /// Sends the link that proves the address once more: the pending one's, if there is one, else the account's.
    ///
    /// # Errors
    /// [`Error::NoMail`]; [`Error::TooManyAttempts`] if the account had its mails.
    pub(crate) async fn send_verification(&self, id: UserId, caller: &Caller) -> Result<(), Error> {
        if !self.outbox.is_on() {
            return Err(Error::NoMail);
        }
        let outbox = self.outbox;
        let wait = self.db.write(caller, move |tx| {
            let now = tx.now();
            let Some(user) = tx.find_user(id)? else {
                return Ok(None);
            };
            match user.pending_at(now) {
                Some(pending) => {
                    let pending = pending.email.clone();
                    if let Some(wait) = tx.pay_for_letter(id, now)? {
                        return Ok(Some(wait));
                    }
                    // Whose it is already was told, and proves nothing by our link. The answer is the same.
                    let owner = tx.find_user_by_email(&pending)?;
                    let taken = owner.is_some_and(|one| one.account.id != id && one.is_used());
                    if !taken {
                        outbox.post(tx, Kind::Change, id, &pending, "")?;
                    }
                    Ok(None)
                }
                None if !user.account.email_verified => {
                    outbox.post_on_request(tx, Kind::Verify, id, &user.account.email)
                }
                None => Ok(None),
            }
        });
        match wait.await? {
            Some(wait) => Err(too_many_mails(wait)),
            None => Ok(()),
        }
    }

    pub(super) fn read(&self, token: &str, caller: &Caller) -> Result<Presented, Error> {
        Presented::read(token, &self.keys, caller.now).ok_or(Error::InvalidLink)
    }

    async fn user_of(&self, presented: &Presented) -> Result<User, Error> {
        let id = presented.user();
        let found = self.db.read(move |tx| tx.find_user(id)).await?;
        found.ok_or(Error::InvalidLink)
    }
}
