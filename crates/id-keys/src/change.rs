//! What an operator does to the ring: rotate, revoke, import.
//!
//! Functions from a ring to the next one; whoever calls them writes the file.

use shared::keys::KeyState;

use crate::key::{Former, IdKey};
use crate::{Algorithm, GenerateError, IdKeys, ImportError, RETIRING_SECONDS, import};

/// The next ring, and what is new in it.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The ring to write.
    pub keys: IdKeys,
    /// Names of the keys that were added.
    pub added: Vec<String>,
}

/// Why a ring could not be changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// No key has this name.
    #[error("the ring has no key {0:?}")]
    UnknownKid(String),
    /// The key has been revoked before.
    #[error("the key {0:?} is revoked already")]
    AlreadyRevoked(String),
    /// There is nothing to follow on.
    #[error("no key of the ring signs at this time, so none can be followed by another")]
    NothingSigns,
    /// No key could be made.
    #[error(transparent)]
    Generate(#[from] GenerateError),
}

impl IdKeys {
    /// Adds a fresh key of each algorithm that has one that signs. They sign `delay_seconds` from `now` on: long enough
    /// for the file to reach every host, and for clients to fetch the JWKS again. Their predecessors stay in the JWKS for
    /// [`RETIRING_SECONDS`] more.
    ///
    /// Tidies `former`: keys whose time is over move there, and leave it `keep_for` seconds after that. Until then they
    /// recognise an `id_token_hint`, whose end nobody looks at.
    ///
    /// # Errors
    /// If no key signs at `now`, or the system has no random numbers.
    pub fn rotate(
        &self,
        now: i64,
        delay_seconds: i64,
        keep_for: i64,
    ) -> Result<Changed, ChangeError> {
        let mut keys = self.tidied(now, keep_for);
        let mut added = Vec::new();
        for algorithm in Algorithm::ALL {
            if self.active(algorithm, now).is_some() {
                let key = IdKey::generate(algorithm, now, later(now, delay_seconds))?;
                added.push(key.kid.clone());
                keys.insert(key);
            }
        }
        if added.is_empty() {
            return Err(ChangeError::NothingSigns);
        }
        Ok(Changed { keys, added })
    }

    /// Adds a key that was made elsewhere, in PEM (PKCS#8, PKCS#1, SEC 1) or as a private JWK. It signs `delay_seconds`
    /// from `now` on; the key of its algorithm that signs until then stays in the JWKS for [`RETIRING_SECONDS`] more.
    ///
    /// A JWK keeps its `kid`, so that tokens which it signed elsewhere are recognised; a key without one is named like a
    /// fresh one. That is not its thumbprint (RFC 7638), which may begin with a hyphen and then looks like an option to
    /// the command that revokes it, and tells nobody how old the key is.
    ///
    /// # Errors
    /// See [`ImportError`]; no text repeats anything of the key but its `kid`.
    pub fn import(
        &self,
        pem_or_jwk: &[u8],
        now: i64,
        delay_seconds: i64,
    ) -> Result<Changed, ImportError> {
        let key = import::key(pem_or_jwk, now, later(now, delay_seconds))?;
        if self.find(&key.kid).is_some() {
            return Err(ImportError::TakenKid(key.kid));
        }
        if let Some(same) = self.iter().find(|other| other.is_same_as(&key)) {
            return Err(ImportError::SameKey(same.kid.clone()));
        }
        let mut keys = self.clone();
        let added = vec![key.kid.clone()];
        keys.insert(key);
        Ok(Changed { keys, added })
    }

    /// Withdraws a key at once. If it was the one that signs, or the last one, a fresh one does from `now` on; if it was still to sign,
    /// its predecessor signs on as if it had never been.
    ///
    /// # Errors
    /// If the ring has no such key, it is revoked already, or the system has no random numbers.
    pub fn revoke(&self, kid: &str, now: i64) -> Result<Changed, ChangeError> {
        let unknown = || ChangeError::UnknownKid(kid.to_owned());
        let mut keys = self.clone();
        let mut added = Vec::new();
        let revoked = Some(Former {
            revoked: true,
            since: now,
        });
        if let Some(key) = keys.former.iter_mut().find(|key| key.kid == kid) {
            if key.is_revoked() {
                return Err(ChangeError::AlreadyRevoked(kid.to_owned()));
            }
            key.former = revoked;
            return Ok(Changed { keys, added });
        }
        let at = keys.keys.iter().position(|key| key.kid == kid);
        let at = at.ok_or_else(unknown)?;
        let state = self.state(self.find(kid).ok_or_else(unknown)?, now);

        let successor = keys.successor(at);
        if let Some(predecessor) = keys.predecessor(at)
            && state == KeyState::Staged
        {
            predecessor.verify_until = successor.map(verify_until);
        }
        let mut key = keys.keys.remove(at);
        key.former = revoked;
        let algorithm = key.algorithm();
        keys.former.push(key);

        // A file without a key that may sign could not be read.
        if state == KeyState::Active || keys.keys.is_empty() {
            let key = IdKey::generate(algorithm, now, now)?;
            added.push(key.kid.clone());
            keys.insert(key);
        }
        Ok(Changed { keys, added })
    }

    /// Adds a key at its place in time: its predecessor gets an end, and so does the key itself if it has a successor
    /// already.
    fn insert(&mut self, mut key: IdKey) {
        let (at, from) = (self.keys.len(), key.sign_from);
        self.keys.push(key.clone());
        key.verify_until = self.successor(at).map(verify_until);
        if let Some(added) = self.keys.get_mut(at) {
            *added = key;
        }
        if let Some(predecessor) = self.predecessor(at) {
            // Never later than before: a key that has been followed once stays on its way out.
            let until = verify_until(from);
            predecessor.verify_until =
                Some(predecessor.verify_until.map_or(until, |old| old.min(until)));
        }
    }

    fn tidied(&self, now: i64, keep_for: i64) -> Self {
        let mut tidy = Self {
            keys: Vec::new(),
            former: self.former.clone(),
        };
        for key in &self.keys {
            let mut key = key.clone();
            if let Some(since) = key.verify_until.filter(|until| *until <= now) {
                key.former = Some(Former {
                    revoked: false,
                    since,
                });
                tidy.former.push(key);
            } else {
                tidy.keys.push(key);
            }
        }
        tidy.former
            .retain(|key| key.since().unwrap_or(now).saturating_add(keep_for) > now);
        tidy
    }

    /// The key of the same algorithm that signs until the one at `at` does.
    fn predecessor(&mut self, at: usize) -> Option<&mut IdKey> {
        let place = self.place(at)?;
        let earlier = self
            .line(at)
            .filter(|other| self.place(*other) < Some(place));
        let earlier = earlier.max_by_key(|other| self.place(*other))?;
        self.keys.get_mut(earlier)
    }

    /// When the key of the same algorithm begins to sign that follows the one at `at`.
    fn successor(&self, at: usize) -> Option<i64> {
        let place = self.place(at)?;
        let later = self
            .line(at)
            .filter(|other| self.place(*other) > Some(place));
        let later = later.min_by_key(|other| self.place(*other))?;
        self.keys.get(later).map(IdKey::sign_from)
    }

    /// Where the keys stand that are of the same algorithm as the one at `at`.
    fn line(&self, at: usize) -> impl Iterator<Item = usize> {
        let algorithm = self.keys.get(at).map(IdKey::algorithm);
        let all = self.keys.iter().map(IdKey::algorithm).enumerate();
        all.filter(move |(_, other)| Some(*other) == algorithm)
            .map(|(at, _)| at)
    }

    /// The order in which keys sign.
    fn place(&self, at: usize) -> Option<(i64, usize)> {
        Some((self.keys.get(at)?.sign_from, at))
    }
}

/// When a key leaves the JWKS whose successor signs from `successor` on.
fn verify_until(successor: i64) -> i64 {
    successor.saturating_add(RETIRING_SECONDS)
}

/// No delay makes a key sign in the past.
fn later(now: i64, delay_seconds: i64) -> i64 {
    now.saturating_add(delay_seconds.max(0))
}
