//! Claims that are missing, wrong or of another JSON type.

use serde_json::{Value, json};

use super::Workshop;
use crate::rows::*;

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn issuer_and_audience_are_exactly_ours() {
    let w = Workshop::open().await;
    let iss = |iss: Value| w.draft().claim("iss", iss).sign();
    let aud = |aud: Value| w.draft().claim("aud", aud).sign();
    let (ours, other) = ("http://localhost:5001", "http://localhost:5002");
    judge(&w.app, vec![
        token("no issuer", w.draft().no_claim("iss").sign(), ISSUER),
        token("another issuer", iss(json!("http://localhost:5009")), ISSUER),
        token("a slash behind the issuer", iss(json!("http://localhost:5000/")), ISSUER),
        token("the issuer in upper case", iss(json!("HTTP://LOCALHOST:5000")), ISSUER),
        token("the issuer with a space", iss(json!("http://localhost:5000 ")), ISSUER),
        token("the issuer by https", iss(json!("https://localhost:5000")), ISSUER),
        token("a longer issuer", iss(json!("http://localhost:50001")), ISSUER),
        token("an empty issuer", iss(json!("")), ISSUER),
        token("the issuer in an array", iss(json!(["http://localhost:5000"])), ISSUER),
        token("the issuer among others", iss(json!(["http://localhost:5000", "x"])), ISSUER),
        token("an object as issuer", iss(json!({"iss": "http://localhost:5000"})), ISSUER),
        token("a number as issuer", iss(json!(5000)), ISSUER),
        token("null as issuer", iss(Value::Null), ISSUER),
        token("the audience as issuer", iss(json!(ours)), ISSUER),
        token("no audience", w.draft().no_claim("aud").sign(), AUDIENCE),
        token("another audience", aud(json!(other)), AUDIENCE),
        token("ours in an array", aud(json!([ours])), OK),
        token("ours among others", aud(json!([other, ours])), OK),
        token("others", aud(json!([other, "x"])), AUDIENCE),
        token("an empty array", aud(json!([])), AUDIENCE),
        token("ours and a number", aud(json!([ours, 1])), AUDIENCE),
        token("ours and null", aud(json!([ours, null])), AUDIENCE),
        token("ours, nested", aud(json!([[ours]])), AUDIENCE),
        token("a slash behind the audience", aud(json!(format!("{ours}/"))), AUDIENCE),
        token("a shorter audience", aud(json!("http://localhost:500")), AUDIENCE),
        token("the audience in upper case", aud(json!(ours.to_uppercase())), AUDIENCE),
        token("ours and another in one text", aud(json!(format!("{ours},{other}"))), AUDIENCE),
        token("ours and another with a space", aud(json!(format!("{ours} {other}"))), AUDIENCE),
        token("any audience", aud(json!("*")), AUDIENCE),
        token("an empty audience", aud(json!("")), AUDIENCE),
        token("null as audience", aud(Value::Null), AUDIENCE),
        token("a number as audience", aud(json!(5001)), AUDIENCE),
        token("an object as audience", aud(json!({"aud": ours})), AUDIENCE),
        token("true as audience", aud(json!(true)), AUDIENCE),
        token("the issuer as audience", aud(json!("http://localhost:5000")), AUDIENCE),
        token("the services' own audience", aud(json!("http://localhost:5000/internal")), AUDIENCE),
    ])
    .await;
}

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn times_are_numbers() {
    let w = Workshop::open().await;
    let now = shared::clock::now();
    let exp = |exp: Value| w.draft().claim("exp", exp).sign();
    let nbf = |nbf: Value| w.draft().claim("nbf", nbf).sign();
    let iat = |iat: Value| w.draft().claim("iat", iat).sign();
    let literal = |name: &str, text: &str| {
        let old = w.pair.claims()[name].to_string();
        let member = format!("\"{name}\":");
        w.draft().payload_text(|p| p.replace(&format!("{member}{old}"), &format!("{member}{text}"))).sign()
    };
    judge(&w.app, vec![
        token("no exp", w.draft().no_claim("exp").sign(), MALFORMED),
        token("exp null", exp(Value::Null), MALFORMED),
        token("exp text", exp(json!("tomorrow")), MALFORMED),
        token("exp digits as text, as the seeds wrote it", exp(json!((now + 60).to_string())), MALFORMED),
        token("exp true", exp(json!(true)), MALFORMED),
        token("exp array", exp(json!([now + 60])), MALFORMED),
        token("exp object", exp(json!({"$numberLong": now + 60})), MALFORMED),
        token("exp with a fraction", literal("exp", &format!("{}.5", now + 60)), OK),
        token("exp with an exponent", literal("exp", "1e10"), OK),
        token("exp beyond 64 bits", literal("exp", "99999999999999999999"), MALFORMED),
        token("exp beyond all bounds", literal("exp", "1e300"), MALFORMED),
        token("exp infinite", literal("exp", "1e999"), MALFORMED),
        token("exp 2 to the 63", literal("exp", "9223372036854775807"), MALFORMED),
        token("exp after the year 9999", literal("exp", "253402300800"), MALFORMED),
        token("exp in the year 9999", literal("exp", "253402300799"), OK),
        token("exp in milliseconds", exp(json!((now + 60) * 1000)), MALFORMED),
        token("exp zero", exp(json!(0)), EXPIRED),
        token("exp minus one", exp(json!(-1)), MALFORMED),
        token("exp far below zero", literal("exp", "-1e300"), MALFORMED),
        token("exp long ago", exp(json!(now - 86_400)), EXPIRED),
        token("exp long ago with a fraction", literal("exp", &format!("{}.9", now - 86_400)), EXPIRED),
        token("exp with a zero before", literal("exp", &format!("0{}", now + 60)), MALFORMED),
        token("exp with a plus", literal("exp", &format!("+{}", now + 60)), MALFORMED),
        token("exp in hex", literal("exp", "0xffffffffff"), MALFORMED),
        token("exp NaN", literal("exp", "NaN"), MALFORMED),
        token("exp Infinity", literal("exp", "Infinity"), MALFORMED),
        token("no nbf", w.draft().no_claim("nbf").sign(), OK),
        token("nbf in an hour", nbf(json!(now + 3_600)), EARLY),
        token("nbf beyond all bounds", literal("nbf", "1e300"), MALFORMED),
        token("nbf infinite", literal("nbf", "1e999"), MALFORMED),
        token("nbf in milliseconds", nbf(json!(now * 1000)), MALFORMED),
        token("nbf zero", nbf(json!(0)), OK),
        token("nbf minus one", nbf(json!(-1)), MALFORMED),
        token("nbf null", nbf(Value::Null), MALFORMED),
        token("nbf text", nbf(json!(now.to_string())), MALFORMED),
        token("nbf true", nbf(json!(true)), MALFORMED),
        token("nbf array", nbf(json!([now])), MALFORMED),
        token("no iat", w.draft().no_claim("iat").sign(), OK),
        token("iat in an hour", iat(json!(now + 3_600)), OK),
        token("iat infinite", literal("iat", "1e999"), MALFORMED),
        token("iat minus one", iat(json!(-1)), MALFORMED),
        token("iat text", iat(json!(now.to_string())), MALFORMED),
        token("iat null", iat(Value::Null), MALFORMED),
        token("iat array", iat(json!([now])), MALFORMED),
    ])
    .await;
}

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn claims_that_we_know_have_their_types() {
    let w = Workshop::open().await;
    let set = |name: &str, value: Value| w.draft().claim(name, value).sign();
    let dotnet = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name";
    judge(&w.app, vec![
        token("no sub", w.draft().no_claim("sub").sign(), MALFORMED),
        token("sub empty", set("sub", json!("")), MALFORMED),
        token("sub null", set("sub", Value::Null), MALFORMED),
        token("sub a number", set("sub", json!(1)), MALFORMED),
        token("sub true", set("sub", json!(true)), MALFORMED),
        token("sub an array", set("sub", json!(["x"])), MALFORMED),
        token("sub an object", set("sub", json!({"$ne": null})), MALFORMED),
        token("sid null", set("sid", Value::Null), MALFORMED),
        token("sid a number", set("sid", json!(1)), MALFORMED),
        token("sid an array", set("sid", json!([w.pair.sid()])), MALFORMED),
        token("jti null", set("jti", Value::Null), MALFORMED),
        token("jti a number", set("jti", json!(1)), MALFORMED),
        token("no jti", w.draft().no_claim("jti").sign(), OK),
        token("no name", w.draft().no_claim("name").sign(), OK),
        token("name null", set("name", Value::Null), MALFORMED),
        token("name a number", set("name", json!(1)), MALFORMED),
        token("name an array", set("name", json!(["x"])), MALFORMED),
        token("unique_name a number", set("unique_name", json!(1)), MALFORMED),
        token("the .NET name a number", set(dotnet, json!(1)), MALFORMED),
        token("the .NET name an array", set(dotnet, json!(["x"])), MALFORMED),
        token("no email", w.draft().no_claim("email").sign(), OK),
        token("email null", set("email", Value::Null), MALFORMED),
        token("email a number", set("email", json!(1)), MALFORMED),
        token(
            "no email_verified",
            w.draft().no_claim("email_verified").sign(),
            OK,
        ),
        token(
            "email_verified a string",
            set("email_verified", json!("true")),
            MALFORMED,
        ),
        token("no roles", w.draft().no_claim("roles").sign(), OK),
        token("roles empty", set("roles", json!([])), OK),
        token("roles text", set("roles", json!("admin")), MALFORMED),
        token("roles null", set("roles", Value::Null), MALFORMED),
        token("roles true", set("roles", json!(true)), MALFORMED),
        token("roles an object", set("roles", json!({"admin": true})), MALFORMED),
        token("roles numbers", set("roles", json!([1])), MALFORMED),
        token("roles with null", set("roles", json!(["admin", null])), MALFORMED),
        token("roles nested", set("roles", json!([["admin"]])), MALFORMED),
        token("an unknown claim", set("shoe", json!({"size": [42]})), OK),
    ])
    .await;
}
