//! Tokens with two faults: which one is named. "Expired" and "revoked" make a client refresh, so they are only
//! ever said of a token that is perfect otherwise.

use serde_json::json;

use super::Workshop;
use crate::rows::*;

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn of_two_faults_the_first_in_the_order_of_the_contract_is_named() {
    let w = Workshop::open().await;
    let expired = || w.draft().claim("exp", json!(1_000));
    let elsewhere = json!("http://elsewhere");
    judge(&w.app, vec![
        token("expired alone", expired().sign(), EXPIRED),
        token("expired, another audience", expired().claim("aud", elsewhere.clone()).sign(), AUDIENCE),
        token("expired, another issuer", expired().claim("iss", elsewhere.clone()).sign(), ISSUER),
        token("expired, no issuer", expired().no_claim("iss").sign(), ISSUER),
        token("expired, no audience", expired().no_claim("aud").sign(), AUDIENCE),
        token("expired, no sub", expired().no_claim("sub").sign(), MALFORMED),
        token("expired, roles text", expired().claim("roles", json!("x")).sign(), MALFORMED),
        token("expired, iat text", expired().claim("iat", json!("x")).sign(), MALFORMED),
        token("expired, not valid yet", expired().claim("nbf", json!(9_999_999_999_i64)).sign(), EARLY),
        token("expired, another key", expired().under(&[9; 32]).sign(), SIGNATURE),
        token("expired, unknown key", expired().head("kid", json!("x")).sign(), UNKNOWN_KEY),
        token("expired, HS512", expired().head("alg", json!("HS512")).sign_512(), MALFORMED),
        token("expired, crit", expired().head("crit", json!(["exp"])).sign(), MALFORMED),
        token("expired, a service's", expired().head("typ", json!("service+jwt")).sign(), MALFORMED),
        token("expired, padded", expired().sign() + "=", MALFORMED),
        token("issuer and audience", w.draft().claim("iss", elsewhere.clone()).claim("aud", elsewhere.clone()).sign(), ISSUER),
        token("audience and no sub", w.draft().claim("aud", elsewhere.clone()).no_claim("sub").sign(), AUDIENCE),
        token("issuer and sub a number", w.draft().claim("iss", elsewhere.clone()).claim("sub", json!(1)).sign(), ISSUER),
        token("not valid yet, no sub", w.draft().claim("nbf", json!(9_999_999_999_i64)).no_claim("sub").sign(), MALFORMED),
        token("not valid yet, another audience", w.draft().claim("nbf", json!(9_999_999_999_i64)).claim("aud", elsewhere).sign(), AUDIENCE),
        token("unknown key, HS512", w.draft().head("kid", json!("x")).head("alg", json!("HS512")).sign(), MALFORMED),
        token("unknown key, no JWT", w.draft().head("kid", json!("x")).head("typ", json!("x")).sign(), MALFORMED),
        token("unknown key, payload no JSON", w.draft().head("kid", json!("x")).raw_payload("x").sign(), UNKNOWN_KEY),
        token("another key, payload no JSON", w.draft().raw_payload("x").under(&[9; 32]).sign(), SIGNATURE),
    ])
    .await;
}

#[tokio::test]
async fn an_ended_session_is_named_after_the_token_s_own_faults_and_before_its_end() {
    let w = Workshop::open().await;
    w.app.log_out(&w.pair).await;
    let revoked = sessions(&w, &w.draft().sign())
        .await
        .refused(401, "token_revoked");
    assert_eq!(revoked.act.as_deref(), Some("revoked"));
    let late = sessions(&w, &w.draft().claim("exp", json!(1_000)).sign()).await;
    assert_eq!(
        late.refused(401, "token_revoked").act.as_deref(),
        Some("revoked")
    );
    let elsewhere = sessions(&w, &w.draft().claim("aud", json!("x")).sign()).await;
    assert_eq!(elsewhere.refused(401, AUDIENCE).act, None);
    let early = sessions(&w, &w.draft().claim("nbf", json!(9_999_999_999_i64)).sign()).await;
    assert_eq!(early.refused(401, EARLY).act, None);
}

async fn sessions(w: &Workshop, token: &str) -> e2e::Answer {
    w.app.get("/api/account/sessions", token).await
}
