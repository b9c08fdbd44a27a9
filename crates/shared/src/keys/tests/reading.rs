//! What is a ring, what is refused, and what no message says.

use super::*;

#[test]
fn a_ring_is_read_as_it_was_written() {
    let ring = KeyRing::generate(NOW);
    let ring = ring.rotate(NOW + 10, Duration::from_mins(5), KEEP).ring;
    let ring = ring.revoke(ring.keys()[0].kid(), NOW + 20).unwrap().ring;
    let json = ring.to_json();
    let again = KeyRing::parse(json.as_bytes()).unwrap();
    assert_eq!(again.to_json(), json);
    assert_eq!(again.status(NOW), ring.status(NOW));
    // One allocation: a longer one would have left secrets behind.
    assert!(json.capacity() >= json.len());
    let value: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["keys"][0]["kty"], "oct");
    assert_eq!(value["keys"][0]["alg"], "HS256");
    assert_eq!(value["former"][0]["state"], "revoked");
    assert_eq!(value["former"][0]["since"], NOW + 20);
}

#[test]
fn members_of_others_are_ignored() {
    let ring = json!({"keys": [entry("a", 1, &json!({"use": "sig", "key_ops": ["sign"], "x": {}}))], "y": 1});
    assert_eq!(parse(&ring).unwrap().keys().len(), 1);
    let mut bare = entry("a", 1, &json!({}));
    bare.as_object_mut().unwrap().remove("alg");
    assert!(parse(&json!({"keys": [bare]})).is_ok());
}

#[test]
fn what_is_no_key_set_is_refused() {
    for text in ["", "{", "x", "{\"keys\":[}", "{\"keys\":[]} x"] {
        let error = KeyRing::parse(text.as_bytes()).unwrap_err();
        assert!(
            matches!(error, KeyRingError::NotJson { .. }),
            "{text}: {error}"
        );
    }
    for text in [
        "null",
        "[]",
        "[[]]",
        "{}",
        "1",
        "\"keys\"",
        "{\"keys\":{}}",
        "{\"keys\":null}",
        "{\"keys\":[],\"keys\":[]}",
        "{\"keys\":[],\"former\":null}",
    ] {
        assert_eq!(
            KeyRing::parse(text.as_bytes()).unwrap_err(),
            KeyRingError::NotAKeySet,
            "{text}"
        );
    }
    assert_eq!(
        KeyRing::parse(b"{\"keys\":[\"\xff\"]}").unwrap_err(),
        KeyRingError::NotAKeySet
    );
    assert_eq!(
        parse(&json!({"keys": []})).unwrap_err(),
        KeyRingError::NoKeys
    );
}

#[test]
fn every_member_that_counts_is_judged() {
    let k = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    for (members, text) in [
        (json!({"kty": "RSA"}), "`kty`"),
        (json!({"kty": null}), "`kty`"),
        (json!({"alg": "HS512"}), "`alg`"),
        (json!({"alg": null}), "`alg`"),
        (json!({"kid": ""}), "`kid`"),
        (json!({"kid": 1}), "`kid`"),
        (json!({"kid": "a b"}), "`kid`"),
        (json!({"kid": "ä"}), "`kid`"),
        (json!({"kid": "x".repeat(129)}), "`kid`"),
        (json!({"k": null}), "`k`"),
        (json!({"k": 1}), "`k`"),
        (json!({"k": format!("{}=", k(&secret(1)))}), "`k`"),
        (json!({"k": format!("{} ", k(&secret(1)))}), "`k`"),
        (json!({"k": ""}), "0 bytes"),
        (json!({"k": k(&secret(1)[..31])}), "31 bytes"),
        (json!({"k": k(&[b'x'; 32])}), "published sample"),
        (json!({"sign_from": null}), "`sign_from`"),
        (json!({"sign_from": "1"}), "`sign_from`"),
        (json!({"sign_from": 1.5}), "`sign_from`"),
        (json!({"verify_until": "1"}), "`verify_until`"),
        (json!({"verify_until": null}), "`verify_until`"),
        (
            json!({"state": "retired", "since": 1}),
            "belongs into `former`",
        ),
        (json!({"state": "retired"}), "come together"),
        (json!({"since": 1}), "come together"),
    ] {
        let error = fault(&json!({"keys": [entry("a", 1, &members)]}));
        assert!(error.contains(text), "{members}: {error}");
    }
    let former = |members: Value| {
        fault(&json!({"keys": [entry("a", 1, &json!({}))], "former": [entry("b", 2, &members)]}))
    };
    assert!(former(json!({})).contains("needs `state`"));
    assert!(former(json!({"state": "lost", "since": 1})).contains("`state`"));
    assert!(fault(&json!({"keys": [1]})).contains("keys[0]"));
    assert!(fault(&json!({"keys": [["oct"]]})).contains("keys[0]"));
}

#[test]
fn no_two_keys_share_a_name_or_a_secret() {
    let ring = json!({"keys": [entry("a", 1, &json!({})), entry("a", 2, &json!({}))]});
    assert_eq!(
        parse(&ring).unwrap_err(),
        KeyRingError::DuplicateKid { kid: "a".into() }
    );
    let former = json!({"state": "revoked", "since": 1});
    let ring = json!({"keys": [entry("a", 1, &json!({}))], "former": [entry("b", 1, &former)]});
    let same = KeyRingError::DuplicateSecret {
        kid: "a".into(),
        other: "b".into(),
    };
    assert_eq!(parse(&ring).unwrap_err(), same);
    // To HMAC these are the same key too.
    let padded = URL_SAFE_NO_PAD.encode([secret(1), vec![0; 3]].concat());
    let ring = json!({"keys": [entry("a", 1, &json!({})), entry("b", 2, &json!({"k": padded}))]});
    assert_eq!(parse(&ring).unwrap_err(), same);
}

#[test]
fn no_message_repeats_a_secret() {
    let k = URL_SAFE_NO_PAD.encode(secret(1));
    for broken in [
        json!({"keys": k}),
        json!({"keys": [k]}),
        json!({"keys": [entry("a b", 1, &json!({"kid": format!("{k} ")}))]}),
        json!({"keys": [entry("a", 1, &json!({"alg": k}))]}),
        json!({"keys": [entry("a", 1, &json!({"sign_from": k}))]}),
        json!({"keys": [entry("a", 1, &json!({"kty": k}))]}),
    ] {
        let error = parse(&broken).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(&k[..8]), "{error}");
    }
    let cut = &json!({"keys": [entry("a", 1, &json!({}))]}).to_string()[..100];
    let error = KeyRing::parse(cut.as_bytes()).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(&k[..8]), "{error}");
}

#[test]
fn debug_shows_no_secret() {
    let ring = KeyRing::from_secret(b"correct horse battery staple 1234", Some("a"), NOW).unwrap();
    let text = format!("{ring:?} {:?}", ring.revoke("a", NOW).unwrap());
    assert!(text.contains("[redacted]"));
    assert!(!text.contains("horse"), "{text}");
    assert!(
        !text.contains(&URL_SAFE_NO_PAD.encode("correct horse")[..12]),
        "{text}"
    );
    assert!(!text.contains("99, 111, 114"), "{text}");
}

#[test]
fn secrets_are_read_in_three_forms() {
    let read = |form: SecretForm, text| form.decode(text).map(|secret| secret.to_vec());
    assert_eq!(read(SecretForm::Utf8, "ä"), Some(vec![0xc3, 0xa4]));
    assert_eq!(read(SecretForm::Hex, "00ff"), Some(vec![0, 255]));
    assert_eq!(read(SecretForm::Base64Url, "_-8="), Some(vec![255, 239]));
    assert_eq!(read(SecretForm::Base64Url, "_-8"), Some(vec![255, 239]));
    assert_eq!(read(SecretForm::Hex, "0g"), None);
    assert_eq!(read(SecretForm::Base64Url, "+/8="), None);
}
