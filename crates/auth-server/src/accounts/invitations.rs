//! Invitations: an operator or an administrator says who may have an account, and with which roles.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mail::Kind;
use sha2::{Digest, Sha256};

use super::{Accounts, forms, taken};
use crate::db::{Account, AuditRecord, Caller, DbError, EndReason, Event};
use crate::db::{Ending, LetterKind, NewLetter, NewUser, Unit, User, UserId};
use crate::error::Error;
use crate::log_in::FrontDoor;
use crate::log_in::password::Password;
use crate::outbox::link::{Invitation, Purpose};
use crate::outbox::{Guest, Links};
use crate::sessions::end_all;
use crate::spelling::email_key;

/// What accepting an invitation came to.
enum Accepted {
    Made(Account, Vec<Ending>),
    /// It was accepted before, or the address is an account's that somebody has proven.
    Used,
}

impl Accounts {
    /// Invites somebody: the mail leads to "choose a password". Without mail, `links` makes the link for the operator to
    /// hand on.
    ///
    /// # Errors
    /// [`Error::InvalidEmail`]; [`Error::InvalidRequest`] for bad roles; [`Error::AccountExists`] if somebody has proven
    /// the address already; [`Error::NoMail`] if there is neither.
    pub(crate) async fn invite(
        &self,
        email: &str,
        roles: Vec<String>,
        links: Option<&Links>,
        caller: &Caller,
    ) -> Result<Option<String>, Error> {
        let email = forms::email(email)?;
        forms::check_roles(&roles)?;
        if !self.outbox.is_on() && links.is_none() {
            return Err(Error::NoMail);
        }
        let guest = Guest {
            id: UserId::random(),
            roles: roles.clone(),
        };
        let detail = serde_json::to_string(&guest)
            .map_err(|_| Error::Internal("an invitation cannot be written".into()))?;
        let letter = NewLetter {
            kind: LetterKind::Mail(Kind::Invitation),
            user: None,
            address: email.clone(),
            locale: caller.locale,
            detail,
            after: 0,
        };
        let (address, by_mail, id) = (email.clone(), self.outbox.is_on(), guest.id);
        self.db
            .write(caller, move |tx| {
                let there = tx.find_user_by_email(&address)?;
                if there.is_some_and(|user| user.account.email_verified) {
                    return Err(DbError::Duplicate);
                }
                tx.audit(&AuditRecord::of(Event::Invited, id))?;
                if by_mail {
                    tx.post(&letter)?;
                }
                Ok(())
            })
            .await
            .map_err(taken)?;
        if by_mail {
            return Ok(None);
        }
        let invitation = Invitation { email, roles };
        Ok(links.and_then(|links| links.to_guest(guest.id, &invitation, caller.now)))
    }

    /// Makes the account of an invitation. If one has the address that nobody has proven, it becomes the guest's: its
    /// password and name are replaced, and its sessions end.
    ///
    /// # Errors
    /// [`Error::InvalidLink`] for an invitation that is used, over or forged; [`Error::InvalidUserName`];
    /// [`Error::WeakPassword`].
    pub(crate) async fn accept(
        &self,
        token: &str,
        user_name: &str,
        password: Password,
        door: &FrontDoor,
        caller: &Caller,
    ) -> Result<Account, Error> {
        let presented = self.read(token, caller)?;
        if presented.purpose() != Purpose::Invitation {
            return Err(Error::InvalidLink);
        }
        let invitation = presented.invitation().ok_or(Error::InvalidLink)?;
        let paid = door.pay_for_link(presented.user(), caller)?;
        let account = Account {
            id: presented.user(),
            user_name: forms::user_name(user_name)?,
            email: invitation.email.clone(),
            email_verified: true,
            roles: invitation.roles.clone(),
        };
        forms::check_password(&password)?;
        let hash = self
            .hasher
            .hash_new(password, account.words(), paid)
            .await?;
        let accepted = self.db.write(caller, move |tx| {
            // By the trail: who has the keys alone invites nobody, and an account that was deleted does not come back by
            // its old invitation.
            // Nor by a second one from before the first was accepted.
            let Some(invited_at) = tx.invited_at(account.id)? else {
                return Ok(Accepted::Used);
            };
            let address = digest(&account.email);
            if tx.was_accepted_since(&address, invited_at)? {
                return Ok(Accepted::Used);
            }
            let (made, ended) = match tx.find_user_by_email(&account.email)? {
                None => (insert(tx, &account, &hash)?, Vec::new()),
                Some(there) => match take_over(tx, &there, &account, &hash)? {
                    Some(made) => made,
                    None => return Ok(Accepted::Used),
                },
            };
            let record = AuditRecord::of(Event::InvitationAccepted, account.id);
            tx.audit(&record.detail(address))?;
            Ok(Accepted::Made(made, ended))
        });
        match accepted.await {
            Ok(Accepted::Made(account, ended)) => {
                self.announce(&ended);
                Ok(account)
            }
            Ok(Accepted::Used) | Err(DbError::Duplicate) => Err(Error::InvalidLink),
            Err(error) => Err(error.into()),
        }
    }
}

/// An address as the audit trail, which outlives the account, may keep it.
fn digest(address: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(email_key(address)))
}

fn insert(tx: &mut Unit<'_, '_>, account: &Account, hash: &str) -> Result<Account, DbError> {
    let now = tx.now();
    tx.insert_user(&NewUser {
        account: account.clone(),
        password_hash: hash.to_owned(),
        created_at: now,
        email_verified_at: Some(now),
        self_registered: false,
    })?;
    tx.audit(&AuditRecord::of(Event::Registered, account.id))?;
    Ok(account.clone())
}

/// Gives an account that nobody has proven to the guest; `None` if somebody has.
fn take_over(
    tx: &mut Unit<'_, '_>,
    there: &User,
    guest: &Account,
    hash: &str,
) -> Result<Option<(Account, Vec<Ending>)>, DbError> {
    let id = there.account.id;
    let mut roles = there.account.roles.clone();
    roles.extend(guest.roles.iter().cloned());
    roles.sort();
    roles.dedup();
    let account = Account {
        id,
        roles,
        ..guest.clone()
    };
    let now = tx.now();
    if !tx.claim_unproven_user(&account, hash, now)? {
        return Ok(None);
    }
    tx.audit(&AuditRecord::of(Event::PasswordChanged, id).detail("invitation"))?;
    tx.audit(&AuditRecord::of(Event::EmailVerified, id).detail("invitation"))?;
    let ended = end_all(tx, id, EndReason::Password)?;
    Ok(Some((account, ended)))
}
