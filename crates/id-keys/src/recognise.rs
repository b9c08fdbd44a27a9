//! Whether a token is one of ours: its form, its header and its signature (RFC 7515 §5.2).
//!
//! Says nothing about claims, and so nothing about when a token was good, or for whom.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::json::{self, Members};
use crate::{IdKey, IdKeys};

/// Bytes that a token has at most.
const LONGEST_TOKEN: usize = 8 * 1024;

/// Why a token is none of ours. Holds nothing of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotGenuine {
    /// Not a token as we sign them.
    #[error("{0}")]
    Malformed(&'static str),
    /// The ring has no key of that name.
    #[error("no key of the ring has the token's kid")]
    UnknownKey,
    /// The key was withdrawn; whoever has it can sign what he likes.
    #[error("the token's key is revoked")]
    Revoked,
    /// The signature is not that key's.
    #[error("the signature is not genuine")]
    BadSignature,
}

impl IdKeys {
    /// The payload of a token that a key of this ring has signed as a `typ`, retired keys included, revoked ones not.
    ///
    /// For an `id_token_hint`: whose token it is, and whether it is over, is for the caller to judge by the claims.
    ///
    /// # Errors
    /// [`NotGenuine`] if it is anything else, or longer than 8 KiB.
    pub fn recognise(&self, token: &str, typ: &str) -> Result<String, NotGenuine> {
        use NotGenuine::{BadSignature, Malformed, Revoked};

        if token.len() > LONGEST_TOKEN {
            return Err(Malformed("the token is longer than 8 KiB"));
        }
        let fault = Malformed("the token does not have three parts");
        let (signed, signature) = token.rsplit_once('.').ok_or(fault)?;
        let (header, payload) = signed.split_once('.').ok_or(fault)?;
        // A fourth part would leave a full stop in the payload, which is no base64url.
        let [header, payload, signature] = [decode(header)?, decode(payload)?, decode(signature)?];
        let key = self.named_by(&header, typ)?;
        if key.is_revoked() {
            return Err(Revoked);
        }
        if !key.material.verifies(signed.as_bytes(), &signature) {
            return Err(BadSignature);
        }
        String::from_utf8(payload).map_err(|_| Malformed("the payload is not UTF-8"))
    }

    /// Judges a header; finds the key that it names. What else it brings along (`jwk`, `jku`, `x5c` …) has no say.
    fn named_by(&self, header: &[u8], typ: &str) -> Result<&IdKey, NotGenuine> {
        use NotGenuine::{Malformed, UnknownKey};

        let fault = Malformed("the header is not one JSON object without duplicates");
        let Members(members) = serde_json::from_slice(header).map_err(|_| fault)?;
        let text = |name| members.get(name).copied().and_then(json::string);
        // We understand no extension, so every critical one is refused (RFC 7515 §4.1.11).
        if members.contains_key("crit") {
            return Err(Malformed("the header has critical extensions"));
        }
        if text("typ").as_deref() != Some(typ) {
            return Err(Malformed("the typ is not that of this kind of token"));
        }
        let kid = text("kid").ok_or(Malformed("the header has no kid"))?;
        let key = self.find(&kid).ok_or(UnknownKey)?;
        // The key decides on the algorithm, never the token (RFC 8725 §3.1).
        if text("alg").as_deref() != Some(key.algorithm().name()) {
            return Err(Malformed("the alg is not that of the key"));
        }
        Ok(key)
    }
}

/// Refuses padding, white space, other alphabets and bits that are left over.
fn decode(part: &str) -> Result<Vec<u8>, NotGenuine> {
    let fault = NotGenuine::Malformed("a part of the token is empty or not canonical base64url");
    match URL_SAFE_NO_PAD.decode(part) {
        Ok(bytes) if !bytes.is_empty() => Ok(bytes),
        _ => Err(fault),
    }
}
