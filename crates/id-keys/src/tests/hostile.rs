//! Tokens that are not ours, or not what they say.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::json;

use super::{Algorithm, IdKeys, NotGenuine, ring};
use Algorithm::{Es256, Rs256};
use NotGenuine::{BadSignature, Malformed, UnknownKey};

const HEADER: &str = r#"{"alg":"ES256","typ":"JWT","kid":"test-es256"}"#;
const FORM: NotGenuine = Malformed("a part of the token is empty or not canonical base64url");
const PARTS: NotGenuine = Malformed("the token does not have three parts");
const OBJECT: NotGenuine = Malformed("the header is not one JSON object without duplicates");
const ALG: NotGenuine = Malformed("the alg is not that of the key");
const TYP: NotGenuine = Malformed("the typ is not that of this kind of token");

/// A token that this key really signed, whatever its header says.
fn signed(keys: &IdKeys, algorithm: Algorithm, header: &[u8]) -> String {
    let header = URL_SAFE_NO_PAD.encode(header);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(r#"{"sub":"a"}"#));
    let key = keys.active(algorithm, 0).unwrap();
    let signature = key.material.sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn a_header_in_another_order_is_as_good() {
    let keys = ring();
    let payload = Ok(r#"{"sub":"a"}"#.to_owned());
    let token = signed(&keys, Es256, HEADER.as_bytes());
    assert_eq!(keys.recognise(&token, "JWT"), payload);
    let other = r#" { "kid":"test-rs256", "x5c":[1], "typ":"JWT", "alg":"RS256" } "#;
    let token = signed(&keys, Rs256, other.as_bytes());
    assert_eq!(keys.recognise(&token, "JWT"), payload);
}

#[test]
fn a_header_that_says_something_else_is_refused_under_a_genuine_signature() {
    let keys = ring();
    let es = |from: &str, to: &str| {
        assert!(HEADER.contains(from));
        HEADER.replace(from, to)
    };
    for (header, fault) in [
        (es("ES256", "none"), ALG),
        (es("ES256", "HS256"), ALG),
        (es("ES256", "RS256"), ALG),
        (es("ES256", "es256"), ALG),
        (es("\"ES256\"", "null"), ALG),
        (es("\"alg\":\"ES256\",", ""), ALG),
        (es("JWT", "logout+jwt"), TYP),
        (es("JWT", "jwt"), TYP),
        (es("\"typ\":\"JWT\",", ""), TYP),
        (es("\"JWT\"", "[\"JWT\"]"), TYP),
        (es("test-es256", "test-rs256"), ALG),
        (es("test-es256", "nobody"), UnknownKey),
        (
            es(",\"kid\":\"test-es256\"", ""),
            Malformed("the header has no kid"),
        ),
        (
            es("\"test-es256\"", "7"),
            Malformed("the header has no kid"),
        ),
        (
            es("{", "{\"crit\":[],"),
            Malformed("the header has critical extensions"),
        ),
        (
            es("{", "{\"b64\":false,\"crit\":[\"b64\"],"),
            Malformed("the header has critical extensions"),
        ),
        (es("{", "{\"alg\":\"none\","), OBJECT),
        (es("{", "{\"\\u0061lg\":\"none\","), OBJECT),
        (es("{", "{\"x\":1,\"x\":1,"), OBJECT),
        (es("}", "}{}"), OBJECT),
        ("[\"ES256\",\"JWT\",\"test-es256\"]".to_owned(), OBJECT),
        ("null".to_owned(), OBJECT),
    ] {
        let token = signed(&keys, Es256, header.as_bytes());
        assert_eq!(keys.recognise(&token, "JWT"), Err(fault), "{header}");
    }
    let token = signed(&keys, Es256, b"{\"alg\":\"\xff\"}");
    assert_eq!(keys.recognise(&token, "JWT"), Err(OBJECT));
}

#[test]
fn a_signature_of_anything_else_is_refused() {
    let keys = ring();
    let es = signed(&keys, Es256, HEADER.as_bytes());
    let rs_header = r#"{"alg":"RS256","typ":"JWT","kid":"test-rs256"}"#;
    let rs = signed(&keys, Rs256, rs_header.as_bytes());
    let body = |token: &str| token.rsplit_once('.').unwrap().0.to_owned();
    let signature = |token: &str| token.rsplit_once('.').unwrap().1.to_owned();
    let with =
        |body: &str, signature: &[u8]| format!("{body}.{}", URL_SAFE_NO_PAD.encode(signature));

    // The public key, which everybody has, as a shared secret.
    let jwks = keys.jwks(0);
    let hs_header = r#"{"alg":"HS256","typ":"JWT","kid":"test-rs256"}"#;
    let hs_body = body(&signed(&keys, Rs256, hs_header.as_bytes()));
    for secret in [
        jwks.as_bytes(),
        keys.find("test-rs256").unwrap().numbers().public()[0].1,
    ] {
        let mac = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, secret),
            hs_body.as_bytes(),
        );
        let token = with(&hs_body, mac.as_ref());
        assert_eq!(keys.recognise(&token, "JWT"), Err(ALG));
        let mac = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, secret),
            body(&rs).as_bytes(),
        );
        let token = with(&body(&rs), mac.as_ref());
        assert_eq!(keys.recognise(&token, "JWT"), Err(BadSignature));
    }

    let twisted = {
        let payload = URL_SAFE_NO_PAD.encode(r#"{"sub":"b"}"#);
        let header = es.split('.').next().unwrap();
        format!("{header}.{payload}.{}", signature(&es))
    };
    for token in [
        format!("{}.{}", body(&es), signature(&rs)),
        format!("{}.{}", body(&rs), signature(&es)),
        with(&body(&es), &[0; 64]),
        with(&body(&es), &[0; 63]),
        with(&body(&rs), &[0; 256]),
        with(&body(&rs), &[1]),
        twisted,
    ] {
        assert_eq!(keys.recognise(&token, "JWT"), Err(BadSignature), "{token}");
    }
    let other = IdKeys::parse(super::RING.as_bytes()).unwrap();
    assert!(other.recognise(&es, "JWT").is_ok());
    // The same name in another installation is another key.
    let mut foreign = super::es256_ring().rotate(0, 0, 0).unwrap().keys;
    foreign.keys.remove(0);
    foreign.keys[0].kid = "test-es256".into();
    assert_eq!(foreign.recognise(&es, "JWT"), Err(BadSignature));
}

#[test]
fn a_form_that_is_not_exactly_ours_is_refused() {
    let keys = ring();
    let good = signed(&keys, Es256, HEADER.as_bytes());
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else {
        panic!("three parts");
    };
    // 64 bytes leave four bits over in the last character.
    let last = signature.chars().next_back().unwrap();
    let next = char::from_u32(u32::from(last) + 1).unwrap();
    let trailing = format!("{header}.{payload}.{}{next}", &signature[..85]);
    for (token, fault) in [
        (String::new(), PARTS),
        (header.to_owned(), PARTS),
        (format!("{header}.{payload}"), PARTS),
        (format!("{good}.{signature}"), FORM),
        (format!("{header}.{payload}.{signature}.a.b"), FORM),
        (format!("{header}.{payload}."), FORM),
        (format!(".{payload}.{signature}"), FORM),
        (format!("{header}..{signature}"), FORM),
        ("..".to_owned(), FORM),
        (format!("{good}=="), FORM),
        (format!("{header}=.{payload}.{signature}"), FORM),
        (trailing, FORM),
        (format!("{good}\n"), FORM),
        (format!(" {good}"), FORM),
        (good.replace('.', " . "), FORM),
        (format!("{header}.{payload}+.{signature}"), FORM),
        (format!("{header}.{payload}ü.{signature}"), FORM),
    ] {
        assert_eq!(keys.recognise(&token, "JWT"), Err(fault), "{token}");
    }
    let serialized = json!({"protected": header, "payload": payload, "signature": signature});
    assert_eq!(keys.recognise(&serialized.to_string(), "JWT"), Err(PARTS));
}

#[test]
fn a_token_has_8_kib_at_most() {
    let keys = ring();
    let key = keys.active(Es256, 0).unwrap();
    let of = |bytes: usize| key.sign("JWT", &"x".repeat(bytes)).unwrap();
    let rest = of(1).len() - 4;
    let most = (8192 - rest) * 3 / 4 - 2;
    assert!((8188..=8192).contains(&of(most).len()));
    assert!(keys.recognise(&of(most), "JWT").is_ok());
    let long = Err(Malformed("the token is longer than 8 KiB"));
    assert_eq!(keys.recognise(&of(most + 4), "JWT"), long);
    assert_eq!(keys.recognise(&"a".repeat(10_000_000), "JWT"), long);
}

#[test]
fn a_logout_token_is_no_id_token() {
    let keys = ring();
    let key = keys.active(Rs256, 0).unwrap();
    let token = key.sign("logout+jwt", &json!({})).unwrap();
    assert!(keys.recognise(&token, "logout+jwt").is_ok());
    assert_eq!(keys.recognise(&token, "JWT"), Err(TYP));
}
