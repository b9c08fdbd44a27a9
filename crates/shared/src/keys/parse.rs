//! Reading the ring's file: strict about our own members, silent about foreign ones.
//!
//! No message repeats anything of the file but a `kid` that is well-formed: a secret put into the
//! wrong member must not end up in a log.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Former, Key, KeyRing, sample};
use crate::hs256::LEAST_KEY_BYTES;
use crate::json;

/// Bytes that a `kid` has at most: it travels with every token.
const LONGEST_KID: usize = 128;

/// Why a key ring cannot be used. The texts say what is wrong with which key, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyRingError {
    /// The content is not JSON at all.
    #[error(
        "is not valid JSON (line {line}, column {column}); restore it from a copy, or move it \
         away and make a new ring with `auth-server keys init`"
    )]
    NotJson {
        /// Line of the fault, counted from 1.
        line: usize,
        /// Column of the fault, counted from 1.
        column: usize,
    },
    /// The content is JSON, but no JWK Set: an object with an array `keys`, and perhaps `former`.
    #[error(
        "is not a JWK Set: it must be one JSON object with an array `keys` (and at most one array \
         `former`); restore it from a copy, or move it away and make a new ring with `auth-server \
         keys init`"
    )]
    NotAKeySet,
    /// The array `keys` is empty.
    #[error("holds no keys: move it away and make a new ring with `auth-server keys init`")]
    NoKeys,
    /// A member of a key is missing or has a value that cannot be used.
    #[error("{key}: {needs}")]
    Member {
        /// The key: its `kid`, or its place in the file.
        key: String,
        /// What the member must be.
        needs: &'static str,
    },
    /// A secret has less than the 32 bytes that HS256 needs (RFC 7518 §3.2).
    #[error(
        "key {kid:?} has {bytes} bytes, and HS256 needs at least 32 (RFC 7518, section 3.2): \
         take it out, or move the file away and make a new ring with `auth-server keys \
         init`"
    )]
    ShortKey {
        /// The key's name.
        kid: String,
        /// Its length.
        bytes: usize,
    },
    /// A secret is printed in some documentation, or is a pattern that anyone would try.
    #[error(
        "key {kid:?} is a published sample or a simple pattern that anyone can sign with: take \
         it out, or move the file away and make a new ring with `auth-server keys init`"
    )]
    SampleKey {
        /// The key's name.
        kid: String,
    },
    /// Two keys have the same name.
    #[error("the kid {kid:?} is there twice: every key needs a name of its own; remove one")]
    DuplicateKid {
        /// The name.
        kid: String,
    },
    /// Two keys are the same secret, so that a withdrawn one would live on under another name.
    #[error("the keys {kid:?} and {other:?} are the same secret: remove one of them")]
    DuplicateSecret {
        /// The first key's name.
        kid: String,
        /// The second key's name.
        other: String,
    },
}

#[derive(Deserialize)]
struct RawRing<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    former: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawKey<'a> {
    #[serde(borrow, default, deserialize_with = "json::present")]
    kty: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    alg: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    kid: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    k: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    sign_from: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    verify_until: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    state: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    since: Option<&'a RawValue>,
}

impl KeyRing {
    /// Reads a ring from the content of its file.
    ///
    /// Members of a key that we do not know are ignored, as RFC 7517 §4 asks.
    ///
    /// # Errors
    /// See [`KeyRingError`]: one bad key makes the whole ring unusable, because a ring that is
    /// silently short of a key signs people out.
    pub fn parse(json: &[u8]) -> Result<Self, KeyRingError> {
        let text = std::str::from_utf8(json).map_err(|_| KeyRingError::NotAKeySet)?;
        let raw: RawRing<'_> = serde_json::from_str(text).map_err(|error| {
            // The error's own text would quote the file.
            if error.is_data() {
                KeyRingError::NotAKeySet
            } else {
                KeyRingError::NotJson {
                    line: error.line(),
                    column: error.column(),
                }
            }
        })?;
        if !json::is_object(text) {
            return Err(KeyRingError::NotAKeySet);
        }
        if raw.keys.is_empty() {
            return Err(KeyRingError::NoKeys);
        }
        let read = |list: &str, entries: &[&RawValue]| -> Result<Vec<Key>, KeyRingError> {
            let key = |(at, entry): (usize, &&RawValue)| key(&format!("{list}[{at}]"), entry);
            entries.iter().enumerate().map(key).collect()
        };
        let ring = Self {
            keys: read("keys", &raw.keys)?,
            former: read("former", &raw.former)?,
        };
        if let Some(stray) = ring.keys.iter().find(|key| key.former.is_some()) {
            return Err(member(
                &stray.kid,
                "a key with `state` belongs into `former`",
            ));
        }
        if let Some(stray) = ring.former.iter().find(|key| key.former.is_none()) {
            return Err(member(&stray.kid, "a former key needs `state` and `since`"));
        }
        ring.judge()?;
        Ok(ring)
    }

    /// Judges the secrets and names of all keys, each and together.
    pub(super) fn judge(&self) -> Result<(), KeyRingError> {
        let keys: Vec<&Key> = self.iter().collect();
        for (at, key) in keys.iter().enumerate() {
            let kid = || key.kid.clone();
            if key.secret().len() < LEAST_KEY_BYTES {
                return Err(KeyRingError::ShortKey {
                    kid: kid(),
                    bytes: key.secret().len(),
                });
            }
            if sample::is_known(key.secret()) {
                return Err(KeyRingError::SampleKey { kid: kid() });
            }
            for other in keys.iter().skip(at + 1) {
                if key.kid == other.kid {
                    return Err(KeyRingError::DuplicateKid { kid: kid() });
                }
                if as_mac_key(key.secret()) == as_mac_key(other.secret()) {
                    let other = other.kid.clone();
                    return Err(KeyRingError::DuplicateSecret { kid: kid(), other });
                }
            }
        }
        Ok(())
    }
}

/// The key that HMAC makes of a secret (RFC 2104 §2): what is longer than a block is hashed, and
/// trailing zeros do not count. Two secrets with the same one sign alike.
fn as_mac_key(secret: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(if secret.len() > 64 {
        Sha256::digest(secret).to_vec()
    } else {
        secret.to_vec()
    });
    while key.last() == Some(&0) {
        key.pop();
    }
    key
}

fn member(key: &str, needs: &'static str) -> KeyRingError {
    KeyRingError::Member {
        key: format!("key {key:?}"),
        needs,
    }
}

/// Whether a text can be a `kid`: 1 to 128 characters of printable ASCII without spaces.
#[must_use]
pub fn is_kid(text: &str) -> bool {
    (1..=LONGEST_KID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn key(place: &str, entry: &RawValue) -> Result<Key, KeyRingError> {
    let at_place = |needs| KeyRingError::Member {
        key: place.to_owned(),
        needs,
    };
    let not_an_object = "must be a JSON object with every member at most once";
    if !json::is_object(entry.get()) {
        return Err(at_place(not_an_object));
    }
    let raw: RawKey<'_> = serde_json::from_str(entry.get()).map_err(|_| at_place(not_an_object))?;
    let kid = raw
        .kid
        .and_then(json::string)
        .filter(|kid| is_kid(kid))
        .ok_or_else(|| {
            at_place("`kid` must be a string of 1 to 128 printable ASCII characters without spaces")
        })?;
    let fault = |needs| member(&kid, needs);

    if raw.kty.and_then(json::string).as_deref() != Some("oct") {
        return Err(fault(
            "`kty` must be \"oct\": this ring holds HS256 keys only",
        ));
    }
    if raw
        .alg
        .is_some_and(|alg| json::string(alg).as_deref() != Some("HS256"))
    {
        return Err(fault("`alg` must be \"HS256\" or absent"));
    }
    let secret = raw
        .k
        .and_then(json::string)
        .and_then(|k| {
            URL_SAFE_NO_PAD
                .decode(k.as_bytes())
                .ok()
                .map(Zeroizing::new)
        })
        .ok_or_else(|| fault("`k` must be the secret as base64url without padding"))?;
    let needs = "`sign_from` must be there, a whole number of Unix seconds";
    let sign_from = raw
        .sign_from
        .and_then(json::integer)
        .ok_or_else(|| fault(needs))?;
    let optional = |raw: Option<&RawValue>, needs| {
        raw.map(|raw| json::integer(raw).ok_or_else(|| fault(needs)))
            .transpose()
    };
    let needs = "`verify_until` must be a whole number of Unix seconds or absent";
    let verify_until = optional(raw.verify_until, needs)?;
    let needs = "`since` must be a whole number of Unix seconds";
    let since = optional(raw.since, needs)?;
    let revoked = match raw.state.map(json::string) {
        None => None,
        Some(Some(state)) if state == "retired" => Some(false),
        Some(Some(state)) if state == "revoked" => Some(true),
        Some(_) => return Err(fault("`state` must be \"retired\" or \"revoked\"")),
    };

    let mut key = Key::new(kid.clone().into_owned(), &secret, sign_from);
    key.verify_until = verify_until;
    key.former = match (revoked, since) {
        (Some(revoked), Some(since)) => Some(Former { revoked, since }),
        (None, None) => None,
        _ => return Err(fault("`state` and `since` come together")),
    };
    Ok(key)
}
