//! Moving in with users of another system, and out again.

use std::fmt::Write as _;
use std::path::PathBuf;

use e2e::{App, Cli, Options, Pair, Ran, random};
use serde_json::{Value, json};

use super::mail_links::{plain_sink, token};

/// Hashes that others computed, each with its password; see there for where from.
#[path = "../../../crates/foreign-hash/tests/hashes/known.rs"]
#[expect(dead_code, reason = "only what is read here is needed")]
mod known;

fn cli(app: &App) -> Cli {
    Cli::new(app.folder(), app.database().url())
}

fn file(app: &App, content: &str) -> PathBuf {
    let path = app.folder().join(format!("users-{}.jsonl", random()));
    std::fs::write(&path, content).unwrap();
    path
}

async fn import(app: &App, content: &str, more: &[&str]) -> Ran {
    let path = file(app, content).display().to_string();
    let words: Vec<String> = ["user", "import", &path]
        .iter()
        .chain(more)
        .map(|word| (*word).to_owned())
        .collect();
    let cli = cli(app);
    tokio::task::spawn_blocking(move || {
        cli.run(&words.iter().map(String::as_str).collect::<Vec<_>>())
    })
    .await
    .unwrap()
}

fn hash_of(app: &App, email: &str) -> String {
    let sql = format!("SELECT password_hash AS value FROM users WHERE email = '{email}'");
    app.database().words(&sql).remove(0).unwrap()
}

fn users(app: &App) -> i64 {
    app.database()
        .number("SELECT COUNT(*) AS value FROM users")
        .unwrap()
}

#[tokio::test]
async fn a_hash_of_every_form_opens_with_its_password_and_is_ours_from_then_on() {
    let app = App::start().await;
    let known: Vec<_> = known::cheap().collect();
    let mut lines = String::new();
    for (n, vector) in known.iter().enumerate() {
        let line = json!({"email": format!("user-{n}@example.com"), "userName": format!("User {n}"),
            "passwordHash": vector.hash, "roles": ["dev"], "createdAt": 1_500_000_000, "emailVerified": true});
        writeln!(lines, "{line}").unwrap();
    }
    let ran = import(&app, &lines, &[]).await;
    assert!(ran.ok, "{ran:?}");
    assert!(
        ran.out
            .starts_with(&format!("{0} of {0} accounts added", known.len())),
        "{}",
        ran.out
    );
    for (n, vector) in known.iter().enumerate() {
        let email = format!("user-{n}@example.com");
        app.try_log_in(&email, "a wrong password")
            .await
            .refused(401, "invalid_credentials");
        assert_eq!(hash_of(&app, &email), vector.hash, "{}", vector.form);
        let pair: Pair = app.try_log_in(&email, vector.password).await.is(200).json();
        let claims = pair.claims();
        assert_eq!(claims["email_verified"], true);
        assert_eq!(claims["roles"], json!(["dev"]));
        assert_eq!(claims["name"], format!("User {n}"));
        let replaced = hash_of(&app, &email);
        assert!(
            replaced.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{}: {replaced}",
            vector.form
        );
        app.try_log_in(&email, vector.password).await.is(200);
        assert_eq!(hash_of(&app, &email), replaced, "once");
    }
}

#[tokio::test]
async fn two_first_log_ins_at_once_are_both_let_in() {
    let app = App::start().await;
    let vector = known::cheap().next().unwrap();
    let line = json!({"email": "a@example.com", "userName": "A", "passwordHash": vector.hash});
    assert!(import(&app, &line.to_string(), &[]).await.ok);
    let tries = (0..5).map(|_| app.try_log_in("a@example.com", vector.password));
    for answer in futures_util::future::join_all(tries).await {
        answer.is(200);
    }
    assert!(hash_of(&app, "a@example.com").starts_with("$argon2id$v=19$m=19456"));
}

#[tokio::test]
async fn of_a_file_with_a_bad_line_nothing_is_added_and_the_line_is_named() {
    let app = App::start().await;
    let mut lines = String::new();
    for n in 0..3000 {
        writeln!(
            lines,
            "{}",
            json!({"email": format!("user-{n}@example.com"), "userName": "U"})
        )
        .unwrap();
    }
    let costly = format!("$2b$31${}", "a".repeat(53));
    for (bad, told) in [
        (json!({"email": "x", "userName": "U"}), "email"),
        (
            json!({"email": "x@example.com", "userName": "U", "passwordHash": "SECRET"}),
            "passwordHash",
        ),
        (
            json!({"email": "x@example.com", "userName": "U", "passwordHash": costly}),
            "cost",
        ),
        (
            json!({"email": "USER-7@example.com", "userName": "U"}),
            "twice",
        ),
    ] {
        let ran = import(&app, &format!("{lines}{bad}\n"), &[]).await;
        assert!(!ran.ok, "{bad}");
        assert!(
            ran.err.contains("line 3001") && ran.err.contains(told),
            "{}",
            ran.err
        );
        assert!(
            !ran.err.contains("SECRET") && !ran.err.contains("$2b$31"),
            "{}",
            ran.err
        );
        assert_eq!(users(&app), 0);
    }
    let ran = import(&app, &lines, &["--dry-run"]).await;
    assert!(
        ran.ok && ran.out.contains("3000 of 3000 accounts would be added"),
        "{ran:?}"
    );
    assert_eq!(users(&app), 0);
    assert!(import(&app, &lines, &[]).await.ok);
    assert_eq!(users(&app), 3000);
}

#[tokio::test]
async fn who_is_there_already_is_named_and_left_alone() {
    let app = App::start().await;
    let user = app.register().await;
    let lines = format!(
        "{}\n{}\n",
        json!({"email": user.email.to_uppercase(), "userName": "Eve", "roles": ["admin"], "emailVerified": true}),
        json!({"email": "new@example.com", "userName": "New"}),
    );
    for (added, there) in [(1, 1), (0, 2)] {
        let ran = import(&app, &lines, &[]).await;
        assert!(ran.ok, "{ran:?}");
        let told = format!("{added} of 2 accounts added, {there} were there already");
        assert!(ran.out.contains(&told), "{}", ran.out);
        assert!(ran.err.contains("line 1"), "{}", ran.err);
    }
    let pair = app.log_in(&user).await;
    assert_eq!(pair.claims()["name"], user.name.as_str());
    assert_eq!(pair.claims()["roles"], json!([]));
}

#[tokio::test]
async fn who_came_without_a_password_sets_one_by_mail() {
    let sink = plain_sink().await;
    let app = App::with(Options::new().mailing(&sink)).await;
    let line = json!({"email": "new@example.com", "userName": "New"}).to_string();
    assert!(import(&app, &line, &[]).await.ok);
    for password in ["", " ", "password"] {
        app.try_log_in("new@example.com", password)
            .await
            .refused(401, "invalid_credentials");
    }
    app.forgot("new@example.com").await.is(202);
    let token = token(&sink.next().await);
    app.try_reset(&token, "hippopotamus umbrella").await.is(204);
    app.try_log_in("new@example.com", "hippopotamus umbrella")
        .await
        .is(200);
}

#[tokio::test]
async fn what_is_exported_can_be_imported_elsewhere_and_opens_there() {
    let app = App::start().await;
    let (user, other) = (app.register().await, app.register().await);
    cli(&app)
        .finish(&["user", "set-roles", &user.email, "admin"])
        .await;
    let bare = cli(&app).finish(&["user", "export"]).await;
    assert!(!bare.contains("passwordHash") && !bare.contains("argon2"));
    let whole = cli(&app).finish(&["user", "export", "--hashes"]).await;
    let lines: Vec<Value> = whole
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);

    let elsewhere = App::start().await;
    assert!(import(&elsewhere, &whole, &[]).await.ok);
    let hash = hash_of(&elsewhere, &user.email);
    let pair: Pair = elsewhere
        .try_log_in(&user.email, &user.password)
        .await
        .is(200)
        .json();
    assert_eq!(pair.claims()["roles"], json!(["admin"]));
    assert_eq!(hash_of(&elsewhere, &user.email), hash, "it is ours already");
    elsewhere
        .try_log_in(&other.email, &other.password)
        .await
        .is(200);
}
