//! One key: its name, its times, and what it signs.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use shared::keys::fresh_kid;

use crate::numbers::{Material, Numbers};
use crate::{Algorithm, GenerateError, generate};

/// One key that signs. Its private part leaves it only towards the signature and into the ring's file; `Debug` does not
/// show it.
#[derive(Clone)]
pub struct IdKey {
    pub(crate) kid: String,
    pub(crate) material: Arc<Material>,
    pub(crate) sign_from: i64,
    pub(crate) verify_until: Option<i64>,
    pub(crate) former: Option<Former>,
}

/// Why and since when a key is no longer among those that sign or are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Former {
    pub(crate) revoked: bool,
    pub(crate) since: i64,
}

/// Why a token could not be signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The claims could not be written.
    #[error("the claims cannot be written as JSON")]
    Claims(#[from] serde_json::Error),
    /// The system has no random numbers, or the processor miscalculated.
    #[error("the signature could not be made")]
    Signature,
}

impl IdKey {
    pub(crate) fn new(kid: String, material: Material, sign_from: i64) -> Self {
        Self {
            kid,
            material: Arc::new(material),
            sign_from,
            verify_until: None,
            former: None,
        }
    }

    /// A fresh key, named after the day it was made.
    pub(crate) fn generate(
        algorithm: Algorithm,
        now: i64,
        sign_from: i64,
    ) -> Result<Self, GenerateError> {
        let material = generate::material(algorithm)?;
        Ok(Self::new(fresh_kid(now), material, sign_from))
    }

    /// The key's name, as tokens carry it.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// How it signs.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.numbers().algorithm()
    }

    /// When the key begins to sign, Unix seconds.
    #[must_use]
    pub fn sign_from(&self) -> i64 {
        self.sign_from
    }

    /// When the key leaves the JWKS, Unix seconds; `None` while it has no successor.
    #[must_use]
    pub fn verify_until(&self) -> Option<i64> {
        self.verify_until
    }

    /// When the key was retired or revoked, Unix seconds; `None` for every other.
    #[must_use]
    pub fn since(&self) -> Option<i64> {
        self.former.map(|former| former.since)
    }

    /// Signs a payload: the compact form of RFC 7515 §3.1, with the header `alg`, `typ` and `kid`.
    ///
    /// `typ` tells what the token is for (RFC 8725 §3.11), and [`crate::IdKeys::recognise`] asks for the same one. Whether
    /// this is the moment for this key to sign is the caller's question to [`crate::IdKeys::active`].
    ///
    /// # Errors
    /// If the payload cannot be written as JSON, or the system has no random numbers.
    pub fn sign(&self, typ: &str, payload: &impl Serialize) -> Result<String, SignError> {
        let payload = serde_json::to_vec(payload)?;
        let (typ, kid) = (quoted(typ), quoted(&self.kid));
        let header = format!(
            r#"{{"alg":"{}","typ":{typ},"kid":{kid}}}"#,
            self.algorithm()
        );
        let mut token = URL_SAFE_NO_PAD.encode(header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        let signature = self.material.sign(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.ok_or(SignError::Signature)?, &mut token);
        Ok(token)
    }

    pub(crate) fn numbers(&self) -> &Numbers {
        self.material.numbers()
    }

    pub(crate) fn is_revoked(&self) -> bool {
        self.former.is_some_and(|former| former.revoked)
    }

    /// Whether both are the same key, under whatever names.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        self.algorithm() == other.algorithm() && self.numbers().public() == other.numbers().public()
    }
}

/// A text as JSON writes it.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl fmt::Debug for IdKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm())
            .field("secret", &"[redacted]")
            .field("sign_from", &self.sign_from)
            .field("verify_until", &self.verify_until)
            .field("former", &self.former)
            .finish_non_exhaustive()
    }
}
