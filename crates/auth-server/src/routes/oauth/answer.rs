//! Answers to clients: the redirect or the posted form of an authorization, and the errors of the token endpoint.

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpResponse, ResponseError};
use gate::Problem;
use pages::{FORM_POST_SCRIPT_SOURCE, FormPost, Language};
use reqwest::Url;
use serde_json::json;

use crate::error::Error;
use crate::routes::html::{Hosted, html_under, redirect};
use crate::sign_on::Refusal;

/// Sends an authorization's answer to its client: `fields`, then `state` and `iss` (RFC 9207).
///
/// A redirect without a fragment gets an empty one, or the browser would carry over what stood in ours (RFC 9700
/// §4.1.3).
pub(super) fn to_client(
    refusal: &Refusal,
    fields: &[(&str, &str)],
    issuer: &str,
    hosted: &Hosted,
    language: Language,
) -> HttpResponse {
    let Refusal::Client {
        redirect_uri,
        state,
        form_post,
    } = refusal
    else {
        return Problem::internal("an answer to nobody").error_response();
    };
    let mut all = fields.to_vec();
    if let Some(state) = state {
        all.push(("state", state));
    }
    all.push(("iss", issuer));
    if *form_post && let Some(origin) = form_target(redirect_uri) {
        let page = FormPost {
            look: hosted.look(language),
            action: redirect_uri,
            fields: &all,
        };
        let policy = format!(
            "default-src 'none'; style-src 'self'; script-src {FORM_POST_SCRIPT_SOURCE}; form-action {origin}; \
             base-uri 'none'; frame-ancestors 'none'"
        );
        return html_under(&policy, &page, StatusCode::OK, None);
    }
    let query = serde_urlencoded::to_string(&all).unwrap_or_default();
    let mark = if redirect_uri.contains('?') { '&' } else { '?' };
    redirect(StatusCode::FOUND, &format!("{redirect_uri}{mark}{query}#_"))
}

/// What a policy calls the place that a form is posted to; `None` for what is no place on the web.
fn form_target(redirect_uri: &str) -> Option<String> {
    let url = Url::parse(redirect_uri).ok()?;
    match url.host_str() {
        // A policy has no words for them (CSP 3 §2.3.1).
        Some(host) if host.starts_with('[') => Some(format!("{}:", url.scheme())),
        Some(_) if ["http", "https"].contains(&url.scheme()) => {
            Some(url.origin().ascii_serialization())
        }
        _ => None,
    }
}

/// An error of the token endpoint (RFC 6749 §5.2): the RFC's word, and ours in `code`.
pub(super) fn error(refused: &Error) -> HttpResponse {
    let problem = Problem::from(refused);
    let (status, word) = match problem.status() {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            (problem.status(), "temporarily_unavailable")
        }
        status if status.is_server_error() => (status, "server_error"),
        _ if matches!(refused, Error::InvalidClient) => (problem.status(), "invalid_client"),
        _ => (
            StatusCode::BAD_REQUEST,
            match refused {
                Error::InvalidRequest(_) => "invalid_request",
                Error::InvalidScope => "invalid_scope",
                _ => "invalid_grant",
            },
        ),
    };
    let description = if status.is_server_error() {
        "the server cannot answer this now".to_owned()
    } else {
        refused.to_string()
    };
    let mut body = json!({
        "error": word,
        "error_description": description,
        "code": problem.code(),
    });
    if let (Some(reason), Some(body)) = (problem.reason_word(), body.as_object_mut()) {
        body.insert("reason".into(), reason.into());
    }
    let mut answer = HttpResponse::build(status);
    match refused {
        Error::TooManyAttempts(seconds) => {
            answer.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        _ if status == StatusCode::SERVICE_UNAVAILABLE => {
            answer.insert_header((header::RETRY_AFTER, "1"));
        }
        _ => {}
    }
    let mut answer = answer
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(body);
    answer.extensions_mut().insert(problem);
    answer
}

/// The same for what no rule of ours is about.
pub(super) fn refuse(status: StatusCode, word: &'static str, description: &str) -> HttpResponse {
    let mut answer = HttpResponse::build(status)
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(json!({"error": word, "error_description": description, "code": word}));
    answer
        .extensions_mut()
        .insert(Problem::new(status, word).detail(description.to_owned()));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_posted_answer_goes_to_the_origin_of_its_address_alone() {
        for (uri, expected) in [
            ("https://app.example/cb?x=1", Some("https://app.example")),
            (
                "https://app.example:8443/cb",
                Some("https://app.example:8443"),
            ),
            ("http://127.0.0.1:7/cb", Some("http://127.0.0.1:7")),
            ("http://[::1]:7/cb", Some("http:")),
            ("com.example.app:/cb", None),
        ] {
            assert_eq!(form_target(uri).as_deref(), expected, "{uri}");
        }
    }
}
