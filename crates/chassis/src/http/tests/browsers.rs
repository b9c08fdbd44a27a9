//! The CORS protocol.

use super::*;

#[actix_web::test]
async fn every_origin_may_call_unless_there_is_a_list() {
    let origin = "Origin: https://app.example.com";
    let ask = [
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: authorization",
    ];
    let preflight = |address, origin: &'static str| {
        send(
            address,
            request("OPTIONS /api/login", &[origin, ask[0], ask[1]], ""),
        )
    };
    let (any, _) = start("*");
    let answer = preflight(any, origin).await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    for (name, value) in [
        ("access-control-allow-origin", Some("*")),
        (
            "access-control-allow-methods",
            Some("GET, POST, PATCH, DELETE"),
        ),
        (
            "access-control-allow-headers",
            Some("Authorization, Content-Type, *"),
        ),
        ("access-control-max-age", Some("7200")),
        ("access-control-allow-credentials", None),
        ("vary", None),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    let answer = get(any, "/nowhere", &[origin]).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let exposed = answer.header("access-control-expose-headers").unwrap();
    assert!(exposed.starts_with("act, retry-after, www-authenticate"));

    let (list, _) = start("https://app.example.com,https://b.example");
    for answer in [
        preflight(list, origin).await,
        get(list, "/nowhere", &[origin]).await,
    ] {
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some("https://app.example.com")
        );
        assert_eq!(answer.header("vary"), Some("Origin"));
    }
    let stranger = "Origin: https://evil.example";
    for answer in [
        preflight(list, stranger).await,
        get(list, "/api/whoami", &[stranger]).await,
        get(list, "/api/whoami", &[]).await,
    ] {
        assert_eq!(answer.header("access-control-allow-origin"), None);
        assert_eq!(answer.header("vary"), Some("Origin"));
    }
}

#[actix_web::test]
async fn internal_paths_are_not_for_web_pages() {
    let (address, _) = start("*");
    for path in ["/internal/feed", "/internal", "/metrics"] {
        let answer = get(address, path, &["Origin: https://a.example"]).await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
        let line = format!("OPTIONS {path}");
        let ask = [
            "Origin: https://a.example",
            "Access-Control-Request-Method: GET",
        ];
        let answer = send(address, request(&line, &ask, "")).await;
        assert!(
            answer.status == 404 || answer.status == 405,
            "{path}: {answer:?}"
        );
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
    }
    let near = get(address, "/metricsx", &[]).await;
    assert_eq!(near.header("access-control-allow-origin"), Some("*"));
}

#[actix_web::test]
async fn a_preflight_that_a_proxy_asks_about_is_not_answered_here() {
    let (address, _) = start("https://a.example");
    let ask = [
        "Origin: https://evil.example",
        "Access-Control-Request-Method: PUT",
    ];
    // There is no such route in this app: what matters is who answers.
    let answer = send(address, request("OPTIONS /verify", &ask, "")).await;
    assert_eq!(answer.status, 404, "{answer:?}");
    assert_eq!(answer.header("access-control-allow-methods"), None);
    let near = send(address, request("OPTIONS /verify/x", &ask, "")).await;
    assert_eq!(near.status, 204, "{near:?}");
}
