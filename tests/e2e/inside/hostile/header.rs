//! Algorithms and members of the header.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Workshop;
use crate::rows::*;

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn only_hs256_is_an_algorithm() {
    let w = Workshop::open().await;
    let alg = |alg: Value| w.draft().head("alg", alg);
    judge(&w.app, vec![
        token("HS256", alg(json!("HS256")).sign(), OK),
        token("none, no signature", alg(json!("none")).unsigned() + ".", MALFORMED),
        token("none, with a signature", alg(json!("none")).sign(), MALFORMED),
        token("nOnE", alg(json!("nOnE")).sign(), MALFORMED),
        token("hs256", alg(json!("hs256")).sign(), MALFORMED),
        token("a space behind", alg(json!("HS256 ")).sign(), MALFORMED),
        token("a NUL behind", alg(json!("HS256\0")).sign(), MALFORMED),
        token("HS384 as it should be", alg(json!("HS384")).sign_384(), MALFORMED),
        token("HS512 as it should be", alg(json!("HS512")).sign_512(), MALFORMED),
        token("HS512 signed as HS256", alg(json!("HS512")).sign(), MALFORMED),
        token("HS256 signed as HS512", alg(json!("HS256")).sign_512(), SIGNATURE),
        token("HS256 signed as HS384", alg(json!("HS256")).sign_384(), SIGNATURE),
        token("RS256 signed with the key", alg(json!("RS256")).sign(), MALFORMED),
        token("ES256 signed with the key", alg(json!("ES256")).sign(), MALFORMED),
        token("PS256", alg(json!("PS256")).sign(), MALFORMED),
        token("EdDSA", alg(json!("EdDSA")).sign(), MALFORMED),
        token("dir", alg(json!("dir")).sign(), MALFORMED),
        token("A256KW", alg(json!("A256KW")).sign(), MALFORMED),
        token("the .NET name", alg(json!("http://www.w3.org/2001/04/xmldsig-more#hmac-sha256")).sign(), MALFORMED),
        token("empty", alg(json!("")).sign(), MALFORMED),
        token("null", alg(Value::Null).sign(), MALFORMED),
        token("a number", alg(json!(256)).sign(), MALFORMED),
        token("an array", alg(json!(["HS256"])).sign(), MALFORMED),
        token("an object", alg(json!({"name": "HS256"})).sign(), MALFORMED),
        token("true", alg(json!(true)).sign(), MALFORMED),
        token("absent", w.draft().no_head("alg").sign(), MALFORMED),
        token("in upper case", w.draft().no_head("alg").head("ALG", json!("HS256")).sign(), MALFORMED),
        token("escaped letters", w.draft().header_text(|h| h.replace("\"alg\"", r#""\u0061lg""#)).sign(), OK),
        token("twice", w.draft().header_text(|h| h.replacen('{', r#"{"alg":"HS256","#, 1)).sign(), MALFORMED),
        token("none and HS256", w.draft().header_text(|h| h.replacen('{', r#"{"alg":"none","#, 1)).sign(), MALFORMED),
        token("twice, once escaped", w.draft().header_text(|h| h.replacen('{', r#"{"\u0061lg":"none","#, 1)).sign(), MALFORMED),
    ])
    .await;
}

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn a_key_is_found_by_its_name_alone() {
    let w = Workshop::open().await;
    let kid = |kid: Value| w.draft().head("kid", kid);
    let spelled = |k: &[u8]| URL_SAFE_NO_PAD.encode(k);
    let half = &w.forge.secret[..16];
    judge(&w.app, vec![
        token("the name", kid(json!(w.forge.kid)).sign(), OK),
        token("no name", w.draft().no_head("kid").sign(), OK),
        token("no name, nor typ", w.draft().no_head("kid").no_head("typ").sign(), OK),
        token("the right key under a wrong name", kid(json!("other")).sign(), UNKNOWN_KEY),
        token("an empty name", kid(json!("")).sign(), UNKNOWN_KEY),
        token("the name in another case", kid(json!(swap_case(&w.forge.kid))).sign(), UNKNOWN_KEY),
        token("a number", kid(json!(1)).sign(), MALFORMED),
        token("null", kid(Value::Null).sign(), MALFORMED),
        token("an array", kid(json!([w.forge.kid])).sign(), MALFORMED),
        token("an object", kid(json!({})).sign(), MALFORMED),
        token("true", kid(json!(true)).sign(), MALFORMED),
        token("twice", w.draft().header_text(|h| h.replacen('{', r#"{"kid":"x","#, 1)).sign(), MALFORMED),
        token("the key's spelling as key", w.draft().under(spelled(&w.forge.secret).as_bytes()).sign(), SIGNATURE),
        token("half of the key", w.draft().under(half).sign(), SIGNATURE),
        token("the right key along as jwk", w.draft().head("jwk", json!({"kty": "oct"})).sign(), OK),
        token("a foreign jku beside", w.draft().head("jku", json!("http://evil.example")).sign(), OK),
        token("a jwk that is no object", w.draft().head("jwk", json!(7)).sign(), OK),
        token("an unknown member", w.draft().head("shoe", json!("size")).sign(), OK),
    ])
    .await;
}

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn the_type_is_that_of_an_access_token() {
    let w = Workshop::open().await;
    let typ = |typ: Value| w.draft().head("typ", typ).sign();
    judge(&w.app, vec![
        token("absent", w.draft().no_head("typ").sign(), OK),
        token("JWT", typ(json!("JWT")), OK),
        token("jwt", typ(json!("jwt")), OK),
        token("Jwt", typ(json!("Jwt")), OK),
        token("at+jwt", typ(json!("at+jwt")), OK),
        token("AT+JWT", typ(json!("AT+JWT")), OK),
        token("application/jwt", typ(json!("application/jwt")), OK),
        token("application/at+jwt", typ(json!("application/at+jwt")), OK),
        token("Application/AT+jwt", typ(json!("Application/AT+jwt")), OK),
        token("service+jwt", typ(json!("service+jwt")), MALFORMED),
        token("application/service+jwt", typ(json!("application/service+jwt")), MALFORMED),
        token("JWS", typ(json!("JWS")), MALFORMED),
        token("JWE", typ(json!("JWE")), MALFORMED),
        token("JOSE", typ(json!("JOSE")), MALFORMED),
        token("id_token", typ(json!("id_token")), MALFORMED),
        token("logout+jwt", typ(json!("logout+jwt")), MALFORMED),
        token("dpop+jwt", typ(json!("dpop+jwt")), MALFORMED),
        token("at+jwt and a space", typ(json!("at+jwt ")), MALFORMED),
        token("text/jwt", typ(json!("text/jwt")), MALFORMED),
        token("application/", typ(json!("application/")), MALFORMED),
        token("application/application/jwt", typ(json!("application/application/jwt")), MALFORMED),
        token("empty", typ(json!("")), MALFORMED),
        token("null", typ(Value::Null), MALFORMED),
        token("a number", typ(json!(1)), MALFORMED),
        token("an array", typ(json!(["JWT"])), MALFORMED),
        token("twice", w.draft().header_text(|h| h.replacen('{', r#"{"typ":"JWT","#, 1)).sign(), MALFORMED),
    ])
    .await;
}

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn a_critical_extension_is_never_understood() {
    let w = Workshop::open().await;
    let crit = |crit: Value| w.draft().head("crit", crit);
    judge(&w.app, vec![
        token("exp", crit(json!(["exp"])).sign(), MALFORMED),
        token("b64", crit(json!(["b64"])).head("b64", json!(false)).sign(), MALFORMED),
        token("b64, true", crit(json!(["b64"])).head("b64", json!(true)).sign(), MALFORMED),
        token("alg", crit(json!(["alg"])).sign(), MALFORMED),
        token("none", crit(json!([])).sign(), MALFORMED),
        token("null", crit(Value::Null).sign(), MALFORMED),
        token("text", crit(json!("exp")).sign(), MALFORMED),
        token("false", crit(json!(false)).sign(), MALFORMED),
        token("an object", crit(json!({})).sign(), MALFORMED),
        token("twice", w.draft().header_text(|h| h.replacen('{', r#"{"crit":[],"crit":[],"#, 1)).sign(), MALFORMED),
    ])
    .await;
}

fn swap_case(text: &str) -> String {
    let swapped = text.chars().map(|c| {
        if c.is_ascii_lowercase() {
            c.to_ascii_uppercase()
        } else {
            c.to_ascii_lowercase()
        }
    });
    let swapped: String = swapped.collect();
    // A name of digits alone has no other case.
    if swapped == text {
        format!("{text}X")
    } else {
        swapped
    }
}
