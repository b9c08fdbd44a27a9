//! Secrets stay where they are: not in logs however loud, not in `Debug`, not in help, not in the database.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use e2e::{App, Cli, Database, Options, Running, program};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn no_log_line_tells_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::create(folder.path());
    let cli = Cli::new(folder.path(), database.url());
    cli.done(&["keys", "init"]);
    let own = [
        "--listen=127.0.0.1:0",
        "--registration=open",
        "--demo-user=demo@example.com:demo-password",
    ];
    let auth = Running::start(
        "auth-server",
        &[cli.arguments(), &own.map(str::to_owned)].concat(),
    );
    let ring = folder.path().join("jwt-keys.json");
    let resource = Running::start(
        "resource-api",
        &[
            "--listen=127.0.0.1:0".into(),
            format!("--jwt-keys-file={}", ring.display()),
            format!("--revocation-feed-url={}", auth.url),
        ],
    );
    let app = App::at(&auth.url, &resource.url);

    let (user, pair) = app.newcomer().await;
    let next = app.refresh(&pair).await;
    app.call_home(&next.access_token).await.is(200);
    app.call_home(&format!("{}x", next.access_token))
        .await
        .refused(401, "token_bad_signature");
    app.try_log_in(&user.email, "wrong-password-7")
        .await
        .refused(401, "invalid_credentials");
    app.try_refresh_with(&next.access_token, &format!("{}x", next.refresh_token))
        .await;
    app.try_refresh_with("rubbish", &next.refresh_token).await;
    let path = format!("/nothing?access_token={}", next.access_token);
    app.ask_auth(
        Method::GET,
        &path,
        Some(&next.access_token),
        Some(json!({"p": user.password})),
    )
    .await;
    let fresh: e2e::Pair = app
        .try_change_password(&next.access_token, &user.password, "new-password-8")
        .await
        .is(200)
        .json();
    app.log_out(&fresh).await;
    let logs = auth.kill() + &resource.kill();
    assert!(
        logs.lines().count() > 20,
        "there is a log to look into: {logs}"
    );

    let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    let mut secrets = vec![
        user.password.clone(),
        "wrong-password-7".into(),
        "new-password-8".into(),
        "demo-password".into(),
        signature(&pair.access_token),
        signature(&next.access_token),
        signature(&fresh.access_token),
        pair.refresh_token[60..].to_owned(),
        next.refresh_token[60..].to_owned(),
        fresh.refresh_token[60..].to_owned(),
        "$argon2".into(),
    ];
    for file in [ring, folder.path().join("refresh-keys.json")] {
        let keys: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        secrets.extend(
            keys["keys"]
                .as_array()
                .unwrap()
                .iter()
                .map(|key| key["k"].as_str().unwrap().to_owned()),
        );
    }
    for secret in secrets {
        let line = logs.lines().find(|line| line.contains(&secret));
        assert_eq!(line, None, "{secret}");
    }
}

#[tokio::test]
async fn settings_show_no_secret() {
    let url = "postgres://user:hunter2@localhost/keyturn";
    let settings = Options::new()
        .auth("demo-user", "demo@example.com:demo-password")
        .auth_settings("/x".as_ref(), url)
        .unwrap();
    let shown = format!("{settings:?}");
    assert!(
        !shown.contains("hunter2") && !shown.contains("demo-password"),
        "{shown}"
    );
    let help = Command::new(program("auth-server"))
        .arg("--help")
        .env("DATABASE_URL", url)
        .env("DEMO_USER", "demo@example.com:demo-password")
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(
        help.contains("DATABASE_URL")
            && !help.contains("hunter2")
            && !help.contains("demo-password"),
        "{help}"
    );
}

#[tokio::test]
async fn the_database_holds_no_token_and_no_password() {
    let app = App::start().await;
    let (user, pair) = app.newcomer().await;
    let next = app.refresh(&pair).await;
    let mut all = app
        .database()
        .words("SELECT password_hash AS value FROM users");
    all.extend(app.database().words("SELECT nonce AS value FROM sessions"));
    all.extend(app.database().words("SELECT detail AS value FROM audit"));
    let all = format!("{all:?}");
    assert!(all.contains("$argon2id$v=19$m=19456,t=2,p=1$"), "{all}");
    for secret in [
        &user.password,
        &pair.refresh_token[60..],
        &next.refresh_token[60..],
        &next.access_token[200..],
    ] {
        assert!(!all.contains(secret), "{all}");
    }
}

#[tokio::test]
async fn key_files_are_made_for_their_readers_alone() {
    let app = App::start().await;
    let mode = |name: &str| {
        app.folder()
            .join(name)
            .metadata()
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(
        (mode("jwt-keys.json"), mode("refresh-keys.json")),
        (0o640, 0o600)
    );
}

#[tokio::test]
async fn a_crash_of_a_service_leaves_no_keys_behind() {
    let app = App::start().await;
    let cli = Cli::new(app.folder(), app.database().url());
    let ring = app.folder().join("jwt-keys.json");
    let auth = [cli.arguments(), &["--listen=127.0.0.1:0".to_owned()]].concat();
    let resource = vec![
        "--listen=127.0.0.1:0".to_owned(),
        format!("--jwt-keys-file={}", ring.display()),
    ];
    for (name, arguments) in [("auth-server", auth), ("resource-api", resource)] {
        let running = tokio::task::spawn_blocking(move || Running::start(name, &arguments))
            .await
            .unwrap();
        let Ok(mut limits) = std::fs::File::open(format!("/proc/{}/limits", running.id())) else {
            return;
        };
        let mut text = String::new();
        std::io::Read::read_to_string(&mut limits, &mut text).unwrap();
        let line = text
            .lines()
            .find(|line| line.starts_with("Max core file size"))
            .unwrap();
        let numbers: Vec<&str> = line
            .split_whitespace()
            .filter(|word| word.parse::<u64>().is_ok())
            .collect();
        assert_eq!(numbers, ["0", "0"], "{name}: {line}");
    }
}

#[tokio::test]
async fn a_log_level_that_does_not_exist_stops_the_start() {
    let run = |name: &str, filter: &str| {
        let done = Command::new(program(name))
            .env_clear()
            .env("RUST_LOG", filter)
            .arg("healthcheck")
            .output()
            .unwrap();
        String::from_utf8(done.stderr).unwrap()
    };
    for name in ["auth-server", "resource-api"] {
        for filter in ["warning", "info,auth_server=loud", "verbose"] {
            let said = run(name, filter);
            for word in ["--log-filter", "error, warn, info, debug, trace and off"] {
                assert!(said.contains(word), "{name} {filter}: {said}");
            }
        }
        for filter in [
            "warn",
            "info,auth_server=debug",
            "auth_server::sessions=trace",
            "",
        ] {
            let said = run(name, filter);
            assert!(!said.contains("log-filter"), "{name} {filter}: {said}");
        }
    }
}
