//! Paths, methods and request ids: what is where, and what an answer says when it is not.

use std::fmt::Write as _;

use e2e::{Answer, App, exchange};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let app = App::any().await;
    let (_, pair) = app.newcomer().await;
    let all = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ];
    for (base, path, allowed) in [
        (&app.auth_url, "/api/account/register", vec![Method::POST]),
        (&app.auth_url, "/api/account/login", vec![Method::POST]),
        (
            &app.auth_url,
            "/api/account/refresh-token",
            vec![Method::POST],
        ),
        (&app.auth_url, "/api/account/logout", vec![Method::POST]),
        (
            &app.auth_url,
            "/api/account/sessions",
            vec![Method::GET, Method::DELETE],
        ),
        (&app.auth_url, "/api/account/password", vec![Method::POST]),
        (
            &app.auth_url,
            "/api/account",
            vec![Method::GET, Method::PATCH, Method::DELETE],
        ),
        (
            &app.auth_url,
            "/api/account/password/forgot",
            vec![Method::POST],
        ),
        (
            &app.auth_url,
            "/api/account/invitations",
            vec![Method::POST],
        ),
        (
            &app.auth_url,
            "/account/reset",
            vec![Method::GET, Method::POST],
        ),
        (&app.auth_url, "/healthz", vec![Method::GET]),
        (&app.resource_url, "/api/home", vec![Method::GET]),
        (&app.resource_url, "/api/me", vec![Method::GET]),
        (&app.resource_url, "/healthz", vec![Method::GET]),
    ] {
        let others = all.iter().filter(|method| !allowed.contains(method));
        for method in others.chain([&Method::TRACE, &Method::from_bytes(b"BREW").unwrap()]) {
            let request = app
                .client
                .request(method.clone(), format!("{base}{path}"))
                .bearer_auth(&pair.access_token);
            let answer = Answer::read(request.json(&json!({})).send().await.unwrap()).await;
            answer.refused(405, "method_not_allowed");
            let allow = answer.header("allow").unwrap().to_owned();
            for method in &allowed {
                assert!(
                    allow.split(',').any(|word| word.trim() == method.as_str()),
                    "{path}: {answer:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn unknown_paths_are_not_found() {
    let app = App::any().await;
    let (_, pair) = app.newcomer().await;
    let mut long = String::from("/");
    for n in 0..1_000 {
        let _ = write!(long, "{n}/");
    }
    for path in [
        "/nothing",
        "/api",
        "/api/account/nothing",
        "/api/account/login/",
        "/api/account/Login",
        "/api/account/sessions/x/y",
        "/internal",
        "/internal/",
        "/.env",
        "/..",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/api/account/%00",
        "/a%ff",
        "/metrics/x",
        "/index.html/../..",
        "//",
        "/api//account/login",
        "/\\..\\x",
        &long,
    ] {
        // A deployment may have the demo page, at `/` and at what comes to the same.
        let url = reqwest::Url::parse(&format!("{}{path}", app.auth_url)).unwrap();
        if app.is_deployment() && (url.path() == "/" || url.path() == "/index.html") {
            continue;
        }
        let answer = app.ask_auth(Method::GET, path, None, None).await;
        answer.refused(404, "not_found");
    }
    for path in ["/api/nothing", "/api/home/", "/api/me/x", "/api/%2e%2e/x"] {
        app.call(path, &pair.access_token)
            .await
            .refused(404, "not_found");
    }
    app.call("/nothing", &pair.access_token)
        .await
        .refused(404, "not_found");
    app.is_alive().await;
}

#[tokio::test]
async fn closed_by_default_what_is_below_api_wants_a_token_before_it_says_what_is_there() {
    let app = App::any().await;
    for path in [
        "/api/home",
        "/api/me",
        "/api/admin",
        "/api/nothing",
        "/api/",
    ] {
        let answer = app
            .client
            .get(format!("{}{path}", app.resource_url))
            .send()
            .await
            .unwrap();
        Answer::read(answer).await.refused(401, "token_missing");
    }
}

#[tokio::test]
async fn request_ids_are_taken_if_they_are_sane() {
    let app = App::any().await;
    let ask = async |id: &str| {
        let request = app
            .client
            .get(format!("{}/healthz", app.auth_url))
            .header("x-request-id", id);
        let answer = Answer::read(request.send().await.unwrap()).await;
        answer.header("x-request-id").unwrap().to_owned()
    };
    for sane in ["a", "req-1", "0af7651916cd43dd8448eb211c80319c", "A.b_c-9"] {
        assert_eq!(ask(sane).await, sane);
    }
    for other in [
        "",
        " ",
        "a b",
        "<script>",
        "a\"b",
        &"x".repeat(200),
        "line\tbreak",
        "{}",
    ] {
        let id = ask(other).await;
        assert_ne!(id, other);
        assert!(!id.is_empty() && id.len() <= 64, "{id}");
    }
    assert_ne!(ask("").await, ask("").await);
}

/// A cache on the way would answer one user with what another one asked.
#[tokio::test]
async fn no_cache_keeps_what_is_meant_for_one_client() {
    let app = App::any().await;
    let (_, pair) = app.newcomer().await;
    for (base, method, path, status) in [
        (&app.auth_url, Method::GET, "/api/account/sessions", 200),
        (&app.auth_url, Method::GET, "/%61pi/account/sessions", 200),
        (&app.auth_url, Method::PATCH, "/api/account", 415),
        (&app.auth_url, Method::POST, "/api/account/login", 415),
        (&app.auth_url, Method::GET, "/api/account/login", 405),
        (&app.auth_url, Method::GET, "/api/nothing", 404),
        (&app.auth_url, Method::GET, "/internal/revocations", 401),
        (&app.auth_url, Method::POST, "/internal/revocations", 405),
        (&app.resource_url, Method::GET, "/api/home", 200),
        (&app.resource_url, Method::GET, "/api/me", 200),
        (&app.resource_url, Method::GET, "/api/admin", 403),
        (&app.resource_url, Method::PUT, "/api/home", 405),
        (&app.resource_url, Method::GET, "/api/nothing", 404),
        (&app.auth_url, Method::DELETE, "/api/account/sessions", 204),
    ] {
        let request = app.client.request(method, format!("{base}{path}"));
        let request = request.bearer_auth(&pair.access_token);
        let answer = Answer::read(request.send().await.unwrap()).await;
        let answer = answer.is(status);
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
    }
}

/// What monitors and link checkers ask: the same head, and nothing behind it.
#[tokio::test]
async fn head_works_wherever_get_does() {
    let app = App::any().await;
    let (_, pair) = app.newcomer().await;
    let common = [
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/nothing",
    ];
    let auth = [
        "/api/account/sessions",
        "/internal/revocations",
        "/api/account/login",
    ];
    let resource = ["/api/home", "/api/me", "/api/admin", "/api/nothing"];
    for (base, paths) in [
        (&app.auth_url, &auth[..]),
        (&app.resource_url, &resource[..]),
    ] {
        for path in paths.iter().chain(&common) {
            let ask = async |method: Method, bearer: bool| {
                let mut request = app.client.request(method, format!("{base}{path}"));
                if bearer {
                    request = request.bearer_auth(&pair.access_token);
                }
                request.send().await.unwrap()
            };
            for bearer in [true, false] {
                let get = ask(Method::GET, bearer).await;
                let head = ask(Method::HEAD, bearer).await;
                assert_eq!(head.status(), get.status(), "{path}");
                for name in [
                    "content-type",
                    "www-authenticate",
                    "cache-control",
                    "allow",
                    "act",
                ] {
                    let (head, get) = (head.headers().get(name), get.headers().get(name));
                    assert_eq!(head, get, "{path}: {name}");
                }
                assert!(head.headers().contains_key("content-length"), "{path}");
                assert_eq!(head.text().await.unwrap(), "", "{path}");
            }
        }
        // Not one byte of a body: what follows on the connection is the next answer.
        let two = "HEAD /openapi.json HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
        let answers = exchange(base, two.as_bytes()).await;
        let (head, next) = answers.0.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{answers:?}");
        assert!(next.starts_with("HTTP/1.1 200"), "{answers:?}");
    }
}
