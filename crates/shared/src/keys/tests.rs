//! Reading, writing, states, and what operators do.

mod reading;
mod states;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_800_000_000;
const KEEP: Duration = Duration::from_hours(24);
const HOUR: i64 = 3_600;

/// Secrets that no two keys share.
fn secret(seed: u8) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    Sha256::digest([seed]).to_vec()
}

fn entry(kid: &str, seed: u8, members: &Value) -> Value {
    let mut entry = json!({"kty": "oct", "kid": kid, "alg": "HS256", "sign_from": NOW,
        "k": URL_SAFE_NO_PAD.encode(secret(seed))});
    for (name, value) in members.as_object().unwrap() {
        entry[name] = value.clone();
    }
    entry
}

fn parse(ring: &Value) -> Result<KeyRing, KeyRingError> {
    KeyRing::parse(ring.to_string().as_bytes())
}

fn fault(ring: &Value) -> String {
    parse(ring).unwrap_err().to_string()
}

/// Kid and state of every key.
fn states(ring: &KeyRing, now: i64) -> Vec<(String, KeyState)> {
    ring.status(now)
        .into_iter()
        .map(|status| (status.kid, status.state))
        .collect()
}

fn named(states: &[(&str, KeyState)]) -> Vec<(String, KeyState)> {
    states
        .iter()
        .map(|(kid, state)| ((*kid).to_owned(), *state))
        .collect()
}

fn active(ring: &KeyRing, now: i64) -> &str {
    ring.active(now).unwrap().kid()
}
