//! What an operator does to a ring: rotate, revoke, import, look.
//!
//! Pure functions from a ring to the next one; whoever calls them writes the file.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::parse::is_kid;
use super::{Former, Key, KeyRing, KeyRingError, KeyState, RETIRING_SECONDS, sample};
use crate::clock::seconds;

/// The next ring, and the key that matters in it.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The ring to write.
    pub ring: KeyRing,
    /// Name of the key that was added, if one was.
    pub added: Option<String>,
}

/// Why a ring could not be changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// No key has this name.
    #[error("the ring has no key {0:?}; `auth-server keys status` lists them")]
    UnknownKid(String),
    /// The key has been revoked before.
    #[error("the key {0:?} is revoked already")]
    AlreadyRevoked(String),
    /// A name for a key that cannot be one.
    #[error("a kid has 1 to 128 printable ASCII characters and no spaces")]
    BadKid,
    /// The ring would not be usable afterwards.
    #[error(transparent)]
    Ring(#[from] KeyRingError),
}

/// One line of `keys status`; holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyStatus {
    /// The key's name.
    pub kid: String,
    /// What it may do now.
    pub state: KeyState,
    /// When it begins to sign, Unix seconds.
    pub sign_from: i64,
    /// When it ceases to verify, Unix seconds.
    pub verify_until: Option<i64>,
    /// When it was retired or revoked, Unix seconds.
    pub since: Option<i64>,
    /// Seconds since it began to sign; negative while it is staged.
    pub age: i64,
    /// Eight hex digits that tell two secrets apart, and nothing about either.
    pub fingerprint: String,
}

/// How an existing secret is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretForm {
    /// The text's own bytes: what `Encoding.UTF8.GetBytes(…)` gives in .NET, or a string in Node.
    Utf8,
    /// Hex digits.
    Hex,
    /// Base64url, with or without padding.
    Base64Url,
}

impl SecretForm {
    /// The bytes of a secret that is written in this form; `None` if the text is not in it.
    #[must_use]
    pub fn decode(self, text: &str) -> Option<Zeroizing<Vec<u8>>> {
        match self {
            Self::Utf8 => Some(text.as_bytes().to_vec()),
            Self::Hex => sample::from_hex(text),
            Self::Base64Url => URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok(),
        }
        .map(Zeroizing::new)
    }
}

impl KeyRing {
    /// Makes a ring of one existing secret that signs from `now` on.
    ///
    /// # Errors
    /// If the secret is too short or known to everybody, or the name cannot be one.
    pub fn from_secret(secret: &[u8], kid: Option<&str>, now: i64) -> Result<Self, ChangeError> {
        let ring = Self {
            keys: vec![existing_key(secret, kid, now)?],
            former: Vec::new(),
        };
        ring.judge()?;
        Ok(ring)
    }

    /// Adds a fresh key that signs after `delay`: long enough for the file to reach every host.
    /// The key that signs until then verifies for 150 minutes more. Tidies `former`: keys whose
    /// time to verify is over move there, those that nobody can come with any more after `keep`
    /// (the idle lifetime of refresh tokens) leave it.
    #[must_use]
    pub fn rotate(&self, now: i64, delay: Duration, keep: Duration) -> Changed {
        let mut ring = self.tidied(now, keep);
        let key = fresh_key(now, now.saturating_add(seconds(delay)));
        let added = Some(key.kid.clone());
        ring.insert(key);
        Changed { ring, added }
    }

    /// Adds an existing secret that signs from `now` on, so that an installation which knows
    /// nothing but this secret, and Keyturn, accept each other's tokens until the next rotation.
    ///
    /// # Errors
    /// If the secret is too short, known to everybody or in the ring already, or if the name
    /// cannot be one or is taken.
    pub fn import(
        &self,
        secret: &[u8],
        kid: Option<&str>,
        now: i64,
    ) -> Result<Changed, ChangeError> {
        let mut ring = self.clone();
        let key = existing_key(secret, kid, now)?;
        let added = Some(key.kid.clone());
        ring.insert(key);
        ring.judge()?;
        Ok(Changed { ring, added })
    }

    /// Withdraws a key at once. If no key signs any more, a fresh one does from `now` on; if the
    /// key was still to sign, its predecessor signs on as if it had never been.
    ///
    /// # Errors
    /// If the ring has no such key, or it is revoked already.
    pub fn revoke(&self, kid: &str, now: i64) -> Result<Changed, ChangeError> {
        let mut ring = self.clone();
        let revoked = Some(Former {
            revoked: true,
            since: now,
        });
        if let Some(key) = ring.former.iter_mut().find(|key| key.kid == kid) {
            if key.former.is_some_and(|former| former.revoked) {
                return Err(ChangeError::AlreadyRevoked(kid.to_owned()));
            }
            key.former = revoked;
            return Ok(Changed { ring, added: None });
        }
        let at = ring.keys.iter().position(|key| key.kid == kid);
        let at = at.ok_or_else(|| ChangeError::UnknownKid(kid.to_owned()))?;

        let predecessor = ring.predecessor(at);
        let successor = ring
            .successor(at)
            .and_then(|at| ring.keys.get(at))
            .map(Key::sign_from);
        let state = self.find(kid).map(|key| self.state(key, now));
        let staged = state == Some(KeyState::Staged);
        if let Some(predecessor) = predecessor.and_then(|at| ring.keys.get_mut(at))
            && staged
        {
            predecessor.verify_until = successor.map(verify_until);
        }
        let mut key = ring.keys.remove(at);
        key.former = revoked;
        ring.former.push(key);

        let mut added = None;
        if state == Some(KeyState::Active) || ring.active(now).is_none() {
            let key = fresh_key(now, now);
            added = Some(key.kid.clone());
            ring.insert(key);
        }
        Ok(Changed { ring, added })
    }

    /// Every key with its state at `now`, those that verify first.
    #[must_use]
    pub fn status(&self, now: i64) -> Vec<KeyStatus> {
        let status = |key: &Key| KeyStatus {
            kid: key.kid.clone(),
            state: self.state(key, now),
            sign_from: key.sign_from,
            verify_until: key.verify_until,
            since: key.former.map(|former| former.since),
            age: now.saturating_sub(key.sign_from),
            fingerprint: fingerprint(key.secret()),
        };
        self.iter().map(status).collect()
    }

    /// Adds a key at its place in time: its predecessor gets an end, and so does the key itself if
    /// it has a successor already.
    fn insert(&mut self, key: Key) {
        self.keys.push(key);
        let at = self.keys.len() - 1;
        let from = self.keys.last().map(Key::sign_from).unwrap_or_default();
        let successor = self
            .successor(at)
            .and_then(|at| self.keys.get(at))
            .map(Key::sign_from);
        if let Some(key) = self.keys.get_mut(at) {
            key.verify_until = successor.map(verify_until);
        }
        if let Some(predecessor) = self.predecessor(at).and_then(|at| self.keys.get_mut(at)) {
            // Never later than before: a key that has been followed once stays on its way out.
            let until = verify_until(from);
            predecessor.verify_until =
                Some(predecessor.verify_until.map_or(until, |old| old.min(until)));
        }
    }

    fn tidied(&self, now: i64, keep: Duration) -> Self {
        let over = |key: &Key| key.verify_until.filter(|until| *until <= now);
        let mut ring = Self {
            keys: Vec::new(),
            former: self.former.clone(),
        };
        for key in &self.keys {
            let mut key = key.clone();
            if let Some(since) = over(&key) {
                key.former = Some(Former {
                    revoked: false,
                    since,
                });
                ring.former.push(key);
            } else {
                ring.keys.push(key);
            }
        }
        let since = |key: &Key| key.former.map_or(now, |former| former.since);
        ring.former
            .retain(|key| since(key).saturating_add(seconds(keep)) > now);
        ring
    }

    /// The key that signs until the one at `at` does.
    fn predecessor(&self, at: usize) -> Option<usize> {
        let place = self.place(at)?;
        (0..self.keys.len())
            .filter(|other| self.place(*other) < Some(place))
            .max_by_key(|other| self.place(*other))
    }

    /// The key that signs after the one at `at`.
    fn successor(&self, at: usize) -> Option<usize> {
        let place = self.place(at)?;
        (0..self.keys.len())
            .filter(|other| self.place(*other) > Some(place))
            .min_by_key(|other| self.place(*other))
    }

    /// The order in which keys sign.
    fn place(&self, at: usize) -> Option<(i64, usize)> {
        Some((self.keys.get(at)?.sign_from, at))
    }
}

/// When a key ceases to verify whose successor signs from `successor` on.
fn verify_until(successor: i64) -> i64 {
    successor.saturating_add(RETIRING_SECONDS)
}

/// A key of 32 random bytes, named after the day it was made.
pub(super) fn fresh_key(now: i64, sign_from: i64) -> Key {
    let mut secret = Zeroizing::new([0; 32]);
    rand::rng().fill_bytes(secret.as_mut());
    Key::new(fresh_kid(now), secret.as_ref(), sign_from)
}

fn existing_key(secret: &[u8], kid: Option<&str>, now: i64) -> Result<Key, ChangeError> {
    let kid = match kid {
        None => fresh_kid(now),
        Some(kid) if is_kid(kid) => kid.to_owned(),
        Some(_) => return Err(ChangeError::BadKid),
    };
    Ok(Key::new(kid, secret, now))
}

/// A name for a key made at `now`, Unix seconds: a day and eight random characters, readable, never the same twice.
#[must_use]
pub fn fresh_kid(now: i64) -> String {
    let mut random = [0; 6];
    rand::rng().fill_bytes(&mut random);
    let day = chrono::DateTime::from_timestamp(now, 0)
        .unwrap_or_default()
        .format("%Y%m%d");
    format!("{day}-{}", URL_SAFE_NO_PAD.encode(random))
}

/// Eight hex digits of a hash that is used for nothing else.
fn fingerprint(secret: &[u8]) -> String {
    let digest = Sha256::new()
        .chain_update(b"keyturn key fingerprint\0")
        .chain_update(secret);
    let start = digest.finalize().first_chunk().copied().unwrap_or_default();
    format!("{:08x}", u32::from_be_bytes(start))
}
