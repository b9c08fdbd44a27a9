//! Reading, writing, states, and what operators do.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_800_000_000;
const KEEP: Duration = Duration::from_hours(24);
const HOUR: i64 = 3_600;

/// Secrets that no two keys share.
fn secret(seed: u8) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    Sha256::digest([seed]).to_vec()
}

fn entry(kid: &str, seed: u8, members: &Value) -> Value {
    let mut entry = json!({"kty": "oct", "kid": kid, "alg": "HS256", "sign_from": NOW,
        "k": URL_SAFE_NO_PAD.encode(secret(seed))});
    for (name, value) in members.as_object().unwrap() {
        entry[name] = value.clone();
    }
    entry
}

fn parse(ring: &Value) -> Result<KeyRing, KeyRingError> {
    KeyRing::parse(ring.to_string().as_bytes())
}

fn fault(ring: &Value) -> String {
    parse(ring).unwrap_err().to_string()
}

/// Kid and state of every key.
fn states(ring: &KeyRing, now: i64) -> Vec<(String, KeyState)> {
    ring.status(now)
        .into_iter()
        .map(|status| (status.kid, status.state))
        .collect()
}

fn named(states: &[(&str, KeyState)]) -> Vec<(String, KeyState)> {
    states
        .iter()
        .map(|(kid, state)| ((*kid).to_owned(), *state))
        .collect()
}

fn active(ring: &KeyRing, now: i64) -> &str {
    ring.active(now).unwrap().kid()
}

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
fn states_follow_from_the_file_and_the_time() {
    use KeyState::{Active, Retired, Retiring, Revoked, Staged};
    let ring = parse(&json!({
        "keys": [
            entry("old", 1, &json!({"sign_from": NOW - HOUR, "verify_until": NOW + 5_400})),
            entry("new", 2, &json!({"sign_from": NOW})),
            entry("endless", 3, &json!({"sign_from": NOW - 2 * HOUR})),
        ],
        "former": [
            entry("gone", 4, &json!({"state": "retired", "since": NOW - HOUR})),
            entry("lost", 5, &json!({"state": "revoked", "since": NOW - HOUR})),
        ],
    }))
    .unwrap();
    let former = [("gone", Retired), ("lost", Revoked)];
    let expect = |now, keys: [(&str, KeyState); 3]| {
        assert_eq!(
            states(&ring, now),
            named(&[&keys[..], &former[..]].concat()),
            "{now}"
        );
    };
    expect(
        NOW - 3 * HOUR,
        [("old", Staged), ("new", Staged), ("endless", Staged)],
    );
    expect(
        NOW - HOUR - 1,
        [("old", Staged), ("new", Staged), ("endless", Active)],
    );
    expect(
        NOW - 1,
        [("old", Active), ("new", Staged), ("endless", Retiring)],
    );
    expect(
        NOW,
        [("old", Retiring), ("new", Active), ("endless", Retiring)],
    );
    expect(
        NOW + 5_399,
        [("old", Retiring), ("new", Active), ("endless", Retiring)],
    );
    expect(
        NOW + 5_400,
        [("old", Retired), ("new", Active), ("endless", Retiring)],
    );
    assert!(ring.active(NOW - 3 * HOUR).is_none());
    assert_eq!(ring.find("lost").map(Key::kid), Some("lost"));
    assert!(ring.find("").is_none());
}

#[test]
fn of_two_keys_of_the_same_second_the_later_in_the_file_signs() {
    let ring = json!({"keys": [entry("a", 1, &json!({})), entry("b", 2, &json!({}))]});
    let ring = parse(&ring).unwrap();
    assert_eq!(
        states(&ring, NOW),
        named(&[("a", KeyState::Retiring), ("b", KeyState::Active)])
    );
}

#[test]
fn when_the_latest_key_is_retired_no_older_one_signs_again() {
    let ring = json!({"keys": [
        entry("a", 1, &json!({"sign_from": NOW - 10})),
        entry("b", 2, &json!({"verify_until": NOW + 5}))]});
    let ring = parse(&ring).unwrap();
    assert_eq!(active(&ring, NOW + 4), "b");
    assert!(ring.active(NOW + 5).is_none());
}

#[test]
fn a_rotation_stages_a_key_and_ends_its_predecessor() {
    let first = KeyRing::generate(NOW);
    let old = active(&first, NOW).to_owned();
    let Changed { ring, added } = first.rotate(NOW + 100, Duration::from_mins(5), KEEP);
    let new = added.unwrap();
    let begin = NOW + 100 + 300;
    assert_eq!(active(&ring, begin - 1), old);
    assert_eq!(active(&ring, begin), new);
    let end = begin + RETIRING_SECONDS;
    assert_eq!(ring.find(&old).unwrap().verify_until(), Some(end));
    assert_eq!(ring.find(&new).unwrap().verify_until(), None);
    assert_eq!(
        ring.state(ring.find(&old).unwrap(), end - 1),
        KeyState::Retiring
    );
    assert_eq!(ring.state(ring.find(&old).unwrap(), end), KeyState::Retired);
    assert!(ring.former().is_empty());
    KeyRing::parse(ring.to_json().as_bytes()).unwrap();
}

#[test]
fn a_rotation_tidies_former() {
    let first = KeyRing::generate(NOW);
    let old = active(&first, NOW).to_owned();
    let second = first.rotate(NOW, Duration::ZERO, KEEP).ring;
    let retired = NOW + RETIRING_SECONDS;
    // A second too early it still verifies.
    assert_eq!(
        second
            .rotate(retired - 1, Duration::ZERO, KEEP)
            .ring
            .former()
            .len(),
        0
    );
    let third = second.rotate(retired, Duration::ZERO, KEEP).ring;
    assert_eq!(
        states(&third, retired).last().unwrap(),
        &(old.clone(), KeyState::Retired)
    );
    assert_eq!(third.status(retired).last().unwrap().since, Some(retired));
    let kept = retired + i64::try_from(KEEP.as_secs()).unwrap();
    assert!(
        third
            .rotate(kept - 1, Duration::ZERO, KEEP)
            .ring
            .find(&old)
            .is_some()
    );
    assert!(
        third
            .rotate(kept, Duration::ZERO, KEEP)
            .ring
            .find(&old)
            .is_none()
    );
}

#[test]
fn a_rotation_before_a_staged_key_gives_each_its_time() {
    let ring = KeyRing::generate(NOW);
    let first = active(&ring, NOW).to_owned();
    let later = ring.rotate(NOW, Duration::from_hours(2), KEEP);
    let sooner = later.ring.rotate(NOW, Duration::from_mins(5), KEEP);
    let (ring, later, sooner) = (sooner.ring, later.added.unwrap(), sooner.added.unwrap());
    let until = |kid: &str| ring.find(kid).unwrap().verify_until();
    assert_eq!(active(&ring, NOW + 299), first);
    assert_eq!(active(&ring, NOW + 300), sooner);
    assert_eq!(active(&ring, NOW + 2 * HOUR), later);
    assert_eq!(until(&first), Some(NOW + 300 + RETIRING_SECONDS));
    assert_eq!(until(&sooner), Some(NOW + 2 * HOUR + RETIRING_SECONDS));
    assert_eq!(until(&later), None);
}

#[test]
fn when_the_active_key_is_revoked_another_signs_at_once() {
    let ring = KeyRing::generate(NOW - HOUR);
    let first = active(&ring, NOW).to_owned();
    let ring = ring.rotate(NOW - HOUR, Duration::from_mins(1), KEEP).ring;
    let second = active(&ring, NOW).to_owned();
    let end = ring.find(&first).unwrap().verify_until();
    let Changed { ring, added } = ring.revoke(&second, NOW).unwrap();
    assert_eq!(active(&ring, NOW), added.unwrap());
    assert_eq!(
        ring.state(ring.find(&second).unwrap(), NOW),
        KeyState::Revoked
    );
    assert_eq!(
        ring.find(&first).unwrap().verify_until(),
        end,
        "not longer than before"
    );
    assert!(ring.keys().iter().all(|key| key.kid() != second));
    assert_eq!(
        ring.revoke(&second, NOW).unwrap_err(),
        ChangeError::AlreadyRevoked(second)
    );
    assert_eq!(
        ring.revoke("x", NOW).unwrap_err(),
        ChangeError::UnknownKid("x".into())
    );
    KeyRing::parse(ring.to_json().as_bytes()).unwrap();
}

#[test]
fn when_the_active_key_is_revoked_a_staged_one_keeps_its_time() {
    let ring = KeyRing::generate(NOW - HOUR);
    let first = active(&ring, NOW).to_owned();
    let Changed { ring, added } = ring.rotate(NOW, Duration::from_mins(5), KEEP);
    let staged = added.unwrap();
    let Changed { ring, added } = ring.revoke(&first, NOW + 10).unwrap();
    let fresh = added.unwrap();
    assert_eq!(active(&ring, NOW + 10), fresh);
    assert_eq!(active(&ring, NOW + 300), staged);
    assert_eq!(
        ring.find(&fresh).unwrap().verify_until(),
        Some(NOW + 300 + RETIRING_SECONDS)
    );
}

#[test]
fn when_a_staged_key_is_revoked_its_predecessor_goes_on() {
    let ring = KeyRing::generate(NOW);
    let first = active(&ring, NOW).to_owned();
    let Changed { ring, added } = ring.rotate(NOW, Duration::from_mins(5), KEEP);
    let Changed { ring, added } = ring.revoke(&added.unwrap(), NOW + 10).unwrap();
    assert_eq!(added, None);
    assert_eq!(active(&ring, NOW + 1_000_000), first);
    assert_eq!(ring.find(&first).unwrap().verify_until(), None);
}

#[test]
fn a_retiring_or_retired_key_is_revoked_without_a_stir() {
    let ring = KeyRing::generate(NOW);
    let first = active(&ring, NOW).to_owned();
    let ring = ring.rotate(NOW, Duration::ZERO, KEEP).ring;
    let second = active(&ring, NOW).to_owned();
    let now = NOW + RETIRING_SECONDS;
    for ring in [
        ring.clone(),
        ring.rotate(now, Duration::from_mins(5), KEEP).ring,
    ] {
        let Changed { ring, added } = ring.revoke(&first, now).unwrap();
        assert_eq!(added, None);
        assert_eq!(active(&ring, now), second);
        let status = ring.status(now);
        let status = status.iter().find(|status| status.kid == first).unwrap();
        assert_eq!((status.state, status.since), (KeyState::Revoked, Some(now)));
    }
}

#[test]
fn an_existing_secret_is_imported_and_signs() {
    let ring = KeyRing::generate(NOW - HOUR);
    let first = active(&ring, NOW).to_owned();
    let text = "an installation's own old secret, 2019";
    let secret = SecretForm::Utf8.decode(text).unwrap();
    let ring = ring.import(&secret, Some("dotnet"), NOW).unwrap().ring;
    assert_eq!(active(&ring, NOW), "dotnet");
    assert_eq!(
        ring.find(&first).unwrap().verify_until(),
        Some(NOW + RETIRING_SECONDS)
    );

    let refused = |secret: &[u8], kid| ring.import(secret, kid, NOW).unwrap_err();
    let same = ChangeError::Ring(KeyRingError::DuplicateSecret {
        kid: "dotnet".into(),
        other: "x".into(),
    });
    assert_eq!(refused(&secret, Some("x")), same);
    assert!(matches!(
        refused(b"short", None),
        ChangeError::Ring(KeyRingError::ShortKey { .. })
    ));
    assert!(matches!(
        refused(&[1; 40], None),
        ChangeError::Ring(KeyRingError::SampleKey { .. })
    ));
    assert_eq!(refused(&secret, Some("a b")), ChangeError::BadKid);
    assert!(KeyRing::from_secret(b"short", None, NOW).is_err());
    assert!(KeyRing::from_secret(&secret, None, NOW).is_ok());
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

#[test]
fn status_tells_secrets_apart_without_showing_them() {
    let ring = json!({"keys": [entry("a", 1, &json!({})), entry("b", 2, &json!({"sign_from": NOW + 60}))]});
    let status = parse(&ring).unwrap().status(NOW + 10);
    assert_eq!((status[0].age, status[1].age), (10, -50));
    assert_eq!(status[0].fingerprint.len(), 8);
    assert_ne!(status[0].fingerprint, status[1].fingerprint);
    assert_eq!(
        status[0].fingerprint,
        parse(&ring).unwrap().status(NOW)[0].fingerprint
    );
}

#[test]
fn fresh_names_tell_the_day() {
    let ring = KeyRing::generate(NOW);
    let kid = ring.keys()[0].kid();
    assert!(kid.starts_with("20270115-") && kid.len() == 17, "{kid}");
    assert_ne!(kid, KeyRing::generate(NOW).keys()[0].kid());
}
