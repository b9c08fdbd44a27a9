//! The gate: what stands between a request and a protected handler.
//!
//! Takes tokens from the `Authorization` header only. Knows no rule about tokens: the
//! [`Validator`] judges them, [`Revocations`] says what is revoked, and [`crate::problem`] turns a
//! refusal into an answer. The example at the [crate]'s front page shows a gate in place.

use std::future::{Ready, ready};
use std::ops::Deref;
use std::sync::Arc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, ResponseError, web};
use futures_util::future::LocalBoxFuture;

use crate::claims::Claims;
use crate::clock;
use crate::http::RequestInfo;
use crate::jws::LONGEST_TOKEN;
use crate::problem::Problem;
use crate::token::{AccessToken, Checked, TokenError, Validator, Verdict};

/// The bearer token of a request (RFC 6750 §2.1): exactly one, the scheme in any case.
///
/// # Errors
/// [`TokenError::Missing`] if there is no header, an empty one or one of another scheme;
/// [`TokenError::Malformed`] if there are several, or one that holds no token or is too long.
pub fn credential(headers: &HeaderMap) -> Result<&str, TokenError> {
    let mut values = headers.get_all(header::AUTHORIZATION);
    let value = values.next().ok_or(TokenError::Missing)?;
    // Which of two counts is a question that others than we have answered differently before us.
    if values.next().is_some() {
        return Err(TokenError::Malformed(
            "more than one credential came with the request",
        ));
    }
    if value.len() > LONGEST_TOKEN {
        return Err(TokenError::Malformed("the credential is longer than 8 KiB"));
    }
    let (scheme, token) = match value.as_bytes().iter().position(|byte| *byte == b' ') {
        Some(end) => value.as_bytes().split_at(end),
        None => (value.as_bytes(), [].as_slice()),
    };
    if !scheme.eq_ignore_ascii_case(b"Bearer") {
        return Err(TokenError::Missing);
    }
    let token = std::str::from_utf8(token)
        .unwrap_or_default()
        .trim_start_matches(' ');
    if token.is_empty() {
        return Err(TokenError::Malformed(
            "there is no token after the word Bearer",
        ));
    }
    Ok(token)
}

/// Knows what has been revoked. Asked for every request: it must answer from memory.
pub trait Revocations: Send + Sync {
    /// Judges the token with these claims at `now`.
    fn judge(&self, claims: &Claims, now: i64) -> Verdict;
}

/// Purely stateless: nothing is ever revoked but keys.
impl Revocations for () {
    fn judge(&self, _: &Claims, _: i64) -> Verdict {
        Verdict::Live
    }
}

/// What [`gate`] works with. Put one into `web::Data`, made once for all workers.
pub struct Gate {
    validator: Arc<Validator>,
    revocations: Arc<dyn Revocations>,
}

impl Gate {
    /// Makes a gate.
    #[must_use]
    pub fn new(validator: impl Into<Arc<Validator>>, revocations: Arc<dyn Revocations>) -> Self {
        Self {
            validator: validator.into(),
            revocations,
        }
    }

    /// The validator of this gate.
    #[must_use]
    pub fn validator(&self) -> &Arc<Validator> {
        &self.validator
    }

    /// Judges a request's credential up to and including `nbf`, for a service that looks up
    /// revocations itself.
    ///
    /// # Errors
    /// The first fault in the order of the contract.
    pub fn check(&self, headers: &HeaderMap, now: i64) -> Result<Checked, TokenError> {
        self.validator.check(credential(headers)?, now)
    }

    /// Judges a request's credential.
    ///
    /// # Errors
    /// The first fault in the order of the contract.
    pub fn admit(&self, headers: &HeaderMap, now: i64) -> Result<AccessToken, TokenError> {
        let checked = self.check(headers, now)?;
        let verdict = self.revocations.judge(checked.claims(), now);
        checked.judge(verdict, now)
    }
}

/// Middleware that lets requests with a good token pass and answers all others. Handlers behind it
/// take [`Bearer`].
///
/// # Errors
/// Those of the services behind it. A refusal is an answer, not an error, so that middleware
/// around this one can add its headers.
pub async fn gate<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let admitted = match req.app_data::<web::Data<Gate>>() {
        Some(gate) => gate
            .admit(req.headers(), arrival(&req))
            .map_err(Problem::from),
        // Closed by default.
        None => Err(Problem::internal("no Gate in the app's data")),
    };
    match admitted {
        Ok(token) => {
            admit(&req, token);
            Ok(next.call(req).await?.map_into_left_body())
        }
        Err(problem) => {
            let response = problem.error_response();
            Ok(req.into_response(response).map_into_right_body())
        }
    }
}

/// Hands a token that a service has judged itself to the handlers behind.
pub fn admit(req: &ServiceRequest, token: AccessToken) {
    req.extensions_mut().insert(Bearer(Arc::new(token)));
}

/// When a request arrived, Unix seconds.
fn arrival(req: &ServiceRequest) -> i64 {
    let noted = req.extensions().get::<RequestInfo>().map(|info| info.now);
    noted.unwrap_or_else(clock::now)
}

/// The token that let a request through the gate; an extractor for handlers behind one.
#[derive(Clone, Debug)]
pub struct Bearer(pub Arc<AccessToken>);

impl Bearer {
    /// Refuses whoever does not have a role.
    ///
    /// # Errors
    /// A 403 `insufficient_role`.
    pub fn require_role(&self, role: &str) -> Result<(), Problem> {
        if self.claims.has_role(role) {
            Ok(())
        } else {
            Err(insufficient_role())
        }
    }
}

impl Deref for Bearer {
    type Target = AccessToken;

    fn deref(&self) -> &AccessToken {
        &self.0
    }
}

impl FromRequest for Bearer {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let bearer = req.extensions().get::<Self>().cloned();
        // Not the client's fault: the route is not behind a gate.
        ready(bearer.ok_or_else(|| Problem::internal("a route without a gate asks for a bearer")))
    }
}

/// An answer on its way, from the service within or instead of it.
type Answering<B> = LocalBoxFuture<'static, Result<ServiceResponse<EitherBody<B>>, Error>>;

/// Middleware that lets only bearers of a role pass; goes inside a [`gate`]:
/// `.wrap(from_fn(require_role("admin"))).wrap(from_fn(gate))`.
pub fn require_role<B: MessageBody + 'static>(
    role: &'static str,
) -> impl Fn(ServiceRequest, Next<B>) -> Answering<B> + Clone + 'static {
    move |req, next| {
        Box::pin(async move {
            let judged = match req.extensions().get::<Bearer>() {
                Some(bearer) => bearer.require_role(role),
                None => Err(Problem::internal("a route without a gate asks for a role")),
            };
            match judged {
                Ok(()) => Ok(next.call(req).await?.map_into_left_body()),
                Err(problem) => {
                    let response = problem.error_response();
                    Ok(req.into_response(response).map_into_right_body())
                }
            }
        })
    }
}

/// RFC 6750 §3.1: the token is good, but does not reach.
fn insufficient_role() -> Problem {
    let challenge = r#"Bearer realm="keyturn", error="insufficient_scope", error_description="the token lacks the role that this needs""#;
    Problem::new(StatusCode::FORBIDDEN, "insufficient_role")
        .detail("the token lacks the role that this needs")
        .header(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static(challenge),
        )
}

#[cfg(test)]
mod tests;
