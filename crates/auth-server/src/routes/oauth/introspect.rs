//! `/oauth/introspect` (RFC 7662): what a client or an API may know of a token that it holds.

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderValue, WWW_AUTHENTICATE};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use gate::bearer_of;
use serde::Serialize;
use serde_json::json;

use super::answer::{error, refuse};
use super::client_auth::{authenticate, invalid_client, two_ways};
use super::token::{Sent, params};
use crate::error::Error;
use crate::routes::caller::CalledBy;
use crate::sessions::{Asker, Introspected, Sessions};
use crate::sign_on::{Params, SignOn};

/// RFC 7662 §2.2, of a token that is active.
#[derive(Serialize)]
struct ActiveBody {
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    sid: String,
    aud: Audience,
    iss: String,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    token_type: &'static str,
}

/// As it stands in the token: one as a string, several as an array.
#[derive(Serialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl From<Introspected> for ActiveBody {
    fn from(known: Introspected) -> Self {
        let mut aud = known.aud;
        Self {
            active: true,
            scope: known.scope,
            client_id: known.client,
            sub: known.sub,
            username: known.username,
            sid: known.sid,
            aud: match aud.pop() {
                Some(only) if aud.is_empty() => Audience::One(only),
                last => {
                    aud.extend(last);
                    Audience::Several(aud)
                }
            },
            iss: known.iss,
            exp: known.exp,
            iat: known.iat,
            nbf: known.nbf,
            jti: known.jti,
            token_type: known.token_type,
        }
    }
}

pub(super) async fn introspect(
    request: HttpRequest,
    CalledBy(caller): CalledBy,
    sign_on: Data<SignOn>,
    sessions: Data<Sessions>,
    sent: Sent,
) -> HttpResponse {
    let read = params(sent).and_then(|params| {
        let asker = who_asks(&request, &params, &sign_on, &sessions, caller.now)?;
        Ok((params, asker))
    });
    let (params, asker) = match read {
        Ok(read) => read,
        Err(refused) => return refused,
    };
    let Some(token) = params.last("token") else {
        return error(&Error::InvalidRequest("token is missing"));
    };
    let clients = sign_on.clients();
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CACHE_CONTROL, "no-store"));
    match sessions
        .introspect(token, &asker, clients, caller.now)
        .await
    {
        Ok(Some(known)) => answer.json(ActiveBody::from(known)),
        // One for everything else, without a word on why (RFC 7662 §2.2).
        Ok(None) => answer.json(json!({"active": false})),
        Err(Error::SessionEnded) => invalid_token(),
        Err(refused) => error(&refused),
    }
}

/// Who asks: a service by its access token, or else a client by its secret.
fn who_asks(
    request: &HttpRequest,
    params: &Params,
    sign_on: &SignOn,
    sessions: &Sessions,
    now: i64,
) -> Result<Asker, HttpResponse> {
    let clients = sign_on.clients();
    let headers = request.headers();
    let shown = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    if !shown.is_some_and(names_bearer) {
        let client = authenticate(headers, params, clients, now)?;
        // Anybody can say that he is a public client (RFC 7662 §4).
        if !client.kind.is_confidential() {
            return Err(invalid_client(shown.is_some()));
        }
        return Ok(Asker {
            client,
            session: None,
        });
    }
    if headers.get_all(AUTHORIZATION).count() > 1 || params.last("client_secret").is_some() {
        return Err(two_ways());
    }
    let bearer = bearer_of(headers).ok();
    let id = params.last("client_id");
    bearer
        .and_then(|bearer| sessions.service_of(bearer, clients, now))
        .filter(|asker| id.is_none_or(|id| id == asker.client.id))
        .ok_or_else(invalid_token)
}

fn names_bearer(shown: &[u8]) -> bool {
    let scheme = shown.split(|byte| *byte == b' ').next().unwrap_or_default();
    scheme.eq_ignore_ascii_case(b"bearer")
}

/// RFC 6750 §3.1, the same for every reason.
fn invalid_token() -> HttpResponse {
    let said = "no access token of a service, or not any more";
    let mut answer = refuse(StatusCode::UNAUTHORIZED, "invalid_token", said);
    let challenge = HeaderValue::from_static(r#"Bearer realm="keyturn", error="invalid_token""#);
    answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_is_known_by_its_scheme_in_any_case() {
        for (shown, expected) in [
            ("Bearer x", true),
            ("bEARER x", true),
            ("Bearer", true),
            ("Bearerx y", false),
            ("Basic x", false),
            (" Bearer x", false),
            ("", false),
        ] {
            assert_eq!(names_bearer(shown.as_bytes()), expected, "{shown}");
        }
    }

    #[test]
    fn an_answer_has_the_audience_as_the_token_does_and_no_empty_members() {
        let told = |aud: &[&str]| {
            let known = Introspected {
                scope: None,
                client: None,
                sub: "u".into(),
                username: None,
                sid: "s".into(),
                aud: aud.iter().map(|aud| (*aud).to_owned()).collect(),
                iss: "i".into(),
                exp: 1,
                iat: None,
                nbf: None,
                jti: None,
                token_type: "refresh_token",
            };
            serde_json::to_value(ActiveBody::from(known)).unwrap()
        };
        let expected = json!({
            "active": true, "sub": "u", "sid": "s", "aud": "a", "iss": "i", "exp": 1, "token_type": "refresh_token",
        });
        assert_eq!(told(&["a"]), expected);
        assert_eq!(told(&["a", "b", "c"])["aud"], json!(["a", "b", "c"]));
    }
}
