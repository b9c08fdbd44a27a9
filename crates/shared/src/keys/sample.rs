//! Secrets that everybody knows.
//!
//! No list is complete; this one holds what people really paste: the examples of the RFCs, of
//! jwt.io and of widely read tutorials, and everything that is a pattern rather than a secret.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Secrets in print, as text. The bytes that they spell as hex or base64 count too.
const PUBLISHED: &[&str] = &[
    // RFC 7515 appendix A.1 (also in RFC 7517 and 7519), RFC 7520 section 3.5.
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
    // jwt.io, old and new.
    "your-256-bit-secret",
    "your-384-bit-secret",
    "your-512-bit-secret",
    "a-string-secret-at-least-256-bits-long",
    "a-valid-string-secret-that-is-at-least-384-bits-long",
    "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
    // Supabase, FastAPI, Spring and ASP.NET tutorials.
    "super-secret-jwt-token-with-at-least-32-characters-long",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
    "JWTAuthenticationHIGHsecuredPasswordVVVp1OH7Xzyr",
    "this is my custom Secret key for authentication",
    "this is my custom Secret key for authnetication",
    "THIS IS USED TO SIGN AND VERIFY JWT TOKENS, REPLACE IT WITH YOUR OWN SECRET, IT CAN BE ANY STRING",
    "my-32-character-ultra-secure-and-ultra-long-secret",
    "abcdefghijklmnopqrstuvwxyz",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    // The articles that this service comes from.
    "1234567890123456",
];

/// The longest period that counts as a pattern, in bytes: the articles' key is 16 long.
const LONGEST_PERIOD: usize = 16;

/// Whether a secret is a published sample or a pattern.
pub(super) fn is_known(secret: &[u8]) -> bool {
    is_sequence(secret) || is_periodic(secret) || PUBLISHED.iter().any(|text| spells(text, secret))
}

/// Whether `text` is the secret, or spells it in hex or base64, or is repeated by it.
fn spells(text: &str, secret: &[u8]) -> bool {
    let bare = text.trim_end_matches('=');
    repeats(text.as_bytes(), secret)
        || URL_SAFE_NO_PAD
            .decode(bare)
            .is_ok_and(|bytes| bytes == secret)
        || STANDARD_NO_PAD
            .decode(bare)
            .is_ok_and(|bytes| bytes == secret)
        || from_hex(text).is_some_and(|bytes| bytes == secret)
}

/// Whether the secret is made of `text` over and over, the last time perhaps cut short.
fn repeats(text: &[u8], secret: &[u8]) -> bool {
    secret.len() >= text.len() && secret.iter().eq(text.iter().cycle().take(secret.len()))
}

/// Whether every byte is its predecessor plus the same step: 0, 1, 2 … or all the same.
fn is_sequence(secret: &[u8]) -> bool {
    let mut steps = secret
        .iter()
        .zip(secret.iter().skip(1))
        .map(|(a, b)| b.wrapping_sub(*a));
    let first = steps.next();
    steps.all(|step| Some(step) == first)
}

/// Whether the secret repeats a piece of at most 16 bytes.
fn is_periodic(secret: &[u8]) -> bool {
    let longest = LONGEST_PERIOD.min(secret.len() / 2);
    (1..=longest).any(|period| {
        secret
            .iter()
            .skip(period)
            .eq(secret.iter().take(secret.len() - period))
    })
}

/// The bytes that hex digits spell; `None` if they spell none.
pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_in_every_spelling_are_known() {
        for text in PUBLISHED {
            let long = text.repeat(32_usize.div_ceil(text.len()));
            assert!(is_known(long.as_bytes()), "{text}");
        }
        let rfc = PUBLISHED[0];
        assert!(is_known(&URL_SAFE_NO_PAD.decode(rfc).unwrap()));
        let fastapi = "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7";
        assert!(is_known(&from_hex(fastapi).unwrap()));
    }

    #[test]
    fn patterns_are_known() {
        assert!(is_known(&[0; 32]));
        assert!(is_known(&[b'a'; 64]));
        assert!(is_known(&(0..32).collect::<Vec<u8>>()));
        assert!(is_known(&(0..32).rev().collect::<Vec<u8>>()));
        assert!(is_known(b"12345678901234561234567890123456"));
        assert!(is_known(b"123456789012345612345678901234561"));
        assert!(is_known("changeme".repeat(4).as_bytes()));
    }

    #[test]
    fn a_random_secret_is_not() {
        let secret = b"\x8a\x01kX\xb3\xee\x90\x17\x5c\xd2\x00\x00\x7f\x31\xa4\xf9\x0b\x66\xc8\xd3\x29\x9e\x54\x12\xfd\x87\x3c\x40\xbe\xa1\x6d\xe5";
        assert!(!is_known(secret));
    }

    #[test]
    fn hex_is_read_in_pairs() {
        assert_eq!(from_hex("00fFa1"), Some(vec![0, 255, 161]));
        assert_eq!(from_hex("0"), None);
        assert_eq!(from_hex("0g"), None);
        assert_eq!(from_hex("+1"), None);
    }
}
