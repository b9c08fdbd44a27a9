//! Guessing from many places: no network stands in another's way, all together get little, and the owner's device
//! gets in.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use e2e::{Answer, App, Options, Pair, User};
use serde_json::json;

const HOME: &str = "203.0.113.7";

async fn behind_a_proxy() -> Arc<App> {
    let options = Options::new()
        .auth("login-limits", "on")
        .auth("trusted-proxies", "127.0.0.1");
    Arc::new(App::with(options).await)
}

fn network(n: usize) -> String {
    format!("2001:db8:{n:x}::1")
}

async fn guess_from(app: &App, from: &str, email: &str, device: Option<&str>) -> Answer {
    app.try_log_in_from(from, email, "a wrong guess", device)
        .await
}

/// Guesses from so many networks, some at once; how many of them were judged.
async fn storm(app: &Arc<App>, email: &str, networks: std::ops::Range<usize>) -> usize {
    let mut verdicts = 0;
    for n in networks.step_by(8) {
        let wave = (n..n + 8).map(|n| {
            let (app, email) = (Arc::clone(app), email.to_owned());
            tokio::spawn(async move { guess_from(&app, &network(n), &email, None).await })
        });
        for answer in futures_util::future::join_all(wave).await {
            let answer = answer.unwrap();
            match answer.status {
                401 => {
                    answer.refused(401, "invalid_credentials");
                    verdicts += 1;
                }
                _ => drop(answer.refused(429, "too_many_attempts")),
            }
        }
    }
    verdicts
}

async fn device_token(app: &App, user: &User, from: &str) -> String {
    let answer = app
        .try_log_in_from(from, &user.email, &user.password, None)
        .await;
    answer.is(200).json::<Pair>().device_token.unwrap()
}

/// Tries until the answer is 429: now and then a drop in the bucket is this one's.
async fn kept_out(attempt: impl AsyncFn() -> Answer) {
    for _ in 0..100 {
        let answer = attempt().await;
        if answer.status == 429 {
            answer.refused(429, "too_many_attempts");
            return;
        }
    }
    panic!("a hundred attempts in a row had a full bucket");
}

/// The device's number within its token.
fn device(token: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(token).unwrap()[20..36].to_vec()
}

#[tokio::test]
async fn one_network_delays_nobody_elsewhere() {
    let app = behind_a_proxy().await;
    let user = app.register().await;
    let attacker = "198.51.100.1";
    for n in 0..40 {
        let answer = guess_from(&app, attacker, &user.email, None).await;
        assert!([401, 429].contains(&answer.status), "{n}: {answer:?}");
    }
    app.database().move_failures(50);
    app.try_log_in_from(attacker, &user.email, &user.password, None)
        .await
        .refused(429, "too_many_attempts");
    for n in 0..4 {
        app.try_log_in_from(&network(n), &user.email, &user.password, None)
            .await
            .is(200);
    }
    // What was right elsewhere cleared nothing here.
    app.try_log_in_from(attacker, &user.email, &user.password, None)
        .await
        .refused(429, "too_many_attempts");
    for n in 0..4 {
        guess_from(&app, &network(n), &user.email, None)
            .await
            .refused(401, "invalid_credentials");
        app.try_log_in_from(&network(n), &user.email, &user.password, None)
            .await
            .is(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_with_his_devices_token_gets_in_under_a_storm() {
    let app = behind_a_proxy().await;
    let user = app.register().await;
    let token = device_token(&app, &user, HOME).await;
    let began = std::time::Instant::now();
    let verdicts = storm(&app, &user.email, 0..160).await;
    let grown = usize::try_from(began.elapsed().as_secs() / 54 + 1).unwrap();
    assert!((90..=100 + grown).contains(&verdicts), "{verdicts}");
    // A stranger waits, wherever he is, and whatever his password is.
    storm(&app, &user.email, 160..168).await;
    app.try_log_in_from("203.0.113.99", &user.email, &user.password, None)
        .await
        .refused(429, "too_many_attempts");
    // The owner does not: from home, from where the storm comes from, and from elsewhere; also after a mistake.
    for from in [HOME, &network(0), "203.0.113.99"] {
        guess_from(&app, from, &user.email, Some(&token))
            .await
            .refused(401, "invalid_credentials");
        app.try_log_in_from(from, &user.email, &user.password, Some(&token))
            .await
            .is(200);
    }
    // And who is not asked at all notices nothing.
    let other = app.register().await;
    app.try_log_in_from(HOME, &other.email, &other.password, None)
        .await
        .is(200);
}

#[tokio::test]
async fn the_bucket_of_a_network_is_empty_and_its_known_device_gets_in() {
    let app = behind_a_proxy().await;
    let user = app.register().await;
    let token = device_token(&app, &user, HOME).await;
    // Strangers take what the bucket gets, for as long as the others try.
    let flood: Vec<_> = (0..8)
        .map(|n| {
            let (app, email) = (Arc::clone(&app), format!("nobody-{n}@example.com"));
            tokio::spawn(async move {
                loop {
                    guess_from(&app, HOME, &email, None).await;
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    kept_out(async || {
        app.try_log_in_from(HOME, &user.email, &user.password, None)
            .await
    })
    .await;
    app.try_log_in_from(HOME, &user.email, &user.password, Some(&token))
        .await
        .is(200);
    // A device of another account is a stranger here, and pays as one.
    kept_out(async || {
        app.try_log_in_from(HOME, "nobody@example.com", "a wrong guess", Some(&token))
            .await
    })
    .await;
    flood.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_elses_device_does_not_empty_the_bucket_of_the_owners() {
    let app = behind_a_proxy().await;
    let (user, other) = (app.register().await, app.register().await);
    let own = device_token(&app, &user, HOME).await;
    let theirs = device_token(&app, &other, HOME).await;
    // At his own account, at nobody's and at the owner's, for as long as the owner tries.
    let flood: Vec<_> = (0..9)
        .map(|n| {
            let (app, theirs) = (Arc::clone(&app), theirs.clone());
            let emails = [&other.email, "nobody@example.com", &user.email];
            let email = emails[n % 3].to_owned();
            tokio::spawn(async move {
                loop {
                    guess_from(&app, HOME, &email, Some(&theirs)).await;
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    kept_out(async || {
        app.try_log_in_from(HOME, &other.email, &other.password, Some(&theirs))
            .await
    })
    .await;
    app.try_log_in_from(HOME, &user.email, &user.password, Some(&own))
        .await
        .is(200);
    flood.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_device_that_guesses_is_a_stranger_after_five_failures() {
    let app = behind_a_proxy().await;
    let user = app.register().await;
    let stolen = device_token(&app, &user, HOME).await;
    let other = device_token(&app, &user, HOME).await;
    let mut verdicts = 0;
    for _ in 0..20 {
        let answer = guess_from(&app, "198.51.100.1", &user.email, Some(&stolen)).await;
        verdicts += usize::from(answer.status == 401);
    }
    // Five of the device's, and what its network has anyway.
    assert!((10..=14).contains(&verdicts), "{verdicts}");
    app.database().move_failures(50);
    app.try_log_in_from("198.51.100.1", &user.email, &user.password, Some(&stolen))
        .await
        .refused(429, "too_many_attempts");
    app.try_log_in_from("198.51.100.1", &user.email, &user.password, Some(&other))
        .await
        .is(200);
    app.try_log_in_from("198.51.100.2", &user.email, &user.password, Some(&stolen))
        .await
        .is(200);
}

#[tokio::test]
async fn what_is_no_device_token_of_this_account_counts_as_none() {
    let app = behind_a_proxy().await;
    let (user, other) = (app.register().await, app.register().await);
    let good = device_token(&app, &user, HOME).await;
    let theirs = device_token(&app, &other, HOME).await;
    let attacker = "198.51.100.1";
    for _ in 0..5 {
        guess_from(&app, attacker, &user.email, None)
            .await
            .refused(401, "invalid_credentials");
    }
    app.database().move_failures(50);
    let mut changed = good.clone();
    changed.replace_range(30..31, if &good[30..31] == "A" { "B" } else { "A" });
    let pair: Pair = app
        .try_log_in_from(HOME, &user.email, &user.password, Some(&good))
        .await
        .is(200)
        .json();
    for none in [
        "",
        "rubbish",
        &theirs,
        &changed,
        &format!("{good}="),
        &format!(" {good}"),
        &good[..101],
        &"A".repeat(102),
        &"A".repeat(10_000),
        &pair.refresh_token,
        &pair.access_token,
    ] {
        app.try_log_in_from(attacker, &user.email, &user.password, Some(none))
            .await
            .refused(429, "too_many_attempts");
    }
    app.try_log_in_from(attacker, &user.email, &user.password, Some(&good))
        .await
        .is(200);
    // Nor is it an error where nothing is delayed, for an account or for none.
    for email in [&user.email, &"nobody@example.com".to_owned()] {
        for none in ["rubbish", &theirs] {
            guess_from(&app, &network(1), email, Some(none))
                .await
                .refused(401, "invalid_credentials");
        }
    }
}

#[tokio::test]
async fn a_log_in_answers_a_device_token_and_the_device_goes_on() {
    let app = App::any().await;
    let (user, first) = app.newcomer().await;
    let token = first.device_token.clone().unwrap();
    assert_eq!(token.len(), 102);
    let body = json!({"email": user.email, "password": user.password, "deviceToken": token});
    let again: Pair = app.post("/login", body).await.is(200).json();
    assert_eq!(device(&again.device_token.unwrap()), device(&token));
    let elsewhere = app.log_in(&user).await.device_token.unwrap();
    assert_ne!(device(&elsewhere), device(&token));
    // What is no log-in has none; null is none.
    assert_eq!(app.refresh(&first).await.device_token, None);
    let changed = app
        .try_change_password(&first.access_token, &user.password, "a new password")
        .await;
    assert_eq!(changed.is(200).json::<Pair>().device_token, None);
    let body = json!({"email": user.email, "password": "a new password", "deviceToken": null});
    app.post("/login", body).await.is(200);
    let body = json!({"email": user.email, "password": "a new password", "deviceToken": 7});
    app.post("/login", body)
        .await
        .refused(400, "invalid_request");
}

#[tokio::test]
async fn whoever_knocks_fills_no_table() {
    let app = behind_a_proxy().await;
    let user = app.register().await;
    let token = device_token(&app, &user, HOME).await;
    storm(&app, &user.email, 0..64).await;
    for n in 0..3 {
        guess_from(&app, &network(n), &user.email, Some(&token)).await;
    }
    let count = |table: &str| {
        let sql = format!(
            "SELECT COUNT(*) AS value FROM {table} WHERE user_id = '{}'",
            user.id
        );
        app.database().number(&sql).unwrap()
    };
    assert!((10..=17).contains(&count("login_failures")));
    assert_eq!(count("login_budgets"), 2);
    // And what it wrote goes with the account.
    let pair: Pair = app
        .try_log_in_from(HOME, &user.email, &user.password, Some(&token))
        .await
        .is(200)
        .json();
    app.try_delete_account(&pair.access_token, &user.password)
        .await
        .is(204);
    assert_eq!((count("login_failures"), count("login_budgets")), (0, 0));
}
