//! The outermost middleware: ids on the way in, final answers on the way out.
//!
//! Every error becomes a problem body here, those of the framework included, and is logged once.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode, Uri};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, web};
use futures_util::FutureExt;
use gate::Problem;
use gate::problem::{PROBLEM_JSON, complete};
use gate::{REQUEST_ID, RequestInfo};

use shared::with_causes;

use crate::metrics::Metrics;

/// Middleware for the outside of an app: notes id and time of each request, turns every error into
/// a problem body with that id, survives panics, counts and logs. Every answer gets
/// `X-Content-Type-Options: nosniff`, and `Cache-Control: no-store` unless its handler said otherwise.
/// `HEAD` is answered wherever `GET` is.
///
/// # Errors
/// Errors of the services within whose request is gone, a time-out for example. They come with
/// their complete answer.
pub async fn finish<B: MessageBody + 'static>(
    mut req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let started = Instant::now();
    let info = RequestInfo::arriving(&req);
    let asked = Asked {
        id: Arc::clone(&info.id),
        trace: Arc::clone(&info.trace),
        method: req.method().clone(),
        uri: req.uri().clone(),
    };
    let metrics = req.app_data::<web::Data<Metrics>>().cloned();
    req.extensions_mut().insert(info);
    if asked.method == Method::HEAD {
        // RFC 9110 §9.3.2: GET without the content, which the library leaves out by itself.
        req.head_mut().method = Method::GET;
        req.extensions_mut().insert(OnlyHead);
    }

    let outcome = match unwinding(next, req).await {
        Ok(response) if response.status().as_u16() < 400 => {
            let mut response = response.map_into_left_body();
            asked.add_headers(response.headers_mut());
            Ok(response)
        }
        Ok(response) => {
            let (request, response) = response.into_parts();
            Ok(ServiceResponse::new(request, asked.complete(response)))
        }
        Err(error) => Err(asked.answer(error)),
    };
    if let Some(metrics) = metrics {
        let (route, status, code) = match &outcome {
            Ok(response) => (
                response.request().match_pattern(),
                response.status(),
                code(response.response()),
            ),
            Err((response, _)) => (None, response.status(), code(response)),
        };
        let route = route.as_deref().unwrap_or("none");
        metrics.record(route, &asked.method, status, code, started.elapsed());
    }
    outcome.map_err(|(response, error)| InternalError::from_response(error, response).into())
}

/// Marks a request for the head of an answer alone, in its extensions: what acts at a GET does not act for it.
#[derive(Clone, Copy, Debug)]
pub struct OnlyHead;

/// Calls on, and turns a panic into an error, so that the client gets an answer and the connection
/// lives.
pub(super) async fn unwinding<B>(
    next: Next<B>,
    req: ServiceRequest,
) -> Result<ServiceResponse<B>, Error> {
    // Nothing of the request is looked at again after a panic.
    let called = AssertUnwindSafe(async move { next.call(req).await });
    match called.catch_unwind().await {
        Ok(outcome) => outcome,
        Err(_) => Err(Problem::internal("a handler panicked; the message is on stderr").into()),
    }
}

/// What the answer and the log say about the request.
struct Asked {
    id: Arc<str>,
    trace: Arc<str>,
    method: Method,
    uri: Uri,
}

impl Asked {
    /// Gives an answer of status 400 or above its final form.
    fn complete<B>(&self, mut response: HttpResponse<B>) -> HttpResponse<EitherBody<B>> {
        let status = response.status();
        let own = is_json_of_its_own(&response) && response.extensions().get::<Problem>().is_some();
        if !own {
            complete(response.headers_mut(), status);
        }
        if status == StatusCode::METHOD_NOT_ALLOWED {
            allow_head(response.headers_mut());
        }
        self.add_headers(response.headers_mut());
        let noted = response.extensions_mut().remove::<Problem>();
        if own || is_page(&response) {
            let problem = noted.unwrap_or_else(|| Problem::of_status(status));
            self.log(&problem);
            response.extensions_mut().insert(problem);
            return response.map_into_left_body();
        }
        let problem = match noted {
            Some(problem) => problem,
            // A body that somebody chose, like that of a readiness probe.
            None if is_json(&response) => {
                self.log(&Problem::of_status(status));
                return response.map_into_left_body();
            }
            None => bare(&response),
        };
        self.log(&problem);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        headers.remove(header::CONTENT_LENGTH);
        let body = BoxBody::new(problem.body(Some(&self.id)));
        response.extensions_mut().insert(problem);
        response.map_body(|_, _| EitherBody::right(body))
    }

    /// Adds the headers that every answer has.
    fn add_headers(&self, headers: &mut header::HeaderMap) {
        if let Ok(id) = HeaderValue::from_str(&self.id) {
            headers.insert(REQUEST_ID, id);
        }
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        // Most of it is meant for one client alone. A handler may know better.
        if !headers.contains_key(header::CACHE_CONTROL) {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }

    /// Makes the answer to a request that is gone.
    fn answer(&self, error: Error) -> (HttpResponse, Error) {
        let response = error.error_response();
        let response = self.complete(response).map_into_boxed_body();
        (response, error)
    }

    /// One line for each refusal, with what is behind it.
    fn log(&self, problem: &Problem) {
        let level = match problem.status() {
            // A service that is not ready says so by itself and to whoever asks.
            StatusCode::SERVICE_UNAVAILABLE => log::Level::Warn,
            status if status.is_server_error() => log::Level::Error,
            _ => log::Level::Debug,
        };
        if log::log_enabled!(level) {
            let Self {
                trace, method, uri, ..
            } = self;
            let text = with_causes(problem);
            log::log!(level, kind = text.as_str(); "{method} {} [{trace}]: {text}", uri.path());
        }
    }
}

/// Names HEAD among the methods that are allowed where GET is.
fn allow_head(headers: &mut header::HeaderMap) {
    let Some(allowed) = headers.get(header::ALLOW).and_then(|it| it.to_str().ok()) else {
        return;
    };
    let methods = || allowed.split(',').map(str::trim);
    if methods().any(|it| it == "GET")
        && !methods().any(|it| it == "HEAD")
        && let Ok(both) = HeaderValue::try_from(format!("{allowed}, HEAD"))
    {
        headers.insert(header::ALLOW, both);
    }
}

/// The problem of a response that the framework made.
fn bare<B>(response: &HttpResponse<B>) -> Problem {
    let problem = Problem::of_status(response.status());
    match response.error() {
        Some(error) if response.status().is_server_error() => problem.cause(error.to_string()),
        _ => problem,
    }
}

/// A page for people: no library makes one of its own accord.
fn is_page<B>(response: &HttpResponse<B>) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

/// A body in the words of another standard, as OAuth has one for errors.
fn is_json_of_its_own<B>(response: &HttpResponse<B>) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}

fn is_json<B>(response: &HttpResponse<B>) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| {
        let kind = kind.as_bytes();
        kind.starts_with(b"application/json") || kind.starts_with(PROBLEM_JSON.as_bytes())
    })
}

fn code<B>(response: &HttpResponse<B>) -> Option<&'static str> {
    response.extensions().get::<Problem>().map(Problem::code)
}
