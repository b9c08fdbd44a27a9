//! Members of the header, and members that come twice.

use super::*;

#[test]
fn the_algorithm_is_hs256_and_nothing_like_it() {
    let algs = [
        json!(null),
        json!("none"),
        json!("None"),
        json!("nOnE"),
        json!("HS384"),
        json!("HS512"),
        json!("RS256"),
        json!("ES256"),
        json!("PS256"),
        json!("EdDSA"),
        json!("hs256"),
        json!("Hs256"),
        json!(""),
        json!(" HS256"),
        json!("HS256\u{0}"),
        json!(["HS256"]),
        json!({"alg": "HS256"}),
        json!(256),
        json!(true),
    ];
    let tokens: Vec<_> = algs
        .iter()
        .map(|alg| with_header(&json!({ "alg": alg })))
        .collect();
    codes(&tokens, "token_malformed");
    codes(
        &[mint(r#"{"alg":null,"kid":"k-1"}"#, &claims().to_string())],
        "token_malformed",
    );
}

#[test]
fn the_typ_says_what_a_token_is_for() {
    for good in [
        json!(null),
        json!("JWT"),
        json!("jwt"),
        json!("at+jwt"),
        json!("AT+JWT"),
        json!("application/at+jwt"),
        json!("Application/JWT"),
        json!("application/jwt"),
    ] {
        codes(&[with_header(&json!({ "typ": good }))], "ok");
    }
    for bad in [
        json!(""),
        json!("service+jwt"),
        json!("application/service+jwt"),
        json!("id+jwt"),
        json!("JWE"),
        json!("JWT "),
        json!("application/"),
        json!("application/application/jwt"),
        json!("appliçation/jwt"),
        json!(1),
        json!(["JWT"]),
        json!({}),
        json!(true),
    ] {
        codes(&[with_header(&json!({ "typ": bad }))], "token_malformed");
    }
    codes(
        &[mint(
            r#"{"alg":"HS256","typ":null,"kid":"k-1"}"#,
            &claims().to_string(),
        )],
        "token_malformed",
    );
}

#[test]
fn critical_extensions_are_refused_whatever_they_are() {
    for crit in [
        json!(["exp"]),
        json!(["b64"]),
        json!([]),
        json!(""),
        json!(false),
        json!({}),
    ] {
        let header = json!({ "crit": crit, "b64": false });
        codes(&[with_header(&header)], "token_malformed");
    }
    let null = r#"{"alg":"HS256","kid":"k-1","crit":null}"#;
    codes(&[mint(null, &claims().to_string())], "token_malformed");
}

#[test]
fn keys_that_a_token_brings_along_are_ignored() {
    let theirs = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(OTHER)});
    let embedded = json!({"jwk": theirs, "jku": "http://evil.example/keys", "x5u": "http://evil.example",
        "x5c": ["AA=="], "x5t": "AA", "x5t#S256": "AA", "cty": "JWT", "zip": "DEF", "foo": {"bar": 1}});
    codes(&[with_header(&embedded)], "ok");
    let header = changed(header(), &embedded).to_string();
    let forged = mint_bytes(header.as_bytes(), claims().to_string().as_bytes(), OTHER);
    codes(&[forged], "token_bad_signature");
}

#[test]
fn a_kid_is_a_string_that_the_ring_knows() {
    for kid in [
        json!(1),
        json!(true),
        json!(["k-1"]),
        json!({"kid": "k-1"}),
        json!(1.5),
    ] {
        codes(&[with_header(&json!({ "kid": kid }))], "token_malformed");
    }
    codes(
        &[mint(r#"{"alg":"HS256","kid":null}"#, &claims().to_string())],
        "token_malformed",
    );
    for kid in ["", "k-2", "K-1", "k-1 ", "k-1\u{0}", "../k-1", "' OR 1=1"] {
        codes(&[with_header(&json!({ "kid": kid }))], "token_unknown_key");
    }
    // The same name, spelt with an escape.
    codes(
        &[mint(
            r#"{"alg":"HS256","kid":"\u006b-1"}"#,
            &claims().to_string(),
        )],
        "ok",
    );
}

#[test]
fn no_member_that_counts_comes_twice() {
    let claims = claims().to_string();
    for header in [
        r#"{"alg":"HS256","alg":"HS256","kid":"k-1"}"#,
        r#"{"alg":"none","alg":"HS256","kid":"k-1"}"#,
        r#"{"alg":"HS256","kid":"k-1","kid":"k-1"}"#,
        r#"{"alg":"HS256","kid":"k-1","typ":"JWT","typ":"JWT"}"#,
        r#"{"alg":"HS256","kid":"k-1","\u0061lg":"HS256"}"#,
    ] {
        codes(&[mint(header, &claims)], "token_malformed");
    }
    let payload = |twice: &str| format!("{{{twice},{}", &claims[1..]);
    for twice in [
        r#""sub":"u-2""#,
        r#""exp":1"#,
        r#""iss":"x""#,
        r#""aud":"x""#,
        r#""sid":"s-2""#,
        r#""nbf":1"#,
        r#""iat":1"#,
        r#""jti":"x""#,
        r#""name":"x""#,
        r#""email":"x""#,
        r#""roles":["admin"]"#,
        r#""s\u0075b":"u-2""#,
        r#""unique_name":"a","unique_name":"b""#,
    ] {
        codes(
            &[mint(&header().to_string(), &payload(twice))],
            "token_malformed",
        );
    }
    codes(
        &[mint(&header().to_string(), &payload(r#""x":1,"x":2"#))],
        "ok",
    );
}
