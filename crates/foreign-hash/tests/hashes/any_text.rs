//! Whatever is read: no panic, and no fault that tells the hash.

use crate::known::{self, Vector};
use foreign_hash::ForeignHash;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Pieces that hashes are made of.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        select(vec![
            "$",
            "$$",
            ",",
            "=",
            "==",
            "v=19",
            "m=",
            "t=",
            "p=",
            "i=",
            "l=",
            "ln=",
            "r=",
            "ss=",
            "sk=",
            "v=1",
            "argon2id",
            "argon2",
            "2b",
            "2x",
            "scrypt",
            "pbkdf2",
            "pbkdf2-sha512",
            "pbkdf2_sha256",
            "bcrypt",
            "bcrypt_sha256",
            "fbscrypt",
            "AQAAAA",
            "AAAA",
            "!",
            "0",
            "1",
            "8",
            "04",
            "4294967295",
            "4294967296",
            "18446744073709551616",
            "c29tZXNhbHQ",
            "é",
            "\0",
        ])
        .prop_map(str::to_owned),
        "[A-Za-z0-9+/.]{0,44}",
    ];
    vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

/// A hash that was cut, or in which a few characters were replaced, removed or inserted.
fn changed() -> impl Strategy<Value = (&'static Vector, String)> {
    let character = prop_oneof![
        select(vec![
            '$',
            ',',
            '=',
            '0',
            '9',
            'A',
            'z',
            '/',
            '.',
            '+',
            '-',
            'é',
            '\u{10ffff}'
        ]),
        any::<char>(),
    ];
    let change = (
        any::<Index>(),
        proptest::option::of(character),
        any::<bool>(),
    );
    let all: Vec<_> = known::cheap().collect();
    (select(all), vec(change, 0..4), any::<Option<Index>>()).prop_map(|(vector, changes, cut)| {
        let mut text: Vec<char> = vector.hash.chars().collect();
        for (at, with, instead) in changes {
            if text.is_empty() {
                break;
            }
            let at = at.index(text.len());
            if instead || with.is_none() {
                text.remove(at);
            }
            text.splice(at..at, with);
        }
        if let Some(cut) = cut {
            text.truncate(cut.index(text.len() + 1));
        }
        (vector, text.into_iter().collect())
    })
}

proptest! {
    #[test]
    fn any_text_is_judged(text in any::<String>()) {
        let _ = ForeignHash::parse(&text);
    }

    #[test]
    fn any_pieces_are_judged(text in pieces()) {
        let _ = ForeignHash::parse(&text);
    }

    /// Any bytes behind the version of Identity.
    #[test]
    fn any_header_of_identity_is_judged(version in 0..2u8, mut bytes in vec(any::<u8>(), 0..120)) {
        use base64::Engine;
        bytes.insert(0, version);
        let _ = ForeignHash::parse(&base64::engine::general_purpose::STANDARD.encode(&bytes));
        // With a header that is plausible so far.
        for (at, byte) in [0, 0, 0, 2, 0].into_iter().enumerate() {
            if let Some(place) = bytes.get_mut(at + 1) {
                *place = byte;
            }
        }
        let _ = ForeignHash::parse(&base64::engine::general_purpose::STANDARD.encode(&bytes));
    }

    #[test]
    fn a_changed_hash_is_judged_and_fits_no_other_password((vector, text) in changed()) {
        match ForeignHash::parse(&text) {
            Ok(hash) => {
                let other = format!("x{}", vector.password);
                prop_assert!(!hash.verify(&other));
            },
            Err(fault) => {
                let words = format!("{fault} {fault:?}");
                for field in text.split(['$', ',', '=']).filter(|field| field.len() >= 12) {
                    prop_assert!(!words.contains(field), "{words}");
                }
            }
        }
    }
}
