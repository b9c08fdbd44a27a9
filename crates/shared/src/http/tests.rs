//! A whole app, over a real socket where the framework's own answers count.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpResponse, HttpServer, web};
use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::metrics::Metrics;

#[derive(Deserialize)]
struct Login {
    email: String,
    password: String,
}

async fn login(login: web::Json<Login>) -> String {
    format!("{} {}", login.email, login.password.len())
}

async fn fail() -> Result<String, Problem> {
    Err(Problem::internal("the password of the database is hunter2"))
}

async fn panics() -> String {
    panic!("a handler's own fault")
}

async fn stall() -> &'static str {
    actix_web::rt::time::sleep(Duration::from_secs(30)).await;
    "late"
}

async fn unready() -> HttpResponse {
    HttpResponse::ServiceUnavailable().json(serde_json::json!({"ready": false}))
}

async fn whoami(info: RequestInfo) -> String {
    info.id
}

/// Starts an app with everything of this module; the server ends with the test's runtime.
fn start(origins: &str) -> (SocketAddr, Metrics) {
    let origins: CorsOrigins = origins.parse().unwrap();
    let metrics = Metrics::new("test", "0").unwrap();
    let data = web::Data::new(metrics.clone());
    let app = move || {
        let api = web::scope("/api")
            .wrap(from_fn(deadline))
            .route("/login", web::post().to(login))
            .route("/fail", web::get().to(fail))
            .route("/panics", web::get().to(panics))
            .route("/stall", web::get().to(stall))
            .route("/whoami", web::get().to(whoami))
            .service(web::resource("/only-get").route(web::get().to(whoami)))
            .route(
                "/number/{n}",
                web::get().to(|n: web::Path<u8>| async move { n.to_string() }),
            );
        App::new()
            .app_data(json_config())
            .app_data(Deadline(Duration::from_millis(300)))
            .app_data(data.clone())
            .service(api)
            .route("/readyz", web::get().to(unready))
            .route("/internal/feed", web::get().to(whoami))
            .route("/bare", web::get().to(HttpResponse::Unauthorized))
            .default_service(web::to(not_found))
            .wrap(from_fn(bounds))
            .wrap(cors(&origins))
            .wrap(from_fn(finish))
    };
    let server = HttpServer::new(app)
        .workers(1)
        .bind(("127.0.0.1", 0))
        .unwrap();
    let address = server.addrs()[0];
    actix_web::rt::spawn(server.run());
    (address, metrics)
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// The code of the problem, whose form is judged on the way.
    fn code(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        assert_eq!(body["type"], "about:blank");
        assert_eq!(body["status"], self.status);
        assert!(body["title"].is_string());
        assert_eq!(
            body["requestId"].as_str(),
            self.header("x-request-id"),
            "{self:?}"
        );
        body["code"].as_str().unwrap().to_owned()
    }
}

/// Sends bytes as they are and reads until the other side closes.
async fn send(address: SocketAddr, request: String) -> Answer {
    let exchange = move || {
        let mut socket = TcpStream::connect(address).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        socket.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        // An error here is a connection that was reset after the answer.
        let _ = socket.read_to_end(&mut bytes);
        String::from_utf8(bytes).unwrap()
    };
    let text = web::block(exchange).await.unwrap();
    let (head, body) = text
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

fn request(line: &str, headers: &[&str], body: &str) -> String {
    let mut request = format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for header in headers {
        request.push_str(header);
        request.push_str("\r\n");
    }
    if !body.is_empty()
        && !headers
            .iter()
            .any(|header| header.starts_with("Content-Length"))
    {
        return format!("{request}Content-Length: {}\r\n\r\n{body}", body.len());
    }
    request + "\r\n" + body
}

async fn get(address: SocketAddr, path: &str, headers: &[&str]) -> Answer {
    send(address, request(&format!("GET {path}"), headers, "")).await
}

async fn post(address: SocketAddr, headers: &[&str], body: &str) -> Answer {
    send(address, request("POST /api/login", headers, body)).await
}

const JSON: &str = "Content-Type: application/json";

#[actix_web::test]
async fn errors_of_the_framework_are_problems_too() {
    let (address, _) = start("*");
    let judge = |answer: Answer| (answer.status, answer.code());
    let expect = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(
        judge(get(address, "/nowhere", &[]).await),
        expect(404, "not_found")
    );
    assert_eq!(
        judge(get(address, "/api/nowhere", &[]).await),
        expect(404, "not_found")
    );
    assert_eq!(
        judge(get(address, "/api/number/x", &[]).await),
        expect(404, "not_found")
    );
    assert_eq!(
        judge(get(address, "/api/fail", &[]).await),
        expect(500, "internal")
    );
    let bare = get(address, "/bare", &[]).await;
    assert_eq!(
        (bare.status, bare.code().as_str()),
        (401, "invalid_request")
    );
    assert!(
        bare.header("www-authenticate")
            .unwrap()
            .contains("invalid_token")
    );
    let wrong = send(address, request("DELETE /api/only-get", &[], "")).await;
    assert_eq!(
        (wrong.status, wrong.code().as_str()),
        (405, "method_not_allowed")
    );
    assert_eq!(wrong.header("allow"), Some("GET"));
}

#[actix_web::test]
async fn bodies_are_json_and_small_and_never_repeated() {
    let (address, _) = start("*");
    let good = r#"{"email":"a","password":"hunter2"}"#;
    for kind in [
        JSON,
        "Content-Type: application/json; charset=utf-8",
        "content-type: application/x+json",
    ] {
        let answer = post(address, &[kind], good).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, "a 7"),
            "{kind}"
        );
    }
    assert_eq!(
        post(address, &[JSON, "Content-Encoding: identity"], good)
            .await
            .status,
        200
    );
    let large = format!(r#"{{"email":"{}"}}"#, "x".repeat(LARGEST_BODY));
    let chunked = format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len());
    let chunks = send(
        address,
        format!("POST /api/login HTTP/1.1\r\nHost: x\r\n{JSON}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{chunked}"),
    )
    .await;
    assert_eq!(
        (chunks.status, chunks.code().as_str()),
        (413, "body_too_large")
    );
    for (headers, body, status, code) in [
        (
            &[JSON][..],
            r#"{"email":"hunter2"}"#,
            400,
            "invalid_request",
        ),
        (
            &[JSON],
            r#"{"email":"a","password":{"hunter2":1}}"#,
            400,
            "invalid_request",
        ),
        (
            &[JSON],
            r#"{"email":1,"password":"hunter2"}"#,
            400,
            "invalid_request",
        ),
        (
            &[JSON],
            r#"{"password":"hunter2","password":"hunter2","email":""}"#,
            400,
            "invalid_request",
        ),
        (&[JSON], r#""hunter2""#, 400, "invalid_request"),
        (&[JSON], r#"{"email":"hunter2"#, 400, "invalid_request"),
        (&[JSON], "", 400, "invalid_request"),
        (&[], good, 415, "unsupported_media_type"),
        (
            &["Content-Type: text/plain"],
            good,
            415,
            "unsupported_media_type",
        ),
        (
            &["Content-Type: application/x-www-form-urlencoded"],
            "email=a",
            415,
            "unsupported_media_type",
        ),
        (
            &[JSON, "Content-Encoding: gzip"],
            good,
            415,
            "unsupported_media_type",
        ),
        (&[JSON], &large, 413, "body_too_large"),
        (&[JSON, "Content-Length: 16385"], "", 413, "body_too_large"),
        (
            &[JSON, "Content-Length: 18446744073709551615"],
            "",
            413,
            "body_too_large",
        ),
    ] {
        let answer = post(address, headers, body).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, code),
            "{headers:?} {body:.40}"
        );
        assert!(!answer.body.contains("hunter2"), "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    }
    let missing = post(address, &[JSON], r#"{"email":"a"}"#).await;
    assert!(
        missing.body.contains("missing field `password`"),
        "{missing:?}"
    );
    // Also where no body is read.
    let ignored = send(
        address,
        request("GET /api/whoami", &["Content-Length: 20000"], ""),
    )
    .await;
    assert_eq!(ignored.status, 413);
}

#[actix_web::test]
async fn a_stalled_body_or_handler_ends_and_so_does_the_connection() {
    let (address, _) = start("https://app.example.com");
    let origin = "Origin: https://app.example.com";
    // Without `Connection: close`: the server closes of itself.
    let stalled = format!(
        "POST /api/login HTTP/1.1\r\nHost: x\r\n{origin}\r\n{JSON}\r\nContent-Length: 99\r\n\r\n{{"
    );
    for request in [
        stalled,
        format!("GET /api/stall HTTP/1.1\r\nHost: x\r\n{origin}\r\n\r\n"),
    ] {
        let answer = send(address, request).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (408, "request_timeout")
        );
        assert_eq!(answer.header("connection"), Some("close"));
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some("https://app.example.com")
        );
    }
}

#[actix_web::test]
async fn a_panic_is_an_answer_and_the_server_lives() {
    let (address, _) = start("*");
    for _ in 0..2 {
        let answer = get(address, "/api/panics", &[]).await;
        assert_eq!((answer.status, answer.code().as_str()), (500, "internal"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert!(!answer.body.contains("own fault"));
    }
    assert_eq!(get(address, "/api/whoami", &[]).await.status, 200);
}

#[actix_web::test]
async fn a_sane_request_id_is_taken_and_any_other_replaced() {
    let (address, _) = start("*");
    let id = |answer: Answer| {
        assert_eq!(answer.header("x-request-id"), Some(answer.body.as_str()));
        answer.body
    };
    let taken = get(address, "/api/whoami", &["X-Request-Id: abc_DEF-1.2"]).await;
    assert_eq!(id(taken), "abc_DEF-1.2");
    let fresh = id(get(address, "/api/whoami", &[]).await);
    assert_eq!(fresh.len(), 32);
    assert_ne!(fresh, id(get(address, "/api/whoami", &[]).await));
    let long = format!("X-Request-Id: {}", "x".repeat(65));
    for bad in [
        "X-Request-Id: ",
        "X-Request-Id: a b",
        "X-Request-Id: <script>",
        &long,
    ] {
        assert_eq!(
            id(get(address, "/api/whoami", &[bad]).await).len(),
            32,
            "{bad}"
        );
    }
}

#[actix_web::test]
async fn bodies_that_a_service_chose_stay() {
    let (address, _) = start("*");
    let answer = get(address, "/readyz", &[]).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (503, r#"{"ready":false}"#)
    );
    assert_eq!(answer.header("retry-after"), Some("1"));
}

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
            Some("Authorization, Content-Type"),
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
async fn requests_are_counted_by_route_and_not_by_path() {
    let (address, metrics) = start("*");
    get(address, "/api/number/1", &[]).await;
    get(address, "/api/number/2", &[]).await;
    get(address, "/made/up", &[]).await;
    get(address, "/api/panics", &[]).await;
    let text = String::from_utf8(metrics.render()).unwrap();
    for line in [
        r#"http_requests_total{method="GET",route="/api/number/{n}",status="200"} 2"#,
        r#"http_requests_total{method="GET",route="none",status="404"} 1"#,
        r#"http_requests_total{method="GET",route="none",status="500"} 1"#,
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    assert!(!text.contains("/made/up"));
}

#[test]
fn every_status_has_a_code() {
    for status in 400..600 {
        let status = StatusCode::from_u16(status).unwrap();
        assert!(!Problem::of_status(status).code().is_empty());
    }
}
