//! Why sessions end.

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
    /// A later log-in in the same browser took its place.
    Replaced,
    /// An operator blocked or removed the client.
    Client,
}

impl EndReason {
    const ALL: [Self; 10] = [
        Self::Logout,
        Self::Ended,
        Self::Password,
        Self::Blocked,
        Self::Reuse,
        Self::Limit,
        Self::Admin,
        Self::Guessing,
        Self::Replaced,
        Self::Client,
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
            Self::Replaced => "replaced",
            Self::Client => "client",
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
