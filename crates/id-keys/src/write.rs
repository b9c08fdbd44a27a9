//! Writing the ring: its file, with everything, and the JWKS, with the public parts alone.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use shared::keys::KeyState;
use zeroize::Zeroizing;

use crate::key::{Former, IdKey, quoted};
use crate::{Algorithm, IdKeys};

impl IdKeys {
    /// The ring as its file holds it, private parts included: a JWK Set, one key a line. Wiped from memory when dropped.
    #[must_use]
    pub fn to_json(&self) -> Zeroizing<String> {
        // Room for everything from the start: growing would leave copies of secrets behind.
        let mut json = Zeroizing::new(String::with_capacity(
            100 + self.iter().map(room).sum::<usize>(),
        ));
        json.push_str("{\n  \"keys\": [");
        write_keys(&mut json, &self.keys);
        json.push(']');
        if !self.former.is_empty() {
            json.push_str(",\n  \"former\": [");
            write_keys(&mut json, &self.former);
            json.push(']');
        }
        json.push_str("\n}\n");
        json
    }

    /// The JWK Set for clients (RFC 7517 §5): the public parts of the keys that sign at `now`, will sign, or whose tokens
    /// may still be on their way.
    #[must_use]
    pub fn jwks(&self, now: i64) -> String {
        let is_shown = |key: &&IdKey| {
            matches!(
                self.state(key, now),
                KeyState::Staged | KeyState::Active | KeyState::Retiring
            )
        };
        let mut json = String::from("{\"keys\":[");
        for (at, key) in self.keys.iter().filter(is_shown).enumerate() {
            json.push_str(if at == 0 { "{" } else { ",{" });
            write_public(&mut json, key);
            json.push('}');
        }
        json.push_str("]}");
        json
    }
}

/// Bytes that a key takes in the file, at most.
fn room(key: &IdKey) -> usize {
    let numbers = key.numbers();
    let secret = numbers
        .secret()
        .iter()
        .map(|(_, number)| number.len())
        .sum::<usize>();
    let public = numbers
        .public()
        .iter()
        .map(|(_, number)| number.len())
        .sum::<usize>();
    400 + 2 * (secret + public) + 2 * key.kid.len()
}

fn write_keys(json: &mut String, keys: &[IdKey]) {
    for (at, key) in keys.iter().enumerate() {
        json.push_str(if at == 0 { "\n    {" } else { ",\n    {" });
        write_public(json, key);
        for (name, number) in key.numbers().secret() {
            write_number(json, name, number);
        }
        json.push_str(",\"sign_from\":");
        json.push_str(&key.sign_from.to_string());
        if let Some(until) = key.verify_until {
            json.push_str(",\"verify_until\":");
            json.push_str(&until.to_string());
        }
        if let Some(Former { revoked, since }) = key.former {
            json.push_str(",\"state\":\"");
            json.push_str(if revoked { "revoked" } else { "retired" });
            json.push_str("\",\"since\":");
            json.push_str(&since.to_string());
        }
        json.push('}');
    }
    if !keys.is_empty() {
        json.push_str("\n  ");
    }
}

/// The members that everybody may see.
fn write_public(json: &mut String, key: &IdKey) {
    json.push_str(match key.algorithm() {
        Algorithm::Rs256 => "\"kty\":\"RSA\"",
        Algorithm::Es256 => "\"kty\":\"EC\",\"crv\":\"P-256\"",
    });
    json.push_str(",\"kid\":");
    json.push_str(&quoted(&key.kid));
    json.push_str(",\"use\":\"sig\",\"alg\":\"");
    json.push_str(key.algorithm().name());
    json.push('"');
    for (name, number) in key.numbers().public() {
        write_number(json, name, number);
    }
}

fn write_number(json: &mut String, name: &str, number: &[u8]) {
    json.push_str(",\"");
    json.push_str(name);
    json.push_str("\":\"");
    URL_SAFE_NO_PAD.encode_string(number, json);
    json.push('"');
}
