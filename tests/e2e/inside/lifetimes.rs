//! Idle and absolute end, and what answers say about them.

use e2e::{App, Options};

#[tokio::test]
async fn the_idle_end_slides_and_the_absolute_one_never_moves() {
    let options = Options::new()
        .auth("refresh-idle-ttl", "1h")
        .auth("refresh-absolute-ttl", "2h");
    let app = App::with(options).await;
    let (_, pair) = app.newcomer().await;
    let sid = pair.sid();
    assert!(
        (3_599..=3_600).contains(&pair.refresh_expires_in),
        "{pair:?}"
    );
    let absolute = app.database().session(&sid, "absolute_until");

    app.database().set(&sid, "idle_until = idle_until - 3000");
    let next = app.refresh(&pair).await;
    assert!(
        (3_599..=3_600).contains(&next.refresh_expires_in),
        "{next:?}"
    );
    assert_eq!(app.database().session(&sid, "absolute_until"), absolute);

    // Ten minutes before the absolute end the idle end is capped by it.
    let now = shared::clock::now();
    app.database()
        .set(&sid, &format!("absolute_until = {}", now + 600));
    let last = app.refresh(&next).await;
    assert!((597..=600).contains(&last.refresh_expires_in), "{last:?}");
    assert_eq!(app.database().session(&sid, "idle_until"), Some(now + 600));
}

#[tokio::test]
async fn an_access_token_does_not_outlive_its_session() {
    let app = App::start().await;
    let (_, pair) = app.newcomer().await;
    let sid = pair.sid();
    let end = shared::clock::now() + 60;
    app.database()
        .set(&sid, &format!("absolute_until = {end}, idle_until = {end}"));
    let token = app.remint(&pair.refresh_token, |token| token.absolute_until = end);
    let next: e2e::Pair = app
        .try_refresh_with(&pair.access_token, &token)
        .await
        .is(200)
        .json();
    assert_eq!(next.claims()["exp"].as_i64(), Some(end));
    assert!(
        next.expires_in <= 60 && next.refresh_expires_in <= 60,
        "{next:?}"
    );
}

#[tokio::test]
async fn the_least_recently_used_session_ends_at_one_too_many() {
    let app = App::with(Options::new().auth("max-sessions-per-user", "2")).await;
    let user = app.register().await;
    let (first, second) = (app.log_in(&user).await, app.log_in(&user).await);
    app.database().age(&first.sid(), 100);
    app.database().age(&second.sid(), 50);
    let first = app.refresh(&first).await;
    let third = app.log_in(&user).await;
    let refused = app
        .try_refresh(&second)
        .await
        .refused(401, "session_revoked");
    assert_eq!(refused.reason.as_deref(), Some("limit"));
    app.refresh(&first).await;
    app.refresh(&third).await;
    assert_eq!(app.sessions(&third.access_token).await.len(), 2);
}

#[tokio::test]
async fn reuse_can_be_made_to_block_the_account() {
    let app = App::with(Options::new().auth("refresh-reuse", "block-user")).await;
    let user = app.register().await;
    let other = app.log_in(&user).await;
    let first = app.log_in(&user).await;
    let second = app.refresh(&first).await;
    let third = app.refresh(&second).await;
    app.database().age(&first.sid(), 31);
    app.try_refresh(&first)
        .await
        .refused(401, "refresh_token_reused");
    let refused = app
        .try_refresh(&third)
        .await
        .refused(401, "session_revoked");
    assert_eq!(refused.reason.as_deref(), Some("reuse"));
    let refused = app
        .try_refresh(&other)
        .await
        .refused(401, "session_revoked");
    assert_eq!(refused.reason.as_deref(), Some("blocked"));
    app.try_log_in(&user.email, &user.password)
        .await
        .refused(403, "account_blocked");
    app.try_log_in(&user.email, "some other password")
        .await
        .refused(401, "invalid_credentials");
    assert_eq!(app.database().live_sessions(&user.id), 0);
    // Whoever has nothing to do with it goes on.
    app.newcomer().await;
}
