//! The gate: what stands between a request and a protected handler.
//!
//! Takes tokens from the `Authorization` header only. Knows no rule about tokens: the [`Validator`] judges them,
//! [`Revocations`] or a [`LookUp`] says what is revoked, and [`crate::problem`] turns a refusal into an answer.

use std::sync::Arc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, ResponseError, web};
use futures_util::future::LocalBoxFuture;
use shared::claims::Claims;
use shared::clock;
use shared::credential;
use shared::revocations::{Revocations, Verdict};
use shared::token::{AccessToken, Checked, Validator};
use shared::token_error::TokenError;

use crate::bearer::Bearer;
use crate::problem::{Problem, REALM};
use crate::request::RequestInfo;

/// Says what is revoked where that is not in memory: asked once for every token that is good otherwise.
pub trait LookUp: Send + Sync {
    /// Judges the token with these claims at `now`.
    ///
    /// # Errors
    /// [`Refused`]: what the request is answered instead.
    fn judge<'a>(
        &'a self,
        claims: &'a Claims,
        now: i64,
    ) -> LocalBoxFuture<'a, Result<Verdict, Refused>>;
}

/// Why a look-up has no verdict.
#[derive(Debug)]
pub enum Refused {
    /// It refuses the token; the gate adds its challenge.
    Token(TokenError),
    /// It cannot tell; this is the answer.
    Instead(Box<Problem>),
}

impl From<TokenError> for Refused {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Instead(Box::new(problem))
    }
}

enum Revoked {
    InMemory(Arc<dyn Revocations>),
    LookedUp(Arc<dyn LookUp>),
}

/// What [`guard`] works with. Put one into `web::Data`, made once for all workers.
pub struct Gate {
    validator: Arc<Validator>,
    revoked: Revoked,
    realm: Arc<str>,
    exempt: Vec<String>,
    audience: Audience,
}

/// Which audiences open a gate.
#[derive(Clone, Copy)]
enum Audience {
    /// Any of the policy's.
    Any,
    /// All of them together.
    Every,
    /// Any of them, or the issuer.
    AnyOrIssuer,
}

impl Gate {
    /// A gate that knows from memory what is revoked; `Arc::new(())` knows of nothing.
    #[must_use]
    pub fn new(validator: impl Into<Arc<Validator>>, revocations: Arc<dyn Revocations>) -> Self {
        Self::with(validator.into(), Revoked::InMemory(revocations))
    }

    /// A gate that looks up what is revoked.
    #[must_use]
    pub fn looking_up(validator: impl Into<Arc<Validator>>, look_up: Arc<dyn LookUp>) -> Self {
        Self::with(validator.into(), Revoked::LookedUp(look_up))
    }

    fn with(validator: Arc<Validator>, revoked: Revoked) -> Self {
        Self {
            validator,
            revoked,
            realm: REALM.into(),
            exempt: Vec::new(),
            audience: Audience::Any,
        }
    }

    /// Names the realm of its challenges (RFC 9110 §11.5), which is `keyturn` otherwise. Quotes and backslashes, and
    /// what is not ASCII, do not belong in it and are left out.
    #[must_use]
    pub fn realm(mut self, realm: &str) -> Self {
        let plain = |c: &char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\');
        self.realm = realm.chars().filter(plain).collect::<String>().into();
        self
    }

    /// Lets every request for this very path pass, without a look at its credential.
    #[must_use]
    pub fn exempt(mut self, path: &str) -> Self {
        self.exempt.push(path.to_owned());
        self
    }

    /// Takes only tokens that name every audience of the policy, as the issuer does on its own routes: one that was
    /// made for a single API of several does not manage the account.
    #[must_use]
    pub fn every_audience(mut self) -> Self {
        self.audience = Audience::Every;
        self
    }

    /// Takes tokens for the issuer itself as well, as the issuer does where it tells a client of its user.
    #[must_use]
    pub fn or_issuer(mut self) -> Self {
        self.audience = Audience::AnyOrIssuer;
        self
    }

    /// The validator of this gate.
    #[must_use]
    pub fn validator(&self) -> &Arc<Validator> {
        &self.validator
    }

    /// Judges a request's credential, as [`guard`] does.
    ///
    /// # Errors
    /// The refusal: the first fault in the order of the contract, or what the look-up answers instead.
    pub async fn admit(&self, headers: &HeaderMap, now: i64) -> Result<AccessToken, Problem> {
        let refused = |error: TokenError| Problem::refusal(&error, &self.realm);
        let checked = self.check(headers, now).map_err(refused)?;
        let verdict = match &self.revoked {
            Revoked::InMemory(revocations) => revocations.judge(checked.claims(), now),
            Revoked::LookedUp(look_up) => match look_up.judge(checked.claims(), now).await {
                Ok(verdict) => verdict,
                Err(Refused::Token(error)) => return Err(refused(error)),
                Err(Refused::Instead(problem)) => return Err(*problem),
            },
        };
        checked.judge(verdict, now).map_err(refused)
    }

    /// Judges a request's credential, for a handler that is not behind [`guard`] because some of its requests need none.
    ///
    /// # Errors
    /// Those of [`Gate::admit`].
    pub async fn bearer(&self, headers: &HeaderMap, now: i64) -> Result<Bearer, Problem> {
        let token = self.admit(headers, now).await?;
        Ok(Bearer::new(Arc::new(token), Arc::clone(&self.realm)))
    }

    fn check(&self, headers: &HeaderMap, now: i64) -> Result<Checked, TokenError> {
        let token = bearer_of(headers)?;
        match self.audience {
            Audience::Any => self.validator.check(token, now),
            Audience::Every => match self.validator.check_own(token, now) {
                // A client's token is for whom it says; whether it opens this, the look-up says.
                Err(TokenError::WrongAudience) => {
                    let checked = self.validator.check_for_issuer(token, now)?;
                    match checked.claims().client_id {
                        Some(_) => Ok(checked),
                        None => Err(TokenError::WrongAudience),
                    }
                }
                judged => judged,
            },
            Audience::AnyOrIssuer => self.validator.check_for_issuer(token, now),
        }
    }
}

/// The bearer token of a request: [`credential::bearer`] on actix-web's headers.
///
/// # Errors
/// Those of [`credential::bearer`].
pub fn bearer_of(headers: &HeaderMap) -> Result<&str, TokenError> {
    let values = headers.get_all(header::AUTHORIZATION);
    credential::bearer(values.map(header::HeaderValue::as_bytes))
}

/// Middleware that lets requests with a good token pass and answers all others. Handlers behind it take [`Bearer`].
///
/// # Errors
/// Those of the services behind it. A refusal is an answer, not an error, so that middleware around this one can add
/// its headers.
pub async fn guard<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let Some(gate) = req.app_data::<web::Data<Gate>>().cloned() else {
        // Closed by default.
        return Ok(refuse(req, &Problem::internal("no Gate in the app's data")));
    };
    if gate.exempt.iter().any(|path| path == req.path()) {
        return Ok(next.call(req).await?.map_into_left_body());
    }
    // Not while the gate is waited for: what is noted of a request stays with it.
    let now = req
        .extensions()
        .get::<RequestInfo>()
        .map_or_else(clock::now, |info| info.now);
    match gate.bearer(req.headers(), now).await {
        Ok(bearer) => {
            req.extensions_mut().insert(bearer);
            Ok(next.call(req).await?.map_into_left_body())
        }
        Err(problem) => Ok(refuse(req, &problem)),
    }
}

/// The answer of a request that does not pass.
pub(crate) fn refuse<B>(req: ServiceRequest, problem: &Problem) -> ServiceResponse<EitherBody<B>> {
    let response = problem.error_response();
    req.into_response(response).map_into_right_body()
}
