//! Samples and patterns in every form that somebody might paste, and random secrets, which are neither.

use std::fmt::Write as _;

use base64::engine::general_purpose::STANDARD;

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
fn samples_are_known_when_they_are_written_in_another_form() {
    for text in PUBLISHED.iter().filter(|text| text.len() >= 32) {
        let hex = |bytes: &[u8]| {
            bytes.iter().fold(String::new(), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            })
        };
        let (plain, base64) = (text.as_bytes(), STANDARD.encode(text));
        for spelling in [
            base64.clone(),
            URL_SAFE_NO_PAD.encode(text),
            STANDARD.encode(&base64),
            hex(plain),
            hex(plain).to_uppercase(),
            hex(base64.as_bytes()),
            STANDARD.encode(hex(plain)),
            text.to_lowercase(),
            format!("{text}\n"),
            format!("{text}123!"),
            format!("prod-{text}"),
        ] {
            assert!(is_known(spelling.as_bytes()), "{spelling}");
        }
    }
}

#[test]
fn alphabets_are_known_in_any_order() {
    for text in [
        "abcdefghijklmnopqrstuvwxyz0123456789",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
        "0123456789abcdefghijklmnopqrstuvwxyz",
        "zyxwvutsrqponmlkjihgfedcba9876543210",
        "qwertyuiopasdfghjklzxcvbnm123456",
    ] {
        assert!(is_known(text.as_bytes()), "{text}");
        assert!(is_known(STANDARD.encode(text).as_bytes()), "{text}");
    }
}

#[test]
fn random_secrets_are_not_known_in_any_form() {
    for _ in 0..500 {
        let secret: [u8; 32] = rand::random();
        assert!(!is_known(&secret));
        assert!(!is_known(URL_SAFE_NO_PAD.encode(secret).as_bytes()));
        assert!(!is_known(STANDARD.encode(secret).as_bytes()));
    }
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
