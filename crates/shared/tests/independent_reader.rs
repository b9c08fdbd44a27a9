//! Our tokens, read and written by somebody else: the crate `jsonwebtoken`, with the HMAC of `ring`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests, and the functions they share"
)]

mod hmac_of_ring;

use std::collections::HashSet;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
};
use serde_json::{Value, json};
use shared::clock;
use shared::key_file::KeyFile;
use shared::keys::KeyRing;
use shared::revocations::Verdict;
use shared::token::NewToken;
use shared::token::{Policy, Signer, Validator};

const ISSUER: &str = "http://issuer";
const AUDIENCE: &str = "http://api";

struct Both {
    secret: Vec<u8>,
    kid: String,
    signer: Signer,
    validator: Validator,
}

/// A new ring, with the secret of its key as another program finds it in the file.
fn both(now: i64) -> Both {
    // What the host's process chose is its own business: ours would be an error here.
    let _ = hmac_of_ring::PROVIDER.install_default();
    let ring = KeyRing::generate(now);
    let file: Value = serde_json::from_str(&ring.to_json()).unwrap();
    let text = |member: &str| file["keys"][0][member].as_str().unwrap().to_owned();
    let keys = KeyFile::fixed(ring);
    let policy = Policy {
        issuer: ISSUER.into(),
        audiences: vec![AUDIENCE.into()],
        skew: 0,
    };
    Both {
        secret: URL_SAFE_NO_PAD.decode(text("k")).unwrap(),
        kid: text("kid"),
        signer: Signer::new(Arc::clone(&keys), policy.clone()),
        validator: Validator::new(keys, policy),
    }
}

#[test]
fn another_library_reads_our_tokens() {
    let now = clock::now();
    let both = both(now);
    let token = both
        .signer
        .sign(
            &NewToken {
                sub: "user",
                sid: "session",
                jti: "token",
                iat: now,
                nbf: now,
                exp: now + 600,
                name: "Ada \"Ä\" Lovelace",
                email: "ada@example.com",
                email_verified: false,
                roles: &["admin".to_owned()],
            },
            now,
        )
        .unwrap();
    let header = decode_header(&token).unwrap();
    assert_eq!(header.kid.as_deref(), Some(both.kid.as_str()));
    assert_eq!(
        (header.alg, header.typ.as_deref()),
        (Algorithm::HS256, Some("JWT"))
    );
    let mut rules = Validation::new(Algorithm::HS256);
    rules.set_issuer(&[ISSUER]);
    rules.set_audience(&[AUDIENCE]);
    rules.validate_nbf = true;
    rules.required_spec_claims =
        HashSet::from(["iss", "aud", "exp", "nbf", "sub"].map(str::to_owned));
    let read = |secret: &[u8]| decode::<Value>(&token, &DecodingKey::from_secret(secret), &rules);
    let claims = read(&both.secret).unwrap().claims;
    assert_eq!(claims["name"], "Ada \"Ä\" Lovelace");
    assert_eq!(claims["roles"], json!(["admin"]));
    let refused: Error = read(&[7; 32]).unwrap_err();
    assert_eq!(*refused.kind(), ErrorKind::InvalidSignature);
}

#[test]
fn we_read_tokens_of_another_library() {
    let now = clock::now();
    let both = both(now);
    let claims = json!({
        "iss": ISSUER, "aud": [AUDIENCE], "sub": "user", "exp": now + 600, "more": {"of": "theirs"},
    });
    for kid in [Some(both.kid.clone()), None] {
        let header = Header {
            kid,
            ..Header::new(Algorithm::HS256)
        };
        let write =
            |secret: &[u8]| encode(&header, &claims, &EncodingKey::from_secret(secret)).unwrap();
        let checked = both.validator.check(&write(&both.secret), now).unwrap();
        let token = checked.judge(Verdict::Live, now).unwrap();
        assert_eq!(token.claims.sub, "user");
        assert_eq!(
            serde_json::from_str::<Value>(&token.payload).unwrap(),
            claims
        );
        let forged = both.validator.check(&write(&[7; 32]), now).unwrap_err();
        assert_eq!(forged.code(), "token_bad_signature");
    }
}
