//! HMAC-SHA256 with a key of a ring, keyed once: the one algorithm that there is (RFC 7518 §3.2).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes that a key has at least (RFC 7518 §3.2).
pub(crate) const LEAST_KEY_BYTES: usize = 32;

/// Bytes of a MAC.
pub(crate) const MAC_BYTES: usize = 32;

/// Characters of a MAC in base64url.
const MAC_CHARACTERS: usize = 43;

/// A secret, and an HMAC that has taken it in. Both are wiped from memory when dropped.
#[derive(Clone)]
pub(crate) struct Hs256 {
    secret: Zeroizing<Vec<u8>>,
    keyed: Hmac<Sha256>,
}

impl Hs256 {
    pub(crate) fn new(secret: &[u8]) -> Self {
        Self {
            secret: Zeroizing::new(secret.to_vec()),
            keyed: keyed(secret),
        }
    }

    pub(crate) fn secret(&self) -> &[u8] {
        &self.secret
    }

    /// The MAC over a message, in base64url.
    #[cfg(feature = "sign")]
    pub(crate) fn sign(&self, message: &[u8]) -> String {
        let mac = self.keyed.clone().chain_update(message).finalize();
        URL_SAFE_NO_PAD.encode(mac.into_bytes())
    }

    /// Whether this is the MAC over the message; compared in constant time.
    pub(crate) fn verifies(&self, message: &[u8], mac: &[u8; MAC_BYTES]) -> bool {
        let keyed = self.keyed.clone().chain_update(message);
        keyed.verify_slice(mac).is_ok()
    }
}

/// Reads a MAC's base64url; `None` if it is none of a MAC, or not the canonical one.
pub(crate) fn read_mac(text: &str) -> Option<[u8; MAC_BYTES]> {
    if text.len() != MAC_CHARACTERS {
        return None;
    }
    let mut bytes = [0; MAC_BYTES + 1];
    let read = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
    bytes.get(..read)?.try_into().ok()
}

#[expect(
    clippy::expect_used,
    reason = "HMAC takes keys of every length (RFC 2104 §2)"
)]
fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).expect("a key of any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 7515, appendix A.1: an example that somebody else has computed.
    const KEY: &str =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    const INPUT: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    const SIGNATURE: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    #[test]
    fn the_example_of_rfc_7515_comes_out() {
        let key = Hs256::new(&URL_SAFE_NO_PAD.decode(KEY).unwrap());
        assert_eq!(key.sign(INPUT.as_bytes()), SIGNATURE);
        let mac = read_mac(SIGNATURE).unwrap();
        assert!(key.verifies(INPUT.as_bytes(), &mac));
        assert!(!key.verifies(b"something else", &mac));
        assert!(!Hs256::new(&[7; 64]).verifies(INPUT.as_bytes(), &mac));
    }

    #[test]
    fn a_mac_has_one_spelling() {
        assert!(read_mac(SIGNATURE).is_some());
        for other in [
            "",
            "dBjf",
            // One bit that says nothing is set.
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl",
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk=",
            "dBjftJeZ4CVP+mB92K27uhbUJU1p1r/wW1gFWFOEjXk",
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjX ",
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXkA",
        ] {
            assert!(read_mac(other).is_none(), "{other}");
        }
    }
}
