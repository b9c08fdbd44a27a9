//! Mailed links: what each opens, once, and nothing else.

use e2e::smtp::{self, Mail, Sink};
use e2e::{App, Options, User, random};
use reqwest::Method;
use serde_json::json;

/// The token of a mail's link.
pub(super) fn token(mail: &Mail) -> String {
    let link = mail.link().expect("a link");
    let (page, token) = link.split_once("#token=").expect("a fragment");
    assert!(!page.contains(token));
    token.to_owned()
}

/// A relay on this machine, without TLS.
pub(super) async fn plain_sink() -> Sink {
    Sink::start_with(smtp::Options {
        tls: smtp::Tls::None,
        ..smtp::Options::default()
    })
    .await
}

/// Services that mail, and the sink that their mails go to.
pub(super) async fn mailing() -> (App, Sink) {
    let sink = plain_sink().await;
    let app = App::with(Options::new().mailing(&sink)).await;
    (app, sink)
}

/// Somebody who has registered and got his first mail.
pub(super) async fn registered(app: &App, sink: &Sink) -> (User, Mail) {
    let user = app.register().await;
    let mail = sink.next().await;
    assert_eq!(mail.to, [user.email.as_str()]);
    (user, mail)
}

fn new_password() -> String {
    format!("a new one {}", random())
}

#[tokio::test]
async fn who_forgot_the_password_sets_a_new_one_by_mail_and_every_session_ends() {
    let (app, sink) = mailing().await;
    let (user, _) = registered(&app, &sink).await;
    let pair = app.log_in(&user).await;
    app.forgot(&user.email.to_uppercase()).await.is(202);
    let mail = sink.next().await;
    assert_eq!(mail.to, [user.email.as_str()]);
    let link = mail.link().unwrap();
    assert!(
        link.starts_with("http://localhost:5000/account/reset#token="),
        "{link}"
    );

    let (token, new) = (token(&mail), new_password());
    let reset = app.try_reset(&token, &new).await.is(204);
    assert_eq!(reset.body, "", "nobody is logged in by it");
    let over = app.try_refresh(&pair).await.refused(401, "session_revoked");
    assert_eq!(over.reason.as_deref(), Some("password"));
    app.try_log_in(&user.email, &user.password)
        .await
        .refused(401, "invalid_credentials");
    let pair: e2e::Pair = app.try_log_in(&user.email, &new).await.is(200).json();
    assert_eq!(
        pair.claims()["email_verified"],
        true,
        "the mailbox was shown"
    );

    let note = sink.next().await;
    assert!(note.subject().contains("password"), "{}", note.subject());
    assert_eq!(note.link(), None);
    for _ in 0..2 {
        app.try_reset(&token, &new_password())
            .await
            .refused(401, "invalid_link");
    }
    app.try_log_in(&user.email, &new).await.is(200);
}

#[tokio::test]
async fn nobody_can_tell_by_forgot_who_has_an_account() {
    let (app, sink) = mailing().await;
    let (user, _) = registered(&app, &sink).await;
    let unknown = format!("nobody-{}@example.com", random());
    let without_id = |answer: e2e::Answer| {
        let header = |name| answer.header(name).map(str::to_owned);
        let headers = ["content-length", "content-type", "cache-control"].map(header);
        (answer.status, headers, answer.body.clone())
    };
    let first = without_id(app.forgot(&unknown).await);
    let second = without_id(app.forgot(&user.email).await);
    assert_eq!(first, second);
    assert_eq!(first.0, 202);
    // In the order in which they came: had there been one for nobody, it would have come first.
    assert_eq!(sink.next().await.to, [user.email.as_str()]);
    assert_eq!(
        app.database()
            .number("SELECT COUNT(*) AS value FROM outbox WHERE address LIKE 'nobody%'"),
        Some(0)
    );
}

#[tokio::test]
async fn an_account_gets_one_mail_a_minute_and_five_an_hour_however_often_it_is_asked_for() {
    let (app, sink) = mailing().await;
    let (user, _) = registered(&app, &sink).await;
    let (other, _) = registered(&app, &sink).await;
    let a_minute_later = || {
        app.database()
            .execute("UPDATE users SET mailed_at = mailed_at - 61")
    };
    // A mail to somebody else behind it shows that the one before was none.
    let between = || async {
        app.database().execute(&format!(
            "UPDATE users SET mailed_at = 0, mails = 0 WHERE id = '{}'",
            other.id
        ));
        app.forgot(&other.email).await.is(202);
        assert_eq!(sink.next().await.to, [other.email.as_str()]);
    };
    for n in 0..5 {
        app.forgot(&user.email).await.is(202);
        assert_eq!(sink.next().await.to, [user.email.as_str()], "{n}");
        app.forgot(&user.email).await.is(202);
        between().await;
        a_minute_later();
    }
    app.forgot(&user.email).await.is(202);
    between().await;
    app.database()
        .execute("UPDATE users SET mails_since = mails_since - 3600");
    app.forgot(&user.email).await.is(202);
    assert_eq!(sink.next().await.to, [user.email.as_str()]);
}

#[tokio::test]
async fn a_proof_is_good_as_often_as_one_likes_while_the_address_is_the_same() {
    let (app, sink) = mailing().await;
    let (user, mail) = registered(&app, &sink).await;
    let pair = app.log_in(&user).await;
    assert_eq!(pair.claims()["email_verified"], false);
    let token = token(&mail);
    for _ in 0..3 {
        app.try_verify(&token).await.is(204);
    }
    let pair = app.refresh(&pair).await;
    assert_eq!(
        pair.claims()["email_verified"],
        true,
        "from the next token on"
    );
    let new = new_password();
    app.try_change_password(&pair.access_token, &user.password, &new)
        .await
        .is(200);
    app.try_verify(&token).await.is(204);
    app.database().execute(&format!(
        "UPDATE users SET email = 'x-{}' WHERE id = '{}'",
        user.email, user.id
    ));
    app.try_verify(&token).await.refused(401, "invalid_link");
}

#[tokio::test]
async fn a_link_opens_no_other_door_and_no_forged_one_opens_any() {
    let (app, sink) = mailing().await;
    let (user, mail) = registered(&app, &sink).await;
    let verify = token(&mail);
    app.forgot(&user.email).await.is(202);
    let reset = token(&sink.next().await);
    let pair = app.log_in(&user).await;
    app.database().execute("UPDATE users SET mailed_at = 0");
    let new = format!("new-{}@example.com", random());
    let body = json!({"email": new, "currentPassword": user.password});
    app.try_change_account(&pair.access_token, body)
        .await
        .is(200);
    let mails = [sink.next().await, sink.next().await];
    let change = mails.iter().find(|mail| mail.to == [new.clone()]).unwrap();
    let change = token(change);
    let cli = e2e::Cli::new(app.folder(), app.database().url());
    let invitation = cli.done(&["user", "invite", "guest@example.com", "--role", "admin"]);
    let invitation = invitation
        .trim()
        .split_once("#token=")
        .unwrap()
        .1
        .to_owned();
    let device = app
        .try_log_in(&user.email, &user.password)
        .await
        .json::<serde_json::Value>()["deviceToken"]
        .as_str()
        .unwrap()
        .to_owned();
    let others = [
        device.as_str(),
        &pair.refresh_token,
        &pair.access_token,
        "",
        "x",
        &"A".repeat(9000),
    ];

    let wrong = |answer: e2e::Answer| answer.refused(401, "invalid_link");
    for token in [&verify, &change, &invitation]
        .into_iter()
        .map(String::as_str)
        .chain(others)
    {
        wrong(app.try_reset(token, &new_password()).await);
    }
    for token in [&reset, &invitation]
        .into_iter()
        .map(String::as_str)
        .chain(others)
    {
        wrong(app.try_verify(token).await);
    }
    for token in [&verify, &change, &reset]
        .into_iter()
        .map(String::as_str)
        .chain(others)
    {
        wrong(app.try_accept(token, "Eve", &new_password()).await);
    }
    for token in [&verify, &change, &reset, &invitation] {
        let (start, end) = token.split_at(token.len() - 1);
        let forged = format!("{start}{}", if end == "A" { "B" } else { "A" });
        wrong(app.try_reset(&forged, &new_password()).await);
        wrong(app.try_verify(&forged).await);
        wrong(app.try_accept(&forged, "Eve", &new_password()).await);
        // Neither is it a token of ours anywhere else.
        app.try_refresh_with(&pair.access_token, token)
            .await
            .refused(401, "invalid_refresh_token");
        app.call("/api/home", token)
            .await
            .refused(401, "token_malformed");
    }
    // They are good where they belong; the change last, since it ends the reset.
    app.try_verify(&verify).await.is(204);
    app.try_verify(&change).await.is(204);
    wrong(app.try_reset(&reset, &new_password()).await);
    app.try_accept(&invitation, "Guest", &new_password())
        .await
        .is(201);
}

#[tokio::test]
async fn a_change_of_the_password_or_the_address_ends_links_to_a_new_password() {
    let (app, sink) = mailing().await;
    let (user, _) = registered(&app, &sink).await;
    app.forgot(&user.email).await.is(202);
    let first = token(&sink.next().await);
    let pair = app.log_in(&user).await;
    let new = new_password();
    app.try_change_password(&pair.access_token, &user.password, &new)
        .await
        .is(200);
    app.try_reset(&first, &new_password())
        .await
        .refused(401, "invalid_link");
}

#[tokio::test]
async fn two_who_use_one_link_at_once_set_one_password() {
    let (app, sink) = mailing().await;
    let (user, _) = registered(&app, &sink).await;
    app.forgot(&user.email).await.is(202);
    let token = token(&sink.next().await);
    let tries = (0..6).map(|_| {
        let (app, token, new) = (&app, &token, new_password());
        async move { (app.try_reset(token, &new).await, new) }
    });
    let answers = futures_util::future::join_all(tries).await;
    let done: Vec<_> = answers
        .iter()
        .filter(|(answer, _)| answer.status == 204)
        .collect();
    assert_eq!(done.len(), 1, "{answers:?}");
    app.try_log_in(&user.email, &done[0].1).await.is(200);
}

#[tokio::test]
async fn a_blocked_account_is_opened_by_no_link() {
    let (app, sink) = mailing().await;
    let (user, _) = registered(&app, &sink).await;
    app.forgot(&user.email).await.is(202);
    let token = token(&sink.next().await);
    let cli = e2e::Cli::new(app.folder(), app.database().url());
    cli.finish(&["user", "block", &user.email]).await;
    app.try_reset(&token, &new_password())
        .await
        .refused(401, "invalid_link");
    app.try_log_in(&user.email, &user.password)
        .await
        .refused(403, "account_blocked");
}

#[tokio::test]
async fn without_a_mail_server_nothing_is_promised_and_an_operator_hands_out_the_link() {
    let app = App::start().await;
    let user = app.register().await;
    let pair = app.log_in(&user).await;
    app.forgot(&user.email).await.refused(404, "not_found");
    app.ask_auth(
        Method::POST,
        "/api/account/email/verification",
        Some(&pair.access_token),
        None,
    )
    .await
    .refused(404, "not_found");
    let cli = e2e::Cli::new(app.folder(), app.database().url());
    let link = cli.finish(&["user", "reset-link", &user.email]).await;
    let token = link.trim().split_once("/account/reset#token=").unwrap().1;
    let new = new_password();
    app.try_reset(token, &new).await.is(204);
    let pair: e2e::Pair = app.try_log_in(&user.email, &new).await.is(200).json();
    assert_eq!(
        pair.claims()["email_verified"],
        false,
        "the operator's link went through no mailbox"
    );
    assert_eq!(
        app.database()
            .number("SELECT COUNT(*) AS value FROM outbox"),
        Some(0)
    );
}
