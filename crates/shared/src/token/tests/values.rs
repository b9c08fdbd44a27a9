//! Claims: presence, JSON types, values, and the seconds around the limits.

use super::*;

fn claim(name: &str, value: Value) -> &'static str {
    // Written by hand, so that an explicit null stays one.
    let mut claims = claims();
    claims[name] = value;
    code(
        &validator(),
        &mint(&header().to_string(), &claims.to_string()),
        NOW,
    )
}

fn without(name: &str) -> &'static str {
    code(&validator(), &with_claims(&json!({ name: null })), NOW)
}

#[test]
fn what_was_signed_comes_out() {
    let validator = validator();
    let roles = ["admin".to_owned(), "reader".to_owned()];
    let token = signer(&validator).sign(&new_token(&roles), NOW).unwrap();
    let admitted = admit(&validator, &token, NOW).unwrap();
    let expected = Claims {
        iss: "http://localhost:5000".into(),
        aud: policy().audiences,
        sub: "u-1".into(),
        sid: Some("s-1".into()),
        jti: Some("t-1".into()),
        iat: Some(NOW),
        nbf: Some(NOW),
        exp: NOW + 300,
        name: Some("Ada \"the\" Ä".into()),
        email: Some("ada@example.com".into()),
        email_verified: true,
        roles: roles.to_vec(),
        client_id: None,
        scope: None,
    };
    assert_eq!(admitted.claims, expected);
    assert_eq!(validator.recognise(&token).unwrap(), expected);
    let payload: Value = serde_json::from_str(&admitted.payload).unwrap();
    assert_eq!(payload["name"], "Ada \"the\" Ä");
    assert_eq!(payload.as_object().unwrap().len(), 12);
    let header = URL_SAFE_NO_PAD
        .decode(token.split('.').next().unwrap())
        .unwrap();
    assert_eq!(header, br#"{"alg":"HS256","typ":"JWT","kid":"k-1"}"#);
}

#[test]
fn one_audience_is_a_string_and_several_an_array() {
    let validator = validator();
    let aud = |policy: Policy| {
        let signer = Signer::new(Arc::clone(validator.keys()), policy);
        let token = signer.sign(&new_token(&[]), NOW).unwrap();
        let payload = URL_SAFE_NO_PAD
            .decode(token.split('.').nth(1).unwrap())
            .unwrap();
        serde_json::from_slice::<Value>(&payload).unwrap()["aud"].clone()
    };
    assert_eq!(
        aud(policy()),
        json!(["http://localhost:5001", "http://other.example"])
    );
    let one = Policy {
        audiences: vec!["a".into()],
        ..policy()
    };
    assert_eq!(aud(one), json!("a"));
}

#[test]
fn a_token_of_the_seeds_issuer_is_accepted() {
    // .NET's JwtSecurityTokenHandler: no kid, and the long name for a name.
    let payload = format!(
        r#"{{"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name":"Jeffcky","email":"2752154844@qq.com","sub":"D21D099B-B49B-4604-A247-71B0518A0B1C","nbf":{NOW},"exp":{},"iss":"http://localhost:5000","aud":"http://localhost:5001"}}"#,
        NOW + 60
    );
    let token = mint(r#"{"alg":"HS256","typ":"JWT"}"#, &payload);
    let claims = admit(&validator(), &token, NOW).unwrap().claims;
    assert_eq!(claims.name.as_deref(), Some("Jeffcky"));
    assert_eq!(claims.sub, "D21D099B-B49B-4604-A247-71B0518A0B1C");
    assert!(!claims.email_verified, "it does not say");
    assert_eq!(
        (claims.sid, claims.jti, claims.iat, claims.roles),
        (None, None, None, vec![])
    );
}

#[test]
fn of_three_names_the_shortest_spelling_wins() {
    let uri = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name";
    let name = |changes: Value| {
        admit(&validator(), &with_claims(&changes), NOW)
            .unwrap()
            .claims
            .name
    };
    assert_eq!(
        name(json!({"unique_name": "u", uri: "d"})),
        Some("Ada".into())
    );
    assert_eq!(
        name(json!({"name": null, "unique_name": "u", uri: "d"})),
        Some("u".into())
    );
    assert_eq!(name(json!({"name": null, uri: "d"})), Some("d".into()));
    assert_eq!(name(json!({"name": null})), None);
    for other in ["unique_name", uri] {
        assert_eq!(claim(other, json!(1)), "token_malformed", "{other}");
    }
}

#[test]
fn the_issuer_is_compared_exactly() {
    assert_eq!(without("iss"), "token_wrong_issuer");
    for iss in [
        json!(""),
        json!("http://localhost:5000/"),
        json!("HTTP://localhost:5000"),
        json!("http://localhost:500"),
        json!(null),
        json!(1),
        json!(true),
        json!({}),
        json!(["http://localhost:5000"]),
        json!("http://localhost:5000\u{0}"),
    ] {
        assert_eq!(claim("iss", iss.clone()), "token_wrong_issuer", "{iss}");
    }
}

#[test]
fn the_audience_names_one_of_ours() {
    assert_eq!(without("aud"), "token_wrong_audience");
    for aud in [
        json!("http://localhost:5001"),
        json!("http://other.example"),
        json!(["http://localhost:5001"]),
        json!(["x", "http://other.example", ""]),
    ] {
        assert_eq!(claim("aud", aud.clone()), "ok", "{aud}");
    }
    for aud in [
        json!(""),
        json!("http://localhost:5001/"),
        json!(null),
        json!(1),
        json!({}),
        json!([]),
        json!(["x"]),
        json!([["http://localhost:5001"]]),
        json!(["http://localhost:5001", 1]),
        json!([null]),
        json!({"http://localhost:5001": 1}),
        json!("http://localhost:5001 http://other.example"),
        json!("http://localhost:5000/internal"),
    ] {
        assert_eq!(claim("aud", aud.clone()), "token_wrong_audience", "{aud}");
    }
}

#[test]
fn claims_have_their_types() {
    for required in ["sub", "exp"] {
        assert_eq!(without(required), "token_malformed", "{required}");
    }
    for optional in [
        "sid",
        "jti",
        "iat",
        "nbf",
        "name",
        "email",
        "email_verified",
        "roles",
    ] {
        assert_eq!(without(optional), "ok", "{optional}");
    }
    for text in ["sub", "sid", "jti", "name", "email"] {
        for bad in [json!(null), json!(1), json!(true), json!(["x"]), json!({})] {
            assert_eq!(claim(text, bad.clone()), "token_malformed", "{text}: {bad}");
        }
    }
    assert_eq!(claim("sub", json!("")), "token_malformed");
    for time in ["exp", "nbf", "iat"] {
        for bad in [
            json!(null),
            json!("1"),
            json!((NOW + 9).to_string()),
            json!(true),
            json!([NOW]),
            json!({}),
        ] {
            assert_eq!(claim(time, bad.clone()), "token_malformed", "{time}: {bad}");
        }
    }
    for bad in [
        json!(null),
        json!("admin"),
        json!(1),
        json!({}),
        json!([1]),
        json!([null]),
        json!([["admin"]]),
    ] {
        assert_eq!(claim("roles", bad.clone()), "token_malformed", "{bad}");
    }
    assert_eq!(claim("roles", json!([])), "ok");
    for bad in [
        json!(null),
        json!("true"),
        json!(1),
        json!(0),
        json!([true]),
    ] {
        let code = claim("email_verified", bad.clone());
        assert_eq!(code, "token_malformed", "{bad}");
    }
    for good in [true, false] {
        assert_eq!(claim("email_verified", json!(good)), "ok", "{good}");
    }
}

#[test]
fn a_token_is_over_at_exp_and_skew_and_not_a_second_later() {
    let at = |exp: &str, now| {
        let payload = claims()
            .to_string()
            .replace(&format!("\"exp\":{}", NOW + 300), &format!("\"exp\":{exp}"));
        code(&validator(), &mint(&header().to_string(), &payload), now)
    };
    let whole = NOW.to_string();
    assert_eq!(at(&whole, NOW + SKEW - 1), "ok");
    assert_eq!(at(&whole, NOW + SKEW), "token_expired");
    // A fraction of a second more is still there at the whole second before.
    assert_eq!(at(&format!("{NOW}.5"), NOW + SKEW), "ok");
    assert_eq!(at(&format!("{NOW}.5"), NOW + SKEW + 1), "token_expired");
    assert_eq!(at(&format!("{NOW}.0"), NOW + SKEW), "token_expired");
    assert_eq!(at("1.8e9", NOW + SKEW - 1), "ok");
    assert_eq!(at("1.8e9", NOW + SKEW), "token_expired");
    for over in ["0", "0.0", "0e999", "1e-300", "1", "1e3"] {
        assert_eq!(at(over, NOW), "token_expired", "{over}");
    }
    for late in ["253402300799", "2534023007.99e2", "1e10"] {
        assert_eq!(at(late, NOW), "ok", "{late}");
    }
}

#[test]
fn a_number_that_is_no_date_is_no_time() {
    let with = |name: &str, number: &str| {
        let payload = changed(claims(), &json!({name: "here"})).to_string();
        let payload = payload.replace("\"here\"", number);
        mint(&header().to_string(), &payload)
    };
    let fine = with("nbf", &NOW.to_string());
    assert_eq!(code(&validator(), &fine, NOW), "ok");
    let long = format!("{NOW}.{}", "0".repeat(1000));
    for number in [
        // For ever.
        "1e999",
        "1e400",
        "1E+309",
        "1e300",
        "1e13",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551616",
        "99999999999999999999999999",
        "253402300800",
        "253402300799.5",
        // In milliseconds, as JavaScript counts.
        "1800000300000",
        // Never.
        "-1",
        "-0",
        "-0.5",
        "-1e300",
        "-1e999",
        "-9223372036854775808",
        "-99999999999999999999",
        // More digits than a time has.
        &long,
        "0.000000000000000000000000000000000000001",
        // No JSON.
        "1e",
        "01",
        "+1",
        ".5",
        "1.",
        "0x7fffffff",
        "1_000",
        "NaN",
        "Infinity",
        "١",
    ] {
        for name in ["exp", "nbf", "iat"] {
            let token = with(name, number);
            let validator = validator();
            for now in [NOW, 0, i64::MIN, i64::MAX] {
                assert_eq!(
                    code(&validator, &token, now),
                    "token_malformed",
                    "{name} {number}"
                );
            }
            // Not good enough for a refresh, either.
            let recognised = validator.recognise(&token).map_err(|error| error.code());
            assert_eq!(
                recognised.unwrap_err(),
                "token_malformed",
                "{name} {number}"
            );
        }
    }
}

#[test]
fn a_token_begins_at_nbf_less_skew() {
    let at = |nbf: Value| claim("nbf", nbf);
    assert_eq!(at(json!(NOW + SKEW)), "ok");
    assert_eq!(at(json!(NOW + SKEW + 1)), "token_not_yet_valid");
    // 300.5 s ahead: the skew does not reach.
    assert_eq!(
        at(json!(f64::from(1_800_000_300) + 0.5)),
        "token_not_yet_valid"
    );
    assert_eq!(at(json!(f64::from(1_800_000_299) + 0.5)), "ok");
    assert_eq!(at(json!(253_402_300_799_i64)), "token_not_yet_valid");
    assert_eq!(at(json!(0)), "ok");
    // When it was issued is not judged.
    assert_eq!(claim("iat", json!(NOW + 1_000_000)), "ok");
}

#[test]
fn recognising_judges_types_but_not_truth() {
    let validator = validator();
    let recognise = |changes: Value| validator.recognise(&with_claims(&changes));
    let claims = recognise(json!({"iss": "x", "aud": ["y"], "exp": 1, "nbf": NOW * 2})).unwrap();
    assert_eq!((claims.iss.as_str(), claims.exp), ("x", 1));
    let claims = recognise(json!({"iss": null, "aud": null, "exp": null, "nbf": null})).unwrap();
    assert_eq!(
        (claims.iss.as_str(), claims.aud.len(), claims.exp),
        ("", 0, 0)
    );
    for bad in [
        json!({"sub": null}),
        json!({"sub": ""}),
        json!({"sid": 1}),
        json!({"exp": "1"}),
        json!({"aud": 1}),
        json!({"iss": []}),
        json!({"roles": "x"}),
        json!({"nbf": false}),
    ] {
        assert_eq!(
            recognise(bad.clone()).unwrap_err().code(),
            "token_malformed",
            "{bad}"
        );
    }
    let forged = mint_bytes(header().to_string().as_bytes(), b"{\"sub\":\"u-1\"}", OTHER);
    assert_eq!(validator.recognise(&forged), Err(TokenError::BadSignature));
    assert_eq!(
        validator.recognise("x").unwrap_err().code(),
        "token_malformed"
    );
}
