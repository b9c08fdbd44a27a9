//! `/verify` over a real socket: who passes, what upstreams learn, and what decides nothing.

use shared::token::NewAppToken;

use super::*;

const IDENTITY: [&str; 4] = ["x-user-id", "x-user-name", "x-user-roles", "x-session-id"];

fn named<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    let value = response.headers().get(name);
    value.map(|value| value.to_str().unwrap())
}

fn identity(response: &Response) -> [Option<&str>; 4] {
    IDENTITY.map(|name| named(response, name))
}

/// A token of a program: of a service where it has no name.
fn app_token(api: &Spawned, scope: &str, name: Option<&str>) -> String {
    let now = clock::now();
    let token = NewAppToken {
        sub: "program",
        sid: "session-2",
        jti: "token-2",
        iat: now,
        exp: now + 60,
        client_id: "program",
        scope,
        for_apis: true,
        name,
        email: None,
        roles: None,
    };
    api.signer.sign_app(&token, now).unwrap()
}

#[actix_web::test]
async fn a_good_token_passes_by_any_method_and_says_whose_it_is() {
    let api = Spawned::with(&[]).await;
    let token = api.token("user-1", &["admin", "a, \"role\"", "王"]);
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "BREW"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let response = api.ask(method, "/verify", Some(&token)).await;
        assert_eq!(response.status(), 200);
        let said = [
            "user-1",
            "%E7%8E%8B%E5%B0%8F%E6%98%8E",
            "admin,a%2C%20%22role%22,%E7%8E%8B",
            "session-1",
        ];
        assert_eq!(identity(&response), said.map(Some));
        assert_eq!(named(&response, "cache-control"), Some("no-store"));
        assert_eq!(response.text().await.unwrap(), "");
    }
}

#[actix_web::test]
async fn what_the_token_does_not_say_is_no_header() {
    let api = Spawned::with(&[]).await;
    let user = api.get("/verify", Some(&api.token("user-1", &[]))).await;
    assert_eq!(named(&user, "x-user-roles"), None);
    let service = app_token(&api, "orders:read", None);
    let service = api.get("/verify", Some(&service)).await;
    assert_eq!(service.status(), 200);
    let said = [Some("program"), None, None, Some("session-2")];
    assert_eq!(identity(&service), said);
}

#[actix_web::test]
async fn nobody_else_passes_by_any_method() {
    let api = Spawned::with(&[]).await;
    for method in ["GET", "HEAD", "POST", "DELETE", "TRACE", "options", "BREW"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let response = api.ask(method, "/verify", None).await;
        assert_eq!(response.status(), 401);
        assert!(response.headers().contains_key("www-authenticate"));
        assert_eq!(named(&response, "x-problem-code"), Some("token_missing"));
        assert_eq!(identity(&response), [None; 4]);
    }
    let response = api.get("/verify", Some("x.y.z")).await;
    assert_eq!(named(&response, "x-problem-code"), Some("token_malformed"));
    assert_problem(response, 401, "token_malformed").await;
}

#[actix_web::test]
async fn an_expired_token_is_told_to_refresh() {
    let api = Spawned::with(&["--jwt-clock-skew", "0s"]).await;
    let now = clock::now();
    let token = NewToken {
        sub: "user-1",
        sid: "session-1",
        jti: "token-1",
        iat: now - 9,
        nbf: now - 9,
        exp: now - 1,
        name: "Ada",
        email: "a@example.com",
        email_verified: false,
        roles: &[],
    };
    let token = api.signer.sign(&token, now).unwrap();
    let response = api.get("/verify", Some(&token)).await;
    assert_eq!(named(&response, "act"), Some("expired"));
    assert_problem(response, 401, "token_expired").await;
}

#[actix_web::test]
async fn all_roles_and_scopes_of_the_query_must_hold() {
    let api = Spawned::with(&[]).await;
    let user = api.token("user-1", &["admin", "a role"]);
    let program = app_token(&api, "orders:read orders:write", Some("Ada"));
    for (path, token, code) in [
        ("/verify?role=admin", &user, None),
        ("/verify?role=admin&role=a%20role", &user, None),
        (
            "/verify?role=admin&role=other",
            &user,
            Some("insufficient_role"),
        ),
        ("/verify?role=adm", &user, Some("insufficient_role")),
        // The user's own session may do everything.
        ("/verify?scope=orders:read", &user, None),
        (
            "/verify?scope=orders:read&scope=orders:write",
            &program,
            None,
        ),
        (
            "/verify?scope=orders:read&scope=x",
            &program,
            Some("insufficient_scope"),
        ),
        (
            "/verify?scope=orders:read&role=admin",
            &program,
            Some("insufficient_role"),
        ),
    ] {
        let response = api.get(path, Some(token)).await;
        let Some(code) = code else {
            assert_eq!(response.status(), 200, "{path}");
            continue;
        };
        assert_eq!(named(&response, "x-problem-code"), Some(code), "{path}");
        assert_eq!(identity(&response), [None; 4], "{path}");
        assert_problem(response, 403, code).await;
    }
}

#[actix_web::test]
async fn a_misspelt_query_and_other_paths_pass_nobody() {
    let api = Spawned::with(&[]).await;
    let admin = api.token("user-1", &["admin"]);
    for token in [None, Some(admin.as_str())] {
        for path in [
            "/verify?rol=admin",
            "/verify?role=",
            "/verify?",
            "/verify?role=admin&",
        ] {
            assert_problem(api.get(path, token).await, 400, "invalid_request").await;
            let preflight = api.ask(Method::OPTIONS, path, token).await;
            assert_problem(preflight, 400, "invalid_request").await;
        }
        for path in [
            "/verify/",
            "/verify/orders",
            "/verify%3Frole=admin",
            "/Verify",
        ] {
            assert_problem(api.get(path, token).await, 404, "not_found").await;
            assert_eq!(api.ask(Method::OPTIONS, path, token).await.status(), 404);
        }
    }
}

#[actix_web::test]
async fn a_preflight_passes_without_a_token_and_names_nobody() {
    let api = Spawned::with(&["--cors-allowed-origins", "https://a.example"]).await;
    let token = api.token("user-1", &["admin"]);
    for token in [None, Some(&token)] {
        let request = api
            .client
            .request(Method::OPTIONS, format!("{}/verify?role=admin", api.base));
        let request = request
            .header("Origin", "https://other.example")
            .header("Access-Control-Request-Method", "PUT");
        let request = token
            .into_iter()
            .fold(request, reqwest::RequestBuilder::bearer_auth);
        let response = request.send().await.unwrap();
        // 200 exactly: Envoy takes no other.
        assert_eq!(response.status(), 200);
        assert_eq!(identity(&response), [None; 4]);
    }
}

#[actix_web::test]
async fn no_header_of_the_client_makes_a_request_a_preflight() {
    let api = Spawned::with(&[]).await;
    for name in [
        "X-Forwarded-Method",
        "X-Original-Method",
        "X-HTTP-Method-Override",
        "Access-Control-Request-Method",
    ] {
        let request = api
            .client
            .get(format!("{}/verify", api.base))
            .header("Origin", "https://a.example");
        let response = request.header(name, "OPTIONS").send().await.unwrap();
        assert_problem(response, 401, "token_missing").await;
    }
}

#[actix_web::test]
async fn a_page_of_another_origin_can_read_why_it_was_refused() {
    let api = Spawned::with(&[]).await;
    let response = api.get("/verify", None).await;
    assert_eq!(named(&response, "access-control-allow-origin"), Some("*"));
    assert!(
        named(&response, "access-control-expose-headers")
            .unwrap()
            .contains("act")
    );
}

#[actix_web::test]
async fn a_stale_view_is_503_that_says_when_to_come_back() {
    let feed = [
        "--revocation-feed-url",
        "http://127.0.0.1:9",
        "--revocation-stale",
        "closed",
    ];
    let api = Spawned::with(&feed).await;
    let response = api.get("/verify", Some(&api.token("user-1", &[]))).await;
    assert_problem(response, 503, "revocation_view_stale").await;
}
