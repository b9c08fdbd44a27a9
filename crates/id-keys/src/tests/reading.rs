//! The file: read back as it was written, refused with its fault, and silent about secrets.

use serde_json::Value;
use shared::key_file::Keys;

use super::{Algorithm, IdKeys, IdKeysError, KeyFault, RING, ring};

/// Every private number of the test ring, as its file has it.
fn secrets() -> Vec<String> {
    let ring: Value = serde_json::from_str(RING).unwrap();
    let of = |at: usize, name: &str| ring["keys"][at][name].as_str().unwrap().to_owned();
    let rsa = ["d", "p", "q", "dp", "dq", "qi"].map(|name| of(0, name));
    rsa.into_iter().chain([of(1, "d")]).collect()
}

fn refused(edit: impl FnOnce(&mut Value)) -> IdKeysError {
    let mut ring: Value = serde_json::from_str(RING).unwrap();
    edit(&mut ring);
    let error = IdKeys::parse(ring.to_string().as_bytes()).unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(secrets().iter().all(|secret| !text.contains(secret)));
    error
}

#[test]
fn the_written_file_is_read_back() {
    let first = ring();
    let second = first.revoke("test-es256", 5).unwrap().keys;
    assert_eq!(
        *first.to_json(),
        RING,
        "the test's file is in the form that we write"
    );
    let written = second.to_json();
    let read = IdKeys::parse(written.as_bytes()).unwrap();
    assert_eq!(*read.to_json(), *written);
    assert_eq!(read.iter().count(), 3);
    assert_eq!(read.find("test-es256").unwrap().since(), Some(5));
    assert_eq!(Keys::names(&first), ["test-rs256", "test-es256"]);
}

#[test]
fn neither_debug_nor_the_jwks_shows_a_secret() {
    let keys = ring();
    let shown = format!("{keys:?} {:?} {}", keys.iter().next(), keys.jwks(0));
    assert!(shown.contains("[redacted]"));
    for secret in secrets() {
        assert!(RING.contains(&secret));
        assert!(!shown.contains(&secret));
    }
    let jwks: Value = serde_json::from_str(&keys.jwks(0)).unwrap();
    let names =
        |at: usize| -> Vec<&String> { jwks["keys"][at].as_object().unwrap().keys().collect() };
    assert_eq!(names(0), ["alg", "e", "kid", "kty", "n", "use"]);
    assert_eq!(names(1), ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    assert_eq!(jwks["keys"][0]["kty"], "RSA");
    assert_eq!(jwks["keys"].as_array().unwrap().len(), 2);
}

#[test]
fn a_file_that_is_none_is_refused() {
    let parse = |text: &str| IdKeys::parse(text.as_bytes()).unwrap_err();
    let (line, column) = (2, 0);
    assert_eq!(parse("{\n"), IdKeysError::NotJson { line, column });
    for text in [
        "[]",
        "7",
        r#"{"keys":7}"#,
        r#"{"keys":[],"keys":[]}"#,
        "[[]]",
    ] {
        assert_eq!(parse(text), IdKeysError::NotAKeySet, "{text}");
    }
    assert_eq!(IdKeys::parse(b"\xff").unwrap_err(), IdKeysError::NotAKeySet);
    assert_eq!(parse(r#"{"keys":[]}"#), IdKeysError::NoKeys);
    for entry in ["7", "[]", r#"{"kid":"a","kid":"b"}"#] {
        let text = parse(&format!(r#"{{"keys":[{entry}]}}"#)).to_string();
        assert!(text.starts_with("keys[0]: "), "{text}");
    }
}

#[test]
fn a_bad_member_is_named() {
    let member = |name: &'static str, value: Value| refused(|ring| ring["keys"][0][name] = value);
    for (name, value) in [
        ("kid", "two words".into()),
        ("kty", "oct".into()),
        ("alg", "ES256".into()),
        ("use", "enc".into()),
        ("n", 7.into()),
        ("e", "".into()),
        ("d", "padded==".into()),
        ("p", Value::Null),
        ("sign_from", "1".into()),
        ("sign_from", 1.5.into()),
        ("verify_until", "1".into()),
        ("since", "1".into()),
        ("state", "lost".into()),
    ] {
        let text = member(name, value).to_string();
        assert!(text.contains(&format!("`{name}`")), "{text}");
    }
    let text = member("state", "revoked".into()).to_string();
    assert_eq!(
        text,
        "key \"test-rs256\": `state` and `since` come together"
    );
    let missing = refused(|ring| {
        ring["keys"][1].as_object_mut().unwrap().remove("sign_from");
    });
    assert!(missing.to_string().contains("`sign_from` must be there"));
    let stray = refused(|ring| {
        ring["keys"][0]["state"] = "retired".into();
        ring["keys"][0]["since"] = 1.into();
    });
    assert!(stray.to_string().contains("belongs into `former`"));
    let stray = refused(|ring| {
        let key = ring["keys"].as_array_mut().unwrap().pop();
        ring["former"] = Value::from_iter(key);
    });
    assert!(stray.to_string().contains("needs `state` and `since`"));
}

#[test]
fn a_private_part_that_does_not_fit_is_refused() {
    let unfit = |kid: &str, fault| IdKeysError::Unfit {
        kid: kid.to_owned(),
        fault,
    };
    let mixed = refused(|ring| ring["keys"][1]["d"] = ring["keys"][1]["y"].clone());
    assert_eq!(mixed, unfit("test-es256", KeyFault::Mismatch));
    for (name, other) in [("p", "q"), ("qi", "dp"), ("dp", "dq"), ("dq", "dp")] {
        let mixed = refused(|ring| ring["keys"][0][name] = ring["keys"][0][other].clone());
        assert_eq!(mixed, unfit("test-rs256", KeyFault::Mismatch), "{name}");
    }
    let short = refused(|ring| ring["keys"][0]["n"] = "AQAB".into());
    assert_eq!(short, unfit("test-rs256", KeyFault::RsaBits(17)));
}

#[test]
fn a_name_or_a_key_that_is_there_twice_is_refused() {
    let twice = refused(|ring| ring["keys"][1]["kid"] = "test-rs256".into());
    let kid = || "test-rs256".to_owned();
    assert_eq!(twice, IdKeysError::DuplicateKid { kid: kid() });
    let twice = refused(|ring| {
        let mut key = ring["keys"][0].clone();
        key["kid"] = "other".into();
        ring["keys"].as_array_mut().unwrap().push(key);
    });
    let other = "other".to_owned();
    assert_eq!(twice, IdKeysError::SameKey { kid: kid(), other });
}

#[test]
fn members_of_others_are_ignored() {
    let mut ring: Value = serde_json::from_str(RING).unwrap();
    ring["keys"][0]["x5t"] = "something".into();
    ring["note"] = "something".into();
    assert!(IdKeys::parse(ring.to_string().as_bytes()).is_ok());
}

#[test]
fn an_algorithm_has_one_spelling() {
    for algorithm in Algorithm::ALL {
        assert_eq!(algorithm.name().parse(), Ok(algorithm));
    }
    for other in ["rs256", "RS512", "HS256", "none", ""] {
        assert!(other.parse::<Algorithm>().is_err(), "{other}");
    }
}
