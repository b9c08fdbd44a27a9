//! Spellings, headers and signatures: what is a token at all.

use proptest::prelude::*;

use super::*;

fn codes(tokens: &[String], expected: &str) {
    let validator = validator();
    for token in tokens {
        assert_eq!(code(&validator, token, NOW), expected, "{token}");
    }
}

#[test]
fn a_token_has_three_canonical_parts() {
    let good = with_claims(&json!({}));
    let [header, payload, mac] = good.split('.').collect::<Vec<_>>()[..] else {
        panic!("{good}")
    };
    codes(
        &[
            String::new(),
            ".".into(),
            "..".into(),
            "a.b".into(),
            "a.b.c.d".into(),
            "null".into(),
            format!("{header}.{payload}"),
            format!("{header}.{payload}."),
            format!("{header}..{mac}"),
            format!(".{payload}.{mac}"),
            format!("{good}."),
            format!("{good}.{mac}"),
            format!("{good}="),
            format!("{good} "),
            format!(" {good}"),
            format!("{good}\n"),
            format!("{header}=.{payload}.{mac}"),
            format!("{header}.{payload}==.{mac}"),
            format!("{header}.{payload}\n.{mac}"),
            format!("{header}.{payload}.+{}", &mac[1..]),
            format!("{header}.{payload}.é{}", &mac[2..]),
            format!("{good},{good}"),
            "x".repeat(LONGEST),
        ],
        "token_malformed",
    );
}

const LONGEST: usize = 8 * 1024;

#[test]
fn bits_that_are_left_over_make_another_spelling_which_is_refused() {
    let good = with_claims(&json!({}));
    // 43 characters hold 258 bits: the last has two to spare, which must be zero.
    let last = good.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let at = alphabet.find(last).unwrap();
    for twin in &alphabet[at + 1..at + 4].chars().collect::<Vec<_>>() {
        let twin = format!("{}{twin}", &good[..good.len() - 1]);
        codes(&[twin], "token_malformed");
    }
}

#[test]
fn a_token_has_at_most_8_kib() {
    let of_length = |length: usize| {
        let bare = with_claims(&json!({"pad": ""})).len();
        let pad = "x".repeat((length - bare) * 3 / 4);
        with_claims(&json!({ "pad": pad }))
    };
    let (fits, too_long) = (of_length(LONGEST - 4), of_length(LONGEST + 4));
    assert!(fits.len() <= LONGEST && too_long.len() > LONGEST);
    codes(&[fits], "ok");
    codes(&[too_long], "token_malformed");
}

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

#[test]
fn header_and_payload_are_json_objects() {
    for no_object in [
        "",
        " ",
        "null",
        "1",
        "\"x\"",
        "[]",
        "[{}]",
        "{",
        "{}}",
        "{} {}",
        "{\"a\":}",
        "{'alg':'HS256'}",
        "\u{feff}{}",
        "[\"HS256\",null,null,\"k-1\"]",
    ] {
        let payload = claims().to_string();
        codes(&[mint(no_object, &payload)], "token_malformed");
        codes(&[mint(&header().to_string(), no_object)], "token_malformed");
    }
    let not_utf8 = b"{\"alg\":\"HS256\",\"kid\":\"k-1\",\"x\":\"\xff\"}";
    codes(
        &[mint_bytes(
            not_utf8,
            claims().to_string().as_bytes(),
            SECRET,
        )],
        "token_malformed",
    );
    codes(
        &[mint_bytes(
            header().to_string().as_bytes(),
            not_utf8,
            SECRET,
        )],
        "token_malformed",
    );
    codes(
        &[mint(
            &format!(" \t\r\n{} ", header()),
            &format!("\n{}\n", claims()),
        )],
        "ok",
    );
}

#[test]
fn deep_json_is_no_danger() {
    let deep = format!("{}{}", "[".repeat(1_500), "]".repeat(1_500));
    codes(
        &[mint(
            &header().to_string(),
            &format!("{{\"x\":{deep},{}", &claims().to_string()[1..]),
        )],
        "ok",
    );
    codes(
        &[mint(
            &header().to_string(),
            &format!("{{\"roles\":{deep},\"sub\":\"u\"}}"),
        )],
        "token_wrong_issuer",
    );
}

#[test]
fn a_signature_must_be_the_right_one() {
    let good = with_claims(&json!({}));
    let (signed, mac) = good.rsplit_once('.').unwrap();
    let mac = URL_SAFE_NO_PAD.decode(mac).unwrap();
    let with_mac = |mac: &[u8]| format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac));
    codes(
        &[
            sign(signed, OTHER),
            sign(signed, b"\0"),
            with_mac(&mac[..31]),
            with_mac(&mac[..1]),
            with_mac(&[&mac[..], b"\0"].concat()),
            with_mac(&[0; 32]),
            format!("{good}A"),
        ],
        "token_bad_signature",
    );
}

#[test]
fn no_changed_character_goes_unnoticed() {
    let validator = validator();
    let good = with_claims(&json!({}));
    for at in 0..good.len() {
        for other in ["A", "B", "_", ".", "=", " ", "%"] {
            if &good[at..=at] != other {
                let changed = format!("{}{other}{}", &good[..at], &good[at + 1..]);
                assert_ne!(code(&validator, &changed, NOW), "ok", "{changed}");
            }
        }
    }
}

proptest! {
    #[test]
    fn no_changed_byte_goes_unnoticed(at in 0_usize..1_000, byte in any::<u8>()) {
        let mut token = with_claims(&json!({})).into_bytes();
        let at = at % token.len();
        prop_assume!(token[at] != byte);
        token[at] = byte;
        if let Ok(token) = std::str::from_utf8(&token) {
            prop_assert_ne!(code(&validator(), token, NOW), "ok");
        }
    }

    #[test]
    fn nothing_made_up_is_a_token(text in "\\PC*") {
        prop_assert_eq!(code(&validator(), &text, NOW), "token_malformed");
    }

    #[test]
    fn signed_rubbish_does_no_harm(header in any::<Vec<u8>>(), payload in any::<Vec<u8>>()) {
        let known = super::header().to_string();
        prop_assert_ne!(code(&validator(), &mint_bytes(&header, &payload, SECRET), NOW), "ok");
        prop_assert_ne!(code(&validator(), &mint_bytes(known.as_bytes(), &payload, SECRET), NOW), "ok");
    }
}
