//! Letting web pages call a service (the CORS protocol of the Fetch standard).
//!
//! A middleware of our own: the contract wants the headers on errors of every origin, none below
//! `/internal` and `/metrics`, a fixed list of methods, and `*` without `Vary`. `actix-cors` puts
//! nothing on errors of inner middleware, knows no exempt paths and always varies.

use std::future::{Ready, ready};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::error::InternalError;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::{Error, HttpResponse};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;

use super::CorsOrigins;
use gate::Problem;

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PATCH, DELETE");
/// Any header may come, those that tracing scripts add to every request included: no cookie is read, so what
/// a page can send, anybody can. `*` does not cover `Authorization`, and some browsers do not know `*`.
const HEADERS: HeaderValue = HeaderValue::from_static("Authorization, Content-Type, *");
const EXPOSED: HeaderValue =
    HeaderValue::from_static("act, retry-after, www-authenticate, x-request-id");
const SECONDS: HeaderValue = HeaderValue::from_static("7200");

/// Paths that no web page of another origin has any business with.
const EXEMPT: [&str; 11] = [
    "/internal",
    "/metrics",
    "/account",
    "/demo",
    // Our own forms, which go by a cookie (RFC 9700 §2.6).
    "/oauth/authorize",
    "/oauth/sign-in",
    "/oauth/register",
    "/oauth/forgot",
    "/oauth/consent",
    "/oauth/sign-out",
    "/oauth/logout",
];

/// Where a proxy asks on behalf of a request for somewhere else: a preflight here is one for there, and not ours to answer.
const ASKED_BY_PROXIES: &str = "/verify";

/// Middleware that answers preflights and adds the CORS headers to every answer, errors included.
/// Goes right inside [`finish`](super::finish).
#[must_use]
pub fn cors(allowed: &CorsOrigins) -> Cors {
    Cors {
        allowed: allowed.clone(),
    }
}

/// See [`cors`].
#[derive(Clone, Debug)]
pub struct Cors {
    allowed: CorsOrigins,
}

impl<S, B> Transform<S, ServiceRequest> for Cors
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = CorsService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(CorsService {
            service,
            allowed: Rc::new(self.allowed.clone()),
        }))
    }
}

/// The middleware at work.
#[derive(Debug)]
pub struct CorsService<S> {
    service: S,
    allowed: Rc<CorsOrigins>,
}

impl<S, B> Service<ServiceRequest> for CorsService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Error>>;

    forward_ready!(service);

    fn call(&self, req: ServiceRequest) -> Self::Future {
        let grant = (!is_exempt(req.path())).then(|| Grant::of(&self.allowed, req.headers()));
        if let Some(grant) = &grant
            && is_preflight(&req)
        {
            let mut response = HttpResponse::NoContent().finish();
            grant.answer_preflight(response.headers_mut());
            return Box::pin(ready(Ok(req.into_response(response).map_into_right_body())));
        }
        let called = AssertUnwindSafe(self.service.call(req)).catch_unwind();
        Box::pin(async move {
            // A panic is turned into an error here already, so that it gets the headers too.
            let outcome = called.await.unwrap_or_else(|_| {
                Err(Problem::internal("a handler panicked; the message is on stderr").into())
            });
            match (outcome, grant) {
                (Ok(response), None) => Ok(response.map_into_left_body()),
                (Ok(mut response), Some(grant)) => {
                    grant.mark(response.headers_mut());
                    Ok(response.map_into_left_body())
                }
                (Err(error), None) => Err(error),
                (Err(error), Some(grant)) => {
                    let mut response = error.error_response();
                    grant.mark(response.headers_mut());
                    Err(InternalError::from_response(error, response).into())
                }
            }
        })
    }
}

/// What an answer says about the origin of its request.
struct Grant {
    allowed: Option<HeaderValue>,
    varies: bool,
}

impl Grant {
    fn of(origins: &CorsOrigins, headers: &HeaderMap) -> Self {
        match origins {
            CorsOrigins::Any => Self {
                allowed: Some(HeaderValue::from_static("*")),
                varies: false,
            },
            CorsOrigins::List(_) => {
                let origin = headers.get(header::ORIGIN);
                let listed =
                    |origin: &&HeaderValue| origin.to_str().is_ok_and(|it| origins.allows(it));
                Self {
                    allowed: origin.filter(listed).cloned(),
                    varies: true,
                }
            }
        }
    }

    fn mark(&self, headers: &mut HeaderMap) {
        if self.varies {
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(allowed) = &self.allowed {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed.clone());
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }

    fn answer_preflight(&self, headers: &mut HeaderMap) {
        if self.varies {
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(allowed) = &self.allowed {
            let answer: [(HeaderName, HeaderValue); 4] = [
                (header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed.clone()),
                (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
                (header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS),
                (header::ACCESS_CONTROL_MAX_AGE, SECONDS),
            ];
            for (name, value) in answer {
                headers.insert(name, value);
            }
        }
    }
}

fn is_exempt(path: &str) -> bool {
    let below = |prefix: &str| {
        path.strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    EXEMPT.iter().any(|prefix| below(prefix))
}

fn is_preflight(req: &ServiceRequest) -> bool {
    req.method() == Method::OPTIONS
        && req.path() != ASKED_BY_PROXIES
        && req.headers().contains_key(header::ORIGIN)
        && req
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}
