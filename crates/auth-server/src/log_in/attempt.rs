//! An attempt: whose password is tried, with what, and where a failure would be counted.

use uuid::Uuid;

use super::Counter;
use super::device_token::DeviceToken;
use crate::db::User;
use crate::db::{SessionId, UserId};
use crate::error::Error;

/// Where a failure of an attempt would be counted.
pub(super) struct Place {
    pub(super) counter: Counter,
    /// Seconds until the attempt is looked at.
    pub(super) wait: i64,
}

/// Whose password is checked.
#[derive(Clone)]
pub(super) enum Who {
    Email {
        email: String,
        /// Genuine, of whatever account.
        device: Option<DeviceToken>,
    },
    SignedIn {
        user: UserId,
        session: SessionId,
    },
}

impl Who {
    pub(super) fn email(&self) -> &str {
        match self {
            Self::Email { email, .. } => email,
            Self::SignedIn { .. } => "",
        }
    }

    /// The device, if it is one that this user's account knows.
    pub(super) fn device_of(&self, user: Option<&User>) -> Option<Uuid> {
        match (self, user) {
            (
                Self::Email {
                    device: Some(token),
                    ..
                },
                Some(user),
            ) => (token.user == user.account.id).then_some(token.device),
            _ => None,
        }
    }

    /// What a wrong password is answered with.
    pub(super) fn wrong(&self) -> Error {
        match self {
            Self::Email { .. } => Error::InvalidCredentials,
            Self::SignedIn { .. } => Error::WrongCurrentPassword,
        }
    }

    /// User and session of who is signed in.
    pub(super) fn session(&self) -> Option<(UserId, SessionId)> {
        match self {
            Self::Email { .. } => None,
            Self::SignedIn { user, session } => Some((*user, *session)),
        }
    }
}
