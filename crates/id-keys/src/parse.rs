//! Reading the ring's file: strict about our own members, silent about foreign ones.
//!
//! No message repeats anything of the file but a `kid` that is well-formed: a secret put into the wrong member must not
//! end up in a log.

use serde::Deserialize;
use serde_json::value::RawValue;
use shared::keys::is_kid;

use crate::key::{Former, IdKey};
use crate::numbers::{KeyFault, Material};
use crate::{IdKeys, json, jwk::RawJwk};

/// Why a file cannot be used. The texts say what is wrong with which key, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdKeysError {
    /// The content is not JSON at all.
    #[error(
        "is not valid JSON (line {line}, column {column}); restore it from a copy, or move it away and make new keys \
         with `auth-server keys init`"
    )]
    NotJson {
        /// Line of the fault, counted from 1.
        line: usize,
        /// Column of the fault, counted from 1.
        column: usize,
    },
    /// The content is JSON, but no JWK Set: an object with an array `keys`, and perhaps `former`.
    #[error(
        "is not a JWK Set: it must be one JSON object with an array `keys` (and at most one array `former`); restore it \
         from a copy, or move it away and make new keys with `auth-server keys init`"
    )]
    NotAKeySet,
    /// The array `keys` is empty.
    #[error("holds no keys: move it away and make new ones with `auth-server keys init`")]
    NoKeys,
    /// A member of a key is missing or has a value that cannot be used.
    #[error("{key}: {needs}")]
    Member {
        /// The key: its `kid`, or its place in the file.
        key: String,
        /// What the member must be.
        needs: &'static str,
    },
    /// A key that cannot sign.
    #[error("key {kid:?} {fault}: restore the file from a copy, or take the key out")]
    Unfit {
        /// The key's name.
        kid: String,
        /// What is wrong with it.
        fault: KeyFault,
    },
    /// Two keys have the same name.
    #[error("the kid {kid:?} is there twice: every key needs a name of its own; remove one")]
    DuplicateKid {
        /// The name.
        kid: String,
    },
    /// Two keys are the same, so that a withdrawn one would live on under another name.
    #[error("the keys {kid:?} and {other:?} are the same: remove one of them")]
    SameKey {
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

impl IdKeys {
    /// Reads the content of the file. Each key signs and verifies once on the way.
    ///
    /// # Errors
    /// See [`IdKeysError`]: one bad key makes the whole file unusable, because a ring that is silently short of a key
    /// makes clients refuse log-ins.
    pub fn parse(json: &[u8]) -> Result<Self, IdKeysError> {
        let text = std::str::from_utf8(json).map_err(|_| IdKeysError::NotAKeySet)?;
        let raw: RawRing<'_> = serde_json::from_str(text).map_err(|error| {
            // The error's own text would quote the file.
            if error.is_data() {
                IdKeysError::NotAKeySet
            } else {
                IdKeysError::NotJson {
                    line: error.line(),
                    column: error.column(),
                }
            }
        })?;
        if !json::is_object(text) {
            return Err(IdKeysError::NotAKeySet);
        }
        if raw.keys.is_empty() {
            return Err(IdKeysError::NoKeys);
        }
        let read = |list: &str, entries: &[&RawValue]| -> Result<Vec<IdKey>, IdKeysError> {
            let key = |(at, entry): (usize, &&RawValue)| key(&format!("{list}[{at}]"), entry);
            entries.iter().enumerate().map(key).collect()
        };
        let ring = Self {
            keys: read("keys", &raw.keys)?,
            former: read("former", &raw.former)?,
        };
        if let Some(stray) = ring.keys.iter().find(|key| key.former.is_some()) {
            return Err(member(
                stray.kid(),
                "a key with `state` belongs into `former`",
            ));
        }
        if let Some(stray) = ring.former.iter().find(|key| key.former.is_none()) {
            return Err(member(
                stray.kid(),
                "a former key needs `state` and `since`",
            ));
        }
        ring.judge()?;
        Ok(ring)
    }

    /// Judges all keys together.
    fn judge(&self) -> Result<(), IdKeysError> {
        for (at, key) in self.iter().enumerate() {
            for other in self.iter().skip(at + 1) {
                let kid = || key.kid.clone();
                if key.kid == other.kid {
                    return Err(IdKeysError::DuplicateKid { kid: kid() });
                }
                if key.is_same_as(other) {
                    let other = other.kid.clone();
                    return Err(IdKeysError::SameKey { kid: kid(), other });
                }
            }
        }
        Ok(())
    }
}

fn member(kid: &str, needs: &'static str) -> IdKeysError {
    IdKeysError::Member {
        key: format!("key {kid:?}"),
        needs,
    }
}

fn key(place: &str, entry: &RawValue) -> Result<IdKey, IdKeysError> {
    let at_place = |needs| IdKeysError::Member {
        key: place.to_owned(),
        needs,
    };
    let raw = RawJwk::read(entry.get())
        .ok_or_else(|| at_place("must be a JSON object with every member at most once"))?;
    let kid = raw
        .kid
        .and_then(json::string)
        .filter(|kid| is_kid(kid))
        .ok_or_else(|| {
            at_place("`kid` must be a string of 1 to 128 printable ASCII characters without spaces")
        })?;
    let fault = |needs| member(&kid, needs);

    let numbers = raw.numbers().map_err(fault)?;
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
    let revoked = match raw.state.map(json::plain) {
        None => None,
        Some(Some("retired")) => Some(false),
        Some(Some("revoked")) => Some(true),
        Some(_) => return Err(fault("`state` must be \"retired\" or \"revoked\"")),
    };
    let former = match (revoked, since) {
        (Some(revoked), Some(since)) => Some(Former { revoked, since }),
        (None, None) => None,
        _ => return Err(fault("`state` and `since` come together")),
    };

    let material = Material::new(numbers).map_err(|fault| IdKeysError::Unfit {
        kid: kid.clone(),
        fault,
    })?;
    let mut key = IdKey::new(kid, material, sign_from);
    key.verify_until = verify_until;
    key.former = former;
    Ok(key)
}
