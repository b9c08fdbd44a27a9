//! Hostile tokens that anyone can make: spellings of a genuine one, tokens under keys of their own, and
//! credentials that are none, two or of another kind.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use e2e::{Answer, App, Forge};
use serde_json::{Value, json};

use crate::rows::*;

/// The parts of a token.
fn parts(token: &str) -> [&str; 3] {
    let parts: Vec<&str> = token.split('.').collect();
    parts.try_into().unwrap()
}

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn only_the_one_spelling_of_a_token_is_good() {
    let app = App::any().await;
    let (_, pair) = app.newcomer().await;
    let t = pair.access_token.as_str();
    let [h, p, s] = parts(t);
    let (flipped, again) = (flip(s), app.refresh(&pair).await);
    let [_, p2, s2] = parts(&again.access_token);
    judge(&app, vec![
        token("as it came", t, OK),
        token("padded signature", format!("{t}="), MALFORMED),
        token("padded payload", format!("{h}.{p}=.{s}"), MALFORMED),
        token("padded header", format!("{h}=.{p}.{s}"), MALFORMED),
        token("stray bits at the end of the signature", stray_bits(t), MALFORMED),
        token("a fourth part", format!("{t}.{s}"), MALFORMED),
        token("an empty fourth part", format!("{t}."), MALFORMED),
        token("five parts, as a JWE", format!("{t}.{s}.{s}"), MALFORMED),
        token("two parts", format!("{h}.{p}"), MALFORMED),
        token("one part", h, MALFORMED),
        token("only dots", "..", MALFORMED),
        token("one dot", ".", MALFORMED),
        token("no signature", format!("{h}.{p}."), MALFORMED),
        token("no payload", format!("{h}..{s}"), MALFORMED),
        token("no header", format!(".{p}.{s}"), MALFORMED),
        token("a dot before", format!(".{t}"), MALFORMED),
        token("standard alphabet", format!("{h}.{p}.++//{}", &s[4..]), MALFORMED),
        token("percent-encoded dot", t.replace('.', "%2e"), MALFORMED),
        token("quoted", format!("\"{t}\""), MALFORMED),
        token("in angle brackets", format!("<{t}>"), MALFORMED),
        token("an exclamation mark within", format!("{h}.!{p}.{s}"), MALFORMED),
        token("a tab within", format!("{h}.{p}.\t{s}"), MALFORMED),
        token("the signature of another token", format!("{h}.{p}.{s2}"), SIGNATURE),
        token("the payload of another token", format!("{h}.{p2}.{s}"), SIGNATURE),
        token("a flipped bit in the signature", format!("{h}.{p}.{flipped}"), SIGNATURE),
        token("a signature of zeros", format!("{h}.{p}.{}", "A".repeat(43)), SIGNATURE),
        token("a short signature", format!("{h}.{p}.{}", &s[..40]), SIGNATURE),
        token("a long signature", format!("{h}.{p}.{}{s}", &s[..40]), SIGNATURE),
        token("header and payload swapped", format!("{p}.{h}.{s}"), MALFORMED),
        token("the refresh token", &pair.refresh_token, MALFORMED),
        token("nine thousand characters", "x".repeat(9_000), MALFORMED),
        token("a token made long", format!("{t}{}", "A".repeat(9_000)), MALFORMED),
        token("in hex", format!("{:x?}", t.as_bytes()).replace(", ", ""), MALFORMED),
        token("null", "null", MALFORMED),
        token("undefined", "undefined", MALFORMED),
        token("JSON", "{\"alg\":\"none\"}", MALFORMED),
    ])
    .await;
}

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn nobody_signs_with_a_key_of_his_own() {
    let app = App::any().await;
    let (_, pair) = app.newcomer().await;
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts(&pair.access_token)[0]).unwrap()).unwrap();
    let kid = header["kid"].as_str().unwrap();
    let claims = pair.claims();
    let f = Forge::stranger(kid);
    let d = || f.draft(&claims);
    let unnamed = d().no_head("kid");
    let own = json!({"kty": "oct", "kid": kid, "alg": "HS256", "k": URL_SAFE_NO_PAD.encode(&f.secret)});
    judge(&app, vec![
        token("another key under the known name", d().sign(), SIGNATURE),
        token("another key without a name", unnamed.sign(), SIGNATURE),
        token("another key under its own name", d().head("kid", json!("mine")).sign(), UNKNOWN_KEY),
        token("an empty name", d().head("kid", json!("")).sign(), UNKNOWN_KEY),
        token("a path as name", d().head("kid", json!("../../../dev/null")).under(b"").sign(), UNKNOWN_KEY),
        token("SQL as name", d().head("kid", json!("x' UNION SELECT 'k")).under(b"k").sign(), UNKNOWN_KEY),
        token("a URL as name", d().head("kid", json!("http://evil.example/key")).sign(), UNKNOWN_KEY),
        token("a NUL in the name", d().head("kid", json!(format!("{kid}\0"))).sign(), UNKNOWN_KEY),
        token("a space behind the name", d().head("kid", json!(format!("{kid} "))).sign(), UNKNOWN_KEY),
        token("a very long name", d().head("kid", json!("k".repeat(4_000))).sign(), UNKNOWN_KEY),
        token("the empty key", d().under(b"").sign(), SIGNATURE),
        token("the empty key, unnamed", unnamed.clone().under(b"").sign(), SIGNATURE),
        token("32 zeros as key", d().under(&[0; 32]).sign(), SIGNATURE),
        token("the name as key", d().under(kid.as_bytes()).sign(), SIGNATURE),
        token("the seeds' key", d().under(b"1234567890123456").sign(), SIGNATURE),
        token("the seeds' key, unnamed", unnamed.under(b"1234567890123456").sign(), SIGNATURE),
        token("secret", d().under(b"secret").sign(), SIGNATURE),
        token("your-256-bit-secret", d().under(b"your-256-bit-secret").sign(), SIGNATURE),
        token("its key along as jwk", d().head("jwk", own.clone()).sign(), SIGNATURE),
        token("its key along as jwks", d().head("jwks", json!({"keys": [own]})).sign(), SIGNATURE),
        token("its key at jku", d().head("jku", json!("http://evil.example/jwks.json")).sign(), SIGNATURE),
        token("its certificate at x5u", d().head("x5u", json!("http://evil.example/cert")).sign(), SIGNATURE),
        token("its certificate along", d().head("x5c", json!(["MIIB"])).sign(), SIGNATURE),
        token("alg none, no signature", format!("{}.", d().head("alg", json!("none")).unsigned()), MALFORMED),
        token("alg none, a signature", d().head("alg", json!("none")).sign(), MALFORMED),
        token("alg None", format!("{}.", d().head("alg", json!("None")).unsigned()), MALFORMED),
        token("alg NONE", d().head("alg", json!("NONE")).sign(), MALFORMED),
        token("alg nOnE", d().head("alg", json!("nOnE")).sign(), MALFORMED),
        token("alg none, one dot", d().head("alg", json!("none")).unsigned(), MALFORMED),
        token("alg RS256", d().head("alg", json!("RS256")).sign(), MALFORMED),
        token("expired under another key", d().claim("exp", json!(1)).sign(), SIGNATURE),
        token("administrator under another key", d().claim("roles", json!(["admin"])).sign(), SIGNATURE),
        token("no claims under another key", d().raw_payload("{}").sign(), SIGNATURE),
        token("rubbish under another key", d().raw_payload("rubbish").sign(), SIGNATURE),
    ])
    .await;
}

#[tokio::test]
#[rustfmt::skip] // one line a case
async fn exactly_one_bearer_credential_counts() {
    let app = App::any().await;
    let (_, pair) = app.newcomer().await;
    let t = pair.access_token.as_str();
    let good = format!("Bearer {t}");
    let basic = format!("Basic {}", STANDARD_NO_PAD.encode("user:password"));
    judge(&app, vec![
        headers("none", [""; 0], MISSING),
        headers("an empty one", [""], MISSING),
        headers("Bearer in lower case", [format!("bearer {t}")], OK),
        headers("Bearer in upper case", [format!("BEARER {t}")], OK),
        headers("Bearer in some case", [format!("bEaReR {t}")], OK),
        headers("the word alone", ["Bearer"], MALFORMED),
        headers("the token alone", [t], MISSING),
        headers("Basic", [basic.as_str()], MISSING),
        headers("Digest", ["Digest username=\"x\""], MISSING),
        headers("DPoP", [format!("DPoP {t}")], MISSING),
        headers("Token", [format!("Token {t}")], MISSING),
        headers("JWT", [format!("JWT {t}")], MISSING),
        headers("no space", [format!("Bearer{t}")], MISSING),
        headers("a colon", [format!("Bearer: {t}")], MISSING),
        headers("two good ones", [good.as_str(), &good], MALFORMED),
        headers("a good and a bad one", [good.as_str(), "Bearer x"], MALFORMED),
        headers("a bad and a good one", ["Bearer x", good.as_str()], MALFORMED),
        headers("a good one and Basic", [good.as_str(), &basic], MALFORMED),
        headers("Basic and a good one", [basic.as_str(), &good], MALFORMED),
        headers("an empty and a good one", ["", good.as_str()], MALFORMED),
        headers("three", [good.as_str(), &good, &good], MALFORMED),
        headers("two, joined by a comma", [format!("{good}, {good}")], MALFORMED),
        headers("two, joined without a space", [format!("{good},{good}")], MALFORMED),
        headers("two tokens", [format!("{good} {t}")], MALFORMED),
        headers("Basic behind a comma", [format!("{good}, {basic}")], MALFORMED),
        headers("a parameter behind", [format!("{good}; charset=utf-8")], MALFORMED),
        headers("bytes that are no text", [b"Bearer \xff\xfe\xfd".as_slice()], MALFORMED),
        headers("letters of another script", ["Bearer приве́т".as_bytes()], MALFORMED),
        headers("a long other scheme", [format!("Basic {}", "A".repeat(9_000))], MALFORMED),
    ])
    .await;
}

#[tokio::test]
async fn tokens_are_taken_from_the_header_alone() {
    let app = App::any().await;
    let (_, pair) = app.newcomer().await;
    let t = &pair.access_token;
    let me = format!("{}/api/me", app.resource_url);
    for request in [
        app.client.get(format!("{me}?access_token={t}")),
        app.client.get(format!("{me}?token={t}")),
        app.client.get(&me).header(
            "cookie",
            format!("access_token={t}; Authorization=Bearer {t}"),
        ),
        app.client.get(&me).header("x-access-token", t),
        app.client
            .get(&me)
            .header("proxy-authorization", format!("Bearer {t}")),
        app.client
            .get(&me)
            .header("x-forwarded-authorization", format!("Bearer {t}")),
        app.client
            .get(&me)
            .body(format!("access_token={t}"))
            .header("content-type", "application/x-www-form-urlencoded"),
    ] {
        Answer::read(request.send().await.unwrap())
            .await
            .refused(401, MISSING);
    }
}

/// The signature with one bit changed that counts.
fn flip(signature: &str) -> String {
    let with = if signature.starts_with('A') { "B" } else { "A" };
    format!("{with}{}", &signature[1..])
}

/// The same bytes, spelled with a bit in the last character that no byte uses.
fn stray_bits(token: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = ALPHABET.find(&token[token.len() - 1..]).unwrap();
    format!(
        "{}{}",
        &token[..token.len() - 1],
        &ALPHABET[last + 1..=last + 1]
    )
}
