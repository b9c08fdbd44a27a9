//! New passwords that are easy to guess, or have leaked, are not taken, and it is said why.

use e2e::{App, Cli, Options, random};

fn address() -> String {
    format!("user-{}@example.com", random())
}

#[tokio::test]
async fn a_weak_password_is_refused_at_every_door_with_its_reason_and_advice() {
    let app = App::start().await;
    let (user, pair) = app.newcomer().await;
    let email = "augusta.king@lovelace.example";
    for (weak, reason) in [
        ("short", "length"),
        ("password1", "guessable"),
        ("lovelace1815", "guessable"),
        ("augusta.king", "guessable"),
    ] {
        let said = app.try_register("Augusta King", email, weak).await;
        let said = said.refused(422, "weak_password");
        assert_eq!(said.reason.as_deref(), Some(reason), "{weak}");
        let detail = said.detail.unwrap();
        assert!(detail.len() > 40 && !detail.contains(weak), "{detail}");
    }
    app.try_change_password(&pair.access_token, &user.password, "password1")
        .await
        .refused(422, "weak_password");
    app.try_log_in(&user.email, &user.password).await.is(200);
    let cli = Cli::new(app.folder(), app.database().url());
    let ran = cli.run_with(&["user", "set-password", &user.email], "password1\n");
    assert!(!ran.ok && ran.err.contains("easy to guess"), "{ran:?}");
    let ran = cli.run_with(&["user", "add", "b@example.com"], "password1\n");
    assert!(!ran.ok && !ran.err.contains("password1"), "{ran:?}");
}

#[tokio::test]
async fn who_wants_only_length_gets_only_length() {
    let app = App::with(Options::new().auth("password-policy", "length")).await;
    for eight in ["password", "éééééééé", "🦀🦀🦀🦀🦀🦀🦀🦀"] {
        let email = address();
        app.try_register("x", &email, eight).await.is(201);
        app.try_log_in(&email, eight).await.is(200);
    }
    app.try_register("x", &address(), "1234567")
        .await
        .refused(422, "weak_password");
}

#[tokio::test]
async fn a_password_that_has_leaked_is_refused_by_either_policy_and_old_ones_still_open() {
    let leaked = "correct horse battery staple";
    // `sha1sum` of it, among its neighbours.
    let hash = "ABF7AAD6438836DBE526AA231ABDE2D0EEF74D42";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pwned.txt");
    let lines = [
        "0000000CAEF405439D57847A8657218C618160B2:5",
        "ABF7AAD6438836DBE526AA231ABDE2D0EEF74D41:1",
        &format!("{hash}:216"),
        "FFFFFFFEE791CBAC0F6305CAF0CEE06BBE131160:9",
    ];
    std::fs::write(&file, lines.join("\r\n")).unwrap();
    for policy in ["strong", "length"] {
        let mut app = App::start().await;
        let email = address();
        app.try_register("x", &email, leaked).await.is(201);
        let options = Options::new()
            .auth("password-policy", policy)
            .auth("breached-passwords-file", file.display().to_string());
        app.restart(Some(options)).await;
        let said = app.try_register("x", &address(), leaked).await;
        let said = said.refused(422, "weak_password");
        assert_eq!(said.reason.as_deref(), Some("breached"));
        app.try_register("x", &address(), "correct horse battery stable")
            .await
            .is(201);
        app.try_log_in(&email, leaked).await.is(200);
    }
    let options = Options::new().auth("breached-passwords-file", "/nowhere/pwned.txt");
    let database = e2e::Database::create(folder.path());
    let settings = options
        .auth_settings(folder.path(), database.url())
        .unwrap();
    auth_server::key_files::init(&settings, shared::clock::now()).unwrap();
    let said = e2e::services(&options, folder.path(), database.url()).await;
    assert!(said.unwrap_err().contains("BREACHED_PASSWORDS_FILE"));
}
