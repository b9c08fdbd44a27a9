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
    /// Free names; `admin` opens `/api/admin`.
    pub roles: Vec<String>,
}

/// A user with what log-in needs.
#[derive(Clone)]
pub struct User {
    /// The public part.
    pub account: Account,
    /// Argon2id in PHC form.
    pub password_hash: String,
    /// Counts the changes of the password.
    pub password_version: PasswordVersion,
    /// Unix second of the block, if blocked.
    pub blocked_at: Option<i64>,
    /// Unix second of registration.
    pub created_at: i64,
    /// Unix second of the last log-in.
    pub last_login_at: Option<i64>,
}
