//! Accounts that came in by another door than HTTP: registered by an earlier version, with e-mails as they were sent,
//! or by a command. They are found all the same.

use e2e::{App, Cli, User, random};

/// Registers somebody and writes the row as an earlier version did.
async fn old(app: &App, email: &str) -> User {
    let user = app.register().await;
    let (key, id) = (email.to_ascii_lowercase(), &user.id);
    let sql = format!("UPDATE users SET email = '{email}', email_key = '{key}' WHERE id = '{id}'");
    assert_eq!(app.database().execute(&sql), 1);
    User {
        email: email.to_owned(),
        ..user
    }
}

#[tokio::test]
async fn an_old_account_with_a_decomposed_e_mail_is_found_and_not_registered_twice() {
    let mut app = App::start().await;
    let id = random();
    // Decomposed, and half of it.
    for (n, spelling) in ["Cafe\u{301}.Cafe\u{301}", "Café.Cafe\u{301}"]
        .into_iter()
        .enumerate()
    {
        let [old_form, today] =
            [spelling, "café.café"].map(|name| format!("{name}-{n}-{id}@example.com"));
        let user = old(&app, &old_form).await;
        // As it was sent then, it is found at once.
        app.log_in(&user).await;
        app.restart(None).await;
        for email in [&old_form, &today, &old_form.replace("example", "EXAMPLE")] {
            app.try_log_in(email, &user.password).await.is(200);
            app.try_register("x", email, "long enough for anyone")
                .await
                .refused(409, "account_exists");
        }
    }
}

#[tokio::test]
async fn two_old_accounts_of_one_e_mail_are_both_found_as_they_were_registered() {
    let mut app = App::start().await;
    let id = random();
    let [composed, decomposed] =
        ["café", "cafe\u{301}"].map(|name| format!("{name}-{id}@example.com"));
    let one = old(&app, &composed).await;
    let other = old(&app, &decomposed).await;
    for _ in 0..2 {
        for user in [&one, &other] {
            assert_eq!(app.log_in(user).await.claims()["sub"], user.id.as_str());
        }
        app.restart(None).await;
    }
    app.try_log_in(&composed, &other.password)
        .await
        .refused(401, "invalid_credentials");
}

#[tokio::test]
async fn commands_take_what_means_the_same_for_the_same() {
    let app = App::start().await;
    let cli = Cli::new(app.folder(), app.database().url());
    let added = cli.run_with(
        &[
            "user",
            "add",
            " Cafe\u{301}@example.com ",
            "--name",
            " Re\u{a0} ne\u{301} ",
        ],
        "Straße zum Cafe\u{301}\n",
    );
    assert!(added.ok, "{added:?}");
    app.try_log_in("café@example.com", "Straße zum Café")
        .await
        .is(200);
    let set = cli.run_with(
        &["user", "set-password", "café@example.com"],
        "Ein\u{a0}neues Café\n",
    );
    assert!(set.ok, "{set:?}");
    app.try_log_in("Cafe\u{301}@example.com", "Ein neues Cafe\u{301}")
        .await
        .is(200);
    let listed = cli.done(&["user", "list"]);
    assert!(listed.contains("\tCafé@example.com\tRe né\t"), "{listed}");
    cli.done(&["user", "block", "\u{a0}cafe\u{301}@EXAMPLE.com"]);
    for refused in [
        cli.run_with(&["user", "add", "b@example.com"], "a tab\tin it\n"),
        cli.run_with(&["user", "add", "b\u{200b}@example.com"], "long enough\n"),
        cli.run_with(
            &["user", "add", "b@example.com", "--name", "\u{202e}"],
            "long enough\n",
        ),
        cli.run_with(&["user", "add", "cafe\u{301}@example.com"], "long enough\n"),
    ] {
        assert!(!refused.ok, "{refused:?}");
    }
}
