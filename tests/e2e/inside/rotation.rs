//! The table of rotation rules, row by row, against the real row in the database. Time is moved by moving
//! the row's times back.

use std::time::{Duration, Instant};

use e2e::{App, Options, Pair};

/// Everything of a row that a refresh could change.
fn row(app: &App, sid: &str) -> Vec<Option<i64>> {
    let columns = [
        "generation",
        "rotated_at",
        "idle_until",
        "absolute_until",
        "late_generation",
        "late_streak",
        "ended_at",
    ];
    columns
        .map(|column| app.database().session(sid, column))
        .to_vec()
}

/// A session that was refreshed `times` times: all its pairs, oldest first.
async fn history(app: &App, times: usize) -> Vec<Pair> {
    let mut pairs = vec![app.newcomer().await.1];
    for _ in 0..times {
        pairs.push(app.refresh(pairs.last().unwrap()).await);
    }
    pairs
}

#[tokio::test]
async fn current_rotates() {
    let app = App::start().await;
    let (_, pair) = app.newcomer().await;
    let sid = pair.sid();
    app.database()
        .set(&sid, "rotated_at = 1, idle_until = idle_until - 1000");
    let next = app.refresh(&pair).await;
    assert_ne!(next.refresh_token, pair.refresh_token);
    assert_eq!(app.database().session(&sid, "generation"), Some(2));
    let now = shared::clock::now();
    assert!(app.database().session(&sid, "rotated_at").unwrap() >= now - 5);
    assert!(
        app.database().session(&sid, "idle_until").unwrap() >= now + 14 * 86_400 - 5,
        "the idle end slides"
    );
}

#[tokio::test]
async fn retry_within_the_grace_time_gets_the_same_successor_and_writes_nothing() {
    let app = App::start().await;
    let pairs = history(&app, 1).await;
    let sid = pairs[0].sid();
    app.database().age(&sid, 20);
    let before = row(&app, &sid);
    for _ in 0..3 {
        let again = app.refresh(&pairs[0]).await;
        assert_eq!(again.refresh_token, pairs[1].refresh_token);
        app.call_home(&again.access_token).await.is(200);
    }
    assert_eq!(row(&app, &sid), before);
    assert_eq!(app.database().records(&sid, "late_retry"), 0);
}

#[tokio::test]
async fn late_retry_gets_the_same_successor_and_is_counted_once() {
    let app = App::start().await;
    let pairs = history(&app, 1).await;
    let sid = pairs[0].sid();
    app.database().age(&sid, 31);
    for _ in 0..3 {
        assert_eq!(
            app.refresh(&pairs[0]).await.refresh_token,
            pairs[1].refresh_token
        );
    }
    assert_eq!(app.database().session(&sid, "late_streak"), Some(1));
    assert_eq!(app.database().session(&sid, "late_generation"), Some(2));
    assert_eq!(app.database().session(&sid, "generation"), Some(2));
    assert_eq!(app.database().records(&sid, "late_retry"), 1);
    app.refresh(&pairs[1]).await;
}

#[tokio::test]
async fn three_generations_in_a_row_may_be_late_and_the_fourth_is_reuse() {
    let app = App::start().await;
    let mut pair = app.newcomer().await.1;
    let sid = pair.sid();
    for late in 1..=4 {
        let next = app.refresh(&pair).await;
        app.database().age(&sid, 31);
        if late <= 3 {
            assert_eq!(
                app.refresh(&pair).await.refresh_token,
                next.refresh_token,
                "late {late}"
            );
            assert_eq!(app.database().session(&sid, "late_streak"), Some(late));
        } else {
            app.try_refresh(&pair)
                .await
                .refused(401, "refresh_token_reused");
        }
        pair = next;
    }
    assert_eq!(app.database().end_reason(&sid).as_deref(), Some("reuse"));
    assert_eq!(app.database().records(&sid, "late_retry"), 3);
    assert_eq!(app.database().records(&sid, "session_ended"), 1);
    let refused = app.try_refresh(&pair).await.refused(401, "session_revoked");
    assert_eq!(refused.reason.as_deref(), Some("reuse"));
}

#[tokio::test]
async fn a_generation_that_was_not_late_forgives_the_streak() {
    let app = App::start().await;
    let mut pair = app.newcomer().await.1;
    let sid = pair.sid();
    for turn in 0..9 {
        let next = app.refresh(&pair).await;
        if turn % 3 != 2 {
            app.database().age(&sid, 31);
            assert_eq!(
                app.refresh(&pair).await.refresh_token,
                next.refresh_token,
                "turn {turn}"
            );
        }
        pair = next;
    }
    assert_eq!(app.database().session(&sid, "ended_at"), None);
    assert_eq!(app.database().records(&sid, "late_retry"), 6);
}

#[tokio::test]
async fn a_request_overtaken_by_two_later_ones_is_superseded_and_changes_nothing() {
    let app = App::start().await;
    let pairs = history(&app, 2).await;
    let sid = pairs[0].sid();
    app.database().age(&sid, 20);
    let before = row(&app, &sid);
    app.try_refresh(&pairs[0])
        .await
        .refused(401, "refresh_token_superseded");
    assert_eq!(row(&app, &sid), before);
    app.refresh(&pairs[2]).await;
}

#[tokio::test]
async fn a_used_token_that_comes_back_after_the_grace_time_ends_its_session_and_no_other() {
    let app = App::start().await;
    let user = app.register().await;
    let other = app.log_in(&user).await;
    let first = app.log_in(&user).await;
    let second = app.refresh(&first).await;
    let third = app.refresh(&second).await;
    let sid = first.sid();
    app.database().age(&sid, 31);
    app.try_refresh(&first)
        .await
        .refused(401, "refresh_token_reused");
    assert_eq!(app.database().end_reason(&sid).as_deref(), Some("reuse"));
    assert_eq!(app.database().records(&sid, "session_ended"), 1);
    for pair in [&first, &second, &third] {
        let refused = app.try_refresh(pair).await.refused(401, "session_revoked");
        assert_eq!(refused.reason.as_deref(), Some("reuse"));
    }
    assert_eq!(
        app.database().records(&sid, "session_ended"),
        1,
        "refusals add no records"
    );
    app.refresh(&other).await;
}

#[tokio::test]
async fn a_genuine_token_newer_than_the_row_lets_the_row_catch_up() {
    let app = App::start().await;
    let pairs = history(&app, 4).await;
    let sid = pairs[0].sid();
    // As after restoring a backup that was made at generation 2.
    app.database().set(&sid, "generation = 2");
    let next = app.refresh(&pairs[4]).await;
    assert_eq!(app.database().session(&sid, "generation"), Some(6));
    assert_eq!(app.database().records(&sid, "row_behind"), 1);
    assert_eq!(
        app.refresh(&pairs[4]).await.refresh_token,
        next.refresh_token,
        "a retry of it"
    );
    app.refresh(&next).await;
    assert_eq!(app.database().records(&sid, "row_behind"), 1);
}

#[tokio::test]
async fn a_rotation_in_the_future_counts_as_now() {
    let app = App::start().await;
    let pairs = history(&app, 2).await;
    app.database().age(&pairs[0].sid(), -500);
    assert_eq!(
        app.refresh(&pairs[1]).await.refresh_token,
        pairs[2].refresh_token
    );
    app.try_refresh(&pairs[0])
        .await
        .refused(401, "refresh_token_superseded");
    app.refresh(&pairs[2]).await;
}

#[tokio::test]
async fn a_session_that_is_over_says_why() {
    let app = App::start().await;
    let now = shared::clock::now();
    for (assignments, code, reason) in [
        (
            format!("idle_until = {now}"),
            "session_expired",
            Some("idle"),
        ),
        (
            format!("absolute_until = {now}, idle_until = {now}"),
            "session_expired",
            Some("absolute"),
        ),
        (
            format!("ended_at = {now}, end_reason = 'logout'"),
            "session_revoked",
            Some("logout"),
        ),
        (
            format!("ended_at = {now}, end_reason = 'ended'"),
            "session_revoked",
            Some("ended"),
        ),
        (
            format!("ended_at = {now}, end_reason = 'password'"),
            "session_revoked",
            Some("password"),
        ),
        (
            format!("ended_at = {now}, end_reason = 'blocked'"),
            "session_revoked",
            Some("blocked"),
        ),
        (
            format!("ended_at = {now}, end_reason = 'reuse'"),
            "session_revoked",
            Some("reuse"),
        ),
        (
            format!("ended_at = {now}, end_reason = 'limit'"),
            "session_revoked",
            Some("limit"),
        ),
        (
            format!("ended_at = {now}, end_reason = 'admin'"),
            "session_revoked",
            Some("admin"),
        ),
    ] {
        // Old, current and newer than the row: over is over.
        for generation in [1, 2, 5] {
            let pairs = history(&app, 1).await;
            let sid = pairs[0].sid();
            app.database().set(&sid, &assignments);
            let presented = app.remint(&pairs[1].refresh_token, |token| {
                token.generation = auth_server::db::Generation(generation);
            });
            let refused = app
                .try_refresh_with(&pairs[1].access_token, &presented)
                .await
                .refused(401, code);
            assert_eq!(refused.reason.as_deref(), reason, "{assignments}");
            assert_eq!(app.database().session(&sid, "generation"), Some(2));
        }
    }
}

#[tokio::test]
async fn a_session_that_is_gone_is_expired() {
    let app = App::start().await;
    let (_, pair) = app.newcomer().await;
    app.database()
        .execute(&format!("DELETE FROM sessions WHERE id = '{}'", pair.sid()));
    app.try_refresh(&pair).await.refused(401, "session_expired");
    // Gone is over, and over can be logged out of.
    app.log_out(&pair).await;
}

#[tokio::test]
async fn a_row_of_another_nonce_is_another_session() {
    let app = App::start().await;
    let (_, pair) = app.newcomer().await;
    let presented = app.remint(&pair.refresh_token, |token| token.nonce = [7; 16]);
    app.try_refresh_with(&pair.access_token, &presented)
        .await
        .refused(401, "session_expired");
    app.refresh(&pair).await;
}

#[tokio::test]
async fn an_absolute_end_that_has_passed_is_refused_by_the_token_alone() {
    let app = App::start().await;
    let (_, pair) = app.newcomer().await;
    let over = app.remint(&pair.refresh_token, |token| {
        token.absolute_until = shared::clock::now();
    });
    let refused = app
        .try_refresh_with(&pair.access_token, &over)
        .await
        .refused(401, "session_expired");
    assert_eq!(refused.reason.as_deref(), Some("absolute"));
    // Before the access token is looked at.
    app.try_refresh_with("rubbish", &over)
        .await
        .refused(401, "session_expired");
    app.refresh(&pair).await;
}

/// A session that was stolen from and is over by itself: its thief's token, and its last pair, whose access token is still
/// accepted. `columns` are the row's ends, `absolute_until` that of the tokens.
async fn stolen_and_over(app: &App, columns: &str, absolute_until: i64) -> (Pair, Pair) {
    let pairs = history(app, 3).await;
    let sid = pairs[0].sid();
    app.database().age(&sid, 1000);
    app.database().set(&sid, columns);
    let over = |pair: &Pair| Pair {
        refresh_token: app.remint(&pair.refresh_token, |token| {
            token.absolute_until = absolute_until;
        }),
        ..pair.clone()
    };
    (over(&pairs[1]), over(&pairs[3]))
}

#[tokio::test]
async fn a_theft_that_shows_only_after_the_session_s_end_ends_what_is_left_of_it() {
    let app = App::with(Options::new().with_feed()).await;
    let now = shared::clock::now();
    for (columns, absolute_until, reason) in [
        (format!("idle_until = {}", now - 5), now + 86_400, "idle"),
        (
            format!("idle_until = {0}, absolute_until = {0}", now - 5),
            now - 5,
            "absolute",
        ),
    ] {
        let (stolen, last) = stolen_and_over(&app, &columns, absolute_until).await;
        let sid = last.sid();
        app.call_home(&last.access_token).await.is(200);
        // Who comes late with the current token, or with the one before, has done nothing wrong.
        let refused = app.try_refresh(&last).await.refused(401, "session_expired");
        assert_eq!(refused.reason.as_deref(), Some(reason));
        assert_eq!(app.database().session(&sid, "ended_at"), None, "{reason}");
        // The thief hears the same, and is heard of.
        let refused = app
            .try_refresh(&stolen)
            .await
            .refused(401, "session_expired");
        assert_eq!(refused.reason.as_deref(), Some(reason));
        assert_eq!(app.database().end_reason(&sid).as_deref(), Some("reuse"));
        let ended = Instant::now();
        while app.call_home(&last.access_token).await.status == 200 {
            assert!(
                ended.elapsed() < Duration::from_secs(5),
                "{reason}: still accepted"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        app.call_home(&last.access_token)
            .await
            .refused(401, "token_revoked");
        for _ in 0..2 {
            app.try_refresh(&stolen).await.is(401);
        }
        assert_eq!(app.database().records(&sid, "session_ended"), 1, "{reason}");
    }
}

#[tokio::test]
async fn a_session_that_is_over_for_long_is_over_and_nothing_is_written() {
    let app = App::start().await;
    let now = shared::clock::now();
    for (columns, absolute_until) in [
        (format!("idle_until = {}", now - 700), now + 86_400),
        (
            format!("idle_until = {0}, absolute_until = {0}", now - 400),
            now - 400,
        ),
    ] {
        let (stolen, last) = stolen_and_over(&app, &columns, absolute_until).await;
        let before = row(&app, &last.sid());
        for pair in [&stolen, &last] {
            app.try_refresh(pair).await.refused(401, "session_expired");
        }
        assert_eq!(row(&app, &last.sid()), before, "{columns}");
    }
}
