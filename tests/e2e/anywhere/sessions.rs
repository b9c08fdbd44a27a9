//! The list of sessions, and ending one or all.

use std::time::{Duration, Instant};

use e2e::{App, Pair};
use serde_json::Value;

#[tokio::test]
async fn the_list_shows_the_caller_s_live_sessions_newest_first() {
    let app = App::any().await;
    let (user, first) = app.newcomer().await;
    app.newcomer().await;
    let ended = app.log_in(&user).await;
    let first = app.refresh(&app.refresh(&first).await).await;
    let last = app.log_in(&user).await;
    app.log_out(&ended).await;
    let sessions = app.sessions(&first.access_token).await;
    assert_eq!(sessions.len(), 2, "{sessions:?}");
    let session = |pair: &Pair| {
        sessions
            .iter()
            .find(|s| s["id"] == pair.sid().as_str())
            .unwrap()
    };
    let mut members: Vec<&str> = session(&first)
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    members.sort_unstable();
    let expected = [
        "absoluteExpiresAt",
        "address",
        "createdAt",
        "current",
        "device",
        "id",
        "idleExpiresAt",
        "kind",
        "lastUsedAt",
    ];
    assert_eq!(members, expected);
    assert_eq!(
        (&session(&first)["current"], &session(&last)["current"]),
        (&Value::Bool(true), &Value::Bool(false))
    );
    assert_eq!(session(&last)["device"], "keyturn-e2e");
    assert_eq!(session(&last)["kind"], "account");
    let seconds = |session: &Value, member: &str| session[member].as_i64().unwrap();
    assert!(
        seconds(&sessions[0], "createdAt") >= seconds(&sessions[1], "createdAt"),
        "newest first"
    );
    for session in &sessions {
        let last = seconds(session, "lastUsedAt");
        assert!(
            last % 3600 == 0 || last == seconds(session, "createdAt"),
            "to the hour: {session}"
        );
        let idle = seconds(session, "idleExpiresAt");
        assert!(idle <= seconds(session, "absoluteExpiresAt"));
        assert!(idle > shared::clock::now());
        assert!(!session["address"].as_str().unwrap().is_empty());
    }
    assert!(
        !serde_json::to_string(&sessions)
            .unwrap()
            .contains(&first.refresh_token[22..60]),
        "no part of a token"
    );
}

#[tokio::test]
async fn one_session_ends_and_the_others_live() {
    let app = App::any().await;
    let (user, mine) = app.newcomer().await;
    let lost = app.log_in(&user).await;
    let path = format!("/sessions/{}", lost.sid());
    assert!(
        app.delete(&path, &mine.access_token)
            .await
            .is(204)
            .body
            .is_empty()
    );
    let refused = app.try_refresh(&lost).await.refused(401, "session_revoked");
    assert_eq!(refused.reason.as_deref(), Some("ended"));
    app.delete(&path, &mine.access_token)
        .await
        .refused(404, "session_not_found");
    app.refresh(&mine).await;
}

#[tokio::test]
async fn a_session_may_end_itself() {
    let app = App::any().await;
    let (_, pair) = app.newcomer().await;
    app.delete(&format!("/sessions/{}", pair.sid()), &pair.access_token)
        .await
        .is(204);
    app.get("/api/account/sessions", &pair.access_token)
        .await
        .refused(401, "token_revoked");
}

#[tokio::test]
async fn another_s_session_and_none_at_all_are_both_not_found() {
    let app = App::any().await;
    let (_, mine) = app.newcomer().await;
    let (_, theirs) = app.newcomer().await;
    for id in [
        theirs.sid().as_str(),
        "00000000-0000-4000-8000-000000000000",
        "x",
        "..%2f..%2fetc",
        "%00",
        "%ff",
        "1%27%20OR%20%271%27=%271",
        &"9".repeat(3_000),
    ] {
        let answer = app
            .delete(&format!("/sessions/{id}"), &mine.access_token)
            .await;
        answer.refused(404, "session_not_found");
    }
    app.refresh(&theirs).await;
    app.refresh(&mine).await;
}

#[tokio::test]
async fn all_sessions_end_the_caller_s_included() {
    let app = App::any().await;
    let (user, mine) = app.newcomer().await;
    let (_, theirs) = app.newcomer().await;
    let other = app.log_in(&user).await;
    app.delete("/sessions", &mine.access_token).await.is(204);
    for pair in [&mine, &other] {
        let refused = app.try_refresh(pair).await.refused(401, "session_revoked");
        assert_eq!(refused.reason.as_deref(), Some("ended"));
    }
    app.refresh(&theirs).await;
    app.refresh(&app.log_in(&user).await).await;
}

#[tokio::test]
async fn an_ended_session_is_refused_by_the_api_within_a_second() {
    let app = App::any().await;
    if !follows_the_feed(&app).await {
        // A deployment may do without it.
        println!("left out: resource-api follows no revocation feed");
        return;
    }
    let (user, mine) = app.newcomer().await;
    for _ in 0..5 {
        let lost = app.log_in(&user).await;
        app.call_home(&lost.access_token).await.is(200);
        app.delete(&format!("/sessions/{}", lost.sid()), &mine.access_token)
            .await
            .is(204);
        let ended = Instant::now();
        let answer = loop {
            let answer = app.call_home(&lost.access_token).await;
            if answer.status != 200 {
                break answer;
            }
            assert!(
                ended.elapsed() < Duration::from_secs(1),
                "still alive after a second"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let refused = answer.refused(401, "token_revoked");
        assert_eq!(refused.act.as_deref(), Some("revoked"));
    }
    app.call_home(&mine.access_token).await.is(200);
}

async fn follows_the_feed(app: &App) -> bool {
    let url = format!("{}/readyz", app.resource_url);
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        let ready: Value = app
            .client
            .get(&url)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        match ready["feed"]["state"].as_str() {
            Some("none" | "off" | "disabled") | None => return false,
            _ if ready["feed"]["age"].is_number() => return true,
            _ => assert!(Instant::now() < until, "the feed does not answer: {ready}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_device_whose_name_is_not_ascii_is_shown_by_it() {
    let app = App::any().await;
    let user = app.register().await;
    for (sent, shown) in [
        ("Jürgens Telefon/2".as_bytes(), "Jürgens Telefon/2"),
        (b"J\xfcrgens Telefon/3", "Jürgens Telefon/3"),
        ("Анна/4".as_bytes(), "Анна/4"),
    ] {
        let body = serde_json::json!({"email": user.email, "password": user.password});
        let request = app
            .client
            .post(format!("{}/api/account/login", app.auth_url))
            .header(
                "user-agent",
                reqwest::header::HeaderValue::from_bytes(sent).unwrap(),
            )
            .json(&body);
        let answer = e2e::Answer::read(request.send().await.unwrap()).await;
        let pair: Pair = answer.is(200).json();
        let sessions = app.sessions(&pair.access_token).await;
        let mine = sessions.iter().find(|one| one["current"] == true).unwrap();
        assert_eq!(mine["device"], shown);
    }
}
