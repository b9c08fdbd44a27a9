//! The key ring: which key signs, which verify, which are only recognised.
//!
//! Pure: knows neither files nor the clock. A key's state follows from the ring and the time
//! alone, in [`KeyRing::state`], so every process that reads the same file agrees. The ring is
//! never changed in place; [`change`] makes a new one.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

#[cfg(feature = "sign")]
pub mod change;
mod parse;
mod sample;
mod strength;
#[cfg(feature = "sign")]
mod write;

#[cfg(feature = "sign")]
pub use change::{ChangeError, Changed, KeyStatus, SecretForm, fresh_kid};
pub use parse::{KeyRingError, is_kid};
pub use strength::weakness;

use crate::hs256::Hs256;

/// How long a key verifies after its successor began to sign, in seconds: 150 minutes, longer than
/// any access token lives.
pub const RETIRING_SECONDS: i64 = 150 * 60;

/// One HS256 key. Its secret leaves it only towards the MAC and into the ring's file; it is wiped
/// from memory when the key is dropped, and `Debug` does not show it.
#[derive(Clone)]
pub struct Key {
    kid: String,
    hs256: Hs256,
    /// The header segment of every access token that this key signs, ready to be written and to be
    /// compared with.
    header: Box<str>,
    /// The same for the access tokens of clients.
    app_header: Box<str>,
    sign_from: i64,
    verify_until: Option<i64>,
    former: Option<Former>,
}

/// Why and since when a key is no longer among those that verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Former {
    pub(crate) revoked: bool,
    pub(crate) since: i64,
}

/// What a key may do at a given moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// Will sign later; verifies already, since another process may be ahead of this one.
    Staged,
    /// Signs and verifies.
    Active,
    /// Has a successor that signs; verifies until the last of its tokens must be over.
    Retiring,
    /// Verifies no more; its tokens are recognised, and over whatever they say.
    Retired,
    /// Withdrawn; its tokens are recognised, and revoked.
    Revoked,
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Staged => "staged",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
        })
    }
}

impl Key {
    pub(crate) fn new(kid: String, secret: &[u8], sign_from: i64) -> Self {
        let quoted = serde_json::Value::from(kid.as_str());
        let header = |typ: &str| {
            let header = format!(r#"{{"alg":"HS256","typ":"{typ}","kid":{quoted}}}"#);
            URL_SAFE_NO_PAD.encode(header).into()
        };
        Self {
            hs256: Hs256::new(secret),
            header: header("JWT"),
            app_header: header("at+jwt"),
            kid,
            sign_from,
            verify_until: None,
            former: None,
        }
    }

    /// The key's name, as tokens carry it.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// When the key begins to sign, Unix seconds.
    #[must_use]
    pub fn sign_from(&self) -> i64 {
        self.sign_from
    }

    /// When the key ceases to verify, Unix seconds; `None` while it has no successor.
    #[must_use]
    pub fn verify_until(&self) -> Option<i64> {
        self.verify_until
    }

    pub(crate) fn former(&self) -> Option<Former> {
        self.former
    }

    pub(crate) fn hs256(&self) -> &Hs256 {
        &self.hs256
    }

    pub(crate) fn header(&self) -> &str {
        &self.header
    }

    pub(crate) fn app_header(&self) -> &str {
        &self.app_header
    }

    fn secret(&self) -> &[u8] {
        self.hs256.secret()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .field("secret", &"[redacted]")
            .field("sign_from", &self.sign_from)
            .field("verify_until", &self.verify_until)
            .field("former", &self.former)
            .finish_non_exhaustive()
    }
}

/// All keys that an installation knows; the content of `JWT_KEYS_FILE`.
#[derive(Clone, Debug)]
pub struct KeyRing {
    keys: Vec<Key>,
    former: Vec<Key>,
}

impl KeyRing {
    #[cfg(feature = "sign")]
    /// Makes a ring with one fresh key that signs from `now` on.
    #[must_use]
    pub fn generate(now: i64) -> Self {
        Self {
            keys: vec![change::fresh_key(now, now)],
            former: Vec::new(),
        }
    }

    /// The keys that verify now or will, or did until the ring is next tidied.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The keys that are only recognised: retired and revoked ones.
    #[must_use]
    pub fn former(&self) -> &[Key] {
        &self.former
    }

    /// Every key, those that verify first.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter().chain(&self.former)
    }

    /// Finds a key by name, former ones included.
    #[must_use]
    pub fn find(&self, kid: &str) -> Option<&Key> {
        self.iter().find(|key| key.kid == kid)
    }

    /// The key that signs at `now`, if there is one.
    #[must_use]
    pub fn active(&self, now: i64) -> Option<&Key> {
        let latest = self.latest(now)?;
        let over = self
            .keys
            .get(latest)?
            .verify_until
            .is_some_and(|until| until <= now);
        if over { None } else { self.keys.get(latest) }
    }

    /// What a key of this ring may do at `now`.
    #[must_use]
    pub fn state(&self, key: &Key, now: i64) -> KeyState {
        match key.former {
            Some(Former { revoked: true, .. }) => KeyState::Revoked,
            Some(_) => KeyState::Retired,
            None if key.verify_until.is_some_and(|until| until <= now) => KeyState::Retired,
            None if key.sign_from > now => KeyState::Staged,
            None if self.active(now).is_some_and(|active| active.kid == key.kid) => {
                KeyState::Active
            }
            None => KeyState::Retiring,
        }
    }

    /// Where the key stands whose `sign_from` is the latest that has passed at `now`. Of two with
    /// the same one the later in the file wins, so that there is always exactly one.
    fn latest(&self, now: i64) -> Option<usize> {
        let started = self
            .keys
            .iter()
            .enumerate()
            .filter(|(_, key)| key.sign_from <= now);
        started
            .max_by_key(|(at, key)| (key.sign_from, *at))
            .map(|(at, _)| at)
    }
}

#[cfg(test)]
mod tests;
