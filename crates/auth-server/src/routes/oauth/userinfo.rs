//! `/oauth/userinfo`: what a scope lets a client know of its user (OIDC Core §5.3).

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderMap, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, http::header};
use chassis::http::Form;
use futures_util::future::LocalBoxFuture;
use gate::{Gate, LookUp, Problem, Refused, RequestInfo};
use serde::Serialize;
use shared::claims::Claims;
use shared::revocations::Verdict;
use shared::token_error::{Cure, TokenError};

use crate::clients::{OPENID, has_word};
use crate::error::Error;
use crate::sessions::Sessions;
use crate::sign_on::UserClaims;

/// The gate of this endpoint: for the tokens of clients, be they for the issuer alone.
pub(crate) struct UserinfoGate(pub(crate) Gate);

/// Whether the session of a token lives, whosever it is.
pub(crate) struct AnyLiveSession(pub(crate) Arc<Sessions>);

impl LookUp for AnyLiveSession {
    fn judge<'a>(
        &'a self,
        claims: &'a Claims,
        _now: i64,
    ) -> LocalBoxFuture<'a, Result<Verdict, Refused>> {
        Box::pin(async move {
            let sid = claims.sid.as_deref().and_then(|sid| sid.parse().ok());
            let sid = sid.ok_or(TokenError::Malformed("the token names no session"))?;
            let found = self.0.find(sid).await;
            let found = found.map_err(|error: Error| Problem::from(&error))?;
            let live = found.is_some_and(|found| found.session.ended.is_none());
            Ok(if live {
                Verdict::Live
            } else {
                Verdict::Revoked(Cure::Refresh)
            })
        })
    }
}

#[derive(Serialize)]
struct UserinfoBody<'a> {
    sub: String,
    #[serde(flatten)]
    user: UserClaims<'a>,
}

pub(super) async fn by_header(
    request: HttpRequest,
    info: RequestInfo,
    gate: Data<UserinfoGate>,
    sessions: Data<Sessions>,
) -> Result<HttpResponse, Problem> {
    answer(request.headers(), &info, &gate, &sessions).await
}

/// The token may be in the form instead (RFC 6750 §2.2), but not in both places.
pub(super) async fn by_form(
    request: HttpRequest,
    info: RequestInfo,
    gate: Data<UserinfoGate>,
    sessions: Data<Sessions>,
    sent: Result<Form<Vec<(String, String)>>, actix_web::Error>,
) -> Result<HttpResponse, Problem> {
    let pairs = sent.map(|Form(pairs)| pairs).unwrap_or_default();
    let mut tokens = pairs.iter().filter(|(name, _)| name == "access_token");
    let Some((_, token)) = tokens.next() else {
        return answer(request.headers(), &info, &gate, &sessions).await;
    };
    if tokens.next().is_some() || request.headers().contains_key(AUTHORIZATION) {
        let problem = Problem::new(StatusCode::BAD_REQUEST, "invalid_request");
        return Err(problem.detail("the token comes once, in the header or in the form"));
    }
    let mut headers = HeaderMap::new();
    if let Ok(bearer) = HeaderValue::try_from(format!("Bearer {token}")) {
        headers.insert(AUTHORIZATION, bearer);
    }
    answer(&headers, &info, &gate, &sessions).await
}

async fn answer(
    headers: &HeaderMap,
    info: &RequestInfo,
    gate: &UserinfoGate,
    sessions: &Sessions,
) -> Result<HttpResponse, Problem> {
    let token = gate.0.admit(headers, info.now).await?;
    let scope = token.claims.scope.clone().unwrap_or_default();
    if !has_word(&scope, OPENID) {
        // The user's own session has no scope: this is for clients.
        let challenge = HeaderValue::from_static(
            r#"Bearer realm="keyturn", error="insufficient_scope", scope="openid""#,
        );
        let problem = Problem::new(StatusCode::FORBIDDEN, "insufficient_scope")
            .detail("this wants a client's token with the scope openid");
        return Err(problem.header(header::WWW_AUTHENTICATE, challenge));
    }
    let id = token.claims.sid.as_deref().and_then(|sid| sid.parse().ok());
    let found = match id {
        Some(id) => sessions.find(id).await.map_err(|e| Problem::from(&e))?,
        None => None,
    };
    let account = found.and_then(|found| found.account);
    let account = account.ok_or_else(|| Problem::from(&Error::SessionEnded))?;
    let body = UserinfoBody {
        sub: account.id.to_string(),
        user: UserClaims::of(&account, &scope),
    };
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(body))
}
