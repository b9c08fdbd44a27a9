//! Errors as others see them: RFC 9457 problem bodies with the codes of the contract.
//!
//! A problem has an outside, which is all that is sent, and an inside, the cause, which is only
//! logged. The outermost middleware of Keyturn's services writes the request's id into the body and logs the problem once.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, Responder, ResponseError};
use serde::Serialize;
use serde_json::{Map, Value};

use shared::token_error::TokenError;

/// The media type of problem bodies.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The realm of challenges, unless a gate has another.
pub(crate) const REALM: &str = "keyturn";

/// Seconds after which a client may try again, unless somebody knows better.
const RETRY_AFTER: u64 = 1;

/// The header that tells a client to refresh.
pub const ACT: HeaderName = HeaderName::from_static("act");

/// An answer that says what went wrong.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: Option<Cow<'static, str>>,
    reason: Option<&'static str>,
    headers: Vec<(HeaderName, HeaderValue)>,
    members: Option<Box<Map<String, Value>>>,
    cause: Option<Arc<dyn StdError + Send + Sync>>,
}

/// The body, in the order of the contract.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(flatten)]
    members: Option<&'a Map<String, Value>>,
}

impl Problem {
    /// Makes a problem with a code of the contract.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str) -> Self {
        Self {
            status,
            code,
            detail: None,
            reason: None,
            headers: Vec::new(),
            members: None,
            cause: None,
        }
    }

    /// Makes a 500 that keeps its cause to the log.
    #[must_use]
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal").cause(cause)
    }

    /// The problem that fits a bare status.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        let code = match status {
            StatusCode::NOT_FOUND => "not_found",
            StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
            StatusCode::REQUEST_TIMEOUT => "request_timeout",
            StatusCode::PAYLOAD_TOO_LARGE => "body_too_large",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported_media_type",
            StatusCode::TOO_MANY_REQUESTS => "too_many_attempts",
            StatusCode::SERVICE_UNAVAILABLE => "busy",
            status if status.is_server_error() => "internal",
            _ => "invalid_request",
        };
        Self::new(status, code)
    }

    /// Says more, in a sentence for whoever reads the answer. Never a secret, never a cause.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds the member `reason`: why a session ended.
    #[must_use]
    pub fn reason(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    /// Adds members of its own kind (RFC 9457 §3.2), none of which may have the name of a usual one.
    #[must_use]
    pub fn members(mut self, members: Map<String, Value>) -> Self {
        self.members = Some(Box::new(members));
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Says after how many whole seconds to try again.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// Keeps what happened inside, for the log.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.cause = Some(Arc::from(cause.into()));
        self
    }

    /// The member `reason`, if there is one.
    #[must_use]
    pub fn reason_word(&self) -> Option<&'static str> {
        self.reason
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The code of the contract.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The body as it is sent.
    #[must_use]
    pub fn body(&self, request_id: Option<&str>) -> String {
        let body = Body {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: self.code,
            detail: self.detail.as_deref(),
            reason: self.reason,
            request_id,
            members: self.members.as_deref(),
        };
        // JSON of JSON: writing it cannot fail.
        serde_json::to_string(&body).unwrap_or_default()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status.as_u16(), self.code)?;
        if let Some(detail) = &self.detail {
            write!(f, " ({detail})")?;
        }
        Ok(())
    }
}

impl StdError for Problem {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        for header in &self.headers {
            response.append_header(header.clone());
        }
        if self.status == StatusCode::REQUEST_TIMEOUT {
            // Whoever was too slow is not waited for again.
            response.force_close();
        }
        let mut response = response.content_type(PROBLEM_JSON).body(self.body(None));
        complete(response.headers_mut(), self.status);
        response.extensions_mut().insert(self.clone());
        response
    }
}

impl Responder for Problem {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.error_response()
    }
}

/// Adds the headers that every answer of a status has, unless they are there.
pub fn complete(headers: &mut header::HeaderMap, status: StatusCode) {
    let (name, value) = match status {
        StatusCode::UNAUTHORIZED => (
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static(r#"Bearer realm="keyturn", error="invalid_token""#),
        ),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            (header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER))
        }
        _ => return,
    };
    if !headers.contains_key(&name) {
        headers.insert(name, value);
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        Self::refusal(&error, REALM)
    }
}

impl Problem {
    /// The refusal of a token, with a challenge of this realm (RFC 6750 §3). The realm holds no quotes and no
    /// backslashes.
    #[must_use]
    pub fn refusal(error: &TokenError, realm: &str) -> Self {
        if *error == TokenError::RevocationsUnknown {
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, error.code())
                .detail(error.to_string());
        }
        let problem = Self::new(StatusCode::UNAUTHORIZED, error.code())
            .detail(error.to_string())
            .header(header::WWW_AUTHENTICATE, challenge(error, realm));
        match error.act() {
            Some(act) => problem.header(ACT, HeaderValue::from_static(act)),
            None => problem,
        }
    }
}

/// The challenge of RFC 6750 §3: without `error` if no credentials came.
fn challenge(error: &TokenError, realm: &str) -> HeaderValue {
    // The texts are constants without quotes and backslashes.
    let text = match error {
        TokenError::Missing => format!(r#"Bearer realm="{realm}""#),
        error => {
            format!(r#"Bearer realm="{realm}", error="invalid_token", error_description="{error}""#)
        }
    };
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("Bearer"))
}

#[cfg(test)]
mod tests {
    use shared::with_causes;

    use super::*;
    use shared::token_error::Cure;

    fn header<'a>(response: &'a HttpResponse, name: &str) -> Option<&'a str> {
        response
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap())
    }

    #[test]
    fn the_body_has_the_members_of_the_contract() {
        let problem = Problem::new(StatusCode::UNAUTHORIZED, "session_revoked").reason("logout");
        assert_eq!(
            problem.body(Some("r-1")),
            r#"{"type":"about:blank","title":"Unauthorized","status":401,"code":"session_revoked","reason":"logout","requestId":"r-1"}"#
        );
        let problem = Problem::of_status(StatusCode::NOT_FOUND).detail("no such thing");
        assert_eq!(
            problem.body(None),
            r#"{"type":"about:blank","title":"Not Found","status":404,"code":"not_found","detail":"no such thing"}"#
        );
    }

    #[test]
    fn every_401_has_a_challenge_and_is_not_stored() {
        let response =
            Problem::new(StatusCode::UNAUTHORIZED, "invalid_credentials").error_response();
        let challenge = header(&response, "www-authenticate").unwrap();
        assert_eq!(
            challenge,
            r#"Bearer realm="keyturn", error="invalid_token""#
        );
        assert_eq!(header(&response, "cache-control"), Some("no-store"));
    }

    #[test]
    fn every_429_and_503_says_when_to_try_again() {
        let response = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy").error_response();
        assert_eq!(header(&response, "retry-after"), Some("1"));
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts");
        let response = problem.retry_after(30).error_response();
        assert_eq!(header(&response, "retry-after"), Some("30"));
        assert_eq!(response.headers().get_all("retry-after").count(), 1);
    }

    #[test]
    fn faults_of_tokens_have_their_challenge_and_act() {
        let missing = Problem::from(TokenError::Missing).error_response();
        assert_eq!(
            header(&missing, "www-authenticate"),
            Some(r#"Bearer realm="keyturn""#)
        );
        assert_eq!(header(&missing, "act"), None);
        let expired = Problem::from(TokenError::Expired).error_response();
        assert_eq!(
            header(&expired, "www-authenticate"),
            Some(
                r#"Bearer realm="keyturn", error="invalid_token", error_description="the token is over""#
            )
        );
        assert_eq!(header(&expired, "act"), Some("expired"));
        let cure = |cure| Problem::from(TokenError::Revoked(cure)).error_response();
        assert_eq!(header(&cure(Cure::Refresh), "act"), Some("revoked"));
        assert_eq!(header(&cure(Cure::None), "act"), None);
        let unknown = Problem::from(TokenError::RevocationsUnknown).error_response();
        assert_eq!(unknown.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(header(&unknown, "retry-after"), Some("1"));
        assert_eq!(header(&unknown, "www-authenticate"), None);
    }

    #[test]
    fn causes_stay_inside() {
        let problem = Problem::internal("the password of the database");
        assert!(!problem.body(None).contains("password"));
        assert!(with_causes(&problem).contains("password"));
    }
}
