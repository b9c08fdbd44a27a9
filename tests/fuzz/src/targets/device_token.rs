//! Device tokens: nothing but what was issued counts as one, in the spelling in which it was issued.

use std::collections::HashSet;

use auth_server::log_in::DeviceToken;
use auth_server::mac_keys::MacKeys;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::Target;
use crate::{Dice, bytes};

const NOW: i64 = 1_800_000_000;

pub(super) struct Device {
    keys: MacKeys,
    issued: Vec<String>,
    known: HashSet<String>,
    /// Well-formed tokens of another installation.
    strangers: Vec<Vec<u8>>,
}

impl Device {
    pub(super) fn new() -> Self {
        let keys = MacKeys::generate(0);
        let issue = |keys: &MacKeys| -> Vec<String> {
            let token = |n: u32| DeviceToken {
                user: Uuid::from_u128(u128::from(n)).into(),
                device: Uuid::from_u128(u128::from(n) << 64),
                issued_at: NOW - i64::from(n),
            };
            (0..16)
                .map(|n| token(n).encode(keys, NOW).expect("a key"))
                .collect()
        };
        let issued = issue(&keys);
        Self {
            known: issued.iter().cloned().collect(),
            strangers: issue(&MacKeys::generate(0))
                .into_iter()
                .map(String::into_bytes)
                .collect(),
            issued,
            keys,
        }
    }
}

impl Target for Device {
    fn name(&self) -> &'static str {
        "device_token"
    }

    fn case(&mut self, dice: &mut Dice) -> String {
        let mut text = match dice.below(8) {
            0 => dice.pick(&self.strangers).clone(),
            _ => dice.pick(&self.issued).clone().into_bytes(),
        };
        match dice.below(4) {
            0 => {}
            1 => {
                // Below the encoding: any bit of any field.
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
        let read = DeviceToken::decode(&text, &self.keys, NOW);
        assert_eq!(
            read.is_some(),
            self.known.contains(&text),
            "issued and refused, or never issued and accepted: {text}"
        );
        read.map_or("refused", |_| "ok").into()
    }
}
