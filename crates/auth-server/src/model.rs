//! The things that rules, database and routes talk about. No HTTP, no SQL, no JSON.

use uuid::Uuid;

use crate::refresh_token::Nonce;

/// What of a user goes into tokens and answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The `sub` of every token.
    pub id: Uuid,
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
    pub password_version: i64,
    /// Unix second of the block, if blocked.
    pub blocked_at: Option<i64>,
    /// Unix second of registration.
    pub created_at: i64,
    /// Unix second of the last log-in.
    pub last_login_at: Option<i64>,
}

/// Who ended a session, and why; the `reason` of `session_revoked`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The user logged out.
    Logout,
    /// The user ended it from the list of sessions, or deleted the account.
    Ended,
    /// The password was changed.
    Password,
    /// The account was blocked.
    Blocked,
    /// A used-up refresh token came back.
    Reuse,
    /// The account had too many sessions, and this one was used least recently.
    Limit,
    /// An operator ended it.
    Admin,
    /// Too many wrong current passwords came with its access tokens.
    Guessing,
}

impl EndReason {
    const ALL: [Self; 8] = [
        Self::Logout,
        Self::Ended,
        Self::Password,
        Self::Blocked,
        Self::Reuse,
        Self::Limit,
        Self::Admin,
        Self::Guessing,
    ];

    /// The word in answers, rows and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Ended => "ended",
            Self::Password => "password",
            Self::Blocked => "blocked",
            Self::Reuse => "reuse",
            Self::Limit => "limit",
            Self::Admin => "admin",
            Self::Guessing => "guessing",
        }
    }

    /// The reason behind a stored word; a word of a later version reads as [`Self::Admin`].
    #[must_use]
    pub fn parse(word: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|reason| reason.as_str() == word)
            .unwrap_or(Self::Admin)
    }
}

/// A session's row.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// The `sid` of its access tokens.
    pub id: Uuid,
    /// The user; `None` once the account is deleted.
    pub user: Option<Uuid>,
    /// The generation of the refresh token that is good now.
    pub generation: i64,
    /// Part of every refresh token.
    pub nonce: Nonce,
    /// Unix seconds of log-in.
    pub created_at: i64,
    /// Unix seconds of the last rotation, or of log-in.
    pub rotated_at: i64,
    /// Over from then on unless refreshed.
    pub idle_until: i64,
    /// Over from then on.
    pub absolute_until: i64,
    /// The generation last handed out late, 0 for none.
    pub late_generation: i64,
    /// Generations in a row handed out late.
    pub late_streak: i64,
    /// When and why it ended, if it did.
    pub ended: Option<(i64, EndReason)>,
    /// The user agent at log-in.
    pub device: String,
    /// The address of the last rotation or log-in.
    pub address: String,
    /// The user agent of the last rotation or log-in; `None` if the version before wrote the row.
    pub agent: Option<String>,
    /// Unix seconds of the last use that the user's list may show while `rotated_at` is too fresh for it.
    pub seen_at: i64,
    /// The address of that use.
    pub seen_address: String,
    /// The last retry that came from elsewhere, if there was one.
    pub sighting: Option<Sighting>,
}

/// A retry that came from another network or another user agent than the rotation that it asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The generation that was handed out again.
    pub generation: i64,
    /// Unix seconds.
    pub at: i64,
    /// The client's address.
    pub address: String,
    /// Its user agent.
    pub device: String,
}

/// What happened to a session or an account: the audit trail's `event`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An account was made.
    Registered,
    /// A log-in began a session.
    LoggedIn,
    /// A session ended; the detail is an [`EndReason`].
    SessionEnded,
    /// The current token was handed out again after the grace time.
    LateRetry,
    /// The current token was handed out again to another network or another user agent; the detail says which.
    RetryElsewhere,
    /// A genuine token newer than the row: the database was restored or failed over.
    RowBehind,
    /// The password was changed.
    PasswordChanged,
    /// Name, e-mail or roles were changed; the detail says which.
    AccountChanged,
    /// The account was blocked; the detail says by what.
    UserBlocked,
    /// The account was unblocked.
    UserUnblocked,
    /// The account was deleted.
    UserDeleted,
    /// A key command; the detail says which.
    KeysChanged,
    /// Failed log-ins began to be delayed.
    LoginDelayed,
}

impl Event {
    /// The word in the audit trail.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::LoggedIn => "logged_in",
            Self::SessionEnded => "session_ended",
            Self::LateRetry => "late_retry",
            Self::RetryElsewhere => "retry_elsewhere",
            Self::RowBehind => "row_behind",
            Self::PasswordChanged => "password_changed",
            Self::AccountChanged => "account_changed",
            Self::UserBlocked => "user_blocked",
            Self::UserUnblocked => "user_unblocked",
            Self::UserDeleted => "user_deleted",
            Self::KeysChanged => "keys_changed",
            Self::LoginDelayed => "login_delayed",
        }
    }
}

/// Who asks, and when: on every record of the audit trail.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Unix seconds at which the request arrived: the one time of everything it does.
    pub now: i64,
    /// When it arrived, by the clock that never jumps.
    pub arrived: std::time::Instant,
    /// Client address, or `cli`.
    pub address: String,
    /// User agent, shortened.
    pub user_agent: String,
    /// The request's id: one of ours, and behind it, marked as such, what the client called it.
    pub request_id: String,
}

impl Caller {
    /// The command line, now.
    #[must_use]
    pub fn cli() -> Self {
        Self {
            now: shared::clock::now(),
            arrived: std::time::Instant::now(),
            address: "cli".into(),
            user_agent: String::new(),
            request_id: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_read_back() {
        for reason in EndReason::ALL {
            assert_eq!(EndReason::parse(reason.as_str()), reason);
        }
    }
}
