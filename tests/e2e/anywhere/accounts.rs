//! Registration and log-in: what is taken, what is refused, and what a stranger learns.

use e2e::{App, random};
use serde_json::{Value, json};

const PASSWORD: &str = "correct horse battery";

#[tokio::test]
async fn registration_answers_the_account() {
    let app = App::any().await;
    let email = format!("Ada.{}@Example.COM", random());
    let answer = app
        .try_register("Ada Lovelace", &email, PASSWORD)
        .await
        .is(201);
    let account: Value = answer.json();
    let mut members: Vec<&str> = account
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    members.sort_unstable();
    assert_eq!(members, ["email", "id", "roles", "userName"]);
    assert_eq!(account["userName"], "Ada Lovelace");
    assert_eq!(account["email"], email.as_str(), "as it was given");
    assert_eq!(account["roles"], json!([]));
}

#[tokio::test]
async fn an_e_mail_is_taken_whatever_its_case() {
    let app = App::any().await;
    let user = app.register().await;
    app.try_register("x", &user.email, PASSWORD)
        .await
        .refused(409, "account_exists");
    app.try_register("x", &user.email.to_uppercase(), PASSWORD)
        .await
        .refused(409, "account_exists");
    app.try_log_in(&user.email.to_uppercase(), &user.password)
        .await
        .is(200);
}

#[tokio::test]
async fn user_names_are_not_unique() {
    let app = App::any().await;
    for _ in 0..2 {
        app.try_register("John Doe", &format!("{}@example.com", random()), PASSWORD)
            .await
            .is(201);
    }
}

#[tokio::test]
async fn e_mails_have_one_at_and_no_white_space() {
    let app = App::any().await;
    let id = random();
    let longest = format!("{id}{}@e.example", "a".repeat(254 - id.len() - 10));
    let too_long = format!("a{longest}");
    for bad in [
        "",
        "@",
        "a",
        "a@",
        "@b",
        "a@b@c",
        "a b@example.com",
        "a@exam ple.com",
        "a@example.com \n b",
        "a\t@example.com",
        "a\0@example.com",
        "a\u{7f}@example.com",
        "a\u{a0}@example.com",
        "a\u{2028}@example.com",
        "a\u{85}@example.com",
        &too_long,
    ] {
        app.try_register("x", bad, PASSWORD)
            .await
            .refused(422, "invalid_email");
    }
    for good in [
        longest.as_str(),
        &format!("a+b.{id}@example.com"),
        &format!("{id}@localhost"),
        &format!("王小明{id}@例え.jp"),
        &format!("o'brien{id}@example.com"),
        &format!("\"{id}\"@example.com"),
        &format!("';--{id}@example.com"),
    ] {
        app.try_register("x", good, PASSWORD).await.is(201);
        app.try_log_in(good, PASSWORD).await.is(200);
    }
}

#[tokio::test]
async fn user_names_have_1_to_64_characters_and_no_controls() {
    let app = App::any().await;
    for bad in [
        "",
        "a\0b",
        "a\nb",
        "\u{1b}[31m",
        "a\u{9f}",
        &"x".repeat(65),
        &"é".repeat(65),
    ] {
        let answer = app
            .try_register(bad, &format!("{}@example.com", random()), PASSWORD)
            .await;
        answer.refused(422, "invalid_user_name");
    }
    for good in [
        "x",
        "王小明",
        "<script>alert(1)</script>",
        "Robert'); DROP TABLE users;--",
        &"é".repeat(64),
    ] {
        let email = format!("{}@example.com", random());
        let account: Value = app
            .try_register(good, &email, PASSWORD)
            .await
            .is(201)
            .json();
        assert_eq!(account["userName"], good);
        let pair: e2e::Pair = app.try_log_in(&email, PASSWORD).await.is(200).json();
        let me: Value = app.call("/api/me", &pair.access_token).await.is(200).json();
        assert_eq!(me["name"], good);
    }
}

#[tokio::test]
async fn passwords_have_8_to_256_characters_of_any_script_and_nothing_is_cut() {
    let app = App::any().await;
    for bad in ["", "1234567", "ééééééé", &"x".repeat(257), &"é".repeat(257)] {
        app.try_register("x", &format!("{}@example.com", random()), bad)
            .await
            .refused(422, "weak_password");
    }
    for good in [
        // Shorter ones are all too easy to guess, where that counts.
        "x7$kQ2!z+",
        "éx7Qßk2ñ+",
        " leading and trailing ",
        "🦀x🐙7🦑Q🦐k+",
        &format!("x7$kQ2!z{}", "é".repeat(248)),
    ] {
        let email = format!("{}@example.com", random());
        app.try_register("x", &email, good).await.is(201);
        app.try_log_in(&email, good).await.is(200);
        let mut cut = good.to_owned();
        cut.pop();
        for other in [cut, format!("{good}x"), good.trim().to_uppercase()] {
            if other != good {
                app.try_log_in(&email, &other)
                    .await
                    .refused(401, "invalid_credentials");
            }
        }
    }
}

#[tokio::test]
async fn an_unknown_user_and_a_wrong_password_get_the_same_answer() {
    let app = App::any().await;
    let user = app.register().await;
    let known = app.try_log_in(&user.email, "a wrong password").await;
    let unknown = app
        .try_log_in(&format!("{}@example.com", random()), "a wrong password")
        .await;
    known.refused(401, "invalid_credentials");
    unknown.refused(401, "invalid_credentials");
    let without_id = |answer: &e2e::Answer| {
        let mut body: Value = serde_json::from_str(&answer.body).unwrap();
        body["requestId"].take();
        body
    };
    assert_eq!(without_id(&known), without_id(&unknown));
    let names = |answer: &e2e::Answer| {
        let mut names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
        names.sort();
        names
    };
    assert_eq!(names(&known), names(&unknown));
}

#[tokio::test]
async fn log_in_takes_whatever_it_is_asked_and_says_no() {
    let app = App::any().await;
    let user = app.register().await;
    let long = "x".repeat(10_000);
    for (email, password) in [
        ("", ""),
        (user.email.as_str(), ""),
        ("", user.password.as_str()),
        ("' OR '1'='1", "' OR '1'='1"),
        (long.as_str(), "password"),
        (user.email.as_str(), long.as_str()),
        ("a\0b", "\0\0\0\0\0\0\0\0"),
        ("%", "%"),
        (&format!("x {}", user.email), &user.password),
        (&format!("\u{200b}{}", user.email), &user.password),
    ] {
        app.try_log_in(email, password)
            .await
            .refused(401, "invalid_credentials");
    }
    app.log_in(&user).await;
}

#[tokio::test]
async fn every_log_in_is_a_session_of_its_own() {
    let app = App::any().await;
    let user = app.register().await;
    let (one, other) = (app.log_in(&user).await, app.log_in(&user).await);
    assert_ne!(one.sid(), other.sid());
    app.log_out(&one).await;
    app.refresh(&other).await;
}

#[tokio::test]
async fn two_registrations_of_one_e_mail_at_once_make_one_account() {
    let app = App::any().await;
    let email = format!("{}@example.com", random());
    let answers =
        futures_util::future::join_all((0..6).map(|_| app.try_register("x", &email, PASSWORD)))
            .await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(made, 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.refused(409, "account_exists");
    }
}
