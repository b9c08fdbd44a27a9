//! What handlers behind the gate learn: whose token opened it, and which roles it has.

use std::future::{Ready, ready};
use std::ops::Deref;
use std::sync::Arc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest};
use futures_util::future::LocalBoxFuture;
use shared::token::AccessToken;

use crate::guard::refuse;
use crate::problem::Problem;

/// The token that let a request through the gate; an extractor for handlers behind one.
#[derive(Clone, Debug)]
pub struct Bearer {
    token: Arc<AccessToken>,
    realm: Arc<str>,
}

impl Bearer {
    pub(crate) fn new(token: Arc<AccessToken>, realm: Arc<str>) -> Self {
        Self { token, realm }
    }

    /// Refuses whoever does not have a role.
    ///
    /// # Errors
    /// A 403 `insufficient_role`.
    pub fn require_role(&self, role: &str) -> Result<(), Problem> {
        if self.claims.has_role(role) {
            Ok(())
        } else {
            Err(insufficient(
                &self.realm,
                "insufficient_role",
                "the token lacks the role that this needs",
                None,
            ))
        }
    }

    /// Refuses a token that may not be used for this. One without a `scope`, of the user's own session, may be used for
    /// everything.
    ///
    /// # Errors
    /// A 403 `insufficient_scope`, whose challenge names the scope (RFC 6750 §3).
    pub fn require_scope(&self, scope: &str) -> Result<(), Problem> {
        if self.claims.has_scope(scope) {
            Ok(())
        } else {
            Err(insufficient(
                &self.realm,
                "insufficient_scope",
                "the token may not be used for this",
                Some(scope),
            ))
        }
    }
}

impl Deref for Bearer {
    type Target = AccessToken;

    fn deref(&self) -> &AccessToken {
        &self.token
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

/// Middleware that lets only bearers of a role pass; goes inside a gate:
/// `.wrap(from_fn(require_role("admin"))).wrap(from_fn(guard))`.
pub fn require_role<B: MessageBody + 'static>(
    role: &'static str,
) -> impl Fn(ServiceRequest, Next<B>) -> Answering<B> + Clone + 'static {
    require(move |bearer| bearer.require_role(role))
}

/// Middleware that lets only tokens pass that may be used for this, as [`Bearer::require_scope`] judges; goes inside a
/// gate: `.wrap(from_fn(require_scope("orders:read"))).wrap(from_fn(guard))`.
pub fn require_scope<B: MessageBody + 'static>(
    scope: &'static str,
) -> impl Fn(ServiceRequest, Next<B>) -> Answering<B> + Clone + 'static {
    require(move |bearer| bearer.require_scope(scope))
}

fn require<B: MessageBody + 'static>(
    judge: impl Fn(&Bearer) -> Result<(), Problem> + Copy + 'static,
) -> impl Fn(ServiceRequest, Next<B>) -> Answering<B> + Clone + 'static {
    move |req, next| {
        Box::pin(async move {
            let judged = match req.extensions().get::<Bearer>() {
                Some(bearer) => judge(bearer),
                None => Err(Problem::internal(
                    "a route without a gate asks what its bearer may do",
                )),
            };
            match judged {
                Ok(()) => Ok(next.call(req).await?.map_into_left_body()),
                Err(problem) => Ok(refuse(req, &problem)),
            }
        })
    }
}

/// RFC 6750 §3.1: the token is good, but does not reach.
fn insufficient(
    realm: &str,
    code: &'static str,
    detail: &'static str,
    scope: Option<&str>,
) -> Problem {
    let problem = Problem::new(StatusCode::FORBIDDEN, code).detail(detail);
    let scope = scope.map_or_else(String::new, |scope| format!(r#", scope="{scope}""#));
    let challenge = format!(
        r#"Bearer realm="{realm}", error="insufficient_scope", error_description="{detail}"{scope}"#
    );
    match HeaderValue::try_from(challenge) {
        Ok(challenge) => problem.header(header::WWW_AUTHENTICATE, challenge),
        Err(_) => problem,
    }
}
