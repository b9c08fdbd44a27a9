//! What bodies may be: JSON, plain, at most 16 KiB.
//!
//! No message repeats anything of a body: it may hold a password.

use std::fmt;
use std::marker::PhantomData;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, ResponseError};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use gate::Problem;

/// Bytes that a body has at most.
pub const LARGEST_BODY: usize = 16 * 1024;

/// Middleware that refuses what can be seen in the head of a request: a body that is announced to
/// be too large (413), or encoded (415), for every endpoint.
///
/// # Errors
/// Those of the services behind it.
pub async fn bounds<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    match judge_head(&req) {
        None => Ok(next.call(req).await?.map_into_left_body()),
        Some(problem) => {
            let response = problem.error_response();
            Ok(req.into_response(response).map_into_right_body())
        }
    }
}

fn judge_head(req: &ServiceRequest) -> Option<Problem> {
    let headers = req.headers();
    let encoded = |value: &header::HeaderValue| !value.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(header::CONTENT_ENCODING).any(encoded) {
        let problem = Problem::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        return Some(problem.detail("bodies are taken without a content encoding only"));
    }
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok());
    let too_large = |length: &str| match length.trim().parse::<usize>() {
        Ok(length) => length > LARGEST_BODY,
        // More digits than a number can have.
        Err(_) => true,
    };
    length.is_some_and(too_large).then(body_too_large)
}

/// A body that is one JSON object, sent as `application/json`, at most 16 KiB; an extractor. Against a handler's
/// `web::Json` it takes no other media type, skips a byte order mark (RFC 8259 §8.1 lets us), and fills nothing from
/// an array, which `serde` would do by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let json = is_json(req);
        let payload = payload.take();
        Box::pin(async move {
            if !json {
                let problem = Problem::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE);
                let detail = "the body must be application/json, and say so in Content-Type";
                return Err(problem.detail(detail).into());
            }
            let body = read(payload).await?;
            let text = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&body);
            let read = serde_json::from_slice::<Object<T>>(text);
            Ok(Self(read.map_err(|error| invalid(fault(&error)))?.0))
        })
    }
}

/// A form as browsers send it, `application/x-www-form-urlencoded`, at most 16 KiB; an extractor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Form<T> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let kind = req.mime_type().ok().flatten();
        let is_form = kind.is_some_and(|kind| {
            kind.essence_str()
                .eq_ignore_ascii_case("application/x-www-form-urlencoded")
        });
        let payload = payload.take();
        Box::pin(async move {
            if !is_form {
                let problem = Problem::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE);
                let detail = "the body must be a form: application/x-www-form-urlencoded";
                return Err(problem.detail(detail).into());
            }
            let body = read(payload).await?;
            // What the parser says may quote the body.
            let fault = || invalid("the form lacks a field, or has one twice".to_owned());
            Ok(Self(
                serde_urlencoded::from_bytes(&body).map_err(|_| fault())?,
            ))
        })
    }
}

/// Some editors and PowerShell write it before UTF-8; it means nothing there.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

fn is_json(req: &HttpRequest) -> bool {
    let kind = req.mime_type().ok().flatten();
    kind.is_some_and(|kind| kind.essence_str().eq_ignore_ascii_case("application/json"))
}

async fn read(mut payload: Payload) -> Result<Vec<u8>, Problem> {
    let mut body = Vec::new();
    while let Some(part) = payload.next().await {
        let part = part.map_err(|error| match error {
            PayloadError::Overflow => body_too_large(),
            _ => invalid("the body could not be read to its end".to_owned()),
        })?;
        if body.len() + part.len() > LARGEST_BODY {
            return Err(body_too_large());
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

fn invalid(detail: String) -> Problem {
    Problem::of_status(StatusCode::BAD_REQUEST).detail(detail)
}

/// Deserializes from a map and nothing else.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_map(ObjectVisitor(PhantomData))
            .map(Object)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

fn body_too_large() -> Problem {
    Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE).detail("a body has at most 16 KiB")
}

/// What is wrong with a body, without a word of it. The names in the first two messages are those
/// of our own fields.
fn fault(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let named = ["missing field `", "duplicate field `"]
        .iter()
        .find_map(|start| {
            let name = text.strip_prefix(start)?.split('`').next()?;
            Some(format!("{start}{name}`"))
        });
    named.unwrap_or_else(|| {
        let (line, column) = (error.line(), error.column());
        if error.is_data() {
            "the body is not the JSON object that this endpoint expects".to_owned()
        } else {
            format!("the body is not valid JSON (line {line}, column {column})")
        }
    })
}
