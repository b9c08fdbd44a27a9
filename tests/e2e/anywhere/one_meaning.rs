//! What means the same is the same: passwords, e-mails and names from another keyboard, with a blank too many, or
//! composed otherwise. And what cannot be seen is nobody's name.

use e2e::{App, Pair, random};
use reqwest::Method;
use serde_json::{Value, json};

/// Spellings of one password.
fn passwords() -> [String; 4] {
    [
        "Straße zum Café Ångström".into(),
        "Straße zum Cafe\u{301} A\u{30a}ngstro\u{308}m".into(),
        "Straße\u{a0}zum\u{3000}Café \u{212b}ngström".into(),
        "Straße zum\u{2009}Cafe\u{301} Ångström".into(),
    ]
}

#[tokio::test]
async fn a_password_set_composed_and_typed_decomposed_is_the_same() {
    let app = App::any().await;
    for set in passwords() {
        let email = format!("{}@example.com", random());
        app.try_register("x", &email, &set).await.is(201);
        for typed in passwords() {
            app.try_log_in(&email, &typed).await.is(200);
        }
        let [mut current, typed, other, _] = passwords();
        for other in [
            current.to_lowercase(),
            current.replace('ß', "ss"),
            format!(" {current}"),
        ] {
            app.try_log_in(&email, &other)
                .await
                .refused(401, "invalid_credentials");
        }
        // As the current password of every route that wants one.
        let pair: Pair = app.try_log_in(&email, &current).await.is(200).json();
        let body = json!({"userName": "y", "currentPassword": typed});
        app.try_change_account(&pair.access_token, body)
            .await
            .is(200);
        let new = "A new cafe\u{301}".to_owned();
        let pair: Pair = app
            .try_change_password(&pair.access_token, &other, &new)
            .await
            .is(200)
            .json();
        current = "A new café".into();
        app.try_log_in(&email, &current).await.is(200);
        app.try_delete_account(&pair.access_token, &current)
            .await
            .is(204);
    }
}

#[tokio::test]
async fn a_password_has_no_control_characters_and_is_counted_as_it_is_spelled() {
    let app = App::any().await;
    let (user, pair) = app.newcomer().await;
    for bad in [
        "nul\0within it",
        "a tab\tin it",
        "line\nin it",
        "\u{1b}[31m escaped",
        "\u{85}2345678",
        &"e\u{301}".repeat(7),
    ] {
        let email = format!("{}@example.com", random());
        app.try_register("x", &email, bad)
            .await
            .refused(422, "weak_password");
        app.try_change_password(&pair.access_token, &user.password, bad)
            .await
            .refused(422, "weak_password");
    }
    let email = format!("{}@example.com", random());
    let longest = format!("x7$kQ2!z{}", "e\u{301}".repeat(248));
    app.try_register("x", &email, &longest).await.is(201);
    let typed = format!("x7$kQ2!z{}", "é".repeat(248));
    app.try_log_in(&email, &typed).await.is(200);
}

#[tokio::test]
async fn a_blank_around_the_e_mail_does_no_harm() {
    let app = App::any().await;
    for (before, after) in [(" ", ""), ("", " "), ("\t", "\r\n"), ("\u{a0}", "\u{3000}")] {
        let email = format!("{}@example.com", random());
        let blank = format!("{before}{email}{after}");
        let account: Value = app
            .try_register("x", &blank, "long enough for anyone")
            .await
            .is(201)
            .json();
        assert_eq!(account["email"], email.as_str());
        app.try_log_in(&email, "long enough for anyone")
            .await
            .is(200);
        let pair: Pair = app
            .try_log_in(&blank, "long enough for anyone")
            .await
            .is(200)
            .json();
        app.try_register("x", &email, "long enough for anyone")
            .await
            .refused(409, "account_exists");
        // Nothing changes, and something does.
        let mut body = json!({"email": blank, "currentPassword": "long enough for anyone"});
        let same = app
            .try_change_account(&pair.access_token, body.clone())
            .await;
        assert_eq!(same.is(200).json::<Value>()["email"], email.as_str());
        body["email"] = json!(format!("{before}new-{email}{after}"));
        let new = app.try_change_account(&pair.access_token, body).await;
        assert_eq!(new.is(200).json::<Value>()["email"], format!("new-{email}"));
    }
}

#[tokio::test]
async fn a_composed_and_a_decomposed_e_mail_are_one_account() {
    let app = App::any().await;
    let id = random();
    let spellings = [
        format!("Café.Å-{id}@example.com"),
        format!("Cafe\u{301}.A\u{30a}-{id}@example.com"),
        format!("café.\u{212b}-{id}@EXAMPLE.com"),
    ];
    let account: Value = app
        .try_register("x", &spellings[1], "long enough for anyone")
        .await
        .is(201)
        .json();
    assert_eq!(account["email"], spellings[0].as_str());
    for spelling in &spellings {
        app.try_log_in(spelling, "long enough for anyone")
            .await
            .is(200);
        app.try_register("x", spelling, "long enough for anyone")
            .await
            .refused(409, "account_exists");
    }
    // What another letter is stays another: no folding beyond ASCII, no compatibility.
    let other = format!("CAFÉ.Å-{id}@example.com");
    app.try_log_in(&other, "long enough for anyone")
        .await
        .refused(401, "invalid_credentials");
}

#[tokio::test]
async fn what_cannot_be_seen_is_in_no_name_and_no_address() {
    let app = App::any().await;
    let (user, pair) = app.newcomer().await;
    for hidden in [
        '\u{200b}',
        '\u{200d}',
        '\u{200e}',
        '\u{202e}',
        '\u{2066}',
        '\u{feff}',
        '\u{ad}',
        '\u{3164}',
        '\u{e0041}',
        '\u{2028}',
    ] {
        for name in [
            format!("ad{hidden}min"),
            format!("{hidden}admin"),
            format!("admin{hidden}"),
            hidden.into(),
        ] {
            let email = format!("{}@example.com", random());
            let answer = app
                .try_register(&name, &email, "long enough for anyone")
                .await;
            answer.refused(422, "invalid_user_name");
            let body = json!({"userName": name, "currentPassword": user.password});
            let answer = app.try_change_account(&pair.access_token, body).await;
            answer.refused(422, "invalid_user_name");
        }
        if hidden == '\u{2028}' {
            // White space, which is trimmed at the ends.
            continue;
        }
        for email in [
            format!("a{hidden}{}@example.com", random()),
            format!("{}@example.com{hidden}", random()),
        ] {
            app.try_register("x", &email, "long enough for anyone")
                .await
                .refused(422, "invalid_email");
            let body = json!({"email": email, "currentPassword": user.password});
            let answer = app.try_change_account(&pair.access_token, body).await;
            answer.refused(422, "invalid_email");
        }
    }
    for blank in [" ", "   ", "\u{a0}", "\u{2003}\u{3000}", "\u{2800}"] {
        let email = format!("{}@example.com", random());
        app.try_register(blank, &email, "long enough for anyone")
            .await
            .refused(422, "invalid_user_name");
    }
}

#[tokio::test]
async fn a_name_is_kept_without_blanks_too_many() {
    let app = App::any().await;
    for (sent, kept) in [
        ("  Ada \u{a0} Lovelace ", "Ada Lovelace"),
        ("Rene\u{301}e", "Renée"),
        ("Ａda", "Ada"),
        ("می\u{200c}خواهم", "می\u{200c}خواهم"),
    ] {
        let email = format!("{}@example.com", random());
        let answer = app
            .try_register(sent, &email, "long enough for anyone")
            .await;
        assert_eq!(answer.is(201).json::<Value>()["userName"], kept);
        let pair: Pair = app
            .try_log_in(&email, "long enough for anyone")
            .await
            .is(200)
            .json();
        assert_eq!(pair.claims()["name"], kept);
    }
}

#[tokio::test]
async fn an_account_is_deleted_where_a_delete_may_have_no_body() {
    let app = App::any().await;
    let (user, pair) = app.newcomer().await;
    let ask = async |body: Value| {
        let bearer = Some(pair.access_token.as_str());
        app.ask_auth(Method::POST, "/api/account/deletion", bearer, Some(body))
            .await
    };
    ask(json!({"currentPassword": "a wrong one"}))
        .await
        .refused(403, "wrong_current_password");
    ask(json!({})).await.refused(400, "invalid_request");
    app.refresh(&pair).await;
    ask(json!({"currentPassword": user.password})).await.is(204);
    app.try_log_in(&user.email, &user.password)
        .await
        .refused(401, "invalid_credentials");
    app.get("/api/account/sessions", &pair.access_token)
        .await
        .refused(401, "token_revoked");
}
