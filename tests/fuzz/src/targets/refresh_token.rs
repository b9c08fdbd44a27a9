//! Refresh tokens: nothing but what was issued is accepted, in the spelling in which it was issued.

use std::collections::HashSet;
use std::time::Duration;

use auth_server::mac_keys::MacKeys;
use auth_server::sessions::refresh_token::{Purpose, RefreshToken};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::{Target, seeds};
use crate::{Dice, bytes};

pub(super) struct Refresh {
    keys: MacKeys,
    issued: Vec<String>,
    known: HashSet<String>,
    /// Well-formed tokens of another installation.
    strangers: Vec<Vec<u8>>,
}

impl Refresh {
    pub(super) fn new() -> Self {
        let first = MacKeys::generate(0);
        let keys = first.rotate(10, Duration::ZERO, Duration::MAX);
        let token = |n: u32| RefreshToken {
            purpose: Purpose::Account,
            key_id: keys
                .iter()
                .nth(usize::from(n % 2 == 1))
                .map_or(0, auth_server::mac_keys::MacKey::id),
            session: Uuid::from_u128(u128::from(n)).into(),
            generation: auth_server::db::Generation(i64::from(n)),
            nonce: [u8::try_from(n).unwrap_or_default(); 16],
            absolute_until: 1_900_000_000,
        };
        let issued: Vec<String> = (0..16)
            .map(|n| token(n).encode(&keys).expect("a known key"))
            .collect();
        Self {
            known: issued.iter().cloned().collect(),
            strangers: seeds("refresh_token"),
            issued,
            keys,
        }
    }
}

impl Target for Refresh {
    fn name(&self) -> &'static str {
        "refresh_token"
    }

    fn case(&mut self, dice: &mut Dice) -> String {
        let mut text = match dice.below(8) {
            0 => dice.pick(&self.strangers).trim_ascii().to_vec(),
            _ => dice.pick(&self.issued).clone().into_bytes(),
        };
        match dice.below(6) {
            0 => {}
            1 => {
                // Below the encoding: any bit of any field.
                let mut token = URL_SAFE_NO_PAD.decode(&text).unwrap_or_default();
                bytes::mutate(&mut token, &[], dice);
                text = URL_SAFE_NO_PAD.encode(token).into_bytes();
            }
            2 => {
                let mut token = URL_SAFE_NO_PAD.decode(&text).unwrap_or_default();
                let at = dice.below(token.len());
                if let Some(byte) = token.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
                text = URL_SAFE_NO_PAD.encode(token).into_bytes();
            }
            _ => bytes::mutate(&mut text, &self.strangers, dice),
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        if let Ok(token) = RefreshToken::decode(&text, Purpose::Account, &self.keys) {
            assert!(
                self.known.contains(&text),
                "never issued, and accepted: {text}"
            );
            let again = token.encode(&self.keys).expect("its key is known");
            assert_eq!(again, text, "another spelling was accepted");
            "ok".into()
        } else {
            assert!(!self.known.contains(&text), "issued, and refused: {text}");
            "refused".into()
        }
    }
}
