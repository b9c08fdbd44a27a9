//! The device token: a browser or app shows by it that somebody has logged in to the account from there.
//!
//! It opens nothing. It lets failures of that device be counted apart from everybody else's (OWASP's "device
//! cookies"), so that the owner gets in while strangers guess. It is computed and not stored; whatever is not
//! exactly one of ours, for this account and of the last months, is as good as none.
//!
//! Layout, big-endian, 76 bytes, always 102 characters of base64url:
//! MAC key id (4) · user id (16) · device id (16) · issued at (8) · HMAC-SHA256 (32).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac;
use uuid::Uuid;

use super::delay::AHEAD;
use crate::db::UserId;
use crate::mac_keys::{DEVICE_TOKEN_TTL, MacKeyFile, MacKeys};

const SIGNED: usize = 44;
const LENGTH: usize = SIGNED + 32;
/// Keeps a MAC over these bytes from ever meaning anything else under the same key.
const DOMAIN: &[u8] = b"keyturn device token v1\0";

/// What a genuine device token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceToken {
    /// Whose device.
    pub user: UserId,
    /// Which device: a random number.
    pub device: Uuid,
    /// Unix seconds of the log-in that it was given at.
    pub issued_at: i64,
}

impl DeviceToken {
    /// Writes the token in its one spelling; `None` if there is no key.
    #[must_use]
    pub fn encode(&self, keys: &MacKeys, now: i64) -> Option<String> {
        let key = keys.signing(now)?;
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend_from_slice(&key.id().to_be_bytes());
        bytes.extend_from_slice(self.user.as_bytes());
        bytes.extend_from_slice(self.device.as_bytes());
        bytes.extend_from_slice(&self.issued_at.to_be_bytes());
        let mac = key.mac(DOMAIN).chain_update(&bytes).finalize().into_bytes();
        bytes.extend_from_slice(&mac);
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// As [`Self::decode`] under the keys of a file, which is looked at again, at most once a second, for a key
    /// that is not known: another replica may have read a new one already.
    pub(super) fn read(text: &str, keys: &MacKeyFile, now: i64) -> Option<Self> {
        let bytes = bytes(text)?;
        let ring = keys.ring();
        let known = key_id(&bytes).is_some_and(|id| ring.find(id).is_some());
        let ring = if known { ring } else { keys.look_again() };
        Self::open(&bytes, &ring).filter(|token| token.is_good(now))
    }

    /// Reads what a client presents; `None` for anything but the exact string that [`Self::encode`] once gave, and
    /// when it is too old.
    #[must_use]
    pub fn decode(text: &str, keys: &MacKeys, now: i64) -> Option<Self> {
        Self::open(&bytes(text)?, keys).filter(|token| token.is_good(now))
    }

    fn is_good(&self, now: i64) -> bool {
        let age = now.saturating_sub(self.issued_at);
        (-AHEAD..DEVICE_TOKEN_TTL).contains(&age)
    }

    fn open(bytes: &[u8; LENGTH], keys: &MacKeys) -> Option<Self> {
        let (signed, presented) = bytes.split_at(SIGNED);
        let key = keys.find(key_id(bytes)?)?;
        key.mac(DOMAIN)
            .chain_update(signed)
            .verify_slice(presented)
            .ok()?;
        let (user, rest) = signed.get(4..)?.split_first_chunk()?;
        let (device, rest) = rest.split_first_chunk()?;
        Some(Self {
            user: Uuid::from_bytes(*user).into(),
            device: Uuid::from_bytes(*device),
            issued_at: i64::from_be_bytes(rest.try_into().ok()?),
        })
    }
}

/// The engine refuses padding, white space, the other alphabet and stray trailing bits, so that a token has one
/// spelling.
fn bytes(text: &str) -> Option<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    let n = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
    (n == LENGTH).then_some(bytes)
}

fn key_id(bytes: &[u8; LENGTH]) -> Option<u32> {
    bytes.first_chunk().copied().map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use std::time::Duration;

    use super::*;
    use crate::sessions::refresh_token::RefreshToken;

    const NOW: i64 = 1_800_000_000;

    struct World {
        file: std::sync::Arc<MacKeyFile>,
        keys: MacKeys,
        folder: tempfile::TempDir,
    }

    fn world() -> World {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        let keys = MacKeys::generate(0);
        shared::key_file::create_new(&path, keys.to_json().unwrap().as_bytes(), 0o600).unwrap();
        World {
            file: MacKeyFile::open(&path).unwrap(),
            keys,
            folder,
        }
    }

    fn token(issued_at: i64) -> DeviceToken {
        DeviceToken {
            user: Uuid::from_u128(1).into(),
            device: Uuid::from_u128(2),
            issued_at,
        }
    }

    #[test]
    fn a_token_is_good_for_half_a_year_and_not_before_its_time() {
        let world = world();
        for (age, good) in [
            (0, true),
            (DEVICE_TOKEN_TTL - 1, true),
            (DEVICE_TOKEN_TTL, false),
            (-AHEAD, true),
            (-AHEAD - 1, false),
            (i64::MIN + NOW + 1, false),
        ] {
            let given = token(NOW.saturating_sub(age));
            let text = given.encode(&world.keys, NOW).unwrap();
            assert_eq!(text.len(), 102);
            let read = DeviceToken::read(&text, &world.file, NOW);
            assert_eq!(read, good.then_some(given), "{age}");
        }
    }

    #[test]
    fn any_changed_character_makes_it_none() {
        let world = world();
        let text = token(NOW).encode(&world.keys, NOW).unwrap();
        for at in 0..text.len() {
            for other in ["A", "B", "_", "+", "=", " ", "é"] {
                let mut changed = text.clone();
                changed.replace_range(at..=at, other);
                if changed != text {
                    let read = DeviceToken::read(&changed, &world.file, NOW);
                    assert_eq!(read, None, "{at} {other}");
                }
            }
        }
        let longer = [
            format!("{text}A"),
            format!("{text}="),
            format!(" {text}"),
            format!("{text}\n"),
        ];
        for other in longer
            .iter()
            .map(String::as_str)
            .chain(["", &text[..101], &text[..98]])
        {
            assert_eq!(
                DeviceToken::read(other, &world.file, NOW),
                None,
                "{other:?}"
            );
        }
    }

    #[test]
    fn a_token_under_another_key_is_none_and_no_other_token_is_one() {
        let (ours, theirs) = (world(), world());
        let text = token(NOW).encode(&theirs.keys, NOW).unwrap();
        assert_eq!(DeviceToken::read(&text, &ours.file, NOW), None);
        // The same bytes, authenticated for another purpose.
        let key = ours.keys.signing(NOW).unwrap();
        let genuine = token(NOW).encode(&ours.keys, NOW).unwrap();
        let mut bytes = bytes(&genuine).unwrap().to_vec();
        let mut mac = key.mac(b"");
        mac.update(b"keyturn refresh token v1\0");
        mac.update(&bytes[..SIGNED]);
        bytes.splice(SIGNED.., mac.finalize().into_bytes());
        let other = URL_SAFE_NO_PAD.encode(bytes);
        assert_eq!(DeviceToken::read(&other, &ours.file, NOW), None);
        assert!(RefreshToken::decode(&genuine, crate::db::Purpose::Account, &ours.keys).is_err());
    }

    #[test]
    fn a_token_under_a_key_that_another_replica_has_read_already_is_known() {
        let world = world();
        let rotated = world
            .keys
            .rotate(NOW, Duration::ZERO, Duration::from_hours(720));
        let text = token(NOW).encode(&rotated, NOW).unwrap();
        let path = world.folder.path().join("keys.json");
        std::fs::write(&path, rotated.to_json().unwrap().as_bytes()).unwrap();
        assert_eq!(DeviceToken::read(&text, &world.file, NOW), Some(token(NOW)));
    }

    #[test]
    fn a_device_token_outlives_a_rotation_of_its_key_however_short_sessions_are() {
        let world = world();
        let last = token(NOW);
        let text = last.encode(&world.keys, NOW).unwrap();
        // The key's last second is this one; sessions live for half an hour.
        let end = NOW + DEVICE_TOKEN_TTL - 1;
        let life = Duration::from_mins(30);
        let rotated =
            world
                .keys
                .rotate(NOW, Duration::from_secs(1), life)
                .rotate(end, Duration::ZERO, life);
        let path = world.folder.path().join("keys.json");
        std::fs::write(&path, rotated.to_json().unwrap().as_bytes()).unwrap();
        let file = MacKeyFile::open(&path).unwrap();
        assert_eq!(DeviceToken::read(&text, &file, end), Some(last));
        assert_eq!(
            rotated.rotate(end + 2, Duration::ZERO, life).iter().count(),
            3
        );
    }

    proptest! {
        #[test]
        fn rubbish_is_no_device(text in ".{0,200}", now: i64) {
            let world = world();
            prop_assert!(DeviceToken::read(&text, &world.file, now).is_none());
        }
    }
}
