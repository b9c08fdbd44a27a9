//! Guessing passwords: delays per account, buckets per address, and an owner who gets in all the same.
//!
//! Time is moved in the database. A failure in the future counts as now, so that a failure which is put there
//! keeps its delay from running out while a test runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use e2e::{Answer, App, Options, User};
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};

const AHEAD: i64 = 50;

fn limited() -> Options {
    Options::new().auth("login-limits", "on")
}

fn behind_a_proxy() -> Options {
    limited().auth("trusted-proxies", "127.0.0.1")
}

/// A log-in that a proxy forwards for this address.
async fn log_in_from(app: &App, address: &str, email: &str, password: &str) -> Answer {
    let request = app
        .client
        .post(format!("{}/api/account/login", app.auth_url))
        .header("x-forwarded-for", address)
        .json(&json!({"email": email, "password": password}));
    Answer::read(request.send().await.unwrap()).await
}

async fn guess(app: &App, email: &str) -> Answer {
    app.try_log_in(email, &e2e::random()).await
}

fn move_failures(app: &App, seconds: i64) {
    let sql = format!("UPDATE login_failures SET failed_at = failed_at + ({seconds})");
    assert_ne!(app.database().execute(&sql), 0);
}

fn delays_in_audit(app: &App, user: &User) -> i64 {
    let sql = format!(
        "SELECT COUNT(*) AS value FROM audit WHERE user_id = '{}' AND event = 'login_delayed'",
        user.id
    );
    app.database().number(&sql).unwrap()
}

fn retry_after(answer: &Answer) -> i64 {
    answer.refused(429, "too_many_attempts");
    answer.header("retry-after").unwrap().parse().unwrap()
}

/// Waits for the beginning of a second, so that what follows happens in one.
async fn beginning_of_a_second() {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    tokio::time::sleep(Duration::from_nanos(
        1_020_000_000 - u64::from(now.subsec_nanos()),
    ))
    .await;
}

/// Five failures are free; the fifth begins a delay that cannot run out before it is moved.
async fn fail_five_times(app: &App, email: &str) {
    beginning_of_a_second().await;
    for _ in 0..5 {
        guess(app, email).await.refused(401, "invalid_credentials");
    }
    move_failures(app, AHEAD);
}

#[tokio::test]
async fn guesses_are_delayed_longer_and_longer_and_nobody_can_tell_an_account_by_it() {
    let app = App::with(limited()).await;
    let user = app.register().await;
    let stranger = format!("nobody-{}@example.com", e2e::random());
    let mut stories = Vec::new();
    for email in [&user.email, &stranger] {
        let mut story = Vec::new();
        fail_five_times(&app, email).await;
        for delay in [1, 2, 4, 8, 16, 30, 30, 30] {
            // Neither checked nor a reason to wait longer, whatever the password is.
            for password in [user.password.as_str(), "wrong password", ""] {
                let answer = app.try_log_in(email, password).await;
                assert_eq!(retry_after(&answer), delay, "{email}");
                story.push((answer.status, answer.code(), answer.headers.len()));
            }
            move_failures(&app, -AHEAD - delay);
            let answer = guess(&app, email).await;
            answer.refused(401, "invalid_credentials");
            story.push((answer.status, answer.code(), answer.headers.len()));
            move_failures(&app, AHEAD);
        }
        stories.push(story);
        app.database().execute("DELETE FROM login_failures");
    }
    assert_eq!(stories[0], stories[1]);
    assert_eq!(delays_in_audit(&app, &user), 1, "once for all of them");
}

#[tokio::test]
async fn the_right_password_after_a_delay_starts_anew() {
    let app = App::with(limited()).await;
    let (user, pair) = app.newcomer().await;
    // From elsewhere than the session's address: there is one address here, so the session has to go.
    app.log_out(&pair).await;
    for round in 1..=2 {
        fail_five_times(&app, &user.email).await;
        assert_eq!(
            retry_after(&app.try_log_in(&user.email, &user.password).await),
            1
        );
        move_failures(&app, -AHEAD - 1);
        app.log_out(&app.log_in(&user).await).await;
        for _ in 0..4 {
            guess(&app, &user.email)
                .await
                .refused(401, "invalid_credentials");
        }
        app.log_out(&app.log_in(&user).await).await;
        assert_eq!(delays_in_audit(&app, &user), round);
    }
}

/// The answers to many guesses at once, the last of which is right, and how many more verdicts than five the
/// time has allowed: on a busy machine the first delays of 1, 2, 4 … seconds pass meanwhile.
async fn storm(app: &Arc<App>, replica: &Arc<App>, user: &User) -> (Vec<u16>, u16, usize) {
    beginning_of_a_second().await;
    let began = Instant::now();
    let mut guesses = Vec::new();
    for n in 0..40 {
        let (app, user) = (
            Arc::clone(if n % 2 == 0 { app } else { replica }),
            user.clone(),
        );
        guesses.push(tokio::spawn(async move {
            let password = if n == 39 { &user.password } else { "a guess" };
            app.try_log_in(&user.email, password).await.status
        }));
    }
    let mut statuses = Vec::new();
    for guess in guesses {
        statuses.push(guess.await.unwrap());
    }
    let right = statuses.pop().unwrap();
    // The service counts in whole seconds; the storm began just after the beginning of one.
    let seconds = (began.elapsed() + Duration::from_millis(50)).as_secs() + 1;
    (statuses, right, usize::try_from(seconds.ilog2()).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_at_once_reveal_five_verdicts_over_all_replicas() {
    let app = Arc::new(App::with(limited()).await);
    let replica = Arc::new(app.replica(&limited()).await);
    let user = app.register().await;
    let (wrong, right, more) = storm(&app, &replica, &user).await;
    let count = |status| wrong.iter().filter(|s| **s == status).count();
    assert_eq!(count(401) + count(429), 39, "{wrong:?}");
    assert!(count(401) >= 5, "{wrong:?}");
    if right == 429 {
        assert!(count(401) <= 5 + more, "{wrong:?}");
        assert_eq!(delays_in_audit(&app, &user), 1);
    } else {
        // A delay had passed when its turn came; from then on failures are counted from the beginning, once.
        assert!(more > 0, "that it was right stays unsaid");
        assert_eq!(right, 200);
        assert!(count(401) <= 2 * (5 + more), "{wrong:?}");
    }
    drop(replica);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_guess_among_many_does_not_show_a_blocked_account() {
    let app = Arc::new(App::with(limited()).await);
    let user = app.register().await;
    let sql = format!("UPDATE users SET blocked_at = 1 WHERE id = '{}'", user.id);
    assert_eq!(app.database().execute(&sql), 1);
    let (wrong, right, more) = storm(&app, &app, &user).await;
    let refused = wrong.iter().filter(|s| **s == 401).count();
    assert!((5..=5 + more).contains(&refused), "{wrong:?}");
    assert!(more > 0 || right == 429);
    move_failures(&app, -AHEAD);
    app.try_log_in(&user.email, &user.password)
        .await
        .refused(403, "account_blocked");
}

#[tokio::test]
async fn a_stolen_access_token_is_no_way_around_the_delays() {
    let app = App::with(limited()).await;
    let (user, pair) = app.newcomer().await;
    beginning_of_a_second().await;
    for _ in 0..5 {
        let answer = app.try_change_password(&pair.access_token, "a guess", "another password");
        answer.await.refused(401, "invalid_credentials");
    }
    move_failures(&app, AHEAD);
    for password in [user.password.as_str(), "a guess"] {
        let answer = app
            .try_change_password(&pair.access_token, password, "another password")
            .await;
        assert_eq!(retry_after(&answer), 1);
        let answer = app
            .try_delete_account(&pair.access_token, &user.password)
            .await;
        assert_eq!(retry_after(&answer), 1);
    }
    move_failures(&app, -AHEAD - 1);
    app.try_change_account(
        &pair.access_token,
        json!({"userName": "new", "currentPassword": user.password}),
    )
    .await
    .is(200);
    // The right password: failures are counted from the beginning.
    let left = app
        .database()
        .number("SELECT COUNT(*) AS value FROM login_failures");
    assert_eq!(left, Some(0));
}

#[tokio::test]
async fn the_owner_gets_in_from_home_while_strangers_guess() {
    let app = App::with(behind_a_proxy()).await;
    let user = app.register().await;
    let (home, elsewhere) = ("203.0.113.7", "198.51.100.1");
    log_in_from(&app, home, &user.email, &user.password)
        .await
        .is(200);
    beginning_of_a_second().await;
    for n in 0..5 {
        let from = format!("198.51.100.{}", 10 + n);
        log_in_from(&app, &from, &user.email, "a guess")
            .await
            .refused(401, "invalid_credentials");
    }
    move_failures(&app, AHEAD);
    assert_eq!(
        retry_after(&log_in_from(&app, elsewhere, &user.email, &user.password).await),
        1
    );
    log_in_from(&app, home, &user.email, &user.password)
        .await
        .is(200);
    // What came from home cleared nothing of theirs.
    assert_eq!(
        retry_after(&log_in_from(&app, elsewhere, &user.email, &user.password).await),
        1
    );
    // And home has delays of its own.
    beginning_of_a_second().await;
    for _ in 0..5 {
        log_in_from(&app, home, &user.email, "a guess")
            .await
            .refused(401, "invalid_credentials");
    }
    move_failures(&app, AHEAD);
    assert_eq!(
        retry_after(&log_in_from(&app, home, &user.email, &user.password).await),
        1
    );
}

#[tokio::test]
async fn an_address_has_a_bucket_and_other_addresses_have_their_own() {
    let app = App::with(behind_a_proxy()).await;
    let try_register = async |from: &[u8]| {
        let request = app
            .client
            .post(format!("{}/api/account/register", app.auth_url))
            .header("x-forwarded-for", HeaderValue::from_bytes(from).unwrap())
            .json(&json!({"userName": "x", "email": "no e-mail", "password": "long enough"}));
        Answer::read(request.send().await.unwrap()).await
    };
    let mut refused = 0;
    for n in 0..60 {
        let answer = try_register(b"2001:db8::1").await;
        if answer.status == 429 {
            assert!(retry_after(&answer) >= 1);
            refused += 1;
        } else {
            answer.refused(422, "invalid_email");
            assert!(refused > 0 || n < 40, "{n}");
        }
    }
    assert!(refused >= 20, "{refused}");
    let answer = log_in_from(&app, "2001:db8::77", "a@example.com", "a guess").await;
    assert!(retry_after(&answer) >= 1, "the same household");
    try_register(b"2001:db8:0:1::1")
        .await
        .refused(422, "invalid_email");
    // What the client itself wrote before the address that the proxy adds does not count.
    let answer = try_register(b"192.0.2.1, 2001:db8::2").await;
    assert!(retry_after(&answer) >= 1);
    // Nor does it hide that address with what is no text.
    let answer = try_register(b"\xff\xfe, 2001:db8::3").await;
    assert!(retry_after(&answer) >= 1);
}

#[tokio::test]
async fn without_trusted_proxies_nobody_chooses_an_address() {
    let app = App::with(limited()).await;
    let user = app.register().await;
    let answer = log_in_from(&app, "203.0.113.7", &user.email, &user.password).await;
    let pair: e2e::Pair = answer.is(200).json();
    let sessions: Vec<Value> = app.sessions(&pair.access_token).await;
    assert_eq!(sessions[0]["address"], "127.0.0.1");
    app.ask_auth(
        Method::DELETE,
        "/api/account/sessions",
        Some(&pair.access_token),
        None,
    )
    .await
    .is(204);
    beginning_of_a_second().await;
    for n in 0..5 {
        let from = format!("198.51.100.{n}");
        log_in_from(&app, &from, &user.email, "a guess")
            .await
            .refused(401, "invalid_credentials");
    }
    move_failures(&app, AHEAD);
    for from in ["198.51.100.99", "203.0.113.7", "127.0.0.1"] {
        let answer = log_in_from(&app, from, &user.email, &user.password).await;
        assert_eq!(retry_after(&answer), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_at_accounts_that_do_not_exist_fill_no_table() {
    let app = Arc::new(App::with(limited()).await);
    let mut guesses = Vec::new();
    for n in 0..60 {
        let app = Arc::clone(&app);
        guesses.push(tokio::spawn(async move {
            guess(&app, &format!("nobody-{n}-{}@example.com", e2e::random()))
                .await
                .refused(401, "invalid_credentials");
        }));
    }
    for guess in guesses {
        guess.await.unwrap();
    }
    let slots = app
        .database()
        .words("SELECT slot AS value FROM login_failures");
    assert!(!slots.is_empty());
    for slot in slots {
        let slot = slot.unwrap();
        let number = slot.strip_prefix("nobody-").unwrap();
        assert!(number.parse::<u32>().unwrap() < 4096, "{slot}");
    }
    let records = "SELECT COUNT(*) AS value FROM audit WHERE event = 'login_delayed'";
    assert_eq!(app.database().number(records), Some(0));
}
