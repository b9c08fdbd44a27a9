//! `/internal/revocations`: what ended, for the services that judge tokens.

use std::time::Duration;

use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use gate::{Gate, RequestInfo, bearer_of};
use serde::Deserialize;
use shared::clock;
use shared::feed::{self, SIGNATURE, is_nonce};
use shared::token::Signer;

use crate::error::Error;
use crate::feed::RevocationFeed;

/// Seconds that a question may wait for news, at most; what it waits when it does not say.
const LONGEST_WAIT: u64 = 30;
const USUAL_WAIT: u64 = 20;

#[derive(Deserialize)]
pub(super) struct Question {
    after: Option<String>,
    wait: Option<u64>,
    nonce: Option<String>,
}

pub(super) async fn revocations(
    request: HttpRequest,
    feed: Data<RevocationFeed>,
    gate: Data<Gate>,
    signer: Data<Signer>,
    question: Query<Question>,
) -> Result<HttpResponse, Error> {
    gate.validator().check_service(
        bearer_of(request.headers())?,
        RequestInfo::of_request(&request).now,
    )?;
    let Question { after, wait, nonce } = question.into_inner();
    // Followers of an earlier version send none, and look at no signature.
    let nonce = nonce.unwrap_or_default();
    if !is_nonce(&nonce) {
        return Err(Error::InvalidRequest(
            "nonce is not made of up to 128 letters, digits, - and _",
        ));
    }
    let after = after.unwrap_or_default();
    let cursor = Some(after.as_str()).filter(|cursor| !cursor.is_empty());
    let wait = Duration::from_secs(wait.unwrap_or(USUAL_WAIT).min(LONGEST_WAIT));
    let body = feed.news(cursor, wait).await?;
    let asked = feed::Question {
        nonce: &nonce,
        after: &after,
    };
    // Not the time at which the question came, which may have waited.
    let signature = signer.sign_answer(asked, &body, clock::now())?;
    Ok(HttpResponse::Ok()
        .insert_header(("cache-control", "no-store"))
        .insert_header((SIGNATURE, signature))
        .content_type("application/json")
        .body(body))
}
