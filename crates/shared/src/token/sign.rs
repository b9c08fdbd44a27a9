//! Signing: access tokens for people, short bearers for services.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::payload::{AccessPayload, AppPayload, Audience, NewAppToken, NewToken, ServicePayload};
use super::{Policy, SERVICE_TOKEN_SECONDS};
use crate::key_file::KeyFile;
use crate::keys::Key;

/// Why a token could not be signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// No key of the ring signs at this moment.
    #[error(
        "no key of the ring signs at this time: its first `sign_from` is still to come, or the \
         latest key is retired; `auth-server keys rotate --in 0s` adds one that does"
    )]
    NoActiveKey,
    /// The claims could not be written.
    #[error("the claims cannot be written as JSON")]
    Claims(#[from] serde_json::Error),
}

/// Signs tokens with the key of the ring that is active at the time.
#[derive(Debug)]
pub struct Signer {
    keys: Arc<KeyFile>,
    policy: Policy,
    service_audience: String,
}

impl Signer {
    /// Makes a signer that follows the ring of `keys`.
    #[must_use]
    pub fn new(keys: Arc<KeyFile>, policy: Policy) -> Self {
        let service_audience = policy.service_audience();
        Self {
            keys,
            policy,
            service_audience,
        }
    }

    pub(crate) fn keys(&self) -> &Arc<KeyFile> {
        &self.keys
    }

    /// Whether a key signs at `now`.
    ///
    /// # Errors
    /// [`SignError::NoActiveKey`] if the ring has none.
    pub fn can_sign(&self, now: i64) -> Result<(), SignError> {
        let ring = self.keys.ring();
        ring.active(now).map(drop).ok_or(SignError::NoActiveKey)
    }

    /// Signs an access token.
    ///
    /// # Errors
    /// [`SignError::NoActiveKey`] if the ring has no key that signs at `now`.
    pub fn sign(&self, token: &NewToken<'_>, now: i64) -> Result<String, SignError> {
        let payload = AccessPayload {
            iss: &self.policy.issuer,
            aud: Audience::from(self.policy.audiences.as_slice()),
            sub: token.sub,
            sid: token.sid,
            jti: token.jti,
            iat: token.iat,
            nbf: token.nbf,
            exp: token.exp,
            name: token.name,
            email: token.email,
            email_verified: token.email_verified,
            roles: token.roles,
        };
        let ring = self.keys.ring();
        let key = ring.active(now).ok_or(SignError::NoActiveKey)?;
        compact(key.header(), &payload, key)
    }

    /// Signs an access token of a client; its `typ` is `at+jwt` (RFC 9068 §2.1).
    ///
    /// # Errors
    /// [`SignError::NoActiveKey`] if the ring has no key that signs at `now`.
    pub fn sign_app(&self, token: &NewAppToken<'_>, now: i64) -> Result<String, SignError> {
        let aud = if token.for_apis {
            Audience::from(self.policy.audiences.as_slice())
        } else {
            Audience::One(&self.policy.issuer)
        };
        let payload = AppPayload {
            iss: &self.policy.issuer,
            aud,
            sub: token.sub,
            sid: token.sid,
            jti: token.jti,
            iat: token.iat,
            nbf: token.iat,
            exp: token.exp,
            client_id: token.client_id,
            scope: token.scope,
            name: token.name,
            email: token.email.map(|(email, _)| email),
            email_verified: token.email.map(|(_, verified)| verified),
            roles: token.roles,
        };
        let ring = self.keys.ring();
        let key = ring.active(now).ok_or(SignError::NoActiveKey)?;
        compact(key.app_header(), &payload, key)
    }

    /// Signs the bearer of a service, `subject`, for the internal endpoints of the issuer. It lives half of what is
    /// allowed, so that the clock here may be half a minute behind the other, and a minute ahead of it.
    ///
    /// # Errors
    /// [`SignError::NoActiveKey`] if the ring has no key that signs at `now`.
    pub fn sign_service(&self, subject: &str, now: i64) -> Result<String, SignError> {
        let payload = ServicePayload {
            iss: &self.policy.issuer,
            aud: &self.service_audience,
            sub: subject,
            iat: now,
            exp: now.saturating_add(SERVICE_TOKEN_SECONDS / 2),
        };
        let ring = self.keys.ring();
        let key = ring.active(now).ok_or(SignError::NoActiveKey)?;
        let kid = serde_json::Value::from(key.kid());
        let header = format!(r#"{{"alg":"HS256","typ":"service+jwt","kid":{kid}}}"#);
        compact(&URL_SAFE_NO_PAD.encode(header), &payload, key)
    }
}

/// Header, payload and signature, as RFC 7515 §3.1 puts them together.
fn compact(header: &str, payload: &impl Serialize, key: &Key) -> Result<String, SignError> {
    let payload = serde_json::to_vec(payload)?;
    let mut token = String::with_capacity(header.len() + payload.len() * 4 / 3 + 50);
    token.push_str(header);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut token);
    let signature = key.hs256().sign(token.as_bytes());
    token.push('.');
    token.push_str(&signature);
    Ok(token)
}
