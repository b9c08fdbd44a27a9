//! Access tokens: most cases are signed with a good key, so that the judges behind the MAC get work.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use shared::key_file::KeyFile;
use shared::keys::KeyRing;
use shared::revocations::Verdict;
use shared::token::{Policy, Validator};
use shared::token_error::TokenError;

use super::{Target, seeds};
use crate::json::Members;
use crate::{Dice, bytes, json};

/// When the cases happen; the samples' `exp` lies a little after it.
const NOW: i64 = 1_800_000_000;
const SKEW: i64 = 300;
const ISSUER: &str = "http://localhost:5000";
const AUDIENCE: &str = "http://localhost:5001";

/// Active, retiring, retired and revoked, in the order of `SECRETS`.
const KIDS: [&str; 4] = ["active", "retiring", "retired", "revoked"];

pub(super) struct Token {
    /// Pairs of header and payload, a line each.
    samples: Vec<(Vec<u8>, Vec<u8>)>,
    texts: Vec<Vec<u8>>,
    validator: Validator,
}

fn secret(of: usize) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"fuzz").expect("any length");
    mac.update(&of.to_be_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// The ring that the samples are signed under.
pub(super) fn ring() -> KeyRing {
    let key = |at: usize, more: &str| {
        let k = URL_SAFE_NO_PAD.encode(secret(at));
        let kid = KIDS.get(at).expect("a kid");
        format!(r#"{{"kty":"oct","kid":"{kid}","alg":"HS256","k":"{k}","sign_from":{more}}}"#)
    };
    let text = format!(
        r#"{{"keys":[{},{}],"former":[{},{}]}}"#,
        key(0, "1799999000"),
        key(1, r#"1,"verify_until":1800004400"#),
        key(
            2,
            r#"1,"verify_until":2,"state":"retired","since":1799990000"#
        ),
        key(3, r#"1,"state":"revoked","since":1799990000"#),
    );
    KeyRing::parse(text.as_bytes()).expect("the fuzzer's ring")
}

pub(super) fn validator() -> Validator {
    let policy = Policy {
        issuer: ISSUER.into(),
        audiences: vec![AUDIENCE.into()],
        skew: SKEW,
    };
    Validator::new(KeyFile::fixed(ring()), policy)
}

fn mac(secret: &[u8], input: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length");
    mac.update(input.as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

/// Signs with the key that the header names, or the first.
pub(super) fn sign(header: &[u8], payload: &[u8], key: usize) -> String {
    let input = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    );
    format!("{input}.{}", mac(&secret(key), &input))
}

pub(super) fn samples() -> Vec<(Vec<u8>, Vec<u8>)> {
    let split = |text: Vec<u8>| {
        let at = text
            .iter()
            .position(|byte| *byte == b'\n')
            .expect("two lines");
        let (header, payload) = text.split_at(at);
        (header.to_vec(), payload.trim_ascii().to_vec())
    };
    seeds("token").into_iter().map(split).collect()
}

impl Token {
    pub(super) fn new() -> Self {
        let samples = samples();
        let texts = samples
            .iter()
            .flat_map(|(header, payload)| [header.clone(), payload.clone()])
            .collect();
        Self {
            samples,
            texts,
            validator: validator(),
        }
    }

    fn draft(&self, dice: &mut Dice) -> String {
        let (mut header, mut payload) = dice.pick(&self.samples).clone();
        let part = if dice.one_in(3) {
            &mut header
        } else {
            &mut payload
        };
        match dice.below(5) {
            0 => {}
            1 => bytes::mutate(part, &self.texts, dice),
            _ => json::mutate(part, dice),
        }
        // The key that the header names, mostly: then the MAC is good.
        let named = serde_json::from_slice::<Value>(&header).ok();
        let named = named
            .as_ref()
            .and_then(|header| header.get("kid")?.as_str());
        let key = KIDS.iter().position(|kid| Some(*kid) == named);
        let key = key
            .filter(|_| !dice.one_in(20))
            .unwrap_or_else(|| dice.below(4));
        let mut token = sign(&header, &payload, key);
        if dice.one_in(6) {
            let mut text = token.into_bytes();
            bytes::mutate(&mut text, &[], dice);
            token = String::from_utf8_lossy(&text).into_owned();
        }
        token
    }
}

impl Target for Token {
    fn name(&self) -> &'static str {
        "token"
    }

    fn case(&mut self, dice: &mut Dice) -> String {
        let token = self.draft(dice);
        let now = NOW + *dice.pick(&[0, 0, 0, 599, 600, -301, 100_000, i64::MAX - NOW, i64::MIN]);
        let recognised = self.validator.recognise(&token);
        let service = self.validator.check_service(&token, now);
        assert!(
            recognised.is_err() || service.is_err(),
            "two kinds at once: {token}"
        );
        if recognised.is_ok() {
            assert_signed(&token);
        }
        let checked = match self.validator.check(&token, now) {
            Ok(checked) => checked,
            Err(error) => return refused(&error),
        };
        assert_perfect(&token, now);
        assert!(recognised.is_ok(), "accepted but not recognised: {token}");
        let claims = checked.claims().clone();
        match checked.judge(Verdict::Live, now) {
            Ok(good) => {
                let payload = assert_signed(&token);
                assert_eq!(good.payload.as_bytes(), payload, "the payload as it stands");
                assert!(
                    now < claims.exp.saturating_add(SKEW),
                    "over, and accepted: {token}"
                );
                let kid = kid(&token);
                assert!(
                    kid.is_none_or(|kid| kid == "active" || kid == "retiring"),
                    "accepted under a former key: {token}"
                );
                "ok".into()
            }
            Err(error) => refused(&error),
        }
    }
}

fn refused(error: &TokenError) -> String {
    let act = matches!(error.code(), "token_expired" | "token_revoked");
    assert_eq!(error.act().is_some(), act, "{error:?}");
    error.code().to_owned()
}

fn header(token: &str) -> Members {
    let part = token.split('.').next().unwrap_or_default();
    let header = URL_SAFE_NO_PAD
        .decode(part)
        .expect("the header of an accepted token");
    serde_json::from_slice(&header).expect("an object")
}

fn kid(token: &str) -> Option<String> {
    let kid = header(token).one("kid")?;
    Some(kid.as_str().expect("a string").to_owned())
}

/// What everything that is accepted or recognised must be: of one spelling, and signed by us, under an
/// algorithm that we use. Gives the payload.
fn assert_signed(token: &str) -> Vec<u8> {
    let parts: Vec<&str> = token.split('.').collect();
    let [first, payload, signature] = parts.as_slice() else {
        panic!("not three parts: {token}");
    };
    for part in &parts {
        let decoded = URL_SAFE_NO_PAD.decode(part).expect("base64url");
        assert_eq!(URL_SAFE_NO_PAD.encode(decoded), **part, "another spelling");
    }
    let input = format!("{first}.{payload}");
    let fits = |at: &usize| mac(&secret(*at), &input) == **signature;
    let key = (0..KIDS.len()).find(fits).expect("a good MAC");
    let header = header(token);
    if let Some(kid) = header.one("kid") {
        assert_eq!(kid.as_str(), KIDS.get(key).copied(), "another key's name");
    }
    assert_eq!(header.one("alg"), Some("HS256".into()));
    assert!(header.one("crit").is_none(), "crit was accepted: {token}");
    URL_SAFE_NO_PAD.decode(payload).expect("base64url")
}

/// What holds of every token of which only revocation and end are open.
fn assert_perfect(token: &str, now: i64) {
    let payload = assert_signed(token);
    let claims: Members = serde_json::from_slice(&payload).expect("an object");
    assert_eq!(claims.one("iss"), Some(ISSUER.into()), "{token}");
    let audience = match claims.one("aud") {
        Some(Value::String(one)) => one == AUDIENCE,
        Some(Value::Array(all)) => all.iter().any(|one| one == AUDIENCE),
        _ => false,
    };
    assert!(audience, "another audience: {token}");
    assert!(
        claims
            .one("sub")
            .is_some_and(|sub| sub.as_str().is_some_and(|sub| !sub.is_empty())),
        "no sub: {token}"
    );
    assert!(
        claims.one("exp").is_some_and(|exp| exp.is_number()),
        "no exp: {token}"
    );
    for name in ["sid", "jti", "name", "email"] {
        assert!(
            claims.one(name).is_none_or(|value| value.is_string()),
            "{name}: {token}"
        );
    }
    for name in ["nbf", "iat"] {
        assert!(
            claims.one(name).is_none_or(|value| value.is_number()),
            "{name}: {token}"
        );
    }
    // Beyond these years all times are one.
    let last = 1 << 50;
    let begun = |nbf: Value| {
        now > last
            || nbf
                .as_f64()
                .is_none_or(|nbf| nbf <= as_f64(now.saturating_add(SKEW)) + 1.0)
    };
    assert!(
        claims.one("nbf").is_none_or(begun),
        "not valid yet: {token}"
    );
}

#[expect(clippy::cast_precision_loss, reason = "compared with a second of room")]
fn as_f64(seconds: i64) -> f64 {
    seconds as f64
}

/// A gate's parts for the other targets.
pub(super) fn shared_validator() -> Arc<Validator> {
    Arc::new(validator())
}
