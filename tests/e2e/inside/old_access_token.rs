//! The access token that comes along with a refresh or a log-out: what of it is judged, and what is not.

use e2e::{App, Forge};
use serde_json::json;

/// What nobody may come along with: name, token.
fn refused(app: &App, pair: &e2e::Pair, other: &e2e::Pair) -> Vec<(&'static str, String)> {
    let (forge, claims) = (app.forge(), pair.claims());
    let draft = || forge.draft(&claims);
    vec![
        ("nothing", String::new()),
        ("rubbish", "a.b.c".into()),
        ("the refresh token", pair.refresh_token.clone()),
        ("another user's token", other.access_token.clone()),
        (
            "another session of the same user",
            draft().claim("sid", other.claims()["sid"].clone()).sign(),
        ),
        (
            "another user, the same session",
            draft().claim("sub", other.claims()["sub"].clone()).sign(),
        ),
        (
            "a sub that is no id",
            draft().claim("sub", json!("root")).sign(),
        ),
        ("no sub", draft().no_claim("sub").sign()),
        ("no sid", draft().no_claim("sid").sign()),
        ("a number as sid", draft().claim("sid", json!(1)).sign()),
        ("exp as text", draft().claim("exp", json!("soon")).sign()),
        (
            "roles as text",
            draft().claim("roles", json!("admin")).sign(),
        ),
        (
            "another key under the known name",
            draft().under(&[7; 32]).sign(),
        ),
        (
            "an unknown key",
            Forge::stranger("nobody").draft(&claims).sign(),
        ),
        (
            "alg none",
            draft().head("alg", json!("none")).unsigned() + ".",
        ),
        (
            "HS512 with the right key",
            draft().head("alg", json!("HS512")).sign_512(),
        ),
        (
            "a service's token",
            draft().head("typ", json!("service+jwt")).sign(),
        ),
        ("crit", draft().head("crit", json!(["exp"])).sign()),
        ("a changed signature", swapped(&pair.access_token)),
        ("a fourth part", format!("{}.e30", pair.access_token)),
        ("a space before", format!(" {}", pair.access_token)),
        ("Bearer before", format!("Bearer {}", pair.access_token)),
    ]
}

/// The token with its last but one character changed.
fn swapped(token: &str) -> String {
    let at = token.len() - 2;
    let with = if &token[at..=at] == "A" { "B" } else { "A" };
    format!("{}{with}{}", &token[..at], &token[at + 1..])
}

#[tokio::test]
async fn a_wrong_access_token_consumes_nothing_and_sees_no_reuse() {
    let app = App::start().await;
    let (_, pair) = app.newcomer().await;
    let (_, other) = app.newcomer().await;
    let sid = pair.sid();
    let used = pair.clone();
    let pair = app.refresh(&app.refresh(&pair).await).await;
    app.database().age(&sid, 100);
    for (name, access) in refused(&app, &pair, &other) {
        for refresh in [&pair.refresh_token, &used.refresh_token] {
            let answer = app.try_refresh_with(&access, refresh).await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (401, "invalid_access_token"),
                "{name}: {answer:?}"
            );
            let answer = app.try_log_out_with(&access, refresh).await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (401, "invalid_access_token"),
                "{name}: {answer:?}"
            );
        }
        assert_eq!(
            app.database().session(&sid, "generation"),
            Some(3),
            "{name}"
        );
        assert_eq!(app.database().session(&sid, "ended_at"), None, "{name}");
    }
    app.refresh(&pair).await;
    app.refresh(&other).await;
}

#[tokio::test]
async fn issuer_audience_and_times_of_the_old_access_token_are_not_judged() {
    let app = App::start().await;
    let (_, mut pair) = app.newcomer().await;
    let forge = app.forge();
    let now = shared::clock::now();
    for change in [
        |draft: e2e::Draft, _| draft.claim("iss", json!("http://elsewhere")),
        |draft: e2e::Draft, _| draft.claim("aud", json!(["http://elsewhere"])),
        |draft: e2e::Draft, _| draft.no_claim("iss").no_claim("aud").no_claim("exp"),
        |draft: e2e::Draft, now| draft.claim("exp", json!(now - 1_000_000)),
        |draft: e2e::Draft, now| draft.claim("nbf", json!(now + 1_000_000)),
        |draft: e2e::Draft, _| draft.no_head("kid").no_head("typ"),
    ] {
        let old = change(forge.draft(&pair.claims()), now).sign();
        pair = app
            .try_refresh_with(&old, &pair.refresh_token)
            .await
            .is(200)
            .json();
    }
}

#[tokio::test]
async fn refresh_tokens_that_are_not_genuine_are_refused_before_anything_else() {
    let app = App::start().await;
    let (_, pair) = app.newcomer().await;
    let token = &pair.refresh_token;
    let stranger = App::start().await;
    let (_, theirs) = stranger.newcomer().await;
    let mut forged = vec![
        String::new(),
        "x".into(),
        "A".repeat(112),
        "x".repeat(10_000),
        format!("{token}="),
        format!("{token} "),
        format!(" {token}"),
        format!("{token}\n"),
        format!("{token}AAAA"),
        token[..108].to_owned(),
        token.to_lowercase(),
        token.replace(['-', '_'], "+"),
        pair.access_token.clone(),
        theirs.refresh_token.clone(),
    ];
    forged.retain(|forged| forged != token);
    // Every byte of what is signed, and of the MAC: generation, session, nonce, end, key.
    for at in (0..112).step_by(3) {
        let with = if &token[at..=at] == "A" { "B" } else { "A" };
        forged.push(format!("{}{with}{}", &token[..at], &token[at + 1..]));
    }
    for forged in forged {
        for access in [pair.access_token.as_str(), "rubbish"] {
            app.try_refresh_with(access, &forged)
                .await
                .refused(401, "invalid_refresh_token");
            app.try_log_out_with(access, &forged)
                .await
                .refused(401, "invalid_refresh_token");
        }
    }
    assert_eq!(app.database().session(&pair.sid(), "generation"), Some(1));
    app.refresh(&pair).await;
}

#[tokio::test]
async fn any_genuine_refresh_token_of_a_session_logs_it_out() {
    let app = App::start().await;
    for used in 0..3 {
        let (_, first) = app.newcomer().await;
        let second = app.refresh(&first).await;
        let third = app.refresh(&second).await;
        let sid = first.sid();
        app.database().age(&sid, 1_000);
        let pairs = [first, second, third];
        app.log_out(&pairs[used]).await;
        assert_eq!(app.database().end_reason(&sid).as_deref(), Some("logout"));
        // Already over is logged out as well.
        for pair in &pairs {
            app.log_out(pair).await;
            let refused = app.try_refresh(pair).await.refused(401, "session_revoked");
            assert_eq!(refused.reason.as_deref(), Some("logout"));
        }
        assert_eq!(app.database().records(&sid, "session_ended"), 1);
    }
}

#[tokio::test]
async fn an_expired_session_can_be_logged_out_of() {
    let app = App::start().await;
    let (_, pair) = app.newcomer().await;
    let over = app.remint(&pair.refresh_token, |token| {
        token.absolute_until = shared::clock::now() - 1;
    });
    assert!(
        app.try_log_out_with(&pair.access_token, &over)
            .await
            .is(204)
            .body
            .is_empty()
    );
    app.database().set(&pair.sid(), "idle_until = 1");
    app.log_out(&pair).await;
}
