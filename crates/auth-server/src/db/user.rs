//! An account as the rules see it.

use super::{PasswordVersion, UserId};

/// What of a user goes into tokens and answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The `sub` of every token.
    pub id: UserId,
    /// Shown, not unique.
    pub user_name: String,
    /// As given, but for blanks around it and how it is composed; compared without the case of ASCII letters.
    pub email: String,
    /// Whether somebody has shown that mail to it reaches him.
    pub email_verified: bool,
    /// Free names; `admin` opens `/api/admin`.
    pub roles: Vec<String>,
}

impl Account {
    /// What a password of this account must not be made of.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        vec![self.email.clone(), self.user_name.clone()]
    }
}

/// An address that is to become an account's once it is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingEmail {
    /// As given.
    pub email: String,
    /// Unix second until which the link is good.
    pub until: i64,
}

/// A user with what log-in needs.
#[derive(Clone)]
pub struct User {
    /// The public part.
    pub account: Account,
    /// Argon2id in PHC form; until the first log-in, what another system made; [`NO_PASSWORD`] for none.
    pub password_hash: String,
    /// Counts the changes of the password.
    pub password_version: PasswordVersion,
    /// Unix second of the block, if blocked.
    pub blocked_at: Option<i64>,
    /// Unix second of registration.
    pub created_at: i64,
    /// Unix second of the last log-in.
    pub last_login_at: Option<i64>,
    /// What the e-mail is to become.
    pub pending: Option<PendingEmail>,
    /// Whether a stranger made the account for himself.
    pub self_registered: bool,
}

impl User {
    /// Whether somebody may have something to lose in this account: it was proven or used, or an operator made it.
    #[must_use]
    pub fn is_used(&self) -> bool {
        !self.self_registered
            || self.account.email_verified
            || self.last_login_at.is_some()
            || self.blocked_at.is_some()
    }

    /// What the e-mail is to become, if the link that proves it is still good.
    #[must_use]
    pub fn pending_at(&self, now: i64) -> Option<&PendingEmail> {
        self.pending.as_ref().filter(|pending| pending.until > now)
    }
}

/// Stands where the hash of a password would, and fits none: an account that came without one.
pub const NO_PASSWORD: &str = "";
