//! Invitations: whom an operator or an administrator lets in, once.

use e2e::{App, Cli, Options};
use reqwest::Method;
use serde_json::{Value, json};

use super::mail_accounts::{PASSWORD, address, log_in};
use super::mail_links::{mailing, plain_sink, registered, token};

#[tokio::test]
async fn a_second_invitation_brings_nobody_back() {
    let app = App::start().await;
    let cli = Cli::new(app.folder(), app.database().url());
    let guest = address();
    let mut links = Vec::new();
    for _ in 0..2 {
        let link = cli
            .finish(&["user", "invite", &guest, "--role", "admin"])
            .await;
        links.push(link.trim().split_once("#token=").unwrap().1.to_owned());
    }
    app.try_accept(&links[0], "Ada", PASSWORD).await.is(201);
    let pair = log_in(&app, &guest, PASSWORD).await;
    app.try_delete_account(&pair.access_token, PASSWORD)
        .await
        .is(204);
    for link in &links {
        app.try_accept(link, "Ada", PASSWORD)
            .await
            .refused(401, "invalid_link");
    }
    // Whom the operator invites anew may come.
    app.database().execute("UPDATE audit SET at = at - 1");
    let link = cli.finish(&["user", "invite", &guest]).await;
    let link = link.trim().split_once("#token=").unwrap().1;
    app.try_accept(link, "Ada", PASSWORD).await.is(201);
}

#[tokio::test]
async fn an_invitation_that_nobody_is_known_to_have_made_opens_nothing() {
    let app = App::start().await;
    let cli = Cli::new(app.folder(), app.database().url());
    let guest = address();
    let link = cli
        .finish(&["user", "invite", &guest, "--role", "admin"])
        .await;
    let link = link.trim().split_once("#token=").unwrap().1;
    // As with a token that somebody made who has the keys alone.
    app.database()
        .execute("DELETE FROM audit WHERE event = 'invited'");
    app.try_accept(link, "Eve", PASSWORD)
        .await
        .refused(401, "invalid_link");
}

#[tokio::test]
async fn who_is_invited_makes_an_account_once_with_the_roles_of_the_invitation() {
    let sink = plain_sink().await;
    let options = Options::new()
        .mailing(&sink)
        .auth("registration", "invited");
    let app = App::with(options).await;
    app.try_register("x", &address(), PASSWORD)
        .await
        .refused(403, "registration_closed");
    let cli = Cli::new(app.folder(), app.database().url());
    let admin = address();
    let link = cli
        .finish(&["user", "invite", &admin, "--role", "admin"])
        .await;
    let link = link
        .trim()
        .split_once("/account/invitation#token=")
        .unwrap()
        .1;
    let made: Value = app.try_accept(link, "Admin", PASSWORD).await.is(201).json();
    assert_eq!(made["roles"], json!(["admin"]));
    assert_eq!(made["email"], admin.as_str());
    let admin = log_in(&app, &admin, PASSWORD).await;
    assert_eq!(admin.claims()["email_verified"], true);

    let guest = address();
    let invite = |access: &str| {
        let body = json!({"email": guest, "roles": ["dev"]});
        let access = access.to_owned();
        let app = &app;
        async move {
            app.ask_auth(
                Method::POST,
                "/api/account/invitations",
                Some(&access),
                Some(body),
            )
            .await
        }
    };
    invite(&admin.access_token).await.is(202);
    let mail = sink.next().await;
    assert_eq!(mail.to, [guest.as_str()]);
    let link = token(&mail);
    app.try_accept(&link, "Guest", "password1")
        .await
        .refused(422, "weak_password");
    app.try_accept(&link, " ", PASSWORD)
        .await
        .refused(422, "invalid_user_name");
    let both = futures_util::future::join(
        app.try_accept(&link, "Guest", PASSWORD),
        app.try_accept(&link, "Guest", PASSWORD),
    )
    .await;
    let mut statuses = [both.0.status, both.1.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 401]);
    let pair = log_in(&app, &guest, PASSWORD).await;
    assert_eq!(pair.claims()["roles"], json!(["dev"]));
    // Only administrators invite, and nobody who is there.
    invite(&pair.access_token)
        .await
        .refused(403, "insufficient_role");
    invite(&admin.access_token)
        .await
        .refused(409, "account_exists");
    // What was deleted does not come back by its old invitation.
    app.try_delete_account(&pair.access_token, PASSWORD)
        .await
        .is(204);
    app.try_accept(&link, "Guest", PASSWORD)
        .await
        .refused(401, "invalid_link");
}

#[tokio::test]
async fn an_invitation_takes_an_address_from_who_squats_it() {
    let (app, sink) = mailing().await;
    let (squatter, _) = registered(&app, &sink).await;
    let pair = app.log_in(&squatter).await;
    let cli = Cli::new(app.folder(), app.database().url());
    let link = cli
        .finish(&["user", "invite", &squatter.email, "--role", "admin"])
        .await;
    let link = link.trim().split_once("#token=").unwrap().1;
    app.try_accept(link, "Ada", PASSWORD).await.is(201);
    app.try_refresh(&pair).await.refused(401, "session_revoked");
    app.try_log_in(&squatter.email, &squatter.password)
        .await
        .refused(401, "invalid_credentials");
    let pair = log_in(&app, &squatter.email, PASSWORD).await;
    assert_eq!(pair.claims()["name"], "Ada");
    app.try_accept(link, "Ada", PASSWORD)
        .await
        .refused(401, "invalid_link");
}
