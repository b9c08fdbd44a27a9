//! How clients hear of what the rules refuse: the one place that knows their errors as status and code.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use gate::Problem;
use shared::token_error::{Cure, TokenError};
use shared::with_causes;

use crate::db::DbError;
use crate::error::{Error, Over};

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        use StatusCode as S;
        let (status, code) = match error {
            Error::Token(refused) => return Self::from(*refused),
            Error::SessionEnded => return Self::from(TokenError::Revoked(Cure::Refresh)),
            Error::InvalidRequest(_) => (S::BAD_REQUEST, "invalid_request"),
            Error::InvalidUserName => (S::UNPROCESSABLE_ENTITY, "invalid_user_name"),
            Error::InvalidEmail => (S::UNPROCESSABLE_ENTITY, "invalid_email"),
            Error::WeakPassword(_) => (S::UNPROCESSABLE_ENTITY, "weak_password"),
            Error::AccountExists => (S::CONFLICT, "account_exists"),
            Error::RegistrationClosed => (S::FORBIDDEN, "registration_closed"),
            Error::InvalidCredentials => (S::UNAUTHORIZED, "invalid_credentials"),
            // Not 401: clients would take the user for signed out.
            Error::WrongCurrentPassword => (S::FORBIDDEN, "wrong_current_password"),
            Error::AccountBlocked => (S::FORBIDDEN, "account_blocked"),
            Error::EmailNotVerified => (S::FORBIDDEN, "email_not_verified"),
            Error::InvalidLink => (S::UNAUTHORIZED, "invalid_link"),
            Error::NoMail => (S::NOT_FOUND, "not_found"),
            Error::TooManyAttempts(_) => (S::TOO_MANY_REQUESTS, "too_many_attempts"),
            Error::InvalidRefreshToken => (S::UNAUTHORIZED, "invalid_refresh_token"),
            Error::InvalidAccessToken => (S::UNAUTHORIZED, "invalid_access_token"),
            Error::SessionOver(Over::Ended(_)) => (S::UNAUTHORIZED, "session_revoked"),
            Error::SessionOver(_) => (S::UNAUTHORIZED, "session_expired"),
            Error::Superseded => (S::UNAUTHORIZED, "refresh_token_superseded"),
            Error::Reused => (S::UNAUTHORIZED, "refresh_token_reused"),
            Error::InvalidCode => (S::BAD_REQUEST, "invalid_code"),
            Error::InvalidClient => (S::UNAUTHORIZED, "invalid_client"),
            Error::InvalidScope => (S::BAD_REQUEST, "invalid_scope"),
            Error::WrongKindOfToken => (S::FORBIDDEN, "wrong_kind_of_token"),
            Error::SessionNotFound => (S::NOT_FOUND, "session_not_found"),
            Error::AppNotFound => (S::NOT_FOUND, "app_not_found"),
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
            Error::WeakPassword(weak) => problem.reason(weak.reason()),
            Error::SessionOver(Over::Idle) => problem.reason("idle"),
            Error::SessionOver(Over::Absolute) => problem.reason("absolute"),
            Error::TooManyAttempts(seconds) => problem.retry_after(*seconds),
            _ => problem,
        }
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        Problem::from(self).status_code()
    }

    fn error_response(&self) -> HttpResponse {
        Problem::from(self).error_response()
    }
}
