//! Changes of address: they wait for their proof, and tell nobody anything.

use e2e::smtp::Mail;
use e2e::{App, Pair, random};
use reqwest::Method;
use serde_json::{Value, json};

use super::mail_accounts::{PASSWORD, address, log_in, rested, verified};
use super::mail_links::{mailing, registered, token};
use super::mail_sending::{WAITING, until};

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
