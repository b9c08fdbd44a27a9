//! What a client or an API is told of a token that it holds, and when it is told nothing.

use auth_server::sessions::refresh_token::Purpose;
use e2e::Options;
use reqwest::Method;
use serde_json::{Value, json};

use super::sign_on_cast::{Stage, Table, claims, send, sid};
use super::sign_on_holdings::is_active;

/// What an access token says itself, as an introspection tells it.
fn told_of(access: &str, username: Option<&str>) -> Value {
    let claims = claims(access);
    let mut told = json!({"active": true, "token_type": "Bearer"});
    for name in [
        "scope",
        "client_id",
        "sub",
        "sid",
        "aud",
        "iss",
        "exp",
        "iat",
        "nbf",
        "jti",
    ] {
        if !claims[name].is_null() {
            told[name] = claims[name].clone();
        }
    }
    if let Some(username) = username {
        told["username"] = json!(username);
    }
    told
}

#[tokio::test]
async fn an_access_token_is_told_as_it_stands_with_the_name_where_it_may_be_known() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let name = s.user.name.as_str();
    let named = s.tokens(&visitor, &s.shop, "openid profile email").await;
    let nameless = s.tokens(&visitor, &s.shop, "openid email").await;
    let robot = s.service().await;
    let account = s.app.log_in(&s.user).await;
    for (access, username) in [
        (named.access(), Some(name)),
        (nameless.access(), None),
        (robot.access(), None),
        (account.access_token.as_str(), Some(name)),
    ] {
        let told = s.introspect(&s.robot, access).await.json();
        assert_eq!(told, told_of(access, username));
        let told = s.introspect_by(robot.access(), access).await.json();
        assert_eq!(told, told_of(access, username));
    }
    let told = s.introspect(&s.shop, named.access()).await.json();
    assert_eq!(told, told_of(named.access(), Some(name)));
    // For userinfo alone: no API's business.
    let wiki = s.tokens(&visitor, &s.wiki, "openid").await;
    let told = s.introspect(&s.wiki, wiki.access()).await.json();
    assert_eq!(told, told_of(wiki.access(), None));
    assert!(!is_active(&s.introspect(&s.robot, wiki.access()).await));
}

#[tokio::test]
async fn several_audiences_are_told_as_a_list() {
    let two = "http://localhost:5001,https://orders.example";
    let s = Stage::with(Options::new().both("jwt-audience", two)).await;
    let robot = s.service().await;
    let told = s.introspect(&s.robot, robot.access()).await.json();
    assert_eq!(told["aud"], claims(robot.access())["aud"]);
    assert_eq!(told["aud"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_refresh_token_is_told_to_its_own_client_without_when_it_was_turned() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let first = s.tokens(&visitor, &s.shop, "openid profile").await;
    let before = s.introspect(&s.shop, first.refresh()).await.json();
    let pair = s.app.log_in(&s.user).await;
    let listed = s.app.get("/api/account/sessions", &pair.access_token);
    let listed: Value = listed.await.json();
    let listed = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["id"] == before["sid"])
        .unwrap();
    assert_eq!(
        before,
        json!({
            "active": true, "token_type": "refresh_token", "client_id": "shop", "scope": "openid profile",
            "sub": s.user.id, "username": s.user.name, "sid": sid(&first), "iss": e2e::ISSUER, "aud": e2e::ISSUER,
            "exp": listed["idleExpiresAt"],
        })
    );
    // The same words before and after a turn, within an hour: nothing tells a thief when that was.
    let second = s.app.refresh_as(&s.shop, first.refresh()).await.tokens();
    let after = s.introspect(&s.shop, second.refresh()).await.json();
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_spent_refresh_token_is_active_within_the_grace_time_alone_and_a_look_is_no_use() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let first = s.tokens(&visitor, &s.shop, "openid").await;
    let second = s.app.refresh_as(&s.shop, first.refresh()).await.tokens();
    let third = s.app.refresh_as(&s.shop, second.refresh()).await.tokens();
    let id = sid(&third);
    let mut table = Table::default();
    let rows = s.rows();
    let all = [first.refresh(), second.refresh(), third.refresh()];
    let mut look = async |name: &str, expected: [bool; 3]| {
        let mut got = Vec::new();
        for token in all {
            got.push(is_active(&s.introspect(&s.shop, token).await));
        }
        table.row(name, got, expected);
    };
    look("at once", [false, true, true]).await;
    assert_eq!(
        s.rows(),
        rows,
        "nothing is judged, noted or ended by a look"
    );
    s.app.database().age(&id, 29);
    look(
        "a second before the end of the grace time",
        [false, true, true],
    )
    .await;
    s.app.database().age(&id, 2);
    let rows = s.rows();
    for _ in 0..5 {
        look("after it", [false, false, true]).await;
    }
    assert_eq!(
        s.rows(),
        rows,
        "five looks are not five late retries, and no reuse"
    );
    // Handed out late, the one before stays what it is: over, for whoever looks.
    let late = s.app.refresh_as(&s.shop, second.refresh()).await.tokens();
    assert_eq!(late.refresh(), third.refresh());
    look("after a late retry", [false, false, true]).await;
    // The session lives after all that; and the reuse that a look is not, a refresh is.
    s.app.refresh_as(&s.shop, first.refresh()).await.is(400);
    look("after a reuse", [false, false, false]).await;
    table.close(9);
}

#[tokio::test]
async fn a_token_newer_than_its_row_is_active_as_a_refresh_would_take_it() {
    let s = Stage::open().await;
    let visitor = s.browser().await;
    let tokens = s.tokens(&visitor, &s.shop, "openid").await;
    let newer = s.remint(Purpose::App, tokens.refresh(), |it| it.generation.0 += 1);
    assert!(is_active(&s.introspect(&s.shop, &newer).await));
    // Set back to before the exchange.
    let set = "generation = 0, idle_until = created_at, absolute_until = created_at";
    s.app.database().set(&sid(&tokens), set);
    for token in [tokens.refresh(), tokens.access()] {
        assert!(is_active(&s.introspect(&s.shop, token).await));
    }
    s.app.refresh_as(&s.shop, tokens.refresh()).await.is(200);
}

#[tokio::test]
async fn the_answers_go_by_the_manners_of_the_token_endpoint() {
    let s = Stage::open().await;
    let origin = [("origin", "https://app.example")];
    let robot = s.service().await;
    let form = |fields: &[(&str, &str)]| {
        let own = [
            ("client_id", "robot"),
            ("client_secret", s.robot.secret.as_deref().unwrap()),
        ];
        serde_urlencoded::to_string([&own[..], fields].concat()).unwrap()
    };
    let mut table = Table::default();
    for path in ["/oauth/introspect", "/oauth/revoke"] {
        let ask = async |kind: &'static str, body: String| {
            let request = s.request(Method::POST, path, &[("content-type", kind), origin[0]]);
            send(request.body(body)).await
        };
        let kind = "application/x-www-form-urlencoded";
        for (name, body) in [
            ("no token", form(&[])),
            ("an empty one", form(&[("token", "")])),
            ("two", form(&[("token", "x"), ("token", "x")])),
            (
                "two hints",
                form(&[
                    ("token", "x"),
                    ("token_type_hint", "a"),
                    ("token_type_hint", "b"),
                ]),
            ),
            (
                "something else twice",
                form(&[("token", "x"), ("y", "1"), ("y", "2")]),
            ),
        ] {
            let reply = ask(kind, body).await;
            let said = (
                reply.status,
                reply.error().1,
                reply.header("cache-control").to_owned(),
            );
            table.row(
                format!("{path}: {name}"),
                said,
                (400, "invalid_request".to_owned(), "no-store".to_owned()),
            );
            table.row(
                format!("{path}: {name}, CORS"),
                reply.header("access-control-allow-origin"),
                "*",
            );
        }
        let json = ask(
            "application/json",
            json!({"token": robot.access()}).to_string(),
        )
        .await;
        table.row(format!("{path}: JSON"), json.error().1, "invalid_request");
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let reply = send(s.request(method.clone(), path, &[])).await;
            table.row(
                format!("{path}: {method}"),
                (reply.status, reply.header("allow")),
                (405, "POST"),
            );
        }
        let hinted = ask(
            kind,
            form(&[
                ("token", "x"),
                ("token_type_hint", "pct_token"),
                ("more", "y"),
            ]),
        )
        .await;
        table.row(format!("{path}: what we do not know"), hinted.status, 200);
    }
    for hint in ["access_token", "refresh_token", "id_token", "made_up"] {
        let fields = [("token", robot.access()), ("token_type_hint", hint)];
        let reply = s.app.ask_as(&s.robot, "/oauth/introspect", &fields).await;
        table.row(format!("a hint of {hint}"), is_active(&reply), true);
    }
    table.close(34);
    let known = s.get("/.well-known/openid-configuration", &[]).await.json();
    assert_eq!(
        known["introspection_endpoint"],
        format!("{}/oauth/introspect", e2e::ISSUER)
    );
    let methods = json!(["client_secret_basic", "client_secret_post", "Bearer"]);
    assert_eq!(
        known["introspection_endpoint_auth_methods_supported"],
        methods
    );
    let methods = json!(["none", "client_secret_basic", "client_secret_post"]);
    assert_eq!(known["revocation_endpoint_auth_methods_supported"], methods);
}
