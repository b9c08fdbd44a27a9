//! What is known of a request from its arrival on.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::header::HeaderName;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use rand::Rng;
use shared::clock;

use crate::problem::Problem;

/// The header of a request's id, in questions and answers.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What is known of a request from its arrival on; an extractor.
#[derive(Clone, Debug)]
pub struct RequestInfo {
    /// The id that the answer carries: the client's, if it is a sane one, or else our own.
    pub id: Arc<str>,
    /// The id that logs and records carry. It begins with one of ours, which nobody chooses, and says what
    /// the client called the request: `OURS`, or `OURS client=THEIRS`.
    pub trace: Arc<str>,
    /// When the request arrived, Unix seconds: the one `now` of everything it does.
    pub now: i64,
}

impl RequestInfo {
    /// Of a request that has just arrived: for the outermost middleware, which notes it in the extensions.
    #[must_use]
    pub fn arriving(req: &ServiceRequest) -> Self {
        let theirs = req
            .headers()
            .get(REQUEST_ID)
            .and_then(|id| id.to_str().ok());
        let theirs = theirs.filter(|id| is_sane(id));
        Self::named(theirs, clock::now())
    }

    /// A request that its client gave this name, or none.
    fn named(theirs: Option<&str>, now: i64) -> Self {
        let ours = fresh_id();
        match theirs {
            Some(theirs) => Self {
                id: theirs.into(),
                trace: format!("{ours} client={theirs}").into(),
                now,
            },
            None => Self {
                id: Arc::clone(&ours),
                trace: ours,
                now,
            },
        }
    }

    /// What is known of a request: what the outermost middleware noted, and without that an id and a time.
    #[must_use]
    pub fn of_request(req: &HttpRequest) -> Self {
        let noted = req.extensions().get::<Self>().cloned();
        noted.unwrap_or_else(|| Self::named(None, clock::now()))
    }
}

impl FromRequest for RequestInfo {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of_request(req)))
    }
}

fn is_sane(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// 128 random bits in hex.
fn fresh_id() -> Arc<str> {
    let mut bits = [0; 16];
    rand::rng().fill_bytes(&mut bits);
    format!("{:032x}", u128::from_be_bytes(bits)).into()
}
