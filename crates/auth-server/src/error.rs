//! What the rules can answer other than success. How clients hear of it is the routes' business.

use shared::token::SignError;
use shared::token_error::TokenError;

use crate::db::{DbError, EndReason};
use crate::strength::Weak;

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Not refreshed for too long.
    Idle,
    /// Its absolute end has come.
    Absolute,
    /// Nothing is known of it any more.
    Gone,
    /// Someone ended it.
    Ended(EndReason),
}

/// A refusal or a failure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request is not what the endpoint expects; the sentence says how.
    #[error("{0}")]
    InvalidRequest(&'static str),
    /// A user name that is blank, too long, or has characters that are not seen or turn the text around.
    #[error(
        "the user name must have 1 to 64 characters, be not blank, and have no control or invisible characters"
    )]
    InvalidUserName,
    /// An e-mail without exactly one `@`, or with a space or what is not seen.
    #[error(
        "the e-mail must have exactly one @, no spaces or invisible characters, and at most 254 bytes"
    )]
    InvalidEmail,
    /// A password that is too short, too long, easy to guess or known to have leaked.
    #[error("{0}")]
    WeakPassword(Weak),
    /// The e-mail is taken.
    #[error("an account with this e-mail exists")]
    AccountExists,
    /// Strangers may not register.
    #[error("registration is closed on this server")]
    RegistrationClosed,
    /// Wrong password, or nobody: the same for both.
    #[error("e-mail or password is wrong")]
    InvalidCredentials,
    /// The bearer is good, and the current password that came along is wrong.
    #[error("the current password is wrong")]
    WrongCurrentPassword,
    /// The right password of a blocked account.
    #[error("this account is blocked")]
    AccountBlocked,
    /// The right password of an account whose address nobody has proven, where that is wanted.
    #[error("the e-mail is not verified yet; a mail with a link was sent to it")]
    EmailNotVerified,
    /// A link that is used, over or forged.
    #[error("the link is not good, or not any more")]
    InvalidLink,
    /// This server sends no mail.
    #[error("this server sends no mail")]
    NoMail,
    /// Too many failed attempts, or too many from one address; the seconds until the next is looked at.
    #[error("too many attempts; try again later")]
    TooManyAttempts(u64),
    /// Forged, damaged, or of another server.
    #[error("not a refresh token of this server")]
    InvalidRefreshToken,
    /// The access token that came along does not belong to the refresh token.
    #[error("the access token is not one of this session")]
    InvalidAccessToken,
    /// The session is over.
    #[error("the session is over")]
    SessionOver(Over),
    /// Overtaken by a later refresh: the client has a newer pair, or will.
    #[error("a newer refresh token was issued a moment ago")]
    Superseded,
    /// A used-up refresh token came back; its session has ended.
    #[error("a used refresh token came back; the session was ended")]
    Reused,
    /// The session whose access token came along ended while the request was at work.
    #[error("the session has ended")]
    SessionEnded,
    /// An authorization code that is over, spent, forged, another client's, or does not fit what it was asked with.
    #[error("the code is not good, or not any more")]
    InvalidCode,
    /// A client that was blocked or removed a moment ago.
    #[error("no such client")]
    InvalidClient,
    /// More than was granted, or than the client may have.
    #[error("the scope has more than may be granted")]
    InvalidScope,
    /// A client's token where the user's own is wanted.
    #[error("this wants a token of the user's own session, not of a client")]
    WrongKindOfToken,
    /// Not a live session of the caller.
    #[error("no such session of yours")]
    SessionNotFound,
    /// Not a client that has anything of the caller's account.
    #[error("no such program of yours")]
    AppNotFound,
    /// The bearer token was refused.
    #[error("bearer token refused: {0:?}")]
    Token(TokenError),
    /// Too much is waiting.
    #[error("too busy")]
    Busy,
    /// The database.
    #[error(transparent)]
    Database(DbError),
    /// A defect, or a key that is gone.
    #[error("{0}")]
    Internal(String),
}

impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Busy | DbError::TooLate | DbError::Moved => Self::Busy,
            DbError::Unstorable(_) => {
                Self::InvalidRequest("a text has a character in it that cannot be stored")
            }
            other => Self::Database(other),
        }
    }
}

impl From<SignError> for Error {
    fn from(error: SignError) -> Self {
        Self::Internal(format!("cannot sign: {error}"))
    }
}

impl From<TokenError> for Error {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}
