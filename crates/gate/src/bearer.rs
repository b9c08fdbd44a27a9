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
            Err(insufficient_role(&self.realm))
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
    move |req, next| {
        Box::pin(async move {
            let judged = match req.extensions().get::<Bearer>() {
                Some(bearer) => bearer.require_role(role),
                None => Err(Problem::internal("a route without a gate asks for a role")),
            };
            match judged {
                Ok(()) => Ok(next.call(req).await?.map_into_left_body()),
                Err(problem) => Ok(refuse(req, &problem)),
            }
        })
    }
}

/// RFC 6750 §3.1: the token is good, but does not reach.
fn insufficient_role(realm: &str) -> Problem {
    let problem = Problem::new(StatusCode::FORBIDDEN, "insufficient_role")
        .detail("the token lacks the role that this needs");
    let challenge = format!(
        r#"Bearer realm="{realm}", error="insufficient_scope", error_description="the token lacks the role that this needs""#
    );
    match HeaderValue::try_from(challenge) {
        Ok(challenge) => problem.header(header::WWW_AUTHENTICATE, challenge),
        Err(_) => problem,
    }
}
