//! Texts that a database may not be able to store, in every field that takes one: refused or stored, and never
//! an outage.

use e2e::App;
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn a_text_that_cannot_be_stored_is_the_client_s_fault_and_no_outage() {
    let app = App::any().await;
    let (user, pair) = app.newcomer().await;
    let bearer = Some(pair.access_token.as_str());
    for odd in [
        "\0",
        "a\0b",
        "\0a@example.com",
        "a\0@example.com",
        "\u{1}\u{7f}",
        "Жанна",
        "王小明",
        "\u{10ffff}",
        "\u{fffe}\u{feff}",
        "👩‍👩‍👧",
        "'; DROP TABLE users; --",
        "\\x00",
        &"a".repeat(8_000),
        &"é".repeat(3_000),
    ] {
        for (method, path, body) in [
            (
                Method::POST,
                "login",
                json!({"email": odd, "password": "a long password"}),
            ),
            (
                Method::POST,
                "login",
                json!({"email": user.email, "password": odd}),
            ),
            (
                Method::POST,
                "register",
                json!({"userName": odd, "email": format!("{}@example.com", e2e::random()), "password": "a long password"}),
            ),
            (
                Method::POST,
                "register",
                json!({"userName": "odd", "email": odd, "password": "a long password"}),
            ),
            (
                Method::POST,
                "register",
                json!({"userName": "odd", "email": format!("{odd}@{}.example", e2e::random()), "password": "a long password"}),
            ),
            (
                Method::POST,
                "refresh-token",
                json!({"accessToken": odd, "refreshToken": odd}),
            ),
            (Method::DELETE, "sessions/%00", json!({})),
        ] {
            let path = format!("/api/account/{path}");
            let answer = app
                .ask_auth(method, &path, bearer, Some(body.clone()))
                .await;
            assert!(answer.status < 500, "{path} {body}: {answer:?}");
        }
    }
    for name in ["Жанна", "王小明", "👧 Zoë"] {
        let body = json!({"userName": name, "currentPassword": user.password});
        let changed = app
            .ask_auth(Method::PATCH, "/api/account", bearer, Some(body))
            .await
            .is(200);
        let account: serde_json::Value = changed.json();
        assert_eq!(account["userName"], name);
    }
}
