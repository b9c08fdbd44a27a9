//! Keys over time: which signs, which are shown, what a rotation and a revocation change.

use serde_json::json;
use shared::keys::KeyState::{Active, Retired, Retiring, Revoked, Staged};

use super::{Algorithm, ChangeError, IdKeys, RETIRING_SECONDS, client_accepts, es256_ring, kid};
use crate::NotGenuine;
use Algorithm::{Es256, Rs256};

const DAY: i64 = 86_400;
const NOW: i64 = 1_000;

#[test]
fn a_new_ring_signs_at_once_with_both_algorithms_and_rotates_both() {
    let keys = IdKeys::generate(NOW).unwrap();
    let before = [kid(&keys, Rs256, NOW), kid(&keys, Es256, NOW)];
    assert!(keys.active(Rs256, NOW - 1).is_none());
    for algorithm in Algorithm::ALL {
        let key = keys.active(algorithm, NOW).unwrap();
        let token = key.sign("JWT", &json!({"sub": "ü"})).unwrap();
        assert!(client_accepts(&keys.jwks(NOW), &token));
        assert_eq!(keys.recognise(&token, "JWT").unwrap(), r#"{"sub":"ü"}"#);
    }
    let rsa = keys.active(Rs256, NOW).unwrap();
    let token = rsa.sign("JWT", &json!({})).unwrap();
    let signature = token.rsplit_once('.').unwrap().1;
    assert_eq!(signature.len(), 342, "256 bytes");

    let next = keys.rotate(NOW, DAY, 0).unwrap();
    assert_eq!(next.added.len(), 2);
    let keys = IdKeys::parse(next.keys.to_json().as_bytes()).unwrap();
    let last = NOW + DAY - 1;
    assert_eq!([kid(&keys, Rs256, last), kid(&keys, Es256, last)], before);
    let then = [kid(&keys, Rs256, last + 1), kid(&keys, Es256, last + 1)];
    assert_eq!(then.to_vec(), next.added);
    assert!(client_accepts(&keys.jwks(last + 1), &token));
}

#[test]
fn a_key_goes_through_its_states_and_leaves_the_jwks() {
    let first = es256_ring();
    let old = kid(&first, Es256, NOW);
    let changed = first.rotate(NOW, DAY, 0).unwrap();
    let (keys, [new]) = (changed.keys, changed.added.as_slice()) else {
        panic!("one key");
    };
    let at = |now| {
        let state = |kid: &str| keys.state(keys.find(kid).unwrap(), now);
        let jwks = keys.jwks(now);
        assert!(jwks.contains(new.as_str()), "{now}");
        (state(&old), state(new), jwks.contains(&old))
    };
    let begin = NOW + DAY;
    let end = begin + RETIRING_SECONDS;
    assert_eq!(at(NOW), (Active, Staged, true));
    assert_eq!(at(begin - 1), (Active, Staged, true));
    assert_eq!(at(begin), (Retiring, Active, true));
    assert_eq!(at(end - 1), (Retiring, Active, true));
    assert_eq!(at(end), (Retired, Active, false));
    assert_eq!(keys.find(&old).unwrap().verify_until(), Some(end));
    assert_eq!(keys.find(new).unwrap().sign_from(), begin);
    assert_eq!(keys.find(new).unwrap().verify_until(), None);
}

#[test]
fn a_retired_key_is_recognised_for_as_long_as_it_is_kept() {
    let first = es256_ring();
    let key = first.active(Es256, NOW).unwrap();
    let hint = key.sign("JWT", &json!({"sid": "s"})).unwrap();
    let second = first.rotate(NOW, 0, 0).unwrap().keys;
    let end = NOW + RETIRING_SECONDS;
    let third = second.rotate(end, 0, DAY).unwrap().keys;
    let former = third.find(key.kid()).unwrap();
    assert_eq!(former.since(), Some(end));
    assert_eq!(third.state(former, end), Retired);
    assert!(third.recognise(&hint, "JWT").is_ok());
    assert!(!third.jwks(end).contains(key.kid()));

    let kept = third.rotate(end + DAY - 1, 0, DAY).unwrap().keys;
    assert!(kept.recognise(&hint, "JWT").is_ok());
    let gone = third.rotate(end + DAY, 0, DAY).unwrap().keys;
    assert_eq!(gone.recognise(&hint, "JWT"), Err(NotGenuine::UnknownKey));
}

#[test]
fn a_second_rotation_before_the_first_took_effect_takes_no_key_away() {
    let keys = es256_ring();
    let old = kid(&keys, Es256, NOW);
    let later = keys.rotate(NOW, DAY, 0).unwrap();
    let sooner = later.keys.rotate(NOW, 60, 0).unwrap();
    let keys = sooner.keys;
    assert_eq!(kid(&keys, Es256, NOW), old);
    assert_eq!(kid(&keys, Es256, NOW + 60), sooner.added[0]);
    assert_eq!(kid(&keys, Es256, NOW + DAY), later.added[0]);
    let until = |kid: &str| keys.find(kid).unwrap().verify_until();
    assert_eq!(until(&old), Some(NOW + 60 + RETIRING_SECONDS));
    let overlap = NOW + DAY + RETIRING_SECONDS;
    assert_eq!(until(&sooner.added[0]), Some(overlap));
    assert_eq!(until(&later.added[0]), None);
}

#[test]
fn a_revoked_key_that_signed_is_replaced_at_once_and_recognised_no_more() {
    let keys = super::ring();
    let old = kid(&keys, Es256, NOW);
    let rsa = kid(&keys, Rs256, NOW);
    let token = keys.find(&old).unwrap().sign("JWT", &json!({})).unwrap();
    let changed = keys.revoke(&old, NOW).unwrap();
    let keys = IdKeys::parse(changed.keys.to_json().as_bytes()).unwrap();
    assert_eq!(changed.added, [kid(&keys, Es256, NOW)]);
    assert_eq!(kid(&keys, Rs256, NOW), rsa, "the other line is not touched");
    assert_eq!(keys.state(keys.find(&old).unwrap(), NOW), Revoked);
    assert!(!keys.jwks(NOW).contains(&old));
    assert_eq!(keys.recognise(&token, "JWT"), Err(NotGenuine::Revoked));
    let again = keys.revoke(&old, NOW).unwrap_err();
    assert_eq!(again, ChangeError::AlreadyRevoked(old));
    let unknown = keys.revoke("nobody", NOW).unwrap_err();
    assert_eq!(unknown, ChangeError::UnknownKid("nobody".into()));
}

#[test]
fn a_revoked_key_that_was_to_sign_gives_its_predecessor_back() {
    let first = es256_ring();
    let old = kid(&first, Es256, NOW);
    let staged = first.rotate(NOW, DAY, 0).unwrap();
    let changed = staged.keys.revoke(&staged.added[0], NOW).unwrap();
    assert!(changed.added.is_empty());
    assert_eq!(kid(&changed.keys, Es256, NOW + 10 * DAY), old);
    assert_eq!(changed.keys.find(&old).unwrap().verify_until(), None);

    // One that signs is replaced until the staged one takes over.
    let changed = staged.keys.revoke(&old, NOW).unwrap();
    let [fresh] = changed.added.as_slice() else {
        panic!("one key");
    };
    assert_eq!(kid(&changed.keys, Es256, NOW), *fresh);
    let until = changed.keys.find(fresh).unwrap().verify_until();
    assert_eq!(until, Some(NOW + DAY + RETIRING_SECONDS));
    assert_eq!(kid(&changed.keys, Es256, NOW + DAY), staged.added[0]);
}

#[test]
fn retiring_and_retired_keys_can_be_revoked_without_a_successor() {
    let first = es256_ring();
    let old = kid(&first, Es256, NOW);
    let second = first.rotate(NOW, 0, DAY).unwrap().keys;
    let third = second.rotate(NOW + 2 * DAY, 0, 10 * DAY).unwrap().keys;

    // What happens to its successors is not its affair: it stays on its way out.
    let staged = second.rotate(NOW + 1, DAY, DAY).unwrap().keys;
    let active = kid(&staged, Es256, NOW + 1);
    let changed = staged.revoke(&active, NOW + 1).unwrap();
    let until = changed.keys.find(&old).unwrap().verify_until();
    assert_eq!(until, Some(NOW + RETIRING_SECONDS));

    for keys in [second, third] {
        let changed = keys.revoke(&old, NOW + 2 * DAY).unwrap();
        assert!(changed.added.is_empty());
        let key = changed.keys.find(&old).unwrap();
        assert_eq!(changed.keys.state(key, NOW + 2 * DAY), Revoked);
    }
}

#[test]
fn the_last_key_is_replaced_whatever_its_state() {
    let keys = es256_ring();
    let only = kid(&keys, Es256, NOW);
    // Before its time: second 0 is still to come.
    let changed = keys.revoke(&only, -10).unwrap();
    assert_eq!(changed.added, [kid(&changed.keys, Es256, -10)]);
}

#[test]
fn nothing_follows_where_nothing_signs() {
    let error = es256_ring().rotate(-10, 0, 0).unwrap_err();
    assert_eq!(error, ChangeError::NothingSigns);
}
