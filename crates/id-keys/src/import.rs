//! Keys that were made elsewhere: PEM files and single JWKs.
//!
//! No message repeats anything of the key but a `kid` that is well-formed.

use rustls_pki_types::pem::{PemObject, SectionKind};
use shared::keys::{fresh_kid, is_kid};
use zeroize::Zeroizing;

use crate::json;
use crate::jwk::RawJwk;
use crate::key::IdKey;
use crate::numbers::{KeyFault, Material, Numbers};

pub(crate) mod der;

/// Why a key cannot be taken in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Neither PEM nor a JSON object.
    #[error("is neither a PEM file nor a JWK")]
    NotAKey,
    /// A PEM file with nothing private in it.
    #[error(
        "holds no private key in PKCS#8, PKCS#1 or SEC 1; a public key or a certificate cannot sign"
    )]
    NothingPrivate,
    /// A PEM file with several private keys.
    #[error("holds {0} private keys: give one at a time")]
    Several(usize),
    /// A private key under a passphrase.
    #[error("is encrypted; `openssl pkey -in FILE` writes it without the passphrase")]
    Encrypted,
    /// A private key in the form of OpenSSH.
    #[error("is in the form of OpenSSH; `ssh-keygen -p -m PEM -f FILE` changes that")]
    OpenSsh,
    /// The content cannot be decoded.
    #[error("is damaged: its PEM or DER cannot be read")]
    Damaged,
    /// A JWK whose members cannot be used.
    #[error("is not a JWK that can sign here: {0}")]
    Jwk(&'static str),
    /// Another kind of key: Ed25519, RSA-PSS, …
    #[error("is a key for another algorithm than RS256 and ES256")]
    OtherAlgorithm,
    /// An EC key on another curve.
    #[error("is on another curve than P-256, and ES256 is on no other (RFC 7518, section 3.4)")]
    OtherCurve,
    /// An EC key without its public point, or with a compressed one.
    #[error(
        "has no uncompressed public point in it; `openssl ec -in FILE -conv_form uncompressed` writes it with one"
    )]
    NoPoint,
    /// A key that cannot sign.
    #[error("{0}")]
    Unfit(#[from] KeyFault),
    /// A `kid` that cannot be one.
    #[error(
        "has a `kid` that cannot be one: it has 1 to 128 printable ASCII characters and no spaces"
    )]
    BadKid,
    /// Another key has this name.
    #[error("has the name {0:?}, which a key of the ring has already")]
    TakenKid(String),
    /// The key is in the ring.
    #[error("is in the ring already, as {0:?}")]
    SameKey(String),
}

/// Reads a key; one without a name gets one.
pub(crate) fn key(content: &[u8], now: i64, sign_from: i64) -> Result<IdKey, ImportError> {
    let text = std::str::from_utf8(content).map_err(|_| ImportError::NotAKey)?;
    let (kid, numbers) = if text.contains("-----BEGIN ") {
        (None, pem(text)?)
    } else if json::is_object(text) {
        jwk(text)?
    } else {
        return Err(ImportError::NotAKey);
    };
    let material = Material::new(numbers)?;
    let kid = kid.unwrap_or_else(|| fresh_kid(now));
    Ok(IdKey::new(kid, material, sign_from))
}

fn jwk(text: &str) -> Result<(Option<String>, Numbers), ImportError> {
    let raw = RawJwk::read(text).ok_or(ImportError::Jwk(
        "it must be one JSON object with every member at most once",
    ))?;
    let kid = raw
        .kid
        .map(|kid| {
            json::string(kid)
                .filter(|kid| is_kid(kid))
                .ok_or(ImportError::BadKid)
        })
        .transpose()?;
    let numbers = raw.numbers().map_err(ImportError::Jwk)?;
    Ok((kid, numbers))
}

fn pem(text: &str) -> Result<Numbers, ImportError> {
    // Both as a label and as a header of the old form, whose body is no DER.
    if text.contains("ENCRYPTED") {
        return Err(ImportError::Encrypted);
    }
    if text.contains("-----BEGIN OPENSSH PRIVATE KEY-----") {
        return Err(ImportError::OpenSsh);
    }
    let mut found = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text.as_bytes()) {
        let (kind, der) = section.map_err(|_| ImportError::Damaged)?;
        let der = Zeroizing::new(der);
        match kind {
            SectionKind::PrivateKey => found.push(der::pkcs8(&der)?),
            SectionKind::RsaPrivateKey => found.push(der::pkcs1(&der)?),
            SectionKind::EcPrivateKey => found.push(der::sec1(&der, None)?),
            _ => {}
        }
    }
    match found.len() {
        0 => Err(ImportError::NothingPrivate),
        1 => found.pop().ok_or(ImportError::NothingPrivate),
        several => Err(ImportError::Several(several)),
    }
}
