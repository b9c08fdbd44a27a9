//! The loop of the seeds: register, log in, call, refresh, call, log out.

use e2e::App;
use serde_json::Value;

#[tokio::test]
async fn a_user_logs_in_calls_refreshes_calls_and_logs_out() {
    let app = App::any().await;
    let user = app.register().await;
    let pair = app.log_in(&user).await;
    assert_eq!(pair.token_type, "Bearer");
    assert!(
        pair.expires_in > 0 && pair.refresh_expires_in > pair.expires_in,
        "{pair:?}"
    );

    let today = app.call_home(&pair.access_token).await.is(200);
    assert!(
        today
            .header("content-type")
            .unwrap()
            .starts_with("text/plain"),
        "{today:?}"
    );
    let digits: Vec<&str> = today.body.split('-').collect();
    assert!(
        matches!(digits[..], [y, m, d] if (y.len(), m.len(), d.len()) == (4, 2, 2)),
        "{today:?}"
    );

    let next = app.refresh(&pair).await;
    assert_ne!(next.refresh_token, pair.refresh_token);
    assert_eq!(next.sid(), pair.sid());
    app.call_home(&next.access_token).await.is(200);
    // The old access token is no worse for it: it is short-lived, and a call may be under way.
    app.call_home(&pair.access_token).await.is(200);

    app.log_out(&next).await;
    let refused = app.try_refresh(&next).await.refused(401, "session_revoked");
    assert_eq!(refused.reason.as_deref(), Some("logout"));
    app.log_out(&next).await;
}

#[tokio::test]
async fn the_access_token_says_what_the_contract_says_and_nothing_else() {
    let app = App::any().await;
    let (user, pair) = app.newcomer().await;
    let claims = pair.claims();
    let mut names: Vec<&str> = claims
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "aud",
            "email",
            "email_verified",
            "exp",
            "iat",
            "iss",
            "jti",
            "name",
            "nbf",
            "roles",
            "sid",
            "sub"
        ]
    );
    assert_eq!(claims["sub"], user.id.as_str());
    assert_eq!(claims["name"], user.name.as_str());
    assert_eq!(claims["email"], user.email.as_str());
    assert_eq!(claims["email_verified"], Value::Bool(false));
    assert_eq!(claims["roles"], Value::Array(Vec::new()));
    let seconds = |name: &str| claims[name].as_i64().unwrap();
    assert_eq!(seconds("exp") - seconds("iat"), pair.expires_in);
    assert_eq!(seconds("nbf"), seconds("iat"));
    let me: Value = app.call("/api/me", &pair.access_token).await.is(200).json();
    assert_eq!(me, claims);
}

#[tokio::test]
async fn every_access_token_has_an_id_of_its_own() {
    let app = App::any().await;
    let (_, pair) = app.newcomer().await;
    let next = app.refresh(&pair).await;
    assert_ne!(pair.claims()["jti"], next.claims()["jti"]);
}

#[tokio::test]
async fn only_administrators_reach_the_admin_page() {
    let app = App::any().await;
    let (_, pair) = app.newcomer().await;
    app.call("/api/admin", &pair.access_token)
        .await
        .refused(403, "insufficient_role");
}

#[tokio::test]
async fn token_answers_are_not_to_be_kept() {
    let app = App::any().await;
    let user = app.register().await;
    let answer = app.try_log_in(&user.email, &user.password).await.is(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let pair: e2e::Pair = answer.json();
    let answer = app.try_refresh(&pair).await.is(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}
