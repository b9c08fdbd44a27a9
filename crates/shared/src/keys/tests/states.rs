//! States over time, and what operators do to them.

use super::*;

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
