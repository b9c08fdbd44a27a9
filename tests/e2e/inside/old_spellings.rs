//! Accounts that an earlier version registered, with e-mails as they were sent: they are found all the same.

use e2e::{App, User, random};

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
            app.try_register("x", email, "long enough")
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
