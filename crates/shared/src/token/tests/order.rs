//! Which of several faults is named: the first of the contract's order.

use super::*;

/// The faults of the contract in its order; each takes a token that is good and spoils it.
#[derive(Clone)]
struct Draft {
    header: Value,
    claims: Value,
    raw_payload: Option<&'static str>,
    secret: &'static [u8],
    verdict: Verdict,
}

type Fault = (&'static str, fn(&mut Draft));

const FAULTS: [Fault; 10] = [
    ("token_malformed", |draft| {
        draft.header["alg"] = json!("HS384");
    }),
    ("token_unknown_key", |draft| draft.header["kid"] = json!("")),
    ("token_bad_signature", |draft| draft.secret = OTHER),
    ("token_malformed", |draft| draft.raw_payload = Some("[]")),
    ("token_wrong_issuer", |draft| {
        draft.claims["iss"] = json!(["http://localhost:5000"]);
    }),
    ("token_wrong_audience", |draft| {
        draft.claims["aud"] = json!("http://localhost:9999");
    }),
    ("token_malformed", |draft| {
        draft.claims["roles"] = json!("admin");
    }),
    ("token_not_yet_valid", |draft| {
        draft.claims["nbf"] = json!(NOW + SKEW + 1);
    }),
    ("token_revoked", |draft| {
        draft.verdict = Verdict::Revoked(Cure::Refresh);
    }),
    ("token_expired", |draft| {
        draft.claims["exp"] = json!(NOW - SKEW);
    }),
];

fn judge(faults: &[&Fault]) -> &'static str {
    let mut draft = Draft {
        header: header(),
        claims: claims(),
        raw_payload: None,
        secret: SECRET,
        verdict: Verdict::Live,
    };
    for (_, spoil) in faults {
        spoil(&mut draft);
    }
    let payload = draft
        .raw_payload
        .map_or_else(|| draft.claims.to_string(), str::to_owned);
    let token = mint_bytes(
        draft.header.to_string().as_bytes(),
        payload.as_bytes(),
        draft.secret,
    );
    let judged = validator()
        .check(&token, NOW)
        .and_then(|it| it.judge(draft.verdict, NOW));
    judged.map_or_else(|error| error.code(), |_| "ok")
}

#[test]
fn every_fault_has_its_code() {
    assert_eq!(judge(&[]), "ok");
    for fault in &FAULTS {
        assert_eq!(judge(&[fault]), fault.0);
    }
}

#[test]
fn of_several_faults_the_first_of_the_order_is_named() {
    for (at, first) in FAULTS.iter().enumerate() {
        let later = FAULTS.iter().skip(at + 1);
        for second in later.clone() {
            assert_eq!(
                judge(&[first, second]),
                first.0,
                "{} before {}",
                first.0,
                second.0
            );
        }
        let all: Vec<_> = std::iter::once(first).chain(later).collect();
        assert_eq!(
            judge(&all),
            first.0,
            "{} before all that come later",
            first.0
        );
    }
}

#[test]
fn a_denied_token_has_no_cure_whatever_else_is_wrong_with_it() {
    let revoked = json!({"keys": [entry("k-2", OTHER, &json!({}))], "former": [
        entry(KID, SECRET, &json!({"state": "revoked", "since": NOW - 10}))]});
    let validator = validator_of(&revoked);
    let judge = |verdict| {
        let token = with_claims(&json!({"exp": NOW - 10_000}));
        validator
            .check(&token, NOW)
            .unwrap()
            .judge(verdict, NOW)
            .unwrap_err()
    };
    assert_eq!(
        judge(Verdict::Revoked(Cure::None)),
        TokenError::Revoked(Cure::None)
    );
    assert_eq!(
        judge(Verdict::Revoked(Cure::Refresh)),
        TokenError::Revoked(Cure::Refresh)
    );
    assert_eq!(judge(Verdict::Unknown), TokenError::Revoked(Cure::Refresh));
    assert_eq!(judge(Verdict::Live), TokenError::Revoked(Cure::Refresh));
}

#[test]
fn a_view_that_is_too_old_is_a_fault_of_the_service() {
    let checked = validator().check(&with_claims(&json!({})), NOW).unwrap();
    let error = checked.judge(Verdict::Unknown, NOW).unwrap_err();
    assert_eq!((error.code(), error.act()), ("revocation_view_stale", None));
}

#[test]
fn act_is_said_of_two_refusals_only() {
    assert_eq!(TokenError::Expired.act(), Some("expired"));
    assert_eq!(TokenError::Revoked(Cure::Refresh).act(), Some("revoked"));
    for error in [
        TokenError::Missing,
        TokenError::Malformed(""),
        TokenError::UnknownKey,
        TokenError::BadSignature,
        TokenError::WrongIssuer,
        TokenError::WrongAudience,
        TokenError::NotYetValid,
        TokenError::Revoked(Cure::None),
        TokenError::RevocationsUnknown,
    ] {
        assert_eq!(error.act(), None, "{error:?}");
    }
}
