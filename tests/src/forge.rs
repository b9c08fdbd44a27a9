//! Tokens of any form, good or bad: header, claims, encoding and key as the test likes them.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value, json};
use sha2::{Sha256, Sha384, Sha512};

/// A key to sign with, and its name.
#[derive(Clone)]
pub struct Forge {
    /// The name that goes into headers.
    pub kid: String,
    /// The key.
    pub secret: Vec<u8>,
}

/// A token before it is signed.
#[derive(Clone)]
pub struct Draft {
    header: Vec<u8>,
    payload: Vec<u8>,
    secret: Vec<u8>,
}

impl Forge {
    /// The first key of a ring's file.
    #[must_use]
    pub fn of_ring(path: &Path) -> Self {
        Self::find(path, |_| true)
    }

    /// The key of this name in a ring's file.
    #[must_use]
    pub fn named(path: &Path, kid: &str) -> Self {
        Self::find(path, |key| {
            key.get("kid").and_then(Value::as_str) == Some(kid)
        })
    }

    fn find(path: &Path, wanted: impl FnMut(&&Value) -> bool) -> Self {
        let file = std::fs::read(path).expect("the ring");
        let ring: Value = serde_json::from_slice(&file).expect("JSON");
        let keys = ring.get("keys").and_then(Value::as_array).expect("keys");
        let key = keys.iter().find(wanted).expect("the key");
        let text = |member: &str| {
            let text = key.get(member).and_then(Value::as_str);
            text.expect("a member").to_owned()
        };
        Self {
            kid: text("kid"),
            secret: URL_SAFE_NO_PAD.decode(text("k")).expect("base64url"),
        }
    }

    /// A key that nobody knows, under a name.
    #[must_use]
    pub fn stranger(kid: &str) -> Self {
        Self {
            kid: kid.to_owned(),
            secret: rand::random::<[u8; 32]>().to_vec(),
        }
    }

    /// A draft with the header that auth-server writes.
    #[must_use]
    pub fn draft(&self, claims: &Value) -> Draft {
        Draft {
            header: json!({"alg": "HS256", "typ": "JWT", "kid": self.kid})
                .to_string()
                .into_bytes(),
            payload: claims.to_string().into_bytes(),
            secret: self.secret.clone(),
        }
    }
}

impl Draft {
    /// Sets a member of the header.
    #[must_use]
    pub fn head(mut self, name: &str, value: Value) -> Self {
        edit(&mut self.header, |members| {
            drop(members.insert(name.to_owned(), value));
        });
        self
    }

    /// Takes a member of the header away.
    #[must_use]
    pub fn no_head(mut self, name: &str) -> Self {
        edit(&mut self.header, |members| drop(members.remove(name)));
        self
    }

    /// Sets a claim.
    #[must_use]
    pub fn claim(mut self, name: &str, value: Value) -> Self {
        edit(&mut self.payload, |members| {
            drop(members.insert(name.to_owned(), value));
        });
        self
    }

    /// Takes a claim away.
    #[must_use]
    pub fn no_claim(mut self, name: &str) -> Self {
        edit(&mut self.payload, |members| drop(members.remove(name)));
        self
    }

    /// Replaces the header's text.
    #[must_use]
    pub fn raw_header(mut self, text: impl AsRef<[u8]>) -> Self {
        self.header = text.as_ref().to_vec();
        self
    }

    /// Replaces the payload's text.
    #[must_use]
    pub fn raw_payload(mut self, text: impl AsRef<[u8]>) -> Self {
        self.payload = text.as_ref().to_vec();
        self
    }

    /// Changes the payload's text.
    #[must_use]
    pub fn payload_text(mut self, change: impl FnOnce(String) -> String) -> Self {
        self.payload = change(String::from_utf8(self.payload).expect("UTF-8")).into_bytes();
        self
    }

    /// Changes the header's text.
    #[must_use]
    pub fn header_text(mut self, change: impl FnOnce(String) -> String) -> Self {
        self.header = change(String::from_utf8(self.header).expect("UTF-8")).into_bytes();
        self
    }

    /// Signs with another key.
    #[must_use]
    pub fn under(mut self, secret: &[u8]) -> Self {
        self.secret = secret.to_vec();
        self
    }

    /// Header and payload, encoded.
    #[must_use]
    pub fn unsigned(&self) -> String {
        format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(&self.header),
            URL_SAFE_NO_PAD.encode(&self.payload)
        )
    }

    /// The token, signed with HMAC-SHA256 whatever the header says.
    #[must_use]
    pub fn sign(&self) -> String {
        self.sign_text(&self.unsigned())
    }

    /// The token of a signing input that was spelled by hand.
    #[must_use]
    pub fn sign_text(&self, input: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("any length");
        mac.update(input.as_bytes());
        format!(
            "{input}.{}",
            URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
        )
    }

    /// The token, signed with HMAC-SHA384.
    #[must_use]
    pub fn sign_384(&self) -> String {
        let input = self.unsigned();
        let mut mac = Hmac::<Sha384>::new_from_slice(&self.secret).expect("any length");
        mac.update(input.as_bytes());
        format!(
            "{input}.{}",
            URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
        )
    }

    /// The token, signed with HMAC-SHA512.
    #[must_use]
    pub fn sign_512(&self) -> String {
        let input = self.unsigned();
        let mut mac = Hmac::<Sha512>::new_from_slice(&self.secret).expect("any length");
        mac.update(input.as_bytes());
        format!(
            "{input}.{}",
            URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
        )
    }
}

/// The claims of a token, unverified.
pub(crate) fn payload(token: &str) -> Value {
    let part = token.split('.').nth(1).expect("a JWT");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}

fn edit(json: &mut Vec<u8>, change: impl FnOnce(&mut Map<String, Value>)) {
    let mut value: Value = serde_json::from_slice(json).expect("edit before replacing the text");
    change(value.as_object_mut().expect("an object"));
    *json = value.to_string().into_bytes();
}
