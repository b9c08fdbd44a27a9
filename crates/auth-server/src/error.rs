//! What the rules can answer other than success, and the one place that says how clients hear of it.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use gate::Problem;
use shared::token::SignError;
use shared::token_error::{Cure, TokenError};

use crate::db::DbError;
use crate::log_in::password::PasswordError;
use crate::sessions::refresh_token::NotGenuine;
use crate::sessions::rotation::Over;

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
    /// A password that is too short or too long, or has control characters.
    #[error("the password must have 8 to 256 characters, and no control characters")]
    WeakPassword,
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
    /// Not a live session of the caller.
    #[error("no such session of yours")]
    SessionNotFound,
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

impl From<PasswordError> for Error {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self::Busy,
            // A place is free in a moment.
            PasswordError::Crowded => Self::TooManyAttempts(1),
            PasswordError::Failed(why) => Self::Internal(format!("password hash: {why}")),
        }
    }
}

impl From<NotGenuine> for Error {
    fn from(_: NotGenuine) -> Self {
        Self::InvalidRefreshToken
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

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        use StatusCode as S;
        let (status, code) = match error {
            Error::Token(refused) => return Self::from(*refused),
            Error::SessionEnded => return Self::from(TokenError::Revoked(Cure::Refresh)),
            Error::InvalidRequest(_) => (S::BAD_REQUEST, "invalid_request"),
            Error::InvalidUserName => (S::UNPROCESSABLE_ENTITY, "invalid_user_name"),
            Error::InvalidEmail => (S::UNPROCESSABLE_ENTITY, "invalid_email"),
            Error::WeakPassword => (S::UNPROCESSABLE_ENTITY, "weak_password"),
            Error::AccountExists => (S::CONFLICT, "account_exists"),
            Error::RegistrationClosed => (S::FORBIDDEN, "registration_closed"),
            Error::InvalidCredentials => (S::UNAUTHORIZED, "invalid_credentials"),
            // Not 401: clients would take the user for signed out.
            Error::WrongCurrentPassword => (S::FORBIDDEN, "wrong_current_password"),
            Error::AccountBlocked => (S::FORBIDDEN, "account_blocked"),
            Error::TooManyAttempts(_) => (S::TOO_MANY_REQUESTS, "too_many_attempts"),
            Error::InvalidRefreshToken => (S::UNAUTHORIZED, "invalid_refresh_token"),
            Error::InvalidAccessToken => (S::UNAUTHORIZED, "invalid_access_token"),
            Error::SessionOver(Over::Ended(_)) => (S::UNAUTHORIZED, "session_revoked"),
            Error::SessionOver(_) => (S::UNAUTHORIZED, "session_expired"),
            Error::Superseded => (S::UNAUTHORIZED, "refresh_token_superseded"),
            Error::Reused => (S::UNAUTHORIZED, "refresh_token_reused"),
            Error::SessionNotFound => (S::NOT_FOUND, "session_not_found"),
            Error::Busy => (S::SERVICE_UNAVAILABLE, "busy"),
            Error::Database(DbError::Query(_) | DbError::Unreadable(_)) | Error::Internal(_) => {
                // The cause is for the log; the client learns that it is not to blame.
                return Self::internal(with_causes(error));
            }
            Error::Database(_) => {
                return Self::new(S::SERVICE_UNAVAILABLE, "database_unavailable")
                    .cause(with_causes(error));
            }
        };
        let problem = Self::new(status, code).detail(error.to_string());
        match error {
            Error::SessionOver(Over::Ended(reason)) => problem.reason(reason.as_str()),
            Error::SessionOver(Over::Idle) => problem.reason("idle"),
            Error::SessionOver(Over::Absolute) => problem.reason("absolute"),
            Error::TooManyAttempts(seconds) => problem.retry_after(*seconds),
            _ => problem,
        }
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        Problem::from(self).status_code()
    }

    fn error_response(&self) -> HttpResponse {
        Problem::from(self).error_response()
    }
}
