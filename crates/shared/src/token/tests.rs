//! The table of codes, row by row, and the order in which the rows are judged.

mod forms;
mod headers;
mod order;
mod rings;
mod values;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::*;
use crate::keys::KeyRing;
use crate::token::NewToken;

pub(super) const NOW: i64 = 1_800_000_000;
pub(super) const SKEW: i64 = 300;
pub(super) const KID: &str = "k-1";
pub(super) const SECRET: &[u8] = b"\x8a\x01kX\xb3\xee\x90\x17\x5c\xd2\x00\x00\x7f\x31\xa4\xf9\x0b\x66\xc8\xd3\x29\x9e\x54\x12\xfd\x87\x3c\x40\xbe\xa1\x6d\xe5";
pub(super) const OTHER: &[u8] = b"\x11\x9f\x42\xe0\x57\x6b\xcc\x03\x98\xd1\x2e\x75\xa9\x30\xfe\x84\x1d\xb7\x69\x5a\xc2\x0f\xe3\x48\x91\x26\xdd\x7a\x34\xbf\x60\x8c";

pub(super) fn policy() -> Policy {
    Policy {
        issuer: "http://localhost:5000".into(),
        audiences: vec![
            "http://localhost:5001".into(),
            "http://other.example".into(),
        ],
        skew: SKEW,
    }
}

/// A key as the ring's file holds it.
pub(super) fn entry(kid: &str, secret: &[u8], members: &Value) -> Value {
    let mut entry = json!({
        "kty": "oct", "kid": kid, "alg": "HS256", "sign_from": 0,
        "k": URL_SAFE_NO_PAD.encode(secret),
    });
    let members = members.as_object().unwrap().clone();
    entry.as_object_mut().unwrap().extend(members);
    entry
}

pub(super) fn validator_of(ring: &Value) -> Validator {
    let ring = KeyRing::parse(ring.to_string().as_bytes()).unwrap();
    Validator::new(KeyFile::fixed(ring), policy())
}

/// One active key, `KID`.
pub(super) fn validator() -> Validator {
    validator_of(&json!({"keys": [entry(KID, SECRET, &json!({}))]}))
}

/// Signs whatever it is given.
pub(super) fn mint_bytes(header: &[u8], payload: &[u8], secret: &[u8]) -> String {
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    );
    sign(&signed, secret)
}

/// Adds a signature to two parts as they stand.
pub(super) fn sign(signed: &str, secret: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(signed.as_bytes());
    format!(
        "{signed}.{}",
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    )
}

pub(super) fn mint(header: &str, payload: &str) -> String {
    mint_bytes(header.as_bytes(), payload.as_bytes(), SECRET)
}

pub(super) fn header() -> Value {
    json!({"alg": "HS256", "typ": "JWT", "kid": KID})
}

pub(super) fn claims() -> Value {
    json!({
        "iss": "http://localhost:5000", "aud": "http://localhost:5001", "sub": "u-1",
        "sid": "s-1", "jti": "t-1", "iat": NOW, "nbf": NOW, "exp": NOW + 300,
        "name": "Ada", "email": "ada@example.com", "roles": ["admin"],
    })
}

/// A token with some claims changed; `null` here takes a claim away.
pub(super) fn with_claims(changes: &Value) -> String {
    mint(
        &header().to_string(),
        &changed(claims(), changes).to_string(),
    )
}

/// A token with some members of the header changed; `null` here takes a member away.
pub(super) fn with_header(changes: &Value) -> String {
    mint(
        &changed(header(), changes).to_string(),
        &claims().to_string(),
    )
}

pub(super) fn changed(mut object: Value, changes: &Value) -> Value {
    let members = object.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    object
}

/// Everything a gate does, with nothing revoked.
pub(super) fn admit(
    validator: &Validator,
    token: &str,
    now: i64,
) -> Result<AccessToken, TokenError> {
    validator.check(token, now)?.judge(Verdict::Live, now)
}

/// The code of a refusal, or `ok`.
pub(super) fn code(validator: &Validator, token: &str, now: i64) -> &'static str {
    admit(validator, token, now).map_or_else(|error| error.code(), |_| "ok")
}

pub(super) fn new_token(roles: &[String]) -> NewToken<'_> {
    NewToken {
        sub: "u-1",
        sid: "s-1",
        jti: "t-1",
        iat: NOW,
        nbf: NOW,
        exp: NOW + 300,
        name: "Ada \"the\" Ä",
        email: "ada@example.com",
        email_verified: true,
        roles,
    }
}

pub(super) fn signer(validator: &Validator) -> Signer {
    Signer::new(Arc::clone(validator.keys()), policy())
}

/// Judges many tokens that all meet the same end.
pub(super) fn codes(tokens: &[String], expected: &str) {
    let validator = validator();
    for token in tokens {
        assert_eq!(code(&validator, token, NOW), expected, "{token}");
    }
}
