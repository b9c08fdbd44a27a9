//! Time: access tokens that are over, and the client's way back.

use std::time::Duration;

use e2e::{App, Options};
use serde_json::json;

#[tokio::test]
async fn an_access_token_that_is_over_is_refreshed_and_the_call_repeated() {
    let app = App::with(
        Options::new()
            .both("jwt-clock-skew", "0s")
            .auth("access-token-ttl", "1s"),
    )
    .await;
    let (_, pair) = app.newcomer().await;
    assert_eq!(pair.expires_in, 1);
    // In real time, once.
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    let refused = app
        .call_home(&pair.access_token)
        .await
        .refused(401, "token_expired");
    assert_eq!(refused.act.as_deref(), Some("expired"));
    let next = app.refresh(&pair).await;
    app.call_home(&next.access_token).await.is(200);
}

#[tokio::test]
async fn a_token_is_over_at_exp_plus_skew_and_not_a_second_later() {
    let app = App::start().await;
    let (_, pair) = app.newcomer().await;
    let forge = app.forge();
    let now = shared::clock::now();
    // A few seconds of room, since time goes on while the test runs.
    for (exp, code) in [
        (now - 295, "ok"),
        (now - 300, "token_expired"),
        (now - 10_000, "token_expired"),
    ] {
        let token = forge.draft(&pair.claims()).claim("exp", json!(exp)).sign();
        assert_eq!(
            app.call_home(&token).await.code(),
            code,
            "exp = now - {}",
            now - exp
        );
    }
    for (nbf, code) in [(now + 300, "ok"), (now + 306, "token_not_yet_valid")] {
        let token = forge.draft(&pair.claims()).claim("nbf", json!(nbf)).sign();
        assert_eq!(
            app.call_home(&token).await.code(),
            code,
            "nbf = now + {}",
            nbf - now
        );
    }
}
