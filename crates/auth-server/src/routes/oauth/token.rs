//! `/oauth/token`, `/oauth/revoke` and `/oauth/par`: what clients ask for themselves.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderName};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use chassis::http::Form;
use serde::Serialize;
use serde_json::json;

use super::answer::{error, refuse};
use super::client_auth::authenticate;
use crate::clients::{Client, ClientKind};
use crate::error::Error;
use crate::log_in::FrontDoor;
use crate::routes::caller::CalledBy;
use crate::sessions::{AppTokens, Sessions};
use crate::sign_on::{PUSHED_SECONDS, Params, SignOn};

/// RFC 6749 §5.1.
#[derive(Serialize)]
struct TokenBody {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_expires_in: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
}

pub(super) type Sent = Result<Form<Vec<(String, String)>>, actix_web::Error>;

/// The parameters of a body, each once.
pub(super) fn params(sent: Sent) -> Result<Params, HttpResponse> {
    let Form(pairs) = sent.map_err(|_| {
        refuse(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "the body is no form of at most 16 KiB",
        )
    })?;
    let params = Params::of_pairs(pairs);
    if let Some(name) = params.twice() {
        // What came is not repeated, but for names that are the standard's own.
        let said = match name {
            "grant_type" | "code" | "client_id" | "client_secret" | "redirect_uri"
            | "refresh_token" | "code_verifier" | "scope" | "token" => {
                format!("{name} came more than once")
            }
            _ => "a parameter came more than once".to_owned(),
        };
        return Err(refuse(StatusCode::BAD_REQUEST, "invalid_request", &said));
    }
    Ok(params)
}

/// The same, and the client that sent them.
fn read(
    request: &HttpRequest,
    sent: Sent,
    sign_on: &SignOn,
    now: i64,
) -> Result<(Params, Arc<Client>), HttpResponse> {
    let params = params(sent)?;
    let client = authenticate(request.headers(), &params, sign_on.clients(), now)?;
    Ok((params, client))
}

pub(super) async fn token(
    request: HttpRequest,
    CalledBy(caller): CalledBy,
    sign_on: Data<SignOn>,
    sessions: Data<Sessions>,
    sent: Sent,
) -> HttpResponse {
    let (params, client) = match read(&request, sent, &sign_on, caller.now) {
        Ok(read) => read,
        Err(refused) => return refused,
    };
    let scope = params.last("scope");
    let missing = |said| Err(Error::InvalidRequest(said));
    let service = client.kind == ClientKind::Service;
    let done = match params.last("grant_type") {
        Some("authorization_code" | "refresh_token") if service => return unauthorized(),
        Some("client_credentials") if !service => return unauthorized(),
        Some("authorization_code") => match params.last("code") {
            None => missing("code is missing"),
            Some(code) => {
                let (redirect, verifier) =
                    (params.last("redirect_uri"), params.last("code_verifier"));
                sessions
                    .exchange_code(code, &client, redirect, verifier, &caller)
                    .await
            }
        },
        Some("refresh_token") => match params.last("refresh_token") {
            None => missing("refresh_token is missing"),
            Some(refresh) => sessions.refresh_app(refresh, &client, scope, &caller).await,
        },
        Some("client_credentials") => {
            // Here nothing is dropped silently: no user sees what became of it.
            let granted = match scope {
                None => Some(client.scopes.join(" ")),
                Some(asked) => {
                    let all = asked.split(' ').all(|word| client.within(word) == word);
                    all.then(|| client.within(asked))
                }
            };
            match granted {
                Some(scope) => sessions.service(&client, scope, &caller).await,
                None => Err(Error::InvalidScope),
            }
        }
        None => missing("grant_type is missing"),
        Some(_) => {
            let said = "grant_type is authorization_code, refresh_token or client_credentials";
            return refuse(StatusCode::BAD_REQUEST, "unsupported_grant_type", said);
        }
    };
    let answered = match done {
        Ok(tokens) => body(tokens, &client, sign_on, caller.now).await,
        Err(error) => Err(error),
    };
    match answered {
        Ok(body) => HttpResponse::Ok()
            .insert_header((CACHE_CONTROL, "no-store"))
            .insert_header((HeaderName::from_static("pragma"), "no-cache"))
            .json(body),
        Err(refused) => error(&refused),
    }
}

async fn body(
    tokens: AppTokens,
    client: &Arc<Client>,
    sign_on: Data<SignOn>,
    now: i64,
) -> Result<TokenBody, Error> {
    let (tokens, id_token) = sign_on
        .into_inner()
        .id_token(tokens, Arc::clone(client), now)
        .await?;
    let (refresh_token, refresh_expires_in) = tokens.refresh.unzip();
    Ok(TokenBody {
        access_token: tokens.access_token,
        token_type: "Bearer",
        expires_in: tokens.expires_in,
        scope: tokens.scope,
        refresh_token,
        refresh_expires_in,
        id_token,
    })
}

fn unauthorized() -> HttpResponse {
    let said = "this kind of client has no use of this grant";
    refuse(StatusCode::BAD_REQUEST, "unauthorized_client", said)
}

/// RFC 7009. Whatever is no token of ours is as good as revoked.
pub(super) async fn revoke(
    request: HttpRequest,
    CalledBy(caller): CalledBy,
    sign_on: Data<SignOn>,
    sessions: Data<Sessions>,
    sent: Sent,
) -> HttpResponse {
    let (params, client) = match read(&request, sent, &sign_on, caller.now) {
        Ok(read) => read,
        Err(refused) => return refused,
    };
    let Some(token) = params.last("token") else {
        return error(&Error::InvalidRequest("token is missing"));
    };
    match sessions.revoke_app(token, &client, &caller).await {
        // Without a content type: some clients refuse any other than JSON.
        Ok(()) => HttpResponse::Ok().finish(),
        Err(refused) => error(&refused),
    }
}

/// RFC 9126.
pub(super) async fn push(
    request: HttpRequest,
    CalledBy(caller): CalledBy,
    sign_on: Data<SignOn>,
    door: Data<FrontDoor>,
    sent: Sent,
) -> HttpResponse {
    let (params, client) = match read(&request, sent, &sign_on, caller.now) {
        Ok(read) => read,
        Err(refused) => return refused,
    };
    // Anybody can speak for a public client, and what he pushes is kept for a while.
    if !client.kind.is_confidential()
        && let Err(refused) = door.pay_for_push(&caller)
    {
        return error(&refused);
    }
    match sign_on.push(params, &client, &caller).await {
        Ok(Ok(name)) => HttpResponse::Created()
            .insert_header((CACHE_CONTROL, "no-store"))
            .json(json!({"request_uri": name, "expires_in": PUSHED_SECONDS})),
        Ok(Err((word, said))) => refuse(StatusCode::BAD_REQUEST, word, &said),
        Err(refused) => error(&refused),
    }
}
