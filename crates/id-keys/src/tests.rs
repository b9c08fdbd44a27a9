//! Keys and readers that the tests share. The keys are in `tests/keys`, and known to everybody.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::Value;

use super::*;

mod hostile;
mod importing;
mod reading;
mod states;

pub(super) const RING: &str = include_str!("../tests/keys/ring.json");

/// A ring with a key of each algorithm, both from second 0 on.
fn ring() -> IdKeys {
    IdKeys::parse(RING.as_bytes()).unwrap()
}

/// The same with the ES256 key alone, whose successors are made in no time.
fn es256_ring() -> IdKeys {
    let mut keys = ring();
    keys.keys.retain(|key| key.algorithm() == Algorithm::Es256);
    keys
}

fn kid(keys: &IdKeys, algorithm: Algorithm, now: i64) -> String {
    keys.active(algorithm, now).unwrap().kid().to_owned()
}

fn decoded(part: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part.as_str().unwrap()).unwrap()
}

/// What a client does: takes the key that the header names from the JWKS, and verifies. Shares no code with the crate.
fn client_accepts(jwks: &str, token: &str) -> bool {
    let jwks: Value = serde_json::from_str(jwks).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let header = URL_SAFE_NO_PAD
        .decode(signed.split('.').next().unwrap())
        .unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    let keys = jwks["keys"].as_array().unwrap();
    let Some(key) = keys.iter().find(|key| key["kid"] == header["kid"]) else {
        return false;
    };
    assert_eq!((&key["alg"], &key["use"]), (&header["alg"], &"sig".into()));
    match (key["kty"].as_str().unwrap(), key["alg"].as_str().unwrap()) {
        ("RSA", "RS256") => RsaPublicKeyComponents {
            n: decoded(&key["n"]),
            e: decoded(&key["e"]),
        }
        .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature)
        .is_ok(),
        ("EC", "ES256") => {
            assert_eq!(key["crv"], "P-256");
            let point = [vec![4], decoded(&key["x"]), decoded(&key["y"])].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(signed.as_bytes(), &signature)
                .is_ok()
        }
        other => panic!("{other:?}"),
    }
}
