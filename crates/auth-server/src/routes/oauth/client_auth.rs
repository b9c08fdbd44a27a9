//! Who a client is (RFC 6749 §2.3): by Basic, by its form, or by its id alone if it is public. From memory.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::answer::refuse;
use crate::clients::{Client, Clients};
use crate::sign_on::Params;

/// The client that a request comes from.
///
/// # Errors
/// The answer: 400 for a request that shows two credentials, else 401 `invalid_client`, the same for every reason.
pub(super) fn authenticate(
    headers: &HeaderMap,
    params: &Params,
    clients: &Clients,
    now: i64,
) -> Result<Arc<Client>, HttpResponse> {
    let mut values = headers.get_all(header::AUTHORIZATION);
    let (header, more) = (values.next(), values.next());
    if more.is_some() {
        return Err(two_ways());
    }
    let form_id = params.last("client_id");
    let form_secret = params.last("client_secret");
    let Some(header) = header else {
        return judge(clients, form_id.unwrap_or_default(), form_secret, now)
            .ok_or_else(|| invalid_client(false));
    };
    if form_secret.is_some() {
        return Err(two_ways());
    }
    let Some((id, secret)) = basic(header) else {
        let tried = header.as_bytes().get(..5);
        return Err(invalid_client(
            tried.is_some_and(|word| word.eq_ignore_ascii_case(b"basic")),
        ));
    };
    // Form-encoded before they were joined (RFC 6749 §2.3.1); many clients join them as they are.
    let encoded = unescape(&id).zip(unescape(&secret));
    encoded
        .into_iter()
        .chain([(id, secret)])
        .filter(|(id, _)| form_id.is_none_or(|form_id| form_id == id))
        .find_map(|(id, secret)| {
            let secret = Some(secret.as_str()).filter(|secret| !secret.is_empty());
            judge(clients, &id, secret, now)
        })
        .ok_or_else(|| invalid_client(true))
}

fn judge(clients: &Clients, id: &str, secret: Option<&str>, now: i64) -> Option<Arc<Client>> {
    let client = clients.find(id).filter(|client| !client.blocked)?;
    let good = match secret {
        Some(secret) => client.kind.is_confidential() && client.knows(secret, now),
        None => !client.kind.is_confidential(),
    };
    good.then_some(client)
}

/// Id and secret as they were joined.
fn basic(header: &HeaderValue) -> Option<(String, String)> {
    let text = header.to_str().ok()?;
    let (scheme, credentials) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

fn unescape(text: &str) -> Option<String> {
    if text.contains(['&', '=']) {
        return None;
    }
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(&format!("x={text}")).ok()?;
    pairs.into_iter().next().map(|(_, value)| value)
}

pub(super) fn two_ways() -> HttpResponse {
    refuse(
        StatusCode::BAD_REQUEST,
        "invalid_request",
        "the client shows who it is in one way, not in two (RFC 6749, 2.3)",
    )
}

pub(super) fn invalid_client(basic: bool) -> HttpResponse {
    let mut answer = refuse(
        StatusCode::UNAUTHORIZED,
        "invalid_client",
        "no such client, or not with this secret",
    );
    if basic {
        let challenge = HeaderValue::from_static(r#"Basic realm="keyturn""#);
        answer
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_is_read_as_the_standard_writes_it() {
        let read = |text: &str| basic(&HeaderValue::from_str(text).unwrap());
        let of = |plain: &str| format!("Basic {}", STANDARD.encode(plain));
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(read(&of("app:secret")), pair("app", "secret"));
        assert_eq!(read(&of("app:")), pair("app", ""));
        assert_eq!(unescape("s%3Ax%2B+"), Some("s:x+ ".into()));
        assert_eq!(unescape("a=b"), None);
        assert_eq!(read(&of("app:se:cret")), pair("app", "se:cret"));
        assert_eq!(
            read(&of("app:secret").replace("Basic", "bAsIc")),
            pair("app", "secret")
        );
        for bad in ["Basic", "Basic !", "Bearer x", "Basic YXBw"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
