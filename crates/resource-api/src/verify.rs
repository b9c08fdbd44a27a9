//! `/verify`: what a proxy asks before it lets a request through to something that knows no tokens (forward-auth).
//!
//! A proxy asks by the method of the request it holds, or by GET, and acts on the status: 200 passes, everything else
//! does not. The judgement is the gate's, in memory; what the caller must have stands in the query, which the proxy's
//! operator wrote. No header but `Authorization` decides anything: a client could have sent it.

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use gate::{Bearer, Gate, Problem, RequestInfo};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use shared::claims::Claims;

/// `sub`: the user's id, or the client's where a service has a token of its own.
const USER_ID: HeaderName = HeaderName::from_static("x-user-id");
/// The name, in the user's own words; a service has none.
const USER_NAME: HeaderName = HeaderName::from_static("x-user-name");
/// The roles, by commas; absent where there are none.
const USER_ROLES: HeaderName = HeaderName::from_static("x-user-roles");
/// The session's id; absent where the token has none.
const SESSION_ID: HeaderName = HeaderName::from_static("x-session-id");
/// The code of a refusal, for proxies that pass headers on and no body.
const PROBLEM_CODE: HeaderName = HeaderName::from_static("x-problem-code");

/// What a value has instead of itself: all that is no letter and no digit, but for `- . _ ~ : @ /`, which mean nothing
/// in a header. Commas, quotes, blanks, controls and the percent sign are among it, so that nothing ends a value early.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'@')
    .remove(b'/');

/// Judges the request of a proxy, of whatever method; its body is not read.
///
/// # Errors
/// 400 for a query that asks for something unknown, before the token is looked at; else the gate's 401 and 503, and 403
/// where the token lacks what the query asks for. Each has its code in a header as well.
pub(crate) async fn verify(
    req: HttpRequest,
    info: RequestInfo,
    gate: Data<Gate>,
) -> Result<HttpResponse, Problem> {
    let judged = async {
        let needs = Needs::parse(req.uri().query())?;
        // A preflight of CORS carries no token, and names nobody.
        if req.method() == Method::OPTIONS {
            return Ok(HttpResponse::Ok().finish());
        }
        let bearer = gate.bearer(req.headers(), info.now).await?;
        needs.judge(&bearer)?;
        Ok(passes(&bearer.claims))
    };
    judged.await.map_err(|problem: Problem| {
        let code = HeaderValue::from_static(problem.code());
        problem.header(PROBLEM_CODE, code)
    })
}

/// What a token must have to pass: all of it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Needs {
    roles: Vec<String>,
    scopes: Vec<String>,
}

impl Needs {
    /// Reads `role=…&scope=…`, each as often as it comes. Nothing is guessed: a misspelt parameter would protect nothing.
    fn parse(query: Option<&str>) -> Result<Self, Problem> {
        let mut needs = Self::default();
        for parameter in query.into_iter().flat_map(|query| query.split('&')) {
            let (name, value) = parameter
                .split_once('=')
                .ok_or_else(|| invalid("each parameter has a name and a value"))?;
            let value = decoded(value)?;
            match name {
                "role" if is_role(&value) => needs.roles.push(value),
                "scope" if is_scope_word(&value) => needs.scopes.push(value),
                "role" => return Err(invalid("role is empty, or has control characters")),
                "scope" => return Err(invalid("scope is one word; for two, give it twice")),
                _ => return Err(invalid("the only parameters are role and scope")),
            }
        }
        Ok(needs)
    }

    fn judge(&self, bearer: &Bearer) -> Result<(), Problem> {
        self.roles
            .iter()
            .try_for_each(|role| bearer.require_role(role))?;
        self.scopes
            .iter()
            .try_for_each(|scope| bearer.require_scope(scope))
    }
}

/// A value of the query (`application/x-www-form-urlencoded`), in which a lone percent sign is a fault.
fn decoded(value: &str) -> Result<String, Problem> {
    let is_whole = |rest: &str| {
        let mut digits = rest.bytes().take(2).filter(u8::is_ascii_hexdigit);
        digits.next().is_some() && digits.next().is_some()
    };
    let value = value.replace('+', " ");
    if !value.split('%').skip(1).all(is_whole) {
        return Err(invalid("a percent sign comes with two hexadecimal digits"));
    }
    let text = percent_decode_str(&value).decode_utf8();
    let text = text.map_err(|_| invalid("a value is not UTF-8"))?;
    Ok(text.into_owned())
}

/// Whether an account can have a role of this name.
fn is_role(value: &str) -> bool {
    !value.is_empty() && !value.chars().any(char::is_control)
}

/// Whether a scope can have this word (RFC 6749 §3.3).
fn is_scope_word(value: &str) -> bool {
    !value.is_empty()
        && value
            .bytes()
            .all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

fn invalid(detail: &'static str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_request").detail(detail)
}

/// 200, with what upstreams learn of the caller.
fn passes(claims: &Claims) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    let roles: Vec<String> = claims.roles.iter().map(|role| encoded(role)).collect();
    name(&mut response, USER_ID, &encoded(&claims.sub));
    name(&mut response, USER_ROLES, &roles.join(","));
    for (header, value) in [(USER_NAME, &claims.name), (SESSION_ID, &claims.sid)] {
        name(
            &mut response,
            header,
            &encoded(value.as_deref().unwrap_or_default()),
        );
    }
    response.finish()
}

/// Adds a header, unless it would say nothing.
fn name(response: &mut HttpResponseBuilder, header: HeaderName, value: &str) {
    if !value.is_empty() {
        response.insert_header((header, value));
    }
}

/// The value as percent-encoded UTF-8, which is visible ASCII without a comma.
fn encoded(value: &str) -> String {
    utf8_percent_encode(value, ENCODED).to_string()
}

#[cfg(test)]
mod tests;
