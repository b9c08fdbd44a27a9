//! Writing the ring's file: the standard JWK Set form, one key a line.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::{Former, Key, KeyRing};

impl KeyRing {
    /// The ring as its file holds it, secrets included; wiped from memory when dropped.
    #[must_use]
    pub fn to_json(&self) -> Zeroizing<String> {
        let room: usize = self
            .iter()
            .map(|key| 4 * (key.secret().len() + key.kid.len()) + 200)
            .sum();
        // Room for everything from the start: growing would leave copies of secrets behind.
        let mut json = Zeroizing::new(String::with_capacity(room + 100));
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
}

fn write_keys(json: &mut String, keys: &[Key]) {
    for (at, key) in keys.iter().enumerate() {
        json.push_str(if at == 0 { "\n    " } else { ",\n    " });
        write_key(json, key);
    }
    if !keys.is_empty() {
        json.push_str("\n  ");
    }
}

fn write_key(json: &mut String, key: &Key) {
    let kid = serde_json::Value::from(key.kid.as_str()).to_string();
    json.push_str("{\"kty\": \"oct\", \"kid\": ");
    json.push_str(&kid);
    json.push_str(", \"alg\": \"HS256\", \"k\": \"");
    URL_SAFE_NO_PAD.encode_string(key.secret(), json);
    json.push_str("\", \"sign_from\": ");
    json.push_str(&key.sign_from.to_string());
    if let Some(until) = key.verify_until {
        json.push_str(", \"verify_until\": ");
        json.push_str(&until.to_string());
    }
    if let Some(Former { revoked, since }) = key.former {
        json.push_str(", \"state\": \"");
        json.push_str(if revoked { "revoked" } else { "retired" });
        json.push_str("\", \"since\": ");
        json.push_str(&since.to_string());
    }
    json.push('}');
}
