//! The two key files: whatever is accepted can be written and read again, and no fault repeats a secret.

use std::time::Duration;

use auth_server::mac_keys::MacKeys;
use serde_json::Value;
use shared::keys::KeyRing;

use super::{Target, seeds};
use crate::{Dice, bytes, json};

/// Around the times of the samples, and where arithmetic ends.
const TIMES: [i64; 6] = [
    0,
    1_799_999_999,
    1_800_000_000,
    1_900_000_000,
    i64::MAX,
    i64::MIN,
];

pub(super) struct Ring(Vec<Vec<u8>>);
pub(super) struct MacKeyring(Vec<Vec<u8>>);

impl Ring {
    pub(super) fn new() -> Self {
        Self(seeds("ring"))
    }
}

impl MacKeyring {
    pub(super) fn new() -> Self {
        Self(seeds("mac_keys"))
    }
}

fn mutated(samples: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut text = dice.pick(samples).clone();
    match dice.below(6) {
        0 => {}
        1 => bytes::mutate(&mut text, samples, dice),
        _ => json::mutate(&mut text, dice),
    }
    text
}

/// Every `k` of a file that is long enough to be a secret.
fn secrets(text: &[u8]) -> Vec<String> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                let k = members.get("k").and_then(Value::as_str);
                found.extend(k.filter(|k| k.len() > 20).map(str::to_owned));
                members.values().for_each(|value| collect(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| collect(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    if let Ok(value) = serde_json::from_slice(text) {
        collect(&value, &mut found);
    }
    found
}

fn assert_silent(said: &str, text: &[u8]) {
    for secret in secrets(text) {
        let part: String = secret.chars().take(16).collect();
        assert!(!said.contains(&part), "a secret is repeated: {said}");
    }
    assert!(said.len() < 1_000, "long-winded: {said}");
}

impl Target for Ring {
    fn name(&self) -> &'static str {
        "ring"
    }

    fn case(&mut self, dice: &mut Dice) -> String {
        let text = mutated(&self.0, dice);
        let ring = match KeyRing::parse(&text) {
            Ok(ring) => ring,
            Err(error) => {
                assert_silent(&error.to_string(), &text);
                return format!("{error:?}")
                    .split([' ', '{'])
                    .next()
                    .unwrap_or_default()
                    .to_owned();
            }
        };
        assert_silent(
            &format!("{ring:?}").chars().take(999).collect::<String>(),
            &text,
        );
        let now = *dice.pick(&TIMES);
        let again = KeyRing::parse(ring.to_json().as_bytes()).expect("what we write, we read");
        assert_eq!(
            again.status(now),
            ring.status(now),
            "read otherwise than written"
        );
        assert!(ring.keys().iter().all(|key| ring.find(key.kid()).is_some()));

        // What the commands make of it is a ring, too, and no key that was there is lost at once.
        let lead = Duration::from_secs(u64::from(dice.bits().to_le_bytes()[0]));
        let keep = Duration::from_hours(14 * 24);
        let rotated = ring.rotate(now, lead, keep);
        KeyRing::parse(rotated.ring.to_json().as_bytes()).expect("a rotated ring");
        let kids: Vec<String> = ring.iter().map(|key| key.kid().to_owned()).collect();
        let kid = dice.pick(&kids).clone();
        if let Ok(changed) = ring.revoke(&kid, now) {
            let written = changed.ring.to_json();
            let after = KeyRing::parse(written.as_bytes()).expect("a ring with a revoked key");
            assert!(
                after.keys().iter().all(|key| key.kid() != kid),
                "still verifies"
            );
            assert!(after.find(&kid).is_some(), "no longer recognised");
        }
        "ok".into()
    }
}

impl Target for MacKeyring {
    fn name(&self) -> &'static str {
        "mac_keys"
    }

    fn case(&mut self, dice: &mut Dice) -> String {
        let text = mutated(&self.0, dice);
        let keys = match MacKeys::parse(&text) {
            Ok(keys) => keys,
            Err(error) => {
                assert_silent(&error.to_string(), &text);
                return format!("{error:?}")
                    .split('(')
                    .next()
                    .unwrap_or_default()
                    .to_owned();
            }
        };
        let ids = |keys: &MacKeys| -> Vec<(u32, i64)> {
            keys.iter().map(|key| (key.id(), key.sign_from())).collect()
        };
        let written = keys.to_json().expect("it can be written");
        let again = MacKeys::parse(written.as_bytes()).expect("what we write, we read");
        assert_eq!(ids(&again), ids(&keys));
        let now = *dice.pick(&TIMES);
        let _ = keys.signing(now);
        let rotated = keys
            .rotate(now, Duration::from_mins(5), Duration::from_hours(720))
            .to_json()
            .expect("written");
        MacKeys::parse(rotated.as_bytes()).expect("a rotated file");
        "ok".into()
    }
}
