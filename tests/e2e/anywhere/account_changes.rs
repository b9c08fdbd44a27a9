//! Changes of the account by its owner: password, name, e-mail, deletion; and the bearer that they want.

use e2e::{App, Pair, User, random};
use reqwest::Method;
use serde_json::{Value, json};

const NEW: &str = "another horse entirely";

#[tokio::test]
async fn a_new_password_ends_every_session_and_begins_one() {
    let app = App::any().await;
    let (user, other) = app.newcomer().await;
    let mine = app.log_in(&user).await;
    let answer = app
        .try_change_password(&mine.access_token, &user.password, NEW)
        .await
        .is(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let fresh: Pair = answer.json();
    assert!(
        ![mine.sid(), other.sid()].contains(&fresh.sid()),
        "a new session"
    );
    for pair in [&mine, &other] {
        let refused = app.try_refresh(pair).await.refused(401, "session_revoked");
        assert_eq!(refused.reason.as_deref(), Some("password"));
        let refused = app
            .get("/api/account/sessions", &pair.access_token)
            .await
            .refused(401, "token_revoked");
        assert_eq!(refused.act.as_deref(), Some("revoked"));
    }
    let fresh = app.refresh(&fresh).await;
    assert_eq!(app.sessions(&fresh.access_token).await.len(), 1);
    app.try_log_in(&user.email, &user.password)
        .await
        .refused(401, "invalid_credentials");
    app.try_log_in(&user.email, NEW).await.is(200);
}

#[tokio::test]
async fn a_wrong_current_password_changes_nothing() {
    let app = App::any().await;
    let (user, pair) = app.newcomer().await;
    let access = &pair.access_token;
    app.try_change_password(access, "a wrong password", NEW)
        .await
        .refused(403, "wrong_current_password");
    app.try_change_account(access, json!({"userName": "x", "currentPassword": "wrong"}))
        .await
        .refused(403, "wrong_current_password");
    app.try_delete_account(access, "a wrong password")
        .await
        .refused(403, "wrong_current_password");
    app.try_change_password(access, &user.password, "short")
        .await
        .refused(422, "weak_password");
    app.refresh(&pair).await;
    app.log_in(&user).await;
}

#[tokio::test]
async fn name_and_e_mail_change_and_the_next_token_says_so() {
    let app = App::any().await;
    let (user, pair) = app.newcomer().await;
    let email = format!("new-{}@example.com", random());
    let answer = change(&app, &pair, &user, json!({"userName": "Neu"}))
        .await
        .is(200);
    assert_eq!(
        answer.json::<Value>(),
        json!({"id": user.id, "userName": "Neu", "email": user.email, "roles": []})
    );
    let answer = change(&app, &pair, &user, json!({"email": email}))
        .await
        .is(200);
    assert_eq!(
        answer.json::<Value>(),
        json!({"id": user.id, "userName": "Neu", "email": email, "roles": []})
    );
    let next = app.refresh(&pair).await;
    assert_eq!(
        (&next.claims()["name"], &next.claims()["email"]),
        (&json!("Neu"), &json!(email))
    );
    app.try_log_in(&user.email, &user.password)
        .await
        .refused(401, "invalid_credentials");
    app.try_log_in(&email, &user.password).await.is(200);
    // The old address is free again.
    app.try_register("x", &user.email, NEW).await.is(201);
}

#[tokio::test]
async fn changes_are_refused_as_at_registration() {
    let app = App::any().await;
    let (user, pair) = app.newcomer().await;
    let taken = app.register().await;
    for (body, status, code) in [
        (json!({"email": taken.email}), 409, "account_exists"),
        (
            json!({"email": taken.email.to_uppercase()}),
            409,
            "account_exists",
        ),
        (json!({"email": "none"}), 422, "invalid_email"),
        (json!({"userName": ""}), 422, "invalid_user_name"),
        (json!({}), 400, "invalid_request"),
        (json!({"userName": 7}), 400, "invalid_request"),
    ] {
        change(&app, &pair, &user, body).await.refused(status, code);
    }
    let same_but_case = change(
        &app,
        &pair,
        &user,
        json!({"email": user.email.to_uppercase()}),
    )
    .await
    .is(200);
    assert_eq!(
        same_but_case.json::<Value>()["email"],
        user.email.to_uppercase().as_str()
    );
}

#[tokio::test]
async fn a_deleted_account_is_gone() {
    let app = App::any().await;
    let (user, pair) = app.newcomer().await;
    let other = app.log_in(&user).await;
    assert!(
        app.try_delete_account(&pair.access_token, &user.password)
            .await
            .is(204)
            .body
            .is_empty()
    );
    for pair in [&pair, &other] {
        let answer = app.try_refresh(pair).await;
        assert!(
            ["session_revoked", "session_expired"].contains(&answer.code().as_str()),
            "{answer:?}"
        );
        assert_eq!(answer.status, 401);
        app.get("/api/account/sessions", &pair.access_token)
            .await
            .refused(401, "token_revoked");
        app.log_out(pair).await;
    }
    app.try_log_in(&user.email, &user.password)
        .await
        .refused(401, "invalid_credentials");
    let again = app
        .try_register("again", &user.email, &user.password)
        .await
        .is(201)
        .json::<Value>();
    assert_ne!(again["id"], user.id.as_str());
}

#[tokio::test]
async fn every_route_of_the_account_wants_a_bearer() {
    let app = App::any().await;
    for (method, path) in [
        (Method::GET, "/api/account/sessions"),
        (Method::DELETE, "/api/account/sessions"),
        (
            Method::DELETE,
            "/api/account/sessions/00000000-0000-4000-8000-000000000000",
        ),
        (Method::POST, "/api/account/password"),
        (Method::PATCH, "/api/account"),
        (Method::DELETE, "/api/account"),
        (Method::POST, "/api/account/deletion"),
    ] {
        let answer = app
            .ask_auth(method.clone(), path, None, Some(json!({})))
            .await;
        answer.refused(401, "token_missing");
        let answer = app
            .ask_auth(method, path, Some("rubbish"), Some(json!({})))
            .await;
        answer.refused(401, "token_malformed");
    }
}

async fn change(app: &App, pair: &Pair, user: &User, mut body: Value) -> e2e::Answer {
    body["currentPassword"] = json!(user.password);
    app.try_change_account(&pair.access_token, body).await
}
