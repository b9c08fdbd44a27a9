//! Statements on the addresses of `users`: which are there, which are proven, and which wait for their proof.

use std::collections::HashSet;

use diesel::prelude::*;

use super::schema::users;
use super::users::write_roles;
use super::{Account, DbError, PasswordVersion, PendingEmail, Tx, UserId};
use crate::spelling::email_key;

impl Tx<'_> {
    /// Which of these e-mails an account has.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn emails_there(&mut self, emails: &[&str]) -> Result<HashSet<String>, DbError> {
        let keys: Vec<String> = emails.iter().map(|email| email_key(email)).collect();
        let found = users::table
            .select(users::email_key)
            .filter(users::email_key.eq_any(keys))
            .load::<String>(self.0)?;
        Ok(found.into_iter().collect())
    }

    /// Notes that the address of an account was proven; `false` if it was already, or is another one now.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn verify_email(&mut self, id: UserId, email: &str, now: i64) -> Result<bool, DbError> {
        let unproven = users::table
            .filter(users::id.eq(id.to_string()))
            .filter(users::email.eq(email))
            .filter(users::email_verified_at.is_null());
        let hit = diesel::update(unproven)
            .set(users::email_verified_at.eq(Some(now)))
            .execute(self.0)?;
        Ok(hit == 1)
    }

    /// Notes the address that is to become the account's, or that none is; the same condition as
    /// [`Self::set_password`].
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn set_pending_email(
        &mut self,
        id: UserId,
        pending: Option<&PendingEmail>,
        password_version: PasswordVersion,
    ) -> Result<bool, DbError> {
        let hit = diesel::update(
            users::table
                .filter(users::id.eq(id.to_string()))
                .filter(users::password_version.eq(password_version.0))
                .filter(users::blocked_at.is_null()),
        )
        .set((
            users::pending_email.eq(pending.map(|pending| &pending.email)),
            users::pending_until.eq(pending.map_or(0, |pending| pending.until)),
        ))
        .execute(self.0)?;
        Ok(hit == 1)
    }

    /// Makes the pending address the account's, proven; `false` if another one is pending, the password was changed or
    /// the account blocked.
    ///
    /// # Errors
    /// [`DbError::Duplicate`] if another account has it.
    pub fn adopt_pending_email(
        &mut self,
        id: UserId,
        pending: &str,
        password_version: PasswordVersion,
        now: i64,
    ) -> Result<bool, DbError> {
        let hit = diesel::update(
            users::table
                .filter(users::id.eq(id.to_string()))
                .filter(users::pending_email.eq(pending))
                .filter(users::password_version.eq(password_version.0))
                .filter(users::blocked_at.is_null()),
        )
        .set((
            users::email.eq(pending),
            users::email_key.eq(email_key(pending)),
            users::email_verified_at.eq(Some(now)),
            users::pending_email.eq(None::<String>),
            users::pending_until.eq(0),
        ))
        .execute(self.0)?;
        Ok(hit == 1)
    }

    /// Deletes the row of a user whose address nobody has proven, and who never logged in; `false` if somebody did.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn delete_unused_user(&mut self, id: UserId) -> Result<bool, DbError> {
        let unused = users::table
            .filter(users::id.eq(id.to_string()))
            .filter(users::self_registered_at.is_not_null())
            .filter(users::email_verified_at.is_null())
            .filter(users::last_login_at.is_null())
            .filter(users::blocked_at.is_null());
        Ok(diesel::delete(unused).execute(self.0)? == 1)
    }

    /// Gives a user whose address nobody has proven a new password, name and roles, and notes the proof; `false` if
    /// somebody has proven it, it has another address by now, or is blocked.
    ///
    /// # Errors
    /// See [`DbError`].
    pub fn claim_unproven_user(
        &mut self,
        account: &Account,
        hash: &str,
        now: i64,
    ) -> Result<bool, DbError> {
        let unproven = users::table
            .filter(users::id.eq(account.id.to_string()))
            .filter(users::email_key.eq(email_key(&account.email)))
            .filter(users::blocked_at.is_null())
            .filter(users::email_verified_at.is_null());
        let hit = diesel::update(unproven)
            .set((
                users::user_name.eq(&account.user_name),
                users::password_hash.eq(hash),
                users::password_version.eq(users::password_version + 1),
                users::roles.eq(write_roles(&account.roles)),
                users::email_verified_at.eq(Some(now)),
                users::pending_email.eq(None::<String>),
                users::pending_until.eq(0),
            ))
            .execute(self.0)?;
        Ok(hit == 1)
    }
}
