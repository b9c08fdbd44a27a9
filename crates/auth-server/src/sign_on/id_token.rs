//! The `id_token` (OIDC Core §2).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use id_keys::{Algorithm, IdKeys};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::request::Hint;
use crate::clients::has_word;
use crate::db::{Account, Grant};
use crate::error::Error;
use crate::sessions::AppTokens;

/// Seconds that an `id_token` is good: it is read when it arrives.
const GOOD: i64 = 600;

/// The `typ` of its header.
pub(super) const TYP: &str = "JWT";

/// What it says.
#[derive(Serialize)]
pub(super) struct IdClaims<'a> {
    iss: &'a str,
    sub: String,
    aud: &'a str,
    azp: &'a str,
    exp: i64,
    iat: i64,
    auth_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    acr: &'static str,
    amr: Vec<&'a str>,
    at_hash: String,
    #[serde(flatten)]
    user: UserClaims<'a>,
}

/// What a scope lets a client know of the user (OIDC Core §5.4), in an `id_token` or at userinfo.
#[derive(Serialize)]
pub struct UserClaims<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preferred_username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<&'a [String]>,
}

impl<'a> UserClaims<'a> {
    /// What this scope lets one know.
    #[must_use]
    pub fn of(account: &'a Account, scope: &str) -> Self {
        let (profile, email) = (has_word(scope, "profile"), has_word(scope, "email"));
        let name = profile.then_some(account.user_name.as_str());
        Self {
            name,
            preferred_username: name,
            email: email.then_some(account.email.as_str()),
            email_verified: email.then_some(account.email_verified),
            roles: has_word(scope, "roles").then_some(account.roles.as_slice()),
        }
    }
}

pub(super) fn claims<'a>(
    issuer: &'a str,
    account: &'a Account,
    grant: &'a Grant,
    tokens: &'a AppTokens,
    now: i64,
) -> IdClaims<'a> {
    IdClaims {
        iss: issuer,
        sub: account.id.to_string(),
        aud: &grant.client,
        azp: &grant.client,
        exp: now.saturating_add(GOOD),
        iat: now,
        auth_time: grant.auth_time,
        nonce: tokens.nonce.as_deref(),
        sid: grant.browser_sid.map(|sid| sid.to_string()),
        acr: "1",
        amr: grant
            .amr
            .split(' ')
            .filter(|word| !word.is_empty())
            .collect(),
        at_hash: at_hash(&tokens.access_token),
        user: UserClaims::of(account, &tokens.scope),
    }
}

/// The left half of the access token's SHA-256 (OIDC Core §3.1.3.6).
fn at_hash(access_token: &str) -> String {
    let hash = Sha256::digest(access_token);
    URL_SAFE_NO_PAD.encode(hash.get(..16).unwrap_or_default())
}

pub(super) fn sign(
    keys: &IdKeys,
    algorithm: &str,
    claims: &IdClaims<'_>,
    now: i64,
) -> Result<String, Error> {
    let algorithm: Algorithm = algorithm
        .parse()
        .map_err(|_| Error::Internal("a client's id_token_alg is none of ours".into()))?;
    let key = keys.active(algorithm, now).ok_or_else(|| {
        Error::Internal(format!(
            "no key of ID_KEYS_FILE signs {} at this time",
            algorithm.name()
        ))
    })?;
    key.sign(TYP, claims)
        .map_err(|error| Error::Internal(format!("id_token: {error}")))
}

#[derive(Deserialize)]
struct HintClaims {
    iss: String,
    aud: String,
    sub: String,
}

pub(super) fn hint(keys: &IdKeys, issuer: &str, token: &str, client: &str) -> Option<Hint> {
    let payload = keys.recognise(token, TYP).ok()?;
    let claims: HintClaims = serde_json::from_str(&payload).ok()?;
    if claims.iss != issuer || claims.aud != client {
        return None;
    }
    Some(Hint {
        user: claims.sub.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_an_access_token_is_the_left_half_of_its_sha_256() {
        // The digest is FIPS 180-4's own example.
        assert_eq!(at_hash("abc"), "ungWv48Bz-pBQUDeXa4iIw");
    }
}
