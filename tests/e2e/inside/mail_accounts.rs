//! Accounts that strangers can have: proven addresses, changes of address, invitations, notes.

use e2e::smtp::{Mail, Sink};
use e2e::{App, Cli, Options, Pair, random};
use reqwest::Method;
use serde_json::{Value, json};

use super::mail_links::{mailing, plain_sink, registered, token};
use super::mail_sending::{WAITING, until};

const PASSWORD: &str = "hippopotamus umbrella";

async fn verified() -> (App, Sink) {
    let sink = plain_sink().await;
    let options = Options::new()
        .mailing(&sink)
        .auth("registration", "verified");
    (App::with(options).await, sink)
}

fn address() -> String {
    format!("user-{}@example.com", random())
}

async fn log_in(app: &App, email: &str, password: &str) -> Pair {
    app.try_log_in(email, password).await.is(200).json()
}

/// Lets an account have its next mail at once.
fn rested(app: &App) {
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
async fn a_new_address_counts_once_it_is_proven_and_the_old_one_hears_of_both() {
    let (app, sink) = mailing().await;
    let (user, _) = registered(&app, &sink).await;
    let pair = app.log_in(&user).await;
    let new = address();
    let body = json!({"userName": "Ada", "email": new, "currentPassword": user.password});
    let changed: Value = app
        .try_change_account(&pair.access_token, body)
        .await
        .is(200)
        .json();
    assert_eq!(changed["email"], user.email.as_str());
    assert_eq!(changed["pendingEmail"], new.as_str());
    assert_eq!(changed["userName"], "Ada", "a name needs no proof");
    let shown: Value = app
        .get("/api/account", &pair.access_token)
        .await
        .is(200)
        .json();
    assert_eq!(shown["pendingEmail"], new.as_str());
    assert_eq!(shown["emailVerified"], false);

    let mails = [sink.next().await, sink.next().await];
    let to = |email: &str| {
        mails
            .iter()
            .find(|mail| mail.to == [email.to_owned()])
            .unwrap()
    };
    assert!(to(&user.email).text().contains(&new));
    let link = token(to(&new));
    app.try_log_in(&new, &user.password)
        .await
        .refused(401, "invalid_credentials");
    for _ in 0..2 {
        app.try_verify(&link).await.is(204);
    }
    let note = sink.next().await;
    assert_eq!(note.to, [user.email.as_str()]);
    assert!(note.text().contains(&new));
    let pair = app.refresh(&pair).await;
    assert_eq!(pair.claims()["email"], new.as_str());
    assert_eq!(pair.claims()["email_verified"], true);
    app.try_log_in(&user.email, &user.password)
        .await
        .refused(401, "invalid_credentials");
    log_in(&app, &new, &user.password).await;
}

#[tokio::test]
async fn a_pending_address_can_be_taken_back_replaced_and_lost() {
    let (app, sink) = mailing().await;
    let (user, _) = registered(&app, &sink).await;
    let pair = app.log_in(&user).await;
    let ask = |email: String| {
        let body = json!({"email": email, "currentPassword": user.password});
        let (app, access) = (&app, &pair.access_token);
        async move { app.try_change_account(access, body).await }
    };
    let link_to = |mails: [Mail; 2], email: &str| {
        let mail = mails.into_iter().find(|mail| mail.to == [email.to_owned()]);
        token(&mail.unwrap())
    };
    let (first, second, third) = (address(), address(), address());
    ask(first.clone()).await.is(200);
    let first_link = link_to([sink.next().await, sink.next().await], &first);
    // Within the minute there is no other mail, and nothing is changed.
    let wait = ask(second.clone()).await;
    wait.refused(429, "too_many_attempts");
    rested(&app);
    ask(second.clone()).await.is(200);
    let second_link = link_to([sink.next().await, sink.next().await], &second);
    app.try_verify(&first_link)
        .await
        .refused(401, "invalid_link");
    // Taken back.
    let back: Value = ask(user.email.clone()).await.is(200).json();
    assert_eq!(back.get("pendingEmail"), None);
    app.try_verify(&second_link)
        .await
        .refused(401, "invalid_link");
    // Somebody else was faster.
    rested(&app);
    ask(third.clone()).await.is(200);
    let third_link = link_to([sink.next().await, sink.next().await], &third);
    app.try_register("Eve", &third, PASSWORD).await.is(201);
    assert_eq!(sink.next().await.to, [third.as_str()]);
    log_in(&app, &third, PASSWORD).await;
    app.try_verify(&third_link)
        .await
        .refused(409, "account_exists");
    // Who only squats the address loses it to the proof.
    let fourth = address();
    rested(&app);
    ask(fourth.clone()).await.is(200);
    let fourth_link = link_to([sink.next().await, sink.next().await], &fourth);
    app.try_register("Eve", &fourth, PASSWORD).await.is(201);
    assert_eq!(sink.next().await.to, [fourth.as_str()]);
    app.try_verify(&fourth_link).await.is(204);
    app.try_log_in(&fourth, PASSWORD)
        .await
        .refused(401, "invalid_credentials");
    log_in(&app, &fourth, &user.password).await;
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
async fn a_link_sent_again_does_not_tell_whose_the_pending_address_is() {
    let (app, sink) = mailing().await;
    let (owner, _) = registered(&app, &sink).await;
    let (user, _) = registered(&app, &sink).await;
    log_in(&app, &owner.email, &owner.password).await;
    let pair = app.log_in(&user).await;
    let mut answers = Vec::new();
    for target in [owner.email.clone(), address()] {
        rested(&app);
        let body = json!({"email": target, "currentPassword": user.password});
        app.try_change_account(&pair.access_token, body)
            .await
            .is(200);
        let again = app.ask_auth(
            Method::POST,
            "/api/account/email/verification",
            Some(&pair.access_token),
            None,
        );
        answers.push(again.await.status);
    }
    assert_eq!(answers, [429, 429]);
}

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
async fn a_new_password_ends_what_an_intruder_asked_for() {
    let (app, sink) = mailing().await;
    let (user, mail) = registered(&app, &sink).await;
    app.try_verify(&token(&mail)).await.is(204);
    let pair = app.log_in(&user).await;
    let theirs = address();
    let body = json!({"email": theirs, "currentPassword": user.password});
    app.try_change_account(&pair.access_token, body)
        .await
        .is(200);
    let mails = [sink.next().await, sink.next().await];
    let mail = mails.iter().find(|mail| mail.to == [theirs.as_str()]);
    let link = token(mail.unwrap());
    let new = format!("a new one {}", random());
    let pair: Pair = app
        .try_change_password(&pair.access_token, &user.password, &new)
        .await
        .is(200)
        .json();
    app.try_verify(&link).await.refused(401, "invalid_link");
    // Nor does the owner send him another one.
    let shown: Value = app
        .get("/api/account", &pair.access_token)
        .await
        .is(200)
        .json();
    assert_eq!(shown.get("pendingEmail"), None);
    assert_eq!(sink.next().await.to, [user.email.as_str()]);
    rested(&app);
    app.ask_auth(
        Method::POST,
        "/api/account/email/verification",
        Some(&pair.access_token),
        None,
    )
    .await
    .is(202);
    let untaken = "SELECT COUNT(*) AS value FROM outbox WHERE tries = 0";
    assert_eq!(app.database().number(untaken), Some(0));
}

#[tokio::test]
async fn strangers_who_want_an_address_leave_its_owner_the_mails_that_he_asks_for() {
    let (app, sink) = verified().await;
    let email = address();
    app.try_register("Ada", &email, PASSWORD).await.is(202);
    app.try_verify(&token(&sink.next().await)).await.is(204);
    for _ in 0..7 {
        app.try_register("Eve", &email, "elephants and gardenias")
            .await
            .is(202);
    }
    app.forgot(&email).await.is(202);
    // He is told once, and gets what he asks for, in whatever order.
    let mails = [sink.next().await, sink.next().await];
    let links: Vec<_> = mails.iter().filter(|mail| mail.link().is_some()).collect();
    assert_eq!(links.len(), 1);
    app.try_reset(&token(links[0]), "elephants and gardenias")
        .await
        .is(204);
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
async fn a_change_to_another_one_s_address_tells_the_owner_and_nobody_else() {
    let (app, sink) = mailing().await;
    let (owner, _) = registered(&app, &sink).await;
    let (user, _) = registered(&app, &sink).await;
    log_in(&app, &owner.email, &owner.password).await;
    let pair = app.log_in(&user).await;
    let body = json!({"email": owner.email.to_uppercase(), "currentPassword": user.password});
    let answer: Value = app
        .try_change_account(&pair.access_token, body)
        .await
        .is(200)
        .json();
    assert_eq!(answer["pendingEmail"], owner.email.to_uppercase());
    let mails = [sink.next().await, sink.next().await];
    let mail = mails
        .iter()
        .find(|mail| mail.to == [owner.email.clone()])
        .unwrap();
    assert_eq!(mail.link(), None);
    log_in(&app, &owner.email, &owner.password).await;
}

#[tokio::test]
async fn the_link_is_sent_again_on_request_within_the_limit() {
    let (app, sink) = mailing().await;
    let (user, _) = registered(&app, &sink).await;
    let pair = app.log_in(&user).await;
    let ask = || {
        app.ask_auth(
            Method::POST,
            "/api/account/email/verification",
            Some(&pair.access_token),
            None,
        )
    };
    ask().await.is(202);
    let mail = sink.next().await;
    let refused = ask().await;
    refused.refused(429, "too_many_attempts");
    let wait: i64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    app.try_verify(&token(&mail)).await.is(204);
    // There is nothing to prove any more.
    until(&app, WAITING, 0).await;
    ask().await.is(202);
    assert_eq!(app.database().number(WAITING), Some(0));
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

#[tokio::test]
async fn without_mail_a_new_address_counts_at_once_and_is_unproven() {
    let app = App::start().await;
    let user = app.register().await;
    let pair = app.log_in(&user).await;
    app.database()
        .execute("UPDATE users SET email_verified_at = 1");
    let pair = app.refresh(&pair).await;
    assert_eq!(pair.claims()["email_verified"], true);
    let new = address();
    let body = json!({"email": new, "currentPassword": user.password});
    let changed: Value = app
        .try_change_account(&pair.access_token, body)
        .await
        .is(200)
        .json();
    assert_eq!(changed["email"], new.as_str());
    let pair = app.refresh(&pair).await;
    assert_eq!(pair.claims()["email_verified"], false);
}
