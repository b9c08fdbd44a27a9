//! The secret of a client: 32 random bytes that we make, so a plain hash keeps it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What is kept of a secret: its SHA-256. Nobody guesses 32 random bytes, so nothing slower is needed.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// A fresh secret, to be shown once, and what is kept of it.
    #[must_use]
    pub fn fresh() -> (String, Self) {
        let secret = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let kept = Self::of(&secret);
        (secret, kept)
    }

    /// What is kept of this secret.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        Self(URL_SAFE_NO_PAD.encode(Sha256::digest(secret)))
    }

    pub(super) fn stored(hash: String) -> Self {
        Self(hash)
    }

    /// As it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn is(&self, presented: &str) -> bool {
        let presented = Self::of(presented);
        self.0.as_bytes().ct_eq(presented.0.as_bytes()).into()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}
