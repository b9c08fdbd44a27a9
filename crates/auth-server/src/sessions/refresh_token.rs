//! The refresh token: its one spelling, and the keys that authenticate it.
//!
//! Knows neither sessions' rules nor the database. A token carries everything that is needed to refuse
//! it when forged, damaged or over, before a database is asked; together with the session's row it can
//! be computed again, which is what makes the answer to a lost answer the same one.
//!
//! Layout, big-endian, 84 bytes, always 112 characters of base64url:
//! MAC key id (4) · session id (16) · generation (8) · nonce (16) · absolute end (8) · HMAC-SHA256 (32).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac;
use uuid::Uuid;

use crate::db::Generation;
pub use crate::db::{Purpose, RefreshToken};
use crate::error::Error;
use crate::mac_keys::{MacKeyFile, MacKeys};

const SIGNED: usize = 52;
const LENGTH: usize = SIGNED + 32;

/// Keeps a MAC over these bytes from ever meaning anything else under the same key.
fn domain(purpose: Purpose) -> &'static [u8] {
    match purpose {
        Purpose::Account => b"keyturn refresh token v1\0",
        Purpose::App => b"keyturn app v1\0",
        Purpose::Code => b"keyturn code v1\0",
        Purpose::Browser => b"keyturn browser v1\0",
    }
}

/// Why a presented string is not a refresh token of ours. One answer for all: who forges learns nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a refresh token that was issued here")]
pub struct NotGenuine;

/// The key that a session's tokens are made with is not in the file any more. Restored, it goes on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "REFRESH_KEYS_FILE has lost the key {0:08x}, with which sessions live: restore it from a backup"
)]
pub struct KeyGone(pub u32);

impl From<KeyGone> for Error {
    fn from(gone: KeyGone) -> Self {
        Self::Internal(gone.to_string())
    }
}

impl From<NotGenuine> for Error {
    fn from(_: NotGenuine) -> Self {
        Self::InvalidRefreshToken
    }
}

impl RefreshToken {
    /// The same session's token of another generation.
    #[must_use]
    pub fn at_generation(&self, generation: Generation) -> Self {
        Self {
            generation,
            ..self.clone()
        }
    }

    /// Writes the token in its one spelling.
    ///
    /// # Errors
    /// [`KeyGone`] if the key of this token is no longer in the file: nothing that its holder did wrong.
    pub fn encode(&self, keys: &MacKeys) -> Result<String, KeyGone> {
        let key = keys.find(self.key_id).ok_or(KeyGone(self.key_id))?;
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend_from_slice(&self.key_id.to_be_bytes());
        bytes.extend_from_slice(self.session.as_bytes());
        bytes.extend_from_slice(&self.generation.0.to_be_bytes());
        bytes.extend_from_slice(&self.nonce);
        bytes.extend_from_slice(&self.absolute_until.to_be_bytes());
        let mac = key
            .mac(domain(self.purpose))
            .chain_update(&bytes)
            .finalize()
            .into_bytes();
        bytes.extend_from_slice(&mac);
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// As [`Self::decode`] under the keys of a file, which is looked at again, at most once a second, for a
    /// key that is not known: another replica may have read a new one already.
    ///
    /// # Errors
    /// As [`Self::decode`].
    pub fn read(text: &str, purpose: Purpose, keys: &MacKeyFile) -> Result<Self, NotGenuine> {
        let ring = keys.ring();
        match Self::decode(text, purpose, &ring) {
            Err(NotGenuine) if names_unknown_key(text, &ring) => {
                Self::decode(text, purpose, &keys.look_again())
            }
            done => done,
        }
    }

    /// Reads a presented string and checks its MAC; says nothing about the absolute end.
    ///
    /// # Errors
    /// [`NotGenuine`] for anything but the exact string that [`Self::encode`] once gave for this purpose.
    pub fn decode(text: &str, purpose: Purpose, keys: &MacKeys) -> Result<Self, NotGenuine> {
        let mut bytes = [0; LENGTH];
        // The engine refuses padding, white space, the other alphabet and stray trailing bits, so that a
        // token has one spelling; and a wrong length, before the MAC is computed.
        let n = URL_SAFE_NO_PAD
            .decode_slice(text, &mut bytes)
            .map_err(|_| NotGenuine)?;
        if n != LENGTH {
            return Err(NotGenuine);
        }
        let (signed, presented) = bytes.split_at(SIGNED);
        let mut rest = signed;
        let token = Self {
            purpose,
            key_id: u32::from_be_bytes(take(&mut rest)?),
            session: Uuid::from_bytes(take(&mut rest)?).into(),
            generation: Generation(i64::from_be_bytes(take(&mut rest)?)),
            nonce: take(&mut rest)?,
            absolute_until: i64::from_be_bytes(take(&mut rest)?),
        };
        let key = keys.find(token.key_id).ok_or(NotGenuine)?;
        key.mac(domain(purpose))
            .chain_update(signed)
            .verify_slice(presented)
            .map_err(|_| NotGenuine)?;
        Ok(token)
    }
}

fn names_unknown_key(text: &str, keys: &MacKeys) -> bool {
    let mut bytes = [0; LENGTH];
    let whole = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) == Ok(LENGTH);
    let id = bytes.first_chunk().copied().map(u32::from_be_bytes);
    whole && id.is_some_and(|id| keys.find(id).is_none())
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], NotGenuine> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(NotGenuine)?;
    *rest = tail;
    Ok(*head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys() -> MacKeys {
        MacKeys::generate(0)
    }

    fn token(keys: &MacKeys) -> RefreshToken {
        RefreshToken {
            purpose: Purpose::Account,
            key_id: keys.signing(1).unwrap().id(),
            session: Uuid::from_u128(7).into(),
            generation: Generation(3),
            nonce: [9; 16],
            absolute_until: 1_900_000_000,
        }
    }

    #[test]
    fn a_key_that_is_gone_while_a_token_is_made_signs_nobody_out() {
        let token = token(&keys());
        let gone = token.encode(&keys()).unwrap_err();
        assert_eq!(gone, KeyGone(token.key_id));
        assert!(matches!(Error::from(gone), Error::Internal(why) if why.contains("restore")));
    }

    #[test]
    fn a_token_is_one_string_of_112_characters_and_comes_back_whole() {
        let keys = keys();
        let text = token(&keys).encode(&keys).unwrap();
        assert_eq!(text.len(), 112);
        assert!(
            RefreshToken::decode(&text, Purpose::Account, &keys).is_ok_and(|t| t == token(&keys))
        );
    }

    #[test]
    fn a_token_for_one_purpose_is_refused_for_every_other() {
        const ALL: [Purpose; 4] = [
            Purpose::Account,
            Purpose::App,
            Purpose::Code,
            Purpose::Browser,
        ];
        let keys = keys();
        for made_for in ALL {
            let token = RefreshToken {
                purpose: made_for,
                ..token(&keys)
            };
            let text = token.encode(&keys).unwrap();
            for shown_as in ALL {
                let read = RefreshToken::decode(&text, shown_as, &keys);
                assert_eq!(
                    read.is_ok(),
                    made_for == shown_as,
                    "{made_for:?} as {shown_as:?}"
                );
            }
        }
    }

    #[test]
    fn any_changed_character_is_refused() {
        let keys = keys();
        let text = token(&keys).encode(&keys).unwrap();
        for at in 0..text.len() {
            for with in ['A', 'B', '_', '-', '=', ' ', '+', '/', 'é'] {
                let mut changed: Vec<char> = text.chars().collect();
                if changed[at] == with {
                    continue;
                }
                changed[at] = with;
                let changed: String = changed.into_iter().collect();
                assert!(
                    RefreshToken::decode(&changed, Purpose::Account, &keys).is_err(),
                    "{at} {with}"
                );
            }
        }
    }

    #[test]
    fn other_spellings_of_the_same_bytes_are_refused() {
        let keys = keys();
        let text = token(&keys).encode(&keys).unwrap();
        for other in [
            format!("{text}="),
            format!(" {text}"),
            format!("{text}\n"),
            format!("{text}A"),
            format!("{text}AAAA"),
            text[..108].to_owned(),
            String::new(),
            "x".repeat(100_000),
        ] {
            assert!(RefreshToken::decode(&other, Purpose::Account, &keys).is_err());
        }
    }

    #[test]
    fn a_token_under_another_key_is_refused() {
        let (ours, theirs) = (keys(), keys());
        let text = token(&theirs).encode(&theirs).unwrap();
        assert!(RefreshToken::decode(&text, Purpose::Account, &ours).is_err());
    }

    #[test]
    fn a_known_key_id_does_not_help_a_forger() {
        let (ours, theirs) = (keys(), keys());
        let forged = RefreshToken {
            key_id: token(&theirs).key_id,
            ..token(&theirs)
        }
        .encode(&theirs)
        .unwrap();
        let mut bytes = URL_SAFE_NO_PAD.decode(forged).unwrap();
        bytes[..4].copy_from_slice(&token(&ours).key_id.to_be_bytes());
        assert!(
            RefreshToken::decode(&URL_SAFE_NO_PAD.encode(bytes), Purpose::Account, &ours).is_err()
        );
    }

    proptest! {
        #[test]
        fn rubbish_is_refused(text in ".{0,200}") {
            prop_assert!(RefreshToken::decode(&text, Purpose::Account, &keys()).is_err());
        }

        #[test]
        fn every_token_survives_its_own_spelling(session: u128, generation in 1..i64::MAX, nonce: [u8; 16], end: i64) {
            let keys = keys();
            let token = RefreshToken {
                session: Uuid::from_u128(session).into(), generation: Generation(generation), nonce, absolute_until: end, ..token(&keys)
            };
            let text = token.encode(&keys).unwrap();
            prop_assert!(RefreshToken::decode(&text, Purpose::Account, &keys).is_ok_and(|t| t == token));
        }
    }
}
