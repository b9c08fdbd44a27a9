//! All keys of an installation: which one signs, which are shown, which are only recognised.
//!
//! A key's state follows from the ring and the time alone, in [`IdKeys::state`], so that every process that reads the
//! same file agrees. RS256 and ES256 keys follow each other separately: each algorithm has a line of its own.

use shared::key_file::{FileOf, Keys};
use shared::keys::KeyState;

use crate::key::{Former, IdKey};
use crate::{Algorithm, GenerateError, IdKeysError};

/// How long a key stays in the JWKS after its successor began to sign, in seconds: 150 minutes, as in the first ring. An
/// `id_token` lives ten minutes and a JWKS may be kept for an hour; the rest is for clients that keep it longer.
pub const RETIRING_SECONDS: i64 = 150 * 60;

/// The file of these keys, `ID_KEYS_FILE`.
pub type IdKeyFile = FileOf<IdKeys>;

/// All keys that sign `id_tokens` and logout tokens, or did.
#[derive(Clone, Debug)]
pub struct IdKeys {
    /// Those that are shown now or will be, or were until the ring is next tidied.
    pub(crate) keys: Vec<IdKey>,
    /// Retired and revoked ones.
    pub(crate) former: Vec<IdKey>,
}

impl Keys for IdKeys {
    type Fault = IdKeysError;

    fn parse(content: &[u8]) -> Result<Self, IdKeysError> {
        Self::parse(content)
    }

    fn names(&self) -> Vec<String> {
        self.keys.iter().map(|key| key.kid.clone()).collect()
    }
}

impl IdKeys {
    /// Makes a ring with one fresh RS256 key of 2048 bits and one ES256 key; both sign from `now` on.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn generate(now: i64) -> Result<Self, GenerateError> {
        let fresh = |algorithm| IdKey::generate(algorithm, now, now);
        Ok(Self {
            keys: Algorithm::ALL
                .into_iter()
                .map(fresh)
                .collect::<Result<_, _>>()?,
            former: Vec::new(),
        })
    }

    /// Every key, retired and revoked ones last.
    pub fn iter(&self) -> impl Iterator<Item = &IdKey> {
        self.keys.iter().chain(&self.former)
    }

    /// Finds a key by name, former ones included.
    #[must_use]
    pub fn find(&self, kid: &str) -> Option<&IdKey> {
        self.iter().find(|key| key.kid == kid)
    }

    /// The key of this algorithm that signs at `now`, if there is one: the one whose `sign_from` is the latest that has
    /// passed. Of two with the same one the later in the file wins, so that there is never more than one.
    #[must_use]
    pub fn active(&self, algorithm: Algorithm, now: i64) -> Option<&IdKey> {
        let started = self
            .keys
            .iter()
            .enumerate()
            .filter(|(_, key)| key.algorithm() == algorithm && key.sign_from <= now);
        let (_, latest) = started.max_by_key(|(at, key)| (key.sign_from, *at))?;
        // By hand, an end can be put to a key without a successor.
        let over = latest.verify_until.is_some_and(|until| until <= now);
        (!over).then_some(latest)
    }

    /// What a key of this ring may do at `now`.
    #[must_use]
    pub fn state(&self, key: &IdKey, now: i64) -> KeyState {
        let is_active = || {
            self.active(key.algorithm(), now)
                .is_some_and(|active| active.kid == key.kid)
        };
        match key.former {
            Some(Former { revoked: true, .. }) => KeyState::Revoked,
            Some(_) => KeyState::Retired,
            None if key.verify_until.is_some_and(|until| until <= now) => KeyState::Retired,
            None if key.sign_from > now => KeyState::Staged,
            None if is_active() => KeyState::Active,
            None => KeyState::Retiring,
        }
    }
}
