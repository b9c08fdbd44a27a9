//! resource-api and what it knows of endings: feed, deny file, and a feed that is silent.

use std::time::{Duration, Instant};

use e2e::{Answer, App, Cli, Options, Running};
use serde_json::{Value, json};

/// Waits until the API refuses a token, for a second and a bit at most.
async fn refused_soon(app: &App, access: &str) -> Answer {
    let started = Instant::now();
    loop {
        let answer = app.call_home(access).await;
        if answer.status != 200 {
            return answer;
        }
        // The deny file is looked at every second; the feed must be quicker.
        assert!(
            started.elapsed() < Duration::from_millis(2_500),
            "still accepted"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn ready(app: &App) {
    let until = Instant::now() + Duration::from_secs(10);
    while Answer::read(
        app.client
            .get(format!("{}/readyz", app.resource_url))
            .send()
            .await
            .unwrap(),
    )
    .await
    .status
        != 200
    {
        assert!(Instant::now() < until, "not ready");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn every_way_to_end_a_session_reaches_the_api_within_a_second() {
    let app = App::with(Options::new().with_feed()).await;
    ready(&app).await;
    let cli = Cli::new(app.folder(), app.database().url());
    for way in 0..7 {
        let (user, pair) = app.newcomer().await;
        let other = app.log_in(&user).await;
        app.call_home(&pair.access_token).await.is(200);
        match way {
            0 => app.log_out(&pair).await,
            1 => drop(
                app.delete(&format!("/sessions/{}", pair.sid()), &other.access_token)
                    .await
                    .is(204),
            ),
            2 => drop(app.delete("/sessions", &other.access_token).await.is(204)),
            3 => drop(
                app.try_change_password(&other.access_token, &user.password, "a new password")
                    .await
                    .is(200),
            ),
            4 => drop(
                app.try_delete_account(&other.access_token, &user.password)
                    .await
                    .is(204),
            ),
            5 => drop(cli.done(&["sessions", "revoke", &pair.sid()])),
            _ => drop(cli.done(&["user", "block", &user.email])),
        }
        let ended = Instant::now();
        let refused = refused_soon(&app, &pair.access_token)
            .await
            .refused(401, "token_revoked");
        assert_eq!(refused.act.as_deref(), Some("revoked"), "way {way}");
        assert!(
            ended.elapsed() < Duration::from_secs(1),
            "way {way}: {:?}",
            ended.elapsed()
        );
    }
}

#[tokio::test]
async fn reuse_is_heard_of_as_well() {
    let app = App::with(Options::new().with_feed()).await;
    ready(&app).await;
    let (_, first) = app.newcomer().await;
    let third = app.refresh(&app.refresh(&first).await).await;
    app.database().age(&first.sid(), 31);
    app.try_refresh(&first)
        .await
        .refused(401, "refresh_token_reused");
    refused_soon(&app, &third.access_token)
        .await
        .refused(401, "token_revoked");
}

#[tokio::test]
async fn without_a_feed_the_api_asks_nobody() {
    let app = App::start().await;
    let (_, pair) = app.newcomer().await;
    app.log_out(&pair).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    app.call_home(&pair.access_token).await.is(200);
}

#[tokio::test]
async fn the_deny_file_refuses_without_the_issuer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deny");
    std::fs::write(&path, "# nobody yet\n").unwrap();
    let app = App::with(Options::new().resource("deny-file", path.display().to_string())).await;
    let claim = |pair: &e2e::Pair, name: &str| pair.claims()[name].as_str().unwrap().to_owned();
    let (_, by_sub) = app.newcomer().await;
    let (_, by_sid) = app.newcomer().await;
    let (_, by_jti) = app.newcomer().await;
    let (_, free) = app.newcomer().await;
    let lines = format!(
        "# of today\nsub:{}\n\n sid:{} # stolen\r\njti:{}\n",
        // As other programs write ids.
        claim(&by_sub, "sub").to_uppercase(),
        claim(&by_sid, "sid").replace('-', ""),
        claim(&by_jti, "jti"),
    );
    std::fs::write(&path, lines).unwrap();
    for (pair, act) in [(&by_sub, None), (&by_sid, None), (&by_jti, Some("revoked"))] {
        let refused = refused_soon(&app, &pair.access_token)
            .await
            .refused(401, "token_revoked");
        assert_eq!(refused.act.as_deref(), act);
        // Denied comes after what is wrong with the token itself, and before its end.
        let draft = app.forge().draft(&pair.claims());
        app.call_home(&draft.clone().claim("exp", json!(1_000)).sign())
            .await
            .refused(401, "token_revoked");
        app.call_home(&draft.claim("aud", json!("x")).sign())
            .await
            .refused(401, "token_wrong_audience");
    }
    app.call_home(&free.access_token).await.is(200);
    // Only of the token: the next one of the same session is good.
    app.call_home(&app.refresh(&by_jti).await.access_token)
        .await
        .is(200);
    app.call_home(&app.refresh(&by_sub).await.access_token)
        .await
        .refused(401, "token_revoked");
}

#[tokio::test]
async fn a_silent_feed_is_503_where_that_is_wanted_and_goes_on_elsewhere() {
    // Nobody listens on port 1.
    let silent = || {
        Options::new()
            .resource("revocation-feed-url", "http://127.0.0.1:1")
            .resource("revocation-max-age", "2s")
    };
    let closed = App::with(silent().resource("revocation-stale", "closed")).await;
    let (_, pair) = closed.newcomer().await;
    closed
        .call_home(&pair.access_token)
        .await
        .refused(503, "revocation_view_stale");
    let faults = closed.forge().draft(&pair.claims());
    closed
        .call_home(&faults.clone().claim("aud", json!("x")).sign())
        .await
        .refused(401, "token_wrong_audience");
    closed
        .call_home("rubbish")
        .await
        .refused(401, "token_malformed");
    closed
        .call_home(&faults.claim("exp", json!(1_000)).sign())
        .await
        .refused(503, "revocation_view_stale");
    let ready = closed
        .client
        .get(format!("{}/readyz", closed.resource_url))
        .send()
        .await
        .unwrap();
    Answer::read(ready)
        .await
        .refused(503, "revocation_view_stale");

    let open = App::with(silent()).await;
    let (_, pair) = open.newcomer().await;
    open.call_home(&pair.access_token).await.is(200);
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    open.call_home(&pair.access_token).await.is(200);
    let ready: Value = open
        .client
        .get(format!("{}/readyz", open.resource_url))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_ne!(ready["feed"]["state"], "fresh", "{ready}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_that_is_not_ready_since_its_view_is_stale_says_so_in_its_log_too() {
    // Only for its key ring.
    let app = App::start().await;
    let variables = [
        (
            "JWT_KEYS_FILE",
            app.folder().join("jwt-keys.json").display().to_string(),
        ),
        ("RESOURCE_LISTEN", "127.0.0.1:0".to_owned()),
        // Nobody is there.
        ("REVOCATION_FEED_URL", "http://127.0.0.1:9".to_owned()),
        ("REVOCATION_STALE", "closed".to_owned()),
    ];
    let process = Running::start_with("resource-api", &variables);
    let asked = app.client.get(format!("{}/readyz", process.url));
    let answer = asked.send().await.unwrap();
    assert_eq!(answer.status(), 503);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["code"], "revocation_view_stale");
    assert_eq!(
        (&body["status"], &body["feed"]["state"]),
        (&json!(503), &json!("waiting"))
    );
    let log = process.kill();
    assert!(log.contains("503 revocation_view_stale"), "{log}");
    assert!(!log.contains("busy"), "{log}");
}
