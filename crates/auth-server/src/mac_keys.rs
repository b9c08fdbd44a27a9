//! The keys that authenticate refresh tokens and device tokens, as they stand in `REFRESH_KEYS_FILE`.
//!
//! Only auth-server has them. A session keeps the key it began with, and so does a device token: a key may leave
//! the file only when the last of both is over.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use shared::clock::seconds;
use shared::key_file::{FileOf, Keys};
use zeroize::{Zeroize, Zeroizing};

/// The file of the MAC keys.
///
/// `keys rotate-refresh` adds a key some time before sessions begin with it, so that every replica has read
/// it by then.
pub type MacKeyFile = FileOf<MacKeys>;

/// Bytes of a MAC key: as long as the MAC, as RFC 2104 §3 advises.
const SECRET: usize = 32;

/// Seconds after which a device that was not used for a log-in is a stranger again: half a year. A key is kept
/// for as long after its successor began.
pub(crate) const DEVICE_TOKEN_TTL: i64 = 180 * 86_400;

/// One MAC key.
#[derive(Clone)]
pub struct MacKey {
    id: u32,
    secret: Zeroizing<[u8; SECRET]>,
    sign_from: i64,
}

impl MacKey {
    /// Number of the key, part of every token made with it.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Unix second from which new sessions begin with this key.
    #[must_use]
    pub fn sign_from(&self) -> i64 {
        self.sign_from
    }

    /// The MAC of a message, begun: under this key, and in a domain that keeps it from ever meaning anything else
    /// under the same key. The domain ends with a zero byte.
    #[expect(
        clippy::expect_used,
        reason = "HMAC takes keys of every length (RFC 2104 §2)"
    )]
    pub(crate) fn mac(&self, domain: &'static [u8]) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(&*self.secret).expect("a key of any length");
        mac.chain_update(domain)
    }

    #[cfg(test)]
    pub(crate) fn secret(&self) -> &[u8] {
        &*self.secret
    }

    fn generate(sign_from: i64) -> Self {
        Self {
            id: rand::random(),
            secret: Zeroizing::new(rand::random()),
            sign_from,
        }
    }
}

impl std::fmt::Debug for MacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MacKey({:08x}, [redacted])", self.id)
    }
}

/// All MAC keys; at least one.
#[derive(Clone, Debug)]
pub struct MacKeys {
    keys: Vec<MacKey>,
}

/// What is wrong with a file of MAC keys; says which key and what to do, never a secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MacKeysError {
    /// Not JSON, or not of the form that `keys init` writes.
    #[error(
        "not the JSON that `auth-server keys init` writes (line {0}): restore it from a backup"
    )]
    Form(usize),
    /// An empty `keys`.
    #[error("no key in it: restore it from a backup, or remove it and run `auth-server keys init`")]
    Empty,
    /// An id that is not 8 hexadecimal digits.
    #[error("a `kid` that is not 8 hexadecimal digits")]
    Id,
    /// A secret that is not 32 bytes of base64url, or plainly not random.
    #[error(
        "key {0:08x} is not 32 random bytes in base64url: make one with `auth-server keys rotate-refresh`"
    )]
    Secret(u32),
    /// The same id or the same secret twice.
    #[error("key {0:08x} is there twice: remove one")]
    Duplicate(u32),
}

#[derive(Serialize, Deserialize)]
struct FileForm {
    keys: Vec<KeyForm>,
}

#[derive(Serialize, Deserialize)]
struct KeyForm {
    kty: String,
    kid: String,
    k: String,
    sign_from: i64,
}

impl Drop for KeyForm {
    fn drop(&mut self) {
        self.k.zeroize();
    }
}

impl Keys for MacKeys {
    type Fault = MacKeysError;

    fn parse(content: &[u8]) -> Result<Self, MacKeysError> {
        Self::parse(content)
    }

    fn names(&self) -> Vec<String> {
        self.keys
            .iter()
            .map(|key| format!("{:08x}", key.id))
            .collect()
    }
}

impl MacKeys {
    /// A first key, good at once.
    #[must_use]
    pub fn generate(now: i64) -> Self {
        Self {
            keys: vec![MacKey::generate(now)],
        }
    }

    /// Reads the file's content.
    ///
    /// # Errors
    /// [`MacKeysError`], to be shown with the file's path and the setting's name.
    pub fn parse(json: &[u8]) -> Result<Self, MacKeysError> {
        // serde's own message may quote the input, and with it a secret: only the line goes on.
        let form: FileForm =
            serde_json::from_slice(json).map_err(|e| MacKeysError::Form(e.line()))?;
        let mut keys: Vec<MacKey> = Vec::with_capacity(form.keys.len());
        for key in &form.keys {
            let id = (key.kid.len() == 8)
                .then(|| u32::from_str_radix(&key.kid, 16).ok())
                .flatten()
                .ok_or(MacKeysError::Id)?;
            let bytes = URL_SAFE_NO_PAD
                .decode(&key.k)
                .map(Zeroizing::new)
                .map_err(|_| MacKeysError::Secret(id))?;
            let secret: [u8; SECRET] = bytes
                .as_slice()
                .try_into()
                .map_err(|_| MacKeysError::Secret(id))?;
            if secret.iter().all(|b| *b == secret[0]) {
                return Err(MacKeysError::Secret(id));
            }
            if keys.iter().any(|k| k.id == id || *k.secret == secret) {
                return Err(MacKeysError::Duplicate(id));
            }
            keys.push(MacKey {
                id,
                secret: Zeroizing::new(secret),
                sign_from: key.sign_from,
            });
        }
        if keys.is_empty() {
            return Err(MacKeysError::Empty);
        }
        Ok(Self { keys })
    }

    /// The file's content.
    ///
    /// # Errors
    /// None in practice: the form has nothing that JSON cannot say.
    pub fn to_json(&self) -> Result<Zeroizing<String>, serde_json::Error> {
        let keys = self
            .keys
            .iter()
            .map(|key| KeyForm {
                kty: "oct".into(),
                kid: format!("{:08x}", key.id),
                k: URL_SAFE_NO_PAD.encode(*key.secret),
                sign_from: key.sign_from,
            })
            .collect();
        serde_json::to_string_pretty(&FileForm { keys }).map(Zeroizing::new)
    }

    /// The key with that id.
    #[must_use]
    pub fn find(&self, id: u32) -> Option<&MacKey> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// The key that new sessions begin with: the latest whose time has come, or the earliest if none has.
    #[must_use]
    pub fn signing(&self, now: i64) -> Option<&MacKey> {
        let come = self
            .keys
            .iter()
            .filter(|key| key.sign_from <= now)
            .max_by_key(|key| key.sign_from);
        come.or_else(|| self.keys.iter().min_by_key(|key| key.sign_from))
    }

    /// Adds a key for sessions that begin `lead` from now on, and drops the keys whose last session, of
    /// `absolute_ttl`, has reached its absolute end, and whose last device token is over.
    #[must_use]
    pub fn rotate(&self, now: i64, lead: Duration, absolute_ttl: Duration) -> Self {
        let next = MacKey::generate(now.saturating_add(seconds(lead)));
        let needed = seconds(absolute_ttl).max(DEVICE_TOKEN_TTL);
        let mut keys: Vec<MacKey> = self.keys.clone();
        keys.sort_by_key(|key| key.sign_from);
        let ends: Vec<i64> = keys
            .iter()
            .skip(1)
            .map(|successor| successor.sign_from)
            .chain([next.sign_from])
            .collect();
        let mut kept: Vec<MacKey> = keys
            .into_iter()
            .zip(ends)
            .filter(|(_, end)| end.saturating_add(needed) > now)
            .map(|(key, _)| key)
            .collect();
        kept.push(next);
        Self { keys: kept }
    }

    /// All keys, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &MacKey> {
        self.keys.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(json: &str) -> MacKeysError {
        MacKeys::parse(json.as_bytes()).unwrap_err()
    }

    fn key(kid: &str, secret: &[u8]) -> String {
        format!(
            r#"{{"kty":"oct","kid":"{kid}","k":"{}","sign_from":1}}"#,
            URL_SAFE_NO_PAD.encode(secret)
        )
    }

    #[test]
    fn the_written_file_is_read_back() {
        let keys = MacKeys::generate(5);
        let again = MacKeys::parse(keys.to_json().unwrap().as_bytes()).unwrap();
        assert_eq!(
            again.signing(5).unwrap().secret(),
            keys.signing(5).unwrap().secret()
        );
    }

    #[test]
    fn bad_files_are_refused_with_their_fault() {
        let (a, b): ([u8; 32], [u8; 32]) = (rand::random(), rand::random());
        assert_eq!(refused("{"), MacKeysError::Form(1));
        assert_eq!(refused(r#"{"keys":[]}"#), MacKeysError::Empty);
        assert_eq!(
            refused(&format!(r#"{{"keys":[{}]}}"#, key("zz", &a))),
            MacKeysError::Id
        );
        assert_eq!(
            refused(&format!(r#"{{"keys":[{}]}}"#, key("00000001", &a[..16]))),
            MacKeysError::Secret(1)
        );
        assert_eq!(
            refused(&format!(r#"{{"keys":[{}]}}"#, key("00000001", &[0; 32]))),
            MacKeysError::Secret(1)
        );
        let same_id = format!(
            r#"{{"keys":[{},{}]}}"#,
            key("00000001", &a),
            key("00000001", &b)
        );
        assert_eq!(refused(&same_id), MacKeysError::Duplicate(1));
        let same_secret = format!(
            r#"{{"keys":[{},{}]}}"#,
            key("00000001", &a),
            key("00000002", &a)
        );
        assert_eq!(refused(&same_secret), MacKeysError::Duplicate(2));
    }

    #[test]
    fn a_rotation_waits_for_its_time_and_keeps_keys_as_long_as_sessions_live() {
        let first = MacKeys::generate(0);
        let old = first.signing(0).unwrap().id();
        let long = Duration::from_hours(4800);
        let second = first.rotate(1000, Duration::from_mins(5), long);
        assert_eq!(second.signing(1299).unwrap().id(), old);
        assert_ne!(second.signing(1300).unwrap().id(), old);
        let end = 1300 + seconds(long);
        assert!(
            second
                .rotate(end - 1, Duration::ZERO, long)
                .find(old)
                .is_some()
        );
        assert!(second.rotate(end, Duration::ZERO, long).find(old).is_none());
    }

    #[test]
    fn debug_shows_no_secret() {
        let keys = MacKeys::generate(0);
        let shown = format!("{keys:?}");
        assert!(
            shown.contains("redacted")
                && !shown.contains(&URL_SAFE_NO_PAD.encode(keys.keys[0].secret()))
        );
    }
}
