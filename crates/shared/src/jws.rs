//! The outer form of a token (RFC 7515 §3.1, compact serialization), its header and its MAC.
//!
//! Knows nothing of claims. What comes out of [`open`] is a payload that one of our keys has
//! signed, and that key's standing.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::hs256::{MAC_BYTES, read_mac};
use crate::json;
use crate::key_file::KeyFile;
use crate::keys::{Key, KeyRing};
use crate::token_error::TokenError;

/// Bytes that a credential has at most.
pub(crate) const LONGEST_TOKEN: usize = 8 * 1024;

/// What a token is for. The `typ` of its header says so (RFC 8725 §3.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Opens APIs: no `typ`, `JWT` or `at+jwt`.
    Access,
    /// A service speaking to a service: `service+jwt`.
    Service,
}

impl Purpose {
    /// Whether a `typ` names this purpose, in any case, with or without `application/`.
    fn is_named_by(self, typ: &str) -> bool {
        const PREFIX: &str = "application/";
        let bare = match typ.get(..PREFIX.len()) {
            Some(prefix) if prefix.eq_ignore_ascii_case(PREFIX) => typ.get(PREFIX.len()..),
            _ => Some(typ),
        };
        let is = |name: &str| bare.is_some_and(|bare| bare.eq_ignore_ascii_case(name));
        match self {
            Self::Access => is("JWT") || is("at+jwt"),
            Self::Service => is("service+jwt"),
        }
    }
}

/// How the key that signed a token stands in the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Verifies until then, Unix seconds; without an end if `None`.
    Verifies(Option<i64>),
    /// No longer verifies.
    Retired,
    /// Withdrawn.
    Revoked,
}

impl Standing {
    pub(crate) fn of(key: &Key) -> Self {
        match key.former() {
            None => Self::Verifies(key.verify_until()),
            Some(former) if former.revoked => Self::Revoked,
            Some(_) => Self::Retired,
        }
    }

    pub(crate) fn is_revoked(self) -> bool {
        self == Self::Revoked
    }

    /// Whether the key's own time is over at `now`.
    pub(crate) fn is_over(self, now: i64) -> bool {
        match self {
            Self::Verifies(until) => until.is_some_and(|until| until <= now),
            Self::Retired | Self::Revoked => true,
        }
    }
}

/// A payload with a genuine signature.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) payload: Box<str>,
    pub(crate) standing: Standing,
}

/// Judges form, header and signature, in this order.
pub(crate) fn open(keys: &KeyFile, token: &str, purpose: Purpose) -> Result<Opened, TokenError> {
    let form = Form::read(token)?;
    let mut ring = keys.ring();
    let known = match purpose {
        Purpose::Access => ring
            .iter()
            .find(|key| key.header() == form.header || key.app_header() == form.header),
        Purpose::Service => None,
    };
    let standing = if let Some(key) = known {
        // The header is letter for letter the one that we write: there is nothing to judge in it.
        form.verify(key).then(|| Standing::of(key))
    } else {
        let header = decode(form.header)?;
        match read_header(&header, purpose)? {
            Some(kid) => {
                if ring.find(&kid).is_none() {
                    ring = keys.look_again();
                }
                let key = ring.find(&kid).ok_or(TokenError::UnknownKey)?;
                form.verify(key).then(|| Standing::of(key))
            }
            None => form.verify_with_any(&ring),
        }
    };
    let standing = standing.ok_or(TokenError::BadSignature)?;
    let payload = String::from_utf8(form.payload)
        .map_err(|_| TokenError::Malformed("the payload is not UTF-8"))?;
    Ok(Opened {
        payload: payload.into_boxed_str(),
        standing,
    })
}

/// The three parts of a token; all of them canonical base64url.
struct Form<'t> {
    header: &'t str,
    /// Header and payload as they were signed.
    signed: &'t str,
    payload: Vec<u8>,
    /// `None`: one that no HMAC-SHA256 can be.
    mac: Option<[u8; MAC_BYTES]>,
}

impl<'t> Form<'t> {
    fn read(token: &'t str) -> Result<Self, TokenError> {
        if token.len() > LONGEST_TOKEN {
            return Err(TokenError::Malformed("the token is longer than 8 KiB"));
        }
        let fault = TokenError::Malformed("the token does not have three parts");
        let (signed, signature) = token.rsplit_once('.').ok_or(fault)?;
        let (header, payload) = signed.split_once('.').ok_or(fault)?;
        if header.is_empty() || payload.is_empty() || signature.is_empty() {
            return Err(TokenError::Malformed("a part of the token is empty"));
        }
        // A fourth part would leave a full stop in the payload, which is no base64url.
        let payload = decode(payload)?;
        let mac = read_mac(signature);
        if mac.is_none() {
            decode(signature)?;
        }
        Ok(Self {
            header,
            signed,
            payload,
            mac,
        })
    }

    fn verify(&self, key: &Key) -> bool {
        let signed = self.signed.as_bytes();
        self.mac
            .is_some_and(|mac| key.hs256().verifies(signed, &mac))
    }

    /// A token without a `kid` may be any key's; those that verify go first.
    fn verify_with_any(&self, ring: &KeyRing) -> Option<Standing> {
        ring.iter().find(|key| self.verify(key)).map(Standing::of)
    }
}

const NOT_BASE64URL: TokenError =
    TokenError::Malformed("a part of the token is not canonical base64url");

/// Refuses padding, white space, other alphabets and bits that are left over.
fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| NOT_BASE64URL)
}

/// The members that decide. Keys that a token brings along (`jwk`, `jku`, `x5c` …) are not among
/// them, and so have no say.
#[derive(Deserialize)]
struct RawHeader<'a> {
    #[serde(borrow, default, deserialize_with = "json::present")]
    alg: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    typ: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    crit: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    kid: Option<&'a RawValue>,
}

/// Judges a header; returns its `kid`.
fn read_header(header: &[u8], purpose: Purpose) -> Result<Option<Cow<'_, str>>, TokenError> {
    let text = std::str::from_utf8(header)
        .map_err(|_| TokenError::Malformed("the header is not UTF-8"))?;
    let fault = TokenError::Malformed("the header is not one JSON object without duplicates");
    if !json::is_object(text) {
        return Err(fault);
    }
    let raw: RawHeader<'_> = serde_json::from_str(text).map_err(|_| fault)?;
    if raw.alg.and_then(json::string).as_deref() != Some("HS256") {
        return Err(TokenError::Malformed("the alg is not HS256"));
    }
    match raw.typ {
        None if purpose == Purpose::Access => {}
        Some(typ) if json::string(typ).is_some_and(|typ| purpose.is_named_by(&typ)) => {}
        _ => {
            return Err(TokenError::Malformed(
                "the typ is not that of this kind of token",
            ));
        }
    }
    // We understand no extension, so every critical one is refused (RFC 7515 §4.1.11).
    if raw.crit.is_some() {
        return Err(TokenError::Malformed("the header has critical extensions"));
    }
    raw.kid
        .map(|kid| json::string(kid).ok_or(TokenError::Malformed("the kid is not a string")))
        .transpose()
}
