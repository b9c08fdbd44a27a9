//! The command line of the real program, beside running services.

use std::time::{Duration, Instant};

use e2e::{App, Cli};
use serde_json::json;

fn cli(app: &App) -> Cli {
    Cli::new(app.folder(), app.database().url())
}

#[tokio::test]
async fn accounts_are_added_listed_and_given_passwords_and_roles() {
    let app = App::start().await;
    let cli = cli(&app);
    let added = cli.run_with(
        &[
            "user",
            "add",
            "ada@example.com",
            "--name",
            "Ada",
            "--role",
            "admin",
        ],
        "a long password\n",
    );
    assert!(added.ok, "{added:?}");
    let id = added.out.trim().to_owned();
    let pair: e2e::Pair = app
        .try_log_in("ada@example.com", "a long password")
        .await
        .is(200)
        .json();
    assert_eq!(
        (&pair.claims()["sub"], &pair.claims()["roles"]),
        (&json!(id), &json!(["admin"]))
    );
    app.call("/api/admin", &pair.access_token).await.is(200);

    let list = cli.done(&["user", "list"]);
    let line = list
        .lines()
        .find(|line| line.contains("ada@example.com"))
        .unwrap();
    assert!(
        line.contains(&id) && line.contains("Ada") && line.contains("admin"),
        "{line}"
    );
    assert!(!list.contains("argon2"), "{list}");

    // From the next refresh on.
    cli.done(&["user", "set-roles", "ada@example.com"]);
    app.call("/api/admin", &pair.access_token).await.is(200);
    let next = app.refresh(&pair).await;
    app.call("/api/admin", &next.access_token)
        .await
        .refused(403, "insufficient_role");
    // At once.
    cli.done(&[
        "user",
        "set-roles",
        "ada@example.com",
        "admin",
        "auditor",
        "--now",
    ]);
    let refused = app.try_refresh(&next).await.refused(401, "session_revoked");
    assert_eq!(refused.reason.as_deref(), Some("admin"));
    let again: e2e::Pair = app
        .try_log_in("ada@example.com", "a long password")
        .await
        .is(200)
        .json();
    assert_eq!(again.claims()["roles"], json!(["admin", "auditor"]));

    assert!(
        cli.run_with(&["user", "set-password", &id], "another password\n")
            .ok
    );
    let refused = app
        .try_refresh(&again)
        .await
        .refused(401, "session_revoked");
    assert_eq!(refused.reason.as_deref(), Some("password"));
    app.try_log_in("ada@example.com", "another password")
        .await
        .is(200);
}

#[tokio::test]
async fn an_account_is_blocked_unblocked_and_deleted() {
    let app = App::start().await;
    let cli = cli(&app);
    let (user, pair) = app.newcomer().await;
    cli.done(&["user", "block", &user.email.to_uppercase()]);
    let refused = app.try_refresh(&pair).await.refused(401, "session_revoked");
    assert_eq!(refused.reason.as_deref(), Some("blocked"));
    app.try_log_in(&user.email, &user.password)
        .await
        .refused(403, "account_blocked");
    app.try_log_in(&user.email, "a wrong password")
        .await
        .refused(401, "invalid_credentials");
    cli.done(&["user", "unblock", &user.id]);
    app.try_refresh(&pair).await.refused(401, "session_revoked");
    let pair = app.log_in(&user).await;
    cli.done(&["user", "delete", &user.email]);
    let answer = app.try_refresh(&pair).await;
    assert!(
        ["session_revoked", "session_expired"].contains(&answer.code().as_str()),
        "{answer:?}"
    );
    app.try_log_in(&user.email, &user.password)
        .await
        .refused(401, "invalid_credentials");
    app.get("/api/account/sessions", &pair.access_token)
        .await
        .refused(401, "token_revoked");
}

#[tokio::test]
async fn what_cannot_be_done_is_one_line_and_a_failure() {
    let app = App::start().await;
    let cli = cli(&app);
    let user = app.register().await;
    for (words, input) in [
        (
            vec!["user", "add", user.email.as_str()],
            "a long password\n",
        ),
        (vec!["user", "add", "new@example.com"], "short\n"),
        (vec!["user", "add", "new@example.com"], ""),
        (vec!["user", "add", "none"], "a long password\n"),
        (vec!["user", "block", "nobody@example.com"], ""),
        (vec!["user", "unblock", user.email.as_str()], ""),
        (
            vec!["user", "delete", "00000000-0000-4000-8000-000000000000"],
            "",
        ),
        (vec!["user", "set-password", user.email.as_str()], "short\n"),
        (
            vec!["sessions", "revoke", "00000000-0000-4000-8000-000000000000"],
            "",
        ),
    ] {
        let ran = cli.run_with(&words, input);
        assert!(!ran.ok, "{words:?}: {ran:?}");
        assert_eq!(ran.err.trim().lines().count(), 1, "{words:?}: {ran:?}");
        assert!(!ran.err.contains("panicked"), "{ran:?}");
    }
    app.log_in(&user).await;
}

#[tokio::test]
async fn a_session_tells_its_story() {
    let app = App::start().await;
    let cli = cli(&app);
    let (user, first) = app.newcomer().await;
    let second = app.refresh(&first).await;
    let third = app.refresh(&second).await;
    assert!(
        cli.done(&["sessions", "list", &user.email])
            .contains(&third.sid())
    );
    app.database().age(&first.sid(), 31);
    app.refresh(&second).await;
    app.try_refresh(&first)
        .await
        .refused(401, "refresh_token_reused");
    let story = cli.done(&["sessions", "explain", &first.sid()]);
    for word in ["log-in", "handed out again", "came back"] {
        assert!(story.to_lowercase().contains(word), "no {word} in: {story}");
    }
    assert!(!story.contains(&third.refresh_token[60..]), "{story}");
    assert!(
        !cli.done(&["sessions", "list", &user.email])
            .contains(&third.sid())
    );
}

#[tokio::test]
async fn keys_init_makes_both_files_and_overwrites_neither() {
    let app = App::start().await;
    let cli = cli(&app);
    let read = |name: &str| std::fs::read(app.folder().join(name)).unwrap();
    let before = (read("jwt-keys.json"), read("refresh-keys.json"));
    cli.done(&["keys", "init"]);
    assert_eq!((read("jwt-keys.json"), read("refresh-keys.json")), before);
    let status = cli.done(&["keys", "status"]);
    assert!(
        status.contains(&app.forge().kid) && status.contains("active"),
        "{status}"
    );
}

#[tokio::test]
async fn a_running_service_takes_a_rotated_ring_over() {
    let app = App::start().await;
    let (_, before) = app.newcomer().await;
    cli(&app).done(&["keys", "rotate", "--in", "0s"]);
    let until = Instant::now() + Duration::from_secs(5);
    let header = |pair: &e2e::Pair| pair.access_token.split('.').next().unwrap().to_owned();
    loop {
        let (_, after) = app.newcomer().await;
        app.call_home(&after.access_token).await.is(200);
        if header(&after) != header(&before) {
            break;
        }
        assert!(Instant::now() < until, "the old key still signs");
    }
    app.call_home(&before.access_token).await.is(200);
    app.refresh(&before).await;
}

#[tokio::test]
async fn the_health_check_of_a_plain_service_needs_no_list_of_authorities() {
    let app = App::start().await;
    let address = app.auth_url.trim_start_matches("http://").to_owned();
    let ask = move || {
        let mut command = std::process::Command::new(e2e::program("auth-server"));
        command.env_clear().env("AUTH_LISTEN", address);
        for variable in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
            command.env(variable, "/nonexistent");
        }
        command.arg("healthcheck").output().unwrap()
    };
    let asked = tokio::task::spawn_blocking(ask).await.unwrap();
    assert!(asked.status.success(), "{asked:?}");
}
