//! Guessing the current password with an access token in hand: a stolen pair frees no guess, and does not live
//! through many.

use std::sync::Arc;

use e2e::{Answer, App, Options, Pair};
use reqwest::Method;
use serde_json::{Value, json};

async fn behind_a_proxy() -> Arc<App> {
    let options = Options::new()
        .auth("login-limits", "on")
        .auth("trusted-proxies", "127.0.0.1")
        .with_feed();
    Arc::new(App::with(options).await)
}

fn network(n: usize) -> String {
    format!("2001:db8:{n:x}::1")
}

/// Every route that wants the current password, by turns.
async fn try_current(app: &App, access: &str, from: &str, way: usize, password: &str) -> Answer {
    let (method, path, body) = match way % 4 {
        0 => (
            Method::PATCH,
            "",
            json!({"userName": "x", "currentPassword": password}),
        ),
        1 => (
            Method::POST,
            "/password",
            json!({"currentPassword": password, "newPassword": "a new password"}),
        ),
        2 => (Method::DELETE, "", json!({"currentPassword": password})),
        _ => (
            Method::POST,
            "/deletion",
            json!({"currentPassword": password}),
        ),
    };
    let request = app
        .client
        .request(method, format!("{}/api/account{path}", app.auth_url))
        .header("x-forwarded-for", from)
        .bearer_auth(access)
        .json(&body);
    Answer::read(request.send().await.unwrap()).await
}

fn is_wrong(answer: &Answer) {
    answer.refused(403, "wrong_current_password");
}

#[tokio::test]
async fn a_session_from_which_wrong_passwords_come_ends_after_ten() {
    let app = behind_a_proxy().await;
    let (user, pair) = app.newcomer().await;
    let other = app.log_in(&user).await;
    for n in 0..10 {
        app.call_home(&pair.access_token).await.is(200);
        // From everywhere, and a right one in between forgives the network and not the session.
        let answer = try_current(&app, &pair.access_token, &network(n), n, "a guess").await;
        is_wrong(&answer);
        if n == 5 {
            try_current(&app, &pair.access_token, &network(n), 0, &user.password)
                .await
                .is(200);
        }
    }
    let answer = try_current(&app, &pair.access_token, &network(11), 0, &user.password).await;
    assert_eq!(
        answer.refused(401, "token_revoked").act.as_deref(),
        Some("revoked")
    );
    let refused = app.try_refresh(&pair).await.refused(401, "session_revoked");
    assert_eq!(refused.reason.as_deref(), Some("guessing"));
    assert_eq!(
        app.database().end_reason(&pair.sid()).as_deref(),
        Some("guessing")
    );
    assert_eq!(app.database().records(&pair.sid(), "session_ended"), 1);
    // The feed is told.
    let until = std::time::Instant::now() + std::time::Duration::from_secs(5);
    while app.call_home(&pair.access_token).await.status == 200 {
        assert!(
            std::time::Instant::now() < until,
            "the API still accepts it"
        );
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    // The user's other session lives on.
    app.refresh(&other).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_at_once_get_ten_verdicts_of_a_session() {
    let app = behind_a_proxy().await;
    let (user, pair) = app.newcomer().await;
    let guesses = (0..24).map(|n| {
        let (app, access) = (Arc::clone(&app), pair.access_token.clone());
        tokio::spawn(async move { try_current(&app, &access, &network(n), n, "a guess").await })
    });
    let mut wrong = 0;
    for answer in futures_util::future::join_all(guesses).await {
        let answer = answer.unwrap();
        match (answer.status, answer.code().as_str()) {
            (401, "token_revoked") | (429, "too_many_attempts") => {}
            _ => {
                is_wrong(&answer);
                wrong += 1;
            }
        }
    }
    assert_eq!(wrong, 10);
    let refused = app.try_refresh(&pair).await.refused(401, "session_revoked");
    assert_eq!(refused.reason.as_deref(), Some("guessing"));
    assert_eq!(app.database().records(&pair.sid(), "session_ended"), 1);
    app.log_in(&user).await;
}

#[tokio::test]
async fn a_stolen_pair_alone_frees_no_guess() {
    let app = behind_a_proxy().await;
    let (user, mut pair) = app.newcomer().await;
    let thief = "198.51.100.1";
    for _ in 0..5 {
        app.try_log_in_from(thief, &user.email, "a guess", None)
            .await
            .refused(401, "invalid_credentials");
    }
    app.database().move_failures(50);
    // A refresh moves nothing: neither at log-in nor with the bearer.
    for way in 0..4 {
        let request = app
            .client
            .post(format!("{}/api/account/refresh-token", app.auth_url))
            .header("x-forwarded-for", thief)
            .json(&json!({"accessToken": pair.access_token, "refreshToken": pair.refresh_token}));
        let answer = Answer::read(request.send().await.unwrap()).await;
        pair = answer.is(200).json::<Pair>();
        try_current(&app, &pair.access_token, thief, way, &user.password)
            .await
            .refused(429, "too_many_attempts");
        app.try_log_in_from(thief, &user.email, &user.password, None)
            .await
            .refused(429, "too_many_attempts");
    }
    // What was wrong with a bearer counts at log-in, too.
    let elsewhere = "198.51.100.2";
    for way in 0..5 {
        is_wrong(&try_current(&app, &pair.access_token, elsewhere, way, "a guess").await);
    }
    app.database().move_failures(50);
    app.try_log_in_from(elsewhere, &user.email, &user.password, None)
        .await
        .refused(429, "too_many_attempts");
    let sessions: Vec<Value> = app.sessions(&pair.access_token).await;
    assert_eq!(sessions.len(), 1);
}

#[tokio::test]
async fn a_thief_in_his_delay_does_not_keep_the_owner_from_changing_the_password() {
    let app = behind_a_proxy().await;
    let (user, pair) = app.newcomer().await;
    let rows = || {
        let sql = format!(
            "SELECT COUNT(*) AS value FROM login_failures WHERE user_id = '{}'",
            user.id
        );
        app.database().number(&sql)
    };
    // Two of his networks. Who comes into the row of the one before takes it over: then one more is asked.
    let mut networks = Vec::new();
    while rows() < Some(2) {
        networks.push(network(networks.len()));
        for _ in 0..5 {
            let from = networks.last().unwrap();
            app.try_log_in_from(from, &user.email, "a guess", None)
                .await
                .refused(401, "invalid_credentials");
        }
    }
    app.database().move_failures(50);
    // More than a session may spend, by every way, and each network has something to pay with.
    let delayed = &networks[networks.len() - 2..];
    for n in 0..100 {
        try_current(&app, &pair.access_token, &delayed[n % 2], n / 2, "a guess")
            .await
            .refused(429, "too_many_attempts");
    }
    // Which were no verdicts, and cost the session nothing.
    try_current(&app, &pair.access_token, "203.0.113.7", 1, &user.password)
        .await
        .is(200);
}

#[tokio::test]
async fn a_session_that_had_its_ten_and_did_not_end_frees_no_guess() {
    let app = behind_a_proxy().await;
    let (user, pair) = app.newcomer().await;
    for way in 0..4 {
        is_wrong(&try_current(&app, &pair.access_token, &network(1), way, "a guess").await);
    }
    // As if the service died between the count of the tenth and the end.
    app.database().set(&pair.sid(), "wrong_passwords = 10");
    let failures = || {
        let sql = format!(
            "SELECT failures AS value FROM login_failures WHERE user_id = '{}'",
            user.id
        );
        app.database().number(&sql)
    };
    // That it was right is not said, and forgives nothing.
    try_current(&app, &pair.access_token, &network(1), 0, &user.password)
        .await
        .refused(401, "token_revoked");
    assert_eq!(failures(), Some(4));
    // That it was wrong is not said either; it makes up for the end.
    try_current(&app, &pair.access_token, &network(1), 0, "a guess")
        .await
        .refused(401, "token_revoked");
    assert_eq!(
        app.database().end_reason(&pair.sid()).as_deref(),
        Some("guessing")
    );
}
