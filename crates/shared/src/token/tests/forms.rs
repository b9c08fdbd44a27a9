//! Spellings and signatures: what is a token at all.

use proptest::prelude::*;

use super::*;
use crate::jws::LONGEST_TOKEN as LONGEST;

#[test]
fn a_token_has_three_canonical_parts() {
    let good = with_claims(&json!({}));
    let [header, payload, mac] = good.split('.').collect::<Vec<_>>()[..] else {
        panic!("{good}")
    };
    codes(
        &[
            String::new(),
            ".".into(),
            "..".into(),
            "a.b".into(),
            "a.b.c.d".into(),
            "null".into(),
            format!("{header}.{payload}"),
            format!("{header}.{payload}."),
            format!("{header}..{mac}"),
            format!(".{payload}.{mac}"),
            format!("{good}."),
            format!("{good}.{mac}"),
            format!("{good}="),
            format!("{good} "),
            format!(" {good}"),
            format!("{good}\n"),
            format!("{header}=.{payload}.{mac}"),
            format!("{header}.{payload}==.{mac}"),
            format!("{header}.{payload}\n.{mac}"),
            format!("{header}.{payload}.+{}", &mac[1..]),
            format!("{header}.{payload}.é{}", &mac[2..]),
            format!("{good},{good}"),
            "x".repeat(LONGEST),
        ],
        "token_malformed",
    );
}

#[test]
fn bits_that_are_left_over_make_another_spelling_which_is_refused() {
    let good = with_claims(&json!({}));
    // 43 characters hold 258 bits: the last has two to spare, which must be zero.
    let last = good.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let at = alphabet.find(last).unwrap();
    for twin in &alphabet[at + 1..at + 4].chars().collect::<Vec<_>>() {
        let twin = format!("{}{twin}", &good[..good.len() - 1]);
        codes(&[twin], "token_malformed");
    }
}

#[test]
fn a_token_has_at_most_8_kib() {
    let of_length = |length: usize| {
        let bare = with_claims(&json!({"pad": ""})).len();
        let pad = "x".repeat((length - bare) * 3 / 4);
        with_claims(&json!({ "pad": pad }))
    };
    let (fits, too_long) = (of_length(LONGEST - 4), of_length(LONGEST + 4));
    assert!(fits.len() <= LONGEST && too_long.len() > LONGEST);
    codes(&[fits], "ok");
    codes(&[too_long], "token_malformed");
}

#[test]
fn header_and_payload_are_json_objects() {
    for no_object in [
        "",
        " ",
        "null",
        "1",
        "\"x\"",
        "[]",
        "[{}]",
        "{",
        "{}}",
        "{} {}",
        "{\"a\":}",
        "{'alg':'HS256'}",
        "\u{feff}{}",
        "[\"HS256\",null,null,\"k-1\"]",
    ] {
        let payload = claims().to_string();
        codes(&[mint(no_object, &payload)], "token_malformed");
        codes(&[mint(&header().to_string(), no_object)], "token_malformed");
    }
    let not_utf8 = b"{\"alg\":\"HS256\",\"kid\":\"k-1\",\"x\":\"\xff\"}";
    codes(
        &[mint_bytes(
            not_utf8,
            claims().to_string().as_bytes(),
            SECRET,
        )],
        "token_malformed",
    );
    codes(
        &[mint_bytes(
            header().to_string().as_bytes(),
            not_utf8,
            SECRET,
        )],
        "token_malformed",
    );
    codes(
        &[mint(
            &format!(" \t\r\n{} ", header()),
            &format!("\n{}\n", claims()),
        )],
        "ok",
    );
}

#[test]
fn deep_json_is_no_danger() {
    let deep = format!("{}{}", "[".repeat(1_500), "]".repeat(1_500));
    codes(
        &[mint(
            &header().to_string(),
            &format!("{{\"x\":{deep},{}", &claims().to_string()[1..]),
        )],
        "ok",
    );
    codes(
        &[mint(
            &header().to_string(),
            &format!("{{\"roles\":{deep},\"sub\":\"u\"}}"),
        )],
        "token_wrong_issuer",
    );
}

#[test]
fn a_signature_must_be_the_right_one() {
    let good = with_claims(&json!({}));
    let (signed, mac) = good.rsplit_once('.').unwrap();
    let mac = URL_SAFE_NO_PAD.decode(mac).unwrap();
    let with_mac = |mac: &[u8]| format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac));
    codes(
        &[
            sign(signed, OTHER),
            sign(signed, b"\0"),
            with_mac(&mac[..31]),
            with_mac(&mac[..1]),
            with_mac(&[&mac[..], b"\0"].concat()),
            with_mac(&[0; 32]),
            format!("{good}A"),
        ],
        "token_bad_signature",
    );
}

#[test]
fn no_changed_character_goes_unnoticed() {
    let validator = validator();
    let good = with_claims(&json!({}));
    for at in 0..good.len() {
        for other in ["A", "B", "_", ".", "=", " ", "%"] {
            if &good[at..=at] != other {
                let changed = format!("{}{other}{}", &good[..at], &good[at + 1..]);
                assert_ne!(code(&validator, &changed, NOW), "ok", "{changed}");
            }
        }
    }
}

proptest! {
    #[test]
    fn no_changed_byte_goes_unnoticed(at in 0_usize..1_000, byte in any::<u8>()) {
        let mut token = with_claims(&json!({})).into_bytes();
        let at = at % token.len();
        prop_assume!(token[at] != byte);
        token[at] = byte;
        if let Ok(token) = std::str::from_utf8(&token) {
            prop_assert_ne!(code(&validator(), token, NOW), "ok");
        }
    }

    #[test]
    fn nothing_made_up_is_a_token(text in "\\PC*") {
        prop_assert_eq!(code(&validator(), &text, NOW), "token_malformed");
    }

    #[test]
    fn signed_rubbish_does_no_harm(header in any::<Vec<u8>>(), payload in any::<Vec<u8>>()) {
        let known = super::header().to_string();
        prop_assert_ne!(code(&validator(), &mint_bytes(&header, &payload, SECRET), NOW), "ok");
        prop_assert_ne!(code(&validator(), &mint_bytes(known.as_bytes(), &payload, SECRET), NOW), "ok");
    }
}
