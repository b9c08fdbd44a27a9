//! The logout token (OIDC Back-Channel Logout 1.0 §2.4).

use id_keys::{Algorithm, IdKeys};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::db::LogOut;

/// Seconds that a logout token is good: it is read when it arrives.
const GOOD: i64 = 120;

/// The `typ` of its header: nothing else of ours has it, and nobody takes it for an `id_token`.
const TYP: &str = "logout+jwt";

/// What makes a token a logout token.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    jti: String,
    events: Value,
    sid: &'a str,
    sub: &'a str,
}

/// A fresh token for this log-out: each try has its own, since a client may remember the last one's `jti`.
///
/// # Errors
/// A sentence, if no key signs.
pub(super) fn sign(
    keys: &IdKeys,
    algorithm: &str,
    issuer: &str,
    log_out: &LogOut,
    now: i64,
) -> Result<String, String> {
    let algorithm: Algorithm = algorithm
        .parse()
        .map_err(|_| "its id_token_alg is none of ours".to_owned())?;
    let key = keys
        .active(algorithm, now)
        .ok_or_else(|| format!("no key of ID_KEYS_FILE signs {} now", algorithm.name()))?;
    let claims = Claims {
        iss: issuer,
        aud: &log_out.client,
        iat: now,
        exp: now.saturating_add(GOOD),
        jti: Uuid::new_v4().to_string(),
        events: json!({EVENT: {}}),
        sid: &log_out.sid,
        sub: &log_out.sub,
    };
    key.sign(TYP, &claims).map_err(|error| error.to_string())
}
