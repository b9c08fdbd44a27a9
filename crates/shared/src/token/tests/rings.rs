//! Keys in every state, tokens without a `kid`, and the bearers of services.

use super::*;

/// A ring with `KID` as given, and another key that has signed since the beginning.
fn ring(list: &str, members: &Value) -> Validator {
    let key = entry(KID, SECRET, members);
    let mut ring = json!({"keys": [entry("k-2", OTHER, &json!({}))]});
    if list == "former" {
        ring["former"] = json!([key]);
    } else {
        ring["keys"].as_array_mut().unwrap().push(key);
    }
    validator_of(&ring)
}

fn tokens() -> [String; 2] {
    // With a kid, and without.
    [with_claims(&json!({})), with_header(&json!({"kid": null}))]
}

#[test]
fn staged_active_and_retiring_keys_verify() {
    for members in [
        json!({"sign_from": NOW + 100}),
        json!({"sign_from": NOW}),
        json!({"sign_from": NOW - 100, "verify_until": NOW + 1}),
        json!({"sign_from": NOW - 100}),
    ] {
        for token in tokens() {
            assert_eq!(
                code(&ring("keys", &members), &token, NOW),
                "ok",
                "{members}"
            );
        }
    }
}

#[test]
fn under_a_retired_key_everything_is_expired() {
    for (list, members) in [
        ("keys", json!({"verify_until": NOW})),
        ("keys", json!({"verify_until": NOW - 1_000_000})),
        ("former", json!({"state": "retired", "since": NOW - 10})),
        ("former", json!({"state": "retired", "since": NOW + 10})),
    ] {
        let validator = ring(list, &members);
        for token in tokens() {
            let error = admit(&validator, &token, NOW).unwrap_err();
            assert_eq!(
                (error.code(), error.act()),
                ("token_expired", Some("expired"))
            );
            assert_eq!(validator.recognise(&token).unwrap().sub, "u-1");
        }
        // But only what is perfect otherwise.
        let foreign = with_claims(&json!({"iss": "x"}));
        assert_eq!(code(&validator, &foreign, NOW), "token_wrong_issuer");
        let forged = mint_bytes(header().to_string().as_bytes(), b"{}", OTHER);
        assert_eq!(code(&validator, &forged, NOW), "token_bad_signature");
    }
}

#[test]
fn under_a_revoked_key_everything_is_revoked() {
    let validator = ring("former", &json!({"state": "revoked", "since": NOW - 10}));
    for token in tokens() {
        let error = admit(&validator, &token, NOW).unwrap_err();
        assert_eq!(
            (error.code(), error.act()),
            ("token_revoked", Some("revoked"))
        );
        assert_eq!(validator.recognise(&token).unwrap().sub, "u-1");
    }
    let over = with_claims(&json!({"exp": 1}));
    assert_eq!(code(&validator, &over, NOW), "token_revoked");
}

#[test]
fn a_kid_is_the_name_of_one_key_only() {
    let validator = ring("keys", &json!({}));
    let header = json!({"alg": "HS256", "kid": "k-2"}).to_string();
    assert_eq!(
        code(&validator, &mint(&header, &claims().to_string()), NOW),
        "token_bad_signature"
    );
    let without = mint_bytes(
        br#"{"alg":"HS256"}"#,
        claims().to_string().as_bytes(),
        b"none of these",
    );
    assert_eq!(code(&validator, &without, NOW), "token_bad_signature");
}

#[test]
fn a_kid_with_quotes_is_written_and_read() {
    let validator = validator_of(&json!({"keys": [entry(r#"a"\b"#, SECRET, &json!({}))]}));
    let token = signer(&validator).sign(&new_token(&[]), NOW).unwrap();
    assert_eq!(code(&validator, &token, NOW), "ok");
    let header = json!({"alg": "HS256", "kid": r#"a"\b"#}).to_string();
    assert_eq!(
        code(&validator, &mint(&header, &claims().to_string()), NOW),
        "ok"
    );
}

#[test]
fn without_a_key_that_signs_there_is_no_token() {
    let validator =
        validator_of(&json!({"keys": [entry(KID, SECRET, &json!({"sign_from": NOW + 1}))]}));
    let signer = signer(&validator);
    assert!(matches!(
        signer.sign(&new_token(&[]), NOW),
        Err(SignError::NoActiveKey)
    ));
    assert!(matches!(
        signer.sign_service("api", NOW),
        Err(SignError::NoActiveKey)
    ));
    assert!(signer.sign(&new_token(&[]), NOW + 1).is_ok());
}

#[test]
fn a_service_s_bearer_is_good_for_a_minute_and_a_half_at_most_whatever_the_skew() {
    let validator = validator();
    let token = signer(&validator)
        .sign_service("resource-api", NOW)
        .unwrap();
    let judge = |now| {
        validator
            .check_service(&token, now)
            .map_err(|error| error.code())
    };
    assert_eq!(judge(NOW), Ok(()));
    assert_eq!(judge(NOW + 29), Ok(()));
    assert_eq!(judge(NOW + 30), Err("token_expired"));
    // Signed by a clock that is ahead of ours, by a minute and beyond.
    assert_eq!(judge(NOW - 60), Ok(()));
    assert_eq!(judge(NOW - 61), Err("token_malformed"));
    // An earlier version's, which used all of the minute: its clock may be half a minute ahead.
    let with_exp = |exp: i64, now: i64| {
        let claims = json!({"iss": "http://localhost:5000", "aud": "http://localhost:5000/internal",
            "sub": "x", "exp": exp});
        let header = changed(header(), &json!({"typ": "service+jwt"})).to_string();
        let checked = validator.check_service(&mint(&header, &claims.to_string()), now);
        checked.map_err(|error| error.code())
    };
    for (now, expected) in [
        (NOW - 31, Err("token_malformed")),
        (NOW - 30, Ok(())),
        (NOW, Ok(())),
        (NOW + 59, Ok(())),
        (NOW + 60, Err("token_expired")),
        (NOW + SKEW, Err("token_expired")),
    ] {
        assert_eq!(with_exp(NOW + 60, now), expected, "{now}");
    }
}

#[test]
fn a_token_opens_what_it_is_for_and_nothing_else() {
    let validator = validator();
    let signer = signer(&validator);
    let access = signer.sign(&new_token(&[]), NOW).unwrap();
    let service = signer.sign_service("resource-api", NOW).unwrap();
    assert_eq!(code(&validator, &service, NOW), "token_malformed");
    assert_eq!(
        validator.recognise(&service).unwrap_err().code(),
        "token_malformed"
    );
    let judge = |token: &str| {
        validator
            .check_service(token, NOW)
            .map_err(|error| error.code())
    };
    assert_eq!(judge(&access), Err("token_malformed"));
    let service_claims = json!({"iss": "http://localhost:5000", "aud": "http://localhost:5000/internal",
        "sub": "x", "exp": NOW + 60});
    let with = |typ: Value, changes: Value| {
        let header = changed(header(), &json!({ "typ": typ })).to_string();
        judge(&mint(
            &header,
            &changed(service_claims.clone(), &changes).to_string(),
        ))
    };
    assert_eq!(with(json!("service+jwt"), json!({})), Ok(()));
    assert_eq!(with(json!("application/Service+JWT"), json!({})), Ok(()));
    assert_eq!(with(json!(null), json!({})), Err("token_malformed"));
    assert_eq!(with(json!("JWT"), json!({})), Err("token_malformed"));
    let typ = || json!("service+jwt");
    assert_eq!(
        with(typ(), json!({"aud": "http://localhost:5001"})),
        Err("token_wrong_audience")
    );
    assert_eq!(with(typ(), json!({"iss": "x"})), Err("token_wrong_issuer"));
    assert_eq!(
        with(typ(), json!({"exp": NOW + 91})),
        Err("token_malformed")
    );
    assert_eq!(with(typ(), json!({"exp": NOW})), Err("token_expired"));
    assert_eq!(with(typ(), json!({"sub": null})), Err("token_malformed"));
}

#[test]
fn a_service_under_a_withdrawn_key_is_refused() {
    let signed = signer(&validator()).sign_service("api", NOW).unwrap();
    let judge = |members| {
        ring("former", &members)
            .check_service(&signed, NOW)
            .unwrap_err()
            .code()
    };
    assert_eq!(
        judge(json!({"state": "revoked", "since": NOW})),
        "token_revoked"
    );
    assert_eq!(
        judge(json!({"state": "retired", "since": NOW})),
        "token_expired"
    );
}
