//! Accounts that strangers can have: proven addresses, squatters, notes.

use e2e::smtp::Sink;
use e2e::{App, Cli, Options, Pair, random};
use serde_json::{Value, json};

use super::mail_links::{plain_sink, registered, token};
use super::mail_sending::until;

pub(super) const PASSWORD: &str = "hippopotamus umbrella";

pub(super) async fn verified() -> (App, Sink) {
    let sink = plain_sink().await;
    let options = Options::new()
        .mailing(&sink)
        .auth("registration", "verified");
    (App::with(options).await, sink)
}

pub(super) fn address() -> String {
    format!("user-{}@example.com", random())
}

pub(super) async fn log_in(app: &App, email: &str, password: &str) -> Pair {
    app.try_log_in(email, password).await.is(200).json()
}

/// Lets an account have its next mail at once.
pub(super) fn rested(app: &App) {
    app.database()
        .execute("UPDATE users SET mailed_at = 0, mails = 0");
}

#[tokio::test]
async fn nobody_logs_in_before_the_address_is_proven() {
    let (app, sink) = verified().await;
    let email = address();
    let answer = app.try_register("Ada", &email, PASSWORD).await.is(202);
    assert_eq!(answer.body, "");
    let first = sink.next().await;
    app.try_log_in(&email, "a wrong password")
        .await
        .refused(401, "invalid_credentials");
    app.try_log_in(&email, PASSWORD)
        .await
        .refused(403, "email_not_verified");
    // The link may be over: the right password asks for another mail.
    let second = sink.next().await;
    for mail in [&first, &second] {
        app.try_verify(&token(mail)).await.is(204);
    }
    let pair = log_in(&app, &email, PASSWORD).await;
    assert_eq!(pair.claims()["email_verified"], true);
}

#[tokio::test]
async fn registration_does_not_tell_who_has_an_account_and_the_owner_hears_of_it() {
    let (app, sink) = verified().await;
    let (known, unknown) = (address(), address());
    app.try_register("Ada", &known, PASSWORD).await.is(202);
    app.try_verify(&token(&sink.next().await)).await.is(204);
    let answers = [
        app.try_register("Eve", &known.to_uppercase(), "elephants and gardenias")
            .await,
        app.try_register("Eve", &unknown, "elephants and gardenias")
            .await,
    ];
    let told: Vec<_> = answers
        .iter()
        .map(|answer| {
            (
                answer.status,
                answer.body.clone(),
                answer.header("content-length").map(str::to_owned),
            )
        })
        .collect();
    assert_eq!(told[0], told[1]);
    let mails = [sink.next().await, sink.next().await];
    let to = |email: &String| {
        mails
            .iter()
            .find(|mail| mail.to == [email.clone()])
            .unwrap()
    };
    assert!(
        to(&known).subject().contains("already"),
        "{}",
        to(&known).subject()
    );
    assert_eq!(to(&known).link(), None);
    assert!(to(&unknown).link().is_some());
    // Nothing of hers is another's.
    log_in(&app, &known, PASSWORD).await;
    app.try_log_in(&known, "elephants and gardenias")
        .await
        .refused(401, "invalid_credentials");
}

#[tokio::test]
async fn who_squats_an_address_loses_it_to_the_next_who_registers() {
    let (app, sink) = verified().await;
    let email = address();
    app.try_register("Squatter", &email, "elephants and gardenias")
        .await
        .is(202);
    let squatters = token(&sink.next().await);
    app.try_register("Ada", &email, PASSWORD).await.is(202);
    let owners = token(&sink.next().await);
    app.try_verify(&squatters)
        .await
        .refused(401, "invalid_link");
    app.try_verify(&owners).await.is(204);
    app.try_log_in(&email, "elephants and gardenias")
        .await
        .refused(401, "invalid_credentials");
    let pair = log_in(&app, &email, PASSWORD).await;
    assert_eq!(pair.claims()["name"], "Ada");
    // And from now on nobody else gets it.
    rested(&app);
    app.try_register("Squatter", &email, "elephants and gardenias")
        .await
        .is(202);
    assert_eq!(sink.next().await.link(), None);
    log_in(&app, &email, PASSWORD).await;
}

#[tokio::test]
async fn who_squats_an_address_and_uses_it_loses_it_to_whoever_has_the_mailbox() {
    let sink = plain_sink().await;
    let options = Options::new().mailing(&sink);
    let mut app = App::with(options.clone()).await;
    let (squatter, _) = registered(&app, &sink).await;
    let theirs = app.log_in(&squatter).await;
    // Whether addresses need a proof or not: a stranger without the mailbox changes nothing of an account in use.
    app.try_register("Ada", &squatter.email, PASSWORD)
        .await
        .refused(409, "account_exists");
    app.restart(Some(options.auth("registration", "verified")))
        .await;
    app.try_register("Ada", &squatter.email, PASSWORD)
        .await
        .is(202);
    assert_eq!(sink.next().await.link(), None);
    let theirs = app.refresh(&theirs).await;
    rested(&app);
    app.forgot(&squatter.email).await.is(202);
    app.try_reset(&token(&sink.next().await), PASSWORD)
        .await
        .is(204);
    app.try_refresh(&theirs)
        .await
        .refused(401, "session_revoked");
    app.try_log_in(&squatter.email, &squatter.password)
        .await
        .refused(401, "invalid_credentials");
    log_in(&app, &squatter.email, PASSWORD).await;
}

#[tokio::test]
async fn a_stranger_s_registration_deletes_no_account_that_an_operator_made() {
    let (app, sink) = verified().await;
    let email = address();
    let cli = Cli::new(app.folder(), app.database().url());
    let id = tokio::task::spawn_blocking({
        let (cli, email) = (cli.clone(), email.clone());
        move || cli.run_with(&["user", "add", &email, "--role", "admin"], PASSWORD)
    });
    let id = id.await.unwrap().out.trim().to_owned();
    app.try_register("Eve", &email, "elephants and gardenias")
        .await
        .is(202);
    assert_eq!(sink.next().await.link(), None);
    app.try_log_in(&email, "elephants and gardenias")
        .await
        .refused(401, "invalid_credentials");
    app.try_log_in(&email, PASSWORD)
        .await
        .refused(403, "email_not_verified");
    app.try_verify(&token(&sink.next().await)).await.is(204);
    let pair = log_in(&app, &email, PASSWORD).await;
    assert_eq!(pair.claims()["sub"], id.as_str());
    assert_eq!(pair.claims()["roles"], json!(["admin"]));
}

#[tokio::test]
async fn who_sends_the_form_three_times_gets_a_link_that_works() {
    let (app, sink) = verified().await;
    let email = address();
    for _ in 0..3 {
        app.try_register("Ada", &email, PASSWORD).await.is(202);
    }
    // The last one's mail comes when the account may have one again.
    app.database()
        .execute("UPDATE outbox SET due_at = due_at - 3600");
    let mut last = sink.next().await;
    loop {
        if app.try_verify(&token(&last)).await.status == 204 {
            break;
        }
        last = sink.next().await;
    }
    log_in(&app, &email, PASSWORD).await;
}

#[tokio::test]
async fn who_registers_and_deletes_again_and_again_fills_nobody_s_mailbox() {
    let sink = plain_sink().await;
    let options = Options::new().mailing(&sink).auth("login-limits", "on");
    let app = App::with(options).await;
    let (email, other) = (address(), address());
    for _ in 0..5 {
        app.try_register("Eve", &email, PASSWORD).await.is(201);
        assert_eq!(sink.next().await.to, [email.as_str()]);
        let pair = log_in(&app, &email, PASSWORD).await;
        app.try_delete_account(&pair.access_token, PASSWORD)
            .await
            .is(204);
    }
    let refused = app.try_register("Eve", &email, PASSWORD).await;
    refused.refused(429, "too_many_attempts");
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!(wait <= 720, "{wait}");
    app.try_register("Ada", &other, PASSWORD).await.is(201);
    // Nor by a change of address.
    let pair = log_in(&app, &other, PASSWORD).await;
    let body = json!({"email": email, "currentPassword": PASSWORD});
    app.try_change_account(&pair.access_token, body)
        .await
        .refused(429, "too_many_attempts");
}

#[tokio::test]
async fn nobody_fills_a_mailbox_that_is_not_his_with_notes() {
    let sink = plain_sink().await;
    let options = Options::new().mailing(&sink).auth("mail-new-device", "on");
    let app = App::with(options).await;
    let (squatter, _) = registered(&app, &sink).await;
    for _ in 0..4 {
        log_in(&app, &squatter.email, &squatter.password).await;
    }
    let mut pair = app.log_in(&squatter).await;
    let mut current = squatter.password.clone();
    for _ in 0..3 {
        let new = format!("a new one {}", random());
        pair = app
            .try_change_password(&pair.access_token, &current, &new)
            .await
            .is(200)
            .json();
        current = new;
    }
    let to = format!(
        "SELECT COUNT(*) AS value FROM outbox WHERE address = '{}'",
        squatter.email
    );
    // One within the minute, and a mail to somebody else behind it shows that no other was.
    sink.next().await;
    app.try_register("Ada", &address(), PASSWORD).await.is(201);
    assert_ne!(sink.next().await.to, [squatter.email.as_str()]);
    until(&app, &to, 0).await;
    let told = sink.accepted();
    let told = told
        .iter()
        .filter(|mail| mail.to == [squatter.email.as_str()]);
    assert_eq!(told.count(), 2, "the proof, and one note");
}

#[tokio::test]
async fn a_note_is_sent_although_the_account_is_gone() {
    let sink = plain_sink().await;
    let app = App::with(Options::new().mailing(&sink)).await;
    let (user, _) = registered(&app, &sink).await;
    sink.otherwise(e2e::smtp::Behaviour::HangsUp);
    let pair = app.log_in(&user).await;
    let new = format!("a new one {}", random());
    let pair: Pair = app
        .try_change_password(&pair.access_token, &user.password, &new)
        .await
        .is(200)
        .json();
    app.try_delete_account(&pair.access_token, &new)
        .await
        .is(204);
    sink.otherwise(e2e::smtp::Behaviour::Usual);
    app.database()
        .execute("UPDATE outbox SET due_at = due_at - 3600");
    let note = sink.next().await;
    assert_eq!(note.to, [user.email.as_str()]);
    assert!(note.subject().contains("password"));
}

#[tokio::test]
async fn a_changed_password_a_block_after_reuse_and_an_unknown_device_are_told() {
    let sink = plain_sink().await;
    let options = Options::new()
        .mailing(&sink)
        .auth("mail-new-device", "on")
        .auth("refresh-reuse", "block-user")
        .auth("refresh-grace", "0s")
        .auth("refresh-late-retries", "0");
    let app = App::with(options).await;
    let (user, mail) = registered(&app, &sink).await;
    app.try_verify(&token(&mail)).await.is(204);
    // The first log-in of all is no news.
    let first: Value = app
        .try_log_in(&user.email, &user.password)
        .await
        .is(200)
        .json();
    let new = format!("a new one {}", random());
    let pair: Pair = app
        .try_change_password(first["accessToken"].as_str().unwrap(), &user.password, &new)
        .await
        .is(200)
        .json();
    let note = sink.next().await;
    assert!(note.subject().contains("password"), "{}", note.subject());
    // A device that the account knows is no news either.
    let body = json!({"email": user.email, "password": new, "deviceToken": first["deviceToken"]});
    app.post("/login", body).await.is(200);
    app.try_log_in(&user.email, &new).await.is(200);
    let note = sink.next().await;
    assert!(note.text().contains("127.0.0.1"), "{}", note.text());
    // A thief's try.
    let next = app.refresh(&pair).await;
    app.refresh(&next).await;
    app.try_refresh(&pair)
        .await
        .refused(401, "refresh_token_reused");
    let note = sink.next().await;
    assert!(note.subject().contains("blocked"), "{}", note.subject());
    assert_eq!(note.to, [user.email.as_str()]);
}
