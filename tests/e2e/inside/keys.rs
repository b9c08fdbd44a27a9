//! The key ring at work: keys that come, retire and are revoked while clients go on.

use std::time::{Duration, Instant};

use e2e::{App, Forge, Options, Pair};
use serde_json::{Value, json};
use shared::key_file::write_atomically;
use shared::keys::KeyRing;

/// Writes the ring and waits until both services have taken it over.
async fn write(app: &App, ring: &str) {
    write_atomically(&app.folder().join("jwt-keys.json"), ring.as_bytes(), 0o640).unwrap();
    let value: Value = serde_json::from_str(ring).unwrap();
    let kids: Vec<&Value> = value["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| &key["kid"])
        .collect();
    let until = Instant::now() + Duration::from_secs(5);
    for url in [&app.auth_url, &app.resource_url] {
        loop {
            let ready: Value = app
                .client
                .get(format!("{url}/readyz"))
                .send()
                .await
                .unwrap()
                .json()
                .await
                .unwrap();
            if ready["keys"].as_array().unwrap().iter().collect::<Vec<_>>() == kids {
                break;
            }
            assert!(Instant::now() < until, "not taken over: {ready}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn ring(app: &App) -> Value {
    serde_json::from_slice(&std::fs::read(app.folder().join("jwt-keys.json")).unwrap()).unwrap()
}

/// A ring whose only verifying key is a new one, and whose former keys are the old ones in this state.
fn replaced(app: &App, state: &str) -> String {
    let (old, now) = (ring(app), shared::clock::now());
    let mut new: Value = serde_json::from_str(&KeyRing::generate(now - 10).to_json()).unwrap();
    let mut former = old["keys"].clone();
    for key in former.as_array_mut().unwrap() {
        key["state"] = json!(state);
        key["since"] = json!(now - 5);
    }
    new["former"] = former;
    new.to_string()
}

async fn assert_both_refuse(app: &App, pair: &Pair, code: &str, act: Option<&str>) {
    for answer in [
        app.call_home(&pair.access_token).await,
        app.get("/api/account/sessions", &pair.access_token).await,
    ] {
        assert_eq!(answer.refused(401, code).act.as_deref(), act);
    }
}

#[tokio::test]
async fn a_token_under_a_retired_key_is_expired_and_serves_as_the_old_one_of_a_refresh() {
    let app = App::start().await;
    let (_, pair) = app.newcomer().await;
    write(&app, &replaced(&app, "retired")).await;
    assert_both_refuse(&app, &pair, "token_expired", Some("expired")).await;
    let next = app.refresh(&pair).await;
    app.call_home(&next.access_token).await.is(200);
    app.log_out(&pair).await;
}

#[tokio::test]
async fn a_token_under_a_revoked_key_is_revoked_and_serves_as_the_old_one_of_a_refresh() {
    let app = App::start().await;
    let (_, pair) = app.newcomer().await;
    let expired = app
        .forge()
        .draft(&pair.claims())
        .claim("exp", json!(1_000))
        .sign();
    let elsewhere = app
        .forge()
        .draft(&pair.claims())
        .claim("aud", json!("x"))
        .sign();
    write(&app, &replaced(&app, "revoked")).await;
    assert_both_refuse(&app, &pair, "token_revoked", Some("revoked")).await;
    // Revoked comes before expired, and after everything else.
    app.call_home(&expired).await.refused(401, "token_revoked");
    app.call_home(&elsewhere)
        .await
        .refused(401, "token_wrong_audience");
    let next = app.refresh(&pair).await;
    app.call_home(&next.access_token).await.is(200);
    app.log_out(&pair).await;
}

#[tokio::test]
async fn a_token_under_a_forgotten_key_is_unknown_and_serves_for_nothing() {
    let app = App::start().await;
    let (_, pair) = app.newcomer().await;
    write(
        &app,
        &KeyRing::generate(shared::clock::now() - 10).to_json(),
    )
    .await;
    assert_both_refuse(&app, &pair, "token_unknown_key", None).await;
    app.try_refresh(&pair)
        .await
        .refused(401, "invalid_access_token");
}

#[tokio::test]
async fn a_rotation_at_noon_is_noticed_by_nobody() {
    let app = App::start().await;
    let (_, before) = app.newcomer().await;
    let now = shared::clock::now();
    let old = KeyRing::parse(&std::fs::read(app.folder().join("jwt-keys.json")).unwrap()).unwrap();
    let changed = old.rotate(now, Duration::ZERO, Duration::from_hours(24));
    write(&app, &changed.ring.to_json()).await;
    let (_, after) = app.newcomer().await;
    assert_ne!(
        header(&before)["kid"],
        header(&after)["kid"],
        "another key signs"
    );
    assert_eq!(header(&after)["kid"], changed.added.unwrap().as_str());
    for pair in [&before, &after] {
        app.call_home(&pair.access_token).await.is(200);
        app.get("/api/account/sessions", &pair.access_token)
            .await
            .is(200);
        app.refresh(pair).await;
    }
}

#[tokio::test]
async fn a_token_under_a_key_that_just_came_is_good_at_once() {
    let app = App::start().await;
    let (_, pair) = app.newcomer().await;
    // Something unknown first, then quiet, so that the look for an unknown key is due again.
    app.call_home(&Forge::stranger("x").draft(&pair.claims()).sign())
        .await
        .refused(401, "token_unknown_key");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let now = shared::clock::now();
    let old = KeyRing::parse(&std::fs::read(app.folder().join("jwt-keys.json")).unwrap()).unwrap();
    // Staged: it does not sign yet, but another service's clock may be ahead.
    let changed = old.rotate(now, Duration::from_mins(5), Duration::from_hours(24));
    let path = app.folder().join("jwt-keys.json");
    write_atomically(&path, changed.ring.to_json().as_bytes(), 0o640).unwrap();
    let staged = Forge::named(&path, &changed.added.unwrap());
    app.call_home(&staged.draft(&pair.claims()).sign())
        .await
        .is(200);
}

#[tokio::test]
async fn a_key_whose_time_to_verify_is_over_is_retired() {
    let app = App::start().await;
    let (_, pair) = app.newcomer().await;
    let now = shared::clock::now();
    let mut ring = ring(&app);
    let new: Value = serde_json::from_str(&KeyRing::generate(now - 10).to_json()).unwrap();
    ring["keys"][0]["verify_until"] = json!(now);
    ring["keys"][0]["sign_from"] = json!(now - 10_000);
    ring["keys"]
        .as_array_mut()
        .unwrap()
        .push(new["keys"][0].clone());
    write(&app, &ring.to_string()).await;
    assert_both_refuse(&app, &pair, "token_expired", Some("expired")).await;
    app.refresh(&pair).await;
}

#[tokio::test]
async fn a_broken_ring_is_not_taken_over() {
    let app = App::start().await;
    let (_, pair) = app.newcomer().await;
    let path = app.folder().join("jwt-keys.json");
    let good = std::fs::read(&path).unwrap();
    for broken in [
        "",
        "{",
        "{\"keys\":[]}",
        "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"x\",\"k\":\"c2hvcnQ\",\"sign_from\":0}]}",
    ] {
        write_atomically(&path, broken.as_bytes(), 0o640).unwrap();
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        app.call_home(&pair.access_token).await.is(200);
        app.refresh(&pair).await;
    }
    std::fs::remove_file(&path).unwrap();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    app.refresh(&pair).await;
    write_atomically(&path, &good, 0o640).unwrap();
}

#[tokio::test]
async fn a_token_may_name_several_audiences() {
    let app =
        App::with(Options::new().auth("jwt-audience", "http://other,http://localhost:5001")).await;
    let (_, pair) = app.newcomer().await;
    assert_eq!(
        pair.claims()["aud"],
        json!(["http://other", "http://localhost:5001"])
    );
    app.call_home(&pair.access_token).await.is(200);
    app.refresh(&pair).await;
}

#[tokio::test]
async fn services_that_disagree_refuse_each_other_s_tokens() {
    let app = App::with(Options::new().resource("jwt-audience", "http://other")).await;
    let (_, pair) = app.newcomer().await;
    app.call_home(&pair.access_token)
        .await
        .refused(401, "token_wrong_audience");
    let app = App::with(Options::new().resource("jwt-issuer", "http://other")).await;
    let (_, pair) = app.newcomer().await;
    app.call_home(&pair.access_token)
        .await
        .refused(401, "token_wrong_issuer");
}

fn header(pair: &Pair) -> Value {
    use base64::Engine;
    let part = pair.access_token.split('.').next().unwrap();
    serde_json::from_slice(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(part)
            .unwrap(),
    )
    .unwrap()
}
