//! Guessing passwords: delays that grow, the same for everybody, and no way around them.
//!
//! Time is moved in the database. A failure in the future counts as now, so that a failure which is put there
//! keeps its delay from running out while a test runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use e2e::{Answer, App, Options, User};
use serde_json::{Value, json};

const AHEAD: i64 = 50;

fn limited() -> Options {
    Options::new().auth("login-limits", "on")
}

async fn guess(app: &App, email: &str) -> Answer {
    app.try_log_in(email, &e2e::random()).await
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
    app.database().move_failures(AHEAD);
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
        for delay in [1, 2, 4, 8, 16, 32, 60, 60] {
            // Neither checked nor a reason to wait longer, whatever the password is.
            for password in [user.password.as_str(), "wrong password", ""] {
                let answer = app.try_log_in(email, password).await;
                assert_eq!(retry_after(&answer), delay, "{email}");
                story.push((answer.status, answer.code(), answer.headers.len()));
            }
            app.database().move_failures(-AHEAD - delay);
            let answer = guess(&app, email).await;
            answer.refused(401, "invalid_credentials");
            story.push((answer.status, answer.code(), answer.headers.len()));
            app.database().move_failures(AHEAD);
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
    let user = app.register().await;
    for round in 1..=2 {
        fail_five_times(&app, &user.email).await;
        assert_eq!(
            retry_after(&app.try_log_in(&user.email, &user.password).await),
            1
        );
        app.database().move_failures(-AHEAD - 1);
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

/// Waits until so many wrong guesses wait for their turn that the next comes after a delay has begun; or until one
/// has.
async fn more_than_five_are_ahead(app: &App, user: &User) {
    let failures = format!(
        "SELECT MAX(failures) AS value FROM login_failures WHERE user_id = '{}'",
        user.id
    );
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let metrics = app.client.get(format!("{}/metrics", app.auth_url));
        let text = metrics.send().await.unwrap().text().await.unwrap();
        let waiting = text
            .lines()
            .find_map(|line| line.strip_prefix("keyturn_hash_queue "))
            .unwrap();
        if waiting.parse::<u32>().unwrap() > 5 || app.database().number(&failures) >= Some(5) {
            return;
        }
        assert!(Instant::now() < until, "{waiting} wait");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// The answers to many guesses at once, the last of which is right, and how many more verdicts than five the
/// time has allowed: on a busy machine the first delays of 1, 2, 4 … seconds pass meanwhile.
async fn storm(app: &Arc<App>, replica: &Arc<App>, user: &User) -> (Vec<u16>, u16, usize) {
    beginning_of_a_second().await;
    let began = Instant::now();
    let mut guesses = Vec::new();
    for n in 0..39 {
        let (app, user) = (
            Arc::clone(if n % 2 == 0 { app } else { replica }),
            user.clone(),
        );
        guesses.push(tokio::spawn(async move {
            app.try_log_in(&user.email, "a guess").await.status
        }));
    }
    more_than_five_are_ahead(app, user).await;
    let right = app.try_log_in(&user.email, &user.password).await.status;
    let mut statuses = Vec::new();
    for guess in guesses {
        statuses.push(guess.await.unwrap());
    }
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
    app.database().move_failures(-AHEAD);
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
        answer.await.refused(403, "wrong_current_password");
    }
    app.database().move_failures(AHEAD);
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
    app.database().move_failures(-AHEAD - 1);
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
async fn without_trusted_proxies_nobody_chooses_an_address() {
    let app = App::with(limited()).await;
    let user = app.register().await;
    let answer = app
        .try_log_in_from("203.0.113.7", &user.email, &user.password, None)
        .await;
    let pair: e2e::Pair = answer.is(200).json();
    let sessions: Vec<Value> = app.sessions(&pair.access_token).await;
    assert_eq!(sessions[0]["address"], "127.0.0.1");
    beginning_of_a_second().await;
    for n in 0..5 {
        let from = format!("198.51.100.{n}");
        app.try_log_in_from(&from, &user.email, "a guess", None)
            .await
            .refused(401, "invalid_credentials");
    }
    app.database().move_failures(AHEAD);
    for from in ["198.51.100.99", "203.0.113.7", "127.0.0.1"] {
        let answer = app
            .try_log_in_from(from, &user.email, &user.password, None)
            .await;
        assert_eq!(retry_after(&answer), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_at_accounts_that_do_not_exist_fill_no_table() {
    let app = Arc::new(App::with(limited()).await);
    // Some at once: more would be told that the service is busy where the machine is.
    for wave in 0..6 {
        let guesses = (0..10).map(|n| {
            let (app, n) = (Arc::clone(&app), wave * 10 + n);
            tokio::spawn(async move {
                guess(&app, &format!("nobody-{n}-{}@example.com", e2e::random()))
                    .await
                    .refused(401, "invalid_credentials");
            })
        });
        for guess in futures_util::future::join_all(guesses).await {
            guess.unwrap();
        }
    }
    for (table, rows) in [("login_failures", 16), ("login_budgets", 0)] {
        let slots = app
            .database()
            .words(&format!("SELECT slot AS value FROM {table}"));
        assert!(!slots.is_empty());
        for slot in slots {
            let slot = slot.unwrap();
            let (number, row) = slot
                .strip_prefix("nobody-")
                .unwrap()
                .split_once('/')
                .unwrap();
            assert!(number.parse::<u32>().unwrap() < 1 << 18, "{slot}");
            match row.strip_prefix("network-") {
                Some(row) => assert!(row.parse::<u32>().unwrap() < rows, "{slot}"),
                None => assert_eq!(row, "networks"),
            }
        }
    }
    let records = "SELECT COUNT(*) AS value FROM audit WHERE event = 'login_delayed'";
    assert_eq!(app.database().number(records), Some(0));
}
