//! HS256 as the crypto provider of `jsonwebtoken`, and nothing else.
//!
//! The providers that come with that crate bring RSA or a C library along. This one knows one
//! algorithm and refuses every other, and every key below 32 bytes, by construction.

use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{Error, Signer, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily};
use sha2::Sha256;

/// Bytes that a key has at least (RFC 7518 §3.2).
pub(crate) const LEAST_KEY_BYTES: usize = 32;

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| {
        Ok(Box::new(Hs256::keyed(
            *algorithm,
            key.family(),
            key.as_bytes(),
        )?))
    },
    verifier_factory: |algorithm, key| {
        Ok(Box::new(Hs256::keyed(
            *algorithm,
            key.family(),
            key.try_get_as_bytes()?,
        )?))
    },
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes HS256 available to `jsonwebtoken` in this process. A provider that somebody else has
/// installed before stays, and serves as well.
pub(crate) fn install() {
    // Err means: there is one already.
    let _ = PROVIDER.install_default();
}

/// HMAC-SHA256 that has taken in its key.
struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn keyed(algorithm: Algorithm, family: AlgorithmFamily, key: &[u8]) -> Result<Self> {
        if algorithm != Algorithm::HS256 || family != AlgorithmFamily::Hmac {
            return Err(ErrorKind::InvalidAlgorithm.into());
        }
        if key.len() < LEAST_KEY_BYTES {
            return Err(ErrorKind::InvalidKeyFormat.into());
        }
        let mac = Hmac::new_from_slice(key).map_err(|_| ErrorKind::InvalidKeyFormat)?;
        Ok(Self(mac))
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        Ok(self
            .0
            .clone()
            .chain_update(message)
            .finalize()
            .into_bytes()
            .to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        // Compares in constant time.
        self.0
            .clone()
            .chain_update(message)
            .verify_slice(signature)
            .map_err(|_| Error::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::crypto::{sign, verify};
    use jsonwebtoken::{DecodingKey, EncodingKey};

    use super::*;

    // RFC 7515, appendix A.1: an example that somebody else has computed.
    const KEY: &str =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    const INPUT: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    const SIGNATURE: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    #[test]
    fn the_example_of_rfc_7515_comes_out() {
        install();
        let key = EncodingKey::from_urlsafe_base64_secret(&format!("{KEY}==")).unwrap();
        assert_eq!(
            sign(INPUT.as_bytes(), &key, Algorithm::HS256).unwrap(),
            SIGNATURE
        );
        let key = DecodingKey::from_secret(key.as_bytes());
        assert!(verify(SIGNATURE, INPUT.as_bytes(), &key, Algorithm::HS256).unwrap());
        assert!(!verify(SIGNATURE, b"something else", &key, Algorithm::HS256).unwrap());
    }

    #[test]
    fn other_algorithms_and_short_keys_are_refused() {
        install();
        let key = EncodingKey::from_secret(&[7; 64]);
        assert!(sign(b"", &key, Algorithm::HS512).is_err());
        assert!(sign(b"", &key, Algorithm::RS256).is_err());
        let short = EncodingKey::from_secret(&[7; 31]);
        assert!(sign(b"", &short, Algorithm::HS256).is_err());
        assert!(verify("", b"", &DecodingKey::from_secret(b""), Algorithm::HS256).is_err());
    }
}
