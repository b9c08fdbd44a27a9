//! Refreshes as clients get into them: many at once, again after a lost answer, with somebody else's token.

use std::collections::HashSet;

use e2e::{App, Pair};
use futures_util::future::join_all;
use serde_json::json;

#[tokio::test]
async fn fifty_parallel_refreshes_are_one_step_and_everyone_gets_the_same_successor() {
    let app = App::any().await;
    let (_, pair) = app.newcomer().await;
    let pairs: Vec<Pair> = join_all((0..50).map(|_| app.refresh(&pair))).await;
    let successors: HashSet<&str> = pairs.iter().map(|p| p.refresh_token.as_str()).collect();
    assert_eq!(successors.len(), 1, "one successor");
    let tokens: HashSet<&str> = pairs.iter().map(|p| p.access_token.as_str()).collect();
    assert_eq!(tokens.len(), 50, "fresh access tokens");
    for pair in &pairs {
        app.call_home(&pair.access_token).await.is(200);
    }
    let sessions = app.sessions(&pairs[7].access_token).await;
    assert_eq!(sessions.len(), 1);
    assert_eq!(pairs[0].generation(), 2, "one step of the generation");
    let next = app.refresh(&pairs[3]).await;
    assert_ne!(next.refresh_token, pairs[3].refresh_token);
}

#[tokio::test]
async fn ten_turns_of_ten_parallel_refreshes_keep_the_session() {
    let app = App::any().await;
    let (_, mut pair) = app.newcomer().await;
    for turn in 1..=10 {
        let pairs = join_all((0..10).map(|_| app.refresh(&pair))).await;
        assert!(
            pairs
                .iter()
                .all(|p| p.refresh_token == pairs[0].refresh_token),
            "turn {turn}"
        );
        pair = pairs[turn % 10].clone();
    }
    assert_eq!(pair.generation(), 11);
    assert_eq!(app.sessions(&pair.access_token).await.len(), 1);
}

#[tokio::test]
async fn an_answer_lost_after_the_commit_is_asked_for_again() {
    let app = App::any().await;
    let (_, pair) = app.newcomer().await;
    // The client never sees this answer.
    let lost = app.refresh(&pair).await;
    let again = app.refresh(&pair).await;
    assert_eq!(again.refresh_token, lost.refresh_token);
    let next = app.refresh(&again).await;
    app.call_home(&next.access_token).await.is(200);
}

#[tokio::test]
async fn a_client_that_hangs_up_while_it_waits_can_ask_again() {
    let app = App::any().await;
    let (_, mut pair) = app.newcomer().await;
    for patience in [0, 1, 2, 3, 5, 8, 13, 21] {
        let body = json!({"accessToken": pair.access_token, "refreshToken": pair.refresh_token});
        let url = format!("{}/api/account/refresh-token", app.auth_url);
        let patience = std::time::Duration::from_millis(patience);
        // Whether the service got it, worked on it, or answered: nobody knows.
        let _ = tokio::time::timeout(patience, app.client.post(url).json(&body).send()).await;
        pair = app.refresh(&pair).await;
        app.call_home(&pair.access_token).await.is(200);
    }
}

#[tokio::test]
async fn a_request_overtaken_by_two_later_ones_is_superseded_and_nothing_else() {
    let app = App::any().await;
    let (_, first) = app.newcomer().await;
    let second = app.refresh(&first).await;
    let third = app.refresh(&second).await;
    app.try_refresh(&first)
        .await
        .refused(401, "refresh_token_superseded");
    app.refresh(&third).await;
}

#[tokio::test]
async fn somebody_else_s_access_token_does_not_go_with_my_refresh_token() {
    let app = App::any().await;
    let (_, mine) = app.newcomer().await;
    let (user, theirs) = app.newcomer().await;
    let their_other = app.log_in(&user).await;
    for (access, refresh) in [(&theirs, &mine), (&mine, &theirs), (&theirs, &their_other)] {
        app.try_refresh_with(&access.access_token, &refresh.refresh_token)
            .await
            .refused(401, "invalid_access_token");
        app.try_log_out_with(&access.access_token, &refresh.refresh_token)
            .await
            .refused(401, "invalid_access_token");
    }
    for pair in [&mine, &theirs, &their_other] {
        assert_eq!(app.refresh(pair).await.generation(), 2, "nothing moved");
    }
}

#[tokio::test]
async fn a_refresh_token_opens_nothing_and_an_access_token_refreshes_nothing() {
    let app = App::any().await;
    let (_, pair) = app.newcomer().await;
    app.call_home(&pair.refresh_token)
        .await
        .refused(401, "token_malformed");
    app.try_refresh_with(&pair.access_token, &pair.access_token)
        .await
        .refused(401, "invalid_refresh_token");
    app.try_refresh_with(&pair.refresh_token, &pair.refresh_token)
        .await
        .refused(401, "invalid_access_token");
    app.refresh(&pair).await;
}

#[tokio::test]
async fn a_log_out_beside_refreshes_leaves_no_live_session() {
    let app = App::any().await;
    for _ in 0..8 {
        let (_, pair) = app.newcomer().await;
        let refreshes = join_all((0..6).map(|_| app.try_refresh(&pair)));
        let (refreshes, ()) = tokio::join!(refreshes, app.log_out(&pair));
        let after: Vec<Pair> = refreshes
            .iter()
            .filter(|a| a.status == 200)
            .map(e2e::Answer::json)
            .collect();
        for answer in refreshes.iter().filter(|a| a.status != 200) {
            assert_eq!(
                answer.refused(401, "session_revoked").reason.as_deref(),
                Some("logout")
            );
        }
        for pair in after.iter().chain([&pair]) {
            app.try_refresh(pair).await.refused(401, "session_revoked");
            app.get("/api/account/sessions", &pair.access_token)
                .await
                .refused(401, "token_revoked");
        }
    }
}
